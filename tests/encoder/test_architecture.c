/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Architectures: published numbers of parameters and operations, shapes of all heads, both
 * executors, files that can be written and read back, refusals.
 */
#include "support/scratch.h"

#include "base/random.h"
#include "encoder/architecture.h"
#include "nn/weights.h"

#include <math.h>

enum { CLASSES = 1000 };

static void must_be_near(double value, double wanted, double tolerance)
{
    if (!(fabs(value - wanted) <= tolerance))
        fail_msg("%.7g instead of %.7g", value, wanted);
}

static vt_model *build(const char *name, const vt_architecture_options *options)
{
    vt_model *model = NULL;
    vt_error error = {0};
    if (vt_architecture_build(name, options, &model, &error) != VT_OK)
        fail_msg("%s: %s", name, error.message);
    return model;
}

static bool add_count(void *context, const vt_weight_info *weight)
{
    if (weight->role != VT_WEIGHT_FIXED && weight->role != VT_WEIGHT_STATISTIC)
        *(size_t *)context += weight->count;
    return true;
}

static size_t parameters(const vt_model *model)
{
    size_t count = 0;
    assert_int_equal(vt_model_each_weight(model, add_count, &count, NULL), VT_OK);
    return count;
}

static void add_macs(void *context, const vt_node_info *node)
{
    *(uint64_t *)context += node->macs;
}

/* torchvision's and timm's own figures: the info's parameters exactly, its GMACs as printed. */
static void test_published_sizes(void **state)
{
    (void)state;
    const vt_architecture_info *info;
    for (size_t i = 0; (info = vt_architecture_list(i)) != NULL; i += SCRATCH_STRIDE) {
        vt_architecture_options options = vt_architecture_options_defaults();
        options.classes = strcmp(info->name, "resnet9") == 0 ? 10 : CLASSES;
        options.blank = true; /* some have a hundred million numbers */
        vt_model *model = build(info->name, &options);
        uint64_t macs = 0;
        assert_int_equal(vt_model_each_node(model, NULL, add_macs, &macs, NULL), VT_OK);
        if (parameters(model) != info->parameters)
            print_error("%s: %zu parameters, %.4f GMACs\n", info->name, parameters(model),
                        (double)macs / 1e9);
        else
            must_be_near((double)macs / 1e9, info->gmacs, fmax(0.006, 0.015 * info->gmacs));
        vt_model_free(model);
    }
}

/* A batch of smooth noise. */
static void fill_image(vt_tensor *image, int batch, int size)
{
    const vt_shape shape = {.rank = 4, .dims = {batch, 3, size, size}};
    vt_error error;
    vt_random random;
    assert_int_equal(vt_tensor_init(image, VT_F32, &shape, 0, &error), VT_OK);
    vt_random_init(&random, 7);
    float *values = image->data;
    for (size_t i = 0; i < vt_tensor_count(image); i++)
        values[i] = (float)vt_random_normal(&random);
}

typedef struct results {
    vt_session *session;
    vt_tensor outputs[8];
} results;

static results run(const vt_model *model, vt_executor executor, const vt_tensor *image)
{
    results r = {0};
    vt_error error = {0};
    vt_session_options options = vt_session_options_defaults();
    options.executor = executor;
    assert_int_equal(vt_session_new(model, &options, &r.session, &error), VT_OK);
    if (vt_session_run(r.session, image, 1, r.outputs, &error) != VT_OK)
        fail_msg("%s", error.message);
    return r;
}

/* What oneDNN made with what the reference makes. */
static void must_agree(const char *name, const vt_model *model, const vt_tensor *image,
                       results fast)
{
    results slow = run(model, VT_EXECUTOR_REFERENCE, image);
    for (size_t i = 0; i < vt_model_output_count(model); i++) {
        vt_tensor_difference difference;
        const float *values = fast.outputs[i].data;
        double largest = 0;
        for (size_t j = 0; j < vt_tensor_count(&fast.outputs[i]); j++) {
            assert_true(isfinite(values[j]));
            largest = fmax(largest, fabs((double)values[j]));
        }
        assert_true(largest > 0);
        assert_int_equal(vt_tensor_compare(&fast.outputs[i], &slow.outputs[i], 1e-3, 1e-3 * largest,
                                           &difference, NULL),
                         VT_OK);
        if (difference.outside != 0)
            fail_msg("%s, output %zu: %g of %g", name, i, difference.max_abs, largest);
    }
    vt_session_free(slow.session);
}

/* Small and narrow, with all kinds of heads. */
static void test_heads_and_executors(void **state)
{
    (void)state;
    const vt_architecture_info *info;
    for (size_t i = 0; (info = vt_architecture_list(i)) != NULL; i += SCRATCH_STRIDE) {
        vt_architecture_options options = vt_architecture_options_defaults();
        options.size = strcmp(info->name, "inception3") == 0 ? 75 : 32;
        options.width = info->has_width ? 0.25 : 1;
        options.small_input = info->has_small_input;
        options.patch = strncmp(info->name, "vit", 3) == 0 ? 8 : 0;
        options.heads = "category:5,color:3";
        options.dim = 16;
        options.stochastic_depth = 0.1;
        options.dropout = 0.2;
        options.pooling = i % 2 == 0 ? VT_POOLING_GEM : VT_POOLING_AVERAGE;
        options.fuse = options.patch == 0 ? 3 : 0;
        vt_model *model = build(info->name, &options);
        vt_tensor image;
        fill_image(&image, 2, options.size);
        assert_int_equal(vt_model_output_count(model), 3);
        assert_string_equal(vt_model_output(model, 0).name, "logits.category");
        assert_string_equal(vt_model_output(model, 2).name, "embedding");
        results r = run(model, VT_EXECUTOR_ONEDNN, &image);
        const int64_t widths[3] = {5, 3, 16};
        for (int o = 0; o < 3; o++) {
            assert_int_equal(r.outputs[o].shape.rank, 2);
            assert_int_equal(r.outputs[o].shape.dims[0], 2);
            assert_int_equal(r.outputs[o].shape.dims[1], widths[o]);
        }
        const float *vector = r.outputs[2].data;
        double length = 0;
        for (int j = 0; j < 16; j++)
            length += (double)vector[j] * vector[j];
        must_be_near(length, 1, 1e-4);
        must_agree(info->name, model, &image, r);
        vt_session_free(r.session);
        vt_tensor_deinit(&image);
        vt_model_free(model);
    }
}

/* Equal seeds give equal networks, another seed another; files come back as they were. */
static void test_seeds_and_files(void **state)
{
    (void)state;
    vt_architecture_options options = vt_architecture_options_defaults();
    options.size = 32;
    options.width = 0.25;
    options.small_input = true;
    options.classes = 4;
    vt_model *a = build("mobilenetv3-small", &options), *b = build("mobilenetv3-small", &options);
    options.seed = 1;
    vt_model *c = build("mobilenetv3-small", &options), *again = NULL;
    vt_buf first, second;
    vt_buf_init(&first, 1 << 28);
    vt_buf_init(&second, 1 << 28);
    assert_int_equal(vt_model_write(a, &first, NULL), VT_OK);
    assert_int_equal(vt_model_write(b, &second, NULL), VT_OK);
    assert_int_equal(first.length, second.length);
    assert_memory_equal(first.data, second.data, first.length);
    vt_buf_deinit(&second);
    vt_buf_init(&second, 1 << 28);
    assert_int_equal(vt_model_write(c, &second, NULL), VT_OK);
    assert_true(first.length != second.length ||
                memcmp(first.data, second.data, first.length) != 0);
    assert_int_equal(vt_model_parse(first.data, first.length, NULL, &again, NULL), VT_OK);
    assert_string_equal(vt_model_metadata(again, "vitrine.architecture"), "mobilenetv3-small");
    assert_true(vt_model_has_value(again, "stage1.block1.conv2.weight"));
    assert_true(vt_model_has_value(again, "head.classes.linear.weight"));
    assert_true(vt_model_has_value(again, "features"));
    assert_int_equal(parameters(again), parameters(a));
    vt_buf_deinit(&first);
    vt_buf_deinit(&second);
    vt_model_free(a);
    vt_model_free(b);
    vt_model_free(c);
    vt_model_free(again);
}

typedef struct moments {
    double mean, deviation;
} moments;

static moments moments_of(const vt_model *model, const char *name)
{
    moments m = {0};
    vt_tensor tensor;
    assert_int_equal(vt_model_weight_read(model, name, &tensor, NULL), VT_OK);
    size_t count = vt_tensor_count(&tensor);
    const float *values = tensor.data;
    for (size_t i = 0; i < count; i++)
        m.mean += (double)values[i] / (double)count;
    for (size_t i = 0; i < count; i++)
        m.deviation += ((double)values[i] - m.mean) * ((double)values[i] - m.mean);
    m.deviation = sqrt(m.deviation / (double)count);
    vt_tensor_deinit(&tensor);
    return m;
}

/* First values have the published deviations. */
static void test_first_values(void **state)
{
    (void)state;
    static const struct {
        const char *architecture, *weight;
        double deviation;
    } cases[] = {
        {"resnet18", "stage2.block2.conv1.weight", 0.0416667}, /* sqrt(2 / (128 9)) */
        {"resnet18", "head.classes.linear.weight", 0.0255155}, /* 1 / sqrt(3 512) */
        {"mobilenetv2", "head.classes.linear.weight", 0.01},
        {"convnext-atto", "stage1.block1.linear1.weight", 0.02},
        {"densenet121", "stage1.block1.conv1.weight", 0.1767767}, /* sqrt(2 / 64) */
        {"inception3", "stage1.block1.branch1.conv1.weight", 0.1},
        {"vit-ti", "stage1.block1.attention.query.weight", 0.02},
        {"shufflenetv2-1.0", "last.conv1.weight", 0.0268028}, /* 1 / sqrt(3 464) */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i += SCRATCH_STRIDE) {
        vt_architecture_options options = vt_architecture_options_defaults();
        options.classes = 100;
        vt_model *model = build(cases[i].architecture, &options);
        moments m = moments_of(model, cases[i].weight);
        must_be_near(m.deviation, cases[i].deviation, 0.05 * cases[i].deviation);
        must_be_near(m.mean, 0, 0.05 * cases[i].deviation);
        vt_model_free(model);
    }
}

/* How many of the kernel's filters pass on the channel of their number and nothing else. */
static int64_t passed_on(const vt_model *model, const char *name)
{
    vt_tensor tensor;
    assert_int_equal(vt_model_weight_read(model, name, &tensor, NULL), VT_OK);
    const int64_t *dims = tensor.shape.dims;
    int64_t in = dims[1], area = dims[2] * dims[3], passing = 0;
    const float *values = tensor.data;
    for (int64_t filter = 0; filter < dims[0]; filter++, values += in * area) {
        int64_t ones = 0, others = 0;
        for (int64_t i = 0; i < in * area; i++) {
            bool centre = i == filter * area + area / 2;
            ones += centre && values[i] == 1;
            others += !centre && values[i] != 0;
        }
        passing += ones == 1 && others == 0;
    }
    vt_tensor_deinit(&tensor);
    return passing;
}

/* Convolutions over all channels, wider, narrower and of one pixel; those in groups stay random. */
static void test_identity(void **state)
{
    (void)state;
    static const struct {
        const char *architecture, *weight;
        int64_t passing;
    } cases[] = {
        {"resnet9", "stage1.conv1.weight", 64},
        {"resnet9", "stage1.conv2.weight", 128},
        {"resnet50", "stage1.block2.conv1.weight", 64}, /* 256 channels to 64 */
        {"mobilenetv2", "stage2.block1.conv2.weight", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i += SCRATCH_STRIDE) {
        vt_architecture_options options = vt_architecture_options_defaults();
        options.classes = 4;
        vt_model *model = build(cases[i].architecture, &options);
        assert_int_equal(passed_on(model, cases[i].weight), 0);
        vt_model_free(model);
        options.identity = true;
        model = build(cases[i].architecture, &options);
        assert_int_equal(passed_on(model, cases[i].weight), cases[i].passing);
        vt_model_free(model);
    }
}

typedef struct tally {
    const char *op;
    int count;
} tally;

static void count_op(void *context, const vt_node_info *node)
{
    tally *t = context;
    t->count += strcmp(node->op_type, t->op) == 0;
}

static int nodes_of(const vt_model *model, const char *op)
{
    tally t = {op, 0};
    assert_int_equal(vt_model_each_node(model, NULL, count_op, &t, NULL), VT_OK);
    return t.count;
}

/* All that were ReLUs are something else; what was no ReLU stays as it is. */
static void test_activation(void **state)
{
    (void)state;
    static const struct {
        const char *name, *op;
    } cases[] = {{"celu", "Celu"}, {"gelu", "Erf"}};
    vt_architecture_options plain = vt_architecture_options_defaults();
    plain.classes = 4;
    plain.blank = true;
    vt_model *published = build("mobilenetv3-small", &plain);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vt_architecture_options options = plain;
        assert_true(vt_activation_from_name(cases[i].name, &options.activation));
        vt_model *model = build("mobilenetv3-small", &options);
        assert_true(nodes_of(published, "Relu") > 5);
        assert_int_equal(nodes_of(model, "Relu"), 0);
        assert_int_equal(nodes_of(model, cases[i].op), nodes_of(published, "Relu"));
        assert_int_equal(nodes_of(model, "HardSwish"), nodes_of(published, "HardSwish"));
        vt_model_free(model);
    }
    vt_model_free(published);
    assert_false(vt_activation_from_name("relu6", &plain.activation));
}

/* The same network without numbers. */
static void test_blank(void **state)
{
    (void)state;
    vt_architecture_options options = vt_architecture_options_defaults();
    options.size = 32;
    options.classes = 4;
    vt_model *drawn = build("shufflenetv2-0.5", &options);
    options.blank = true;
    vt_model *blank = build("shufflenetv2-0.5", &options);
    assert_int_equal(parameters(blank), parameters(drawn));
    moments m = moments_of(blank, "stem.conv1.weight");
    assert_true(m.mean == 0 && m.deviation == 0);
    assert_true(moments_of(drawn, "stem.conv1.weight").deviation > 0);
    vt_model_free(blank);
    vt_model_free(drawn);
}

static void refused(const char *name, vt_architecture_options options, vt_status status,
                    const char *part)
{
    vt_model *model = NULL;
    vt_error error = {0};
    assert_int_equal(vt_architecture_build(name, &options, &model, &error), status);
    assert_null(model);
    if (strstr(error.message, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.message, part);
}

static void test_refusals(void **state)
{
    (void)state;
    vt_architecture_options plain = vt_architecture_options_defaults(), o;
    plain.blank = true;
    refused("resnet18", plain, VT_ERR_USAGE, "no head");
    plain.classes = 3;
    refused("resnet19", plain, VT_ERR_NOT_FOUND, "resnet19");
    o = plain;
    o.size = 8;
    refused("resnet18", o, VT_ERR_USAGE, "size 8");
    o = plain;
    o.width = 0.5;
    refused("densenet121", o, VT_ERR_USAGE, "width");
    o.width = NAN;
    refused("resnet18", o, VT_ERR_USAGE, "width");
    o = plain;
    o.size = 100;
    refused("vit-ti", o, VT_ERR_USAGE, "multiple of the patch");
    o = plain;
    o.dropout = NAN;
    refused("resnet18", o, VT_ERR_USAGE, "below 1");
    o = plain;
    o.fuse = 3;
    refused("resnet18", o, VT_ERR_USAGE, "set dim");
    o.dim = 8;
    refused("vit-ti", o, VT_ERR_USAGE, "one resolution");
    o = plain;
    o.heads = "a:2";
    refused("resnet18", o, VT_ERR_USAGE, "exclude");
    o.classes = 0;
    static const char *const heads[] = {"",     "a",   "a:",    ":2",      "a:0",
                                        "a:2,", "a:x", "a b:2", "a:2,a:3", "a:99999999999999"};
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        o.heads = heads[i];
        refused("resnet18", o, VT_ERR_USAGE, "head");
    }
}

static vt_status attempt(void *context)
{
    vt_model *model = NULL;
    vt_status status = vt_architecture_build("shufflenetv2-0.5", context, &model, NULL);
    vt_model_free(model);
    return status;
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    vt_architecture_options options = vt_architecture_options_defaults();
    options.size = 32;
    options.classes = 2;
    options.dim = 4;
    options.fuse = 2;
    options.blank = true;
    assert_true(each_allocation_failing(attempt, &options) > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_sizes), cmocka_unit_test(test_heads_and_executors),
        cmocka_unit_test(test_seeds_and_files), cmocka_unit_test(test_first_values),
        cmocka_unit_test(test_identity),        cmocka_unit_test(test_activation),
        cmocka_unit_test(test_blank),           cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
