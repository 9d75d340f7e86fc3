/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scales of steps on whole numbers, as oneDNN's attributes want them.
 *
 * Sums of products of integers are multiplied by a scale per output channel, then the posts follow,
 * then the result is rounded. The scale need not lead to real numbers: as long as only a residual,
 * ReLU and clips follow (which commute with a positive factor) it leads straight into the
 * residual's or the result's own units, and a residual of integers is added as it is, its zero
 * point in the bias. Everything else is computed in real units, with one last factor into the
 * result's: more than one would meet a fault of oneDNN 2.6 (compat.c).
 *
 * 2.x multiplies after adding the bias, 3.x before: the bias is prepared accordingly.
 */
#include "nn/dnnl/lower.h"

#include <string.h>

static bool commutes(vt_post_kind kind)
{
    return kind == VT_POST_RELU || kind == VT_POST_CLIP || kind == VT_POST_LEAKY_RELU;
}

/* Real numbers per unit of what the posts see. */
static float choose_unit(const vt_step *step)
{
    if (step->quant->residual_post >= 0) {
        return step->quant->residual.scale;
    }
    for (int i = 0; i < step->post_count; i++) {
        if (!commutes(step->posts[i].kind)) {
            return 1.0F;
        }
    }
    return vt_dtype_is_float(step->result) ? 1.0F : step->quant->result.scale;
}

/* alpha x + beta, together with another such one right before it. */
static void append_linear(vt_posts *posts, float alpha, float beta)
{
    vt_post *last = posts->count > 0 ? &posts->items[posts->count - 1] : NULL;
    if (last && last->kind == VT_APPEND_ELTWISE && last->algorithm == dnnl_eltwise_linear) {
        last->alpha *= alpha;
        last->beta = last->beta * alpha + beta;
        return;
    }
    if (alpha != 1.0F || beta != 0.0F) {
        posts->items[posts->count++] = (vt_post){.kind = VT_APPEND_ELTWISE,
                                                 .algorithm = dnnl_eltwise_linear,
                                                 .alpha = alpha,
                                                 .beta = beta};
    }
}

/* The step's posts in this unit, then into the result's. */
static vt_status append_posts(vt_dnnl *dnnl, const vt_step *step, const vt_shape *result,
                              float unit, vt_posts *posts, bool *possible, vt_error *error)
{
    vt_step scaled = *step;
    bool to_integers = !vt_dtype_is_float(step->result);
    for (int i = 0; i < scaled.post_count; i++) {
        if (scaled.posts[i].kind == VT_POST_CLIP) {
            scaled.posts[i].alpha /= unit;
            scaled.posts[i].beta /= unit;
        }
    }
    vt_status status = vt_lower_posts(dnnl, &scaled, result, posts, possible, error);
    append_linear(posts, to_integers ? unit / step->quant->result.scale : unit,
                  to_integers ? (float)step->quant->result.zero : 0);
    return status == VT_OK ? vt_lower_posts_settle(dnnl, result->rank, posts, possible, error)
                           : status;
}

/* A small constant of this primitive alone. */
static vt_status prepare(vt_dnnl *dnnl, vt_dtype dtype, void *data, size_t count, size_t *buffer,
                         vt_layout **layout, vt_error *error)
{
    const int64_t dims[1] = {(int64_t)count};
    vt_buffer prepared = {.kind = VT_BUFFER_PREPARED};
    vt_tensor tensor = {.dtype = dtype,
                        .shape = {1, {dims[0]}},
                        .data = data,
                        .bytes = count * vt_dtype_bytes(dtype)};
    vt_layout *made = vt_layout_new_plain(1, dims, dtype);
    vt_status status = made ? vt_dnnl_weights_prepare(dnnl, &tensor, NULL, made, &prepared, error)
                            : vt_fail_memory(error, "the scales of a step");
    if (status == VT_OK) {
        status = vt_dnnl_buffer_add(dnnl, &prepared, buffer, error);
        if (status != VT_OK) {
            vt_dnnl_weights_release(prepared.data);
        }
    }
    if (status == VT_OK && layout) {
        *layout = made;
    } else {
        vt_layout_free(made);
    }
    return status;
}

/* bias VT_NO_VALUE: zeros. Takes the zero point of a residual off as well. */
static vt_status prepare_bias(vt_dnnl *dnnl, const vt_step *step, vt_value_id bias, float unit,
                              vt_lower_quant *out, vt_error *error)
{
    const vt_step_quant *quant = step->quant;
    const vt_tensor *given = bias == VT_NO_VALUE ? NULL : &dnnl->plan->values[bias].tensor;
    double shift = step->quant->residual_post >= 0
                       ? (double)quant->residual.scale * (double)quant->residual.zero
                       : 0;
    size_t count = out->channels;
    float *scaled = vt_alloc_array(count, sizeof *scaled);
    if (!scaled) {
        return vt_fail_memory(error, "the bias of a step");
    }
    for (size_t i = 0; i < count; i++) {
        float sums =
            quant->source.scale * quant->weight_scales[quant->weight_scale_count > 1 ? i : 0];
        double real = (given ? vt_tensor_get(given, i) : 0) - shift;
        scaled[i] = (float)(real / (double)(VT_SCALES_ARE_ARGUMENTS ? unit : sums));
    }
    vt_status status = prepare(dnnl, VT_F32, scaled, count, &out->bias_buffer, NULL, error);
    vt_free(scaled);
    return status;
}

/* Whether the primitive gets a bias. */
bool vt_lower_quant_has_bias(const vt_step *step, vt_value_id bias)
{
    return bias != VT_NO_VALUE ||
           (step->quant->residual_post >= 0 && step->quant->residual.zero != 0);
}

vt_status vt_lower_quant_init(vt_dnnl *dnnl, const vt_step *step, const vt_shape *result,
                              vt_value_id bias, vt_posts *posts, vt_lower_quant *out,
                              vt_error *error)
{
    const vt_step_quant *quant = step->quant;
    bool possible = false, is_conv = strcmp(step->node.op->name, "Conv") == 0;
    *out = (vt_lower_quant){
        .channels = (size_t)result->dims[is_conv ? 1 : result->rank - 1],
        .scales_buffer = VT_NO_BUFFER,
        .zero_buffer = VT_NO_BUFFER,
        .bias_buffer = VT_NO_BUFFER,
    };
    float unit = choose_unit(step);
    out->scales = vt_alloc_array(quant->weight_scale_count, sizeof *out->scales);
    if (!out->scales) {
        return vt_fail_memory(error, "the scales of a step");
    }
    for (size_t i = 0; i < quant->weight_scale_count; i++) {
        out->scales[i] = quant->source.scale * quant->weight_scales[i] / unit;
    }
    out->attributes = (vt_pd_quant){out->scales, quant->weight_scale_count, quant->source.zero};
    posts->quant = &out->attributes;
    vt_status status = append_posts(dnnl, step, result, unit, posts, &possible, error);
    if (status == VT_OK && !possible) {
        status =
            vt_fail(error, VT_ERR_UNSUPPORTED, "a fused operand does not fit its integer form");
    }
    if (status == VT_OK && vt_lower_quant_has_bias(step, bias)) {
        status = prepare_bias(dnnl, step, bias, unit, out, error);
    }
    if (status == VT_OK && VT_SCALES_ARE_ARGUMENTS) {
        status = prepare(dnnl, VT_F32, out->scales, quant->weight_scale_count, &out->scales_buffer,
                         &out->scales_layout, error);
    }
    if (status == VT_OK && VT_SCALES_ARE_ARGUMENTS && quant->source.zero != 0) {
        int32_t zero = quant->source.zero;
        status = prepare(dnnl, VT_I32, &zero, 1, &out->zero_buffer, &out->zero_layout, error);
    }
    return status;
}

void vt_lower_quant_deinit(vt_lower_quant *quant)
{
    vt_free(quant->scales);
    vt_layout_free(quant->scales_layout);
    vt_layout_free(quant->zero_layout);
    *quant = (vt_lower_quant){0};
}

int vt_lower_quant_operands(const vt_lower_quant *quant, vt_operand *operands, int count)
{
    if (quant->scales_layout) {
        operands[count++] = (vt_operand){.name = vt_argument_scales(),
                                         .index = -1,
                                         .reading = quant->scales_layout,
                                         .buffer = &quant->scales_buffer};
    }
    if (quant->zero_layout) {
        operands[count++] = (vt_operand){.name = vt_argument_source_zero(),
                                         .index = -1,
                                         .reading = quant->zero_layout,
                                         .buffer = &quant->zero_buffer};
    }
    if (quant->bias_buffer != VT_NO_BUFFER) {
        operands[count++] = (vt_operand){.name = DNNL_ARG_BIAS,
                                         .query = dnnl_query_weights_md,
                                         .index = 1,
                                         .buffer = &quant->bias_buffer};
    }
    return count;
}
