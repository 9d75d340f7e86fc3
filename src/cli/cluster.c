/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine cluster */
#include "base/mem.h"
#include "cli/cli.h"

#include <math.h>
#include <string.h>

enum { EXAMPLES = 3 };

/* One bar at a time, whatever is being done. */
typedef struct phases {
    vt_progress_bar bar;
    bool running;
} phases;

static void on_phase(void *context, const char *phase, const char *unit)
{
    phases *p = context;
    if (p->running)
        vt_progress_bar_finish(&p->bar);
    vt_progress_bar_init(&p->bar, stderr, phase, unit);
    p->running = true;
}

static bool on_progress(void *context, uint64_t done, uint64_t total)
{
    phases *p = context;
    return vt_cli_on_progress(&p->bar, done, total);
}

/* ---- JSON ---- */

static void put_member(vt_json_writer *writer, const char *key, const vt_cluster_member *member)
{
    vt_json_open_object(writer, key);
    vt_json_put_text(writer, "product", member->product);
    vt_json_put_text(writer, "title", member->title);
    vt_json_put_number(writer, "similarity", member->similarity, 4);
    vt_json_close(writer);
}

static void put_group(vt_json_writer *writer, const vt_clusters *clusters, size_t index)
{
    const vt_cluster_group *group = &clusters->groups[index];
    vt_json_open_object(writer, NULL);
    vt_json_put_int(writer, "group", (int64_t)index);
    vt_json_put_text(writer, "label", group->label);
    vt_json_put_int(writer, "size", (int64_t)group->size);
    vt_json_put_number(writer, "tightness", group->tightness, 4);
    if (group->members == NULL) {
        vt_json_put_number(writer, "similarity", group->similarity, 4);
        vt_json_open_array(writer, "parts");
        vt_json_put_int(writer, NULL, (int64_t)group->parts[0]);
        vt_json_put_int(writer, NULL, (int64_t)group->parts[1]);
        vt_json_close(writer);
    }
    vt_json_open_array(writer, "terms");
    for (size_t i = 0; i < group->term_count; i++) {
        vt_json_open_object(writer, NULL);
        vt_json_put_text(writer, "name", group->terms[i].name);
        vt_json_put_text(writer, "value", group->terms[i].value);
        vt_json_put_int(writer, "inside", (int64_t)group->terms[i].inside);
        vt_json_put_int(writer, "outside", (int64_t)group->terms[i].outside);
        vt_json_put_number(writer, "score", group->terms[i].score, 3);
        vt_json_close(writer);
    }
    vt_json_close(writer);
    put_member(writer, "medoid", &group->medoid);
    if (group->members != NULL) {
        vt_json_open_array(writer, "members");
        for (size_t i = 0; i < group->size; i++)
            put_member(writer, NULL, &group->members[i]);
        vt_json_close(writer);
    }
    vt_json_close(writer);
}

static int print_json(const vt_clusters *clusters, const char *html)
{
    vt_buf document;
    vt_json_writer writer;
    vt_cli_begin_json(&writer, &document);
    vt_json_open_array(&writer, "groups");
    for (size_t i = 0; i < clusters->count; i++)
        put_group(&writer, clusters, i);
    vt_json_close(&writer);
    if (clusters->node_count > clusters->count) {
        vt_json_open_array(&writer, "joins");
        for (size_t i = clusters->count; i < clusters->node_count; i++)
            put_group(&writer, clusters, i);
        vt_json_close(&writer);
    }
    if (html != NULL)
        vt_json_put_text(&writer, "html", html);
    vt_json_put_text(&writer, "method", clusters->method);
    vt_json_put_bool(&writer, "chosen", clusters->chosen);
    vt_json_put_int(&writer, "products", (int64_t)clusters->products);
    vt_json_put_int(&writer, "left_out", (int64_t)clusters->left_out);
    vt_json_put_number(&writer, "silhouette", clusters->silhouette, 4);
    vt_json_open_object(&writer, "took_ms");
    vt_json_put_number(&writer, "read", clusters->read_ms, 3);
    vt_json_put_number(&writer, "group", clusters->group_ms, 3);
    vt_json_put_number(&writer, "name", clusters->name_ms, 3);
    vt_json_put_number(&writer, "total", clusters->total_ms, 3);
    vt_json_close(&writer);
    vt_json_close(&writer);
    return vt_cli_print_json("cluster", &document);
}

/* ---- text ---- */

static void print_why(const vt_clusters *clusters, const vt_cluster_group *group)
{
    if (group->term_count == 0)
        return;
    const vt_cluster_term *term = &group->terms[0];
    printf("        %s ", term->name);
    vt_cli_print(stdout, term->value);
    printf(": %llu of %zu here, %llu of %llu elsewhere\n", (unsigned long long)term->inside,
           group->size, (unsigned long long)term->outside,
           (unsigned long long)(clusters->products - group->size));
}

static void print_group(const vt_clusters *clusters, size_t index)
{
    const vt_cluster_group *group = &clusters->groups[index];
    printf("%5zu  %6zu  %.3f  ", index, group->size, group->tightness);
    vt_cli_print(stdout, group->label);
    putchar('\n');
    print_why(clusters, group);
    printf("       ");
    for (size_t i = 0; i < group->size && i < EXAMPLES; i++) {
        printf(" %s", i > 0 ? "| " : "");
        vt_cli_print(stdout, vt_cli_or(group->members[i].title, group->members[i].product));
    }
    printf("%s\n", group->size > EXAMPLES ? " | ..." : "");
}

/* The tree from the top, indented by depth; a stack of its own, since trees may be deep. */
static int print_tree(const vt_clusters *clusters)
{
    struct {
        uint32_t node, depth;
    } *stack = vt_alloc_array(clusters->node_count + 1, sizeof *stack);
    size_t count = 0;
    if (stack == NULL)
        return vt_status_exit_code(VT_ERR_NO_MEMORY);
    stack[count].node = (uint32_t)clusters->node_count - 1;
    stack[count++].depth = 0;
    while (count > 0) {
        uint32_t node = stack[--count].node, depth = stack[count].depth;
        const vt_cluster_group *group = &clusters->groups[node];
        printf("%*s%c %.3f %6zu  ", (int)(depth < 30 ? 2 * depth : 60), "",
               group->members != NULL ? '*' : '+',
               group->members != NULL ? group->tightness : group->similarity, group->size);
        vt_cli_print(stdout, group->label);
        putchar('\n');
        for (int side = 1; group->members == NULL && side >= 0; side--) {
            stack[count].node = (uint32_t)group->parts[side];
            stack[count++].depth = depth + 1;
        }
    }
    vt_free(stack);
    return 0;
}

static int print_text(const vt_clusters *clusters, bool tree)
{
    int code = 0;
    if (tree) {
        printf("+ similarity of the parts, or * tightness; products; what they share\n");
        code = print_tree(clusters);
    } else {
        printf("group    size  tight  what its products share\n");
        for (size_t i = 0; i < clusters->count; i++)
            print_group(clusters, i);
    }
    printf("%llu product%s in %zu group%s%s by %s", (unsigned long long)clusters->products,
           clusters->products == 1 ? "" : "s", clusters->count, clusters->count == 1 ? "" : "s",
           clusters->chosen ? " (chosen)" : "", clusters->method);
    if (!isnan(clusters->silhouette))
        printf(", silhouette %.3f", clusters->silhouette);
    printf(", in %.0f ms\n", clusters->total_ms);
    if (clusters->left_out > 0)
        printf("%llu left out: they have no vectors\n", (unsigned long long)clusters->left_out);
    return code;
}

static int run(const char *directory, vt_cluster_options *options, const char *html, bool json)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_clusters *clusters = NULL;
    phases progress = {0};
    options->on_phase = on_phase;
    options->on_progress = on_progress;
    options->context = &progress;
    vt_cli_catch_interrupt();
    vt_status status = vt_shop_open(directory, VT_OPEN_READ, &shop, &error);
    if (status == VT_OK)
        status = vt_shop_cluster(shop, options, &clusters, &error);
    if (progress.running)
        vt_progress_bar_finish(&progress.bar);
    if (status == VT_OK && html != NULL)
        status = vt_cli_write_clusters(shop, clusters, options->where, html, &error);
    int code = 0;
    if (status != VT_OK)
        code = vt_cli_fail("cluster", json, status, &error);
    else if (json)
        code = print_json(clusters, html);
    else
        code = print_text(clusters, options->tree);
    vt_clusters_free(clusters);
    vt_shop_close(shop);
    return code;
}

static bool read_k(const char *text, size_t *k)
{
    enum { MOST = 10000 };
    int64_t value = 0;
    if (text == NULL || strcmp(text, "auto") == 0)
        return true;
    if (!vt_parse_int(text, 1, MOST, &value))
        return false;
    *k = (size_t)value;
    return true;
}

int vt_cli_cluster(int argc, char **argv)
{
    vt_cluster_options cluster = vt_cluster_options_defaults();
    const char *k = NULL, *html = NULL;
    int64_t seed = (int64_t)cluster.seed;
    bool json = false;
    const vt_cli_option options[] = {
        VT_CLI_TEXT_OPTION("k", "N|auto", &k, "groups wanted (auto: by the best silhouette)"),
        VT_CLI_FLAG_OPTION("tree", &cluster.tree, "join groups further, up to a tree of all"),
        {"cut", "SIMILARITY", VT_CLI_NUMBER, &cluster.cut,
         "of a tree: groups whose products are so similar on the average", -1, 1},
        VT_CLI_TEXT_OPTION("linkage", "average|ward", &cluster.linkage,
                           "of a tree (default ward, with --cut average)"),
        VT_CLI_WHERE_OPTION(&cluster.where),
        {"seed", "N", VT_CLI_INT, &seed, "of what is random (default 1)", 0, INT64_MAX / 1024},
        VT_CLI_TEXT_OPTION("html", "FILE", &html, "write a page with pictures"),
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "cluster",
        "SHOP",
        "Groups the products that look alike, by k-means or as a tree, and says of each group "
        "what\n"
        "its products have in common that others have not. docs/clusters.md tells how.",
        "  vitrine cluster my.shop --k 20 --html groups.html\n"
        "  vitrine cluster my.shop --tree --cut 0.7 --where \"category = 'shoes'\"",
        1,
        1,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    cluster.seed = (uint64_t)seed;
    if (!read_k(k, &cluster.k)) {
        vt_error error = {.message = "--k: a whole number from 1 to 10000 or \"auto\" is needed"};
        return vt_cli_fail("cluster", json, VT_ERR_USAGE, &error);
    }
    return run(arguments.items[0], &cluster, html, json);
}
