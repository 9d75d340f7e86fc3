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

/* The head whose mistakes are shown: the one that the run goes by, or the first that names classes
 * of one a photo, or the first. */
static size_t choose_head(const vt_run_state *run)
{
    if (run->goal.head >= 0 && !run->heads.items[run->goal.head].several)
        return (size_t)run->goal.head;
    for (size_t h = 0; h < run->heads.count; h++)
        if (run->heads.items[h].scores && !run->heads.items[h].several)
            return h;
    return 0;
}

/* labels: (count) of the examples, those without one numbered behind all others. */
static void put(vt_run_state *run, const vt_evaluation *evaluation, size_t head,
                const uint32_t *labels, vt_buf *out)
{
    const vt_head_evaluation *one = &evaluation->heads[head];
    size_t count = evaluation->count, classes = vt_run_classes(run, head);
    float *wrong = vt_calloc(count + 1, sizeof(*wrong));
    const char **names = vt_alloc_array(classes + 1, sizeof(*names));
    shown what = {run, evaluation};
    if (wrong == NULL || names == NULL)
        out->failed = true;
    for (size_t c = 0; !out->failed && c < classes; c++)
        names[c] = vt_run_labels(run, head)[c];
    for (size_t i = 0; !out->failed && i < count; i++)
        if (one->named != NULL && labels[i] < classes && one->named[i] != labels[i])
            wrong[i] = one->confidence[i];
    const vt_page_examples examples = {.count = count,
                                       .labels = labels,
                                       .label_names = names,
                                       .named = one->named,
                                       .wrong = wrong,
                                       .class_names = names,
                                       .neighbours = evaluation->neighbours,
                                       .neighbour_count = VT_RUN_NEIGHBOURS,
                                       .among = "the other validation photos",
                                       .thumb = put_thumb,
                                       .context = &what};
    if (!out->failed) {
        names[classes] = "(none)";
        vt_page_put_examples(out, &examples);
    }
    vt_free(wrong);
    vt_free(names);
}

void vt_report_examples(vt_run_state *run, const vt_evaluation *evaluation, vt_buf *out)
{
    size_t head = choose_head(run);
    uint32_t *labels = vt_alloc_array(evaluation->count + 1, sizeof(*labels));
    if (labels == NULL) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < evaluation->count; i++) {
        labels[i] = vt_dataset_value(run->data, head, evaluation->examples[i]);
        if (labels[i] == VT_NO_LABEL)
            labels[i] = (uint32_t)vt_run_classes(run, head);
    }
    put(run, evaluation, head, labels, out);
    vt_free(labels);
}
