/* SPDX-License-Identifier: Apache-2.0 */
/* What a service asks of photos and of the shop besides searching. What is fetched and what is not
 * is tests/net's and tests/server's. */
#include "shop/journey.h"

static void photos_tell_their_size(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    int width = 0, height = 0;
    vt_photo photo = {.path = at(j, "p1.jpg")};
    expect_ok(vt_photo_size(&photo, 0, &width, &height, &error), &error);
    assert_int_equal(width, 96);
    assert_int_equal(height, 96);
    expect_failure(vt_photo_size(&photo, 96 * 96 - 1, &width, &height, &error), VT_ERR_LIMIT,
                   &error, "96x96 pixels");
    photo = (vt_photo){.bytes = "no picture at all", .length = 17};
    expect_failure(vt_photo_size(&photo, 0, &width, &height, &error), VT_ERR_UNSUPPORTED, &error,
                   "format");
}

static void fetching_keeps_to_the_web(void **state)
{
    (void)state;
    vt_error error = {0};
    vt_photo_fetch_options options = vt_photo_fetch_options_defaults();
    void *bytes = NULL;
    size_t length = 0;
    assert_int_equal(options.maximum_redirects, 3);
    assert_false(options.any_port || options.allow_private_hosts);
    static const char *const urls[] = {"http://127.0.0.1/", "http://[::1]:80/",
                                       "file:///etc/passwd", "https://user@127.0.0.1/"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        assert_int_equal(vt_photo_fetch(urls[i], &options, &bytes, &length, &error), VT_ERR_DENIED);
    assert_int_equal(vt_photo_fetch("http://127.0.0.1/", NULL, &bytes, &length, &error),
                     VT_ERR_DENIED);
    options.allow_private_hosts = true; /* the port is still none of the web's */
    expect_failure(vt_photo_fetch("http://127.0.0.1:81/", &options, &bytes, &length, &error),
                   VT_ERR_DENIED, &error, "port 81");
    options.maximum_bytes = 0;
    expect_failure(vt_photo_fetch("http://127.0.0.1:81/", &options, &bytes, &length, &error),
                   VT_ERR_USAGE, &error, "limit");
    assert_null(bytes);
}

static void changes_are_counted_whoever_makes_them(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_shop *reader = NULL, *writer = NULL;
    uint64_t before = 0, after = 0;
    make_shop(j);
    expect_ok(vt_shop_open(j->shop, VT_OPEN_READ, &reader, &error), &error);
    expect_ok(vt_shop_change(reader, &before, &error), &error);
    expect_ok(vt_shop_change(reader, &after, &error), &error);
    assert_true(before >= PRODUCTS && after == before);
    expect_ok(vt_shop_open(j->shop, VT_OPEN_WRITE, &writer, &error), &error);
    expect_ok(vt_shop_remove(writer, "P-3", &error), &error);
    expect_ok(vt_shop_change(reader, &after, &error), &error);
    assert_true(after > before);
    vt_shop_close(writer);
    vt_shop_close(reader);
}

static void a_shop_takes_a_limit_of_pixels(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_answer *answer = NULL;
    vt_photo photo = {.path = at(j, "p1.jpg")};
    vt_query query = vt_query_defaults();
    make_shop(j);
    expect_ok(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error), &error);
    query.photos = &photo;
    query.photo_count = 1;
    photo.path = at(j, "p1.jpg");
    vt_shop_limit_pixels(shop, 96 * 96 - 1);
    expect_failure(vt_shop_search(shop, &query, &answer, &error), VT_ERR_LIMIT, &error, "9215");
    vt_shop_limit_pixels(shop, 0);
    expect_ok(vt_shop_search(shop, &query, &answer, &error), &error);
    vt_answer_free(answer);
    vt_shop_close(shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_JOURNEY(photos_tell_their_size),
        IN_JOURNEY(fetching_keeps_to_the_web),
        IN_JOURNEY(changes_are_counted_whoever_makes_them),
        IN_JOURNEY(a_shop_takes_a_limit_of_pixels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
