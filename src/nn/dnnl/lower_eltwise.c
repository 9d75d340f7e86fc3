/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of one element: oneDNN's eltwise primitive, in whatever layout the source lies.
 *
 * Departures from ONNX: oneDNN's Relu and Clip may turn NaN into a number, as other engines' do.
 * HardSigmoid, Erf and the like are not here: 2.x has no such function; nor is Log, which there is
 * not 0 at 1. passes/fuse_elementwise.c makes loops of our own of them.
 */
#include "nn/dnnl/lower.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct eltwise {
    const char *op;
    dnnl_alg_kind_t algorithm;
    const char *alpha; /* attribute that is oneDNN's alpha; NULL: none */
    float fallback;
} eltwise;

static const eltwise table[] = {
    {"Relu", dnnl_eltwise_relu, NULL, 0},
    {"LeakyRelu", dnnl_eltwise_relu, "alpha", 0.01F},
    {"Elu", dnnl_eltwise_elu, "alpha", 1.0F},
    {"Sigmoid", dnnl_eltwise_logistic, NULL, 0},
    {"Tanh", dnnl_eltwise_tanh, NULL, 0},
    {"HardSwish", dnnl_eltwise_hardswish, NULL, 0},
    {"Softplus", dnnl_eltwise_soft_relu, NULL, 0},
    {"Mish", dnnl_eltwise_mish, NULL, 0},
    {"Abs", dnnl_eltwise_abs, NULL, 0},
    {"Sqrt", dnnl_eltwise_sqrt, NULL, 0},
    {"Exp", dnnl_eltwise_exp, NULL, 0},
};

/* One bound of a Clip; false: computed, or not exact in f32. */
static bool clip_bound(const vt_dnnl *dnnl, const vt_step *step, size_t input, float *bound)
{
    if (input >= step->node.input_count || step->node.inputs[input] == VT_NO_VALUE) {
        return true;
    }
    const vt_tensor *tensor = vt_lower_constant(dnnl, step, input);
    if (!tensor || vt_tensor_count(tensor) != 1) {
        return false;
    }
    *bound = (float)vt_tensor_get(tensor, 0);
    return true;
}

static bool clip_of(const vt_dnnl *dnnl, const vt_step *step, vt_post *out)
{
    out->algorithm = dnnl_eltwise_clip;
    out->alpha = -INFINITY;
    out->beta = INFINITY;
    if (step->node.opset < 11) {
        out->alpha = vt_node_float(&step->node, "min", -FLT_MAX);
        out->beta = vt_node_float(&step->node, "max", FLT_MAX);
    } else if (!clip_bound(dnnl, step, 1, &out->alpha) || !clip_bound(dnnl, step, 2, &out->beta)) {
        return false;
    }
    return out->alpha <= out->beta;
}

static bool operation_of(const vt_dnnl *dnnl, const vt_step *step, vt_post *out)
{
    const char *name = step->node.op->name;
    *out = (vt_post){.kind = VT_APPEND_ELTWISE};
    if (strcmp(name, "Clip") == 0) {
        return clip_of(dnnl, step, out);
    }
    if (strcmp(name, "Gelu") == 0) {
        bool tanh_form = strcmp(vt_node_text(&step->node, "approximate", "none"), "tanh") == 0;
        out->algorithm = tanh_form ? dnnl_eltwise_gelu_tanh : dnnl_eltwise_gelu_erf;
        return true;
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].op, name) == 0) {
            out->algorithm = table[i].algorithm;
            out->alpha =
                table[i].alpha ? vt_node_float(&step->node, table[i].alpha, table[i].fallback) : 0;
            return true;
        }
    }
    return false;
}

vt_status vt_lower_eltwise(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                           vt_error *error)
{
    (void)args;
    vt_post operation;
    vt_layout *layout = NULL;
    dnnl_primitive_desc_t desc = NULL;
    if (!operation_of(dnnl, step, &operation)) {
        return VT_OK;
    }
    vt_status status =
        vt_dnnl_form_layout(dnnl, step->node.inputs[0], step->compute, &layout, error);
    if (status != VT_OK) {
        return status;
    }
    status = vt_lower_answer(vt_pd_eltwise(dnnl->engine, &operation, layout, &desc), done, error);
    vt_layout_free(layout);
    return status == VT_OK && *done ? vt_lower_unary(dnnl, step, desc, error) : status;
}
