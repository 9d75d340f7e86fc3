/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oneDNN executor as a whole: random networks against the reference executor, types at the
 * edges, bound inputs, shared weights, threads, and running out of memory while it is made.
 */
#include "nn/plan_builder.h"

#include "base/thread.h"

#include <math.h>

/* ---- random networks ---- */

static vt_value_id conv(builder *b, vt_value_id x, int64_t in, int64_t out, int kernel,
                        int64_t stride)
{
    int64_t pad = kernel / 2, groups = 1;
    if (in == out && vt_random_below(&b->random, 3) == 0) {
        groups = in;
    }
    vt_value_id inputs[3] = {
        x, builder_constant(b, 4, (const int64_t[]){out, in / groups, kernel, kernel}, -0.5F, 0.5F),
        builder_constant(b, 1, &out, -0.5F, 0.5F)};
    vt_attr attrs[] = {attr_ints("pads", 4, (const int64_t[]){pad, pad, pad, pad}),
                       attr_ints("strides", 2, (const int64_t[]){stride, stride}),
                       attr_int("group", groups)};
    return builder_node(b, "Conv", 13, inputs, 2 + vt_random_below(&b->random, 2), attrs, 3);
}

static vt_value_id batchnorm(builder *b, vt_value_id x, int64_t channels)
{
    vt_value_id inputs[5] = {x};
    for (int i = 1; i < 5; i++) {
        inputs[i] = builder_constant(b, 1, &channels, i == 4 ? 0.5F : -0.5F, i == 4 ? 2 : 1);
    }
    return builder_node(b, "BatchNormalization", 9, inputs, 5, NULL, 0);
}

/* One layer of a network like those people use: residual, dense, squeeze-and-excite, plain. */
static vt_value_id layer(builder *b, vt_value_id x, int64_t *channels)
{
    int64_t in = *channels;
    int64_t out = (int64_t[]){3, 8, 16, 17, 32}[vt_random_below(&b->random, 5)];
    switch (vt_random_below(&b->random, 6)) {
    case 0: { /* residual */
        vt_value_id y = batchnorm(b, conv(b, x, in, in, 3, 1), in);
        return builder_unary(b, "Relu", builder_binary(b, "Add", y, x));
    }
    case 1: { /* dense: what is new goes behind what was there */
        vt_value_id y = builder_unary(b, "Relu", batchnorm(b, x, in));
        vt_value_id parts[2] = {x, conv(b, y, in, out, 3, 1)};
        vt_attr axis = attr_int("axis", 1);
        *channels = in + out;
        return builder_node(b, "Concat", 13, parts, 2, &axis, 1);
    }
    case 2: { /* channels weighed by a gate */
        vt_value_id gate = builder_unary(b, "GlobalAveragePool", x);
        gate = builder_unary(b, "Sigmoid", conv(b, gate, in, in, 1, 1));
        return builder_binary(b, "Mul", x, gate);
    }
    case 3: {
        vt_attr attrs[] = {attr_ints("kernel_shape", 2, (const int64_t[]){3, 3}),
                           attr_ints("pads", 4, (const int64_t[]){1, 1, 1, 1})};
        return builder_node(b, vt_random_below(&b->random, 2) ? "MaxPool" : "AveragePool", 12, &x,
                            1, attrs, 2);
    }
    case 4: { /* a step that only the reference has, in the middle of it all */
        vt_value_id slope = builder_constant(b, 3, (const int64_t[]){in, 1, 1}, 0, 0.5F);
        return builder_binary(b, "PRelu", x, slope);
    }
    default:
        *channels = out;
        x = batchnorm(b, conv(b, x, in, out, vt_random_below(&b->random, 2) ? 3 : 1, 1), out);
        return builder_unary(b, "Relu", x);
    }
}

static void random_network(builder *b, uint64_t seed, vt_dtype dtype)
{
    builder_init(b, seed);
    int64_t channels = 3, classes = 10, batch = vt_random_int(&b->random, 1, 3);
    vt_value_id x = builder_input(b, dtype, 4, (const int64_t[]){batch, 3, 13, 11});
    int layers = vt_random_int(&b->random, 1, 6);
    vt_value_id middle = x;
    for (int i = 0; i < layers; i++) {
        x = layer(b, x, &channels);
        middle = i == layers / 2 ? x : middle;
    }
    x = builder_unary(b, "GlobalAveragePool", x);
    x = builder_node(b, "Flatten", 13, &x, 1, NULL, 0);
    vt_value_id inputs[3] = {x, builder_constant(b, 2, (const int64_t[]){classes, channels}, -1, 1),
                             builder_constant(b, 1, &classes, -1, 1)};
    vt_attr swapped = attr_int("transB", 1);
    vt_value_id logits = builder_node(b, "Gemm", 13, inputs, 3, &swapped, 1);
    builder_output(b, builder_unary(b, "Softmax", logits));
    builder_output(b, x);
    if (vt_random_below(&b->random, 2)) { /* an activation that is asked for, too */
        builder_output(b, middle);
    }
}

static void test_networks(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        builder b;
        random_network(&b, seed, VT_F32);
        builder_compare(&b, seed % 3 != 0, 1e-4);
        builder_deinit(&b);
    }
}

/* ---- types ---- */

/* Everything f16: computed in f32 between the edges, so nearer to the truth than the reference. */
static void test_half(void **state)
{
    (void)state;
    static const vt_dtype dtypes[] = {VT_F16, VT_BF16, VT_F64};
    static const double tolerances[] = {4e-3, 3e-2, 1e-5};
    for (size_t i = 0; i < 3; i++) {
        builder b;
        builder_init(&b, i);
        vt_dtype dtype = dtypes[i];
        int64_t channels = 17;
        vt_value_id x = builder_input(&b, dtype, 4, (const int64_t[]){2, 3, 9, 9});
        vt_value_id inputs[3] = {
            x, builder_constant_of(&b, dtype, 4, (const int64_t[]){channels, 3, 3, 3}, -1, 1),
            builder_constant_of(&b, dtype, 1, &channels, -1, 1)};
        vt_value_id y = builder_node(&b, "Conv", 13, inputs, 3, NULL, 0);
        y = builder_unary(&b, "Relu", y);
        builder_output(&b, y);
        inputs[0] = y;
        inputs[1] = builder_constant_of(&b, dtype, 3, (const int64_t[]){channels, 1, 1}, 0, 1);
        builder_output(&b, builder_node(&b, "PRelu", 13, inputs, 2, NULL, 0));
        builder_output(&b, x);
        builder_compare(&b, true, tolerances[i]);
        builder_deinit(&b);
    }
}

static void check_conversion(float value, uint16_t half, uint16_t bfloat)
{
    uint16_t bits;
    float back;
    vt_dnnl_convert(VT_F32, &value, VT_F16, &bits, 1);
    assert_int_equal(bits, half);
    vt_dnnl_convert(VT_F32, &value, VT_BF16, &bits, 1);
    assert_int_equal(bits, bfloat);
    vt_dnnl_convert(VT_BF16, &bits, VT_F32, &back, 1);
    uint32_t wide = (uint32_t)bits << 16, raw;
    memcpy(&raw, &back, sizeof raw);
    assert_int_equal(raw, wide);
}

static void test_conversions(void **state)
{
    (void)state;
    check_conversion(1.0F, 0x3C00, 0x3F80);
    check_conversion(-2.0F, 0xC000, 0xC000);
    check_conversion(65504.0F, 0x7BFF, 0x4780);
    check_conversion(65519.0F, 0x7BFF, 0x4780);
    check_conversion(65520.0F, 0x7C00, 0x4780);
    check_conversion(0x1p-24F, 0x0001, 0x3380);
    check_conversion(0x1p-25F, 0x0000, 0x3300);
    check_conversion(0x1.8p-25F, 0x0001, 0x3340);
    check_conversion(0x1.ff8p-15F, 0x03FF, 0x3880);
    check_conversion(0x1.ffcp-15F, 0x0400, 0x3880);
    check_conversion(-0.0F, 0x8000, 0x8000);
    check_conversion(INFINITY, 0x7C00, 0x7F80);
    check_conversion(1.0F + 0x1p-11F, 0x3C00, 0x3F80); /* ties to even */
    check_conversion(1.0F + 0x1.8p-10F, 0x3C02, 0x3F80);
    for (uint32_t half = 0; half < 0x10000;
         half++) { /* every half survives the way there and back */
        uint16_t bits = (uint16_t)half, again;
        float value;
        vt_dnnl_convert(VT_F16, &bits, VT_F32, &value, 1);
        vt_dnnl_convert(VT_F32, &value, VT_F16, &again, 1);
        if (value == value) {
            assert_int_equal(again, bits);
        } else {
            assert_int_equal(again & 0x7C00, 0x7C00);
            assert_true((again & 0x3FF) != 0);
        }
    }
}

/* ---- runs ---- */

static void test_runs_equal(void **state)
{
    (void)state;
    builder b;
    vt_tensor inputs[2][1], outputs[BUILDER_MAXIMUM];
    random_network(&b, 5, VT_F32);
    vt_runner *runner = builder_onednn(&b, true, 1);
    builder_random_inputs(&b, inputs[0]);
    builder_random_inputs(&b, inputs[1]);
    vt_tensor first[2];
    for (int run = 0; run < 6; run++) { /* alternating inputs at different addresses */
        run_or_fail(runner, inputs[run % 2], outputs);
        if (run < 2) {
            assert_int_equal(vt_tensor_dup(&outputs[0], &first[run], NULL), VT_OK);
        }
        assert_memory_equal(outputs[0].data, first[run % 2].data, first[run % 2].bytes);
    }
    assert_memory_not_equal(first[0].data, first[1].data, first[0].bytes);
    tensors_deinit(first, 2);
    tensors_deinit(inputs[0], 1);
    tensors_deinit(inputs[1], 1);
    runner->free(runner);
    builder_deinit(&b);
}

/* Two input shapes of one graph, in turn. */
static void test_two_shapes(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 3);
    vt_value_id x = builder_input(&b, VT_F32, 4, (const int64_t[]){-1, 3, -1, -1});
    vt_value_id y = builder_unary(&b, "Relu", conv(&b, x, 3, 17, 3, 2));
    builder_output(&b, y);
    builder_output(&b, builder_unary(&b, "GlobalAveragePool", y));
    builder_finish(&b);
    const int64_t dims[2][4] = {{1, 3, 9, 12}, {3, 3, 6, 5}};
    vt_runner *fast[2], *slow[2];
    vt_tensor inputs[2], have[2], want[2];
    for (int i = 0; i < 2; i++) {
        vt_plan *plans[2] = {NULL, NULL};
        vt_shape shape = vt_shape_of(4, dims[i]);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(vt_plan_new(&b.graph, &shape, b.outputs, 2, &plans[k], NULL), VT_OK);
        }
        apply_passes(plans[0]);
        assert_int_equal(vt_onednn_runner_new(plans[0], 1, &fast[i], NULL), VT_OK);
        assert_int_equal(vt_memory_plan(plans[1], NULL), VT_OK);
        assert_int_equal(vt_reference_runner_new(plans[1], &slow[i], NULL), VT_OK);
        assert_int_equal(vt_tensor_init(&inputs[i], VT_F32, &shape, 0, NULL), VT_OK);
        builder_fill(&b, &inputs[i], -1, 1);
    }
    for (int run = 0; run < 4; run++) {
        run_or_fail(fast[run % 2], &inputs[run % 2], have);
        run_or_fail(slow[run % 2], &inputs[run % 2], want);
        compare_tensors(&have[0], &want[0], 1e-5);
        compare_tensors(&have[1], &want[1], 1e-5);
    }
    for (int i = 0; i < 2; i++) {
        fast[i]->free(fast[i]);
        slow[i]->free(slow[i]);
    }
    tensors_deinit(inputs, 2);
    builder_deinit(&b);
}

/* A run asks the heap for nothing. */
static void test_run_allocates_nothing(void **state)
{
    (void)state;
    builder b;
    vt_tensor inputs[1], outputs[BUILDER_MAXIMUM];
    builder_init(&b, 3);
    vt_value_id x = builder_input(&b, VT_F16, 4, (const int64_t[]){2, 3, 13, 11});
    vt_value_id w = builder_constant_of(&b, VT_F16, 4, (const int64_t[]){8, 3, 3, 3}, -1, 1);
    vt_value_id y = builder_node(&b, "Conv", 13, (const vt_value_id[]){x, w}, 2, NULL, 0);
    builder_output(&b, builder_unary(&b, "GlobalAveragePool", builder_unary(&b, "Relu", y)));
    vt_runner *runner = builder_onednn(&b, true, 1);
    builder_random_inputs(&b, inputs);
    vt_mem_fail_after(0);
    for (int run = 0; run < 3; run++) {
        assert_int_equal(runner->run(runner, inputs, outputs, NULL), VT_OK);
    }
    assert_int_equal(vt_mem_fail_after(-1), 0);
    tensors_deinit(inputs, 1);
    runner->free(runner);
    builder_deinit(&b);
}

/* Outputs that no step makes: an input, a constant. */
static void test_outputs_without_steps(void **state)
{
    (void)state;
    builder b;
    vt_tensor inputs[1], outputs[2];
    builder_init(&b, 3);
    vt_value_id x = builder_input(&b, VT_F32, 2, (const int64_t[]){2, 3});
    builder_output(&b, x);
    builder_output(&b, builder_constant_of(&b, VT_F16, 1, (const int64_t[]){4}, -1, 1));
    vt_runner *runner = builder_onednn(&b, true, 1);
    builder_random_inputs(&b, inputs);
    run_or_fail(runner, inputs, outputs);
    assert_ptr_not_equal(outputs[0].data, inputs[0].data);
    assert_memory_equal(outputs[0].data, inputs[0].data, inputs[0].bytes);
    assert_int_equal(outputs[1].dtype, VT_F16);
    assert_int_equal(vt_tensor_count(&outputs[1]), 4);
    tensors_deinit(inputs, 1);
    runner->free(runner);
    builder_deinit(&b);
}

/* Dimensions of no elements run through the reference. */
static void test_empty(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 3);
    vt_value_id x = builder_input(&b, VT_F32, 2, (const int64_t[]){0, 3});
    builder_output(&b, builder_unary(&b, "Relu", builder_binary(&b, "Add", x, x)));
    builder_compare(&b, true, 1e-5);
    builder_deinit(&b);
}

/* ---- memory ---- */

static void test_weights_are_shared(void **state)
{
    (void)state;
    builder b;
    vt_tensor inputs[1], outputs[2][BUILDER_MAXIMUM];
    builder_init(&b, 3);
    vt_value_id x = builder_input(&b, VT_F32, 4, (const int64_t[]){1, 16, 8, 8});
    vt_value_id w = builder_constant(&b, 4, (const int64_t[]){32, 16, 3, 3}, -1, 1);
    builder_output(&b, builder_node(&b, "Conv", 13, (const vt_value_id[]){x, w}, 2, NULL, 0));
    vt_runner *runners[2] = {builder_onednn(&b, true, 1), builder_onednn(&b, true, 1)};
    const void *weights[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        const vt_dnnl *dnnl = (const vt_dnnl *)runners[i];
        for (size_t k = 0; k < dnnl->buffer_count; k++) {
            if (dnnl->buffers[k].kind == VT_BUFFER_PREPARED) {
                weights[i] = dnnl->buffers[k].data;
            }
        }
    }
    assert_non_null(weights[0]);
    assert_ptr_equal(weights[0], weights[1]);
    assert_true(runners[0]->weights_bytes >= 32 * 16 * 9 * sizeof(float));
    builder_random_inputs(&b, inputs);
    run_or_fail(runners[0], inputs, outputs[0]);
    vt_tensor kept;
    assert_int_equal(vt_tensor_dup(&outputs[0][0], &kept, NULL), VT_OK);
    runners[0]->free(runners[0]); /* the other one keeps them */
    run_or_fail(runners[1], inputs, outputs[1]);
    assert_memory_equal(kept.data, outputs[1][0].data, kept.bytes);
    vt_tensor_deinit(&kept);
    tensors_deinit(inputs, 1);
    runners[1]->free(runners[1]);
    builder_deinit(&b);
}

/* A chain of convolutions stays in blocks: the input, at most, and the result are converted. */
static void test_layouts_stay(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 3);
    vt_value_id x = builder_input(&b, VT_F32, 4, (const int64_t[]){1, 16, 14, 14});
    for (int i = 0; i < 6; i++) {
        vt_value_id w = builder_constant(&b, 4, (const int64_t[]){16, 16, 3, 3}, -1, 1);
        vt_attr pads = attr_ints("pads", 4, (const int64_t[]){1, 1, 1, 1});
        vt_value_id y = builder_node(&b, "Conv", 13, (const vt_value_id[]){x, w}, 2, &pads, 1);
        x = builder_unary(&b, "Relu", i % 2 ? builder_binary(&b, "Add", y, x) : y);
    }
    builder_output(&b, x);
    vt_runner *runner = builder_onednn(&b, true, 1);
    assert_true(runner->reorders <= 2);
    assert_true(runner->activations_bytes < runner->unshared_bytes);
    runner->free(runner);
    assert_int_equal(builder_compare(&b, true, 1e-4), 0);
    builder_deinit(&b);
}

/* A value that two readers want in another layout is converted once. */
static void test_conversions_are_reused(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 3);
    vt_value_id x = builder_input(&b, VT_F32, 4, (const int64_t[]){1, 5, 6, 6});
    vt_value_id w = builder_constant(&b, 4, (const int64_t[]){16, 5, 1, 1}, -1, 1);
    vt_value_id y = builder_node(&b, "Conv", 13, (const vt_value_id[]){x, w}, 2, NULL, 0);
    size_t before = 0;
    for (int readers = 1; readers < 4; readers++) {
        builder_output(&b, builder_node(&b, "Flatten", 13, &y, 1, NULL, 0));
    }
    builder_output(&b, y);
    vt_runner *runner = builder_onednn(&b, true, 1);
    before = runner->reorders;
    runner->free(runner);
    assert_true(before <= 2); /* the input into blocks, the result out of them */
    builder_deinit(&b);
}

static void test_no_memory(void **state)
{
    (void)state;
    builder b;
    random_network(&b, 11, VT_F32);
    vt_status status = VT_ERR_NO_MEMORY;
    for (int64_t tries = 0; status != VT_OK; tries++) {
        vt_error error = {0};
        vt_runner *runner = NULL;
        vt_plan *plan = builder_plan(&b);
        assert_true(tries < 5000);
        apply_passes(plan);
        vt_mem_fail_after(tries);
        status = vt_onednn_runner_new(plan, 1, &runner, &error);
        vt_mem_fail_after(-1);
        if (status == VT_OK) {
            runner->free(runner);
        } else {
            assert_int_equal(status, VT_ERR_NO_MEMORY);
            assert_int_equal(error.status, VT_ERR_NO_MEMORY);
            assert_null(runner);
        }
    }
    builder_deinit(&b);
}

/* ---- threads ---- */

typedef struct worker {
    builder *b;
    vt_tensor *inputs;
    vt_tensor want;
    bool equal;
} worker;

static void work(void *context)
{
    worker *w = context;
    vt_tensor outputs[BUILDER_MAXIMUM];
    vt_plan *plan = NULL;
    vt_runner *runner = NULL;
    vt_shape shape = w->b->graph.values[w->b->inputs[0]].shape;
    w->equal = vt_plan_new(&w->b->graph, &shape, w->b->outputs, w->b->output_count, &plan, NULL) ==
                   VT_OK &&
               vt_onednn_runner_new(plan, 1, &runner, NULL) == VT_OK;
    for (int run = 0; w->equal && run < 5; run++) {
        w->equal = runner->run(runner, w->inputs, outputs, NULL) == VT_OK &&
                   memcmp(outputs[0].data, w->want.data, w->want.bytes) == 0;
    }
    if (runner) {
        runner->free(runner);
    }
}

static void test_many_threads(void **state)
{
    (void)state;
    enum { WORKERS = 4 };
    builder b;
    vt_tensor inputs[1], outputs[BUILDER_MAXIMUM], want;
    worker workers[WORKERS];
    vt_thread *threads[WORKERS];
    random_network(&b, 21, VT_F32);
    vt_runner *runner = builder_onednn(&b, false, 1);
    builder_random_inputs(&b, inputs);
    run_or_fail(runner, inputs, outputs);
    assert_int_equal(vt_tensor_dup(&outputs[0], &want, NULL), VT_OK);
    runner->free(runner);
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (worker){&b, inputs, want, false};
        assert_int_equal(vt_thread_start("run", work, &workers[i], &threads[i], NULL), VT_OK);
    }
    for (int i = 0; i < WORKERS; i++) {
        vt_thread_join(threads[i]);
        assert_true(workers[i].equal);
    }
    vt_tensor_deinit(&want);
    tensors_deinit(inputs, 1);
    builder_deinit(&b);
}

/* One run over several threads gives what one thread gives, up to rounding. */
static void test_parallel_run(void **state)
{
    (void)state;
    builder b;
    vt_tensor inputs[1], outputs[2][BUILDER_MAXIMUM];
    random_network(&b, 22, VT_F32);
    vt_runner *one = builder_onednn(&b, true, 1), *two = builder_onednn(&b, true, 2);
    builder_random_inputs(&b, inputs);
    run_or_fail(one, inputs, outputs[0]);
    run_or_fail(two, inputs, outputs[1]);
    for (size_t i = 0; i < b.output_count; i++) {
        compare_tensors(&outputs[1][i], &outputs[0][i], 1e-5);
    }
    tensors_deinit(inputs, 1);
    one->free(one);
    two->free(two);
    builder_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_half),
        cmocka_unit_test(test_conversions),
        cmocka_unit_test(test_runs_equal),
        cmocka_unit_test(test_two_shapes),
        cmocka_unit_test(test_run_allocates_nothing),
        cmocka_unit_test(test_outputs_without_steps),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_weights_are_shared),
        cmocka_unit_test(test_layouts_stay),
        cmocka_unit_test(test_conversions_are_reused),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_parallel_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
