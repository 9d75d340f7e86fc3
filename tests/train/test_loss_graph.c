/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of all losses against central differences of their formulas in double: by scores,
 * embeddings and what a loss trains itself; finite where a batch lacks positives, negatives or
 * labels, and for equal rows.
 */
#include "support/scratch.h"

#include "base/random.h"
#include "nn/training.h"
#include "nn/weights.h"
#include "train/loss.h"
#include "train/loss_naive.h"

enum { INPUTS = 5 };

static void fill(float *values, int count, double deviation, vt_random *random)
{
    for (int i = 0; i < count; i++)
        values[i] = (float)(vt_random_normal(random) * deviation);
}

static naive_batch batch(uint64_t seed)
{
    naive_batch b = {0};
    vt_random random;
    vt_random_init(&random, seed);
    fill(b.logits, ROWS * CLASSES, 2, &random);
    fill(b.embedding, ROWS * DIM, 1, &random);
    fill(b.teacher_logits, ROWS * CLASSES, 2, &random);
    fill(b.teacher_embedding, ROWS * TEACHER_DIM, 1, &random);
    fill(b.same_embedding, ROWS * DIM, 1, &random);
    fill(b.weight, CLASSES * DIM, 1, &random);
    fill(b.projection, DIM * TEACHER_DIM, 1, &random);
    for (int i = 0; i < ROWS * CLASSES; i++)
        b.targets[i] = (float)vt_random_double(&random);
    for (int i = 0; i < ROWS; i++)
        b.labels[i] = (int64_t)vt_random_below(&random, CLASSES);
    return b;
}

/* ---- scores and embeddings as trained weights ---- */

static vt_value_id matrix(vt_builder *builder, const char *name, int columns)
{
    return vt_builder_input(builder, name, VT_F32, &(vt_shape){.rank = 2, .dims = {ROWS, columns}});
}

static vt_model *loss_model(const char *text, bool targets, bool same_dim, const naive_batch *b)
{
    vt_builder *builder;
    vt_model *model = NULL;
    vt_loss loss;
    vt_value_id scalar;
    vt_error error = {0};
    vt_loss_inputs inputs = vt_loss_inputs_defaults();
    const vt_shape scores = {.rank = 2, .dims = {ROWS, CLASSES}};
    const vt_shape vectors = {.rank = 2, .dims = {ROWS, DIM}};
    assert_int_equal(vt_loss_parse(text, &loss, &error), VT_OK);
    assert_int_equal(vt_builder_new(NULL, &builder, NULL), VT_OK);
    inputs.logits = vt_builder_floats(builder, "logits", &scores, b->logits);
    inputs.embedding = vt_builder_floats(builder, "embedding", &vectors, b->embedding);
    inputs.labels =
        vt_builder_input(builder, "labels", VT_I64, &(vt_shape){.rank = 1, .dims = {ROWS}});
    vt_value_id given = matrix(builder, "targets", CLASSES);
    inputs.targets = targets ? given : VT_NO_VALUE;
    inputs.teacher_logits = matrix(builder, "teacher_logits", CLASSES);
    vt_value_id small = matrix(builder, "teacher_embedding", TEACHER_DIM);
    vt_value_id same = matrix(builder, "same_embedding", DIM);
    inputs.teacher_embedding = same_dim ? same : small;
    inputs.teacher_dim = same_dim ? DIM : TEACHER_DIM;
    inputs.classes = CLASSES;
    inputs.dim = DIM;
    vt_loss_add(builder, &loss, &inputs, &scalar);
    vt_builder_output(builder, "loss", scalar);
    if (vt_builder_finish(builder, &model, &error) != VT_OK)
        fail_msg("%s: %s", text, error.message);
    return model;
}

static vt_tensor view(void *data, vt_dtype dtype, int rank, int columns)
{
    vt_tensor t = {.dtype = dtype, .shape = {.rank = rank, .dims = {ROWS, columns}}, .data = data};
    t.bytes = ROWS * (rank == 2 ? (size_t)columns : 1) * vt_dtype_bytes(dtype);
    return t;
}

static vt_training *start(const char *text, const vt_model *model)
{
    vt_training *training = NULL;
    vt_error error = {0};
    vt_training_options options = vt_training_options_defaults();
    const char *names[3];
    options.loss = "loss";
    options.parameters = names;
    if (strstr(text, "ce") == text || strcmp(text, "bce") == 0 || strcmp(text, "mse") == 0 ||
        strcmp(text, "kd") == 0)
        names[options.parameter_count++] = "logits";
    else
        names[options.parameter_count++] = "embedding";
    if (strstr(text, "arcface") == text)
        names[options.parameter_count++] = "loss.arcface.weight";
    if (strstr(text, "cosface") == text)
        names[options.parameter_count++] = "loss.cosface.weight";
    if (strcmp(text, "kd-cosine") == 0)
        names[options.parameter_count++] = "loss.kd-cosine.projection";
    if (vt_training_new(model, &options, &training, &error) != VT_OK)
        fail_msg("%s: %s", text, error.message);
    return training;
}

static float step(vt_training *training, naive_batch *b)
{
    float loss = 0;
    vt_error error = {0};
    const vt_tensor inputs[6] = {view(b->labels, VT_I64, 1, 0),
                                 view(b->targets, VT_F32, 2, CLASSES),
                                 view(b->teacher_logits, VT_F32, 2, CLASSES),
                                 view(b->teacher_embedding, VT_F32, 2, TEACHER_DIM),
                                 view(b->same_embedding, VT_F32, 2, DIM)};
    if (vt_training_step(training, inputs, INPUTS, &loss, NULL, &error) != VT_OK)
        fail_msg("%s", error.message);
    return loss;
}

/* The batch's own numbers that a trained weight stands for. */
static float *numbers_of(naive_batch *b, const char *name)
{
    if (strcmp(name, "logits") == 0)
        return b->logits;
    if (strcmp(name, "embedding") == 0)
        return b->embedding;
    return strstr(name, "projection") != NULL ? b->projection : b->weight;
}

/* ---- losses ---- */

typedef double naive(const naive_batch *b);

static double ce(const naive_batch *b)
{
    return naive_ce(b, 0.1, NULL);
}
static double mse(const naive_batch *b)
{
    return naive_mse(b->logits, b->targets, ROWS * CLASSES);
}
static double contrastive(const naive_batch *b)
{
    return naive_contrastive(b, 1);
}
static double triplet(const naive_batch *b)
{
    return naive_triplet(b, 0.2, 0);
}
static double triplet_soft(const naive_batch *b)
{
    return naive_triplet(b, 0, 1);
}
static double triplet_semi(const naive_batch *b)
{
    return naive_triplet_semi(b, 0.2);
}
static double supcon(const naive_batch *b)
{
    return naive_supcon(b, 0.1);
}
static double arcface(const naive_batch *b)
{
    return naive_margin(b, 0.5, 8, 1);
}
static double cosface(const naive_batch *b)
{
    return naive_margin(b, 0.35, 8, 0);
}
static double kd(const naive_batch *b)
{
    return naive_kd(b, 4);
}
static double kd_mse(const naive_batch *b)
{
    return naive_mse(b->embedding, b->same_embedding, ROWS * DIM);
}

static const struct {
    const char *text;
    bool targets, same_dim;
    naive *formula;
} cases[] = {
    {"ce(smoothing=0.1)", 0, 0, ce},
    {"ce", 1, 0, naive_soft_ce},
    {"bce", 1, 0, naive_bce},
    {"mse", 1, 0, mse},
    {"contrastive", 0, 0, contrastive},
    {"triplet", 0, 0, triplet},
    {"triplet(soft=1)", 0, 0, triplet_soft},
    {"triplet-semi", 0, 0, triplet_semi},
    {"multi-similarity", 0, 0, naive_multi_similarity},
    {"supcon", 0, 0, supcon},
    {"nt-xent", 0, 0, supcon},
    {"arcface(scale=8)", 0, 0, arcface},
    {"cosface(scale=8)", 0, 0, cosface},
    {"kd", 0, 0, kd},
    {"kd-cosine", 0, 0, naive_kd_cosine},
    {"kd-mse", 0, 1, kd_mse},
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

/* ---- differences ---- */

static double slope(naive_batch *b, float *at, naive *formula)
{
    float before = *at;
    *at = before + 1e-3F;
    double high = formula(b), top = (double)*at;
    *at = before - 1e-3F;
    double low = formula(b), bottom = (double)*at;
    *at = before;
    return (high - low) / (top - bottom);
}

static void check_parameter(const char *text, vt_parameter p, naive_batch *b, naive *formula)
{
    double largest = 0, wanted[ROWS * DIM > ROWS * CLASSES ? ROWS * DIM : ROWS * CLASSES];
    float *numbers = numbers_of(b, p.name);
    for (size_t i = 0; i < p.count; i++) {
        wanted[i] = slope(b, &numbers[i], formula);
        largest = fmax(largest, fabs(wanted[i]));
    }
    assert_true(largest > 1e-6);
    for (size_t i = 0; i < p.count; i++)
        if (!(fabs((double)p.gradient[i] - wanted[i]) <= 5e-3 * largest))
            fail_msg("%s, %s[%zu]: %.6g instead of %.6g", text, p.name, i, (double)p.gradient[i],
                     wanted[i]);
}

static void test_gradients(void **state)
{
    (void)state;
    for (size_t c = 0; c < CASES; c++)
        for (uint64_t seed = 1; seed < 4; seed++) {
            naive_batch b = batch(seed);
            vt_model *model = loss_model(cases[c].text, cases[c].targets, cases[c].same_dim, &b);
            vt_training *training = start(cases[c].text, model);
            for (size_t i = 0; i < vt_training_parameter_count(training); i++) {
                vt_parameter p = vt_training_parameter(training, i);
                memcpy(p.value, numbers_of(&b, p.name), p.count * sizeof(*p.value));
            }
            double loss = (double)step(training, &b), wanted = cases[c].formula(&b);
            assert_true(fabs(loss - wanted) <= 1e-4 * (1 + fabs(wanted)));
            for (size_t i = 0; i < vt_training_parameter_count(training); i++)
                check_parameter(cases[c].text, vt_training_parameter(training, i), &b,
                                cases[c].formula);
            vt_training_free(training);
            vt_model_free(model);
        }
}

static const int64_t label_sets[][ROWS] = {
    {1, 1, 1, 1, 1, 1, 1, 1},
    {0, 0, -1, 1, 1, -1, 2, -1},
    {-1, -1, -1, -1, -1, -1, -1, -1},
    {3, -1, -1, -1, -1, -1, -1, -1},
};

/* Every label set, with embeddings as they come, all equal, and zero. */
static void test_degenerate_batches(void **state)
{
    (void)state;
    for (size_t c = 0; c < CASES; c++) {
        naive_batch b = batch(9);
        vt_model *model = loss_model(cases[c].text, cases[c].targets, cases[c].same_dim, &b);
        vt_training *training = start(cases[c].text, model);
        for (size_t set = 0; set < 3 * sizeof(label_sets) / sizeof(label_sets[0]); set++) {
            vt_parameter p = vt_training_parameter(training, 0);
            memcpy(b.labels, label_sets[set / 3], sizeof(b.labels));
            for (size_t j = 0; j < p.count; j++)
                p.value[j] = set % 3 == 0 ? b.embedding[j % 8] : set % 3 == 1 ? 1 : 0;
            assert_true(isfinite(step(training, &b)));
            for (size_t i = 0; i < vt_training_parameter_count(training); i++) {
                p = vt_training_parameter(training, i);
                for (size_t j = 0; j < p.count; j++)
                    if (!isfinite(p.gradient[j]))
                        fail_msg("%s, set %zu: %s[%zu]", cases[c].text, set, p.name, j);
            }
        }
        vt_training_free(training);
        vt_model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_degenerate_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
