/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vitrine model info: the file, its graph as it is written and as it is run, the work of its
 * layers, the memory it takes. Lines stay within 100 columns.
 */
#include "cli/cli.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    NAME_WIDTH = 28,
    CONTRACT_WIDTH = 64,
    LAYERS_SHOWN = 12,
    GROUPS_SHOWN = 24,
    GROUPS_KEPT = 1024
};

/* ---- the file ---- */

static void print_values(const char *title, const vt_onnx_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("%-11s ", i == 0 ? title : "");
        vt_cli_print(stdout, values[i].name);
        printf("  %s %s\n", values[i].shape, values[i].type);
    }
}

static void print_line(const char *title, const char *text, const char *more)
{
    printf("%-11s ", title);
    vt_cli_print(stdout, text);
    printf("%s\n", more);
}

static void print_head(const vt_onnx_head *head)
{
    bool named = head->name[0] != '\0';
    printf("%-11s ", named ? "head" : "classes");
    vt_cli_print_cut(stdout, head->name, NAME_WIDTH);
    printf("%s%zu labels%s", named ? "  " : "", head->label_count,
           head->several ? ", several a picture" : "");
    if (head->output == NULL) {
        printf(", for the embedding alone\n");
        return;
    }
    printf(" in ");
    vt_cli_print_cut(stdout, head->output, NAME_WIDTH);
    putchar('\n');
}

/* Its JSON, on lines that end behind a comma. */
static void print_contract(const char *contract)
{
    size_t column = 0, length;
    printf("%-11s ", "contract");
    for (; *contract != '\0'; contract += length) {
        length = strcspn(contract, ",");
        length += contract[length] == ',';
        if (column > 0 && column + length > CONTRACT_WIDTH) {
            printf("\n%-11s ", "");
            column = 0;
        }
        char *member = vt_strndup(contract, length);
        vt_cli_print(stdout, member);
        vt_free(member);
        column += length;
    }
}

static void print_file(const vt_onnx_info *info)
{
    print_line("graph", vt_cli_or(info->graph, "(no name)"), "");
    print_line("made by", vt_cli_or(info->producer, "(unknown)"), "");
    printf("format      ONNX IR %lld, opset %lld\n"
           "parameters  %.2f M in %.1f MB\nwork        %.3f G multiply-adds per run of ",
           (long long)info->ir_version, (long long)info->opset, (double)info->parameters / 1e6,
           (double)info->parameter_bytes / 1e6, (double)info->macs / 1e9);
    for (size_t i = 0; i < info->input_count; i++)
        printf("%s%s", i == 0 ? "" : ", ", info->run_inputs[i].shape);
    putchar('\n');
    print_values("input", info->inputs, info->input_count);
    print_values("output", info->outputs, info->output_count);
    print_line("features", vt_cli_or(info->feature_output, "(the first output)"), "");
    for (size_t h = 0; h < info->head_count; h++)
        print_head(&info->heads[h]);
    print_contract(vt_cli_or(info->contract, "none: name a preset to use it"));
    printf("%s\n", info->has_golden ? ", with a golden picture" : "");
}

/* ---- what a graph is made of: equal lines counted ---- */

typedef struct group {
    const char *op_type, *posts, *compute, *executor;
    size_t count, first; /* first: of its members, for a stable order */
} group;

static bool same_group(const group *a, const group *b)
{
    return strcmp(a->op_type, b->op_type) == 0 && strcmp(a->posts, b->posts) == 0 &&
           strcmp(a->compute, b->compute) == 0 && strcmp(a->executor, b->executor) == 0;
}

/* Beyond GROUPS_KEPT kinds nothing is added; *count stays at what is there. */
static void add_to_group(group *groups, size_t *count, const group *member)
{
    for (size_t i = 0; i < *count; i++)
        if (same_group(&groups[i], member)) {
            groups[i].count++;
            return;
        }
    if (*count < GROUPS_KEPT)
        groups[(*count)++] = *member;
}

static int more_first(const void *a, const void *b)
{
    const group *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->first < y->first ? -1 : 1;
}

static void print_group(const group *one)
{
    printf("%7zu  ", one->count);
    if (one->executor[0] == '\0') {
        vt_cli_print_cut(stdout, one->op_type, 80);
    } else {
        vt_cli_print_column(stdout, one->op_type, 22);
        printf("  ");
        vt_cli_print_column(stdout, one->compute, 5);
        printf("  ");
        if (one->posts[0] == '\0') {
            vt_cli_print_cut(stdout, one->executor, 32);
        } else {
            vt_cli_print_column(stdout, one->executor, 32);
            printf("  with ");
            vt_cli_print_cut(stdout, one->posts, 20);
        }
    }
    putchar('\n');
}

static void print_groups(group *groups, size_t count)
{
    qsort(groups, count, sizeof(*groups), more_first);
    for (size_t i = 0; i < count && i < GROUPS_SHOWN; i++)
        print_group(&groups[i]);
    if (count > GROUPS_SHOWN)
        printf("         and %zu more kinds (--nodes lists all)\n", count - GROUPS_SHOWN);
}

static void print_before(const vt_onnx_info *info, group *groups)
{
    size_t count = 0;
    for (size_t i = 0; i < info->node_count; i++)
        add_to_group(groups, &count,
                     &(group){.op_type = info->nodes[i].op_type,
                              .posts = "",
                              .compute = "",
                              .executor = "",
                              .count = 1,
                              .first = i});
    printf("\nin the file: %zu nodes\n", info->node_count);
    print_groups(groups, count);
}

static void print_after(const vt_onnx_info *info, group *groups)
{
    size_t count = 0;
    for (size_t i = 0; i < info->step_count; i++)
        add_to_group(groups, &count,
                     &(group){.op_type = info->steps[i].op_type,
                              .posts = info->steps[i].posts,
                              .compute = info->steps[i].compute,
                              .executor = info->steps[i].executor,
                              .count = 1,
                              .first = i});
    printf("\nas it is run, in %s: %zu steps, %zu layout conversions\n", info->precision,
           info->step_count, info->reorders);
    print_groups(groups, count);
}

/* ---- layers ---- */

static double share(uint64_t macs, uint64_t total)
{
    return total > 0 ? 100.0 * (double)macs / (double)total : 0.0;
}

static void print_node_head(void)
{
    printf("%-20s %-20s %11s %7s  %s\n", "operator", "shape", "Mmacs", "share", "output");
}

static void print_node(const vt_onnx_node *node, uint64_t total)
{
    vt_cli_print_column(stdout, node->op_type, 20);
    putchar(' ');
    vt_cli_print_column(stdout, node->shape, 20);
    printf(" %11.3f %6.2f%%  ", (double)node->macs / 1e6, share(node->macs, total));
    vt_cli_print_cut(stdout, node->output, 37);
    putchar('\n');
}

static int more_work_first(const void *a, const void *b)
{
    const vt_onnx_node *x = *(const vt_onnx_node *const *)a, *y = *(const vt_onnx_node *const *)b;
    if (x->macs != y->macs)
        return x->macs > y->macs ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* The layers that most of the work is in. */
static void print_layers(const vt_onnx_info *info)
{
    size_t count = 0;
    const vt_onnx_node **layers = vt_calloc(info->node_count, sizeof(*layers));
    for (size_t i = 0; layers != NULL && i < info->node_count; i++)
        if (info->nodes[i].macs > 0)
            layers[count++] = &info->nodes[i];
    if (count > 0) {
        qsort(layers, count, sizeof(*layers), more_work_first);
        printf("\nwhere the work is, %zu of %zu layers\n",
               count < LAYERS_SHOWN ? count : (size_t)LAYERS_SHOWN, count);
        print_node_head();
    }
    for (size_t i = 0; i < count && i < LAYERS_SHOWN; i++)
        print_node(layers[i], info->macs);
    vt_free(layers);
}

static void print_all_nodes(const vt_onnx_info *info)
{
    printf("\nin the file: %zu nodes\n", info->node_count);
    print_node_head();
    for (size_t i = 0; i < info->node_count; i++)
        print_node(&info->nodes[i], info->macs);
}

static void print_all_steps(const vt_onnx_info *info)
{
    printf("\nas it is run, in %s: %zu steps, %zu layout conversions\n"
           "%-18s %-18s %-5s %10s %-16s %s\n",
           info->precision, info->step_count, info->reorders, "operator", "shape", "in", "Mmacs",
           "with", "executor");
    for (size_t i = 0; i < info->step_count; i++) {
        const vt_onnx_step *step = &info->steps[i];
        vt_cli_print_column(stdout, step->op_type, 18);
        putchar(' ');
        vt_cli_print_column(stdout, step->shape, 18);
        putchar(' ');
        vt_cli_print_column(stdout, step->compute, 5);
        printf(" %10.3f ", (double)step->macs / 1e6);
        vt_cli_print_column(stdout, step->posts, 16);
        putchar(' ');
        vt_cli_print_cut(stdout, step->executor, 28);
        putchar('\n');
    }
}

/* ---- what it takes ---- */

static void print_memory(const vt_onnx_info *info)
{
    const vt_onnx_memory *memory = &info->memory;
    printf("\nmemory      %.1f MB at the most, about:\n"
           "%9.1f MB  parameters, as stored\n"
           "%9.1f MB  parameters, in the forms the executor wants\n"
           "%9.1f MB  intermediate values (%.1f MB without reuse)\n",
           (double)memory->peak_bytes / 1e6, (double)memory->parameter_bytes / 1e6,
           (double)memory->prepared_bytes / 1e6, (double)memory->activation_bytes / 1e6,
           (double)memory->unshared_bytes / 1e6);
}

static void print_text(const vt_onnx_info *info, bool nodes)
{
    group *groups = vt_calloc(GROUPS_KEPT, sizeof(*groups));
    print_file(info);
    if (nodes)
        print_all_nodes(info);
    else if (groups != NULL)
        print_before(info, groups);
    if (info->plan_failure != NULL) {
        print_line("\nnot run", info->plan_failure, "");
    } else if (nodes) {
        print_all_steps(info);
    } else if (groups != NULL) {
        print_after(info, groups);
    }
    if (info->precision_refused[0] != '\0')
        print_line("\nrefused", info->precision_refused, "");
    if (!nodes)
        print_layers(info);
    if (info->plan_failure == NULL)
        print_memory(info);
    vt_free(groups);
}

int vt_cli_model_info(int argc, char **argv)
{
    bool json = false, nodes = false;
    vt_cli_list shapes = {0};
    vt_onnx_info_options how = {0};
    const vt_cli_option options[] = {
        VT_CLI_LIST_OPTION("input", "1x3x224x224", &shapes,
                           "shape of an input; once per input, in order"),
        VT_CLI_PRECISION_OPTION(&how.precision),
        VT_CLI_FLAG_OPTION("nodes", &nodes, "list every node and every step that is run"),
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document (with all of them)"),
    };
    const vt_cli_usage usage = {
        "model info",
        "FILE",
        "Says what an ONNX file is made of: inputs, outputs, parameters, work by layer; its graph "
        "as\n"
        "it is in the file and as it is run (what was folded, which executor computes what); an\n"
        "estimate of memory; and what would serve as the embedding. Free sizes are taken as 1, "
        "those\n"
        "of a picture as 224, unless --input says otherwise. Without a pixel contract in the file\n"
        "'auto' shows f32.",
        "  vitrine model info resnet50.onnx --nodes --precision bf16",
        1,
        1,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_error error = {0};
    vt_onnx_info *info = NULL;
    how.input_shapes = shapes.items;
    how.input_shape_count = shapes.count;
    vt_status status = vt_onnx_info_of(arguments.items[0], &how, &info, &error);
    if (status != VT_OK)
        return vt_cli_fail("model info", json, status, &error);
    code = 0;
    if (json)
        code = vt_cli_print_model_json(info);
    else
        print_text(info, nodes);
    vt_onnx_info_free(info);
    return code;
}
