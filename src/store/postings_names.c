/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the names in filters, facets and orders to columns, with near names for what is unknown.
 *
 * Method: exactly, then without regard to ASCII case when that leaves one. Near names are those
 * that a few slips away (Levenshtein 1966, restricted to names of up to 64 bytes) or that begin
 * with what was written.
 */
#include "store/postings.h"

#include "base/buf.h"

#include <stdio.h>
#include <string.h>

enum { NEAR_NAMES = 3, NEAR_BYTES = 64, NAME_BYTES = 60, FIRST_NAMES = 12 };

static bool is_there(const vt_postings *p, size_t column)
{
    return column < VT_BUILTIN_COUNT || vt_idset_begin(p->columns[column].present).valid;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* How many bytes must be inserted, deleted or replaced; case does not count. */
static size_t slips(const char *a, const char *b)
{
    size_t row[NEAR_BYTES + 1], a_length = strnlen(a, NEAR_BYTES + 1);
    size_t b_length = strnlen(b, NEAR_BYTES + 1);
    if (a_length > NEAR_BYTES || b_length > NEAR_BYTES)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t replace = diagonal + (lower(a[i - 1]) != lower(b[j - 1]));
            size_t insert = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replace < insert ? replace : insert;
        }
    }
    return row[b_length];
}

/* 0 is nearest; SIZE_MAX: not near. */
static size_t distance_of(const char *wanted, const char *name)
{
    size_t length = strlen(wanted), distance = slips(wanted, name);
    if (length >= 3 && strncmp(wanted, name, length) == 0)
        return 1;
    return distance <= 1 + length / 4 ? distance : SIZE_MAX;
}

static void append_name(vt_buf *text, const char *name)
{
    size_t length = strnlen(name, NAME_BYTES);
    while (length > 0 && length == NAME_BYTES && ((unsigned char)name[length] & 0xC0) == 0x80)
        length--;
    vt_buf_printf(text, "%s\"%.*s\"", text->length > 0 ? ", " : "", (int)length, name);
}

/* Fills near (NEAR_NAMES) with columns, nearest first; how many. */
static size_t find_near(const vt_postings *p, const char *name, size_t *near)
{
    size_t distances[NEAR_NAMES], count = 0;
    for (size_t i = 0; i < p->column_count; i++) {
        size_t distance = is_there(p, i) ? distance_of(name, p->columns[i].name) : SIZE_MAX;
        if (distance == SIZE_MAX)
            continue;
        size_t at = count;
        while (at > 0 && distances[at - 1] > distance)
            at--;
        if (at == NEAR_NAMES)
            continue;
        count += count < NEAR_NAMES;
        for (size_t j = count - 1; j > at; j--) {
            distances[j] = distances[j - 1];
            near[j] = near[j - 1];
        }
        distances[at] = distance;
        near[at] = i;
    }
    return count;
}

static vt_status fail_unknown(const vt_postings *p, const char *name, const char *where,
                              vt_error *error)
{
    size_t near[NEAR_NAMES], count = find_near(p, name, near), listed = 0;
    vt_buf names;
    vt_buf_init(&names, 4096);
    for (size_t i = 0; i < count; i++)
        append_name(&names, p->columns[near[i]].name);
    for (size_t i = 0; count == 0 && i < p->column_count && listed < FIRST_NAMES; i++) {
        if (!is_there(p, i))
            continue;
        append_name(&names, p->columns[i].name);
        listed++;
    }
    vt_fail(error, VT_ERR_USAGE, "%s: no product has an attribute \"%.*s\"; %s %s", where,
            NAME_BYTES, name, count > 0 ? "near it:" : "there are", vt_buf_text(&names));
    vt_buf_deinit(&names);
    return VT_ERR_USAGE;
}

vt_status vt_postings_resolve(const vt_postings *p, const char *name, bool quoted,
                              const char *where, size_t *column, vt_error *error)
{
    if (vt_postings_find_column(p, name, column) && is_there(p, *column))
        return VT_OK;
    size_t found = SIZE_MAX;
    for (size_t i = 0; !quoted && i < p->column_count; i++) {
        if (!vt_text_equal_nocase(p->columns[i].name, name) || !is_there(p, i))
            continue;
        if (found != SIZE_MAX)
            return vt_fail(
                error, VT_ERR_USAGE,
                "%s: \"%.60s\" may be \"%.60s\" or \"%.60s\"; in double quotes upper and "
                "lower case tell them apart",
                where, name, p->columns[found].name, p->columns[i].name);
        found = i;
    }
    if (found == SIZE_MAX)
        return fail_unknown(p, name, where, error);
    *column = found;
    return VT_OK;
}
