/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A progress bar.
 *
 * Method: the rate is an exponential average of samples at least half a second apart, weighted so
 * that about ten seconds count; the time left follows from it. All state, the moment of the start
 * and whether the stream is a terminal included, lies in the struct.
 */
#include "base/progress.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const double silent_ms = 2000;
static const double terminal_interval_ms = 100, log_interval_ms = 10000;
static const double sample_ms = 500, window_ms = 5000;

enum { LINE_BYTES = 512, BAR_CELLS = 24 };

void vt_progress_bar_init(vt_progress_bar *bar, FILE *stream, const char *title, const char *unit)
{
    double now = vt_clock_ms();
    *bar = (vt_progress_bar){.stream = stream,
                             .title = title,
                             .unit = unit,
                             .started_ms = now,
                             .drawn_ms = now,
                             .sampled_ms = now};
    int fd = fileno(stream);
    bar->terminal = fd >= 0 && isatty(fd);
}

void vt_progress_bar_go_on(vt_progress_bar *bar, uint64_t done)
{
    bar->done = bar->first_done = bar->sampled_done = done;
}

static void duration_format(double seconds, char *text, size_t room)
{
    static const double longest = 99 * 3600.0 + 59 * 60 + 59;
    unsigned s = (unsigned)(seconds < longest ? seconds + 0.5 : longest);
    if (s >= 3600)
        snprintf(text, room, "%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, room, "%u:%02u", s / 60, s % 60);
}

static void rate_sample(vt_progress_bar *bar, double now_ms)
{
    double passed_ms = now_ms - bar->sampled_ms;
    if (passed_ms < sample_ms)
        return;
    uint64_t more = bar->done > bar->sampled_done ? bar->done - bar->sampled_done : 0;
    double rate = (double)more * 1e3 / passed_ms;
    double weight = passed_ms / (passed_ms + window_ms);
    bar->rate_per_s =
        bar->rate_per_s > 0 ? bar->rate_per_s + weight * (rate - bar->rate_per_s) : rate;
    bar->sampled_ms = now_ms;
    bar->sampled_done = bar->done;
}

static void line_add(char *line, const char *text)
{
    size_t length = strlen(line);
    snprintf(line + length, LINE_BYTES - length, "%s", text);
}

static void line_add_share(const vt_progress_bar *bar, char *line)
{
    double share = (double)bar->done / (double)bar->total;
    share = share < 1 ? share : 1;
    char text[BAR_CELLS + 16];
    if (bar->terminal) {
        char cells[BAR_CELLS + 1];
        int full = (int)(share * BAR_CELLS);
        memset(cells, '.', BAR_CELLS);
        memset(cells, '#', (size_t)full);
        cells[BAR_CELLS] = '\0';
        snprintf(text, sizeof text, " [%s]", cells);
        line_add(line, text);
    }
    /* Rounded down: 100 % means done. */
    snprintf(text, sizeof text, " %3d %%", (int)(share * 100));
    line_add(line, text);
}

static void line_build(const vt_progress_bar *bar, double rate, bool ended, double now_ms,
                       char *line)
{
    char text[128], time[32];
    snprintf(line, LINE_BYTES, "%.60s:", bar->title);
    if (bar->total)
        line_add_share(bar, line);
    if (bar->total)
        snprintf(text, sizeof text, " %" PRIu64 "/%" PRIu64 " %.40s", bar->done, bar->total,
                 bar->unit);
    else
        snprintf(text, sizeof text, " %" PRIu64 " %.40s", bar->done, bar->unit);
    line_add(line, text);
    snprintf(text, sizeof text, rate < 10 ? ", %.2f/s" : ", %.0f/s", rate);
    line_add(line, text);
    if (ended) {
        duration_format((now_ms - bar->started_ms) / 1e3, time, sizeof time);
        snprintf(text, sizeof text, ", took %s", time);
        line_add(line, text);
    } else if (bar->total > bar->done && rate > 0) {
        duration_format((double)(bar->total - bar->done) / rate, time, sizeof time);
        snprintf(text, sizeof text, ", %s left", time);
        line_add(line, text);
    }
}

static size_t terminal_columns(FILE *stream)
{
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

static void draw(vt_progress_bar *bar, double rate, bool ended, double now_ms)
{
    char line[LINE_BYTES];
    line_build(bar, rate, ended, now_ms, line);
    if (bar->terminal) {
        /* A line that wraps could not be redrawn. */
        size_t columns = terminal_columns(bar->stream);
        if (columns < sizeof line)
            line[columns - 1] = '\0';
        fprintf(bar->stream, "\r%s\x1b[K%s", line, ended ? "\n" : "");
    } else {
        fprintf(bar->stream, "%s\n", line);
    }
    fflush(bar->stream);
    bar->shown = true;
    bar->drawn_ms = now_ms;
}

void vt_progress_bar_update(vt_progress_bar *bar, uint64_t done, uint64_t total)
{
    double now_ms = vt_clock_ms();
    bar->done = done;
    bar->total = total;
    rate_sample(bar, now_ms);
    if (now_ms - bar->started_ms < silent_ms)
        return;
    double interval_ms = bar->terminal ? terminal_interval_ms : log_interval_ms;
    if (!bar->shown || now_ms - bar->drawn_ms >= interval_ms)
        draw(bar, bar->rate_per_s, false, now_ms);
}

void vt_progress_bar_finish(vt_progress_bar *bar)
{
    double now_ms = vt_clock_ms();
    double passed_ms = now_ms - bar->started_ms;
    if (!bar->shown && passed_ms < silent_ms)
        return;
    uint64_t here = bar->done > bar->first_done ? bar->done - bar->first_done : 0;
    double rate = passed_ms > 0 ? (double)here * 1e3 / passed_ms : 0;
    draw(bar, rate, true, now_ms);
}
