/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster --html: the groups with their most typical pictures, or the tree of them to open and
 * close (<details>, so that it needs no script).
 *
 * Pictures are made small, and there are no more than PAGE_PICTURES, however many groups there are:
 * each gets its share, the larger groups first.
 */
#include "base/mem.h"
#include "cli/cli.h"

#include <math.h>

enum {
    PAGE_PICTURES = 1500,
    GROUP_PICTURES = 12,
    GROUP_SIDE_PX = 160,
    SHOWN_TERMS = 4,
    OPEN_DEPTH = 2 /* of the tree, to begin with */
};

static const char style[] =
    "header,main{max-width:82rem;margin:0 auto;padding:0 1.25rem}header{padding-top:2rem}\n"
    "h1{font-size:1.35rem;margin:0 0 .25rem}header p{color:var(--soft);margin:.15rem 0}\n"
    "main{padding-bottom:3rem}\n"
    ".groups{display:grid;gap:1.25rem;margin-top:1.5rem;"
    "grid-template-columns:repeat(auto-fill,minmax(min(24rem,100%),1fr))}\n"
    "section{background:var(--card);border:1px solid var(--line);border-radius:.75rem;"
    "padding:1rem 1.1rem;min-width:0}\n"
    "h2{font-size:1.02rem;margin:0 0 .2rem;overflow-wrap:anywhere}\n"
    ".facts{color:var(--soft);font-size:.84rem;margin:0 0 .6rem;overflow-wrap:anywhere}\n"
    ".pictures{display:grid;gap:.4rem;grid-template-columns:repeat(auto-fill,minmax(4.6rem,1fr))}\n"
    "figure{margin:0;position:relative}figure img{width:100%;aspect-ratio:1;object-fit:contain;"
    "background:#fff;border:1px solid var(--line);border-radius:.4rem;display:block}\n"
    ".medoid img{outline:2px solid var(--accent)}\n"
    "ul{list-style:none;margin:.7rem 0 0;padding:0;font-size:.84rem}"
    "li{display:grid;grid-template-columns:1fr auto;gap:.1rem .75rem;margin:.3rem 0;"
    "overflow-wrap:anywhere}li span{color:var(--soft);text-align:right}\n"
    "li i{grid-column:1/-1;height:.25rem;border-radius:.2rem;background:var(--line);"
    "overflow:hidden}li b{display:block;height:100%;background:var(--accent)}\n"
    "details{margin:.35rem 0 .35rem .2rem;padding-left:.9rem;border-left:2px solid var(--line)}\n"
    "summary{cursor:pointer;padding:.25rem 0;display:flex;gap:.6rem;align-items:center;"
    "flex-wrap:wrap}summary::before{content:'\\25B8';color:var(--accent)}"
    "details[open]>summary::before{content:'\\25BE'}\n"
    "summary img{width:2.4rem;height:2.4rem;object-fit:contain;background:#fff;"
    "border:1px solid var(--line);border-radius:.3rem}\n"
    "summary .facts{margin:0}details section{margin:.4rem 0 .8rem}\n";

typedef struct writing {
    vt_shop *shop;
    const vt_clusters *clusters;
    vt_buf *page;
    size_t pictures_left;
    size_t per_group;
} writing;

static void append_picture(writing *w, const vt_cluster_member *member, const char *class_name)
{
    const char *title = vt_cli_or(member->title, member->product);
    void *jpeg = NULL, *small = NULL;
    size_t length = 0, small_length = 0;
    if (w->pictures_left == 0 ||
        vt_shop_thumbnail(w->shop, &member->picture, &jpeg, &length, NULL) != VT_OK)
        return;
    vt_photo photo = {.bytes = jpeg, .length = length};
    if (vt_photo_thumbnail(&photo, GROUP_SIDE_PX, &small, &small_length, NULL) == VT_OK) {
        w->pictures_left--;
        vt_buf_printf(w->page, "<figure class=\"%s\" title=\"", class_name);
        vt_buf_append_html(w->page, title);
        vt_buf_printf(w->page, " (%.3f)\">", member->similarity);
        vt_cli_page_picture(w->page, small, small_length, title);
        vt_buf_append_text(w->page, "</figure>\n");
    }
    vt_release(small);
    vt_release(jpeg);
}

static void append_terms(writing *w, const vt_cluster_group *group)
{
    uint64_t rest = w->clusters->products - group->size;
    vt_buf_append_text(w->page, "<ul>\n");
    for (size_t i = 0; i < group->term_count && i < SHOWN_TERMS; i++) {
        const vt_cluster_term *term = &group->terms[i];
        vt_buf_append_text(w->page, "<li>");
        vt_buf_append_html(w->page, term->name);
        vt_buf_append_text(w->page, ": ");
        vt_buf_append_html(w->page, term->value);
        vt_buf_printf(w->page, "<span>%.0f&nbsp;%% here, %.0f&nbsp;%% elsewhere</span>",
                      100 * (double)term->inside / (double)group->size,
                      rest > 0 ? 100 * (double)term->outside / (double)rest : 0);
        vt_buf_printf(w->page, "<i><b style=\"width:%.0f%%\"></b></i></li>\n",
                      100 * (double)term->inside / (double)group->size);
    }
    vt_buf_append_text(w->page, "</ul>\n");
}

static void append_group(writing *w, size_t index)
{
    const vt_cluster_group *group = &w->clusters->groups[index];
    vt_buf_append_text(w->page, "<section>\n<h2>");
    vt_buf_append_html(w->page, group->label);
    vt_buf_printf(w->page,
                  "</h2>\n<p class=\"facts\">%zu product%s, tightness %.3f; most typical: ",
                  group->size, group->size == 1 ? "" : "s", group->tightness);
    vt_buf_append_html(w->page, vt_cli_or(group->medoid.title, group->medoid.product));
    vt_buf_append_text(w->page, "</p>\n<div class=\"pictures\">\n");
    for (size_t i = 0; i < group->size && i < w->per_group; i++)
        append_picture(w, &group->members[i], i == 0 ? "medoid" : "member");
    vt_buf_append_text(w->page, "</div>\n");
    append_terms(w, group);
    vt_buf_append_text(w->page, "</section>\n");
}

static void append_groups(writing *w)
{
    vt_buf_append_text(w->page, "<div class=\"groups\">\n");
    for (size_t i = 0; i < w->clusters->count; i++)
        append_group(w, i);
    vt_buf_append_text(w->page, "</div>\n");
}

static void open_node(writing *w, size_t node, size_t depth)
{
    const vt_cluster_group *group = &w->clusters->groups[node];
    bool joined = group->members == NULL;
    vt_buf_printf(w->page, "<details%s><summary>\n", joined && depth <= OPEN_DEPTH ? " open" : "");
    append_picture(w, &group->medoid, "member");
    vt_buf_append_text(w->page, "<strong>");
    vt_buf_append_html(w->page, group->label);
    vt_buf_printf(
        w->page, "</strong><span class=\"facts\">%zu product%s, %s %.3f</span></summary>\n",
        group->size, group->size == 1 ? "" : "s", joined ? "similarity of its parts" : "tightness",
        joined ? group->similarity : group->tightness);
}

/* Depth first with a stack of its own; a node that is met again is closed. */
static vt_status append_tree(writing *w, vt_error *error)
{
    struct {
        uint32_t node;
        bool opened;
    } *stack = vt_alloc_array(2 * w->clusters->node_count + 2, sizeof *stack);
    if (stack == NULL)
        return vt_fail_memory(error, "the page");
    size_t count = 0, depth = 0;
    stack[count].node = (uint32_t)w->clusters->node_count - 1;
    stack[count++].opened = false;
    while (count > 0) {
        uint32_t node = stack[--count].node;
        const vt_cluster_group *group = &w->clusters->groups[node];
        if (stack[count].opened) {
            vt_buf_append_text(w->page, "</details>\n");
            depth--;
            continue;
        }
        open_node(w, node, depth);
        if (group->members != NULL) {
            append_group(w, node);
            vt_buf_append_text(w->page, "</details>\n");
            continue;
        }
        depth++;
        stack[count].node = node;
        stack[count++].opened = true;
        for (int side = 1; side >= 0; side--) {
            stack[count].node = (uint32_t)group->parts[side];
            stack[count++].opened = false;
        }
    }
    vt_free(stack);
    return VT_OK;
}

static void append_head(writing *w, const char *where)
{
    const vt_clusters *clusters = w->clusters;
    vt_buf_printf(w->page, "<header>\n<h1>%zu group%s of products that look alike</h1>\n",
                  clusters->count, clusters->count == 1 ? "" : "s");
    vt_buf_printf(w->page, "<p>%llu product%s by %s%s", (unsigned long long)clusters->products,
                  clusters->products == 1 ? "" : "s", clusters->method,
                  clusters->chosen ? "; the number was chosen" : "");
    if (!isnan(clusters->silhouette))
        vt_buf_printf(w->page, "; silhouette %.3f", clusters->silhouette);
    vt_buf_append_text(w->page, "</p>\n");
    if (where != NULL) {
        vt_buf_append_text(w->page, "<p>where <code>");
        vt_buf_append_html(w->page, where);
        vt_buf_append_text(w->page, "</code></p>\n");
    }
    vt_buf_append_text(w->page, "<p>Tightness is the mean cosine between two products of a group. "
                                "The framed picture is the one most like all others.</p>\n"
                                "</header>\n<main>\n");
}

vt_status vt_cli_write_clusters(vt_shop *shop, const vt_clusters *clusters, const char *where,
                                const char *path, vt_error *error)
{
    vt_buf page;
    writing w = {shop, clusters, &page, PAGE_PICTURES, GROUP_PICTURES};
    bool tree = clusters->node_count > clusters->count;
    size_t summaries = tree ? clusters->node_count : 0;
    size_t share = (PAGE_PICTURES - (summaries < PAGE_PICTURES ? summaries : PAGE_PICTURES)) /
                   (clusters->count + 1);
    if (share < w.per_group)
        w.per_group = share > 0 ? share : 1;
    vt_cli_page_begin(&page, "groups of products", style);
    append_head(&w, where);
    vt_status status = VT_OK;
    if (tree)
        status = append_tree(&w, error);
    else
        append_groups(&w);
    vt_buf_append_text(&page, "</main>\n");
    return vt_cli_page_end(&page, status, path, error);
}
