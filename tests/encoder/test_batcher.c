/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads share few networks and each gets its own answer. */
#include "encoder/models.h"

#include "base/thread.h"

enum { PICTURES = 48, CALLERS = 6 };

typedef struct crowd {
    vt_batcher *batcher;
    size_t dim;
    vt_image images[PICTURES];
    float *vectors; /* (PICTURES, dim) */
    vt_status statuses[PICTURES];
    vt_error errors[PICTURES];
} crowd;

static void crowd_embed(void *context, size_t index)
{
    crowd *c = context;
    c->statuses[index] = vt_batcher_embed(c->batcher, &c->images[index], 1,
                                          c->vectors + index * c->dim, &c->errors[index]);
}

static void crowd_init(crowd *c, const vt_encoder *encoder)
{
    memset(c, 0, sizeof(*c));
    c->dim = vt_encoder_info_of(encoder).dim;
    c->vectors = vt_calloc(PICTURES, c->dim * sizeof(float));
    assert_non_null(c->vectors);
    for (int i = 0; i < PICTURES; i++)
        assert_int_equal(goods_draw(i, i % 5, &c->images[i], NULL), VT_OK);
}

static void crowd_deinit(crowd *c)
{
    for (int i = 0; i < PICTURES; i++)
        vt_image_deinit(&c->images[i]);
    vt_free(c->vectors);
}

/* All pictures from several threads at once, through a batcher made so. */
static void crowd_run(crowd *c, const vt_encoder *encoder, const vt_batcher_options *options)
{
    vt_error error = {0};
    vt_pool *pool = NULL;
    assert_int_equal(vt_pool_new(CALLERS, &pool, &error), VT_OK);
    if (vt_batcher_new(encoder, options, &c->batcher, &error) != VT_OK)
        fail_msg("%s", error.message);
    vt_pool_for(pool, PICTURES, crowd_embed, c);
    vt_batcher_free(c->batcher);
    vt_pool_free(pool);
}

static void expect_single_results(crowd *c, const vt_encoder *encoder)
{
    vt_batcher *batcher = NULL;
    vt_batcher_options options = {.runners = 1, .maximum_batch = 1};
    float *alone = vt_calloc(c->dim, sizeof(float));
    assert_int_equal(vt_batcher_new(encoder, &options, &batcher, NULL), VT_OK);
    for (int i = 0; i < PICTURES; i++) {
        assert_int_equal(c->statuses[i], VT_OK);
        assert_int_equal(vt_batcher_embed(batcher, &c->images[i], 1, alone, NULL), VT_OK);
        for (size_t d = 0; d < c->dim; d++)
            assert_float_equal(alone[d], c->vectors[(size_t)i * c->dim + d], 1e-5f);
    }
    vt_batcher_free(batcher);
    vt_free(alone);
}

static void many_threads_get_what_one_would(void **state)
{
    scratch *s = *state;
    static const vt_batcher_options ways[] = {
        {.runners = 1, .maximum_batch = 8},  {.runners = 3, .maximum_batch = 5},
        {.runners = 2, .maximum_batch = 1},  {.runners = 4, .maximum_batch = 64},
        {.runners = 8, .maximum_batch = 16}, {.runners = 3, .maximum_batch = 16, .bulk = true},
    };
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &options);
    vt_encoder *encoder = model_open(s, "tiny.onnx", "imagenet", NULL);
    crowd c;
    crowd_init(&c, encoder);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        memset(c.vectors, 0, PICTURES * c.dim * sizeof(float));
        crowd_run(&c, encoder, &ways[i]);
        expect_single_results(&c, encoder);
    }
    crowd_deinit(&c);
    vt_encoder_free(encoder);
}

/* Ticks once per look: read before and after a run, it makes all runs take the same. */
static double fake_now_ms;

static double fake_clock(void)
{
    return fake_now_ms += 1.0;
}

static void one_picture_at_a_time_runs_over_all_cores(void **state)
{
    scratch *s = *state;
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &options);
    vt_encoder *encoder = model_open(s, "tiny.onnx", "imagenet", NULL);
    vt_batcher_options way = {.runners = 3, .maximum_batch = 8};
    crowd c;
    crowd_init(&c, encoder);
    assert_int_equal(vt_batcher_new(encoder, &way, &c.batcher, NULL), VT_OK);
    for (int i = 0; i < PICTURES; i++)
        crowd_embed(&c, (size_t)i);
    vt_batcher_stats stats = vt_batcher_stats_of(c.batcher);
    assert_int_equal(stats.wide_runs, PICTURES);
    assert_int_equal(stats.narrow_runs, 0);
    /* As many as there are cores have met: the next one might meet others too. */
    assert_int_equal(vt_batcher_embed(c.batcher, c.images, 3, c.vectors, NULL), VT_OK);
    crowd_embed(&c, 3);
    assert_int_equal(vt_batcher_stats_of(c.batcher).wide_runs, PICTURES);
    vt_batcher_free(c.batcher);
    expect_single_results(&c, encoder);
    /* Unless more are said to come. */
    way.bulk = true;
    assert_int_equal(vt_batcher_new(encoder, &way, &c.batcher, NULL), VT_OK);
    for (int i = 0; i < PICTURES; i++)
        crowd_embed(&c, (size_t)i);
    stats = vt_batcher_stats_of(c.batcher);
    assert_int_equal(stats.wide_runs, 0);
    assert_int_equal(stats.narrow_runs, PICTURES);
    vt_batcher_free(c.batcher);
    expect_single_results(&c, encoder);
    crowd_deinit(&c);
    vt_encoder_free(encoder);
}

/* Every run takes one tick of this clock, so a batch of 8 is eight times as good as one of 1. */
static void a_queue_runs_in_the_batches_that_measured_best(void **state)
{
    scratch *s = *state;
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &options);
    vt_encoder *encoder = model_open(s, "tiny.onnx", "imagenet", NULL);
    vt_batcher_options way = {.runners = 1, .maximum_batch = 8, .clock_ms = fake_clock};
    crowd c;
    crowd_init(&c, encoder);
    fake_now_ms = 0.0;
    assert_int_equal(vt_batcher_new(encoder, &way, &c.batcher, NULL), VT_OK);
    assert_int_equal(vt_batcher_stats_of(c.batcher).best_batch, 1);
    for (int round = 0; round < 2; round++)
        assert_int_equal(vt_batcher_embed(c.batcher, c.images, PICTURES, c.vectors, NULL), VT_OK);
    vt_batcher_stats stats = vt_batcher_stats_of(c.batcher);
    assert_int_equal(stats.best_batch, 8);
    assert_int_equal(stats.wide_runs, 0);
    /* Planned once and timed twice at 1, 2 and 4 (21 pictures in 9 runs, with what was left over of
     * eights on the way), the rest in eights. */
    assert_true(stats.narrow_runs >= 9 + (2 * PICTURES - 21) / 8 && stats.narrow_runs <= 24);
    uint64_t before = stats.narrow_runs;
    assert_int_equal(vt_batcher_embed(c.batcher, c.images, PICTURES, c.vectors, NULL), VT_OK);
    assert_int_equal(vt_batcher_stats_of(c.batcher).narrow_runs - before, PICTURES / 8);
    vt_batcher_free(c.batcher);
    expect_single_results(&c, encoder);
    crowd_deinit(&c);
    vt_encoder_free(encoder);
}

static void graphs_for_one_picture_serve_many_callers_too(void **state)
{
    scratch *s = *state;
    tiny_options options = tiny_defaults();
    options.fixed_reshape = true;
    model_save_tiny(s, "one.onnx", &options);
    vt_encoder *encoder = model_open(s, "one.onnx", "imagenet", NULL);
    vt_batcher_options way = vt_batcher_options_defaults();
    crowd c;
    crowd_init(&c, encoder);
    crowd_run(&c, encoder, &way);
    expect_single_results(&c, encoder);
    crowd_deinit(&c);
    vt_encoder_free(encoder);
}

static void classic_works_from_many_threads(void **state)
{
    (void)state;
    vt_encoder *encoder = NULL;
    vt_encoder_options options = vt_encoder_options_defaults();
    assert_int_equal(vt_encoder_open("classic", &options, &encoder, NULL), VT_OK);
    vt_batcher_options way = vt_batcher_options_defaults();
    crowd c;
    crowd_init(&c, encoder);
    crowd_run(&c, encoder, &way);
    expect_single_results(&c, encoder);
    crowd_deinit(&c);
    vt_encoder_free(encoder);
}

static void one_call_may_bring_more_pictures_than_a_batch_holds(void **state)
{
    scratch *s = *state;
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &options);
    vt_encoder *encoder = model_open(s, "tiny.onnx", "imagenet", NULL);
    vt_batcher_options way = {.runners = 2, .maximum_batch = 4};
    crowd c;
    crowd_init(&c, encoder);
    assert_int_equal(vt_batcher_new(encoder, &way, &c.batcher, NULL), VT_OK);
    assert_int_equal(vt_batcher_embed(c.batcher, c.images, 11, c.vectors, NULL), VT_OK);
    assert_int_equal(
        vt_batcher_embed(c.batcher, c.images + 11, PICTURES - 11, c.vectors + 11 * c.dim, NULL),
        VT_OK);
    assert_int_equal(vt_batcher_embed(c.batcher, c.images, 0, c.vectors, NULL), VT_OK);
    vt_batcher_free(c.batcher);
    expect_single_results(&c, encoder);
    crowd_deinit(&c);
    vt_encoder_free(encoder);
}

/* Relu over sums that are always negative: nothing but zeros. */
static void save_dead_network(scratch *s)
{
    onnx_builder b;
    float weights[8 * 3] = {0}, bias[8];
    for (int i = 0; i < 8; i++)
        bias[i] = -1.0f;
    onnx_begin(&b);
    onnx_input(&b, "x", VT_F32, 4, (int64_t[]){-1, 3, 16, 16});
    onnx_weight(&b, "w", 4, (int64_t[]){8, 3, 1, 1}, weights);
    onnx_weight(&b, "b", 1, (int64_t[]){8}, bias);
    onnx_node(&b, "Conv", "x,w,b", "c");
    onnx_node(&b, "Relu", "c", "y");
    onnx_output(&b, "y", VT_F32, 4, (int64_t[]){-1, 8, 16, 16});
    vt_buf file = onnx_finish(&b);
    model_save(s, "dead.onnx", &file);
}

static void a_vector_without_direction_is_an_error_for_every_caller(void **state)
{
    scratch *s = *state;
    save_dead_network(s);
    vt_encoder *encoder = model_open(s, "dead.onnx", "imagenet", "y");
    vt_batcher_options way = {.runners = 2, .maximum_batch = 8};
    crowd c;
    crowd_init(&c, encoder);
    crowd_run(&c, encoder, &way);
    for (int i = 0; i < PICTURES; i++) {
        assert_int_equal(c.statuses[i], VT_ERR_MISMATCH);
        assert_non_null(strstr(c.errors[i].message, "dead.onnx"));
    }
    crowd_deinit(&c);
    vt_encoder_free(encoder);
}

/* One allocation fails while many threads embed: somebody is told, nobody hangs, and the next
 * pictures are embedded as if nothing had been. */
static void a_failing_run_is_told_and_forgotten(void **state)
{
    scratch *s = *state;
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &options);
    vt_encoder *encoder = model_open(s, "tiny.onnx", "imagenet", NULL);
    vt_batcher_options way = {.runners = 2, .maximum_batch = 8};
    vt_pool *pool = NULL;
    crowd c;
    crowd_init(&c, encoder);
    assert_int_equal(vt_pool_new(CALLERS, &pool, NULL), VT_OK);
    size_t failures = 0;
    for (int64_t successes = 0; successes < 60; successes++) {
        assert_int_equal(vt_batcher_new(encoder, &way, &c.batcher, NULL), VT_OK);
        vt_mem_fail_after(successes);
        vt_pool_for(pool, PICTURES, crowd_embed, &c);
        vt_mem_fail_after(-1);
        for (int i = 0; i < PICTURES; i++) {
            failures += c.statuses[i] != VT_OK;
            if (c.statuses[i] != VT_OK)
                assert_int_equal(c.statuses[i], VT_ERR_NO_MEMORY);
        }
        vt_pool_for(pool, PICTURES, crowd_embed, &c);
        for (int i = 0; i < PICTURES; i++)
            assert_int_equal(c.statuses[i], VT_OK);
        vt_batcher_free(c.batcher);
    }
    assert_true(failures > 0);
    vt_pool_free(pool);
    expect_single_results(&c, encoder);
    crowd_deinit(&c);
    vt_encoder_free(encoder);
}

static void senseless_options_are_refused(void **state)
{
    scratch *s = *state;
    static const vt_batcher_options wrong[] = {
        {.runners = -1, .maximum_batch = 8}, {.maximum_batch = 0}, {.maximum_batch = 1000}};
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &options);
    vt_encoder *encoder = model_open(s, "tiny.onnx", "imagenet", NULL);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        vt_error error = {0};
        vt_batcher *batcher = NULL;
        assert_int_equal(vt_batcher_new(encoder, &wrong[i], &batcher, &error), VT_ERR_USAGE);
        assert_null(batcher);
    }
    vt_encoder_free(encoder);
}

static vt_status make_batcher(void *context)
{
    vt_batcher *batcher = NULL;
    vt_batcher_options options = {.runners = 3, .maximum_batch = 8};
    vt_status status = vt_batcher_new(context, &options, &batcher, NULL);
    vt_batcher_free(batcher);
    return status;
}

static void running_out_of_memory_while_starting_is_an_error(void **state)
{
    scratch *s = *state;
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &options);
    vt_encoder *encoder = model_open(s, "tiny.onnx", "imagenet", NULL);
    assert_true(each_allocation_failing(make_batcher, encoder) > 3);
    vt_encoder_free(encoder);
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(many_threads_get_what_one_would),
        IN_SCRATCH(one_picture_at_a_time_runs_over_all_cores),
        IN_SCRATCH(a_queue_runs_in_the_batches_that_measured_best),
        IN_SCRATCH(graphs_for_one_picture_serve_many_callers_too),
        cmocka_unit_test(classic_works_from_many_threads),
        IN_SCRATCH(one_call_may_bring_more_pictures_than_a_batch_holds),
        IN_SCRATCH(a_vector_without_direction_is_an_error_for_every_caller),
        IN_SCRATCH(a_failing_run_is_told_and_forgotten),
        IN_SCRATCH(senseless_options_are_refused),
        IN_SCRATCH(running_out_of_memory_while_starting_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
