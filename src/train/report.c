/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report of a run: one HTML file that needs nothing else, with curves in SVG, the confusion
 * matrix, measures by class, and photos that were hardest with their nearest neighbours.
 */
#include "train/run_state.h"

#include "base/file.h"
#include "eval/page.h"

#include <math.h>

enum { WIDTH = 640, HEIGHT = 220, MARGIN = 44 };

static double loss_of(const vt_run_epoch *epoch, int head, int which)
{
    (void)head;
    (void)which;
    return epoch->loss;
}

static double rate_of(const vt_run_epoch *epoch, int head, int which)
{
    (void)head;
    (void)which;
    return epoch->rate;
}

static double measure_of(const vt_run_epoch *epoch, int head, int which)
{
    return head < 0 ? epoch->measures[which] : epoch->heads[head][which];
}

typedef struct curve {
    const char *title;
    double (*value)(const vt_run_epoch *epoch, int head, int which);
    int head, which; /* head -1: of all */
} curve;

static bool range_of(const vt_run_state *run, const curve *line, double *low, double *high)
{
    bool any = false;
    for (size_t i = 0; i < run->epoch; i++) {
        double value = line->value(&run->epochs[i], line->head, line->which);
        if (!isfinite(value))
            continue;
        *low = !any || value < *low ? value : *low;
        *high = !any || value > *high ? value : *high;
        any = true;
    }
    if (any && *high - *low < 1e-9) {
        *low -= 0.5;
        *high += 0.5;
    }
    return any;
}

static void put_curve(const vt_run_state *run, const curve *line, vt_buf *out)
{
    double low = 0, high = 0;
    if (!range_of(run, line, &low, &high))
        return;
    double across = run->epoch > 1 ? (double)(WIDTH - 2 * MARGIN) / (double)(run->epoch - 1) : 0;
    vt_buf_printf(out,
                  "<svg viewBox=\"0 0 %d %d\" width=\"%d\" role=\"img\"><title>%s</title>"
                  "<rect x=\"%d\" y=\"24\" width=\"%d\" height=\"%d\" fill=\"none\" "
                  "stroke=\"#ccc\"/><text x=\"%d\" y=\"16\" font-size=\"13\">%s</text>",
                  WIDTH, HEIGHT, WIDTH, line->title, MARGIN, WIDTH - 2 * MARGIN, HEIGHT - 48,
                  MARGIN, line->title);
    vt_buf_printf(out,
                  "<text x=\"2\" y=\"32\" font-size=\"11\">%.4g</text><text x=\"2\" y=\"%d\" "
                  "font-size=\"11\">%.4g</text><text x=\"%d\" y=\"%d\" font-size=\"11\">1</text>"
                  "<text x=\"%d\" y=\"%d\" font-size=\"11\">epoch %zu</text>"
                  "<polyline fill=\"none\" stroke=\"#06c\" stroke-width=\"2\" points=\"",
                  high, HEIGHT - 26, low, MARGIN, HEIGHT - 8, WIDTH - MARGIN - 40, HEIGHT - 8,
                  (size_t)run->epoch);
    for (size_t i = 0; i < run->epoch; i++) {
        double value = line->value(&run->epochs[i], line->head, line->which);
        if (isfinite(value))
            vt_buf_printf(out, "%.1f,%.1f ", MARGIN + (double)i * across,
                          24 + (HEIGHT - 48) * (high - value) / (high - low));
    }
    vt_buf_append_text(out, "\"/></svg>\n");
}

static void put_measures(const double *measures, vt_buf *out)
{
    for (int i = 0; i < VT_MEASURES; i++)
        if (!isnan(measures[i]))
            vt_buf_printf(out, "<tr><td>%s</td><td>%.4f</td></tr>", vt_measure_name((vt_measure)i),
                          measures[i]);
}

/* Of every measure that there is, of a head or (-1) of all. */
static void put_curves(const vt_run_state *run, int head, vt_buf *out)
{
    for (int i = 0; i < VT_MEASURES; i++) {
        const curve line = {vt_measure_name((vt_measure)i), measure_of, head, i};
        put_curve(run, &line, out);
    }
}

static void put_classes(const vt_run_state *run, const vt_evaluation *evaluation, size_t head,
                        vt_buf *out)
{
    const vt_head_evaluation *one = &evaluation->heads[head];
    const char *const *labels = vt_run_labels(run, head);
    if (one->confusions != NULL) {
        vt_page_matrix(out, one->confusions, labels);
        vt_page_classes(out, one->confusions, labels);
    }
    if (one->attributes != NULL)
        vt_page_attributes(out, one->attributes, labels);
}

static void put_summary(const vt_run_state *run, vt_buf *out)
{
    const vt_run_epoch *last = &run->epochs[run->epoch - 1];
    if (run->best_epoch > 0 && run->best_epoch <= run->epoch)
        last = &run->epochs[run->best_epoch - 1];
    vt_buf_append_text(out, "<h1>Training of ");
    vt_buf_append_html(out, vt_path_base(run->options->out));
    vt_buf_append_text(out, "</h1><p>Data: ");
    vt_buf_append_html(out, run->data->name);
    if (run->heads.named)
        vt_buf_printf(out, ", %zu heads; measures are their means", run->heads.count);
    else
        vt_buf_printf(out, ", %zu labels", run->data->label_count);
    vt_buf_printf(out, "; weights of epoch %g, %zu parameters%s.</p><table>", last->epoch,
                  run->parameter_numbers, run->stopped_early ? "; stopped early" : "");
    put_measures(last->measures, out);
    vt_buf_append_text(out, "</table>\n<h2>Curves</h2>\n");
    const curve loss = {"training loss", loss_of, -1, 0}, rate = {"learning rate", rate_of, -1, 0};
    put_curve(run, &loss, out);
    put_curves(run, -1, out);
    put_curve(run, &rate, out);
}

/* Of a named head: what the summary and the classes are of the only one. */
static void put_head(const vt_run_state *run, const vt_evaluation *evaluation, size_t head,
                     vt_buf *out)
{
    const vt_head_evaluation *one = &evaluation->heads[head];
    vt_buf_append_text(out, "<h2>Head ");
    vt_buf_append_html(out, run->heads.items[head].name);
    vt_buf_printf(out, "</h2><p>%zu labels, %s.</p><table>", vt_run_classes(run, head),
                  run->heads.items[head].several  ? "several a photo"
                  : run->heads.items[head].scores ? "one a photo"
                                                  : "for the embedding alone");
    put_measures(one->measures, out);
    vt_buf_append_text(out, "</table>\n");
    put_curves(run, (int)head, out);
    put_classes(run, evaluation, head, out);
}

static void put_recipe(const vt_run_state *run, vt_buf *out)
{
    vt_buf text;
    vt_json_writer writer;
    vt_buf_init(&text, 1 << 20);
    vt_json_begin(&writer, &text, true);
    vt_json_open_object(&writer, NULL);
    vt_recipe_print_public(run->recipe, &writer);
    vt_json_close(&writer);
    vt_buf_append_text(out, "<h2>Recipe</h2><pre>");
    vt_buf_append_html(out, vt_buf_text(&text));
    vt_buf_append_text(out, "</pre>\n");
    vt_buf_deinit(&text);
}

vt_status vt_run_report(vt_run_state *run, const vt_evaluation *evaluation, vt_error *error)
{
    vt_buf page;
    vt_buf_init(&page, VT_PAGE_BYTES);
    vt_page_begin(&page, "Training");
    put_summary(run, &page);
    if (!run->heads.named)
        put_classes(run, evaluation, 0, &page);
    for (size_t h = 0; run->heads.named && h < run->heads.count; h++)
        put_head(run, evaluation, h, &page);
    vt_report_examples(run, evaluation, &page);
    put_recipe(run, &page);
    vt_page_end(&page);
    vt_status status =
        page.failed ? vt_fail_memory(error, "the report")
                    : vt_file_replace(run->options->report, page.data, page.length, false, error);
    vt_buf_deinit(&page);
    return status;
}
