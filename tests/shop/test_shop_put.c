/* SPDX-License-Identifier: Apache-2.0 */
/* Products put one at a time, as an import would have stored them. */
#include "shop/journey.h"

#include <math.h>

static vt_shop *open_writing(journey *j)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    expect_ok(vt_shop_open(j->shop, VT_OPEN_WRITE, &shop, &error), &error);
    return shop;
}

static vt_product *get(vt_shop *shop, const char *id)
{
    vt_error error = {0};
    vt_product *product = NULL;
    expect_ok(vt_shop_get(shop, id, &product, &error), &error);
    return product;
}

static void a_put_product_is_found_by_its_photo(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    bool created = false;
    make_shop(j);
    vt_shop *shop = open_writing(j);
    assert_true(goods_write(at(j, "new.png"), 40, 0));
    vt_photo photo = {.path = at(j, "new.png")};
    vt_product product = {.id = "new", .title = "New", .price = NAN};
    expect_ok(vt_shop_put(shop, &product, &photo, 1, &created, &error), &error);
    assert_true(created);
    vt_answer *answer = ask(shop, at(j, "new.png"), 1);
    assert_string_equal(answer->results[0].product->id, "new");
    assert_true(answer->results[0].similarity > 0.999);
    vt_answer_free(answer);
    product.title = "Newer"; /* its pictures stay */
    expect_ok(vt_shop_put(shop, &product, NULL, 0, &created, &error), &error);
    assert_false(created);
    vt_product *stored = get(shop, "new");
    assert_string_equal(stored->title, "Newer");
    assert_int_equal(stored->picture_count, 1);
    vt_product_free(stored);
    product.id = "other";
    expect_failure(vt_shop_put(shop, &product, NULL, 0, &created, &error), VT_ERR_USAGE, &error,
                   "no picture");
    write_text(j, "bad.jpg", "no picture at all");
    photo.path = at(j, "bad.jpg");
    assert_int_not_equal(vt_shop_put(shop, &product, &photo, 1, &created, NULL), VT_OK);
    assert_int_equal(vt_shop_get(shop, "other", &stored, NULL), VT_ERR_NOT_FOUND);
    vt_shop_close(shop);
    shop = open_shop(j);
    expect_failure(vt_shop_put(shop, &product, NULL, 0, NULL, &error), VT_ERR_DENIED, &error,
                   "reading");
    vt_shop_close(shop);
}

static void added_photos_come_behind_and_once(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    make_shop(j);
    vt_shop *shop = open_writing(j);
    assert_true(goods_write(at(j, "new.png"), 40, 0));
    vt_photo photo = {.path = at(j, "new.png")};
    const vt_photo photos[2] = {photo, photo};
    for (int i = 0; i < 2; i++)
        expect_ok(vt_shop_add_photos(shop, "P-3", photos, 2, &error), &error);
    vt_product *product = get(shop, "P-3");
    assert_int_equal(product->picture_count, 2);
    assert_string_equal(product->title, "Thing 3");
    assert_true(product->price == 3.5);
    void *jpeg = NULL;
    size_t length = 0;
    expect_ok(vt_shop_picture(shop, &product->pictures[1].hash, 40, &jpeg, &length, &error),
              &error);
    vt_image image = {0};
    assert_int_equal(vt_image_decode(jpeg, length, NULL, &image, NULL), VT_OK);
    assert_int_equal(image.width, 40);
    vt_image_deinit(&image);
    vt_release(jpeg);
    assert_int_equal(vt_shop_picture(shop, &product->pictures[1].hash, -1, &jpeg, &length, NULL),
                     VT_ERR_USAGE);
    vt_product_free(product);
    vt_answer *answer = ask(shop, at(j, "new.png"), 1);
    assert_string_equal(answer->results[0].product->id, "P-3");
    vt_answer_free(answer);
    assert_int_equal(vt_shop_add_photos(shop, "none", &photo, 1, NULL), VT_ERR_NOT_FOUND);
    vt_shop_close(shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_JOURNEY(a_put_product_is_found_by_its_photo),
        IN_JOURNEY(added_photos_come_behind_and_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
