/* SPDX-License-Identifier: Apache-2.0 */
/* Posts on the oneDNN executor: every producer with every kind and with operands of all shapes. */
#include "support/scratch.h"

#include "dnnl_cases.h"

enum {
    CONV,
    CONV_TRANSPOSE,
    GEMM,
    GEMM_C,
    MATMUL2,
    MATMUL3,
    MATMUL4,
    MATMUL_STACK,
    ADD,
    BATCHNORM
};
enum { PRODUCERS = BATCHNORM + 1 };

static vt_value_id tensor_input(builder *b, vt_dtype dtype, int rank, const int64_t *dims)
{
    return builder_input(b, dtype, rank, dims);
}

static vt_value_id product(builder *b, vt_dtype dtype, int rank, const int64_t *dims, bool stack)
{
    const int64_t last = dims[rank - 1], weights[4] = {dims[0], dims[1], last, 6};
    vt_value_id x = tensor_input(b, dtype, rank, dims);
    return builder_binary(b, "MatMul", x,
                          stack ? builder_constant_of(b, dtype, 4, weights, -1, 1)
                                : builder_constant_of(b, dtype, 2, weights + 2, -1, 1));
}

/* A step of this kind and the shape of its result. */
static vt_value_id producer(builder *b, int which, vt_dtype dtype, vt_shape *shape)
{
    static const int64_t maps[] = {2, 8, 5, 4}, one = 8;
    vt_value_id inputs[5];
    const vt_attr swapped = attr_int("transB", 1);
    *shape = vt_shape_of(4, maps);
    switch (which) {
    case CONV:
        inputs[0] = tensor_input(b, dtype, 4, (const int64_t[]){2, 3, 7, 6});
        inputs[1] = builder_constant_of(b, dtype, 4, (const int64_t[]){8, 3, 3, 3}, -1, 1);
        inputs[2] = builder_constant_of(b, dtype, 1, &one, -1, 1);
        return builder_node(b, "Conv", 13, inputs, 3, NULL, 0);
    case CONV_TRANSPOSE:
        inputs[0] = tensor_input(b, dtype, 4, (const int64_t[]){2, 3, 3, 2});
        inputs[1] = builder_constant_of(b, dtype, 4, (const int64_t[]){3, 8, 3, 3}, -1, 1);
        return builder_node(b, "ConvTranspose", 13, inputs, 2, NULL, 0);
    case GEMM:
    case GEMM_C:
        *shape = vt_shape_of(2, (const int64_t[]){3, 6});
        inputs[0] = tensor_input(b, dtype, 2, (const int64_t[]){3, 4});
        inputs[1] = builder_constant_of(b, dtype, 2, (const int64_t[]){6, 4}, -1, 1);
        inputs[2] = builder_constant_of(b, dtype, 2, (const int64_t[]){3, 1}, -1, 1);
        return builder_node(b, "Gemm", 13, inputs, which == GEMM ? 2 : 3, &swapped, 1);
    case MATMUL2:
        *shape = vt_shape_of(2, (const int64_t[]){3, 6});
        return product(b, dtype, 2, (const int64_t[]){3, 4}, false);
    case MATMUL3:
        *shape = vt_shape_of(3, (const int64_t[]){2, 3, 6});
        return product(b, dtype, 3, (const int64_t[]){2, 3, 4}, false);
    case MATMUL4:
    case MATMUL_STACK:
        *shape = vt_shape_of(4, (const int64_t[]){2, 5, 3, 6});
        return product(b, dtype, 4, (const int64_t[]){2, 5, 3, 4}, which == MATMUL_STACK);
    case ADD:
        inputs[0] = tensor_input(b, dtype, 4, maps);
        inputs[1] = tensor_input(b, dtype, 4, maps);
        return builder_node(b, "Add", 13, inputs, 2, NULL, 0);
    default:
        inputs[0] = tensor_input(b, dtype, 4, maps);
        for (int i = 1; i < 5; i++) {
            inputs[i] = builder_constant_of(b, dtype, 1, &one, 0.5F, 1);
        }
        return builder_node(b, "BatchNormalization", 13, inputs, 5, NULL, 0);
    }
}

static double tolerance_of(vt_dtype dtype)
{
    return dtype == VT_F16 ? 4e-3 : 2e-5;
}

static void finish(builder *b, vt_value_id y, vt_dtype dtype)
{
    static unsigned finished;
    builder_output(b, y);
    if (finished++ % SCRATCH_STRIDE == 0) {
        builder_compare_with(b, false, 1, compare_tensors, tolerance_of(dtype));
    }
    builder_deinit(b);
}

/* ---- functions ---- */

static const vt_step_post functions[] = {
    {VT_POST_LINEAR, 1.5F, -0.25F, 0},
    {VT_POST_CLIP, -0.5F, 0.75F, 0},
    {VT_POST_RELU, 0, 0, 0},
    {VT_POST_LEAKY_RELU, 0.125F, 0, 0},
    {VT_POST_ELU, 1.5F, 0, 0},
    {VT_POST_SIGMOID, 0, 0, 0},
    {VT_POST_TANH, 0, 0, 0},
    {VT_POST_GELU, 0, 0, 0},
    {VT_POST_GELU_TANH, 0, 0, 0},
    {VT_POST_SWISH, 1, 0, 0},
    {VT_POST_SWISH, 1.75F, 0, 0},
    {VT_POST_HARD_SIGMOID, 0.25F, 0.5F, 0},
    {VT_POST_HARD_SWISH, 0, 0, 0},
    {VT_POST_MISH, 0, 0, 0},
    {VT_POST_RELU, 0.5F, 0.5F, 0}, /* whose parameters mean nothing */
    {VT_POST_CLIP, -INFINITY, INFINITY, 0},
};
enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

static void test_each_function(void **state)
{
    (void)state;
    for (int which = 0; which < PRODUCERS; which++) {
        for (int i = 0; i < FUNCTIONS; i++) {
            builder b;
            vt_shape shape;
            vt_dtype dtype = i % 4 == 3 ? VT_F16 : VT_F32;
            builder_init(&b, (uint64_t)(which * 100 + i));
            vt_value_id y = producer(&b, which, dtype, &shape);
            builder_post(&b, y, &functions[i]);
            finish(&b, y, dtype);
        }
    }
}

static void test_functions_in_a_row(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        builder b;
        vt_shape shape;
        builder_init(&b, seed);
        vt_value_id y = producer(&b, (int)(seed % PRODUCERS), VT_F32, &shape);
        uint64_t count = 2 + vt_random_below(&b.random, 3);
        for (uint64_t i = 0; i < count; i++) {
            builder_post(&b, y, &functions[vt_random_below(&b.random, FUNCTIONS)]);
        }
        finish(&b, y, VT_F32);
    }
}

/* Two of a kind with different parameters, or with a third in between. */
static void test_functions_of_one_kind(void **state)
{
    (void)state;
    static const vt_step_post pairs[][3] = {
        {{VT_POST_LINEAR, 0.25F, 0.5F, 0},
         {VT_POST_LINEAR, 1.5F, -0.25F, 0},
         {VT_POST_RELU, 0, 0, 0}},
        {{VT_POST_LINEAR, 2, 0, 0}, {VT_POST_TANH, 0, 0, 0}, {VT_POST_LINEAR, 1, -0.25F, 0}},
        {{VT_POST_LINEAR, 2, 0.5F, 0},
         {VT_POST_HARD_SIGMOID, 0.25F, 0.5F, 0},
         {VT_POST_CLIP, 0.25F, 0.75F, 0}},
        {{VT_POST_CLIP, -0.5F, 0.5F, 0},
         {VT_POST_CLIP, -0.25F, 0.125F, 0},
         {VT_POST_CLIP, 0, INFINITY, 0}},
        {{VT_POST_ELU, 0.5F, 0, 0}, {VT_POST_ELU, 1.5F, 0, 0}, {VT_POST_LINEAR, 1, 0, 0}},
        {{VT_POST_LEAKY_RELU, 0.5F, 0, 0},
         {VT_POST_LEAKY_RELU, 0.125F, 0, 0},
         {VT_POST_RELU, 0, 0, 0}},
        {{VT_POST_SWISH, 0.5F, 0, 0}, {VT_POST_SWISH, 2.125F, 0, 0}, {VT_POST_SWISH, 0.5F, 0, 0}},
        {{VT_POST_LEAKY_RELU, 0.5F, 0, 0}, {VT_POST_RELU, 0, 0, 0}, {VT_POST_LINEAR, -1, 0, 0}},
        {{VT_POST_RELU, 0, 0, 0}, {VT_POST_LINEAR, -1, 0, 0}, {VT_POST_LEAKY_RELU, 0.5F, 0, 0}},
    };
    for (int which = 0; which < PRODUCERS; which++) {
        for (size_t p = 0; p < sizeof pairs / sizeof pairs[0]; p++) {
            builder b;
            vt_shape shape;
            builder_init(&b, p);
            vt_value_id y = producer(&b, which, VT_F32, &shape);
            for (int i = 0; i < 3; i++) {
                builder_post(&b, y, &pairs[p][i]);
            }
            finish(&b, y, VT_F32);
        }
    }
}

/* ---- operands ---- */

enum { OF_CONSTANT, OF_INPUT, OF_CONVOLUTION, OF_VIEW, SOURCES };

/* A value of this shape from a constant, an input, behind a convolution (blocks of channels), or a
 * transposed view. */
static vt_value_id operand(builder *b, int source, vt_dtype dtype, const vt_shape *shape)
{
    if (source == OF_CONVOLUTION && shape->rank == 4) {
        const int64_t from[4] = {shape->dims[0], 5, shape->dims[2], shape->dims[3]};
        const int64_t weights[4] = {shape->dims[1], 5, 1, 1};
        const vt_value_id inputs[] = {builder_input(b, dtype, 4, from),
                                      builder_constant_of(b, dtype, 4, weights, -1, 1)};
        return builder_node(b, "Conv", 13, inputs, 2, NULL, 0);
    }
    if (source == OF_VIEW && shape->rank >= 2) {
        int64_t dims[VT_MAX_RANK], perm[VT_MAX_RANK];
        for (int i = 0; i < shape->rank; i++) {
            dims[i] = shape->dims[shape->rank - 1 - i];
            perm[i] = shape->rank - 1 - i;
        }
        vt_value_id x = builder_unary(b, "Relu", builder_input(b, dtype, shape->rank, dims));
        const vt_attr attr = attr_ints("perm", shape->rank, perm);
        return builder_node(b, "Transpose", 13, &x, 1, &attr, 1);
    }
    return source == OF_CONSTANT
               ? builder_constant_of(b, dtype, shape->rank, shape->dims, -1, 1)
               : builder_unary(b, "Abs", builder_input(b, dtype, shape->rank, shape->dims));
}

/* Every way in which a shape broadcasts to another of this rank: bit i of `mask` keeps axis i, and
 * the last `rank` axes are named. */
static bool broadcast_shape(const vt_shape *shape, unsigned mask, int rank, vt_shape *out)
{
    *out = (vt_shape){.rank = rank};
    for (int i = 0; i < shape->rank; i++) {
        int at = i - (shape->rank - rank);
        if (at >= 0) {
            out->dims[at] = mask >> i & 1U ? shape->dims[i] : 1;
        } else if (mask >> i & 1U) {
            return false;
        }
    }
    return true;
}

/* Operands come before the step that reads them. */
static void test_each_operand(void **state)
{
    (void)state;
    uint64_t seed = 0;
    for (int which = 0; which < PRODUCERS; which++) {
        builder probe;
        vt_shape shape, small;
        builder_init(&probe, 0);
        producer(&probe, which, VT_F32, &shape);
        builder_deinit(&probe);
        for (int rank = 0; rank <= shape.rank; rank++) {
            for (unsigned mask = 0; mask < 1U << shape.rank; mask++, seed++) {
                builder b;
                if (!broadcast_shape(&shape, mask, rank, &small)) {
                    continue;
                }
                vt_dtype dtype = seed % 5 == 4 ? VT_F16 : VT_F32;
                builder_init(&b, seed);
                vt_step_post post = {.kind = seed % 2 == 0 ? VT_POST_ADD : VT_POST_MUL};
                post.operand = operand(&b, (int)(seed % SOURCES), dtype, &small);
                vt_value_id y = producer(&b, which, dtype, &shape);
                builder_post(&b, y, &post);
                finish(&b, y, dtype);
            }
        }
    }
}

/* A residual of the result's shape in every arrangement, with what usually stands around it. */
static void test_residuals(void **state)
{
    (void)state;
    for (int which = 0; which < PRODUCERS; which++) {
        for (int source = 0; source < SOURCES; source++) {
            for (int form = 0; form < 4; form++) {
                builder b, probe;
                vt_shape shape;
                const vt_step_post relu = {.kind = VT_POST_RELU};
                const vt_step_post gelu = {.kind = VT_POST_GELU};
                vt_step_post add = {.kind = VT_POST_ADD}, gate = {.kind = VT_POST_MUL};
                builder_init(&probe, 0);
                producer(&probe, which, VT_F32, &shape);
                builder_deinit(&probe);
                builder_init(&b, (uint64_t)(which * 100 + source * 10 + form));
                add.operand = operand(&b, source, VT_F32, &shape);
                vt_shape channels = shape;
                for (int i = 2; i < shape.rank; i++) {
                    channels.dims[i] = 1;
                }
                gate.operand = operand(&b, OF_INPUT, VT_F32, &channels);
                vt_value_id y = producer(&b, which, VT_F32, &shape);
                if (form == 1) {
                    builder_post(&b, y, &gelu);
                }
                if (form >= 2) {
                    builder_post(&b, y, &gate);
                }
                builder_post(&b, y, &add);
                builder_post(&b, y, form == 3 ? &add : &relu);
                builder_output(&b, add.operand); /* the residual itself stays as it was */
                finish(&b, y, VT_F32);
            }
        }
    }
}

/* Where a primitive takes the operand, no plain code runs. */
static void test_usual_operands_are_fused(void **state)
{
    (void)state;
    static const struct {
        int which;
        vt_shape operand;
    } cases[] = {
        {CONV, {3, {8, 1, 1}}},    {CONV, {4, {2, 8, 1, 1}}},
        {CONV, {4, {2, 8, 5, 4}}}, {MATMUL2, {1, {6}}},
        {MATMUL3, {1, {6}}},       {MATMUL4, {1, {6}}},
        {MATMUL3, {3, {2, 3, 6}}}, {GEMM, {1, {6}}},
        {GEMM, {2, {3, 6}}},       {CONV_TRANSPOSE, {3, {8, 1, 1}}},
        {ADD, {3, {8, 1, 1}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        builder b;
        vt_shape shape;
        builder_init(&b, i);
        vt_step_post post = {.kind = VT_POST_ADD};
        post.operand = operand(&b, OF_INPUT, VT_F32, &cases[i].operand);
        vt_value_id y = producer(&b, cases[i].which, VT_F32, &shape);
        builder_post(&b, y, &post);
        builder_output(&b, y);
        vt_runner *runner = builder_onednn(&b, false, 1);
        const vt_dnnl *dnnl = (const vt_dnnl *)runner;
        for (size_t a = 0; a < dnnl->action_count; a++) {
            if (dnnl->actions[a].name && strstr(dnnl->actions[a].name, "reference")) {
                fail_msg("case %zu: %s", i, dnnl->actions[a].name);
            }
        }
        runner->free(runner);
        builder_compare(&b, false, 1e-5);
        builder_deinit(&b);
    }
}

/* What no primitive says after the rows of all batches became one matrix. */
static void test_operands_apart(void **state)
{
    (void)state;
    static const vt_shape shapes[] = {{2, {3, 6}}, {3, {2, 1, 6}}, {2, {3, 1}}, {3, {1, 3, 6}}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int then = 0; then < 2; then++) {
            builder b;
            vt_shape shape;
            builder_init(&b, i);
            const vt_step_post relu = {.kind = VT_POST_RELU};
            vt_step_post post = {.kind = VT_POST_ADD};
            post.operand = operand(&b, OF_INPUT, VT_F32, &shapes[i]);
            vt_value_id y = producer(&b, MATMUL3, VT_F32, &shape);
            if (then) {
                builder_post(&b, y, &relu);
            }
            builder_post(&b, y, &post);
            builder_output(&b, builder_unary(&b, "Neg", y)); /* reads what came after the posts */
            builder_output(&b, y);
            builder_compare(&b, false, 1e-5);
            builder_deinit(&b);
        }
    }
}

/* ---- residuals in the memory of the result ---- */

enum {
    READ_ONCE,
    READ_LATER,
    READ_BY_BOTH,    /* the step's own input too */
    READ_TWICE,      /* a gate as well */
    VIEW_OF_ANOTHER, /* which is read later */
    VIEWED_BEFORE,   /* and the view is read later */
    AN_OUTPUT,
    A_NETWORK_INPUT,
    A_CONSTANT,
    SITUATIONS
};
enum { SQUARES = MATMUL_STACK + 1 };

/* The shape that this producer takes and gives. Many channels: sums are made in several rounds. */
static vt_shape square_shape(int which, int64_t width)
{
    switch (which) {
    case CONV:
    case CONV_TRANSPOSE:
        return (vt_shape){4, {2, width, 5, 4}};
    case GEMM:
    case GEMM_C:
    case MATMUL2:
        return (vt_shape){2, {7, width}};
    case MATMUL3:
        return (vt_shape){3, {2, 7, width}};
    default:
        return (vt_shape){4, {2, 3, 5, width}};
    }
}

static vt_value_id square(builder *b, int which, vt_value_id x, int64_t width)
{
    const int64_t kernel[] = {width, width, 3, 3}, stack[] = {2, 3, width, width};
    const vt_attr pads = attr_ints("pads", 4, (const int64_t[]){1, 1, 1, 1});
    bool conv = which == CONV || which == CONV_TRANSPOSE;
    float bound = 1 / sqrtf((float)width);
    vt_value_id inputs[3] = {x};
    inputs[1] = builder_constant(b, conv || which == MATMUL_STACK ? 4 : 2,
                                 which == MATMUL_STACK ? stack : kernel, -bound, bound);
    inputs[2] = builder_constant(b, 1, &width, -1, 1);
    return builder_node(b,
                        conv              ? which == CONV ? "Conv" : "ConvTranspose"
                        : which <= GEMM_C ? "Gemm"
                                          : "MatMul",
                        13, inputs, which == GEMM_C ? 3 : 2, &pads, conv ? 1 : 0);
}

/* The same value seen in other dimensions and back, so that it is a view. */
static vt_value_id viewed(builder *b, vt_value_id x, const vt_shape *shape)
{
    vt_value_id flat = builder_binary(b, "Reshape", x, builder_ints(b, 1, (const int64_t[]){-1}));
    return builder_binary(b, "Reshape", flat, builder_ints(b, shape->rank, shape->dims));
}

static void residual_graph(builder *b, int which, int situation, int64_t width)
{
    const vt_shape shape = square_shape(which, width);
    vt_value_id x = builder_input(b, VT_F32, shape.rank, shape.dims), source = x, r, view = x;
    r = situation == A_NETWORK_INPUT ? builder_input(b, VT_F32, shape.rank, shape.dims)
        : situation == A_CONSTANT    ? builder_constant(b, shape.rank, shape.dims, -1, 1)
                                     : square(b, which, x, width);
    if (situation == VIEW_OF_ANOTHER) {
        view = r;
        r = viewed(b, r, &shape);
    } else if (situation == VIEWED_BEFORE) {
        view = viewed(b, r, &shape);
    } else if (situation == READ_BY_BOTH) {
        source = r;
    }
    vt_value_id y = builder_binary(b, "Add", square(b, which, source, width), r);
    if (situation == READ_TWICE) {
        y = builder_binary(b, "Mul", y, r);
    }
    y = square(b, which, builder_unary(b, "Relu", y), width);
    if (situation == READ_LATER || situation == A_NETWORK_INPUT || situation == A_CONSTANT) {
        y = builder_binary(b, "Sub", y, r);
    } else if (situation == VIEW_OF_ANOTHER || situation == VIEWED_BEFORE) {
        y = builder_binary(b, "Sub", y, view);
    } else if (situation == AN_OUTPUT) {
        builder_output(b, r);
    }
    builder_output(b, y);
}

static void compare_directions(const vt_tensor *have, const vt_tensor *want, double bound)
{
    compare_cosine(have, want, bound);
}

static void test_residuals_in_place(void **state)
{
    (void)state;
    for (int which = 0; which < SQUARES; which++) {
        for (int situation = 0; situation < SITUATIONS; situation++) {
            for (int64_t width = 16; width <= 272; width += 256 * SCRATCH_STRIDE) {
                builder b;
                builder_init(&b, (uint64_t)(which * 10 + situation));
                residual_graph(&b, which, situation, width);
                builder_compare_with(&b, true, 1, compare_tensors, 2e-5);
                builder_compare_with(&b, true, 2, compare_tensors, 2e-5);
                b.precision = VT_PRECISION_BF16;
                builder_compare_with(&b, true, 1, compare_directions, 0.999);
                builder_deinit(&b);
            }
        }
    }
}

/* Conversions and copies: what belongs to no step. */
static size_t count_copies(vt_runner *runner)
{
    const vt_dnnl *dnnl = (const vt_dnnl *)runner;
    size_t count = 0;
    for (size_t a = 0; a < dnnl->action_count; a++) {
        count += dnnl->actions[a].step == NULL;
    }
    return count;
}

/* A copy is made where the residual is read afterwards, and only there. */
static void test_residuals_are_not_copied(void **state)
{
    (void)state;
    size_t copies[SITUATIONS];
    for (int situation = 0; situation < SITUATIONS; situation++) {
        builder b;
        builder_init(&b, 1);
        residual_graph(&b, MATMUL3, situation, 16);
        vt_runner *runner = builder_onednn(&b, true, 1);
        copies[situation] = count_copies(runner);
        runner->free(runner);
        builder_deinit(&b);
    }
    assert_int_equal(copies[READ_LATER], copies[READ_ONCE] + 1);
    assert_int_equal(copies[READ_BY_BOTH], copies[READ_ONCE] + 1);
    assert_int_equal(copies[READ_TWICE], copies[READ_ONCE] + 1);
    assert_int_equal(copies[AN_OUTPUT], copies[READ_ONCE] + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_function),
        cmocka_unit_test(test_functions_in_a_row),
        cmocka_unit_test(test_functions_of_one_kind),
        cmocka_unit_test(test_each_operand),
        cmocka_unit_test(test_residuals),
        cmocka_unit_test(test_usual_operands_are_fused),
        cmocka_unit_test(test_operands_apart),
        cmocka_unit_test(test_residuals_in_place),
        cmocka_unit_test(test_residuals_are_not_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
