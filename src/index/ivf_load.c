/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inverted lists: making them from a file. docs/formats/inverted-lists.md has the format and what
 * is checked. Copied and not mapped, and all of it checked, for the reasons of graph_load.c.
 */
#include "index/ivf_frame.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

typedef struct load {
    const vt_snapshot *file;
    vt_ivf *ivf;
    ivf_parameters parameters;
    uint32_t *sizes;        /* (lists) rows, owned */
    vt_first_error failure; /* of the workers */
} load;

/* ---- the small sections ---- */

static vt_status ivf_make(load *l, vt_error *error)
{
    const ivf_parameters *p = &l->parameters;
    vt_ivf_options options = ivf_file_info(l->file, p).options;
    vt_error reason;
    vt_status status = vt_ivf_new(p->dim, &options, &l->ivf, &reason);
    if (status == VT_ERR_USAGE)
        return vt_snapshot_damaged(l->file, error, "its parameters: %s", reason.message);
    if (status != VT_OK)
        return vt_fail(error, status, "%s", reason.message);
    const vt_ivf *ivf = l->ivf;
    if (p->sub_dim != ivf->sub || p->block_bytes != ivf->block_bytes ||
        p->precise_bytes != ivf->precise_bytes)
        return vt_snapshot_damaged(l->file, error, "its blocks have %u bytes and should have %zu",
                                   p->block_bytes, ivf->block_bytes);
    if (p->rotation != ivf_rotation_sum(ivf) ||
        p->codec_rotation != vt_coder_rotation_sum(ivf->coder))
        return vt_fail(
            error, VT_ERR_UNSUPPORTED,
            "read inverted lists: their codes are of another program, with other rotations");
    return VT_OK;
}

static vt_status floats_read(const load *l, size_t section, float *out, size_t count,
                             vt_error *error)
{
    vt_snapshot_part part = {out, count * sizeof *out};
    vt_status status = vt_snapshot_read(l->file, section, &part, 1, error);
    for (size_t i = 0; status == VT_OK && i < count; i++)
        if (!(fabsf(out[i]) <= 1e18f))
            return vt_snapshot_damaged(l->file, error, "section %zu has a number that cannot be",
                                       section);
    return status;
}

static vt_status mean_load(const load *l, vt_error *error)
{
    size_t count = vt_coder_mean(l->ivf->coder) ? l->ivf->dim : 0;
    float *mean = vt_alloc_array(count, sizeof *mean);
    if (!mean)
        return vt_fail_memory(error, "inverted lists");
    vt_status status = floats_read(l, 3, mean, count, error);
    if (status == VT_OK && count > 0)
        vt_coder_mean_set(l->ivf->coder, mean);
    vt_free(mean);
    return status;
}

static vt_status sizes_load(load *l, vt_error *error)
{
    const size_t lists = l->parameters.lists;
    l->sizes = vt_alloc_array(lists, sizeof *l->sizes);
    if (!l->sizes)
        return vt_fail_memory(error, "inverted lists");
    vt_snapshot_part part = {l->sizes, lists * sizeof *l->sizes};
    vt_status status = vt_snapshot_read(l->file, 4, &part, 1, error);
    uint64_t rows = 0;
    for (size_t i = 0; status == VT_OK && i < lists; i++) {
        uint64_t length = vt_snapshot_section_at(l->file, IVF_FIRST_LISTS + i).length;
        if (length != ivf_list_bytes(l->ivf, l->sizes[i]) + l->sizes[i] * l->ivf->precise_bytes)
            return vt_snapshot_damaged(l->file, error, "list %zu of %u rows has the wrong size", i,
                                       l->sizes[i]);
        rows += l->sizes[i];
    }
    if (status == VT_OK && rows != l->parameters.rows)
        return vt_snapshot_damaged(l->file, error, "its lists have %llu rows, not %llu",
                                   (unsigned long long)rows,
                                   (unsigned long long)l->parameters.rows);
    return status;
}

/* Sizes are compared with the sections' before memory is taken for them: a file cannot ask for more
 * than it has. */
static vt_status tables_load(load *l, vt_error *error)
{
    vt_ivf *ivf = l->ivf;
    const size_t lists = l->parameters.lists, centroids = lists * ivf->width;
    const bool trained = ivf->options.code == VT_IVF_PQ;
    if (vt_snapshot_section_at(l->file, 1).length != centroids * sizeof(float))
        return vt_snapshot_damaged(l->file, error, "its centroids have the wrong size");
    vt_status status = ivf_lists_make(ivf, lists, error);
    if (status == VT_OK)
        status = floats_read(l, 1, ivf->centroids, centroids, error);
    if (status == VT_OK)
        status = floats_read(l, 2, ivf->books,
                             trained ? ivf->groups * ivf->sub * VT_FASTSCAN_ENTRIES : 0, error);
    if (status == VT_OK)
        status = mean_load(l, error);
    if (status != VT_OK)
        return status;
    ivf_centroids_note(ivf);
    for (size_t i = 0; i < lists; i++) /* means of vectors no longer than 1e18 */
        if (!(ivf->norms[i] <= 1.01e36f))
            return vt_snapshot_damaged(l->file, error, "centroid %zu is too long", i);
    return VT_OK;
}

/* ---- lists, on all threads ---- */

static vt_status list_read(load *l, size_t index, vt_error *error)
{
    vt_ivf *ivf = l->ivf;
    ivf_list *list = &ivf->lists[index];
    const size_t rows = l->sizes[index];
    float *scratch = vt_alloc_array(vt_coder_width(ivf->coder), sizeof *scratch);
    if (!scratch || !ivf_list_hold(ivf, list, rows, true)) {
        vt_free(scratch);
        return vt_fail_memory(error, "inverted lists");
    }
    vt_snapshot_part parts[] = {{list->blocks, ivf_list_bytes(ivf, rows)},
                                {list->precise, rows * ivf->precise_bytes}};
    vt_status status = vt_snapshot_read(l->file, IVF_FIRST_LISTS + index, parts, 2, error);
    list->count = rows;
    for (size_t at = 0; status == VT_OK && at < rows; at++)
        if (!ivf_row_is_sound(ivf, list, at, scratch))
            status = vt_snapshot_damaged(l->file, error, "row %zu of list %zu says what cannot be",
                                         at, index);
    if (status == VT_OK && !ivf_rest_is_zero(ivf, list))
        status = vt_snapshot_damaged(l->file, error, "list %zu has something behind its last row",
                                     index);
    vt_free(scratch);
    return status;
}

static void list_load(void *context, size_t index)
{
    load *l = context;
    vt_error error;
    vt_status status = list_read(l, index, &error);
    vt_first_error_note(&l->failure, status, &error);
}

static vt_status ids_load(load *l, vt_error *error)
{
    vt_ivf *ivf = l->ivf;
    if (!ivf_table_hold(ivf, (size_t)l->parameters.rows))
        return vt_fail_memory(error, "inverted lists");
    ivf_place held;
    for (uint32_t i = 0; i < ivf->list_count; i++)
        for (uint32_t at = 0; at < ivf->lists[i].count; at++) {
            ivf_place place = {i, at};
            uint32_t id = ivf_id_at(ivf, place);
            if (ivf_find(ivf, id, &held))
                return vt_snapshot_damaged(l->file, error, "id %u comes twice", id);
            ivf_table_put(ivf, id, place);
        }
    ivf->count = (size_t)l->parameters.rows;
    return VT_OK;
}

static vt_status all_load(load *l, vt_pool *pool, vt_error *error)
{
    vt_status status = ivf_parameters_read(l->file, &l->parameters, error);
    if (status == VT_OK)
        status = ivf_make(l, error);
    if (status == VT_OK)
        status = tables_load(l, error);
    if (status == VT_OK)
        status = sizes_load(l, error);
    if (status != VT_OK)
        return status;
    vt_pool_for(pool, l->parameters.lists, list_load, l);
    status = vt_first_error_give(&l->failure, error);
    return status == VT_OK ? ids_load(l, error) : status;
}

vt_status vt_ivf_load(const char *path, uint64_t maximum_bytes, vt_pool *pool, vt_ivf **out,
                      vt_ivf_file_info *info, vt_error *error)
{
    vt_snapshot *file;
    vt_status status = vt_snapshot_open(path, &ivf_file_kind, maximum_bytes, &file, error);
    if (status != VT_OK)
        return status;
    load l = {.file = file};
    vt_first_error_init(&l.failure);
    status = all_load(&l, pool, error);
    vt_first_error_deinit(&l.failure);
    if (status == VT_OK) {
        *out = l.ivf;
        if (info)
            *info = ivf_file_info(file, &l.parameters);
    } else {
        vt_ivf_free(l.ivf);
    }
    vt_free(l.sizes);
    vt_snapshot_close(file);
    return status;
}
