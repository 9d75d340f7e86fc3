/* SPDX-License-Identifier: Apache-2.0 */
/* What may not be stored is refused, with the product named, and leaves no trace. */
#include "fixture.h"

typedef struct bench {
    fixture f;
    vt_store *store;
    uint32_t model;
    made_product made;
} bench;

static int setup(void **state)
{
    bench *b = vt_calloc(1, sizeof *b);
    assert_non_null(b);
    b->store = fixture_create(&b->f, &b->model);
    made_product_init(&b->made, 1, 1, FIXTURE_DIM, 2);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    bench *b = *state;
    assert_int_equal(fixture_count(b->store), 0);
    /* What was wrong is all that was wrong. */
    made_product whole;
    made_product_init(&whole, 1, 1, FIXTURE_DIM, 2);
    assert_ok(vt_store_put(b->store, b->model, &whole.product, error));
    made_product_deinit(&whole);
    assert_ok(vt_store_check(b->store, error));
    made_product_deinit(&b->made);
    vt_store_close(b->store);
    fixture_deinit(&b->f);
    vt_free(b);
    return 0;
}

#define assert_refused(status, part)                                                               \
    assert_fails_saying(status, part, vt_store_put(b->store, b->model, &b->made.product, error))

static void test_id(void **state)
{
    bench *b = *state;
    b->made.product.id = "";
    assert_refused(VT_ERR_USAGE, "no id");
    b->made.product.id = NULL;
    assert_refused(VT_ERR_USAGE, "no id");
    char longest[VT_STORE_MAX_ID_BYTES + 2];
    memset(longest, 'i', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    b->made.product.id = longest;
    assert_refused(VT_ERR_LIMIT, "1024 bytes");
    longest[VT_STORE_MAX_ID_BYTES] = '\0';
    assert_ok(vt_store_put(b->store, b->model, &b->made.product, error));
    assert_ok(vt_store_remove(b->store, longest, error));
    assert_fails(VT_ERR_USAGE, vt_store_remove(b->store, "", error));
    vt_hash hash;
    assert_fails(VT_ERR_USAGE, vt_store_content(b->store, b->model, NULL, &hash, error));
}

static void test_pictures(void **state)
{
    bench *b = *state;
    b->made.product.picture_count = 0;
    assert_refused(VT_ERR_USAGE, "\"p1\": it has no picture");
    b->made.product.picture_count = VT_STORE_MAX_PICTURES + 1;
    assert_refused(VT_ERR_LIMIT, "4097 pictures");
    b->made.product.picture_count = 2;
    b->made.pictures[1].width = -1;
    assert_refused(VT_ERR_USAGE, "size");
    b->made.pictures[1].width = 1;
    b->made.pictures[1].file_bytes = (uint64_t)INT64_MAX + 1;
    assert_refused(VT_ERR_USAGE, "size");
}

static void test_vectors(void **state)
{
    bench *b = *state;
    b->made.pictures[1].vector = NULL;
    assert_refused(VT_ERR_USAGE, "picture 1 has no vector");
    float *vector = b->made.vectors + FIXTURE_DIM;
    b->made.pictures[1].vector = vector;
    static const float bad[] = {NAN, INFINITY, -INFINITY, 65520.0f, -1e30f};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        vector[FIXTURE_DIM - 1] = bad[i];
        assert_refused(VT_ERR_USAGE, "vector of picture 1");
    }
}

static void test_text(void **state)
{
    bench *b = *state;
    static const char *const bad[] = {"\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80"};
    const char **fields[] = {&b->made.product.id,         &b->made.product.title,
                             &b->made.product.brand,      &b->made.product.description,
                             &b->made.product.category,   &b->made.product.link,
                             &b->made.product.currency,   &b->made.attributes[0].name,
                             &b->made.attributes[0].text, &b->made.items[1],
                             &b->made.pictures[1].source};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const char *good = *fields[i];
        *fields[i] = bad[i % 5];
        assert_refused(VT_ERR_USAGE, "not UTF-8");
        *fields[i] = good;
    }
    size_t half = VT_STORE_MAX_PRODUCT_BYTES / 2;
    char *text = vt_alloc(half + 1);
    assert_non_null(text);
    memset(text, 'x', half);
    text[half] = '\0';
    b->made.product.title = b->made.product.description = text;
    assert_refused(VT_ERR_LIMIT, "bytes");
    /* One that just fits goes in and comes out. */
    b->made.product.title = "t";
    assert_ok(vt_store_put(b->store, b->model, &b->made.product, error));
    assert_stored(b->store, b->model, &b->made.product, FIXTURE_DIM);
    assert_ok(vt_store_remove(b->store, "p1", error));
    vt_free(text);
}

static void test_attributes(void **state)
{
    bench *b = *state;
    b->made.attributes[0].name = "";
    assert_refused(VT_ERR_USAGE, "no name");
    b->made.attributes[0].name = NULL;
    assert_refused(VT_ERR_USAGE, "no name");
    b->made.attributes[0].name = "color";
    b->made.attributes[1].number = (double)INFINITY;
    assert_refused(VT_ERR_USAGE, "infinite");
    b->made.attributes[1].number = 1;
    b->made.attributes[0].kind = (vt_attribute_kind)3;
    assert_refused(VT_ERR_USAGE, "kind");
    b->made.attributes[0].kind = VT_ATTRIBUTE_TEXT;
    b->made.items[1] = NULL;
    assert_refused(VT_ERR_USAGE, "item 1");
    b->made.items[1] = "";
    b->made.attributes[2].item_count = VT_STORE_MAX_ITEMS + 1;
    assert_refused(VT_ERR_LIMIT, "4097 items");
    b->made.attributes[2].item_count = 2;
    b->made.product.attribute_count = VT_STORE_MAX_ATTRIBUTES + 1;
    assert_refused(VT_ERR_LIMIT, "4097 attributes");
    b->made.product.attribute_count = 3;
    b->made.product.price = -(double)INFINITY;
    assert_refused(VT_ERR_USAGE, "price");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_id, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pictures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vectors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attributes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
