/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder: names with scopes, attributes from text, nodes into a graph; the first failure
 * stays.
 *
 * An attribute's kind is what the operator's table says of it, so that "axis=1" and "alpha=1" need
 * no suffix. A copy of a model keeps its nodes in their order; its weights are duplicated, because
 * the copy may outlive the file they lie in.
 */
#include "nn/builder.h"

#include "base/buf.h"
#include "nn/graph.h"
#include "nn/onnx_file.h"

#include <stdio.h>
#include <string.h>

enum {
    MAXIMUM_SCOPES = 16,
    NAME_BYTES = 1024,
    MAXIMUM_ATTRS = 32,
    MAXIMUM_LIST = 1024, /* numbers of one attribute */
    MAXIMUM_OUTPUTS = 64,
};

struct vt_builder {
    vt_model *model; /* owned until it is finished */
    vt_status status;
    vt_error error;
    int opset;
    char scope[NAME_BYTES]; /* "" or with a dot at its end */
    size_t scope_ends[MAXIMUM_SCOPES];
    int depth;
    size_t made; /* nodes so far, for names */
    vt_value_id *inputs, *outputs;
    size_t input_count, input_capacity, output_count, output_capacity;
    size_t metadata_capacity;
};

/* ---- life ---- */

vt_status vt_builder_new(const vt_model_limits *limits, vt_builder **out, vt_error *error)
{
    vt_builder *builder = vt_calloc(1, sizeof(*builder));
    vt_model *model = vt_calloc(1, sizeof(*model));
    if (builder == NULL || model == NULL) {
        vt_free(builder);
        vt_free(model);
        return vt_fail_memory(error, "a network's builder");
    }
    vt_graph_init(&model->graph, limits);
    model->producer = "vitrine";
    model->name = "network";
    model->opset = builder->opset = VT_BUILDER_OPSET;
    builder->model = model;
    *out = builder;
    return VT_OK;
}

void vt_builder_free(vt_builder *builder)
{
    if (builder == NULL)
        return;
    vt_model_free(builder->model);
    vt_free(builder->inputs);
    vt_free(builder->outputs);
    vt_free(builder);
}

bool vt_builder_failed(const vt_builder *builder)
{
    return builder->status != VT_OK;
}

void vt_builder_renew(vt_builder *builder)
{
    if (builder->opset < VT_BUILDER_OPSET)
        builder->opset = VT_BUILDER_OPSET;
}

int vt_builder_opset(const vt_builder *builder)
{
    return builder->opset;
}

static void note(vt_builder *builder, vt_status status)
{
    if (builder->status == VT_OK)
        builder->status = status;
}

void vt_builder_fail(vt_builder *builder, vt_status status, const char *reason)
{
    if (builder->status == VT_OK)
        builder->status = vt_fail(&builder->error, status, "%s", reason);
}

static vt_status fail_memory(vt_builder *builder)
{
    return vt_fail_memory(&builder->error, "a network");
}

vt_status vt_builder_finish(vt_builder *builder, vt_model **out, vt_error *error)
{
    vt_graph *graph = &builder->model->graph;
    vt_error *own = &builder->error;
    if (builder->status == VT_OK)
        note(builder, vt_graph_set_inputs(graph, builder->inputs, builder->input_count, own));
    if (builder->status == VT_OK)
        note(builder, vt_graph_set_outputs(graph, builder->outputs, builder->output_count, own));
    if (builder->status == VT_OK)
        note(builder, vt_graph_finish(graph, own));
    vt_status status = builder->status;
    if (status == VT_OK) {
        *out = builder->model;
        builder->model = NULL;
    } else {
        vt_fail(error, status, "build the network: %.460s", builder->error.message);
    }
    vt_builder_free(builder);
    return status;
}

/* ---- names ---- */

void vt_builder_enter(vt_builder *builder, const char *scope)
{
    size_t length = strlen(builder->scope), added = strlen(scope);
    if (builder->depth == MAXIMUM_SCOPES || length + added + 2 > sizeof(builder->scope)) {
        vt_builder_fail(builder, VT_ERR_LIMIT, "scopes are nested too deep");
        return;
    }
    builder->scope_ends[builder->depth++] = length;
    memcpy(builder->scope + length, scope, added);
    memcpy(builder->scope + length + added, ".", 2);
}

void vt_builder_leave(vt_builder *builder)
{
    if (builder->depth == 0) {
        vt_builder_fail(builder, VT_ERR_USAGE, "a scope is left that was not entered");
        return;
    }
    builder->scope[builder->scope_ends[--builder->depth]] = '\0';
}

/* A value under the scoped name. */
static vt_value_id add_value(vt_builder *builder, const char *name)
{
    char full[2 * NAME_BYTES];
    vt_value_id id = VT_NO_VALUE;
    if (builder->status != VT_OK)
        return VT_NO_VALUE;
    int length = snprintf(full, sizeof(full), "%s%s", builder->scope, name);
    if (length < 0 || length >= NAME_BYTES)
        vt_builder_fail(builder, VT_ERR_LIMIT, "a name is too long");
    else
        note(builder, vt_graph_add_value(&builder->model->graph, full, &id, &builder->error));
    return id;
}

/* A value under a name that nobody has, made of the operator's. */
static vt_value_id add_result(vt_builder *builder, const char *op)
{
    char name[NAME_BYTES], full[2 * NAME_BYTES];
    /* Ends: every round meets another of finitely many names. */
    for (;;) {
        snprintf(name, sizeof(name), "%.64s_%zu", op, builder->made++);
        snprintf(full, sizeof(full), "%s%s", builder->scope, name);
        if (vt_graph_find_value(&builder->model->graph, full) == VT_NO_VALUE)
            return add_value(builder, name);
    }
}

vt_value_id vt_builder_find(const vt_builder *builder, const char *name)
{
    return vt_graph_find_value(&builder->model->graph, name);
}

static void ids_append(vt_builder *builder, vt_value_id **ids, size_t *count, size_t *capacity,
                       vt_value_id id)
{
    void *grown = *ids;
    if (builder->status != VT_OK)
        return;
    if (!vt_grow(&grown, capacity, *count + 1, sizeof(**ids), VT_NO_VALUE)) {
        note(builder, fail_memory(builder));
        return;
    }
    *ids = grown;
    (*ids)[(*count)++] = id;
}

/* ---- values ---- */

vt_value_id vt_builder_input(vt_builder *builder, const char *name, vt_dtype dtype,
                             const vt_shape *shape)
{
    vt_value_id id = VT_NO_VALUE;
    vt_graph *graph = &builder->model->graph;
    if (builder->status != VT_OK)
        return id;
    note(builder, vt_graph_add_value(graph, name, &id, &builder->error));
    const char **symbols = vt_arena_array(&graph->arena, VT_MAX_RANK, sizeof(*symbols));
    if (symbols == NULL)
        note(builder, fail_memory(builder));
    for (int i = 0; i < shape->rank && builder->status == VT_OK; i++) {
        if (shape->dims[i] >= 0)
            continue;
        symbols[i] = i == 0 ? "N" : vt_arena_printf(&graph->arena, "D%d", i);
        if (symbols[i] == NULL)
            note(builder, fail_memory(builder));
    }
    ids_append(builder, &builder->inputs, &builder->input_count, &builder->input_capacity, id);
    if (builder->status != VT_OK)
        return VT_NO_VALUE;
    vt_value *value = &graph->values[id];
    value->dtype = dtype;
    value->shape = *shape;
    value->symbols = symbols;
    return id;
}

vt_value_id vt_builder_constant(vt_builder *builder, const char *name, vt_tensor *tensor)
{
    vt_value_id id = add_value(builder, name);
    if (builder->status != VT_OK) {
        vt_tensor_deinit(tensor);
        return VT_NO_VALUE;
    }
    note(builder, vt_graph_set_constant(&builder->model->graph, id, tensor, &builder->error));
    return builder->status == VT_OK ? id : VT_NO_VALUE;
}

/* values NULL: zeros. */
static vt_value_id add_numbers(vt_builder *builder, const char *name, vt_dtype dtype,
                               const vt_shape *shape, const void *values)
{
    vt_tensor tensor = {0};
    if (builder->status != VT_OK)
        return VT_NO_VALUE;
    size_t maximum = builder->model->graph.limits.tensor_bytes;
    note(builder, vt_tensor_init(&tensor, dtype, shape, maximum, &builder->error));
    if (builder->status != VT_OK)
        return VT_NO_VALUE;
    if (values != NULL && tensor.bytes > 0)
        memcpy(tensor.data, values, tensor.bytes);
    return vt_builder_constant(builder, name, &tensor);
}

vt_value_id vt_builder_floats(vt_builder *builder, const char *name, const vt_shape *shape,
                              const float *values)
{
    return add_numbers(builder, name, VT_F32, shape, values);
}

vt_value_id vt_builder_scalar(vt_builder *builder, const char *name, float value)
{
    return add_numbers(builder, name, VT_F32, &(vt_shape){.rank = 0}, &value);
}

vt_value_id vt_builder_ints(vt_builder *builder, const char *name, const int64_t *values,
                            size_t count)
{
    const vt_shape shape = {.rank = 1, .dims = {(int64_t)count}};
    return add_numbers(builder, name, VT_I64, &shape, values);
}

/* ---- attributes ---- */

/* The kind letter that the rules ("axis:i pads:I!") give this name; '\0': none. */
static char kind_of(const char *rules, const char *name, size_t length)
{
    for (const char *at = rules; at != NULL && *at != '\0';) {
        size_t word = strcspn(at, " ");
        if (word > length + 1 && at[length] == ':' && memcmp(at, name, length) == 0)
            return at[length + 1];
        at += word;
        at += strspn(at, " ");
    }
    return '\0';
}

static bool read_int(const char *text, size_t length, int64_t *out)
{
    char digits[32];
    if (length == 0 || length >= sizeof(digits))
        return false;
    memcpy(digits, text, length);
    digits[length] = '\0';
    return vt_parse_int(digits, INT64_MIN, INT64_MAX, out);
}

/* Whole numbers (kinds i, I) or floats (f, F) between commas, in the graph's arena. */
static bool read_list(vt_builder *builder, const char *text, size_t length, vt_attr *attr)
{
    bool whole = attr->kind == VT_ATTR_INT || attr->kind == VT_ATTR_INTS;
    size_t count = 1, at = 0;
    for (size_t i = 0; i < length; i++)
        count += text[i] == ',';
    if (length == 0 || count > MAXIMUM_LIST)
        return false;
    int64_t *ints = vt_arena_array(&builder->model->graph.arena, count, sizeof(*ints));
    float *floats = vt_arena_array(&builder->model->graph.arena, count, sizeof(*floats));
    if (ints == NULL || floats == NULL) {
        note(builder, fail_memory(builder));
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        size_t end = at;
        double number = 0;
        while (end < length && text[end] != ',')
            end++;
        if (whole ? !read_int(text + at, end - at, &ints[i])
                  : !vt_parse_double(text + at, end - at, &number))
            return false;
        floats[i] = (float)number;
        at = end + 1;
    }
    attr->count = count;
    attr->ints = ints;
    attr->floats = floats;
    attr->i = ints[0];
    attr->f = floats[0];
    return count == 1 || attr->kind == VT_ATTR_INTS || attr->kind == VT_ATTR_FLOATS;
}

/* One word, "name=value". */
static bool read_attr(vt_builder *builder, const vt_op *op, const char *word, size_t length,
                      vt_attr *attr)
{
    vt_arena *arena = &builder->model->graph.arena;
    const char *equals = memchr(word, '=', length);
    if (equals == NULL)
        return false;
    size_t name_length = (size_t)(equals - word), value_length = length - name_length - 1;
    *attr = (vt_attr){.name = vt_arena_strndup(arena, word, name_length)};
    if (attr->name == NULL)
        note(builder, fail_memory(builder));
    switch (kind_of(op->attrs, word, name_length)) {
    case 'i':
        attr->kind = VT_ATTR_INT;
        break;
    case 'I':
        attr->kind = VT_ATTR_INTS;
        break;
    case 'f':
        attr->kind = VT_ATTR_FLOAT;
        break;
    case 'F':
        attr->kind = VT_ATTR_FLOATS;
        break;
    case 's':
        attr->kind = VT_ATTR_TEXT;
        attr->text = vt_arena_strndup(arena, equals + 1, value_length);
        if (attr->text == NULL)
            note(builder, fail_memory(builder));
        return attr->name != NULL && attr->text != NULL;
    default:
        return false;
    }
    return attr->name != NULL && read_list(builder, equals + 1, value_length, attr);
}

static size_t read_attrs(vt_builder *builder, const vt_op *op, const char *text, vt_attr *attrs)
{
    size_t count = 0;
    for (const char *at = text == NULL ? "" : text; *at != '\0';) {
        size_t length = strcspn(at, " ");
        if (count == MAXIMUM_ATTRS || !read_attr(builder, op, at, length, &attrs[count++])) {
            if (builder->status != VT_OK) /* memory ran out */
                return 0;
            note(builder,
                 vt_fail(&builder->error, VT_ERR_USAGE, "attribute \"%.*s\" of %s cannot be read",
                         (int)(length < 80 ? length : 80), at, op->name));
            return 0;
        }
        at += length;
        at += strspn(at, " ");
    }
    return count;
}

/* ---- nodes ---- */

/* op: "Name" or "domain:Name". */
static const vt_op *find_op(vt_builder *builder, const char *op)
{
    char domain[64] = "";
    const char *colon = strchr(op, ':');
    if (colon != NULL)
        snprintf(domain, sizeof(domain), "%.*s", (int)(colon - op), op);
    const vt_op *found =
        vt_op_find(domain, colon == NULL ? op : colon + 1, colon == NULL ? builder->opset : 1);
    if (found == NULL)
        note(builder, vt_fail(&builder->error, VT_ERR_UNSUPPORTED,
                              "operator \"%.80s\" is not known in opset %d", op, builder->opset));
    return found;
}

void vt_builder_nodes(vt_builder *builder, const char *op, const char *attrs,
                      const vt_value_id *inputs, size_t count, vt_value_id *outputs,
                      size_t output_count)
{
    vt_attr list[MAXIMUM_ATTRS];
    for (size_t i = 0; i < output_count; i++)
        outputs[i] = VT_NO_VALUE;
    const vt_op *found = builder->status == VT_OK ? find_op(builder, op) : NULL;
    if (found == NULL)
        return;
    if (output_count == 0 || output_count > MAXIMUM_OUTPUTS) {
        vt_builder_fail(builder, VT_ERR_USAGE, "a node has 1 to 64 outputs");
        return;
    }
    vt_node node = {.op = found, .input_count = count, .output_count = output_count};
    node.opset = strchr(op, ':') == NULL ? builder->opset : 1;
    node.attrs = list;
    node.attr_count = read_attrs(builder, found, attrs, list);
    for (size_t i = 0; i < output_count; i++)
        outputs[i] = add_result(builder, found->name);
    if (builder->status == VT_OK) {
        vt_graph *graph = &builder->model->graph;
        node.name = graph->values[outputs[0]].name;
        node.inputs = (vt_value_id *)inputs; /* copied by vt_graph_add_node */
        node.outputs = outputs;
        note(builder, vt_graph_add_node(graph, &node, &builder->error));
    }
    for (size_t i = 0; i < output_count && builder->status != VT_OK; i++)
        outputs[i] = VT_NO_VALUE;
}

vt_value_id vt_builder_node(vt_builder *builder, const char *op, const char *attrs,
                            const vt_value_id *inputs, size_t count)
{
    vt_value_id output;
    vt_builder_nodes(builder, op, attrs, inputs, count, &output, 1);
    return output;
}

/* ---- outputs ---- */

void vt_builder_output(vt_builder *builder, const char *name, vt_value_id value)
{
    vt_graph *graph = &builder->model->graph;
    if (builder->status != VT_OK)
        return;
    if (value == VT_NO_VALUE) {
        vt_builder_fail(builder, VT_ERR_USAGE, "an output without a value");
        return;
    }
    if (strcmp(graph->values[value].name, name) != 0) {
        vt_node node = {.op = find_op(builder, "Identity"), .opset = builder->opset, .name = name};
        vt_value_id output = VT_NO_VALUE;
        if (builder->status == VT_OK)
            note(builder, vt_graph_add_value(graph, name, &output, &builder->error));
        node.inputs = &value;
        node.outputs = &output;
        node.input_count = node.output_count = 1;
        if (builder->status == VT_OK)
            note(builder, vt_graph_add_node(graph, &node, &builder->error));
        value = output;
    }
    ids_append(builder, &builder->outputs, &builder->output_count, &builder->output_capacity,
               value);
}

void vt_builder_clear_outputs(vt_builder *builder)
{
    builder->output_count = 0;
}

void vt_builder_metadata(vt_builder *builder, const char *key, const char *text)
{
    vt_model *model = builder->model;
    vt_arena *arena = &model->graph.arena;
    if (builder->status != VT_OK)
        return;
    size_t at = 0;
    while (at < model->metadata_count && strcmp(model->keys[at], key) != 0)
        at++;
    if (at == builder->metadata_capacity) {
        size_t capacity = at < 8 ? 16 : 2 * at;
        const char **keys = vt_arena_array(arena, capacity, sizeof(*keys));
        const char **texts = vt_arena_array(arena, capacity, sizeof(*texts));
        if (keys == NULL || texts == NULL) {
            note(builder, fail_memory(builder));
            return;
        }
        for (size_t i = 0; i < at; i++) {
            keys[i] = model->keys[i];
            texts[i] = model->texts[i];
        }
        model->keys = keys;
        model->texts = texts;
        builder->metadata_capacity = capacity;
    }
    char *copied = vt_arena_strdup(arena, text), *name = vt_arena_strdup(arena, key);
    if (copied == NULL || name == NULL) {
        note(builder, fail_memory(builder));
        return;
    }
    model->keys[at] = name;
    model->texts[at] = copied;
    model->metadata_count = at == model->metadata_count ? at + 1 : model->metadata_count;
}

/* ---- a copy of a model ---- */

static vt_status copy_symbols(vt_graph *graph, const vt_value *from, vt_value *to)
{
    if (from->symbols == NULL)
        return VT_OK;
    const char **symbols = vt_arena_array(&graph->arena, VT_MAX_RANK, sizeof(*symbols));
    for (int i = 0; i < from->shape.rank && symbols != NULL; i++) {
        if (from->symbols[i] == NULL)
            continue;
        symbols[i] = vt_arena_strdup(&graph->arena, from->symbols[i]);
        if (symbols[i] == NULL)
            return VT_ERR_NO_MEMORY;
    }
    to->symbols = symbols;
    return symbols == NULL ? VT_ERR_NO_MEMORY : VT_OK;
}

/* The same id in both graphs. */
static void copy_value(vt_builder *builder, const vt_graph *in, vt_value_id id)
{
    vt_graph *graph = &builder->model->graph;
    const vt_value *from = &in->values[id];
    vt_error *error = &builder->error;
    vt_value_id made = VT_NO_VALUE;
    note(builder, vt_graph_add_value(graph, from->name, &made, error));
    if (builder->status == VT_OK && from->constant != NULL) {
        vt_tensor copy = {0};
        note(builder, vt_tensor_dup(from->constant, &copy, error));
        if (builder->status == VT_OK)
            note(builder, vt_graph_set_constant(graph, made, &copy, error));
    }
    if (builder->status != VT_OK)
        return;
    vt_value *to = &graph->values[made];
    to->dtype = from->dtype;
    to->shape = from->shape;
    if (copy_symbols(graph, from, to) != VT_OK)
        note(builder, fail_memory(builder));
}

/* Tensors in attributes are borrowed by nodes: the copy gets its own. */
static void copy_node(vt_builder *builder, const vt_node *from)
{
    vt_graph *graph = &builder->model->graph;
    vt_attr attrs[64];
    vt_node node = *from;
    if (from->attr_count > sizeof(attrs) / sizeof(attrs[0])) {
        vt_builder_fail(builder, VT_ERR_LIMIT, "a node has too many attributes");
        return;
    }
    node.attrs = attrs;
    for (size_t i = 0; i < from->attr_count && builder->status == VT_OK; i++) {
        attrs[i] = from->attrs[i];
        if (attrs[i].kind != VT_ATTR_TENSOR)
            continue;
        vt_tensor copy = {0};
        note(builder, vt_tensor_dup(attrs[i].tensor, &copy, &builder->error));
        if (builder->status == VT_OK)
            note(builder, vt_graph_keep_tensor(graph, &copy, &attrs[i].tensor, &builder->error));
    }
    if (builder->status == VT_OK)
        note(builder, vt_graph_add_node(graph, &node, &builder->error));
}

static void copy_ends(vt_builder *builder, const vt_model *model)
{
    const vt_graph *in = &model->graph;
    for (size_t i = 0; i < in->input_count; i++)
        ids_append(builder, &builder->inputs, &builder->input_count, &builder->input_capacity,
                   in->inputs[i]);
    for (size_t i = 0; i < in->output_count; i++)
        ids_append(builder, &builder->outputs, &builder->output_count, &builder->output_capacity,
                   in->outputs[i]);
    for (size_t i = 0; i < model->metadata_count; i++)
        vt_builder_metadata(builder, model->keys[i], model->texts[i]);
}

vt_status vt_builder_from(const vt_model *model, vt_builder **out, vt_error *error)
{
    const vt_graph *in = &model->graph;
    vt_builder *builder;
    vt_status status = vt_builder_new(&in->limits, &builder, error);
    if (status != VT_OK)
        return status;
    if (model->opset > 0)
        builder->opset = (int)model->opset;
    vt_model *copy = builder->model;
    copy->opset = builder->opset;
    copy->ir_version = model->ir_version;
    copy->name = vt_arena_strdup(&copy->graph.arena, model->name == NULL ? "" : model->name);
    if (copy->name == NULL)
        note(builder, fail_memory(builder));
    for (size_t i = 0; i < in->value_count && builder->status == VT_OK; i++)
        copy_value(builder, in, (vt_value_id)i);
    for (size_t n = 0; n < in->node_count && builder->status == VT_OK; n++)
        copy_node(builder, &in->nodes[n]);
    copy_ends(builder, model);
    if (builder->status == VT_OK) {
        *out = builder;
        return VT_OK;
    }
    status = vt_fail(error, builder->status, "copy the network: %.460s", builder->error.message);
    vt_builder_free(builder);
    return status;
}
