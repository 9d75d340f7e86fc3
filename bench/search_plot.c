/* SPDX-License-Identifier: Apache-2.0 */
/* Recall against queries per second as an SVG: a polyline for each index, a legend, decades. */
#include "bench/search_plot.h"

#include <math.h>

static const double LEFT = 70, TOP = 20, WIDE = 560, HIGH = 360;
static const char *const colours[] = {"#1b6ca8", "#2aa198", "#6c71c4", "#859900",
                                      "#d33682", "#cb4b16", "#b58900", "#586e75"};
enum { COLOURS = sizeof colours / sizeof colours[0] };

typedef struct frame {
    double recall_low, rate_low, rate_high; /* rates as decimal logarithms */
} frame;

static double across(const frame *f, double recall)
{
    return LEFT + WIDE * (recall - f->recall_low) / (1.0 - f->recall_low);
}

static double down(const frame *f, double rate)
{
    return TOP + HIGH * (f->rate_high - log10(rate)) / (f->rate_high - f->rate_low);
}

static frame frame_of(const search_curve *const *curves, size_t count)
{
    frame f = {0.9, 9, 0};
    for (size_t c = 0; c < count; c++)
        for (size_t p = 0; p < curves[c]->count; p++) {
            f.recall_low = fmin(f.recall_low, floor(curves[c]->points[p].recall * 20) / 20);
            f.rate_low = fmin(f.rate_low, floor(log10(curves[c]->points[p].rate)));
            f.rate_high = fmax(f.rate_high, ceil(log10(curves[c]->points[p].rate)));
        }
    f.recall_low = fmax(f.recall_low, 0.7); /* what is below is of no interest */
    return f;
}

static void grid(FILE *file, const frame *f)
{
    for (double recall = f->recall_low; recall < 1.001; recall += 0.05)
        fprintf(file,
                "<line x1='%.1f' y1='%.0f' x2='%.1f' y2='%.0f' stroke='#ddd'/>"
                "<text x='%.1f' y='%.0f' text-anchor='middle'>%.2f</text>\n",
                across(f, recall), TOP, across(f, recall), TOP + HIGH, across(f, recall),
                TOP + HIGH + 18, recall);
    for (double rate = f->rate_low; rate <= f->rate_high; rate += 1)
        fprintf(file,
                "<line x1='%.0f' y1='%.1f' x2='%.0f' y2='%.1f' stroke='#ddd'/>"
                "<text x='%.0f' y='%.1f' text-anchor='end'>%.0f</text>\n",
                LEFT, down(f, pow(10, rate)), LEFT + WIDE, down(f, pow(10, rate)), LEFT - 6,
                down(f, pow(10, rate)) + 4, pow(10, rate));
}

static void curve_draw(FILE *file, const frame *f, const search_curve *curve, size_t at)
{
    const char *colour = colours[at % COLOURS];
    fprintf(file, "<polyline fill='none' stroke-width='2' stroke='%s' points='", colour);
    for (size_t p = 0; p < curve->count; p++)
        if (curve->points[p].recall >= f->recall_low)
            fprintf(file, "%.1f,%.1f ", across(f, curve->points[p].recall),
                    down(f, curve->points[p].rate));
    fprintf(file, "'/>\n");
    for (size_t p = 0; p < curve->count; p++)
        if (curve->points[p].recall >= f->recall_low)
            fprintf(file, "<circle r='3' fill='%s' cx='%.1f' cy='%.1f'/>\n", colour,
                    across(f, curve->points[p].recall), down(f, curve->points[p].rate));
    fprintf(file, "<text x='%.0f' y='%.0f' fill='%s'>%s</text>\n", LEFT + WIDE + 14,
            TOP + 16 + 18 * (double)at, colour, curve->name);
}

void search_plot(FILE *file, const search_curve *const *curves, size_t count)
{
    frame f = frame_of(curves, count);
    fprintf(file, "<svg xmlns='http://www.w3.org/2000/svg' width='780' height='430' "
                  "font-family='sans-serif' font-size='12'>\n<rect width='100%%' height='100%%' "
                  "fill='white'/>\n");
    grid(file, &f);
    for (size_t c = 0; c < count; c++)
        curve_draw(file, &f, curves[c], c);
    fprintf(file,
            "<text x='%.0f' y='%.0f' text-anchor='middle'>recall@10, queries per second</text>\n"
            "</svg>\n",
            LEFT + WIDE / 2, TOP + HIGH + 38);
}
