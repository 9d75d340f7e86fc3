/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exact index, keeping rows: a plain array of what should be in it is changed alongside and
 * compared.
 */
#include "index/flat.h"

#include "base/mem.h"
#include "base/random.h"
#include "vector/distance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void vector_make(uint32_t seed, size_t dim, float *out)
{
    vt_random random;
    vt_random_init(&random, seed);
    for (size_t i = 0; i < dim; i++)
        out[i] = vt_random_float(&random, -1, 1);
}

/* What the codec keeps of it. */
static void vector_stored(vt_codec codec, size_t dim, float *vector)
{
    uint16_t half[4096];
    if (codec == VT_CODEC_F16) {
        vt_distance_at(VT_CPU_SCALAR)->f32_to_f16(vector, half, dim);
        vt_distance_at(VT_CPU_SCALAR)->f16_to_f32(half, vector, dim);
    }
}

static void assert_vector(const vt_flat *flat, vt_codec codec, uint32_t id, uint32_t seed)
{
    float want[4096], got[4096];
    size_t dim = vt_flat_dim(flat);
    vector_make(seed, dim, want);
    vector_stored(codec, dim, want);
    assert_true(vt_flat_get(flat, id, got));
    assert_memory_equal(got, want, dim * sizeof *got);
}

/* Adds and removes at random; ids collide and come back with other vectors. Wide vectors make small
 * segments, so that rows move between them. */
static void keep_and_compare(size_t dim, vt_codec codec, vt_metric metric, uint32_t ids, int steps)
{
    vt_flat *flat;
    uint32_t *seeds = vt_calloc(ids, sizeof *seeds); /* 0: not in the index */
    size_t count = 0;
    float vector[4096];
    vt_random random;
    vt_random_init(&random, dim);
    assert_int_equal(vt_flat_new(dim, codec, metric, &flat, NULL), VT_OK);
    for (int step = 1; step <= steps; step++) {
        uint32_t id = (uint32_t)vt_random_below(&random, ids);
        uint32_t shown = id * 0x01000193u; /* scattered, with UINT32_MAX's neighbourhood */
        bool emptying = step / (steps / 4) % 2;
        if (vt_random_below(&random, 4) < (emptying ? 1u : 3u)) {
            vector_make((uint32_t)step, dim, vector);
            vt_status status = vt_flat_add(flat, shown, id, vector, NULL);
            assert_int_equal(status, seeds[id] ? VT_ERR_EXISTS : VT_OK);
            if (!seeds[id])
                count++;
            seeds[id] = seeds[id] ? seeds[id] : (uint32_t)step;
        } else {
            assert_int_equal(vt_flat_remove(flat, shown), seeds[id] != 0);
            count -= seeds[id] != 0;
            seeds[id] = 0;
            assert_false(vt_flat_get(flat, shown, vector));
        }
        assert_int_equal(vt_flat_count(flat), count);
        if (step % (steps / 8) == 0)
            for (uint32_t i = 0; i < ids; i++) {
                if (seeds[i])
                    assert_vector(flat, codec, i * 0x01000193u, seeds[i]);
                else
                    assert_false(vt_flat_get(flat, i * 0x01000193u, vector));
            }
    }
    vt_flat_free(flat);
    vt_free(seeds);
}

static void test_rows_are_kept(void **state)
{
    (void)state;
    keep_and_compare(3, VT_CODEC_F32, VT_METRIC_COSINE, 500, 8000);
    keep_and_compare(17, VT_CODEC_F16, VT_METRIC_DOT, 300, 4000);
    keep_and_compare(1, VT_CODEC_F16, VT_METRIC_L2, 40, 4000);
}

/* 4096 x f32: 1024 rows a segment. Across segments, up and down again. */
static void test_rows_move_between_segments(void **state)
{
    (void)state;
    enum { DIM = 4096, ROWS = 3000 };
    vt_flat *flat;
    float vector[DIM] = {0};
    assert_int_equal(vt_flat_new(DIM, VT_CODEC_F32, VT_METRIC_COSINE, &flat, NULL), VT_OK);
    for (uint32_t i = 0; i < ROWS; i++) {
        vector[0] = (float)(i + 1);
        vector[DIM - 1] = -(float)i;
        assert_int_equal(vt_flat_add(flat, i, i, vector, NULL), VT_OK);
    }
    size_t full = vt_flat_bytes(flat);
    assert_true(full >= (size_t)ROWS * DIM * sizeof(float));
    for (uint32_t i = 0; i < ROWS - 100; i++)
        assert_true(vt_flat_remove(flat, i * 7 % ROWS));
    assert_true(vt_flat_bytes(flat) < full * 3 / 4);
    for (uint32_t i = 0; i < ROWS; i++) {
        bool kept = i >= ROWS - 100;
        uint32_t id = i * 7 % ROWS;
        assert_int_equal(vt_flat_get(flat, id, vector), kept);
        if (kept)
            assert_true(vector[0] == (float)(id + 1) && vector[DIM - 1] == -(float)id);
    }
    vt_flat_free(flat);
}

static void test_reserve(void **state)
{
    (void)state;
    vt_flat *flat;
    float vector[8] = {1};
    assert_int_equal(vt_flat_new(8, VT_CODEC_F16, VT_METRIC_DOT, &flat, NULL), VT_OK);
    assert_int_equal(vt_flat_reserve(flat, 0, NULL), VT_OK);
    assert_int_equal(vt_flat_reserve(flat, 200000, NULL), VT_OK);
    size_t bytes = vt_flat_bytes(flat);
    assert_true(bytes >= 200000 * 8 * sizeof(uint16_t));
    int64_t before = vt_mem_fail_after(0); /* from now on memory would fail */
    (void)before;
    for (uint32_t i = 0; i < 200000; i++)
        assert_int_equal(vt_flat_add(flat, i, i, vector, NULL), VT_OK);
    vt_mem_fail_after(-1);
    assert_int_equal(vt_flat_bytes(flat), bytes);
    for (uint32_t i = 0; i < 200000; i++)
        assert_true(vt_flat_remove(flat, i));
    assert_int_equal(vt_flat_bytes(flat), bytes); /* what was reserved stays */
    assert_int_equal(vt_flat_reserve(flat, SIZE_MAX, NULL), VT_ERR_LIMIT);
    vt_flat_free(flat);
}

static void test_add_f16_is_the_same(void **state)
{
    (void)state;
    enum { DIM = 100 };
    for (int codec = VT_CODEC_F32; codec <= VT_CODEC_F16; codec++) {
        vt_flat *flat;
        float vector[DIM], got[DIM];
        uint16_t half[DIM];
        vector_make(3, DIM, vector);
        vt_distance()->f32_to_f16(vector, half, DIM);
        vt_distance()->f16_to_f32(half, vector, DIM);
        assert_int_equal(vt_flat_new(DIM, (vt_codec)codec, VT_METRIC_COSINE, &flat, NULL), VT_OK);
        assert_int_equal(vt_flat_add_f16(flat, 1, 1, half, NULL), VT_OK);
        assert_int_equal(vt_flat_add(flat, 2, 2, vector, NULL), VT_OK);
        assert_int_equal(vt_flat_add_f16(flat, 1, 1, half, NULL), VT_ERR_EXISTS);
        for (uint32_t id = 1; id <= 2; id++) {
            assert_true(vt_flat_get(flat, id, got));
            assert_memory_equal(got, vector, sizeof got);
        }
        vt_scan_options options = vt_scan_options_defaults();
        vt_hit hits[10];
        size_t found;
        assert_int_equal(vt_flat_search(flat, vector, 1, &options, hits, &found, NULL, NULL),
                         VT_OK);
        assert_true(found == 2 && hits[0].id == 1 && hits[0].similarity == hits[1].similarity);
        vt_flat_free(flat);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    vt_flat *flat = NULL;
    vt_error error;
    assert_int_equal(vt_flat_new(0, VT_CODEC_F32, VT_METRIC_DOT, &flat, &error), VT_ERR_USAGE);
    assert_int_equal(vt_flat_new(VT_FLAT_MAX_DIM + 1, VT_CODEC_F32, VT_METRIC_DOT, &flat, &error),
                     VT_ERR_USAGE);
    assert_int_equal(vt_flat_new(4, (vt_codec)7, VT_METRIC_DOT, &flat, &error), VT_ERR_USAGE);
    assert_int_equal(vt_flat_new(4, VT_CODEC_F32, (vt_metric)7, &flat, &error), VT_ERR_USAGE);
    assert_null(flat);
    vt_flat_free(NULL);
    for (int codec = VT_CODEC_F32; codec <= VT_CODEC_F16; codec++) {
        assert_int_equal(vt_flat_new(2, (vt_codec)codec, VT_METRIC_L2, &flat, NULL), VT_OK);
        const float bad[][2] = {{0, NAN}, {INFINITY, 0}, {-INFINITY, 1}, {3e38f, 0}};
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(vt_flat_add(flat, 1, 1, bad[i], &error), VT_ERR_USAGE);
        const float large[2] = {0, -65520.0f}, largest[2] = {0, 65519.0f};
        assert_int_equal(vt_flat_add(flat, 1, 1, large, &error),
                         codec == VT_CODEC_F16 ? VT_ERR_USAGE : VT_OK);
        assert_int_equal(vt_flat_add(flat, 2, 1, largest, &error), VT_OK);
        const uint16_t bad_half[][2] = {{0x7c00, 0}, {0, 0xfc00}, {0x7e00, 0}};
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(vt_flat_add_f16(flat, 3, 1, bad_half[i], &error), VT_ERR_USAGE);
        assert_int_equal(vt_flat_count(flat), codec == VT_CODEC_F16 ? 1 : 2);
        assert_false(vt_flat_remove(flat, 3));
        vt_flat_free(flat);
        flat = NULL;
    }
}

static void test_memory(void **state)
{
    (void)state;
    enum { ROWS = 700 };
    for (int64_t successes = 0;; successes++) {
        assert_true(successes < 100);
        vt_flat *flat = NULL;
        uint32_t added = 0;
        float vector[3] = {0};
        vt_mem_fail_after(successes);
        vt_status status = vt_flat_new(3, VT_CODEC_F32, VT_METRIC_COSINE, &flat, NULL);
        while (status == VT_OK && added < ROWS) {
            vector[0] = (float)added;
            status = vt_flat_add(flat, added, added, vector, NULL);
            added += status == VT_OK;
        }
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
        assert_int_equal(flat ? vt_flat_count(flat) : 0, added);
        for (uint32_t i = 0; i < added; i++)
            assert_true(vt_flat_get(flat, i, vector) && vector[0] == (float)i);
        if (flat && status != VT_OK) /* and it goes on where it stopped */
            assert_int_equal(vt_flat_add(flat, added, added, vector, NULL), VT_OK);
        vt_flat_free(flat);
        if (status == VT_OK)
            return;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_kept), cmocka_unit_test(test_rows_move_between_segments),
        cmocka_unit_test(test_reserve),       cmocka_unit_test(test_add_f16_is_the_same),
        cmocka_unit_test(test_refusals),      cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
