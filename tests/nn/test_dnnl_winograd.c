/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's convolutions beside the direct ones: which layers they take, what they cost in digits,
 * that nobody gets them without having asked, and that layers in their blocks are quick too. */
#include "support/scratch.h"

#include "base/random.h"
#include "nn/builder.h"
#include "nn/model.h"

#include <math.h>

static vt_value_id weights(vt_builder *b, vt_random *random, const char *name, int64_t out,
                           int64_t in, int64_t side)
{
    vt_shape shape = {4, {out, in, side, side}};
    size_t count = (size_t)(out * in * side * side);
    float *values = vt_calloc(count, sizeof(float));
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(vt_random_normal(random) / sqrt((double)(in * side * side)));
    vt_value_id w = vt_builder_floats(b, name, &shape, values);
    vt_free(values);
    return w;
}

static vt_value_id conv(vt_builder *b, vt_random *random, const char *name, vt_value_id x,
                        int64_t in, int64_t out, int64_t side, const char *attributes)
{
    vt_value_id w = weights(b, random, name, out, in, side);
    return vt_builder_node(b, "Conv", attributes, (vt_value_id[]){x, w}, 2);
}

static vt_value_id relu(vt_builder *b, vt_value_id x)
{
    return vt_builder_node(b, "Relu", NULL, &x, 1);
}

/* A network that begins with a stem: *x of 32 channels. */
static vt_builder *network_begin(vt_random *random, uint64_t seed, vt_value_id *x)
{
    vt_builder *b = NULL;
    vt_error error = {0};
    vt_random_init(random, seed);
    assert_int_equal(vt_builder_new(NULL, &b, &error), VT_OK);
    *x = vt_builder_input(b, "x", VT_F32, &(vt_shape){4, {-1, 3, -1, -1}});
    *x = relu(b, conv(b, random, "stem", *x, 3, 32, 5, "strides=2,2 pads=2,2,2,2"));
    return b;
}

static vt_model *network_finish(vt_builder *b, vt_value_id y)
{
    vt_model *model = NULL;
    vt_error error = {0};
    vt_builder_output(b, "y", y);
    if (vt_builder_finish(b, &model, &error) != VT_OK)
        fail_msg("%s", error.message);
    return model;
}

/* Three layers for Winograd (plain, before a ReLU, with a residual and a ReLU), between others that
 * are none for it: 1x1, strided, dilated, in groups, 5x5. */
static vt_model *network(void)
{
    vt_random random;
    vt_value_id x;
    vt_builder *b = network_begin(&random, 7, &x);
    vt_value_id y = relu(b, conv(b, &random, "one", x, 32, 16, 1, NULL));
    y = relu(b, conv(b, &random, "two", y, 16, 48, 3, "pads=1,1,1,1"));
    y = conv(b, &random, "three", y, 48, 32, 3, "pads=1,1,1,1");
    x = relu(b, vt_builder_node(b, "Add", NULL, (vt_value_id[]){x, y}, 2));
    x = conv(b, &random, "four", x, 32, 32, 3, NULL);
    y = conv(b, &random, "strided", x, 32, 32, 3, "strides=2,2 pads=1,1,1,1");
    y = conv(b, &random, "dilated", y, 32, 32, 3, "dilations=2,2 pads=2,2,2,2");
    y = conv(b, &random, "grouped", y, 8, 32, 3, "group=4 pads=1,1,1,1");
    return network_finish(b, y);
}

/* A layer for Winograd between residual sums behind functions, which are none for it. */
static vt_model *residual_network(void)
{
    vt_random random;
    vt_value_id x;
    vt_builder *b = network_begin(&random, 8, &x);
    vt_value_id y = relu(b, conv(b, &random, "one", x, 32, 32, 1, NULL));
    x = vt_builder_node(b, "Add", NULL, (vt_value_id[]){y, x}, 2);
    x = conv(b, &random, "two", x, 32, 32, 3, "pads=1,1,1,1");
    y = conv(b, &random, "three", x, 32, 32, 1, NULL);
    y = vt_builder_node(b, "Tanh", NULL, &y, 1);
    return network_finish(b, vt_builder_node(b, "Add", NULL, (vt_value_id[]){y, x}, 2));
}

static vt_session *open_session(const vt_model *model, bool winograd)
{
    vt_session *session = NULL;
    vt_error error = {0};
    vt_session_options options = vt_session_options_defaults();
    options.threads = 1;
    options.winograd = winograd;
    if (vt_session_new(model, &options, &session, &error) != VT_OK)
        fail_msg("%s", error.message);
    return session;
}

static void count_winograd(void *context, const vt_step_info *step)
{
    *(int *)context += strstr(step->executor, "wino") != NULL;
}

static int winograd_steps(vt_session *session, int64_t rows, int64_t side)
{
    int count = 0;
    vt_shape shape = {4, {rows, 3, side, side}};
    assert_int_equal(vt_session_each_step(session, &shape, 1, count_winograd, &count, NULL), VT_OK);
    return count;
}

/* *out: borrowed from the session. */
static void run(vt_session *session, int64_t rows, int64_t side, vt_tensor *out)
{
    vt_error error = {0};
    vt_random random;
    vt_tensor input = {0};
    vt_random_init(&random, (uint64_t)side);
    vt_shape shape = {4, {rows, 3, side, side}};
    assert_int_equal(vt_tensor_init(&input, VT_F32, &shape, 0, &error), VT_OK);
    for (size_t i = 0; i < vt_tensor_count(&input); i++)
        ((float *)input.data)[i] = vt_random_float(&random, -1, 1);
    if (vt_session_run(session, &input, 1, out, &error) != VT_OK)
        fail_msg("%s", error.message);
    vt_tensor_deinit(&input);
}

static void compare(const vt_tensor *have, const vt_tensor *want, double tolerance)
{
    const float *a = have->data, *b = want->data;
    double largest = 0;
    assert_int_equal(have->bytes, want->bytes);
    for (size_t i = 0; i < vt_tensor_count(want); i++)
        largest = fmax(largest, fabs((double)b[i]));
    assert_true(largest > 0.1);
    for (size_t i = 0; i < vt_tensor_count(want); i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= tolerance * largest))
            fail_msg("[%zu] is %g, wants %g", i, (double)a[i], (double)b[i]);
}

static void assert_agree(vt_model *model)
{
    vt_session *fast = open_session(model, true), *exact = open_session(model, false);
    const int64_t sides[] = {30, 33, 64, 28};
    for (int i = 0; i < 4; i++) {
        vt_tensor have, want;
        run(fast, 3, sides[i], &have);
        run(exact, 3, sides[i], &want);
        compare(&have, &want, 1e-5);
    }
    vt_session_free(fast);
    vt_session_free(exact);
    vt_model_free(model);
}

static void results_agree(void **state)
{
    (void)state;
    assert_agree(network());
    assert_agree(residual_network());
}

static void fail_if_slow(void *context, const vt_step_info *step)
{
    (void)context;
    if (strstr(step->executor, "ref"))
        fail_msg("%s: %s", step->op_type, step->executor);
}

/* oneDNN has plain loops for sums behind functions in blocks of channels. */
static void sums_behind_functions_are_quick(void **state)
{
    (void)state;
    vt_model *model = residual_network();
    vt_session *fast = open_session(model, true);
    const vt_shape shape = {4, {4, 3, 32, 32}};
    if (winograd_steps(fast, 4, 32) > 0)
        assert_int_equal(vt_session_each_step(fast, &shape, 1, fail_if_slow, NULL, NULL), VT_OK);
    vt_session_free(fast);
    vt_model_free(model);
}

static void only_layers_that_gain_take_it(void **state)
{
    (void)state;
    vt_model *model = network();
    vt_session *fast = open_session(model, true), *exact = open_session(model, false);
    int steps = winograd_steps(fast, 4, 32);
    assert_int_equal(winograd_steps(exact, 4, 32), 0);
    if (steps == 0)
        print_message("this oneDNN has no Winograd for this CPU\n");
    else
        assert_int_equal(steps, 3);
    /* 7 x 7 results of one picture: the weights would be the larger part. */
    assert_int_equal(winograd_steps(fast, 1, 14), 0);
    /* Blocks of channels from the first layer to the last: what the caller gives and gets, and the
     * layer in groups. */
    if (steps > 0)
        assert_in_range(vt_session_memory_of(fast).reorders, 0, 3);
    vt_session_free(fast);
    vt_session_free(exact);
    vt_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_agree),
        cmocka_unit_test(sums_behind_functions_are_quick),
        cmocka_unit_test(only_layers_that_gain_take_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
