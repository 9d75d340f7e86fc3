/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arithmetic of two tensors, and sums of several.
 *
 * The operand that already has the result's shape sets the layout; the other one follows it when it
 * has that shape too, else it is broadcast from row-major order. oneDNN broadcasts the second
 * operand only: for a commutative operator the two are exchanged, for Sub and Div with the larger
 * operand on the right, and where both are broadcast, the reference runs.
 */
#include "nn/dnnl/lower.h"

#include <string.h>

typedef struct binary {
    const char *op;
    dnnl_alg_kind_t algorithm;
    bool commutes;
} binary;

static const binary table[] = {
    {"Add", dnnl_binary_add, true},  {"Sum", dnnl_binary_add, true},
    {"Mul", dnnl_binary_mul, true},  {"Sub", dnnl_binary_sub, false},
    {"Div", dnnl_binary_div, false}, {"Min", dnnl_binary_min, true},
    {"Max", dnnl_binary_max, true},
};

static const binary *find_binary(const char *op)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].op, op) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

static bool is_blocked(const vt_layout *layout)
{
    return !vt_layout_is_plain(layout);
}

/* A broadcast operand's layout, with ones in front up to the result's rank. */
static vt_layout *broadcast_layout(const vt_shape *result, const vt_shape *shape, vt_dtype dtype,
                                   bool any)
{
    int64_t dims[VT_MAX_RANK];
    for (int i = 0; i < result->rank; i++) {
        int at = i - (result->rank - shape->rank);
        dims[i] = at < 0 ? 1 : shape->dims[at];
    }
    return any ? vt_layout_new_any(result->rank, dims, dtype)
               : vt_layout_new_plain(result->rank, dims, dtype);
}

/* The layout of the whole-shaped operand; when both are, a blocked one wins. */
static vt_status first_layout(vt_dnnl *dnnl, const vt_step *step, const vt_value_id values[2],
                              bool both, vt_layout **out, vt_error *error)
{
    vt_layout *layout = NULL, *other = NULL;
    vt_status status = vt_dnnl_form_layout(dnnl, values[0], step->compute, &layout, error);
    if (status == VT_OK && both && !is_blocked(layout)) {
        status = vt_dnnl_form_layout(dnnl, values[1], step->compute, &other, error);
        if (status == VT_OK && is_blocked(other)) {
            vt_layout *swap = layout;
            layout = other;
            other = swap;
        }
    }
    vt_layout_free(other);
    if (status != VT_OK) {
        vt_layout_free(layout);
        return status;
    }
    *out = layout;
    return VT_OK;
}

/* Describes the primitive with the second operand of the first one's shape in its layout, else in
 * row-major order, else (where oneDNN has only slow code for that, as 2.6 for gates over blocked
 * maps on AVX2) in the layout it would like. */
typedef struct pair_call {
    dnnl_alg_kind_t algorithm;
    vt_layout *layouts[3];
    vt_posts posts;
} pair_call;

static vt_status describe(vt_dnnl *dnnl, const vt_step *step, const vt_shape *second,
                          pair_call *call, dnnl_primitive_desc_t *desc, vt_error *error)
{
    vt_layout **layouts = call->layouts;
    const vt_shape *result = &dnnl->plan->values[step->node.outputs[0]].tensor.shape;
    bool whole = vt_shape_equal(result, second), possible;
    layouts[2] = vt_layout_dup(layouts[0]);
    for (int any = 0; any < (whole ? 1 : 2); any++) {
        dnnl_primitive_desc_t other = NULL;
        vt_layout_free(layouts[1]);
        layouts[1] = whole ? vt_layout_dup(layouts[0])
                           : broadcast_layout(result, second, step->compute, any);
        if (!layouts[1] || !layouts[2]) {
            return vt_fail_memory(error, "the layouts of a step");
        }
        vt_status status =
            vt_lower_answer(vt_pd_binary(dnnl->engine, call->algorithm,
                                         (const vt_layout *const *)layouts, &call->posts, &other),
                            &possible, error);
        if (status != VT_OK) {
            return status;
        }
        if (possible && *desc && vt_pd_is_slow(other)) {
            dnnl_primitive_desc_destroy(other);
        } else if (possible) {
            if (*desc) {
                dnnl_primitive_desc_destroy(*desc);
            }
            *desc = other;
        }
        if (*desc && !vt_pd_is_slow(*desc)) {
            break;
        }
    }
    return VT_OK;
}

/* values[0] has the shape of the result. */
static vt_status lower_pair(vt_dnnl *dnnl, const vt_step *step, const vt_value_id values[2],
                            dnnl_alg_kind_t algorithm, bool *done, vt_error *error)
{
    const vt_shape *result = &dnnl->plan->values[step->node.outputs[0]].tensor.shape;
    const vt_shape *second = &dnnl->plan->values[values[1]].tensor.shape;
    pair_call call = {.algorithm = algorithm};
    dnnl_primitive_desc_t desc = NULL;
    bool possible = false;
    vt_operand operands[VT_LOWER_OPERANDS] = {
        {.name = DNNL_ARG_SRC_0, .value = values[0], .query = dnnl_query_src_md},
        {.name = DNNL_ARG_SRC_1, .value = values[1], .query = dnnl_query_src_md, .index = 1},
        {.name = DNNL_ARG_DST,
         .value = step->node.outputs[0],
         .query = dnnl_query_dst_md,
         .written = true},
    };
    vt_status status = vt_lower_posts(dnnl, step, result, &call.posts, &possible, error);
    if (status == VT_OK && possible) {
        status = first_layout(dnnl, step, values, vt_shape_equal(result, second), &call.layouts[0],
                              error);
    }
    if (status == VT_OK && possible) {
        status = describe(dnnl, step, second, &call, &desc, error);
    }
    int count = vt_lower_post_operands(&call.posts, operands, 3);
    vt_lower_layouts_free(call.layouts, 3);
    vt_lower_posts_deinit(&call.posts);
    if (status != VT_OK || !desc) {
        if (desc) {
            dnnl_primitive_desc_destroy(desc);
        }
        return status;
    }
    *done = true;
    return vt_lower_primitive(dnnl, step, desc, operands, count, error);
}

vt_status vt_lower_binary(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                          vt_error *error)
{
    const binary *row = find_binary(step->node.op->name);
    const vt_shape *result = &args->outputs[0].shape;
    if (!row || step->node.input_count != 2 || result->rank < 1) {
        return VT_OK;
    }
    vt_value_id values[2] = {step->node.inputs[0], step->node.inputs[1]};
    bool whole[2] = {vt_shape_equal(&args->inputs[0].shape, result),
                     vt_shape_equal(&args->inputs[1].shape, result)};
    if (!whole[0] && whole[1] && row->commutes) {
        values[0] = step->node.inputs[1];
        values[1] = step->node.inputs[0];
    } else if (!whole[0]) {
        return VT_OK;
    }
    return lower_pair(dnnl, step, values, row->algorithm, done, error);
}

/* ---- Sum ---- */

/* All operands of one shape. */
static vt_status sum_several(vt_dnnl *dnnl, const vt_step *step, bool *done, vt_error *error)
{
    const vt_node *node = &step->node;
    int count = (int)node->input_count;
    vt_layout *layout = NULL;
    dnnl_primitive_desc_t desc = NULL;
    const vt_layout **sources = vt_alloc_array(node->input_count, sizeof *sources);
    vt_status status =
        sources ? vt_dnnl_form_layout(dnnl, node->inputs[0], step->compute, &layout, error)
                : vt_fail_memory(error, "a sum");
    if (status != VT_OK) {
        goto out;
    }
    for (int i = 0; i < count; i++) {
        sources[i] = layout;
    }
    status = vt_lower_answer(vt_pd_sum(dnnl->engine, sources, count, layout, &desc), done, error);
    if (status == VT_OK && *done) {
        status = vt_lower_variadic(dnnl, step, desc, error);
    }
out:
    vt_layout_free(layout);
    vt_free(sources);
    return status;
}

/* The sum of two, with the others behind it. */
static vt_status sum_as_posts(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                              vt_error *error)
{
    size_t count = step->node.input_count;
    if (count > 2 + VT_STEP_POSTS) {
        return VT_OK;
    }
    vt_step *pair = vt_arena_array(&dnnl->arena, 1, sizeof *pair);
    if (!pair) {
        return vt_fail_memory(error, "a sum");
    }
    *pair = *step;
    pair->node.input_count = 2;
    for (size_t i = 2; i < count; i++) {
        const vt_step_post post = {.kind = VT_POST_ADD, .operand = step->node.inputs[i]};
        vt_step_post_add(pair, &post);
    }
    return vt_lower_binary(dnnl, pair, args, done, error);
}

vt_status vt_lower_sum(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                       vt_error *error)
{
    enum { OPERANDS_MAXIMUM = 64 };
    if (step->node.input_count == 2) {
        return vt_lower_binary(dnnl, step, args, done, error);
    }
    if (step->node.input_count == 1 && step->post_count == 0) {
        return vt_lower_alias(dnnl, step, args, done, error);
    }
    if (step->post_count > 0 || step->node.input_count < 2 ||
        step->node.input_count > OPERANDS_MAXIMUM) {
        return VT_OK;
    }
    for (size_t i = 0; i < step->node.input_count; i++) {
        if (!vt_shape_equal(&args->inputs[i].shape, &args->outputs[0].shape)) {
            return VT_OK;
        }
    }
    return VT_SUM_MAY_DIVIDE_BY_ZERO ? sum_as_posts(dnnl, step, args, done, error)
                                     : sum_several(dnnl, step, done, error);
}
