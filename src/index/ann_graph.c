/* SPDX-License-Identifier: Apache-2.0 */
/* The graph (graph.h) as an approximate index like any other (ann.h). */
#include "index/ann.h"
#include "index/graph_file.h"

#include "base/mem.h"

enum { FIRST_ROWS = 8192 }; /* the codec is trained by them */

static vt_status graph_init(vt_ann *out, size_t dim, const vt_ann_options *options, vt_error *error)
{
    vt_graph_options graph = vt_graph_options_defaults();
    graph.codec = options->codec;
    graph.metric = VT_METRIC_DOT;
    return vt_graph_new(dim, &graph, &out->graph, error);
}

static void graph_deinit(vt_ann *ann)
{
    vt_graph_free(ann->graph);
}

static size_t graph_first_rows(size_t expected, size_t dim)
{
    (void)dim;
    return expected < FIRST_ROWS ? expected : FIRST_ROWS;
}

static vt_status graph_build(vt_ann *ann, const vt_ann_rows *rows, size_t expected, vt_pool *pool,
                             vt_error *error)
{
    const vt_graph_rows held = {rows->vectors, rows->ids, rows->groups, rows->count};
    (void)expected;
    return vt_graph_build(ann->graph, &held, pool, error);
}

static vt_status graph_add(vt_ann *ann, uint32_t id, uint32_t group, const float *vector,
                           vt_error *error)
{
    return vt_graph_add(ann->graph, id, group, vector, error);
}

static bool graph_remove(vt_ann *ann, uint32_t id)
{
    return vt_graph_remove(ann->graph, id);
}

static vt_status graph_search(vt_ann *ann, const float *queries, size_t count,
                              const vt_ann_search *options, const vt_ann_answers *answers,
                              vt_error *error)
{
    vt_graph_search_options walk = vt_graph_search_defaults();
    walk.k = options->k;
    walk.min_similarity = options->min_similarity;
    walk.groups = options->groups;
    walk.pool = options->pool;
    walk.width = options->width;
    walk.budget = options->budget;
    walk.checked = options->checked;
    walk.strays = options->strays;
    walk.around = options->around;
    walk.share = options->share;
    vt_graph_walked *walked = vt_alloc_array(count, sizeof *walked);
    if (walked == NULL)
        return vt_fail_memory(error, "search of a graph");
    const vt_graph_answers to = {answers->hits, answers->counts, walked};
    vt_status status = vt_graph_search(ann->graph, queries, count, &walk, &to, error);
    for (size_t i = 0; status == VT_OK && i < count; i++)
        answers->walked[i] =
            (vt_ann_walked){walked[i].visited, walked[i].visited, walked[i].ran_out};
    vt_free(walked);
    return status;
}

static vt_status graph_each(vt_ann *ann, vt_ann_visit *visit, void *context, vt_error *error)
{
    return vt_graph_each(ann->graph, visit, context, error);
}

static vt_status graph_check(vt_ann *ann, size_t *rows, vt_error *error)
{
    vt_graph_shape shape = {0};
    vt_status status = vt_graph_check(ann->graph, &shape, error);
    if (status == VT_OK)
        *rows = shape.rows;
    return status;
}

static void graph_tell(vt_ann *ann, vt_ann_facts *out)
{
    *out = (vt_ann_facts){.codec = vt_codec_name(vt_graph_codec(ann->graph)),
                          .rows = vt_graph_count(ann->graph),
                          .degree = vt_graph_degree(ann->graph)};
}

static size_t graph_bytes(vt_ann *ann)
{
    return vt_graph_bytes(ann->graph);
}

/* ---- files ---- */

static vt_status graph_save(vt_ann *ann, const char *path, const vt_index_origin *origin,
                            vt_error *error)
{
    return vt_graph_save(ann->graph, path, origin, error);
}

static vt_ann_file_info info_of(const vt_graph_file_info *info)
{
    return (vt_ann_file_info){.origin = info->origin,
                              .metric = info->options.metric,
                              .dim = info->dim,
                              .rows = info->rows,
                              .bytes = info->bytes};
}

static vt_status graph_file_info(const char *path, vt_ann_file_info *out, vt_error *error)
{
    vt_graph_file_info info;
    vt_status status = vt_graph_file_info_of(path, &info, error);
    if (status == VT_OK)
        *out = info_of(&info);
    return status;
}

static vt_status graph_load(vt_ann *out, const char *path, vt_pool *pool, vt_ann_file_info *info,
                            vt_error *error)
{
    vt_graph_load_options options = vt_graph_load_options_defaults();
    vt_graph_file_info held;
    options.pool = pool;
    vt_status status = vt_graph_load(path, &options, &out->graph, &held, error);
    if (status == VT_OK)
        *info = info_of(&held);
    return status;
}

const vt_ann_driver vt_ann_graph = {.name = "graph",
                                    .what = "graph index",
                                    .suffix = "vtg",
                                    .init = graph_init,
                                    .deinit = graph_deinit,
                                    .first_rows = graph_first_rows,
                                    .build = graph_build,
                                    .add = graph_add,
                                    .remove = graph_remove,
                                    .search = graph_search,
                                    .each = graph_each,
                                    .check = graph_check,
                                    .tell = graph_tell,
                                    .bytes = graph_bytes,
                                    .save = graph_save,
                                    .file_info = graph_file_info,
                                    .load = graph_load};
