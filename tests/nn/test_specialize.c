/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: shapes, folding and its bounds, dead nodes, lifetimes. */
#include "models.h"

#include "nn/onnx_file.h"
#include "nn/plan.h"

static vt_status plan_for(const vt_model *model, const vt_shape *shapes, vt_plan **plan,
                          vt_error *error)
{
    const vt_graph *graph = &model->graph;
    return vt_plan_new(graph, shapes, graph->outputs, graph->output_count, plan, error);
}

/* x.reshape(x.shape[0], -1), as PyTorch exports it. */
static void flattening(maker *m)
{
    maker_init(m, 13);
    maker_input(m, "x", VT_F32, -1, NULL);
    maker_output(m, "y");
    maker_list(m, "zero", 1, (int64_t[]){0});
    maker_list(m, "rest", 1, (int64_t[]){-1});
    maker_node(m, "Shape", "x", "shape");
    maker_node(m, "Gather", "shape,zero", "batch");
    maker_int(m, maker_node(m, "Concat", "batch,rest", "target"), "axis", 0);
    maker_node(m, "Reshape", "x,target", "y");
}

static void shape_arithmetic_is_folded_away(void **state)
{
    (void)state;
    maker m;
    vt_plan *plan;
    flattening(&m);
    vt_model *model = maker_model(&m);
    assert_int_equal(plan_for(model, &(vt_shape){4, {5, 2, 3, 7}}, &plan, NULL), VT_OK);
    assert_int_equal(plan->step_count, 1);
    assert_string_equal(plan->steps[0].node.op->name, "Reshape");
    const vt_plan_value *y = &plan->values[vt_graph_find_value(&model->graph, "y")];
    assert_int_equal(y->tensor.shape.rank, 2);
    assert_int_equal(y->tensor.shape.dims[0], 5);
    assert_int_equal(y->tensor.shape.dims[1], 42);
    assert_int_equal(y->tensor.bytes, 5 * 42 * 4);
    assert_int_equal(y->first_step, 0);
    assert_int_equal(y->last_step, 1);
    /* What only led to the target shape is gone, the target is still there. */
    assert_null(plan->values[vt_graph_find_value(&model->graph, "batch")].tensor.data);
    const vt_plan_value *target = &plan->values[vt_graph_find_value(&model->graph, "target")];
    assert_true(target->constant && target->folded && target->tensor.data != NULL);
    vt_plan_free(plan);
    vt_model_free(model);
    maker_deinit(&m);
}

static void unneeded_nodes_are_left_out(void **state)
{
    (void)state;
    maker m;
    vt_plan *plan;
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 2, (int64_t[]){-1, -1});
    maker_output(&m, "y");
    maker_node(&m, "Relu", "x", "y");
    maker_node(&m, "MatMul", "x,x", "square"); /* would not even have a shape here */
    vt_model *model = maker_model(&m);
    assert_int_equal(plan_for(model, &(vt_shape){2, {2, 3}}, &plan, NULL), VT_OK);
    assert_int_equal(plan->step_count, 1);
    vt_plan_free(plan);
    vt_model_free(model);
    maker_deinit(&m);
}

static void lifetimes_span_from_birth_to_last_reader(void **state)
{
    (void)state;
    maker m;
    vt_plan *plan;
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 1, (int64_t[]){4});
    maker_output(&m, "d");
    maker_node(&m, "Relu", "x", "a");
    maker_node(&m, "Neg", "a", "b");
    maker_node(&m, "Exp", "b", "c");
    maker_node(&m, "Add", "a,c", "d");
    vt_model *model = maker_model(&m);
    assert_int_equal(plan_for(model, &(vt_shape){1, {4}}, &plan, NULL), VT_OK);
    const char *names[] = {"x", "a", "b", "c", "d"};
    const int first[] = {-1, 0, 1, 2, 3}, last[] = {0, 3, 2, 3, 4};
    for (size_t i = 0; i < 5; i++) {
        const vt_plan_value *value = &plan->values[vt_graph_find_value(&model->graph, names[i])];
        assert_int_equal(value->first_step, first[i]);
        assert_int_equal(value->last_step, last[i]);
    }
    vt_plan_free(plan);
    vt_model_free(model);
    maker_deinit(&m);
}

static void bombs_are_stopped_by_the_limits(void **state)
{
    (void)state;
    maker m;
    vt_plan *plan;
    vt_error error;
    vt_model *model;
    vt_model_limits limits = vt_model_limits_defaults();
    limits.tensor_bytes = 1 << 20;
    const vt_shape x = {1, {4}};
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 1, (int64_t[]){4});
    maker_output(&m, "y");
    maker_list(&m, "shape", 2, (int64_t[]){100000, 100000});
    maker_node(&m, "ConstantOfShape", "shape", "big");
    maker_node(&m, "ReduceSum", "big", "sum");
    maker_node(&m, "Add", "x,sum", "y");
    assert_int_equal(maker_parse(&m, &limits, &model, &error), VT_OK);
    assert_int_equal(plan_for(model, &x, &plan, &error), VT_ERR_LIMIT);
    assert_non_null(strstr(error.message, "ConstantOfShape node of output \"big\""));
    vt_model_free(model);
    maker_deinit(&m);
    /* Many constants within the limit one by one: together they are not folded, and as computed
     * values they may not all be alive. */
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 1, (int64_t[]){4});
    maker_output(&m, "y");
    maker_list(&m, "shape", 1, (int64_t[]){200000});
    char names[512];
    size_t used = 0;
    for (int i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        maker_node(&m, "ConstantOfShape", "shape", name);
        used += (size_t)snprintf(names + used, sizeof names - used, i == 0 ? "%s" : ",%s", name);
    }
    maker_node(&m, "Sum", names, "sum");
    maker_node(&m, "ReduceSum", "sum", "total");
    maker_node(&m, "Add", "x,total", "y");
    assert_int_equal(maker_parse(&m, &limits, &model, &error), VT_OK);
    assert_int_equal(plan_for(model, &x, &plan, &error), VT_ERR_LIMIT);
    assert_non_null(strstr(error.message, "alive at once"));
    vt_model_free(model);
    maker_deinit(&m);
}

static void heavy_constants_are_left_to_the_run(void **state)
{
    (void)state;
    maker m;
    vt_plan *plan;
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 1, (int64_t[]){1});
    maker_output(&m, "y");
    maker_list(&m, "shape", 2, (int64_t[]){4096, 4096});
    maker_node(&m, "ConstantOfShape", "shape", "a");
    maker_node(&m, "MatMul", "a,a", "b"); /* 2^36 multiplications */
    maker_node(&m, "Add", "x,b", "y");
    vt_model *model = maker_model(&m);
    assert_int_equal(plan_for(model, &(vt_shape){1, {1}}, &plan, NULL), VT_OK);
    assert_int_equal(plan->step_count, 2);
    assert_string_equal(plan->steps[0].node.op->name, "MatMul");
    vt_plan_free(plan);
    vt_model_free(model);
    maker_deinit(&m);
}

static void errors_while_folding_name_the_node(void **state)
{
    (void)state;
    maker m;
    vt_plan *plan;
    vt_error error;
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 1, (int64_t[]){4});
    maker_output(&m, "y");
    maker_list(&m, "four", 1, (int64_t[]){4});
    maker_list(&m, "zero", 1, (int64_t[]){0});
    maker_node(&m, "Div", "four,zero", "shape")->name = maker_text(&m, "halve");
    maker_node(&m, "Reshape", "x,shape", "y");
    vt_model *model = maker_model(&m);
    assert_int_equal(plan_for(model, &(vt_shape){1, {4}}, &plan, &error), VT_ERR_FORMAT);
    assert_string_equal(error.message, "Div node \"halve\": an integer is divided by zero");
    vt_model_free(model);
    maker_deinit(&m);
}

static void shapes_from_data_are_refused(void **state)
{
    (void)state;
    maker m;
    vt_plan *plan;
    vt_error error;
    maker_init(&m, 13);
    maker_input(&m, "x", VT_I64, 1, (int64_t[]){2});
    maker_output(&m, "y");
    maker_node(&m, "Neg", "x", "shape");
    maker_node(&m, "Reshape", "x,shape", "y");
    vt_model *model = maker_model(&m);
    assert_int_equal(plan_for(model, &(vt_shape){1, {2}}, &plan, &error), VT_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "Reshape node"));
    /* With the input's value bound it is a plan like any other. */
    int64_t numbers[] = {-1, -2};
    vt_tensor bound = {.dtype = VT_I64, .shape = {1, {2}}, .data = numbers, .bytes = 16};
    assert_int_equal(vt_plan_new_bound(&model->graph, &bound, model->graph.outputs, 1, &plan, NULL),
                     VT_OK);
    assert_int_equal(plan->step_count, 0);
    const vt_tensor *y = &plan->values[plan->outputs[0]].tensor;
    assert_int_equal(y->shape.rank, 2);
    assert_int_equal(((int64_t *)y->data)[1], -2);
    vt_plan_free(plan);
    vt_model_free(model);
    maker_deinit(&m);
}

static void absurd_inputs_are_refused(void **state)
{
    (void)state;
    maker m;
    vt_plan *plan;
    flattening(&m);
    vt_model *model = maker_model(&m);
    assert_int_equal(plan_for(model, &(vt_shape){1, {INT64_MAX}}, &plan, NULL), VT_ERR_LIMIT);
    assert_int_equal(plan_for(model, &(vt_shape){3, {1 << 30, 1 << 30, 1 << 30}}, &plan, NULL),
                     VT_ERR_LIMIT);
    assert_int_equal(plan_for(model, &(vt_shape){1, {-1}}, &plan, NULL), VT_ERR_USAGE);
    assert_int_equal(plan_for(model, &(vt_shape){.rank = -1}, &plan, NULL), VT_ERR_USAGE);
    assert_int_equal(plan_for(model, &(vt_shape){0}, &plan, NULL), VT_ERR_FORMAT);
    vt_model_free(model);
    maker_deinit(&m);
}

/* How many outputs the node that makes `name` is left with, in a plan for x (2, 4, 6, 6). */
static size_t outputs_left(const maker *m, const char *name)
{
    vt_plan *plan;
    vt_error error;
    size_t count = 0;
    vt_model *model = maker_model(m);
    if (plan_for(model, &(vt_shape){4, {2, 4, 6, 6}}, &plan, &error) != VT_OK)
        fail_msg("%s", error.message);
    for (size_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].node.outputs[0] == vt_graph_find_value(&model->graph, name))
            count = plan->steps[i].node.output_count;
    vt_plan_free(plan);
    vt_model_free(model);
    return count;
}

/* `which` reads the second output: an output of the graph, another node, or nobody. */
static size_t outputs_of(const char *op, const char *outputs, int which)
{
    maker m;
    maker_init(&m, 12);
    maker_input(&m, "x", VT_F32, 4, (int64_t[]){-1, 4, 6, 6});
    Onnx__NodeProto *node = maker_node(&m, op, "x", outputs);
    if (strcmp(op, "MaxPool") == 0)
        maker_ints(&m, node, "kernel_shape", 2, (int64_t[]){2, 2});
    if (strcmp(op, "Split") == 0)
        maker_int(&m, node, "axis", 1);
    maker_node(&m, "Relu", "a", "y");
    maker_output(&m, "y");
    if (which == 1)
        maker_output(&m, "b");
    if (which == 2) {
        maker_int(&m, maker_node(&m, "Cast", "b", "c"), "to", VT_F32);
        maker_output(&m, "c");
    }
    size_t count = outputs_left(&m, "a");
    maker_deinit(&m);
    return count;
}

static void outputs_nobody_reads_are_cut_off(void **state)
{
    (void)state;
    static const char *const ops[] = {"Dropout", "MaxPool"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(outputs_of(ops[i], "a,b", 0), 1);
        assert_int_equal(outputs_of(ops[i], "a,b", 1), 2);
        assert_int_equal(outputs_of(ops[i], "a,b", 2), 2);
        assert_int_equal(outputs_of(ops[i], "a,", 0), 1);
        assert_int_equal(outputs_of(ops[i], "a", 0), 1);
    }
}

/* Their number says what the first one is. */
static void outputs_that_decide_stay(void **state)
{
    (void)state;
    assert_int_equal(outputs_of("Split", "a,b", 0), 2);
    assert_int_equal(outputs_of("Split", "a,b,c,d", 0), 4);
    maker m;
    const float ones[] = {1, 1, 1, 1};
    for (int trains = 0; trains < 2; trains++) {
        maker_init(&m, 9);
        maker_input(&m, "x", VT_F32, 4, (int64_t[]){-1, 4, 6, 6});
        maker_weight(&m, "w", VT_F32, 1, (int64_t[]){4}, ones);
        maker_node(&m, "BatchNormalization", "x,w,w,w,w", trains ? "a,m,v,sm,sv" : "a");
        maker_output(&m, "a");
        assert_int_equal(outputs_left(&m, "a"), trains ? 5 : 1);
        maker_deinit(&m);
    }
}

/* What is cut off is not what is asked for: a first output that nobody reads stays. */
static void first_outputs_stay(void **state)
{
    (void)state;
    maker m;
    maker_init(&m, 12);
    maker_input(&m, "x", VT_F32, 4, (int64_t[]){-1, 4, 6, 6});
    maker_ints(&m, maker_node(&m, "MaxPool", "x", "a,b"), "kernel_shape", 2, (int64_t[]){2, 2});
    maker_output(&m, "b");
    assert_int_equal(outputs_left(&m, "a"), 2);
    maker_deinit(&m);
}

static vt_status plan_once(void *context)
{
    const vt_model *model = context;
    vt_plan *plan;
    vt_status status = plan_for(model, &(vt_shape){4, {5, 2, 3, 7}}, &plan, NULL);
    if (status == VT_OK)
        vt_plan_free(plan);
    return status;
}

static void allocation_failures_are_clean(void **state)
{
    (void)state;
    maker m;
    flattening(&m);
    vt_model *model = maker_model(&m);
    assert_true(each_allocation_failing(plan_once, model) >= 9);
    vt_model_free(model);
    maker_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape_arithmetic_is_folded_away),
        cmocka_unit_test(unneeded_nodes_are_left_out),
        cmocka_unit_test(lifetimes_span_from_birth_to_last_reader),
        cmocka_unit_test(bombs_are_stopped_by_the_limits),
        cmocka_unit_test(heavy_constants_are_left_to_the_run),
        cmocka_unit_test(errors_while_folding_name_the_node),
        cmocka_unit_test(shapes_from_data_are_refused),
        cmocka_unit_test(absurd_inputs_are_refused),
        cmocka_unit_test(outputs_nobody_reads_are_cut_off),
        cmocka_unit_test(outputs_that_decide_stay),
        cmocka_unit_test(first_outputs_stay),
        cmocka_unit_test(allocation_failures_are_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
