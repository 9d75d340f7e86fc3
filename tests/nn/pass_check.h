/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass on the plan of a small graph: which steps it leaves, and that they compute the same.
 *
 *     pass_check(&b, vt_pass_fuse_posts, "Conv+relu+add", 1e-6);
 *
 * Steps are written as operators in order, posts behind a plus.
 */
#ifndef VT_TESTS_NN_PASS_CHECK_H
#define VT_TESTS_NN_PASS_CHECK_H

#include "nn/plan_builder.h"

typedef vt_status pass_function(vt_plan *plan, vt_error *error);

static inline void plan_print(const vt_plan *plan, char *out, size_t capacity)
{
    static const char *const posts[] = {
        [VT_POST_LINEAR] = "linear",
        [VT_POST_CLIP] = "clip",
        [VT_POST_RELU] = "relu",
        [VT_POST_LEAKY_RELU] = "leaky",
        [VT_POST_ELU] = "elu",
        [VT_POST_SIGMOID] = "sigmoid",
        [VT_POST_TANH] = "tanh",
        [VT_POST_GELU] = "gelu",
        [VT_POST_GELU_TANH] = "gelu_tanh",
        [VT_POST_SWISH] = "swish",
        [VT_POST_HARD_SIGMOID] = "hard_sigmoid",
        [VT_POST_HARD_SWISH] = "hard_swish",
        [VT_POST_MISH] = "mish",
        [VT_POST_ADD] = "add",
        [VT_POST_MUL] = "mul",
    };
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < plan->step_count; i++) {
        const vt_step *step = &plan->steps[i];
        at += (size_t)snprintf(out + at, capacity - at, "%s%s", i > 0 ? " " : "",
                               step->node.op->name);
        for (int p = 0; p < step->post_count; p++) {
            at += (size_t)snprintf(out + at, capacity - at, "+%s", posts[step->posts[p].kind]);
        }
        assert_true(at < capacity);
    }
}

/* Every value is computed or given before it is read. */
static inline void plan_check_order(const vt_plan *plan)
{
    bool *there = vt_calloc(plan->value_count, sizeof *there);
    for (size_t i = 0; i < plan->value_count; i++) {
        there[i] = plan->values[i].constant;
    }
    for (size_t i = 0; i < plan->graph->input_count; i++) {
        there[plan->graph->inputs[i]] = true;
    }
    for (size_t i = 0; i < plan->step_count; i++) {
        for (size_t k = 0; k < vt_step_read_count(&plan->steps[i]); k++) {
            vt_value_id value = vt_step_read(&plan->steps[i], k);
            assert_true(value == VT_NO_VALUE || there[value]);
        }
        for (size_t k = 0; k < plan->steps[i].node.output_count; k++) {
            there[plan->steps[i].node.outputs[k]] = true;
        }
    }
    vt_free(there);
}

/* Shapes and types that steps were given are those their operators infer. */
static inline void plan_check_shapes(const vt_plan *plan)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        vt_tensor inputs[BUILDER_MAXIMUM], outputs[BUILDER_MAXIMUM];
        vt_op_args args;
        vt_error error = {0};
        const vt_node *node = &plan->steps[i].node;
        vt_plan_args(plan, node, inputs, outputs, &args);
        if (vt_op_infer(&args, &error) != VT_OK) {
            fail_msg("step %zu: %s", i, error.message);
        }
        for (size_t k = 0; k < node->output_count; k++) {
            const vt_tensor *want = &plan->values[node->outputs[k]].tensor;
            assert_true(vt_shape_equal(&outputs[k].shape, &want->shape));
            assert_int_equal(outputs[k].dtype, want->dtype);
        }
    }
}

static inline void pass_compare(builder *b, vt_plan *plan, double tolerance)
{
    vt_tensor inputs[BUILDER_MAXIMUM], before[BUILDER_MAXIMUM], after[BUILDER_MAXIMUM];
    vt_runner *plain = builder_reference(b, false), *changed = NULL;
    assert_int_equal(vt_memory_plan(plan, NULL), VT_OK);
    assert_int_equal(vt_reference_runner_new(plan, &changed, NULL), VT_OK);
    for (int round = 0; round < 2; round++) {
        builder_random_inputs(b, inputs);
        run_or_fail(plain, inputs, before);
        run_or_fail(changed, inputs, after);
        for (size_t i = 0; i < b->output_count; i++) {
            compare_tensors(&after[i], &before[i], tolerance);
        }
        tensors_deinit(inputs, b->input_count);
    }
    plain->free(plain);
    changed->free(changed);
}

/* want NULL: the steps stay as they are. */
static inline void pass_check(builder *b, pass_function *pass, const char *want, double tolerance)
{
    char have[1024], before[1024];
    vt_error error = {0};
    vt_plan *plan = builder_plan(b);
    plan_print(plan, before, sizeof before);
    if (pass(plan, &error) != VT_OK) {
        fail_msg("pass: %s", error.message);
    }
    plan_print(plan, have, sizeof have);
    assert_string_equal(have, want ? want : before);
    plan_check_order(plan);
    plan_check_shapes(plan);
    pass_compare(b, plan, tolerance);
}

/* Every allocation of the pass fails once: an error, and a plan that can be freed. */
static inline void pass_check_no_memory(builder *b, pass_function *pass)
{
    vt_status status = VT_ERR_NO_MEMORY;
    for (int64_t tries = 0; status != VT_OK; tries++) {
        vt_error error = {0};
        vt_plan *plan = builder_plan(b);
        assert_true(tries < 200);
        vt_mem_fail_after(tries);
        status = pass(plan, &error);
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
        assert_int_equal(error.status, status);
        vt_plan_free(plan);
    }
}

#endif
