/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nearest neighbours beside other programs: recall against queries per second.
 *
 * Method: one process holds all indexes over the same vectors: vitrine's own, and peers that were
 * compiled into libraries (search_peer.h). Vectors are a clustered Gaussian mixture whose intrinsic
 * dimension is near 20 (tests/index/clustered.h), of length 1; queries are others of the same
 * mixture. Or they come from a file, as bench/vectors writes it: raw f32, the queries behind the
 * rows. Truth is an exact scan in f32. First every index is tried with rising efforts, each a
 * point of the curve. Then each takes its least effort that reaches the wanted recall, and all are
 * measured in turn, round by round, one query a call ("batch": all that a thread has), with 1
 * thread and with all that are wanted; medians are reported, and ratios to hnswlib. Bytes are what
 * the process grew by in memory.
 *
 *     bench/search [--rows N] [--dim D] [--clusters C] [--queries Q] [--threads T] [--rounds R]
 *                  [--vectors FILE] [--only NAME,...] [--svg FILE] [LIBRARY...]
 */
#include "bench/search_peer.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "bench/median.h"
#include "bench/search_load.h"
#include "bench/search_plot.h"
#include "bench/search_vitrine.h"
#include "index/flat.h"
#include "tests/index/clustered.h"
#include "vector/distance.h"

enum { K = 10, MAX_INDEXES = 24, MAX_ROUNDS = 101, MAX_THREADS = 64 };

/* Below K lists can do with less; graphs walk as for K. */
static const size_t efforts[] = {2, 4, 7, 10, 14, 20, 28, 40, 56, 80, 112, 160, 240, 400};
enum { EFFORTS = sizeof efforts / sizeof efforts[0] };

typedef struct settings {
    size_t rows, dim, clusters, queries, rounds;
    int threads;
    double recall;
    const char *only, *svg, *vectors; /* vectors: NULL: a mixture */
} settings;

typedef struct tried {
    const search_peer *peer;
    void *index;
    double build_ms, bytes;
    search_curve curve;
    size_t effort; /* chosen */
    double recall;
    double rates[2][MAX_ROUNDS]; /* on one thread, and on all */
} tried;

typedef struct bench {
    settings set;
    float *vectors, *queries; /* (rows, dim), (queries, dim) */
    uint32_t *truth, *found;  /* (queries, K) */
    tried indexes[MAX_INDEXES];
    size_t count;
} bench;

/* ---- vectors and truth ---- */

typedef struct making {
    bench *b;
    clustered mixture;
} making;

static void vectors_make(void *context, size_t chunk)
{
    enum { CHUNK = 1024 };
    making *m = context;
    const settings *set = &m->b->set;
    for (size_t i = chunk * CHUNK; i < (chunk + 1) * CHUNK && i < set->rows + set->queries; i++) {
        float *out = i < set->rows ? m->b->vectors + i * set->dim
                                   : m->b->queries + (i - set->rows) * set->dim;
        clustered_make(&m->mixture, i, out);
        (void)vt_vector_normalize(out, set->dim);
    }
}

static bool mixture_make(bench *b, vt_pool *pool)
{
    const settings *set = &b->set;
    making m = {.b = b};
    if (!clustered_init(&m.mixture, set->dim, set->clusters, 1))
        return false;
    vt_pool_for(pool, (set->rows + set->queries) / 1024 + 1, vectors_make, &m);
    clustered_deinit(&m.mixture);
    return true;
}

static bool vectors_read(bench *b)
{
    const settings *set = &b->set;
    size_t size = set->dim * sizeof(float);
    FILE *file = fopen(set->vectors, "rb");
    if (!file)
        return false;
    bool done = fread(b->vectors, size, set->rows, file) == set->rows &&
                fseeko(file, -(off_t)(set->queries * size), SEEK_END) == 0 &&
                ftello(file) >= (off_t)(set->rows * size) &&
                fread(b->queries, size, set->queries, file) == set->queries;
    fclose(file);
    return done;
}

static bool truth_find(bench *b, vt_pool *pool)
{
    const settings *set = &b->set;
    vt_flat *flat = NULL;
    vt_hit *hits = vt_alloc_array(set->queries * K, sizeof *hits);
    size_t *counts = vt_alloc_array(set->queries, sizeof *counts);
    vt_scan_options scan = vt_scan_options_defaults();
    scan.k = K;
    scan.grouped = false;
    scan.pool = pool;
    bool done =
        hits && counts && vt_flat_new(set->dim, VT_CODEC_F32, VT_METRIC_DOT, &flat, NULL) == VT_OK;
    for (size_t i = 0; done && i < set->rows; i++)
        done =
            vt_flat_add(flat, (uint32_t)i, (uint32_t)i, b->vectors + i * set->dim, NULL) == VT_OK;
    done = done &&
           vt_flat_search(flat, b->queries, set->queries, &scan, hits, counts, NULL, NULL) == VT_OK;
    for (size_t i = 0; done && i < set->queries * K; i++)
        b->truth[i] = hits[i].id;
    vt_flat_free(flat);
    vt_free(hits);
    vt_free(counts);
    return done;
}

static bool world_make(bench *b, vt_pool *pool)
{
    const settings *set = &b->set;
    b->vectors = vt_alloc_large(set->rows * set->dim * sizeof(float));
    b->queries = vt_alloc_array(set->queries * set->dim, sizeof(float));
    b->truth = vt_alloc_array(set->queries * K, sizeof(uint32_t));
    b->found = vt_alloc_array(set->queries * K, sizeof(uint32_t));
    return b->vectors && b->queries && b->truth && b->found &&
           (set->vectors ? vectors_read(b) : mixture_make(b, pool)) && truth_find(b, pool);
}

/* ---- measuring ---- */

typedef struct pass {
    const bench *b;
    const tried *t;
    size_t queries, threads;
} pass;

/* Exact ones answer the first queries only where they are slow: a pass scans 50 million rows. */
static size_t queries_of(const bench *b, const tried *t)
{
    enum { SCANNED = 50000000 };
    size_t most = SCANNED / b->set.rows + 1;
    return t->peer->exact && most < b->set.queries ? most : b->set.queries;
}

static void queries_run(void *context, size_t thread)
{
    const pass *p = context;
    const search_peer *peer = p->t->peer;
    const float *queries = p->b->queries;
    size_t dim = p->b->set.dim;
    size_t begin = p->queries * thread / p->threads, end = p->queries * (thread + 1) / p->threads;
    if (peer->search_many)
        peer->search_many(p->t->index, queries + begin * dim, end - begin, K,
                          p->b->found + begin * K);
    for (size_t q = begin; q < end && !peer->search_many; q++)
        peer->search(p->t->index, queries + q * dim, K, p->b->found + q * K);
}

/* Queries per second; the answers are in b->found. */
static double pass_run(const bench *b, const tried *t, vt_pool *pool)
{
    pass p = {b, t, queries_of(b, t), pool ? (size_t)vt_pool_threads(pool) : 1};
    double begin = vt_clock_ms();
    vt_pool_for(pool, p.threads, queries_run, &p);
    return (double)p.queries / (vt_clock_ms() - begin) * 1e3;
}

static double recall(const bench *b, size_t queries)
{
    size_t hits = 0;
    for (size_t q = 0; q < queries; q++)
        for (size_t i = 0; i < K; i++)
            for (size_t j = 0; j < K; j++)
                hits += b->found[q * K + i] == b->truth[q * K + j];
    return (double)hits / (double)(queries * K);
}

/* Pages in memory, for some peers take theirs past the heap. */
static double resident_bytes(void)
{
    long pages = 0;
    malloc_trim(0);
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file)
        return 0;
    if (fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* Whether one of the names in the list, by commas, is part of this one. */
static bool named(const char *list, const char *name)
{
    for (const char *at = list; at;) {
        char part[64];
        size_t length = strcspn(at, ",");
        snprintf(part, sizeof part, "%.*s", (int)length, at);
        if (strstr(name, part))
            return true;
        at = at[length] ? at + length + 1 : NULL;
    }
    return !list;
}

static void index_try(bench *b, const search_peer *peer)
{
    tried *t = &b->indexes[b->count];
    if (b->count == MAX_INDEXES || !named(b->set.only, peer->name))
        return;
    double before = resident_bytes(), begin = vt_clock_ms();
    *t = (tried){.peer = peer};
    t->index = peer->build(b->vectors, b->set.rows, b->set.dim, b->set.threads);
    if (!t->index) {
        fprintf(stderr, "%s cannot be built\n", peer->name);
        return;
    }
    t->build_ms = vt_clock_ms() - begin;
    t->bytes = (resident_bytes() - before) / (double)b->set.rows;
    t->curve.name = peer->name;
    for (size_t e = 0; e < (peer->exact ? 1 : EFFORTS); e++) {
        peer->effort(t->index, efforts[e]);
        double rate = pass_run(b, t, NULL), got = recall(b, queries_of(b, t));
        t->curve.points[t->curve.count++] = (search_point){got, rate};
        if (!t->effort || t->recall < b->set.recall) {
            t->effort = efforts[e];
            t->recall = got;
        }
        if (got > 0.998)
            break;
    }
    fprintf(stderr, "%-18s built in %.1f s, %.0f bytes a vector\n", peer->name, t->build_ms * 1e-3,
            t->bytes);
    b->count++;
}

static void rounds_run(bench *b, vt_pool *pool)
{
    for (size_t round = 0; round < b->set.rounds; round++)
        for (size_t i = 0; i < b->count; i++) {
            tried *t = &b->indexes[i];
            t->peer->effort(t->index, t->effort);
            t->rates[0][round] = pass_run(b, t, NULL);
            t->rates[1][round] = pass_run(b, t, pool);
        }
}

/* ---- reporting ---- */

static void report(bench *b)
{
    const tried *base = NULL;
    double rates[MAX_INDEXES][2];
    for (size_t i = 0; i < b->count; i++) {
        for (int t = 0; t < 2; t++)
            rates[i][t] = vt_bench_median(b->indexes[i].rates[t], b->set.rounds);
        if (!base && strcmp(b->indexes[i].peer->name, "hnswlib") == 0)
            base = &b->indexes[i];
    }
    base = base ? base : &b->indexes[0];
    const double *base_rates = rates[base - b->indexes];
    char source[64] = "pictures";
    if (!b->set.vectors)
        snprintf(source, sizeof source, "a mixture of %zu", b->set.clusters);
    printf("%zu vectors of %zu dimensions, of %s, %zu queries, recall@%d >= %.2f, medians of %zu "
           "rounds\n",
           b->set.rows, b->set.dim, source, b->set.queries, K, b->set.recall, b->set.rounds);
    printf("%-18s %6s %7s | %9s %6s | %9s %6s | %8s %6s | %7s %6s\n", "index", "effort", "recall",
           "q/s, 1", "ratio", "q/s, all", "ratio", "build s", "ratio", "bytes", "ratio");
    for (size_t i = 0; i < b->count; i++) {
        const tried *t = &b->indexes[i];
        printf("%-18s %6zu %7.4f | %9.0f %6.2f | %9.0f %6.2f | %8.2f %6.2f | %7.0f %6.2f\n",
               t->peer->name, t->peer->exact ? 0 : t->effort, t->recall, rates[i][0],
               rates[i][0] / base_rates[0], rates[i][1], rates[i][1] / base_rates[1],
               t->build_ms * 1e-3, t->build_ms / base->build_ms, t->bytes, t->bytes / base->bytes);
    }
    for (size_t i = 0; i < b->count; i++) {
        const search_curve *curve = &b->indexes[i].curve;
        printf("%s:", curve->name);
        for (size_t p = 0; p < curve->count; p++)
            printf(" %.4f@%.0f", curve->points[p].recall, curve->points[p].rate);
        printf("\n");
    }
}

static bool plot(const bench *b)
{
    const search_curve *curves[MAX_INDEXES];
    for (size_t i = 0; i < b->count; i++)
        curves[i] = &b->indexes[i].curve;
    FILE *file = fopen(b->set.svg, "w");
    if (!file)
        return false;
    search_plot(file, curves, b->count);
    return fclose(file) == 0;
}

/* ---- main ---- */

static bool number_read(const char *name, const char *text, settings *set)
{
    int64_t value;
    if (!vt_parse_int(text, 1, 100000000, &value))
        return false;
    if (strcmp(name, "--rows") == 0 && value >= K)
        set->rows = (size_t)value;
    else if (strcmp(name, "--dim") == 0 && value <= 4096)
        set->dim = (size_t)value;
    else if (strcmp(name, "--clusters") == 0 && value <= 100000)
        set->clusters = (size_t)value;
    else if (strcmp(name, "--queries") == 0)
        set->queries = (size_t)value;
    else if (strcmp(name, "--threads") == 0 && value <= MAX_THREADS)
        set->threads = (int)value;
    else if (strcmp(name, "--rounds") == 0 && value <= MAX_ROUNDS)
        set->rounds = (size_t)value;
    else
        return false;
    return true;
}

/* Returns the index of the first library; 0 when the arguments are wrong. */
static int settings_read(int argc, char **argv, settings *set)
{
    *set = (settings){
        .rows = 100000, .dim = 256, .queries = 1000, .rounds = 5, .threads = 2, .recall = 0.95};
    int i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--only") == 0)
            set->only = argv[i + 1];
        else if (strcmp(argv[i], "--svg") == 0)
            set->svg = argv[i + 1];
        else if (strcmp(argv[i], "--vectors") == 0)
            set->vectors = argv[i + 1];
        else if (!number_read(argv[i], argv[i + 1], set))
            return 0;
    }
    if (!set->clusters)
        set->clusters = set->rows / 1000 + 10;
    return i < argc && strncmp(argv[i], "--", 2) == 0 ? 0 : i;
}

static void library_try(bench *b, const char *path)
{
    search_peer_getter *get = search_peers_load(path);
    for (size_t i = 0; get && get(i); i++)
        index_try(b, get(i));
}

int main(int argc, char **argv)
{
    static bench b;
    vt_pool *pool;
    int library = settings_read(argc, argv, &b.set);
    if (library == 0) {
        fprintf(stderr,
                "usage: search [--rows N] [--dim D] [--clusters C] [--queries Q] "
                "[--threads T] [--rounds R] [--vectors FILE] [--only NAME,...] [--svg FILE] "
                "[LIBRARY...]\n");
        return 2;
    }
    if (vt_pool_new(b.set.threads, &pool, NULL) != VT_OK || !world_make(&b, pool)) {
        fprintf(stderr, "memory is out, or the file of vectors is too short\n");
        return 1;
    }
    for (size_t i = 0; vt_bench_search_own(i); i++)
        index_try(&b, vt_bench_search_own(i));
    for (; library < argc; library++)
        library_try(&b, argv[library]);
    if (b.count > 0) {
        rounds_run(&b, pool);
        report(&b);
    }
    bool plotted = !b.set.svg || plot(&b);
    if (!plotted)
        fprintf(stderr, "%s cannot be written\n", b.set.svg);
    for (size_t i = 0; i < b.count; i++)
        b.indexes[i].peer->destroy(b.indexes[i].index);
    vt_free(b.vectors);
    vt_free(b.queries);
    vt_free(b.truth);
    vt_free(b.found);
    vt_pool_free(pool);
    return plotted ? 0 : 1;
}
