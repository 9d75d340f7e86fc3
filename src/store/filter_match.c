/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter and one product: what a filter means, in its simplest form. The bitmaps are held to it.
 *
 * Method: the steps over a stack of truths. A comparison is true when a value of the product
 * satisfies it; with `negated`, when the product has values and none does. Products without a value
 * make both unknown, which is not true.
 */
#include "store/filter.h"

#include "base/buf.h"

#include <math.h>
#include <string.h>

const char *const vt_builtin_names[VT_BUILTIN_COUNT] = {
    "id", "title", "category", "brand", "currency", "price", "change",
};

static bool text_in_range(const vt_filter_step *step, const char *text)
{
    const vt_filter_value *low = &step->values[0], *high = &step->values[1];
    if (low->text != NULL) {
        int order = strcmp(text, low->text);
        if (!low->quoted || order < 0 || (order == 0 && low->excluded))
            return false;
    }
    if (high->text != NULL) {
        int order = strcmp(text, high->text);
        if (!high->quoted || order > 0 || (order == 0 && high->excluded))
            return false;
    }
    return true;
}

static bool number_in_range(const vt_filter_step *step, double number)
{
    const vt_filter_value *low = &step->values[0], *high = &step->values[1];
    if (low->text != NULL &&
        (low->quoted || number < low->number || (number == low->number && low->excluded)))
        return false;
    return high->text == NULL ||
           !(high->quoted || number > high->number || (number == high->number && high->excluded));
}

static bool text_satisfies(const vt_filter_step *step, const char *text)
{
    if (step->kind == VT_FILTER_LIKE)
        return vt_like_matches(step->values[0].text, text);
    if (step->kind == VT_FILTER_RANGE)
        return text_in_range(step, text);
    for (size_t i = 0; i < step->value_count; i++)
        if (strcmp(step->values[i].text, text) == 0)
            return true;
    return step->kind == VT_FILTER_PRESENT;
}

static bool number_satisfies(const vt_filter_step *step, double number)
{
    if (step->kind == VT_FILTER_LIKE)
        return false;
    if (step->kind == VT_FILTER_RANGE)
        return number_in_range(step, number);
    for (size_t i = 0; i < step->value_count; i++)
        if (step->values[i].number == number)
            return true;
    return step->kind == VT_FILTER_PRESENT;
}

typedef struct look {
    bool any, satisfied; /* the product has a value; one satisfies */
    bool number;         /* one was a number: only the first counts */
} look;

static void look_at_text(look *seen, const vt_filter_step *step, const char *text)
{
    if (text == NULL)
        return;
    seen->any = true;
    seen->satisfied = seen->satisfied || text_satisfies(step, text);
}

static void look_at_number(look *seen, const vt_filter_step *step, double number)
{
    if (isnan(number) || seen->number)
        return;
    seen->any = seen->number = true;
    seen->satisfied = seen->satisfied || number_satisfies(step, number);
}

static look look_at(const vt_filter_step *step, const vt_product *product)
{
    const char *const texts[] = {product->id, product->title, product->category, product->brand,
                                 product->currency};
    look seen = {0};
    for (int i = 0; i < VT_BUILTIN_COUNT; i++) {
        if (strcmp(step->name, vt_builtin_names[i]) != 0)
            continue;
        if (i < VT_BUILTIN_PRICE)
            look_at_text(&seen, step, texts[i]);
        else
            look_at_number(&seen, step,
                           i == VT_BUILTIN_PRICE ? product->price : (double)product->change);
        return seen;
    }
    for (size_t i = 0; i < product->attribute_count; i++) {
        const vt_attribute *attribute = &product->attributes[i];
        if (strcmp(attribute->name, step->name) != 0)
            continue;
        if (attribute->kind == VT_ATTRIBUTE_TEXT)
            look_at_text(&seen, step, attribute->text);
        else if (attribute->kind == VT_ATTRIBUTE_NUMBER)
            look_at_number(&seen, step, attribute->number);
        for (size_t j = 0; attribute->kind == VT_ATTRIBUTE_LIST && j < attribute->item_count; j++)
            look_at_text(&seen, step, attribute->items[j]);
    }
    return seen;
}

bool vt_filter_matches(const vt_filter *filter, const vt_product *product, bool *stack)
{
    size_t depth = 0;
    for (size_t i = 0; i < filter->step_count; i++) {
        const vt_filter_step *step = &filter->steps[i];
        if (step->kind == VT_FILTER_AND || step->kind == VT_FILTER_OR) {
            bool right = stack[--depth], left = stack[depth - 1];
            stack[depth - 1] = step->kind == VT_FILTER_AND ? left && right : left || right;
            continue;
        }
        look seen = look_at(step, product);
        if (step->kind == VT_FILTER_PRESENT)
            stack[depth++] = seen.any != step->negated;
        else
            stack[depth++] = seen.any && seen.satisfied != step->negated;
    }
    return stack[0];
}
