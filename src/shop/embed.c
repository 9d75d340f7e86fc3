/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Photos to vectors, for use outside vitrine. Each photo that fails keeps its row (zero) and is
 * named with the reason, so that row numbers stay the caller's. When none works there is nothing to
 * keep: the first photo's failure is the answer.
 */
#include "shop/shop.h"

#include "base/file.h"
#include "nn/tensor.h"

#include <string.h>

enum { NPY_HEADER_BYTES = 1 << 16, JOBS_PER_CORE = 2 };

typedef struct embed_work {
    vt_searcher searcher;
    const vt_photo *photos;
    vt_embed_result *result;
    vt_error *errors; /* (count); status VT_OK where all went well */
} embed_work;

static void embed_one(void *context, size_t index)
{
    embed_work *work = context;
    float *row = work->result->vectors + index * work->result->dimension;
    vt_error *error = &work->errors[index];
    error->status = VT_OK;
    if (vt_search_embed(&work->searcher, &work->photos[index], (vt_rect){0}, row, NULL, error) !=
        VT_OK)
        memset(row, 0, work->result->dimension * sizeof(float));
}

static vt_status give_up(const vt_error *reason, vt_error *error)
{
    return vt_fail(error, reason->status, "%s", reason->message);
}

static vt_status collect_failures(vt_embed_result *result, const vt_error *errors, vt_error *error)
{
    size_t failed = 0;
    for (size_t i = 0; i < result->count; i++) {
        failed += errors[i].status != VT_OK;
        /* Says nothing about the photo. */
        if (errors[i].status == VT_ERR_NO_MEMORY)
            return give_up(&errors[i], error);
    }
    if (failed == result->count)
        return give_up(&errors[0], error);
    result->failed = vt_calloc(failed, sizeof(*result->failed));
    if (result->failed == NULL)
        return vt_fail_memory(error, "the list of failures");
    for (size_t i = 0; i < result->count; i++) {
        if (errors[i].status == VT_OK)
            continue;
        char *reason = vt_strdup(errors[i].message);
        if (reason == NULL)
            return vt_fail_memory(error, "the list of failures");
        result->failed[result->failed_count].index = i;
        result->failed[result->failed_count++].reason = reason;
    }
    return VT_OK;
}

static vt_status run(const vt_encoder *encoder, const vt_photo *photos, size_t count,
                     vt_embed_result *result, vt_error *error)
{
    vt_batcher_options options = vt_batcher_options_defaults();
    const vt_precision_verdict *verdict = vt_encoder_info_of(encoder).precision;
    embed_work work = {.searcher = {.encoder = encoder}, .photos = photos, .result = result};
    vt_pool *pool = NULL;
    vt_status status = VT_OK;
    result->count = count;
    result->dimension = vt_encoder_info_of(encoder).dim;
    result->precision = verdict != NULL ? vt_precision_name(verdict->precision) : NULL;
    result->vectors = vt_calloc(count, result->dimension * sizeof(float));
    work.errors = vt_calloc(count, sizeof(vt_error));
    options.bulk = count > (size_t)vt_core_count() * JOBS_PER_CORE;
    if (result->vectors == NULL || work.errors == NULL)
        status = vt_fail_memory(error, "the vectors");
    if (status == VT_OK)
        status = vt_batcher_new(encoder, &options, &work.searcher.batcher, error);
    if (status == VT_OK)
        status = vt_pool_new(count == 1 ? 1 : vt_core_count() * JOBS_PER_CORE, &pool, error);
    if (status == VT_OK) {
        vt_pool_for(pool, count, embed_one, &work);
        status = collect_failures(result, work.errors, error);
    }
    vt_pool_free(pool);
    vt_batcher_free(work.searcher.batcher);
    vt_free(work.errors);
    return status;
}

static vt_status open_source(const vt_init_options *choice, vt_shop **shop, vt_encoder **encoder,
                             vt_error *error)
{
    const char *source = choice->model;
    if (!vt_dir_exists(source)) {
        vt_encoder_options options = vt_encoder_options_defaults();
        vt_status status = vt_precision_of(choice->precision, &options.precision, error);
        if (status != VT_OK)
            return status;
        options.preset = choice->preset;
        options.output = choice->output;
        return vt_encoder_open(source, &options, encoder, error);
    }
    if (choice->preset != NULL || choice->output != NULL)
        return vt_fail(error, VT_ERR_USAGE,
                       "embed with shop \"%s\": its encoder is set; preset and output are for "
                       "model files",
                       source);
    vt_status status = vt_shop_open(source, VT_OPEN_READ, shop, error);
    return status == VT_OK ? vt_shop_use_precision(*shop, choice->precision, error) : status;
}

static vt_status run_in_shop(vt_shop *shop, const vt_photo *photos, size_t count,
                             vt_embed_result *result, vt_error *error)
{
    vt_status status = vt_shop_enter(shop, NULL, error);
    if (status != VT_OK)
        return status;
    status = vt_shop_need_encoder(shop, error);
    if (status == VT_OK)
        status = run(shop->encoder, photos, count, result, error);
    vt_shop_leave(shop);
    return status;
}

vt_status vt_embed_photos(const vt_init_options *choice, const vt_photo *photos, size_t count,
                          vt_embed_result **out, vt_error *error)
{
    if (count == 0)
        return vt_fail(error, VT_ERR_USAGE, "embed: no photo was given");
    vt_shop *shop = NULL;
    vt_encoder *encoder = NULL;
    vt_embed_result *result = vt_calloc(1, sizeof(*result));
    vt_status status = result == NULL ? vt_fail_memory(error, "the vectors") : VT_OK;
    if (status == VT_OK)
        status = open_source(choice, &shop, &encoder, error);
    if (status == VT_OK && shop != NULL)
        status = run_in_shop(shop, photos, count, result, error);
    else if (status == VT_OK)
        status = run(encoder, photos, count, result, error);
    vt_encoder_free(encoder);
    vt_shop_close(shop);
    if (status != VT_OK) {
        vt_embed_result_free(result);
        return status;
    }
    *out = result;
    return VT_OK;
}

void vt_embed_result_free(vt_embed_result *result)
{
    if (result == NULL)
        return;
    for (size_t i = 0; i < result->failed_count; i++)
        vt_free(result->failed[i].reason);
    vt_free(result->failed);
    vt_free(result->vectors);
    vt_free(result);
}

vt_status vt_embed_result_save(const vt_embed_result *result, const char *path, vt_error *error)
{
    size_t bytes = result->count * result->dimension * sizeof(float);
    vt_tensor tensor = {
        .dtype = VT_F32,
        .shape = vt_shape_of(2, (int64_t[]){(int64_t)result->count, (int64_t)result->dimension}),
        .data = result->vectors,
        .bytes = bytes};
    vt_buf file;
    vt_buf_init(&file, bytes + NPY_HEADER_BYTES);
    vt_status status = vt_tensor_write_npy(&tensor, &file, error);
    if (status == VT_OK)
        status = vt_file_replace(path, file.data, file.length, true, error);
    vt_buf_deinit(&file);
    return status;
}
