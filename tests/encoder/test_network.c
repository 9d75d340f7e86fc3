/* SPDX-License-Identifier: Apache-2.0 */
/* Which networks can be encoders, which value is the embedding, and how it is pooled. */
#include "encoder/models.h"

#include "base/file.h"
#include "encoder/network.h"

#include <math.h>

enum { MAPS = TINY_FEATURES * (TINY_SIDE / 2) * (TINY_SIDE / 2) };

static void a_file_without_contract_needs_a_preset(void **state)
{
    scratch *s = *state;
    vt_error error = {0};
    vt_encoder *encoder = NULL;
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &options);
    assert_int_equal(model_try(s, "tiny.onnx", NULL, NULL, &encoder, &error), VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "tiny.onnx"));
    assert_non_null(strstr(error.message, "preset"));
    assert_int_equal(model_try(s, "tiny.onnx", "imagnet", NULL, &encoder, &error), VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "imagnet"));
    assert_null(encoder);
}

static void with_a_preset_features_before_the_classifier_are_taken(void **state)
{
    scratch *s = *state;
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &options);
    vt_encoder *encoder = model_open(s, "tiny.onnx", "imagenet", NULL);
    vt_encoder_info info = vt_encoder_info_of(encoder);
    assert_string_equal(info.name, "tiny.onnx");
    assert_int_equal(info.dim, TINY_FEATURES);
    assert_string_equal(info.contract->output, "flat");
    assert_int_equal(info.contract->pixels.width, TINY_SIDE); /* the graph's own size wins */
    assert_false(info.golden_checked);
    vt_encoder_free(encoder);
}

static void any_value_can_be_the_embedding_and_maps_are_averaged(void **state)
{
    scratch *s = *state;
    float flat[TINY_FEATURES], maps[TINY_FEATURES], classes[TINY_CLASSES];
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &options);
    vt_encoder *encoder = model_open(s, "tiny.onnx", "imagenet", "flat");
    model_embed(encoder, 0, flat);
    vt_encoder_free(encoder);
    encoder = model_open(s, "tiny.onnx", "imagenet", "maps");
    assert_int_equal(vt_encoder_info_of(encoder).dim, TINY_FEATURES);
    model_embed(encoder, 0, maps);
    vt_encoder_free(encoder);
    for (int i = 0; i < TINY_FEATURES; i++)
        assert_float_equal(flat[i], maps[i], 1e-5f);
    assert_float_equal(vt_distance()->dot_f32(flat, flat, TINY_FEATURES), 1.0f, 1e-5f);
    encoder = model_open(s, "tiny.onnx", "imagenet", "classes");
    assert_int_equal(vt_encoder_info_of(encoder).dim, TINY_CLASSES);
    model_embed(encoder, 0, classes);
    vt_encoder_free(encoder);
    model_refused(s, "tiny.onnx", "no_such_value", VT_ERR_NOT_FOUND, "no_such_value");
}

/* The contract of preset imagenet with these three members changed, as the file carries it. */
static void contract_text(const char *output, bool pool, bool normalize, vt_buf *json)
{
    vt_contract contract;
    assert_int_equal(vt_contract_preset("imagenet", &contract, NULL), VT_OK);
    contract.pixels.width = contract.pixels.height = TINY_SIDE;
    contract.pool = pool;
    contract.normalize = normalize;
    snprintf(contract.output, sizeof(contract.output), "%s", output);
    vt_buf_init(json, 1 << 16);
    assert_int_equal(vt_contract_print(&contract, json, NULL), VT_OK);
}

static vt_encoder *open_with_contract(scratch *s, const char *output, bool pool, bool normalize)
{
    vt_buf json;
    tiny_options options = tiny_defaults();
    contract_text(output, pool, normalize, &json);
    options.contract = vt_buf_text(&json);
    model_save_tiny(s, "own.onnx", &options);
    vt_buf_deinit(&json);
    return model_open(s, "own.onnx", NULL, NULL);
}

static void the_files_contract_decides_about_pooling_and_length(void **state)
{
    scratch *s = *state;
    static float whole[MAPS];
    float mean[TINY_FEATURES], raw[TINY_FEATURES], first[TINY_CLASSES];
    vt_encoder *encoder = open_with_contract(s, "maps", false, true);
    assert_int_equal(vt_encoder_info_of(encoder).dim, MAPS);
    model_embed(encoder, 1, whole);
    assert_float_equal(vt_distance()->dot_f32(whole, whole, MAPS), 1.0f, 1e-5f);
    vt_encoder_free(encoder);
    /* The mean of the flattened maps points where the pooled vector points. */
    for (int c = 0; c < TINY_FEATURES; c++) {
        mean[c] = 0.0f;
        for (int i = 0; i < MAPS / TINY_FEATURES; i++)
            mean[c] += whole[c * (MAPS / TINY_FEATURES) + i];
    }
    encoder = open_with_contract(s, "maps", true, false);
    model_embed(encoder, 1, raw);
    assert_true(model_cosine(mean, raw, TINY_FEATURES) > 0.99999f);
    assert_true(fabsf(vt_distance()->dot_f32(raw, raw, TINY_FEATURES) - 1.0f) > 1e-3f);
    vt_encoder_free(encoder);
    /* No name: the graph's first output. */
    encoder = open_with_contract(s, "", true, true);
    assert_int_equal(vt_encoder_info_of(encoder).dim, TINY_CLASSES);
    model_embed(encoder, 1, first);
    vt_encoder_free(encoder);
}

static void asked_for_unit_length_the_contract_gives_way(void **state)
{
    scratch *s = *state;
    float vector[TINY_FEATURES];
    vt_encoder_free(open_with_contract(s, "maps", true, false));
    vt_encoder_options options = vt_encoder_options_defaults();
    vt_encoder *encoder = NULL;
    options.unit_length = true;
    assert_int_equal(vt_encoder_open(scratch_path(s, "own.onnx"), &options, &encoder, NULL), VT_OK);
    assert_true(vt_encoder_info_of(encoder).contract->normalize);
    model_embed(encoder, 2, vector);
    assert_float_equal(vt_distance()->dot_f32(vector, vector, TINY_FEATURES), 1.0f, 1e-5f);
    vt_encoder_free(encoder);
}

static void half_precision_input_gives_nearly_the_same(void **state)
{
    scratch *s = *state;
    float full[TINY_FEATURES], half[TINY_FEATURES];
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "full.onnx", &options);
    options.type = VT_F16;
    model_save_tiny(s, "half.onnx", &options);
    vt_encoder *encoder = model_open(s, "full.onnx", "imagenet", NULL);
    model_embed(encoder, 3, full);
    vt_encoder_free(encoder);
    encoder = model_open(s, "half.onnx", "imagenet", NULL);
    model_embed(encoder, 3, half);
    vt_encoder_free(encoder);
    assert_true(model_cosine(full, half, TINY_FEATURES) > 0.9999f);
}

static void the_batch_is_what_the_graph_can_take(void **state)
{
    scratch *s = *state;
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "free.onnx", &options);
    vt_encoder *encoder = model_open(s, "free.onnx", "imagenet", NULL);
    assert_int_equal(encoder->maximum_batch, VT_BATCH_LIMIT);
    vt_encoder_free(encoder);
    options.batch = 1;
    model_save_tiny(s, "one.onnx", &options);
    encoder = model_open(s, "one.onnx", "imagenet", NULL);
    assert_int_equal(encoder->maximum_batch, 1);
    vt_encoder_free(encoder);
    options = tiny_defaults();
    options.fixed_reshape = true;
    model_save_tiny(s, "reshape.onnx", &options);
    encoder = model_open(s, "reshape.onnx", "imagenet", NULL);
    assert_int_equal(encoder->maximum_batch, 1);
    assert_int_equal(encoder->dim, TINY_FEATURES);
    vt_encoder_free(encoder);
    options = tiny_defaults();
    options.batch = 4;
    model_save_tiny(s, "four.onnx", &options);
    model_refused(s, "four.onnx", NULL, VT_ERR_UNSUPPORTED, "fixed to 4");
}

/* A graph that hands its input through. */
static void save_identity(scratch *s, const char *name, vt_dtype type, int rank,
                          const int64_t *dims)
{
    onnx_builder b;
    onnx_begin(&b);
    onnx_input(&b, "x", type, rank, dims);
    onnx_node(&b, "Identity", "x", "y");
    onnx_output(&b, "y", type, rank, dims);
    vt_buf file = onnx_finish(&b);
    model_save(s, name, &file);
}

static void inputs_that_are_no_pictures_are_refused(void **state)
{
    scratch *s = *state;
    onnx_builder b;
    save_identity(s, "rank.onnx", VT_F32, 3, (int64_t[]){3, 16, 16});
    model_refused(s, "rank.onnx", "y", VT_ERR_UNSUPPORTED, "3x16x16");
    save_identity(s, "grey.onnx", VT_F32, 4, (int64_t[]){1, 1, 16, 16});
    model_refused(s, "grey.onnx", "y", VT_ERR_UNSUPPORTED, "1x1x16x16");
    save_identity(s, "bytes.onnx", VT_U8, 4, (int64_t[]){1, 3, 16, 16});
    model_refused(s, "bytes.onnx", "y", VT_ERR_UNSUPPORTED, "u8");
    save_identity(s, "huge.onnx", VT_F32, 4, (int64_t[]){1, 3, 16, 100000});
    model_refused(s, "huge.onnx", "y", VT_ERR_LIMIT, "4096");
    onnx_begin(&b);
    onnx_input(&b, "x", VT_F32, 4, (int64_t[]){1, 3, 16, 16});
    onnx_input(&b, "z", VT_F32, 4, (int64_t[]){1, 3, 16, 16});
    onnx_node(&b, "Add", "x,z", "y");
    onnx_output(&b, "y", VT_F32, 4, (int64_t[]){1, 3, 16, 16});
    vt_buf file = onnx_finish(&b);
    model_save(s, "two.onnx", &file);
    model_refused(s, "two.onnx", "y", VT_ERR_UNSUPPORTED, "2 inputs");
}

/* x (N,3,16,16) -> `op` -> y with a constant second input where given. */
static void save_reshaped(scratch *s, const char *name, const int64_t *shape, int rank)
{
    onnx_builder b;
    onnx_begin(&b);
    onnx_input(&b, "x", VT_F32, 4, (int64_t[]){-1, 3, TINY_SIDE, TINY_SIDE});
    onnx_raw(&b, "shape", VT_I64, 1, (int64_t[]){rank}, shape, (size_t)rank * sizeof(*shape));
    onnx_node(&b, "Reshape", "x,shape", "y");
    onnx_output(&b, "y", VT_F32, rank, (int64_t[]){-1, -1, -1, -1, -1});
    vt_buf file = onnx_finish(&b);
    model_save(s, name, &file);
}

static void outputs_that_are_no_vectors_are_refused(void **state)
{
    scratch *s = *state;
    save_reshaped(s, "five.onnx", (int64_t[]){-1, 3, 4, 4, 16}, 5);
    model_refused(s, "five.onnx", "y", VT_ERR_UNSUPPORTED, "1x3x4x4x16");
    save_reshaped(s, "line.onnx", (int64_t[]){-1}, 1);
    model_refused(s, "line.onnx", "y", VT_ERR_UNSUPPORTED, "768");
    save_reshaped(s, "side.onnx", (int64_t[]){-1, 1}, 2);
    model_refused(s, "side.onnx", "y", VT_ERR_UNSUPPORTED, "first axis");
}

static void of_tokens_the_mean_or_the_first_is_taken(void **state)
{
    scratch *s = *state;
    enum { TOKENS = 4, WIDTH = 3 * TINY_SIDE * TINY_SIDE / TOKENS };
    static float mean[WIDTH], first[WIDTH], want[WIDTH];
    vt_buf json;
    vt_image image = {0};
    float tensor[3 * TINY_SIDE * TINY_SIDE];
    save_reshaped(s, "tokens.onnx", (int64_t[]){-1, TOKENS, WIDTH}, 3);
    vt_encoder *encoder = model_open(s, "tokens.onnx", "imagenet", "y");
    assert_int_equal(vt_encoder_info_of(encoder).dim, WIDTH);
    model_embed(encoder, 4, mean);
    assert_int_equal(goods_draw(4, 0, &image, NULL), VT_OK);
    assert_int_equal(
        vt_image_to_tensor(&image, &vt_encoder_info_of(encoder).contract->pixels, tensor, NULL),
        VT_OK);
    vt_encoder_free(encoder);
    for (int d = 0; d < WIDTH; d++) {
        want[d] = 0.0f;
        for (int t = 0; t < TOKENS; t++)
            want[d] += tensor[t * WIDTH + d];
    }
    assert_true(model_cosine(mean, want, WIDTH) > 0.99999f);
    /* The same graph with a contract that does not pool. */
    vt_buf file;
    vt_buf_init(&file, 1 << 20);
    contract_text("y", false, true, &json);
    assert_int_equal(vt_file_read(scratch_path(s, "tokens.onnx"), 1 << 20, &file, NULL), VT_OK);
    assert_int_equal(vt_onnx_set_metadata(&file, VT_METADATA_CONTRACT, json.data, NULL), VT_OK);
    model_save(s, "first.onnx", &file);
    vt_buf_deinit(&json);
    encoder = model_open(s, "first.onnx", NULL, NULL);
    model_embed(encoder, 4, first);
    assert_true(model_cosine(first, tensor, WIDTH) > 0.99999f);
    vt_encoder_free(encoder);
    vt_image_deinit(&image);
}

static void a_batch_gives_what_single_pictures_give(void **state)
{
    scratch *s = *state;
    enum { BATCH = 8, FLOATS = 3 * TINY_SIDE * TINY_SIDE };
    float together[BATCH][TINY_FEATURES], alone[TINY_FEATURES];
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &options);
    vt_encoder *encoder = model_open(s, "tiny.onnx", "imagenet", NULL);
    for (int executor = VT_EXECUTOR_ONEDNN; executor <= VT_EXECUTOR_REFERENCE; executor++) {
        vt_network *network = NULL;
        float *input = NULL;
        assert_int_equal(
            vt_network_new(encoder,
                           &(vt_network_options){.executor = (vt_executor)executor, .threads = 1},
                           &network, NULL),
            VT_OK);
        assert_int_equal(vt_network_input(network, BATCH, &input, NULL), VT_OK);
        for (int i = 0; i < BATCH; i++) {
            vt_image image = {0};
            assert_int_equal(goods_draw(i, i, &image, NULL), VT_OK);
            assert_int_equal(
                vt_image_to_tensor(&image, &encoder->contract.pixels, input + i * FLOATS, NULL),
                VT_OK);
            vt_image_deinit(&image);
        }
        assert_int_equal(vt_network_run(network, BATCH, together[0], NULL), VT_OK);
        for (int i = 0; i < BATCH; i++) {
            memmove(input, input + i * FLOATS, FLOATS * sizeof(float));
            assert_int_equal(vt_network_run(network, 1, alone, NULL), VT_OK);
            for (int d = 0; d < TINY_FEATURES; d++)
                assert_float_equal(alone[d], together[i][d], 1e-5f);
        }
        vt_network_free(network);
    }
    vt_encoder_free(encoder);
}

static vt_status make_and_run(void *context)
{
    const vt_encoder *encoder = context;
    float vector[TINY_FEATURES], *input = NULL;
    vt_network *network = NULL;
    vt_status status = vt_network_new(encoder, &(vt_network_options){.threads = 1}, &network, NULL);
    if (status == VT_OK)
        status = vt_network_input(network, 1, &input, NULL);
    if (status == VT_OK) {
        memset(input, 0, 3 * TINY_SIDE * TINY_SIDE * sizeof(float));
        status = vt_network_run(network, 1, vector, NULL);
    }
    vt_network_free(network);
    return status;
}

static void running_out_of_memory_is_an_error(void **state)
{
    scratch *s = *state;
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &options);
    vt_encoder *encoder = model_open(s, "tiny.onnx", "imagenet", NULL);
    assert_true(each_allocation_failing(make_and_run, encoder) > 0);
    vt_encoder_free(encoder);
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(a_file_without_contract_needs_a_preset),
        IN_SCRATCH(with_a_preset_features_before_the_classifier_are_taken),
        IN_SCRATCH(any_value_can_be_the_embedding_and_maps_are_averaged),
        IN_SCRATCH(the_files_contract_decides_about_pooling_and_length),
        IN_SCRATCH(asked_for_unit_length_the_contract_gives_way),
        IN_SCRATCH(half_precision_input_gives_nearly_the_same),
        IN_SCRATCH(the_batch_is_what_the_graph_can_take),
        IN_SCRATCH(inputs_that_are_no_pictures_are_refused),
        IN_SCRATCH(outputs_that_are_no_vectors_are_refused),
        IN_SCRATCH(of_tokens_the_mean_or_the_first_is_taken),
        IN_SCRATCH(a_batch_gives_what_single_pictures_give),
        IN_SCRATCH(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
