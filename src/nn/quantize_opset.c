/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes of older operator sets as operator set 13 writes them, the first whose DequantizeLinear has
 * a scale per channel.
 *
 * An operator whose definition covers both goes over as it is. Of those that changed, the ones that
 * image networks have are rewritten: Clip (11), Dropout (12), Squeeze and Unsqueeze (13) have their
 * attributes as inputs, Softmax, LogSoftmax and Hardmax (13) work along one axis instead of all
 * behind it, which is the same where those have size 1. Source: ONNX, docs/Changelog.md.
 */
#include "nn/quantize.h"

#include <string.h>

static vt_status refuse(const vt_graph_copy *copy, const vt_node *node, vt_error *error)
{
    char label[200];
    vt_node_label(copy->out, node, label, sizeof(label));
    return vt_fail(error, VT_ERR_UNSUPPORTED,
                   "%s: the operator of operator set %d is another one in %d", label, node->opset,
                   VT_QUANTIZE_OPSET);
}

static const char *output_name(const vt_graph_copy *copy, const vt_node *node)
{
    return copy->out->values[node->outputs[0]].name;
}

/* The node with `count` inputs, those from `first` on new, and without attributes. */
static vt_status set_inputs(vt_graph_copy *copy, vt_node *node, const vt_value_id *inputs,
                            size_t count, vt_error *error)
{
    vt_value_id *ids = vt_arena_array(&copy->out->arena, count, sizeof(*ids));
    if (ids == NULL)
        return vt_fail_memory(error, "a node");
    memcpy(ids, inputs, count * sizeof(*ids));
    node->inputs = ids;
    node->input_count = count;
    node->attr_count = 0;
    return VT_OK;
}

/* The attribute as a value of one number; *out stays where the node has none. */
static vt_status number_input(vt_graph_copy *copy, const vt_node *node, const char *name,
                              vt_value_id *out, vt_error *error)
{
    vt_tensor number;
    if (vt_node_attr(node, name) == NULL)
        return VT_OK;
    vt_status status = vt_tensor_init(&number, VT_F32, &(vt_shape){0}, 0, error);
    if (status != VT_OK)
        return status;
    *(float *)number.data = vt_node_float(node, name, 0);
    return vt_graph_copy_constant(copy, output_name(copy, node), name, &number, out, error);
}

static vt_status raise_clip(vt_graph_copy *copy, vt_node *node, vt_error *error)
{
    vt_value_id inputs[3] = {node->inputs[0], VT_NO_VALUE, VT_NO_VALUE};
    vt_status status = number_input(copy, node, "min", &inputs[1], error);
    if (status == VT_OK)
        status = number_input(copy, node, "max", &inputs[2], error);
    return status == VT_OK ? set_inputs(copy, node, inputs, 3, error) : status;
}

static vt_status raise_dropout(vt_graph_copy *copy, vt_node *node, vt_error *error)
{
    vt_value_id inputs[2] = {node->inputs[0], VT_NO_VALUE};
    vt_status status = number_input(copy, node, "ratio", &inputs[1], error);
    return status == VT_OK ? set_inputs(copy, node, inputs, 2, error) : status;
}

static vt_status raise_squeeze(vt_graph_copy *copy, vt_node *node, vt_error *error)
{
    vt_tensor axes;
    const vt_attr *attr = vt_node_attr(node, "axes");
    vt_value_id inputs[2] = {node->inputs[0], VT_NO_VALUE};
    if (attr == NULL)
        return VT_OK;
    vt_shape shape = vt_shape_of(1, (int64_t[]){(int64_t)attr->count});
    vt_status status = vt_tensor_init(&axes, VT_I64, &shape, 0, error);
    if (status != VT_OK)
        return status;
    if (attr->count > 0)
        memcpy(axes.data, attr->ints, attr->count * sizeof(*attr->ints));
    status =
        vt_graph_copy_constant(copy, output_name(copy, node), "axes", &axes, &inputs[1], error);
    return status == VT_OK ? set_inputs(copy, node, inputs, 2, error) : status;
}

static vt_status raise_softmax(vt_graph_copy *copy, vt_node *node, const vt_shape *shape,
                               vt_error *error)
{
    int64_t axis = vt_node_int(node, "axis", 1);
    axis += axis < 0 && shape->rank > 0 ? shape->rank : 0;
    if (axis < 0 || axis >= shape->rank)
        return refuse(copy, node, error);
    for (int i = (int)axis + 1; i < shape->rank; i++)
        if (shape->dims[i] != 1)
            return refuse(copy, node, error);
    vt_attr *attr = vt_arena_alloc(&copy->out->arena, sizeof(*attr));
    if (attr == NULL)
        return vt_fail_memory(error, "a node");
    *attr = (vt_attr){.name = "axis", .kind = VT_ATTR_INT, .i = axis};
    node->attrs = attr;
    node->attr_count = 1;
    return VT_OK;
}

/* Operators that only took on attributes and types since operator set 7. */
static bool has_only_grown(const vt_node *node)
{
    static const char *const names[] = {"MaxPool", "AveragePool", "LpPool", "BatchNormalization",
                                        "Gemm",    "Pow"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(node->op->name, names[i]) == 0)
            return node->opset >= 7;
    return false;
}

/* Without the attribute "spatial" that BatchNormalization lost in operator set 9, where its value
 * is what is done without it. */
static vt_status raise_grown(vt_graph_copy *copy, vt_node *node, const vt_op *raised,
                             vt_error *error)
{
    vt_attr *attrs = vt_arena_array(&copy->out->arena, node->attr_count + 1, sizeof(*attrs));
    size_t count = 0;
    if (attrs == NULL)
        return vt_fail_memory(error, "a node");
    for (size_t i = 0; i < node->attr_count; i++)
        if (strcmp(node->attrs[i].name, "spatial") != 0 || node->attrs[i].i != 1)
            attrs[count++] = node->attrs[i];
    vt_node grown = *node;
    grown.op = raised;
    grown.attrs = attrs;
    grown.attr_count = count;
    if (vt_node_check_attrs(&grown, NULL) != VT_OK ||
        (raised->max_outputs >= 0 && node->output_count > (size_t)raised->max_outputs))
        return refuse(copy, node, error);
    node->attrs = attrs;
    node->attr_count = count;
    return VT_OK;
}

vt_status vt_quantize_raise(vt_graph_copy *copy, vt_node *node, const vt_shape *shape,
                            vt_error *error)
{
    const char *name = node->op->name;
    if (node->op->domain[0] != '\0' || node->opset >= VT_QUANTIZE_OPSET)
        return VT_OK;
    const vt_op *raised = vt_op_find("", name, VT_QUANTIZE_OPSET);
    vt_status status = VT_OK;
    if (raised == NULL)
        return refuse(copy, node, error);
    if (strcmp(name, "Softmax") == 0 || strcmp(name, "LogSoftmax") == 0 ||
        strcmp(name, "Hardmax") == 0)
        status = raise_softmax(copy, node, shape, error);
    else if (raised == node->op)
        status = VT_OK;
    else if (strcmp(name, "Clip") == 0)
        status = raise_clip(copy, node, error);
    else if (strcmp(name, "Dropout") == 0 && node->opset >= 7)
        status = raise_dropout(copy, node, error);
    else if (strcmp(name, "Squeeze") == 0 || strcmp(name, "Unsqueeze") == 0)
        status = raise_squeeze(copy, node, error);
    else if (has_only_grown(node))
        status = raise_grown(copy, node, raised, error);
    else
        status = refuse(copy, node, error);
    if (status == VT_OK) {
        node->op = raised;
        node->opset = VT_QUANTIZE_OPSET;
    }
    return status;
}
