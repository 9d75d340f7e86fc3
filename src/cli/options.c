/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options from tables, over getopt_long: parsing, range checks, and the help text, all from one
 * description, so that help cannot fall behind.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <string.h>

enum { MAXIMUM_OPTIONS = 48, HELP_COLUMN = 30 };

static void print_usage(FILE *stream, const vt_cli_usage *usage)
{
    fprintf(stream, "usage: vitrine %s %s [options]\n\n%s\n\noptions:\n", usage->command,
            usage->arguments, usage->purpose);
    for (size_t i = 0; i < usage->option_count; i++) {
        const vt_cli_option *option = &usage->options[i];
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", option->name, option->value != NULL ? " " : "",
                 vt_cli_or(option->value, ""));
        fprintf(stream, "  %-*s %s\n", HELP_COLUMN, left, option->help);
    }
    fprintf(stream, "  %-*s %s\n", HELP_COLUMN, "--help", "this text");
    if (usage->example != NULL)
        fprintf(stream, "\nexample:\n%s\n", usage->example);
}

/* Asked before anything is parsed, so that every mistake is answered in the form asked for. */
static bool wants_json(const vt_cli_usage *usage, int argc, char **argv)
{
    bool offered = false;
    for (size_t i = 0; i < usage->option_count; i++)
        offered = offered || strcmp(usage->options[i].name, "json") == 0;
    for (int i = 1; offered && i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
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

static void bad_value(const vt_cli_option *option, const char *text, char *out, size_t capacity)
{
    if (option->kind == VT_CLI_LIST)
        snprintf(out, capacity, "--%s is repeated more than %d times", option->name,
                 VT_CLI_LIST_CAPACITY);
    else
        snprintf(out, capacity, "--%s \"%.64s\": a %s from %.15g to %.15g is needed", option->name,
                 text, option->kind == VT_CLI_INT ? "whole number" : "number", option->low,
                 option->high);
}

/* What getopt_long stumbled over: '?' with optopt set is a short option (there are none but -h),
 * without it a long one that is unknown, ambiguous or has a value it does not take. */
static void bad_option(int code, char **argv, char *out, size_t capacity)
{
    if (code == ':')
        snprintf(out, capacity, "a value is missing after %.64s", argv[optind - 1]);
    else if (optopt != 0)
        snprintf(out, capacity, "unknown option -%c", optopt);
    else
        snprintf(out, capacity, "unknown option %.64s", argv[optind - 1]);
}

/* False with the reason in `problem`; *help: it was asked for. */
static bool parse_options(const vt_cli_usage *usage, int argc, char **argv, bool *help,
                          vt_error *problem)
{
    struct option table[MAXIMUM_OPTIONS + 2] = {{"help", no_argument, NULL, 'h'}};
    for (size_t i = 0; i < usage->option_count && i < MAXIMUM_OPTIONS; i++)
        table[i + 1] = (struct option){
            usage->options[i].name,
            usage->options[i].value != NULL ? required_argument : no_argument, NULL, 0};
    int index = 0, code;
    opterr = 0;
    optind = 1;
    while (!*help && (code = getopt_long(argc, argv, ":h", table, &index)) != -1) {
        if (code == ':' || code == '?') {
            bad_option(code, argv, problem->message, sizeof(problem->message));
            return false;
        }
        *help = code == 'h';
        if (!*help && !store_value(&usage->options[index - 1], optarg)) {
            bad_value(&usage->options[index - 1], optarg, problem->message,
                      sizeof(problem->message));
            return false;
        }
    }
    return true;
}

static bool check_count(const vt_cli_usage *usage, const vt_cli_arguments *given, vt_error *problem)
{
    if (given->count < usage->min_arguments)
        snprintf(problem->message, sizeof(problem->message), "too few arguments, it takes %s",
                 usage->arguments);
    else if (usage->max_arguments >= 0 && given->count > usage->max_arguments)
        snprintf(problem->message, sizeof(problem->message),
                 "unexpected argument \"%.64s\", it takes %s%s", given->items[usage->max_arguments],
                 usage->arguments, strstr(usage->arguments, "...") != NULL ? " (not so many)" : "");
    else
        return true;
    return false;
}

int vt_cli_parse(const vt_cli_usage *usage, int argc, char **argv, vt_cli_arguments *out)
{
    bool json = wants_json(usage, argc, argv), help = false;
    vt_error problem = {VT_ERR_USAGE, ""};
    bool good = parse_options(usage, argc, argv, &help, &problem);
    if (good && help) {
        print_usage(stdout, usage);
        return 0;
    }
    vt_cli_arguments given = {argv + optind, argc - optind};
    if (good && check_count(usage, &given, &problem)) {
        *out = given;
        return VT_CLI_GO;
    }
    size_t length = strlen(problem.message);
    snprintf(problem.message + length, sizeof(problem.message) - length,
             "; see 'vitrine %s --help'", usage->command);
    return vt_cli_fail(usage->command, json, VT_ERR_USAGE, &problem);
}
