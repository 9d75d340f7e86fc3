/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of the default encoder as constants of the program; VT_MODEL_FILE is its path. */
#include "builtin_model.h"

    .section .rodata
    .balign 64
    .globl vt_builtin_model
    .hidden vt_builtin_model
    .type vt_builtin_model, %object
vt_builtin_model:
    .incbin VT_MODEL_FILE
    .size vt_builtin_model, . - vt_builtin_model
    .globl vt_builtin_model_end
    .hidden vt_builtin_model_end
    .type vt_builtin_model_end, %object
vt_builtin_model_end:
    .byte 0
    .size vt_builtin_model_end, 1

    .section .note.GNU-stack, "", %progbits
