/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All passes, in the order that works.
 *
 * What only moves or copies goes first, so that it does not stand between the parts of a pattern.
 * Patterns are recognised while steps are still plain; what they leave constant is folded; then
 * weights take normalisations in, and only what could not go into weights becomes posts. Dead steps
 * would count as readers, so each pass that leaves some drops them itself; the last walk makes
 * sure.
 */
#include "nn/plan.h"

/* When a pass runs. */
typedef enum pass_need { ALWAYS, FLOATS_ONLY, INTEGERS, HALVES } pass_need;

typedef struct pass_row {
    vt_status (*run)(vt_plan *plan, vt_error *error);
    pass_need need;
} pass_row;

static const pass_row passes[] = {
    {vt_pass_recognise_einsum, ALWAYS},     /* leaves moves that change nothing */
    {vt_pass_cancel_transposes, ALWAYS},    /* Identity and Dropout hide patterns */
    {vt_pass_recognise_activation, ALWAYS}, /* before a scale in it is taken for one of weights */
    {vt_pass_recognise_layernorm, ALWAYS},  /* before fusing takes its Mul and Add */
    {vt_pass_recognise_attention, ALWAYS},  /* may leave Transposes that meet others */
    {vt_pass_cancel_transposes, ALWAYS},    /* again */
    {vt_pass_fold_constants, FLOATS_ONLY},  /* Transposes of weights, say */
    {vt_pass_drop_requantization, INTEGERS},
    {vt_pass_fold_batchnorm, ALWAYS},    /* before posts hide its chain */
    {vt_pass_split_concat, FLOATS_ONLY}, /* with all scales in the weights */
    {vt_pass_fuse_posts, ALWAYS},
    {vt_pass_fuse_quantized, INTEGERS}, /* wants stored weights and folded sums */
    {vt_pass_fold_constants, INTEGERS}, /* the weights that it did not take */
    {vt_pass_fuse_elementwise, ALWAYS}, /* what is left */
    {vt_pass_dead_code, ALWAYS},
    {vt_pass_choose_precision, HALVES},
};

vt_status vt_plan_optimize(vt_plan *plan, vt_precision precision, vt_error *error)
{
    bool integers = precision == VT_PRECISION_INT8 && vt_precision_is_fast(VT_PRECISION_INT8);
    bool halves = (precision == VT_PRECISION_INT8 || precision == VT_PRECISION_BF16) &&
                  vt_precision_is_fast(VT_PRECISION_BF16);
    const bool wanted[] = {
        [ALWAYS] = true, [FLOATS_ONLY] = !integers, [INTEGERS] = integers, [HALVES] = halves};
    vt_status status = vt_plan_acquire_all(plan, error);
    for (size_t i = 0; status == VT_OK && i < sizeof passes / sizeof passes[0]; i++) {
        if (wanted[passes[i].need]) {
            status = passes[i].run(plan, error);
        }
    }
    return status;
}
