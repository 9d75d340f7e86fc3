/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inverted lists: the validator. Everything that ivf_rows.h promises is looked at, row by row; what
 * is wrong first is reported.
 */
#include "index/ivf_rows.h"

#include "base/mem.h"

#include <math.h>

enum { BLOCK = VT_FASTSCAN_BLOCK };

/* Nothing is left of what was there once. */
static bool place_is_zero(const vt_ivf *ivf, unsigned char *block, size_t at)
{
    unsigned any = ivf_ids(ivf, block)[at] | ivf_groups(ivf, block)[at];
    for (size_t g = 0; g < ivf->groups; g++) {
        unsigned byte = block[g * VT_FASTSCAN_GROUP_BYTES + at % 16];
        any |= at < 16 ? byte & 15u : byte >> 4;
    }
    for (size_t f = 0; f < VT_FASTSCAN_FACTORS; f++)
        any |= ivf_factors(ivf, block)[f * BLOCK + at] != 0.0f;
    return any == 0;
}

bool ivf_row_is_sound(const vt_ivf *ivf, const ivf_list *list, size_t at, float *scratch)
{
    const float *factors = ivf_factors(ivf, ivf_block(ivf, list, at)) + at % BLOCK;
    /* Scales and errors below 0 would turn bounds round. */
    if (!(factors[0] >= 0.0f && isfinite(factors[0]) && isfinite(factors[BLOCK]) &&
          factors[2 * BLOCK] >= 0.0f && isfinite(factors[2 * BLOCK])))
        return false;
    return ivf->precise_bytes == 0 ||
           vt_coder_code_is_finite(ivf->coder, list->precise + at * ivf->precise_bytes, scratch);
}

bool ivf_rest_is_zero(const vt_ivf *ivf, const ivf_list *list)
{
    for (size_t at = list->count; at % BLOCK != 0; at++)
        if (!place_is_zero(ivf, ivf_block(ivf, list, at), at % BLOCK))
            return false;
    return true;
}

static vt_status list_check(const vt_ivf *ivf, uint32_t number, float *scratch, vt_error *error)
{
    const ivf_list *list = &ivf->lists[number];
    if (list->count > list->room || list->room % BLOCK != 0)
        return vt_fail(error, VT_ERR_CORRUPT,
                       "check inverted lists: list %u has %zu rows and room for %zu", number,
                       list->count, list->room);
    for (size_t at = 0; at < list->count; at++) {
        ivf_place place = {number, (uint32_t)at}, found;
        uint32_t id = ivf_id_at(ivf, place);
        if (!ivf_find(ivf, id, &found) || found.list != number || found.at != at)
            return vt_fail(error, VT_ERR_CORRUPT,
                           "check inverted lists: id %u does not lead to row %zu of list %u", id,
                           at, number);
        if (!ivf_row_is_sound(ivf, list, at, scratch))
            return vt_fail(error, VT_ERR_CORRUPT,
                           "check inverted lists: the code of id %u is not finite", id);
    }
    if (!ivf_rest_is_zero(ivf, list))
        return vt_fail(error, VT_ERR_CORRUPT,
                       "check inverted lists: list %u has something behind its last row", number);
    return VT_OK;
}

vt_status vt_ivf_check(const vt_ivf *ivf, vt_ivf_shape *shape, vt_error *error)
{
    vt_ivf_shape seen = {.lists = ivf->list_count};
    float *scratch = vt_alloc_array(vt_coder_width(ivf->coder), sizeof *scratch);
    vt_status status = scratch ? VT_OK : vt_fail_memory(error, "check of inverted lists");
    pthread_mutex_lock(&ivf->locks->writers);
    for (uint32_t i = 0; status == VT_OK && i < ivf->list_count; i++) {
        size_t count = ivf->lists[i].count;
        status = list_check(ivf, i, scratch, error);
        seen.rows += count;
        seen.empty_lists += count == 0;
        seen.longest_list = count > seen.longest_list ? count : seen.longest_list;
    }
    vt_free(scratch);
    if (status == VT_OK && seen.rows != ivf->count)
        status = vt_fail(error, VT_ERR_CORRUPT, "check inverted lists: %zu rows, not %zu",
                         seen.rows, ivf->count);
    pthread_mutex_unlock(&ivf->locks->writers);
    if (status == VT_OK && shape)
        *shape = seen;
    return status;
}
