/* SPDX-License-Identifier: Apache-2.0 */
/* Static quantisation: the numbers of weights, where pairs go, what stays as it was. */
#include "plan_builder.h"

#include "nn/onnx_export.h"
#include "nn/onnx_file.h"
#include "nn/quantize.h"

#include <math.h>
#include <stdlib.h>

/* ---- weights ---- */

static vt_tensor tensor_of(int rank, const int64_t *dims, const float *values)
{
    vt_tensor tensor;
    vt_shape shape = vt_shape_of(rank, dims);
    assert_int_equal(vt_tensor_init(&tensor, VT_F32, &shape, 0, NULL), VT_OK);
    memcpy(tensor.data, values, tensor.bytes);
    return tensor;
}

static void test_weights_are_within_half_a_step(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 5);
    enum { ROWS = 6, COLUMNS = 5 };
    float values[ROWS * COLUMNS];
    for (int i = 0; i < ROWS * COLUMNS; i++)
        values[i] = vt_random_float(&b.random, -2, 2) * (float)(1 + i / COLUMNS);
    for (int axis = 0; axis < 2; axis++) {
        vt_tensor w = tensor_of(2, (int64_t[]){ROWS, COLUMNS}, values);
        vt_quantize_weights made = {0};
        assert_int_equal(vt_quantize_weights_of(&w, axis, NULL, 1, &made, NULL), VT_OK);
        const float *scales = made.scales.data;
        const int8_t *steps = made.values.data;
        assert_int_equal(vt_tensor_count(&made.scales), axis == 0 ? ROWS : COLUMNS);
        assert_null(made.bias.data);
        int largest = 0;
        for (int i = 0; i < ROWS * COLUMNS; i++) {
            float scale = scales[axis == 0 ? i / COLUMNS : i % COLUMNS];
            assert_true(fabsf((float)steps[i] * scale - values[i]) <= scale * 0.5001F);
            largest = abs(steps[i]) > largest ? abs(steps[i]) : largest;
        }
        assert_int_equal(largest, 127);
        vt_quantize_weights_deinit(&made);
        vt_tensor_deinit(&w);
    }
    builder_deinit(&b);
}

static void test_biases_fit(void **state)
{
    (void)state;
    /* A plain channel, one of zeros with a bias, one of zeros without, one whose bias is huge. */
    vt_tensor w = tensor_of(2, (int64_t[]){4, 2}, (float[]){1, -0.5F, 0, 0, 0, 0, 1e-6F, -1e-6F});
    vt_tensor bias = tensor_of(1, (int64_t[]){4}, (float[]){0.3F, -7, 0, 1000});
    vt_quantize_weights made = {0};
    const float input_scale = 0.02F;
    assert_int_equal(vt_quantize_weights_of(&w, 0, &bias, input_scale, &made, NULL), VT_OK);
    const float *scales = made.scales.data, *steps = made.bias_scales.data;
    const int32_t *stored = made.bias.data;
    for (int c = 0; c < 4; c++) {
        assert_true(scales[c] > 0 && isfinite(scales[c]));
        assert_float_equal(steps[c], input_scale * scales[c], 1e-6F * steps[c]);
        double back = (double)stored[c] * (double)steps[c], want = vt_tensor_get(&bias, (size_t)c);
        assert_true(fabs(back - want) <= 0.51 * (double)steps[c] + 1e-6 * fabs(want));
        assert_true(abs(stored[c]) <= (1 << 30) + 64);
    }
    assert_int_equal(((int8_t *)made.values.data)[0], 127);
    assert_int_equal(((int8_t *)made.values.data)[1], -64); /* 63.5: to even */
    assert_true(abs(stored[1]) > 1 << 29);                  /* the dead channel's bias is sharp */
    vt_quantize_weights_deinit(&made);
    ((float *)w.data)[3] = NAN;
    assert_int_equal(vt_quantize_weights_of(&w, 0, &bias, input_scale, &made, NULL), VT_ERR_FORMAT);
    vt_tensor_deinit(&w);
    vt_tensor_deinit(&bias);
}

static void test_scales(void **state)
{
    (void)state;
    assert_float_equal(vt_quantize_scale(12.7F, false), 0.1F, 1e-7F);
    assert_float_equal(vt_quantize_scale(25.5F, true), 0.1F, 1e-7F);
    assert_true(vt_quantize_scale(0, true) > 0);
    assert_true(vt_quantize_scale(1e-45F, false) > 0);
}

/* ---- graphs ---- */

typedef struct quantized {
    vt_graph prepared, graph;
    vt_quantize_plan *plan;
    vt_quantize_options options;
    vt_shape shape;
} quantized;

static void run_graph(const vt_graph *graph, vt_value_id *ids, size_t count, const vt_tensor *input,
                      vt_tensor *outputs)
{
    vt_plan *plan = NULL;
    vt_runner *runner = NULL;
    vt_error error = {0};
    if (vt_plan_new(graph, &input->shape, ids, count, &plan, &error) != VT_OK)
        fail_msg("plan: %s", error.message);
    assert_int_equal(vt_memory_plan(plan, NULL), VT_OK);
    assert_int_equal(vt_reference_runner_new(plan, &runner, NULL), VT_OK);
    vt_tensor *borrowed = vt_calloc(count, sizeof *borrowed);
    run_or_fail(runner, input, borrowed);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(vt_tensor_dup(&borrowed[i], &outputs[i], NULL), VT_OK);
    vt_free(borrowed);
    runner->free(runner);
}

static void prepare_finished(builder *b, quantized *q)
{
    vt_error error = {0};
    memset(q, 0, sizeof *q);
    q->shape = b->graph.values[b->inputs[0]].shape;
    for (int i = 0; i < q->shape.rank; i++)
        q->shape.dims[i] = q->shape.dims[i] < 0 ? 2 : q->shape.dims[i];
    q->options.input_shapes = &q->shape;
    if (vt_quantize_prepare(&b->graph, &q->options, &q->prepared, &error) != VT_OK)
        fail_msg("%s", error.message);
    if (vt_quantize_plan_new(&q->prepared, &q->options, &q->plan, &error) != VT_OK)
        fail_msg("%s", error.message);
}

static void prepare(builder *b, quantized *q)
{
    builder_finish(b);
    prepare_finished(b, q);
}

/* Thresholds: the largest magnitudes for this input. */
static void calibrate(quantized *q, const vt_tensor *input)
{
    vt_value_id ids[64];
    vt_tensor values[64];
    size_t count = 0;
    for (size_t i = 0; i < q->prepared.value_count; i++)
        if (q->plan->observed[i])
            ids[count++] = (vt_value_id)i;
    run_graph(&q->prepared, ids, count, input, values);
    for (size_t i = 0; i < count; i++) {
        float largest = 0;
        for (size_t k = 0; k < vt_tensor_count(&values[i]); k++)
            largest = fmaxf(largest, fabsf(((float *)values[i].data)[k]));
        q->plan->thresholds[ids[i]] = largest;
        vt_tensor_deinit(&values[i]);
    }
}

static void rewrite(quantized *q)
{
    vt_error error = {0};
    if (vt_quantize_graph(&q->prepared, q->plan, &q->graph, &error) != VT_OK)
        fail_msg("%s", error.message);
}

static void quantized_deinit(quantized *q)
{
    vt_graph_deinit(&q->graph);
    vt_quantize_plan_free(q->plan);
    vt_graph_deinit(&q->prepared);
}

static vt_tensor random_input(builder *b, const vt_shape *shape)
{
    vt_tensor input;
    assert_int_equal(vt_tensor_init(&input, VT_F32, shape, 0, NULL), VT_OK);
    builder_fill(b, &input, -1, 1);
    return input;
}

static size_t count_nodes(const vt_graph *graph, const char *op)
{
    size_t count = 0;
    for (size_t n = 0; n < graph->node_count; n++)
        count += strcmp(graph->nodes[n].op->name, op) == 0;
    return count;
}

static const vt_node *producer_of(const vt_graph *graph, vt_value_id id)
{
    assert_true(graph->values[id].producer != UINT32_MAX);
    return &graph->nodes[graph->values[id].producer];
}

static double cosine(const vt_tensor *a, const vt_tensor *b)
{
    double ab = 0, aa = 0, bb = 0;
    assert_int_equal(vt_tensor_count(a), vt_tensor_count(b));
    for (size_t i = 0; i < vt_tensor_count(a); i++) {
        double x = vt_tensor_get(a, i), y = vt_tensor_get(b, i);
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    return ab / sqrt(aa * bb);
}

/* The first output of two graphs for one input. */
static double similarity(const vt_graph *a, const vt_graph *b, const vt_tensor *input)
{
    vt_tensor x, y;
    run_graph(a, a->outputs, 1, input, &x);
    run_graph(b, b->outputs, 1, input, &y);
    double result = cosine(&x, &y);
    vt_tensor_deinit(&x);
    vt_tensor_deinit(&y);
    return result;
}

static vt_value_id conv(builder *b, int opset, vt_value_id x, int64_t in, int64_t out, bool bias)
{
    static const int64_t pads[] = {1, 1, 1, 1};
    vt_attr attr = attr_ints("pads", 4, pads);
    vt_value_id w = builder_constant(b, 4, (int64_t[]){out, in, 3, 3}, -1, 1);
    vt_value_id inputs[3] = {x, w, VT_NO_VALUE};
    if (bias)
        inputs[2] = builder_constant(b, 1, &out, -1, 1);
    return builder_node(b, "Conv", opset, inputs, 3, &attr, 1);
}

static vt_value_id batchnorm(builder *b, int opset, vt_value_id x, int64_t channels)
{
    vt_value_id inputs[5] = {
        x, builder_constant(b, 1, &channels, 0.5F, 2), builder_constant(b, 1, &channels, -1, 1),
        builder_constant(b, 1, &channels, -1, 1), builder_constant(b, 1, &channels, 0.5F, 2)};
    return builder_node(b, "BatchNormalization", opset, inputs, 5, NULL, 0);
}

/* Conv-Relu, then two Convs of which one has a normalisation behind it, their sum, Relu, pooling,
 * Flatten, Gemm with transB. The batch is free. */
static void residual(builder *b, int64_t batch)
{
    builder_init(b, 11);
    vt_value_id x = builder_input(b, VT_F32, 4, (int64_t[]){batch, 3, 8, 8});
    vt_value_id stem = builder_unary(b, "Relu", conv(b, 13, x, 3, 4, true));
    vt_value_id left = batchnorm(b, 13, conv(b, 13, stem, 4, 4, false), 4);
    vt_value_id sum = builder_unary(b, "Relu", builder_binary(b, "Add", left, stem));
    vt_value_id flat = builder_unary(b, "Flatten", builder_unary(b, "GlobalAveragePool", sum));
    vt_attr transposed = attr_int("transB", 1);
    vt_value_id gemm[3] = {flat, builder_constant(b, 2, (int64_t[]){6, 4}, -1, 1),
                           builder_constant(b, 1, (int64_t[]){6}, -1, 1)};
    builder_output(b, builder_node(b, "Gemm", 13, gemm, 3, &transposed, 1));
}

static void test_residual_network(void **state)
{
    (void)state;
    builder b;
    quantized q;
    residual(&b, -1);
    prepare(&b, &q);
    assert_int_equal(count_nodes(&q.prepared, "BatchNormalization"), 0);
    vt_tensor input = random_input(&b, &q.shape);
    assert_true(similarity(&b.graph, &q.prepared, &input) > 0.999999);
    calibrate(&q, &input);
    rewrite(&q);
    /* x, both Relus, the second Conv, the pool, Flatten: one pair each. The first Relu is read
     * twice. */
    assert_int_equal(count_nodes(&q.graph, "QuantizeLinear"), 6);
    /* Besides those, weights of three products and their biases. */
    assert_int_equal(count_nodes(&q.graph, "DequantizeLinear"), 6 + 3 + 3);
    assert_true(similarity(&b.graph, &q.graph, &input) > 0.999);
    for (size_t n = 0; n < q.graph.node_count; n++) {
        const vt_node *node = &q.graph.nodes[n];
        if (strcmp(node->op->name, "Relu") == 0) /* no pair before it */
            assert_string_not_equal(producer_of(&q.graph, node->inputs[0])->op->name,
                                    "DequantizeLinear");
        if (strcmp(node->op->name, "Add") == 0)
            for (int i = 0; i < 2; i++)
                assert_string_equal(producer_of(&q.graph, node->inputs[i])->op->name,
                                    "DequantizeLinear");
        if (strcmp(node->op->name, "Gemm") == 0)
            assert_int_equal(vt_node_int(producer_of(&q.graph, node->inputs[1]), "axis", -1), 0);
    }
    vt_tensor_deinit(&input);
    quantized_deinit(&q);
    builder_deinit(&b);
}

/* u8 behind Relu, i8 elsewhere, zero points 0, and what is moved keeps its scale. */
static void test_types_of_pairs(void **state)
{
    (void)state;
    builder b;
    quantized q;
    residual(&b, 1);
    prepare(&b, &q);
    vt_tensor input = random_input(&b, &q.shape);
    calibrate(&q, &input);
    rewrite(&q);
    float pool_scale = 0, flat_scale = 1;
    for (size_t n = 0; n < q.graph.node_count; n++) {
        const vt_node *node = &q.graph.nodes[n];
        if (strcmp(node->op->name, "QuantizeLinear") != 0)
            continue;
        const vt_tensor *zero = q.graph.values[node->inputs[2]].constant;
        const vt_value *value = &q.graph.values[node->inputs[0]];
        bool input_or_conv = value->producer == UINT32_MAX ||
                             strcmp(q.graph.nodes[value->producer].op->name, "Conv") == 0;
        assert_int_equal(zero->dtype, input_or_conv ? VT_I8 : VT_U8);
        assert_true(vt_tensor_get(zero, 0) == 0);
        float scale = (float)vt_tensor_get(q.graph.values[node->inputs[1]].constant, 0);
        if (value->producer != UINT32_MAX) {
            const char *op = q.graph.nodes[value->producer].op->name;
            pool_scale = strcmp(op, "GlobalAveragePool") == 0 ? scale : pool_scale;
            flat_scale = strcmp(op, "Flatten") == 0 ? scale : flat_scale;
        }
    }
    assert_true(pool_scale == flat_scale);
    vt_tensor_deinit(&input);
    quantized_deinit(&q);
    builder_deinit(&b);
}

static void test_excluded_nodes_stay(void **state)
{
    (void)state;
    builder b;
    quantized q;
    residual(&b, 1);
    prepare(&b, &q);
    vt_tensor input = random_input(&b, &q.shape);
    calibrate(&q, &input);
    size_t gemm = 0;
    for (size_t n = 0; n < q.prepared.node_count; n++)
        gemm = strcmp(q.prepared.nodes[n].op->name, "Gemm") == 0 ? n : gemm;
    assert_true(q.plan->quantized[gemm]);
    q.plan->excluded[gemm] = true;
    vt_quantize_choose(q.plan, false);
    rewrite(&q);
    /* Nothing reads the sum in 8 bits any more, so neither pool nor Flatten nor the sum do. */
    assert_int_equal(count_nodes(&q.graph, "QuantizeLinear"), 2);
    const vt_node *last = producer_of(&q.graph, q.graph.outputs[0]);
    assert_non_null(q.graph.values[last->inputs[1]].constant);
    assert_int_equal(q.graph.values[last->inputs[1]].dtype, VT_F32);
    assert_true(similarity(&b.graph, &q.graph, &input) > 0.999);
    /* All of them: the graph as it was. */
    vt_graph_deinit(&q.graph);
    memset(q.plan->excluded, 1, q.prepared.node_count);
    vt_quantize_choose(q.plan, false);
    rewrite(&q);
    assert_int_equal(count_nodes(&q.graph, "QuantizeLinear"), 0);
    assert_true(similarity(&q.prepared, &q.graph, &input) > 0.9999999);
    /* One alone. */
    vt_graph_deinit(&q.graph);
    q.plan->excluded[gemm] = false;
    vt_quantize_choose(q.plan, true);
    rewrite(&q);
    assert_int_equal(count_nodes(&q.graph, "QuantizeLinear"), 1);
    assert_int_equal(count_nodes(&q.graph, "DequantizeLinear"), 3);
    vt_tensor_deinit(&input);
    quantized_deinit(&q);
    builder_deinit(&b);
}

static void test_thresholds_are_needed(void **state)
{
    (void)state;
    builder b;
    quantized q;
    vt_error error = {0};
    residual(&b, 1);
    prepare(&b, &q);
    for (size_t i = 0; i < q.prepared.value_count; i++)
        q.plan->thresholds[i] = NAN;
    assert_int_equal(vt_quantize_graph(&q.prepared, q.plan, &q.graph, &error), VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "threshold"));
    quantized_deinit(&q);
    builder_deinit(&b);
}

static void test_written_and_read(void **state)
{
    (void)state;
    builder b;
    quantized q;
    vt_error error = {0};
    residual(&b, -1);
    prepare(&b, &q);
    vt_tensor input = random_input(&b, &q.shape);
    calibrate(&q, &input);
    rewrite(&q);
    vt_buf file;
    vt_buf_init(&file, (size_t)1 << 24);
    vt_onnx_export_options options = vt_onnx_export_options_defaults();
    assert_int_equal(vt_onnx_export(&q.graph, &options, &file, NULL), VT_OK);
    vt_model *model = NULL;
    if (vt_model_parse(file.data, file.length, NULL, &model, &error) != VT_OK)
        fail_msg("%s", error.message);
    assert_true(similarity(&q.graph, &model->graph, &input) > 0.9999999);
    /* What is quantised is not quantised again. */
    vt_graph again;
    assert_int_equal(vt_quantize_prepare(&model->graph, &q.options, &again, &error), VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "quantised already"));
    vt_model_free(model);
    vt_buf_deinit(&file);
    vt_tensor_deinit(&input);
    quantized_deinit(&q);
    builder_deinit(&b);
}

/* Weights of a mapped file lie at any byte. */
static void test_weights_at_odd_addresses(void **state)
{
    (void)state;
    builder b;
    quantized q;
    residual(&b, -1);
    builder_finish(&b);
    uint8_t *odd[32];
    assert_in_range(b.graph.tensor_count, 1, 32);
    for (size_t i = 0; i < b.graph.tensor_count; i++) {
        vt_tensor *tensor = b.graph.tensors[i];
        odd[i] = malloc(tensor->bytes + 1);
        memcpy(odd[i] + 1, tensor->data, tensor->bytes);
        vt_tensor moved = *tensor;
        vt_tensor_deinit(tensor);
        moved.data = odd[i] + 1;
        moved.owned = false;
        *tensor = moved;
    }
    prepare_finished(&b, &q);
    size_t weights = 0;
    for (size_t i = 0; i < q.prepared.value_count; i++) {
        const vt_tensor *constant = q.prepared.values[i].constant;
        weights += constant != NULL;
        assert_true(constant == NULL || (uintptr_t)constant->data % sizeof(float) == 0);
    }
    assert_true(weights > 0);
    vt_tensor input = random_input(&b, &q.shape);
    calibrate(&q, &input);
    rewrite(&q);
    vt_tensor_deinit(&input);
    quantized_deinit(&q);
    for (size_t i = 0; i < b.graph.tensor_count; i++)
        free(odd[i]);
    builder_deinit(&b);
}

static void test_older_operator_sets(void **state)
{
    (void)state;
    builder b;
    quantized q;
    builder_init(&b, 3);
    vt_value_id x = builder_input(&b, VT_F32, 4, (int64_t[]){-1, 3, 8, 8});
    vt_value_id y = conv(&b, 9, x, 3, 4, true);
    vt_attr bounds[] = {attr_float("min", 0), attr_float("max", 6)};
    y = builder_node(&b, "Clip", 9, &y, 1, bounds, 2);
    vt_attr kernel = attr_ints("kernel_shape", 2, (int64_t[]){2, 2});
    y = builder_node(&b, "MaxPool", 7, &y, 1, &kernel, 1);
    y = builder_node(&b, "Dropout", 9, &y, 1, NULL, 0);
    y = conv(&b, 9, y, 4, 5, true);
    y = builder_node(&b, "GlobalAveragePool", 9, &y, 1, NULL, 0);
    vt_value_id soft = builder_node(&b, "Softmax", 9, &y, 1, NULL, 0);
    vt_attr axes = attr_ints("axes", 2, (int64_t[]){2, 3});
    builder_output(&b, builder_node(&b, "Squeeze", 9, &soft, 1, &axes, 1));
    prepare(&b, &q);
    for (size_t n = 0; n < q.prepared.node_count; n++)
        assert_int_equal(q.prepared.nodes[n].opset, 13);
    assert_int_equal(count_nodes(&q.prepared, "Dropout"), 0);
    vt_tensor input = random_input(&b, &q.shape);
    assert_true(similarity(&b.graph, &q.prepared, &input) > 0.9999999);
    calibrate(&q, &input);
    rewrite(&q);
    /* x, Clip (shared scale with) MaxPool: no pair between Conv and Clip. */
    assert_int_equal(count_nodes(&q.graph, "QuantizeLinear"), 3);
    assert_true(similarity(&b.graph, &q.graph, &input) > 0.999);
    vt_tensor_deinit(&input);
    quantized_deinit(&q);
    builder_deinit(&b);
}

static void test_operators_that_changed_are_refused(void **state)
{
    (void)state;
    builder b;
    vt_graph out;
    vt_error error = {0};
    vt_shape shape = vt_shape_of(4, (int64_t[]){1, 3, 8, 8});
    vt_quantize_options options = {.input_shapes = &shape};
    builder_init(&b, 3);
    vt_value_id x = builder_input(&b, VT_F32, 4, shape.dims);
    vt_value_id y = conv(&b, 9, x, 3, 4, true);
    builder_output(&b, builder_node(&b, "Softmax", 9, &y, 1, NULL, 0)); /* over 4x8x8 at once */
    builder_finish(&b);
    assert_int_equal(vt_quantize_prepare(&b.graph, &options, &out, &error), VT_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "Softmax"));
    builder_deinit(&b);
}

/* Half weights and a half input: computed in f32, seen from outside as before. */
static void test_half_networks(void **state)
{
    (void)state;
    builder b;
    quantized q;
    builder_init(&b, 3);
    vt_value_id x = builder_input(&b, VT_F16, 4, (int64_t[]){1, 3, 6, 6});
    vt_value_id w = builder_constant_of(&b, VT_F16, 4, (int64_t[]){4, 3, 3, 3}, -1, 1);
    vt_value_id y = builder_node(&b, "Conv", 13, (vt_value_id[]){x, w}, 2, NULL, 0);
    builder_output(&b, builder_unary(&b, "Relu", y));
    prepare(&b, &q);
    assert_int_equal(q.prepared.values[q.prepared.inputs[0]].dtype, VT_F16);
    assert_int_equal(q.plan->dtypes[q.prepared.outputs[0]], VT_F16);
    assert_string_equal(q.prepared.values[q.prepared.outputs[0]].name,
                        b.graph.values[b.outputs[0]].name);
    vt_tensor floats = random_input(&b, &q.shape), input;
    assert_int_equal(vt_tensor_cast(&floats, VT_F16, &input, NULL), VT_OK);
    calibrate(&q, &input);
    rewrite(&q);
    assert_int_equal(count_nodes(&q.graph, "QuantizeLinear"), 1);
    assert_true(similarity(&b.graph, &q.graph, &input) > 0.999);
    vt_tensor_deinit(&floats);
    vt_tensor_deinit(&input);
    quantized_deinit(&q);
    builder_deinit(&b);
}

/* Constants that nodes make are folded; what hangs on the batch is not. */
static void test_constants_are_folded(void **state)
{
    (void)state;
    builder b;
    quantized q;
    builder_init(&b, 3);
    vt_value_id x = builder_input(&b, VT_F32, 2, (int64_t[]){-1, 6});
    vt_value_id w = builder_constant(&b, 2, (int64_t[]){4, 6}, -1, 1);
    vt_value_id turned = builder_unary(&b, "Transpose", w);
    vt_value_id product = builder_binary(&b, "MatMul", x, turned);
    vt_value_id shape = builder_unary(&b, "Shape", product);
    builder_output(&b, builder_binary(&b, "Reshape", product, shape));
    prepare(&b, &q);
    assert_int_equal(count_nodes(&q.prepared, "Transpose"), 0);
    assert_int_equal(count_nodes(&q.prepared, "Shape"), 1);
    vt_tensor input = random_input(&b, &q.shape);
    calibrate(&q, &input);
    rewrite(&q);
    assert_int_equal(count_nodes(&q.graph, "QuantizeLinear"), 1);
    vt_shape five = vt_shape_of(2, (int64_t[]){5, 6});
    vt_tensor more = random_input(&b, &five);
    assert_true(similarity(&b.graph, &q.graph, &more) > 0.99);
    for (size_t n = 0; n < q.graph.node_count; n++)
        if (strcmp(q.graph.nodes[n].op->name, "MatMul") == 0)
            assert_int_equal(
                vt_node_int(producer_of(&q.graph, q.graph.nodes[n].inputs[1]), "axis", -1), 1);
    vt_tensor_deinit(&more);
    vt_tensor_deinit(&input);
    quantized_deinit(&q);
    builder_deinit(&b);
}

/* A value that must stay under its name does, also between a convolution and its activation. */
static void test_kept_values(void **state)
{
    (void)state;
    builder b;
    quantized q = {0};
    vt_error error = {0};
    builder_init(&b, 3);
    vt_value_id x = builder_input(&b, VT_F32, 4, (int64_t[]){1, 3, 6, 6});
    vt_value_id inner = batchnorm(&b, 13, conv(&b, 13, x, 3, 4, true), 4);
    builder_output(&b, builder_unary(&b, "Relu", inner));
    builder_finish(&b);
    const char *kept = b.graph.values[inner].name;
    q.shape = b.graph.values[x].shape;
    q.options = (vt_quantize_options){&q.shape, &kept, 1};
    if (vt_quantize_prepare(&b.graph, &q.options, &q.prepared, &error) != VT_OK)
        fail_msg("%s", error.message);
    assert_true(vt_graph_find_value(&q.prepared, kept) != VT_NO_VALUE);
    vt_graph_deinit(&q.prepared);
    kept = "no such value";
    assert_int_equal(vt_quantize_prepare(&b.graph, &q.options, &q.prepared, &error),
                     VT_ERR_NOT_FOUND);
    builder_deinit(&b);
}

/* Two readers of one weight and one bias with inputs of different scales: integers of their own. */
static void test_shared_weights(void **state)
{
    (void)state;
    builder b;
    quantized q;
    builder_init(&b, 3);
    vt_value_id x = builder_input(&b, VT_F32, 2, (int64_t[]){3, 6});
    vt_value_id w = builder_constant(&b, 2, (int64_t[]){6, 6}, -1, 1);
    vt_value_id bias = builder_constant(&b, 1, (int64_t[]){6}, -1, 1);
    vt_value_id y = builder_node(&b, "Gemm", 13, (vt_value_id[]){x, w, bias}, 3, NULL, 0);
    y = builder_node(&b, "Gemm", 13, (vt_value_id[]){builder_unary(&b, "Relu", y), w, bias}, 3,
                     NULL, 0);
    builder_output(&b, y);
    prepare(&b, &q);
    vt_tensor input = random_input(&b, &q.shape);
    calibrate(&q, &input);
    rewrite(&q);
    assert_int_equal(count_nodes(&q.graph, "QuantizeLinear"), 2);
    assert_int_equal(count_nodes(&q.graph, "DequantizeLinear"), 2 + 4);
    assert_true(similarity(&b.graph, &q.graph, &input) > 0.999);
    vt_tensor_deinit(&input);
    quantized_deinit(&q);
    builder_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_are_within_half_a_step),
        cmocka_unit_test(test_biases_fit),
        cmocka_unit_test(test_scales),
        cmocka_unit_test(test_residual_network),
        cmocka_unit_test(test_types_of_pairs),
        cmocka_unit_test(test_excluded_nodes_stay),
        cmocka_unit_test(test_thresholds_are_needed),
        cmocka_unit_test(test_written_and_read),
        cmocka_unit_test(test_weights_at_odd_addresses),
        cmocka_unit_test(test_older_operator_sets),
        cmocka_unit_test(test_operators_that_changed_are_refused),
        cmocka_unit_test(test_half_networks),
        cmocka_unit_test(test_constants_are_folded),
        cmocka_unit_test(test_kept_values),
        cmocka_unit_test(test_shared_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
