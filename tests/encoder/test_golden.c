/* SPDX-License-Identifier: Apache-2.0 */
/* The golden picture: what is packed opens and checks itself; what is damaged does not. */
#include "encoder/models.h"

#include "base/file.h"
#include "nn/model.h"

#include <math.h>

/* packed.onnx of the tiny network under preset imagenet. */
static void pack_tiny(scratch *s)
{
    vt_error error = {0};
    vt_buf file;
    vt_buf_init(&file, PB_MAXIMUM);
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &options);
    vt_encoder *encoder = model_open(s, "tiny.onnx", "imagenet", NULL);
    if (vt_encoder_pack(encoder, &file, &error) != VT_OK)
        fail_msg("%s", error.message);
    vt_encoder_free(encoder);
    model_save(s, "packed.onnx", &file);
}

static vt_buf read_back(scratch *s, const char *name)
{
    vt_buf file;
    vt_buf_init(&file, PB_MAXIMUM);
    assert_int_equal(vt_file_read(scratch_path(s, name), PB_MAXIMUM, &file, NULL), VT_OK);
    return file;
}

static void what_is_packed_opens_by_itself_and_is_checked(void **state)
{
    scratch *s = *state;
    float before[TINY_FEATURES], after[TINY_FEATURES];
    pack_tiny(s);
    vt_encoder *plain = model_open(s, "tiny.onnx", "imagenet", NULL);
    vt_encoder *packed = model_open(s, "packed.onnx", NULL, NULL);
    assert_true(vt_encoder_info_of(packed).golden_checked);
    assert_string_equal(vt_encoder_info_of(packed).contract->output, "flat");
    model_embed(plain, 5, before);
    model_embed(packed, 5, after);
    assert_memory_equal(before, after, sizeof(before));
    vt_encoder_check check = {0};
    assert_int_equal(vt_encoder_check_golden(packed, &check, NULL), VT_OK);
    assert_true(check.has_contract && check.has_golden);
    assert_float_equal((float)check.golden_similarity, 1.0f, 1e-6f);
    assert_float_equal((float)check.reference_similarity, 1.0f, 1e-5f);
    vt_encoder_free(plain);
    vt_encoder_free(packed);
}

static void a_file_without_golden_picture_is_held_to_the_reference(void **state)
{
    scratch *s = *state;
    vt_encoder_check check = {0};
    pack_tiny(s);
    vt_encoder *plain = model_open(s, "tiny.onnx", "imagenet", NULL);
    assert_int_equal(vt_encoder_check_golden(plain, &check, NULL), VT_OK);
    assert_false(check.has_contract || check.has_golden);
    assert_true(isnan(check.golden_similarity));
    assert_float_equal((float)check.reference_similarity, 1.0f, 1e-5f);
    vt_encoder_free(plain);
}

/* The stored vector was made under the stored contract: it says nothing about another. */
static void under_another_preset_the_golden_vector_does_not_count(void **state)
{
    scratch *s = *state;
    vt_encoder_check check = {0};
    pack_tiny(s);
    vt_encoder *other = model_open(s, "packed.onnx", "none", "classes");
    assert_false(vt_encoder_info_of(other).golden_checked);
    assert_int_equal(vt_encoder_check_golden(other, &check, NULL), VT_OK);
    assert_true(check.has_contract);
    assert_false(check.has_golden);
    vt_encoder_free(other);
}

/* Where the first weight of the first convolution lies in the file. */
static unsigned char *first_weight(vt_buf *file)
{
    vt_random random;
    vt_random_init(&random, tiny_defaults().seed);
    float value = vt_random_float(&random, -0.5f, 0.5f);
    unsigned char *at = memmem(file->data, file->length, &value, sizeof(value));
    assert_non_null(at);
    return at;
}

static void one_damaged_byte_of_a_weight_is_found(void **state)
{
    scratch *s = *state;
    vt_error error = {0};
    vt_encoder *encoder = NULL;
    pack_tiny(s);
    vt_buf file = read_back(s, "packed.onnx");
    unsigned char *weight = first_weight(&file);
    weight[3] = (unsigned char)((weight[3] & 0x80) | 0x43); /* the exponent: now above 128 */
    model_save(s, "damaged.onnx", &file);
    assert_int_equal(model_try(s, "damaged.onnx", NULL, NULL, &encoder, &error), VT_ERR_MISMATCH);
    assert_non_null(strstr(error.message, "damaged.onnx"));
    assert_null(encoder);
    vt_encoder_options options = vt_encoder_options_defaults();
    options.check_golden = false;
    assert_int_equal(vt_encoder_open(scratch_path(s, "damaged.onnx"), &options, &encoder, NULL),
                     VT_OK);
    vt_encoder_check check = {0};
    assert_int_equal(vt_encoder_check_golden(encoder, &check, &error), VT_ERR_MISMATCH);
    vt_encoder_free(encoder);
}

static void weights_that_are_no_numbers_are_found(void **state)
{
    scratch *s = *state;
    vt_error error = {0};
    vt_encoder *encoder = NULL;
    vt_buf file;
    vt_buf_init(&file, PB_MAXIMUM);
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &options);
    /* Before the activation: Relu makes zeros of them. */
    vt_encoder *plain = model_open(s, "tiny.onnx", "imagenet", "before");
    assert_int_equal(vt_encoder_pack(plain, &file, NULL), VT_OK);
    vt_encoder_free(plain);
    memcpy(first_weight(&file), "\x00\x00\xc0\x7f", 4);
    model_save(s, "nan.onnx", &file);
    assert_int_equal(model_try(s, "nan.onnx", NULL, NULL, &encoder, &error), VT_ERR_MISMATCH);
    assert_null(encoder);
}

static void broken_golden_entries_are_refused(void **state)
{
    scratch *s = *state;
    static const struct {
        const char *entry;
        vt_status status;
    } wrong[] = {
        {"", VT_ERR_FORMAT},
        {"{", VT_ERR_FORMAT},
        {"{\"version\":7}", VT_ERR_UNSUPPORTED},
        {"{\"version\":1}", VT_ERR_MISMATCH},
        {"{\"version\":1,\"image\":\"\",\"vector\":\"AAAA\"}", VT_ERR_MISMATCH},
        {"{\"version\":1,\"image\":\"!!\",\"vector\":"
         "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}",
         VT_ERR_FORMAT},
    };
    pack_tiny(s);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        vt_error error = {0};
        vt_encoder *encoder = NULL;
        vt_buf file = read_back(s, "packed.onnx");
        assert_int_equal(vt_onnx_set_metadata(&file, VT_METADATA_GOLDEN, wrong[i].entry, NULL),
                         VT_OK);
        model_save(s, "wrong.onnx", &file);
        vt_status status = model_try(s, "wrong.onnx", NULL, NULL, &encoder, &error);
        if (status != wrong[i].status)
            fail_msg("entry %zu: status %d, \"%s\"", i, (int)status, error.message);
        assert_non_null(strstr(error.message, "wrong.onnx"));
        assert_null(encoder);
    }
}

static void packing_again_replaces_what_was_packed(void **state)
{
    scratch *s = *state;
    vt_buf file;
    vt_buf_init(&file, PB_MAXIMUM);
    pack_tiny(s);
    vt_encoder *encoder = model_open(s, "packed.onnx", "none", "classes");
    assert_int_equal(vt_encoder_pack(encoder, &file, NULL), VT_OK);
    vt_encoder_free(encoder);
    model_save(s, "again.onnx", &file);
    encoder = model_open(s, "again.onnx", NULL, NULL);
    assert_true(vt_encoder_info_of(encoder).golden_checked);
    assert_int_equal(vt_encoder_info_of(encoder).dim, TINY_CLASSES);
    vt_encoder_free(encoder);
}

static void classic_has_nothing_to_pack(void **state)
{
    (void)state;
    vt_error error = {0};
    vt_buf file;
    vt_buf_init(&file, 1024);
    vt_encoder *encoder = NULL;
    vt_encoder_check check = {0};
    vt_encoder_options options = vt_encoder_options_defaults();
    assert_int_equal(vt_encoder_open("classic", &options, &encoder, NULL), VT_OK);
    assert_int_equal(vt_encoder_pack(encoder, &file, &error), VT_ERR_USAGE);
    assert_int_equal(vt_encoder_check_golden(encoder, &check, &error), VT_ERR_USAGE);
    vt_encoder_free(encoder);
    vt_buf_deinit(&file);
}

static vt_status open_packed(void *context)
{
    vt_encoder *encoder = NULL;
    vt_encoder_options options = vt_encoder_options_defaults();
    vt_status status = vt_encoder_open(context, &options, &encoder, NULL);
    vt_encoder_free(encoder);
    return status;
}

static vt_status pack_it(void *context)
{
    vt_buf file;
    vt_buf_init(&file, PB_MAXIMUM);
    vt_status status = vt_encoder_pack(context, &file, NULL);
    vt_buf_deinit(&file);
    return status;
}

static void running_out_of_memory_is_an_error(void **state)
{
    scratch *s = *state;
    char path[SCRATCH_PATH_BYTES];
    pack_tiny(s);
    snprintf(path, sizeof(path), "%s", scratch_path(s, "packed.onnx"));
    assert_true(each_allocation_failing(open_packed, path) > 5);
    vt_encoder *encoder = model_open(s, "packed.onnx", NULL, NULL);
    assert_true(each_allocation_failing(pack_it, encoder) > 5);
    vt_encoder_free(encoder);
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(what_is_packed_opens_by_itself_and_is_checked),
        IN_SCRATCH(a_file_without_golden_picture_is_held_to_the_reference),
        IN_SCRATCH(under_another_preset_the_golden_vector_does_not_count),
        IN_SCRATCH(one_damaged_byte_of_a_weight_is_found),
        IN_SCRATCH(weights_that_are_no_numbers_are_found),
        IN_SCRATCH(broken_golden_entries_are_refused),
        IN_SCRATCH(packing_again_replaces_what_was_packed),
        cmocka_unit_test(classic_has_nothing_to_pack),
        IN_SCRATCH(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
