/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "train/recipe.h"

static vt_status parse(const char *json, char *message)
{
    vt_recipe recipe;
    vt_error error = {0};
    assert_int_equal(vt_recipe_init(&recipe, &error), VT_OK);
    vt_status status = vt_recipe_parse(&recipe, json, strlen(json), &error);
    if (status == VT_OK)
        status = vt_recipe_check(&recipe, &error);
    snprintf(message, sizeof(error.message), "%s", error.message);
    vt_recipe_deinit(&recipe);
    return status;
}

static void wrong_recipes_name_the_key(void **state)
{
    static const struct wrong {
        const char *json, *key;
    } all[] = {
        {"{\"arch\":\"resnet9\",\"epoch\":3}", "\"epoch\""},
        {"{\"arch\":\"resnet9\",\"epochs\":0}", "\"epochs\""},
        {"{\"arch\":\"resnet9\",\"epochs\":2.5}", "\"epochs\""},
        {"{\"arch\":\"resnet9\",\"epochs\":\"3\"}", "\"epochs\""},
        {"{\"arch\":3}", "\"arch\""},
        {"{\"arch\":\"resnet9\",\"lr\":-1}", "\"lr\""},
        {"{\"arch\":\"resnet9\",\"small_input\":1}", "\"small_input\""},
        {"{\"arch\":\"resnet9\",\"optimizer\":\"sgd:momentum=2\"}", "\"momentum\""},
        {"{\"arch\":\"resnet9\",\"activation\":\"tanh\"}", "relu, gelu or celu"},
        {"{\"arch\":\"resnet9\",\"schedule\":\"warp\"}", "\"warp\""},
        {"{\"arch\":\"resnet9\",\"augment\":\"flop\"}", "\"flop\""},
        {"{\"arch\":\"resnet9\",\"sampler\":\"all\"}", "\"all\""},
        {"{\"arch\":\"resnet9\",\"precision\":\"int8\"}", "\"precision\""},
        {"{\"arch\":\"resnet9\",\"fit\":\"wide\"}", "\"fit\""},
        {"{\"arch\":\"resnet9\",\"from\":\"x.onnx\"}", "\"from\""},
        {"{\"from\":\"x.onnx\",\"whiten\":true}", "\"whiten\""},
        {"{\"from\":\"x.onnx\",\"identity\":true}", "\"identity\""},
        {"{\"arch\":\"resnet9\",\"bias_rate\":0}", "\"bias_rate\""},
        {"{\"arch\":\"resnet9\",\"first_size\":24}", "\"first_epochs\""},
        {"{\"arch\":\"resnet9\",\"first_size\":24,\"first_epochs\":2,\"teacher\":\"t.onnx\"}",
         "\"teacher\""},
        {"{\"epochs\":3}", "\"arch\""},
        {"{\"arch\":\"resnet9\",\"imprint\":16}", "\"imprint\""},
        {"{\"from\":\"x.onnx\",\"imprint\":-1}", "\"imprint\""},
        {"{\"arch\":\"resnet9\",\"sam_epochs\":2}", "\"sam\""},
        {"{\"arch\":\"resnet9\",\"sam\":-0.1}", "\"sam\""},
    };
    char message[512];
    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        assert_int_equal(parse(all[i].json, message), VT_ERR_USAGE);
        if (strstr(message, all[i].key) == NULL)
            fail_msg("%s: %s", all[i].json, message);
    }
    assert_int_equal(parse("[1]", message), VT_ERR_FORMAT);
    assert_int_equal(parse("{\"arch\":", message), VT_ERR_FORMAT);
}

static void settings_override_and_come_back(void **state)
{
    vt_recipe recipe, again;
    vt_buf text;
    vt_json_writer writer;
    static const char json[] = "{\"arch\":\"resnet9\",\"lr\":0.1,\"small_input\":true,"
                               "\"teacher\":null,\"seed\":9007199254740991}";
    (void)state;
    assert_int_equal(vt_recipe_init(&recipe, NULL), VT_OK);
    assert_int_equal(vt_recipe_init(&again, NULL), VT_OK);
    assert_int_equal(vt_recipe_parse(&recipe, json, strlen(json), NULL), VT_OK);
    assert_int_equal(vt_recipe_set(&recipe, "lr", "0.3", NULL), VT_OK);
    assert_int_equal(vt_recipe_set(&recipe, "batch", "1e9", NULL), VT_ERR_USAGE);
    assert_int_equal(vt_recipe_set(&recipe, "batch", "many", NULL), VT_ERR_USAGE);
    assert_int_equal(vt_recipe_set(&recipe, "small_input", "yes", NULL), VT_ERR_USAGE);
    assert_int_equal(vt_recipe_set(&recipe, "bath", "3", NULL), VT_ERR_USAGE);
    assert_int_equal(vt_recipe_check(&recipe, NULL), VT_OK);
    assert_true(recipe.lr == 0.3 && recipe.small_input && recipe.batch == 64);
    vt_buf_init(&text, 1 << 16);
    vt_json_begin(&writer, &text, true);
    vt_json_open_object(&writer, NULL);
    vt_recipe_print(&recipe, &writer);
    vt_json_close(&writer);
    assert_int_equal(vt_recipe_parse(&again, text.data, text.length, NULL), VT_OK);
    assert_true(again.seed == recipe.seed && again.lr == 0.3 && again.small_input);
    assert_string_equal(again.arch, "resnet9");
    assert_string_equal(again.schedule, recipe.schedule);
    vt_buf_deinit(&text);
    vt_recipe_deinit(&recipe);
    vt_recipe_deinit(&again);
}

static double size_of(const char *json)
{
    vt_recipe recipe;
    assert_int_equal(vt_recipe_init(&recipe, NULL), VT_OK);
    assert_int_equal(vt_recipe_parse(&recipe, json, strlen(json), NULL), VT_OK);
    assert_int_equal(vt_recipe_check(&recipe, NULL), VT_OK);
    double size = recipe.size;
    vt_recipe_deinit(&recipe);
    return size;
}

/* Pictures are as large as the network that is gone on from takes them, unless said otherwise. */
static void the_size_is_as_from_takes_it(void **state)
{
    char message[512];
    (void)state;
    assert_true(size_of("{\"from\":\"vitrine-s\"}") == 320);
    assert_true(size_of("{\"from\":\"vitrine-s\",\"size\":64}") == 64);
    assert_true(size_of("{\"from\":\"/nowhere/at-all.onnx\"}") == 128);
    assert_true(size_of("{\"arch\":\"resnet9\"}") == 128);
    assert_int_equal(parse("{\"arch\":\"resnet9\",\"size\":7}", message), VT_ERR_USAGE);
    assert_non_null(strstr(message, "\"size\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_recipes_name_the_key),
        cmocka_unit_test(settings_override_and_come_back),
        cmocka_unit_test(the_size_is_as_from_takes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
