/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradient of Attention, in plain products over heads.
 *
 * With P the probabilities, Y = P V and P = softmax(S + bias), S = scale Q K' under an optional cap
 * c tanh(. / c): dV = P' dY, dP = dY V', d(S + bias) = P (dP - sum(dP P)), and from there dQ, dK
 * and the mask. Query heads that share a key head lie behind each other as more rows of it, so that
 * the products sum over them.
 *
 * P is computed once more: of attention without mask, diagonal or window as a Softmax, else by
 * Attention itself, asked for its probabilities, so that hidden keys are found in one place. A row
 * that may attend to nothing has P = 0, and so no gradient.
 */
#include "nn/ops/gradients.h"
#include "nn/ops/op.h"

#include <math.h>
#include <string.h>

enum { IN_Q, IN_K, IN_V, IN_MASK, IN_PAST_KEY, IN_PAST_VALUE, IN_VALID };
enum { OUT_Y, OUT_KEY, OUT_VALUE, OUT_SCORES, OUTPUTS };
enum { MAXIMUM_ATTRS = 16, SCORES_SOFTMAX = 3 };

typedef struct heads {
    bool packed; /* (batch, length, heads * size) rather than (batch, heads, length, size) */
    int64_t batch, q_heads, kv_heads, rows, new_keys, past, keys, size, v_size;
    double scale, cap;
    vt_value_id q, k, v; /* (batch, kv_heads, shared * rows, size), (batch, kv_heads, keys, size) */
} heads;

static vt_value_id mul(vt_backward *b, vt_value_id x, vt_value_id y)
{
    return vt_back_op2(b, "Mul", x, y);
}

/* Either of them may be none. */
static vt_value_id sum(vt_backward *b, vt_value_id x, vt_value_id y)
{
    if (x == VT_NO_VALUE || y == VT_NO_VALUE)
        return x == VT_NO_VALUE ? y : x;
    return vt_back_op2(b, "Add", x, y);
}

/* Elements [begin, end) of an axis. */
static vt_value_id part(vt_backward *b, vt_value_id x, int64_t axis, int64_t begin, int64_t end)
{
    if (begin == 0 && end == vt_back_shape(b, x).dims[axis])
        return x;
    const vt_value_id inputs[] = {x, vt_back_ints(b, &begin, 1), vt_back_ints(b, &end, 1),
                                  vt_back_ints(b, &axis, 1)};
    return vt_back_node(b, &(vt_back_call){.op = "Slice", .inputs = inputs, .input_count = 4});
}

/* ---- heads apart ---- */

static const int64_t swap_middle[] = {0, 2, 1, 3};

/* An operand or its gradient, of `count` heads, to (batch, kv_heads, rows of all of them, size). */
static vt_value_id apart(vt_backward *b, const heads *h, vt_value_id x, int64_t count, int64_t size)
{
    const vt_shape shape = vt_back_shape(b, x);
    int64_t length = shape.dims[h->packed ? 1 : 2];
    const vt_shape packed = {4, {h->batch, length, count, size}};
    const vt_shape rows = {4, {h->batch, h->kv_heads, count / h->kv_heads * length, size}};
    if (h->packed)
        x = vt_back_transpose(b, vt_back_reshape(b, x, &packed), swap_middle);
    return vt_back_reshape(b, x, &rows);
}

/* The way back. */
static vt_value_id together(vt_backward *b, const heads *h, vt_value_id x, int64_t count,
                            const vt_shape *shape)
{
    int64_t length = shape->dims[h->packed ? 1 : 2];
    const vt_shape own = {4, {h->batch, count, length, vt_back_shape(b, x).dims[3]}};
    x = vt_back_reshape(b, x, &own);
    if (h->packed)
        x = vt_back_transpose(b, x, swap_middle);
    return vt_back_reshape(b, x, shape);
}

static vt_value_id with_past(vt_backward *b, vt_value_id past, vt_value_id x)
{
    const vt_value_id inputs[] = {past, x};
    const vt_attr axis = VT_BACK_INT("axis", 2);
    if (past == VT_NO_VALUE)
        return x;
    return vt_back_node(
        b,
        &(vt_back_call){
            .op = "Concat", .inputs = inputs, .input_count = 2, .attrs = &axis, .attr_count = 1});
}

/* Shapes were checked when the step was made. */
static void heads_read(vt_backward *b, heads *h)
{
    const vt_shape q = vt_back_shape(b, vt_back_input(b, IN_Q));
    const vt_shape k = vt_back_shape(b, vt_back_input(b, IN_K));
    const vt_shape v = vt_back_shape(b, vt_back_input(b, IN_V));
    const vt_value_id past = vt_back_input(b, IN_PAST_KEY);
    *h = (heads){.packed = q.rank == 3, .batch = q.dims[0]};
    h->q_heads = h->packed ? vt_node_int(&b->node, "q_num_heads", 1) : q.dims[1];
    h->kv_heads = h->packed ? vt_node_int(&b->node, "kv_num_heads", 1) : k.dims[1];
    h->rows = q.dims[h->packed ? 1 : 2];
    h->new_keys = k.dims[h->packed ? 1 : 2];
    h->size = h->packed ? q.dims[2] / h->q_heads : q.dims[3];
    h->v_size = h->packed ? v.dims[2] / h->kv_heads : v.dims[3];
    h->past = past == VT_NO_VALUE ? 0 : vt_back_shape(b, past).dims[2];
    h->keys = h->past + h->new_keys;
    h->cap = (double)vt_node_float(&b->node, "softcap", 0.0f);
    h->scale = vt_node_attr(&b->node, "scale") != NULL
                   ? (double)vt_node_float(&b->node, "scale", 1.0f)
                   : 1.0 / sqrt((double)h->size);
    h->q = apart(b, h, vt_back_input(b, IN_Q), h->q_heads, h->size);
    h->k = with_past(b, past, apart(b, h, vt_back_input(b, IN_K), h->kv_heads, h->size));
    h->v = with_past(b, vt_back_input(b, IN_PAST_VALUE),
                     apart(b, h, vt_back_input(b, IN_V), h->kv_heads, h->v_size));
}

/* ---- probabilities ---- */

static bool is_plain(const vt_backward *b)
{
    return vt_back_input(b, IN_MASK) == VT_NO_VALUE && vt_back_input(b, IN_VALID) == VT_NO_VALUE &&
           vt_node_int(&b->node, "is_causal", 0) == 0 &&
           vt_node_int(&b->node, "left_window_size", -1) < 0 &&
           vt_node_int(&b->node, "right_window_size", -1) < 0;
}

/* tanh(scale Q K' / c), or without a cap scale Q K'. */
static vt_value_id products(vt_backward *b, const heads *h)
{
    vt_value_id scores = vt_back_op2(b, "MatMul", h->q, vt_back_transpose_last(b, h->k));
    if (h->cap <= 0.0)
        return vt_back_scale(b, scores, h->scale);
    return vt_back_op1(b, "Tanh", vt_back_scale(b, scores, h->scale / h->cap));
}

/* The step once more, for the probabilities. */
static vt_value_id asked_for(vt_backward *b)
{
    vt_attr attrs[MAXIMUM_ATTRS];
    size_t count = 0;
    vt_value_id made[OUTPUTS];
    for (size_t i = 0; i < b->node.attr_count && count + 1 < MAXIMUM_ATTRS; i++)
        if (strcmp(b->node.attrs[i].name, "qk_matmul_output_mode") != 0)
            attrs[count++] = b->node.attrs[i];
    attrs[count++] = VT_BACK_INT("qk_matmul_output_mode", SCORES_SOFTMAX);
    vt_back_nodes(b,
                  &(vt_back_call){.op = "Attention",
                                  .opset = b->node.opset,
                                  .inputs = b->node.inputs,
                                  .input_count = b->node.input_count,
                                  .attrs = attrs,
                                  .attr_count = count},
                  made, OUTPUTS);
    return made[OUT_SCORES];
}

/* ---- the rule ---- */

/* Of the mask, which may be shorter than the keys: what is behind it has no gradient. */
static vt_value_id of_mask(vt_backward *b, const heads *h, vt_value_id ds)
{
    const vt_shape mask = vt_back_shape(b, vt_back_input(b, IN_MASK));
    const vt_shape all = {4, {h->batch, h->q_heads, h->rows, h->keys}};
    int64_t width = mask.dims[mask.rank - 1];
    bool repeated = width == 1 && b->node.opset < 24;
    ds = vt_back_reshape(b, ds, &all);
    if (!repeated)
        ds = part(b, ds, 3, 0, width);
    return vt_back_reduce_to(b, ds, &mask);
}

/* To dx of the new keys or values and of the past ones, whole: (batch, kv_heads, keys, size). */
static void give_keys(vt_backward *b, const heads *h, vt_value_id whole, size_t input)
{
    size_t past = input == IN_K ? IN_PAST_KEY : IN_PAST_VALUE;
    if (whole == VT_NO_VALUE)
        return;
    if (vt_back_wants(b, input)) {
        const vt_shape shape = vt_back_shape(b, vt_back_input(b, input));
        b->dx[input] = together(b, h, part(b, whole, 2, h->past, h->keys), h->kv_heads, &shape);
    }
    if (vt_back_wants(b, past))
        b->dx[past] = part(b, whole, 2, 0, h->past);
}

/* d(scale Q K'), from that of the scores behind the cap. */
static vt_value_id through_cap(vt_backward *b, const heads *h, vt_value_id ds, vt_value_id capped)
{
    if (h->cap <= 0.0)
        return ds;
    vt_value_id slope = vt_back_op2(b, "Sub", vt_back_number(b, 1.0, ds), mul(b, capped, capped));
    return mul(b, ds, slope);
}

static void through_softmax(vt_backward *b, const heads *h, vt_value_id *dk, vt_value_id *dv)
{
    static const bool last[VT_MAX_RANK] = {[3] = true};
    const vt_shape rows = {4, {h->batch, h->kv_heads, h->q_heads / h->kv_heads * h->rows, h->keys}};
    vt_value_id dy = apart(b, h, b->dy[OUT_Y], h->q_heads, h->v_size), capped = VT_NO_VALUE, p;
    if (is_plain(b) || h->cap > 0.0)
        capped = products(b, h);
    if (is_plain(b))
        p = vt_back_op1(b, "Softmax", h->cap > 0.0 ? vt_back_scale(b, capped, h->cap) : capped);
    else
        p = vt_back_reshape(b, asked_for(b), &rows);
    *dv = vt_back_op2(b, "MatMul", vt_back_transpose_last(b, p), dy);
    vt_value_id dp = vt_back_op2(b, "MatMul", dy, vt_back_transpose_last(b, h->v));
    vt_value_id inner = vt_back_sum_axes(b, mul(b, dp, p), last);
    vt_value_id ds = mul(b, p, vt_back_op2(b, "Sub", dp, inner));
    if (vt_back_wants(b, IN_MASK))
        b->dx[IN_MASK] = of_mask(b, h, ds);
    ds = vt_back_scale(b, through_cap(b, h, ds, capped), h->scale);
    *dk = vt_back_op2(b, "MatMul", vt_back_transpose_last(b, ds), h->q);
    if (vt_back_wants(b, IN_Q)) {
        const vt_shape shape = vt_back_shape(b, vt_back_input(b, IN_Q));
        b->dx[IN_Q] = together(b, h, vt_back_op2(b, "MatMul", ds, h->k), h->q_heads, &shape);
    }
}

static vt_value_id output_gradient(const vt_backward *b, size_t output)
{
    return output < b->node.output_count ? b->dy[output] : VT_NO_VALUE;
}

void vt_gradient_attention(vt_backward *b)
{
    heads h;
    vt_value_id dk = VT_NO_VALUE, dv = VT_NO_VALUE;
    if (output_gradient(b, OUT_SCORES) != VT_NO_VALUE) {
        vt_back_fail(b, "its scores are used by themselves");
        return;
    }
    heads_read(b, &h);
    if (b->dy[OUT_Y] != VT_NO_VALUE)
        through_softmax(b, &h, &dk, &dv);
    give_keys(b, &h, sum(b, dk, output_gradient(b, OUT_KEY)), IN_K);
    give_keys(b, &h, sum(b, dv, output_gradient(b, OUT_VALUE)), IN_V);
}
