/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ConvTranspose in one to three dimensions as oneDNN's deconvolution, with groups, dilation and
 * padding.
 *
 * ONNX keeps the weights with the input channels first, oneDNN wants the output channels there:
 * they are read with exchanged strides. Weights that are computed in the run stay where they are
 * and have to be taken in that order; constants are arranged as the primitive likes. End padding is
 * what the result's size leaves of it; a result that reaches beyond every pixel has none, and where
 * it does so by a stride or more oneDNN says no and the reference runs.
 */
#include "nn/dnnl/lower.h"
#include "nn/ops/op.h"

/* ONNX weights (C, M / g, kernel...) seen as (M, C, kernel...) or (g, M / g, C / g, kernel...). */
static vt_layout *weights_reading(const vt_shape *weights, int64_t groups, vt_dtype dtype, bool any)
{
    int64_t dims[VT_MAX_RANK + 1], strides[VT_MAX_RANK + 1], step = 1;
    int64_t ins = weights->dims[0] / groups, outs = weights->dims[1];
    int rank = weights->rank + (groups > 1), at = rank - weights->rank;
    for (int i = weights->rank - 1; i >= 2; i--) {
        dims[at + i] = weights->dims[i];
        strides[at + i] = step;
        step *= weights->dims[i];
    }
    dims[at] = outs;
    strides[at] = step;
    dims[at + 1] = ins;
    strides[at + 1] = step * outs;
    if (groups > 1) {
        dims[0] = groups;
        strides[0] = step * outs * ins;
    }
    return any ? vt_layout_new_any(rank, dims, dtype)
               : vt_layout_new_strided(rank, dims, strides, dtype);
}

/* False: not for oneDNN. */
static bool window_of(const vt_window *window, vt_pd_window *out)
{
    *out = (vt_pd_window){0};
    for (int i = 0; i < window->rank; i++) {
        const int64_t maximum = 1 << 15;
        if (window->stride[i] > maximum || window->kernel[i] > maximum ||
            window->dilation[i] > maximum || window->out[i] > INT32_MAX ||
            window->in[i] > INT32_MAX) {
            return false;
        }
        int64_t full = (window->out[i] - 1) * window->stride[i] +
                       (window->kernel[i] - 1) * window->dilation[i] + 1;
        int64_t high = full - window->in[i] - window->pad_begin[i];
        out->kernel[i] = window->kernel[i];
        out->strides[i] = window->stride[i];
        out->dilates[i] = window->dilation[i] - 1;
        out->low[i] = window->pad_begin[i];
        out->high[i] = high > 0 ? high : 0;
    }
    return vt_lower_window_fits(out, window->rank);
}

vt_status vt_lower_deconv(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                          vt_error *error)
{
    const vt_shape *source = &args->inputs[0].shape, *weights = &args->inputs[1].shape;
    const vt_shape *result = &args->outputs[0].shape;
    bool has_bias = step->node.input_count > 2 && args->inputs[2].dtype != VT_DTYPE_NONE;
    bool constant = vt_lower_constant(dnnl, step, 1) != NULL;
    vt_window window;
    vt_pd_window pd_window;
    int64_t groups;
    if (source->rank < 3 || source->rank > 5) {
        return VT_OK;
    }
    vt_status status = vt_conv_transpose_window(args, &window, &groups, error);
    if (status != VT_OK || !window_of(&window, &pd_window)) {
        return status;
    }

    vt_layout *layouts[5] = {
        vt_layout_new_any(source->rank, source->dims, step->compute),
        weights_reading(weights, groups, step->compute, constant),
        has_bias ? vt_layout_new_plain(1, &result->dims[1], VT_F32) : NULL,
        vt_layout_new_any(result->rank, result->dims, step->result),
        weights_reading(weights, groups, step->compute, false),
    };
    vt_posts posts = {.sums = true};
    bool possible = false;
    dnnl_primitive_desc_t desc = NULL;
    if (!layouts[0] || !layouts[1] || (has_bias && !layouts[2]) || !layouts[3] || !layouts[4]) {
        status = vt_fail_memory(error, "the layouts of a convolution");
    } else {
        status = vt_lower_posts(dnnl, step, result, &posts, &possible, error);
    }
    if (status == VT_OK && possible) {
        status =
            vt_lower_answer(vt_pd_deconvolution(dnnl->engine, (const vt_layout *const *)layouts,
                                                &pd_window, &posts, &desc),
                            done, error);
    }
    if (status == VT_OK && *done) {
        vt_operand operands[VT_LOWER_OPERANDS] = {
            {.name = DNNL_ARG_SRC, .value = step->node.inputs[0], .query = dnnl_query_src_md},
            {.name = DNNL_ARG_WEIGHTS,
             .value = step->node.inputs[1],
             .query = dnnl_query_weights_md,
             .reading = layouts[4]},
            {.name = DNNL_ARG_DST,
             .value = step->node.outputs[0],
             .query = dnnl_query_dst_md,
             .written = true,
             .onto = vt_lower_sum_of(&posts)},
            {.name = DNNL_ARG_BIAS,
             .value = has_bias ? step->node.inputs[2] : 0,
             .query = dnnl_query_weights_md,
             .index = 1},
        };
        int count = vt_lower_post_operands(&posts, operands, has_bias ? 4 : 3);
        status = vt_lower_primitive(dnnl, step, desc, operands, count, error);
    }
    vt_lower_layouts_free(layouts, 5);
    vt_lower_posts_deinit(&posts);
    return status;
}
