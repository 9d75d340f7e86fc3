/* SPDX-License-Identifier: Apache-2.0 */
/* Logging: levels, no sink, forged lines, long lines, many threads, a sink that logs. */
#include "base/log.h"
#include "support/scratch.h"

#include <pthread.h>
#include <stdbool.h>

static int line_count;
static vt_log_level last_level;
static char last_line[4096];
static bool busy, overlapped;

static void sink(void *context, vt_log_level level, const char *line)
{
    overlapped = overlapped || busy;
    busy = true;
    assert_string_equal(context, "context");
    line_count++;
    last_level = level;
    snprintf(last_line, sizeof last_line, "%s", line);
    busy = false;
}

static void test_levels(void **state)
{
    (void)state;
    line_count = 0;
    vt_log(VT_LOG_ERROR, "nobody hears");
    vt_log_set_sink(sink, (void *)(uintptr_t) "context", VT_LOG_WARN);
    vt_log(VT_LOG_INFO, "dropped");
    assert_int_equal(line_count, 0);
    vt_log(VT_LOG_WARN, "kept %d", 7);
    assert_int_equal(line_count, 1);
    assert_int_equal(last_level, VT_LOG_WARN);
    assert_string_equal(last_line, "kept 7");
    vt_log_set_sink(NULL, NULL, VT_LOG_DEBUG);
    vt_log(VT_LOG_ERROR, "nobody again");
    assert_int_equal(line_count, 1);
}

static void test_lines_cannot_be_forged(void **state)
{
    (void)state;
    vt_log_set_sink(sink, (void *)(uintptr_t) "context", VT_LOG_DEBUG);
    vt_log(VT_LOG_INFO, "name \"%s\"", "x\nERROR all lost\r\x1b[2J\t\x7F\xC3\xA4");
    assert_string_equal(last_line, "name \"x ERROR all lost  [2J  \xC3\xA4\"");
    char *wide = vt_alloc(100001);
    memset(wide, 'w', 100000);
    wide[100000] = '\0';
    vt_log(VT_LOG_INFO, "%s", wide);
    assert_true(strlen(last_line) > 1000);
    vt_free(wide);
    vt_mem_fail_after(0);
    vt_log(VT_LOG_ERROR, "out of memory");
    assert_int_equal(vt_mem_fail_after(-1), 0);
    assert_string_equal(last_line, "out of memory");
    vt_log_set_sink(NULL, NULL, VT_LOG_DEBUG);
}

static void *log_many(void *unused)
{
    (void)unused;
    for (int i = 0; i < 500; i++)
        vt_log(VT_LOG_INFO, "line %d", i);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    line_count = 0;
    vt_log_set_sink(sink, (void *)(uintptr_t) "context", VT_LOG_DEBUG);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    vt_log_set_sink(NULL, NULL, VT_LOG_DEBUG);
    assert_int_equal(line_count, 2000);
    assert_false(overlapped);
}

static void logging_sink(void *context, vt_log_level level, const char *line)
{
    (void)level;
    (void)line;
    ++*(int *)context;
    vt_log(VT_LOG_ERROR, "from inside");
}

static void test_sink_that_logs(void **state)
{
    (void)state;
    int count = 0;
    vt_log_set_sink(logging_sink, &count, VT_LOG_DEBUG);
    vt_log(VT_LOG_INFO, "once");
    vt_log(VT_LOG_INFO, "twice");
    vt_log_set_sink(NULL, NULL, VT_LOG_DEBUG);
    assert_int_equal(count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_lines_cannot_be_forged),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_sink_that_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
