/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vectors of pictures, for bench/search: raw f32, ROWS of them and then QUERIES more.
 *
 *     vectors MODEL LIST ROWS QUERIES OUT [AUGMENT]
 *
 * LIST names pictures, one a line, in an order that means nothing. The first are for queries (one
 * in QUERY_SHARE, at most one for each query), the others for rows. Each kind takes its pictures in
 * turn, changed by AUGMENT as docs/training.md writes it, differently each time; without AUGMENT
 * they are taken as they are, each once. The same arguments give the same vectors.
 */
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/thread.h"
#include "bench/files.h"
#include "encoder/encoder.h"
#include "image/augment.h"

enum { QUERY_SHARE = 40, GROUP = 16, GROUPS = 64, JOBS_PER_CORE = 2, SEED = 1 };

typedef struct vectors_bench {
    vt_bench_files files;
    vt_encoder *encoder;
    vt_batcher *batcher;
    vt_pool *pool;
    vt_augment augment;
    bool changes; /* AUGMENT was given */
    size_t rows, queries, query_files;
    size_t dim, next; /* next: the first row of this piece */
    vt_random random;
    float *piece;     /* (GROUPS * GROUP, dim) */
    vt_error *errors; /* (GROUPS) */
} vectors_bench;

/* ---- one group of rows ---- */

/* Of a row, or behind the rows of a query. */
static const vt_buf *picture_of(const vectors_bench *b, size_t row)
{
    size_t kept = b->query_files;
    return row < b->rows ? &b->files.contents[kept + row % (b->files.count - kept)]
                         : &b->files.contents[(row - b->rows) % kept];
}

static vt_status picture_make(const vectors_bench *b, size_t row, vt_image *image, vt_error *error)
{
    vt_decode_options options = vt_decode_options_defaults();
    vt_encoder_info info = vt_encoder_info_of(b->encoder);
    const vt_buf *file = picture_of(b, row);
    options.fit_width = info.fit_width;
    options.fit_height = info.fit_height;
    vt_status status = vt_image_decode(file->data, file->length, &options, image, error);
    vt_random random = vt_random_fork(&b->random, row);
    if (status == VT_OK && b->changes)
        status = vt_augment_picture(&b->augment, &info.contract->pixels, &random, image, error);
    return status;
}

static void group_embed(void *context, size_t group)
{
    vectors_bench *b = context;
    vt_image images[GROUP] = {0};
    size_t begin = b->next + group * GROUP, all = b->rows + b->queries, count = 0;
    vt_error *error = &b->errors[group];
    vt_status status = VT_OK;
    for (; status == VT_OK && count < GROUP && begin + count < all; count++)
        status = picture_make(b, begin + count, &images[count], error);
    if (status == VT_OK && count > 0)
        vt_batcher_embed(b->batcher, images, count, b->piece + group * GROUP * b->dim, error);
    for (size_t i = 0; i < GROUP; i++)
        vt_image_deinit(&images[i]);
}

/* ---- all of them ---- */

static vt_status piece_write(vectors_bench *b, size_t count, FILE *file, vt_error *error)
{
    for (size_t i = 0; i < GROUPS; i++)
        if (b->errors[i].status != VT_OK)
            return vt_fail(error, b->errors[i].status, "%s", b->errors[i].message);
    if (fwrite(b->piece, b->dim * sizeof *b->piece, count, file) != count)
        return vt_fail(error, VT_ERR_IO, "write vectors: no room, or the disk fails");
    return VT_OK;
}

static vt_status vectors_make(vectors_bench *b, FILE *file, vt_error *error)
{
    size_t all = b->rows + b->queries, most = (size_t)GROUPS * GROUP;
    vt_status status = VT_OK;
    vt_progress_bar bar;
    b->piece = vt_calloc(most, b->dim * sizeof *b->piece);
    b->errors = vt_calloc(GROUPS, sizeof *b->errors);
    if (!b->piece || !b->errors)
        return vt_fail_memory(error, "the vectors");
    vt_progress_bar_init(&bar, stderr, "embed", "pictures");
    while (status == VT_OK && b->next < all) {
        size_t count = all - b->next < most ? all - b->next : most;
        vt_pool_for(b->pool, GROUPS, group_embed, b);
        status = piece_write(b, count, file, error);
        b->next += count;
        vt_progress_bar_update(&bar, b->next, all);
    }
    vt_progress_bar_finish(&bar);
    return status;
}

/* Into a file beside, which takes its name when it is whole. */
static vt_status file_make(vectors_bench *b, const char *path, vt_error *error)
{
    char beside[4096];
    snprintf(beside, sizeof beside, "%s.new", path);
    FILE *file = fopen(beside, "wb");
    if (!file)
        return vt_fail(error, VT_ERR_IO, "write \"%s\": it cannot be opened", beside);
    vt_status status = vectors_make(b, file, error);
    if (fclose(file) != 0 && status == VT_OK)
        status = vt_fail(error, VT_ERR_IO, "write \"%s\": no room, or the disk fails", beside);
    if (status == VT_OK && rename(beside, path) != 0)
        status = vt_fail(error, VT_ERR_IO, "write \"%s\": it cannot be renamed", path);
    if (status != VT_OK)
        remove(beside);
    return status;
}

static vt_status shares_choose(vectors_bench *b, vt_error *error)
{
    size_t share = b->files.count / QUERY_SHARE;
    b->query_files = b->changes && share < b->queries ? share : b->queries;
    if (b->query_files == 0 || b->query_files >= b->files.count)
        return vt_fail(error, VT_ERR_USAGE, "%zu pictures are too few for %zu queries",
                       b->files.count, b->queries);
    if (!b->changes && b->rows > b->files.count - b->query_files)
        b->rows = b->files.count - b->query_files;
    return VT_OK;
}

static vt_status open_all(vectors_bench *b, char **argv, vt_error *error)
{
    vt_encoder_options options = vt_encoder_options_defaults();
    vt_batcher_options batching = vt_batcher_options_defaults();
    batching.bulk = true;
    options.unit_length = true;
    vt_random_init(&b->random, SEED);
    vt_status status = vt_bench_files_open(&b->files, argv[2], error);
    if (status == VT_OK)
        status = vt_encoder_open(argv[1], &options, &b->encoder, error);
    if (status == VT_OK && !vt_encoder_info_of(b->encoder).contract)
        status = vt_fail(error, VT_ERR_USAGE, "a network is wanted, not \"%s\"", argv[1]);
    if (status == VT_OK)
        status = vt_batcher_new(b->encoder, &batching, &b->batcher, error);
    if (status == VT_OK)
        status = vt_pool_new(JOBS_PER_CORE * vt_core_count(), &b->pool, error);
    if (status == VT_OK && b->changes)
        status = vt_augment_parse(argv[6], &b->augment, error);
    if (status == VT_OK)
        b->dim = vt_encoder_info_of(b->encoder).dim;
    return status == VT_OK ? shares_choose(b, error) : status;
}

int main(int argc, char **argv)
{
    static vectors_bench b;
    vt_error error = {0};
    int64_t rows, queries;
    if ((argc != 6 && argc != 7) || !vt_parse_int(argv[3], 1, 100000000, &rows) ||
        !vt_parse_int(argv[4], 1, 1000000, &queries)) {
        fprintf(stderr, "usage: vectors MODEL LIST ROWS QUERIES OUT [AUGMENT]\n");
        return 2;
    }
    b.rows = (size_t)rows;
    b.queries = (size_t)queries;
    b.changes = argc == 7;
    vt_status status = open_all(&b, argv, &error);
    if (status == VT_OK)
        status = file_make(&b, argv[5], &error);
    if (status == VT_OK)
        printf("%zu rows, %zu queries of %zu pictures that are no rows, %zu dimensions\n", b.rows,
               b.queries, b.query_files, b.dim);
    else
        fprintf(stderr, "vectors: %s\n", error.message);
    vt_pool_free(b.pool);
    vt_batcher_free(b.batcher);
    vt_encoder_free(b.encoder);
    vt_free(b.piece);
    vt_free(b.errors);
    vt_bench_files_close(&b.files);
    return status == VT_OK ? 0 : 1;
}
