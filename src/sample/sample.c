/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: one run: a directory full of pictures, then the two tables.
 * Method: products are rendered in parallel, each by one worker from generators forked by its
 * number, so that neither order nor number of threads matters. Rows are kept until all pictures are
 * there: the feed is the last file written, and a directory without it is an unfinished one.
 */
#include "sample/sample.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "sample/shot.h"
#include "sample/texts.h"

#include <pthread.h>

enum {
    MAXIMUM_PRODUCTS = 1000000,
    MAXIMUM_VIEWS = 64,
    MINIMUM_PX = 16,
    MAXIMUM_PX = 4096,
    MAXIMUM_THREADS = 1024,
    MAXIMUM_JPEG_BYTES = 256 << 20,
};

/* Forks of the seed. */
enum { PRODUCT_FORK, PHOTO_FORK };

typedef struct product_rows {
    char *feed, *queries; /* owned; NULL until the product is done */
} product_rows;

typedef struct sample_run {
    const char *directory;
    const vt_sample_options *options;
    vt_random root, photos;
    product_rows *rows;
    uint64_t total;
    pthread_mutex_t lock; /* for all below */
    uint64_t done;
    vt_status status; /* first failure */
    vt_error error;
} sample_run;

vt_sample_options vt_sample_options_defaults(void)
{
    return (vt_sample_options){
        .products = 160, .studio_views = 2, .photo_views = 3, .seed = 1, .size_px = 320};
}

static vt_status check_options(const vt_sample_options *o, vt_error *error)
{
    if (o->products < 1 || o->products > MAXIMUM_PRODUCTS)
        return vt_fail(error, VT_ERR_USAGE,
                       "render a sample: %zu products asked for, 1 to %d are possible", o->products,
                       MAXIMUM_PRODUCTS);
    if (o->studio_views < 1 || o->studio_views > MAXIMUM_VIEWS)
        return vt_fail(error, VT_ERR_USAGE,
                       "render a sample: %d studio views asked for, 1 to %d are possible",
                       o->studio_views, MAXIMUM_VIEWS);
    if (o->photo_views < 0 || o->photo_views > MAXIMUM_VIEWS)
        return vt_fail(error, VT_ERR_USAGE,
                       "render a sample: %d photos asked for, 0 to %d are possible", o->photo_views,
                       MAXIMUM_VIEWS);
    if (o->size_px < MINIMUM_PX || o->size_px > MAXIMUM_PX)
        return vt_fail(error, VT_ERR_USAGE,
                       "render a sample: %d pixels asked for, %d to %d are possible", o->size_px,
                       MINIMUM_PX, MAXIMUM_PX);
    if (o->threads < 0 || o->threads > MAXIMUM_THREADS)
        return vt_fail(error, VT_ERR_USAGE,
                       "render a sample: %d threads asked for, 0 to %d are possible", o->threads,
                       MAXIMUM_THREADS);
    return VT_OK;
}

static bool stopped(sample_run *run)
{
    pthread_mutex_lock(&run->lock);
    bool stop = run->status != VT_OK;
    pthread_mutex_unlock(&run->lock);
    return stop;
}

static void note_failure(sample_run *run, vt_status status, const vt_error *error)
{
    pthread_mutex_lock(&run->lock);
    if (run->status == VT_OK) {
        run->status = status;
        run->error = *error;
    }
    pthread_mutex_unlock(&run->lock);
}

static void note_picture(sample_run *run)
{
    const vt_sample_options *o = run->options;
    pthread_mutex_lock(&run->lock);
    run->done++;
    if (o->on_progress && run->status == VT_OK &&
        !o->on_progress(o->context, run->done, run->total))
        run->status =
            vt_fail(&run->error, VT_ERR_CANCELLED,
                    "render a sample into \"%s\": cancelled after %llu of %llu pictures",
                    run->directory, (unsigned long long)run->done, (unsigned long long)run->total);
    pthread_mutex_unlock(&run->lock);
}

static vt_status write_file(const sample_run *run, const char *name, const vt_buf *bytes,
                            bool durable, vt_error *error)
{
    char *path = vt_path_join(run->directory, name);
    if (!path)
        return vt_fail_memory(error, "the path of a picture");
    vt_status status = vt_file_replace(path, bytes->data, bytes->length, durable, error);
    vt_free(path);
    return status;
}

/* Renders one picture and writes it. The shot is used up. */
static vt_status take_picture(const sample_run *run, vt_shot *shot, const char *name,
                              vt_error *error)
{
    vt_buf jpeg;
    vt_image image;
    vt_buf_init(&jpeg, MAXIMUM_JPEG_BYTES);
    vt_status status = vt_shot_develop(shot, &image, error);
    int quality = shot->effects.quality;
    vt_shot_deinit(shot);
    if (status != VT_OK)
        goto done;
    status = vt_image_encode_jpeg(&image, quality, &jpeg, error);
    vt_image_deinit(&image);
    if (status == VT_OK)
        status = write_file(run, name, &jpeg, false, error);
done:
    vt_buf_deinit(&jpeg);
    return status;
}

static vt_status take_view(const sample_run *run, const vt_design *design, size_t product, int view,
                           vt_error *error)
{
    const vt_sample_options *o = run->options;
    vt_shot shot;
    char name[64];
    bool made;
    if (view < o->studio_views) {
        vt_texts_studio_path(product, view + 1, name);
        made = vt_shot_studio(&shot, design, view, o->size_px);
    } else {
        int photo = view - o->studio_views;
        vt_random own =
            vt_random_fork(&run->photos, (uint64_t)product * MAXIMUM_VIEWS + (uint64_t)photo);
        vt_texts_photo_path(product, photo + 1, name);
        made = vt_shot_photo(&shot, design, own, o->size_px);
    }
    if (!made)
        return vt_fail_memory(error, "the scene of a picture");
    return take_picture(run, &shot, name, error);
}

static vt_status keep_rows(sample_run *run, const vt_design *design, size_t product,
                           vt_error *error)
{
    const vt_sample_options *o = run->options;
    vt_buf text;
    vt_buf_init(&text, 1 << 20);
    vt_texts_feed_row(design, product, o->studio_views, &text);
    char *feed = vt_buf_take(&text, NULL);
    vt_texts_query_rows(design, product, o->photo_views, &text);
    /* Without photos there is no text, which vt_buf_take may hand out as NULL. */
    char *queries = o->photo_views > 0 ? vt_buf_take(&text, NULL) : vt_strdup("");
    vt_buf_deinit(&text);
    run->rows[product] = (product_rows){feed, queries};
    return feed && queries ? VT_OK : vt_fail_memory(error, "the rows of a product");
}

static void render_product(void *context, size_t product)
{
    sample_run *run = context;
    vt_error error = {0};
    vt_design design;
    if (stopped(run))
        return;
    if (!vt_design_init(&design, &run->root, product)) {
        note_failure(run, vt_fail_memory(&error, "the model of a product"), &error);
        return;
    }
    int views = run->options->studio_views + run->options->photo_views;
    vt_status status = keep_rows(run, &design, product, &error);
    for (int view = 0; view < views && status == VT_OK && !stopped(run); view++) {
        status = take_view(run, &design, product, view, &error);
        if (status == VT_OK)
            note_picture(run);
    }
    if (status != VT_OK)
        note_failure(run, status, &error);
    vt_design_deinit(&design);
}

static vt_status write_tables(const sample_run *run, vt_error *error)
{
    vt_buf feed;
    vt_buf queries;
    vt_buf_init(&feed, (size_t)1 << 31);
    vt_buf_init(&queries, (size_t)1 << 31);
    vt_texts_feed_header(&feed);
    vt_texts_query_header(&queries);
    for (size_t i = 0; i < run->options->products; i++) {
        vt_buf_append_text(&feed, run->rows[i].feed);
        vt_buf_append_text(&queries, run->rows[i].queries);
    }
    vt_status status = VT_OK;
    if (feed.failed || queries.failed)
        status = vt_fail_memory(error, "the tables of a sample");
    if (status == VT_OK)
        status = write_file(run, "queries.csv", &queries, true, error);
    if (status == VT_OK)
        status = write_file(run, "products.csv", &feed, true, error);
    vt_buf_deinit(&queries);
    vt_buf_deinit(&feed);
    return status;
}

static vt_status make_directory(const char *directory, const char *name, vt_error *error)
{
    char *path = vt_path_join(directory, name);
    if (!path)
        return vt_fail_memory(error, "the path of a directory");
    vt_status status = vt_dir_make(path, error);
    vt_free(path);
    return status;
}

static vt_status prepare(const char *directory, vt_error *error)
{
    char *feed = vt_path_join(directory, "products.csv");
    if (!feed)
        return vt_fail_memory(error, "the path of a feed");
    bool exists = vt_file_exists(feed);
    vt_free(feed);
    if (exists)
        return vt_fail(error, VT_ERR_EXISTS,
                       "render a sample into \"%s\": it holds a products.csv already", directory);
    vt_status status = vt_dir_make(directory, error);
    if (status == VT_OK)
        status = make_directory(directory, "studio", error);
    if (status == VT_OK)
        status = make_directory(directory, "photos", error);
    return status;
}

vt_status vt_sample_render(const char *directory, const vt_sample_options *options,
                           vt_sample_report *report, vt_error *error)
{
    vt_status status = check_options(options, error);
    if (status == VT_OK)
        status = prepare(directory, error);
    if (status != VT_OK)
        return status;
    int views = options->studio_views + options->photo_views;
    sample_run run = {.directory = directory,
                      .options = options,
                      .total = (uint64_t)options->products * (uint64_t)views,
                      .lock = PTHREAD_MUTEX_INITIALIZER,
                      .status = VT_OK};
    vt_random seeded;
    vt_random_init(&seeded, options->seed);
    run.root = vt_random_fork(&seeded, PRODUCT_FORK);
    run.photos = vt_random_fork(&seeded, PHOTO_FORK);
    vt_pool *pool = NULL;
    run.rows = vt_calloc(options->products, sizeof *run.rows);
    if (!run.rows) {
        status = vt_fail_memory(error, "the rows of a sample");
        goto done;
    }
    status = vt_pool_new(options->threads, &pool, error);
    if (status != VT_OK)
        goto done;
    vt_pool_for(pool, options->products, render_product, &run);
    vt_pool_free(pool);
    status = run.status;
    if (status != VT_OK && error)
        *error = run.error;
    if (status == VT_OK)
        status = write_tables(&run, error);
    if (status == VT_OK && report) {
        size_t families = vt_family_count();
        *report = (vt_sample_report){.products = options->products,
                                     .families = options->products < families ? options->products
                                                                              : families,
                                     .pictures = (size_t)run.total};
    }
done:
    for (size_t i = 0; run.rows && i < options->products; i++) {
        vt_free(run.rows[i].feed);
        vt_free(run.rows[i].queries);
    }
    vt_free(run.rows);
    pthread_mutex_destroy(&run.lock);
    return status;
}
