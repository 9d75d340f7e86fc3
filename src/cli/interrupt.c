/* SPDX-License-Identifier: Apache-2.0 */
/* Ctrl-C as a wish that long work sees between two steps. */
#include "cli/cli.h"

#include <signal.h>

static volatile sig_atomic_t interrupted;

static void note(int signal_number)
{
    interrupted = 1;
    signal(signal_number, SIG_DFL);
}

void vt_cli_catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = note};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool vt_cli_interrupted(void)
{
    return interrupted != 0;
}

bool vt_cli_on_progress(void *bar, uint64_t done, uint64_t total)
{
    vt_progress_bar_update(bar, done, total);
    return !vt_cli_interrupted();
}
