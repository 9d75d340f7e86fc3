/* SPDX-License-Identifier: Apache-2.0 */
/* Thumbnails: files by hash. */
#include "fixture.h"

#include "base/file.h"

static void test_thumbs(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    vt_buf got;
    vt_buf_init(&got, 1 << 20);
    vt_hash a = fixture_hash(1), b = fixture_hash(2);
    assert_false(vt_store_has_thumb(store, &a));
    assert_fails(VT_ERR_NOT_FOUND, vt_store_get_thumb(store, &a, &got, error));
    assert_ok(vt_store_put_thumb(store, &a, "first\0jpeg", 10, error));
    assert_true(vt_store_has_thumb(store, &a));
    assert_false(vt_store_has_thumb(store, &b));
    vt_buf_append_text(&got, "before ");
    assert_ok(vt_store_get_thumb(store, &a, &got, error));
    assert_int_equal(got.length, 17);
    assert_memory_equal(got.data, "before first\0jpeg", 17);

    /* Another size of the same picture replaces it. */
    assert_ok(vt_store_put_thumb(store, &a, "second", 6, error));
    vt_buf_clear(&got);
    assert_ok(vt_store_get_thumb(store, &a, &got, error));
    assert_string_equal(vt_buf_text(&got), "second");
    assert_fails(VT_ERR_USAGE, vt_store_put_thumb(store, &b, "", 0, error));
    assert_fails(VT_ERR_LIMIT,
                 vt_store_put_thumb(store, &b, "x", VT_STORE_MAX_THUMB_BYTES + 1, error));

    /* The place that the format's description promises; empty after a power cut is absent. */
    char hex[VT_HASH_HEX], path[256];
    vt_hash_hex(&a, hex);
    snprintf(path, sizeof path, "%s/thumbs/%.2s/%s.jpg", f.shop, hex, hex + 2);
    assert_true(vt_file_exists(path));
    assert_int_equal(truncate(path, 0), 0);
    assert_false(vt_store_has_thumb(store, &a));
    assert_fails(VT_ERR_NOT_FOUND, vt_store_get_thumb(store, &a, &got, error));
    vt_buf_deinit(&got);
    vt_store_close(store);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_thumbs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
