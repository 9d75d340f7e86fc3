/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From steps of elementwise operators to one program (nn/elementwise.h), for the pass that fuses
 * them.
 *
 *     vt_emitter emitter;
 *     vt_emit_begin(&emitter, plan);
 *     vt_emit_step(&emitter, step) ...                 // in order; false: cannot be part of it
 *     vt_emit_end(&emitter, result, &program)          // false: too large
 *
 * Threads: no shared state.
 */
#ifndef VT_NN_PASSES_ELEMENTWISE_EMIT_H
#define VT_NN_PASSES_ELEMENTWISE_EMIT_H

#include "nn/elementwise.h"
#include "nn/plan.h"

/* While a program grows its registers have names of their own: operands from 0, constants from
 * VT_EMIT_CONSTANTS, results from VT_EMIT_RESULTS, one per instruction. */
enum { VT_EMIT_CONSTANTS = 100, VT_EMIT_RESULTS = 200, VT_EMIT_STEPS = 32 };

typedef struct vt_emitter {
    const vt_plan *plan;
    vt_dtype dtype; /* of the floats; NONE: not known yet */
    bool failed;
    vt_value_id inputs[VT_ELEMENTWISE_INPUTS];
    int input_count, constant_count, instruction_count;
    float constants[VT_ELEMENTWISE_REGISTERS];
    vt_elementwise_instruction instructions[VT_ELEMENTWISE_INSTRUCTIONS];
    struct {
        vt_value_id value;
        int name; /* of the register that holds it */
    } results[VT_EMIT_STEPS];
    int result_count;
} vt_emitter;

/* Whether the operator has a form here at all (its operands may still not fit). */
bool vt_emit_knows(const vt_step *step);
void vt_emit_begin(vt_emitter *emitter, const vt_plan *plan);
bool vt_emit_step(vt_emitter *emitter, const vt_step *step);
/* Gives out the registers: the value `result` is what the program makes. */
bool vt_emit_end(vt_emitter *emitter, vt_value_id result, vt_elementwise *out);

#endif
