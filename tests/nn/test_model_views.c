/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network of several views gives the mean of what the plain one gives for a picture, its mirror
 * image and the moved ones, in every output, whatever reads those outputs inside, and row by row.
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

/* Where a line's number `at` is found when the line goes on beyond its ends as in a mirror that
 * stands on the last number. */
static int folded(int at, int length)
{
    while (at < 0 || at >= length)
        at = at < 0 ? -at : 2 * length - 2 - at;
    return at;
}

static void view(const float *pixels, bool turned, int shift, float *out)
{
    for (int plane = 0; plane < ROWS * CHANNELS; plane++)
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++) {
                int from = folded((turned ? WIDTH - 1 - x : x) + shift, WIDTH);
                out[(plane * HEIGHT + y) * WIDTH + x] =
                    pixels[(plane * HEIGHT + folded(y + shift, HEIGHT)) * WIDTH + from];
            }
}

/* What the plain network gives for the views, by their weights. */
static void mean_of_views(const vt_model *model, const vt_view_options *options,
                          const float *pixels, float *out)
{
    float seen[ROWS * NUMBERS], one[2 * ROWS * 2];
    int turns = options->mirror ? 2 : 1, moves = options->shift > 0 ? 3 : 1;
    for (int i = 0; i < 2 * ROWS * 2; i++)
        out[i] = 0;
    for (int v = 0; v < turns * moves; v++) {
        int move = v / turns;
        float weight = moves == 1 ? 1 : move == 0 ? 0.5f : 0.25f;
        view(pixels, v % turns == 1, move == 0 ? 0 : (int)options->shift * (move == 1 ? 1 : -1),
             seen);
        run(model, seen, ROWS, one);
        for (int i = 0; i < 2 * ROWS * 2; i++)
            out[i] += weight / (float)turns * one[i];
    }
}

static void outputs_are_means_of_views(void **state)
{
    static const char *const outputs[] = {"scores", "features"};
    static const vt_view_options cases[] = {{true, 0}, {false, 1}, {true, 1}, {true, 2}};
    const vt_shape picture = vt_shape_of(4, (int64_t[]){-1, CHANNELS, HEIGHT, WIDTH});
    float pixels[ROWS * NUMBERS];
    float plain[2 * ROWS * 2], want[2 * ROWS * 2], got[2 * ROWS * 2], one[2 * 2];
    vt_model *model = network(&picture);
    vt_random random;
    (void)state;
    vt_random_init(&random, 3);
    for (int i = 0; i < ROWS * NUMBERS; i++)
        pixels[i] = (float)vt_random_normal(&random);
    run(model, pixels, ROWS, plain);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        vt_model *several = NULL;
        double differ = 0;
        assert_int_equal(vt_model_with_views(model, &cases[c], outputs, 2, &several, NULL), VT_OK);
        assert_string_equal(vt_model_output(several, 0).name, "features");
        mean_of_views(model, &cases[c], pixels, want);
        run(several, pixels, ROWS, got);
        for (int i = 0; i < 2 * ROWS * 2; i++) {
            assert_true(fabsf(got[i] - want[i]) < 1e-5f);
            differ = fmax(differ, fabs((double)got[i] - (double)plain[i]));
        }
        assert_true(differ > 0.05); /* the views are not the same */
        run(several, pixels, 1, one);
        assert_true(fabsf(one[0] - got[0]) < 1e-6f && fabsf(one[2] - got[ROWS * 2]) < 1e-6f);
        vt_model_free(several);
    }
    vt_model_free(model);
}

static void refused(const vt_model *model, const vt_view_options *options, const char *output,
                    vt_status status, const char *word)
{
    vt_model *several = NULL;
    vt_error error = {0};
    assert_int_equal(vt_model_with_views(model, options, &output, 1, &several, &error), status);
    assert_non_null(strstr(error.message, word));
    assert_null(several);
}

static void other_networks_are_refused(void **state)
{
    const vt_view_options mirror = {.mirror = true}, shift = {.shift = 1}, far = {.shift = HEIGHT};
    const vt_shape wide = vt_shape_of(4, (int64_t[]){-1, CHANNELS, HEIGHT, -1});
    const vt_shape high = vt_shape_of(4, (int64_t[]){-1, CHANNELS, -1, WIDTH});
    const vt_shape picture = vt_shape_of(4, (int64_t[]){-1, CHANNELS, HEIGHT, WIDTH});
    (void)state;
    vt_model *model = network(&wide);
    refused(model, &mirror, "scores", VT_ERR_UNSUPPORTED, "width");
    vt_model_free(model);
    model = network(&high);
    refused(model, &shift, "scores", VT_ERR_UNSUPPORTED, "size");
    vt_model_free(model);
    model = network(&picture);
    refused(model, &mirror, "nothing", VT_ERR_NOT_FOUND, "\"nothing\"");
    refused(model, &far, "scores", VT_ERR_USAGE, "4 x 3");
    vt_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_are_means_of_views),
        cmocka_unit_test(other_networks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
