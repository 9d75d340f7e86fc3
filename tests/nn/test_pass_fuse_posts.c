/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done to results, behind each kind of step that can take it, in the reference executor
 * before and after the pass; and the cases in which it must stay.
 */
#include "nn/pass_check.h"

#include <math.h>

static vt_value_id clip(builder *b, vt_value_id x, float low, float high)
{
    vt_value_id inputs[3] = {x, builder_scalar(b, low), builder_scalar(b, high)};
    return builder_node(b, "Clip", 13, inputs, 3, NULL, 0);
}

/* Fuses in a plan of its own; returns it. */
static vt_plan *fused_plan(builder *b)
{
    vt_plan *plan = builder_plan(b);
    assert_int_equal(vt_pass_fuse_posts(plan, NULL), VT_OK);
    return plan;
}

static size_t compare_fused(builder *b)
{
    vt_tensor inputs[BUILDER_MAXIMUM], before[BUILDER_MAXIMUM], after[BUILDER_MAXIMUM];
    vt_plan *plan = fused_plan(b);
    size_t steps = plan->step_count;
    vt_runner *plain = builder_reference(b, false), *fused = NULL;
    assert_int_equal(vt_memory_plan(plan, NULL), VT_OK);
    assert_int_equal(vt_reference_runner_new(plan, &fused, NULL), VT_OK);
    builder_random_inputs(b, inputs);
    run_or_fail(plain, inputs, before);
    run_or_fail(fused, inputs, after);
    for (size_t i = 0; i < b->output_count; i++) {
        compare_tensors(&after[i], &before[i], 1e-6);
    }
    tensors_deinit(inputs, b->input_count);
    plain->free(plain);
    fused->free(fused);
    return steps;
}

/* One value made by each kind of step in turn. */
static vt_value_id producer(builder *b, int which, vt_dtype dtype)
{
    vt_value_id x = builder_input(b, dtype, 4, (const int64_t[]){2, 3, 4, 4});
    vt_value_id matrix = builder_input(b, dtype, 2, (const int64_t[]){3, 4});
    int64_t channels = 3;
    vt_value_id inputs[5] = {x};
    switch (which) {
    case 0:
        inputs[1] = builder_constant_of(b, dtype, 4, (const int64_t[]){2, 3, 3, 3}, -1, 1);
        return builder_node(b, "Conv", 13, inputs, 2, NULL, 0);
    case 1:
        inputs[0] = matrix;
        inputs[1] = builder_constant_of(b, dtype, 2, (const int64_t[]){4, 5}, -1, 1);
        return builder_node(b, "Gemm", 13, inputs, 2, NULL, 0);
    case 2:
        return builder_binary(b, "MatMul", matrix,
                              builder_constant_of(b, dtype, 2, (const int64_t[]){4, 5}, -1, 1));
    case 3:
        return builder_binary(b, "Add", x, x);
    case 4:
        return builder_binary(b, "Sum", x, x);
    default:
        for (int i = 1; i < 5; i++) {
            inputs[i] = builder_constant_of(b, dtype, 1, &channels, 0.1F, 1);
        }
        return builder_node(b, "BatchNormalization", 9, inputs, 5, NULL, 0);
    }
}

static void test_fused(void **state)
{
    (void)state;
    static const vt_dtype dtypes[] = {VT_F32, VT_F64, VT_F16};
    for (int which = 0; which < 6; which++) {
        for (size_t type = 0; type < 3; type++) {
            for (int form = 0; form < 2; form++) {
                builder b;
                builder_init(&b, (uint64_t)which);
                vt_value_id y = producer(&b, which, dtypes[type]);
                if (form == 0) {
                    y = builder_unary(&b, "Relu", y);
                } else {
                    vt_value_id inputs[3] = {
                        y, builder_constant_of(&b, dtypes[type], 0, NULL, -0.25F, -0.25F),
                        builder_constant_of(&b, dtypes[type], 0, NULL, 0.5F, 0.5F)};
                    y = builder_node(&b, "Clip", 13, inputs, 3, NULL, 0);
                }
                builder_output(&b, y);
                /* A normalisation takes a ReLU alone. */
                assert_int_equal(compare_fused(&b), which == 5 && form == 1 ? 2 : 1);
                builder_deinit(&b);
            }
        }
    }
}

static void test_bounds(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 1);
    vt_value_id y = producer(&b, 3, VT_F32);
    vt_value_id high = builder_scalar(&b, 6);
    vt_value_id inputs[3] = {y, VT_NO_VALUE, high};
    builder_output(&b, builder_node(&b, "Clip", 13, inputs, 3, NULL, 0));
    vt_plan *plan = fused_plan(&b);
    assert_int_equal(plan->step_count, 1);
    assert_int_equal(plan->steps[0].post_count, 1);
    assert_int_equal(plan->steps[0].posts[0].kind, VT_POST_CLIP);
    assert_true(plan->steps[0].posts[0].alpha == -INFINITY);
    assert_true(plan->steps[0].posts[0].beta == 6.0F);
    vt_plan_free(plan);
    builder_deinit(&b);
}

static void refused_case(int which)
{
    builder b;
    builder_init(&b, (uint64_t)which);
    vt_value_id y = producer(&b, 3, which == 5 ? VT_I32 : VT_F32), z = VT_NO_VALUE;
    size_t want = 2;
    switch (which) {
    case 0: /* asked for itself */
        builder_output(&b, y);
        z = builder_unary(&b, "Relu", y);
        break;
    case 1: /* two readers */
        z = builder_binary(&b, "Mul", builder_unary(&b, "Relu", y), y);
        want = 3;
        break;
    case 2: /* bounds that cross: the upper one wins */
        z = clip(&b, y, 0.5F, 0.25F);
        break;
    case 3: { /* a computed bound */
        vt_value_id inputs[3] = {y, builder_input(&b, VT_F32, 0, NULL), builder_scalar(&b, 9)};
        z = builder_node(&b, "Clip", 13, inputs, 3, NULL, 0);
        break;
    }
    case 4: /* one more than fits */
        for (int i = 0; i <= VT_STEP_POSTS; i++) {
            static const char *const ops[] = {"Tanh", "Sigmoid", "Elu", "Relu"};
            z = builder_unary(&b, i < VT_STEP_POSTS ? ops[i] : "LeakyRelu", i == 0 ? y : z);
        }
        break;
    case 5: /* integers */
        z = builder_node(&b, "Relu", 14, &y, 1, NULL, 0);
        break;
    case 6: /* the value is the bound, not what is clipped */
    {
        vt_value_id sum =
            builder_node(&b, "ReduceMax", 11, &y, 1, (vt_attr[]){attr_int("keepdims", 0)}, 1);
        sum = builder_binary(&b, "Add", sum, sum);
        vt_value_id x = builder_input(&b, VT_F32, 1, (const int64_t[]){5});
        z = builder_node(&b, "Clip", 13, (const vt_value_id[]){x, VT_NO_VALUE, sum}, 3, NULL, 0);
        want = 4;
        break;
    }
    default:
        fail();
    }
    builder_output(&b, z);
    assert_int_equal(compare_fused(&b), want);
    builder_deinit(&b);
}

static void test_refused(void **state)
{
    (void)state;
    for (int which = 0; which < 7; which++) {
        refused_case(which);
    }
}

/* ---- activations ---- */

static void test_activations(void **state)
{
    (void)state;
    static const struct {
        const char *op, *want;
        int opset;
    } cases[] = {
        {"LeakyRelu", "Conv+leaky", 13},
        {"Elu", "Conv+elu", 13},
        {"Sigmoid", "Conv+sigmoid", 13},
        {"Tanh", "Conv+tanh", 13},
        {"Gelu", "Conv+gelu", 20},
        {"HardSwish", "Conv+hard_swish", 14},
        {"HardSigmoid", "Conv+hard_sigmoid", 6},
        {"Swish", "Conv+swish", 24},
        {"Mish", "Conv+mish", 18},
        {"Neg", "Conv+linear", 13},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        builder b;
        builder_init(&b, i);
        vt_value_id y = producer(&b, 0, VT_F32);
        builder_output(&b, builder_node(&b, cases[i].op, cases[i].opset, &y, 1, NULL, 0));
        pass_check(&b, vt_pass_fuse_posts, cases[i].want, 1e-6);
        builder_deinit(&b);
    }
}

static void test_activation_attributes(void **state)
{
    (void)state;
    for (int which = 0; which < 5; which++) {
        static const char *const ops[] = {"LeakyRelu", "Elu", "HardSigmoid", "Swish", "Gelu"};
        static const char *const want[] = {"Add+leaky", "Add+elu", "Add+hard_sigmoid", "Add+swish",
                                           "Add+gelu_tanh"};
        builder b;
        builder_init(&b, 3);
        vt_attr attrs[] = {attr_float("alpha", 0.75F), attr_float("beta", 0.25F)};
        if (which == 4) {
            attrs[0] = attr_text("approximate", "tanh");
        }
        vt_value_id y = producer(&b, 3, VT_F32);
        builder_output(&b, builder_node(&b, ops[which], 24, &y, 1, attrs, which == 2 ? 2 : 1));
        pass_check(&b, vt_pass_fuse_posts, want[which], 1e-6);
        builder_deinit(&b);
    }
}

static void test_scalars(void **state)
{
    (void)state;
    for (int which = 0; which < 7; which++) {
        static const char *const ops[] = {"Mul", "Div", "Add", "Sub", "Sub", "Mul", "Add"};
        builder b;
        builder_init(&b, (uint64_t)which);
        bool f64 = which >= 5;
        vt_value_id y = producer(&b, f64 ? 2 : 0, f64 ? VT_F64 : VT_F32);
        vt_value_id constant = builder_constant_of(&b, f64 ? VT_F64 : VT_F32, 0, NULL, 0.7F, 0.7F);
        y = which == 4 ? builder_binary(&b, ops[which], constant, y)
                       : builder_binary(&b, ops[which], y, constant);
        builder_output(&b, y);
        pass_check(&b, vt_pass_fuse_posts, f64 ? "MatMul+linear" : "Conv+linear", 1e-6);
        builder_deinit(&b);
    }
    builder b; /* not exact as f32 */
    builder_init(&b, 9);
    vt_tensor third;
    vt_shape scalar = {0};
    assert_int_equal(vt_tensor_init(&third, VT_F64, &scalar, 0, NULL), VT_OK);
    *(double *)third.data = 1.0 / 3;
    vt_value_id y = producer(&b, 2, VT_F64);
    builder_output(&b, builder_binary(&b, "Mul", y, builder_take(&b, &third)));
    pass_check(&b, vt_pass_fuse_posts, NULL, 1e-14);
    builder_deinit(&b);
}

/* Several of one kind: linear ones in a row are one, others do not fit into one step. */
static void test_repeated(void **state)
{
    (void)state;
    for (int which = 0; which < 5; which++) {
        static const char *const want[] = {"MatMul+linear", "MatMul+linear+tanh Mul",
                                           "MatMul+clip Clip", "MatMul+relu LeakyRelu",
                                           "MatMul+linear HardSigmoid"};
        builder b;
        builder_init(&b, (uint64_t)which);
        vt_value_id y = producer(&b, 2, VT_F32), z = y;
        switch (which) {
        case 0:
            z = builder_binary(&b, "Div", y, builder_scalar(&b, 2));
            z = builder_binary(&b, "Add", z, builder_scalar(&b, 0.25F));
            z = builder_binary(&b, "Sub", builder_scalar(&b, 3), z);
            break;
        case 1: /* attention with capped scores */
            z = builder_binary(&b, "Div", y, builder_scalar(&b, 2));
            z = builder_binary(&b, "Mul", builder_unary(&b, "Tanh", z), builder_scalar(&b, 2));
            break;
        case 2:
            z = clip(&b, clip(&b, y, -1, 1), -0.5F, 2);
            break;
        case 3:
            z = builder_unary(&b, "LeakyRelu", builder_unary(&b, "Relu", y));
            break;
        default:
            z = builder_binary(&b, "Mul", y, builder_scalar(&b, 2));
            z = builder_unary(&b, "HardSigmoid", z);
            break;
        }
        builder_output(&b, z);
        pass_check(&b, vt_pass_fuse_posts, want[which], 1e-6);
        builder_compare(&b, true, 1e-5);
        builder_deinit(&b);
    }
}

/* ---- operands ---- */

static vt_value_id conv(builder *b, vt_value_id x)
{
    vt_value_id w = builder_constant(b, 4, (const int64_t[]){3, 3, 1, 1}, -1, 1);
    return builder_node(b, "Conv", 13, (const vt_value_id[]){x, w}, 2, NULL, 0);
}

static vt_value_id linear(builder *b, vt_value_id x)
{
    return builder_binary(b, "MatMul", x, builder_constant(b, 2, (const int64_t[]){8, 8}, -1, 1));
}

static vt_value_id row(builder *b)
{
    return builder_constant(b, 1, (const int64_t[]){8}, -1, 1);
}

/* The later of the two producers of a sum takes it, on whichever side it stands. */
static void test_residual(void **state)
{
    (void)state;
    for (int which = 0; which < 5; which++) {
        static const char *const want[] = {"Conv+add+relu", "Conv+relu Conv+add+relu",
                                           "Conv Conv+add", "Conv Conv+add",
                                           "Conv MaxPool Add+relu"};
        builder b;
        builder_init(&b, (uint64_t)which);
        vt_value_id x = builder_input(&b, VT_F32, 4, (const int64_t[]){2, 3, 5, 5}), y, z;
        vt_attr kernel = attr_ints("kernel_shape", 2, (const int64_t[]){1, 1});
        switch (which) {
        case 0:
            z = builder_unary(&b, "Relu", builder_binary(&b, "Add", x, conv(&b, x)));
            break;
        case 1: /* a residual block */
            y = conv(&b, builder_unary(&b, "Relu", conv(&b, x)));
            z = builder_unary(&b, "Relu", builder_binary(&b, "Sum", y, x));
            break;
        case 2: /* a downsampling one */
        case 3:
            y = conv(&b, x);
            z = conv(&b, x);
            z = which == 2 ? builder_binary(&b, "Add", y, z) : builder_binary(&b, "Add", z, y);
            break;
        default: /* the later one takes nothing, the earlier one cannot wait */
            y = conv(&b, x);
            z = builder_node(&b, "MaxPool", 12, &x, 1, &kernel, 1);
            z = builder_unary(&b, "Relu", builder_binary(&b, "Add", y, z));
            break;
        }
        builder_output(&b, z);
        pass_check(&b, vt_pass_fuse_posts, want[which], 1e-6);
        builder_deinit(&b);
    }
}

/* MLP and output projection of a transformer's block. */
static void test_transformer(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 1);
    vt_value_id x = builder_input(&b, VT_F32, 3, (const int64_t[]){2, 4, 8}), y;
    y = builder_binary(&b, "Add", linear(&b, x), row(&b));
    y = builder_node(&b, "Gelu", 20, &y, 1, NULL, 0);
    y = builder_binary(&b, "Add", row(&b), linear(&b, y));
    y = builder_binary(&b, "Mul", y, row(&b)); /* layer scale */
    builder_output(&b, builder_binary(&b, "Add", x, y));
    pass_check(&b, vt_pass_fuse_posts, "MatMul+add+gelu MatMul+add+mul+add", 1e-6);
    builder_deinit(&b);
}

static void test_gates(void **state)
{
    (void)state;
    for (int which = 0; which < 6; which++) {
        static const char *const want[] = {"GlobalAveragePool Sigmoid Conv+mul",
                                           "Conv+mul",
                                           "Conv Mul",
                                           "Conv Mul",
                                           "Conv Mul",
                                           "MatMul MatMul+mul"};
        builder b;
        builder_init(&b, (uint64_t)which);
        vt_value_id x = builder_input(&b, VT_F32, 4, (const int64_t[]){2, 3, 5, 5}), y, z;
        const int64_t per_channel[] = {3, 1, 1}, per_image[] = {2, 1, 1, 1}, per_row[] = {5, 1};
        switch (which) {
        case 0: /* by channel and image */
            y = builder_unary(&b, "Sigmoid", builder_unary(&b, "GlobalAveragePool", x));
            z = builder_binary(&b, "Mul", y, conv(&b, x));
            break;
        case 1:
            z = builder_binary(&b, "Mul", conv(&b, x), builder_constant(&b, 3, per_channel, 1, 2));
            break;
        case 2:
            z = builder_binary(&b, "Mul", conv(&b, x), builder_constant(&b, 4, per_image, 1, 2));
            break;
        case 3:
            z = builder_binary(&b, "Mul", conv(&b, x), builder_constant(&b, 2, per_row, 1, 2));
            break;
        case 4: { /* computed from what it is for */
            y = conv(&b, x);
            vt_value_id mean = builder_unary(&b, "GlobalAveragePool", y);
            z = builder_binary(&b, "Mul", y, mean);
            builder_output(&b, z);
            pass_check(&b, vt_pass_fuse_posts, "Conv GlobalAveragePool Mul", 1e-6);
            builder_deinit(&b);
            continue;
        }
        default: /* one product by another */
            x = builder_input(&b, VT_F32, 2, (const int64_t[]){4, 8});
            y = linear(&b, x);
            z = builder_binary(&b, "Mul", y, linear(&b, x));
            break;
        }
        builder_output(&b, z);
        pass_check(&b, vt_pass_fuse_posts, want[which], 1e-6);
        builder_deinit(&b);
    }
}

static void test_operands_refused(void **state)
{
    (void)state;
    for (int which = 0; which < 6; which++) {
        static const char *const want[] = {"Conv Add", "Conv Add",   "Conv Add",
                                           "Add Add",  "MatMul Add", "Cast MatMul Add"};
        builder b;
        builder_init(&b, (uint64_t)which);
        vt_value_id x = builder_input(&b, VT_F32, 4, (const int64_t[]){2, 3, 5, 5}), y, z;
        vt_value_id m = builder_input(&b, VT_F32, 2, (const int64_t[]){1, 8});
        switch (which) {
        case 0: /* the sum is larger */
            z = builder_binary(&b, "Add", conv(&b, x),
                               builder_input(&b, VT_F32, 5, (const int64_t[]){2, 1, 1, 1, 1}));
            break;
        case 1: /* twice the same */
            y = conv(&b, x);
            z = builder_binary(&b, "Add", y, y);
            break;
        case 2: /* a computed bias: not one shape, and no constant */
            z = builder_binary(&b, "Add", conv(&b, x),
                               builder_input(&b, VT_F32, 3, (const int64_t[]){3, 1, 1}));
            break;
        case 3: /* sums take functions only */
            z = builder_binary(&b, "Add", builder_binary(&b, "Add", x, x),
                               builder_input(&b, VT_F32, 4, (const int64_t[]){2, 3, 5, 5}));
            break;
        case 4: /* one row becomes several */
            z = builder_binary(&b, "Add", linear(&b, m),
                               builder_constant(&b, 2, (const int64_t[]){3, 8}, -1, 1));
            break;
        default: { /* another reader */
            vt_attr to = attr_int("to", VT_F32);
            y = builder_node(&b, "Cast", 13, &m, 1, &to, 1);
            y = linear(&b, y);
            builder_output(&b, y);
            z = builder_binary(&b, "Add", y, row(&b));
            break;
        }
        }
        builder_output(&b, z);
        pass_check(&b, vt_pass_fuse_posts, want[which], 1e-6);
        builder_deinit(&b);
    }
}

/* Random networks of everything that fuses: order and results hold. */
static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        builder b;
        builder_init(&b, seed);
        vt_value_id values[16] = {builder_input(&b, VT_F32, 4, (const int64_t[]){2, 3, 3, 3})};
        for (int i = 1; i < 16; i++) {
            vt_value_id x = values[vt_random_int(&b.random, i > 2 ? i - 2 : 0, i - 1)];
            vt_value_id y = values[vt_random_int(&b.random, 0, i - 1)];
            uint64_t kind = vt_random_below(&b.random, 7);
            values[i] = kind < 3    ? conv(&b, x)
                        : kind == 3 ? builder_unary(&b, "Tanh", x)
                        : kind == 4 ? builder_binary(&b, "Mul", builder_scalar(&b, 0.5F), x)
                        : kind == 5 ? builder_binary(&b, "Mul", x, builder_unary(&b, "Tanh", y))
                                    : builder_binary(&b, "Add", x, y);
        }
        builder_output(&b, values[15]);
        builder_output(&b, values[12]);
        vt_plan *plan = builder_plan(&b);
        assert_int_equal(vt_pass_fuse_posts(plan, NULL), VT_OK);
        plan_check_order(plan);
        pass_compare(&b, plan, 1e-5);
        builder_deinit(&b);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 2);
    builder_output(&b, builder_unary(&b, "Relu", producer(&b, 0, VT_F32)));
    vt_status status = VT_ERR_NO_MEMORY;
    for (int64_t tries = 0; status != VT_OK; tries++) {
        vt_error error = {0};
        vt_plan *plan = builder_plan(&b);
        assert_true(tries < 20);
        vt_mem_fail_after(tries);
        status = vt_pass_fuse_posts(plan, &error);
        vt_mem_fail_after(-1);
        assert_int_equal(error.status, status);
        assert_int_equal(plan->step_count, status == VT_OK ? 1 : 2);
        vt_plan_free(plan);
    }
    builder_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fused),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_activation_attributes),
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_residual),
        cmocka_unit_test(test_transformer),
        cmocka_unit_test(test_gates),
        cmocka_unit_test(test_operands_refused),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
