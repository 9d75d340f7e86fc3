/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Static quantisation of an encoder: thresholds from pictures, encoders with fewer bits out.
 *
 *     vt_calibration_new(encoder, &calibration, error);
 *     vt_calibration_add(calibration, &image, error);              // for each picture
 *     vt_calibration_options options = vt_calibration_options_defaults();
 *     vt_calibration_finish(calibration, &options, error);
 *     vt_calibration_encoder(calibration, VT_QUANTIZER_ALL, &quantized, error);
 *     vt_calibration_exclude(calibration, node, true);             // and again
 *     vt_calibration_write(calibration, &file, error);
 *
 * Threads: a calibration belongs to one thread at a time; encoders it makes are as any other. It
 * borrows the encoder it is for, and encoders it makes borrow from both.
 */
#ifndef VT_ENCODER_CALIBRATE_H
#define VT_ENCODER_CALIBRATE_H

#include "encoder/encoder.h"
#include "nn/quantize_model.h"

typedef struct vt_calibration vt_calibration;

typedef enum vt_calibration_method {
    VT_CALIBRATION_PERCENTILE,
    VT_CALIBRATION_ENTROPY,
    VT_CALIBRATION_MAXIMUM,
} vt_calibration_method;

typedef struct vt_calibration_options {
    vt_calibration_method method;
    double percentile; /* of PERCENTILE, above 0 to 100 */
} vt_calibration_options;
vt_calibration_options vt_calibration_options_defaults(void); /* percentile 99.99 */

/* VT_ERR_USAGE: the encoder has no network, or one that is quantised already. */
vt_status vt_calibration_new(const vt_encoder *encoder, vt_calibration **out, vt_error *error);
void vt_calibration_free(vt_calibration *calibration); /* NULL is fine */
/* Runs the picture through the network in f32 and notes the ranges of all values of interest. */
vt_status vt_calibration_add(vt_calibration *calibration, const vt_image *image, vt_error *error);
/* Makes thresholds of the ranges. VT_ERR_USAGE without a picture; VT_ERR_MISMATCH when the network
 * computes what is not finite. */
vt_status vt_calibration_finish(vt_calibration *calibration, const vt_calibration_options *options,
                                vt_error *error);

size_t vt_calibration_node_count(const vt_calibration *calibration);
vt_quantizer_node vt_calibration_node_of(const vt_calibration *calibration, size_t index);
void vt_calibration_exclude(vt_calibration *calibration, size_t index, bool excluded);

/* only: a node, or VT_QUANTIZER_ALL. The encoder with all nodes quantised that are not excluded, in
 * int8 where this CPU is fast in it (as it will be run), or with one node alone, in f32; it gives
 * vectors and nothing else (it has no file). */
vt_status vt_calibration_encoder(vt_calibration *calibration, size_t only, vt_encoder **out,
                                 vt_error *error);
/* Appends the quantised encoder as an ONNX file with its contract and a golden picture with the
 * vector that the reference executor gives it. */
vt_status vt_calibration_write(vt_calibration *calibration, vt_buf *file, vt_error *error);

#endif
