/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is derived from the vectors of a model that is replaced: its graph in memory and in the file
 * goes, that of the next one is built and believed, and one of a model that comes back is not taken
 * for what it has become.
 */
#include "fixture.h"

#include "base/file.h"

/* Few products of many pictures: so many vectors need few transactions. Those that are asked for
 * have directions of their own, the others share a few, so that building takes no time. */
enum {
    DIM = 1024,
    PRODUCTS = 2,
    PICTURES = 2300,
    ROWS = PRODUCTS * PICTURES,
    ASKED = ROWS / 7,
    SHARED = 3
};

typedef struct world {
    fixture f;
    vt_store *store;
    uint32_t first, second; /* models */
    float *vectors;         /* (ROWS, DIM) of the newest filling */
    uint32_t keys[ROWS];
    size_t count;
} world;

static uint64_t direction(size_t row)
{
    return row % ASKED == 0 ? row : 1 + row % SHARED;
}

static void products_put(world *w)
{
    vt_picture *pictures = vt_calloc(PICTURES, sizeof *pictures);
    assert_non_null(pictures);
    for (uint64_t p = 0; p < PRODUCTS; p++) {
        char id[8];
        snprintf(id, sizeof id, "p%d", (int)p);
        for (size_t i = 0; i < PICTURES; i++) {
            float *vector = w->vectors + i * DIM;
            unit_vector(p << 32 | direction(i), vector, DIM);
            pictures[i] = (vt_picture){
                .hash = fixture_hash(p << 32 | i), .width = 1, .height = 1, .vector = vector};
        }
        vt_product product = {
            .id = id, .price = (double)NAN, .pictures = pictures, .picture_count = PICTURES};
        assert_ok(vt_store_put(w->store, w->first, &product, error));
    }
    vt_free(pictures);
}

static int world_make(void **state)
{
    world *w = vt_calloc(1, sizeof *w);
    if (w == NULL)
        return -1;
    *state = w;
    fixture_init(&w->f);
    vt_hash fingerprint = fixture_hash(77);
    w->vectors = vt_alloc_array(ROWS, DIM * sizeof(float));
    assert_non_null(w->vectors);
    assert_ok(vt_store_open(w->f.shop, VT_STORE_CREATE, &w->store, error));
    assert_ok(vt_store_model_put(w->store, &fingerprint, "first", DIM, &w->first, error));
    products_put(w);
    assert_ok(vt_store_index_build(w->store, w->first, NULL, error));
    return 0;
}

static int world_end(void **state)
{
    world *w = *state;
    vt_store_close(w->store);
    vt_free(w->vectors);
    fixture_deinit(&w->f);
    vt_free(w);
    return 0;
}

static vt_status note_picture(void *context, const char *product_id, uint32_t product,
                              const vt_picture *picture, vt_error *error)
{
    world *w = context;
    (void)product_id;
    (void)product;
    (void)error;
    assert_true(w->count < ROWS);
    w->keys[w->count++] = picture->key;
    return VT_OK;
}

/* All pictures get other vectors of a model, which serves from then on. */
static uint32_t go_over(world *w, uint64_t fingerprint, const char *name, uint64_t seed)
{
    uint32_t model = 0, serving = 0;
    const vt_store_model wanted = {.fingerprint = fixture_hash(fingerprint),
                                   .name = name,
                                   .source = "models/x.onnx",
                                   .dim = DIM};
    vt_picture_vector *rows = vt_calloc(ROWS, sizeof *rows);
    assert_non_null(rows);
    assert_ok(vt_store_model_prepare(w->store, &wanted, &model, error));
    const vt_store_missing which = {model, 0, ROWS};
    w->count = 0;
    assert_ok(vt_store_each_missing(w->store, &which, note_picture, w, error));
    assert_int_equal(w->count, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        unit_vector(seed << 40 | direction(i), w->vectors + i * DIM, DIM);
        rows[i] = (vt_picture_vector){w->keys[i], w->vectors + i * DIM};
    }
    assert_ok(vt_store_put_vectors(w->store, model, rows, ROWS, error));
    assert_ok(vt_store_serving(w->store, &serving, error));
    const vt_store_model from = {.key = serving != 0 ? serving : w->first, .source = "classic"};
    assert_ok(vt_store_model_switch(w->store, &from, model, error));
    vt_free(rows);
    return model;
}

static vt_status nearest(vt_store *store, uint32_t model, const float *query, vt_hit *hit,
                         vt_error *error)
{
    const vt_nearest_options options = {.k = 1, .min_similarity = -INFINITY};
    size_t count = 0;
    vt_status status = vt_store_nearest(store, model, query, 1, &options, hit, &count, NULL, error);
    if (status == VT_OK)
        assert_int_equal(count, 1);
    return status;
}

/* Vectors of the newest filling find themselves. */
static void assert_finds(const world *w, vt_store *store, uint32_t model)
{
    for (size_t i = 0; i < ROWS; i += ASKED) {
        vt_hit hit;
        assert_ok(nearest(store, model, w->vectors + i * DIM, &hit, error));
        assert_int_equal(hit.id, w->keys[i]);
        assert_true(hit.similarity > 0.98f);
    }
}

static bool has_file(const world *w, uint32_t model)
{
    char path[160];
    snprintf(path, sizeof path, "%s/index/graph-%u.vtg", w->f.shop, model);
    return vt_file_exists(path);
}

static void assert_graph(vt_store *store, uint32_t model, const char *fault)
{
    vt_store_index_info info;
    assert_ok(vt_store_index_info_of(store, model, &info, error));
    assert_int_equal(info.rows, ROWS);
    assert_int_equal(info.kind, fault[0] == '\0' ? VT_INDEX_GRAPH : VT_INDEX_EXACT);
    if (strstr(info.snapshot_fault, fault) == NULL || (!fault[0] && info.snapshot_fault[0]))
        fail_msg("the fault is \"%s\", not \"%s\"", info.snapshot_fault, fault);
}

static void test_replaced(void **state)
{
    world *w = *state;
    vt_store *reader = NULL;
    vt_hit hit;
    assert_true(has_file(w, w->first));
    assert_ok(vt_store_open(w->f.shop, VT_STORE_READ, &reader, error));
    assert_graph(reader, w->first, "");
    w->second = go_over(w, 78, "second", 1);
    assert_fails(VT_ERR_MISMATCH, nearest(w->store, w->first, w->vectors, &hit, error));
    assert_fails(VT_ERR_MISMATCH, nearest(reader, w->first, w->vectors, &hit, error));
    assert_fails(VT_ERR_MISMATCH, vt_store_index_build(w->store, w->first, NULL, error));
    /* Who reads lets go of memory, who writes of the file as well. */
    vt_store_release(reader, w->first);
    assert_true(has_file(w, w->first));
    vt_store_release(w->store, w->first);
    assert_false(has_file(w, w->first));
    assert_finds(w, w->store, w->second);
    assert_finds(w, reader, w->second);
    assert_ok(vt_store_index_refresh(w->store, w->second, NULL, error));
    assert_true(has_file(w, w->second));
    /* Of a model that serves it stays. */
    vt_store_release(w->store, w->second);
    assert_true(has_file(w, w->second));
    vt_store_close(reader);
    /* Its file contains the switch, whose number no product has. */
    assert_ok(vt_store_open(w->f.shop, VT_STORE_READ, &reader, error));
    assert_graph(reader, w->second, "");
    assert_finds(w, reader, w->second);
    assert_ok(vt_store_index_check(reader, w->second, NULL, error));
    vt_store_close(reader);
}

/* As if a builder had written the file after it was taken away. */
static void keep_file(const world *w, vt_buf *bytes, bool back)
{
    char path[160];
    snprintf(path, sizeof path, "%s/index/graph-%u.vtg", w->f.shop, w->first);
    if (back)
        assert_ok(vt_file_replace(path, bytes->data, bytes->length, false, error));
    else
        assert_ok(vt_file_read(path, SIZE_MAX, bytes, error));
}

static void test_back_again(void **state)
{
    world *w = *state;
    vt_store *reader = NULL, *fresh = NULL;
    uint32_t after = 0;
    vt_buf bytes;
    vt_buf_init(&bytes, SIZE_MAX);
    keep_file(w, &bytes, false);
    assert_ok(vt_store_open(w->f.shop, VT_STORE_READ, &reader, error));
    assert_graph(reader, w->first, ""); /* in memory from here on, and asked nothing meanwhile */
    w->second = go_over(w, 78, "second", 1);
    while (after != UINT32_MAX)
        assert_ok(vt_store_model_empty(w->store, w->first, 1000, &after, error));
    assert_false(has_file(w, w->first));
    assert_int_equal(go_over(w, 77, "first", 2), w->first);
    assert_finds(w, reader, w->first);
    assert_ok(vt_store_index_check(reader, w->first, NULL, error));
    keep_file(w, &bytes, true);
    assert_ok(vt_store_open(w->f.shop, VT_STORE_READ, &fresh, error));
    assert_graph(fresh, w->first, "has been away");
    assert_finds(w, fresh, w->first);
    vt_store_close(fresh);
    vt_store_close(reader);
    vt_buf_deinit(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_replaced, world_make, world_end),
        cmocka_unit_test_setup_teardown(test_back_again, world_make, world_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
