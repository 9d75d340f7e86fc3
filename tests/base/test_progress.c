/* SPDX-License-Identifier: Apache-2.0 */
/* The progress bar: when it is silent, what it says; time is moved through the struct's fields. */
#include "base/progress.h"
#include "support/scratch.h"

#include <stdbool.h>

typedef struct screen {
    vt_progress_bar bar;
    FILE *stream;
    char *text;
    size_t length;
} screen;

static int screen_setup(void **state)
{
    screen *s = test_calloc(1, sizeof *s);
    s->stream = open_memstream(&s->text, &s->length);
    if (!s->stream)
        return -1;
    vt_progress_bar_init(&s->bar, s->stream, "import", "products");
    *state = s;
    return 0;
}

static int screen_teardown(void **state)
{
    screen *s = *state;
    fclose(s->stream);
    (free)(s->text); /* the C library's own memory */
    test_free(s);
    return 0;
}

static const char *shown(screen *s)
{
    fflush(s->stream);
    return s->text;
}

static size_t lines(screen *s)
{
    size_t count = 0;
    for (const char *c = shown(s); *c; c++)
        count += *c == '\n';
    return count;
}

/* As if `seconds` had passed since the last call. */
static void pass(screen *s, double seconds)
{
    s->bar.started_ms -= seconds * 1e3;
    s->bar.drawn_ms -= seconds * 1e3;
    s->bar.sampled_ms -= seconds * 1e3;
}

static void test_quick_work_is_silent(void **state)
{
    screen *s = *state;
    assert_false(s->bar.terminal);
    for (int terminal = 0; terminal < 2; terminal++) {
        s->bar.terminal = terminal;
        for (uint64_t i = 0; i <= 1000; i++)
            vt_progress_bar_update(&s->bar, i, 1000);
        vt_progress_bar_finish(&s->bar);
        assert_string_equal(shown(s), "");
    }
}

static void test_log_lines_are_few(void **state)
{
    screen *s = *state;
    uint64_t done = 0;
    for (int i = 0; i < 19; i++) {
        pass(s, 0.1);
        vt_progress_bar_update(&s->bar, ++done, 300);
    }
    assert_string_equal(shown(s), "");
    for (int i = 19; i < 250; i++) { /* to 25 s: lines at 2, 12 and 22 s */
        pass(s, 0.1);
        vt_progress_bar_update(&s->bar, ++done, 300);
    }
    assert_int_equal(lines(s), 3);
    assert_null(strchr(shown(s), '\r'));
    assert_null(strchr(shown(s), '\x1b'));
    assert_non_null(strstr(shown(s), "import:   6 % 20/300 products, 10"));
    assert_non_null(strstr(shown(s), "left"));
    vt_progress_bar_finish(&s->bar);
    assert_int_equal(lines(s), 4);
    assert_non_null(strstr(shown(s), "250/300 products, 10"));
    assert_non_null(strstr(shown(s), "took 0:25"));
}

static void test_slow_work_without_updates(void **state)
{
    screen *s = *state;
    vt_progress_bar_update(&s->bar, 0, 1);
    pass(s, 30);
    s->bar.done = 1;
    vt_progress_bar_finish(&s->bar);
    assert_int_equal(lines(s), 1);
    assert_non_null(strstr(shown(s), "100 % 1/1 products"));
}

static void test_terminal_redraws(void **state)
{
    screen *s = *state;
    s->bar.terminal = true;
    pass(s, 3);
    vt_progress_bar_update(&s->bar, 50, 100);
    assert_int_equal(shown(s)[0], '\r');
    assert_non_null(strstr(shown(s), "[############............]  50 % 50/100 products"));
    size_t length = s->length;
    for (int i = 0; i < 100; i++)
        vt_progress_bar_update(&s->bar, 51, 100);
    shown(s);
    /* A hundredth of a second is not a tenth: at most a drawing or two, however slow the machine.
     */
    assert_true(s->length < length * 10);
    pass(s, 0.1);
    vt_progress_bar_update(&s->bar, 99, 100);
    assert_non_null(strstr(shown(s), " 99 %"));
    assert_int_equal(lines(s), 0);
    vt_progress_bar_update(&s->bar, 100, 100);
    vt_progress_bar_finish(&s->bar);
    assert_non_null(strstr(shown(s), "100 % 100/100"));
    assert_int_equal(lines(s), 1);
    assert_int_equal(s->text[s->length - 1], '\n');
}

static void test_total_unknown_or_wrong(void **state)
{
    screen *s = *state;
    pass(s, 3);
    vt_progress_bar_update(&s->bar, 7, 0);
    assert_non_null(strstr(shown(s), "import: 7 products"));
    assert_null(strchr(shown(s), '%'));
    pass(s, 11);
    vt_progress_bar_update(&s->bar, 9, 8); /* more than there should be */
    assert_non_null(strstr(shown(s), "100 % 9/8"));
    pass(s, 11);
    vt_progress_bar_update(&s->bar, 3, 8); /* backwards */
    assert_non_null(strstr(shown(s), " 37 % 3/8"));
    pass(s, 11);
    vt_progress_bar_update(&s->bar, 1, UINT64_MAX); /* longer than can be shown */
    assert_non_null(strstr(shown(s), "left"));
}

static void test_rate_follows(void **state)
{
    screen *s = *state;
    uint64_t done = 0;
    for (int i = 0; i < 60; i++) {
        pass(s, 1);
        vt_progress_bar_update(&s->bar, done += 10, 0);
    }
    assert_true(s->bar.rate_per_s > 9 && s->bar.rate_per_s < 11);
    for (int i = 0; i < 60; i++) {
        pass(s, 1);
        vt_progress_bar_update(&s->bar, done += 1000, 0);
    }
    assert_true(s->bar.rate_per_s > 900 && s->bar.rate_per_s < 1100);
}

/* A run of 100000 that goes on at 90000: neither rate nor time left may count what was before. */
static void test_work_that_is_gone_on_with(void **state)
{
    screen *s = *state;
    uint64_t done = 90000;
    vt_progress_bar_go_on(&s->bar, done);
    for (int i = 0; i < 10; i++) {
        pass(s, 1);
        vt_progress_bar_update(&s->bar, done += 10, 100000);
        assert_true(s->bar.rate_per_s > 9 && s->bar.rate_per_s < 11);
    }
    assert_non_null(strstr(shown(s), "90 % 900"));
    assert_non_null(strstr(shown(s), "/s, 16:")); /* 9980 more, ten a second */
    vt_progress_bar_finish(&s->bar);
    const char *last = strstr(shown(s), "took");
    assert_non_null(last);
    while (last > s->text && strncmp(last, "products, ", 10) != 0)
        last--;
    double rate = strtod(last + 10, NULL);
    assert_true(rate > 9 && rate < 11);
}

#define SCREEN_TEST(name) cmocka_unit_test_setup_teardown(name, screen_setup, screen_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCREEN_TEST(test_quick_work_is_silent),      SCREEN_TEST(test_log_lines_are_few),
        SCREEN_TEST(test_slow_work_without_updates), SCREEN_TEST(test_terminal_redraws),
        SCREEN_TEST(test_total_unknown_or_wrong),    SCREEN_TEST(test_rate_follows),
        SCREEN_TEST(test_work_that_is_gone_on_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
