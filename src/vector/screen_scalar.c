/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels that screen rows in plain C: what they mean. Elements are taken in the order in which
 * they lie, which a compiler can make vectors of.
 */
#include "vector/screen_levels.h"

static uint16_t group_pass(const vt_screen_rows *rows, size_t group, const vt_screen_query *query)
{
    int32_t products[VT_SCREEN_GROUP] = {0};
    const uint8_t *code = rows->codes + group * rows->width * VT_SCREEN_GROUP;
    for (size_t at = 0; at < rows->width; at += VT_SCREEN_STEP)
        for (size_t row = 0; row < VT_SCREEN_GROUP; row++)
            for (size_t i = 0; i < VT_SCREEN_STEP; i++)
                products[row] += *code++ * query->code[at + i];
    unsigned mask = 0;
    for (size_t row = 0; row < VT_SCREEN_GROUP; row++) {
        size_t number = group * VT_SCREEN_GROUP + row;
        float head = (float)(products[row] + query->offset) * rows->scales[number];
        mask |= (unsigned)(head + rows->tails[number] * query->tail >= query->least) << row;
    }
    return (uint16_t)mask;
}

static void pass(const vt_screen_rows *rows, const vt_screen_query *queries, size_t count,
                 uint16_t *masks)
{
    for (size_t group = 0; group < rows->groups; group++)
        for (size_t q = 0; q < count; q++)
            masks[q * rows->groups + group] = group_pass(rows, group, &queries[q]);
}

const vt_screen_table vt_screen_table_scalar = {.pass = pass, .query_most = 127};
