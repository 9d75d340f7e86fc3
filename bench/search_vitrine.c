/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vitrine's own indexes for bench/search: the graph with each codec of interest, inverted lists,
 * and the exact one.
 *
 * The environment may set what is tried: GRAPH_DEGREE, GRAPH_WIDTH, GRAPH_ALPHA (in hundredths).
 */
#include "bench/search_vitrine.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "index/flat.h"
#include "index/graph.h"
#include "index/ivf.h"

typedef struct own {
    vt_graph *graph;
    vt_flat *flat;
    vt_ivf *ivf;
    size_t width; /* of a walk, or lists looked into */
} own;

static size_t setting(const char *name, size_t otherwise)
{
    int64_t value;
    const char *text = getenv(name);
    return text && vt_parse_int(text, 1, 100000, &value) ? (size_t)value : otherwise;
}

static void own_destroy(void *context)
{
    own *o = context;
    vt_graph_free(o->graph);
    vt_flat_free(o->flat);
    vt_ivf_free(o->ivf);
    vt_free(o);
}

/* What it takes to build an index of rows numbered from 0 on. */
typedef struct making {
    own *made;
    uint32_t *ids; /* (count) */
    vt_pool *pool;
    vt_error error;
} making;

static bool making_begin(making *m, size_t count, int threads)
{
    *m = (making){.made = vt_calloc(1, sizeof *m->made),
                  .ids = vt_alloc_array(count, sizeof *m->ids)};
    for (size_t i = 0; m->ids && i < count; i++)
        m->ids[i] = (uint32_t)i;
    return m->made && m->ids && vt_pool_new(threads, &m->pool, &m->error) == VT_OK;
}

static own *making_end(making *m, bool built)
{
    vt_pool_free(m->pool);
    vt_free(m->ids);
    if (built)
        return m->made;
    fprintf(stderr, "%s\n", m->error.message);
    if (m->made)
        own_destroy(m->made);
    return NULL;
}

static void *graph_build(const float *vectors, size_t count, size_t dim, int threads,
                         vt_codec codec)
{
    vt_graph_options options = vt_graph_options_defaults();
    making m;
    options.codec = codec;
    options.degree = setting("GRAPH_DEGREE", options.degree);
    options.width = setting("GRAPH_WIDTH", options.width);
    options.alpha = (float)setting("GRAPH_ALPHA", (size_t)(options.alpha * 100.0f + 0.5f)) / 100.0f;
    bool begun = making_begin(&m, count, threads);
    vt_graph_rows rows = {vectors, m.ids, NULL, count};
    bool built = begun && vt_graph_new(dim, &options, &m.made->graph, &m.error) == VT_OK &&
                 vt_graph_build(m.made->graph, &rows, m.pool, &m.error) == VT_OK;
    return making_end(&m, built);
}

static void *int4x2_build(const float *vectors, size_t count, size_t dim, int threads)
{
    return graph_build(vectors, count, dim, threads, VT_CODEC_INT4X2);
}

static void *int8_build(const float *vectors, size_t count, size_t dim, int threads)
{
    return graph_build(vectors, count, dim, threads, VT_CODEC_INT8);
}

static void *f16_build(const float *vectors, size_t count, size_t dim, int threads)
{
    return graph_build(vectors, count, dim, threads, VT_CODEC_F16);
}

static void width_set(void *context, size_t effort)
{
    ((own *)context)->width = effort;
}

static void ids_take(const vt_hit *hits, size_t count, size_t k, uint32_t *ids)
{
    for (size_t i = 0; i < k; i++)
        ids[i] = i < count ? hits[i].id : UINT32_MAX;
}

static void graph_search(void *context, const float *query, size_t k, uint32_t *ids)
{
    own *o = context;
    vt_hit hits[128];
    size_t count = 0;
    vt_graph_answers answers = {hits, &count, NULL};
    vt_graph_search_options options = vt_graph_search_defaults();
    options.k = k;
    options.grouped = false;
    options.width = o->width;
    (void)vt_graph_search(o->graph, query, 1, &options, &answers, NULL);
    ids_take(hits, count, k, ids);
}

static void *ivf_build(const float *vectors, size_t count, size_t dim, int threads,
                       vt_ivf_code code)
{
    vt_ivf_options options = vt_ivf_options_defaults();
    making m;
    options.code = code;
    bool begun = making_begin(&m, count, threads);
    vt_ivf_rows rows = {vectors, m.ids, NULL, count};
    bool built = begun && vt_ivf_new(dim, &options, &m.made->ivf, &m.error) == VT_OK &&
                 vt_ivf_build(m.made->ivf, &rows, m.pool, &m.error) == VT_OK;
    return making_end(&m, built);
}

static void *rabitq_build(const float *vectors, size_t count, size_t dim, int threads)
{
    return ivf_build(vectors, count, dim, threads, VT_IVF_RABITQ);
}

static void *pq_build(const float *vectors, size_t count, size_t dim, int threads)
{
    return ivf_build(vectors, count, dim, threads, VT_IVF_PQ);
}

static void ivf_search(void *context, const float *query, size_t k, uint32_t *ids)
{
    own *o = context;
    vt_hit hits[128];
    size_t count = 0;
    vt_ivf_answers answers = {hits, &count, NULL};
    vt_ivf_search_options options = vt_ivf_search_defaults();
    options.k = k;
    options.grouped = false;
    options.probes = o->width;
    (void)vt_ivf_search(o->ivf, query, 1, &options, &answers, NULL);
    ids_take(hits, count, k, ids);
}

static void *flat_build(const float *vectors, size_t count, size_t dim, int threads)
{
    (void)threads;
    own *o = vt_calloc(1, sizeof *o);
    bool built = o && vt_flat_new(dim, VT_CODEC_F16, VT_METRIC_DOT, &o->flat, NULL) == VT_OK &&
                 vt_flat_reserve(o->flat, count, NULL) == VT_OK;
    for (size_t i = 0; built && i < count; i++)
        built = vt_flat_add(o->flat, (uint32_t)i, (uint32_t)i, vectors + i * dim, NULL) == VT_OK;
    if (!built && o)
        own_destroy(o);
    return built ? o : NULL;
}

static void *screened_build(const float *vectors, size_t count, size_t dim, int threads)
{
    own *o = flat_build(vectors, count, dim, threads);
    vt_flat_screen *screen = NULL;
    vt_pool *pool = NULL;
    bool made = o && vt_pool_new(threads, &pool, NULL) == VT_OK &&
                vt_flat_screen_begin(o->flat, &screen, NULL) == VT_OK &&
                vt_flat_screen_train(&screen, NULL) == VT_OK;
    if (made)
        vt_flat_screen_take(o->flat, screen);
    made = made && vt_flat_screen_extend(o->flat, count, pool, NULL) == VT_OK;
    vt_pool_free(pool);
    if (!made && o)
        own_destroy(o);
    return made ? o : NULL;
}

static void flat_effort(void *context, size_t effort)
{
    (void)context;
    (void)effort;
}

static void flat_search_many(void *context, const float *queries, size_t count, size_t k,
                             uint32_t *ids)
{
    own *o = context;
    vt_hit *hits = vt_alloc_array(count * k, sizeof *hits);
    size_t *counts = vt_calloc(count, sizeof *counts);
    vt_scan_options options = vt_scan_options_defaults();
    options.k = k;
    options.grouped = false;
    bool done =
        hits && counts &&
        vt_flat_search(o->flat, queries, count, &options, hits, counts, NULL, NULL) == VT_OK;
    for (size_t q = 0; q < count; q++)
        ids_take(hits ? hits + q * k : NULL, done ? counts[q] : 0, k, ids + q * k);
    vt_free(hits);
    vt_free(counts);
}

static void flat_search(void *context, const float *query, size_t k, uint32_t *ids)
{
    flat_search_many(context, query, 1, k, ids);
}

static const search_peer owns[] = {
    {"vitrine int4x2", 0, int4x2_build, width_set, graph_search, own_destroy, NULL, NULL},
    {"vitrine int8", 0, int8_build, width_set, graph_search, own_destroy, NULL, NULL},
    {"vitrine f16", 0, f16_build, width_set, graph_search, own_destroy, NULL, NULL},
    {"vitrine ivf rabitq", 0, rabitq_build, width_set, ivf_search, own_destroy, NULL, NULL},
    {"vitrine ivf pq", 0, pq_build, width_set, ivf_search, own_destroy, NULL, NULL},
    {"vitrine flat f16", 1, flat_build, flat_effort, flat_search, own_destroy, NULL, NULL},
    {"vitrine flat screened", 1, screened_build, flat_effort, flat_search, own_destroy, NULL, NULL},
    {"vitrine flat batch", 1, screened_build, flat_effort, flat_search, own_destroy, NULL,
     flat_search_many},
};

const search_peer *vt_bench_search_own(size_t index)
{
    return index < sizeof owns / sizeof owns[0] ? &owns[index] : NULL;
}
