/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as a filter. It is refused with a reason, or it is a filter: then the
 * bitmaps and the row by row evaluator must agree on every product of a small catalogue.
 *
 * A name that no product has is replaced by one that some have, so that most filters are judged.
 */
#include "store/postings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PRODUCTS = 24 };

static const char *const texts[] = {
    "", "red", "blue", "it's", "42", "a%b_c\\", "gr\303\266\303\237e"};
enum { TEXTS = sizeof texts / sizeof texts[0] };

typedef struct goods {
    vt_product product;
    vt_attribute attributes[3];
    const char *items[2];
    char id[8];
} goods;

static goods stock[PRODUCTS];
static vt_postings *postings;

static void must(bool held)
{
    if (!held)
        abort();
}

static void fill(void)
{
    must(vt_postings_new(&postings, NULL) == VT_OK);
    for (unsigned i = 0; i < PRODUCTS; i++) {
        goods *g = &stock[i];
        g->id[0] = (char)('a' + i);
        g->items[0] = texts[i % TEXTS];
        g->items[1] = texts[i / 2 % TEXTS];
        g->attributes[0] = (vt_attribute){
            .name = "tags", .kind = VT_ATTRIBUTE_LIST, .items = g->items, .item_count = i % 3};
        g->attributes[1] = i % 2 ? (vt_attribute){.name = "size",
                                                  .kind = VT_ATTRIBUTE_NUMBER,
                                                  .number = i % 5 ? i + 38.5 : 42}
                                 : (vt_attribute){.name = "size",
                                                  .kind = VT_ATTRIBUTE_TEXT,
                                                  .text = texts[i / 3 % TEXTS]};
        g->product = (vt_product){.key = i + 1,
                                  .id = g->id,
                                  .title = i % 4 ? texts[i % TEXTS] : NULL,
                                  .brand = i % 3 ? texts[i / 4 % TEXTS] : NULL,
                                  .price = i % 6 ? i - 3.0 : (double)NAN,
                                  .change = i + 1,
                                  .attributes = g->attributes,
                                  .attribute_count = 2};
        must(vt_postings_put(postings, &g->product, NULL) == VT_OK);
    }
    must(vt_postings_settle(postings, NULL) == VT_OK);
}

static void use_known_names(vt_filter *filter)
{
    static const char *const names[] = {"tags", "size", "title", "brand", "price", "id", "change"};
    for (size_t i = 0; i < filter->step_count; i++) {
        vt_filter_step *step = &filter->steps[i];
        size_t column;
        if (step->name != NULL &&
            vt_postings_resolve(postings, step->name, step->quoted, "", &column, NULL) != VT_OK)
            step->name = names[strlen(step->name) % 7];
    }
}

static void judge(vt_filter *filter)
{
    vt_idset *set = NULL;
    use_known_names(filter);
    must(vt_postings_filter(postings, filter, &set, NULL) == VT_OK);
    bool *stack = calloc(filter->stack_depth, sizeof *stack);
    must(stack != NULL && filter->stack_depth >= 1);
    uint64_t count = 0;
    for (unsigned i = 0; i < PRODUCTS; i++) {
        bool passes = vt_filter_matches(filter, &stock[i].product, stack);
        must(passes == vt_idset_has(set, i + 1));
        count += passes;
    }
    must(count == vt_idset_count(set));
    free(stack);
    vt_idset_free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (postings == NULL)
        fill();
    char *text = malloc(length + 1);
    must(text != NULL);
    memcpy(text, bytes, length);
    text[length] = '\0';
    vt_filter *filter = NULL;
    vt_error error = {0};
    vt_status status = vt_filter_parse(text, &filter, &error);
    if (status == VT_OK) {
        judge(filter);
        vt_filter_free(filter);
    } else {
        must((status == VT_ERR_USAGE || status == VT_ERR_LIMIT) && filter == NULL);
        must(strncmp(error.message, "filter", 6) == 0);
    }
    free(text);
    return 0;
}
