/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One node of any operator in the table: random operator set, attributes by the operator's own
 * rules, types, shapes and numbers, some inputs constant. The node goes the whole way: checks,
 * shape inference, folding when everything is constant, the reference when not. What must hold:
 * no fault, and outputs that have the shape and type that inference said.
 */
#include "base/mem.h"
#include "nn/ops/table.h"
#include "nn/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPERANDS = 6, ATTRIBUTES = 16, LIST = 8, DIMENSION = 6, TENSOR_BYTES = 1 << 14 };

/* Made from the operator table's header: all files of operators. */
static const vt_op *const op_files[] = {
#include "op_files.inc"
};

/* Reads zeros behind the end. */
typedef struct reader {
    const uint8_t *at, *end;
    vt_arena arena;
} reader;

static uint8_t next(reader *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static bool maybe(reader *in)
{
    return next(in) % 3 == 0;
}

/* Mostly small, sometimes where arithmetic breaks. */
static int64_t whole(reader *in)
{
    static const int64_t edges[] = {INT64_MIN, INT64_MAX, INT32_MIN, INT32_MAX,
                                    1 << 16,   -100,      100,       INT64_C(1) << 40};
    uint8_t byte = next(in);
    return byte < 240 ? (int64_t)(byte % 12) - 3 : edges[byte % 8];
}

static float real(reader *in)
{
    static const float edges[] = {0.0F, -0.0F, 1.0F / 0.0F, -1.0F / 0.0F, 1e30F, 1e-30F, 0.5F, 255};
    uint8_t byte = next(in);
    return byte < 224 ? (float)(int8_t)byte / 8 : edges[byte % 8];
}

static const char *text(reader *in)
{
    static const char *const texts[] = {
        "",        "NOTSET",     "SAME_UPPER", "SAME_LOWER", "VALID",    "constant", "reflect",
        "edge",    "wrap",       "nearest",    "linear",     "cubic",    "floor",    "none",
        "add",     "mul",        "max",        "min",        "bilinear", "zeros",    "border",
        "forward", "asymmetric", "DCR",        "CRD",        "tanh",     "ij,jk->ik"};
    return texts[next(in) % (sizeof(texts) / sizeof(texts[0]))];
}

static vt_dtype type(reader *in)
{
    static const vt_dtype types[] = {VT_F32,  VT_F32, VT_I64, VT_I32, VT_F16, VT_BF16,
                                     VT_F64,  VT_U8,  VT_I8,  VT_U16, VT_I16, VT_U32,
                                     VT_BOOL, VT_U64, VT_F32, VT_I64};
    return types[next(in) % 16];
}

static bool tensor(reader *in, vt_dtype dtype, vt_tensor *out)
{
    vt_shape shape = {.rank = next(in) % 6};
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = next(in) % DIMENSION;
    if (vt_tensor_init(out, dtype, &shape, TENSOR_BYTES, NULL) != VT_OK)
        return false;
    size_t count = vt_tensor_count(out);
    uint64_t step = next(in);
    int64_t base = whole(in);
    for (size_t i = 0; i < count; i++) {
        double value = i < 16 && vt_dtype_is_float(dtype) ? (double)real(in) : 0.0;
        int64_t number = i < 16 ? whole(in) : (int64_t)((uint64_t)base + i * step % 11);
        if (vt_dtype_is_float(dtype) && i < 16)
            vt_store_f64(dtype, out->data, i, 1, &value);
        else
            vt_store_i64(dtype, out->data, i, 1, &number);
    }
    return true;
}

/* ---- attributes ---- */

static bool attr_fill(reader *in, vt_graph *graph, char kind, vt_attr *attr)
{
    int64_t *ints = vt_arena_array(&in->arena, LIST, sizeof(*ints));
    float *floats = vt_arena_array(&in->arena, LIST, sizeof(*floats));
    const char **texts = vt_arena_array(&in->arena, LIST, sizeof(*texts));
    vt_tensor value;
    attr->count = kind == 'I' || kind == 'F' || kind == 'S' ? next(in) % LIST : 0;
    for (size_t i = 0; i < attr->count; i++) {
        ints[i] = kind == 'I' ? whole(in) : 0;
        floats[i] = kind == 'F' ? real(in) : 0;
        texts[i] = kind == 'S' ? text(in) : "";
    }
    attr->ints = ints;
    attr->floats = floats;
    attr->texts = texts;
    switch (kind) {
    case 'i':
        attr->kind = VT_ATTR_INT;
        attr->i = whole(in);
        return true;
    case 'f':
        attr->kind = VT_ATTR_FLOAT;
        attr->f = real(in);
        return true;
    case 's':
        attr->kind = VT_ATTR_TEXT;
        attr->text = text(in);
        return true;
    case 'I':
        attr->kind = VT_ATTR_INTS;
        return true;
    case 'F':
        attr->kind = VT_ATTR_FLOATS;
        return true;
    case 'S':
        attr->kind = VT_ATTR_TEXTS;
        return true;
    default:
        attr->kind = VT_ATTR_TENSOR;
        return tensor(in, type(in), &value) &&
               vt_graph_keep_tensor(graph, &value, &attr->tensor, NULL) == VT_OK;
    }
}

/* By the operator's rules ("axis:i pads:I value:t!"). */
static size_t attributes(reader *in, vt_graph *graph, const vt_op *op, vt_attr *attrs)
{
    size_t count = 0;
    for (const char *at = op->attrs == NULL ? "" : op->attrs; *at != '\0' && count < ATTRIBUTES;) {
        size_t length = strcspn(at, ":");
        const char *name = vt_arena_strndup(&in->arena, at, length);
        at += length + (at[length] == ':');
        char kind = *at;
        at += *at != '\0';
        bool wanted = *at == '!' || maybe(in);
        at += *at == '!';
        at += strspn(at, " ");
        attrs[count] = (vt_attr){.name = name};
        if (wanted && name != NULL)
            count += attr_fill(in, graph, kind, &attrs[count]);
    }
    return count;
}

/* ---- the node ---- */

static const vt_op *choose(reader *in)
{
    size_t count = 0, rows = 0;
    size_t wanted = next(in) | (size_t)next(in) << 8;
    for (int pass = 0; pass < 2; pass++) {
        count = 0;
        for (size_t f = 0; f < sizeof(op_files) / sizeof(op_files[0]); f++)
            for (const vt_op *op = op_files[f]; op->name != NULL; op++)
                if (count++ == wanted % (rows == 0 ? SIZE_MAX : rows) && pass == 1)
                    return op;
        rows = count;
    }
    return op_files[0];
}

static size_t how_many(reader *in, int low, int high)
{
    int most = high < 0 || high > OPERANDS ? OPERANDS : high;
    return most <= low ? (size_t)low : (size_t)low + next(in) % (size_t)(most - low + 1);
}

typedef struct network {
    vt_graph graph;
    vt_tensor inputs[OPERANDS]; /* of the graph, with data */
    size_t input_count;
    vt_value_id ids[2 * OPERANDS];
} network;

static bool operands(reader *in, network *net, vt_node *node)
{
    vt_value_id bound[OPERANDS], made[OPERANDS];
    vt_dtype first = type(in);
    size_t made_count = 0;
    for (size_t i = 0; i < node->input_count + node->output_count; i++) {
        char name[8];
        bool output = i >= node->input_count;
        int needed = output ? node->op->min_outputs : node->op->min_inputs;
        size_t place = output ? i - node->input_count : i;
        vt_tensor value;
        snprintf(name, sizeof(name), "v%zu", i);
        net->ids[i] = VT_NO_VALUE;
        if (place >= (size_t)needed && maybe(in))
            continue;
        if (vt_graph_add_value(&net->graph, name, &net->ids[i], NULL) != VT_OK)
            return false;
        if (output) {
            made[made_count++] = net->ids[i];
            continue;
        }
        if (!tensor(in, maybe(in) ? type(in) : first, &value))
            return false;
        if (next(in) % 2 == 0) {
            if (vt_graph_set_constant(&net->graph, net->ids[i], &value, NULL) != VT_OK)
                return false;
            continue;
        }
        net->graph.values[net->ids[i]].dtype = value.dtype;
        net->graph.values[net->ids[i]].shape = value.shape;
        bound[net->input_count] = net->ids[i];
        net->inputs[net->input_count++] = value;
    }
    node->inputs = net->ids;
    node->outputs = net->ids + node->input_count;
    return made_count > 0 && vt_graph_add_node(&net->graph, node, NULL) == VT_OK &&
           vt_graph_set_inputs(&net->graph, bound, net->input_count, NULL) == VT_OK &&
           vt_graph_set_outputs(&net->graph, made, made_count, NULL) == VT_OK &&
           vt_graph_finish(&net->graph, NULL) == VT_OK;
}

static void run(network *net)
{
    const vt_graph *graph = &net->graph;
    vt_plan *plan;
    vt_runner *runner;
    vt_tensor outputs[OPERANDS], told[OPERANDS];
    vt_error error = {0};
    /* Shapes may hang on values, so the inputs are bound. */
    if (vt_plan_new_bound(graph, net->inputs, graph->outputs, graph->output_count, &plan, &error) !=
        VT_OK) {
        if (error.message[0] == '\0')
            abort();
        return;
    }
    vt_plan_free(plan);
    vt_shape shapes[OPERANDS];
    for (size_t i = 0; i < net->input_count; i++)
        shapes[i] = net->inputs[i].shape;
    if (vt_plan_new(graph, shapes, graph->outputs, graph->output_count, &plan, &error) != VT_OK)
        return;
    for (size_t i = 0; i < graph->output_count; i++)
        told[i] = plan->values[graph->outputs[i]].tensor;
    if (vt_reference_runner_new(plan, &runner, &error) != VT_OK)
        return;
    if (runner->run(runner, net->inputs, outputs, &error) == VT_OK) {
        double sum = 0.0;
        for (size_t i = 0; i < graph->output_count; i++) {
            if (outputs[i].dtype != told[i].dtype ||
                !vt_shape_equal(&outputs[i].shape, &told[i].shape))
                abort(); /* how a target tells the fuzzer about a wrong answer */
            for (size_t k = 0; k < vt_tensor_count(&outputs[i]); k++)
                sum += vt_tensor_get(&outputs[i], k);
        }
        volatile double sink = sum; /* every output byte is read */
        (void)sink;
    }
    runner->free(runner);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    reader in = {.at = data, .end = data + size};
    network net = {0};
    vt_attr attrs[ATTRIBUTES];
    vt_model_limits limits = {.file_bytes = 1 << 20,
                              .nodes = 8,
                              .initializers = 64,
                              .dimension = 1 << 16,
                              .tensor_bytes = TENSOR_BYTES};
    vt_arena_init(&in.arena, 1 << 24);
    vt_graph_init(&net.graph, &limits);
    const vt_op *op = choose(&in);
    int newest = op->until == 0 ? VT_OPSET_NEWEST : op->until;
    vt_node node = {.op = op,
                    .opset = newest > op->since
                                 ? op->since + (int)(next(&in) % (unsigned)(newest - op->since + 1))
                                 : op->since,
                    .name = "fuzzed",
                    .attrs = attrs};
    node.attr_count = attributes(&in, &net.graph, op, attrs);
    node.input_count = how_many(&in, op->min_inputs, op->max_inputs);
    node.output_count = how_many(&in, op->min_outputs, op->max_outputs);
    if (node.input_count <= OPERANDS && node.output_count > 0 && node.output_count <= OPERANDS &&
        operands(&in, &net, &node))
        run(&net);
    for (size_t i = 0; i < OPERANDS; i++)
        vt_tensor_deinit(&net.inputs[i]);
    vt_graph_deinit(&net.graph);
    vt_arena_deinit(&in.arena);
    return 0;
}
