/* SPDX-License-Identifier: Apache-2.0 */
/* Classes that a model file's metadata names: as they are written, and as strangers may write them.
 */
#include "support/scratch.h"

#include "encoder/heads.h"
#include "nn/builder.h"

/* A network with the values "logits" and "logits.color", and this metadata (NULL: none). */
static vt_model *make(const char *labels, const char *heads)
{
    vt_builder *builder;
    vt_model *model;
    const vt_shape shape = vt_shape_of(2, (int64_t[]){-1, 2});
    assert_int_equal(vt_builder_new(NULL, &builder, NULL), VT_OK);
    vt_value_id x = vt_builder_input(builder, "x", VT_F32, &shape);
    vt_value_id y = vt_builder_node(builder, "Relu", NULL, &x, 1);
    vt_builder_output(builder, "logits", y);
    y = vt_builder_node(builder, "Neg", NULL, &x, 1);
    vt_builder_output(builder, "logits.color", y);
    if (labels != NULL)
        vt_builder_metadata(builder, VT_METADATA_LABELS, labels);
    if (heads != NULL)
        vt_builder_metadata(builder, VT_METADATA_HEADS, heads);
    assert_int_equal(vt_builder_finish(builder, &model, NULL), VT_OK);
    return model;
}

static size_t count_of(const char *labels, const char *heads)
{
    vt_model *model = make(labels, heads);
    vt_model_heads read;
    assert_int_equal(vt_model_heads_read(model, &read, NULL), VT_OK);
    size_t count = read.count;
    vt_model_heads_deinit(&read);
    vt_model_free(model);
    return count;
}

static void heads_are_read(void **state)
{
    (void)state;
    vt_model_heads read;
    vt_model *model = make("[\"a\", \"b\"]",
                           "[{\"name\": \"color\", \"output\": \"logits.color\", \"several\": "
                           "true, \"labels\": [\"red\", \"blue\"]}, {\"name\": \"product\", "
                           "\"labels\": [\"p\"]}, {\"name\": \"gone\", \"output\": \"nowhere\", "
                           "\"labels\": [\"x\"]}]");
    assert_int_equal(vt_model_heads_read(model, &read, NULL), VT_OK);
    assert_int_equal(read.count, 3);
    const vt_model_head *color = vt_model_heads_find(&read, "color");
    assert_string_equal(color->output, "logits.color");
    assert_true(color->several);
    assert_int_equal(color->label_count, 2);
    assert_null(vt_model_heads_find(&read, "product")->output);
    assert_null(vt_model_heads_find(&read, "gone")->output); /* the network has no such value */
    assert_null(vt_model_heads_find(&read, "size"));
    vt_model_heads_deinit(&read);
    vt_model_free(model);
    /* The one head without a name, also where a list of heads is empty. */
    static const char *const empty[] = {NULL, "[]"};
    for (int i = 0; i < 2; i++) {
        model = make("[\"a\", \"b\"]", empty[i]);
        assert_int_equal(vt_model_heads_read(model, &read, NULL), VT_OK);
        assert_int_equal(read.count, 1);
        assert_string_equal(read.items[0].name, "");
        assert_string_equal(read.items[0].output, "logits");
        assert_string_equal(vt_json_text(vt_json_at(read.items[0].labels, 1), ""), "b");
        vt_model_heads_deinit(&read);
        vt_model_free(model);
    }
}

static void what_cannot_be_read_is_no_head(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "[{\"name\": \"\", \"labels\": [\"a\"]}]",
        "[{\"name\": 3, \"labels\": [\"a\"]}]",
        "[{\"labels\": [\"a\"]}]",
        "[{\"name\": \"a\", \"labels\": []}]",
        "[{\"name\": \"a\", \"labels\": [1]}]",
        "[{\"name\": \"a\", \"labels\": \"a\"}]",
        "[{\"name\": \"a\"}]",
        "[{\"name\": \"a\", \"labels\": [\"a\"]}, {\"name\": \"a\", \"labels\": [\"b\"]}]",
        "[1]",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(count_of(NULL, wrong[i]), 0);
    static const char *const labels[] = {"", "{}", "[]", "[1]", "[\"a\", null]", "[\"a\"", "\"a\""};
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
        assert_int_equal(count_of(labels[i], NULL), 0);
    assert_int_equal(count_of(NULL, NULL), 0);
    assert_int_equal(count_of(NULL, "[{"), 0);
    char many[4096] = "[";
    for (int i = 0; i <= VT_MODEL_HEADS_MAX; i++) {
        char one[64];
        snprintf(one, sizeof(one), "%s{\"name\": \"h%d\", \"labels\": [\"a\"]}", i > 0 ? "," : "",
                 i);
        strncat(many, one, sizeof(many) - strlen(many) - 1);
    }
    strncat(many, "]", sizeof(many) - strlen(many) - 1);
    assert_int_equal(count_of(NULL, many), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_read),
        cmocka_unit_test(what_cannot_be_read_is_no_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
