/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oneDNN 2.x and 3.x, training: see compat.h.
 *
 * A backward descriptor wants the forward one that it belongs to as a hint. The hint only has to
 * agree in kind and sizes, so each function makes one, lets its layouts be chosen, and drops it;
 * pooling alone shares a workspace with it, and gives both.
 */
#include "nn/dnnl/compat.h"

static void drop(dnnl_primitive_desc_t desc)
{
    if (desc) {
        dnnl_primitive_desc_destroy(desc);
    }
}

/* ---- convolution ---- */

/* layouts: source, weights, result. */
static dnnl_status_t hint_of(dnnl_alg_kind_t algorithm, dnnl_engine_t engine,
                             const vt_layout *const layouts[3], const vt_pd_window *window,
                             dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out)
{
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_convolution_forward_primitive_desc_create(
        out, engine, dnnl_forward_training, algorithm, layouts[0], layouts[1], NULL, layouts[2],
        window->strides, window->dilates, window->low, window->high, attr);
#else
    dnnl_convolution_desc_t description;
    dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
        &description, dnnl_forward_training, algorithm, layouts[0], layouts[1], NULL, layouts[2],
        window->strides, window->dilates, window->low, window->high);
    return vt_pd_make(status, &description, attr, engine, NULL, out);
#endif
}

/* The same with one of them, number `other`, in the type of the rest: a hint has one type. */
static dnnl_status_t convolution_hint(dnnl_alg_kind_t algorithm, dnnl_engine_t engine,
                                      const vt_layout *const layouts[3], int other,
                                      const vt_pd_window *window, dnnl_primitive_attr_t attr,
                                      dnnl_primitive_desc_t *out)
{
    vt_layout_view view = vt_layout_view_of(layouts[other]);
    vt_layout *same = vt_layout_new(view.rank, view.dims, NULL, true,
                                    vt_layout_type(layouts[other == 0 ? 2 : 0]));
    if (!same) {
        return dnnl_out_of_memory;
    }
    const vt_layout *used[3] = {layouts[0], layouts[1], layouts[2]};
    used[other] = same;
    dnnl_status_t status = hint_of(algorithm, engine, used, window, attr, out);
    vt_layout_free(same);
    return status;
}

typedef dnnl_status_t backward_function(dnnl_alg_kind_t algorithm, dnnl_engine_t engine,
                                        const vt_layout *const *layouts, const vt_pd_window *window,
                                        dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out);

static dnnl_status_t backward_data_by(dnnl_alg_kind_t algorithm, dnnl_engine_t engine,
                                      const vt_layout *const *layouts, const vt_pd_window *window,
                                      dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out)
{
    dnnl_primitive_desc_t hint = NULL;
    dnnl_status_t status = convolution_hint(algorithm, engine, layouts, 0, window, attr, &hint);
    if (status == dnnl_success) {
#if DNNL_VERSION_MAJOR >= 3
        status = dnnl_convolution_backward_data_primitive_desc_create(
            out, engine, algorithm, layouts[0], layouts[1], layouts[2], window->strides,
            window->dilates, window->low, window->high, hint, attr);
#else
        dnnl_convolution_desc_t description;
        status = dnnl_dilated_convolution_backward_data_desc_init(
            &description, algorithm, layouts[0], layouts[1], layouts[2], window->strides,
            window->dilates, window->low, window->high);
        status = vt_pd_make(status, &description, attr, engine, hint, out);
#endif
    }
    drop(hint);
    return status;
}

static dnnl_status_t backward_weights_by(dnnl_alg_kind_t algorithm, dnnl_engine_t engine,
                                         const vt_layout *const *layouts,
                                         const vt_pd_window *window, dnnl_primitive_attr_t attr,
                                         dnnl_primitive_desc_t *out)
{
    dnnl_primitive_desc_t hint = NULL;
    const vt_layout *const forward[3] = {layouts[0], layouts[1], layouts[3]};
    dnnl_status_t status = convolution_hint(algorithm, engine, forward, 1, window, attr, &hint);
    if (status == dnnl_success) {
#if DNNL_VERSION_MAJOR >= 3
        status = dnnl_convolution_backward_weights_primitive_desc_create(
            out, engine, algorithm, layouts[0], layouts[1], layouts[2], layouts[3], window->strides,
            window->dilates, window->low, window->high, hint, attr);
#else
        dnnl_convolution_desc_t description;
        status = dnnl_dilated_convolution_backward_weights_desc_init(
            &description, algorithm, layouts[0], layouts[1], layouts[2], layouts[3],
            window->strides, window->dilates, window->low, window->high);
        status = vt_pd_make(status, &description, attr, engine, hint, out);
#endif
    }
    drop(hint);
    return status;
}

/* By Winograd's algorithm where it is asked for and oneDNN has it, else by the direct one. */
static dnnl_status_t backward(backward_function *by, dnnl_engine_t engine,
                              const vt_layout *const *layouts, const vt_pd_window *window,
                              dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = vt_attr_plain(&attr);
    if (status != dnnl_success) {
        return status;
    }
    status = window->winograd ? by(dnnl_convolution_winograd, engine, layouts, window, attr, out)
                              : dnnl_unimplemented;
    if (status != dnnl_success && status != dnnl_out_of_memory) {
        status = by(dnnl_convolution_direct, engine, layouts, window, attr, out);
    }
    dnnl_primitive_attr_destroy(attr);
    return status;
}

dnnl_status_t vt_pd_convolution_backward_data(dnnl_engine_t engine,
                                              const vt_layout *const layouts[3],
                                              const vt_pd_window *window,
                                              dnnl_primitive_desc_t *out)
{
    return backward(backward_data_by, engine, layouts, window, out);
}

dnnl_status_t vt_pd_convolution_backward_weights(dnnl_engine_t engine,
                                                 const vt_layout *const layouts[4],
                                                 const vt_pd_window *window,
                                                 dnnl_primitive_desc_t *out)
{
    return backward(backward_weights_by, engine, layouts, window, out);
}

/* ---- pooling ---- */

static dnnl_status_t pooling_forward(dnnl_engine_t engine, dnnl_alg_kind_t algorithm,
                                     const vt_layout *const layouts[2], const vt_pd_window *window,
                                     dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out)
{
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_pooling_forward_primitive_desc_create(
        out, engine, dnnl_forward_training, algorithm, layouts[0], layouts[1], window->strides,
        window->kernel, window->dilates, window->low, window->high, attr);
#else
    dnnl_pooling_desc_t description;
    dnnl_status_t status = dnnl_pooling_forward_desc_init(
        &description, dnnl_forward_training, algorithm, layouts[0], layouts[1], window->strides,
        window->kernel, window->low, window->high);
    return vt_pd_make(status, &description, attr, engine, NULL, out);
#endif
}

static dnnl_status_t pooling_backward(dnnl_engine_t engine, dnnl_alg_kind_t algorithm,
                                      const vt_layout *const layouts[2], const vt_pd_window *window,
                                      dnnl_primitive_attr_t attr, dnnl_primitive_desc_t forward,
                                      dnnl_primitive_desc_t *out)
{
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_pooling_backward_primitive_desc_create(
        out, engine, algorithm, layouts[0], layouts[1], window->strides, window->kernel,
        window->dilates, window->low, window->high, forward, attr);
#else
    dnnl_pooling_desc_t description;
    dnnl_status_t status =
        dnnl_pooling_backward_desc_init(&description, algorithm, layouts[0], layouts[1],
                                        window->strides, window->kernel, window->low, window->high);
    return vt_pd_make(status, &description, attr, engine, forward, out);
#endif
}

dnnl_status_t vt_pd_pooling_training(dnnl_engine_t engine, dnnl_alg_kind_t algorithm,
                                     const vt_layout *const layouts[2], const vt_pd_window *window,
                                     dnnl_primitive_desc_t *forward,
                                     dnnl_primitive_desc_t *backward)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t first = NULL;
    for (int i = 0; i < 3; i++) { /* the kind of 2.x that has backward code has no dilation */
        if (window->dilates[i] != 0) {
            return dnnl_unimplemented;
        }
    }
    dnnl_status_t status = vt_attr_plain(&attr);
    if (status != dnnl_success) {
        return status;
    }
    status = pooling_forward(engine, algorithm, layouts, window, attr, &first);
    if (status == dnnl_success) {
        const vt_layout *const used[2] = {vt_pd_layout(first, dnnl_query_src_md, 0),
                                          vt_pd_layout(first, dnnl_query_dst_md, 0)};
        status = pooling_backward(engine, algorithm, used, window, attr, first, backward);
    }
    dnnl_primitive_attr_destroy(attr);
    if (status != dnnl_success) {
        drop(first);
        return status;
    }
    *forward = first;
    return dnnl_success;
}

/* ---- batch normalisation ---- */

static const unsigned norm_flags = dnnl_use_scale | dnnl_use_shift;

static dnnl_status_t norm_forward(dnnl_engine_t engine, const vt_layout *layout, float epsilon,
                                  dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out)
{
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_batch_normalization_forward_primitive_desc_create(
        out, engine, dnnl_forward_training, layout, layout, epsilon, norm_flags, attr);
#else
    dnnl_batch_normalization_desc_t description;
    dnnl_status_t status = dnnl_batch_normalization_forward_desc_init(
        &description, dnnl_forward_training, layout, epsilon, norm_flags);
    return vt_pd_make(status, &description, attr, engine, NULL, out);
#endif
}

dnnl_status_t vt_pd_batchnorm_training(dnnl_engine_t engine, const vt_layout *layout, float epsilon,
                                       dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = vt_attr_plain(&attr);
    if (status != dnnl_success) {
        return status;
    }
    status = norm_forward(engine, layout, epsilon, attr, out);
    dnnl_primitive_attr_destroy(attr);
    return status;
}

dnnl_status_t vt_pd_batchnorm_backward(dnnl_engine_t engine, const vt_layout *layout, float epsilon,
                                       dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t hint = NULL;
    dnnl_status_t status = vt_attr_plain(&attr);
    if (status != dnnl_success) {
        return status;
    }
    status = norm_forward(engine, layout, epsilon, attr, &hint);
    if (status == dnnl_success) {
#if DNNL_VERSION_MAJOR >= 3
        status = dnnl_batch_normalization_backward_primitive_desc_create(
            out, engine, dnnl_backward, layout, layout, layout, epsilon, norm_flags, hint, attr);
#else
        dnnl_batch_normalization_desc_t description;
        status = dnnl_batch_normalization_backward_desc_init(&description, dnnl_backward, layout,
                                                             layout, epsilon, norm_flags);
        status = vt_pd_make(status, &description, attr, engine, hint, out);
#endif
    }
    drop(hint);
    dnnl_primitive_attr_destroy(attr);
    return status;
}

/* ---- elementwise ---- */

static dnnl_status_t eltwise_hint(dnnl_engine_t engine, const vt_post *operation,
                                  const vt_layout *layout, dnnl_primitive_attr_t attr,
                                  dnnl_primitive_desc_t *out)
{
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_eltwise_forward_primitive_desc_create(out, engine, dnnl_forward_training,
                                                      operation->algorithm, layout, layout,
                                                      operation->alpha, operation->beta, attr);
#else
    dnnl_eltwise_desc_t description;
    dnnl_status_t status =
        dnnl_eltwise_forward_desc_init(&description, dnnl_forward_training, operation->algorithm,
                                       layout, operation->alpha, operation->beta);
    return vt_pd_make(status, &description, attr, engine, NULL, out);
#endif
}

dnnl_status_t vt_pd_eltwise_backward(dnnl_engine_t engine, const vt_post *operation,
                                     const vt_layout *layout, dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t hint = NULL;
    dnnl_status_t status = vt_attr_plain(&attr);
    if (status != dnnl_success) {
        return status;
    }
    status = eltwise_hint(engine, operation, layout, attr, &hint);
    if (status == dnnl_success) {
#if DNNL_VERSION_MAJOR >= 3
        status = dnnl_eltwise_backward_primitive_desc_create(
            out, engine, operation->algorithm, layout, layout, layout, operation->alpha,
            operation->beta, hint, attr);
#else
        dnnl_eltwise_desc_t description;
        status = dnnl_eltwise_backward_desc_init(&description, operation->algorithm, layout, layout,
                                                 operation->alpha, operation->beta);
        status = vt_pd_make(status, &description, attr, engine, hint, out);
#endif
    }
    drop(hint);
    dnnl_primitive_attr_destroy(attr);
    return status;
}
