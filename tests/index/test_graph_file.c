/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots of the graph: what is read is what was saved, for each codec, and lives on; everything
 * that can be wrong with a file is refused; saving beside a writer; disks that are full or broken.
 *
 *     test_graph_file --bench [ROWS [DIM [FILE]]]   how long saving and loading take; a FILE stays,
 *                                                   and is not made again
 */
#include "support/scratch.h"

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/random.h"
#include "clustered.h"
#include "index/graph_file.h"
#include "support/failing_io.h"
#include "support/snapshots.h"

#include <stdatomic.h>
#include <time.h>

enum { DIM = 32, ROWS = 700, QUERIES = 20, K = 10, FILE_BYTES = 1 << 26, FRESH = 1 << 20 };

typedef struct world {
    float *vectors; /* (rows, DIM) */
    float *queries; /* (QUERIES, DIM) */
    vt_graph *graph;
    vt_index_origin origin;
} world;

static void world_init(world *w, const vt_graph_options *options, size_t rows)
{
    clustered c;
    *w = (world){.origin = {.change = 77, .session = {{1, 2, 3}}, .model = {{9, 8, 7}}}};
    assert_true(clustered_init(&c, DIM, 5, 3));
    w->vectors = vt_alloc_array(rows, DIM * sizeof(float));
    w->queries = vt_alloc_array(QUERIES, DIM * sizeof(float));
    for (size_t i = 0; i < rows; i++)
        clustered_make(&c, i, w->vectors + i * DIM);
    for (size_t i = 0; i < QUERIES; i++)
        clustered_make(&c, rows + i, w->queries + i * DIM);
    clustered_deinit(&c);
    assert_int_equal(vt_graph_new(DIM, options, &w->graph, NULL), VT_OK);
}

static void world_deinit(world *w)
{
    vt_graph_free(w->graph);
    vt_free(w->vectors);
    vt_free(w->queries);
}

static uint32_t id_of(size_t row)
{
    return (uint32_t)row * 2654435761u;
}

static void row_add(const world *w, vt_graph *graph, size_t row, size_t id)
{
    assert_int_equal(vt_graph_add(graph, id_of(id), (uint32_t)id / 3, w->vectors + row * DIM, NULL),
                     VT_OK);
}

/* Most built, some one by one, some of them twins, some removed. */
static void world_fill(world *w)
{
    uint32_t ids[ROWS], groups[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        ids[i] = id_of(i);
        groups[i] = (uint32_t)i / 3;
    }
    vt_graph_rows rows = {w->vectors, ids, groups, ROWS - 100};
    assert_int_equal(vt_graph_build(w->graph, &rows, NULL, NULL), VT_OK);
    for (size_t i = ROWS - 100; i < ROWS; i++)
        row_add(w, w->graph, i % 3 ? i : 5, i);
    for (size_t i = 0; i < ROWS; i += 4)
        assert_true(vt_graph_remove(w->graph, id_of(i)));
}

static void save(const world *w, vt_graph *graph, const char *path)
{
    vt_error error;
    if (vt_graph_save(graph, path, &w->origin, &error) != VT_OK)
        fail_msg("%s", error.message);
}

static vt_graph *load(const char *path, vt_pool *pool)
{
    vt_graph_load_options options = vt_graph_load_options_defaults();
    vt_graph *graph = NULL;
    vt_error error;
    options.pool = pool;
    if (vt_graph_load(path, &options, &graph, NULL, &error) != VT_OK)
        fail_msg("%s", error.message);
    return graph;
}

static vt_status try_load(const char *path, vt_graph **graph, vt_error *error)
{
    vt_graph_load_options options = vt_graph_load_options_defaults();
    return vt_graph_load(path, &options, graph, NULL, error);
}

static vt_graph_shape shape_of(vt_graph *graph)
{
    vt_graph_shape shape;
    vt_error error;
    if (vt_graph_check(graph, &shape, &error) != VT_OK)
        fail_msg("%s", error.message);
    return shape;
}

static void ask(const world *w, vt_graph *graph, vt_hit *hits, size_t *counts)
{
    vt_graph_search_options options = vt_graph_search_defaults();
    vt_graph_answers answers = {hits, counts, NULL};
    memset(hits, 0, QUERIES * K * sizeof *hits);
    assert_int_equal(vt_graph_search(graph, w->queries, QUERIES, &options, &answers, NULL), VT_OK);
}

static void assert_same(const world *w, vt_graph *a, vt_graph *b)
{
    static vt_hit have[QUERIES * K], want[QUERIES * K];
    size_t have_counts[QUERIES], want_counts[QUERIES];
    vt_graph_shape shape_a = shape_of(a), shape_b = shape_of(b);
    assert_memory_equal(&shape_a, &shape_b, sizeof shape_a);
    ask(w, a, have, have_counts);
    ask(w, b, want, want_counts);
    assert_memory_equal(have_counts, want_counts, sizeof have_counts);
    assert_memory_equal(have, want, sizeof have);
}

static void file_read(const char *path, vt_buf *out)
{
    vt_buf_init(out, FILE_BYTES);
    assert_int_equal(vt_file_read(path, FILE_BYTES, out, NULL), VT_OK);
}

static void file_write(const char *path, const void *bytes, size_t length)
{
    assert_int_equal(vt_file_replace(path, bytes, length, false, NULL), VT_OK);
}

/* ---- there and back ---- */

static void round_trip(const world *w, vt_graph *graph, scratch *s)
{
    char path[SCRATCH_PATH_BYTES], again[SCRATCH_PATH_BYTES];
    vt_buf first, second;
    vt_pool *pool;
    snprintf(path, sizeof path, "%s", scratch_path(s, "graph"));
    snprintf(again, sizeof again, "%s", scratch_path(s, "again"));
    save(w, graph, path);
    assert_int_equal(vt_pool_new(3, &pool, NULL), VT_OK);
    vt_graph *loaded = load(path, pool);
    vt_pool_free(pool);
    assert_same(w, loaded, graph);
    save(w, loaded, again);
    file_read(path, &first);
    file_read(again, &second);
    assert_int_equal(first.length, second.length);
    assert_memory_equal(first.data, second.data, first.length);
    vt_buf_deinit(&first);
    vt_buf_deinit(&second);
    /* It lives: rows go and others come, into the slots that were free. */
    size_t bytes = vt_graph_bytes(loaded);
    for (size_t i = 1; i < 400; i += 4)
        assert_true(vt_graph_remove(loaded, id_of(i)));
    for (size_t i = 0; i < 400; i += 4)
        row_add(w, loaded, i, i + FRESH);
    for (size_t i = 1; i < 400; i += 4)
        assert_false(vt_graph_has(loaded, id_of(i)));
    assert_int_equal(vt_graph_bytes(loaded), bytes);
    vt_graph_settle(loaded);
    vt_graph_shape shape = shape_of(loaded);
    assert_int_equal(shape.stale, 0);
    assert_int_equal(shape.unreachable, 0);
    vt_graph_free(loaded);
}

static void every_codec_comes_back(void **state)
{
    for (int codec = 0; codec < VT_CODEC_COUNT; codec++)
        /* Under a sanitizer one metric for each. */
        for (int metric = SCRATCH_STRIDE == 1 ? 0 : codec % 3; metric <= VT_METRIC_L2;
             metric += SCRATCH_STRIDE) {
            vt_graph_options options = vt_graph_options_defaults();
            options.codec = (vt_codec)codec;
            options.metric = (vt_metric)metric;
            options.degree = 12 + (size_t)codec;
            world w;
            world_init(&w, &options, ROWS);
            world_fill(&w);
            round_trip(&w, w.graph, *state);
            world_deinit(&w);
        }
}

static void empty_and_emptied_come_back(void **state)
{
    vt_graph_options options = vt_graph_options_defaults();
    char path[SCRATCH_PATH_BYTES];
    world w;
    world_init(&w, &options, ROWS);
    snprintf(path, sizeof path, "%s", scratch_path(*state, "graph"));
    for (int round = 0; round < 2; round++) {
        save(&w, w.graph, path);
        vt_graph *loaded = load(path, NULL);
        assert_int_equal(vt_graph_count(loaded), 0);
        shape_of(loaded);
        for (size_t i = 0; i < 50; i++)
            row_add(&w, loaded, i, i);
        vt_graph_settle(loaded);
        assert_int_equal(shape_of(loaded).unreachable, 0);
        vt_graph_free(loaded);
        for (size_t i = 0; i < 40; i++)
            row_add(&w, w.graph, i % 30, i);
        for (size_t i = 0; i < 40; i++)
            assert_true(vt_graph_remove(w.graph, id_of(i)));
    }
    world_deinit(&w);
}

/* More than one segment, the last of them not full. */
static void segments_come_back(void **state)
{
    enum { MANY = 40000, LIST = 8 };
    vt_graph_options options = vt_graph_options_defaults();
    options.width = 8;
    options.degree = LIST;
    world w;
    world_init(&w, &options, MANY / SCRATCH_STRIDE);
    uint32_t *ids = vt_alloc_array(MANY, sizeof *ids);
    for (size_t i = 0; i < MANY; i++)
        ids[i] = id_of(i);
    vt_graph_rows rows = {w.vectors, ids, NULL, MANY / SCRATCH_STRIDE};
    assert_int_equal(vt_graph_build(w.graph, &rows, NULL, NULL), VT_OK);
    round_trip(&w, w.graph, *state);
    vt_free(ids);
    world_deinit(&w);
}

static void the_head_tells(void **state)
{
    vt_graph_options options = vt_graph_options_defaults();
    vt_graph_file_info info, loaded_info;
    vt_graph_load_options load_options = vt_graph_load_options_defaults();
    const char *path = scratch_path(*state, "graph");
    vt_graph *loaded;
    world w;
    options.width = 99;
    world_init(&w, &options, ROWS);
    world_fill(&w);
    save(&w, w.graph, path);
    assert_int_equal(vt_graph_file_info_of(path, &info, NULL), VT_OK);
    assert_memory_equal(&info.origin, &w.origin, sizeof info.origin);
    assert_int_equal(info.rows, vt_graph_count(w.graph));
    assert_int_equal(info.dim, DIM);
    assert_int_equal(info.options.width, 99);
    assert_int_equal(info.options.codec, VT_CODEC_INT4X2);
    assert_int_equal(vt_graph_load(path, &load_options, &loaded, &loaded_info, NULL), VT_OK);
    assert_int_equal(loaded_info.bytes, info.bytes);
    assert_int_equal(loaded_info.origin.change, 77);
    vt_graph_free(loaded);
    load_options.maximum_bytes = info.bytes - 1;
    assert_int_equal(vt_graph_load(path, &load_options, &loaded, NULL, NULL), VT_ERR_LIMIT);
    path = scratch_path(*state, "none");
    assert_int_equal(vt_graph_file_info_of(path, &info, NULL), VT_ERR_NOT_FOUND);
    assert_int_equal(try_load(path, &loaded, NULL), VT_ERR_NOT_FOUND);
    world_deinit(&w);
}

/* ---- damage ---- */

typedef struct saved {
    world w;
    char path[SCRATCH_PATH_BYTES];
    vt_buf file;
} saved;

static void saved_init(saved *s, void **state)
{
    vt_graph_options options = vt_graph_options_defaults();
    world_init(&s->w, &options, ROWS);
    world_fill(&s->w);
    snprintf(s->path, sizeof s->path, "%s", scratch_path(*state, "graph"));
    save(&s->w, s->w.graph, s->path);
    file_read(s->path, &s->file);
}

static void saved_deinit(saved *s)
{
    vt_buf_deinit(&s->file);
    world_deinit(&s->w);
}

static void assert_refused(saved *s, size_t length, const char *what, size_t at)
{
    vt_graph *graph = NULL;
    vt_error error;
    file_write(s->path, s->file.data, length);
    vt_status status = try_load(s->path, &graph, &error);
    if (status != VT_ERR_CORRUPT && status != VT_ERR_UNSUPPORTED)
        fail_msg("%s at %zu: status %d", what, at, (int)status);
    assert_null(graph);
    assert_non_null(strstr(error.message, s->path));
}

static void every_flipped_bit_is_found(void **state)
{
    one_thread();
    enum { FLIPS = 1000, HEAD_BITS = 1024 };
    saved s;
    vt_random random;
    saved_init(&s, state);
    vt_random_init(&random, 5);
    for (size_t i = 0; i < FLIPS + HEAD_BITS; i += SCRATCH_STRIDE) {
        size_t bit = i < HEAD_BITS ? i : (size_t)vt_random_below(&random, s.file.length * 8);
        snapshot_flip(&s.file, bit);
        assert_refused(&s, s.file.length, "bit flipped", bit);
        snapshot_flip(&s.file, bit);
    }
    file_write(s.path, s.file.data, s.file.length);
    vt_graph_free(load(s.path, NULL));
    saved_deinit(&s);
}

static void truncated_files_are_refused(void **state)
{
    one_thread();
    saved s;
    saved_init(&s, state);
    for (size_t length = 0; length < s.file.length;
         length += (size_t)SCRATCH_STRIDE * (length < 300 ? 1 : 997))
        assert_refused(&s, length, "cut", length);
    assert_refused(&s, s.file.length - 1, "cut", s.file.length - 1);
    assert_true(vt_buf_append(&s.file, "x", 1));
    assert_refused(&s, s.file.length, "longer", s.file.length);
    saved_deinit(&s);
}

/* ---- strangers' files, whose checksums fit ---- */

static void newer_and_foreign_files_are_refused(void **state)
{
    one_thread();
    saved s;
    vt_graph *graph = NULL;
    vt_error error;
    saved_init(&s, state);
    snapshot_put(&s.file, 8, 4711, 4);
    snapshot_fix_sums(&s.file);
    file_write(s.path, s.file.data, s.file.length);
    assert_int_equal(try_load(s.path, &graph, &error), VT_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "4711"));
    snapshot_put(&s.file, 8, 1, 4);
    snapshot_put(&s.file, 12, 0x04030201u, 4);
    snapshot_fix_sums(&s.file);
    file_write(s.path, s.file.data, s.file.length);
    assert_int_equal(try_load(s.path, &graph, &error), VT_ERR_UNSUPPORTED);
    snapshot_put(&s.file, 12, 0x01020304u, 4);
    snapshot_put(&s.file, 128 + 92, 1, 4); /* the rotation */
    snapshot_fix_sums(&s.file);
    file_write(s.path, s.file.data, s.file.length);
    assert_int_equal(try_load(s.path, &graph, &error), VT_ERR_UNSUPPORTED);
    s.file.data[0] = 'W';
    snapshot_fix_sums(&s.file);
    assert_refused(&s, s.file.length, "magic", 0);
    assert_null(graph);
    saved_deinit(&s);
}

/* Whatever stands there, with sums that fit: refused, or a graph that the validator passes. */
static void try_forged(saved *s, size_t *refused)
{
    static vt_hit hits[QUERIES * K];
    size_t counts[QUERIES];
    vt_graph *graph = NULL;
    vt_error error;
    snapshot_fix_sums(&s->file);
    file_write(s->path, s->file.data, s->file.length);
    vt_status status = try_load(s->path, &graph, &error);
    if (status != VT_OK) {
        assert_true(status == VT_ERR_CORRUPT || status == VT_ERR_UNSUPPORTED);
        ++*refused;
        return;
    }
    ask(&s->w, graph, hits, counts);
    for (size_t i = 0; i < ROWS; i += 3)
        (void)vt_graph_remove(graph, id_of(i));
    for (size_t i = 0; i < ROWS; i += 9)
        row_add(&s->w, graph, i, i);
    vt_graph_settle(graph);
    vt_graph_free(graph);
}

static void forged_files_do_no_harm(void **state)
{
    one_thread();
    enum { TRIES = 600 / SCRATCH_STRIDE };
    static const uint32_t values[] = {0,        1,        26,  27,         0xffff,     1u << 17,
                                      1u << 18, 1u << 16, 699, UINT32_MAX, 0x7fc00000u};
    saved s;
    vt_random random;
    size_t refused = 0;
    saved_init(&s, state);
    vt_buf original;
    file_read(s.path, &original);
    vt_random_init(&random, 8);
    for (size_t i = 0; i < TRIES; i++) {
        size_t changes = 1 + (size_t)vt_random_below(&random, 3);
        for (size_t j = 0; j < changes; j++) {
            /* The head and the small sections as often as all of the slots. */
            size_t words = i % 3 == 0 ? 300 : s.file.length / 4;
            size_t at = (size_t)vt_random_below(&random, words) * 4;
            snapshot_put(&s.file, at,
                         values[vt_random_below(&random, sizeof values / sizeof *values)], 4);
        }
        /* The table's place is what snapshot_fix_sums goes by. */
        if (snapshot_get(&s.file, 48, 8) == snapshot_get(&original, 48, 8) &&
            snapshot_get(&s.file, 56, 4) == snapshot_get(&original, 56, 4))
            try_forged(&s, &refused);
        memcpy(s.file.data, original.data, original.length);
    }
    print_message("%zu of %d refused\n", refused, TRIES);
    assert_true(refused > TRIES / 4);
    vt_buf_deinit(&original);
    saved_deinit(&s);
}

/* ---- a writer goes on ---- */

typedef struct writing {
    world *w;
    atomic_size_t added, removed; /* rows below: done; `added` is ahead of `removed` */
    atomic_bool stop;
} writing;

static void write_on(void *context)
{
    writing *work = context;
    for (size_t row = 0; row < ROWS * 20 && !atomic_load(&work->stop); row++) {
        row_add(work->w, work->w->graph, row % ROWS, row);
        atomic_store(&work->added, row + 1);
        if (row >= 200) {
            assert_true(vt_graph_remove(work->w->graph, id_of(row - 200)));
            atomic_store(&work->removed, row - 199);
        }
    }
}

static void search_on(void *context)
{
    static vt_hit hits[QUERIES * K];
    size_t counts[QUERIES];
    writing *work = context;
    while (!atomic_load(&work->stop))
        ask(work->w, work->w->graph, hits, counts);
}

static void saving_beside_a_writer_is_consistent(void **state)
{
    vt_graph_options options = vt_graph_options_defaults();
    char path[SCRATCH_PATH_BYTES];
    world w;
    vt_thread *writer, *searcher;
    world_init(&w, &options, ROWS);
    writing work = {.w = &w};
    snprintf(path, sizeof path, "%s", scratch_path(*state, "graph"));
    assert_int_equal(vt_thread_start("writer", write_on, &work, &writer, NULL), VT_OK);
    assert_int_equal(vt_thread_start("searcher", search_on, &work, &searcher, NULL), VT_OK);
    for (int i = 0; i < 12; i++) {
        size_t added = atomic_load(&work.added);
        size_t removed_before = atomic_load(&work.removed);
        save(&w, w.graph, path);
        size_t removed = atomic_load(&work.removed);
        vt_graph *loaded = load(path, NULL);
        shape_of(loaded);
        /* What was added before and is not removed is there; what was removed before is not. One
         * more may have been removed without the count knowing. */
        for (size_t row = removed + 1; row < added; row++)
            assert_true(vt_graph_has(loaded, id_of(row)));
        for (size_t row = 0; row < removed_before; row++)
            assert_false(vt_graph_has(loaded, id_of(row)));
        assert_true(vt_graph_count(loaded) <= 201);
        vt_graph_free(loaded);
    }
    atomic_store(&work.stop, true);
    vt_thread_join(writer);
    vt_thread_join(searcher);
    assert_true(atomic_load(&work.added) > 0);
    world_deinit(&w);
}

/* ---- disks and memory that fail ---- */

static void a_failing_disk_leaves_the_old_one(void **state)
{
    one_thread();
    static const int codes[] = {ENOSPC, EIO};
    static const char *const texts[] = {"No space left on device", "Input/output error"};
    saved s;
    vt_error error;
    saved_init(&s, state);
    for (size_t c = 0; c < 2; c++) {
        int64_t calls = 0;
        for (int64_t left = 0;; left++) {
            size_t row = 1 + 4 * (size_t)(left % 90);
            assert_true(vt_graph_remove(s.w.graph, id_of(row)));
            row_add(&s.w, s.w.graph, row + 1 + c, row); /* so that it differs from the old one */
            failing_io_after(left, codes[c]);
            vt_status status = vt_graph_save(s.w.graph, s.path, &s.w.origin, &error);
            calls = failing_io_after(-1, 0);
            if (calls <= left) {
                assert_int_equal(status, VT_OK);
                break;
            }
            assert_int_equal(status, VT_ERR_IO);
            assert_non_null(strcasestr(error.message, texts[c]));
            assert_true(strstr(error.message, s.path) != NULL || left == calls - 1);
            vt_buf now;
            file_read(s.path, &now);
            /* The last call syncs the directory: by then the new one has its place. */
            bool same =
                now.length == s.file.length && memcmp(now.data, s.file.data, now.length) == 0;
            assert_true(same || left == calls - 1);
            vt_buf_deinit(&now);
            vt_graph_free(load(s.path, NULL));
        }
        print_message("%d calls\n", (int)calls);
        assert_true(calls > 4);
        vt_buf_deinit(&s.file);
        file_read(s.path, &s.file);
    }
    char path[SCRATCH_PATH_BYTES];
    snprintf(path, sizeof path, "%s", scratch_path(*state, "graph.new"));
    assert_false(vt_file_exists(path));
    assert_int_equal(vt_graph_save(s.w.graph, scratch_path(*state, "no/graph"), &s.w.origin, NULL),
                     VT_ERR_NOT_FOUND);
    saved_deinit(&s);
}

static vt_status save_attempt(void *context)
{
    saved *s = context;
    return vt_graph_save(s->w.graph, s->path, &s->w.origin, NULL);
}

static vt_status load_attempt(void *context)
{
    saved *s = context;
    vt_graph *graph = NULL;
    vt_status status = try_load(s->path, &graph, NULL);
    vt_graph_free(graph);
    return status;
}

static void memory_that_is_not_there(void **state)
{
    one_thread();
    saved s;
    saved_init(&s, state);
    assert_true(each_allocation_failing(save_attempt, &s) > 3);
    assert_true(each_allocation_failing(load_attempt, &s) > 10);
    saved_deinit(&s);
}

/* ---- how long it takes ---- */

static void bench_load(const char *path, vt_pool *pool, const char *what)
{
    vt_graph_load_options options = vt_graph_load_options_defaults();
    vt_graph *graph;
    options.pool = pool;
    for (int round = 0; round < 3; round++) {
        double begin = vt_clock_ms();
        clock_t processor =
            clock(); /* all threads: what a machine shared with others cannot blur */
        vt_status status = vt_graph_load(path, &options, &graph, NULL, NULL);
        printf("load, %s: %.3f s, of the processors %.3f s%s\n", what,
               (vt_clock_ms() - begin) / 1e3, (double)(clock() - processor) / CLOCKS_PER_SEC,
               status == VT_OK ? "" : " FAILED");
        if (status == VT_OK)
            vt_graph_free(graph);
    }
}

/* The floor of loading: reading and summing every byte of the file, nothing else. */
static void bench_sum(const char *path)
{
    vt_mapping file;
    if (vt_mapping_open(path, SIZE_MAX, &file, NULL) != VT_OK)
        return;
    for (int round = 0; round < 3; round++) {
        double begin = vt_clock_ms();
        uint32_t sum = vt_crc32c(0, file.bytes, file.length);
        printf("sum of a mapping, one thread: %.3f s (%08x)\n", (vt_clock_ms() - begin) / 1e3, sum);
    }
    vt_mapping_close(&file);
}

static bool bench_save(size_t rows, size_t dim, const char *path, vt_pool *pool)
{
    clustered c;
    vt_graph_options options = vt_graph_options_defaults();
    options.width = 16; /* what is built need not be good */
    vt_graph *graph;
    vt_index_origin origin = {0};
    float *vectors = vt_alloc_array(rows, dim * sizeof *vectors);
    uint32_t *ids = vt_alloc_array(rows, sizeof *ids);
    if (!vectors || !ids || !clustered_init(&c, dim, 1 + rows / 1000, 3) ||
        vt_graph_new(dim, &options, &graph, NULL) != VT_OK)
        return false;
    for (size_t i = 0; i < rows; i++) {
        clustered_make(&c, i, vectors + i * dim);
        ids[i] = (uint32_t)i;
    }
    vt_graph_rows all = {vectors, ids, NULL, rows};
    double begin = vt_clock_ms();
    vt_status status = vt_graph_build(graph, &all, pool, NULL);
    printf("build (walks of width 16): %.1f s\n", (vt_clock_ms() - begin) / 1e3);
    begin = vt_clock_ms();
    if (status == VT_OK)
        status = vt_graph_save(graph, path, &origin, NULL);
    printf("save: %.3f s\n", (vt_clock_ms() - begin) / 1e3);
    vt_graph_free(graph);
    vt_free(vectors);
    vt_free(ids);
    clustered_deinit(&c);
    return status == VT_OK;
}

static int bench(size_t rows, size_t dim, const char *keep)
{
    vt_pool *pool;
    vt_graph_file_info info = {0};
    char path[] = "/tmp/vt-graph-file";
    const char *file = keep ? keep : path;
    if (vt_pool_new(0, &pool, NULL) != VT_OK ||
        (!vt_file_exists(file) && !bench_save(rows, dim, file, pool)) ||
        vt_graph_file_info_of(file, &info, NULL) != VT_OK)
        return 1;
    printf("%zu rows, %.1f bytes each\n", info.rows, (double)info.bytes / (double)info.rows);
    bench_sum(file);
    bench_load(file, NULL, "one thread");
    bench_load(file, pool, "all threads");
    if (!keep)
        unlink(file);
    vt_pool_free(pool);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--bench") == 0)
        return bench(argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000,
                     argc > 3 ? strtoul(argv[3], NULL, 10) : 256, argc > 4 ? argv[4] : NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_codec_comes_back, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(empty_and_emptied_come_back, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(segments_come_back, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(the_head_tells, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_found, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(truncated_files_are_refused, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(newer_and_foreign_files_are_refused, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(forged_files_do_no_harm, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(saving_beside_a_writer_is_consistent, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(a_failing_disk_leaves_the_old_one, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(memory_that_is_not_there, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
