/* SPDX-License-Identifier: Apache-2.0 */
/* Bars of phases: a training's rate is that of the epochs since the newest evaluation. */
#include "cli/cli.h"
#include "support/scratch.h"

typedef struct screen {
    vt_cli_phase_bar shown;
    FILE *stream;
    char *text;
    size_t length;
} screen;

static int screen_setup(void **state)
{
    screen *s = test_calloc(1, sizeof(*s));
    s->stream = open_memstream(&s->text, &s->length);
    if (s->stream == NULL)
        return -1;
    s->shown.stream = s->stream;
    s->shown.unit = "photos";
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

/* One report, a second after the one before. */
static void report(screen *s, const char *phase, uint64_t done, uint64_t total)
{
    vt_progress_bar *bar = &s->shown.bar;
    bar->started_ms -= 1e3;
    bar->drawn_ms -= 1e3;
    bar->sampled_ms -= 1e3;
    assert_true(vt_cli_phase_update(&s->shown, phase, done, total));
}

static void assert_rate(const screen *s, double want)
{
    double rate = s->shown.bar.rate_per_s;
    if (rate < want * 0.9 || rate > want * 1.1)
        fail_msg("%g photos a second, they are %g", rate, want);
}

static void a_phase_counts_what_it_did(void **state)
{
    screen *s = *state;
    uint64_t done = 0;
    for (int epoch = 0; epoch < 3; epoch++) {
        for (int i = 0; i < 20; i++)
            report(s, "train", done += 64, 100000);
        assert_rate(s, 64);
        for (uint64_t i = 0; i < 5; i++)
            report(s, "evaluate", 1000 * i, 5000);
        assert_rate(s, 1000);
    }
    fflush(s->stream);
    assert_non_null(strstr(s->text, "train:"));
    assert_non_null(strstr(s->text, "evaluate:"));
}

static void what_is_resumed_was_done_before(void **state)
{
    screen *s = *state;
    snprintf(s->shown.title, sizeof(s->shown.title), "train epoch 9/10");
    for (uint64_t i = 0; i < 20; i++)
        report(s, "train", 900000 + 64 * i, 1000000);
    assert_rate(s, 64);
    vt_cli_phase_finish(&s->shown);
    vt_cli_phase_finish(&s->shown); /* nothing is left to be finished */
    fflush(s->stream);
    assert_non_null(strstr(s->text, "train epoch 9/10:"));
    assert_non_null(strstr(s->text, "/s, 25:"));
    assert_null(strstr(s->text, "900000/s"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_phase_counts_what_it_did, screen_setup, screen_teardown),
        cmocka_unit_test_setup_teardown(what_is_resumed_was_done_before, screen_setup,
                                        screen_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
