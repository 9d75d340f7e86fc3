/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions local to a model: every call is replaced by the function's body.
 *
 * As in the format's description of FunctionProto: names in a body are the body's own, its inputs
 * and outputs stand for those of the call, left-out ones are left out inside too, attributes by
 * reference take the call's value, else the function's default, else are left out, and a body has
 * operator sets of its own. An output that is an input handed through becomes an Identity.
 *
 * A short file can ask for very much this way, so depth is bounded, a function that calls itself is
 * refused, and everything that is put in place of calls is paid for, in units of about one operand,
 * from a purse of WORK_PER_NODE units for each node that the model may have.
 *
 * Fields that the schema of Debian 12 does not have yet (defaults of attributes, overloads) are
 * taken from what protobuf-c keeps of unknown fields.
 */
#include "nn/onnx_import.h"

#include <stdlib.h>
#include <string.h>

enum { MAXIMUM_CALL_DEPTH = 32, WORK_PER_NODE = 64, NAME_BYTES = 200 };
enum { FUNCTION_DEFAULTS = 11, FUNCTION_OVERLOAD = 13, NODE_OVERLOAD = 8 }; /* field numbers */

/* A name in a body that no node of this call has used yet. */
#define UNSEEN (VT_NO_VALUE - 1)

typedef struct body_tensor {
    const Onnx__TensorProto *proto;
    const vt_tensor *tensor; /* NULL until a call needs it */
} body_tensor;

typedef struct function_key {
    const char *domain, *name, *overload;
} function_key;

struct vt_onnx_function {
    function_key key;
    const Onnx__FunctionProto *proto;
    bool ready;         /* the rest is there: it has been called */
    uint64_t cost;      /* units of one call */
    const char **names; /* all names of the body, sorted */
    size_t name_count;
    body_tensor *tensors; /* of its attributes, sorted by proto */
    size_t tensor_count;
    Onnx__AttributeProto **defaults;
    size_t default_count, unpacked_count; /* unpacked: how many of them are this file's to free */
};

vt_status vt_onnx_functions_charge(vt_onnx_importer *in, uint64_t units, vt_error *error)
{
    if (units > in->functions.work_left)
        return vt_fail(error, VT_ERR_LIMIT,
                       "calls of functions grow to more than a model of %zu nodes may be",
                       in->graph->limits.nodes);
    in->functions.work_left -= units;
    return VT_OK;
}

/* ---- fields of newer schemas ---- */

/* What an unknown field holds, without the length in front; false when it is of another number. */
static bool unknown_body(const ProtobufCMessageUnknownField *field, unsigned number,
                         ProtobufCBinaryData *out)
{
    size_t prefix = 0;
    if (field->tag != number || field->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
        return false;
    while (prefix < field->len && field->data[prefix] >= 0x80)
        prefix++;
    if (prefix >= field->len)
        return false;
    *out = (ProtobufCBinaryData){.len = field->len - prefix - 1, .data = field->data + prefix + 1};
    return true;
}

/* The text in an optional field; "" when it is absent; NULL: no memory. */
static const char *text_field(const ProtobufCMessage *message, unsigned number, vt_arena *arena)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(message->descriptor, number);
    if (field != NULL && field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text;
        memcpy(&text, (const char *)message + field->offset, sizeof(text));
        return vt_onnx_text(text);
    }
    for (unsigned i = message->n_unknown_fields; i-- > 0;) {
        ProtobufCBinaryData body;
        if (unknown_body(&message->unknown_fields[i], number, &body))
            return vt_arena_strndup(arena, (const char *)body.data, body.len);
    }
    return "";
}

/* ---- the table ---- */

static int key_compare(const function_key *a, const function_key *b)
{
    int order = strcmp(a->domain, b->domain);
    order = order != 0 ? order : strcmp(a->name, b->name);
    return order != 0 ? order : strcmp(a->overload, b->overload);
}

static int function_compare(const void *a, const void *b)
{
    return key_compare(&(*(vt_onnx_function *const *)a)->key,
                       &(*(vt_onnx_function *const *)b)->key);
}

static vt_status table_read(vt_onnx_importer *in, vt_error *error)
{
    vt_onnx_functions *functions = &in->functions;
    size_t count = in->proto->n_functions;
    functions->table = vt_arena_array(&functions->arena, count, sizeof(*functions->table));
    vt_onnx_function *all = vt_arena_array(&functions->arena, count, sizeof(*all));
    if (functions->table == NULL || all == NULL)
        return vt_fail_memory(error, "the model's functions");
    for (size_t i = 0; i < count; i++) {
        const Onnx__FunctionProto *proto = in->proto->functions[i];
        all[i] = (vt_onnx_function){
            .proto = proto,
            .key = {.domain = vt_onnx_domain(proto->domain),
                    .name = vt_onnx_text(proto->name),
                    .overload = text_field(&proto->base, FUNCTION_OVERLOAD, &functions->arena)}};
        if (all[i].key.overload == NULL)
            return vt_fail_memory(error, "the model's functions");
        functions->table[i] = &all[i];
        functions->count = i + 1;
    }
    qsort(functions->table, count, sizeof(*functions->table), function_compare);
    for (size_t i = 1; i < count; i++)
        if (function_compare(&functions->table[i - 1], &functions->table[i]) == 0)
            return vt_fail(error, VT_ERR_FORMAT,
                           "read the model: function \"%.80s\" is there twice",
                           functions->table[i]->key.name);
    return VT_OK;
}

/* Names made for values of bodies must not be those of nodes that come later. */
static vt_status names_reserve(vt_onnx_importer *in, vt_error *error)
{
    const Onnx__GraphProto *graph = in->proto->graph;
    vt_status status = VT_OK;
    vt_value_id id;
    for (size_t n = 0; n < graph->n_node; n++) {
        const Onnx__NodeProto *node = graph->node[n];
        for (size_t i = 0; i < node->n_input && status == VT_OK; i++)
            if (vt_onnx_text(node->input[i])[0] != '\0')
                status = vt_onnx_value_named(in, node->input[i], &id, error);
        for (size_t i = 0; i < node->n_output && status == VT_OK; i++)
            if (vt_onnx_text(node->output[i])[0] != '\0')
                status = vt_onnx_value_named(in, node->output[i], &id, error);
    }
    return status;
}

vt_status vt_onnx_functions_init(vt_onnx_importer *in, vt_error *error)
{
    vt_onnx_functions *functions = &in->functions;
    if (in->proto->n_functions == 0)
        return VT_OK;
    vt_arena_init(&functions->arena, (size_t)1 << 32);
    if (__builtin_mul_overflow((uint64_t)in->graph->limits.nodes, (uint64_t)WORK_PER_NODE,
                               &functions->work_left))
        functions->work_left = UINT64_MAX;
    vt_status status = table_read(in, error);
    return status == VT_OK ? names_reserve(in, error) : status;
}

vt_status vt_onnx_functions_check(const vt_onnx_importer *in, vt_error *error)
{
    const vt_graph *graph = in->graph;
    if (in->proto->n_functions == 0) /* then what is named is read or computed */
        return VT_OK;
    bool *given = vt_calloc(graph->value_count + 1, sizeof(*given));
    if (given == NULL)
        return vt_fail_memory(error, "the graph's values");
    vt_status status = VT_OK;
    for (size_t i = 0; i < graph->input_count; i++)
        given[graph->inputs[i]] = true;
    for (size_t i = 0; i < graph->value_count && status == VT_OK; i++) {
        const vt_value *value = &graph->values[i];
        if (!given[i] && value->constant == NULL && value->producer == UINT32_MAX)
            status =
                vt_fail(error, VT_ERR_FORMAT,
                        "read the model: value \"%.100s\" is not defined anywhere", value->name);
    }
    vt_free(given);
    return status;
}

void vt_onnx_functions_deinit(vt_onnx_importer *in)
{
    for (size_t f = 0; f < in->functions.count; f++) {
        vt_onnx_function *function = in->functions.table[f];
        for (size_t i = 0; i < function->unpacked_count; i++)
            onnx__attribute_proto__free_unpacked(function->defaults[i], &in->budget->allocator);
    }
    if (in->proto->n_functions > 0)
        vt_arena_deinit(&in->functions.arena);
}

vt_status vt_onnx_function_find(vt_onnx_importer *in, const vt_onnx_scope *scope,
                                const Onnx__NodeProto *node, vt_onnx_function **out,
                                vt_error *error)
{
    *out = NULL;
    if (in->functions.count == 0)
        return VT_OK;
    vt_onnx_function wanted = {.key = {.domain = vt_onnx_domain(node->domain),
                                       .name = vt_onnx_text(node->op_type)}},
                     *key = &wanted;
    int64_t opset = vt_onnx_opset_of(scope, "");
    if (wanted.key.domain[0] == '\0' && opset >= 0 && opset <= VT_OPSET_NEWEST &&
        vt_op_find("", wanted.key.name, (int)opset) != NULL)
        return VT_OK;
    wanted.key.overload = text_field(&node->base, NODE_OVERLOAD, &in->scratch);
    if (wanted.key.overload == NULL)
        return vt_fail_memory(error, "the name of a function");
    vt_onnx_function **found = bsearch(&key, in->functions.table, in->functions.count,
                                       sizeof(*in->functions.table), function_compare);
    *out = found == NULL ? NULL : *found;
    return VT_OK;
}

/* ---- getting a function ready, once ---- */

static uint64_t attr_cost(const Onnx__AttributeProto *attr)
{
    uint64_t cost = 4 + attr->n_ints + attr->n_floats + attr->s.len / 8;
    for (size_t i = 0; i < attr->n_strings; i++)
        cost += 2 + attr->strings[i].len / 8;
    return cost;
}

static uint64_t node_cost(const Onnx__NodeProto *node)
{
    uint64_t cost = 1 + node->n_input + node->n_output;
    for (size_t i = 0; i < node->n_attribute; i++)
        cost += attr_cost(node->attribute[i]);
    return cost;
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int tensor_compare(const void *a, const void *b)
{
    uintptr_t p = (uintptr_t)((const body_tensor *)a)->proto;
    uintptr_t q = (uintptr_t)((const body_tensor *)b)->proto;
    return (p > q) - (p < q);
}

static vt_status ready_names(vt_onnx_importer *in, vt_onnx_function *function, vt_error *error)
{
    const Onnx__FunctionProto *proto = function->proto;
    size_t count = proto->n_input + proto->n_output, kept = 0;
    for (size_t n = 0; n < proto->n_node; n++)
        count += proto->node[n]->n_input + proto->node[n]->n_output;
    const char **names = vt_arena_array(&in->functions.arena, count + 1, sizeof(*names));
    if (names == NULL)
        return vt_fail_memory(error, "the names of a function");
    count = 0;
    for (size_t i = 0; i < proto->n_input; i++)
        names[count++] = vt_onnx_text(proto->input[i]);
    for (size_t i = 0; i < proto->n_output; i++)
        names[count++] = vt_onnx_text(proto->output[i]);
    for (size_t n = 0; n < proto->n_node; n++) {
        const Onnx__NodeProto *node = proto->node[n];
        for (size_t i = 0; i < node->n_input; i++)
            names[count++] = vt_onnx_text(node->input[i]);
        for (size_t i = 0; i < node->n_output; i++)
            names[count++] = vt_onnx_text(node->output[i]);
    }
    qsort(names, count, sizeof(*names), name_compare);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0)
            names[kept++] = names[i];
    function->names = names;
    function->name_count = kept;
    return VT_OK;
}

static vt_status default_unpack(vt_onnx_importer *in, ProtobufCBinaryData body,
                                Onnx__AttributeProto **out, vt_error *error)
{
    vt_status status = vt_onnx_scan(body.data, body.len, &onnx__attribute_proto__descriptor, error);
    if (status != VT_OK)
        return status;
    *out = onnx__attribute_proto__unpack(&in->budget->allocator, body.len, body.data);
    return *out != NULL ? VT_OK : vt_onnx_unpack_failed(in->budget, "an attribute", error);
}

static vt_status ready_defaults(vt_onnx_importer *in, vt_onnx_function *function, vt_error *error)
{
    const ProtobufCMessage *base = &function->proto->base;
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(base->descriptor, FUNCTION_DEFAULTS);
    vt_status status = VT_OK;
    if (field != NULL) {
        memcpy(&function->default_count, (const char *)base + field->quantifier_offset,
               sizeof(function->default_count));
        memcpy(&function->defaults, (const char *)base + field->offset, sizeof(function->defaults));
        return VT_OK;
    }
    function->defaults = vt_arena_array(&in->functions.arena, base->n_unknown_fields + 1,
                                        sizeof(*function->defaults));
    if (function->defaults == NULL)
        return vt_fail_memory(error, "the attributes of a function");
    for (unsigned i = 0; i < base->n_unknown_fields && status == VT_OK; i++) {
        ProtobufCBinaryData body;
        if (!unknown_body(&base->unknown_fields[i], FUNCTION_DEFAULTS, &body))
            continue;
        status = default_unpack(in, body, &function->defaults[function->unpacked_count], error);
        function->unpacked_count += status == VT_OK;
        function->default_count = function->unpacked_count;
    }
    return status;
}

static size_t tensors_of(const vt_onnx_function *function, body_tensor *out)
{
    size_t count = 0;
    for (size_t n = 0; n <= function->proto->n_node; n++) {
        bool last = n == function->proto->n_node; /* then its defaults */
        size_t attrs = last ? function->default_count : function->proto->node[n]->n_attribute;
        for (size_t i = 0; i < attrs; i++) {
            const Onnx__AttributeProto *attr =
                last ? function->defaults[i] : function->proto->node[n]->attribute[i];
            if (attr->t == NULL)
                continue;
            if (out != NULL)
                out[count].proto = attr->t;
            count++;
        }
    }
    return count;
}

static vt_status function_ready(vt_onnx_importer *in, vt_onnx_function *function, vt_error *error)
{
    if (function->ready)
        return VT_OK;
    vt_status status = ready_names(in, function, error);
    if (status == VT_OK)
        status = ready_defaults(in, function, error);
    if (status != VT_OK)
        return status;
    function->tensor_count = tensors_of(function, NULL);
    function->tensors = vt_arena_array(&in->functions.arena, function->tensor_count + 1,
                                       sizeof(*function->tensors));
    if (function->tensors == NULL)
        return vt_fail_memory(error, "the tensors of a function");
    tensors_of(function, function->tensors);
    qsort(function->tensors, function->tensor_count, sizeof(*function->tensors), tensor_compare);
    function->cost = 1 + function->name_count;
    for (size_t n = 0; n < function->proto->n_node; n++)
        function->cost += node_cost(function->proto->node[n]);
    for (size_t i = 0; i < function->default_count; i++)
        function->cost += attr_cost(function->defaults[i]);
    function->ready = true;
    return VT_OK;
}

vt_status vt_onnx_function_tensor(vt_onnx_importer *in, vt_onnx_function *function,
                                  Onnx__TensorProto *proto, const vt_tensor **out, vt_error *error)
{
    body_tensor wanted = {.proto = proto};
    body_tensor *found =
        bsearch(&wanted, function->tensors, function->tensor_count, sizeof(wanted), tensor_compare);
    if (found == NULL)
        return vt_fail(error, VT_ERR_INTERNAL, "a tensor that is not the function's");
    vt_status status = VT_OK;
    if (found->tensor == NULL)
        status = vt_onnx_import_tensor(in, proto, &found->tensor, error);
    if (status == VT_OK)
        *out = found->tensor;
    return status;
}

/* ---- values of a body ---- */

static size_t name_number(const vt_onnx_function *function, const char *name)
{
    const char **found = bsearch(&name, function->names, function->name_count,
                                 sizeof(*function->names), name_compare);
    return (size_t)(found - function->names); /* every name of the body is there */
}

/* A value with a name that nothing else has: the call's label and the body's name. */
static vt_status value_new(vt_onnx_importer *in, const vt_onnx_scope *scope, const char *name,
                           vt_value_id *out, vt_error *error)
{
    const char *local = strlen(name) > NAME_BYTES ? "value" : name;
    const char *unique = vt_arena_printf(&in->scratch, "%s/%s", scope->label, local);
    while (unique != NULL && vt_graph_find_value(in->graph, unique) != VT_NO_VALUE)
        unique = vt_arena_printf(&in->scratch, "%s/%s_%zu", scope->label, local,
                                 ++in->functions.name_number);
    if (unique == NULL)
        return vt_fail_memory(error, "the name of a value");
    vt_status status = vt_onnx_functions_charge(in, 1 + strlen(unique) / 8, error);
    return status == VT_OK ? vt_graph_add_value(in->graph, unique, out, error) : status;
}

vt_status vt_onnx_function_value(vt_onnx_importer *in, const vt_onnx_scope *scope, const char *name,
                                 vt_value_id *out, vt_error *error)
{
    vt_value_id *id = &scope->ids[name_number(scope->function, name)];
    vt_status status = *id == UNSEEN ? value_new(in, scope, name, id, error) : VT_OK;
    if (status == VT_OK)
        *out = *id;
    return status;
}

static vt_status bind_inputs(const vt_onnx_scope *scope, const vt_node *call, vt_error *error)
{
    const Onnx__FunctionProto *proto = scope->function->proto;
    if (call->input_count > proto->n_input)
        return vt_fail(error, VT_ERR_FORMAT, "%zu inputs, the function takes %zu",
                       call->input_count, proto->n_input);
    for (size_t i = 0; i < proto->n_input; i++) {
        const char *name = vt_onnx_text(proto->input[i]);
        vt_value_id *id = &scope->ids[name_number(scope->function, name)];
        if (name[0] == '\0' || *id != UNSEEN)
            return vt_fail(error, VT_ERR_FORMAT, "the function's input %zu has no name of its own",
                           i);
        *id = i < call->input_count ? call->inputs[i] : VT_NO_VALUE;
    }
    return VT_OK;
}

/* An output that has a value already: an input handed through, or the same output again. */
static vt_status output_copy(vt_onnx_importer *in, const vt_onnx_scope *scope, vt_value_id from,
                             vt_value_id to, vt_error *error)
{
    int64_t opset = vt_onnx_opset_of(scope, "");
    opset = opset < 0 ? in->model->opset : opset;
    vt_node copy = {.op = opset < 0 ? NULL : vt_op_find("", "Identity", (int)opset),
                    .opset = (int)opset,
                    .name = "",
                    .inputs = &from,
                    .outputs = &to,
                    .input_count = 1,
                    .output_count = 1};
    if (from == VT_NO_VALUE)
        return vt_fail(error, VT_ERR_FORMAT, "an output of the function is a left-out input");
    if (copy.op == NULL)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "an output of the function is an input, without ai.onnx to copy it");
    return vt_graph_add_node(in->graph, &copy, error);
}

static vt_status bind_outputs(vt_onnx_importer *in, const vt_onnx_scope *scope, const vt_node *call,
                              vt_error *error)
{
    const Onnx__FunctionProto *proto = scope->function->proto;
    vt_status status = VT_OK;
    if (call->output_count > proto->n_output)
        return vt_fail(error, VT_ERR_FORMAT, "%zu outputs, the function has %zu",
                       call->output_count, proto->n_output);
    for (size_t i = 0; i < call->output_count && status == VT_OK; i++) {
        const char *name = vt_onnx_text(proto->output[i]);
        vt_value_id *id = &scope->ids[name_number(scope->function, name)];
        if (call->outputs[i] == VT_NO_VALUE)
            continue;
        if (name[0] == '\0')
            status = vt_fail(error, VT_ERR_FORMAT, "the function's output %zu has no name", i);
        else if (*id == UNSEEN)
            *id = call->outputs[i];
        else
            status = output_copy(in, scope, *id, call->outputs[i], error);
    }
    return status;
}

/* ---- attributes of a call ---- */

static bool function_knows_attr(const vt_onnx_function *function, const char *name)
{
    for (size_t i = 0; i < function->proto->n_attribute; i++)
        if (strcmp(vt_onnx_text(function->proto->attribute[i]), name) == 0)
            return true;
    for (size_t i = 0; i < function->default_count; i++)
        if (strcmp(vt_onnx_text(function->defaults[i]->name), name) == 0)
            return true;
    return false;
}

static bool attrs_have(const vt_attr *attrs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(attrs[i].name, name) == 0)
            return true;
    return false;
}

/* The call's attributes, then the defaults of those that it does not give. */
static vt_status bind_attrs(vt_onnx_importer *in, vt_onnx_scope *scope, const vt_node *call,
                            vt_error *error)
{
    enum { MAXIMUM_ATTRIBUTES = 256 }; /* looking them up is quadratic */
    const vt_onnx_function *function = scope->function;
    size_t declared = function->proto->n_attribute + function->default_count;
    if (call->attr_count > MAXIMUM_ATTRIBUTES || declared > MAXIMUM_ATTRIBUTES)
        return vt_fail(error, VT_ERR_LIMIT, "a function with %zu attributes, called with %zu",
                       declared, call->attr_count);
    vt_status status = VT_OK;
    vt_attr *attrs = vt_arena_array(&in->scratch, call->attr_count + function->default_count + 1,
                                    sizeof(*attrs));
    if (attrs == NULL)
        return vt_fail_memory(error, "attributes");
    size_t count = call->attr_count;
    for (size_t i = 0; i < count; i++) {
        attrs[i] = call->attrs[i];
        if (!function_knows_attr(function, attrs[i].name))
            return vt_fail(error, VT_ERR_FORMAT, "the function has no attribute \"%.60s\"",
                           attrs[i].name);
        if (attrs_have(attrs, i, attrs[i].name))
            return vt_fail(error, VT_ERR_FORMAT, "attribute \"%.60s\" is given twice",
                           attrs[i].name);
    }
    for (size_t i = 0; i < function->default_count && status == VT_OK; i++) {
        bool given = false;
        if (attrs_have(attrs, count, vt_onnx_text(function->defaults[i]->name)))
            continue;
        status =
            vt_onnx_import_attr(in, scope, function->defaults[i], &attrs[count], &given, error);
        count += given;
    }
    scope->attrs = attrs;
    scope->attr_count = count;
    return status;
}

/* ---- the call ---- */

static vt_status call_check(vt_onnx_importer *in, const vt_onnx_scope *scope,
                            const vt_onnx_function *function, vt_error *error)
{
    for (const vt_onnx_scope *at = scope; at->caller != NULL; at = at->caller)
        if (at->function == function)
            return vt_fail(error, VT_ERR_FORMAT, "function \"%.80s\" calls itself",
                           function->key.name);
    if (scope->depth >= MAXIMUM_CALL_DEPTH)
        return vt_fail(error, VT_ERR_LIMIT, "functions call each other deeper than %d levels",
                       MAXIMUM_CALL_DEPTH);
    return vt_onnx_functions_charge(in, function->cost, error);
}

/* The call's name, or the function's, behind that of the call around it. */
static const char *call_label(vt_onnx_importer *in, const vt_onnx_scope *scope,
                              const vt_onnx_function *function, const vt_node *call)
{
    const char *own = call->name[0] != '\0' ? call->name : function->key.name;
    bool prefixed = scope->caller == NULL || call->name[0] != '\0'; /* by node_name already */
    const char *label = prefixed ? vt_arena_printf(&in->scratch, "%s", own)
                                 : vt_arena_printf(&in->scratch, "%s/%s", scope->label, own);
    return label != NULL && strlen(label) > NAME_BYTES ? "call" : label;
}

vt_status vt_onnx_function_call(vt_onnx_importer *in, const vt_onnx_scope *scope,
                                vt_onnx_function *function, const vt_node *call, vt_error *error)
{
    const Onnx__FunctionProto *proto = function->proto;
    vt_onnx_scope inner = {.caller = scope,
                           .function = function,
                           .opsets = proto->opset_import,
                           .opset_count = proto->n_opset_import,
                           .depth = scope->depth + 1};
    vt_status status = function_ready(in, function, error);
    if (status == VT_OK)
        status = call_check(in, scope, function, error);
    if (status != VT_OK)
        return status;
    int64_t opset = vt_onnx_opset_of(&inner, "");
    if (opset >= 0 && (opset < VT_OPSET_OLDEST || opset > VT_OPSET_NEWEST))
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "the function's operator set %lld, supported are %d to %d", (long long)opset,
                       VT_OPSET_OLDEST, VT_OPSET_NEWEST);
    inner.label = call_label(in, scope, function, call);
    inner.ids = vt_arena_array(&in->scratch, function->name_count + 1, sizeof(*inner.ids));
    if (inner.label == NULL || inner.ids == NULL)
        return vt_fail_memory(error, "a call");
    for (size_t i = 0; i < function->name_count; i++)
        inner.ids[i] = UNSEEN;
    status = bind_attrs(in, &inner, call, error);
    if (status == VT_OK)
        status = bind_inputs(&inner, call, error);
    if (status == VT_OK)
        status = bind_outputs(in, &inner, call, error);
    for (size_t n = 0; n < proto->n_node && status == VT_OK; n++)
        status = vt_onnx_import_node(in, &inner, proto->node[n], error);
    return status;
}
