/* SPDX-License-Identifier: Apache-2.0 */
#include "models.h"

/* x (2, 2) -> Relu -> y, to be spoilt by the tests. */
static Onnx__NodeProto *simple(maker *m)
{
    maker_init(m, 13);
    maker_input(m, "x", VT_F32, 2, (int64_t[]){2, 2});
    maker_output(m, "y");
    return maker_node(m, "Relu", "x", "y");
}

static void a_model_tells_about_itself(void **state)
{
    (void)state;
    maker m;
    float weights[4] = {1, 2, 3, 4};
    maker_init(&m, 13);
    maker_opset(&m, "ai.onnx.ml", 3);
    maker_input(&m, "x", VT_F16, 4, (int64_t[]){-1, 3, 224, 224});
    maker_input(&m, "w", VT_F32, 2, (int64_t[]){2, 2}); /* old files declare weights as inputs */
    maker_weight(&m, "w", VT_F32, 2, (int64_t[]){2, 2}, weights);
    maker_node(&m, "Relu", "x", "y");
    maker_output(&m, "y");
    maker_metadata(&m, "author", "someone");
    vt_model *model = maker_model(&m);
    assert_int_equal(vt_model_input_count(model), 1);
    vt_value_info info = vt_model_input(model, 0);
    assert_string_equal(info.name, "x");
    assert_int_equal(info.dtype, VT_F16);
    assert_int_equal(info.shape.rank, 4);
    assert_int_equal(info.shape.dims[0], -1);
    assert_int_equal(info.shape.dims[3], 224);
    assert_int_equal(vt_model_output_count(model), 1);
    assert_int_equal(vt_model_output(model, 0).dtype, VT_F32);
    assert_string_equal(vt_model_metadata(model, "author"), "someone");
    assert_null(vt_model_metadata(model, "Author"));
    vt_model_summary summary = vt_model_summary_of(model);
    assert_string_equal(summary.producer, "tests");
    assert_string_equal(summary.graph_name, "graph");
    assert_int_equal(summary.opset, 13);
    assert_int_equal(summary.ir_version, 8);
    assert_int_equal(summary.nodes, 1);
    assert_int_equal(summary.parameters, 4);
    assert_int_equal(summary.parameter_bytes, 16);
    assert_true(vt_model_has_value(model, "w") && !vt_model_has_value(model, "z"));
    vt_model_free(model);
    maker_deinit(&m);
}

static void operator_sets_are_checked(void **state)
{
    (void)state;
    maker m;
    simple(&m);
    m.sets[0]->version = 5;
    maker_refused(&m, VT_ERR_UNSUPPORTED, "operator set 5");
    simple(&m);
    m.sets[0]->version = 1000;
    maker_refused(&m, VT_ERR_UNSUPPORTED, "operator set 1000");
    simple(&m);
    m.sets[0]->version = INT64_MIN;
    maker_refused(&m, VT_ERR_FORMAT, "is not imported");
    simple(&m);
    m.model.n_opset_import = 0;
    maker_refused(&m, VT_ERR_FORMAT, "domain \"\" is not imported");
    simple(&m)->domain = (char *)"com.example";
    maker_refused(&m, VT_ERR_FORMAT, "domain \"com.example\" is not imported");
    simple(&m)->domain = (char *)"com.example";
    maker_opset(&m, "com.example", 1);
    maker_refused(&m, VT_ERR_UNSUPPORTED, "domain \"com.example\", operator set 1");
}

static void unknown_operators_name_their_node(void **state)
{
    (void)state;
    maker m;
    Onnx__NodeProto *node = simple(&m);
    node->op_type = (char *)"FancyThing";
    node->name = (char *)"middle";
    maker_refused(&m, VT_ERR_UNSUPPORTED, "FancyThing node \"middle\": operator \"FancyThing\"");
    node = simple(&m);
    node->op_type = (char *)"FancyThing";
    maker_refused(&m, VT_ERR_UNSUPPORTED, "FancyThing node of output \"y\"");
    simple(&m)->op_type = (char *)"HardSwish"; /* not before opset 14 */
    maker_refused(&m, VT_ERR_UNSUPPORTED, "\"HardSwish\"");
    simple(&m)->op_type = (char *)"If";
    maker_refused(&m, VT_ERR_UNSUPPORTED, "control flow");
}

static void subgraphs_are_refused(void **state)
{
    (void)state;
    maker m;
    Onnx__NodeProto *node = simple(&m);
    Onnx__AttributeProto *attr =
        maker_attr(&m, node, "body", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH);
    Onnx__GraphProto inner = ONNX__GRAPH_PROTO__INIT;
    attr->g = &inner;
    maker_refused(&m, VT_ERR_UNSUPPORTED, "attribute \"body\": subgraphs");
}

static void attributes_are_checked(void **state)
{
    (void)state;
    maker m;
    Onnx__NodeProto *node = simple(&m);
    node->op_type = (char *)"LeakyRelu";
    maker_int(&m, node, "alpha", 1);
    maker_refused(&m, VT_ERR_FORMAT, "attribute \"alpha\" has the wrong type");
    maker_int(&m, simple(&m), "slope", 1);
    maker_refused(&m, VT_ERR_UNSUPPORTED, "attribute \"slope\" is not known");
    node = simple(&m);
    node->op_type = (char *)"Softmax";
    maker_int(&m, node, "axis", 0);
    maker_int(&m, node, "axis", 1);
    maker_refused(&m, VT_ERR_FORMAT, "\"axis\" is given twice");
    simple(&m)->op_type = (char *)"Concat";
    maker_refused(&m, VT_ERR_FORMAT, "\"axis\" is missing");
    node = simple(&m);
    node->op_type = (char *)"Concat";
    maker_attr(&m, node, "axis", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR);
    maker_refused(&m, VT_ERR_FORMAT, "no tensor where");
    node = simple(&m);
    node->op_type = (char *)"Concat";
    maker_int(&m, node, "axis", 0);
    node->attribute[0]->ref_attr_name = (char *)"other";
    maker_refused(&m, VT_ERR_FORMAT, "refers to a function");
    node = simple(&m);
    node->op_type = (char *)"Pad";
    node->input[node->n_input++] = (char *)"x";
    maker_attr(&m, node, "mode", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING)->s =
        (ProtobufCBinaryData){.len = 3, .data = (uint8_t *)"a\0b"};
    node->attribute[0]->has_s = true;
    maker_refused(&m, VT_ERR_FORMAT, "zero byte");
    node = simple(&m);
    maker_attr(&m, node, "axis", (Onnx__AttributeProto__AttributeType)11);
    maker_refused(&m, VT_ERR_UNSUPPORTED, "attribute type 11");
}

static void many_attributes_are_refused_quickly(void **state)
{
    (void)state;
    maker m;
    Onnx__NodeProto *node = simple(&m);
    node->attribute = maker_alloc(&m, 1000 * sizeof *node->attribute);
    for (int i = 0; i < 1000; i++)
        maker_int(&m, node, "axis", i);
    maker_refused(&m, VT_ERR_LIMIT, "1000 attributes");
}

static void old_files_leave_attribute_types_out(void **state)
{
    (void)state;
    maker m;
    Onnx__NodeProto *node = simple(&m);
    node->op_type = (char *)"Softmax";
    maker_int(&m, node, "axis", 0);
    node->attribute[0]->has_type = false;
    vt_model_free(maker_model(&m));
    maker_deinit(&m);
}

static void operands_are_checked(void **state)
{
    (void)state;
    maker m;
    simple(&m);
    maker_node(&m, "Add", "y,nowhere", "z");
    maker_refused(&m, VT_ERR_FORMAT, "input \"nowhere\" is not defined");
    simple(&m);
    maker_node(&m, "Relu", "x", "y");
    maker_refused(&m, VT_ERR_FORMAT, "output \"y\" is defined twice");
    simple(&m);
    maker_node(&m, "Relu", "y", "x");
    maker_refused(&m, VT_ERR_FORMAT, "input \"x\" is also the output");
    simple(&m);
    maker_node(&m, "Add", "y", "z");
    maker_refused(&m, VT_ERR_FORMAT, "1 inputs, it takes 2 to 2");
    simple(&m);
    maker_node(&m, "Add", ",y", "z");
    maker_refused(&m, VT_ERR_FORMAT, "required input 0 is left out");
    simple(&m);
    maker_node(&m, "Relu", "y", "a,b");
    maker_refused(&m, VT_ERR_FORMAT, "2 outputs");
    simple(&m);
    maker_node(&m, "Relu", "y", "");
    maker_refused(&m, VT_ERR_FORMAT, "0 outputs");
    simple(&m);
    maker_output(&m, "z");
    maker_refused(&m, VT_ERR_FORMAT, "output \"z\" is not defined");
    simple(&m);
    m.graph.n_output = 0;
    maker_refused(&m, VT_ERR_FORMAT, "no output");
    simple(&m);
    maker_input(&m, "x", VT_F32, 0, NULL);
    maker_refused(&m, VT_ERR_FORMAT, "\"x\": defined twice");
}

static void cycles_are_refused(void **state)
{
    (void)state;
    maker m;
    simple(&m);
    maker_node(&m, "Add", "y,c", "a");
    maker_node(&m, "Relu", "a", "b");
    maker_node(&m, "Relu", "b", "c");
    maker_refused(&m, VT_ERR_FORMAT, "depends on its own output");
    simple(&m);
    maker_node(&m, "Relu", "a", "a");
    maker_refused(&m, VT_ERR_FORMAT, "depends on its own output");
}

static void nodes_in_any_order_are_sorted(void **state)
{
    (void)state;
    maker m;
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 1, (int64_t[]){2});
    maker_output(&m, "z");
    maker_node(&m, "Add", "a,b", "z");
    maker_node(&m, "Neg", "a", "b");
    maker_node(&m, "Relu", "x", "a");
    vt_model_free(maker_model(&m));
    maker_deinit(&m);
}

static void weights_are_checked(void **state)
{
    (void)state;
    maker m;
    const float numbers[4] = {0};
    simple(&m);
    maker_raw(&m, maker_weight(&m, "w", VT_F32, 1, (int64_t[]){4}, NULL), numbers, 15);
    maker_refused(&m, VT_ERR_FORMAT, "read weight \"w\": raw data of 15 bytes");
    simple(&m);
    maker_weight(&m, "w", VT_F32, 1, (int64_t[]){4}, NULL);
    maker_refused(&m, VT_ERR_FORMAT, "0 numbers, its shape needs 4");
    simple(&m);
    maker_raw(&m, maker_weight(&m, "w", VT_F32, 1, (int64_t[]){-4}, NULL), numbers, 16);
    maker_refused(&m, VT_ERR_FORMAT, "dimension 0 is -4");
    simple(&m);
    maker_raw(&m, maker_weight(&m, "w", VT_F32, 2, (int64_t[]){INT64_MAX, INT64_MAX}, NULL),
              numbers, 4);
    maker_refused(&m, VT_ERR_LIMIT, "over the limit");
    simple(&m);
    maker_raw(&m, maker_weight(&m, "w", VT_F32, 2, (int64_t[]){0, INT64_MAX}, NULL), numbers, 0);
    maker_refused(&m, VT_ERR_LIMIT, "a dimension of");
    simple(&m);
    maker_raw(&m, maker_weight(&m, "w", VT_STRING, 1, (int64_t[]){1}, NULL), numbers, 4);
    maker_refused(&m, VT_ERR_UNSUPPORTED, "element type 8");
    simple(&m);
    maker_raw(&m, maker_weight(&m, "w", (vt_dtype)-1, 1, (int64_t[]){1}, NULL), numbers, 4);
    maker_refused(&m, VT_ERR_UNSUPPORTED, "element type -1");
    simple(&m);
    const int64_t many[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    maker_weight(&m, "w", VT_F32, 9, many, numbers);
    maker_refused(&m, VT_ERR_UNSUPPORTED, "9 dimensions");
    simple(&m);
    maker_weight(&m, "w", VT_F32, 1, (int64_t[]){4}, numbers);
    maker_weight(&m, "w", VT_F32, 1, (int64_t[]){4}, numbers);
    maker_refused(&m, VT_ERR_FORMAT, "\"w\": defined twice");
    simple(&m);
    maker_weight(&m, "y", VT_F32, 1, (int64_t[]){4}, numbers);
    maker_refused(&m, VT_ERR_FORMAT, "output \"y\" is defined twice");
    simple(&m);
    maker_weight(&m, "", VT_F32, 1, (int64_t[]){4}, numbers);
    maker_refused(&m, VT_ERR_FORMAT, "its name is empty");
}

static void input_types_are_checked(void **state)
{
    (void)state;
    maker m;
    simple(&m);
    m.inputs[0]->type->tensor_type->elem_type = VT_STRING;
    maker_refused(&m, VT_ERR_UNSUPPORTED, "element type 8");
    simple(&m);
    m.inputs[0]->type = NULL;
    maker_refused(&m, VT_ERR_UNSUPPORTED, "not declared as a tensor");
    simple(&m);
    m.model.graph = NULL;
    maker_refused(&m, VT_ERR_FORMAT, "no graph");
}

static void limits_are_kept(void **state)
{
    (void)state;
    maker m;
    vt_model *model;
    vt_error error;
    const float numbers[4] = {0};
    simple(&m);
    maker_weight(&m, "w", VT_F32, 1, (int64_t[]){4}, numbers);
    maker_node(&m, "Relu", "y", "z");
    vt_model_limits limits = vt_model_limits_defaults();
    limits.nodes = 1;
    assert_int_equal(maker_parse(&m, &limits, &model, &error), VT_ERR_LIMIT);
    assert_non_null(strstr(error.message, "2 nodes"));
    limits = vt_model_limits_defaults();
    limits.initializers = 0;
    assert_int_equal(maker_parse(&m, &limits, &model, &error), VT_ERR_LIMIT);
    assert_non_null(strstr(error.message, "1 weights"));
    limits = vt_model_limits_defaults();
    limits.tensor_bytes = 15;
    assert_int_equal(maker_parse(&m, &limits, &model, &error), VT_ERR_LIMIT);
    limits = vt_model_limits_defaults();
    limits.dimension = 3;
    assert_int_equal(maker_parse(&m, &limits, &model, &error), VT_ERR_LIMIT);
    limits = vt_model_limits_defaults();
    limits.file_bytes = 10;
    assert_int_equal(maker_parse(&m, &limits, &model, &error), VT_ERR_LIMIT);
    maker_deinit(&m);
}

static void every_truncation_is_an_error_or_a_whole_model(void **state)
{
    (void)state;
    maker m;
    vt_buf file;
    const float numbers[4] = {0};
    simple(&m);
    maker_weight(&m, "w", VT_F32, 1, (int64_t[]){4}, numbers);
    maker_pack(&m, &file);
    size_t refused = 0;
    for (size_t cut = 0; cut < file.length; cut++) {
        vt_model *model;
        uint8_t *exact = vt_alloc(cut);
        memcpy(exact, file.data, cut);
        if (vt_model_parse(exact, cut, NULL, &model, NULL) == VT_OK)
            vt_model_free(model);
        else
            refused++;
        vt_free(exact);
    }
    assert_true(refused + 4 >= file.length);
    vt_buf_deinit(&file);
    maker_deinit(&m);
}

static vt_status parse_once(void *context)
{
    vt_model *model;
    const vt_buf *file = context;
    vt_status status = vt_model_parse(file->data, file->length, NULL, &model, NULL);
    if (status == VT_OK)
        vt_model_free(model);
    return status;
}

static void allocation_failures_are_clean(void **state)
{
    (void)state;
    maker m;
    vt_buf file;
    float numbers[128] = {0};
    simple(&m);
    maker_weight(&m, "w", VT_F32, 1, (int64_t[]){128}, numbers);
    maker_weight(&m, "v", VT_F32, 1, (int64_t[]){4}, numbers);
    Onnx__NodeProto *node = maker_node(&m, "Transpose", "y", "z");
    maker_ints(&m, node, "perm", 2, (int64_t[]){1, 0});
    maker_node(&m, "Add", "q,y", "r"); /* out of order: sorting allocates too */
    maker_node(&m, "Relu", "z", "q");
    maker_metadata(&m, "key", "value");
    maker_pack(&m, &file);
    assert_true(each_allocation_failing(parse_once, &file) > 20);
    vt_buf_deinit(&file);
    maker_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_tells_about_itself),
        cmocka_unit_test(operator_sets_are_checked),
        cmocka_unit_test(unknown_operators_name_their_node),
        cmocka_unit_test(subgraphs_are_refused),
        cmocka_unit_test(attributes_are_checked),
        cmocka_unit_test(many_attributes_are_refused_quickly),
        cmocka_unit_test(old_files_leave_attribute_types_out),
        cmocka_unit_test(operands_are_checked),
        cmocka_unit_test(cycles_are_refused),
        cmocka_unit_test(nodes_in_any_order_are_sorted),
        cmocka_unit_test(weights_are_checked),
        cmocka_unit_test(input_types_are_checked),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(every_truncation_is_an_error_or_a_whole_model),
        cmocka_unit_test(allocation_failures_are_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
