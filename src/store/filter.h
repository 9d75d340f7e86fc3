/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters: which products may answer, written as people write SQL conditions. docs/filters.md has
 * the grammar and says what is true when.
 *
 *     vt_filter *filter;
 *     vt_filter_parse("category = 'shoes' AND price < 100", &filter, error);
 *     vt_store_select(store, &(vt_select){.filter = filter}, &selection, error);
 *     vt_filter_free(filter);
 *
 *     filter_lex.c         text -> tokens
 *     filter_parse.c       tokens -> steps
 *     filter_like.c        LIKE patterns
 *     filter_match.c       one product, row by row
 *     postings_filter.c    all products at once, over bitmaps; tests hold it to filter_match.c
 *
 * A parsed filter is a list of steps in postfix order: each comparison pushes the products for
 * which it is true, each AND or OR joins the two sets pushed last. NOT is no step: it was moved
 * down to the comparisons (De Morgan's laws hold in three-valued logic), so that only "true" has to
 * be kept track of, never "unknown". Nothing recurses, whatever the nesting.
 *
 * Threads: a filter belongs to one thread at a time (selecting resolves its names).
 */
#ifndef VT_STORE_FILTER_H
#define VT_STORE_FILTER_H

#include "base/mem.h"
#include "base/status.h"

enum {
    VT_FILTER_MAX_BYTES = 1 << 20,
    VT_FILTER_MAX_TERMS = 20000,  /* comparisons */
    VT_FILTER_MAX_VALUES = 65536, /* texts and numbers in it */
    VT_FILTER_MAX_DEPTH = 256     /* parentheses and NOTs open at once */
};

typedef enum vt_filter_kind {
    VT_FILTER_AND,
    VT_FILTER_OR,
    VT_FILTER_ANY_OF,  /* values: = IN CONTAINS, of one or many */
    VT_FILTER_RANGE,   /* values[0] low, values[1] high: < <= > >= BETWEEN */
    VT_FILTER_LIKE,    /* values[0] the pattern */
    VT_FILTER_PRESENT, /* IS NOT NULL */
} vt_filter_kind;

/* A number, a text, or what can be taken for both in an equality: 42 and '42'. */
typedef struct vt_filter_value {
    const char *text; /* as written, without quotes; NULL: an end of a range that is open */
    double number;    /* NAN: the text is no number */
    bool quoted;      /* written as a text: compared as one by < and > */
    bool excluded;    /* end of a range: the value itself is outside */
} vt_filter_value;

typedef struct vt_filter_step {
    vt_filter_kind kind;
    bool negated; /* true where the comparison is false (not where it is unknown) */
    bool quoted;  /* the name stood in double quotes: upper and lower case matter */
    const char *name;
    size_t column;   /* number of the name's column, set when it is resolved */
    size_t position; /* of the name in the text, in characters from 1 */
    vt_filter_value *values;
    size_t value_count;
} vt_filter_step;

typedef struct vt_filter {
    vt_arena arena; /* holds all below */
    vt_filter_step *steps;
    size_t step_count;
    size_t stack_depth; /* most sets at once */
} vt_filter;

/* VT_ERR_USAGE with the position and what was expected there; VT_ERR_LIMIT beyond the limits. */
vt_status vt_filter_parse(const char *text, vt_filter **out, vt_error *error);
void vt_filter_free(vt_filter *filter); /* NULL is fine */

/* Whether it is true for this product. The slow and simple one, which defines what a filter means.
 * Names are compared as they stand: resolve the filter first (vt_store_select does). */
bool vt_filter_matches(const vt_filter *filter, const vt_product *product, bool *stack);

/* The columns that are not attributes; an attribute of the same name is not seen. */
typedef enum vt_builtin {
    VT_BUILTIN_ID,
    VT_BUILTIN_TITLE,
    VT_BUILTIN_CATEGORY,
    VT_BUILTIN_BRAND,
    VT_BUILTIN_CURRENCY,
    VT_BUILTIN_PRICE,  /* a number */
    VT_BUILTIN_CHANGE, /* a number */
    VT_BUILTIN_COUNT
} vt_builtin;
extern const char *const vt_builtin_names[VT_BUILTIN_COUNT];

/* ---- filter_lex.c ---- */
typedef enum vt_token_kind {
    VT_TOKEN_END,
    VT_TOKEN_WORD,   /* a name or a keyword */
    VT_TOKEN_NAME,   /* in double quotes */
    VT_TOKEN_TEXT,   /* in single quotes */
    VT_TOKEN_NUMBER, /* text: as written */
    VT_TOKEN_SYMBOL  /* ( ) , = == != <> < <= > >= */
} vt_token_kind;

typedef struct vt_token {
    vt_token_kind kind;
    size_t offset, length; /* in the source, quotes included */
    const char *text;      /* unquoted, in the arena */
} vt_token;

typedef struct vt_lexer {
    const char *source;
    size_t length, at;
    vt_arena *arena;
} vt_lexer;
vt_status vt_filter_lex(vt_lexer *lexer, vt_token *out, vt_error *error);
/* A place in the source as people count: characters, from 1. */
size_t vt_filter_position(const char *source, size_t offset);

/* ---- filter_like.c: % any text, _ any one character, \ takes the next one as it is ---- */
bool vt_like_matches(const char *pattern, const char *text);
/* Every text that matches begins with this: out (strlen(pattern) + 1); its length. *whole: the
 * pattern is this and one final %. */
size_t vt_like_prefix(const char *pattern, char *out, bool *whole);
bool vt_like_is_valid(const char *pattern); /* it does not end within an escape */

#endif
