/* SPDX-License-Identifier: Apache-2.0 */
#include "models.h"

static void classifier(maker *m)
{
    float weights[64] = {0};
    maker_init(m, 13);
    maker_input(m, "x", VT_F32, 4, (int64_t[]){-1, 2, -1, -1});
    maker_output(m, "probabilities");
    maker_weight(m, "w", VT_F32, 4, (int64_t[]){4, 2, 1, 1}, weights);
    maker_weight(m, "fc", VT_F32, 2, (int64_t[]){4, 3}, weights);
    maker_weight(m, "bias", VT_F32, 1, (int64_t[]){3}, weights);
    maker_node(m, "Conv", "x,w", "features");
    maker_node(m, "GlobalAveragePool", "features", "pooled");
    maker_node(m, "Flatten", "pooled", "embedding");
    maker_node(m, "MatMul", "embedding,fc", "scores")->name = maker_text(m, "head");
    maker_node(m, "Add", "bias,scores", "logits");
    maker_node(m, "Softmax", "logits", "probabilities");
}

static void the_embedding_lies_before_the_classifier(void **state)
{
    (void)state;
    maker m;
    classifier(&m);
    vt_model *model = maker_model(&m);
    assert_string_equal(vt_model_feature_output(model), "embedding");
    vt_model_free(model);
    maker_deinit(&m);
    /* A convolution as the classifier, as in SqueezeNet. */
    maker_init(&m, 13);
    float weights[8] = {0};
    maker_input(&m, "x", VT_F32, 4, (int64_t[]){1, 2, 4, 4});
    maker_output(&m, "out");
    maker_weight(&m, "w", VT_F32, 4, (int64_t[]){4, 2, 1, 1}, weights);
    maker_node(&m, "Relu", "x", "before");
    maker_node(&m, "Conv", "before,w", "a");
    maker_node(&m, "Relu", "a", "b");
    maker_node(&m, "GlobalAveragePool", "b", "c");
    maker_node(&m, "Softmax", "c", "out");
    model = maker_model(&m);
    assert_string_equal(vt_model_feature_output(model), "before");
    vt_model_free(model);
    maker_deinit(&m);
}

static void some_networks_have_no_classifier(void **state)
{
    (void)state;
    maker m;
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 2, (int64_t[]){1, 2});
    maker_output(&m, "y");
    maker_node(&m, "Relu", "x", "y");
    vt_model *model = maker_model(&m);
    assert_null(vt_model_feature_output(model));
    vt_model_free(model);
    maker_deinit(&m);
    /* A sum of two branches is no classifier. */
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 2, (int64_t[]){2, 2});
    maker_output(&m, "y");
    maker_node(&m, "MatMul", "x,x", "a");
    maker_node(&m, "Add", "a,x", "y");
    model = maker_model(&m);
    assert_null(vt_model_feature_output(model));
    vt_model_free(model);
    maker_deinit(&m);
}

typedef struct seen {
    size_t count;
    uint64_t macs;
    char order[256];
    vt_shape last;
} seen;

static void see(void *context, const vt_node_info *node)
{
    seen *all = context;
    size_t used = strlen(all->order);
    snprintf(all->order + used, sizeof all->order - used, "%s(%s) ", node->op_type, node->name);
    all->count++;
    all->macs += node->macs;
    all->last = node->shape;
}

static void nodes_are_described_in_order(void **state)
{
    (void)state;
    maker m;
    classifier(&m);
    vt_model *model = maker_model(&m);
    seen all = {0};
    assert_int_equal(vt_model_each_node(model, &(vt_shape){4, {5, 2, 3, 3}}, see, &all, NULL),
                     VT_OK);
    assert_string_equal(all.order, "Conv() GlobalAveragePool() Flatten() MatMul(head) Add() "
                                   "Softmax() ");
    assert_int_equal(all.macs, 5 * 4 * 9 * 2 + 5 * 4 * 3);
    assert_int_equal(all.last.dims[0], 5);
    all = (seen){0};
    assert_int_equal(vt_model_each_node(model, NULL, see, &all, NULL), VT_OK);
    assert_int_equal(all.macs, 4 * 2 + 4 * 3); /* open dimensions count as 1 */
    vt_error error;
    assert_int_equal(vt_model_each_node(model, &(vt_shape){4, {5, 3, 3, 3}}, see, &all, &error),
                     VT_ERR_FORMAT);
    vt_model_free(model);
    maker_deinit(&m);
}

static void files_are_opened_by_path(void **state)
{
    scratch *s = *state;
    maker m;
    vt_buf file;
    vt_model *model;
    vt_error error;
    classifier(&m);
    maker_pack(&m, &file);
    scratch_write(s, "m.onnx", file.data, file.length);
    vt_buf_deinit(&file);
    maker_deinit(&m);
    assert_int_equal(vt_model_open(scratch_path(s, "m.onnx"), NULL, &model, &error), VT_OK);
    vt_model_free(model);
    assert_int_equal(vt_model_open(scratch_path(s, "n.onnx"), NULL, &model, &error),
                     VT_ERR_NOT_FOUND);
    scratch_write(s, "empty.onnx", "", 0);
    assert_int_equal(vt_model_open(scratch_path(s, "empty.onnx"), NULL, &model, &error),
                     VT_ERR_FORMAT);
    assert_non_null(strstr(error.message, "empty.onnx"));
    vt_model_limits limits = vt_model_limits_defaults();
    limits.file_bytes = 100;
    assert_int_equal(vt_model_open(scratch_path(s, "m.onnx"), &limits, &model, &error),
                     VT_ERR_LIMIT);
    vt_model_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_embedding_lies_before_the_classifier),
        cmocka_unit_test(some_networks_have_no_classifier),
        cmocka_unit_test(nodes_are_described_in_order),
        cmocka_unit_test_setup_teardown(files_are_opened_by_path, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
