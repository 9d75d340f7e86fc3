/* SPDX-License-Identifier: Apache-2.0 */
/* The report of an evaluation in HTML: measures, classes, and the hardest photos. */
#include "shop/model_eval.h"

#include "base/file.h"
#include "eval/page.h"

enum { LABELS_LISTED = 1000 };

static void put_head(const vt_model_evaluation *eval, vt_buf *page)
{
    vt_buf_append_text(page, "<h1>Measures of ");
    vt_buf_append_html(page, vt_encoder_info_of(eval->encoder).name);
    vt_buf_append_text(page, "</h1><p>Data: ");
    vt_buf_append_html(page, eval->data);
    vt_buf_printf(page, ", %zu photos, ", eval->query_count);
    if (eval->among)
        vt_buf_append_text(page, "each against all others");
    else
        vt_buf_printf(page, "against %zu others", eval->gallery_count);
    if (eval->options->against != NULL) {
        vt_buf_append_text(page, " of ");
        vt_buf_append_html(page, eval->options->against);
    }
    vt_buf_printf(page, "; vectors of %zu numbers; %zu photos left out.</p>\n", eval->dim,
                  eval->block->report.failed_count);
}

static void put_column(const vt_model_evaluation *eval, const vt_eval_column *column, vt_buf *page)
{
    vt_retrieval_options options = {.k_count = eval->options->k_count};
    vt_retrieval_result result = {0};
    for (size_t i = 0; i < options.k_count; i++)
        options.k[i] = eval->options->k[i];
    vt_retrieval_result_of(column->retrieval, NULL, &result);
    vt_buf_append_text(page, "<h2>Nearest neighbours: ");
    vt_buf_append_html(page, column->name);
    vt_buf_printf(page, "</h2><p>%zu values, %zu photos", column->values, result.queries);
    if (column->alone > 0)
        vt_buf_printf(page, ", and %zu that are not counted because nothing has their label",
                      column->alone);
    vt_buf_append_text(page, ".</p><table>");
    for (size_t i = 0; i < options.k_count; i++)
        vt_buf_printf(page, "<tr><td>recall@%zu</td><td>%.4f</td></tr>", options.k[i],
                      result.recall[i]);
    vt_buf_printf(page,
                  "<tr><td>vote of %d</td><td>%.4f</td></tr><tr><td>mean average "
                  "precision</td><td>%.4f</td></tr></table>\n",
                  VT_EVAL_NEIGHBOURS,
                  result.queries > 0 ? (double)column->voted_right / (double)result.queries : 0.0,
                  result.map);
    if (vt_retrieval_category_count(column->retrieval) <= LABELS_LISTED)
        vt_page_recall(page, column->retrieval, &options);
}

static void begin_classes(const vt_model_evaluation *eval, const vt_eval_classifier *one,
                          vt_buf *page)
{
    vt_buf_append_text(page, "<h2>Classes named by the model");
    vt_buf_append_text(page, eval->named ? ": " : "");
    vt_buf_append_html(page, one->head->name);
    vt_buf_append_text(page, "</h2><table>");
}

static void put_classes(const vt_model_evaluation *eval, const vt_eval_classifier *one,
                        vt_buf *page)
{
    vt_classification_result result;
    vt_classification_result_of(one->measures, &result);
    begin_classes(eval, one, page);
    vt_buf_printf(page,
                  "<tr><td>accuracy</td><td>%.4f</td>"
                  "</tr><tr><td>top 5</td><td>%.4f</td></tr><tr><td>macro F1</td><td>%.4f</td>"
                  "</tr></table>\n",
                  result.accuracy, result.top5, result.macro_f1);
    vt_page_matrix(page, one->measures, one->names);
    vt_page_classes(page, one->measures, one->names);
}

static void put_attributes(const vt_model_evaluation *eval, const vt_eval_classifier *one,
                           vt_buf *page)
{
    vt_attributes_result result;
    vt_attributes_result_of(one->attributes, &result);
    begin_classes(eval, one, page);
    vt_buf_printf(page,
                  "<tr><td>all right</td><td>%.4f</td></tr><tr><td>macro F1</td><td>%.4f</td></tr>"
                  "<tr><td>micro F1</td><td>%.4f</td></tr></table>\n",
                  result.accuracy, result.macro_f1, result.micro_f1);
    vt_page_attributes(page, one->attributes, one->names);
}

static void put_thumb(void *context, size_t place, vt_buf *jpeg)
{
    static const uint8_t white[3] = {255, 255, 255};
    const vt_model_evaluation *eval = context;
    const char *path = eval->columns[0].data->examples[eval->photos[place]].photo;
    vt_decode_options options = vt_decode_options_defaults();
    vt_image image = {0}, small = {0};
    options.fit_width = options.fit_height = VT_PAGE_THUMB_PX;
    if (vt_image_decode_file(path, &options, &image, NULL) != VT_OK)
        return;
    if (vt_image_resize(&image, VT_PAGE_THUMB_PX, VT_PAGE_THUMB_PX, VT_FIT_COVER,
                        VT_KERNEL_BILINEAR, white, &small, NULL) == VT_OK)
        vt_image_encode_jpeg(&small, VT_PAGE_THUMB_QUALITY, jpeg, NULL);
    vt_image_deinit(&small);
    vt_image_deinit(&image);
}

/* labels: (places) of the column, those without one numbered behind all others. */
static void put_labelled(const vt_model_evaluation *eval, const vt_eval_column *column,
                         const vt_eval_classifier *one, uint32_t *labels, vt_buf *page)
{
    size_t places = vt_eval_places(eval), count;
    const char *const *names = vt_eval_labels(column, &count);
    const char **shown = vt_alloc_array(count + 1, sizeof(*shown));
    if (shown == NULL) {
        page->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        shown[i] = names[i];
    shown[count] = "(none)";
    for (size_t i = 0; i < places; i++) {
        uint32_t label = vt_eval_label_at(eval, column, i);
        labels[i] = label != VT_NO_LABEL ? label : (uint32_t)count;
    }
    const vt_page_examples examples = {
        .count = eval->query_count,
        .labels = labels,
        .label_names = shown,
        .named = one != NULL ? one->named : NULL,
        .wrong = one != NULL ? one->wrong : NULL,
        .class_names = one != NULL ? one->names : NULL,
        .neighbours = eval->neighbours,
        .neighbour_count = VT_EVAL_NEIGHBOURS,
        .among = eval->among ? "the others" : "those that were searched",
        .thumb = put_thumb,
        .context = (void *)(uintptr_t)eval, /* only read */
    };
    vt_page_put_examples(page, &examples);
    vt_free(shown);
}

/* Where the model names classes, their label is the one to look at. */
static void put_examples(const vt_model_evaluation *eval, vt_buf *page)
{
    const vt_eval_classifier *one = NULL;
    const vt_eval_column *column = NULL;
    for (size_t h = 0; one == NULL && h < eval->classifier_count; h++)
        if (eval->classifiers[h].named != NULL)
            one = &eval->classifiers[h];
    for (size_t c = 0; column == NULL && c < eval->column_count; c++)
        if (eval->columns[c].searched)
            column = &eval->columns[c];
    if (one != NULL)
        column = one->column;
    if (column == NULL)
        return;
    uint32_t *labels = vt_alloc_array(vt_eval_places(eval), sizeof(*labels));
    if (labels == NULL) {
        page->failed = true;
        return;
    }
    put_labelled(eval, column, one, labels, page);
    vt_free(labels);
}

vt_status vt_eval_write_page(const vt_model_evaluation *eval, const char *path, vt_error *error)
{
    vt_buf page;
    vt_buf_init(&page, VT_PAGE_BYTES);
    vt_page_begin(&page, "Measures");
    put_head(eval, &page);
    for (size_t c = 0; c < eval->column_count; c++)
        if (eval->columns[c].retrieval != NULL)
            put_column(eval, &eval->columns[c], &page);
    for (size_t h = 0; h < eval->classifier_count; h++) {
        if (eval->classifiers[h].measures != NULL)
            put_classes(eval, &eval->classifiers[h], &page);
        if (eval->classifiers[h].attributes != NULL)
            put_attributes(eval, &eval->classifiers[h], &page);
    }
    put_examples(eval, &page);
    vt_page_end(&page);
    vt_status status = page.failed ? vt_fail_memory(error, "the report")
                                   : vt_file_replace(path, page.data, page.length, false, error);
    vt_buf_deinit(&page);
    return status;
}
