/* SPDX-License-Identifier: Apache-2.0 */
/* Reports in HTML: the page around them, the confusion matrix, measures by class. */
#include "eval/page.h"

enum { MATRIX_CLASSES = 60 };

static const char style[] =
    "<style>body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:1000px;padding:0 1em;"
    "color:#222}h1{font-size:1.5em}h2{margin-top:2em;font-size:1.2em}table{border-collapse:"
    "collapse}"
    "td,th{padding:2px 10px;text-align:right;border-bottom:1px solid #ddd}td:first-child,"
    "th:first-child{text-align:left}svg{max-width:100%;height:auto}.m td{padding:0;width:14px;"
    "height:14px;border:0;font-size:9px;text-align:center}.m th{font-size:10px;padding:0 4px;"
    "border:0}.r{display:flex;gap:6px;margin:8px 0;align-items:flex-start}.r figure{margin:0;"
    "width:86px;font-size:11px;overflow-wrap:anywhere}.r img{width:80px;height:80px;"
    "object-fit:cover;border:3px solid #bbb}.r .y img{border-color:#2a2}.r .n img{border-color:"
    "#c33}</style>";

void vt_page_begin(vt_buf *page, const char *title)
{
    vt_buf_append_text(page, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                             "<title>");
    vt_buf_append_html(page, title);
    vt_buf_append_text(page, "</title>");
    vt_buf_append_text(page, style);
    vt_buf_append_text(page, "</head><body>\n");
}

void vt_page_end(vt_buf *page)
{
    vt_buf_append_text(page, "</body></html>\n");
}

void vt_page_matrix(vt_buf *page, const vt_classification *measures, const char *const *names)
{
    size_t classes = vt_classification_classes(measures);
    vt_buf_append_text(page, "<h2>Confusion matrix</h2><p>Rows: the true class. Columns: the one "
                             "that was named, in the same order.</p>\n");
    if (classes > MATRIX_CLASSES) {
        vt_buf_printf(page, "<p>Not drawn: %zu classes are more than %d.</p>\n", classes,
                      MATRIX_CLASSES);
        return;
    }
    vt_buf_append_text(page, "<table class=\"m\">");
    for (size_t i = 0; i < classes; i++) {
        vt_class_result one;
        vt_classification_class(measures, i, &one);
        vt_buf_append_text(page, "<tr><th>");
        vt_buf_append_html(page, names[i]);
        vt_buf_append_text(page, "</th>");
        for (size_t j = 0; j < classes; j++) {
            size_t count = vt_classification_confused(measures, i, j);
            double share = one.examples > 0 ? (double)count / (double)one.examples : 0;
            vt_buf_printf(page, "<td style=\"background:hsl(%d,70%%,%.0f%%)\" title=\"%zu\">",
                          i == j ? 140 : 10, 97 - 50 * share, count);
            if (count > 0)
                vt_buf_printf(page, "%zu", count);
            vt_buf_append_text(page, "</td>");
        }
        vt_buf_append_text(page, "</tr>");
    }
    vt_buf_append_text(page, "</table>\n");
}

static void begin_classes(vt_buf *page, const char *title, const char *kind)
{
    vt_buf_printf(page,
                  "<h2>%s</h2><table><tr><th>%s</th><th>photos</th>"
                  "<th>precision</th><th>recall</th><th>F1</th></tr>",
                  title, kind);
}

static void put_class(vt_buf *page, const vt_class_result *one, const char *name)
{
    vt_buf_append_text(page, "<tr><td>");
    vt_buf_append_html(page, name);
    vt_buf_printf(page, "</td><td>%zu</td><td>%.3f</td><td>%.3f</td><td>%.3f</td></tr>",
                  one->examples, one->precision, one->recall, one->f1);
}

void vt_page_classes(vt_buf *page, const vt_classification *measures, const char *const *names)
{
    begin_classes(page, "Classes", "class");
    for (size_t i = 0; i < vt_classification_classes(measures); i++) {
        vt_class_result one;
        vt_classification_class(measures, i, &one);
        put_class(page, &one, names[i]);
    }
    vt_buf_append_text(page, "</table>\n");
}

void vt_page_attributes(vt_buf *page, const vt_attributes *measures, const char *const *names)
{
    begin_classes(page, "Attributes", "attribute");
    for (size_t i = 0; i < vt_attributes_classes(measures); i++) {
        vt_class_result one;
        vt_attributes_class(measures, i, &one);
        put_class(page, &one, names[i]);
    }
    vt_buf_append_text(page, "</table>\n");
}

void vt_page_recall(vt_buf *page, const vt_retrieval *retrieval,
                    const vt_retrieval_options *options)
{
    vt_buf_append_text(page, "<table><tr><th>label</th><th>photos</th>");
    for (size_t i = 0; i < options->k_count; i++)
        vt_buf_printf(page, "<th>recall@%zu</th>", options->k[i]);
    vt_buf_append_text(page, "</tr>");
    for (size_t c = 0; c < vt_retrieval_category_count(retrieval); c++) {
        const char *name = vt_retrieval_category(retrieval, c);
        vt_retrieval_result result = {0};
        vt_retrieval_result_of(retrieval, name, &result);
        vt_buf_append_text(page, "<tr><td>");
        vt_buf_append_html(page, name);
        vt_buf_printf(page, "</td><td>%zu</td>", result.queries);
        for (size_t i = 0; i < options->k_count; i++)
            vt_buf_printf(page, "<td>%.3f</td>", result.recall[i]);
        vt_buf_append_text(page, "</tr>");
    }
    vt_buf_append_text(page, "</table>\n");
}
