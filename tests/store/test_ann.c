/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building a graph, or inverted lists, again and again in one process, beside searches and changes:
 * a search keeps what it began with, the next one has the new one, and the one before is freed.
 * Disks that fail while one is saved.
 */
#include "fixture.h"

#include "base/thread.h"
#include "store/sqlite/vectors.h"
#include "support/failing_io.h"

#include <stdatomic.h>
#include <time.h>

/* Few products of many pictures, and few different vectors: the size that a graph is worth takes
 * few transactions, and building it no time. */
enum {
    DISTINCT = 2,
    DIM = 1024,
    PRODUCTS = 44,
    PICTURES = 100,
    SEARCHERS = 2,
    REPLACEMENTS = 2,
    CHANGING = 8
};

typedef struct world {
    fixture f;
    vt_store *store;
    uint32_t model;
    vt_index_kind kind;
    vt_strategy strategy; /* that it answers by */
    const char *suffix;   /* of its file */
    uint32_t keys[PRODUCTS];
    atomic_bool stop;
    atomic_size_t searches, changes;
    atomic_bool built; /* build_once has ended */
} world;

static uint64_t seed_of(size_t product, size_t picture)
{
    return (uint64_t)product << 32 | picture;
}

static vt_status product_put(world *w, size_t number, size_t count)
{
    char id[16];
    vt_picture pictures[PICTURES];
    float *vectors = vt_alloc_array(count, DIM * sizeof *vectors);
    if (vectors == NULL)
        return VT_ERR_NO_MEMORY;
    snprintf(id, sizeof id, "p%zu", number);
    for (size_t i = 0; i < count; i++) {
        unit_vector(seed_of(number, i % DISTINCT), vectors + i * DIM, DIM);
        pictures[i] = (vt_picture){.hash = fixture_hash(seed_of(number, i)),
                                   .width = 1,
                                   .height = 1,
                                   .vector = vectors + i * DIM};
    }
    const vt_product product = {
        .id = id, .price = (double)NAN, .pictures = pictures, .picture_count = count};
    vt_status status = vt_store_put(w->store, w->model, &product, NULL);
    vt_free(vectors);
    return status;
}

static vt_status build(world *w, vt_error *error)
{
    const vt_store_index_options options = {.kind = w->kind};
    return vt_store_index_build(w->store, w->model, &options, error);
}

static int world_make(void **state, vt_index_kind kind)
{
    world *w = vt_calloc(1, sizeof *w);
    if (w == NULL)
        return -1;
    *state = w;
    w->kind = kind;
    w->strategy = kind == VT_INDEX_IVF ? VT_STRATEGY_LISTS : VT_STRATEGY_WALK;
    w->suffix = kind == VT_INDEX_IVF ? ".vtl" : ".vtg";
    fixture_init(&w->f);
    vt_hash fingerprint = fixture_hash(7);
    assert_ok(vt_store_open(w->f.shop, VT_STORE_CREATE, &w->store, error));
    assert_ok(vt_store_model_put(w->store, &fingerprint, "test", DIM, &w->model, error));
    for (size_t i = 0; i < PRODUCTS; i++) {
        char id[16];
        snprintf(id, sizeof id, "p%zu", i);
        assert_int_equal(product_put(w, i, PICTURES), VT_OK);
        w->keys[i] = fixture_key(w->store, id);
    }
    assert_ok(build(w, error));
    return 0;
}

static int graph_make(void **state)
{
    return world_make(state, VT_INDEX_GRAPH);
}

static int lists_make(void **state)
{
    return world_make(state, VT_INDEX_IVF);
}

static int world_end(void **state)
{
    world *w = *state;
    vt_store_close(w->store);
    fixture_deinit(&w->f);
    vt_free(w);
    return 0;
}

/* In a thread cmocka's assertions are no use. */
static void give_up(const char *what)
{
    fprintf(stderr, "%s\n", what);
    _exit(1);
}

static void moment_wait(void)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    nanosleep(&moment, NULL);
}

/* Asks for pictures that stay: each is its own nearest, whatever answers. */
static void search_on(void *context)
{
    world *w = context;
    float query[DIM];
    const vt_nearest_options options = {
        .k = 1, .min_similarity = -INFINITY, .strategy = w->strategy};
    for (size_t i = 0; !atomic_load(&w->stop); i++) {
        vt_hit hit;
        vt_store_index_info info;
        size_t count = 0, product = i * 7 % PRODUCTS;
        unit_vector(seed_of(product, i % DISTINCT), query, DIM);
        if (vt_store_nearest(w->store, w->model, query, 1, &options, &hit, &count, NULL, NULL) !=
            VT_OK)
            give_up("a search failed");
        if (count != 1 || hit.group != w->keys[product] || hit.similarity < 0.99f)
            give_up("a picture was not found");
        if (i % 16 == 0 && (vt_store_index_info_of(w->store, w->model, &info, NULL) != VT_OK ||
                            info.kind != w->kind || info.rows < PRODUCTS * PICTURES))
            give_up("there is no index");
        atomic_fetch_add(&w->searches, 1);
        moment_wait(); /* whoever builds wants to get on */
    }
}

static void change_on(void *context)
{
    world *w = context;
    for (size_t i = 0; !atomic_load(&w->stop); i++) {
        char id[16];
        snprintf(id, sizeof id, "p%zu", PRODUCTS + i % CHANGING);
        bool put = product_put(w, PRODUCTS + i % CHANGING, 1 + i % 5) == VT_OK;
        if (!put || (i % 3 == 0 && vt_store_remove(w->store, id, NULL) != VT_OK))
            give_up("a change failed");
        atomic_fetch_add(&w->changes, 1);
        moment_wait();
    }
}

static void test_replaced_again_and_again(void **state)
{
    world *w = *state;
    vt_thread *threads[SEARCHERS + 1];
    for (size_t i = 0; i < SEARCHERS; i++)
        assert_ok(vt_thread_start("search", search_on, w, &threads[i], error));
    assert_ok(vt_thread_start("change", change_on, w, &threads[SEARCHERS], error));
    for (int i = 0; i < REPLACEMENTS; i++) {
        size_t before = atomic_load(&w->searches);
        assert_ok(build(w, error));
        assert_true(atomic_load(&w->searches) > before); /* nobody waited for it */
    }
    atomic_store(&w->stop, true);
    for (size_t i = 0; i <= SEARCHERS; i++)
        vt_thread_join(threads[i]);
    assert_true(atomic_load(&w->changes) > 0);
    assert_ok(vt_store_index_check(w->store, w->model, NULL, error));
    /* What the changes left is in the file as well, or is replayed. */
    vt_store *reader = NULL;
    vt_store_index_info info;
    assert_ok(vt_store_open(w->f.shop, VT_STORE_READ, &reader, error));
    assert_ok(vt_store_index_info_of(reader, w->model, &info, error));
    assert_true(info.kind == w->kind && !info.resident);
    assert_string_equal(info.snapshot_fault, "");
    assert_ok(vt_store_index_check(reader, w->model, NULL, error));
    vt_store_close(reader);
}

static void build_once(void *context)
{
    world *w = context;
    if (build(w, NULL) != VT_OK)
        give_up("a build failed");
    atomic_store(&w->built, true);
}

/* A walk that takes long: what it walks in is whole until it leaves, others walk in the new one
 * meanwhile, and a second replacement is told that the first has not ended. */
static void test_who_is_in_it_keeps_it(void **state)
{
    world *w = *state;
    vt_sqlite_index *index = NULL;
    vt_thread *builder = NULL;
    unsigned old_turn, new_turn;
    float query[DIM];
    vt_hit hit;
    size_t count = 0;
    const vt_nearest_options options = {
        .k = 1, .min_similarity = -INFINITY, .strategy = w->strategy};
    assert_ok(vt_sqlite_index_share((vt_sqlite *)w->store, w->model, &index, error));
    vt_ann *old = vt_sqlite_ann_enter(index, &old_turn), *now = NULL;
    assert_non_null(old);
    assert_ok(vt_thread_start("build", build_once, w, &builder, error));
    while (now == NULL || now == old) {
        moment_wait();
        now = vt_sqlite_ann_enter(index, &new_turn);
        vt_sqlite_ann_leave(index, new_turn);
    }
    for (int i = 0; i < 20; i++)
        moment_wait();
    assert_false(atomic_load(&w->built));
    assert_fails(VT_ERR_BUSY, build(w, error));
    size_t rows = 0;
    assert_ok(old->driver->check(old, &rows, error)); /* under a sanitizer: it is not freed */
    assert_int_equal(rows, PRODUCTS * PICTURES);
    unit_vector(seed_of(3, 1), query, DIM);
    assert_ok(vt_store_nearest(w->store, w->model, query, 1, &options, &hit, &count, NULL, error));
    assert_true(count == 1 && hit.group == w->keys[3]);
    vt_sqlite_ann_leave(index, old_turn);
    vt_sqlite_index_release((vt_sqlite *)w->store);
    vt_thread_join(builder);
    assert_true(atomic_load(&w->built));
    assert_ok(vt_store_index_check(w->store, w->model, NULL, error));
}

/* ---- disks that fail ---- */

static void ask_once(vt_store *store, const world *w)
{
    float query[DIM];
    vt_hit hit;
    size_t count = 0;
    const vt_nearest_options options = {
        .k = 1, .min_similarity = -INFINITY, .strategy = w->strategy};
    unit_vector(seed_of(3, 1), query, DIM);
    assert_ok(vt_store_nearest(store, w->model, query, 1, &options, &hit, &count, NULL, error));
    assert_true(count == 1 && hit.group == w->keys[3]);
}

/* Whoever starts now: the file that is there serves, brought up to date. */
static void start_and_ask(const world *w)
{
    vt_store *reader = NULL;
    vt_store_index_info info;
    assert_ok(vt_store_open(w->f.shop, VT_STORE_READ, &reader, error));
    ask_once(reader, w);
    assert_ok(vt_store_index_info_of(reader, w->model, &info, error));
    assert_true(info.kind == w->kind && info.change == info.newest);
    assert_string_equal(info.snapshot_fault, "");
    assert_ok(vt_store_index_check(reader, w->model, NULL, error));
    vt_store_close(reader);
}

/* Saves once with a disk that fails after so many calls; false: it got through. */
static bool save_failing(world *w, int64_t left, int code)
{
    vt_sqlite_index *index = NULL;
    vt_error why = {0};
    assert_ok(vt_sqlite_index_share((vt_sqlite *)w->store, w->model, &index, error));
    failing_io_after(left, code);
    vt_status status = vt_sqlite_ann_save(index, &why);
    bool failed = failing_io_after(-1, 0) > left;
    vt_sqlite_index_release((vt_sqlite *)w->store);
    assert_int_equal(status, failed ? VT_ERR_IO : VT_OK);
    if (failed) /* the file, or its folder: its sync comes last */
        assert_non_null(strstr(why.message, "/index/"));
    return failed;
}

static void test_a_failing_disk_leaves_the_old_one(void **state)
{
    static const int codes[] = {ENOSPC, EIO};
    world *w = *state;
    one_thread();
    for (size_t c = 0; c < 2; c++) {
        int64_t left = -1;
        do {
            left++;
            assert_int_equal(product_put(w, PRODUCTS + (size_t)left % CHANGING, 1), VT_OK);
            ask_once(w->store, w);
            if (left % 4 == 3)
                start_and_ask(w);
        } while (save_failing(w, left, codes[c]));
        assert_true(left > 4);
        start_and_ask(w);
    }
    /* Who asked for it is told; it answers all the same, and the next attempt gets through. */
    failing_io_after(0, ENOSPC);
    vt_error why = {0};
    vt_status status = build(w, &why);
    failing_io_after(-1, 0);
    assert_int_equal(status, VT_ERR_IO);
    assert_non_null(strstr(why.message, w->suffix));
    ask_once(w->store, w);
    start_and_ask(w);
    assert_ok(vt_store_check(w->store, error));
    assert_ok(build(w, error));
    start_and_ask(w);
}

/* Both kinds, one after another: building one takes the file of the other away. */
static void test_one_file(void **state)
{
    world *w = *state;
    char graph[160], lists[160];
    snprintf(graph, sizeof graph, "%s/index/graph-%u.vtg", w->f.shop, w->model);
    snprintf(lists, sizeof lists, "%s/index/ivf-%u.vtl", w->f.shop, w->model);
    for (int i = 0; i < 4; i++) {
        bool ivf = i % 2 == 0;
        const vt_store_index_options options = {.kind = ivf ? VT_INDEX_IVF : VT_INDEX_GRAPH};
        assert_ok(vt_store_index_build(w->store, w->model, &options, error));
        assert_int_equal(access(lists, F_OK) == 0, ivf);
        assert_int_equal(access(graph, F_OK) == 0, !ivf);
        w->kind = options.kind;
        w->strategy = ivf ? VT_STRATEGY_LISTS : VT_STRATEGY_WALK;
        start_and_ask(w);
    }
    const vt_store_index_options none = {.kind = VT_INDEX_EXACT};
    assert_ok(vt_store_index_build(w->store, w->model, &none, error));
    assert_true(access(lists, F_OK) != 0 && access(graph, F_OK) != 0);
}

int main(void)
{
    const struct CMUnitTest graph[] = {
        cmocka_unit_test(test_who_is_in_it_keeps_it),
        cmocka_unit_test(test_a_failing_disk_leaves_the_old_one),
        cmocka_unit_test(test_replaced_again_and_again),
    };
    const struct CMUnitTest lists[] = {
        cmocka_unit_test(test_who_is_in_it_keeps_it),
        cmocka_unit_test(test_a_failing_disk_leaves_the_old_one),
        cmocka_unit_test(test_replaced_again_and_again),
        cmocka_unit_test(test_one_file),
    };
    return cmocka_run_group_tests(graph, graph_make, world_end) +
           cmocka_run_group_tests(lists, lists_make, world_end);
}
