/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines. The library never prints: it hands each line to the sink that the program has set, and
 * drops it when there is none.
 *
 * Threads: vt_log is safe from any thread (the sink is called under a lock); set the sink at start.
 */
#ifndef VT_BASE_LOG_H
#define VT_BASE_LOG_H

typedef enum vt_log_level { VT_LOG_DEBUG, VT_LOG_INFO, VT_LOG_WARN, VT_LOG_ERROR } vt_log_level;

typedef void vt_log_sink(void *context, vt_log_level level, const char *line);

void vt_log_set_sink(vt_log_sink *sink, void *context, vt_log_level minimum);
void vt_log(vt_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
