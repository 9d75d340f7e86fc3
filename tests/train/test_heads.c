/* SPDX-License-Identifier: Apache-2.0 */
/* Which heads a recipe's labels and losses make, and what of them is refused. */
#include "support/scratch.h"

#include "train/heads.h"

static vt_status parse(const char *label, const char *loss, vt_heads *out, vt_error *error)
{
    vt_recipe recipe;
    assert_int_equal(vt_recipe_init(&recipe, NULL), VT_OK);
    if (label != NULL)
        assert_int_equal(vt_recipe_set(&recipe, "label", label, NULL), VT_OK);
    assert_int_equal(vt_recipe_set(&recipe, "loss", loss, NULL), VT_OK);
    if (strstr(loss, "kd") != NULL)
        assert_int_equal(vt_recipe_set(&recipe, "teacher", "t.onnx", NULL), VT_OK);
    vt_status status = vt_heads_parse(&recipe, out, error);
    vt_recipe_deinit(&recipe);
    return status;
}

static vt_heads made(const char *label, const char *loss)
{
    vt_heads heads;
    vt_error error;
    if (parse(label, loss, &heads, &error) != VT_OK)
        fail_msg("%s: %s", loss, error.message);
    return heads;
}

static void refused(const char *label, const char *loss, const char *text)
{
    vt_heads heads;
    vt_error error = {0};
    assert_int_equal(parse(label, loss, &heads, &error), VT_ERR_USAGE);
    if (strstr(error.message, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.message, text);
}

/* Names and weights of a loss's terms: "ce=1,mse=0.5". */
static void expect_terms(const vt_loss *loss, const char *want)
{
    char text[256] = "";
    for (int i = 0; i < loss->count; i++) {
        size_t length = strlen(text);
        snprintf(text + length, sizeof(text) - length, "%s%s=%g", i > 0 ? "," : "",
                 vt_loss_term_name(&loss->terms[i]), loss->terms[i].weight);
    }
    assert_string_equal(text, want);
}

static void one_label_has_no_name(void **state)
{
    (void)state;
    static const char *const labels[] = {NULL, "color"};
    for (int i = 0; i < 2; i++) {
        vt_heads heads = made(labels[i], "arcface=1,ce=0.5,kd-mse");
        assert_false(heads.named);
        assert_int_equal(heads.count, 1);
        assert_string_equal(heads.items[0].name, "");
        assert_string_equal(heads.items[0].output, "logits");
        assert_true(heads.items[0].scores);
        expect_terms(&heads.items[0].loss, "arcface=1,ce=0.5,kd-mse=1");
        assert_int_equal(heads.common.count, 0);
    }
    /* Nor do several values: that is for heads with names. */
    assert_false(made(NULL, "bce").items[0].several);
}

static void labels_are_heads(void **state)
{
    (void)state;
    vt_heads heads = made("category,sleeve length,product",
                          "ce:category,ce(smoothing=0.1):sleeve length=0.5,cosface:product");
    assert_true(heads.named);
    assert_int_equal(heads.count, 3);
    assert_string_equal(heads.items[0].output, "logits.category");
    assert_string_equal(heads.items[1].name, "sleeve length");
    assert_string_equal(heads.items[1].output, "logits.sleeve_length");
    expect_terms(&heads.items[1].loss, "ce=0.5");
    assert_true(heads.items[1].loss.terms[0].parameters[0] == 0.1);
    assert_true(heads.items[1].scores);
    assert_false(heads.items[2].scores);
    expect_terms(&heads.items[2].loss, "cosface=1");
    assert_int_equal(vt_heads_find(&heads, "product!", 7), 2);
    assert_int_equal(vt_heads_find(&heads, "prod", 4), VT_HEADS_MAX);
}

static void terms_without_a_head_are_of_the_others(void **state)
{
    (void)state;
    vt_heads heads = made("a,b,c", "ce,cosface:c=0.5,nt-xent=0.1,kd-cosine");
    expect_terms(&heads.items[0].loss, "ce=1");
    expect_terms(&heads.items[1].loss, "ce=1");
    expect_terms(&heads.items[2].loss, "cosface=0.5");
    expect_terms(&heads.common, "nt-xent=0.1,kd-cosine=1");
    heads = made("a,b", "ce");
    expect_terms(&heads.items[1].loss, "ce=1");
    /* Without labels they are those that the loss names. */
    heads = made(NULL, "bce:materials=2,ce:category,triplet:category=0.5");
    assert_int_equal(heads.count, 2);
    assert_string_equal(heads.items[0].name, "materials");
    assert_true(heads.items[0].several);
    assert_false(heads.items[1].several);
    expect_terms(&heads.items[1].loss, "ce=1,triplet=0.5");
    /* One head with a name is one with a name. */
    assert_true(made("color", "ce:color").named);
}

static void what_makes_no_heads_is_refused(void **state)
{
    (void)state;
    char long_name[100];
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[0] = ',';
    long_name[sizeof(long_name) - 1] = '\0';
    refused("color,category,color", "ce", "\"color\" twice");
    refused("color,", "ce", "names between commas");
    refused(long_name, "ce", "names between commas");
    refused("color,category", "ce:colour", "head \"colour\", which is none of \"label\"");
    refused("color", "ce:category", "head \"category\", which is none of \"label\"");
    refused("color,category", "ce:color", "head \"category\" of \"label\" has no term");
    refused("color,category", "nt-xent", "has no term");
    refused("color,category", "ce:color,ce:category,mse", "names no head");
    refused("color,category", "ce,nt-xent:color", "belongs to no head");
    refused("color,category", "ce:color,ce:color,ce:category", "twice");
    refused("color,category", "ce:,ce:category", "no name of a head");
    refused("color,category", "bce:color,ce:color,ce:category", "several values a photo");
    refused("color,category", "bce:color,triplet:color,ce:category", "several values a photo");
    refused("a b,a_b", "ce", "too alike");
    refused("embedding,a", "ce", "\"embedding\"");
    refused("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "ce", "more than 16");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_label_has_no_name),
        cmocka_unit_test(labels_are_heads),
        cmocka_unit_test(terms_without_a_head_are_of_the_others),
        cmocka_unit_test(what_makes_no_heads_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
