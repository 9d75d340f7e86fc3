/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options from tables, over getopt_long: parsing, range checks, and the help text, all from one
 * description, so that help cannot fall behind.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { MAXIMUM_OPTIONS = 24, HELP_COLUMN = 26 };

static void print_usage(FILE *stream, const vt_cli_usage *usage, const vt_cli_option *options,
                        size_t count)
{
    fprintf(stream, "usage: vitrine %s %s%s\n\n%s\n", usage->command, usage->arguments,
            count > 0 ? " [options]" : "", usage->purpose);
    if (count > 0)
        fprintf(stream, "\noptions:\n");
    for (size_t i = 0; i < count; i++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", options[i].name,
                 options[i].value != NULL ? " " : "",
                 options[i].value != NULL ? options[i].value : "");
        fprintf(stream, "  %-*s %s\n", HELP_COLUMN, left, options[i].help);
    }
    if (usage->example != NULL)
        fprintf(stream, "\nexample:\n%s\n", usage->example);
}

static int usage_error(const vt_cli_usage *usage, const char *problem, const char *item)
{
    fprintf(stderr, "vitrine %s: %s%s%s; see 'vitrine %s --help'\n", usage->command, problem,
            item[0] != '\0' ? " " : "", item, usage->command);
    return vt_status_exit_code(VT_ERR_USAGE);
}

static bool store_value(const vt_cli_option *option, const char *text)
{
    if (option->kind == VT_CLI_FLAG) {
        *(bool *)option->target = true;
        return true;
    }
    if (option->kind == VT_CLI_TEXT) {
        *(const char **)option->target = text;
        return true;
    }
    if (option->kind == VT_CLI_LIST) {
        vt_cli_list *list = option->target;
        if (list->count == VT_CLI_LIST_CAPACITY)
            return false;
        list->items[list->count++] = text;
        return true;
    }
    if (option->kind == VT_CLI_INT)
        return vt_parse_int(text, (int64_t)option->low, (int64_t)option->high, option->target);
    double value;
    if (!vt_parse_double(text, strlen(text), &value) || value < option->low || value > option->high)
        return false;
    *(double *)option->target = value;
    return true;
}

static int bad_value(const vt_cli_usage *usage, const vt_cli_option *option, const char *text)
{
    char problem[256];
    if (option->kind == VT_CLI_LIST)
        snprintf(problem, sizeof(problem), "--%s is repeated more than %d times", option->name,
                 VT_CLI_LIST_CAPACITY);
    else
        snprintf(problem, sizeof(problem), "--%s %.64s: a %s from %.15g to %.15g is needed",
                 option->name, text, option->kind == VT_CLI_INT ? "whole number" : "number",
                 option->low, option->high);
    return usage_error(usage, problem, "");
}

static int parse_options(const vt_cli_usage *usage, const vt_cli_option *options, size_t count,
                         int argc, char **argv)
{
    struct option table[MAXIMUM_OPTIONS + 2] = {{"help", no_argument, NULL, 'h'}};
    for (size_t i = 0; i < count && i < MAXIMUM_OPTIONS; i++)
        table[i + 1] = (struct option){
            options[i].name, options[i].value != NULL ? required_argument : no_argument, NULL, 0};
    int index = 0, code;
    opterr = 0;
    optind = 1;
    while ((code = getopt_long(argc, argv, ":h", table, &index)) != -1) {
        if (code == 'h') {
            print_usage(stdout, usage, options, count);
            return 0;
        }
        if (code == ':')
            return usage_error(usage, "a value is missing after", argv[optind - 1]);
        if (code == '?')
            return usage_error(usage, "unknown option", argv[optind - 1]);
        const vt_cli_option *option = &options[index - 1];
        if (!store_value(option, optarg))
            return bad_value(usage, option, optarg);
    }
    return VT_CLI_GO;
}

int vt_cli_parse(const vt_cli_usage *usage, const vt_cli_option *options, size_t option_count,
                 int argc, char **argv, char ***arguments, int *count)
{
    int code = parse_options(usage, options, option_count, argc, argv);
    if (code != VT_CLI_GO)
        return code;
    *arguments = argv + optind;
    *count = argc - optind;
    if (*count < usage->min_arguments)
        return usage_error(usage, "too few arguments, it takes", usage->arguments);
    if (usage->max_arguments >= 0 && *count > usage->max_arguments)
        return usage_error(usage, "unexpected argument", argv[optind + usage->max_arguments]);
    return VT_CLI_GO;
}
