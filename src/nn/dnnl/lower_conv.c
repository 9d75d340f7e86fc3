/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conv in one to three dimensions, with groups, dilation and uneven padding.
 *
 * Source, weights and result are left to oneDNN's choice, so that a chain of convolutions stays in
 * blocks of channels and the weights are arranged once, when the runner is made. Winograd's
 * algorithm, which loses digits, is asked for where the plan allows it: winograd.c.
 */
#include "nn/dnnl/lower.h"
#include "nn/ops/op.h"

vt_layout *vt_lower_conv_weights(const vt_shape *weights, int64_t groups, vt_dtype dtype)
{
    int64_t dims[VT_MAX_RANK + 1];
    if (groups == 1) {
        return vt_layout_new_any(weights->rank, weights->dims, dtype);
    }
    dims[0] = groups;
    dims[1] = weights->dims[0] / groups;
    for (int i = 1; i < weights->rank; i++) {
        dims[i + 1] = weights->dims[i];
    }
    return vt_layout_new_any(weights->rank + 1, dims, dtype);
}

bool vt_lower_conv_window(const vt_window *window, vt_pd_window *out)
{
    *out = (vt_pd_window){0};
    for (int i = 0; i < window->rank; i++) {
        out->kernel[i] = window->kernel[i];
        out->strides[i] = window->stride[i];
        out->dilates[i] = window->dilation[i] - 1;
        out->low[i] = window->pad_begin[i];
        out->high[i] = window->pad_end[i];
    }
    return vt_lower_window_fits(out, window->rank);
}

/* Replaces the layouts of source and result by those that the gradient of the weights will read:
 * maps of training are read three times, and a layout that is only the best for the first of these
 * is brought into another one for the others. They stay as they are where there is none. */
static vt_status follow_backward(vt_dnnl *dnnl, const vt_pd_window *window, const vt_step *step,
                                 vt_layout *layouts[4], vt_error *error)
{
    dnnl_primitive_desc_t desc = NULL;
    vt_layout *gradients[2] = {NULL, NULL}, *chosen[2] = {NULL, NULL};
    bool possible = false;
    vt_layout_view weights = vt_layout_view_of(layouts[1]), view = vt_layout_view_of(layouts[3]);
    gradients[0] = vt_layout_new_any(weights.rank, weights.dims, VT_F32);
    gradients[1] = vt_layout_new_any(view.rank, view.dims, step->compute);
    vt_status status = gradients[0] && gradients[1]
                           ? VT_OK
                           : vt_fail_memory(error, "the layouts of a convolution");
    if (status == VT_OK) {
        const vt_layout *const used[4] = {layouts[0], gradients[0], NULL, gradients[1]};
        status =
            vt_lower_answer(vt_pd_convolution_backward_weights(dnnl->engine, used, window, &desc),
                            &possible, error);
    }
    if (status == VT_OK && possible) {
        chosen[0] = vt_layout_dup(vt_pd_layout(desc, dnnl_query_src_md, 0));
        if (!chosen[0] || !vt_layout_retype(vt_pd_layout(desc, dnnl_query_diff_dst_md, 0),
                                            step->result, &chosen[1])) {
            status = vt_fail_memory(error, "the layouts of a convolution");
        }
        dnnl_primitive_desc_destroy(desc);
    }
    if (status == VT_OK && chosen[0] && chosen[1]) {
        vt_layout_free(layouts[0]);
        vt_layout_free(layouts[3]);
        layouts[0] = chosen[0];
        layouts[3] = chosen[1];
    } else {
        vt_lower_layouts_free(chosen, 2);
    }
    vt_lower_layouts_free(gradients, 2);
    return status;
}

static vt_status add_primitive(vt_dnnl *dnnl, const vt_step *step, dnnl_primitive_desc_t desc,
                               const vt_posts *posts, const vt_lower_quant *quant, vt_error *error)
{
    const vt_node *node = &step->node;
    vt_operand operands[VT_LOWER_OPERANDS] = {
        {.name = DNNL_ARG_SRC, .value = node->inputs[0], .query = dnnl_query_src_md},
        {.name = DNNL_ARG_WEIGHTS, .value = node->inputs[1], .query = dnnl_query_weights_md},
        {.name = DNNL_ARG_DST,
         .value = node->outputs[0],
         .query = dnnl_query_dst_md,
         .written = true,
         .onto = vt_lower_sum_of(posts)},
    };
    int count = 3;
    if (step->quant) {
        count = vt_lower_quant_operands(quant, operands, count);
    } else if (node->input_count > 2 && node->inputs[2] != VT_NO_VALUE) {
        operands[count++] = (vt_operand){.name = DNNL_ARG_BIAS,
                                         .value = node->inputs[2],
                                         .query = dnnl_query_weights_md,
                                         .index = 1};
    }
    count = vt_lower_post_operands(posts, operands, count);
    return vt_lower_primitive(dnnl, step, desc, operands, count, error);
}

typedef struct description {
    const vt_pd_window *window;
    vt_layout **layouts; /* source, weights, bias, result; may be exchanged */
    vt_posts *posts;
    vt_lower_quant *quant;
    vt_value_id bias;
} description;

static dnnl_status_t ask(vt_dnnl *dnnl, const description *d, dnnl_primitive_desc_t *out)
{
    return vt_pd_convolution(dnnl->engine, (const vt_layout *const *)d->layouts, d->window,
                             d->posts, out);
}

/* oneDNN has quick code for a sum in few places of a list (not behind a GELU, nor always behind a
 * ReLU), and else a plain loop, a hundred times as slow: there the sum becomes the addition of an
 * operand, and where that does not help the posts are left to others. */
static vt_status ask_quick(vt_dnnl *dnnl, const vt_step *step, const vt_shape *result,
                           const description *d, dnnl_primitive_desc_t *out, bool *done,
                           vt_error *error)
{
    bool possible = true;
    vt_status status = vt_lower_answer(ask(dnnl, d, out), done, error);
    if (status != VT_OK || !*done || step->quant || !vt_lower_sum_of(d->posts) ||
        !vt_pd_is_slow(*out)) {
        return status;
    }
    dnnl_primitive_desc_destroy(*out);
    *done = false;
    vt_lower_posts_deinit(d->posts);
    d->posts->sums = false;
    status = vt_lower_posts(dnnl, step, result, d->posts, &possible, error);
    if (status == VT_OK && possible) {
        status = vt_lower_answer(ask(dnnl, d, out), done, error);
    }
    if (status == VT_OK && *done && vt_pd_is_slow(*out)) {
        dnnl_primitive_desc_destroy(*out);
        *done = false;
    }
    return status;
}

/* In the layouts of the backward pass where weights are trained, else, or where there is no such
 * convolution, in oneDNN's own choice. */
static vt_status describe(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args,
                          const description *d, dnnl_primitive_desc_t *out, bool *done,
                          vt_error *error)
{
    const vt_shape *result = &args->outputs[0].shape, *source = &args->inputs[0].shape;
    bool trained = d->window->trained, possible = true;
    vt_status status =
        step->quant ? vt_lower_quant_init(dnnl, step, result, d->bias, d->posts, d->quant, error)
                    : vt_lower_posts(dnnl, step, result, d->posts, &possible, error);
    if (status == VT_OK && possible && trained && !step->quant) {
        status = follow_backward(dnnl, d->window, step, d->layouts, error);
        if (status == VT_OK) {
            status = ask_quick(dnnl, step, result, d, out, done, error);
        }
        if (status != VT_OK || *done) {
            return status;
        }
        vt_layout_free(d->layouts[0]);
        vt_layout_free(d->layouts[3]);
        d->layouts[0] = vt_layout_new_any(source->rank, source->dims, step->compute);
        d->layouts[3] = vt_layout_new_any(result->rank, result->dims, step->result);
        if (!d->layouts[0] || !d->layouts[3]) {
            return vt_fail_memory(error, "the layouts of a convolution");
        }
    }
    return status == VT_OK && possible ? ask_quick(dnnl, step, result, d, out, done, error)
                                       : status;
}

/* Left to oneDNN's choice, or in blocks where Winograd's convolutions need them. */
static vt_layout *maps_layout(vt_dnnl *dnnl, const vt_step *step, const vt_shape *maps,
                              vt_dtype dtype)
{
    return vt_winograd_block(dnnl, step, maps) ? vt_layout_new_blocks(maps->dims, dtype)
                                               : vt_layout_new_any(maps->rank, maps->dims, dtype);
}

vt_status vt_lower_conv(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                        vt_error *error)
{
    const vt_tensor *source = &args->inputs[0], *weights = &args->inputs[1];
    vt_value_id bias = step->node.input_count > 2 ? step->node.inputs[2] : VT_NO_VALUE;
    bool has_bias = step->quant ? vt_lower_quant_has_bias(step, bias) : bias != VT_NO_VALUE;
    if (source->shape.rank < 3 || source->shape.rank > 5) {
        return VT_OK;
    }
    vt_window window;
    vt_pd_window pd_window;
    vt_status status = vt_window_init(&window, args, weights->shape.dims + 2, error);
    if (status != VT_OK || !vt_lower_conv_window(&window, &pd_window)) {
        return status;
    }

    const vt_shape *result = &args->outputs[0].shape;
    vt_layout *layouts[4] = {
        maps_layout(dnnl, step, &source->shape, step->compute),
        vt_lower_conv_weights(&weights->shape, vt_node_int(&step->node, "group", 1),
                              step->quant ? VT_I8 : step->compute),
        has_bias ? vt_layout_new_plain(1, &weights->shape.dims[0], VT_F32) : NULL,
        maps_layout(dnnl, step, result, step->result),
    };
    pd_window.winograd = vt_winograd_fits(dnnl, step, &weights->shape, result);
    pd_window.trained = !dnnl->plan->values[step->node.inputs[1]].constant;
    vt_posts posts = {.sums = true};
    vt_lower_quant quant = {.bias_buffer = VT_NO_BUFFER};
    dnnl_primitive_desc_t desc = NULL;
    if (!layouts[0] || !layouts[1] || (has_bias && !layouts[2]) || !layouts[3]) {
        status = vt_fail_memory(error, "the layouts of a convolution");
    } else {
        status =
            describe(dnnl, step, args, &(description){&pd_window, layouts, &posts, &quant, bias},
                     &desc, done, error);
    }
    if (status == VT_OK && *done) {
        status = add_primitive(dnnl, step, desc, &posts, &quant, error);
    }
    vt_lower_layouts_free(layouts, 4);
    vt_lower_posts_deinit(&posts);
    vt_lower_quant_deinit(&quant);
    return status;
}
