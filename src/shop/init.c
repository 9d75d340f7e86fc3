/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a shop. The model is opened first, so that a wrong file or preset leaves nothing behind;
 * vitrine.json is written last, so that a directory with one is a whole shop. What a failure leaves
 * half made is taken away again, so that the same command can simply be repeated.
 */
#include "shop/shop.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PACKED_GROWTH_BYTES = 16 << 20 };

vt_init_options vt_init_options_defaults(void)
{
    return (vt_init_options){.model = VT_ENCODER_DEFAULT};
}

static vt_status check_directory(const char *directory, vt_error *error)
{
    bool empty = true;
    if (!vt_dir_exists(directory)) {
        if (vt_file_exists(directory))
            return vt_fail(error, VT_ERR_EXISTS, "make shop \"%s\": a file of that name exists",
                           directory);
        return VT_OK;
    }
    vt_status status = vt_dir_is_empty(directory, &empty, error);
    if (status == VT_OK && !empty)
        status = vt_fail(error, VT_ERR_EXISTS,
                         "make shop \"%s\": the directory exists and is not empty", directory);
    return status;
}

/* The file below models/, with contract and golden picture inside. */
static vt_status copy_model(const vt_encoder *encoder, const char *directory, const char *source,
                            vt_error *error)
{
    vt_buf file;
    vt_buf_init(&file, (size_t)(1 << 30) + PACKED_GROWTH_BYTES);
    char *models = vt_path_join(directory, "models");
    char *path = vt_path_join(directory, source);
    vt_status status = models == NULL || path == NULL ? vt_fail_memory(error, "a path") : VT_OK;
    if (status == VT_OK)
        status = vt_dir_make(models, error);
    if (status == VT_OK)
        status = vt_encoder_pack(encoder, &file, error);
    if (status == VT_OK)
        status = vt_file_replace(path, file.data, file.length, true, error);
    vt_free(models);
    vt_free(path);
    vt_buf_deinit(&file);
    return status;
}

static vt_status name_source(const vt_encoder *encoder, vt_settings *settings, vt_error *error)
{
    vt_encoder_info info = vt_encoder_info_of(encoder);
    const char *folder = info.contract == NULL ? "" : "models/";
    int a = snprintf(settings->name, sizeof(settings->name), "%s", info.name);
    int b = snprintf(settings->source, sizeof(settings->source), "%s%s", folder, info.name);
    if (a < 0 || b < 0 || (size_t)b >= sizeof(settings->source))
        return vt_fail(error, VT_ERR_LIMIT, "use model \"%.60s...\": its name is too long",
                       info.name);
    return VT_OK;
}

static void note_encoder(const vt_encoder *encoder, vt_settings *settings)
{
    vt_encoder_info info = vt_encoder_info_of(encoder);
    settings->dimension = info.dim;
    settings->fingerprint = info.fingerprint;
}

/* The model as it lies in the shop is opened again: its fingerprint is the shop's, and the golden
 * picture is checked on the way. */
static vt_status settle_model(const char *directory, const vt_encoder *encoder,
                              vt_settings *settings, vt_error *error)
{
    if (vt_encoder_info_of(encoder).contract == NULL) {
        note_encoder(encoder, settings);
        return VT_OK;
    }
    vt_status status = copy_model(encoder, directory, settings->source, error);
    char *path = vt_path_join(directory, settings->source);
    if (status == VT_OK && path == NULL)
        status = vt_fail_memory(error, "a path");
    vt_encoder *packed = NULL;
    vt_encoder_options options = vt_precision_options(settings, settings->precision);
    if (status == VT_OK)
        status = vt_encoder_open(path, &options, &packed, error);
    if (status == VT_OK)
        note_encoder(packed, settings);
    if (status == VT_OK && settings->precision == VT_PRECISION_AUTO)
        vt_precision_note(settings, packed);
    vt_encoder_free(packed);
    vt_free(path);
    return status;
}

static vt_status make_store(const char *directory, const vt_settings *settings, vt_error *error)
{
    vt_store *store = NULL;
    uint32_t model = 0;
    vt_status status = vt_store_open(directory, VT_STORE_CREATE, &store, error);
    if (status == VT_OK)
        status = vt_store_model_put(store, &settings->fingerprint, settings->name,
                                    settings->dimension, &model, error);
    vt_store_close(store);
    return status;
}

/* Removes what this file and the store put into the directory, nothing else. */
static void unmake(const char *directory, const vt_settings *settings, bool made_directory)
{
    const char *const files[] = {"vitrine.json",
                                 settings->source,
                                 "catalog.db-wal",
                                 "catalog.db-shm",
                                 "catalog.db.new",
                                 "catalog.db",
                                 "lock"};
    const char *const folders[] = {"models", "thumbs"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char *path = vt_path_join(directory, files[i]);
        if (path != NULL)
            unlink(path);
        vt_free(path);
    }
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        char *path = vt_path_join(directory, folders[i]);
        if (path != NULL)
            rmdir(path);
        vt_free(path);
    }
    if (made_directory)
        rmdir(directory);
}

vt_status vt_shop_init(const char *directory, const vt_init_options *options, vt_error *error)
{
    vt_encoder_options how = vt_encoder_options_defaults();
    how.preset = options->preset;
    how.output = options->output;
    how.unit_length = true;           /* the store compares by dot product */
    how.precision = VT_PRECISION_F32; /* of the golden vector; the packed file settles the shop's */
    vt_encoder *encoder = NULL;
    vt_settings settings = {0};
    vt_status status = vt_precision_of(options->precision, &settings.precision, error);
    if (status == VT_OK)
        status = check_directory(directory, error);
    if (status == VT_OK)
        status = vt_encoder_open(options->model == NULL ? VT_ENCODER_DEFAULT : options->model, &how,
                                 &encoder, error);
    if (status == VT_OK)
        status = name_source(encoder, &settings, error);
    bool made_directory = !vt_dir_exists(directory);
    if (status == VT_OK)
        status = vt_dir_make(directory, error);
    if (status == VT_OK) {
        status = settle_model(directory, encoder, &settings, error);
        if (status == VT_OK)
            status = make_store(directory, &settings, error);
        if (status == VT_OK)
            status = vt_settings_write(directory, &settings, error);
        if (status != VT_OK)
            unmake(directory, &settings, made_directory);
    }
    vt_encoder_free(encoder);
    return status;
}
