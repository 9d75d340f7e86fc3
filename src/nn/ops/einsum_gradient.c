/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradient of Einsum: for each operand again one, of the result's gradient and all other
 * operands, whose result has the operand's labels.
 *
 * That is all for an operand that has each label once, and shares it with the result or another
 * operand. Otherwise more follows: along what the operand alone has, and sums, it is repeated;
 * beside a diagonal it is 0, by a product with a unit matrix. Axes of one element are left out of
 * the Einsum, so that it sums what they were repeated along.
 */
#include "nn/ops/einsum.h"
#include "nn/ops/gradients.h"

#include <assert.h>
#include <string.h>

enum { TEXT_BYTES = (VT_EINSUM_OPERANDS + 1) * (VT_MAX_RANK + 1) + 2 };

static bool has_label(const vt_einsum_term *term, int label)
{
    for (int i = 0; i < term->rank; i++)
        if (term->labels[i] == label)
            return true;
    return false;
}

/* The labels, each once, of axes of more than one element, that the result or another operand has
 * as well: in the order of these axes. */
static vt_einsum_term shared_labels(const vt_einsum *e, int operand, const vt_shape *shape)
{
    const vt_einsum_term *term = &e->in[operand];
    vt_einsum_term shared = {0};
    for (int i = 0; i < term->rank; i++) {
        int label = term->labels[i];
        bool known = has_label(&e->out, label);
        for (int k = 0; k < e->operands; k++)
            known = known || (k != operand && has_label(&e->in[k], label));
        if (known && shape->dims[i] != 1 && !has_label(&shared, label))
            shared.labels[shared.rank++] = label;
    }
    return shared;
}

/* Letters for all labels, those of "..." too. Labels of one element, which no gradient has, share
 * the first one; of others there are fewer than letters, or there were 2^51 products to sum. */
static void choose_letters(const vt_einsum *e, char letters[VT_EINSUM_LABELS])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    int used = 0;
    for (int label = 0; label < VT_EINSUM_LABELS; label++) {
        bool own = e->dims[label] > 1;
        assert(!own || used + 1 < VT_EINSUM_LETTERS);
        letters[label] = alphabet[own ? ++used : 0];
    }
}

static char *put_term(char *at, const vt_einsum_term *term, const char letters[VT_EINSUM_LABELS])
{
    for (int i = 0; i < term->rank; i++)
        *at++ = letters[term->labels[i]];
    return at;
}

/* The sums of products of dy and all other operands, with these labels. */
static vt_value_id sum_products(vt_backward *b, const vt_einsum *e, int operand,
                                const vt_einsum_term *result)
{
    char letters[VT_EINSUM_LABELS], text[TEXT_BYTES];
    vt_value_id inputs[VT_EINSUM_OPERANDS] = {b->dy[0]};
    size_t count = 1;
    choose_letters(e, letters);
    char *at = put_term(text, &e->out, letters);
    for (int k = 0; k < e->operands; k++) {
        if (k == operand)
            continue;
        *at++ = ',';
        at = put_term(at, &e->in[k], letters);
        inputs[count++] = vt_back_input(b, (size_t)k);
    }
    memcpy(at, "->", 2);
    at = put_term(at + 2, result, letters);
    *at = '\0';
    const vt_attr equation = VT_BACK_TEXT("equation", text);
    return vt_back_node(b, &(vt_back_call){.op = "Einsum",
                                           .inputs = inputs,
                                           .input_count = count,
                                           .attrs = &equation,
                                           .attr_count = 1});
}

/* The axis before this one that has the same label, -1: none. */
static int axis_before(const vt_einsum_term *term, const vt_shape *shape, int axis)
{
    for (int i = 0; i < axis && shape->dims[axis] != 1; i++)
        if (term->labels[i] == term->labels[axis] && shape->dims[i] != 1)
            return i;
    return -1;
}

/* d, with the shared labels, to the operand's shape. */
static vt_value_id spread(vt_backward *b, const vt_einsum_term *term, const vt_einsum_term *shared,
                          const vt_shape *shape, vt_value_id d)
{
    const vt_shape have = vt_back_shape(b, d);
    vt_shape room = {.rank = shape->rank};
    for (int i = 0, at = 0; i < shape->rank; i++) {
        bool next =
            at < shared->rank && shape->dims[i] != 1 && term->labels[i] == shared->labels[at];
        room.dims[i] = next ? have.dims[at++] : 1;
    }
    d = vt_back_reshape(b, d, &room);
    for (int i = 0; i < shape->rank; i++) {
        int before = axis_before(term, shape, i);
        if (before == -1)
            continue;
        vt_shape square = {.rank = shape->rank};
        for (int k = 0; k < shape->rank; k++)
            square.dims[k] = k == i || k == before ? shape->dims[i] : 1;
        d = vt_back_op2(b, "Mul", d, vt_back_unit(b, &square, shape->dims[i], d));
    }
    return vt_back_expand(b, d, shape);
}

void vt_gradient_einsum(vt_backward *b)
{
    vt_einsum e;
    vt_tensor inputs[VT_EINSUM_OPERANDS] = {0};
    const vt_op_args args = {.graph = b->plan->graph, .node = &b->node, .inputs = inputs};
    bool nothing = false;
    for (size_t i = 0; i < b->node.input_count && i < VT_EINSUM_OPERANDS; i++)
        inputs[i].shape = vt_back_shape(b, vt_back_input(b, i));
    b->status = vt_einsum_init(&e, &args, b->error);
    if (b->status != VT_OK)
        return;
    for (int label = 0; label < VT_EINSUM_LABELS; label++)
        nothing = nothing || e.dims[label] == 0;
    for (int i = 0; i < e.operands; i++) {
        if (!vt_back_wants(b, (size_t)i))
            continue;
        const vt_shape *shape = &inputs[i].shape;
        const vt_einsum_term shared = shared_labels(&e, i, shape);
        b->dx[i] = nothing ? vt_back_full(b, 0.0, shape, b->dy[0])
                           : spread(b, &e.in[i], &shared, shape, sum_products(b, &e, i, &shared));
    }
}
