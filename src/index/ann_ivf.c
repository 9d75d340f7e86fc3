/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inverted lists (ivf.h) as an approximate index like any other (ann.h).
 *
 * They hold the first codes alone: whoever searches has the vectors, in memory or in a database,
 * and hands them over for the few rows that come into question.
 */
#include "index/ann.h"
#include "index/ivf_file.h"

#include "base/mem.h"

#include <math.h>

/* K-means wants some dozens of rows for each list; beyond so much memory, fewer must do. */
enum { ROWS_PER_LIST = 64, SAMPLE_BYTES = 128 << 20 };
#define FILE_BYTES ((uint64_t)1 << 40)

static vt_status ivf_init(vt_ann *out, size_t dim, const vt_ann_options *options, vt_error *error)
{
    vt_ivf_options ivf = vt_ivf_options_defaults();
    ivf.metric = VT_METRIC_DOT;
    ivf.code = options->code;
    ivf.precise = false;
    return vt_ivf_new(dim, &ivf, &out->ivf, error);
}

static void ivf_deinit(vt_ann *ann)
{
    vt_ivf_free(ann->ivf);
}

static size_t ivf_first_rows(size_t expected, size_t dim)
{
    double wanted = ROWS_PER_LIST * (2.0 * sqrt((double)expected) + 1);
    double room = SAMPLE_BYTES / ((double)dim * sizeof(float));
    return (size_t)fmin(fmin(wanted, room), (double)expected);
}

static vt_status ivf_build(vt_ann *ann, const vt_ann_rows *rows, size_t expected, vt_pool *pool,
                           vt_error *error)
{
    const vt_ivf_rows held = {rows->vectors, rows->ids, rows->groups, rows->count};
    vt_status status = VT_OK;
    if (rows->count > 0 && !vt_ivf_is_trained(ann->ivf))
        status = vt_ivf_train(ann->ivf, rows->vectors, rows->count, expected, pool, error);
    return status == VT_OK ? vt_ivf_build(ann->ivf, &held, pool, error) : status;
}

static vt_status ivf_add(vt_ann *ann, uint32_t id, uint32_t group, const float *vector,
                         vt_error *error)
{
    return vt_ivf_add(ann->ivf, id, group, vector, error);
}

static bool ivf_remove(vt_ann *ann, uint32_t id)
{
    return vt_ivf_remove(ann->ivf, id);
}

static vt_status ivf_search(vt_ann *ann, const float *queries, size_t count,
                            const vt_ann_search *options, const vt_ann_answers *answers,
                            vt_error *error)
{
    vt_ivf_search_options lists = vt_ivf_search_defaults();
    lists.k = options->k;
    lists.min_similarity = options->min_similarity;
    lists.groups = options->groups;
    lists.pool = options->pool;
    lists.probes = options->width;
    lists.share = options->share;
    lists.budget = options->budget;
    lists.matches = options->matches;
    lists.fetch = options->fetch;
    lists.context = options->context;
    vt_ivf_walked *walked = vt_alloc_array(count, sizeof *walked);
    if (walked == NULL)
        return vt_fail_memory(error, "search of inverted lists");
    const vt_ivf_answers to = {answers->hits, answers->counts, walked};
    vt_status status = vt_ivf_search(ann->ivf, queries, count, &lists, &to, error);
    for (size_t i = 0; status == VT_OK && i < count; i++)
        answers->walked[i] = (vt_ann_walked){walked[i].matched, walked[i].seen, walked[i].ran_out};
    vt_free(walked);
    return status;
}

static vt_status ivf_each(vt_ann *ann, vt_ann_visit *visit, void *context, vt_error *error)
{
    return vt_ivf_each(ann->ivf, visit, context, error);
}

static vt_status ivf_check(vt_ann *ann, size_t *rows, vt_error *error)
{
    vt_ivf_shape shape = {0};
    vt_status status = vt_ivf_check(ann->ivf, &shape, error);
    if (status == VT_OK)
        *rows = shape.rows;
    return status;
}

static void ivf_tell(vt_ann *ann, vt_ann_facts *out)
{
    *out = (vt_ann_facts){.codec = vt_ivf_code_name(vt_ivf_options_of(ann->ivf).code),
                          .rows = vt_ivf_count(ann->ivf),
                          .lists = vt_ivf_lists(ann->ivf)};
}

static size_t ivf_bytes(vt_ann *ann)
{
    return vt_ivf_bytes(ann->ivf);
}

/* ---- files ---- */

static vt_status ivf_save(vt_ann *ann, const char *path, const vt_index_origin *origin,
                          vt_error *error)
{
    return vt_ivf_save(ann->ivf, path, origin, error);
}

static vt_ann_file_info info_of(const vt_ivf_file_info *info)
{
    return (vt_ann_file_info){.origin = info->origin,
                              .metric = info->options.metric,
                              .dim = info->dim,
                              .rows = info->rows,
                              .bytes = info->bytes};
}

static vt_status ivf_file_info_of(const char *path, vt_ann_file_info *out, vt_error *error)
{
    vt_ivf_file_info info;
    vt_status status = vt_ivf_file_info_of(path, &info, error);
    if (status == VT_OK)
        *out = info_of(&info);
    return status;
}

static vt_status ivf_load(vt_ann *out, const char *path, vt_pool *pool, vt_ann_file_info *info,
                          vt_error *error)
{
    vt_ivf_file_info held;
    vt_status status = vt_ivf_load(path, FILE_BYTES, pool, &out->ivf, &held, error);
    if (status == VT_OK)
        *info = info_of(&held);
    return status;
}

const vt_ann_driver vt_ann_ivf = {.name = "ivf",
                                  .what = "inverted lists",
                                  .suffix = "vtl",
                                  .init = ivf_init,
                                  .deinit = ivf_deinit,
                                  .first_rows = ivf_first_rows,
                                  .build = ivf_build,
                                  .add = ivf_add,
                                  .remove = ivf_remove,
                                  .search = ivf_search,
                                  .each = ivf_each,
                                  .check = ivf_check,
                                  .tell = ivf_tell,
                                  .bytes = ivf_bytes,
                                  .save = ivf_save,
                                  .file_info = ivf_file_info_of,
                                  .load = ivf_load};
