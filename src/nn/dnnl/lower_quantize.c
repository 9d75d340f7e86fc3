/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QuantizeLinear and DequantizeLinear of a whole tensor by one scale: reorders with a factor, in
 * whatever arrangement the source lies, so that a pair costs no rearrangement.
 *
 * Only without a zero point (0) and between u8 or i8 and floats; the rest is the reference's.
 * Departure: multiplies by the reciprocal in f32 where ONNX divides, which may differ in the last
 * place before rounding.
 */
#include "nn/dnnl/lower.h"

#include <math.h>
#include <string.h>

static bool is_byte(vt_dtype dtype)
{
    return dtype == VT_U8 || dtype == VT_I8;
}

/* The factor between the two sides; false: not for this file. */
static bool factor_of(const vt_dnnl *dnnl, const vt_step *step, bool quantizes, float *factor)
{
    const vt_tensor *scale = vt_lower_constant(dnnl, step, 1);
    const vt_tensor *zero = vt_lower_constant(dnnl, step, 2);
    bool has_zero = step->node.input_count > 2 && step->node.inputs[2] != VT_NO_VALUE;
    if (!scale || vt_tensor_count(scale) != 1 || scale->dtype != VT_F32 ||
        (has_zero && (!zero || vt_tensor_count(zero) != 1 || vt_tensor_get(zero, 0) != 0))) {
        return false;
    }
    double value = vt_tensor_get(scale, 0);
    *factor = (float)(quantizes ? 1 / value : value);
    return isfinite(*factor) && value > 0;
}

static vt_status describe(vt_dnnl *dnnl, const vt_step *step, const vt_dtype types[2], float factor,
                          vt_layout *layouts[2], dnnl_primitive_desc_t *desc, bool *done,
                          vt_error *error)
{
    vt_status status =
        vt_dnnl_form_layout(dnnl, step->node.inputs[0], types[0], &layouts[0], error);
    if (status != VT_OK) {
        return status;
    }
    if (!vt_layout_retype(layouts[0], types[1], &layouts[1])) {
        return vt_fail_memory(error, "the layout of a value");
    }
    if (!layouts[1]) {
        return VT_OK;
    }
    return vt_lower_answer(
        vt_pd_reorder_scaled(dnnl->engine, (const vt_layout *const *)layouts, &factor, desc), done,
        error);
}

static vt_status add_reorder(vt_dnnl *dnnl, const vt_step *step, float factor,
                             dnnl_primitive_desc_t desc, vt_error *error)
{
    const int64_t one = 1;
    vt_tensor scale = {.dtype = VT_F32, .shape = {1, {1}}, .data = &factor, .bytes = sizeof factor};
    vt_buffer prepared = {.kind = VT_BUFFER_PREPARED};
    size_t buffer = VT_NO_BUFFER;
    vt_operand operands[3] = {
        {.name = DNNL_ARG_FROM, .value = step->node.inputs[0], .query = dnnl_query_src_md},
        {.name = DNNL_ARG_TO,
         .value = step->node.outputs[0],
         .query = dnnl_query_dst_md,
         .written = true},
    };
    int count = 2;
    vt_layout *scale_layout = NULL;
    vt_status status = VT_OK;
    if (VT_SCALES_ARE_ARGUMENTS) {
        scale_layout = vt_layout_new_plain(1, &one, VT_F32);
        status = scale_layout
                     ? vt_dnnl_weights_prepare(dnnl, &scale, NULL, scale_layout, &prepared, error)
                     : vt_fail_memory(error, "the scale of a step");
        if (status == VT_OK) {
            status = vt_dnnl_buffer_add(dnnl, &prepared, &buffer, error);
            if (status != VT_OK) {
                vt_dnnl_weights_release(prepared.data);
            }
        }
        operands[count++] = (vt_operand){.name = vt_argument_reorder_scale(),
                                         .index = -1,
                                         .reading = scale_layout,
                                         .buffer = &buffer};
    }
    if (status == VT_OK) {
        status = vt_lower_primitive(dnnl, step, desc, operands, count, error);
    } else {
        dnnl_primitive_desc_destroy(desc);
    }
    vt_layout_free(scale_layout);
    return status;
}

vt_status vt_lower_quantize(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                            vt_error *error)
{
    bool quantizes = strcmp(step->node.op->name, "QuantizeLinear") == 0;
    vt_dtype from = args->inputs[0].dtype, to = args->outputs[0].dtype;
    float factor = 1;
    if (quantizes) { /* floats lie in whatever type they were computed in */
        const vt_form *first = vt_dnnl_form_first(dnnl, step->node.inputs[0], error);
        if (!first) {
            return error ? error->status : VT_ERR_NO_MEMORY;
        }
        from = first->dtype == VT_BF16 ? VT_BF16 : VT_F32;
    } else {
        to = step->result;
    }
    bool fits = quantizes ? vt_dtype_is_float(args->inputs[0].dtype) && is_byte(to)
                          : is_byte(from) && vt_dtype_is_float(args->outputs[0].dtype);
    if (!fits || !factor_of(dnnl, step, quantizes, &factor) ||
        dnnl->plan->values[step->node.inputs[0]].constant) {
        return VT_OK;
    }
    vt_layout *layouts[2] = {NULL, NULL};
    dnnl_primitive_desc_t desc = NULL;
    vt_status status =
        describe(dnnl, step, (const vt_dtype[]){from, to}, factor, layouts, &desc, done, error);
    if (status == VT_OK && *done) {
        status = add_reorder(dnnl, step, factor, desc, error);
    }
    vt_lower_layouts_free(layouts, 2);
    return status;
}
