/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at, checking and running ONNX files through the public API. */
#include "shop/journey.h"

#include "support/onnx_builder.h"

#include "base/file.h"

#include <math.h>
#include <sys/stat.h>

static void save(journey *j, const char *name, vt_buf *file)
{
    assert_false(file->failed);
    scratch_write(j->scratch, name, file->data, file->length);
    vt_buf_deinit(file);
}

static void save_tiny(journey *j, const char *name)
{
    tiny_options options = tiny_defaults();
    vt_buf file = tiny_build(&options);
    save(j, name, &file);
}

/* y = x + 1 for x of 2 x 3. */
static void save_increment(journey *j, const char *name)
{
    onnx_builder b;
    onnx_begin(&b);
    onnx_input(&b, "x", VT_F32, 2, (int64_t[]){2, 3});
    onnx_weight(&b, "one", 1, (int64_t[]){1}, (float[]){1.0f});
    onnx_node(&b, "Add", "x,one", "y");
    onnx_output(&b, "y", VT_F32, 2, (int64_t[]){2, 3});
    vt_buf file = onnx_finish(&b);
    save(j, name, &file);
}

static void save_tensor(journey *j, const char *name, const float *values, int64_t rows)
{
    vt_buf file;
    vt_tensor tensor = {.dtype = VT_F32,
                        .shape = vt_shape_of(2, (int64_t[]){rows, 3}),
                        .data = (void *)(uintptr_t)values,
                        .bytes = (size_t)rows * 3 * sizeof(float)};
    vt_buf_init(&file, 1 << 16);
    if (vt_text_ends_nocase(name, ".npy"))
        assert_int_equal(vt_tensor_write_npy(&tensor, &file, NULL), VT_OK);
    else
        assert_int_equal(vt_tensor_write_pb(&tensor, "x", &file, NULL), VT_OK);
    save(j, name, &file);
}

static void a_file_is_described(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_onnx_info *info = NULL;
    save_tiny(j, "tiny.onnx");
    expect_ok(vt_onnx_info_of(at(j, "tiny.onnx"), NULL, &info, &error), &error);
    assert_string_equal(info->producer, "onnx_builder");
    assert_string_equal(info->graph, "built");
    assert_int_equal(info->opset, 13);
    assert_int_equal(info->parameters, 8 * 27 + 8 + 5 * 8 + 5);
    assert_int_equal(info->input_count, 1);
    assert_string_equal(info->inputs[0].name, "x");
    assert_string_equal(info->inputs[0].shape, "?x3x16x16");
    assert_int_equal(info->output_count, 1);
    assert_string_equal(info->outputs[0].name, "classes");
    assert_string_equal(info->feature_output, "flat");
    assert_null(info->contract);
    assert_false(info->has_golden);
    assert_int_equal(info->node_count, 5);
    assert_string_equal(info->nodes[0].op_type, "Conv");
    assert_string_equal(info->nodes[0].shape, "1x8x8x8");
    assert_int_equal(info->nodes[0].macs, 8 * 8 * 8 * 27);
    assert_true(info->macs >= info->nodes[0].macs);
    vt_onnx_info_free(info);
}

/* Free heights and widths are taken as those of a picture: at 1 x 1 a 7 x 7 kernel fits nowhere. */
static void sizes_left_free_are_taken_as_a_picture(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_onnx_info *info = NULL;
    onnx_builder b;
    static float weights[4 * 3 * 7 * 7];
    onnx_begin(&b);
    onnx_input(&b, "x", VT_F32, 4, (int64_t[]){-1, -1, -1, -1});
    onnx_weight(&b, "w", 4, (int64_t[]){4, 3, 7, 7}, weights);
    onnx_node(&b, "Conv", "x,w", "y");
    onnx_output(&b, "y", VT_F32, 4, (int64_t[]){-1, 4, -1, -1});
    vt_buf file = onnx_finish(&b);
    save(j, "free.onnx", &file);
    expect_ok(vt_onnx_info_of(at(j, "free.onnx"), NULL, &info, &error), &error);
    assert_string_equal(info->nodes[0].shape, "1x4x218x218");
    vt_onnx_info_free(info);
}

static void the_graph_that_is_run_is_described(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_onnx_info *info = NULL;
    save_tiny(j, "tiny.onnx");
    const char *const shapes[] = {"3x3x16x16"};
    vt_onnx_info_options how = {shapes, 1, "bf16"};
    expect_ok(vt_onnx_info_of(at(j, "tiny.onnx"), &how, &info, &error), &error);
    assert_string_equal(info->run_inputs[0].shape, "3x3x16x16");
    assert_string_equal(info->inputs[0].shape, "?x3x16x16");
    assert_string_equal(info->nodes[0].shape, "3x8x8x8");
    assert_int_equal(info->nodes[0].macs, 3 * 8 * 8 * 8 * 27);
    assert_string_equal(info->precision, "bf16");
    assert_null(info->plan_failure);
    /* Relu went into the convolution. */
    assert_true(info->step_count > 0 && info->step_count < info->node_count);
    assert_string_equal(info->steps[0].op_type, "Conv");
    assert_string_equal(info->steps[0].posts, "relu");
    assert_string_equal(info->steps[0].shape, "3x8x8x8");
    assert_int_equal(info->steps[0].macs, info->nodes[0].macs);
    assert_true(strlen(info->steps[0].executor) > 0);
    assert_int_equal(info->memory.parameter_bytes, info->parameter_bytes);
    assert_true(info->memory.activation_bytes > 0 &&
                info->memory.activation_bytes <= info->memory.unshared_bytes);
    /* Input and output are 3 x 768 and 3 x 5 floats. */
    assert_true(info->memory.peak_bytes >=
                info->parameter_bytes + info->memory.activation_bytes + 3 * (768 + 5) * 4);
    vt_onnx_info_free(info);
    info = NULL;
    expect_ok(vt_onnx_info_of(at(j, "tiny.onnx"), NULL, &info, &error), &error);
    assert_string_equal(info->precision, "f32"); /* no contract: nothing to decide by */
    vt_onnx_info_free(info);
}

static void shapes_and_precisions_that_cannot_be_are_refused(void **state)
{
    journey *j = *state;
    static const struct {
        const char *shape, *precision, *text;
    } wrong[] = {
        {"1x3x16", NULL, "?x3x16x16"},
        {"1x4x16x16", NULL, "?x3x16x16"},
        {"1x3x16x17", NULL, "?x3x16x16"},
        {"", NULL, "shape such as"},
        {"1x3x16x", NULL, "shape such as"},
        {"1xx16x16", NULL, "shape such as"},
        {"-1x3x16x16", NULL, "shape such as"},
        {"1x1x1x1x1x1x1x1x1x1x1x1", NULL, "shape such as"},
        {"99999999999999999999x3x16x16", NULL, "shape such as"},
        {NULL, "f16", "f32, bf16, int8 and auto"},
        {NULL, "", "f32, bf16, int8 and auto"},
    };
    save_tiny(j, "tiny.onnx");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        vt_error error = {0};
        vt_onnx_info *info = NULL;
        const char *const shapes[] = {wrong[i].shape, wrong[i].shape};
        vt_onnx_info_options how = {shapes, wrong[i].shape != NULL, wrong[i].precision};
        expect_failure(vt_onnx_info_of(at(j, "tiny.onnx"), &how, &info, &error), VT_ERR_USAGE,
                       &error, wrong[i].text);
        how.input_shape_count = 2;
        expect_failure(vt_onnx_info_of(at(j, "tiny.onnx"), &how, &info, &error), VT_ERR_USAGE,
                       &error, wrong[i].precision != NULL ? "auto" : "2 input shapes");
        assert_null(info);
    }
}

static void what_is_no_model_is_named(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_onnx_info *info = NULL;
    vt_onnx_check_report report = {0};
    assert_int_equal(vt_onnx_info_of(at(j, "none.onnx"), NULL, &info, &error), VT_ERR_NOT_FOUND);
    expect_failure(vt_onnx_info_of(at(j, "p0.jpg"), NULL, &info, &error), VT_ERR_FORMAT, &error,
                   "p0.jpg");
    assert_null(info);
    assert_int_equal(vt_onnx_check(&(vt_init_options){.model = "classic"}, &report, &error),
                     VT_ERR_USAGE);
}

static void a_model_is_checked_with_and_without_contract(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_onnx_check_report report = {0};
    char path[SCRATCH_PATH_BYTES];
    save_tiny(j, "tiny.onnx");
    snprintf(path, sizeof(path), "%s", at(j, "tiny.onnx"));
    expect_failure(vt_onnx_check(&(vt_init_options){.model = path}, &report, &error), VT_ERR_USAGE,
                   &error, "preset");
    expect_ok(
        vt_onnx_check(&(vt_init_options){.model = path, .preset = "imagenet"}, &report, &error),
        &error);
    assert_false(report.has_contract || report.has_golden);
    assert_true(isnan(report.golden_similarity));
    assert_true(report.reference_similarity >= 0.999);
    assert_int_equal(report.dimension, TINY_FEATURES);
    vt_init_options options = vt_init_options_defaults();
    options.model = path;
    options.preset = "imagenet";
    make_shop_with(j, &options);
    expect_ok(
        vt_onnx_check(&(vt_init_options){.model = at(j, "shop/models/tiny.onnx")}, &report, &error),
        &error);
    assert_true(report.has_contract && report.has_golden);
    assert_true(report.golden_similarity >= 0.999);
    expect_ok(vt_onnx_check(
                  &(vt_init_options){.model = at(j, "shop/models/tiny.onnx"), .precision = "f32"},
                  &report, &error),
              &error);
    assert_string_equal(report.precision, "f32");
    assert_string_equal(report.precision_refused, "");
    assert_true(report.golden_similarity > 0.99999);
    expect_failure(
        vt_onnx_check(&(vt_init_options){.model = path, .precision = "f8"}, &report, &error),
        VT_ERR_USAGE, &error, "\"f8\"");
    expect_ok(
        vt_onnx_check(&(vt_init_options){.model = at(j, "shop/models/tiny.onnx"), .preset = "clip"},
                      &report, &error),
        &error);
    assert_true(report.has_contract);
    assert_false(report.has_golden);
}

typedef struct seen {
    int count;
    char name[64], shape[64], path[SCRATCH_PATH_BYTES];
} seen;

static void on_output(void *context, const char *name, const char *shape, const char *path)
{
    seen *out = context;
    out->count++;
    snprintf(out->name, sizeof(out->name), "%s", name);
    snprintf(out->shape, sizeof(out->shape), "%s", shape);
    snprintf(out->path, sizeof(out->path), "%s", path);
}

static void a_network_runs_on_tensors_from_files(void **state)
{
    journey *j = *state;
    static const float values[6] = {0, 1, 2, 3, 4, 5};
    static const char *const forms[] = {"x.npy", "x.pb"};
    char model[SCRATCH_PATH_BYTES], input[SCRATCH_PATH_BYTES], directory[SCRATCH_PATH_BYTES];
    save_increment(j, "increment.onnx");
    snprintf(model, sizeof(model), "%s", at(j, "increment.onnx"));
    snprintf(directory, sizeof(directory), "%s", at(j, "out/deep"));
    for (int form = 0; form < 4; form++) {
        vt_error error = {0};
        seen out = {0};
        save_tensor(j, forms[form % 2], values, 2);
        snprintf(input, sizeof(input), "%s", at(j, forms[form % 2]));
        const char *inputs[] = {input};
        vt_onnx_run_options how = {.inputs = inputs,
                                   .input_count = 1,
                                   .directory = directory,
                                   .executor = form < 2 ? VT_ONNX_ONEDNN : VT_ONNX_REFERENCE,
                                   .on_output = on_output,
                                   .context = &out};
        expect_ok(vt_onnx_run(model, &how, &error), &error);
        assert_int_equal(out.count, 1);
        assert_string_equal(out.name, "y");
        assert_string_equal(out.shape, "2x3");
        vt_buf file;
        vt_tensor tensor = {0};
        vt_buf_init(&file, 1 << 16);
        expect_ok(vt_file_read(out.path, 1 << 16, &file, &error), &error);
        expect_ok(vt_tensor_read_npy(file.data, file.length, &tensor, &error), &error);
        for (int i = 0; i < 6; i++)
            assert_float_equal(((float *)tensor.data)[i], values[i] + 1.0f, 1e-6f);
        vt_tensor_deinit(&tensor);
        vt_buf_deinit(&file);
        unlink(out.path);
    }
}

static void inputs_that_do_not_fit_are_refused(void **state)
{
    journey *j = *state;
    static const float values[9] = {0};
    vt_error error = {0};
    char model[SCRATCH_PATH_BYTES], input[SCRATCH_PATH_BYTES], directory[SCRATCH_PATH_BYTES];
    save_increment(j, "increment.onnx");
    save_tensor(j, "x.npy", values, 3);
    snprintf(model, sizeof(model), "%s", at(j, "increment.onnx"));
    snprintf(directory, sizeof(directory), "%s", at(j, "out"));
    snprintf(input, sizeof(input), "%s", at(j, "x.npy"));
    const char *inputs[] = {input, input}, *outputs[] = {"z"};
    vt_onnx_run_options how = {.inputs = inputs, .input_count = 1, .directory = directory};
    expect_failure(vt_onnx_run(model, &how, &error), VT_ERR_USAGE, &error, "3x3");
    assert_non_null(strstr(error.message, "increment.onnx"));
    how.input_count = 2;
    expect_failure(vt_onnx_run(model, &how, &error), VT_ERR_USAGE, &error, "2 were given");
    how.input_count = 0;
    expect_failure(vt_onnx_run(model, &how, &error), VT_ERR_USAGE, &error, "0 were given");
    save_tensor(j, "x.npy", values, 2);
    how.input_count = 1;
    how.outputs = outputs;
    how.output_count = 1;
    assert_int_not_equal(vt_onnx_run(model, &how, &error), VT_OK);
    assert_non_null(strstr(error.message, "\"z\""));
    how.output_count = 0;
    write_text(j, "x.txt", "1 2 3");
    snprintf(input, sizeof(input), "%s", at(j, "x.txt"));
    expect_failure(vt_onnx_run(model, &how, &error), VT_ERR_UNSUPPORTED, &error, "x.txt");
    write_text(j, "x.npy", "\x93NUMPY rubbish");
    snprintf(input, sizeof(input), "%s", at(j, "x.npy"));
    assert_int_not_equal(vt_onnx_run(model, &how, &error), VT_OK);
    assert_non_null(strstr(error.message, "x.npy"));
    assert_int_equal(access(directory, F_OK), -1);
}

/* ---- the backend test suite ---- */

static void make_directory(journey *j, const char *name)
{
    assert_int_equal(mkdir(at(j, name), 0700), 0);
}

/* A case of y = x + 1 that expects `want` for x = 0 .. 5. */
static void save_case(journey *j, const char *name, const float want[6])
{
    static const float values[6] = {0, 1, 2, 3, 4, 5};
    char path[128];
    make_directory(j, name);
    snprintf(path, sizeof(path), "%s/test_data_set_0", name);
    make_directory(j, path);
    snprintf(path, sizeof(path), "%s/model.onnx", name);
    save_increment(j, path);
    snprintf(path, sizeof(path), "%s/test_data_set_0/input_0.pb", name);
    save_tensor(j, path, values, 2);
    snprintf(path, sizeof(path), "%s/test_data_set_0/output_0.pb", name);
    save_tensor(j, path, want, 2);
}

typedef struct case_log {
    int count;
    char names[8][64], reasons[8][256];
    vt_status statuses[8];
} case_log;

static void on_case(void *context, const vt_onnx_case *one)
{
    case_log *log = context;
    assert_true(log->count < 8);
    snprintf(log->names[log->count], 64, "%s", one->name);
    snprintf(log->reasons[log->count], 256, "%s", one->reason);
    log->statuses[log->count++] = one->status;
}

static void cases_pass_fail_or_are_not_supported(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_onnx_totals totals = {0};
    case_log log = {0};
    make_directory(j, "suite");
    save_case(j, "suite/a_good", (float[]){1, 2, 3, 4, 5, 6});
    save_case(j, "suite/b_wrong", (float[]){1, 2, 3, 4, 5, 7});
    save_case(j, "suite/c_unknown", (float[]){1, 2, 3, 4, 5, 6});
    save_case(j, "suite/d_rubbish", (float[]){1, 2, 3, 4, 5, 6});
    onnx_builder b;
    onnx_begin(&b);
    onnx_input(&b, "x", VT_F32, 2, (int64_t[]){2, 3});
    onnx_node(&b, "NoSuchOperator", "x", "y");
    onnx_output(&b, "y", VT_F32, 2, (int64_t[]){2, 3});
    vt_buf file = onnx_finish(&b);
    save(j, "suite/c_unknown/model.onnx", &file);
    write_text(j, "suite/d_rubbish/model.onnx", "not a model");
    expect_ok(vt_onnx_test(at(j, "suite"),
                           &(vt_onnx_test_options){.on_case = on_case, .context = &log}, &totals,
                           &error),
              &error);
    assert_int_equal(totals.passed, 1);
    assert_int_equal(totals.failed, 2);
    assert_int_equal(totals.unsupported, 1);
    assert_int_equal(log.count, 4);
    assert_string_equal(log.names[0], "a_good");
    assert_int_equal(log.statuses[0], VT_OK);
    assert_string_equal(log.reasons[0], "");
    assert_int_equal(log.statuses[1], VT_ERR_MISMATCH);
    assert_non_null(strstr(log.reasons[1], "1 of 6"));
    assert_int_equal(log.statuses[2], VT_ERR_UNSUPPORTED);
    assert_non_null(strstr(log.reasons[2], "NoSuchOperator"));
    assert_int_equal(log.statuses[3], VT_ERR_FORMAT);
}

static void a_case_is_named_by_its_folder(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_onnx_totals totals = {0};
    case_log log = {0};
    save_case(j, "single", (float[]){1, 2, 3, 4, 5, 6});
    expect_ok(vt_onnx_test(at(j, "single//"),
                           &(vt_onnx_test_options){
                               .executor = VT_ONNX_REFERENCE, .on_case = on_case, .context = &log},
                           &totals, &error),
              &error);
    assert_int_equal(totals.passed, 1);
    assert_string_equal(log.names[0], "single");
    make_directory(j, "nothing");
    assert_int_equal(vt_onnx_test(at(j, "nothing"), &(vt_onnx_test_options){0}, &totals, &error),
                     VT_ERR_NOT_FOUND);
    assert_int_equal(vt_onnx_test(at(j, "absent"), &(vt_onnx_test_options){0}, &totals, &error),
                     VT_ERR_NOT_FOUND);
}

static vt_status describe(void *context)
{
    vt_onnx_info *info = NULL;
    vt_status status = vt_onnx_info_of(context, NULL, &info, NULL);
    vt_onnx_info_free(info);
    return status;
}

static void running_out_of_memory_is_an_error(void **state)
{
    journey *j = *state;
    char path[SCRATCH_PATH_BYTES];
    save_tiny(j, "tiny.onnx");
    snprintf(path, sizeof(path), "%s", at(j, "tiny.onnx"));
    assert_true(each_allocation_failing(describe, path) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_JOURNEY(a_file_is_described),
        IN_JOURNEY(the_graph_that_is_run_is_described),
        IN_JOURNEY(shapes_and_precisions_that_cannot_be_are_refused),
        IN_JOURNEY(sizes_left_free_are_taken_as_a_picture),
        IN_JOURNEY(what_is_no_model_is_named),
        IN_JOURNEY(a_model_is_checked_with_and_without_contract),
        IN_JOURNEY(a_network_runs_on_tensors_from_files),
        IN_JOURNEY(inputs_that_do_not_fit_are_refused),
        IN_JOURNEY(cases_pass_fail_or_are_not_supported),
        IN_JOURNEY(a_case_is_named_by_its_folder),
        IN_JOURNEY(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
