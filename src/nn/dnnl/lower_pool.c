/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pooling: MaxPool, AveragePool, and the global ones as a window over the whole map.
 *
 * A pool takes its source as it lies and leaves the result in the same order. A maximum over
 * nothing but minus infinities comes out as the lowest finite number, as oneDNN starts from that.
 *
 * ceil_mode: the last window may hang over the padding. For a maximum, and for an average that
 * leaves the padding out, that is the same as more padding, as long as the window still holds an
 * element of its own; an average that counts the padding must not count the overhang, which oneDNN
 * cannot say: the reference runs. The same for dilated windows over padding, which may miss every
 * element.
 */
#include "nn/dnnl/lower.h"
#include "nn/ops/op.h"

#include <string.h>

bool vt_lower_pool_window(const vt_window *window, const vt_shape *result, bool counts_padding,
                          vt_pd_window *out)
{
    *out = (vt_pd_window){0};
    for (int i = 0; i < window->rank; i++) {
        int64_t reach = (window->kernel[i] - 1) * window->dilation[i] + 1;
        int64_t needed = (result->dims[i + 2] - 1) * window->stride[i] + reach - window->in[i] -
                         window->pad_begin[i];
        int64_t low = window->pad_begin[i], high = window->pad_end[i];
        bool overhang = needed > high;
        /* The padding that makes oneDNN's own formula arrive at the result's size; what is beyond
         * the last window is never looked at. */
        if (overhang || needed + window->stride[i] <= high) {
            high = needed;
        }
        bool padded = low > 0 || needed > 0;
        if (low < 0 || high < 0 || low >= reach || high >= reach || (overhang && counts_padding) ||
            (padded && window->dilation[i] != 1)) {
            return false;
        }
        out->kernel[i] = window->kernel[i];
        out->strides[i] = window->stride[i];
        out->dilates[i] = window->dilation[i] - 1;
        out->low[i] = low;
        out->high[i] = high;
    }
    return vt_lower_window_fits(out, window->rank);
}

static bool global_window(const vt_shape *source, vt_pd_window *out)
{
    *out = (vt_pd_window){0};
    for (int i = 0; i < source->rank - 2; i++) {
        out->kernel[i] = source->dims[i + 2];
        out->strides[i] = 1;
    }
    return vt_lower_window_fits(out, source->rank - 2);
}

vt_status vt_lower_pool(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                        vt_error *error)
{
    const vt_shape *source = &args->inputs[0].shape, *result = &args->outputs[0].shape;
    const char *name = step->node.op->name;
    bool maximum = strstr(name, "Max") != NULL, global = strncmp(name, "Global", 6) == 0;
    bool counts_padding = !maximum && vt_node_int(&step->node, "count_include_pad", 0) != 0;
    dnnl_alg_kind_t algorithm = maximum          ? dnnl_pooling_max
                                : counts_padding ? dnnl_pooling_avg_include_padding
                                                 : dnnl_pooling_avg_exclude_padding;
    if (source->rank < 3 || source->rank > 5) {
        return VT_OK;
    }
    vt_pd_window pd_window;
    vt_status status = VT_OK;
    bool fits;
    if (global) {
        fits = global_window(source, &pd_window);
    } else {
        vt_window window;
        status = vt_window_init(&window, args, NULL, error);
        fits = status == VT_OK && vt_lower_pool_window(&window, result, counts_padding, &pd_window);
    }
    if (!fits) {
        return status;
    }

    vt_layout *layouts[2] = {NULL, vt_layout_new_any(result->rank, result->dims, step->compute)};
    dnnl_primitive_desc_t desc = NULL;
    status = layouts[1] ? vt_dnnl_form_layout(dnnl, step->node.inputs[0], step->compute,
                                              &layouts[0], error)
                        : vt_fail_memory(error, "the layout of a pool");
    if (status == VT_OK) {
        status =
            vt_lower_answer(vt_pd_pooling(dnnl->engine, algorithm,
                                          (const vt_layout *const *)layouts, &pd_window, &desc),
                            done, error);
    }
    vt_lower_layouts_free(layouts, 2);
    return status == VT_OK && *done ? vt_lower_unary(dnnl, step, desc, error) : status;
}
