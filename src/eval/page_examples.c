/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The photos that were hardest: those whose wrong class was named with most confidence, or, without
 * classes, those whose first neighbour of their own label comes latest; each with its nearest
 * neighbours, green where the label is right.
 */
#include "eval/page.h"

#include "base/mem.h"
#include "eval/neighbours.h"

#include <stdlib.h>

enum { SHOWN = 24, NEIGHBOURS_SHOWN = 6, THUMB_BYTES = 1 << 20 };

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

static uint32_t neighbour(const vt_page_examples *all, size_t place, size_t k)
{
    return all->neighbours[place * all->neighbour_count + k];
}

static float hardness_of(const vt_page_examples *all, size_t place)
{
    if (all->named != NULL)
        return all->wrong[place];
    for (size_t k = 0; all->neighbours != NULL && k < all->neighbour_count; k++) {
        uint32_t other = neighbour(all, place, k);
        if (other != VT_NO_NEIGHBOUR && all->labels[other] == all->labels[place])
            return (float)k;
    }
    return all->neighbours != NULL ? (float)all->neighbour_count : 0;
}

static void put_figure(vt_buf *page, const vt_page_examples *all, size_t place, const char *kind)
{
    vt_buf jpeg;
    vt_buf_init(&jpeg, THUMB_BYTES);
    vt_buf_printf(page, "<figure class=\"%s\">", kind);
    all->thumb(all->context, place, &jpeg);
    if (jpeg.length > 0 && !jpeg.failed) {
        vt_buf_append_text(page, "<img alt=\"\" src=\"data:image/jpeg;base64,");
        vt_buf_append_base64(page, jpeg.data, jpeg.length);
        vt_buf_append_text(page, "\">");
    }
    vt_buf_append_text(page, "<figcaption>");
    vt_buf_append_html(page, all->label_names[all->labels[place]]);
    vt_buf_append_text(page, "</figcaption></figure>");
    vt_buf_deinit(&jpeg);
}

static void put_row(vt_buf *page, const vt_page_examples *all, size_t place)
{
    vt_buf_append_text(page, "<div class=\"r\">");
    put_figure(page, all, place, "q");
    if (all->named != NULL) {
        vt_buf_append_text(page, "<figure>named<br><b>");
        vt_buf_append_html(page, all->class_names[all->named[place]]);
        vt_buf_printf(page, "</b><br>%.0f%%</figure>", 100 * (double)all->wrong[place]);
    }
    for (size_t k = 0; all->neighbours != NULL && k < NEIGHBOURS_SHOWN && k < all->neighbour_count;
         k++) {
        uint32_t other = neighbour(all, place, k);
        if (other != VT_NO_NEIGHBOUR)
            put_figure(page, all, other, all->labels[other] == all->labels[place] ? "y" : "n");
    }
    vt_buf_append_text(page, "</div>\n");
}

void vt_page_put_examples(vt_buf *page, const vt_page_examples *all)
{
    size_t shown = 0;
    hard *list = vt_alloc_array(all->count + 1, sizeof(*list));
    if (list == NULL) {
        page->failed = true;
        return;
    }
    for (size_t i = 0; i < all->count; i++)
        list[i] = (hard){hardness_of(all, i), (uint32_t)i};
    if (all->count > 0)
        qsort(list, all->count, sizeof(*list), compare_hard);
    vt_buf_append_text(page,
                       "<h2>Hard examples</h2><p>Each photo, and its nearest neighbours among ");
    vt_buf_append_html(page, all->among);
    vt_buf_append_text(page, ".</p>\n");
    for (; shown < SHOWN && shown < all->count && list[shown].hardness > 0; shown++)
        put_row(page, all, list[shown].place);
    if (shown == 0)
        vt_buf_append_text(page, "<p>None: all are right.</p>\n");
    vt_free(list);
}
