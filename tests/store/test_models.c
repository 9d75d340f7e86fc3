/* SPDX-License-Identifier: Apache-2.0 */
/* A catalogue changes from one model to another: vectors beside those that serve, what is missing,
 * the switch, and what is left of the old one. Through store.h alone, for every driver. */
#include "fixture.h"

#include <sys/wait.h>

enum { NEW_DIM = 9, PRODUCTS = 20 };

typedef struct key_list {
    uint32_t keys[256];
    size_t count;
} key_list;

static vt_status note_picture(void *context, const char *product_id, uint32_t product,
                              const vt_picture *picture, vt_error *error)
{
    key_list *list = context;
    (void)error;
    assert_true(product_id[0] == 'p' && product != 0);
    assert_true(list->count < 256);
    list->keys[list->count++] = picture->key;
    return VT_OK;
}

static key_list missing(vt_store *store, uint32_t model, uint32_t after, size_t limit)
{
    key_list list = {0};
    const vt_store_missing which = {model, after, limit};
    assert_ok(vt_store_each_missing(store, &which, note_picture, &list, error));
    return list;
}

static void vector_of(uint32_t picture, float out[NEW_DIM])
{
    memset(out, 0, NEW_DIM * sizeof(*out));
    out[picture % NEW_DIM] = 1;
}

static void put_vectors(vt_store *store, uint32_t model, const key_list *list)
{
    float vectors[256][NEW_DIM];
    vt_picture_vector rows[256];
    for (size_t i = 0; i < list->count; i++) {
        vector_of(list->keys[i], vectors[i]);
        rows[i] = (vt_picture_vector){list->keys[i], vectors[i]};
    }
    assert_ok(vt_store_put_vectors(store, model, rows, list->count, error));
}

static uint32_t prepare(vt_store *store)
{
    uint32_t model = 0;
    const vt_store_model wanted = {.fingerprint = fixture_hash(88),
                                   .name = "new",
                                   .source = "models/new.onnx",
                                   .dim = NEW_DIM};
    assert_ok(vt_store_model_prepare(store, &wanted, &model, error));
    return model;
}

static vt_store *filled(fixture *f, uint32_t *model)
{
    vt_store *store = fixture_create(f, model);
    for (uint32_t i = 1; i <= PRODUCTS; i++)
        assert_ok(fixture_put(store, *model, i, 1, FIXTURE_DIM, 1 + i % 3, error));
    return store;
}

static uint32_t serving(vt_store *store)
{
    uint32_t model = 99;
    assert_ok(vt_store_serving(store, &model, error));
    return model;
}

static uint64_t change_of(vt_store *store)
{
    vt_store_stats stats;
    assert_ok(vt_store_stats_of(store, 1, &stats, error));
    return stats.change;
}

static vt_status nearest(vt_store *store, uint32_t model, size_t dim, vt_hit *hit, vt_error *error)
{
    float query[FIXTURE_DIM] = {[3] = 1};
    vt_nearest_options options = {.k = 1, .min_similarity = -INFINITY};
    size_t count = 0;
    assert_true(dim <= FIXTURE_DIM);
    vt_status status = vt_store_nearest(store, model, query, 1, &options, hit, &count, NULL, error);
    if (status == VT_OK)
        assert_int_equal(count, 1);
    return status;
}

static vt_status note_state(void *context, const vt_store_model *model, vt_error *error)
{
    vt_model_state *states = context;
    (void)error;
    assert_true(model->key >= 1 && model->key <= 3);
    states[model->key] = model->state;
    return VT_OK;
}

static vt_status count_id(void *context, const char *product_id, vt_error *error)
{
    (void)error;
    assert_true(product_id[0] == 'p');
    (*(int *)context)++;
    return VT_OK;
}

static int unfound(vt_store *store, uint32_t model)
{
    int count = 0;
    assert_ok(vt_store_unfound(store, model, count_id, &count, error));
    return count;
}

static void test_switch(void **state)
{
    (void)state;
    fixture f;
    uint32_t old;
    vt_hit hit;
    vt_store *store = filled(&f, &old);
    vt_store *reader = NULL;
    assert_ok(vt_store_open(f.shop, VT_STORE_READ, &reader, error));
    assert_int_equal(serving(reader), 0);
    assert_ok(nearest(reader, old, FIXTURE_DIM, &hit, error));
    uint32_t new = prepare(store);
    assert_int_equal(prepare(store), new); /* again: the same */
    uint64_t before = change_of(store);
    key_list all = missing(store, new, 0, 256), some = missing(store, new, 0, 7);
    assert_int_equal(some.count, 7);
    put_vectors(store, new, &some);
    assert_int_equal(missing(store, new, 0, 256).count, all.count - 7);
    assert_int_equal(missing(store, new, all.keys[10], 256).count, all.count - 11);
    assert_true(unfound(store, new) > 0);
    /* Nobody notices. */
    assert_int_equal(change_of(reader), before);
    assert_ok(nearest(reader, old, FIXTURE_DIM, &hit, error));
    put_vectors(store, new, &all); /* some a second time */
    assert_int_equal(missing(store, new, 0, 256).count, 0);
    assert_int_equal(unfound(store, new), 0);
    /* A product that comes in meanwhile is missing, one that is replaced keeps what it can. */
    assert_ok(fixture_put(store, old, 90, 1, FIXTURE_DIM, 2, error));
    assert_ok(fixture_put(store, old, 1, 1, FIXTURE_DIM, 2, error));
    key_list late = missing(store, new, 0, 256);
    assert_int_equal(late.count, 2);
    put_vectors(store, new, &late);

    const vt_store_model from = {.key = old, .source = "classic"};
    before = change_of(store);
    assert_ok(vt_store_model_switch(store, &from, new, error));
    assert_int_equal(serving(store), new);
    assert_int_equal(serving(reader), new);
    assert_int_equal(change_of(reader), before + 1);
    /* What was made of the old one answers no more, in no process. */
    assert_fails(VT_ERR_MISMATCH, nearest(store, old, FIXTURE_DIM, &hit, error));
    assert_fails(VT_ERR_MISMATCH, nearest(reader, old, FIXTURE_DIM, &hit, error));
    assert_ok(nearest(reader, new, NEW_DIM, &hit, error));
    assert_int_equal(hit.id % NEW_DIM, 3);
    assert_fails(VT_ERR_MISMATCH, fixture_put(store, old, 91, 1, FIXTURE_DIM, 1, error));
    assert_ok(fixture_put(store, new, 91, 1, NEW_DIM, 1, error));
    assert_int_equal(change_of(store), before + 2);
    assert_ok(vt_store_check(store, error));

    vt_model_state states[4] = {0};
    assert_ok(vt_store_each_model(reader, note_state, states, error));
    assert_int_equal(states[old], VT_MODEL_GOING);
    assert_int_equal(states[new], VT_MODEL_SERVING);
    vt_store_close(reader);
    vt_store_close(store);
    fixture_deinit(&f);
}

static void test_emptied(void **state)
{
    (void)state;
    fixture f;
    uint32_t old, after = 0;
    vt_store *store = filled(&f, &old);
    uint32_t new = prepare(store);
    key_list all = missing(store, new, 0, 256);
    put_vectors(store, new, &all);
    const vt_store_model from = {.key = old, .source = "classic"};
    assert_ok(vt_store_model_switch(store, &from, new, error));
    assert_fails(VT_ERR_USAGE, vt_store_model_empty(store, new, 5, &after, error));
    int steps = 0;
    while (after != UINT32_MAX) {
        assert_ok(vt_store_model_empty(store, old, 5, &after, error));
        vt_store_stats stats;
        assert_ok(vt_store_stats_of(store, old, &stats, error));
        size_t removed = 5 * (size_t)++steps;
        assert_int_equal(stats.vectors, removed < all.count ? all.count - removed : 0);
    }
    vt_model_state states[4] = {0};
    assert_ok(vt_store_each_model(store, note_state, states, error));
    assert_int_equal(states[old], VT_MODEL_KNOWN);
    vt_store_stats stats;
    assert_ok(vt_store_stats_of(store, new, &stats, error));
    assert_int_equal(stats.vectors, all.count);
    assert_ok(vt_store_check(store, error));
    vt_store_close(store);
    fixture_deinit(&f);
}

static void test_refusals(void **state)
{
    (void)state;
    fixture f;
    uint32_t old, model = 0, after = 0;
    vt_store *store = filled(&f, &old), *reader = NULL;
    float vector[NEW_DIM] = {1}, infinite[NEW_DIM] = {INFINITY}, large[NEW_DIM] = {1e6f};
    vt_picture_vector row = {1, vector};
    /* A model that is not coming gets no vectors and cannot be switched to. */
    assert_fails(VT_ERR_USAGE, vt_store_put_vectors(store, old, &row, 1, error));
    assert_fails(VT_ERR_USAGE, vt_store_model_switch(store, NULL, old, error));
    assert_fails(VT_ERR_NOT_FOUND, vt_store_put_vectors(store, 77, &row, 1, error));
    assert_fails(VT_ERR_NOT_FOUND, vt_store_model_switch(store, NULL, 77, error));
    uint32_t new = prepare(store);
    row.vector = infinite;
    assert_fails(VT_ERR_USAGE, vt_store_put_vectors(store, new, &row, 1, error));
    row.vector = large;
    assert_fails(VT_ERR_USAGE, vt_store_put_vectors(store, new, &row, 1, error));
    /* All of a batch or nothing. */
    const vt_picture_vector two[] = {{1, vector}, {2, infinite}};
    size_t before = missing(store, new, 0, 256).count;
    assert_fails(VT_ERR_USAGE, vt_store_put_vectors(store, new, two, 2, error));
    assert_int_equal(missing(store, new, 0, 256).count, before);
    /* A picture that is gone. */
    row = (vt_picture_vector){250, vector};
    assert_ok(vt_store_put_vectors(store, new, &row, 1, error));
    assert_int_equal(missing(store, new, 0, 256).count, before);
    vt_store_model wanted = {.fingerprint = fixture_hash(88), .name = "n", .source = "", .dim = 9};
    assert_fails(VT_ERR_USAGE, vt_store_model_prepare(store, &wanted, &model, error));
    wanted.source = "models/x.onnx";
    wanted.dim = 10;
    assert_fails(VT_ERR_MISMATCH, vt_store_model_prepare(store, &wanted, &model, error));
    assert_ok(vt_store_model_switch(store, NULL, new, error));
    wanted.dim = NEW_DIM;
    assert_fails(VT_ERR_EXISTS, vt_store_model_prepare(store, &wanted, &model, error));
    assert_ok(vt_store_open(f.shop, VT_STORE_READ, &reader, error));
    assert_fails(VT_ERR_DENIED, vt_store_model_prepare(reader, &wanted, &model, error));
    assert_fails(VT_ERR_DENIED, vt_store_put_vectors(reader, new, &row, 1, error));
    assert_fails(VT_ERR_DENIED, vt_store_model_switch(reader, NULL, old, error));
    assert_fails(VT_ERR_DENIED, vt_store_model_empty(reader, old, 1, &after, error));
    vt_store_close(reader);
    vt_store_close(store);
    fixture_deinit(&f);
}

/* Another process holds the lock for a moment: who wants to write waits; for long: it is told. */
static void test_brief_writer(void **state)
{
    (void)state;
    fixture f;
    uint32_t old;
    vt_store_close(filled(&f, &old));
    for (int brief = 0; brief < 2; brief++) {
        int held[2];
        char byte = 0;
        assert_int_equal(pipe(held), 0);
        pid_t child = fork();
        if (child == 0) {
            vt_store *mine = NULL;
            int mode = brief ? VT_STORE_WRITE | VT_STORE_BRIEF : VT_STORE_WRITE;
            if (vt_store_open(f.shop, mode, &mine, NULL) != VT_OK || write(held[1], "x", 1) != 1)
                _exit(1);
            usleep(300000);
            vt_store_close(mine);
            _exit(0);
        }
        assert_int_equal(read(held[0], &byte, 1), 1);
        vt_store *store = NULL;
        if (brief) {
            assert_ok(vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
            vt_store_close(store);
        } else {
            assert_fails(VT_ERR_BUSY, vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
        }
        int status = 0;
        waitpid(child, &status, 0);
        assert_int_equal(status, 0);
        close(held[0]);
        close(held[1]);
    }
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_switch),
        cmocka_unit_test(test_emptied),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_brief_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
