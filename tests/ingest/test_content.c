/* SPDX-License-Identifier: Apache-2.0 */
/* The content hash: everything an import stores changes it, nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/job.h"

#include <math.h>
#include <string.h>

enum { VARIANTS = 19 };

static const char *const items_ab[] = {"a", "b"};
static const char *const items_joined[] = {"ab"};

/* Variant 0 is the plain row, each other one differs in one thing. */
static vt_hash content_of_variant(int variant)
{
    const char *images[] = {"x.jpg", "y.jpg"};
    vt_hash first = vt_hash_of("first", 5), second = vt_hash_of("second", 6);
    const vt_hash *hashes[] = {&first, &second};
    vt_attribute attributes[] = {
        {.name = "sizes", .kind = VT_ATTRIBUTE_LIST, .items = items_ab, .item_count = 2},
        {.name = "width", .kind = VT_ATTRIBUTE_NUMBER, .number = 7},
        {.name = "colour", .kind = VT_ATTRIBUTE_TEXT, .text = "red"},
    };
    vt_feed_row row = {.images = images,
                       .image_count = 2,
                       .product = {.id = "1",
                                   .title = "ab",
                                   .description = "c",
                                   .price = NAN,
                                   .attributes = attributes,
                                   .attribute_count = 3}};
    vt_product *product = &row.product;
    switch (variant) {
    case 1:
        product->id = "2";
        break;
    case 2:
        product->title = "a", product->description = "bc";
        break;
    case 3:
        product->title = NULL;
        break;
    case 4:
        product->description = NULL, product->category = "c";
        break;
    case 5:
        product->brand = "";
        break;
    case 6:
        product->link = "l";
        break;
    case 7:
        product->price = 0;
        break;
    case 8:
        product->currency = "EUR";
        break;
    case 9:
        product->attribute_count = 2;
        break;
    case 10:
        attributes[0].items = items_joined, attributes[0].item_count = 1;
        break;
    case 11:
        attributes[1].number = 8;
        break;
    case 12:
        attributes[1].kind = VT_ATTRIBUTE_TEXT, attributes[1].text = "7";
        break;
    case 13:
        attributes[2].name = "color";
        break;
    case 14:
        row.image_count = 1;
        break;
    case 15:
        images[0] = "z.jpg";
        break;
    case 16:
        hashes[0] = NULL;
        break;
    case 17:
        hashes[1] = &first;
        break;
    case 18:
        hashes[0] = &second, hashes[1] = &first;
        break;
    default:
        break;
    }
    return vt_content_of(&row, hashes);
}

static void test_every_part_counts(void **state)
{
    (void)state;
    vt_hash hashes[VARIANTS];
    for (int i = 0; i < VARIANTS; i++) {
        vt_hash again = content_of_variant(i);
        hashes[i] = content_of_variant(i);
        assert_memory_equal(&again, &hashes[i], sizeof again);
        for (int j = 0; j < i; j++)
            assert_false(vt_content_equal(&hashes[i], &hashes[j]));
    }
}

static void test_equal_numbers(void **state)
{
    (void)state;
    vt_feed_row row = {.product = {.id = "1", .price = 0.0}};
    vt_hash zero = vt_content_of(&row, NULL);
    row.product.price = -0.0;
    vt_hash minus_zero = vt_content_of(&row, NULL);
    assert_true(vt_content_equal(&zero, &minus_zero));
}

static void test_mark(void **state)
{
    (void)state;
    vt_hash plain = content_of_variant(0), marked = plain;
    assert_false(vt_content_is_marked(&plain));
    vt_content_mark(&marked, true);
    assert_true(vt_content_is_marked(&marked));
    assert_true(vt_content_equal(&plain, &marked));
    assert_memory_not_equal(&plain, &marked, sizeof plain);
    vt_content_mark(&marked, false);
    assert_memory_equal(&plain, &marked, sizeof plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_part_counts),
        cmocka_unit_test(test_equal_numbers),
        cmocka_unit_test(test_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
