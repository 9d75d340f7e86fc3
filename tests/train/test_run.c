/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole runs of a small network on pictures of three colours: that it learns, that a run which was
 * killed at any moment and resumed writes the same file, that what goes wrong is said.
 */
#include "support/failing_io.h"
#include "train/runs.h"

#include "base/clock.h"

#include <sys/wait.h>

static void it_learns_and_writes_an_encoder(void **state)
{
    attempt a = {.scratch = *state, .out = "a.onnx"};
    run_good(&a);
    assert_true(a.result.last.measures[VT_MEASURE_ACCURACY] >= 0.99);
    assert_true(a.result.last.measures[VT_MEASURE_LOSS] < 1.0);
    vt_encoder *encoder;
    vt_encoder_options options = vt_encoder_options_defaults();
    vt_error error;
    if (vt_encoder_open(scratch_path(*state, "a.onnx"), &options, &encoder, &error) != VT_OK)
        fail_msg("%s", error.message);
    assert_true(vt_encoder_info_of(encoder).golden_checked);
    assert_int_equal(vt_encoder_info_of(encoder).dim, CHANNELS);
    vt_encoder_free(encoder);
    /* What it wrote can be trained on, its classes are known. */
    attempt again = {.scratch = *state, .out = "b.onnx"};
    char path[SCRATCH_PATH_BYTES];
    snprintf(path, sizeof(path), "%s/a.onnx", again.scratch->root);
    const char *const settings[] = {"from", path, "epochs", "1", "lr", "0.0001", NULL};
    again.settings = settings;
    run_good(&again);
    assert_true(again.result.last.measures[VT_MEASURE_ACCURACY] >= 0.99);
    /* However far its weights go from there: the golden picture is the new ones'. */
    attempt far = {.scratch = *state, .out = "c.onnx"};
    const char *const strong[] = {"from", path, "epochs", "2", "lr", "0.3", NULL};
    far.settings = strong;
    run_good(&far);
    assert_int_equal(vt_encoder_open(scratch_path(*state, "c.onnx"), &options, &encoder, &error),
                     VT_OK);
    assert_true(vt_encoder_info_of(encoder).golden_checked);
    vt_encoder_free(encoder);
}

/* In a program of its own: OpenMP's threads do not survive a fork. */
static pid_t start_child(const attempt *a)
{
    char end_at[16];
    snprintf(end_at, sizeof(end_at), "%d", a->end_at);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl("/proc/self/exe", "test_run", a->scratch->root, a->out, end_at, (char *)NULL);
        _exit(126);
    }
    return child;
}

static int run_as_child(char **arguments)
{
    scratch s = {0};
    snprintf(s.root, sizeof(s.root), "%s", arguments[1]);
    attempt a = {.scratch = &s,
                 .out = arguments[2],
                 .resume = true,
                 .killed = true,
                 .end_at = atoi(arguments[3])};
    return run(&a) == VT_OK ? 0 : 1;
}

static void killed_runs_end_the_same(void **state)
{
    vt_random random;
    attempt whole = {.scratch = *state, .out = "whole.onnx"};
    run_good(&whole);
    vt_random_init(&random, 7);
    for (int round = 0; round < 3; round++) {
        attempt a = {.scratch = *state, .out = "killed.onnx", .resume = true};
        int kills = 0;
        unlink(scratch_path(*state, "killed.onnx.checkpoint"));
        for (bool ended = false; !ended; kills++) {
            a.end_at = vt_random_int(&random, 1, STEPS / 2);
            int how;
            pid_t child = start_child(&a);
            assert_int_equal(waitpid(child, &how, 0), child);
            ended = WIFEXITED(how);
            if (ended)
                assert_int_equal(WEXITSTATUS(how), 0);
            assert_true(kills < 100);
        }
        assert_true(kills > 1);
        assert_same_files(*state, "whole.onnx", "killed.onnx");
    }
}

static bool ended_well(pid_t child)
{
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    if (WIFEXITED(how))
        assert_int_equal(WEXITSTATUS(how), 0);
    return WIFEXITED(how);
}

static void begin_anew(scratch *s)
{
    static const char *const names[] = {"shot.onnx", "shot.onnx.checkpoint", "shot.onnx.pictures"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(scratch_path(s, names[i]));
}

/* SIGKILL from outside at any moment of the length of a run: while it decodes, computes, writes a
 * checkpoint, measures or exports. VITRINE_KILLS: how often (default 3). */
static void kills_from_outside_change_nothing(void **state)
{
    const char *asked = getenv("VITRINE_KILLS");
    int wanted = asked != NULL ? atoi(asked) : 3, kills = 0, finished = 0, with_checkpoint = 0;
    attempt whole = {.scratch = *state, .out = "whole.onnx"};
    attempt a = {.scratch = *state, .out = "shot.onnx"};
    vt_random random;
    vt_random_init(&random, 11);
    double started = vt_clock_ms();
    assert_true(ended_well(start_child(&whole)));
    double length_ms = vt_clock_ms() - started;
    for (int rounds = 0; kills < wanted; rounds++) {
        pid_t child = start_child(&a);
        usleep((useconds_t)(1000 * length_ms * (double)vt_random_float(&random, 0, 1)));
        kill(child, SIGKILL);
        if (ended_well(child)) {
            assert_same_files(*state, "whole.onnx", "shot.onnx");
            begin_anew(*state);
            finished++;
        } else {
            kills++;
            with_checkpoint += vt_file_exists(scratch_path(*state, "shot.onnx.checkpoint"));
        }
        assert_true(rounds < 100 * (wanted + 1));
    }
    assert_true(ended_well(start_child(&a)));
    assert_same_files(*state, "whole.onnx", "shot.onnx");
    print_message("%d kills, %d of them with a checkpoint there; %d runs came to their end\n",
                  kills, with_checkpoint, finished + 1);
}

/* A disk that fills up at any write, of the picture cache, a checkpoint or the model: the run ends
 * with the reason, what was saved stays, and the next one goes on from there. */
static void a_full_disk_loses_nothing(void **state)
{
    threads_as_in(it_learns_and_writes_an_encoder);
    attempt whole = {.scratch = *state, .out = "whole.onnx"};
    attempt a = {.scratch = *state, .out = "full.onnx", .resume = true};
    int failures = 0, resumed = 0;
    vt_status status = VT_ERR_IO;
    run_good(&whole);
    for (int64_t writes = 0; status != VT_OK; writes += 1 + writes / 3) {
        bool saved = vt_file_exists(scratch_path(*state, "full.onnx.checkpoint"));
        failing_io_after(writes, ENOSPC);
        status = run(&a);
        failing_io_after(-1, 0);
        assert_true(!saved || vt_file_exists(scratch_path(*state, "full.onnx.checkpoint")));
        assert_false(vt_file_exists(scratch_path(*state, "full.onnx.new")));
        if (status != VT_OK) {
            failures++;
            assert_int_equal(status, VT_ERR_IO);
            assert_non_null(strstr(a.error.message, "no space left"));
        } else {
            resumed = a.result.resumed;
        }
        assert_true(failures < 100);
    }
    assert_true(failures > 3);
    assert_true(resumed);
    assert_same_files(*state, "whole.onnx", "full.onnx");
}

static void interrupted_runs_save(void **state)
{
    attempt a = {.scratch = *state, .out = "cut.onnx", .end_at = 6};
    attempt whole = {.scratch = *state, .out = "whole.onnx"};
    run_good(&whole);
    assert_int_equal(run(&a), VT_ERR_CANCELLED);
    assert_true(vt_file_exists(scratch_path(*state, "cut.onnx.checkpoint")));
    a.end_at = 0;
    assert_int_equal(run(&a), VT_ERR_EXISTS); /* it would be lost */
    static const char *const other[] = {"lr", "0.2", NULL};
    a.resume = true;
    a.settings = other;
    assert_int_equal(run(&a), VT_ERR_MISMATCH);
    a.settings = NULL;
    run_good(&a);
    assert_true(a.result.resumed);
    assert_same_files(*state, "whole.onnx", "cut.onnx");
}

/* Whoever gets the model learns which files it was made from, not where they lie. */
static void the_file_names_no_place(void **state)
{
    threads_as_in(it_learns_and_writes_an_encoder);
    char teacher[SCRATCH_PATH_BYTES];
    snprintf(teacher, sizeof(teacher), "%s/net.onnx", ((scratch *)*state)->root);
    const char *const settings[] = {"teacher", teacher, "loss", "ce,kd-cosine=0.5",
                                    "epochs",  "1",     "val",  "some/where/else/",
                                    NULL};
    attempt a = {.scratch = *state, .out = "told.onnx", .settings = settings, .report = true};
    const char *const names[2] = {"told.onnx", "report.html"};
    run_good(&a);
    for (int i = 0; i < 2; i++) {
        vt_buf file;
        vt_buf_init(&file, 1 << 24);
        assert_int_equal(vt_file_read(scratch_path(*state, names[i]), 1 << 24, &file, NULL), VT_OK);
        const char *root = a.scratch->root;
        assert_null(memmem(file.data, file.length, root, strlen(root)));
        assert_null(memmem(file.data, file.length, "some/where", 10));
        assert_non_null(memmem(file.data, file.length, "net.onnx", 8));
        vt_buf_deinit(&file);
    }
    a.resume = true; /* the checkpoint knows all of it */
    run_good(&a);
    assert_true(a.result.resumed);
}

static void divergence_is_said(void **state)
{
    static const char *const settings[] = {"optimizer", "sgd:momentum=0", "lr", "1000", "schedule",
                                           "constant",  "epochs",         "50", NULL};
    attempt a = {.scratch = *state, .out = "bad.onnx", .settings = settings};
    vt_status status = run(&a);
    assert_int_equal(status, VT_ERR_MISMATCH);
    assert_non_null(strstr(a.error.message, "no number"));
    assert_false(vt_file_exists(scratch_path(*state, "bad.onnx")));
}

static void early_stopping_keeps_the_best(void **state)
{
    threads_as_in(it_learns_and_writes_an_encoder);
    static const char *const settings[] = {"early_stop", "2", "epochs", "40", NULL};
    attempt a = {.scratch = *state, .out = "early.onnx", .settings = settings};
    run_good(&a);
    assert_true(a.result.stopped_early);
    assert_true(a.result.best.epoch <= a.result.last.epoch - 2);
    attempt again = {.scratch = *state, .out = "early.onnx", .settings = settings, .resume = true};
    run_good(&again);
    assert_true(again.result.resumed);
    assert_true(again.result.last.epoch == a.result.last.epoch);
}

int main(int argc, char **argv)
{
    if (argc == 4)
        return run_as_child(argv);

    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_learns_and_writes_an_encoder, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(killed_runs_end_the_same, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(interrupted_runs_save, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(kills_from_outside_change_nothing, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_loses_nothing, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(the_file_names_no_place, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(divergence_is_said, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(early_stopping_keeps_the_best, setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
