/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/encoder: the default encoder, models/vitrine-s.onnx, which lies in the program itself.
 *
 * Threads: constants.
 */
#ifndef VT_ENCODER_BUILTIN_H
#define VT_ENCODER_BUILTIN_H

#include <stddef.h>

/* The file's bytes; constant, of the program. */
extern const unsigned char vt_builtin_model[], vt_builtin_model_end[];

#endif
