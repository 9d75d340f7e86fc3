/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes of an ONNX file, of the main graph or of a function's body, with their attributes.
 *
 * A call of one of the model's own functions is replaced by its body (onnx_functions.c). Where a
 * function and an operator have the same name, the format leaves open which is meant; here it is
 * the operator in the domain ai.onnx, the function in others.
 */
#include "nn/onnx_import.h"

#include <stdio.h>
#include <string.h>

static void proto_label(const Onnx__NodeProto *node, char *out)
{
    const char *op = vt_onnx_text(node->op_type);
    if (node->name != NULL && node->name[0] != '\0')
        snprintf(out, VT_ONNX_LABEL_BYTES, "%.60s node \"%.80s\"", op, node->name);
    else
        snprintf(out, VT_ONNX_LABEL_BYTES, "%.60s node of output \"%.80s\"", op,
                 node->n_output > 0 ? vt_onnx_text(node->output[0]) : "");
}

/* Bytes of the file as a text of ours; NULL with *status set when that is impossible. */
static const char *import_text(vt_onnx_importer *in, ProtobufCBinaryData bytes, vt_status *status,
                               vt_error *error)
{
    if (bytes.len > 0 && memchr(bytes.data, '\0', bytes.len) != NULL) {
        *status = vt_fail(error, VT_ERR_FORMAT, "a text with a zero byte");
        return NULL;
    }
    const char *text = vt_arena_strndup(&in->scratch, (const char *)bytes.data, bytes.len);
    if (text == NULL)
        *status = vt_fail_memory(error, "a text");
    return text;
}

static vt_status import_attr_texts(vt_onnx_importer *in, const Onnx__AttributeProto *proto,
                                   vt_attr *attr, vt_error *error)
{
    vt_status status = VT_OK;
    const char **texts = vt_arena_array(&in->scratch, proto->n_strings + 1, sizeof(*texts));
    if (texts == NULL)
        return vt_fail_memory(error, "texts");
    for (size_t i = 0; i < proto->n_strings && status == VT_OK; i++)
        texts[i] = import_text(in, proto->strings[i], &status, error);
    attr->kind = VT_ATTR_TEXTS;
    attr->texts = texts;
    attr->count = proto->n_strings;
    return status;
}

vt_status vt_onnx_read_tensor(vt_onnx_importer *in, const Onnx__TensorProto *proto, bool aligned,
                              vt_tensor *out, vt_error *error)
{
    size_t limit = in->graph->limits.tensor_bytes;
    return vt_onnx_is_external(proto)
               ? vt_onnx_external_read(&in->external, proto, aligned, out, error)
               : vt_tensor_from_skeleton(proto, in->source, aligned, limit, out, error);
}

vt_status vt_onnx_import_tensor(vt_onnx_importer *in, const Onnx__TensorProto *proto,
                                const vt_tensor **out, vt_error *error)
{
    vt_tensor tensor;
    vt_status status = vt_onnx_read_tensor(in, proto, true, &tensor, error);
    return status == VT_OK ? vt_graph_keep_tensor(in->graph, &tensor, out, error) : status;
}

static vt_status import_attr_tensor(vt_onnx_importer *in, const vt_onnx_scope *scope,
                                    Onnx__AttributeProto *proto, vt_attr *attr, vt_error *error)
{
    attr->kind = VT_ATTR_TENSOR;
    if (proto->t == NULL)
        return vt_fail(error, VT_ERR_FORMAT, "no tensor where its type says there is one");
    if (scope->caller != NULL)
        return vt_onnx_function_tensor(in, scope->function, proto->t, &attr->tensor, error);
    return vt_onnx_import_tensor(in, proto->t, &attr->tensor, error);
}

/* Files before IR version 4 may leave the type out. */
static Onnx__AttributeProto__AttributeType attr_type(const Onnx__AttributeProto *proto)
{
    if (proto->has_type && proto->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED)
        return proto->type;
    if (proto->has_f)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    if (proto->has_i)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    if (proto->has_s)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    if (proto->t != NULL)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    if (proto->n_floats > 0)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
    if (proto->n_strings > 0)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS;
    return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
}

/* An attribute of the function's call, under the name that it has here. */
static vt_status import_reference(vt_onnx_importer *in, const vt_onnx_scope *scope,
                                  const Onnx__AttributeProto *proto, vt_attr *attr, bool *given,
                                  vt_error *error)
{
    const char *wanted = proto->ref_attr_name;
    if (scope->caller == NULL)
        return vt_fail(error, VT_ERR_FORMAT,
                       "it refers to a function's attribute \"%.60s\" outside of any function",
                       wanted);
    *given = false;
    for (size_t i = 0; i < scope->attr_count && !*given; i++)
        if (strcmp(scope->attrs[i].name, wanted) == 0) {
            *attr = scope->attrs[i];
            attr->name = vt_onnx_text(proto->name);
            *given = true;
        }
    if (!*given)
        return VT_OK;
    size_t length = attr->kind == VT_ATTR_TEXT ? strlen(attr->text) / 8 : 0;
    for (size_t i = 0; i < attr->count && attr->kind == VT_ATTR_TEXTS; i++)
        length += strlen(attr->texts[i]) / 8;
    return vt_onnx_functions_charge(in, attr->count + length, error);
}

vt_status vt_onnx_import_attr(vt_onnx_importer *in, const vt_onnx_scope *scope,
                              Onnx__AttributeProto *proto, vt_attr *attr, bool *given,
                              vt_error *error)
{
    vt_status status = VT_OK;
    *given = true;
    *attr = (vt_attr){.name = vt_onnx_text(proto->name)};
    if (vt_onnx_text(proto->ref_attr_name)[0] != '\0')
        return import_reference(in, scope, proto, attr, given, error);
    switch (attr_type(proto)) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        attr->kind = VT_ATTR_FLOAT;
        attr->f = proto->f;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        attr->kind = VT_ATTR_INT;
        attr->i = proto->i;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        attr->kind = VT_ATTR_TEXT;
        attr->text = import_text(in, proto->s, &status, error);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        attr->kind = VT_ATTR_INTS;
        attr->ints = proto->ints;
        attr->count = proto->n_ints;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        attr->kind = VT_ATTR_FLOATS;
        attr->floats = proto->floats;
        attr->count = proto->n_floats;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS:
        return import_attr_texts(in, proto, attr, error);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        return import_attr_tensor(in, scope, proto, attr, error);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH:
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS:
        return vt_fail(error, VT_ERR_UNSUPPORTED, "subgraphs are not supported");
    default:
        return vt_fail(error, VT_ERR_UNSUPPORTED, "attribute type %d is not supported",
                       (int)proto->type);
    }
    return status;
}

static vt_status import_operands(vt_onnx_importer *in, const vt_onnx_scope *scope,
                                 char *const *names, size_t count, vt_value_id **out,
                                 vt_error *error)
{
    vt_status status = VT_OK;
    vt_value_id *ids = vt_arena_array(&in->scratch, count + 1, sizeof(*ids));
    if (ids == NULL)
        return vt_fail_memory(error, "operands");
    for (size_t i = 0; i < count && status == VT_OK; i++) {
        ids[i] = VT_NO_VALUE;
        if (vt_onnx_text(names[i])[0] == '\0')
            continue;
        status = scope->caller == NULL
                     ? vt_onnx_value_named(in, names[i], &ids[i], error)
                     : vt_onnx_function_value(in, scope, names[i], &ids[i], error);
    }
    *out = ids;
    return status;
}

static vt_status import_op(const vt_onnx_scope *scope, const Onnx__NodeProto *proto, vt_node *node,
                           vt_error *error)
{
    const char *type = vt_onnx_text(proto->op_type), *domain = vt_onnx_domain(proto->domain);
    int64_t opset = vt_onnx_opset_of(scope, domain);
    if (opset < 0)
        return vt_fail(error, VT_ERR_FORMAT, "operator \"%.60s\": domain \"%.60s\" is not imported",
                       type, domain);
    node->opset = opset > INT32_MAX ? INT32_MAX : (int)opset;
    node->op = vt_op_find(domain, type, node->opset);
    if (node->op != NULL && (node->op->flags & VT_OP_INTERNAL) == 0)
        return VT_OK;
    if (strcmp(type, "If") == 0 || strcmp(type, "Loop") == 0 || strcmp(type, "Scan") == 0)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "operator \"%s\": control flow with subgraphs is not supported", type);
    return vt_fail(error, VT_ERR_UNSUPPORTED,
                   "operator \"%.60s\" of domain \"%.60s\", operator set %lld, is not supported",
                   type, domain[0] == '\0' ? "ai.onnx" : domain, (long long)opset);
}

static vt_status import_attrs(vt_onnx_importer *in, const vt_onnx_scope *scope,
                              const Onnx__NodeProto *proto, vt_node *node, vt_error *error)
{
    vt_status status = VT_OK;
    node->attrs = vt_arena_array(&in->scratch, proto->n_attribute + 1, sizeof(*node->attrs));
    if (node->attrs == NULL)
        return vt_fail_memory(error, "attributes");
    for (size_t i = 0; i < proto->n_attribute && status == VT_OK; i++) {
        bool given = false;
        status = vt_onnx_import_attr(in, scope, proto->attribute[i], &node->attrs[node->attr_count],
                                     &given, error);
        node->attr_count += given;
        if (status != VT_OK)
            vt_fail_context(error, status, "attribute \"%.60s\"",
                            vt_onnx_text(proto->attribute[i]->name));
    }
    return status;
}

/* In bodies of functions names get the call's label in front, as far as they stay short. */
static const char *node_name(vt_onnx_importer *in, const vt_onnx_scope *scope,
                             const Onnx__NodeProto *proto)
{
    const char *name = vt_onnx_text(proto->name);
    if (scope->caller == NULL || name[0] == '\0')
        return name;
    if (strlen(name) >= VT_ONNX_LABEL_BYTES)
        return "";
    return vt_arena_printf(&in->scratch, "%s/%s", scope->label, name);
}

vt_status vt_onnx_import_node(vt_onnx_importer *in, const vt_onnx_scope *scope,
                              const Onnx__NodeProto *proto, vt_error *error)
{
    vt_node node = {.name = node_name(in, scope, proto),
                    .input_count = proto->n_input,
                    .output_count = proto->n_output};
    vt_onnx_function *function = NULL;
    char label[VT_ONNX_LABEL_BYTES];
    proto_label(proto, label);
    vt_status status = node.name == NULL ? vt_fail_memory(error, "a name") : VT_OK;
    if (status == VT_OK)
        status = vt_onnx_function_find(in, scope, proto, &function, error);
    if (status == VT_OK && function == NULL)
        status = import_op(scope, proto, &node, error);
    if (status == VT_OK)
        status = import_operands(in, scope, proto->input, proto->n_input, &node.inputs, error);
    if (status == VT_OK)
        status = import_operands(in, scope, proto->output, proto->n_output, &node.outputs, error);
    if (status == VT_OK)
        status = import_attrs(in, scope, proto, &node, error);
    if (status == VT_OK && function != NULL)
        status = vt_onnx_function_call(in, scope, function, &node, error);
    /* The node at fault and the call in the main graph are named; all calls between would be long.
     */
    if (status != VT_OK && (function == NULL || scope->caller == NULL))
        return vt_fail_context(error, status, "%s", label);
    if (status != VT_OK)
        return status;
    return function != NULL ? VT_OK : vt_graph_add_node(in->graph, &node, error);
}
