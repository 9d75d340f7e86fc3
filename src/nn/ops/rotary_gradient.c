/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradient of RotaryEmbedding by what it turns: turned back, which is the same with sines of
 * the other sign.
 *
 * The tables of cosines and sines are numbers of positions, not weights: no gradient is passed to
 * them.
 */
#include "nn/ops/gradients.h"

void vt_gradient_rotary(vt_backward *b)
{
    const vt_value_id inputs[] = {b->dy[0], vt_back_input(b, 1),
                                  vt_back_op1(b, "Neg", vt_back_input(b, 2)), vt_back_input(b, 3)};
    b->dx[0] = vt_back_same(b, inputs, 4);
}
