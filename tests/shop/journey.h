/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A feed of drawn goods and a shop made of it, through the public API, for the tests of src/shop.
 */
#ifndef VT_TESTS_SHOP_JOURNEY_H
#define VT_TESTS_SHOP_JOURNEY_H

#include "support/scratch.h"

#include "support/goods.h"
#include "vitrine.h"

enum { PRODUCTS = 12 };

typedef struct journey {
    scratch *scratch;
    char shop[SCRATCH_PATH_BYTES], feed[SCRATCH_PATH_BYTES];
} journey;

/* Valid until the next call. */
static inline const char *at(journey *j, const char *name)
{
    return scratch_path(j->scratch, name);
}

static inline void write_text(journey *j, const char *name, const char *text)
{
    scratch_write(j->scratch, name, text, strlen(text));
}

static inline int journey_setup(void **state)
{
    journey *j = test_calloc(1, sizeof(*j));
    if (scratch_setup((void **)&j->scratch) != 0)
        return -1;
    snprintf(j->shop, sizeof(j->shop), "%s", at(j, "shop"));
    snprintf(j->feed, sizeof(j->feed), "%s", at(j, "products.csv"));
    char text[4096] = "id,title,category,price,color,image_link\n";
    for (int i = 0; i < PRODUCTS; i++) {
        char name[32], line[128];
        snprintf(name, sizeof(name), "p%d.jpg", i);
        if (!goods_write(at(j, name), i, 0))
            return -1;
        snprintf(line, sizeof(line), "P-%d,Thing %d,%s,%d.50 EUR,red,p%d.jpg\n", i, i,
                 i % 2 ? "odd" : "even", i, i);
        strncat(text, line, sizeof(text) - strlen(text) - 1);
    }
    write_text(j, "products.csv", text);
    *state = j;
    return 0;
}

static inline int journey_teardown(void **state)
{
    journey *j = *state;
    void *inner = j->scratch;
    scratch_teardown(&inner);
    test_free(j);
    return 0;
}

static inline void expect_ok(vt_status status, const vt_error *error)
{
    if (status != VT_OK)
        fail_msg("status %d: %s", (int)status, error->message);
}

/* That it failed so, saying `text`. */
static inline void expect_failure(vt_status got, vt_status want, const vt_error *error,
                                  const char *text)
{
    if (got != want || error->status != want || strstr(error->message, text) == NULL)
        fail_msg("status %d, \"%s\"; wanted %d and \"%s\"", (int)got, error->message, (int)want,
                 text);
}

static inline void import_feed(journey *j, vt_import_report *report)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_import_options options = vt_import_options_defaults();
    expect_ok(vt_shop_open(j->shop, VT_OPEN_WRITE, &shop, &error), &error);
    expect_ok(vt_shop_import(shop, j->feed, &options, report, &error), &error);
    vt_shop_close(shop);
}

/* A shop of the feed with an encoder as these options say. */
static inline void make_shop_with(journey *j, const vt_init_options *options)
{
    vt_error error = {0};
    vt_import_report report = {0};
    expect_ok(vt_shop_init(j->shop, options, &error), &error);
    import_feed(j, &report);
    assert_int_equal(report.imported, PRODUCTS);
}

static inline void make_shop(journey *j)
{
    vt_init_options options = vt_init_options_defaults();
    options.model = "classic"; /* opens at once */
    make_shop_with(j, &options);
}

static inline vt_shop *open_shop(journey *j)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    expect_ok(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error), &error);
    return shop;
}

/* The answer for this photo; vt_answer_free. */
static inline vt_answer *ask(vt_shop *shop, const char *photo_path, size_t top)
{
    vt_error error = {0};
    vt_answer *answer = NULL;
    vt_photo photo = {.path = photo_path};
    vt_query query = vt_query_defaults();
    query.photos = &photo;
    query.photo_count = 1;
    query.top = top;
    expect_ok(vt_shop_search(shop, &query, &answer, &error), &error);
    return answer;
}

#define IN_JOURNEY(test) cmocka_unit_test_setup_teardown(test, journey_setup, journey_teardown)

#endif
