/* SPDX-License-Identifier: Apache-2.0 */
#include "models.h"

#include "conformance.h"
#include "support/same_graph.h"

#include "nn/onnx_export.h"

static void written(const vt_model *model, vt_buf *file)
{
    vt_error error;
    vt_buf_init(file, VT_ONNX_FILE_MAXIMUM);
    if (vt_model_write(model, file, &error) != VT_OK)
        fail_msg("%s", error.message);
}

/* Reads back what is written of `model`; the caller's. */
static vt_model *again(const vt_model *model)
{
    vt_buf file;
    vt_model *copy = NULL;
    vt_error error;
    written(model, &file);
    if (vt_model_parse(file.data, file.length, NULL, &copy, &error) != VT_OK)
        fail_msg("%s", error.message);
    vt_buf_deinit(&file);
    return copy;
}

static void assert_same(const vt_model *a, const vt_model *b)
{
    const char *difference = same_model(a, b);
    if (difference != NULL)
        print_message("differs in %s\n", difference);
    assert_null(difference);
}

static void a_model_survives(vt_model *model)
{
    vt_model *copy = again(model);
    assert_same(model, copy);
    vt_model_free(copy);
}

static void everything_known_is_kept(void **state)
{
    (void)state;
    maker m;
    maker_init(&m, 13);
    m.model.ir_version = 7;
    maker_input(&m, "x", VT_F32, 4, (int64_t[]){-1, 3, 8, -1});
    Onnx__TensorShapeProto *shape = m.inputs[0]->type->tensor_type->shape;
    shape->dim[0]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    shape->dim[0]->dim_param = maker_text(&m, "batch");
    float weights[2 * 3] = {1, -2, 3.5F, 4, 5, -0.0F};
    int16_t unused[2] = {-7, 7};
    maker_weight(&m, "w", VT_F32, 4, (int64_t[]){2, 3, 1, 1}, weights);
    maker_weight(&m, "unused", VT_I16, 1, (int64_t[]){2}, unused);
    maker_weight(&m, "nothing", VT_F64, 2, (int64_t[]){0, 3}, NULL);
    Onnx__NodeProto *node = maker_node(&m, "Conv", "x,w", "c");
    node->name = maker_text(&m, "first");
    maker_ints(&m, node, "strides", 2, (int64_t[]){2, 2});
    maker_int(&m, node, "group", 1);
    maker_attr(&m, node, "auto_pad", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING)->s =
        (ProtobufCBinaryData){.len = 5, .data = (uint8_t *)"VALID"};
    node->attribute[node->n_attribute - 1]->has_s = true;
    maker_list(&m, "high", 0, NULL);
    maker_attr(&m, maker_node(&m, "LeakyRelu", "c", "y"), "alpha",
               ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT)
        ->f = 0.25F;
    m.nodes[1]->attribute[0]->has_f = true;
    maker_output(&m, "y");
    maker_metadata(&m, "author", "someone");
    maker_metadata(&m, "empty", "");
    m.graph.n_value_info = 1;
    m.graph.value_info =
        (Onnx__ValueInfoProto *[]){maker_info(&m, "c", VT_F32, 4, (int64_t[]){-1, 2, 4, -1})};
    vt_model *model = maker_model(&m);
    const vt_value *middle = &model->graph.values[vt_graph_find_value(&model->graph, "c")];
    assert_int_equal(middle->shape.dims[1], 2);
    vt_model *copy = again(model);
    assert_same(model, copy);
    const vt_value *input = &copy->graph.values[copy->graph.inputs[0]];
    assert_string_equal(input->symbols[0], "batch");
    assert_null(input->symbols[3]);
    assert_int_equal(vt_model_summary_of(copy).ir_version, 7);
    assert_int_equal(vt_model_summary_of(copy).opset, 13);
    assert_string_equal(vt_model_metadata(copy, "empty"), "");
    /* The output said nothing of its shape; planning did. */
    assert_int_equal(vt_model_output(copy, 0).shape.rank, 4);
    vt_model_free(copy);
    vt_model_free(model);
    maker_deinit(&m);
}

static void every_kind_of_attribute_is_kept(void **state)
{
    (void)state;
    maker m;
    maker_init(&m, 13);
    Onnx__AttributeProto *attr = maker_attr(&m, maker_node(&m, "Constant", "", "a"), "value_floats",
                                            ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS);
    attr->n_floats = 2;
    attr->floats = (float[]){1.5F, -2};
    attr = maker_attr(&m, maker_node(&m, "Constant", "", "b"), "value",
                      ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR);
    attr->t = maker_tensor(&m, "", VT_F32, 1, (int64_t[]){2});
    maker_raw(&m, attr->t, (float[]){3, 4}, 8);
    attr = maker_attr(&m, maker_node(&m, "Constant", "", "texts"), "value_strings",
                      ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS);
    attr->n_strings = 2;
    attr->strings = (ProtobufCBinaryData[]){{1, (uint8_t *)"q"}, {0, NULL}};
    maker_node(&m, "Add", "a,b", "y");
    maker_output(&m, "y");
    vt_model *model = maker_model(&m);
    a_model_survives(model);
    vt_model_free(model);
    maker_deinit(&m);
}

static void left_out_operands_stay_left_out(void **state)
{
    (void)state;
    maker m;
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 1, (int64_t[]){3});
    maker_weight(&m, "high", VT_F32, 0, NULL, (float[]){1});
    maker_node(&m, "Clip", "x,,high", "y");
    maker_output(&m, "y");
    vt_model *model = maker_model(&m), *copy = again(model);
    assert_same(model, copy);
    assert_int_equal(copy->graph.nodes[0].inputs[1], VT_NO_VALUE);
    vt_model_free(copy);
    vt_model_free(model);
    maker_deinit(&m);
}

/* x -> Relu of `first` -> Neg of `second` -> y, made by code. */
static void code_graph(vt_graph *graph, int first, int second)
{
    vt_value_id ids[3];
    vt_graph_init(graph, NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            vt_graph_add_value(graph, (const char *const[]){"x", "value_1", "y"}[i], &ids[i], NULL),
            VT_OK);
    graph->values[0].dtype = VT_F32;
    graph->values[0].shape = vt_shape_of(1, (int64_t[]){2});
    vt_node relu = {.op = vt_op_find("", "Relu", first),
                    .opset = first,
                    .inputs = &ids[0],
                    .outputs = &ids[1],
                    .input_count = 1,
                    .output_count = 1};
    vt_node neg = {.op = vt_op_find("", "Neg", second),
                   .opset = second,
                   .inputs = &ids[1],
                   .outputs = &ids[2],
                   .input_count = 1,
                   .output_count = 1};
    assert_int_equal(vt_graph_add_node(graph, &relu, NULL), VT_OK);
    assert_int_equal(vt_graph_add_node(graph, &neg, NULL), VT_OK);
    assert_int_equal(vt_graph_set_inputs(graph, &ids[0], 1, NULL), VT_OK);
    assert_int_equal(vt_graph_set_outputs(graph, &ids[2], 1, NULL), VT_OK);
    assert_int_equal(vt_graph_finish(graph, NULL), VT_OK);
}

static void graphs_made_by_code_are_written(void **state)
{
    (void)state;
    vt_graph graph;
    vt_buf file;
    vt_error error;
    vt_model *model;
    vt_onnx_export_options options = vt_onnx_export_options_defaults();
    vt_buf_init(&file, 1 << 20);
    code_graph(&graph, 13, 13);
    assert_int_equal(vt_onnx_export(&graph, &options, &file, &error), VT_OK);
    assert_int_equal(vt_model_parse(file.data, file.length, NULL, &model, &error), VT_OK);
    assert_null(same_graph(&graph, &model->graph));
    vt_model_summary summary = vt_model_summary_of(model);
    assert_int_equal(summary.opset, 13);
    assert_int_equal(summary.ir_version, 7);
    assert_string_equal(summary.producer, "vitrine");
    assert_int_equal(vt_model_output(model, 0).dtype, VT_F32);
    assert_int_equal(vt_model_output(model, 0).shape.dims[0], 2);
    vt_model_free(model);
    vt_buf_deinit(&file);
    vt_graph_deinit(&graph);
}

static void values_without_a_name_get_one(void **state)
{
    (void)state;
    vt_graph graph;
    vt_buf file;
    vt_error error;
    vt_model *model;
    vt_onnx_export_options options = vt_onnx_export_options_defaults();
    vt_buf_init(&file, 1 << 20);
    code_graph(&graph, 13, 13);
    graph.values[2].name = "";
    graph.values[0].name = "";
    /* The names that would be first are taken. */
    graph.values[1].name = "value_1";
    assert_int_equal(vt_onnx_export(&graph, &options, &file, &error), VT_OK);
    assert_int_equal(vt_model_parse(file.data, file.length, NULL, &model, &error), VT_OK);
    assert_string_equal(vt_model_input(model, 0).name, "value_0");
    assert_string_equal(vt_model_output(model, 0).name, "value_2");
    vt_model_free(model);
    vt_buf_deinit(&file);
    vt_graph_deinit(&graph);
}

static void two_operator_sets_of_a_domain_are_refused(void **state)
{
    (void)state;
    vt_graph graph;
    vt_buf file;
    vt_error error;
    vt_onnx_export_options options = vt_onnx_export_options_defaults();
    vt_buf_init(&file, 1 << 20);
    vt_buf_append_text(&file, "kept");
    code_graph(&graph, 13, 12);
    assert_int_equal(vt_onnx_export(&graph, &options, &file, &error), VT_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "operator sets 13 and 12 of domain \"ai.onnx\""));
    assert_string_equal(file.data, "kept");
    vt_buf_deinit(&file);
    vt_graph_deinit(&graph);
}

static void the_ir_version_fits_the_operator_set(void **state)
{
    (void)state;
    static const int64_t rows[][3] = {/* operator set, asked for, written */
                                      {7, 0, 4},  {9, 3, 4},    {13, 12, 7}, {13, 5, 5},
                                      {17, 0, 8}, {21, 99, 10}, {23, 11, 10}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        vt_graph graph;
        vt_buf file;
        vt_model *model;
        vt_onnx_export_options options = vt_onnx_export_options_defaults();
        options.ir_version = rows[i][1];
        vt_buf_init(&file, 1 << 20);
        code_graph(&graph, (int)rows[i][0], (int)rows[i][0]);
        assert_int_equal(vt_onnx_export(&graph, &options, &file, NULL), VT_OK);
        assert_int_equal(vt_model_parse(file.data, file.length, NULL, &model, NULL), VT_OK);
        assert_int_equal(vt_model_summary_of(model).ir_version, rows[i][2]);
        vt_model_free(model);
        vt_buf_deinit(&file);
        vt_graph_deinit(&graph);
    }
}

/* A constant that claims more than a file can hold; its numbers are never read. */
static void two_gigabytes_are_refused(void **state)
{
    (void)state;
    vt_graph graph;
    vt_buf file;
    vt_error error;
    vt_onnx_export_options options = vt_onnx_export_options_defaults();
    float number = 0;
    vt_tensor huge = {.dtype = VT_F32,
                      .shape = vt_shape_of(1, (int64_t[]){INT64_C(1) << 29}),
                      .data = &number,
                      .bytes = (size_t)1 << 31};
    vt_value_id id;
    vt_buf_init(&file, VT_ONNX_FILE_MAXIMUM);
    code_graph(&graph, 13, 13);
    assert_int_equal(vt_graph_add_value(&graph, "huge", &id, NULL), VT_OK);
    assert_int_equal(vt_graph_set_constant(&graph, id, &huge, NULL), VT_OK);
    assert_int_equal(vt_onnx_export(&graph, &options, &file, &error), VT_ERR_LIMIT);
    assert_non_null(strstr(error.message, "weight \"huge\""));
    assert_non_null(strstr(error.message, "2 GiB"));
    vt_buf_deinit(&file);
    vt_buf_init(&file, 16);
    graph.values[id].constant = NULL;
    assert_int_equal(vt_onnx_export(&graph, &options, &file, &error), VT_ERR_LIMIT);
    assert_non_null(strstr(error.message, "at most 16"));
    vt_buf_deinit(&file);
    vt_graph_deinit(&graph);
}

static void weights_can_go_to_another_file(void **state)
{
    const scratch *s = *state;
    maker m;
    char path[512];
    vt_buf file, weights;
    vt_error error;
    vt_model *copy = NULL;
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 1, (int64_t[]){20});
    float numbers[20];
    for (int i = 0; i < 20; i++)
        numbers[i] = (float)i;
    maker_weight(&m, "w", VT_F32, 1, (int64_t[]){20}, numbers);
    maker_weight(&m, "v", VT_F32, 1, (int64_t[]){20}, numbers);
    maker_weight(&m, "small", VT_F32, 1, (int64_t[]){1}, numbers);
    maker_node(&m, "Sum", "x,w,v,small", "y");
    maker_output(&m, "y");
    vt_model *model = maker_model(&m);
    vt_buf_init(&file, 1 << 20);
    vt_buf_init(&weights, 1 << 20);
    vt_onnx_export_options options = vt_onnx_export_options_defaults();
    options.producer = "tests";
    options.weights = &weights;
    options.weights_location = "w.bin";
    options.weights_from_bytes = 80;
    assert_int_equal(vt_onnx_export(&model->graph, &options, &file, &error), VT_OK);
    assert_int_equal(weights.length, 128 + 80);
    snprintf(path, sizeof path, "%s/w.bin", s->root);
    assert_int_equal(vt_file_replace(path, weights.data, weights.length, false, &error), VT_OK);
    snprintf(path, sizeof path, "%s/m.onnx", s->root);
    assert_int_equal(vt_file_replace(path, file.data, file.length, false, &error), VT_OK);
    assert_int_equal(vt_model_open(path, NULL, &copy, &error), VT_OK);
    assert_same(model, copy);
    vt_model_free(copy);
    vt_model_free(model);
    vt_buf_deinit(&file);
    vt_buf_deinit(&weights);
    maker_deinit(&m);
}

static void no_memory_is_an_error(void **state)
{
    (void)state;
    maker m;
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 2, (int64_t[]){-1, 3});
    maker_weight(&m, "w", VT_F32, 1, (int64_t[]){3}, (float[]){1, 2, 3});
    maker_node(&m, "Add", "x,w", "y");
    maker_output(&m, "y");
    maker_metadata(&m, "k", "v");
    vt_model *model = maker_model(&m);
    vt_status status = VT_ERR_NO_MEMORY;
    for (int64_t i = 0; status != VT_OK && i < 1000; i++) {
        vt_buf file;
        vt_error error;
        vt_buf_init(&file, 1 << 20);
        vt_mem_fail_after(i);
        status = vt_model_write(model, &file, &error);
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || (status == VT_ERR_NO_MEMORY && file.length == 0));
        vt_buf_deinit(&file);
    }
    assert_int_equal(status, VT_OK);
    vt_model_free(model);
    maker_deinit(&m);
}

static void every_supported_case_survives(void **state)
{
    const scratch *s = *state;
    static const char *const groups[] = {"simple", "pytorch-operator", "pytorch-converted", "node"};
    size_t survived = 0;
    if (!conformance_unpack(s))
        skip();
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        char root[256], path[512];
        vt_dir_list list;
        vt_error error;
        conformance_root(s, root, sizeof root);
        snprintf(path, sizeof path, "%s/%s", root, groups[g]);
        assert_int_equal(vt_dir_list_open(path, 100000, &list, &error), VT_OK);
        for (size_t i = 0; i < list.count; i++) {
            vt_model *model;
            snprintf(path, sizeof path, "%s/%s/%s/model.onnx", root, groups[g], list.names[i]);
            vt_status status = vt_model_open(path, NULL, &model, &error);
            if (status == VT_ERR_UNSUPPORTED)
                continue;
            assert_int_equal(status, VT_OK);
            a_model_survives(model);
            vt_model_free(model);
            survived++;
        }
        vt_dir_list_close(&list);
    }
    assert_true(survived >= 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_known_is_kept),
        cmocka_unit_test(every_kind_of_attribute_is_kept),
        cmocka_unit_test(left_out_operands_stay_left_out),
        cmocka_unit_test(graphs_made_by_code_are_written),
        cmocka_unit_test(values_without_a_name_get_one),
        cmocka_unit_test(two_operator_sets_of_a_domain_are_refused),
        cmocka_unit_test(the_ir_version_fits_the_operator_set),
        cmocka_unit_test(two_gigabytes_are_refused),
        cmocka_unit_test_setup_teardown(weights_can_go_to_another_file, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test(no_memory_is_an_error),
        cmocka_unit_test_setup_teardown(every_supported_case_survives, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
