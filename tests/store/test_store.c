/* SPDX-License-Identifier: Apache-2.0 */
/* What every driver must do, asked through store.h alone. */
#include "fixture.h"

static void test_round_trip(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    for (uint32_t i = 0; i < 20; i++)
        assert_ok(fixture_put(store, model, i, 1, FIXTURE_DIM, 1 + i % 4, error));
    for (uint32_t i = 0; i < 20; i++)
        assert_made_stored(store, model, i, 1, FIXTURE_DIM, 1 + i % 4);
    assert_ok(vt_store_check(store, error));
    vt_store_close(store);

    assert_ok(vt_store_open(f.shop, VT_STORE_READ, &store, error));
    for (uint32_t i = 0; i < 20; i++)
        assert_made_stored(store, model, i, 1, FIXTURE_DIM, 1 + i % 4);
    assert_ok(vt_store_check(store, error));
    vt_store_close(store);
    fixture_deinit(&f);
}

static void test_every_value_comes_back(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    const char *items[] = {"", "rot", "\xf0\x9f\x91\x97", "rot"};
    const vt_attribute attributes[] = {
        {.name = "a", .kind = VT_ATTRIBUTE_TEXT, .text = ""},
        {.name = "a", .kind = VT_ATTRIBUTE_TEXT, .text = NULL},
        {.name = "n", .kind = VT_ATTRIBUTE_NUMBER, .number = -1e300},
        {.name = "n", .kind = VT_ATTRIBUTE_NUMBER, .number = (double)NAN},
        {.name = "n", .kind = VT_ATTRIBUTE_NUMBER, .number = 42},
        {.name = "l", .kind = VT_ATTRIBUTE_LIST, .items = items, .item_count = 4},
        {.name = "empty", .kind = VT_ATTRIBUTE_LIST, .items = NULL, .item_count = 0},
        {.name = "l1", .kind = VT_ATTRIBUTE_LIST, .items = items, .item_count = 1},
        {.name = "'; DROP TABLE products; --", .kind = VT_ATTRIBUTE_TEXT, .text = "\"'%s"},
    };
    float vector[FIXTURE_DIM] = {1, -0.5f};
    const vt_picture pictures[] = {{.source = NULL,
                                    .hash = fixture_hash(1),
                                    .phash = UINT64_MAX,
                                    .width = 0,
                                    .height = INT32_MAX,
                                    .file_bytes = INT64_MAX,
                                    .vector = vector},
                                   {.source = "",
                                    .hash = fixture_hash(1), /* twice the same picture */
                                    .phash = (uint64_t)1 << 63,
                                    .vector = vector}};
    vt_product product = {.id = "\xd0\x96-1",
                          .title = "",
                          .description = NULL,
                          .category = NULL,
                          .brand = "",
                          .link = NULL,
                          .price = (double)NAN,
                          .currency = NULL,
                          .attributes = attributes,
                          .attribute_count = sizeof attributes / sizeof attributes[0],
                          .pictures = pictures,
                          .picture_count = 2,
                          .content = fixture_hash(9)};
    assert_ok(vt_store_put(store, model, &product, error));
    assert_stored(store, model, &product, FIXTURE_DIM);

    product.attribute_count = 0;
    product.attributes = NULL;
    product.price = 0;
    product.picture_count = 1;
    assert_ok(vt_store_put(store, model, &product, error));
    assert_stored(store, model, &product, FIXTURE_DIM);
    assert_ok(vt_store_check(store, error));
    vt_store_close(store);
    fixture_deinit(&f);
}

static void test_replace_keeps_key_and_known_pictures(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    assert_ok(fixture_put(store, model, 1, 1, FIXTURE_DIM, 3, error));
    assert_ok(fixture_put(store, model, 2, 1, FIXTURE_DIM, 1, error));
    vt_arena arena;
    vt_arena_init(&arena, 1 << 20);
    vt_product before, after;
    assert_ok(vt_store_get(store, "p1", &arena, &before, error));

    /* Two of three stay, in another order, between new ones. */
    made_product m, other;
    made_product_init(&m, 1, 1, FIXTURE_DIM, 4);
    made_product_init(&other, 1, 2, FIXTURE_DIM, 2);
    vt_picture mixed[4] = {other.pictures[0], m.pictures[2], other.pictures[1], m.pictures[0]};
    m.product.pictures = mixed;
    m.product.title = "changed";
    assert_ok(vt_store_put(store, model, &m.product, error));
    assert_stored(store, model, &m.product, FIXTURE_DIM);
    assert_ok(vt_store_get(store, "p1", &arena, &after, error));
    assert_int_equal(after.key, before.key);
    assert_true(after.change > before.change);
    assert_int_equal(after.pictures[1].key, before.pictures[2].key);
    assert_int_equal(after.pictures[3].key, before.pictures[0].key);
    assert_true(after.pictures[0].key > before.pictures[2].key + 1); /* p2's picture is between */
    assert_true(after.pictures[2].key > after.pictures[0].key);

    /* A picture that is dropped takes its vector along. */
    float vector[FIXTURE_DIM];
    assert_fails(VT_ERR_NOT_FOUND,
                 vt_store_vector(store, model, before.pictures[1].key, vector, error));
    vt_store_stats stats;
    assert_ok(vt_store_stats_of(store, model, &stats, error));
    assert_int_equal(stats.products, 2);
    assert_int_equal(stats.pictures, 5);
    assert_int_equal(stats.vectors, 5);
    assert_int_equal(stats.change, after.change);
    assert_string_equal(stats.driver, "sqlite");
    assert_true(stats.database_bytes > 0);
    assert_ok(vt_store_check(store, error));
    made_product_deinit(&m);
    made_product_deinit(&other);
    vt_arena_deinit(&arena);
    vt_store_close(store);
    fixture_deinit(&f);
}

static void test_remove(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    assert_ok(fixture_put(store, model, 1, 1, FIXTURE_DIM, 2, error));
    assert_ok(fixture_put(store, model, 2, 1, FIXTURE_DIM, 2, error));
    uint32_t key = fixture_key(store, "p2");
    assert_ok(vt_store_remove(store, "p2", error));
    assert_fails_saying(VT_ERR_NOT_FOUND, "p2", vt_store_remove(store, "p2", error));
    vt_arena arena;
    vt_arena_init(&arena, 1 << 20);
    vt_product got = {.key = 4711};
    assert_fails(VT_ERR_NOT_FOUND, vt_store_get(store, "p2", &arena, &got, error));
    assert_fails(VT_ERR_NOT_FOUND, vt_store_get_by_key(store, key, &arena, &got, error));
    assert_int_equal(got.key, 4711); /* untouched on failure */
    vt_store_stats stats;
    assert_ok(vt_store_stats_of(store, model, &stats, error));
    assert_int_equal(stats.products, 1);
    assert_int_equal(stats.pictures, 2);
    assert_int_equal(stats.vectors, 2);

    /* The newest product came and went: its key must not come back. */
    assert_ok(fixture_put(store, model, 2, 1, FIXTURE_DIM, 2, error));
    assert_true(fixture_key(store, "p2") > key);
    assert_ok(vt_store_get_by_key(store, fixture_key(store, "p2"), &arena, &got, error));
    assert_string_equal(got.id, "p2");
    assert_ok(vt_store_check(store, error));
    vt_arena_deinit(&arena);
    vt_store_close(store);
    fixture_deinit(&f);
}

static void test_models_and_content(void **state)
{
    (void)state;
    fixture f;
    uint32_t model, same, other;
    vt_store *store = fixture_create(&f, &model);
    vt_hash fingerprint = fixture_hash(77), second = fixture_hash(78), third = fixture_hash(79);
    assert_ok(vt_store_model_put(store, &fingerprint, "again", FIXTURE_DIM, &same, error));
    assert_int_equal(same, model);
    assert_fails(VT_ERR_MISMATCH, vt_store_model_put(store, &fingerprint, "x", 3, &same, error));
    assert_ok(vt_store_model_put(store, &second, "other", 5, &other, error));
    assert_int_not_equal(other, model);
    assert_ok(vt_store_model_find(store, &second, &same, error));
    assert_int_equal(same, other);
    assert_fails(VT_ERR_NOT_FOUND, vt_store_model_find(store, &third, &same, error));
    assert_fails(VT_ERR_USAGE, vt_store_model_put(store, &third, "x", 0, &same, error));
    assert_fails(VT_ERR_USAGE,
                 vt_store_model_put(store, &third, "x", VT_STORE_MAX_DIM + 1, &same, error));
    assert_fails(VT_ERR_NOT_FOUND, fixture_put(store, 99, 1, 1, FIXTURE_DIM, 1, error));

    made_product m;
    made_product_init(&m, 1, 1, FIXTURE_DIM, 2);
    vt_hash content;
    assert_fails(VT_ERR_NOT_FOUND, vt_store_content(store, model, "p1", &content, error));
    assert_ok(vt_store_put(store, model, &m.product, error));
    assert_ok(vt_store_content(store, model, "p1", &content, error));
    assert_memory_equal(&content, &m.product.content, sizeof content);
    assert_fails(VT_ERR_NOT_FOUND, vt_store_content(store, other, "p1", &content, error));

    /* Embedded by another model: the first one's vectors of the same pictures stay. */
    assert_ok(vt_store_put(store, other, &m.product, error));
    assert_ok(vt_store_content(store, model, "p1", &content, error));
    assert_ok(vt_store_content(store, other, "p1", &content, error));
    vt_store_stats stats;
    assert_ok(vt_store_stats_of(store, other, &stats, error));
    assert_int_equal(stats.pictures, 2);
    assert_int_equal(stats.vectors, 2);

    /* One more picture, by the second model only: the first one has to look again. */
    made_product_deinit(&m);
    made_product_init(&m, 1, 1, FIXTURE_DIM, 3);
    assert_ok(vt_store_put(store, other, &m.product, error));
    assert_ok(vt_store_content(store, other, "p1", &content, error));
    assert_fails(VT_ERR_NOT_FOUND, vt_store_content(store, model, "p1", &content, error));
    assert_ok(vt_store_check(store, error));
    made_product_deinit(&m);
    vt_store_close(store);
    fixture_deinit(&f);
}

typedef struct walk {
    vt_store *store;
    uint32_t last_key;
    uint64_t seen;
    uint64_t stop_at; /* 0: never */
    bool write;
} walk;

static vt_status walk_product(void *context, const vt_product *product, vt_error *error)
{
    walk *w = context;
    assert_true(product->key > w->last_key);
    w->last_key = product->key;
    assert_int_equal(product->attribute_count, 3);
    assert_int_equal(product->picture_count, 1);
    w->seen++;
    if (w->seen == w->stop_at)
        return VT_ERR_CANCELLED;
    /* The store may be asked, and written to, in the middle of a walk. */
    if (w->seen % 100 == 0)
        assert_int_equal(fixture_key(w->store, product->id), product->key);
    if (w->write && w->seen % 100 == 0)
        return fixture_put(w->store, 1, 100000 + (uint32_t)w->seen, 1, FIXTURE_DIM, 1, error);
    return VT_OK;
}

static vt_status walk_picture(void *context, const char *id, uint32_t product,
                              const vt_picture *picture, vt_error *error)
{
    (void)error;
    walk *w = context;
    assert_true(picture->key > w->last_key);
    w->last_key = picture->key;
    assert_true(id[0] == 'p' && product != 0 && strncmp(picture->source, "img/", 4) == 0);
    assert_int_equal(picture->width, 640);
    w->seen++;
    return w->seen == w->stop_at ? VT_ERR_CANCELLED : VT_OK;
}

static vt_status count_product(void *context, const vt_product *product, vt_error *error)
{
    (void)product;
    (void)error;
    ++*(uint64_t *)context;
    return VT_OK;
}

static void test_walks(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    enum { COUNT = 10000 };
    for (uint32_t i = 0; i < COUNT; i++)
        assert_ok(fixture_put(store, model, i, 1, FIXTURE_DIM, 1, error));

    walk w = {.store = store};
    assert_ok(vt_store_each(store, walk_product, &w, error));
    assert_int_equal(w.seen, COUNT);
    /* One product at a time: ten thousand ask for no more memory than the largest of them. */
    uint64_t seen = 0;
    vt_mem_fail_after(-1);
    assert_ok(vt_store_each(store, count_product, &seen, error));
    assert_true(vt_mem_fail_after(-1) < 32);
    assert_int_equal(seen, COUNT);

    w = (walk){.store = store, .stop_at = 10};
    assert_int_equal(vt_store_each(store, walk_product, &w, NULL), VT_ERR_CANCELLED);
    assert_int_equal(w.seen, 10);
    w = (walk){.store = store};
    assert_ok(vt_store_each_picture(store, walk_picture, &w, error));
    assert_int_equal(w.seen, COUNT);
    w = (walk){.store = store, .stop_at = 10};
    assert_int_equal(vt_store_each_picture(store, walk_picture, &w, NULL), VT_ERR_CANCELLED);
    assert_int_equal(w.seen, 10);

    /* A walk sees the catalogue as it was when it began. */
    w = (walk){.store = store, .write = true};
    assert_ok(vt_store_each(store, walk_product, &w, error));
    assert_int_equal(w.seen, COUNT);
    assert_int_equal(fixture_count(store), COUNT + COUNT / 100);
    assert_ok(vt_store_check(store, error));
    vt_store_close(store);
    fixture_deinit(&f);
}

typedef struct categories {
    char names[16][16];
    uint64_t counts[16];
    size_t count;
} categories;

static vt_status collect_category(void *context, const char *category, uint64_t products,
                                  vt_error *error)
{
    (void)error;
    categories *c = context;
    snprintf(c->names[c->count], sizeof c->names[0], "%s", category);
    c->counts[c->count++] = products;
    return VT_OK;
}

static void test_categories(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    categories c = {0};
    assert_ok(vt_store_each_category(store, collect_category, &c, error));
    assert_int_equal(c.count, 0);
    static const char *const given[] = {"b", "a", "z", NULL, "z", "", "z", NULL, "a", "b"};
    for (uint32_t i = 0; i < 10; i++) {
        made_product m;
        made_product_init(&m, i, 1, FIXTURE_DIM, 1);
        m.product.category = given[i];
        assert_ok(vt_store_put(store, model, &m.product, error));
        made_product_deinit(&m);
    }
    assert_ok(vt_store_each_category(store, collect_category, &c, error));
    static const char *const names[] = {"z", "a", "b", ""};
    static const uint64_t counts[] = {3, 2, 2, 1};
    assert_int_equal(c.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(c.names[i], names[i]);
        assert_int_equal(c.counts[i], counts[i]);
    }
    vt_store_close(store);
    fixture_deinit(&f);
}

static void test_readers_may_not_write(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    assert_ok(fixture_put(store, model, 1, 1, FIXTURE_DIM, 1, error));
    vt_store_close(store);
    assert_ok(vt_store_open(f.shop, VT_STORE_READ, &store, error));
    vt_hash known = fixture_hash(77), fresh = fixture_hash(5);
    assert_fails(VT_ERR_DENIED, fixture_put(store, model, 2, 1, FIXTURE_DIM, 1, error));
    assert_fails(VT_ERR_DENIED, vt_store_remove(store, "p1", error));
    assert_fails(VT_ERR_DENIED, vt_store_model_put(store, &fresh, "x", 3, &model, error));
    assert_fails(VT_ERR_DENIED, vt_store_put_thumb(store, &fresh, "x", 1, error));
    assert_ok(vt_store_model_find(store, &known, &model, error));
    assert_made_stored(store, model, 1, 1, FIXTURE_DIM, 1);
    vt_store_close(store);
    fixture_deinit(&f);
}

/* Every allocation of ours fails once: the call says so, and the store goes on as if nothing was.
 */
static void test_out_of_memory(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    assert_ok(fixture_put(store, model, 1, 1, FIXTURE_DIM, 3, error));
    made_product m;
    made_product_init(&m, 1, 2, FIXTURE_DIM, 2);
    vt_status status = VT_ERR_NO_MEMORY;
    for (int64_t i = 0; status != VT_OK; i++) {
        assert_true(i < 1000);
        vt_mem_fail_after(i);
        vt_error error = {0};
        status = vt_store_put(store, model, &m.product, &error);
        vt_mem_fail_after(-1);
        if (status != VT_OK) {
            assert_int_equal(status, VT_ERR_NO_MEMORY);
            assert_made_stored(store, model, 1, 1, FIXTURE_DIM, 3);
        }
    }
    assert_stored(store, model, &m.product, FIXTURE_DIM);

    status = VT_ERR_NO_MEMORY;
    for (int64_t i = 0; status != VT_OK; i++) {
        assert_true(i < 1000);
        vt_arena arena;
        vt_arena_init(&arena, 1 << 20);
        vt_product got;
        vt_mem_fail_after(i);
        status = vt_store_get(store, "p1", &arena, &got, NULL);
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
        vt_arena_deinit(&arena);
    }
    status = VT_ERR_NO_MEMORY;
    for (int64_t i = 0; status != VT_OK; i++) {
        assert_true(i < 1000);
        float query[FIXTURE_DIM] = {1};
        vt_hit hit;
        size_t count;
        vt_nearest_options options = {.k = 1, .min_similarity = -INFINITY};
        vt_mem_fail_after(i);
        status = vt_store_nearest(store, model, query, 1, &options, &hit, &count, NULL, NULL);
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
        assert_true(status != VT_OK || count == 1);
    }
    vt_store_close(store);
    status = VT_ERR_NO_MEMORY;
    for (int64_t i = 0; status != VT_OK; i++) {
        assert_true(i < 1000);
        vt_mem_fail_after(i);
        status = vt_store_open(f.shop, VT_STORE_WRITE, &store, NULL);
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
    }
    assert_stored(store, model, &m.product, FIXTURE_DIM);
    made_product_deinit(&m);
    vt_store_close(store);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_value_comes_back),
        cmocka_unit_test(test_replace_keeps_key_and_known_pictures),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_models_and_content),
        cmocka_unit_test(test_walks),
        cmocka_unit_test(test_categories),
        cmocka_unit_test(test_readers_may_not_write),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
