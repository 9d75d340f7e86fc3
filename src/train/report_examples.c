/* SPDX-License-Identifier: Apache-2.0 */
/* The hardest validation photos of a run, out of the picture cache, for its report. */
#include "train/run_state.h"

#include "eval/page.h"

typedef struct shown {
    const vt_run_state *run;
    const vt_evaluation *evaluation;
} shown;

static void put_thumb(void *context, size_t place, vt_buf *jpeg)
{
    static const uint8_t white[3] = {255, 255, 255};
    const shown *what = context;
    vt_image image, small;
    if (!vt_picture_cache_get(what->run->cache, what->evaluation->examples[place], &image) ||
        vt_image_resize(&image, VT_PAGE_THUMB_PX, VT_PAGE_THUMB_PX, VT_FIT_COVER,
                        VT_KERNEL_BILINEAR, white, &small, NULL) != VT_OK)
        return;
    vt_image_encode_jpeg(&small, VT_PAGE_THUMB_QUALITY, jpeg, NULL);
    vt_image_deinit(&small);
}

void vt_report_examples(vt_run_state *run, const vt_evaluation *evaluation, vt_buf *out)
{
    size_t count = evaluation->count;
    uint32_t *labels = vt_alloc_array(count + 1, sizeof(*labels));
    float *wrong = vt_alloc_array(count + 1, sizeof(*wrong));
    shown what = {run, evaluation};
    if (labels == NULL || wrong == NULL)
        out->failed = true;
    for (size_t i = 0; !out->failed && i < count; i++) {
        labels[i] = run->data->examples[evaluation->examples[i]].label;
        wrong[i] = evaluation->named != NULL && evaluation->named[i] != labels[i]
                       ? evaluation->confidence[i]
                       : 0;
    }
    const vt_page_examples examples = {.count = count,
                                       .labels = labels,
                                       .label_names = run->data->labels,
                                       .named = evaluation->named,
                                       .wrong = wrong,
                                       .class_names = run->data->labels,
                                       .neighbours = evaluation->neighbours,
                                       .neighbour_count = VT_RUN_NEIGHBOURS,
                                       .among = "the other validation photos",
                                       .thumb = put_thumb,
                                       .context = &what};
    if (!out->failed)
        vt_page_put_examples(out, &examples);
    vt_free(labels);
    vt_free(wrong);
}
