/* SPDX-License-Identifier: Apache-2.0 */
/* Facets, as 'search' and 'list' ask for them and show them. */
#include "base/mem.h"
#include "cli/cli.h"

#include <math.h>
#include <string.h>

enum { VALUE_WIDTH = 28, BAR_WIDTH = 20 };

bool vt_cli_split_names(const char *text, vt_cli_names *out)
{
    *out = (vt_cli_names){.memory = vt_strdup(text)};
    if (out->memory == NULL)
        return false;
    for (char *name = out->memory, *next; name != NULL; name = next) {
        next = strchr(name, ',');
        if (next != NULL)
            *next++ = '\0';
        const char *trimmed = name;
        size_t length = vt_text_trim(&trimmed, strlen(name));
        if (length == 0)
            continue;
        if (out->count == VT_CLI_FACET_CAPACITY)
            return false;
        out->memory[(trimmed - out->memory) + (ptrdiff_t)length] = '\0';
        out->items[out->count++] = trimmed;
    }
    return true;
}

const char *vt_cli_facet_text(const vt_facet_value *value, char *scratch, size_t capacity)
{
    if (value->text != NULL)
        return value->text;
    snprintf(scratch, capacity, "%.15g", value->number);
    return scratch;
}

static void print_facet(const vt_facet *facet)
{
    char number[32];
    vt_cli_print(stdout, facet->name);
    printf(": %llu value%s in %llu product%s", (unsigned long long)facet->distinct,
           facet->distinct == 1 ? "" : "s", (unsigned long long)facet->products,
           facet->products == 1 ? "" : "s");
    if (!isnan(facet->minimum))
        printf(", from %.15g to %.15g", facet->minimum, facet->maximum);
    putchar('\n');
    for (size_t i = 0; i < facet->count; i++) {
        const vt_facet_value *value = &facet->values[i];
        int filled = (int)(BAR_WIDTH * (double)value->products / (double)facet->products + 0.5);
        printf("  ");
        vt_cli_print_column(stdout, vt_cli_facet_text(value, number, sizeof(number)), VALUE_WIDTH);
        printf(" %8llu ", (unsigned long long)value->products);
        for (int c = 0; c < filled && c < BAR_WIDTH; c++)
            putchar('#');
        putchar('\n');
    }
    if (facet->distinct > facet->count)
        printf("  and %llu more\n", (unsigned long long)(facet->distinct - facet->count));
}

void vt_cli_print_facets(const vt_facet *facets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        print_facet(&facets[i]);
}

void vt_cli_put_facets(vt_json_writer *writer, const vt_facet *facets, size_t count)
{
    if (count == 0)
        return;
    vt_json_open_array(writer, "facets");
    for (size_t i = 0; i < count; i++) {
        const vt_facet *facet = &facets[i];
        vt_json_open_object(writer, NULL);
        vt_json_put_text(writer, "name", facet->name);
        vt_json_put_int(writer, "distinct", (int64_t)facet->distinct);
        vt_json_put_int(writer, "products", (int64_t)facet->products);
        vt_json_put_number(writer, "minimum", facet->minimum, -1);
        vt_json_put_number(writer, "maximum", facet->maximum, -1);
        vt_json_open_array(writer, "values");
        for (size_t j = 0; j < facet->count; j++) {
            vt_json_open_object(writer, NULL);
            if (facet->values[j].text != NULL)
                vt_json_put_text(writer, "value", facet->values[j].text);
            else
                vt_json_put_number(writer, "value", facet->values[j].number, -1);
            vt_json_put_int(writer, "products", (int64_t)facet->values[j].products);
            vt_json_close(writer);
        }
        vt_json_close(writer);
        vt_json_close(writer);
    }
    vt_json_close(writer);
}
