/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/train_files.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "train/loader.h"

#include <string.h>
#include <unistd.h>

enum { LIST_BYTES = 16 << 20, EPOCHS = 2 };

/* The lines of the list, ended where they lie; *paths: the caller's. */
static vt_status read_list(const char *list, vt_buf *text, const char ***paths, size_t *count,
                           vt_error *error)
{
    vt_status status = vt_file_read(list, LIST_BYTES, text, error);
    if (status == VT_OK && !vt_buf_append(text, "", 1))
        status = vt_fail_memory(error, "a list");
    if (status != VT_OK)
        return status;
    size_t lines = 0;
    for (const char *at = text->data; *at != '\0'; at++)
        lines += *at == '\n';
    *paths = vt_calloc(lines + 1, sizeof(**paths));
    if (*paths == NULL)
        return vt_fail_memory(error, "a list");
    char *rest = NULL;
    for (char *line = strtok_r(text->data, "\n", &rest); line != NULL && *count < lines;
         line = strtok_r(NULL, "\n", &rest))
        (*paths)[(*count)++] = line;
    return *count > 0 ? VT_OK : vt_fail(error, VT_ERR_USAGE, "\"%s\" names no photo", list);
}

static vt_status run_epoch(const vt_bench_feed *feed, const vt_picture_cache *cache,
                           const uint32_t *order, uint64_t epoch, vt_error *error)
{
    const vt_pixel_spec spec = {.width = feed->px,
                                .height = feed->px,
                                .fit = VT_FIT_COVER,
                                .kernel = VT_KERNEL_BILINEAR,
                                .crop_ratio = 1,
                                .scale = 1 / 255.0f,
                                .mean = {0.485f, 0.456f, 0.406f},
                                .std = {0.229f, 0.224f, 0.225f}};
    vt_augment augment;
    vt_loader *loader = NULL;
    vt_status status = vt_augment_parse("standard", &augment, error);
    const vt_loader_plan plan = {.cache = cache,
                                 .augment = &augment,
                                 .spec = &spec,
                                 .order = order,
                                 .count = (size_t)feed->batch * (size_t)feed->steps,
                                 .batch = (size_t)feed->batch,
                                 .seed = 1,
                                 .epoch = epoch};
    if (status == VT_OK)
        status = vt_loader_open(&plan, &loader, error);
    for (int i = 0; status == VT_OK && i < feed->steps; i++) {
        vt_batch batch;
        status = vt_loader_next(loader, &batch, error);
        if (status == VT_OK)
            status = feed->step(feed->context, batch.pixels, error);
    }
    vt_loader_close(loader);
    return status;
}

/* Places of photos that can be decoded, over and over. */
static vt_status make_order(const vt_picture_cache *cache, size_t photos, uint32_t *order,
                            size_t count, vt_error *error)
{
    size_t filled = 0;
    vt_image image;
    for (size_t i = 0; filled < count && (i < photos || filled > 0); i++)
        if (vt_picture_cache_get(cache, i % photos, &image))
            order[filled++] = (uint32_t)(i % photos);
    return filled == count ? VT_OK
                           : vt_fail(error, VT_ERR_USAGE, "none of the photos can be decoded");
}

static vt_status run_epochs(const vt_bench_feed *feed, const char *const *paths, size_t count,
                            double seconds[EPOCHS], vt_error *error)
{
    vt_picture_cache *cache = NULL;
    vt_picture_cache_options options = vt_picture_cache_options_defaults();
    size_t places = (size_t)feed->batch * (size_t)feed->steps;
    uint32_t *order = vt_alloc_array(places, sizeof(*order));
    options.path = feed->cache;
    options.short_side_px = (int)(feed->px * 1.15);
    options.pool = feed->pool;
    double start = vt_clock_ms();
    vt_status status = order == NULL ? vt_fail_memory(error, "an epoch")
                                     : vt_picture_cache_open(paths, count, &options, &cache, error);
    if (status == VT_OK)
        status = make_order(cache, count, order, places, error);
    for (uint64_t epoch = 0; status == VT_OK && epoch < EPOCHS; epoch++) {
        status = run_epoch(feed, cache, order, epoch, error);
        seconds[epoch] = (vt_clock_ms() - start) / 1e3;
        start = vt_clock_ms();
    }
    vt_picture_cache_close(cache);
    vt_free(order);
    return status;
}

vt_status vt_bench_feed_run(const vt_bench_feed *feed, double seconds[2], vt_error *error)
{
    vt_buf text;
    const char **paths = NULL;
    size_t count = 0, places = (size_t)feed->batch * (size_t)feed->steps;
    vt_buf_init(&text, LIST_BYTES);
    (void)unlink(feed->cache);
    vt_status status = read_list(feed->list, &text, &paths, &count, error);
    if (status == VT_OK) /* no more are decoded than an epoch uses */
        status = run_epochs(feed, paths, count < places ? count : places, seconds, error);
    (void)unlink(feed->cache);
    vt_free(paths);
    vt_buf_deinit(&text);
    return status;
}
