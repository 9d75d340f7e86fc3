/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small stock of goods in a store, with the encoder `classic`, for the tests of src/search.
 */
#ifndef VT_TESTS_SEARCH_STOCK_H
#define VT_TESTS_SEARCH_STOCK_H

#include "support/scratch.h"

#include "support/goods.h"

#include "search/search.h"

#include <math.h>

enum { STOCK_PRODUCTS = 9 };

typedef struct stock {
    scratch *scratch;
    vt_encoder *encoder;
    vt_searcher searcher;
    size_t dim;
} stock;

static inline const char *stock_path(stock *s, const char *name)
{
    return scratch_path(s->scratch, name);
}

/* The vector that the encoder gives good `index` seen from `view`: (dim), vt_free. */
static inline float *stock_vector(const stock *s, int index, int view)
{
    vt_image image = {0};
    float *vector = vt_calloc(s->dim, sizeof(float));
    assert_non_null(vector);
    assert_int_equal(goods_draw(index, view, &image, NULL), VT_OK);
    assert_int_equal(vt_batcher_embed(s->searcher.batcher, &image, 1, vector, NULL), VT_OK);
    vt_image_deinit(&image);
    return vector;
}

/* Product "P-<index>" with two pictures: good `index` as it is and moved by 8 pixels. */
static inline void stock_put(stock *s, int index)
{
    char id[16], title[32];
    float *first = stock_vector(s, index, 0), *second = stock_vector(s, index, 8);
    vt_picture pictures[2] = {{.source = "front.jpg", .width = GOODS_SIDE, .height = GOODS_SIDE},
                              {.source = "side.jpg", .width = GOODS_SIDE, .height = GOODS_SIDE}};
    vt_product product = {.id = id,
                          .title = title,
                          .category = index % 2 ? "odd" : "even",
                          .price = index,
                          .pictures = pictures,
                          .picture_count = 2};
    snprintf(id, sizeof(id), "P-%d", index);
    snprintf(title, sizeof(title), "Good %d", index);
    pictures[0].vector = first;
    pictures[1].vector = second;
    pictures[0].hash.bytes[0] = (uint8_t)(2 * index + 1);
    pictures[1].hash.bytes[0] = (uint8_t)(2 * index + 2);
    assert_int_equal(vt_store_put(s->searcher.store, s->searcher.model, &product, NULL), VT_OK);
    vt_free(first);
    vt_free(second);
}

static inline int stock_setup(void **state)
{
    stock *s = test_calloc(1, sizeof(*s));
    vt_encoder_options options = vt_encoder_options_defaults();
    vt_batcher_options batching = vt_batcher_options_defaults();
    if (scratch_setup((void **)&s->scratch) != 0 ||
        vt_encoder_open("classic", &options, &s->encoder, NULL) != VT_OK ||
        vt_batcher_new(s->encoder, &batching, &s->searcher.batcher, NULL) != VT_OK ||
        vt_store_open(stock_path(s, "shop"), VT_STORE_CREATE, &s->searcher.store, NULL) != VT_OK)
        return -1;
    vt_encoder_info info = vt_encoder_info_of(s->encoder);
    s->searcher.encoder = s->encoder;
    s->dim = s->searcher.dim = info.dim;
    if (vt_store_model_put(s->searcher.store, &info.fingerprint, info.name, info.dim,
                           &s->searcher.model, NULL) != VT_OK)
        return -1;
    *state = s;
    return 0;
}

static inline int stock_setup_full(void **state)
{
    if (stock_setup(state) != 0)
        return -1;
    for (int i = 0; i < STOCK_PRODUCTS; i++)
        stock_put(*state, i);
    return 0;
}

static inline int stock_teardown(void **state)
{
    stock *s = *state;
    vt_batcher_free(s->searcher.batcher);
    vt_encoder_free(s->encoder);
    vt_store_close(s->searcher.store);
    void *inner = s->scratch;
    scratch_teardown(&inner);
    test_free(s);
    return 0;
}

#endif
