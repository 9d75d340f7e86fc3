/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs of products that stay although they look alike: said, taken back, and gone with a picture.
 */
#include "fixture.h"

typedef struct seen {
    size_t count;
    uint32_t low, high; /* of the newest */
} seen;

static vt_status see(void *context, uint32_t first, uint32_t second, vt_error *error)
{
    seen *all = context;
    (void)error;
    all->count++;
    all->low = first < second ? first : second;
    all->high = first < second ? second : first;
    return VT_OK;
}

static seen look(vt_store *store)
{
    seen all = {0};
    assert_ok(vt_store_each_kept(store, see, &all, error));
    return all;
}

/* The hash that made_product_init gives a picture. */
static vt_hash picture(uint32_t number, uint32_t version, size_t index)
{
    return fixture_hash(((uint64_t)version << 40) | ((uint64_t)number << 4) | index);
}

static vt_store_pair pair_of(const char *first, vt_hash a, const char *second, vt_hash b)
{
    return (vt_store_pair){first, second, a, b};
}

static vt_store *filled(fixture *f, uint32_t *model)
{
    vt_store *store = fixture_create(f, model);
    for (uint32_t i = 0; i < 4; i++)
        assert_ok(fixture_put(store, *model, i, 1, FIXTURE_DIM, 2, error));
    return store;
}

static void test_said_and_taken_back(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = filled(&f, &model), *reader = NULL;
    uint64_t before = 0, after = 0;
    vt_store_pair pair = pair_of("p2", picture(2, 1, 1), "p1", picture(1, 1, 0));
    assert_ok(vt_store_change(store, &before, error));
    assert_ok(vt_store_keep_pair(store, &pair, error));
    assert_ok(vt_store_keep_pair(store, &pair, error)); /* again */
    assert_ok(vt_store_change(store, &after, error));
    assert_int_equal(before, after);
    seen all = look(store);
    assert_int_equal(all.count, 1);
    assert_int_equal(all.low, fixture_key(store, "p1"));
    assert_int_equal(all.high, fixture_key(store, "p2"));
    assert_ok(vt_store_check(store, error));
    /* For whoever opens the shop. */
    assert_ok(vt_store_open(f.shop, VT_STORE_READ, &reader, error));
    assert_int_equal(look(reader).count, 1);
    assert_fails(VT_ERR_DENIED, vt_store_keep_pair(reader, &pair, error));
    assert_fails(VT_ERR_DENIED, vt_store_forget_pair(reader, "p1", "p2", error));
    vt_store_close(reader);
    /* Both of the ways round, and of several pictures at once. */
    pair = pair_of("p1", picture(1, 1, 1), "p2", picture(2, 1, 0));
    assert_ok(vt_store_keep_pair(store, &pair, error));
    assert_int_equal(look(store).count, 2);
    assert_fails(VT_ERR_NOT_FOUND, vt_store_forget_pair(store, "p1", "p3", error));
    assert_ok(vt_store_forget_pair(store, "p1", "p2", error));
    assert_int_equal(look(store).count, 0);
    assert_fails(VT_ERR_NOT_FOUND, vt_store_forget_pair(store, "p1", "p2", error));
    vt_store_close(store);
    fixture_deinit(&f);
}

static void test_what_is_no_pair(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = filled(&f, &model);
    const vt_hash one = picture(1, 1, 0), two = picture(2, 1, 0);
    const vt_store_pair missing = pair_of("p9", one, "p2", two),
                        other = pair_of("p1", one, "p2", one), same = pair_of("p1", one, "p1", one),
                        none = pair_of("", one, "p1", one);
    assert_fails(VT_ERR_NOT_FOUND, vt_store_keep_pair(store, &missing, error));
    assert_fails_saying(VT_ERR_NOT_FOUND, "\"p2\"", vt_store_keep_pair(store, &other, error));
    assert_fails(VT_ERR_USAGE, vt_store_keep_pair(store, &same, error));
    assert_fails(VT_ERR_USAGE, vt_store_keep_pair(store, &none, error));
    assert_int_equal(look(store).count, 0);
    vt_store_close(store);
    fixture_deinit(&f);
}

static void test_gone_with_a_picture(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = filled(&f, &model);
    vt_store_pair pair = pair_of("p1", picture(1, 1, 0), "p2", picture(2, 1, 1));
    assert_ok(vt_store_keep_pair(store, &pair, error));
    /* The same pictures again, with one more: it stays. */
    made_product m;
    made_product_init(&m, 1, 1, FIXTURE_DIM, 3);
    m.product.title = "another title";
    assert_ok(vt_store_put(store, model, &m.product, error));
    made_product_deinit(&m);
    assert_int_equal(look(store).count, 1);
    /* One of the two is another picture now. */
    assert_ok(fixture_put(store, model, 2, 5, FIXTURE_DIM, 2, error));
    assert_int_equal(look(store).count, 0);
    pair = pair_of("p1", picture(1, 1, 0), "p3", picture(3, 1, 0));
    assert_ok(vt_store_keep_pair(store, &pair, error));
    assert_ok(vt_store_remove(store, "p3", error));
    assert_int_equal(look(store).count, 0);
    assert_ok(vt_store_check(store, error));
    vt_store_close(store);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_said_and_taken_back),
        cmocka_unit_test(test_what_is_no_pair),
        cmocka_unit_test(test_gone_with_a_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
