/* SPDX-License-Identifier: Apache-2.0 */
/* Checks and benches of the index through the public API: what they count, and that each of their
 * phases can be cancelled. */
#include "shop/journey.h"

#include <math.h>

enum { SAMPLE = 5 };

typedef struct watch {
    const char *phase; /* static text */
    uint64_t done, total;
    size_t phases;
    const char *stop_in; /* a phase to cancel in; NULL: none */
    uint64_t stop_at;
} watch;

static void on_phase(void *context, const char *phase, const char *unit)
{
    watch *w = context;
    assert_string_equal(unit, strcmp(phase, "check") == 0 ? "vectors" : "queries");
    w->phase = phase;
    w->phases++;
    w->done = w->total = 0;
}

static bool on_progress(void *context, uint64_t done, uint64_t total)
{
    watch *w = context;
    assert_true(done >= w->done && done <= total);
    assert_true(w->total == 0 || w->total == total);
    w->done = done;
    w->total = total;
    return w->stop_in == NULL || strcmp(w->phase, w->stop_in) != 0 || done < w->stop_at;
}

static vt_index_measure watched(watch *w)
{
    return (vt_index_measure){
        .queries = SAMPLE, .on_phase = on_phase, .on_progress = on_progress, .context = w};
}

static void what_takes_long_is_counted(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_index_check check;
    vt_index_bench bench;
    watch w = {0};
    const vt_index_measure how = watched(&w);
    make_shop(j);
    vt_shop *shop = open_shop(j);
    expect_ok(vt_shop_index_check(shop, &how, &check, &error), &error);
    assert_int_equal(w.phases, 2);
    assert_int_equal(w.done, 2 * SAMPLE);
    assert_int_equal(w.total, 2 * SAMPLE);
    assert_int_equal(check.queries, SAMPLE);
    assert_true(check.recall == 1);
    w = (watch){0};
    expect_ok(vt_shop_index_bench(shop, &how, &bench, &error), &error);
    assert_int_equal(w.phases, 1);
    assert_true(w.total > 0 && w.done == w.total);
    assert_int_equal(bench.queries, SAMPLE);
    assert_string_equal(bench.rows[0].strategy, "exact");
    assert_true(bench.rows[0].rate > 0 && bench.rows[0].expected_rate > 0);
    for (size_t i = 0; i < bench.count; i++)
        assert_true(isfinite(bench.rows[i].expected_rate));
    const vt_index_measure silent = {.queries = SAMPLE};
    expect_ok(vt_shop_index_check(shop, &silent, &check, &error), &error);
    expect_ok(vt_shop_index_bench(shop, &silent, &bench, &error), &error);
    vt_shop_close(shop);
}

/* The shop is as it was: what is asked next is answered. */
static void every_phase_can_be_cancelled(void **state)
{
    static const struct {
        const char *phase;
        uint64_t at;
        bool bench;
    } cases[] = {{"check", 0, false},
                 {"recall", 0, false},
                 {"recall", SAMPLE + 2, false},
                 {"bench", 0, true},
                 {"bench", SAMPLE + 2, true}};
    journey *j = *state;
    make_shop(j);
    vt_shop *shop = open_shop(j);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vt_error error = {0};
        vt_index_check check = {.queries = 99};
        vt_index_bench bench = {.queries = 99};
        watch w = {.stop_in = cases[i].phase, .stop_at = cases[i].at};
        const vt_index_measure how = watched(&w);
        vt_status status = cases[i].bench ? vt_shop_index_bench(shop, &how, &bench, &error)
                                          : vt_shop_index_check(shop, &how, &check, &error);
        expect_failure(status, VT_ERR_CANCELLED, &error, "cancelled after");
        assert_string_equal(w.phase, cases[i].phase);
        assert_int_equal(w.done, cases[i].at);
        assert_int_equal(check.queries, 99); /* untouched */
        assert_int_equal(bench.queries, 99);
        vt_answer_free(ask(shop, at(j, "p1.jpg"), 3));
    }
    vt_shop_close(shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_JOURNEY(what_takes_long_is_counted),
        IN_JOURNEY(every_phase_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
