/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "train/schedule.h"

#include <math.h>

static double at(const char *text, double epoch, double epochs)
{
    vt_schedule schedule;
    const vt_plateau plateau = {0};
    vt_error error = {0};
    if (vt_schedule_parse(text, &schedule, &error) != VT_OK)
        fail_msg("%s", error.message);
    return vt_schedule_factor(&schedule, &plateau, epoch, epochs);
}

#define assert_near(have, want) assert_true(fabs((have) - (want)) < 1e-9)

static void shapes(void **state)
{
    (void)state;
    assert_near(at("constant", 3, 10), 1.0);
    assert_near(at("constant:warmup=2", 0.5, 10), 0.25);
    assert_near(at("step:every=3,factor=0.5", 2.9, 10), 1.0);
    assert_near(at("step:every=3,factor=0.5", 6.1, 10), 0.25);
    assert_near(at("cosine", 0, 10), 1.0);
    assert_near(at("cosine", 5, 10), 0.5);
    assert_near(at("cosine:final=0.1", 10, 10), 0.1);
    assert_near(at("cosine:warmup=2", 2, 10), 1.0);
    assert_near(at("cosine:warmup=2", 6, 10), 0.5);
    assert_near(at("onecycle:peak=0.25,start=0.1", 0, 8), 0.1);
    assert_near(at("onecycle:peak=0.25,start=0.1", 1, 8), 0.55);
    assert_near(at("onecycle:peak=0.25,start=0.1", 2, 8), 1.0);
    assert_near(at("onecycle:peak=0.25", 8, 8), 0.0);
    assert_near(at("cyclic:every=4,final=0.2", 0, 8), 0.2);
    assert_near(at("cyclic:every=4,final=0.2", 2, 8), 1.0);
    assert_near(at("cyclic:every=4,final=0.2", 5, 8), 0.6);
}

static void plateaus_drop(void **state)
{
    (void)state;
    static const double measures[] = {0.1, 0.2, 0.2, 0.19, NAN, 0.3, 0.1, 0.1, 0.1};
    static const double drops[] = {0, 0, 0, 0, 1, 1, 1, 1, 2};
    static const bool best[] = {true, true, false, false, false, true, false, false, false};
    vt_schedule schedule;
    vt_plateau plateau = {0};
    assert_int_equal(vt_schedule_parse("plateau:patience=2,factor=0.5", &schedule, NULL), VT_OK);
    for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++) {
        assert_int_equal(vt_plateau_note(&plateau, &schedule, measures[i], true), best[i]);
        assert_near(plateau.drops, drops[i]);
        assert_near(vt_schedule_factor(&schedule, &plateau, (double)i, 9), pow(0.5, drops[i]));
    }
    assert_int_equal(plateau.waited, 3);
    plateau = (vt_plateau){0};
    assert_true(vt_plateau_note(&plateau, &schedule, 3, false));
    assert_true(vt_plateau_note(&plateau, &schedule, 2, false));
    assert_false(vt_plateau_note(&plateau, &schedule, 2.5, false));
}

static void texts_are_checked(void **state)
{
    (void)state;
    static const char *const wrong[] = {"cosines", "cosine:every=3", "onecycle:peak=1",
                                        "step:every=0", "onecycle:warmup=1"};
    vt_schedule schedule, again;
    vt_buf text;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(vt_schedule_parse(wrong[i], &schedule, NULL), VT_ERR_USAGE);
    vt_buf_init(&text, 1000);
    assert_int_equal(vt_schedule_parse("onecycle:peak=0.2,final=0.001", &schedule, NULL), VT_OK);
    assert_true(vt_schedule_print(&schedule, &text));
    assert_int_equal(vt_schedule_parse(text.data, &again, NULL), VT_OK);
    assert_memory_equal(&schedule, &again, sizeof(schedule));
    vt_buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(plateaus_drop),
        cmocka_unit_test(texts_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
