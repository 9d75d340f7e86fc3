/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Losses against their formulas in double on both executors, with batches that lack positives,
 * negatives or labels, and with scores that break naive exponentials; what text they are described
 * by.
 */
#include "support/scratch.h"

#include "base/random.h"
#include "nn/weights.h"
#include "train/loss.h"
#include "train/loss_naive.h"

static const float class_weights[CLASSES] = {1, 0.5F, 2, 3};

/* ---- a network that is its inputs ---- */

typedef struct options {
    bool targets, weights, same_dim;
} options;

static vt_value_id matrix(vt_builder *builder, const char *name, int columns)
{
    return vt_builder_input(builder, name, VT_F32, &(vt_shape){.rank = 2, .dims = {-1, columns}});
}

static vt_model *loss_model(const char *text, options o)
{
    vt_builder *builder;
    vt_model *model = NULL;
    vt_loss loss;
    vt_value_id scalar;
    vt_error error = {0};
    vt_loss_inputs inputs = vt_loss_inputs_defaults();
    if (vt_loss_parse(text, &loss, &error) != VT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(vt_builder_new(NULL, &builder, NULL), VT_OK);
    inputs.logits = matrix(builder, "logits", CLASSES);
    inputs.embedding = matrix(builder, "embedding", DIM);
    inputs.labels =
        vt_builder_input(builder, "labels", VT_I64, &(vt_shape){.rank = 1, .dims = {-1}});
    vt_value_id targets = matrix(builder, "targets", CLASSES);
    inputs.targets = o.targets ? targets : VT_NO_VALUE;
    inputs.teacher_logits = matrix(builder, "teacher_logits", CLASSES);
    vt_value_id small = matrix(builder, "teacher_embedding", TEACHER_DIM);
    vt_value_id same = matrix(builder, "same_embedding", DIM);
    inputs.teacher_embedding = o.same_dim ? same : small;
    inputs.teacher_dim = o.same_dim ? DIM : TEACHER_DIM;
    inputs.classes = CLASSES;
    inputs.dim = DIM;
    inputs.class_weights = o.weights ? class_weights : NULL;
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

static double run(const vt_model *model, naive_batch *b, vt_executor executor)
{
    vt_session *session;
    vt_tensor output;
    vt_error error = {0};
    const vt_tensor inputs[7] = {view(b->logits, VT_F32, 2, CLASSES),
                                 view(b->embedding, VT_F32, 2, DIM),
                                 view(b->labels, VT_I64, 1, 0),
                                 view(b->targets, VT_F32, 2, CLASSES),
                                 view(b->teacher_logits, VT_F32, 2, CLASSES),
                                 view(b->teacher_embedding, VT_F32, 2, TEACHER_DIM),
                                 view(b->same_embedding, VT_F32, 2, DIM)};
    vt_session_options session_options = vt_session_options_defaults();
    session_options.executor = executor;
    assert_int_equal(vt_session_new(model, &session_options, &session, &error), VT_OK);
    if (vt_session_run(session, inputs, 7, &output, &error) != VT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(vt_tensor_count(&output), 1);
    assert_int_equal(output.shape.rank, 0);
    double value = (double)*(const float *)output.data;
    vt_session_free(session);
    return value;
}

/* ---- batches ---- */

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
    for (int i = 0; i < ROWS * CLASSES; i++)
        b.targets[i] = (float)vt_random_double(&random);
    for (int i = 0; i < ROWS; i++)
        b.labels[i] = (int64_t)vt_random_below(&random, CLASSES);
    return b;
}

static void read_weight(const vt_model *model, const char *name, float *values, size_t count)
{
    vt_tensor tensor;
    assert_int_equal(vt_model_weight_read(model, name, &tensor, NULL), VT_OK);
    assert_int_equal(vt_tensor_count(&tensor), count);
    memcpy(values, tensor.data, count * sizeof(float));
    vt_tensor_deinit(&tensor);
}

/* ---- one loss ---- */

typedef double naive(const naive_batch *b);

static void check(const char *text, options o, naive *formula, naive_batch b)
{
    vt_model *model = loss_model(text, o);
    if (strstr(text, "arcface") != NULL)
        read_weight(model, "loss.arcface.weight", b.weight, CLASSES * DIM);
    if (strstr(text, "cosface") != NULL)
        read_weight(model, "loss.cosface.weight", b.weight, CLASSES * DIM);
    if (strstr(text, "kd-cosine") != NULL)
        read_weight(model, "loss.kd-cosine.projection", b.projection, DIM * TEACHER_DIM);
    double wanted = formula(&b);
    for (int executor = 0; executor < 2; executor++) {
        double value = run(model, &b, executor == 0 ? VT_EXECUTOR_ONEDNN : VT_EXECUTOR_REFERENCE);
        if (!(fabs(value - wanted) <= 2e-5 + 2e-5 * fabs(wanted)))
            fail_msg("%s: %.8g instead of %.8g", text, value, wanted);
    }
    vt_model_free(model);
}

static double ce(const naive_batch *b)
{
    return naive_ce(b, 0, NULL);
}
static double ce_smooth(const naive_batch *b)
{
    return naive_ce(b, 0.1, NULL);
}
static double ce_weighted(const naive_batch *b)
{
    return naive_ce(b, 0.2, class_weights);
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
static double nt_xent(const naive_batch *b)
{
    return naive_supcon(b, 0.5);
}
static double arcface(const naive_batch *b)
{
    return naive_margin(b, 0.5, 64, 1);
}
static double arcface_wide(const naive_batch *b)
{
    return naive_margin(b, 1.5, 4, 1);
}
static double cosface(const naive_batch *b)
{
    return naive_margin(b, 0.35, 64, 0);
}
static double kd(const naive_batch *b)
{
    return naive_kd(b, 4);
}
static double kd_mse(const naive_batch *b)
{
    return naive_mse(b->embedding, b->same_embedding, ROWS * DIM);
}
static double weighted_sum(const naive_batch *b)
{
    return 2 * naive_ce(b, 0.1, NULL) + 0.5 * naive_triplet(b, 0.3, 0) + naive_supcon(b, 0.1);
}

static const struct {
    const char *text;
    options options;
    naive *formula;
} cases[] = {
    {"ce", {0}, ce},
    {"ce(smoothing=0.1)", {0}, ce_smooth},
    {"ce(smoothing=0.2)", {.weights = true}, ce_weighted},
    {"ce", {.targets = true}, naive_soft_ce},
    {"bce", {.targets = true}, naive_bce},
    {"mse", {.targets = true}, mse},
    {"contrastive", {0}, contrastive},
    {"triplet", {0}, triplet},
    {"triplet(soft=1)", {0}, triplet_soft},
    {"triplet-semi", {0}, triplet_semi},
    {"multi-similarity", {0}, naive_multi_similarity},
    {"supcon", {0}, supcon},
    {"nt-xent(temperature=0.5)", {0}, nt_xent},
    {"arcface", {0}, arcface},
    {"arcface(margin=1.5,scale=4)", {0}, arcface_wide},
    {"cosface", {0}, cosface},
    {"kd", {0}, kd},
    {"kd-cosine", {0}, naive_kd_cosine},
    {"kd-mse", {.same_dim = true}, kd_mse},
    {"ce(smoothing=0.1)=2,triplet(margin=0.3)=0.5,supcon", {0}, weighted_sum},
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static void test_formulas(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++)
        for (uint64_t seed = 1; seed < 4; seed++)
            check(cases[i].text, cases[i].options, cases[i].formula, batch(seed));
}

/* ---- degenerate batches ---- */

static const int64_t label_sets[][ROWS] = {
    {1, 1, 1, 1, 1, 1, 1, 1},         /* no negatives */
    {0, 1, 2, 3, 4, 5, 6, 7},         /* no positives; for losses without class weights */
    {0, 0, -1, 1, 1, -1, 2, -1},      /* some unknown */
    {-1, -1, -1, -1, -1, -1, -1, -1}, /* nothing known */
    {0, 0, 1, 1, 2, 2, 3, 3},         /* every row has one positive */
};

static void test_degenerate_labels(void **state)
{
    (void)state;
    for (size_t set = 0; set < sizeof(label_sets) / sizeof(label_sets[0]); set++)
        for (size_t i = 0; i < CASES; i++) {
            bool classes =
                strncmp(cases[i].text, "ce", 2) == 0 || strstr(cases[i].text, "face") != NULL;
            naive_batch b = batch(9);
            memcpy(b.labels, label_sets[set], sizeof(b.labels));
            for (int r = 0; r < ROWS && classes; r++)
                b.labels[r] = b.labels[r] < CLASSES ? b.labels[r] : b.labels[r] % CLASSES;
            check(cases[i].text, cases[i].options, cases[i].formula, b);
        }
}

/* Targets of attributes that are not known do not count. */
static void test_unknown_targets(void **state)
{
    (void)state;
    naive_batch b = batch(3);
    for (int i = 0; i < ROWS * CLASSES; i += 3)
        b.targets[i] = -1;
    check("bce", (options){.targets = true}, naive_bce, b);
}

/* Huge scores, equal rows, rows of zeros: finite on both executors. */
static void test_extremes(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        vt_model *model = loss_model(cases[i].text, cases[i].options);
        for (int kind = 0; kind < 3; kind++) {
            naive_batch b = batch(5);
            for (int j = 0; j < ROWS * CLASSES; j++)
                b.logits[j] = kind == 0 ? (j % 2 == 0 ? 1e4F : -1e4F) : 0;
            for (int j = 0; j < ROWS * DIM; j++)
                b.embedding[j] = kind == 0 ? 1e6F : kind == 1 ? 0 : (float)(j % DIM);
            for (int e = 0; e < 2; e++) {
                double value = run(model, &b, e == 0 ? VT_EXECUTOR_ONEDNN : VT_EXECUTOR_REFERENCE);
                if (!isfinite(value))
                    fail_msg("%s, kind %d: %g", cases[i].text, kind, value);
            }
        }
        vt_model_free(model);
    }
}

/* ---- text ---- */

static void refused(const char *text, const char *part)
{
    vt_loss loss;
    vt_error error = {0};
    assert_int_equal(vt_loss_parse(text, &loss, &error), VT_ERR_USAGE);
    if (strstr(error.message, part) == NULL)
        fail_msg("\"%s\": \"%s\" does not say \"%s\"", text, error.message, part);
}

static void test_text(void **state)
{
    (void)state;
    vt_loss loss;
    assert_int_equal(vt_loss_parse("arcface=1,triplet(margin=0.3,soft=0)=0.5,ce", &loss, NULL),
                     VT_OK);
    assert_int_equal(loss.count, 3);
    assert_true(loss.terms[1].weight == 0.5 && loss.terms[1].parameters[0] == 0.3);
    assert_true(loss.terms[0].parameters[0] == 0.5 && loss.terms[0].parameters[1] == 64);
    assert_int_equal(loss.needs, VT_LOSS_EMBEDDING | VT_LOSS_LABELS | VT_LOSS_LOGITS);
    refused("", "no loss is named");
    refused("ce,", "no loss is named");
    refused("arc", "\"arc\"");
    refused("ce,ce", "twice");
    refused("ce=0", "positive weight");
    refused("ce=-1", "positive weight");
    refused("ce=nan", "positive weight");
    refused("ce=", "positive weight");
    refused("ce x", "no loss is named");
    refused("ce(smoothing=0.1", "not closed");
    refused("ce(smoothing=0.1)x", "positive weight");
    refused("ce()", "no parameter");
    refused("ce(margin=1)", "no parameter \"margin\"");
    refused("ce(smoothing)", "a number from 0 to 0.99");
    refused("ce(smoothing=1)", "a number from 0 to 0.99");
    refused("triplet(margin=0.1,)", "no parameter");
    const vt_loss_info *info;
    for (size_t i = 0; (info = vt_loss_list(i)) != NULL; i++)
        assert_int_equal(vt_loss_parse(info->name, &loss, NULL), VT_OK);
}

/* A term without what it needs is refused with its name. */
static void test_missing_inputs(void **state)
{
    (void)state;
    const vt_loss_info *info;
    for (size_t i = 0; (info = vt_loss_list(i)) != NULL; i++) {
        vt_builder *builder;
        vt_model *model = NULL;
        vt_value_id scalar;
        vt_loss loss;
        vt_error error = {0};
        vt_loss_inputs inputs = vt_loss_inputs_defaults();
        assert_int_equal(vt_loss_parse(info->name, &loss, NULL), VT_OK);
        assert_int_equal(vt_builder_new(NULL, &builder, NULL), VT_OK);
        vt_loss_add(builder, &loss, &inputs, &scalar);
        assert_int_equal(scalar, VT_NO_VALUE);
        assert_int_equal(vt_builder_finish(builder, &model, &error), VT_ERR_USAGE);
        assert_non_null(strstr(error.message, info->name));
        assert_non_null(strstr(error.message, "needs"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formulas),
        cmocka_unit_test(test_degenerate_labels),
        cmocka_unit_test(test_unknown_targets),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_missing_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
