/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of elementwise operations: what the internal operator Elementwise computes, inside
 * src/nn.
 *
 * A program works on registers that each hold one element (or, in the loop, one block of elements)
 * of the result. Registers 0 .. input_count - 1 are the operands, broadcast to the result's shape;
 * the next constant_count are constants; the others are written by instructions. The result is what
 * the last instruction writes. Truth values are 0 and 1.
 *
 *     node attributes "code" (VT_ELEMENTWISE_FIELDS numbers per instruction: the code, the register
 *     it writes, three it reads, -1 where it reads fewer) and "constants"
 *         -> vt_elementwise_read -> vt_elementwise (checked: safe to run as it is)
 *
 * passes/fuse_elementwise.c writes programs, ops/elementwise.c reads them and is their plain
 * meaning, kernels/ runs them fast.
 *
 * Threads: no state.
 */
#ifndef VT_NN_ELEMENTWISE_H
#define VT_NN_ELEMENTWISE_H

#include "nn/graph.h"

/* Name, and how many registers it reads. */
#define VT_ELEMENTWISE_CODES(X)                                                                    \
    X(COPY, 1)                                                                                     \
    X(ABS, 1)                                                                                      \
    X(NEG, 1)                                                                                      \
    X(SIGN, 1)                                                                                     \
    X(FLOOR, 1)                                                                                    \
    X(CEIL, 1)                                                                                     \
    X(ROUND, 1) /* ties to even */                                                                 \
    X(SQRT, 1)                                                                                     \
    X(RECIPROCAL, 1)                                                                               \
    X(RELU, 1)                                                                                     \
    X(EXP, 1)                                                                                      \
    X(EXPM1, 1)                                                                                    \
    X(LOG, 1)                                                                                      \
    X(TANH, 1)                                                                                     \
    X(SIGMOID, 1)                                                                                  \
    X(SOFTPLUS, 1)                                                                                 \
    X(ERF, 1)                                                                                      \
    X(SIN, 1)                                                                                      \
    X(COS, 1)                                                                                      \
    X(TAN, 1)                                                                                      \
    X(ASIN, 1)                                                                                     \
    X(ACOS, 1)                                                                                     \
    X(ATAN, 1)                                                                                     \
    X(SINH, 1)                                                                                     \
    X(COSH, 1)                                                                                     \
    X(ASINH, 1)                                                                                    \
    X(ACOSH, 1)                                                                                    \
    X(ATANH, 1)                                                                                    \
    X(NOT, 1)                                                                                      \
    X(IS_NAN, 1)                                                                                   \
    X(ADD, 2)                                                                                      \
    X(SUB, 2)                                                                                      \
    X(MUL, 2)                                                                                      \
    X(DIV, 2)                                                                                      \
    X(MIN, 2) /* NaN wins */                                                                       \
    X(MAX, 2)                                                                                      \
    X(AT_LEAST, 2) /* x, but y where x is below it; a NaN in x stays, one in y does nothing */     \
    X(AT_MOST, 2)                                                                                  \
    X(POW, 2)                                                                                      \
    X(MOD, 2)  /* sign of the divisor */                                                           \
    X(FMOD, 2) /* sign of the dividend */                                                          \
    X(EQUAL, 2)                                                                                    \
    X(LESS, 2)                                                                                     \
    X(LESS_EQUAL, 2)                                                                               \
    X(GREATER, 2)                                                                                  \
    X(GREATER_EQUAL, 2)                                                                            \
    X(AND, 2)                                                                                      \
    X(OR, 2)                                                                                       \
    X(XOR, 2)                                                                                      \
    X(SELECT, 3) /* y where x is not 0, else z */

#define VT_ELEMENTWISE_ENUM(name, arity) VT_ELEMENTWISE_##name,
typedef enum vt_elementwise_code {
    VT_ELEMENTWISE_CODES(VT_ELEMENTWISE_ENUM) VT_ELEMENTWISE_CODE_COUNT
} vt_elementwise_code;

enum {
    VT_ELEMENTWISE_INPUTS = 8,
    VT_ELEMENTWISE_INSTRUCTIONS = 32,
    VT_ELEMENTWISE_REGISTERS = 48, /* operands, constants and results together */
    VT_ELEMENTWISE_READS = 3,
    VT_ELEMENTWISE_FIELDS = 2 + VT_ELEMENTWISE_READS,
};

typedef struct vt_elementwise_instruction {
    vt_elementwise_code code;
    int target;                        /* never one of those it reads */
    int sources[VT_ELEMENTWISE_READS]; /* -1 behind the last */
} vt_elementwise_instruction;

typedef struct vt_elementwise {
    int input_count, constant_count, instruction_count;
    int register_count; /* those in use are below */
    float constants[VT_ELEMENTWISE_REGISTERS];
    vt_elementwise_instruction instructions[VT_ELEMENTWISE_INSTRUCTIONS];
} vt_elementwise;

/* ---- ops/elementwise.c ---- */
int vt_elementwise_arity(vt_elementwise_code code);
/* The program of a node of the operator, checked whole. */
vt_status vt_elementwise_read(const vt_node *node, vt_elementwise *out, vt_error *error);
/* The domain and name under which vt_op_find knows the operator; models cannot name it. */
#define VT_ELEMENTWISE_DOMAIN "vitrine"
#define VT_ELEMENTWISE_NAME   "Elementwise"

#endif
