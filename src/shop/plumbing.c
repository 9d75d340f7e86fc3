/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and log lines across the library's border. */
#include "base/log.h"
#include "base/mem.h"
#include "vitrine.h"

void vt_release(void *memory)
{
    vt_free(memory);
}

/* The program's sink, process-wide like the log itself. */
static struct {
    void (*sink)(void *context, int level, const char *line);
    void *context;
} program;

static void forward(void *context, vt_log_level level, const char *line)
{
    (void)context;
    program.sink(program.context, (int)level, line);
}

void vt_set_log(void (*sink)(void *context, int level, const char *line), void *context,
                int minimum_level)
{
    program.sink = sink;
    program.context = context;
    vt_log_set_sink(sink == NULL ? NULL : forward, NULL, (vt_log_level)minimum_level);
}
