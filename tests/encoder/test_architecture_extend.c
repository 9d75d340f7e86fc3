/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New heads on networks that are there already: of maps and of vectors, of an old operator set, a
 * second time; what stays, what is gone.
 */
#include "base/random.h"
#include "encoder/architecture.h"
#include "nn/models.h"
#include "nn/weights.h"

#include <math.h>

enum { SIDE = 8, CHANNELS = 4 };

/* x -> Conv -> MaxPool -> Dropout "map" -> GlobalAveragePool -> Flatten "vector" -> Gemm "logits",
 * in operator set 7, where pools and dropout were other operators. */
static vt_model *network(void)
{
    static const int64_t window[2] = {2, 2};
    maker m;
    vt_random random;
    float conv[CHANNELS * 3 * 9], gemm[2 * CHANNELS], bias[2] = {0};
    vt_random_init(&random, 3);
    for (size_t i = 0; i < sizeof(conv) / sizeof(conv[0]); i++)
        conv[i] = (float)vt_random_normal(&random);
    for (size_t i = 0; i < sizeof(gemm) / sizeof(gemm[0]); i++)
        gemm[i] = (float)vt_random_normal(&random);
    maker_init(&m, 7);
    maker_input(&m, "x", VT_F32, 4, (int64_t[]){1, 3, SIDE, SIDE});
    maker_weight(&m, "conv.weight", VT_F32, 4, (int64_t[]){CHANNELS, 3, 3, 3}, conv);
    maker_weight(&m, "head.classes.linear.weight", VT_F32, 2, (int64_t[]){CHANNELS, 2}, gemm);
    maker_weight(&m, "head.classes.linear.bias", VT_F32, 1, (int64_t[]){2}, bias);
    maker_node(&m, "Conv", "x,conv.weight", "c");
    Onnx__NodeProto *pool = maker_node(&m, "MaxPool", "c", "p");
    maker_ints(&m, pool, "kernel_shape", 2, window);
    maker_node(&m, "Dropout", "p", "map");
    maker_node(&m, "GlobalAveragePool", "map", "a");
    maker_node(&m, "Flatten", "a", "vector");
    maker_node(&m, "Gemm", "vector,head.classes.linear.weight,head.classes.linear.bias", "logits");
    maker_output(&m, "logits");
    vt_model *model = maker_model(&m);
    maker_deinit(&m);
    return model;
}

/* One run on the same two pictures: values (count) of the named one. */
static void values_of(const vt_model *model, const char *name, size_t count, float *out)
{
    static float pixels[2 * 3 * SIDE * SIDE];
    vt_session *session;
    vt_tensor output;
    vt_error error = {0};
    vt_session_options options = vt_session_options_defaults();
    for (size_t i = 0; i < sizeof(pixels) / sizeof(pixels[0]); i++)
        pixels[i] = sinf((float)i * 0.7f);
    const vt_tensor input = {.dtype = VT_F32,
                             .shape = vt_shape_of(4, (int64_t[]){2, 3, SIDE, SIDE}),
                             .data = pixels,
                             .bytes = sizeof(pixels)};
    options.outputs = &name;
    options.output_count = 1;
    if (vt_session_new(model, &options, &session, &error) != VT_OK ||
        vt_session_run(session, &input, 1, &output, &error) != VT_OK)
        fail_msg("%s: %s", name, error.message);
    size_t have;
    assert_true(vt_shape_count(&output.shape, &have));
    assert_int_equal(have, count);
    memcpy(out, output.data, count * sizeof(*out));
    vt_session_free(session);
}

static vt_model *opened(void)
{
    const vt_shape open = vt_shape_of(4, (int64_t[]){-1, 3, SIDE, SIDE});
    vt_model *model = network(), *copy = NULL;
    assert_int_equal(vt_model_dup(model, &copy, NULL), VT_OK);
    assert_int_equal(vt_model_reshape(copy, 0, &open, NULL), VT_OK);
    vt_model_free(model);
    return copy;
}

static vt_model *extend(const vt_model *model, const vt_extension *from, int classes, int dim)
{
    vt_architecture_options options = vt_architecture_options_defaults();
    vt_model *out = NULL;
    vt_error error = {0};
    options.classes = classes;
    options.dim = dim;
    options.seed = 9;
    if (vt_architecture_extend(model, from, &options, &out, &error) != VT_OK)
        fail_msg("%s", error.message);
    return out;
}

static void test_map(void **state)
{
    (void)state;
    static const char *const keep[] = {"vector"};
    const vt_extension from = {.feature = "map",
                               .shape = vt_shape_of(4, (int64_t[]){1, CHANNELS, 3, 3}),
                               .keep = keep,
                               .keep_count = 1};
    vt_model *model = opened(), *two = extend(model, &from, 5, 6);
    float before[2 * CHANNELS], after[2 * CHANNELS], logits[10], vectors[12];
    assert_int_equal(vt_model_summary_of(two).opset, 13);
    assert_int_equal(vt_model_output_count(two), 3);
    values_of(model, "vector", 2 * CHANNELS, before);
    values_of(two, "vector", 2 * CHANNELS, after);
    assert_memory_equal(before, after, sizeof(before));
    values_of(two, "logits", 10, logits);
    values_of(two, "embedding", 12, vectors);
    for (int row = 0; row < 2; row++) {
        float sum = 0;
        for (int i = 0; i < 6; i++)
            sum += vectors[row * 6 + i] * vectors[row * 6 + i];
        assert_float_equal(sum, 1, 1e-5);
    }
    for (int i = 0; i < 10; i++) /* classes begin at zero: nothing is pushed about */
        assert_true(logits[i] == 0);
    assert_true(fabsf(vectors[0] - vectors[6]) > 1e-6f); /* they see the pictures */
    vt_model_free(two);
    vt_model_free(model);
}

static bool note_exponent(void *context, const vt_weight_info *weight)
{
    *(int *)context += strstr(weight->name, "exponent") != NULL;
    return true;
}

/* Classes are read from features that are pooled as was asked. */
static void test_pooling(void **state)
{
    (void)state;
    const vt_extension from = {.feature = "map",
                               .shape = vt_shape_of(4, (int64_t[]){1, CHANNELS, 3, 3})};
    vt_architecture_options options = vt_architecture_options_defaults();
    vt_model *model = opened();
    options.classes = 5;
    for (int gem = 0; gem < 2; gem++) {
        vt_model *out = NULL;
        int exponents = 0;
        options.pooling = gem ? VT_POOLING_GEM : VT_POOLING_AVERAGE;
        assert_int_equal(vt_architecture_extend(model, &from, &options, &out, NULL), VT_OK);
        assert_int_equal(vt_model_each_weight(out, note_exponent, &exponents, NULL), VT_OK);
        assert_int_equal(exponents, gem);
        vt_model_free(out);
    }
    vt_model_free(model);
}

/* Other classes on what already has heads by these names; the embedding stays as it is. */
static void test_again(void **state)
{
    (void)state;
    static const char *const keep[] = {"embedding"};
    const vt_extension first = {.feature = "map",
                                .shape = vt_shape_of(4, (int64_t[]){1, CHANNELS, 3, 3})};
    const vt_extension second = {.feature = "features",
                                 .shape = vt_shape_of(4, (int64_t[]){1, CHANNELS, 3, 3}),
                                 .keep = keep,
                                 .keep_count = 1};
    vt_model *model = opened(), *one = extend(model, &first, 5, 6),
             *two = extend(one, &second, 7, 0);
    float before[12], after[12], logits[14];
    values_of(one, "embedding", 12, before);
    values_of(two, "embedding", 12, after);
    assert_memory_equal(before, after, sizeof(before));
    values_of(two, "logits", 14, logits);
    vt_model_free(two);
    vt_model_free(one);
    vt_model_free(model);
}

static void test_vector(void **state)
{
    (void)state;
    const vt_extension from = {.feature = "vector",
                               .shape = vt_shape_of(2, (int64_t[]){1, CHANNELS})};
    vt_model *model = opened(), *two = extend(model, &from, 5, 6);
    float logits[10], vectors[12];
    values_of(two, "logits", 10, logits);
    values_of(two, "embedding", 12, vectors);
    vt_model_free(two);
    vt_model_free(model);
}

/* Scores are products with the direction of the vector, and the vector is what it was. */
static void test_scores_of_directions(void **state)
{
    (void)state;
    enum { CLASSES = 2 };
    static const char *const keep[] = {"vector"};
    vt_architecture_options options = vt_architecture_options_defaults();
    const vt_extension from = {.feature = "map",
                               .shape = vt_shape_of(4, (int64_t[]){1, CHANNELS, 3, 3}),
                               .keep = keep,
                               .keep_count = 1,
                               .scored = "vector",
                               .scored_width = CHANNELS};
    vt_model *model = opened(), *out = NULL;
    float weights[CLASSES * CHANNELS], vectors[2 * CHANNELS], logits[2 * CLASSES];
    options.classes = CLASSES;
    options.unit_classes = true;
    assert_int_equal(vt_architecture_extend(model, &from, &options, &out, NULL), VT_OK);
    for (int i = 0; i < CLASSES * CHANNELS; i++)
        weights[i] = (float)(i % 5) - 1;
    assert_int_equal(
        vt_model_weight_write(out, "head.classes.linear.weight", weights, CLASSES * CHANNELS, NULL),
        VT_OK);
    values_of(out, "vector", 2 * CHANNELS, vectors);
    values_of(out, "logits", 2 * CLASSES, logits);
    for (int row = 0; row < 2; row++) {
        const float *vector = vectors + row * CHANNELS;
        float sums[CLASSES] = {0}, length = 0;
        for (int i = 0; i < CHANNELS; i++) {
            length += vector[i] * vector[i];
            for (int c = 0; c < CLASSES; c++)
                sums[c] += weights[c * CHANNELS + i] * vector[i];
        }
        assert_true(fabsf(sqrtf(length) - 1) > 0.01f);
        for (int c = 0; c < CLASSES; c++)
            assert_float_equal(logits[row * CLASSES + c], sums[c] / sqrtf(length), 1e-4);
    }
    vt_model_free(out);
    vt_model_free(model);
}

static void test_refused(void **state)
{
    (void)state;
    vt_architecture_options options = vt_architecture_options_defaults();
    vt_extension from = {.feature = "map", .shape = vt_shape_of(4, (int64_t[]){1, CHANNELS, 3, 3})};
    vt_model *model = opened(), *out = NULL;
    vt_error error = {0};
    options.dim = 6;
    options.fuse = 2;
    assert_int_equal(vt_architecture_extend(model, &from, &options, &out, &error), VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "map"));
    options.fuse = 0;
    from.feature = "nobody";
    assert_int_equal(vt_architecture_extend(model, &from, &options, &out, &error),
                     VT_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "nobody"));
    from.shape = vt_shape_of(3, (int64_t[]){1, CHANNELS, 9});
    assert_int_equal(vt_architecture_extend(model, &from, &options, &out, &error), VT_ERR_USAGE);
    assert_null(out);
    vt_model_free(model);
}

/* Writing does without the shapes of inner values that it has no memory to find out, so that some
 * failures are none. */
static void test_memory_runs_out(void **state)
{
    (void)state;
    const vt_extension from = {.feature = "map",
                               .shape = vt_shape_of(4, (int64_t[]){1, CHANNELS, 3, 3})};
    vt_architecture_options options = vt_architecture_options_defaults();
    vt_model *model = opened();
    int64_t successes = 0, asked = 1;
    size_t failures = 0;
    options.dim = 6;
    for (; asked >= successes; successes++) {
        vt_model *out = NULL;
        vt_error error = {0};
        vt_mem_fail_after(successes);
        vt_status status = vt_architecture_extend(model, &from, &options, &out, &error);
        asked = vt_mem_fail_after(-1);
        assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
        failures += status != VT_OK;
        if (status == VT_OK)
            vt_model_free(out);
    }
    assert_true(failures > 25);
    vt_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_pooling),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_vector),
        cmocka_unit_test(test_scores_of_directions),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
