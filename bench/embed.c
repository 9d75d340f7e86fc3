/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From JPEG bytes to vectors, everything included, as `vitrine embed` does it: decoding and
 * networks in as many threads as there are cores. bench/embed runs this in turn with another
 * program over the same photos.
 *
 *     embed MODEL LIST THREADS VECTORS [--precision NAME]
 *                     LIST names JPEG files, which are read before the first answer; VECTORS gets
 * the first 32 photos' vectors as raw f32; then counts of 32 photos are answered as bench/rounds.h
 * says, the list over and over embed offers NAME exit code 0 when --precision takes this name
 *
 * The model needs no pixel contract: it is taken as `imagenet`.
 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "bench/files.h"
#include "bench/rounds.h"
#include "search/search.h"

enum { BENCH_THREADS = 1024, BENCH_PIECE = 32, BENCH_JOBS_PER_CORE = 2 };

/* False: not offered. */
static bool take_precision(const char *name, vt_encoder_options *options)
{
    return vt_precision_parse(name, &options->precision) &&
           options->precision != VT_PRECISION_AUTO && vt_precision_is_fast(options->precision);
}

typedef struct bench_embed {
    vt_bench_files files;
    vt_searcher searcher;
    vt_encoder *encoder;
    vt_pool *pool;
    size_t dim, next; /* next: how many photos have been embedded */
    float *vectors;   /* (photos, dim), of the newest answer */
    vt_error *errors; /* (photos) */
} bench_embed;

static void embed_one(void *context, size_t index)
{
    bench_embed *bench = context;
    const vt_buf *file = &bench->files.contents[(bench->next + index) % bench->files.count];
    vt_photo photo = {.bytes = file->data, .length = file->length};
    vt_search_embed(&bench->searcher, &photo, (vt_rect){0}, bench->vectors + index * bench->dim,
                    NULL, &bench->errors[index]);
}

static vt_status embed_pieces(void *context, int64_t count, vt_error *error)
{
    bench_embed *bench = context;
    size_t photos = (size_t)count * BENCH_PIECE;
    vt_free(bench->vectors);
    vt_free(bench->errors);
    bench->vectors = vt_calloc(photos, bench->dim * sizeof *bench->vectors);
    bench->errors = vt_calloc(photos, sizeof *bench->errors);
    if (!bench->vectors || !bench->errors)
        return vt_fail_memory(error, "the vectors");
    vt_pool_for(bench->pool, photos, embed_one, bench);
    bench->next += photos;
    for (size_t i = 0; i < photos; i++)
        if (bench->errors[i].status != VT_OK)
            return vt_fail(error, bench->errors[i].status, "%s", bench->errors[i].message);
    return VT_OK;
}

static vt_status open_all(bench_embed *bench, const char *model, int threads,
                          const vt_encoder_options *options, vt_error *error)
{
    vt_batcher_options batching = vt_batcher_options_defaults();
    batching.runners = threads;
    vt_status status = vt_encoder_open(model, options, &bench->encoder, error);
    if (status != VT_OK)
        return status;
    bench->searcher.encoder = bench->encoder;
    bench->dim = vt_encoder_info_of(bench->encoder).dim;
    status = vt_batcher_new(bench->encoder, &batching, &bench->searcher.batcher, error);
    if (status == VT_OK)
        status = vt_pool_new(threads * BENCH_JOBS_PER_CORE, &bench->pool, error);
    return status;
}

static vt_status serve(bench_embed *bench, const char *vectors, vt_error *error)
{
    vt_status status = embed_pieces(bench, 1, error);
    if (status == VT_OK)
        status = vt_file_replace(vectors, bench->vectors,
                                 BENCH_PIECE * bench->dim * sizeof *bench->vectors, false, error);
    if (status != VT_OK)
        return status;
    printf("{\"photos\": %zu, \"dim\": %zu}\n", bench->files.count, bench->dim);
    fflush(stdout);
    return vt_bench_rounds(embed_pieces, bench, error);
}

int main(int argc, char **argv)
{
    vt_error error = {0};
    vt_encoder_options options = vt_encoder_options_defaults();
    static bench_embed bench;
    int64_t threads;
    options.preset = "imagenet";
    options.unit_length = true;
    if (argc == 3 && strcmp(argv[1], "offers") == 0)
        return take_precision(argv[2], &options) ? 0 : 1;
    if ((argc != 5 && argc != 7) || !vt_parse_int(argv[3], 1, BENCH_THREADS, &threads) ||
        (argc == 7 &&
         (strcmp(argv[5], "--precision") != 0 || !take_precision(argv[6], &options)))) {
        fprintf(stderr, "usage: embed MODEL LIST THREADS VECTORS [--precision NAME]\n"
                        "       embed offers PRECISION\n");
        return 2;
    }
    vt_status status = vt_bench_files_open(&bench.files, argv[2], &error);
    if (status == VT_OK)
        status = open_all(&bench, argv[1], (int)threads, &options, &error);
    if (status == VT_OK)
        status = serve(&bench, argv[4], &error);
    vt_pool_free(bench.pool);
    vt_batcher_free(bench.searcher.batcher);
    vt_encoder_free(bench.encoder);
    vt_free(bench.vectors);
    vt_free(bench.errors);
    vt_bench_files_close(&bench.files);
    if (status != VT_OK)
        fprintf(stderr, "embed: %s\n", error.message);
    return status == VT_OK ? 0 : 1;
}
