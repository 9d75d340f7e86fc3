/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of small graphs: against central differences of the reference in f64, and the oneDNN
 * executor against the reference in f32.
 *
 *     static vt_value_id make_relu(builder *b, vt_dtype type)
 *     {
 *         return builder_unary(b, "Relu", grad_input(b, type, 2, DIMS(3, 4)));
 *     }
 *     grad_check(make_relu, -1, 1);
 *
 * What is differentiated is the sum over elements of sin(1.7 y + 0.3), so that each element of the
 * result gets a gradient of its own.
 */
#ifndef VT_TESTS_NN_GRADIENTS_H
#define VT_TESTS_NN_GRADIENTS_H

#include "nn/gradient.h"
#include "nn/plan_builder.h"

#define DIMS(...) ((const int64_t[]){__VA_ARGS__})

typedef vt_value_id grad_make(builder *b, vt_dtype type);

static inline vt_value_id grad_input(builder *b, vt_dtype type, int rank, const int64_t *dims)
{
    return builder_input(b, type, rank, dims);
}

static inline vt_value_id grad_number(builder *b, vt_dtype type, float value)
{
    return builder_constant_of(b, type, 0, NULL, value, value);
}

/* The loss; inputs are those of the graph that are floats. */
static inline vt_value_id grad_loss(builder *b, vt_dtype type, vt_value_id y)
{
    y = builder_binary(b, "Mul", y, grad_number(b, type, 1.75F));
    y = builder_binary(b, "Add", y, grad_number(b, type, 0.25F));
    y = builder_unary(b, "Sin", y);
    const vt_attr keep = attr_int("keepdims", 0);
    return builder_node(b, "ReduceSum", 13, &y, 1, &keep, 1);
}

typedef struct grad_graph {
    builder b;
    vt_value_id gradients[BUILDER_MAXIMUM];
    size_t wanted[BUILDER_MAXIMUM]; /* numbers of the inputs that are differentiated by */
    size_t count;
} grad_graph;

static inline void grad_build(grad_graph *g, grad_make *make, vt_dtype type)
{
    *g = (grad_graph){0};
    builder_init(&g->b, 7);
    builder_output(&g->b, grad_loss(&g->b, type, make(&g->b, type)));
    builder_finish(&g->b);
    for (size_t i = 0; i < g->b.input_count; i++)
        if (vt_dtype_is_float(g->b.graph.values[g->b.inputs[i]].dtype))
            g->wanted[g->count++] = i;
}

/* The plan with the gradients as outputs behind the loss. */
static inline vt_plan *grad_plan(grad_graph *g)
{
    vt_error error = {0};
    vt_value_id wanted[BUILDER_MAXIMUM];
    g->b.output_count = 1;
    vt_plan *plan = builder_plan(&g->b);
    for (size_t i = 0; i < g->count; i++)
        wanted[i] = g->b.inputs[g->wanted[i]];
    if (vt_plan_differentiate(plan, g->b.outputs[0], wanted, g->count, g->gradients, &error) !=
        VT_OK)
        fail_msg("%s", error.message);
    for (size_t i = 0; i < g->count; i++) {
        if (g->gradients[i] == VT_NO_VALUE)
            fail_msg("input %zu has no gradient", g->wanted[i]);
        g->b.outputs[g->b.output_count++] = g->gradients[i];
    }
    plan->output_count = g->b.output_count;
    return plan;
}

static inline vt_runner *grad_reference(grad_graph *g)
{
    vt_runner *runner = NULL;
    vt_plan *plan = grad_plan(g);
    assert_int_equal(vt_reference_runner_new(plan, &runner, NULL), VT_OK);
    return runner;
}

static inline vt_runner *grad_onednn(grad_graph *g, vt_precision precision)
{
    vt_runner *runner = NULL;
    vt_error error = {0};
    vt_plan *plan = grad_plan(g);
    assert_int_equal(vt_plan_optimize(plan, precision, &error), VT_OK);
    if (vt_onednn_runner_new(plan, 1, &runner, &error) != VT_OK)
        fail_msg("onednn: %s", error.message);
    return runner;
}

static inline void grad_fill(grad_graph *g, vt_tensor *inputs, float low, float high)
{
    for (size_t i = 0; i < g->b.input_count; i++) {
        const vt_value *value = &g->b.graph.values[g->b.inputs[i]];
        assert_int_equal(vt_tensor_init(&inputs[i], value->dtype, &value->shape, 0, NULL), VT_OK);
        for (size_t k = 0; k < vt_tensor_count(&inputs[i]); k++) {
            double number = (double)vt_random_float(&g->b.random, low, high);
            if (vt_dtype_is_float(value->dtype)) {
                vt_store_f64(value->dtype, inputs[i].data, k, 1, &number);
            } else { /* classes and indices of axes of at least 3 */
                int64_t index = (int64_t)vt_random_below(&g->b.random, 3);
                vt_store_i64(value->dtype, inputs[i].data, k, 1, &index);
            }
        }
    }
}

static inline double grad_loss_of(vt_runner *runner, const vt_tensor *inputs)
{
    vt_tensor outputs[BUILDER_MAXIMUM];
    run_or_fail(runner, inputs, outputs);
    return vt_tensor_get(&outputs[0], 0);
}

/* Every element of every input against (f(x + h) - f(x - h)) / 2h. */
static inline void grad_check_differences(grad_make *make, float low, float high)
{
    grad_graph g;
    vt_tensor inputs[BUILDER_MAXIMUM], outputs[BUILDER_MAXIMUM], gradients[BUILDER_MAXIMUM];
    const double h = 1e-5;
    grad_build(&g, make, VT_F64);
    vt_runner *runner = grad_reference(&g);
    grad_fill(&g, inputs, low, high);
    run_or_fail(runner, inputs, outputs);
    for (size_t i = 0; i < g.count; i++)
        assert_int_equal(vt_tensor_dup(&outputs[1 + i], &gradients[i], NULL), VT_OK);
    for (size_t i = 0; i < g.count; i++) {
        double *x = inputs[g.wanted[i]].data;
        assert_int_equal(vt_tensor_count(&gradients[i]), vt_tensor_count(&inputs[g.wanted[i]]));
        for (size_t k = 0; k < vt_tensor_count(&gradients[i]); k++) {
            double at = x[k];
            x[k] = at + h;
            double above = grad_loss_of(runner, inputs);
            x[k] = at - h;
            double below = grad_loss_of(runner, inputs), want = (above - below) / (2 * h);
            x[k] = at;
            double have = vt_tensor_get(&gradients[i], k);
            if (!(fabs(have - want) <= 1e-6 * (1.0 + fabs(want))))
                fail_msg("input %zu element %zu (%g): gradient %.9g, difference %.9g", i, k, at,
                         have, want);
        }
    }
    tensors_deinit(gradients, g.count);
    tensors_deinit(inputs, g.b.input_count);
    runner->free(runner);
    builder_deinit(&g.b);
}

/* Both executors in f32. Returns how many steps oneDNN did not take. */
static inline size_t grad_check_executors(grad_make *make, float low, float high,
                                          vt_precision precision, double tolerance)
{
    grad_graph g, h;
    vt_tensor inputs[BUILDER_MAXIMUM], want[BUILDER_MAXIMUM], have[BUILDER_MAXIMUM];
    grad_build(&g, make, VT_F32);
    grad_build(&h, make, VT_F32);
    vt_runner *reference = grad_reference(&g), *runner = grad_onednn(&h, precision);
    for (int round = 0; round < 2; round++) {
        grad_fill(&g, inputs, low, high);
        run_or_fail(reference, inputs, want);
        run_or_fail(runner, inputs, have);
        for (size_t i = 0; i < g.b.output_count; i++)
            if (precision == VT_PRECISION_F32)
                compare_tensors(&have[i], &want[i], tolerance);
            else if (i > 0)
                compare_cosine(&have[i], &want[i], 1.0 - tolerance);
        tensors_deinit(inputs, g.b.input_count);
    }
    size_t steps = count_reference_steps(runner);
    runner->free(runner);
    reference->free(reference);
    builder_deinit(&g.b);
    builder_deinit(&h.b);
    return steps;
}

static inline size_t grad_check(grad_make *make, float low, float high)
{
    grad_check_differences(make, low, high);
    return grad_check_executors(make, low, high, VT_PRECISION_F32, 2e-4);
}

#endif
