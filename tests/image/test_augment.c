/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Augmentation. With VITRINE_SHEET=FILE.png in the environment a contact sheet of all kinds is
 * written for people to look at: one row per kind, the untouched picture first.
 */
#include "image/pictures.h"

#include "base/file.h"
#include "image/augment.h"

enum { SIDE = 32, FLOATS = 3 * SIDE * SIDE };

static vt_pixel_spec plain_spec(int side)
{
    return (vt_pixel_spec){.width = side,
                           .height = side,
                           .fit = VT_FIT_COVER,
                           .kernel = VT_KERNEL_BILINEAR,
                           .crop_ratio = 1,
                           .scale = 1,
                           .std = {1, 1, 1}};
}

static void apply(const char *text, const vt_pixel_spec *spec, const vt_image *image, uint64_t seed,
                  float *out)
{
    vt_augment augment;
    vt_random random;
    float *scratch = malloc(3 * (size_t)spec->width * (size_t)spec->height * sizeof(float));
    assert_non_null(scratch);
    vt_random_init(&random, seed);
    assert_ok(vt_augment_parse(text, &augment, error));
    assert_ok(vt_augment_apply(&augment, spec, image, &random, scratch, out, error));
    free(scratch);
}

static void nothing_is_the_pixel_contract(void **state)
{
    (void)state;
    static float have[FLOATS], want[FLOATS];
    vt_pixel_spec spec = plain_spec(SIDE);
    spec.order = VT_ORDER_BGR;
    spec.scale = 1 / 255.0f;
    for (int c = 0; c < 3; c++) {
        spec.mean[c] = 0.4f + 0.05f * (float)c;
        spec.std[c] = 0.2f + 0.01f * (float)c;
    }
    vt_image image = picture_make(SIDE, SIDE, 3);
    apply("none", &spec, &image, 1, have);
    assert_ok(vt_image_to_tensor(&image, &spec, want, error));
    for (int i = 0; i < FLOATS; i++)
        assert_float_equal(have[i], want[i], 1e-4);
    vt_image_deinit(&image);
}

static void flip_and_shift_move_whole_pixels(void **state)
{
    (void)state;
    static float plain[FLOATS], out[FLOATS];
    vt_pixel_spec spec = plain_spec(SIDE);
    vt_image image = picture_make(SIDE, SIDE, 5);
    apply("none", &spec, &image, 1, plain);
    apply("flip=1", &spec, &image, 1, out);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            assert_float_equal(out[y * SIDE + x], plain[y * SIDE + SIDE - 1 - x], 1e-3);
    apply("pad=0.125", &spec, &image, 7, out);
    int found = 0;
    for (int dy = -4; dy <= 4; dy++)
        for (int dx = -4; dx <= 4; dx++) {
            bool same = true;
            for (int y = 4; y < SIDE - 4 && same; y++)
                for (int x = 4; x < SIDE - 4 && same; x++)
                    same = fabsf(out[y * SIDE + x] - plain[(y + dy) * SIDE + x + dx]) < 1e-3f;
            found += same;
        }
    assert_int_equal(found, 1);
    vt_image_deinit(&image);
}

static void same_draws_same_picture(void **state)
{
    (void)state;
    static float a[FLOATS], b[FLOATS];
    vt_pixel_spec spec = plain_spec(SIDE);
    vt_image image = picture_make(60, 44, 2);
    apply("strong", &spec, &image, 11, a);
    apply("strong", &spec, &image, 11, b);
    assert_memory_equal(a, b, sizeof(a));
    apply("strong", &spec, &image, 12, b);
    assert_memory_not_equal(a, b, sizeof(a));
    for (uint64_t seed = 0; seed < 400; seed++) {
        apply(seed % 2 == 0 ? "strong" : "trivial", &spec, &image, seed, a);
        for (int i = 0; i < FLOATS; i++)
            assert_true(a[i] >= -0.01f && a[i] <= 255.01f);
    }
    vt_image_deinit(&image);
}

static void corners_go_where_they_are_sent(void **state)
{
    (void)state;
    static const double square[8] = {-1, -1, 1, -1, 1, 1, -1, 1};
    const double to[8] = {-0.9, -0.8, 0.7, -1, 1, 0.6, -0.5, 0.9};
    vt_warp warp = vt_warp_corners(to);
    for (int i = 0; i < 4; i++) {
        double u = square[2 * i], v = square[2 * i + 1];
        double w = warp.m[6] * u + warp.m[7] * v + warp.m[8];
        assert_true(fabs((warp.m[0] * u + warp.m[1] * v + warp.m[2]) / w - to[2 * i]) < 1e-9);
        assert_true(fabs((warp.m[3] * u + warp.m[4] * v + warp.m[5]) / w - to[2 * i + 1]) < 1e-9);
    }
}

static void a_quarter_turn_is_exact(void **state)
{
    (void)state;
    static float out[FLOATS];
    vt_image image = picture_make(SIDE, SIDE, 4);
    vt_trivial quarter = {VT_TRIVIAL_ROTATE, 90};
    vt_warp turn, base = vt_warp_affine(SIDE / 2.0, 0, SIDE / 2.0, 0, SIDE / 2.0, SIDE / 2.0);
    assert_true(vt_trivial_warp(&quarter, SIDE, SIDE, &turn));
    vt_warp warp = vt_warp_multiply(&base, &turn);
    const vt_warp_target target = {.plane = out, .width = SIDE, .height = SIDE};
    vt_warp_run(&image, &warp, &target);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            assert_float_equal(out[y * SIDE + x], (float)image.rgb[3 * (x * SIDE + SIDE - 1 - y)],
                               0.01);
    vt_image_deinit(&image);
}

static void colours_are_the_formulas(void **state)
{
    (void)state;
    const float start[3] = {200, 100, 40};
    float v[3];
    const float grey = 0.299f * 200 + 0.587f * 100 + 0.114f * 40;
    memcpy(v, start, sizeof(v));
    vt_colour_map map = vt_colour_identity();
    vt_colour_saturation(&map, 0);
    vt_colour_apply(&map, v, 1);
    for (int c = 0; c < 3; c++)
        assert_float_equal(v[c], grey, 1e-3);
    memcpy(v, start, sizeof(v));
    map = vt_colour_identity();
    vt_colour_brightness(&map, 0.5f);
    vt_colour_contrast(&map, 1.5f, 60);
    vt_colour_apply(&map, v, 1);
    for (int c = 0; c < 3; c++)
        assert_float_equal(v[c], (start[c] * 0.5f - 60) * 1.5f + 60, 1e-3);
    memcpy(v, start, sizeof(v));
    map = vt_colour_identity();
    vt_colour_hue(&map, 1); /* once around */
    vt_colour_apply(&map, v, 1);
    for (int c = 0; c < 3; c++)
        assert_float_equal(v[c], start[c], 0.5);
}

static void trivial_operations_do_what_they_are_called(void **state)
{
    (void)state;
    float v[3 * 4] = {10, 20, 30, 50, 0, 100, 200, 250, 128, 128, 128, 128}, scratch[12];
    vt_trivial one = {VT_TRIVIAL_AUTOCONTRAST, 0};
    vt_trivial_apply(&one, v, scratch, 2, 2);
    assert_float_equal(v[0], 0, 1e-3);
    assert_float_equal(v[1], 63.75, 1e-3);
    assert_float_equal(v[3], 255, 1e-3);
    assert_float_equal(v[8], 128, 1e-3);
    one = (vt_trivial){VT_TRIVIAL_SOLARIZE, 128};
    vt_trivial_apply(&one, v, scratch, 2, 2);
    assert_float_equal(v[3], 0, 1e-3);
    assert_float_equal(v[1], 63.75, 1e-3);
    one = (vt_trivial){VT_TRIVIAL_POSTERIZE, 2};
    vt_trivial_apply(&one, v, scratch, 2, 2);
    assert_float_equal(v[1], 64, 1e-3);
    assert_float_equal(v[8], 64, 1e-3);
    int seen[VT_TRIVIAL_OPS] = {0};
    vt_random random;
    vt_random_init(&random, 3);
    for (int i = 0; i < 14000; i++)
        seen[vt_trivial_draw(&random).op]++;
    for (int i = 0; i < VT_TRIVIAL_OPS; i++)
        assert_in_range(seen[i], 850, 1150);
}

static void mixing_keeps_the_sum(void **state)
{
    (void)state;
    enum { COUNT = 5, ONE = 2 * 6 * 6 };
    float before[COUNT * ONE], after[COUNT * ONE];
    vt_random random;
    vt_random_init(&random, 9);
    vt_mix_batch batch = {after, COUNT, 2, 6, 6};
    double total = 0;
    for (int round = 0; round < 600; round++) {
        for (int i = 0; i < COUNT * ONE; i++)
            before[i] = after[i] = (float)(i / ONE);
        vt_augment how = vt_augment_none();
        how.mixup = round % 2 == 0 ? 0.8f : 0;
        how.cutmix = round % 2 == 1 ? 1.0f : 0;
        float share = vt_augment_mix(&how, &random, &batch);
        assert_true(share >= 0 && share <= 1);
        total += (double)share;
        double mean = 0;
        for (int i = 0; i < ONE; i++) {
            assert_float_equal(after[i] + after[4 * ONE + i], before[i] + before[4 * ONE + i],
                               1e-4);
            assert_float_equal(after[2 * ONE + i], 2, 1e-5);
            mean += (double)after[i] / ONE;
        }
        assert_true(fabs(mean - 4 * (1 - (double)share)) <
                    1e-4); /* picture 0 is 0, picture 4 is 4 */
    }
    assert_in_range((int)(total / 6), 45, 62);
    vt_augment none = vt_augment_none();
    assert_true(vt_augment_mix(&none, &random, &batch) == 1);
}

static void texts_are_checked_and_come_back(void **state)
{
    (void)state;
    static const char *const wrong[] = {"crops",     "flip=2",    "crop=x",   "rotate=181",
                                        "quality=1", "jitter=-1", "flip=nan", "trivial=3"};
    vt_augment augment = vt_augment_none(), again;
    vt_error error;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(vt_augment_parse(wrong[i], &augment, &error), VT_ERR_USAGE);
    vt_buf text;
    vt_buf_init(&text, 4096);
    static const char *const good[] = {"strong", "trivial,erase=0.5", "light,mixup,cutmix=0.5",
                                       "crop=0.3,jitter=0.4,jpeg,quality=33"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        vt_buf_clear(&text);
        assert_int_equal(vt_augment_parse(good[i], &augment, &error), VT_OK);
        assert_true(vt_augment_print(&augment, &text));
        assert_int_equal(vt_augment_parse(text.data, &again, &error), VT_OK);
        if (augment.jpeg <= 0)
            again.jpeg_quality = augment.jpeg_quality;
        assert_memory_equal(&augment, &again, sizeof(augment));
    }
    vt_buf_deinit(&text);
}

static void empty_pictures_are_refused(void **state)
{
    (void)state;
    vt_pixel_spec spec = plain_spec(4);
    vt_augment none = vt_augment_none();
    vt_image empty = {0};
    vt_random random;
    static float out[48];
    vt_random_init(&random, 1);
    assert_int_equal(vt_augment_apply(&none, &spec, &empty, &random, out, out, NULL), VT_ERR_USAGE);
}

static void sheet_for_people(void **state)
{
    (void)state;
    enum { CELL = 96, COLUMNS = 8 };
    static const char *const kinds[] = {"crop=0.2",
                                        "pad=0.2",
                                        "rotate=40",
                                        "shear=25",
                                        "zoom=0.6",
                                        "perspective=0.6",
                                        "brightness=.6",
                                        "contrast=.8",
                                        "saturation=1",
                                        "hue=0.3",
                                        "grey=1",
                                        "blur=1,sigma=8",
                                        "noise=1,deviation=.2",
                                        "jpeg=1,quality=5",
                                        "erase=1",
                                        "trivial",
                                        "strong"};
    enum { ROWS = sizeof(kinds) / sizeof(kinds[0]) };
    const char *path = getenv("VITRINE_SHEET"), *photo = getenv("VITRINE_SHEET_PHOTO");
    if (path == NULL)
        skip();
    vt_image image, sheet;
    if (photo != NULL)
        assert_ok(vt_image_decode_file(photo, NULL, &image, error));
    else
        image = picture_make(200, 160, 3);
    assert_ok(vt_image_init(&sheet, CELL * COLUMNS, CELL * ROWS, error));
    vt_pixel_spec spec = plain_spec(CELL);
    float *cell = malloc(3 * CELL * CELL * sizeof(float));
    assert_non_null(cell);
    for (int row = 0; row < ROWS; row++)
        for (int column = 0; column < COLUMNS; column++) {
            apply(column == 0 ? "none" : kinds[row], &spec, &image, (uint64_t)(row * 100 + column),
                  cell);
            for (int i = 0; i < CELL * CELL; i++)
                for (int c = 0; c < 3; c++)
                    sheet.rgb[3 * ((row * CELL + i / CELL) * CELL * COLUMNS + column * CELL +
                                   i % CELL) +
                              c] = (uint8_t)(cell[c * CELL * CELL + i] + 0.5f);
        }
    vt_buf png;
    vt_buf_init(&png, 64 << 20);
    assert_ok(vt_image_encode_png(&sheet, &png, error));
    assert_ok(vt_file_replace(path, png.data, png.length, false, error));
    vt_buf_deinit(&png);
    free(cell);
    vt_image_deinit(&sheet);
    vt_image_deinit(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_the_pixel_contract),
        cmocka_unit_test(flip_and_shift_move_whole_pixels),
        cmocka_unit_test(same_draws_same_picture),
        cmocka_unit_test(corners_go_where_they_are_sent),
        cmocka_unit_test(a_quarter_turn_is_exact),
        cmocka_unit_test(colours_are_the_formulas),
        cmocka_unit_test(trivial_operations_do_what_they_are_called),
        cmocka_unit_test(mixing_keeps_the_sum),
        cmocka_unit_test(texts_are_checked_and_come_back),
        cmocka_unit_test(empty_pictures_are_refused),
        cmocka_unit_test(sheet_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
