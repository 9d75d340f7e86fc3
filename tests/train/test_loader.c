/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "train/loader.h"

enum { PHOTOS = 11, SIDE = 16, ONE = 3 * SIDE * SIDE, BATCH = 4, BATCHES = 3 };

typedef struct loaded {
    float pixels[BATCHES][BATCH * ONE];
    float share[BATCHES];
    size_t counts[BATCHES];
} loaded;

static vt_picture_cache *make_cache(scratch *s)
{
    char texts[PHOTOS][SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    const char *paths[PHOTOS];
    vt_picture_cache *cache;
    for (int i = 0; i < PHOTOS; i++) {
        char name[16];
        vt_image image;
        vt_buf png;
        vt_buf_init(&png, 1 << 20);
        assert_int_equal(vt_image_init(&image, 20, 18, NULL), VT_OK);
        for (int j = 0; j < 20 * 18 * 3; j++)
            image.rgb[j] = (uint8_t)(i * 20 + j % 11);
        assert_int_equal(vt_image_encode_png(&image, &png, NULL), VT_OK);
        snprintf(name, sizeof(name), "%02d.png", i);
        scratch_write(s, name, png.data, png.length);
        snprintf(texts[i], SCRATCH_PATH_BYTES, "%s/%s", s->root, name);
        paths[i] = texts[i];
        vt_buf_deinit(&png);
        vt_image_deinit(&image);
    }
    snprintf(path, sizeof(path), "%s/cache", s->root);
    vt_picture_cache_options options = vt_picture_cache_options_defaults();
    options.path = path;
    assert_int_equal(vt_picture_cache_open(paths, PHOTOS, &options, &cache, NULL), VT_OK);
    return cache;
}

static void load(const vt_picture_cache *cache, const char *how, vt_loader_plan plan, loaded *out)
{
    vt_pixel_spec spec = {.width = SIDE,
                          .height = SIDE,
                          .fit = VT_FIT_COVER,
                          .crop_ratio = 1,
                          .kernel = VT_KERNEL_BILINEAR,
                          .scale = 1,
                          .std = {1, 1, 1}};
    uint32_t order[PHOTOS];
    vt_augment augment;
    vt_loader *loader;
    vt_batch batch;
    for (uint32_t i = 0; i < PHOTOS; i++)
        order[i] = PHOTOS - 1 - i;
    if (how != NULL)
        assert_int_equal(vt_augment_parse(how, &augment, NULL), VT_OK);
    plan.cache = cache;
    plan.spec = &spec;
    plan.augment = how != NULL ? &augment : NULL;
    plan.order = order;
    plan.count = PHOTOS;
    plan.batch = BATCH;
    memset(out, 0, sizeof(*out));
    assert_int_equal(vt_loader_open(&plan, &loader, NULL), VT_OK);
    for (size_t b = plan.first; b < BATCHES; b++) {
        assert_int_equal(vt_loader_next(loader, &batch, NULL), VT_OK);
        out->counts[b] = batch.count;
        out->share[b] = batch.share;
        assert_ptr_equal(batch.order, order + b * BATCH);
        memcpy(out->pixels[b], batch.pixels, batch.count * ONE * sizeof(float));
    }
    assert_int_equal(vt_loader_next(loader, &batch, NULL), VT_OK);
    assert_int_equal(batch.count, 0);
    vt_loader_close(loader);
}

static loaded first, second, plain;

static void batches_do_not_depend_on_threads(void **state)
{
    vt_picture_cache *cache = make_cache(*state);
    for (int how = 0; how < 3; how++) {
        static const char *const texts[] = {NULL, "strong", "light,mixup=1,cutmix=1"};
        load(cache, texts[how], (vt_loader_plan){.threads = 1, .ahead = 1, .seed = 3}, &first);
        load(cache, texts[how], (vt_loader_plan){.threads = 5, .ahead = 2, .seed = 3}, &second);
        assert_memory_equal(&first, &second, sizeof(first));
        assert_int_equal(first.counts[2], 3);
        if (how == 0)
            assert_float_equal(first.pixels[0][0], (PHOTOS - 1) * 20, 12);
        load(cache, texts[how], (vt_loader_plan){.seed = 3, .epoch = 1}, &second);
        assert_int_equal(memcmp(first.pixels, second.pixels, sizeof(first.pixels)) == 0, how == 0);
    }
    assert_true(first.share[0] < 1);
    vt_picture_cache_close(cache);
}

static void it_goes_on_in_the_middle(void **state)
{
    vt_picture_cache *cache = make_cache(*state);
    load(cache, "strong,mixup", (vt_loader_plan){.seed = 3}, &first);
    load(cache, "strong,mixup", (vt_loader_plan){.seed = 3, .first = 2}, &second);
    assert_memory_equal(first.pixels[2], second.pixels[2], sizeof(first.pixels[2]));
    load(cache, NULL, (vt_loader_plan){.first = 3}, &second);
    vt_picture_cache_close(cache);
}

static void flips_take_turns(void **state)
{
    vt_picture_cache *cache = make_cache(*state);
    int flipped = 0;
    load(cache, "none,altflip", (vt_loader_plan){.seed = 3}, &first);
    load(cache, "none,altflip", (vt_loader_plan){.seed = 3, .epoch = 1}, &second);
    load(cache, "none", (vt_loader_plan){.seed = 3}, &plain);
    for (size_t i = 0; i < PHOTOS; i++) {
        size_t at = i % BATCH * ONE, bytes = ONE * sizeof(float);
        bool one = memcmp(first.pixels[i / BATCH] + at, plain.pixels[i / BATCH] + at, bytes) != 0;
        bool other =
            memcmp(second.pixels[i / BATCH] + at, plain.pixels[i / BATCH] + at, bytes) != 0;
        assert_int_equal(one, !other);
        flipped += one;
    }
    assert_true(flipped > 1 && flipped < PHOTOS - 1);
    load(cache, "none,altflip", (vt_loader_plan){.seed = 3, .epoch = 2}, &second);
    assert_memory_equal(&first, &second, sizeof(first));
    vt_picture_cache_close(cache);
}

static void it_may_be_closed_at_any_time(void **state)
{
    vt_picture_cache *cache = make_cache(*state);
    vt_pixel_spec spec = {
        .width = SIDE, .height = SIDE, .crop_ratio = 1, .scale = 1, .std = {1, 1, 1}};
    uint32_t order[PHOTOS] = {0};
    for (int taken = 0; taken < 3; taken++) {
        const vt_loader_plan plan = {.cache = cache,
                                     .spec = &spec,
                                     .order = order,
                                     .count = PHOTOS,
                                     .batch = 2,
                                     .threads = 3};
        vt_loader *loader;
        vt_batch batch;
        assert_int_equal(vt_loader_open(&plan, &loader, NULL), VT_OK);
        for (int i = 0; i < taken; i++)
            assert_int_equal(vt_loader_next(loader, &batch, NULL), VT_OK);
        vt_loader_close(loader);
    }
    vt_picture_cache_close(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(batches_do_not_depend_on_threads, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(it_goes_on_in_the_middle, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(flips_take_turns, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(it_may_be_closed_at_any_time, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
