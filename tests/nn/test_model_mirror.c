/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mirrored network gives the mean of what the plain one gives for a picture and for its mirror
 * image, in every output, whatever reads those outputs inside, and row by row.
 */
#include "support/scratch.h"

#include "base/random.h"
#include "nn/builder.h"
#include "nn/models.h"
#include "nn/weights.h"

#include <math.h>

enum { ROWS = 3, CHANNELS = 2, HEIGHT = 3, WIDTH = 4, NUMBERS = CHANNELS * HEIGHT * WIDTH };

/* features = mean of relu(conv(image)); scores = features features: one output reads another. */
static vt_model *network(const vt_shape *picture)
{
    static const float kernel[2 * CHANNELS * 3] = {1,     -2, 0.5f, 0, 3, -1,
                                                   0.25f, 2,  -1,   1, 0, -0.5f};
    const vt_shape shape = vt_shape_of(4, (int64_t[]){2, CHANNELS, 1, 3});
    vt_builder *builder;
    vt_model *model = NULL;
    vt_error error = {0};
    assert_int_equal(vt_builder_new(NULL, &builder, NULL), VT_OK);
    vt_value_id x = vt_builder_input(builder, "image", VT_F32, picture);
    const vt_value_id conv[2] = {x, vt_builder_floats(builder, "kernel", &shape, kernel)};
    x = vt_builder_node(builder, "Conv", NULL, conv, 2);
    x = vt_builder_node(builder, "Relu", NULL, &x, 1);
    x = vt_builder_node(builder, "GlobalAveragePool", NULL, &x, 1);
    x = vt_builder_node(builder, "Flatten", "axis=1", &x, 1);
    vt_builder_output(builder, "features", x);
    x = vt_builder_find(builder, "features");
    vt_builder_output(builder, "scores",
                      vt_builder_node(builder, "Mul", NULL, (vt_value_id[]){x, x}, 2));
    if (vt_builder_finish(builder, &model, &error) != VT_OK)
        fail_msg("%s", error.message);
    return model;
}

/* out: (2 outputs, rows, 2) */
static void run(const vt_model *model, const float *pixels, int rows, float *out)
{
    vt_tensor input = {.dtype = VT_F32,
                       .shape = vt_shape_of(4, (int64_t[]){rows, CHANNELS, HEIGHT, WIDTH}),
                       .data = (void *)(uintptr_t)pixels,
                       .bytes = (size_t)rows * NUMBERS * sizeof(float)};
    vt_session *session;
    vt_tensor outputs[2];
    vt_error error = {0};
    assert_int_equal(vt_session_new(model, NULL, &session, &error), VT_OK);
    if (vt_session_run(session, &input, 1, outputs, &error) != VT_OK)
        fail_msg("%s", error.message);
    for (int o = 0; o < 2; o++) {
        assert_int_equal(outputs[o].shape.dims[0], rows);
        memcpy(out + o * rows * 2, outputs[o].data, (size_t)rows * 2 * sizeof(float));
    }
    vt_session_free(session);
}

static void flip(const float *pixels, int rows, float *out)
{
    for (int line = 0; line < rows * CHANNELS * HEIGHT; line++)
        for (int x = 0; x < WIDTH; x++)
            out[line * WIDTH + x] = pixels[line * WIDTH + WIDTH - 1 - x];
}

static void outputs_are_means_of_two_views(void **state)
{
    static const char *const outputs[] = {"scores", "features"};
    const vt_shape picture = vt_shape_of(4, (int64_t[]){-1, CHANNELS, HEIGHT, WIDTH});
    float pixels[ROWS * NUMBERS], turned[ROWS * NUMBERS];
    float a[2 * ROWS * 2], b[2 * ROWS * 2], both[2 * ROWS * 2], one[2 * 2];
    vt_model *model = network(&picture), *mirrored = NULL;
    vt_random random;
    double differ = 0;
    (void)state;
    vt_random_init(&random, 3);
    for (int i = 0; i < ROWS * NUMBERS; i++)
        pixels[i] = (float)vt_random_normal(&random);
    flip(pixels, ROWS, turned);
    assert_int_equal(vt_model_mirror(model, outputs, 2, &mirrored, NULL), VT_OK);
    assert_string_equal(vt_model_output(mirrored, 0).name, "features");
    run(model, pixels, ROWS, a);
    run(model, turned, ROWS, b);
    run(mirrored, pixels, ROWS, both);
    for (int i = 0; i < 2 * ROWS * 2; i++) {
        assert_true(fabsf(both[i] - (a[i] + b[i]) / 2) < 1e-5f);
        differ = fmax(differ, fabs((double)a[i] - (double)b[i]));
    }
    assert_true(differ > 0.1); /* the two views are not the same */
    run(mirrored, pixels, 1, one);
    assert_true(fabsf(one[0] - both[0]) < 1e-6f && fabsf(one[2] - both[ROWS * 2]) < 1e-6f);
    vt_model_free(mirrored);
    vt_model_free(model);
}

static void other_networks_are_refused(void **state)
{
    static const char *const scores[] = {"scores"}, *const none[] = {"nothing"};
    const vt_shape open = vt_shape_of(4, (int64_t[]){-1, CHANNELS, HEIGHT, -1});
    const vt_shape picture = vt_shape_of(4, (int64_t[]){-1, CHANNELS, HEIGHT, WIDTH});
    vt_model *model = network(&open), *mirrored = NULL;
    vt_error error = {0};
    (void)state;
    assert_int_equal(vt_model_mirror(model, scores, 1, &mirrored, &error), VT_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "width"));
    vt_model_free(model);
    model = network(&picture);
    assert_int_equal(vt_model_mirror(model, none, 1, &mirrored, &error), VT_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "\"nothing\""));
    assert_null(mirrored);
    vt_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_are_means_of_two_views),
        cmocka_unit_test(other_networks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
