/* SPDX-License-Identifier: Apache-2.0 */
/* search --html: the photo looked for, and what was found, on one page. */
#include "cli/cli.h"

#include <math.h>

enum { QUERY_SIDE_PX = 512 };

static const char style[] =
    "main{max-width:78rem;margin:0 auto;padding:2rem 1.25rem;display:grid;gap:2rem;"
    "grid-template-columns:minmax(14rem,20rem) 1fr}\n"
    "@media (max-width:50rem){main{grid-template-columns:1fr}}\n"
    "h1{font-size:1.15rem;margin:0 0 1rem;letter-spacing:.01em}\n"
    "aside img{width:100%;border-radius:.75rem;display:block;margin-bottom:.75rem;"
    "border:1px solid var(--line)}\n"
    "aside p{color:var(--soft);font-size:.85rem;margin:.25rem 0}\n"
    "aside h2{font-size:.95rem;margin:1rem 0 .25rem}aside table{width:100%;font-size:.85rem}\n"
    "aside td{overflow-wrap:anywhere}aside td+td{text-align:right;color:var(--soft)}\n"
    "ol{list-style:none;margin:0;padding:0;display:grid;gap:1rem;"
    "grid-template-columns:repeat(auto-fill,minmax(12.5rem,1fr))}\n"
    "li{background:var(--card);border:1px solid var(--line);border-radius:.75rem;overflow:hidden;"
    "display:flex;flex-direction:column}\n"
    "li>img,li>.none{width:100%;aspect-ratio:1;object-fit:contain;background:#fff;display:block}\n"
    "li div{padding:.75rem .9rem .9rem}li h2{font-size:.95rem;margin:0 0 .2rem;font-weight:600;"
    "overflow-wrap:anywhere}\n"
    "li p{margin:.1rem 0;font-size:.82rem;color:var(--soft);overflow-wrap:anywhere}"
    "li .price{color:var(--ink);font-weight:600;font-size:.9rem}\n"
    "meter{width:100%;height:.5rem;margin-top:.5rem;accent-color:var(--accent)}\n"
    ".rank{color:var(--accent);font-weight:700}\n";

/* Its main picture and what it weighs. */
static void append_like(vt_buf *page, vt_shop *shop, const vt_like *like)
{
    vt_product *product = NULL;
    void *jpeg = NULL;
    size_t length = 0;
    if (vt_shop_get(shop, like->product, &product, NULL) == VT_OK && product->picture_count > 0 &&
        vt_shop_thumbnail(shop, &product->pictures[0].hash, &jpeg, &length, NULL) == VT_OK)
        vt_cli_page_picture(page, jpeg, length, like->product);
    vt_release(jpeg);
    vt_product_free(product);
    vt_buf_printf(page, "<p>%s like ", like->weight < 0 ? "less" : "more");
    vt_buf_append_html(page, like->product);
    vt_buf_printf(page, " (%g)</p>\n", like->weight);
}

static void append_facet(vt_buf *page, const vt_facet *facet)
{
    char number[32];
    vt_buf_append_text(page, "<h2>");
    vt_buf_append_html(page, facet->name);
    vt_buf_append_text(page, "</h2>\n<table>\n");
    for (size_t i = 0; i < facet->count; i++) {
        vt_buf_append_text(page, "<tr><td>");
        vt_buf_append_html(page, vt_cli_facet_text(&facet->values[i], number, sizeof(number)));
        vt_buf_printf(page, "</td><td>%llu</td></tr>\n",
                      (unsigned long long)facet->values[i].products);
    }
    vt_buf_append_text(page, "</table>\n");
    if (facet->distinct > facet->count)
        vt_buf_printf(page, "<p>and %llu more</p>\n",
                      (unsigned long long)(facet->distinct - facet->count));
}

static vt_status append_query(vt_buf *page, vt_shop *shop, const vt_query *query,
                              const vt_answer *answer, vt_error *error)
{
    vt_buf_append_text(page, "<aside>\n<h1>Looking for</h1>\n");
    for (size_t i = 0; i < query->photo_count; i++) {
        void *jpeg = NULL;
        size_t length = 0;
        vt_status status =
            vt_photo_thumbnail(&query->photos[i], QUERY_SIDE_PX, &jpeg, &length, error);
        if (status != VT_OK)
            return status;
        vt_cli_page_picture(page, jpeg, length, "the photo searched with");
        vt_release(jpeg);
    }
    for (size_t i = 0; i < query->like_count; i++)
        append_like(page, shop, &query->likes[i]);
    if (query->crop_width > 0)
        vt_buf_printf(page, "<p>only the part %d,%d of %d &times; %d pixels</p>\n", query->crop_x,
                      query->crop_y, query->crop_width, query->crop_height);
    if (query->where != NULL) {
        vt_buf_append_text(page, "<p>where <code>");
        vt_buf_append_html(page, query->where);
        vt_buf_printf(page, "</code>: %llu products</p>\n", (unsigned long long)answer->matched);
    }
    vt_buf_printf(page, "<p>%llu pictures compared in %.0f ms (%s%s)</p>\n",
                  (unsigned long long)answer->searched, answer->total_ms, answer->strategy,
                  answer->complete ? ", complete" : "");
    for (size_t i = 0; i < answer->facet_count; i++)
        append_facet(page, &answer->facets[i]);
    vt_buf_append_text(page, "</aside>\n");
    return VT_OK;
}

static void append_line(vt_buf *page, const char *class_name, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    vt_buf_printf(page, "<p class=\"%s\">", class_name);
    vt_buf_append_html(page, text);
    vt_buf_append_text(page, "</p>\n");
}

static void append_result(vt_buf *page, vt_shop *shop, const vt_result *result, size_t rank)
{
    const vt_product *product = result->product;
    const char *title = vt_cli_or(product->title, product->id);
    void *jpeg = NULL;
    size_t length = 0;
    char price[64];
    vt_buf_append_text(page, "<li>\n");
    if (vt_shop_thumbnail(shop, &result->picture->hash, &jpeg, &length, NULL) == VT_OK)
        vt_cli_page_picture(page, jpeg, length, title);
    else
        vt_buf_append_text(page, "<div class=\"none\"></div>\n");
    vt_release(jpeg);
    vt_buf_printf(page, "<div>\n<h2><span class=\"rank\">%zu</span> ", rank);
    vt_buf_append_html(page, title);
    vt_buf_append_text(page, "</h2>\n");
    vt_cli_price(product, price, sizeof(price));
    append_line(page, "price", price);
    append_line(page, "brand", product->brand);
    append_line(page, "category", product->category);
    append_line(page, "id", product->id);
    if (!isnan(result->similarity))
        vt_buf_printf(
            page,
            "<meter min=\"0\" max=\"1\" value=\"%.4f\" title=\"similarity\">%.3f</meter>\n"
            "<p>similarity %.3f</p>\n",
            result->similarity, result->similarity, result->similarity);
    vt_buf_append_text(page, "</div>\n</li>\n");
}

vt_status vt_cli_write_html(vt_shop *shop, const vt_query *query, const vt_answer *answer,
                            const char *path, vt_error *error)
{
    vt_buf page;
    vt_cli_page_begin(&page, "found products", style);
    vt_buf_append_text(&page, "<main>\n");
    vt_status status = append_query(&page, shop, query, answer, error);
    vt_buf_printf(&page, "<section>\n<h1>%zu product%s found</h1>\n<ol>\n", answer->count,
                  answer->count == 1 ? "" : "s");
    for (size_t i = 0; status == VT_OK && i < answer->count; i++)
        append_result(&page, shop, &answer->results[i], query->offset + i + 1);
    vt_buf_append_text(&page, "</ol>\n");
    if (answer->count == 0)
        vt_buf_append_text(&page, "<p>Nothing in this shop is similar enough.</p>\n");
    vt_buf_append_text(&page, "</section>\n</main>\n");
    return vt_cli_page_end(&page, status, path, error);
}
