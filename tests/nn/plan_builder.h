/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small graphs made by tests, and their plans run by both executors.
 *
 *     builder b;
 *     builder_init(&b, seed);
 *     vt_value_id x = builder_input(&b, VT_F32, 4, (int64_t[]){1, 3, 9, 9});
 *     vt_value_id w = builder_constant(&b, 4, (int64_t[]){8, 3, 3, 3}, -1, 1);
 *     vt_value_id y = builder_node(&b, "Conv", 13, (vt_value_id[]){x, w}, 2, attrs, attr_count);
 *     builder_output(&b, y);
 *     builder_compare(&b, true, 1e-4);       // finishes the graph, runs both, compares
 *     builder_deinit(&b);
 */
#ifndef VT_TESTS_NN_PLAN_BUILDER_H
#define VT_TESTS_NN_PLAN_BUILDER_H

#include "base/random.h"
#include "nn/dnnl/runner.h"
#include "nn/plan.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { BUILDER_MAXIMUM = 16 };

typedef struct builder {
    vt_graph graph;
    vt_random random;
    unsigned names;
    vt_value_id inputs[BUILDER_MAXIMUM], outputs[BUILDER_MAXIMUM];
    size_t input_count, output_count;
    bool finished;
    /* What is done to every plan of the graph, also the one that the reference executor gets. */
    void (*edit)(struct builder *b, vt_plan *plan);
    vt_step_post posts[VT_STEP_POSTS]; /* for builder_add_posts */
    int post_count;
    vt_value_id post_target;
    vt_value_id hidden[VT_STEP_POSTS]; /* operands of posts: in the plan, but no outputs of it */
    size_t hidden_count;
    vt_precision precision; /* of builder_onednn with passes; F32 (0 is that) */
} builder;

static inline void builder_init(builder *b, uint64_t seed)
{
    *b = (builder){0};
    vt_graph_init(&b->graph, NULL);
    vt_random_init(&b->random, seed);
}

static inline void builder_deinit(builder *b)
{
    vt_graph_deinit(&b->graph);
}

static inline vt_value_id builder_value(builder *b)
{
    char name[32];
    vt_value_id id;
    snprintf(name, sizeof name, "v%u", b->names++);
    assert_int_equal(vt_graph_add_value(&b->graph, name, &id, NULL), VT_OK);
    return id;
}

static inline vt_value_id builder_input(builder *b, vt_dtype dtype, int rank, const int64_t *dims)
{
    vt_value_id id = builder_value(b);
    b->graph.values[id].dtype = dtype;
    b->graph.values[id].shape = vt_shape_of(rank, dims);
    assert_true(b->input_count < BUILDER_MAXIMUM);
    b->inputs[b->input_count++] = id;
    return id;
}

/* Takes the tensor. */
static inline vt_value_id builder_take(builder *b, vt_tensor *tensor)
{
    vt_value_id id = builder_value(b);
    assert_int_equal(vt_graph_set_constant(&b->graph, id, tensor, NULL), VT_OK);
    return id;
}

static inline void builder_fill(builder *b, vt_tensor *tensor, float low, float high)
{
    for (size_t i = 0; i < vt_tensor_count(tensor); i++) {
        ((float *)tensor->data)[i] = vt_random_float(&b->random, low, high);
    }
}

static inline vt_value_id builder_constant_of(builder *b, vt_dtype dtype, int rank,
                                              const int64_t *dims, float low, float high)
{
    vt_tensor tensor, cast;
    vt_shape shape = vt_shape_of(rank, dims);
    assert_int_equal(vt_tensor_init(&tensor, VT_F32, &shape, 0, NULL), VT_OK);
    builder_fill(b, &tensor, low, high);
    if (dtype == VT_F32) {
        return builder_take(b, &tensor);
    }
    assert_int_equal(vt_tensor_cast(&tensor, dtype, &cast, NULL), VT_OK);
    vt_tensor_deinit(&tensor);
    return builder_take(b, &cast);
}

static inline vt_value_id builder_constant(builder *b, int rank, const int64_t *dims, float low,
                                           float high)
{
    return builder_constant_of(b, VT_F32, rank, dims, low, high);
}

static inline vt_value_id builder_ints(builder *b, int count, const int64_t *values)
{
    vt_tensor tensor;
    vt_shape shape = vt_shape_of(1, (int64_t[]){count});
    assert_int_equal(vt_tensor_init(&tensor, VT_I64, &shape, 0, NULL), VT_OK);
    for (int i = 0; i < count; i++) {
        ((int64_t *)tensor.data)[i] = values[i];
    }
    return builder_take(b, &tensor);
}

static inline vt_value_id builder_scalar(builder *b, float value)
{
    return builder_constant(b, 0, NULL, value, value);
}

static inline vt_attr attr_int(const char *name, int64_t value)
{
    return (vt_attr){.name = name, .kind = VT_ATTR_INT, .i = value};
}

static inline vt_attr attr_float(const char *name, float value)
{
    return (vt_attr){.name = name, .kind = VT_ATTR_FLOAT, .f = value};
}

static inline vt_attr attr_text(const char *name, const char *value)
{
    return (vt_attr){.name = name, .kind = VT_ATTR_TEXT, .text = value};
}

/* values must live until builder_node. */
static inline vt_attr attr_ints(const char *name, int count, const int64_t *values)
{
    return (vt_attr){.name = name, .kind = VT_ATTR_INTS, .count = (size_t)count, .ints = values};
}

static inline vt_value_id builder_node(builder *b, const char *op, int opset,
                                       const vt_value_id *inputs, size_t input_count,
                                       const vt_attr *attrs, size_t attr_count)
{
    vt_value_id output = builder_value(b);
    vt_error error = {0};
    vt_node node = {
        .op = vt_op_find("", op, opset),
        .opset = opset,
        .name = "",
        .inputs = (vt_value_id *)(uintptr_t)inputs,
        .outputs = &output,
        .input_count = input_count,
        .output_count = 1,
        .attrs = (vt_attr *)(uintptr_t)attrs,
        .attr_count = attr_count,
    };
    if (!node.op) {
        fail_msg("no operator %s in opset %d", op, opset);
    }
    if (vt_graph_add_node(&b->graph, &node, &error) != VT_OK) {
        fail_msg("%s: %s", op, error.message);
    }
    return output;
}

static inline vt_value_id builder_unary(builder *b, const char *op, vt_value_id input)
{
    return builder_node(b, op, 13, &input, 1, NULL, 0);
}

static inline vt_value_id builder_binary(builder *b, const char *op, vt_value_id left,
                                         vt_value_id right)
{
    return builder_node(b, op, 13, (const vt_value_id[]){left, right}, 2, NULL, 0);
}

static inline void builder_output(builder *b, vt_value_id value)
{
    assert_true(b->output_count < BUILDER_MAXIMUM);
    b->outputs[b->output_count++] = value;
}

static inline void builder_finish(builder *b)
{
    vt_error error = {0};
    if (b->finished) {
        return;
    }
    assert_int_equal(vt_graph_set_inputs(&b->graph, b->inputs, b->input_count, NULL), VT_OK);
    for (size_t i = 0; i < b->hidden_count; i++) {
        assert_true(b->output_count + i < BUILDER_MAXIMUM);
        b->outputs[b->output_count + i] = b->hidden[i];
    }
    assert_int_equal(
        vt_graph_set_outputs(&b->graph, b->outputs, b->output_count + b->hidden_count, NULL),
        VT_OK);
    if (vt_graph_finish(&b->graph, &error) != VT_OK) {
        fail_msg("graph: %s", error.message);
    }
    b->finished = true;
}

static inline vt_plan *builder_plan(builder *b)
{
    vt_shape shapes[BUILDER_MAXIMUM];
    vt_plan *plan = NULL;
    vt_error error = {0};
    builder_finish(b);
    for (size_t i = 0; i < b->input_count; i++) {
        shapes[i] = b->graph.values[b->inputs[i]].shape;
    }
    if (vt_plan_new(&b->graph, shapes, b->outputs, b->output_count + b->hidden_count, &plan,
                    &error) != VT_OK) {
        fail_msg("plan: %s", error.message);
    }
    plan->output_count = b->output_count;
    if (b->edit) {
        b->edit(b, plan);
    }
    return plan;
}

/* The step that makes the value. */
static inline vt_step *plan_step(vt_plan *plan, vt_value_id value)
{
    for (size_t s = 0; s < plan->step_count; s++) {
        for (size_t i = 0; i < plan->steps[s].node.output_count; i++) {
            if (plan->steps[s].node.outputs[i] == value) {
                return &plan->steps[s];
            }
        }
    }
    fail_msg("no step makes value %u", (unsigned)value);
    return NULL;
}

/* An `edit`: b->posts behind the step that makes b->post_target. */
static inline void builder_add_posts(builder *b, vt_plan *plan)
{
    for (int i = 0; i < b->post_count; i++) {
        assert_true(vt_step_post_add(plan_step(plan, b->post_target), &b->posts[i]));
    }
}

/* Plans this post for the step that makes `target`. */
static inline void builder_post(builder *b, vt_value_id target, const vt_step_post *post)
{
    assert_true(b->post_count < VT_STEP_POSTS);
    b->posts[b->post_count++] = *post;
    b->post_target = target;
    b->edit = builder_add_posts;
    if (vt_post_has_operand(post)) {
        b->hidden[b->hidden_count++] = post->operand;
    }
}

/* The passes that sessions of this precision have. */
static inline void apply_passes_of(vt_plan *plan, vt_precision precision)
{
    assert_int_equal(vt_plan_optimize(plan, precision, NULL), VT_OK);
    for (size_t i = 0; precision == VT_PRECISION_INT8 && i < plan->step_count; i++) {
        vt_step *step = &plan->steps[i]; /* what stays float is not to blur the integers */
        step->compute = step->compute == VT_BF16 ? VT_F32 : step->compute;
        step->result = step->result == VT_BF16 ? VT_F32 : step->result;
    }
}

static inline void apply_passes(vt_plan *plan)
{
    apply_passes_of(plan, VT_PRECISION_F32);
}

static inline vt_runner *builder_reference(builder *b, bool passes)
{
    vt_runner *runner = NULL;
    vt_error error = {0};
    vt_plan *plan = builder_plan(b);
    if (passes) {
        apply_passes(plan);
    }
    assert_int_equal(vt_memory_plan(plan, NULL), VT_OK);
    if (vt_reference_runner_new(plan, &runner, &error) != VT_OK) {
        fail_msg("reference: %s", error.message);
    }
    return runner;
}

static inline vt_runner *builder_onednn(builder *b, bool passes, int threads)
{
    vt_runner *runner = NULL;
    vt_error error = {0};
    vt_plan *plan = builder_plan(b);
    if (passes) {
        apply_passes_of(plan, b->precision);
    }
    if (vt_onednn_runner_new(plan, threads, &runner, &error) != VT_OK) {
        fail_msg("onednn: %s", error.message);
    }
    return runner;
}

/* Random values in [-1, 1) for every input, in its type. */
static inline void builder_random_inputs(builder *b, vt_tensor *inputs)
{
    for (size_t i = 0; i < b->input_count; i++) {
        const vt_value *value = &b->graph.values[b->inputs[i]];
        vt_tensor floats;
        assert_int_equal(vt_tensor_init(&floats, VT_F32, &value->shape, 0, NULL), VT_OK);
        builder_fill(b, &floats, -1, 1);
        assert_int_equal(vt_tensor_cast(&floats, value->dtype, &inputs[i], NULL), VT_OK);
        vt_tensor_deinit(&floats);
    }
}

static inline void tensors_deinit(vt_tensor *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        vt_tensor_deinit(&tensors[i]);
    }
}

static inline void run_or_fail(vt_runner *runner, const vt_tensor *inputs, vt_tensor *outputs)
{
    vt_error error = {0};
    if (runner->run(runner, inputs, outputs, &error) != VT_OK) {
        fail_msg("run: %s", error.message);
    }
}

/* Relative to the largest magnitude of the wanted tensor, so that sums that cancel do not count. */
static inline void compare_tensors(const vt_tensor *have, const vt_tensor *want, double tolerance)
{
    vt_tensor_difference difference;
    vt_error error = {0};
    double largest = 0;
    for (size_t i = 0; i < vt_tensor_count(want); i++) {
        double value = vt_tensor_get(want, i);
        value = value < 0 ? -value : value;
        largest = value > largest && value < 1e30 ? value : largest;
    }
    if (vt_tensor_compare(have, want, tolerance, tolerance * (largest > 1e-3 ? largest : 1e-3),
                          &difference, &error) != VT_OK) {
        fail_msg("compare: %s", error.message);
    }
    if (difference.outside > 0) {
        fail_msg("%zu of %zu elements differ, at %zu: %g, wanted %g", difference.outside,
                 vt_tensor_count(want), difference.worst, vt_tensor_get(have, difference.worst),
                 vt_tensor_get(want, difference.worst));
    }
}

/* Whether both point the same way; where that is nowhere, they must both be 0. */
static inline void compare_cosine(const vt_tensor *have, const vt_tensor *want, double bound)
{
    double product = 0, first = 0, second = 0;
    assert_int_equal(vt_tensor_count(have), vt_tensor_count(want));
    for (size_t i = 0; i < vt_tensor_count(want); i++) {
        double x = vt_tensor_get(have, i), y = vt_tensor_get(want, i);
        product += x * y;
        first += x * x;
        second += y * y;
    }
    if (first + second > 0 && !(product > bound * sqrt(first) * sqrt(second))) {
        fail_msg("cosine %g", product / (sqrt(first) * sqrt(second)));
    }
}

/* Steps of a oneDNN runner that oneDNN does not run. */
static inline size_t count_reference_steps(vt_runner *runner)
{
    const vt_dnnl *dnnl = (const vt_dnnl *)runner;
    size_t count = 0;
    for (size_t i = 0; i < dnnl->action_count; i++) {
        const vt_action *action = &dnnl->actions[i];
        count += action->name && strncmp(action->name, "reference", 9) == 0;
    }
    return count;
}

/* The oneDNN executor (with passes, if wanted) against the reference executor without. `compare`
 * holds one output against the other. Returns how many steps oneDNN did not take. */
static inline size_t builder_compare_with(builder *b, bool passes, int threads,
                                          void (*compare)(const vt_tensor *have,
                                                          const vt_tensor *want, double tolerance),
                                          double tolerance)
{
    vt_tensor inputs[BUILDER_MAXIMUM], want[BUILDER_MAXIMUM], have[BUILDER_MAXIMUM];
    vt_runner *reference = builder_reference(b, false);
    vt_runner *runner = builder_onednn(b, passes, threads);
    for (int round = 0; round < 2; round++) { /* the second run meets used memory and new inputs */
        builder_random_inputs(b, inputs);
        run_or_fail(reference, inputs, want);
        run_or_fail(runner, inputs, have);
        for (size_t i = 0; i < b->output_count; i++) {
            compare(&have[i], &want[i], tolerance);
        }
        tensors_deinit(inputs, b->input_count);
    }
    size_t reference_steps = count_reference_steps(runner);
    runner->free(runner);
    reference->free(reference);
    return reference_steps;
}

static inline size_t builder_compare(builder *b, bool passes, double tolerance)
{
    return builder_compare_with(b, passes, 1, compare_tensors, tolerance);
}

#endif
