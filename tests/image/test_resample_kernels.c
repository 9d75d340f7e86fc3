/* SPDX-License-Identifier: Apache-2.0 */
/* Every processor level gives the bits of the scalar one, for every width and number of taps. */
#include "base/cpu.h"
#include "image/reference.h"
#include "image/resample.h"

enum { LONGEST = 70 };

/* In heap blocks of exact size, so that the sanitiser sees a step outside. */
static void compare_vertical(const vt_resample_kernels *level, const vt_image *noise)
{
    float weights[12];
    for (int t = 0; t < 12; t++)
        weights[t] = (float)(t - 4) * 0.13f;
    for (size_t count = 1; count <= LONGEST; count++) {
        for (int taps = 1; taps <= 12; taps++) {
            size_t stride = count + 3, bytes = stride * (size_t)(taps - 1) + count;
            uint8_t *source = vt_alloc(bytes);
            float *a = vt_alloc(count * sizeof *a), *b = vt_alloc(count * sizeof *b);
            memcpy(source, noise->rgb, bytes);
            vt_resample_kernels_scalar.vertical(source, stride, weights, taps, count, a);
            level->vertical(source, stride, weights, taps, count, b);
            assert_memory_equal(a, b, count * sizeof *a);
            for (size_t i = 0; i < count; i++) {
                double sum = 0;
                for (int t = 0; t < taps; t++)
                    sum += (double)weights[t] * source[(size_t)t * stride + i];
                assert_true(fabs(sum - (double)b[i]) < 1e-3);
            }
            vt_free(source);
            vt_free(a);
            vt_free(b);
        }
    }
}

static void compare_horizontal(const vt_resample_kernels *level, const vt_image *noise)
{
    for (int source = 1; source <= LONGEST; source += 3) {
        for (int count = 1; count <= 40; count += 3) {
            vt_filter filter;
            size_t floats = (size_t)source * 3 + 1, outs = (size_t)count * 4;
            float *row = vt_alloc(floats * sizeof *row);
            float *a = vt_alloc(outs * sizeof *a), *b = vt_alloc(outs * sizeof *b);
            for (size_t i = 0; i < floats; i++)
                row[i] = (float)noise->rgb[i] * 1.37f - 40.0f;
            assert_ok(vt_filter_init(&filter, source, 0, source, count, VT_KERNEL_BICUBIC, error));
            vt_resample_kernels_scalar.horizontal(row, &filter, a);
            level->horizontal(row, &filter, b);
            assert_memory_equal(a, b, outs * sizeof *a);
            for (int x = 0; x < count; x++) {
                double sum = 0;
                for (int t = 0; t < filter.taps; t++)
                    sum += (double)filter.weights[x * filter.taps + t] *
                           (double)row[(filter.start[x] + t) * 3 + 1];
                assert_true(fabs(sum - (double)b[4 * x + 1]) < 1e-3);
            }
            vt_filter_deinit(&filter);
            vt_free(row);
            vt_free(a);
            vt_free(b);
        }
    }
}

static void compare_outputs(const vt_resample_kernels *level, const vt_image *noise)
{
    for (int count = 1; count <= LONGEST; count++) {
        size_t n = (size_t)count;
        float *row = vt_alloc(4 * n * sizeof *row);
        float *a = vt_alloc(3 * n * sizeof *a), *b = vt_alloc(3 * n * sizeof *b);
        uint8_t *c = vt_alloc(3 * n), *d = vt_alloc(3 * n);
        for (size_t i = 0; i < 4 * n; i++) /* from -64 to 319, halves included */
            row[i] = (float)noise->rgb[i] * 1.5f - 64.0f;
        vt_planar to_a = {.plane = {a, a + n, a + 2 * n},
                          .gain = {0.5f, 2.0f, -1.25f},
                          .offset = {1.0f, -3.0f, 0.1f}};
        vt_planar to_b = to_a;
        for (size_t i = 0; i < 3; i++)
            to_b.plane[i] = b + i * n;
        vt_resample_kernels_scalar.planar(row, count, &to_a);
        level->planar(row, count, &to_b);
        assert_memory_equal(a, b, 3 * n * sizeof *a);
        vt_resample_kernels_scalar.pack(row, count, c);
        level->pack(row, count, d);
        assert_memory_equal(c, d, 3 * n);
        for (size_t i = 0; i < n; i++) {
            double value = fmin(255, fmax(0, (double)row[4 * i + 2]));
            assert_true(fabs(value * -1.25 + 0.1 - (double)b[2 * n + i]) < 1e-3);
            assert_int_equal(d[3 * i + 2], (int)(value + 0.5));
        }
        vt_free(row);
        vt_free(a);
        vt_free(b);
        vt_free(c);
        vt_free(d);
    }
}

static void compare_level(const vt_resample_kernels *level)
{
    vt_image noise = picture_noise(80, 80, 11);
    compare_vertical(level, &noise);
    compare_horizontal(level, &noise);
    compare_outputs(level, &noise);
    vt_image_deinit(&noise);
}

static void scalar_is_right(void **state)
{
    (void)state;
    compare_level(&vt_resample_kernels_scalar);
}

static void avx2_is_scalar(void **state)
{
    (void)state;
#ifdef VT_IMAGE_LEVELS
    if (vt_cpu_supports(VT_CPU_AVX2)) {
        compare_level(&vt_resample_kernels_avx2);
        return;
    }
#endif
    skip();
}

static void avx512_is_scalar(void **state)
{
    (void)state;
#ifdef VT_IMAGE_LEVELS
    if (vt_cpu_supports(VT_CPU_AVX512)) {
        compare_level(&vt_resample_kernels_avx512);
        return;
    }
#endif
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalar_is_right),
        cmocka_unit_test(avx2_is_scalar),
        cmocka_unit_test(avx512_is_scalar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
