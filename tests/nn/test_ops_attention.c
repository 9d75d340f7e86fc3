/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention and RotaryEmbedding.
 *
 * Queries and keys of one number with scale 1, scores 0 or log(k): the softmax gives fractions that
 * can be written down. With all queries 1 and keys 0 attention is the mean of the values it sees.
 */
#include "operators.h"

static float ones[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
static float zeros[16];
static float values[16] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192};

#define NUMBERS(source, ...)                                                                       \
    {                                                                                              \
        .dtype = VT_F32, .data = (source), .shape = {                                              \
            .rank = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                            \
            .dims = {__VA_ARGS__}                                                                  \
        }                                                                                          \
    }

static const vt_attr one_scale[] = {ATTR_FLOAT("scale", 1.0f)};

static void attends_by_softmax(void **state)
{
    (void)state;
    float keys[] = {0, (float)log(3.0)}, wide_q[] = {2, 0, 0, 0}, wide_k[8] = {0, 0, 0, 0, 1};
    vt_tensor q = NUMBERS(ones, 1, 1, 1, 1), k = NUMBERS(keys, 1, 1, 2, 1);
    vt_tensor v = NUMBERS(values, 1, 1, 2, 2);
    op_call call = {"Attention", 23, ATTRS(one_scale), .inputs = {&q, &k, &v}, .input_count = 3};
    op_run(&call); /* a quarter (1 2), three quarters (4 8) */
    ASSERT_OUTPUT(call, DIMS(1, 1, 1, 2), 3.25, 6.5);
    op_done(&call);
    /* The scale is 1 / sqrt(4): scores 0 and 1. */
    vt_tensor q4 = NUMBERS(wide_q, 1, 1, 1, 4), k4 = NUMBERS(wide_k, 1, 1, 2, 4);
    double e = exp(1.0);
    call = (op_call){"Attention", 24, .inputs = {&q4, &k4, &v}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 1, 2), (1 + 4 * e) / (1 + e), (2 + 8 * e) / (1 + e));
    op_done(&call);
}

static void shares_key_heads_and_unpacks(void **state)
{
    (void)state;
    const vt_attr heads[] = {ATTR_INT("q_num_heads", 4), ATTR_INT("kv_num_heads", 2)};
    vt_tensor q = NUMBERS(ones, 1, 4, 1, 1), k = NUMBERS(zeros, 1, 2, 2, 1);
    vt_tensor v = NUMBERS(values, 1, 2, 2, 1);
    op_call call = {"Attention", 23, .inputs = {&q, &k, &v}, .input_count = 3};
    op_run(&call); /* neighbours share: means of (1 2) and (4 8) */
    ASSERT_OUTPUT(call, DIMS(1, 4, 1, 1), 1.5, 1.5, 6, 6);
    op_done(&call);
    /* Packed: tokens (1 2) and (4 8), heads (1 4) and (2 8). */
    vt_tensor q3 = NUMBERS(ones, 1, 1, 4), k3 = NUMBERS(zeros, 1, 2, 2);
    vt_tensor v3 = NUMBERS(values, 1, 2, 2);
    call =
        (op_call){"Attention",      23, ATTRS(heads), .inputs = {&q3, &k3, &v3}, .input_count = 3,
                  .output_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 4), 2.5, 2.5, 5, 5);
    assert_shape(&call.outputs[1], 4, (const int64_t[]){1, 2, 2, 1});
    assert_numbers(&call.outputs[2], 4, (const double[]){1, 4, 2, 8});
    op_done(&call);
}

static void keeps_the_past(void **state)
{
    (void)state;
    const vt_attr causal[] = {ATTR_INT("is_causal", 1)};
    vt_tensor q = NUMBERS(ones, 1, 1, 2, 1), k = NUMBERS(zeros, 1, 1, 2, 1);
    vt_tensor v = NUMBERS(values, 1, 1, 2, 1), past_k = NUMBERS(ones, 1, 1, 1, 1);
    vt_tensor past_v = NUMBERS(values + 5, 1, 1, 1, 1), flat = NUMBERS(ones, 1, 1, 1);
    op_call call = {"Attention", 23, ATTRS(causal), .inputs = {&q, &k, &v}, .input_count = 3};
    op_run(&call); /* row 0 sees key 0 */
    ASSERT_OUTPUT(call, DIMS(1, 1, 2, 1), 1, 1.5);
    op_done(&call);
    past_k.data = zeros;
    call = (op_call){"Attention",      23,
                     ATTRS(causal),    .inputs = {&q, &k, &v, NULL, &past_k, &past_v},
                     .input_count = 6, .output_count = 3};
    op_run(&call); /* row 0 sees the past and key 0 */
    ASSERT_OUTPUT(call, DIMS(1, 1, 2, 1), 16.5, 35.0 / 3);
    assert_shape(&call.outputs[1], 4, (const int64_t[]){1, 1, 3, 1});
    assert_numbers(&call.outputs[2], 3, (const double[]){32, 1, 2});
    op_done(&call);
    call.inputs[5] = NULL;
    call.input_count = 5;
    op_fails(&call, VT_ERR_FORMAT, "not given together");
    call.inputs[5] = &flat;
    call.input_count = 6;
    op_fails(&call, VT_ERR_FORMAT, "do not fit the keys");
}

static void masks_and_fills_up_masks(void **state)
{
    (void)state;
    uint8_t some[] = {1, 0, 1, 0, 0, 0};
    float added[] = {0, (float)log(3.0), -INFINITY, 0, 0, 0};
    float narrow[] = {0, 0};
    vt_tensor q = NUMBERS(ones, 1, 1, 2, 1), k = NUMBERS(zeros, 1, 1, 3, 1);
    vt_tensor v = NUMBERS(values, 1, 1, 3, 1), bools = TENSOR(VT_BOOL, some, 2, 3);
    vt_tensor floats = NUMBERS(added, 1, 2, 3), column = NUMBERS(narrow, 1, 1, 2, 1);
    op_call call = {"Attention", 23, ATTRS(one_scale), .inputs = {&q, &k, &v, &bools},
                    .input_count = 4};
    op_run(&call); /* the second row sees nothing */
    ASSERT_OUTPUT(call, DIMS(1, 1, 2, 1), 2.5, 0);
    op_done(&call);
    call.inputs[3] = &floats;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 2, 1), 0.25 + 1.5, 7.0 / 3);
    op_done(&call);
    call.inputs[3] = &column; /* repeated in opset 23, filled up from 24 on */
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 2, 1), 7.0 / 3, 7.0 / 3);
    op_done(&call);
    call.opset = 24;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 2, 1), 1, 1);
    op_done(&call);
}

static void counts_valid_keys(void **state)
{
    (void)state;
    int64_t counts[] = {2, 3}, beyond[] = {2, 4}, minus[] = {-1, INT64_MIN};
    const vt_attr causal[] = {ATTR_INT("is_causal", 1)};
    vt_tensor q = NUMBERS(ones, 2, 1, 2, 1), k = NUMBERS(zeros, 2, 1, 3, 1);
    vt_tensor v = NUMBERS(values, 2, 1, 3, 1), valid = TENSOR(VT_I64, counts, 2);
    op_call call = {"Attention", 24, .inputs = {&q, &k, &v, NULL, NULL, NULL, &valid},
                    .input_count = 7};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 1, 2, 1), 1.5, 1.5, 56.0 / 3, 56.0 / 3);
    op_done(&call);
    call.attrs = causal;
    call.attr_count = 1;
    op_run(&call); /* the last query meets the last valid key */
    ASSERT_OUTPUT(call, DIMS(2, 1, 2, 1), 1, 1.5, 12, 56.0 / 3);
    op_done(&call);
    counts[0] = 0; /* nothing is seen, not even from before the first key */
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 1, 2, 1), 0, 0, 12, 56.0 / 3);
    op_done(&call);
    valid.data = beyond;
    op_fails(&call, VT_ERR_FORMAT, "nonpad_kv_seqlen[1] is 4 of 3");
    valid.data = minus;
    op_fails(&call, VT_ERR_FORMAT, "nonpad_kv_seqlen[0] is -1");
    valid.shape.dims[0] = 1;
    op_fails(&call, VT_ERR_FORMAT, "not one number per sequence");
}

static void looks_through_windows(void **state)
{
    (void)state;
    int64_t counts[] = {3};
    const vt_attr left[] = {ATTR_INT("left_window_size", 1), ATTR_INT("is_causal", 1)};
    const vt_attr both[] = {ATTR_INT("left_window_size", 0), ATTR_INT("right_window_size", 1)};
    const vt_attr wrong[] = {ATTR_INT("right_window_size", -2)};
    vt_tensor q = NUMBERS(ones, 1, 1, 4, 1), k = NUMBERS(zeros, 1, 1, 4, 1);
    vt_tensor v = NUMBERS(values, 1, 1, 4, 1), valid = TENSOR(VT_I64, counts, 1);
    vt_tensor last = NUMBERS(ones, 1, 1, 1, 1);
    op_call call = {"Attention", 25, ATTRS(left), .inputs = {&q, &k, &v}, .input_count = 3};
    op_run(&call); /* values 1 2 4 8 */
    ASSERT_OUTPUT(call, DIMS(1, 1, 4, 1), 1, 1.5, 3, 6);
    op_done(&call);
    call.attrs = both;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 4, 1), 1.5, 3, 6, 8);
    op_done(&call);
    call = (op_call){"Attention", 25, ATTRS(left),
                     .inputs = {&last, &k, &v, NULL, NULL, NULL, &valid}, .input_count = 7};
    op_run(&call); /* the query stands at the last of three valid keys */
    ASSERT_OUTPUT(call, DIMS(1, 1, 1, 1), 3);
    op_done(&call);
    call.attrs = wrong;
    call.attr_count = 1;
    op_fails(&call, VT_ERR_FORMAT, "\"right_window_size\" is -2");
    call.opset = 24;
    op_fails(&call, VT_ERR_UNSUPPORTED, "is not known in opset 24");
}

static void hands_out_scores(void **state)
{
    (void)state;
    float mask[] = {1, -INFINITY}, keys[] = {2, 4};
    vt_tensor q = NUMBERS(ones, 1, 1, 1, 1), k = NUMBERS(keys, 1, 1, 2, 1);
    vt_tensor v = NUMBERS(values, 1, 1, 2, 1), m = NUMBERS(mask, 1, 2);
    const double want[4][2] = {
        {4, 8}, {3 * tanh(4 / 3.0), 3 * tanh(8 / 3.0)}, {3 * tanh(4 / 3.0) + 1, -INFINITY}, {1, 0}};
    for (int mode = 0; mode < 4; mode++) {
        const vt_attr attrs[] = {ATTR_FLOAT("scale", 2.0f), ATTR_FLOAT("softcap", 3.0f),
                                 ATTR_INT("qk_matmul_output_mode", mode),
                                 ATTR_INT("softmax_precision", VT_F32)};
        op_call call = {"Attention",      23,
                        ATTRS(attrs),     .inputs = {&q, &k, &v, &m},
                        .input_count = 4, .output_count = 4};
        op_run(&call);
        assert_shape(&call.outputs[3], 4, (const int64_t[]){1, 1, 1, 2});
        assert_numbers(&call.outputs[3], 2, want[mode]);
        op_done(&call);
    }
}

static void attention_refuses_what_cannot_be(void **state)
{
    (void)state;
    const vt_attr three[] = {ATTR_INT("q_num_heads", 3), ATTR_INT("kv_num_heads", 1)};
    const vt_attr minus[] = {ATTR_INT("q_num_heads", -1)};
    const vt_attr mode[] = {ATTR_INT("qk_matmul_output_mode", 4)};
    const vt_attr type[] = {ATTR_INT("softmax_precision", VT_I32)};
    vt_tensor q = NUMBERS(ones, 1, 4, 1, 1), k = NUMBERS(zeros, 1, 3, 2, 1);
    vt_tensor flat = NUMBERS(ones, 1, 1, 4), wide = NUMBERS(ones, 1, 4, 2, 2);
    vt_tensor none = {.dtype = VT_F32, .shape = {4, {1, 4, 2, 0}}};
    vt_tensor no_heads = {.dtype = VT_F32, .shape = {4, {1, 0, 2, 1}}};
    vt_tensor two = NUMBERS(ones, 2, 4, 1, 1), row = NUMBERS(ones, 2);
    vt_tensor mask = NUMBERS(ones, 3, 1), k4 = NUMBERS(ones, 1, 4, 2, 1);
    op_call call = {"Attention", 23, .inputs = {&q, &k, &k}, .input_count = 3};
    op_fails(&call, VT_ERR_FORMAT, "4 heads of queries cannot share 3");
    call.inputs[1] = call.inputs[2] = &no_heads;
    op_fails(&call, VT_ERR_FORMAT, "cannot share 0");
    call.inputs[1] = &wide;
    op_fails(&call, VT_ERR_FORMAT, "heads of queries have 1 numbers, of keys 2");
    call.inputs[1] = &k4;
    op_fails(&call, VT_ERR_FORMAT, "differ in heads or length");
    call.inputs[2] = &two;
    op_fails(&call, VT_ERR_FORMAT, "batch size");
    call.inputs[2] = &row;
    op_fails(&call, VT_ERR_FORMAT, "1 dimensions");
    call.inputs[0] = call.inputs[1] = call.inputs[2] = &none;
    op_fails(&call, VT_ERR_FORMAT, "heads of 0 numbers");
    call.inputs[0] = call.inputs[1] = call.inputs[2] = &flat;
    op_fails(&call, VT_ERR_FORMAT, "the number of heads is not given");
    call.attrs = three;
    call.attr_count = 2;
    op_fails(&call, VT_ERR_FORMAT, "does not divide into 3 heads");
    call.attrs = minus;
    call.attr_count = 1;
    op_fails(&call, VT_ERR_FORMAT, "\"q_num_heads\" is -1");
    call = (op_call){"Attention", 23, .inputs = {&q, &k4, &k4, &mask}, .input_count = 4};
    op_fails(&call, VT_ERR_FORMAT, "mask does not broadcast");
    call.inputs[3] = &row;
    op_fails(&call, VT_ERR_FORMAT, "input 3 has 1 dimensions");
    call.input_count = 3;
    call.attr_count = 1;
    call.attrs = mode;
    op_fails(&call, VT_ERR_FORMAT, "qk_matmul_output_mode");
    call.attrs = type;
    op_fails(&call, VT_ERR_FORMAT, "softmax_precision");
}

/* ---- RotaryEmbedding ---- */

/* Row 0: no turn; row 1: a quarter turn of the first pair, a half turn of the second. */
static float cosines[] = {1, 1, 0, -1}, sines[] = {0, 0, 1, 0};
static float ramp[] = {1, 2, 3, 4, 5, 6, 7, 8};

static void rotary_turns_pairs(void **state)
{
    (void)state;
    int64_t ids[] = {1, 0};
    const vt_attr neighbours[] = {ATTR_INT("interleaved", 1)};
    vt_tensor x = NUMBERS(ramp, 1, 1, 2, 4), c = NUMBERS(cosines, 2, 2), s = NUMBERS(sines, 2, 2);
    vt_tensor position = TENSOR(VT_I64, ids, 1, 2);
    op_call call = {"RotaryEmbedding", 23, .inputs = {&x, &c, &s, &position}, .input_count = 4};
    op_run(&call); /* pairs (1 3), (2 4) */
    ASSERT_OUTPUT(call, DIMS(1, 1, 2, 4), -3, -2, 1, -4, 5, 6, 7, 8);
    op_done(&call);
    call.attrs = neighbours;
    call.attr_count = 1;
    op_run(&call); /* pairs (1 2), (3 4) */
    ASSERT_OUTPUT(call, DIMS(1, 1, 2, 4), -2, 1, -3, -4, 5, 6, 7, 8);
    op_done(&call);
    ids[1] = 2;
    op_fails(&call, VT_ERR_FORMAT, "position id 2 is outside a table of 2 rows");
    ids[1] = -1;
    op_fails(&call, VT_ERR_FORMAT, "position id -1");
}

static void rotary_by_token_and_in_part(void **state)
{
    (void)state;
    const vt_attr packed[] = {ATTR_INT("num_heads", 2), ATTR_INT("rotary_embedding_dim", 2)};
    float quarter_c[] = {1, 0}, quarter_s[] = {0, 1};
    vt_tensor x = NUMBERS(ramp, 1, 2, 4), c = NUMBERS(quarter_c, 1, 2, 1);
    vt_tensor s = NUMBERS(quarter_s, 1, 2, 1), x6 = NUMBERS(ramp, 1, 1, 6);
    op_call call = {"RotaryEmbedding", 23, ATTRS(packed), .inputs = {&x, &c, &s}, .input_count = 3};
    op_run(&call); /* the second token's heads (5 6) and (7 8) by a quarter */
    ASSERT_OUTPUT(call, DIMS(1, 2, 4), 1, 2, 3, 4, -6, 5, -8, 7);
    op_done(&call);
    call.inputs[0] = &x6; /* heads of 3 numbers, the third stays; one token, two rows */
    op_fails(&call, VT_ERR_FORMAT, "do not fit the heads");
    c.shape.dims[1] = s.shape.dims[1] = 1;
    c.data = quarter_c + 1;
    s.data = quarter_s + 1;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 6), -2, 1, 3, -5, 4, 6);
    op_done(&call);
}

static void rotary_refuses_what_cannot_be(void **state)
{
    (void)state;
    const vt_attr odd[] = {ATTR_INT("rotary_embedding_dim", 3)};
    const vt_attr many[] = {ATTR_INT("rotary_embedding_dim", 6)};
    const vt_attr three[] = {ATTR_INT("num_heads", 3)};
    vt_tensor x = NUMBERS(ramp, 1, 1, 2, 4), flat = NUMBERS(ramp, 1, 2, 4);
    vt_tensor c = NUMBERS(cosines, 1, 2, 2), s = NUMBERS(sines, 2, 2);
    op_call call = {"RotaryEmbedding", 23, ATTRS(odd), .inputs = {&x, &c, &c}, .input_count = 3};
    op_fails(&call, VT_ERR_FORMAT, "3 numbers of heads of 4");
    call.attrs = many;
    op_fails(&call, VT_ERR_FORMAT, "6 numbers of heads of 4");
    call.attrs = three;
    op_fails(&call, VT_ERR_FORMAT, "input has 1 heads");
    call.inputs[0] = &flat;
    op_fails(&call, VT_ERR_FORMAT, "does not divide into 3 heads");
    call.attr_count = 0;
    op_fails(&call, VT_ERR_FORMAT, "does not divide into 0 heads");
    call.inputs[0] = &x;
    call.inputs[2] = &s;
    op_fails(&call, VT_ERR_FORMAT, "do not fit the heads");
}

/* ---- LinearAttention ---- */

/* Two tokens, one head, keys of two numbers, values of one: the state is a column. */
static void linear_keeps_a_state(void **state)
{
    (void)state;
    float queries[] = {1, 0, 1, 10}, keys[] = {1, 0, 1, 2}, start[] = {100, 1000};
    float decays[] = {0, (float)log(0.5)}, betas[] = {1, 0.5f};
    vt_tensor q = NUMBERS(queries, 1, 2, 2), k = NUMBERS(keys, 1, 2, 2);
    vt_tensor v = NUMBERS(values + 1, 1, 2, 1), past = NUMBERS(start, 1, 1, 2, 1);
    vt_tensor decay = NUMBERS(decays, 1, 2, 1), beta = NUMBERS(betas, 1, 2, 1);
    const struct {
        const char *rule;
        double first, second, state[2];
    } cases[] = {
        /* + (1 0) 2, + (1 2) 4 */
        {"linear", 102, 106 + 10080, {106, 1008}},
        /* the second time halved before */
        {"gated", 102, 55 + 5080, {55, 508}},
        /* + (1 0) (2 - 100), + (1 2) 0.5 (4 - 2 - 2000) */
        {"delta", 2, -997 - 9980, {-997, -998}},
        /* the second time from (1 500) on: + (1 2) 0.5 (4 - 1 - 1000) */
        {"gated_delta", 2, -497.5 - 4970, {-497.5, -497}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const vt_attr attrs[] = {ATTR_INT("q_num_heads", 1), ATTR_INT("kv_num_heads", 1),
                                 ATTR_FLOAT("scale", 1.0f),
                                 ATTR_TEXT("update_rule", cases[i].rule)};
        op_call call = {"LinearAttention", 27,
                        ATTRS(attrs),      .inputs = {&q, &k, &v, &past, &decay, &beta},
                        .input_count = 6,  .output_count = 2};
        op_run(&call);
        ASSERT_OUTPUT(call, DIMS(1, 2, 1), cases[i].first, cases[i].second);
        assert_numbers(&call.outputs[1], 2, cases[i].state);
        op_done(&call);
    }
}

static void linear_shares_states_and_decays_by_key(void **state)
{
    (void)state;
    float queries[] = {1, 0, 0, 1, 1, 1, 2, 0}, start[] = {8, 8, 8, 8};
    float keys[] = {1, 1, 2, 2}, decays[] = {0, (float)log(0.5), (float)log(0.25), 0};
    const vt_attr attrs[] = {ATTR_INT("q_num_heads", 4), ATTR_INT("kv_num_heads", 2),
                             ATTR_TEXT("update_rule", "gated")};
    vt_tensor q = NUMBERS(queries, 1, 1, 8), k = NUMBERS(keys, 1, 1, 4);
    vt_tensor v = NUMBERS(values, 1, 1, 2), past = NUMBERS(start, 1, 2, 2, 1);
    vt_tensor decay = NUMBERS(decays, 1, 1, 4);
    op_call call = {"LinearAttention", 27, ATTRS(attrs), .inputs = {&q, &k, &v, &past, &decay},
                    .input_count = 5};
    const double root = sqrt(0.5);
    op_run(&call); /* states (9 5) and (6 12) */
    ASSERT_OUTPUT(call, DIMS(1, 1, 4), 9 * root, 5 * root, 18 * root, 12 * root);
    op_done(&call);
    call.inputs[4] = NULL;
    call.input_count = 4;
    op_fails(&call, VT_ERR_FORMAT, "lacks decay or beta");
    call.inputs[4] = &k;
    call.input_count = 5;
    past.shape.dims[2] = 1;
    op_fails(&call, VT_ERR_FORMAT, "past_state does not fit");
    past.shape.dims[2] = 2;
    call.inputs[1] = &v;
    op_fails(&call, VT_ERR_FORMAT, "input 1 does not fit");
    call.inputs[1] = &k;
    call.inputs[2] = &past;
    op_fails(&call, VT_ERR_FORMAT, "input 2 has 4 dimensions");
}

static void linear_refuses_heads_and_rules(void **state)
{
    (void)state;
    const vt_attr rule[] = {ATTR_INT("q_num_heads", 1), ATTR_INT("kv_num_heads", 1),
                            ATTR_TEXT("update_rule", "guess")};
    const vt_attr zero[] = {ATTR_INT("q_num_heads", 1), ATTR_INT("kv_num_heads", 0),
                            ATTR_TEXT("update_rule", "linear")};
    const vt_attr three[] = {ATTR_INT("q_num_heads", 3), ATTR_INT("kv_num_heads", 1),
                             ATTR_TEXT("update_rule", "linear")};
    const vt_attr share[] = {ATTR_INT("q_num_heads", 1), ATTR_INT("kv_num_heads", 2),
                             ATTR_TEXT("update_rule", "linear")};
    vt_tensor q = NUMBERS(ones, 1, 1, 4);
    op_call call = {"LinearAttention", 27, ATTRS(rule), .inputs = {&q, &q, &q}, .input_count = 3};
    op_fails(&call, VT_ERR_FORMAT, "\"update_rule\" is \"guess\"");
    call.attrs = zero;
    op_fails(&call, VT_ERR_FORMAT, "\"kv_num_heads\" is 0");
    call.attrs = three;
    op_fails(&call, VT_ERR_FORMAT, "do not divide into 3 and 1 heads");
    call.attrs = share;
    op_fails(&call, VT_ERR_FORMAT, "do not divide into 1 and 2 heads");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attends_by_softmax),
        cmocka_unit_test(shares_key_heads_and_unpacks),
        cmocka_unit_test(keeps_the_past),
        cmocka_unit_test(masks_and_fills_up_masks),
        cmocka_unit_test(counts_valid_keys),
        cmocka_unit_test(looks_through_windows),
        cmocka_unit_test(hands_out_scores),
        cmocka_unit_test(attention_refuses_what_cannot_be),
        cmocka_unit_test(rotary_turns_pairs),
        cmocka_unit_test(rotary_by_token_and_in_part),
        cmocka_unit_test(rotary_refuses_what_cannot_be),
        cmocka_unit_test(linear_keeps_a_state),
        cmocka_unit_test(linear_shares_states_and_decays_by_key),
        cmocka_unit_test(linear_refuses_heads_and_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
