/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "encoder/encoder.h"

#include <stdio.h>
#include <string.h>

static void presets_are_what_the_models_document(void **state)
{
    (void)state;
    vt_contract contract;
    assert_int_equal(vt_contract_preset("caffe", &contract, NULL), VT_OK);
    assert_int_equal(contract.pixels.order, VT_ORDER_BGR);
    assert_float_equal(contract.pixels.scale, 1.0f, 0.0f);
    assert_float_equal(contract.pixels.mean[0], 104.0f, 0.0f);
    assert_true(contract.pool && contract.normalize);
    assert_int_equal(vt_contract_preset("clip", &contract, NULL), VT_OK);
    assert_int_equal(contract.pixels.kernel, VT_KERNEL_BICUBIC);
    assert_int_equal(contract.pixels.fit, VT_FIT_COVER);
    assert_int_equal(vt_contract_preset("dinov2", &contract, NULL), VT_OK);
    assert_float_equal(contract.pixels.crop_ratio, 0.875f, 0.0f);
}

static void unknown_preset_is_named(void **state)
{
    (void)state;
    vt_contract contract;
    vt_error error;
    assert_int_equal(vt_contract_preset("imagnet", &contract, &error), VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "imagnet"));
    assert_non_null(strstr(error.message, "imagenet"));
}

static void what_is_printed_is_read_back(void **state)
{
    (void)state;
    static const char *const names[] = {"imagenet", "caffe", "clip", "siglip", "dinov2", "none"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        vt_contract contract, back;
        vt_buf json;
        vt_buf_init(&json, 4096);
        memset(&contract, 0, sizeof(contract));
        assert_int_equal(vt_contract_preset(names[i], &contract, NULL), VT_OK);
        snprintf(contract.output, sizeof(contract.output), "features/%s \"quoted\"", names[i]);
        contract.pixels.width = 384;
        contract.pool = i % 2 == 0;
        assert_int_equal(vt_contract_print(&contract, &json, NULL), VT_OK);
        assert_int_equal(vt_contract_parse(json.data, json.length, &back, NULL), VT_OK);
        assert_string_equal(back.output, contract.output);
        assert_int_equal(back.pixels.width, 384);
        assert_int_equal(back.pixels.fit, contract.pixels.fit);
        assert_int_equal(back.pixels.kernel, contract.pixels.kernel);
        assert_int_equal(back.pixels.order, contract.pixels.order);
        assert_memory_equal(back.pixels.mean, contract.pixels.mean, sizeof(back.pixels.mean));
        assert_memory_equal(back.pixels.std, contract.pixels.std, sizeof(back.pixels.std));
        assert_true(back.pixels.scale == contract.pixels.scale);
        assert_true(back.pool == contract.pool);
        vt_buf_deinit(&json);
    }
}

/* A valid contract with one member replaced. */
static vt_status parse_with(const char *member, const char *value, vt_error *error)
{
    static const char *const members[][2] = {
        {"version", "1"},        {"width", "224"},       {"height", "224"},    {"fit", "\"cover\""},
        {"crop_ratio", "1"},     {"kernel", "\"area\""}, {"order", "\"RGB\""}, {"scale", "1"},
        {"mean", "[0,0,0]"},     {"std", "[1,1,1]"},     {"fill", "[0,0,0]"},  {"output", "\"\""},
        {"pool", "\"average\""}, {"normalize", "\"l2\""}};
    vt_buf json;
    vt_contract contract;
    vt_buf_init(&json, 65536);
    vt_buf_append_char(&json, '{');
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        bool replaced = strcmp(members[i][0], member) == 0;
        vt_buf_printf(&json, "%s\"%s\":%s", i > 0 ? "," : "", members[i][0],
                      replaced ? value : members[i][1]);
    }
    vt_buf_append_char(&json, '}');
    vt_status status = vt_contract_parse(json.data, json.length, &contract, error);
    vt_buf_deinit(&json);
    return status;
}

static void wrong_members_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"width", "0"},         {"width", "1e9"},          {"height", "2.5"},
        {"height", "\"224\""},  {"fit", "\"stretch\""},    {"crop_ratio", "0"},
        {"crop_ratio", "1.5"},  {"kernel", "\"nearest\""}, {"order", "\"GBR\""},
        {"scale", "0"},         {"scale", "-1"},           {"mean", "[0,0]"},
        {"mean", "[0,0,null]"}, {"std", "[1,0,1]"},        {"fill", "[0,0,256]"},
        {"pool", "\"max\""},    {"normalize", "\"l1\""},   {"scale", "null"}};
    vt_error error;
    assert_int_equal(parse_with("none", "", &error), VT_OK);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(parse_with(wrong[i][0], wrong[i][1], &error), VT_ERR_FORMAT);
        assert_non_null(strstr(error.message, wrong[i][0]));
    }
    assert_int_equal(parse_with("version", "2", &error), VT_ERR_UNSUPPORTED);
}

static void rubbish_is_refused(void **state)
{
    (void)state;
    static const char *const rubbish[] = {"", "{", "[]", "null", "{\"version\":1}", "\xff\xfe"};
    vt_contract contract;
    for (size_t i = 0; i < sizeof(rubbish) / sizeof(rubbish[0]); i++)
        assert_int_not_equal(vt_contract_parse(rubbish[i], strlen(rubbish[i]), &contract, NULL),
                             VT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_are_what_the_models_document),
        cmocka_unit_test(unknown_preset_is_named),
        cmocka_unit_test(what_is_printed_is_read_back),
        cmocka_unit_test(wrong_members_are_refused_by_name),
        cmocka_unit_test(rubbish_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
