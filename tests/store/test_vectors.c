/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model's vectors where memory is short: they stay in the database, auto takes inverted lists,
 * and a file that should be there is missed. The limit is that of the machine otherwise, which no
 * test has.
 */
#include "fixture.h"

#include "store/sqlite/vectors.h"

/* Few products of many pictures: so many vectors need few transactions. */
enum { DIM = 512, PRODUCTS = 6, PICTURES = 1450, ROWS = PRODUCTS * PICTURES, ENOUGH = 2 << 20 };

typedef struct world {
    fixture f;
    uint32_t model;
    char lists[160], graph[160];
} world;

static int world_make(void **state)
{
    world *w = vt_calloc(1, sizeof *w);
    vt_store *store = NULL;
    vt_picture *pictures = vt_calloc(PICTURES, sizeof *pictures);
    float *vectors = vt_alloc_array(PICTURES, DIM * sizeof *vectors);
    vt_hash fingerprint = fixture_hash(7);
    assert_true(w != NULL && pictures != NULL && vectors != NULL);
    *state = w;
    fixture_init(&w->f);
    assert_ok(vt_store_open(w->f.shop, VT_STORE_CREATE, &store, error));
    assert_ok(vt_store_model_put(store, &fingerprint, "test", DIM, &w->model, error));
    for (uint64_t p = 0; p < PRODUCTS; p++) {
        char id[16];
        snprintf(id, sizeof id, "p%d", (int)p);
        for (size_t i = 0; i < PICTURES; i++) {
            unit_vector(p << 32 | i, vectors + i * DIM, DIM);
            pictures[i] = (vt_picture){.hash = fixture_hash(p << 32 | i),
                                       .width = 1,
                                       .height = 1,
                                       .vector = vectors + i * DIM};
        }
        vt_product product = {
            .id = id, .price = (double)NAN, .pictures = pictures, .picture_count = PICTURES};
        assert_ok(vt_store_put(store, w->model, &product, error));
    }
    vt_store_close(store);
    snprintf(w->lists, sizeof w->lists, "%s/index/ivf-%u.vtl", w->f.shop, w->model);
    snprintf(w->graph, sizeof w->graph, "%s/index/graph-%u.vtg", w->f.shop, w->model);
    vt_free(pictures);
    vt_free(vectors);
    return 0;
}

static int world_end(void **state)
{
    world *w = *state;
    fixture_deinit(&w->f);
    vt_free(w);
    return 0;
}

static vt_store *open_within(const world *w, int mode, size_t memory_bytes)
{
    vt_store *store = NULL;
    assert_ok(vt_store_open(w->f.shop, mode, &store, error));
    ((vt_sqlite *)store)->memory_bytes = memory_bytes;
    return store;
}

static vt_store_index_info info_of(const world *w, vt_store *store)
{
    vt_store_index_info info;
    assert_ok(vt_store_index_info_of(store, w->model, &info, error));
    assert_int_equal(info.rows, ROWS);
    assert_int_equal(info.products, PRODUCTS);
    return info;
}

/* A stored vector finds its product, by this strategy. */
static void ask(const world *w, vt_store *store, vt_strategy strategy)
{
    float query[DIM];
    vt_hit hit;
    size_t count = 0;
    vt_nearest_answer answer;
    const vt_nearest_options options = {.k = 1, .min_similarity = -INFINITY, .strategy = strategy};
    unit_vector((uint64_t)3 << 32 | 77, query, DIM);
    assert_ok(vt_store_nearest(store, w->model, query, 1, &options, &hit, &count, &answer, error));
    assert_string_equal(answer.strategy, vt_strategy_name(strategy));
    assert_true(count == 1 && hit.similarity > 0.99f);
    assert_int_equal(hit.group, fixture_key(store, "p3"));
}

static void test_room_for_all(void **state)
{
    const world *w = *state;
    vt_store *store = open_within(w, VT_STORE_READ, 0);
    vt_store_index_info info = info_of(w, store);
    assert_true(info.resident && info.kind == VT_INDEX_EXACT);
    assert_int_equal(info.wanted, VT_INDEX_GRAPH);
    vt_store_close(store);
}

/* Neither vectors nor a graph fit: nothing but which pictures products have is in memory, until
 * lists are there. */
static void test_no_room(void **state)
{
    const world *w = *state;
    vt_store *store = open_within(w, VT_STORE_WRITE, ENOUGH);
    vt_store_index_info info = info_of(w, store);
    assert_true(!info.resident && info.kind == VT_INDEX_EXACT);
    assert_int_equal(info.wanted, VT_INDEX_IVF);
    assert_string_equal(info.wanted_codec, "rabitq");
    assert_non_null(strstr(info.why, "no graph fits"));
    assert_true(info.vector_bytes < ENOUGH);
    ask(w, store, VT_STRATEGY_EXACT);
    assert_false(info_of(w, store).resident);
    assert_ok(vt_store_index_check(store, w->model, NULL, error));
    assert_ok(
        vt_store_index_refresh(store, w->model, NULL, error)); /* as at the end of an import */
    info = info_of(w, store);
    assert_true(!info.resident && info.kind == VT_INDEX_IVF && info.snapshot);
    assert_true(info.index_bytes + info.vector_bytes < ENOUGH);
    assert_true(access(w->lists, F_OK) == 0 && access(w->graph, F_OK) != 0);
    ask(w, store, VT_STRATEGY_LISTS);
    assert_ok(vt_store_index_check(store, w->model, NULL, error));
    vt_store_close(store);
    /* Whoever starts has them from the file, also where there is room for more. */
    store = open_within(w, VT_STORE_READ, 0);
    info = info_of(w, store);
    assert_true(!info.resident && info.kind == VT_INDEX_IVF);
    assert_string_equal(info.snapshot_fault, "");
    ask(w, store, VT_STRATEGY_LISTS);
    vt_store_close(store);
}

static void test_missing_file(void **state)
{
    const world *w = *state;
    assert_int_equal(unlink(w->lists), 0);
    vt_store *store = open_within(w, VT_STORE_READ, ENOUGH);
    vt_store_index_info info = info_of(w, store);
    assert_int_equal(info.kind, VT_INDEX_EXACT);
    assert_non_null(strstr(info.snapshot_fault, w->lists));
    assert_non_null(strstr(info.snapshot_fault, "there is none, though 8700"));
    ask(w, store, VT_STRATEGY_EXACT);
    vt_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_room_for_all),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_missing_file),
    };
    return cmocka_run_group_tests(tests, world_make, world_end);
}
