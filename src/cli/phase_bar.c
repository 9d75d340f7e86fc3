/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress of work in phases that come and go: each has a bar of its own from its first report on.
 * What was done by then (a training's earlier epochs, what was there before --resume) is none of
 * this bar's doing, so that rate and time left are those of the phase since it began.
 */
#include "cli/cli.h"

#include <string.h>

bool vt_cli_phase_update(vt_cli_phase_bar *shown, const char *phase, uint64_t done, uint64_t total)
{
    bool another = !shown->begun || strncmp(shown->phase, phase, sizeof(shown->phase) - 1) != 0;
    if (another)
        vt_cli_phase_finish(shown); /* under its own title */
    snprintf(shown->drawn, sizeof(shown->drawn), "%s",
             shown->title[0] != '\0' ? shown->title : phase);
    if (another) {
        snprintf(shown->phase, sizeof(shown->phase), "%s", phase);
        vt_progress_bar_init(&shown->bar, shown->stream != NULL ? shown->stream : stderr,
                             shown->drawn, shown->unit);
        vt_progress_bar_go_on(&shown->bar, done);
        shown->begun = true;
    }
    vt_progress_bar_update(&shown->bar, done, total);
    return !vt_cli_interrupted();
}

void vt_cli_phase_finish(vt_cli_phase_bar *shown)
{
    if (shown->begun)
        vt_progress_bar_finish(&shown->bar);
    shown->begun = false;
}
