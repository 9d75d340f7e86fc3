/* SPDX-License-Identifier: Apache-2.0 */
#include "support/onnx_builder.h"
#include "support/scratch.h"

#include "nn/model.h"
#include "nn/onnx_file.h"

/* ---- functions, byte by byte ---- */

static void pb_list(vt_buf *out, unsigned field, const char *names)
{
    for (const char *at = names; *at != '\0';) {
        size_t length = strcspn(at, ",");
        pb_bytes(out, field, at, length);
        at += length + (at[length] == ',');
    }
}

static vt_buf message(void)
{
    vt_buf buf;
    vt_buf_init(&buf, PB_MAXIMUM);
    return buf;
}

typedef struct function_builder {
    vt_buf bytes; /* FunctionProto so far, without the newest node */
    vt_buf node;
} function_builder;

static void function_flush(function_builder *f)
{
    if (f->node.length > 0)
        pb_message(&f->bytes, 7, &f->node);
    f->node = message();
}

/* In domain "local", with ai.onnx 13 and local 1. */
static function_builder function_begin(const char *name, const char *inputs, const char *outputs)
{
    function_builder f = {message(), message()};
    static const char *const domains[] = {"", "local"};
    static const int64_t versions[] = {13, 1};
    pb_text(&f.bytes, 1, name);
    pb_list(&f.bytes, 4, inputs);
    pb_list(&f.bytes, 5, outputs);
    for (int i = 0; i < 2; i++) {
        vt_buf set = message();
        pb_text(&set, 1, domains[i]);
        pb_int(&set, 2, versions[i]);
        pb_message(&f.bytes, 9, &set);
    }
    pb_text(&f.bytes, 10, "local");
    return f;
}

static void function_node(function_builder *f, const char *domain, const char *op,
                          const char *inputs, const char *outputs)
{
    function_flush(f);
    pb_list(&f->node, 1, inputs);
    pb_list(&f->node, 2, outputs);
    pb_text(&f->node, 4, op);
    pb_text(&f->node, 7, domain);
}

/* Attribute `name` of the newest node takes the call's `reference`; types are 1 float, 7 ints. */
static void function_reference(function_builder *f, const char *name, const char *reference,
                               int type)
{
    vt_buf attribute = message();
    pb_text(&attribute, 1, name);
    pb_int(&attribute, 20, type);
    pb_text(&attribute, 21, reference);
    pb_message(&f->node, 5, &attribute);
}

static vt_buf attribute_float(const char *name, float value)
{
    vt_buf attribute = message();
    pb_text(&attribute, 1, name);
    pb_float(&attribute, 2, value);
    pb_int(&attribute, 20, 1);
    return attribute;
}

static void function_end(onnx_builder *b, function_builder *f)
{
    function_flush(f);
    vt_buf_deinit(&f->node);
    pb_message(&b->tail, 25, &f->bytes);
}

static void call(onnx_builder *b, const char *function, const char *inputs, const char *outputs)
{
    onnx_node(b, function, inputs, outputs);
    pb_text(&b->node, 7, "local");
}

/* ---- models ---- */

static void begin(onnx_builder *b)
{
    onnx_begin(b);
    vt_buf set = message();
    pb_text(&set, 1, "local");
    pb_int(&set, 2, 1);
    pb_message(&b->tail, 8, &set);
    onnx_input(b, "x", VT_F32, 1, (int64_t[]){2});
}

static vt_status parse(onnx_builder *b, const vt_model_limits *limits, vt_model **out,
                       vt_error *error)
{
    vt_buf file = onnx_finish(b);
    vt_status status = vt_model_parse(file.data, file.length, limits, out, error);
    vt_buf_deinit(&file);
    return status;
}

static void refused(onnx_builder *b, vt_status want, const char *words)
{
    vt_error error;
    vt_model *model = NULL;
    onnx_output(b, "y", VT_F32, 1, (int64_t[]){2});
    vt_status status = parse(b, NULL, &model, &error);
    vt_model_free(model);
    if (status != want || strstr(error.message, words) == NULL)
        print_message("%d: %s\n", (int)status, status == VT_OK ? "ok" : error.message);
    assert_int_equal(status, want);
    assert_non_null(strstr(error.message, words));
}

/* The model, with y as its output. */
static vt_model *parsed(onnx_builder *b)
{
    vt_error error;
    vt_model *model = NULL;
    onnx_output(b, "y", VT_F32, 1, (int64_t[]){2});
    if (parse(b, NULL, &model, &error) != VT_OK)
        fail_msg("%s", error.message);
    return model;
}

/* y for x = {1, -2}; frees the model. */
static void gives(vt_model *model, float first, float second)
{
    vt_error error;
    vt_session *session;
    vt_session_options options = vt_session_options_defaults();
    options.executor = VT_EXECUTOR_REFERENCE;
    float numbers[] = {1, -2};
    vt_tensor input = {.dtype = VT_F32, .shape = vt_shape_of(1, (int64_t[]){2}), .data = numbers};
    vt_tensor output;
    assert_int_equal(vt_session_new(model, &options, &session, &error), VT_OK);
    vt_status status = vt_session_run(session, &input, 1, &output, &error);
    if (status != VT_OK)
        fail_msg("%s", error.message);
    assert_float_equal(vt_tensor_get(&output, 0), first, 1e-6);
    assert_float_equal(vt_tensor_get(&output, 1), second, 1e-6);
    vt_session_free(session);
    vt_model_free(model);
}

/* Leaky(a): LeakyRelu with alpha by the reference "slope"; `fallback` is its default. */
static void add_leaky(onnx_builder *b, const float *fallback)
{
    function_builder f = function_begin("Leaky", "a", "r");
    if (fallback == NULL)
        pb_text(&f.bytes, 6, "slope");
    function_node(&f, "", "LeakyRelu", "a", "r");
    function_reference(&f, "alpha", "slope", 1);
    if (fallback != NULL) {
        vt_buf attribute = attribute_float("slope", *fallback);
        pb_message(&f.bytes, 11, &attribute);
    }
    function_end(b, &f);
}

static void attributes_come_from_the_call(void **state)
{
    (void)state;
    onnx_builder b;
    begin(&b);
    add_leaky(&b, NULL);
    call(&b, "Leaky", "x", "y");
    vt_buf attribute = attribute_float("slope", 0.25F);
    pb_message(&b.node, 5, &attribute);
    vt_model *model = parsed(&b);
    assert_int_equal(model->graph.node_count, 1);
    gives(model, 1, -0.5F);
}

static void else_from_the_default_else_from_nowhere(void **state)
{
    (void)state;
    onnx_builder b;
    begin(&b);
    add_leaky(&b, &(float){0.75F});
    call(&b, "Leaky", "x", "y");
    gives(parsed(&b), 1, -1.5F);
    begin(&b);
    add_leaky(&b, &(float){0.75F});
    call(&b, "Leaky", "x", "y");
    vt_buf attribute = attribute_float("slope", 0.5F);
    pb_message(&b.node, 5, &attribute);
    gives(parsed(&b), 1, -1);
    begin(&b); /* LeakyRelu's own default is 0.01 */
    add_leaky(&b, NULL);
    call(&b, "Leaky", "x", "y");
    gives(parsed(&b), 1, -0.02F);
}

static void calls_nest_and_names_do_not_meet(void **state)
{
    (void)state;
    onnx_builder b;
    begin(&b);
    function_builder f = function_begin("Inner", "a,b", "r");
    function_node(&f, "", "Add", "a,b", "t");
    function_node(&f, "", "Add", "t,t", "r");
    function_end(&b, &f);
    f = function_begin("Outer", "a", "t");
    function_node(&f, "local", "Inner", "a,a", "r"); /* 4a */
    function_node(&f, "local", "Inner", "r,a", "t"); /* 10a */
    function_end(&b, &f);
    call(&b, "Outer", "x", "h");
    pb_text(&b.node, 3, "first");
    call(&b, "Outer", "h", "y");
    /* The names that would be given are taken, by a later node. */
    onnx_node(&b, "Relu", "y", "first/Inner/t");
    onnx_node(&b, "Relu", "y", "first/r");
    vt_model *model = parsed(&b);
    assert_int_equal(model->graph.node_count, 10);
    assert_true(vt_model_has_value(model, "Outer/Inner/t"));
    gives(model, 100, -200);
}

static void operands_can_be_left_out(void **state)
{
    (void)state;
    onnx_builder b;
    begin(&b);
    function_builder f = function_begin("Limit", "a,low,high", "r,unasked");
    function_node(&f, "", "Clip", "a,low,high", "r");
    function_node(&f, "", "Neg", "a", "unasked");
    function_end(&b, &f);
    onnx_weight(&b, "high", 0, NULL, &(float){0.5F});
    call(&b, "Limit", "x,,high", "h");
    call(&b, "Limit", "h", "y");
    vt_model *model = parsed(&b);
    assert_int_equal(model->graph.nodes[0].input_count, 3);
    assert_int_equal(model->graph.nodes[0].inputs[1], VT_NO_VALUE);
    gives(model, 0.5F, -2);
}

static void inputs_can_be_handed_through(void **state)
{
    (void)state;
    onnx_builder b;
    begin(&b);
    function_builder f = function_begin("Both", "a", "a,r,r");
    function_node(&f, "", "Neg", "a", "r");
    function_end(&b, &f);
    call(&b, "Both", "x", "same,negative,again");
    onnx_node(&b, "Sub", "same,negative", "d"); /* 2x */
    onnx_node(&b, "Add", "d,again", "y");       /* x */
    gives(parsed(&b), 1, -2);
    begin(&b);
    f = function_begin("Both", "a,b", "b");
    function_end(&b, &f);
    call(&b, "Both", "x", "y");
    refused(&b, VT_ERR_FORMAT, "is a left-out input");
}

static void tensors_of_bodies_are_shared(void **state)
{
    (void)state;
    onnx_builder b;
    begin(&b);
    function_builder f = function_begin("Plus", "a", "r");
    function_node(&f, "", "Constant", "", "k");
    vt_buf tensor = message(), attribute = message();
    float numbers[80];
    for (int i = 0; i < 80; i++)
        numbers[i] = 10;
    pb_int(&tensor, 1, 40);
    pb_int(&tensor, 1, 2);
    pb_int(&tensor, 2, VT_F32);
    pb_bytes(&tensor, 9, numbers, sizeof numbers);
    pb_text(&attribute, 1, "value");
    pb_message(&attribute, 5, &tensor);
    pb_int(&attribute, 20, 4);
    pb_message(&f.node, 5, &attribute);
    function_node(&f, "", "Add", "a,k", "s");
    function_node(&f, "", "ReduceMax", "s", "r");
    vt_buf axes = message();
    pb_text(&axes, 1, "axes");
    pb_int(&axes, 8, 0);
    pb_int(&axes, 20, 7);
    pb_message(&f.node, 5, &axes);
    axes = message();
    pb_text(&axes, 1, "keepdims");
    pb_int(&axes, 3, 0);
    pb_int(&axes, 20, 2);
    pb_message(&f.node, 5, &axes);
    function_end(&b, &f);
    call(&b, "Plus", "x", "h");
    call(&b, "Plus", "h", "y");
    vt_model *model = parsed(&b);
    assert_int_equal(model->graph.tensor_count, 1);
    gives(model, 21, 18);
}

static void overloads_are_told_apart(void **state)
{
    (void)state;
    onnx_builder b;
    begin(&b);
    static const char *const overloads[] = {"", "twice"};
    for (int i = 0; i < 2; i++) {
        function_builder f = function_begin("Grow", "a", "r");
        pb_text(&f.bytes, 13, overloads[i]);
        function_node(&f, "", "Add", i == 0 ? "a,a" : "t,t", "r");
        if (i == 1)
            function_node(&f, "", "Add", "a,a", "t");
        function_end(&b, &f);
    }
    call(&b, "Grow", "x", "h");
    call(&b, "Grow", "h", "y");
    pb_text(&b.node, 8, "twice");
    gives(parsed(&b), 8, -16);
    begin(&b);
    for (int i = 0; i < 2; i++) {
        function_builder f = function_begin("Grow", "a", "r");
        function_end(&b, &f);
    }
    call(&b, "Grow", "x", "y");
    refused(&b, VT_ERR_FORMAT, "\"Grow\" is there twice");
}

static void a_body_has_operator_sets_of_its_own(void **state)
{
    (void)state;
    onnx_builder b;
    begin(&b);
    b.opset = 10; /* Clip's bounds are attributes there, inputs in the body */
    function_builder f = function_begin("Limit", "a,high", "r");
    function_node(&f, "", "Clip", "a,,high", "r");
    function_end(&b, &f);
    onnx_weight(&b, "high", 0, NULL, &(float){0.5F});
    call(&b, "Limit", "x,high", "y");
    gives(parsed(&b), 0.5F, -2);
    begin(&b);
    f = function_begin("Limit", "a", "r");
    function_node(&f, "elsewhere", "Clip", "a", "r");
    function_end(&b, &f);
    call(&b, "Limit", "x", "y");
    refused(&b, VT_ERR_FORMAT, "domain \"elsewhere\" is not imported");
}

static void faults_are_named(void **state)
{
    (void)state;
    onnx_builder b;
    begin(&b);
    add_leaky(&b, NULL);
    call(&b, "Leaky", "x,x", "y");
    refused(&b, VT_ERR_FORMAT, "Leaky node of output \"y\": 2 inputs, the function takes 1");
    begin(&b);
    add_leaky(&b, NULL);
    call(&b, "Leaky", "x", "y,z");
    refused(&b, VT_ERR_FORMAT, "2 outputs, the function has 1");
    begin(&b);
    add_leaky(&b, NULL);
    call(&b, "Leaky", "x", "y");
    onnx_node_int(&b, "slop", 1);
    refused(&b, VT_ERR_FORMAT, "no attribute \"slop\"");
    begin(&b);
    add_leaky(&b, NULL);
    call(&b, "Leaky", "x", "y");
    onnx_node_int(&b, "slope", 1);
    refused(&b, VT_ERR_FORMAT, "\"alpha\" has the wrong type");
    begin(&b);
    function_builder f = function_begin("Odd", "a", "r");
    function_node(&f, "", "FancyThing", "a", "r");
    function_end(&b, &f);
    call(&b, "Odd", "x", "y");
    refused(&b, VT_ERR_UNSUPPORTED,
            "Odd node of output \"y\": FancyThing node of output \"r\": operator \"FancyThing\"");
    begin(&b);
    f = function_begin("Odd", "a,a", "r");
    function_end(&b, &f);
    call(&b, "Odd", "x", "y");
    refused(&b, VT_ERR_FORMAT, "input 1 has no name of its own");
    begin(&b);
    f = function_begin("Odd", "a", "r");
    function_end(&b, &f);
    call(&b, "Odd", "x", "y");
    refused(&b, VT_ERR_FORMAT, "output \"y\" is not defined");
    begin(&b);
    f = function_begin("Odd", "a", "r,s");
    function_node(&f, "", "Relu", "a", "r");
    function_end(&b, &f);
    call(&b, "Odd", "x", "y,unread");
    refused(&b, VT_ERR_FORMAT, "value \"unread\" is not defined");
    begin(&b);
    f = function_begin("Odd", "a,ignored", "r");
    function_node(&f, "", "Relu", "a", "r");
    function_end(&b, &f);
    call(&b, "Odd", "x,nowhere", "y");
    refused(&b, VT_ERR_FORMAT, "value \"nowhere\" is not defined");
    begin(&b);
    f = function_begin("Odd", "a", "r");
    pb_bytes(&f.bytes, 11, "\x2a\x7f", 2); /* a default that ends inside a field */
    function_end(&b, &f);
    call(&b, "Odd", "x", "y");
    refused(&b, VT_ERR_FORMAT, "truncated");
}

static void recursion_is_refused(void **state)
{
    (void)state;
    onnx_builder b;
    begin(&b);
    function_builder f = function_begin("Ping", "a", "r");
    function_node(&f, "local", "Pong", "a", "r");
    function_end(&b, &f);
    f = function_begin("Pong", "a", "r");
    function_node(&f, "local", "Ping", "a", "r");
    function_end(&b, &f);
    call(&b, "Ping", "x", "y");
    refused(&b, VT_ERR_FORMAT, "function \"Ping\" calls itself");
}

/* Level i calls level i + 1 `width` times; the last one holds a Relu, if anything. */
static void add_levels(onnx_builder *b, int levels, int width, bool empty)
{
    for (int i = 0; i < levels; i++) {
        char name[16], next[16], from[16], to[16];
        snprintf(name, sizeof name, "L%d", i);
        snprintf(next, sizeof next, "L%d", i + 1);
        function_builder f = function_begin(name, "t0", "r");
        for (int k = 0; k < width && i + 1 < levels; k++) {
            snprintf(from, sizeof from, "t%d", k);
            snprintf(to, sizeof to, k + 1 == width ? "r" : "t%d", k + 1);
            function_node(&f, "local", next, from, to);
        }
        if (i + 1 == levels && !empty)
            function_node(&f, "", "Relu", "t0", "r");
        function_end(b, &f);
    }
    call(b, "L0", "x", "y");
}

static void bombs_are_refused_quickly(void **state)
{
    (void)state;
    onnx_builder b;
    begin(&b);
    add_levels(&b, 30, 2, false);
    refused(&b, VT_ERR_LIMIT, "more than 100000 nodes");
    begin(&b);
    add_levels(&b, 30, 2, true);
    refused(&b, VT_ERR_LIMIT, "calls of functions grow");
    begin(&b);
    add_levels(&b, 40, 1, false);
    refused(&b, VT_ERR_LIMIT, "deeper than 32 levels");
    begin(&b);
    add_levels(&b, 30, 1, false);
    gives(parsed(&b), 1, 0);
    begin(&b);
    add_levels(&b, 2, 100, false);
    vt_error error;
    vt_model *model = NULL;
    vt_model_limits limits = vt_model_limits_defaults();
    limits.nodes = 50;
    onnx_output(&b, "y", VT_F32, 1, (int64_t[]){2});
    assert_int_equal(parse(&b, &limits, &model, &error), VT_ERR_LIMIT);
}

static void allocation_failures_are_clean(void **state)
{
    (void)state;
    vt_status status = VT_ERR_NO_MEMORY;
    onnx_builder b;
    begin(&b);
    add_leaky(&b, &(float){0.75F});
    call(&b, "Leaky", "x", "h");
    call(&b, "Leaky", "h", "y");
    onnx_output(&b, "y", VT_F32, 1, (int64_t[]){2});
    vt_buf file = onnx_finish(&b);
    for (int64_t i = 0; status != VT_OK && i < 10000; i++) {
        vt_error error;
        vt_model *model = NULL;
        vt_mem_fail_after(i);
        status = vt_model_parse(file.data, file.length, NULL, &model, &error);
        vt_mem_fail_after(-1);
        vt_model_free(model);
        assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
    }
    assert_int_equal(status, VT_OK);
    vt_buf_deinit(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes_come_from_the_call),
        cmocka_unit_test(else_from_the_default_else_from_nowhere),
        cmocka_unit_test(calls_nest_and_names_do_not_meet),
        cmocka_unit_test(operands_can_be_left_out),
        cmocka_unit_test(inputs_can_be_handed_through),
        cmocka_unit_test(tensors_of_bodies_are_shared),
        cmocka_unit_test(overloads_are_told_apart),
        cmocka_unit_test(a_body_has_operator_sets_of_its_own),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(recursion_is_refused),
        cmocka_unit_test(bombs_are_refused_quickly),
        cmocka_unit_test(allocation_failures_are_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
