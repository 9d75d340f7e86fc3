/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters to steps. The grammar is in docs/filters.md.
 *
 * Method: precedence by two stacks (Dijkstra's shunting yard, 1961), so that nesting costs no stack
 * of the machine. Whether a comparison stands under an odd number of NOTs is known while it is
 * read: it is then marked negated, and the ANDs and ORs around it change places (De Morgan).
 */
#include "store/filter.h"

#include "base/buf.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    OPERATORS_PER_LEVEL = 3, /* the parenthesis or NOT, an OR, an AND */
    MAX_OPERATORS = OPERATORS_PER_LEVEL * (VT_FILTER_MAX_DEPTH + 1),
    FOUND_BYTES = 40,
    ARENA_BYTES = 256 << 20
};

typedef enum operator_kind { OPEN, OR, AND, NOT } operator_kind; /* by precedence */

typedef struct pending {
    operator_kind kind;
    bool swapped;  /* AND stands for OR and OR for AND */
    size_t offset; /* in the source */
} pending;

typedef struct parser {
    vt_lexer lexer;
    vt_token token; /* the next one */
    vt_filter *filter;
    vt_error *error;
    size_t step_capacity, terms, values;
    pending operators[MAX_OPERATORS];
    size_t operator_count, depth;
    bool negative;         /* an odd number of NOTs is open */
    size_t counted;        /* up to here the source's characters are counted, */
    size_t position;       /* which were so many before it */
    vt_filter_value *list; /* of the comparison being read, owned */
    size_t list_count, list_capacity;
} parser;

/* ---- tokens ---- */

static vt_status next(parser *p)
{
    return vt_filter_lex(&p->lexer, &p->token, p->error);
}

static bool is_keyword(const vt_token *token, const char *keyword)
{
    return token->kind == VT_TOKEN_WORD && vt_text_equal_nocase(token->text, keyword);
}

static bool is_symbol(const vt_token *token, const char *symbol)
{
    return token->kind == VT_TOKEN_SYMBOL && strcmp(token->text, symbol) == 0;
}

static bool is_reserved(const vt_token *token)
{
    static const char *const words[] = {"and",  "or", "not",  "in",      "between",
                                        "like", "is", "null", "contains"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (is_keyword(token, words[i]))
            return true;
    return false;
}

/* "column 7: expected X, found Y". */
static vt_status expected(const parser *p, const char *what)
{
    const vt_token *token = &p->token;
    size_t position = vt_filter_position(p->lexer.source, token->offset);
    if (token->kind == VT_TOKEN_END)
        return vt_fail(p->error, VT_ERR_USAGE, "filter, column %zu: expected %s, found its end",
                       position, what);
    size_t length = token->length;
    const char *found = p->lexer.source + token->offset;
    if (length > FOUND_BYTES)
        for (length = FOUND_BYTES; ((unsigned char)found[length] & 0xC0) == 0x80;)
            length--;
    return vt_fail(p->error, VT_ERR_USAGE, "filter, column %zu: expected %s, found %.*s%s",
                   position, what, (int)length, found, length < token->length ? "..." : "");
}

static vt_status over_limit(const parser *p, size_t offset, const char *what, int limit)
{
    return vt_fail(p->error, VT_ERR_LIMIT, "filter, column %zu: more than %d %s",
                   vt_filter_position(p->lexer.source, offset), limit, what);
}

/* ---- values ---- */

/* '42' is also the number 42, as feeds may have either; '042' and '42.0' are texts alone. */
static double number_of_text(const char *text)
{
    char again[32];
    double value;
    if (!vt_parse_double(text, strlen(text), &value))
        return (double)NAN;
    snprintf(again, sizeof again, "%.15g", value);
    return strcmp(again, text) == 0 ? value : (double)NAN;
}

static vt_status read_value(parser *p, const char *what)
{
    const vt_token *token = &p->token;
    vt_filter_value value = {.text = token->text, .quoted = true, .number = (double)NAN};
    if (token->kind == VT_TOKEN_NUMBER) {
        value.quoted = false;
        vt_parse_double(token->text, strlen(token->text), &value.number);
    } else if (token->kind == VT_TOKEN_TEXT) {
        value.number = number_of_text(token->text);
    } else if (is_keyword(token, "true")) {
        value.text = "true"; /* as feeds store it */
    } else if (is_keyword(token, "false")) {
        value.text = "false";
    } else if (is_keyword(token, "null")) {
        return expected(p, "a value (a missing one is asked for with IS NULL)");
    } else if (token->kind == VT_TOKEN_NAME || token->kind == VT_TOKEN_WORD) {
        return expected(p, "a number or a text in 'single quotes'");
    } else {
        return expected(p, what);
    }
    if (++p->values > VT_FILTER_MAX_VALUES)
        return over_limit(p, token->offset, "values", VT_FILTER_MAX_VALUES);
    if (!vt_grow((void **)&p->list, &p->list_capacity, p->list_count + 1, sizeof *p->list,
                 VT_FILTER_MAX_VALUES))
        return vt_fail_memory(p->error, "a filter");
    p->list[p->list_count++] = value;
    return next(p);
}

static vt_status read_list(parser *p)
{
    if (!is_symbol(&p->token, "("))
        return expected(p, "( and a list of values after IN");
    vt_status status;
    do {
        status = next(p);
        if (status == VT_OK)
            status = read_value(p, "a value");
    } while (status == VT_OK && is_symbol(&p->token, ","));
    if (status == VT_OK && !is_symbol(&p->token, ")"))
        status = expected(p, "a comma or ) after a value of a list");
    return status == VT_OK ? next(p) : status;
}

/* ---- comparisons: the token is what follows the name ---- */

static vt_status read_between(parser *p, vt_filter_step *step)
{
    step->kind = VT_FILTER_RANGE;
    vt_status status = read_value(p, "a value after BETWEEN");
    if (status == VT_OK && !is_keyword(&p->token, "and"))
        status = expected(p, "AND and the upper end of BETWEEN");
    if (status == VT_OK)
        status = next(p);
    vt_token upper = p->token;
    if (status == VT_OK)
        status = read_value(p, "the upper end of BETWEEN");
    if (status == VT_OK && p->list[0].quoted != p->list[1].quoted) {
        p->token = upper;
        return expected(p, p->list[0].quoted ? "a text, as the lower end is one"
                                             : "a number, as the lower end is one");
    }
    return status;
}

static vt_status read_range(parser *p, vt_filter_step *step, bool less, bool strict)
{
    step->kind = VT_FILTER_RANGE;
    vt_status status = read_value(p, "a value to compare with");
    if (status != VT_OK)
        return status;
    if (!vt_grow((void **)&p->list, &p->list_capacity, 2, sizeof *p->list, VT_FILTER_MAX_VALUES))
        return vt_fail_memory(p->error, "a filter");
    vt_filter_value end = p->list[0];
    end.excluded = strict;
    p->list[less] = end;
    p->list[!less] = (vt_filter_value){.text = NULL};
    p->list_count = 2;
    return VT_OK;
}

static vt_status read_like(parser *p, vt_filter_step *step)
{
    step->kind = VT_FILTER_LIKE;
    if (p->token.kind != VT_TOKEN_TEXT)
        return expected(p, "a pattern in 'single quotes' after LIKE");
    if (!vt_like_is_valid(p->token.text))
        return expected(p, "a pattern that does not end with a lone backslash");
    return read_value(p, "a pattern");
}

/* After an optional NOT: the comparisons that are words. */
static vt_status read_worded(parser *p, vt_filter_step *step)
{
    const vt_token token = p->token;
    bool in = is_keyword(&token, "in"), between = is_keyword(&token, "between");
    bool like = is_keyword(&token, "like"), contains = is_keyword(&token, "contains");
    if (!in && !between && !like && !contains)
        return expected(p, "IN, BETWEEN, LIKE or CONTAINS after NOT");
    vt_status status = next(p);
    if (status != VT_OK)
        return status;
    step->kind = VT_FILTER_ANY_OF;
    if (in)
        return read_list(p);
    if (between)
        return read_between(p, step);
    return like ? read_like(p, step) : read_value(p, "a value after CONTAINS");
}

static vt_status read_is(parser *p, vt_filter_step *step)
{
    step->kind = VT_FILTER_PRESENT;
    vt_status status = next(p);
    bool not_null = status == VT_OK && is_keyword(&p->token, "not");
    if (not_null)
        status = next(p);
    if (!not_null)
        step->negated = !step->negated;
    if (status == VT_OK && !is_keyword(&p->token, "null"))
        status = expected(p, not_null ? "NULL after IS NOT" : "NULL or NOT NULL after IS");
    return status == VT_OK ? next(p) : status;
}

static vt_status read_symbol(parser *p, vt_filter_step *step)
{
    const char *symbol = p->token.text;
    vt_status status = next(p);
    if (status != VT_OK)
        return status;
    if (symbol[0] == '<' && symbol[1] != '>')
        return read_range(p, step, true, symbol[1] == '\0');
    if (symbol[0] == '>')
        return read_range(p, step, false, symbol[1] == '\0');
    step->kind = VT_FILTER_ANY_OF;
    if (symbol[0] != '=')
        step->negated = !step->negated;
    return read_value(p, "a value to compare with");
}

static vt_status read_comparison(parser *p, vt_filter_step *step)
{
    if (p->token.kind == VT_TOKEN_SYMBOL && strchr("(),", p->token.text[0]) == NULL)
        return read_symbol(p, step);
    if (is_keyword(&p->token, "is"))
        return read_is(p, step);
    if (is_keyword(&p->token, "not")) {
        step->negated = !step->negated;
        vt_status status = next(p);
        return status == VT_OK ? read_worded(p, step) : status;
    }
    if (is_reserved(&p->token) && !is_keyword(&p->token, "and") && !is_keyword(&p->token, "or") &&
        !is_keyword(&p->token, "null"))
        return read_worded(p, step);
    return expected(p, "a comparison (= != < <= > >= IN BETWEEN LIKE CONTAINS IS) after the name");
}

/* ---- steps ---- */

/* The next token's place, for messages that come later. Tokens come in order, so that each byte is
 * looked at once however many comparisons there are. */
static size_t token_position(parser *p)
{
    p->position +=
        vt_filter_position(p->lexer.source + p->counted, p->token.offset - p->counted) - 1;
    p->counted = p->token.offset;
    return p->position + 1;
}

static vt_status add_step(parser *p, const vt_filter_step *step)
{
    vt_filter *filter = p->filter;
    /* Steps grow outside the arena and move into it at the end. */
    if (!vt_grow((void **)&filter->steps, &p->step_capacity, filter->step_count + 1,
                 sizeof *filter->steps, 2 * VT_FILTER_MAX_TERMS))
        return vt_fail_memory(p->error, "a filter");
    filter->steps[filter->step_count++] = *step;
    return VT_OK;
}

static vt_status add_comparison(parser *p)
{
    vt_filter_step step = {.name = p->token.text,
                           .quoted = p->token.kind == VT_TOKEN_NAME,
                           .negated = p->negative,
                           .position = token_position(p)};
    if (++p->terms > VT_FILTER_MAX_TERMS)
        return over_limit(p, p->token.offset, "comparisons", VT_FILTER_MAX_TERMS);
    p->list_count = 0;
    vt_status status = next(p);
    if (status == VT_OK)
        status = read_comparison(p, &step);
    if (status != VT_OK)
        return status;
    step.value_count = p->list_count;
    step.values = vt_arena_array(&p->filter->arena, p->list_count, sizeof *step.values);
    if (step.values == NULL)
        return vt_fail_memory(p->error, "a filter");
    if (p->list_count > 0)
        memcpy(step.values, p->list, p->list_count * sizeof *step.values);
    return add_step(p, &step);
}

/* ---- operators ---- */

static vt_status push(parser *p, operator_kind kind)
{
    if (kind == OPEN || kind == NOT) {
        if (++p->depth > VT_FILTER_MAX_DEPTH)
            return over_limit(p, p->token.offset, "parentheses and NOTs inside each other",
                              VT_FILTER_MAX_DEPTH);
    }
    p->operators[p->operator_count++] =
        (pending){.kind = kind, .swapped = p->negative, .offset = p->token.offset};
    p->negative ^= kind == NOT;
    return next(p);
}

/* Pops the operators that bind at least as tightly. */
static vt_status pop_down_to(parser *p, operator_kind kind)
{
    vt_status status = VT_OK;
    while (status == VT_OK && p->operator_count > 0 &&
           p->operators[p->operator_count - 1].kind >= kind) {
        pending top = p->operators[--p->operator_count];
        if (top.kind == NOT) {
            p->negative = !p->negative;
            p->depth--;
            continue;
        }
        vt_filter_step step = {.kind =
                                   (top.kind == AND) != top.swapped ? VT_FILTER_AND : VT_FILTER_OR};
        status = add_step(p, &step);
    }
    return status;
}

static vt_status close_parenthesis(parser *p)
{
    vt_status status = pop_down_to(p, OR);
    if (status == VT_OK && p->operator_count == 0)
        status = expected(p, "AND, OR or the end (no parenthesis is open)");
    if (status != VT_OK)
        return status;
    p->operator_count--;
    p->depth--;
    status = next(p);
    return status == VT_OK ? pop_down_to(p, NOT) : status;
}

static vt_status read_operand(parser *p, bool *complete)
{
    *complete = false;
    if (is_keyword(&p->token, "not"))
        return push(p, NOT);
    if (is_symbol(&p->token, "("))
        return push(p, OPEN);
    if (p->token.kind == VT_TOKEN_TEXT)
        return expected(p, "the name of an attribute (in \"double quotes\" where it needs any)");
    if ((p->token.kind != VT_TOKEN_WORD || is_reserved(&p->token)) &&
        p->token.kind != VT_TOKEN_NAME)
        return expected(p, "the name of an attribute, NOT or (");
    *complete = true;
    vt_status status = add_comparison(p);
    return status == VT_OK ? pop_down_to(p, NOT) : status;
}

static vt_status read_filter(parser *p)
{
    bool complete = false; /* an operand was read whole: now AND, OR, ) or the end */
    vt_status status = next(p);
    while (status == VT_OK && !(complete && p->token.kind == VT_TOKEN_END)) {
        bool and_word = is_keyword(&p->token, "and");
        if (!complete) {
            status = read_operand(p, &complete);
        } else if (and_word || is_keyword(&p->token, "or")) {
            status = pop_down_to(p, and_word ? AND : OR);
            if (status == VT_OK)
                status = push(p, and_word ? AND : OR);
            complete = false;
        } else if (is_symbol(&p->token, ")")) {
            status = close_parenthesis(p);
        } else {
            status = expected(p, "AND, OR or the end");
        }
    }
    if (status == VT_OK)
        status = pop_down_to(p, OR);
    if (status == VT_OK && p->operator_count > 0)
        return vt_fail(
            p->error, VT_ERR_USAGE,
            "filter, column %zu: the parenthesis that opens here is not closed",
            vt_filter_position(p->lexer.source, p->operators[p->operator_count - 1].offset));
    return status;
}

/* ---- the whole ---- */

static vt_status settle(vt_filter *filter, vt_error *error)
{
    size_t bytes = filter->step_count * sizeof *filter->steps;
    vt_filter_step *steps = vt_arena_alloc(&filter->arena, bytes);
    if (steps != NULL)
        memcpy(steps, filter->steps, bytes);
    vt_free(filter->steps);
    if (steps == NULL)
        return vt_fail_memory(error, "a filter");
    filter->steps = steps;
    size_t depth = 0;
    for (size_t i = 0; i < filter->step_count; i++) {
        depth = steps[i].kind <= VT_FILTER_OR ? depth - 1 : depth + 1;
        filter->stack_depth = depth > filter->stack_depth ? depth : filter->stack_depth;
    }
    return VT_OK;
}

vt_status vt_filter_parse(const char *text, vt_filter **out, vt_error *error)
{
    size_t length = strnlen(text, VT_FILTER_MAX_BYTES + 1);
    if (length > VT_FILTER_MAX_BYTES)
        return vt_fail(error, VT_ERR_LIMIT, "filter: it has more than %d bytes",
                       VT_FILTER_MAX_BYTES);
    if (!vt_utf8_valid(text, length))
        return vt_fail(error, VT_ERR_USAGE, "filter: it is not UTF-8");
    vt_filter *filter = vt_calloc(1, sizeof *filter);
    parser *p = vt_calloc(1, sizeof *p);
    vt_status status = filter == NULL || p == NULL ? vt_fail_memory(error, "a filter") : VT_OK;
    if (status == VT_OK) {
        vt_arena_init(&filter->arena, ARENA_BYTES);
        p->lexer = (vt_lexer){.source = text, .length = length, .arena = &filter->arena};
        p->filter = filter;
        p->error = error;
        status = read_filter(p);
        vt_free(p->list);
        if (status == VT_OK)
            status = settle(filter, error);
        else
            vt_free(filter->steps);
    }
    vt_free(p);
    if (status != VT_OK) {
        if (filter != NULL)
            vt_arena_deinit(&filter->arena);
        vt_free(filter);
        return status;
    }
    *out = filter;
    return VT_OK;
}

void vt_filter_free(vt_filter *filter)
{
    if (filter == NULL)
        return;
    vt_arena_deinit(&filter->arena);
    vt_free(filter);
}
