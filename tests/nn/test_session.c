/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: mostly on the reference executor, and what their options change. */
#include "models.h"

#include <math.h>

static vt_session *session_on(const vt_model *model, const char *const *outputs, size_t count)
{
    vt_session *session = NULL;
    vt_error error;
    vt_session_options options = vt_session_options_defaults();
    options.executor = VT_EXECUTOR_REFERENCE;
    options.outputs = outputs;
    options.output_count = count;
    if (vt_session_new(model, &options, &session, &error) != VT_OK)
        fail_msg("%s", error.message);
    return session;
}

/* y = relu(x) (n, 2) times w (2, 3) */
static vt_model *small_model(vt_dtype dtype)
{
    maker m;
    const float weights[] = {1, 2, 3, 4, 5, 6};
    const uint16_t halves[] = {0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600};
    maker_init(&m, 13);
    maker_input(&m, "x", dtype, 2, (int64_t[]){-1, 2});
    maker_weight(&m, "w", dtype, 2, (int64_t[]){2, 3},
                 dtype == VT_F16 ? (const void *)halves : weights);
    maker_node(&m, "Relu", "x", "r");
    maker_node(&m, "MatMul", "r,w", "y");
    maker_output(&m, "y");
    vt_model *model = maker_model(&m);
    maker_deinit(&m);
    return model;
}

static void runs_follow_the_input_shape(void **state)
{
    (void)state;
    vt_model *model = small_model(VT_F32);
    vt_session *session = session_on(model, NULL, 0);
    float numbers[60];
    for (int i = 0; i < 60; i++)
        numbers[i] = (float)(i - 1);
    /* More shapes than plans are kept, twice. */
    for (int64_t round = 0; round < 30; round++) {
        int64_t rows = round % 15 + 1;
        vt_tensor x = {.dtype = VT_F32, .shape = {2, {rows, 2}}, .data = numbers}, y;
        vt_shape shape;
        assert_int_equal(vt_session_output_shapes(session, &x.shape, 1, &shape, NULL), VT_OK);
        assert_int_equal(vt_session_run(session, &x, 1, &y, NULL), VT_OK);
        assert_true(vt_shape_equal(&shape, &y.shape));
        assert_int_equal(y.shape.dims[0], rows);
        assert_true(vt_tensor_get(&y, 0) == 0 && vt_tensor_get(&y, 2) == 0);
        if (rows > 1) /* row (1, 2) */
            assert_true(vt_tensor_get(&y, 3) == 9 && vt_tensor_get(&y, 5) == 15);
        assert_int_equal(vt_session_output_shapes(session, &x.shape, 1, &shape, NULL), VT_OK);
        assert_int_equal(shape.dims[1], 3);
    }
    vt_session_memory memory = vt_session_memory_of(session);
    assert_true(memory.unshared_bytes == 15 * (2 + 3) * 4);
    vt_session_free(session);
    vt_model_free(model);
}

static void wrong_inputs_are_usage_errors(void **state)
{
    (void)state;
    vt_model *model = small_model(VT_F32);
    vt_session *session = session_on(model, NULL, 0);
    vt_error error;
    double numbers[6] = {0};
    vt_tensor x = {.dtype = VT_F32, .shape = {2, {1, 3}}, .data = numbers}, y;
    vt_shape shape;
    assert_int_equal(vt_session_run(session, &x, 1, &y, &error), VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "input \"x\" is 1x3, the model takes ?x2"));
    x.shape = (vt_shape){1, {2}};
    assert_int_equal(vt_session_run(session, &x, 1, &y, &error), VT_ERR_USAGE);
    assert_int_equal(vt_session_output_shapes(session, &x.shape, 1, &shape, &error), VT_ERR_USAGE);
    x.shape = (vt_shape){2, {-1, 2}};
    assert_int_equal(vt_session_run(session, &x, 1, &y, &error), VT_ERR_USAGE);
    x.shape = (vt_shape){2, {1, 2}};
    assert_int_equal(vt_session_run(session, &x, 0, &y, &error), VT_ERR_USAGE);
    x.dtype = VT_F64;
    assert_int_equal(vt_session_run(session, &x, 1, &y, &error), VT_ERR_USAGE);
    x.dtype = VT_F32;
    x.data = NULL;
    assert_int_equal(vt_session_run(session, &x, 1, &y, &error), VT_ERR_USAGE);
    vt_session_free(session);
    vt_model_free(model);
}

static void half_networks_take_f32(void **state)
{
    (void)state;
    vt_model *model = small_model(VT_F16);
    vt_session *session = session_on(model, NULL, 0);
    float numbers[] = {1, 2};
    uint16_t halves[] = {0x3c00, 0x4000};
    vt_tensor x = {.dtype = VT_F32, .shape = {2, {1, 2}}, .data = numbers}, y;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(vt_session_run(session, &x, 1, &y, NULL), VT_OK);
        assert_int_equal(y.dtype, VT_F16);
        assert_true(vt_tensor_get(&y, 0) == 9 && vt_tensor_get(&y, 2) == 15);
        x.dtype = VT_F16;
        x.data = halves;
    }
    vt_session_free(session);
    vt_model_free(model);
}

static void any_value_can_be_an_output(void **state)
{
    (void)state;
    vt_model *model = small_model(VT_F32);
    const char *names[] = {"r", "w", "x", "r"}, *missing[] = {"q"};
    vt_session *session = session_on(model, names, 4);
    float numbers[] = {-1, 2};
    vt_tensor x = {.dtype = VT_F32, .shape = {2, {1, 2}}, .data = numbers}, outputs[4];
    assert_int_equal(vt_session_output_count(session), 4);
    assert_int_equal(vt_session_run(session, &x, 1, outputs, NULL), VT_OK);
    assert_true(vt_tensor_get(&outputs[0], 0) == 0 && vt_tensor_get(&outputs[0], 1) == 2);
    assert_true(vt_tensor_get(&outputs[1], 5) == 6);
    assert_true(outputs[2].data != numbers && vt_tensor_get(&outputs[2], 0) == -1);
    assert_true(vt_tensor_get(&outputs[3], 1) == 2);
    assert_false(outputs[0].owned || outputs[1].owned || outputs[2].owned);
    vt_session_free(session);
    vt_error error;
    vt_session_options options = vt_session_options_defaults();
    options.outputs = missing;
    options.output_count = 1;
    assert_int_equal(vt_session_new(model, &options, &session, &error), VT_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "\"q\""));
    options.output_count = 0;
    assert_int_equal(vt_session_new(model, &options, &session, &error), VT_ERR_USAGE);
    vt_model_free(model);
}

static void input_values_may_decide_shapes(void **state)
{
    (void)state;
    maker m;
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 1, (int64_t[]){6});
    maker_input(&m, "shape", VT_I64, 1, (int64_t[]){2});
    maker_output(&m, "y");
    maker_node(&m, "Neg", "shape", "a");
    maker_node(&m, "Neg", "a", "b");
    maker_node(&m, "Reshape", "x,b", "y");
    vt_model *model = maker_model(&m);
    maker_deinit(&m);
    vt_session *session = session_on(model, NULL, 0);
    float numbers[] = {1, 2, 3, 4, 5, 6};
    int64_t dims[][2] = {{2, 3}, {3, 2}, {2, 3}, {4, 2}};
    vt_tensor inputs[] = {{.dtype = VT_F32, .shape = {1, {6}}, .data = numbers},
                          {.dtype = VT_I64, .shape = {1, {2}}}};
    vt_tensor y;
    for (int i = 0; i < 4; i++) {
        inputs[1].data = dims[i];
        vt_status status = vt_session_run(session, inputs, 2, &y, NULL);
        assert_int_equal(status, i < 3 ? VT_OK : VT_ERR_FORMAT);
        if (i < 3)
            assert_int_equal(y.shape.dims[0], dims[i][0]);
    }
    vt_session_free(session);
    vt_model_free(model);
}

static void constant_networks_run(void **state)
{
    (void)state;
    maker m;
    maker_init(&m, 13);
    maker_list(&m, "shape", 1, (int64_t[]){3});
    maker_node(&m, "ConstantOfShape", "shape", "y");
    maker_output(&m, "y");
    vt_model *model = maker_model(&m);
    maker_deinit(&m);
    vt_session *session = session_on(model, NULL, 0);
    vt_tensor y;
    assert_int_equal(vt_model_input_count(model), 0);
    assert_int_equal(vt_session_run(session, NULL, 0, &y, NULL), VT_OK);
    assert_int_equal(vt_tensor_count(&y), 3);
    vt_session_free(session);
    vt_model_free(model);
}

static vt_status run_once(void *context)
{
    vt_session *session;
    vt_session_options options = vt_session_options_defaults();
    options.executor = VT_EXECUTOR_REFERENCE;
    float numbers[] = {1, 2};
    vt_tensor x = {.dtype = VT_F32, .shape = {2, {1, 2}}, .data = numbers}, y;
    vt_status status = vt_session_new(context, &options, &session, NULL);
    if (status != VT_OK)
        return status;
    status = vt_session_run(session, &x, 1, &y, NULL);
    vt_session_free(session);
    return status;
}

static void allocation_failures_are_clean(void **state)
{
    (void)state;
    vt_model *model = small_model(VT_F16);
    assert_true(each_allocation_failing(run_once, model) > 20);
    vt_model_free(model);
}

/* A failed run leaves the session usable. */
static void sessions_recover_from_failures(void **state)
{
    (void)state;
    vt_model *model = small_model(VT_F32);
    vt_session *session = session_on(model, NULL, 0);
    float numbers[] = {1, 2};
    vt_tensor x = {.dtype = VT_F32, .shape = {2, {1, 2}}, .data = numbers}, y;
    for (int64_t successes = 0; successes < 12; successes++) {
        vt_mem_fail_after(successes);
        vt_session_run(session, &x, 1, &y, NULL);
        vt_mem_fail_after(-1);
    }
    assert_int_equal(vt_session_run(session, &x, 1, &y, NULL), VT_OK);
    assert_true(vt_tensor_get(&y, 0) == 9);
    vt_session_free(session);
    vt_model_free(model);
}

/* ---- what became of each step ---- */

typedef struct seen_steps {
    size_t count;
    char ops[8][24], posts[8][64], executors[8][80];
    vt_step_info infos[8];
} seen_steps;

static void see(void *context, const vt_step_info *step)
{
    seen_steps *seen = context;
    assert_true(seen->count < 8 && step->op_type != NULL && step->posts != NULL);
    assert_true(step->executor != NULL && step->executor[0] != '\0' && step->output != NULL);
    snprintf(seen->ops[seen->count], sizeof seen->ops[0], "%s", step->op_type);
    snprintf(seen->posts[seen->count], sizeof seen->posts[0], "%s", step->posts);
    snprintf(seen->executors[seen->count], sizeof seen->executors[0], "%s", step->executor);
    seen->infos[seen->count++] = *step;
}

/* x (n, 8) -> MatMul (8, 4) -> Relu -> Transpose -> y */
static vt_model *described_model(void)
{
    maker m;
    float weights[32];
    for (int i = 0; i < 32; i++)
        weights[i] = (float)(i % 7) - 3;
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 2, (int64_t[]){-1, 8});
    maker_weight(&m, "w", VT_F32, 2, (int64_t[]){8, 4}, weights);
    maker_node(&m, "MatMul", "x,w", "p");
    maker_node(&m, "Relu", "p", "r");
    maker_node(&m, "Transpose", "r", "y");
    maker_output(&m, "y");
    vt_model *model = maker_model(&m);
    maker_deinit(&m);
    return model;
}

static vt_session *session_with(const vt_model *model, vt_executor executor, vt_precision precision)
{
    vt_session *session = NULL;
    vt_error error;
    vt_session_options options = vt_session_options_defaults();
    assert_int_equal(options.precision, VT_PRECISION_F32);
    options.executor = executor;
    options.precision = precision;
    options.threads = 1;
    if (vt_session_new(model, &options, &session, &error) != VT_OK)
        fail_msg("%s", error.message);
    return session;
}

static void steps_are_described(void **state)
{
    (void)state;
    vt_model *model = described_model();
    const vt_shape shape = {2, {3, 8}}, wrong = {2, {3, 7}};
    seen_steps seen = {0};
    vt_session *session = session_with(model, VT_EXECUTOR_REFERENCE, VT_PRECISION_F32);
    assert_int_equal(vt_session_each_step(session, &shape, 1, see, &seen, NULL), VT_OK);
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.ops[0], "MatMul");
    assert_string_equal(seen.ops[2], "Transpose");
    assert_int_equal(seen.infos[0].macs, 3 * 8 * 4);
    assert_true(vt_shape_equal(&seen.infos[2].shape, &(vt_shape){2, {4, 3}}));
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(seen.executors[i], "reference");
        assert_string_equal(seen.posts[i], "");
        assert_int_equal(seen.infos[i].compute, VT_F32);
    }
    assert_int_equal(vt_session_each_step(session, &wrong, 1, see, &seen, NULL), VT_ERR_USAGE);
    assert_int_equal(vt_session_each_step(session, &shape, 0, see, &seen, NULL), VT_ERR_USAGE);
    assert_int_equal(seen.count, 3);
    vt_session_free(session);

    seen = (seen_steps){0};
    session = session_with(model, VT_EXECUTOR_ONEDNN, VT_PRECISION_F32);
    assert_int_equal(vt_session_each_step(session, &shape, 1, see, &seen, NULL), VT_OK);
    assert_int_equal(seen.count, 2); /* the Relu is part of the product */
    assert_string_equal(seen.posts[0], "relu");
    assert_int_equal(strncmp(seen.executors[0], "onednn ", 7), 0);
    assert_string_equal(seen.executors[1], "view");
    assert_int_equal(seen.infos[0].macs, 3 * 8 * 4);
    vt_session_free(session);
    vt_model_free(model);
}

static void precisions_have_names(void **state)
{
    (void)state;
    static const char *const names[] = {"f32", "bf16", "int8", "auto"};
    vt_precision precision = VT_PRECISION_BF16;
    for (int i = 0; i < 4; i++) {
        assert_true(vt_precision_parse(names[i], &precision));
        assert_string_equal(vt_precision_name(precision), names[i]);
    }
    assert_false(vt_precision_parse("fp16", &precision) || vt_precision_parse("", &precision));
    assert_int_equal(precision, VT_PRECISION_AUTO); /* untouched on failure */
    assert_string_equal(vt_precision_name((vt_precision)99), "unknown");
    assert_true(vt_precision_is_fast(VT_PRECISION_F32));
    assert_false(vt_precision_is_fast(VT_PRECISION_AUTO));
}

/* Each with its own plans and weights, in turns. */
static void precisions_share_a_model(void **state)
{
    (void)state;
    vt_model *model = described_model();
    vt_session *exact = session_with(model, VT_EXECUTOR_REFERENCE, VT_PRECISION_F32);
    vt_session *sessions[3];
    float numbers[16];
    vt_tensor x = {.dtype = VT_F32, .shape = {2, {2, 8}}, .data = numbers}, want, have;
    for (int i = 0; i < 3; i++)
        sessions[i] = session_with(model, VT_EXECUTOR_ONEDNN, (vt_precision)i);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 16; i++)
            numbers[i] = (float)((i * 5 + round * 3) % 11) * 0.37F - 1.5F;
        assert_int_equal(vt_session_run(exact, &x, 1, &want, NULL), VT_OK);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(vt_session_run(sessions[i], &x, 1, &have, NULL), VT_OK);
            assert_int_equal(have.dtype, VT_F32);
            for (size_t k = 0; k < 8; k++)
                assert_true(fabs(vt_tensor_get(&have, k) - vt_tensor_get(&want, k)) <
                            (i == 0 ? 1e-4 : 0.2));
        }
    }
    for (int i = 0; i < 3; i++)
        vt_session_free(sessions[i]);
    vt_session_free(exact);
    vt_model_free(model);
}

/* ---- batches in parts ---- */

static vt_session *split_session(const vt_model *model, bool split)
{
    vt_session *session = NULL;
    vt_error error;
    vt_session_options options = vt_session_options_defaults();
    options.threads = 1;
    options.split_batches = split;
    if (vt_session_new(model, &options, &session, &error) != VT_OK)
        fail_msg("%s", error.message);
    return session;
}

static void maker_random(maker *m, const char *name, int rank, const int64_t *dims)
{
    float numbers[512];
    for (int i = 0; i < 512; i++)
        numbers[i] = (float)((i * 37 + 11) % 41) / 41 - 0.5F;
    maker_weight(m, name, VT_F32, rank, dims, numbers);
}

/* x (n, 3, 6, 6) -> Conv -> Relu r -> mean -> y (n, 8) */
static vt_model *conv_model(vt_dtype dtype)
{
    maker m;
    maker_init(&m, 13);
    maker_input(&m, "x", dtype, 4, (int64_t[]){-1, 3, 6, 6});
    maker_random(&m, "w", 4, (int64_t[]){8, 3, 3, 3});
    if (dtype == VT_F32)
        maker_node(&m, "Identity", "x", "f");
    else
        maker_int(&m, maker_node(&m, "Cast", "x", "f"), "to", VT_F32);
    maker_node(&m, "Conv", "f,w", "c");
    maker_node(&m, "Relu", "c", "r");
    maker_node(&m, "GlobalAveragePool", "r", "g");
    maker_node(&m, "Flatten", "g", "y");
    maker_output(&m, "y");
    maker_output(&m, "r");
    vt_model *model = maker_model(&m);
    maker_deinit(&m);
    return model;
}

enum { INPUT_NUMBERS = 8 * 3 * 6 * 6 };

static void fill_input(float *numbers, int round)
{
    for (int i = 0; i < INPUT_NUMBERS; i++)
        numbers[i] = (float)((i * 7 + round * 13) % 29) / 16 - 0.75F;
}

/* Both sessions on the same input must say the same, in every output. */
static void compare_split(vt_session *whole, vt_session *split, const vt_tensor *inputs,
                          size_t input_count)
{
    vt_tensor want[2], have[2];
    vt_error error;
    assert_true(vt_session_output_count(whole) <= 2);
    assert_int_equal(vt_session_run(whole, inputs, input_count, want, NULL), VT_OK);
    if (vt_session_run(split, inputs, input_count, have, &error) != VT_OK)
        fail_msg("%s", error.message);
    for (size_t i = 0; i < vt_session_output_count(whole); i++) {
        assert_int_equal(have[i].dtype, want[i].dtype);
        assert_true(vt_shape_equal(&have[i].shape, &want[i].shape));
        for (size_t k = 0; k < vt_tensor_count(&want[i]); k++)
            assert_true(fabs(vt_tensor_get(&have[i], k) - vt_tensor_get(&want[i], k)) < 1e-5);
    }
}

static void parts_give_what_the_whole_gives(void **state)
{
    (void)state;
    static const int64_t sizes[] = {8, 8, 6, 8, 1, 8, 6, 8, 8, 6, 8, 8, 6, 1, 6};
    static const vt_dtype types[] = {VT_F32, VT_F16}; /* the second is converted */
    float numbers[INPUT_NUMBERS];
    for (int t = 0; t < 2; t++) {
        vt_model *model = conv_model(types[t]);
        vt_session *whole = split_session(model, false), *split = split_session(model, true);
        for (int round = 0; round < 30; round++) {
            vt_tensor x = {.dtype = VT_F32, .data = numbers};
            x.shape = (vt_shape){4, {sizes[round % 15], 3, 6, 6}};
            fill_input(numbers, round);
            compare_split(whole, split, &x, 1);
        }
        vt_session_free(split);
        vt_session_free(whole);
        vt_model_free(model);
    }
}

/* x (n, 8) through a node chain that knows the size of its batch: `to` is what the first Reshape
 * makes of it. */
static void compare_written(const int64_t *to, const char *between)
{
    maker m;
    float numbers[64];
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 2, (int64_t[]){-1, 8});
    maker_list(&m, "to", 2, to);
    maker_list(&m, "back", 2, (int64_t[]){-1, 8});
    maker_node(&m, "Reshape", "x,to", "a");
    maker_int(&m, maker_node(&m, between, "a", "b"), "axis", 1);
    maker_node(&m, "Reshape", "b,back", "y");
    maker_output(&m, "y");
    vt_model *model = maker_model(&m);
    maker_deinit(&m);
    vt_session *whole = split_session(model, false), *split = split_session(model, true);
    for (int round = 0; round < 12; round++) {
        vt_tensor x = {.dtype = VT_F32, .shape = {2, {8, 8}}, .data = numbers};
        for (int i = 0; i < 64; i++)
            numbers[i] = (float)((i * 7 + round * 5) % 11) / 4;
        compare_split(whole, split, &x, 1);
    }
    vt_session_free(split);
    vt_session_free(whole);
    vt_model_free(model);
}

static void batches_in_the_graph_stay_whole(void **state)
{
    (void)state;
    compare_written((int64_t[]){8, 8}, "Softmax");  /* parts have no plan */
    compare_written((int64_t[]){8, -1}, "Softmax"); /* they have one, for something else */
    compare_written((int64_t[]){4, -1}, "Softmax"); /* the whole mixes rows, half of it does not */
    compare_written((int64_t[]){0, -1}, "Softmax"); /* no matter what */
}

/* x / n */
static void networks_that_count_stay_whole(void **state)
{
    (void)state;
    maker m;
    float numbers[32] = {1, 2, 3};
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 2, (int64_t[]){-1, 4});
    maker_list(&m, "zero", 1, (int64_t[]){0});
    maker_node(&m, "Shape", "x", "shape");
    maker_node(&m, "Gather", "shape,zero", "n");
    maker_int(&m, maker_node(&m, "Cast", "n", "f"), "to", VT_F32);
    maker_node(&m, "Div", "x,f", "y");
    maker_output(&m, "y");
    vt_model *model = maker_model(&m);
    maker_deinit(&m);
    vt_session *whole = split_session(model, false), *split = split_session(model, true);
    vt_tensor x = {.dtype = VT_F32, .shape = {2, {8, 4}}, .data = numbers};
    for (int round = 0; round < 12; round++)
        compare_split(whole, split, &x, 1);
    vt_session_free(split);
    vt_session_free(whole);
    vt_model_free(model);
}

/* A bound value of a later run makes the network one that mixes rows. */
static void bound_values_may_change_between_parts(void **state)
{
    (void)state;
    maker m;
    float numbers[64];
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 2, (int64_t[]){8, 8});
    maker_input(&m, "axes", VT_I64, 1, (int64_t[]){1});
    maker_node(&m, "ReduceSum", "x,axes", "s");
    maker_node(&m, "Sub", "x,s", "y");
    maker_output(&m, "y");
    m.inputs[0]->type->tensor_type->shape->dim[0]->value_case =
        ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE__NOT_SET;
    vt_model *model = maker_model(&m);
    maker_deinit(&m);
    vt_session *whole = split_session(model, false), *split = split_session(model, true);
    for (int round = 0; round < 30; round++) {
        int64_t axis = round % 5 == 3 || round > 20 ? 0 : 1;
        vt_tensor inputs[] = {{.dtype = VT_F32, .shape = {2, {8, 8}}, .data = numbers},
                              {.dtype = VT_I64, .shape = {1, {1}}, .data = &axis}};
        for (int i = 0; i < 64; i++)
            numbers[i] = (float)((i * 7 + round * 5) % 11) / 4;
        compare_split(whole, split, inputs, 2);
    }
    vt_session_free(split);
    vt_session_free(whole);
    vt_model_free(model);
}

/* Each allocation of each of the first runs fails once. */
static void parts_without_memory_are_clean(void **state)
{
    (void)state;
    float numbers[INPUT_NUMBERS];
    vt_model *model = conv_model(VT_F16);
    vt_session *whole = split_session(model, false);
    vt_tensor x = {.dtype = VT_F32, .shape = {4, {8, 3, 6, 6}}, .data = numbers}, want[2], have[2];
    fill_input(numbers, 0);
    assert_int_equal(vt_session_run(whole, &x, 1, want, NULL), VT_OK);
    for (int runs = 0; runs < 8; runs++) { /* before it */
        bool failed = true;
        for (int64_t successes = 0; failed; successes += 1 + successes / 16) {
            vt_session *split = split_session(model, true);
            vt_error error = {0};
            for (int i = 0; i < runs; i++)
                assert_int_equal(vt_session_run(split, &x, 1, have, NULL), VT_OK);
            vt_mem_fail_after(successes);
            vt_status status = vt_session_run(split, &x, 1, have, &error);
            failed = vt_mem_fail_after(-1) > successes;
            if (status != VT_OK) {
                assert_int_equal(status, VT_ERR_NO_MEMORY);
                assert_int_equal(error.status, VT_ERR_NO_MEMORY);
                assert_int_equal(vt_session_run(split, &x, 1, have, NULL), VT_OK);
            }
            for (size_t k = 0; k < 2 * vt_tensor_count(&want[0]); k++)
                assert_true(fabs(vt_tensor_get(&have[k % 2], k / 2) -
                                 vt_tensor_get(&want[k % 2], k / 2)) < 1e-5);
            vt_session_free(split);
        }
    }
    vt_session_free(whole);
    vt_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_follow_the_input_shape),
        cmocka_unit_test(wrong_inputs_are_usage_errors),
        cmocka_unit_test(half_networks_take_f32),
        cmocka_unit_test(any_value_can_be_an_output),
        cmocka_unit_test(input_values_may_decide_shapes),
        cmocka_unit_test(constant_networks_run),
        cmocka_unit_test(allocation_failures_are_clean),
        cmocka_unit_test(sessions_recover_from_failures),
        cmocka_unit_test(steps_are_described),
        cmocka_unit_test(precisions_have_names),
        cmocka_unit_test(precisions_share_a_model),
        cmocka_unit_test(parts_give_what_the_whole_gives),
        cmocka_unit_test(batches_in_the_graph_stay_whole),
        cmocka_unit_test(networks_that_count_stay_whole),
        cmocka_unit_test(bound_values_may_change_between_parts),
        cmocka_unit_test(parts_without_memory_are_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
