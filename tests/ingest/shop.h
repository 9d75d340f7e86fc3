/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of whole imports share: a shop with the classic encoder in a temporary directory,
 * pictures painted from a number, feeds as text, the store's content as text. */
#ifndef VT_TESTS_INGEST_SHOP_H
#define VT_TESTS_INGEST_SHOP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/random.h"
#include "ingest/ingest.h"
#include "support/sanitized.h"

#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHOP_UNUSED __attribute__((unused))

typedef struct shop {
    char dir[64]; /* temporary; pictures and feeds lie here */
    char store_dir[80], feed[80], rejects[80], duplicates[80];
    vt_store *store; /* NULL: not open */
    vt_encoder *encoder;
    uint32_t model;
    vt_ingest_options options;
    vt_ingest_report report;
    vt_error error;
} shop;

SHOP_UNUSED static void shop_fail_unless(vt_status status, const char *what, const vt_error *error)
{
    if (status != VT_OK)
        fail_msg("%s: %s: %s", what, vt_status_text(status), error->message);
}
#define assert_ok(call)                                                                            \
    do {                                                                                           \
        vt_error error_ = {0};                                                                     \
        vt_error *error = &error_;                                                                 \
        shop_fail_unless((call), #call, error);                                                    \
    } while (0)

SHOP_UNUSED static void shop_open_store(shop *s)
{
    vt_encoder_options options = vt_encoder_options_defaults();
    char catalog[96];
    snprintf(catalog, sizeof(catalog), "%s/catalog.db", s->store_dir);
    assert_ok(vt_store_open(s->store_dir,
                            vt_file_exists(catalog) ? VT_STORE_WRITE : VT_STORE_CREATE, &s->store,
                            error));
    assert_ok(vt_encoder_open("classic", &options, &s->encoder, error));
    vt_encoder_info info = vt_encoder_info_of(s->encoder);
    assert_ok(
        vt_store_model_put(s->store, &info.fingerprint, info.name, info.dim, &s->model, error));
}

SHOP_UNUSED static void shop_close_store(shop *s)
{
    vt_encoder_free(s->encoder);
    s->encoder = NULL;
    vt_store_close(s->store);
    s->store = NULL;
}

SHOP_UNUSED static void shop_init_closed(shop *s)
{
    memset(s, 0, sizeof *s);
    snprintf(s->dir, sizeof s->dir, "/tmp/vt-ingest-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->store_dir, sizeof s->store_dir, "%s/.shop", s->dir);
    snprintf(s->feed, sizeof s->feed, "%s/feed.csv", s->dir);
    snprintf(s->rejects, sizeof s->rejects, "%s/.rejects.csv", s->dir);
    snprintf(s->duplicates, sizeof s->duplicates, "%s/.duplicates.csv", s->dir);
    s->options = vt_ingest_options_defaults();
    s->options.rejects_path = s->rejects;
    s->options.duplicates_path = s->duplicates;
    s->options.jobs = 2;
}

SHOP_UNUSED static void shop_init(shop *s)
{
    shop_init_closed(s);
    shop_open_store(s);
}

SHOP_UNUSED static int shop_remove_entry(const char *path, const struct stat *info, int kind,
                                         struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

SHOP_UNUSED static void shop_deinit(shop *s)
{
    shop_close_store(s);
    nftw(s->dir, shop_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- files ---- */

SHOP_UNUSED static char *shop_path(const shop *s, const char *relative)
{
    char *path = vt_path_join(s->dir, relative);
    assert_non_null(path);
    return path;
}

SHOP_UNUSED static void shop_write(const shop *s, const char *relative, const void *bytes,
                                   size_t length)
{
    char *path = shop_path(s, relative);
    char *parent = vt_strndup(path, (size_t)(vt_path_base(path) - path) - 1);
    assert_ok(vt_dir_make(parent, error));
    assert_ok(vt_file_replace(path, bytes, length, false, error));
    vt_free(parent);
    vt_free(path);
}

SHOP_UNUSED static void shop_write_feed(const shop *s, const char *text)
{
    shop_write(s, "feed.csv", text, strlen(text));
}

/* The file's text; vt_free. */
SHOP_UNUSED static char *shop_read(const char *path)
{
    vt_buf text;
    vt_buf_init(&text, 64 << 20);
    assert_ok(vt_file_read(path, 64 << 20, &text, error));
    char *copy = vt_strdup(vt_buf_text(&text));
    vt_buf_deinit(&text);
    return copy;
}

#define assert_file(path, expected)                                                                \
    do {                                                                                           \
        char *file_text = shop_read(path);                                                         \
        assert_string_equal(file_text, expected);                                                  \
        vt_free(file_text);                                                                        \
    } while (0)

/* Blobs of colour at places that the seed chooses: pictures that differ in everything. */
SHOP_UNUSED static void shop_paint(uint64_t seed, int width, int height, vt_image *image)
{
    vt_random random;
    struct {
        double x, y, r;
        int rgb[3];
    } blobs[12];
    vt_random_init(&random, seed);
    for (int i = 0; i < 12; i++) {
        blobs[i].x = vt_random_double(&random);
        blobs[i].y = vt_random_double(&random);
        blobs[i].r = 0.05 + 0.25 * vt_random_double(&random);
        for (int c = 0; c < 3; c++)
            blobs[i].rgb[c] = vt_random_int(&random, 0, 255);
    }
    assert_ok(vt_image_init(image, width, height, error));
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            uint8_t *rgb = image->rgb + ((size_t)y * (size_t)width + (size_t)x) * 3;
            rgb[0] = rgb[1] = rgb[2] = 240;
            for (int i = 0; i < 12; i++) {
                double dx = (double)x / width - blobs[i].x, dy = (double)y / height - blobs[i].y;
                if (dx * dx + dy * dy < blobs[i].r * blobs[i].r)
                    for (int c = 0; c < 3; c++)
                        rgb[c] = (uint8_t)blobs[i].rgb[c];
            }
        }
    }
}

/* The encoded picture: JPEG of this quality, or PNG for 0. vt_buf_deinit. */
SHOP_UNUSED static void shop_encode(uint64_t seed, int width, int height, int quality, vt_buf *out)
{
    vt_image image;
    shop_paint(seed, width, height, &image);
    vt_buf_init(out, 64 << 20);
    if (quality > 0)
        assert_ok(vt_image_encode_jpeg(&image, quality, out, error));
    else
        assert_ok(vt_image_encode_png(&image, out, error));
    vt_image_deinit(&image);
}

SHOP_UNUSED static void shop_picture(const shop *s, const char *relative, uint64_t seed)
{
    vt_buf bytes;
    shop_encode(seed, 96, 72, 90, &bytes);
    shop_write(s, relative, bytes.data, bytes.length);
    vt_buf_deinit(&bytes);
}

/* ---- importing and looking ---- */

SHOP_UNUSED static vt_status shop_try_import(shop *s, const char *source)
{
    return vt_ingest_run(s->store, s->model, s->encoder, source, &s->options, &s->report,
                         &s->error);
}

SHOP_UNUSED static void shop_import(shop *s)
{
    shop_fail_unless(shop_try_import(s, s->feed), "import", &s->error);
}

typedef struct shop_dump_context {
    shop *s;
    vt_buf *out;
    size_t dim;
    float *vector;
} shop_dump_context;

SHOP_UNUSED static vt_status shop_dump_product(void *context, const vt_product *product,
                                               vt_error *error)
{
    shop_dump_context *dump = context;
    vt_buf *out = dump->out;
    char hex[VT_HASH_HEX];
    vt_hash_hex(&product->content, hex);
    vt_buf_printf(out, "%u %s title=%s category=%s price=%g %s content=%s\n", product->key,
                  product->id, product->title ? product->title : "-",
                  product->category ? product->category : "-", product->price,
                  product->currency ? product->currency : "-", hex);
    for (size_t i = 0; i < product->attribute_count; i++)
        vt_buf_printf(out, "    %s (%d)\n", product->attributes[i].name,
                      (int)product->attributes[i].kind);
    for (size_t i = 0; i < product->picture_count; i++) {
        const vt_picture *picture = &product->pictures[i];
        vt_status status =
            vt_store_vector(dump->s->store, dump->s->model, picture->key, dump->vector, error);
        if (status != VT_OK)
            return status;
        vt_hash vector = vt_hash_of(dump->vector, dump->dim * sizeof *dump->vector);
        char vector_hex[VT_HASH_HEX];
        vt_hash_hex(&picture->hash, hex);
        vt_hash_hex(&vector, vector_hex);
        vt_buf_printf(
            out, "    %s %.8s phash=%016" PRIx64 " %dx%d %" PRIu64 " bytes %.8s thumb=%d\n",
            picture->source, hex, picture->phash, picture->width, picture->height,
            picture->file_bytes, vector_hex, vt_store_has_thumb(dump->s->store, &picture->hash));
    }
    return VT_OK;
}

/* Everything that the store holds, as text; vt_free. */
SHOP_UNUSED static char *shop_dump(shop *s)
{
    vt_buf out;
    shop_dump_context dump = {s, &out, vt_encoder_info_of(s->encoder).dim, NULL};
    dump.vector = vt_alloc_array(dump.dim, sizeof *dump.vector);
    vt_buf_init(&out, 64 << 20);
    vt_buf_append_text(&out, "");
    assert_ok(vt_store_each(s->store, shop_dump_product, &dump, error));
    assert_ok(vt_store_check(s->store, error));
    vt_free(dump.vector);
    return vt_buf_take(&out, NULL);
}

SHOP_UNUSED static size_t shop_product_count(shop *s)
{
    vt_store_stats stats;
    assert_ok(vt_store_stats_of(s->store, s->model, &stats, error));
    assert_int_equal(stats.pictures, stats.vectors);
    return (size_t)stats.products;
}

/* The pictures' sources of one product, "a.jpg b.jpg"; "" when there is no such product. */
SHOP_UNUSED static const char *shop_sources(shop *s, const char *id)
{
    static char text[4096];
    vt_arena arena;
    vt_product product;
    text[0] = '\0';
    vt_arena_init(&arena, 1 << 20);
    vt_status status = vt_store_get(s->store, id, &arena, &product, NULL);
    if (status == VT_OK)
        for (size_t i = 0; i < product.picture_count; i++) {
            size_t used = strlen(text);
            snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? " " : "",
                     product.pictures[i].source);
        }
    vt_arena_deinit(&arena);
    return text;
}

#define assert_report(s, field_rows, field_imported, field_updated, field_unchanged,               \
                      field_rejected_rows, field_rejected_pictures, field_pictures)                \
    do {                                                                                           \
        char got_[160], want_[160];                                                                \
        snprintf(got_, sizeof got_,                                                                \
                 "rows %" PRIu64 " imported %" PRIu64 " updated %" PRIu64 " unchanged %" PRIu64    \
                 " rejected %" PRIu64 " + %" PRIu64 " pictures %" PRIu64,                          \
                 (s)->report.rows, (s)->report.imported, (s)->report.updated,                      \
                 (s)->report.unchanged, (s)->report.rejected_rows, (s)->report.rejected_pictures,  \
                 (s)->report.pictures);                                                            \
        snprintf(want_, sizeof want_,                                                              \
                 "rows %d imported %d updated %d unchanged %d rejected %d + %d pictures %d",       \
                 field_rows, field_imported, field_updated, field_unchanged, field_rejected_rows,  \
                 field_rejected_pictures, field_pictures);                                         \
        assert_string_equal(got_, want_);                                                          \
    } while (0)

#endif
