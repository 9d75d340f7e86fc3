/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening encoders: `vitrine-s`, the network that the program brings, `classic`, which needs none,
 * or an ONNX file with its contract from metadata or a preset.
 *
 * An encoder is one file: weights outside it are refused, so that its fingerprint covers everything
 * its vectors depend on.
 */
#include "encoder/builtin.h"
#include "encoder/network.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

vt_encoder_options vt_encoder_options_defaults(void)
{
    return (vt_encoder_options){.check_golden = true, .precision = VT_PRECISION_AUTO};
}

static bool is_builtin(const char *source)
{
    return vt_text_equal(source, VT_ENCODER_DEFAULT);
}

static size_t builtin_length(void)
{
    return (size_t)(vt_builtin_model_end - vt_builtin_model);
}

static vt_status set_output(vt_encoder *encoder, const char *output, vt_error *error)
{
    if (!vt_model_has_value(encoder->model, output))
        return vt_fail(error, VT_ERR_NOT_FOUND,
                       "use output \"%s\" of \"%s\": the network has no such value; see "
                       "'vitrine model info'",
                       output, encoder->name);
    if (strlen(output) >= sizeof(encoder->contract.output))
        return vt_fail(error, VT_ERR_LIMIT, "use output \"%.40s...\": longer than 255 bytes",
                       output);
    memcpy(encoder->contract.output, output, strlen(output) + 1);
    return VT_OK;
}

static vt_status choose_contract(vt_encoder *encoder, const vt_encoder_options *options,
                                 vt_error *error)
{
    const char *stored = vt_model_metadata(encoder->model, VT_METADATA_CONTRACT);
    vt_status status;
    if (options->preset != NULL)
        status = vt_contract_preset(options->preset, &encoder->contract, error);
    else if (stored != NULL)
        status = vt_contract_parse(stored, strlen(stored), &encoder->contract, error);
    else
        status = vt_fail(error, VT_ERR_USAGE,
                         "use \"%s\" as an encoder: the file does not say how pictures become its "
                         "input; name a preset (imagenet, caffe, clip, siglip, dinov2, none)",
                         encoder->name);
    if (status != VT_OK)
        return status;
    if (options->output != NULL)
        return set_output(encoder, options->output, error);
    if (options->preset != NULL) {
        const char *feature = vt_model_feature_output(encoder->model);
        return feature != NULL ? set_output(encoder, feature, error) : VT_OK;
    }
    return encoder->contract.output[0] != '\0'
               ? set_output(encoder, encoder->contract.output, error)
               : VT_OK;
}

enum { HASH_BYTES = 4 << 20 }; /* at a time: pages that were hashed need not stay */

/* The file's bytes, without keeping them in memory. */
static vt_status hash_file(const char *path, vt_hasher *hasher, vt_error *error)
{
    vt_mapping file;
    vt_status status = vt_mapping_open(path, VT_ENCODER_FILE_BYTES, &file, error);
    for (size_t at = 0; status == VT_OK && at < file.length; at += HASH_BYTES) {
        size_t part = file.length - at < HASH_BYTES ? file.length - at : HASH_BYTES;
        vt_hasher_add(hasher, file.bytes + at, part);
        vt_mapping_release(&file, at, part);
    }
    if (status == VT_OK)
        vt_mapping_close(&file);
    return status;
}

static vt_status hash_bytes(const vt_encoder *encoder, vt_hasher *hasher, vt_error *error)
{
    if (!is_builtin(encoder->path))
        return hash_file(encoder->path, hasher, error);
    vt_hasher_add(hasher, vt_builtin_model, builtin_length());
    return VT_OK;
}

/* Over the file and how pictures get in and vectors out. */
static vt_status fingerprint(vt_encoder *encoder, vt_error *error)
{
    vt_buf contract;
    vt_hasher hasher;
    vt_buf_init(&contract, 1 << 16);
    vt_hasher_init(&hasher);
    vt_status status = vt_contract_print(&encoder->contract, &contract, error);
    if (status == VT_OK)
        status = hash_bytes(encoder, &hasher, error);
    if (status == VT_OK) {
        vt_hasher_add_text(&hasher, contract.data);
        encoder->fingerprint = vt_hasher_finish(&hasher);
    }
    vt_buf_deinit(&contract);
    return status;
}

static vt_status open_classic(vt_encoder *encoder, const vt_encoder_options *options,
                              vt_error *error)
{
    if (options->preset != NULL || options->output != NULL)
        return vt_fail(error, VT_ERR_USAGE,
                       "use \"classic\": presets and outputs are for networks");
    char identity[32];
    int length = snprintf(identity, sizeof(identity), "classic %d", VT_CLASSIC_VERSION);
    encoder->fingerprint = vt_hash_of(identity, (size_t)length);
    encoder->dim = vt_classic_dim();
    return VT_OK;
}

vt_status vt_encoder_model_open(const char *source, const vt_model_limits *limits, vt_model **out,
                                vt_error *error)
{
    return is_builtin(source)
               ? vt_model_parse(vt_builtin_model, builtin_length(), limits, out, error)
               : vt_model_open(source, limits, out, error);
}

static vt_status open_network(vt_encoder *encoder, const vt_encoder_options *options,
                              vt_error *error)
{
    vt_model_limits limits = vt_model_limits_defaults();
    limits.file_bytes = VT_ENCODER_FILE_BYTES;
    limits.one_file = true;
    vt_status status = vt_encoder_model_open(encoder->path, &limits, &encoder->model, error);
    if (status == VT_OK)
        status = choose_contract(encoder, options, error);
    if (status == VT_OK) {
        encoder->contract.normalize = encoder->contract.normalize || options->unit_length;
        status = vt_network_bind(encoder, error);
    }
    if (status == VT_OK)
        status = fingerprint(encoder, error);
    if (status == VT_OK)
        status = vt_network_measure(encoder, error);
    /* A golden vector belongs to the stored contract; another preset or output has none. */
    encoder->own_contract = options->preset == NULL && options->output == NULL;
    if (status == VT_OK && options->scores)
        status = vt_network_measure_scores(encoder, error);
    return status == VT_OK ? vt_precision_settle(encoder, options, error) : status;
}

vt_status vt_encoder_open(const char *source, const vt_encoder_options *options, vt_encoder **out,
                          vt_error *error)
{
    vt_encoder *encoder = vt_calloc(1, sizeof(*encoder));
    if (encoder == NULL)
        return vt_fail_memory(error, "an encoder");
    bool classic = vt_text_equal(source, "classic");
    encoder->path = vt_strdup(source);
    encoder->name = is_builtin(source) ? vt_strdup(VT_ENCODER_DEFAULT ".onnx")
                                       : vt_strdup(classic ? source : vt_path_base(source));
    vt_status status = encoder->path == NULL || encoder->name == NULL
                           ? vt_fail_memory(error, "an encoder")
                           : VT_OK;
    if (status == VT_OK)
        status =
            classic ? open_classic(encoder, options, error) : open_network(encoder, options, error);
    if (status != VT_OK) {
        vt_encoder_free(encoder);
        return status;
    }
    *out = encoder;
    return VT_OK;
}

void vt_encoder_free(vt_encoder *encoder)
{
    if (encoder == NULL)
        return;
    vt_model_heads_deinit(&encoder->heads);
    vt_model_free(encoder->model);
    vt_free(encoder->name);
    vt_free(encoder->path);
    vt_free(encoder);
}

vt_status vt_encoder_read(const vt_encoder *encoder, vt_buf *file, vt_error *error)
{
    if (!is_builtin(encoder->path))
        return vt_file_read(encoder->path, VT_ENCODER_FILE_BYTES, file, error);
    return vt_buf_append(file, vt_builtin_model, builtin_length())
               ? VT_OK
               : vt_fail_memory(error, "the default encoder");
}

vt_encoder_info vt_encoder_info_of(const vt_encoder *encoder)
{
    vt_encoder_info info = {.name = encoder->name,
                            .dim = encoder->dim,
                            .fingerprint = encoder->fingerprint,
                            .golden_checked = encoder->golden_checked};
    if (encoder->model != NULL) {
        info.contract = &encoder->contract;
        info.precision = &encoder->verdict;
        info.score_count = encoder->score_count;
        if (encoder->score_count > 0)
            info.heads = &encoder->heads;
        vt_pixel_spec_fit(&encoder->contract.pixels, &info.fit_width, &info.fit_height);
    } else {
        /* The subject is cut out before it is scaled down. */
        info.fit_width = info.fit_height = 2 * VT_CLASSIC_SIDE_PX;
    }
    return info;
}
