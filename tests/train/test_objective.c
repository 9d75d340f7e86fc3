/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The summed loss of several heads on one trunk: its value and gradients are those of the single
 * losses added up and those of central differences, and photos that lack a label are in a head's
 * loss as if they were not in the batch.
 */
#include "support/scratch.h"

#include "base/random.h"
#include "train/objective.h"

#include <math.h>

enum { ROWS = 12, SIDE = 4, PIXELS = 3 * SIDE * SIDE, DIM = 6, TRUNK = PIXELS * DIM };
enum { KIND, COLOR, TAGS, PRODUCT, COLUMNS };
static const char *const names[COLUMNS] = {"kind", "color", "tags", "product"};
static const int classes[COLUMNS] = {2, 3, 3, 4};

/* What a photo has: a letter for each value, "" for none. */
static const char *const rows[ROWS][COLUMNS] = {
    {"a", "r", "x", "1"},   {"b", "g", "xy", "2"}, {"a", "", "z", "3"},   {"", "b", "", "4"},
    {"b", "r", "xyz", "1"}, {"a", "g", "", ""},    {"", "", "y", "2"},    {"b", "b", "zx", ""},
    {"a", "r", "", "3"},    {"b", "", "", "4"},    {"a", "b", "yz", "1"}, {"", "g", "x", ""},
};

/* A run as far as its loss: data, network, model. */
typedef struct bench {
    vt_recipe recipe;
    vt_run_state run;
    vt_training *training;
    float pixels[ROWS * PIXELS];
    vt_batch batch;
} bench;

static vt_value_id weight(vt_builder *builder, const char *name, int in, int out, uint64_t seed)
{
    float values[TRUNK];
    vt_random random;
    const vt_shape shape = vt_shape_of(2, (int64_t[]){in, out});
    vt_random_init(&random, seed);
    for (int i = 0; i < in * out; i++)
        values[i] = (float)vt_random_normal(&random) * 0.3f;
    return vt_builder_floats(builder, name, &shape, values);
}

static vt_value_id linear(vt_builder *builder, vt_value_id x, vt_value_id w)
{
    return vt_builder_node(builder, "MatMul", NULL, (vt_value_id[]){x, w}, 2);
}

static vt_model *make_network(void)
{
    vt_builder *builder;
    vt_model *model;
    vt_error error;
    const vt_shape picture = vt_shape_of(4, (int64_t[]){-1, 3, SIDE, SIDE});
    assert_int_equal(vt_builder_new(NULL, &builder, NULL), VT_OK);
    vt_value_id x = vt_builder_input(builder, "image", VT_F32, &picture);
    x = vt_builder_node(builder, "Flatten", "axis=1", &x, 1);
    x = linear(builder, x, weight(builder, "trunk", PIXELS, DIM, 1));
    x = vt_builder_node(builder, "Tanh", NULL, &x, 1);
    vt_value_id kind = linear(builder, x, weight(builder, "head.kind", DIM, classes[KIND], 2));
    vt_value_id color = linear(builder, x, weight(builder, "head.color", DIM, classes[COLOR], 3));
    vt_value_id tags = linear(builder, x, weight(builder, "head.tags", DIM, classes[TAGS], 4));
    vt_builder_output(builder, "logits.kind", kind);
    vt_builder_output(builder, "logits.color", color);
    vt_builder_output(builder, "logits.tags", tags);
    vt_builder_output(builder, "embedding", x);
    if (vt_builder_finish(builder, &model, &error) != VT_OK)
        fail_msg("%s", error.message);
    return model;
}

static void fill_data(vt_run_state *run)
{
    assert_int_equal(vt_dataset_new("data", &run->data, NULL), VT_OK);
    assert_int_equal(vt_heads_set_columns(&run->heads, run->data, NULL), VT_OK);
    for (int i = 0; i < ROWS; i++) {
        char values[COLUMNS][4][2] = {{{0}}};
        const char *items[COLUMNS][4];
        vt_label_texts labels[COLUMNS];
        for (size_t h = 0; h < run->heads.count; h++) {
            size_t c = 0, count = 0;
            while (strcmp(names[c], run->heads.items[h].name) != 0)
                c++;
            for (; rows[i][c][count] != '\0'; count++) {
                values[h][count][0] = rows[i][c][count];
                items[h][count] = values[h][count];
            }
            labels[h] = (vt_label_texts){items[h], count};
        }
        const vt_example_text row = {"x.jpg", NULL, NULL, VT_SPLIT_TRAIN};
        assert_int_equal(vt_dataset_add_labelled(run->data, &row, labels, NULL), VT_OK);
    }
    assert_int_equal(vt_dataset_finish(run->data, NULL), VT_OK);
}

static bench *start(const char *loss, const char *augment, const char *seed)
{
    bench *b = test_calloc(1, sizeof(*b));
    vt_run_state *run = &b->run;
    vt_error error;
    vt_random random;
    const char *const settings[] = {"arch", "resnet9", "loss",    loss,    "batch", "12",
                                    "seed", seed,      "augment", augment, NULL};
    assert_int_equal(vt_recipe_init(&b->recipe, NULL), VT_OK);
    for (const char *const *s = settings; *s != NULL; s += 2)
        assert_int_equal(vt_recipe_set(&b->recipe, s[0], s[1], NULL), VT_OK);
    assert_int_equal(vt_recipe_check(&b->recipe, NULL), VT_OK);
    run->recipe = &b->recipe;
    run->contract.pixels.width = run->contract.pixels.height = SIDE;
    run->dim = DIM;
    run->embedding = vt_strdup("embedding");
    if (vt_heads_parse(&b->recipe, &run->heads, &error) != VT_OK)
        fail_msg("%s", error.message);
    fill_data(run);
    run->network = make_network();
    if (vt_objective_add(run, &error) != VT_OK)
        fail_msg("%s", error.message);
    vt_training_options options = vt_training_options_defaults();
    static const char *const trained[] = {"trunk"};
    options.loss = VT_OBJECTIVE_LOSS;
    options.parameters = trained;
    options.parameter_count = 1;
    options.threads = 1;
    if (vt_training_new(run->model, &options, &b->training, &error) != VT_OK)
        fail_msg("%s", error.message);
    vt_random_init(&random, 9);
    for (int i = 0; i < ROWS * PIXELS; i++)
        b->pixels[i] = (float)vt_random_normal(&random);
    return b;
}

static void end(bench *b)
{
    vt_training_free(b->training);
    vt_objective_remove(&b->run);
    vt_model_free(b->run.model);
    vt_model_free(b->run.network);
    vt_dataset_free(b->run.data);
    vt_free(b->run.embedding);
    vt_recipe_deinit(&b->recipe);
    test_free(b);
}

/* The loss of these rows; share of its own label that each picture keeps. */
static float step(bench *b, const uint32_t *order, size_t count, float share)
{
    float pixels[ROWS * PIXELS], loss = 0;
    vt_tensor inputs[VT_OBJECTIVE_INPUTS];
    size_t input_count;
    vt_error error;
    for (size_t i = 0; i < count; i++)
        memcpy(pixels + i * PIXELS, b->pixels + order[i] * PIXELS, PIXELS * sizeof(float));
    b->batch = (vt_batch){pixels, order, count, share};
    if (vt_objective_inputs(&b->run, &b->batch, inputs, &input_count, &error) != VT_OK ||
        vt_training_step(b->training, inputs, input_count, &loss, NULL, &error) != VT_OK)
        fail_msg("%s", error.message);
    return loss;
}

static const uint32_t all[ROWS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

/* Value and gradient of a loss over rows, which are then let go. */
static float measure_rows(const char *loss, const char *seed, const uint32_t *order, size_t count,
                          float *gradient)
{
    bench *b = start(loss, "none", seed);
    float value = step(b, order, count, 1);
    memcpy(gradient, vt_training_parameter(b->training, 0).gradient, TRUNK * sizeof(float));
    end(b);
    return value;
}

static void must_be_near(double got, double want, double tolerance, const char *what)
{
    if (!(fabs(got - want) <= tolerance * (1 + fabs(want))))
        fail_msg("%s: %g, wanted %g", what, got, want);
}

static void it_is_the_sum_of_its_heads(void **state)
{
    (void)state;
    /* Class weights of a margin loss start by the seed and the head's place. */
    static const struct {
        const char *loss, *seed;
        double weight;
    } single[] = {{"ce:kind", "1", 1},
                  {"ce(smoothing=0.1):color", "1", 0.5},
                  {"bce:tags", "1", 2},
                  {"cosface(scale=8):product", "4", 0.25}};
    float gradient[TRUNK], one[TRUNK];
    double sum[TRUNK] = {0}, value = 0;
    float got = measure_rows("ce:kind,ce(smoothing=0.1):color=0.5,bce:tags=2,"
                             "cosface(scale=8):product=0.25",
                             "1", all, ROWS, gradient);
    for (int i = 0; i < 4; i++) {
        double loss = (double)measure_rows(single[i].loss, single[i].seed, all, ROWS, one);
        assert_true(loss > 0.01);
        value += single[i].weight * loss;
        for (int j = 0; j < TRUNK; j++)
            sum[j] += single[i].weight * (double)one[j];
    }
    must_be_near((double)got, value, 1e-5, "loss");
    for (int j = 0; j < TRUNK; j++)
        must_be_near((double)gradient[j], sum[j], 1e-5, "gradient");
}

static void gradients_are_central_differences(void **state)
{
    (void)state;
    static const char *const augments[] = {"none", "mixup=0.2"};
    static const char *const losses[] = {
        "ce:kind,mse:color=3,bce:tags=2,triplet(margin=0.7):product",
        "ce:kind,ce:color=0.5,mse:color=3,bce:tags=2"};
    for (int a = 0; a < 2; a++) {
        bench *b = start(losses[a], augments[a], "1");
        float share = a == 0 ? 1 : 0.7f, gradient[TRUNK];
        step(b, all, ROWS, share);
        vt_parameter trunk = vt_training_parameter(b->training, 0);
        memcpy(gradient, trunk.gradient, sizeof(gradient));
        double largest = 0;
        for (int j = 0; j < TRUNK; j++)
            largest = fmax(largest, fabs((double)gradient[j]));
        assert_true(largest > 0.05);
        for (int j = 0; j < TRUNK; j += 17) {
            const float h = 4e-3f;
            float keep = trunk.value[j];
            trunk.value[j] = keep + h;
            double above = (double)step(b, all, ROWS, share);
            trunk.value[j] = keep - h;
            double below = (double)step(b, all, ROWS, share);
            trunk.value[j] = keep;
            must_be_near((double)gradient[j], (above - below) / (2 * (double)h),
                         2e-3 * largest + 1e-4, "difference");
        }
        end(b);
    }
}

/* A head's loss over a batch is that over those of its rows that have the label. */
static void rows_without_a_label_do_not_count(void **state)
{
    (void)state;
    static const char *const losses[] = {"ce:kind",  "ce:color",       "mse:color",      "bce:tags",
                                         "mse:kind", "supcon:product", "cosface:product"};
    static const int columns[] = {KIND, COLOR, COLOR, TAGS, KIND, PRODUCT, PRODUCT};
    for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
        uint32_t order[ROWS];
        float whole[TRUNK], part[TRUNK];
        size_t count = 0;
        for (uint32_t r = 0; r < ROWS; r++)
            if (rows[r][columns[i]][0] != '\0')
                order[count++] = r;
        assert_true(count < ROWS && count > 6);
        float a = measure_rows(losses[i], "1", all, ROWS, whole);
        float c = measure_rows(losses[i], "1", order, count, part);
        must_be_near((double)a, (double)c, 1e-5, losses[i]);
        for (int j = 0; j < TRUNK; j++)
            must_be_near((double)whole[j], (double)part[j], 1e-5, losses[i]);
        /* In a batch without any it is nothing. */
        static const uint32_t none[COLUMNS][2] = {{3, 6}, {2, 6}, {5, 8}, {5, 7}};
        assert_true(measure_rows(losses[i], "1", none[columns[i]], 2, part) == 0.0f);
        for (int j = 0; j < TRUNK; j++)
            assert_true(part[j] == 0.0f);
    }
}

/* Two labels of a mixed picture: what is known of them counts by its share. */
static void shares_of_mixed_pictures(void **state)
{
    (void)state;
    static const uint32_t pair[2] = {0, 2}; /* color r, and none */
    bench *b = start("ce:color,bce:tags", "mixup=0.2", "1");
    vt_tensor inputs[VT_OBJECTIVE_INPUTS];
    size_t count;
    float pixels[2 * PIXELS] = {0};
    b->batch = (vt_batch){pixels, pair, 2, 0.75f};
    assert_int_equal(vt_objective_inputs(&b->run, &b->batch, inputs, &count, NULL), VT_OK);
    assert_int_equal(count, 3);
    static const float color[6] = {0, 0, 0.75f, 0, 0, 0.25f}; /* b g r */
    static const float tags[6] = {0.75f, 0, 0.25f, 0.25f, 0, 0.75f};
    assert_memory_equal(inputs[1].data, color, sizeof(color));
    assert_memory_equal(inputs[2].data, tags, sizeof(tags));
    static const uint32_t unknown[2] = {0, 5}; /* no tags */
    b->batch.order = unknown;
    assert_int_equal(vt_objective_inputs(&b->run, &b->batch, inputs, &count, NULL), VT_OK);
    for (int i = 0; i < 6; i++)
        assert_true(((const float *)inputs[2].data)[i] == -1.0f);
    end(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_sum_of_its_heads),
        cmocka_unit_test(gradients_are_central_differences),
        cmocka_unit_test(rows_without_a_label_do_not_count),
        cmocka_unit_test(shares_of_mixed_pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
