/* SPDX-License-Identifier: Apache-2.0 */
/* Small networks on disk for the tests of src/encoder. */
#ifndef VT_TESTS_ENCODER_MODELS_H
#define VT_TESTS_ENCODER_MODELS_H

#include "support/scratch.h"

#include "support/goods.h"
#include "support/onnx_builder.h"

#include "encoder/encoder.h"
#include "vector/distance.h"

#define MODELS_UNUSED __attribute__((unused))

/* Writes the file and frees it. */
MODELS_UNUSED static void model_save(scratch *s, const char *name, vt_buf *file)
{
    assert_false(file->failed);
    scratch_write(s, name, file->data, file->length);
    vt_buf_deinit(file);
}

MODELS_UNUSED static void model_save_tiny(scratch *s, const char *name, const tiny_options *options)
{
    vt_buf file = tiny_build(options);
    model_save(s, name, &file);
}

MODELS_UNUSED static vt_status model_try(scratch *s, const char *name, const char *preset,
                                         const char *output, vt_encoder **out, vt_error *error)
{
    vt_encoder_options options = vt_encoder_options_defaults();
    options.precision = VT_PRECISION_F32; /* what is compared is compared closely */
    options.preset = preset;
    options.output = output;
    return vt_encoder_open(scratch_path(s, name), &options, out, error);
}

MODELS_UNUSED static vt_encoder *model_open(scratch *s, const char *name, const char *preset,
                                            const char *output)
{
    vt_error error = {0};
    vt_encoder *encoder = NULL;
    if (model_try(s, name, preset, output, &encoder, &error) != VT_OK)
        fail_msg("%s", error.message);
    return encoder;
}

/* That the file is refused so, saying `text`. */
MODELS_UNUSED static void model_refused(scratch *s, const char *name, const char *output,
                                        vt_status status, const char *text)
{
    vt_error error = {0};
    vt_encoder *encoder = NULL;
    vt_status got = model_try(s, name, "imagenet", output, &encoder, &error);
    if (got != status || strstr(error.message, text) == NULL)
        fail_msg("%s: status %d, \"%s\"; wanted %d and \"%s\"", name, (int)got, error.message,
                 (int)status, text);
    assert_null(encoder);
}

/* vector: (dim), of good `index` by a batcher of its own. */
MODELS_UNUSED static void model_embed(const vt_encoder *encoder, int index, float *vector)
{
    vt_error error = {0};
    vt_image image = {0};
    vt_batcher *batcher = NULL;
    vt_batcher_options options = vt_batcher_options_defaults();
    options.runners = 1;
    assert_int_equal(goods_draw(index, 0, &image, &error), VT_OK);
    assert_int_equal(vt_batcher_new(encoder, &options, &batcher, &error), VT_OK);
    if (vt_batcher_embed(batcher, &image, 1, vector, &error) != VT_OK)
        fail_msg("%s", error.message);
    vt_batcher_free(batcher);
    vt_image_deinit(&image);
}

MODELS_UNUSED static float model_cosine(const float *a, const float *b, size_t dim)
{
    return vt_distance()->cosine_f32(a, b, dim);
}

#endif
