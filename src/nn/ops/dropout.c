/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dropout: the input unchanged with a mask of ones, or, from opset 12 in training mode, numbers
 * zeroed at random and the rest scaled by 1 / (1 - ratio).
 *
 * The specification leaves the random numbers open; these are the ones of its own reference
 * implementation, so that results can be compared: Mersenne Twister MT19937 (Matsumoto and
 * Nishimura 1998) seeded with a 32-bit number, two draws per 53-bit fraction. Without a seed it is
 * 0: equal inputs give equal outputs.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

enum { TWISTER_WORDS = 624, TWISTER_SHIFT = 397 };

typedef struct twister {
    uint32_t words[TWISTER_WORDS];
    int next;
} twister;

static void twister_init(twister *state, uint32_t seed)
{
    state->words[0] = seed;
    for (uint32_t i = 1; i < TWISTER_WORDS; i++)
        state->words[i] =
            UINT32_C(1812433253) * (state->words[i - 1] ^ (state->words[i - 1] >> 30)) + i;
    state->next = TWISTER_WORDS;
}

static void twister_turn(twister *state)
{
    for (int i = 0; i < TWISTER_WORDS; i++) {
        uint32_t mixed = (state->words[i] & UINT32_C(0x80000000)) |
                         (state->words[(i + 1) % TWISTER_WORDS] & UINT32_C(0x7fffffff));
        state->words[i] = state->words[(i + TWISTER_SHIFT) % TWISTER_WORDS] ^ (mixed >> 1) ^
                          ((mixed & 1) != 0 ? UINT32_C(0x9908b0df) : 0);
    }
    state->next = 0;
}

static uint32_t twister_draw(twister *state)
{
    if (state->next == TWISTER_WORDS)
        twister_turn(state);
    uint32_t y = state->words[state->next++];
    y ^= y >> 11;
    y ^= (y << 7) & UINT32_C(0x9d2c5680);
    y ^= (y << 15) & UINT32_C(0xefc60000);
    return y ^ (y >> 18);
}

/* [0, 1) with 53 bits. */
static double twister_fraction(twister *state)
{
    uint32_t high = twister_draw(state) >> 5, low = twister_draw(state) >> 6;
    return ((double)high * 67108864.0 + (double)low) / 9007199254740992.0;
}

static vt_status dropout_infer(vt_op_args *args, vt_error *error)
{
    const vt_tensor *ratio = vt_op_input(args, 1), *training = vt_op_input(args, 2);
    vt_dtype mask = args->node->opset < 10 ? args->inputs[0].dtype : VT_BOOL;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, 1, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, 2, VT_TYPE(VT_BOOL), error);
    if (status == VT_OK && ((ratio != NULL && vt_tensor_count(ratio) != 1) ||
                            (training != NULL && vt_tensor_count(training) != 1)))
        status = vt_fail(error, VT_ERR_FORMAT, "ratio or training_mode is not a single value");
    if (status == VT_OK) {
        vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
        vt_op_set_output(args, 1, mask, &args->inputs[0].shape);
    }
    return status;
}

static void dropout_train(vt_op_args *args, double ratio)
{
    const vt_tensor *x = &args->inputs[0];
    twister state;
    size_t count = vt_tensor_count(x);
    double scale = 1.0 / (1.0 - ratio);
    twister_init(&state, (uint32_t)vt_node_int(args->node, "seed", 0));
    for (size_t i = 0; i < count; i++) {
        bool keep = twister_fraction(&state) >= ratio;
        double value = keep ? vt_tensor_get(x, i) * scale : 0.0, mask = keep;
        vt_store_f64(x->dtype, args->outputs[0].data, i, 1, &value);
        if (vt_op_wants(args, 1))
            vt_store_f64(args->outputs[1].dtype, args->outputs[1].data, i, 1, &mask);
    }
}

static vt_status dropout_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *ratio = vt_op_input(args, 1), *training = vt_op_input(args, 2);
    double share = ratio == NULL ? 0.5 : vt_tensor_get(ratio, 0);
    if (training != NULL && vt_tensor_get(training, 0) != 0.0 && share != 0.0) {
        if (!(share > 0.0 && share < 1.0))
            return vt_fail(error, VT_ERR_FORMAT, "ratio %g is outside [0, 1)", share);
        dropout_train(args, share);
        return VT_OK;
    }
    memcpy(args->outputs[0].data, args->inputs[0].data, args->outputs[0].bytes);
    const double one = 1.0;
    for (size_t i = 0; vt_op_wants(args, 1) && i < vt_tensor_count(&args->outputs[1]); i++)
        vt_store_f64(args->outputs[1].dtype, args->outputs[1].data, i, 1, &one);
    return VT_OK;
}

const vt_op vt_ops_dropout[] = {
    {"Dropout", "", 6, 6, 1, 1, 1, 2, "ratio:f is_test:i", .flags = VT_OP_DRAWS,
     .infer = dropout_infer, .reference = dropout_reference},
    {"Dropout", "", 7, 11, 1, 1, 1, 2, "ratio:f", .flags = VT_OP_DRAWS, .infer = dropout_infer,
     .reference = dropout_reference},
    {"Dropout", "", 12, 0, 1, 3, 1, 2, "seed:i", .flags = VT_OP_DRAWS, .infer = dropout_infer,
     .reference = dropout_reference},
    {0},
};
