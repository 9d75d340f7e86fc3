/* SPDX-License-Identifier: Apache-2.0 */
/* How pictures are shared out, by timings that are made up here. */
#include "support/scratch.h"

#include "encoder/network.h"

enum { CORES = 4, MAXIMUM = 16 };

static void expect_choice(const vt_tuner *tuner, int waiting, int idle, int count, bool wide)
{
    vt_tuner_choice choice = vt_tuner_choose(tuner, waiting, idle);
    if (choice.count != count || choice.wide != wide)
        fail_msg("%d waiting, %d idle: %d%s; wanted %d%s", waiting, idle, choice.count,
                 choice.wide ? " wide" : "", count, wide ? " wide" : "");
}

static void note(vt_tuner *tuner, int count, bool wide, double took_ms)
{
    vt_tuner_choice run = {count, wide};
    vt_tuner_note(tuner, &run, took_ms);
    vt_tuner_note(tuner, &run, took_ms);
}

/* Narrow runs of 1, 2, 4, 8 and 16 pictures take so long per picture. */
static vt_tuner measured(const double per_picture_ms[5])
{
    vt_tuner tuner;
    vt_tuner_init(&tuner, CORES, MAXIMUM);
    for (int i = 0; i < 5 && !tuner.settled; i++)
        note(&tuner, 1 << i, false, per_picture_ms[i] * (1 << i));
    return tuner;
}

static void few_pictures_spread_over_all_cores(void **state)
{
    (void)state;
    vt_tuner tuner;
    vt_tuner_init(&tuner, CORES, MAXIMUM);
    expect_choice(&tuner, 0, CORES, 0, false);
    expect_choice(&tuner, 1, CORES, 1, true);
    expect_choice(&tuner, 2, CORES, 2, true);
    expect_choice(&tuner, 3, CORES, 2, true);
    /* A queue, or a core that is taken: one core each. */
    expect_choice(&tuner, 4, CORES, 1, false);
    expect_choice(&tuner, 1, CORES - 1, 1, false);
    /* One core has nothing to spread over. */
    vt_tuner_init(&tuner, 1, MAXIMUM);
    expect_choice(&tuner, 1, 1, 1, false);
}

static void while_pictures_meet_each_has_one_core(void **state)
{
    (void)state;
    vt_tuner tuner;
    vt_tuner_init(&tuner, CORES, MAXIMUM);
    vt_tuner_meet(&tuner, CORES - 1);
    expect_choice(&tuner, 1, CORES, 1, true);
    vt_tuner_meet(&tuner, CORES);
    expect_choice(&tuner, 1, CORES, 1, false);
    int alone = 0;
    for (; alone < 1000 && !vt_tuner_choose(&tuner, 1, CORES).wide; alone++)
        vt_tuner_meet(&tuner, 1);
    assert_in_range(alone, 8, 100); /* a moment of quiet is not the end of a crowd */
    vt_tuner_meet(&tuner, CORES);
    expect_choice(&tuner, 1, CORES, 1, false);
}

static void a_network_that_gains_nothing_from_cores_runs_on_one(void **state)
{
    (void)state;
    vt_tuner tuner;
    vt_tuner_init(&tuner, CORES, MAXIMUM);
    note(&tuner, 1, true, 9.0);
    expect_choice(&tuner, 1, CORES, 1, true); /* nothing to compare with yet */
    note(&tuner, 1, false, 8.0);
    expect_choice(&tuner, 1, CORES, 1, false);
    vt_tuner_init(&tuner, CORES, MAXIMUM);
    note(&tuner, 1, true, 3.0);
    note(&tuner, 1, false, 8.0);
    expect_choice(&tuner, 1, CORES, 1, true);
}

static void sizes_are_tried_as_the_queue_fills_them(void **state)
{
    (void)state;
    vt_tuner tuner;
    vt_tuner_init(&tuner, CORES, MAXIMUM);
    expect_choice(&tuner, 100, CORES, 1, false);
    vt_tuner_note(&tuner, &(vt_tuner_choice){1, false}, 10.0);
    expect_choice(&tuner, 100, CORES, 1, false); /* one timing may be an accident */
    vt_tuner_note(&tuner, &(vt_tuner_choice){1, false}, 30.0);
    expect_choice(&tuner, 100, CORES, 2, false);
    /* Eight pictures for four idle cores: two each, however good larger batches are. */
    note(&tuner, 2, false, 16.0);
    expect_choice(&tuner, 8, CORES, 2, false);
    expect_choice(&tuner, 100, CORES, 4, false);
    expect_choice(&tuner, 16, CORES, 4, false);
    expect_choice(&tuner, 100, 1, 4, false);
    assert_int_equal(tuner.best, 1);
    /* Between what is known, what fits is used. */
    expect_choice(&tuner, 3, 1, 2, false);
}

static void the_best_size_per_picture_is_kept(void **state)
{
    (void)state;
    static const struct {
        double per_picture_ms[5];
        int best, tried; /* pictures */
    } cases[] = {
        {{10, 8, 6, 5, 4}, 16, 16},       {{10, 8, 6, 7, 8}, 4, 16},
        {{10, 11, 12, 1, 1}, 1, 4},       /* twice without gain: the rest is not tried */
        {{10, 9.9, 9.8, 9.7, 9.6}, 1, 4}, /* hardly anything is not worth the memory */
        {{10, 9.9, 8, 8, 8}, 4, 16},      /* once without gain may be an accident */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vt_tuner tuner = measured(cases[i].per_picture_ms);
        assert_true(tuner.settled);
        expect_choice(&tuner, 1000, CORES, cases[i].best, false);
        int tried = 0;
        for (int s = 0; s < VT_TUNER_SIZES; s++)
            tried = tuner.narrow[s].runs > 0 ? 1 << s : tried;
        assert_int_equal(tried, cases[i].tried);
        /* What comes later changes nothing. */
        note(&tuner, 1, false, 0.001);
        expect_choice(&tuner, 1000, CORES, cases[i].best, false);
    }
}

static void memory_bounds_what_is_tried(void **state)
{
    (void)state;
    vt_tuner tuner;
    vt_tuner_init(&tuner, CORES, MAXIMUM);
    note(&tuner, 1, false, 10.0);
    note(&tuner, 2, false, 20.0);
    vt_tuner_bound(&tuner, 2);
    expect_choice(&tuner, 1000, CORES, 1, false);
    assert_true(tuner.settled);
    vt_tuner_bound(&tuner, 64); /* never back up */
    assert_int_equal(tuner.maximum_batch, 2);
    vt_tuner_init(&tuner, CORES, 1);
    expect_choice(&tuner, 1000, CORES, 1, false);
    expect_choice(&tuner, 3, CORES, 1, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_pictures_spread_over_all_cores),
        cmocka_unit_test(while_pictures_meet_each_has_one_core),
        cmocka_unit_test(a_network_that_gains_nothing_from_cores_runs_on_one),
        cmocka_unit_test(sizes_are_tried_as_the_queue_fills_them),
        cmocka_unit_test(the_best_size_per_picture_is_kept),
        cmocka_unit_test(memory_bounds_what_is_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
