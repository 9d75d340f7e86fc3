/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store whose scans are screened once they have read enough: answers are those of a store that
 * reads everything, while products come and go.
 */
#include "../index/clustered.h"
#include "fixture.h"
#include "store/sqlite/vectors.h"

#include <time.h>

enum { DIM = FIXTURE_DIM, PRODUCTS = 5000, K = 12, MANY = 100 };

typedef struct world {
    fixture f;
    vt_store *store;
    uint32_t model;
    clustered mixture;
} world;

static void product_put(world *w, uint32_t number, uint64_t vector)
{
    float made[DIM];
    clustered_make_unit(&w->mixture, vector, made);
    fixture_put_vector(w->store, w->model, number, vector, made);
}

static void world_make(world *w, size_t products)
{
    vt_hash fingerprint = fixture_hash(77);
    fixture_init(&w->f);
    assert_ok(vt_store_open(w->f.shop, VT_STORE_CREATE, &w->store, error));
    assert_ok(vt_store_model_put(w->store, &fingerprint, "test", DIM, &w->model, error));
    assert_true(clustered_init(&w->mixture, DIM, 30, 5));
    for (uint32_t i = 0; i < products; i++)
        product_put(w, i, i);
}

static void world_end(world *w)
{
    vt_store_close(w->store);
    clustered_deinit(&w->mixture);
    fixture_deinit(&w->f);
}

static size_t screen_bytes(const world *w)
{
    vt_store_index_info info;
    assert_ok(vt_store_index_info_of(w->store, w->model, &info, error));
    return info.screen_bytes;
}

typedef struct answers {
    vt_hit hits[MANY * K];
    size_t counts[MANY];
} answers;

static void ask(const world *w, vt_store *store, size_t count, const vt_idset *products,
                answers *out)
{
    static float queries[MANY * DIM];
    vt_nearest_options options = {.k = K, .min_similarity = -INFINITY, .products = products};
    options.exact = true;
    memset(out, 0, sizeof *out);
    for (size_t q = 0; q < count; q++)
        clustered_make_unit(&w->mixture, 1000000 + q, queries + q * DIM);
    assert_ok(vt_store_nearest(store, w->model, queries, count, &options, out->hits, out->counts,
                               NULL, error));
}

/* Beside a store that has just been opened and has no screen, one query at a time. */
static void answers_compare(const world *w)
{
    vt_store *plain;
    vt_idset *half;
    answers here, there;
    assert_ok(vt_idset_new(&half, error));
    for (uint32_t key = 1; key < 2 * PRODUCTS; key += 2)
        assert_ok(vt_idset_add(half, key, error));
    assert_ok(vt_store_open(w->f.shop, VT_STORE_READ, &plain, error));
    for (int filtered = 0; filtered < 2; filtered++) {
        ask(w, w->store, 10, filtered ? half : NULL, &here);
        ask(w, plain, 10, filtered ? half : NULL, &there);
        assert_memory_equal(&here, &there, sizeof here);
    }
    vt_store_index_info info;
    assert_ok(vt_store_index_info_of(plain, w->model, &info, error));
    assert_int_equal(info.screen_bytes, 0);
    vt_store_close(plain);
    vt_idset_free(half);
}

static void test_made_beside_searches(void **state)
{
    (void)state;
    world w;
    answers before, after;
    world_make(&w, PRODUCTS);
    ask(&w, w.store, 1, NULL, &before);
    assert_int_equal(screen_bytes(&w), 0);
    for (int i = 0; i < 70; i++)
        ask(&w, w.store, 1, NULL, &after);
    const struct timespec moment = {.tv_nsec = 1000000};
    while (screen_bytes(&w) == 0) {
        ask(&w, w.store, 1, NULL, &after);
        assert_memory_equal(&before, &after, sizeof before);
        nanosleep(&moment, NULL);
    }
    ask(&w, w.store, 1, NULL, &after);
    assert_memory_equal(&before, &after, sizeof before);
    answers_compare(&w);
    for (uint32_t i = 0; i < 300; i++) {
        char id[32];
        snprintf(id, sizeof id, "p%u", i * 7);
        assert_ok(vt_store_remove(w.store, id, error));
        product_put(&w, PRODUCTS + i, PRODUCTS + i);
        product_put(&w, 3000 + i, 20000 + i); /* another picture than before */
        if (i % 100 == 0)
            answers_compare(&w);
    }
    answers_compare(&w);
    assert_ok(vt_store_index_check(w.store, w.model, NULL, error));
    assert_true(screen_bytes(&w) > 0);
    world_end(&w);
}

/* So many at once are worth it at once. */
static void test_many_queries_wait_for_it(void **state)
{
    (void)state;
    world w;
    answers one, many;
    world_make(&w, PRODUCTS);
    ask(&w, w.store, 1, NULL, &one);
    ask(&w, w.store, MANY, NULL, &many);
    assert_true(screen_bytes(&w) > 0);
    assert_memory_equal(one.hits, many.hits, K * sizeof *one.hits);
    answers_compare(&w);
    world_end(&w);
}

/* Neither for few products, nor where it would not fit. */
static void test_not_made(void **state)
{
    (void)state;
    world w;
    answers got;
    world_make(&w, 600);
    ask(&w, w.store, MANY, NULL, &got);
    assert_int_equal(screen_bytes(&w), 0);
    for (uint32_t i = 600; i < PRODUCTS; i++)
        product_put(&w, i, i);
    vt_sqlite *sqlite = (vt_sqlite *)w.store;
    vt_index_choice choice;
    vt_index_choose(PRODUCTS, DIM, 0, VT_INDEX_AUTO, &choice);
    sqlite->memory_bytes = choice.bytes + 1000;
    ask(&w, w.store, MANY, NULL, &got);
    assert_int_equal(screen_bytes(&w), 0);
    answers_compare(&w);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_beside_searches),
        cmocka_unit_test(test_many_queries_wait_for_it),
        cmocka_unit_test(test_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
