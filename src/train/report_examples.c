/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The photos that were hardest: those whose wrong class was named with most confidence, or, without
 * classes, those whose first neighbour of their own label comes latest; each with its nearest
 * neighbours, green where the label is right.
 */
#include "train/run_state.h"

#include "eval/neighbours.h"

#include <stdlib.h>

enum { SHOWN = 24, NEIGHBOURS_SHOWN = 6, THUMB_PX = 80, THUMB_QUALITY = 70, THUMB_BYTES = 1 << 20 };

typedef struct hard {
    float hardness;
    uint32_t place;
} hard;

static int compare_hard(const void *a, const void *b)
{
    const hard *x = a, *y = b;
    if (x->hardness != y->hardness)
        return x->hardness > y->hardness ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static uint32_t label_at(const vt_run_state *run, const vt_evaluation *evaluation, size_t place)
{
    return run->data->examples[evaluation->examples[place]].label;
}

static float hardness_of(const vt_run_state *run, const vt_evaluation *evaluation, size_t place)
{
    uint32_t label = label_at(run, evaluation, place);
    if (evaluation->named != NULL)
        return evaluation->named[place] != label ? evaluation->confidence[place] : 0;
    for (size_t k = 0; evaluation->neighbours != NULL && k < VT_RUN_NEIGHBOURS; k++) {
        uint32_t other = evaluation->neighbours[place * VT_RUN_NEIGHBOURS + k];
        if (other != VT_NO_NEIGHBOUR && label_at(run, evaluation, other) == label)
            return (float)k;
    }
    return evaluation->neighbours != NULL ? VT_RUN_NEIGHBOURS : 0;
}

static void put_thumb(const vt_run_state *run, uint32_t example, vt_buf *out)
{
    static const uint8_t white[3] = {255, 255, 255};
    vt_image image, small;
    vt_buf jpeg;
    vt_buf_init(&jpeg, THUMB_BYTES);
    if (vt_picture_cache_get(run->cache, example, &image) &&
        vt_image_resize(&image, THUMB_PX, THUMB_PX, VT_FIT_COVER, VT_KERNEL_BILINEAR, white, &small,
                        NULL) == VT_OK) {
        if (vt_image_encode_jpeg(&small, THUMB_QUALITY, &jpeg, NULL) == VT_OK) {
            vt_buf_append_text(out, "<img alt=\"\" src=\"data:image/jpeg;base64,");
            vt_buf_append_base64(out, jpeg.data, jpeg.length);
            vt_buf_append_text(out, "\">");
        }
        vt_image_deinit(&small);
    }
    vt_buf_deinit(&jpeg);
}

static void put_figure(const vt_run_state *run, const vt_evaluation *evaluation, size_t place,
                       const char *kind, vt_buf *out)
{
    vt_buf_printf(out, "<figure class=\"%s\">", kind);
    put_thumb(run, evaluation->examples[place], out);
    vt_buf_append_text(out, "<figcaption>");
    vt_buf_append_html(out, run->data->labels[label_at(run, evaluation, place)]);
    vt_buf_append_text(out, "</figcaption></figure>");
}

static void put_row(const vt_run_state *run, const vt_evaluation *evaluation, size_t place,
                    vt_buf *out)
{
    uint32_t label = label_at(run, evaluation, place);
    vt_buf_append_text(out, "<div class=\"r\">");
    put_figure(run, evaluation, place, "q", out);
    if (evaluation->named != NULL) {
        vt_buf_append_text(out, "<figure>named<br><b>");
        vt_buf_append_html(out, run->data->labels[evaluation->named[place]]);
        vt_buf_printf(out, "</b><br>%.0f%%</figure>", 100 * (double)evaluation->confidence[place]);
    }
    for (size_t k = 0; evaluation->neighbours != NULL && k < NEIGHBOURS_SHOWN; k++) {
        uint32_t other = evaluation->neighbours[place * VT_RUN_NEIGHBOURS + k];
        if (other != VT_NO_NEIGHBOUR)
            put_figure(run, evaluation, other,
                       label_at(run, evaluation, other) == label ? "y" : "n", out);
    }
    vt_buf_append_text(out, "</div>\n");
}

void vt_report_examples(vt_run_state *run, const vt_evaluation *evaluation, vt_buf *out)
{
    size_t shown = 0;
    hard *list = vt_alloc_array(evaluation->count + 1, sizeof(*list));
    if (list == NULL) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < evaluation->count; i++)
        list[i] = (hard){hardness_of(run, evaluation, i), (uint32_t)i};
    if (evaluation->count > 0)
        qsort(list, evaluation->count, sizeof(*list), compare_hard);
    vt_buf_append_text(out, "<h2>Hard examples</h2><p>Each photo, and its nearest neighbours among "
                            "the other validation photos.</p>\n");
    for (; shown < SHOWN && shown < evaluation->count && list[shown].hardness > 0; shown++)
        put_row(run, evaluation, list[shown].place, out);
    if (shown == 0)
        vt_buf_append_text(out, "<p>None: all are right.</p>\n");
    vt_free(list);
}
