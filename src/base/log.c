/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines.
 *
 * Method: the line is built on the stack, so that "out of memory" can be logged, and every control
 * character becomes a space: what strangers sent cannot forge a line or drive a terminal.
 */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { LINE_BYTES = 2048, LEVEL_SILENT = VT_LOG_ERROR + 1 };

static pthread_mutex_t sink_mutex = PTHREAD_MUTEX_INITIALIZER;
static vt_log_sink *current_sink;
static void *sink_context;
/* Read without the lock, so that a line nobody wants costs one load. */
static atomic_int minimum_level = LEVEL_SILENT;
static _Thread_local bool inside_sink;

void vt_log_set_sink(vt_log_sink *sink, void *context, vt_log_level minimum)
{
    pthread_mutex_lock(&sink_mutex);
    current_sink = sink;
    sink_context = context;
    atomic_store(&minimum_level, sink ? (int)minimum : LEVEL_SILENT);
    pthread_mutex_unlock(&sink_mutex);
}

void vt_log(vt_log_level level, const char *format, ...)
{
    if ((int)level < atomic_load_explicit(&minimum_level, memory_order_relaxed) || inside_sink)
        return;
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            *c = ' ';
    pthread_mutex_lock(&sink_mutex);
    if (current_sink) {
        inside_sink = true;
        current_sink(sink_context, level, line);
        inside_sink = false;
    }
    pthread_mutex_unlock(&sink_mutex);
}
