/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The internal operator: which programs it takes, that models cannot name it, and that it computes
 * what a program says.
 */
#include "nn/models.h"
#include "nn/operators.h"

#include "nn/elementwise.h"

enum { FIELDS = 64 * VT_ELEMENTWISE_FIELDS };

typedef struct attempt {
    int64_t code[FIELDS];
    size_t code_count;
    float constants[64];
    size_t constant_count, input_count;
    int64_t type;
    vt_dtype dtypes[10];
} attempt;

/* x, y -> (x + 2) y of f32 */
static attempt sound(void)
{
    return (attempt){.code = {VT_ELEMENTWISE_ADD, 3, 0, 2, -1, VT_ELEMENTWISE_MUL, 4, 3, 1, -1},
                     .code_count = 10,
                     .constants = {2},
                     .constant_count = 1,
                     .input_count = 2,
                     .type = VT_F32,
                     .dtypes = {VT_F32, VT_F32}};
}

static vt_status run(const attempt *a, vt_tensor *output, vt_error *error)
{
    static float x[6] = {1, 2, 3, 4, 5, 6}, y[2] = {10, 100};
    vt_graph graph;
    vt_value_id ids[11] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    vt_attr attrs[] = {
        {.name = "code", .kind = VT_ATTR_INTS, .ints = a->code, .count = a->code_count},
        {.name = "constants",
         .kind = VT_ATTR_FLOATS,
         .floats = a->constants,
         .count = a->constant_count},
        ATTR_INT("type", a->type)};
    vt_tensor inputs[10] = {{.shape = {2, {3, 2}}, .data = x}, {.shape = {1, {2}}, .data = y}};
    vt_node node = {.op = vt_op_find(VT_ELEMENTWISE_DOMAIN, VT_ELEMENTWISE_NAME, 1),
                    .name = "tested",
                    .inputs = ids,
                    .outputs = ids + 10,
                    .input_count = a->input_count,
                    .output_count = 1,
                    .attrs = attrs,
                    .attr_count = 3};
    vt_op_args args = {.graph = &graph, .node = &node, .inputs = inputs, .outputs = output};
    for (size_t i = 0; i < 10; i++)
        inputs[i].dtype = a->dtypes[i];
    vt_graph_init(&graph, NULL);
    vt_status status = vt_op_infer(&args, error);
    if (status == VT_OK)
        status = vt_tensor_init(output, output->dtype, &output->shape, 0, error);
    if (status == VT_OK)
        status = vt_op_run_reference(&args, error);
    vt_graph_deinit(&graph);
    return status;
}

static void refused(const attempt *a, const char *reason)
{
    vt_tensor output = {0};
    vt_error error = {0};
    vt_status status = run(a, &output, &error);
    vt_tensor_deinit(&output);
    if (strstr(error.message, reason) == NULL)
        print_message("\"%s\", not \"%s\"\n", error.message, reason);
    assert_int_equal(status, VT_ERR_FORMAT);
    assert_non_null(strstr(error.message, reason));
}

static void test_sound(void **state)
{
    (void)state;
    attempt a = sound();
    vt_tensor output = {0};
    assert_int_equal(run(&a, &output, NULL), VT_OK);
    assert_shape(&output, 2, (const int64_t[]){3, 2});
    assert_numbers(&output, 6, (const double[]){30, 400, 50, 600, 70, 800});
    vt_tensor_deinit(&output);
}

/* Where x - floor(x / y) * y would be NaN. */
static void test_remainders_are_those_of_mod(void **state)
{
    (void)state;
    attempt a = sound();
    vt_tensor output = {0};
    a.constants[0] = INFINITY;
    a.code[0] = VT_ELEMENTWISE_MOD;
    a.code_count = VT_ELEMENTWISE_FIELDS;
    assert_int_equal(run(&a, &output, NULL), VT_OK);
    assert_numbers(&output, 6, (const double[]){1, 2, 3, 4, 5, 6});
    vt_tensor_deinit(&output);
}

static void test_bad_programs(void **state)
{
    (void)state;
    static const struct {
        size_t field;
        int64_t value;
        const char *reason;
    } changes[] = {
        {0, -1, "code -1 is not known"},
        {0, VT_ELEMENTWISE_CODE_COUNT, "is not known"},
        {0, INT64_MAX, "is not known"},
        {0, (int64_t)1 << 32, "is not known"},
        {1, 2, "register 2 cannot be written"}, /* the constant */
        {1, 0, "cannot be written"},            /* an operand */
        {1, -1, "cannot be written"},
        {1, VT_ELEMENTWISE_REGISTERS, "cannot be written"},
        {1, (int64_t)1 << 40, "cannot be written"},
        {2, 4, "register 4 cannot be read"}, /* not written yet */
        {2, 3, "cannot be read"},            /* what it writes itself */
        {2, -1, "cannot be read"},           /* too few */
        {2, VT_ELEMENTWISE_REGISTERS, "cannot be read"},
        {2, INT64_MIN, "cannot be read"},
        {4, 0, "cannot be read"}, /* too many */
        {6, 3, "cannot be read"}, /* the second instruction writes what it reads */
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        attempt a = sound();
        a.code[changes[i].field] = changes[i].value;
        refused(&a, changes[i].reason);
    }
}

static void test_bad_sizes(void **state)
{
    (void)state;
    attempt a = sound();
    a.code_count = 0;
    refused(&a, "holds no program");
    a.code_count = 9;
    refused(&a, "holds no program");
    a = sound();
    for (size_t i = 10; i < FIELDS; i++)
        a.code[i] = a.code[i - 10];
    a.code_count = (VT_ELEMENTWISE_INSTRUCTIONS + 1) * VT_ELEMENTWISE_FIELDS;
    refused(&a, "holds no program");
    a = sound();
    a.constant_count = VT_ELEMENTWISE_REGISTERS - 1;
    refused(&a, "2 operands and 47 constants");
    a = sound();
    a.input_count = 0;
    refused(&a, "0 operands");
    a.input_count = VT_ELEMENTWISE_INPUTS + 1;
    refused(&a, "9 operands");
}

static void test_bad_types(void **state)
{
    (void)state;
    static const int64_t types[] = {VT_I32, VT_STRING, 14, 0, -1, INT64_MAX, VT_F16};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        attempt a = sound();
        a.type = types[i];
        refused(&a, types[i] == VT_F16 ? "input 0 has type f32" : "type");
    }
    attempt a = sound();
    a.dtypes[1] = VT_F64;
    refused(&a, "input 1 has type f64");
    a.dtypes[0] = a.dtypes[1] = VT_I32;
    a.type = VT_BOOL;
    refused(&a, "input 0 has type i32");
}

static void test_models_cannot_name_it(void **state)
{
    (void)state;
    maker m;
    maker_init(&m, 13);
    maker_opset(&m, VT_ELEMENTWISE_DOMAIN, 1);
    maker_input(&m, "x", VT_F32, 1, (const int64_t[]){3});
    Onnx__NodeProto *node = maker_node(&m, VT_ELEMENTWISE_NAME, "x", "y");
    node->domain = maker_text(&m, VT_ELEMENTWISE_DOMAIN);
    maker_ints(&m, node, "code", 5, (const int64_t[]){VT_ELEMENTWISE_NEG, 1, 0, -1, -1});
    maker_int(&m, node, "type", VT_F32);
    maker_output(&m, "y");
    maker_refused(&m, VT_ERR_UNSUPPORTED, "is not supported");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),        cmocka_unit_test(test_remainders_are_those_of_mod),
        cmocka_unit_test(test_bad_programs), cmocka_unit_test(test_bad_sizes),
        cmocka_unit_test(test_bad_types),    cmocka_unit_test(test_models_cannot_name_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
