/* SPDX-License-Identifier: Apache-2.0 */
/* Every optimiser beside its update rule, written out in doubles for one number at a time. */
#include "support/scratch.h"

#include "base/random.h"
#include "train/optimizer.h"

#include <math.h>

enum { COUNT = 300000, STEPS = 6 };

typedef struct rule {
    double w, a, b;
} rule;

static void naive(const vt_optimizer_options *o, rule *r, double g, double rate, int t, bool decay)
{
    double wd = decay ? o->decay : 0;
    if (o->kind != VT_OPTIMIZER_ADAMW)
        g += wd * r->w;
    if (decay)
        g += o->l1 * ((r->w > 0) - (r->w < 0));
    if (o->kind == VT_OPTIMIZER_SGD) {
        r->a = o->momentum * r->a + g;
        r->w -= rate * (o->nesterov > 0 ? g + o->momentum * r->a : r->a);
    } else if (o->kind == VT_OPTIMIZER_RMSPROP) {
        r->a = o->alpha * r->a + (1 - o->alpha) * g * g;
        r->b = o->momentum * r->b + g / (sqrt(r->a) + o->epsilon);
        r->w -= rate * r->b;
    } else {
        if (o->kind == VT_OPTIMIZER_ADAMW)
            r->w -= rate * wd * r->w;
        r->a = o->beta1 * r->a + (1 - o->beta1) * g;
        r->b = o->beta2 * r->b + (1 - o->beta2) * g * g;
        double m = r->a / (1 - pow(o->beta1, t)), v = r->b / (1 - pow(o->beta2, t));
        r->w -= rate * m / (sqrt(v) + o->epsilon);
    }
}

static void against_the_rule(const char *text, vt_pool *pool)
{
    vt_optimizer_options options;
    vt_optimizer *optimizer;
    vt_error error = {0};
    static float w[2][COUNT], g[2][COUNT];
    static rule rules[2][COUNT];
    vt_random random;
    vt_random_init(&random, 4);
    if (vt_optimizer_parse(text, &options, &error) != VT_OK)
        fail_msg("%s", error.message);
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < COUNT; i++) {
            w[p][i] = vt_random_float(&random, -1, 1);
            rules[p][i] = (rule){(double)w[p][i], 0, 0};
        }
    const vt_weights weights[2] = {{w[0], g[0], COUNT, 1, true}, {w[1], g[1], COUNT, 0.5f, false}};
    assert_int_equal(vt_optimizer_new(&options, weights, 2, pool, &optimizer, &error), VT_OK);
    for (int t = 1; t <= STEPS; t++) {
        double rate = 0.01 / t, norm, squares = 0;
        for (int p = 0; p < 2; p++)
            for (int i = 0; i < COUNT; i++) {
                g[p][i] = vt_random_float(&random, -1, 1);
                squares += (double)g[p][i] * (double)g[p][i];
            }
        double clip = options.clip > 0 && sqrt(squares) > options.clip
                          ? options.clip / (sqrt(squares) + 1e-6)
                          : 1;
        for (int p = 0; p < 2; p++)
            for (int i = 0; i < COUNT; i++)
                naive(&options, &rules[p][i], (double)g[p][i] * clip, rate * (p == 0 ? 1 : 0.5), t,
                      p == 0);
        vt_optimizer_step(optimizer, rate, &norm);
        assert_true(fabs(norm - sqrt(squares)) < 1e-9 * norm);
    }
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < COUNT; i++)
            if (!(fabs((double)w[p][i] - rules[p][i].w) < 2e-6))
                fail_msg("%s: weight %d is %.9g, the rule gives %.9g", text, i, (double)w[p][i],
                         rules[p][i].w);
    vt_optimizer_free(optimizer);
}

static void updates_are_the_published_rules(void **state)
{
    (void)state;
    vt_pool *pool;
    assert_int_equal(vt_pool_new(3, &pool, NULL), VT_OK);
    against_the_rule("sgd:momentum=0,nesterov=0,decay=0", NULL);
    against_the_rule("sgd:momentum=0.9,nesterov=0,decay=0.01", pool);
    against_the_rule("sgd:nesterov,clip=0.5,l1=0.001", pool);
    against_the_rule("adam:decay=0.01", pool);
    against_the_rule("adamw:beta1=0.8,decay=0.1,clip=2", NULL);
    against_the_rule("rmsprop", pool);
    against_the_rule("rmsprop:momentum=0.9,alpha=0.9,decay=0.01", pool);
    vt_pool_free(pool);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    static float w[2][COUNT], g[COUNT];
    for (int threads = 1; threads <= 4; threads += 3) {
        vt_optimizer_options options = vt_optimizer_options_defaults();
        vt_optimizer *optimizer;
        vt_pool *pool;
        vt_random random;
        options.clip = 0.3;
        vt_random_init(&random, 1);
        float *mine = w[threads > 1];
        for (int i = 0; i < COUNT; i++) {
            mine[i] = vt_random_float(&random, -1, 1);
            g[i] = vt_random_float(&random, -1, 1);
        }
        const vt_weights one = {mine, g, COUNT, 1, true};
        assert_int_equal(vt_pool_new(threads, &pool, NULL), VT_OK);
        assert_int_equal(vt_optimizer_new(&options, &one, 1, pool, &optimizer, NULL), VT_OK);
        for (int t = 0; t < 5; t++)
            vt_optimizer_step(optimizer, 0.1, NULL);
        vt_optimizer_free(optimizer);
        vt_pool_free(pool);
    }
    assert_memory_equal(w[0], w[1], sizeof(w[0]));
}

static void batches_are_gathered(void **state)
{
    (void)state;
    float w[2] = {1, 2}, g[2] = {0.5f, 1};
    const vt_weights one = {w, g, 2, 1, true};
    vt_optimizer_options options;
    vt_optimizer *optimizer;
    double norm;
    assert_int_equal(vt_optimizer_parse("sgd:momentum=0,decay=0", &options, NULL), VT_OK);
    assert_int_equal(vt_optimizer_new(&options, &one, 1, NULL, &optimizer, NULL), VT_OK);
    assert_int_equal(vt_optimizer_add(optimizer, NULL), VT_OK);
    g[0] = 1.5f;
    g[1] = 3;
    assert_int_equal(vt_optimizer_add(optimizer, NULL), VT_OK);
    vt_optimizer_step(optimizer, 1, &norm);
    assert_float_equal(w[0], 0, 1e-6);
    assert_float_equal(w[1], 0, 1e-6);
    assert_true(fabs(norm - sqrt(5)) < 1e-6);
    vt_optimizer_step(optimizer, 1, &norm); /* the gathered ones are used up */
    assert_float_equal(w[0], -1.5, 1e-6);
    g[0] = NAN;
    vt_optimizer_step(optimizer, 1, &norm);
    assert_true(isnan(norm));
    assert_float_equal(w[0], -1.5, 1e-6);
    assert_int_equal(vt_optimizer_steps(optimizer), 2);
    vt_optimizer_free(optimizer);
}

static void averages_follow(void **state)
{
    (void)state;
    float w[3] = {0, 0, 0};
    const vt_ema_array one = {w, 3};
    vt_ema *ema;
    double want = 0;
    assert_int_equal(vt_ema_new(0.9, &one, 1, &ema, NULL), VT_OK);
    for (int t = 0; t < 200; t++) {
        double keep = (1.0 + t) / (10.0 + t);
        keep = keep < 0.9 ? keep : 0.9;
        w[0] = w[1] = w[2] = (float)t;
        want = keep * want + (1 - keep) * t;
        vt_ema_update(ema, NULL);
        assert_true(fabs((double)vt_ema_value(ema, 0)[2] - want) < 1e-3);
    }
    vt_ema_free(ema);
}

static void texts_are_checked(void **state)
{
    (void)state;
    static const char *const wrong[] = {"adamax",         "sgd:beta1=0.5",  "adam:beta1=1",
                                        "sgd:momentum=x", "adamw:decay=-1", "",
                                        "sgd:clip=nan"};
    vt_optimizer_options options, again;
    vt_error error;
    vt_buf text;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(vt_optimizer_parse(wrong[i], &options, &error), VT_ERR_USAGE);
    vt_buf_init(&text, 1000);
    assert_int_equal(vt_optimizer_parse("adamw:beta2=0.95", &options, &error), VT_OK);
    assert_true(options.decay == 0.05);
    assert_true(vt_optimizer_print(&options, &text));
    assert_int_equal(vt_optimizer_parse(text.data, &again, &error), VT_OK);
    assert_true(again.beta2 == 0.95 && again.decay == 0.05 && again.kind == VT_OPTIMIZER_ADAMW);
    vt_buf_deinit(&text);
}

static vt_status make(void *context)
{
    static float w[10], g[10];
    const vt_weights weights[2] = {{w, g, 5, 1, true}, {w + 5, g + 5, 5, 1, true}};
    vt_optimizer_options options;
    vt_optimizer *optimizer;
    (void)context;
    assert_int_equal(vt_optimizer_parse("adam", &options, NULL), VT_OK);
    vt_status status = vt_optimizer_new(&options, weights, 2, NULL, &optimizer, NULL);
    if (status != VT_OK)
        return status;
    status = vt_optimizer_add(optimizer, NULL);
    vt_optimizer_free(optimizer);
    return status;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    assert_true(each_allocation_failing(make, NULL) > 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(updates_are_the_published_rules),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(batches_are_gathered),
        cmocka_unit_test(averages_follow),
        cmocka_unit_test(texts_are_checked),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
