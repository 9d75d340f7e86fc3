/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of the oneDNN executor: a run allocates nothing, neither here nor in the libraries below;
 * preparing one fails cleanly wherever memory ends. */
#include "qdq_builder.h"

#include "base/mem.h"

#include <malloc.h>

enum { WARM_UP = 3, RUNS = 10, TRIES = 5 };

/* With a sanitizer, malloc is not the C library's and counts nothing: the first condition holds
 * there alone. */
static void check(builder *b, int threads)
{
    vt_tensor inputs[2][BUILDER_MAXIMUM], outputs[BUILDER_MAXIMUM];
    vt_runner *runner = builder_onednn(b, true, threads);
    for (int i = 0; i < 2; i++) { /* two sets, so that inputs are bound anew each time */
        builder_random_inputs(b, inputs[i]);
    }
    for (int i = 0; i < WARM_UP; i++) {
        run_or_fail(runner, inputs[i % 2], outputs);
    }
    /* The threads' own library may still allocate now and then, but not in every round. */
    bool flat = false;
    for (int round = 0; round < TRIES && !flat; round++) {
        vt_mem_fail_after(-1);
        struct mallinfo2 before = mallinfo2();
        for (int i = 0; i < RUNS; i++) {
            run_or_fail(runner, inputs[i % 2], outputs);
        }
        struct mallinfo2 after = mallinfo2();
        assert_int_equal(vt_mem_fail_after(-1), 0);
        flat = after.uordblks == before.uordblks && after.hblks == before.hblks;
    }
    assert_true(flat);
    runner->free(runner);
    for (int i = 0; i < 2; i++) {
        tensors_deinit(inputs[i], b->input_count);
    }
}

static void check_all(builder *b)
{
    for (int threads = 1; threads <= 2; threads++) {
        b->precision = VT_PRECISION_F32;
        check(b, threads);
        b->precision = VT_PRECISION_BF16;
        check(b, threads);
    }
    builder_deinit(b);
}

static void test_convolutions(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 1);
    vt_value_id x = blocked_input(&b, 2, 16, 9, 9);
    vt_value_id w = builder_constant(&b, 4, (const int64_t[]){16, 16, 3, 3}, -1, 1);
    const vt_attr pads = attr_ints("pads", 4, (const int64_t[]){1, 1, 1, 1});
    const vt_attr axis = attr_int("axis", 1);
    vt_value_id y = builder_node(&b, "Conv", 13, (const vt_value_id[]){x, w}, 2, &pads, 1);
    y = builder_unary(&b, "Relu", builder_binary(&b, "Add", y, x));
    y = builder_node(&b, "Concat", 13, (const vt_value_id[]){y, x}, 2, &axis, 1);
    y = builder_unary(&b, "GlobalAveragePool", y);
    y = builder_node(&b, "Flatten", 13, &y, 1, NULL, 0);
    builder_output(&b, y);
    check_all(&b);
}

static void test_attention(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 2);
    const int64_t heads[] = {2, 9, 4, 8};
    const vt_attr perm = attr_ints("perm", 4, (const int64_t[]){0, 2, 1, 3});
    vt_value_id x = builder_input(&b, VT_F32, 3, (const int64_t[]){2, 9, 32}), qkv[3];
    for (int i = 0; i < 3; i++) {
        vt_value_id w = builder_constant(&b, 2, (const int64_t[]){32, 32}, -1, 1);
        vt_value_id part = builder_binary(&b, "Reshape", builder_binary(&b, "MatMul", x, w),
                                          builder_ints(&b, 4, heads));
        qkv[i] = builder_node(&b, "Transpose", 13, &part, 1, &perm, 1);
    }
    vt_value_id y = builder_node(&b, "Attention", 23, qkv, 3, NULL, 0);
    y = builder_node(&b, "Transpose", 13, &y, 1, &perm, 1);
    y = builder_binary(&b, "Reshape", y, builder_ints(&b, 3, (const int64_t[]){2, 9, 32}));
    builder_output(&b, builder_unary(&b, "Softmax", builder_binary(&b, "Add", y, x)));
    check_all(&b);
}

static void test_integers(void **state)
{
    (void)state;
    if (!vt_precision_is_fast(VT_PRECISION_INT8)) {
        skip();
        return;
    }
    builder b;
    builder_init(&b, 3);
    const qdq source = {VT_U8, 0.01F, 128};
    vt_value_id x =
        qdq_pair(&b, builder_input(&b, VT_F32, 4, (const int64_t[]){1, 8, 7, 7}), &source);
    vt_value_id w = qdq_weights(&b, 4, (const int64_t[]){16, 8, 3, 3},
                                &(qdq_weight){.axis = 0, .count = 16, .with_zeros = true});
    vt_value_id y = builder_binary(&b, "Conv", x, w);
    builder_output(&b, qdq_pair(&b, y, &source));
    b.precision = VT_PRECISION_INT8;
    check(&b, 1);
    check(&b, 2);
    builder_deinit(&b);
}

/* ---- preparing ---- */

static vt_status prepare(void *context)
{
    builder *b = context;
    vt_shape shapes[BUILDER_MAXIMUM];
    vt_plan *plan = NULL;
    vt_runner *runner = NULL;
    vt_error error = {0};
    for (size_t i = 0; i < b->input_count; i++) {
        shapes[i] = b->graph.values[b->inputs[i]].shape;
    }
    vt_status status = vt_plan_new(&b->graph, shapes, b->outputs, b->output_count + b->hidden_count,
                                   &plan, &error);
    if (status != VT_OK) {
        return status;
    }
    plan->output_count = b->output_count;
    builder_add_posts(b, plan);
    if (b->precision == VT_PRECISION_INT8) {
        status = vt_pass_drop_requantization(plan, &error);
        status = status == VT_OK ? vt_pass_fuse_quantized(plan, &error) : status;
    } else if (b->precision == VT_PRECISION_BF16) {
        status = vt_pass_choose_precision(plan, &error);
    }
    if (status != VT_OK) {
        vt_plan_free(plan);
        return status;
    }
    status = vt_onednn_runner_new(plan, 1, &runner, &error);
    if (status == VT_OK) {
        runner->free(runner);
    }
    return status;
}

static void test_memory_may_end_anywhere(void **state)
{
    (void)state;
    static const vt_step_post linear[] = {{VT_POST_LINEAR, 2, 1, 0}, {VT_POST_LINEAR, 3, -1, 0}};
    for (int form = 0; form < 3; form++) {
        builder b;
        builder_init(&b, (uint64_t)form);
        b.precision = (vt_precision)form;
        if (form == VT_PRECISION_INT8 && !vt_precision_is_fast(VT_PRECISION_INT8)) {
            builder_deinit(&b);
            continue;
        }
        const qdq q = {VT_U8, 0.01F, 128};
        vt_value_id x = builder_input(&b, VT_F32, 4, (const int64_t[]){1, 8, 7, 7});
        vt_value_id rest = builder_input(&b, VT_F32, 4, (const int64_t[]){1, 16, 5, 5});
        const vt_step_post add = {.kind = VT_POST_ADD, .operand = qdq_pair(&b, rest, &q)};
        vt_value_id w = qdq_weights(&b, 4, (const int64_t[]){16, 8, 3, 3},
                                    &(qdq_weight){.axis = 0, .count = 16});
        vt_value_id y = builder_binary(&b, "Conv", qdq_pair(&b, x, &q), w);
        builder_post(&b, y, &linear[0]);
        builder_post(&b, y, &add);
        builder_post(&b, y, &linear[1]);
        vt_value_id pair = qdq_pair(&b, y, &q);
        vt_value_id turned = builder_unary(&b, "Transpose", pair);
        const vt_value_id sum[] = {turned, turned, turned};
        builder_output(&b, builder_node(&b, "Sum", 13, sum, 3, NULL, 0));
        const vt_value_id qkv[] = {pair, pair, pair};
        builder_output(&b, builder_node(&b, "Attention", 23, qkv, 3, NULL, 0));
        builder_finish(&b);
        /* A layout that cannot be had is done without: then the whole succeeds all the same. */
        int64_t successes = 0;
        for (bool failed = true; failed; successes++) {
            vt_mem_fail_after(successes);
            vt_status status = prepare(&b);
            failed = vt_mem_fail_after(-1) > successes;
            assert_true(status == VT_OK || (failed && status == VT_ERR_NO_MEMORY));
        }
        assert_true(successes > 40);
        builder_deinit(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolutions),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_memory_may_end_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
