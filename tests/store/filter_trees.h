/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random products and random filters, with a judge of their own: the filter is made as a tree, told
 * as text, and judged on the tree in three-valued logic, product by product. Nothing of it is
 * shared with the parser or the evaluators it is held against.
 */
#ifndef VT_TESTS_STORE_FILTER_TREES_H
#define VT_TESTS_STORE_FILTER_TREES_H

#include "fixture.h"

#include "store/filter.h"

enum { TREE_TAGS = 4, TREE_NODES = 64 };

/* A product whose values are few, so that filters hit and miss; NULL and NAN: none. */
typedef struct tree_product {
    char id[16];
    const char *title, *category, *brand, *color;
    double price, size;    /* size: a number, or ... */
    const char *size_text; /* ... a text, or both are missing */
    const char *tags[TREE_TAGS];
    size_t tag_count;
    bool has_tags;
    vt_attribute attributes[4];
    float vector[FIXTURE_DIM];
    vt_picture picture;
    vt_product product;
} tree_product;

static const char *const tree_titles[] = {"red shoe",   "Red Shoe",   "it's a boot", "boot 100%",
                                          "a_b",        "größe 42",   "größer",      "",
                                          "\"quoted\"", "back\\slash"};
static const char *const tree_categories[] = {"shoes", "boots", "bags", "Bags"};
static const char *const tree_brands[] = {"x", "y", "z", "x y"};
static const char *const tree_colors[] = {"red", "blue", "green", "dark-red", "42"};
static const char *const tree_tags[] = {"new", "sale", "summer", "42", "eco"};

#define TREE_PICK(random, array)                                                                   \
    (array)[vt_random_below(random, sizeof(array) / sizeof((array)[0]))]

static inline bool tree_chance(vt_random *random, uint64_t percent)
{
    return vt_random_below(random, 100) < percent;
}

static inline void tree_product_attributes(tree_product *p)
{
    size_t count = 0;
    if (p->color != NULL)
        p->attributes[count++] =
            (vt_attribute){.name = "color", .kind = VT_ATTRIBUTE_TEXT, .text = p->color};
    if (!isnan(p->size))
        p->attributes[count++] =
            (vt_attribute){.name = "size", .kind = VT_ATTRIBUTE_NUMBER, .number = p->size};
    if (p->size_text != NULL)
        p->attributes[count++] =
            (vt_attribute){.name = "size", .kind = VT_ATTRIBUTE_TEXT, .text = p->size_text};
    if (p->has_tags)
        p->attributes[count++] = (vt_attribute){.name = "tags",
                                                .kind = VT_ATTRIBUTE_LIST,
                                                .items = p->tags,
                                                .item_count = p->tag_count};
    p->product.attributes = p->attributes;
    p->product.attribute_count = count;
}

static inline void tree_product_init(tree_product *p, uint32_t number, vt_random *random)
{
    memset(p, 0, sizeof *p);
    snprintf(p->id, sizeof p->id, "p%u", number);
    p->title = tree_chance(random, 90) ? TREE_PICK(random, tree_titles) : NULL;
    p->category = tree_chance(random, 80) ? TREE_PICK(random, tree_categories) : NULL;
    p->brand = tree_chance(random, 70) ? TREE_PICK(random, tree_brands) : NULL;
    p->color = tree_chance(random, 60) ? TREE_PICK(random, tree_colors) : NULL;
    p->price =
        tree_chance(random, 85) ? (double)vt_random_below(random, 41) / 4.0 - 2 : (double)NAN;
    p->size = tree_chance(random, 40) ? (double)vt_random_below(random, 6) + 40 : (double)NAN;
    p->size_text =
        isnan(p->size) && tree_chance(random, 50) ? (tree_chance(random, 50) ? "42" : "M") : NULL;
    p->has_tags = tree_chance(random, 60);
    p->tag_count = p->has_tags ? vt_random_below(random, TREE_TAGS + 1) : 0;
    for (size_t i = 0; i < p->tag_count; i++)
        p->tags[i] = TREE_PICK(random, tree_tags);
    p->vector[number % FIXTURE_DIM] = 1.0f;
    p->picture = (vt_picture){.hash = fixture_hash(number), .vector = p->vector};
    p->product = (vt_product){.id = p->id,
                              .title = p->title,
                              .category = p->category,
                              .brand = p->brand,
                              .price = p->price,
                              .currency = "EUR",
                              .pictures = &p->picture,
                              .picture_count = 1};
    tree_product_attributes(p);
}

/* ---- trees ---- */

typedef enum tree_kind { TREE_AND, TREE_OR, TREE_NOT, TREE_LEAF } tree_kind;
typedef enum tree_test {
    TREE_EQUAL,
    TREE_UNEQUAL,
    TREE_BELOW,
    TREE_AT_MOST,
    TREE_ABOVE,
    TREE_AT_LEAST,
    TREE_BETWEEN,
    TREE_IN,
    TREE_NOT_IN,
    TREE_PREFIX,
    TREE_NULL,
    TREE_NOT_NULL,
    TREE_TESTS
} tree_test;

typedef struct tree_node {
    tree_kind kind;
    int left, right;
    tree_test test;
    int column; /* of tree_columns */
    bool numbers;
    double number[2];
    const char *text[2];
} tree_node;

typedef struct tree {
    tree_node nodes[TREE_NODES];
    int count;
} tree;

static const char *const tree_columns[] = {"title", "category", "brand", "color",
                                           "tags",  "price",    "size"};

static inline int tree_grow(tree *t, vt_random *random, int depth)
{
    int at = t->count++;
    tree_node *node = &t->nodes[at];
    *node = (tree_node){.kind = TREE_LEAF};
    if (depth > 0 && t->count < TREE_NODES - 8 && tree_chance(random, 70)) {
        node->kind = (tree_kind)vt_random_below(random, 3);
        node->left = tree_grow(t, random, depth - 1);
        if (node->kind != TREE_NOT)
            node->right = tree_grow(t, random, depth - 1);
        return at;
    }
    node->test = (tree_test)vt_random_below(random, TREE_TESTS);
    node->column = (int)vt_random_below(random, 7);
    node->numbers = node->column >= 5 ? !tree_chance(random, 15) : tree_chance(random, 10);
    for (int i = 0; i < 2; i++) {
        node->number[i] = node->column == 6 || node->column <= 4
                              ? (double)vt_random_below(random, 7) + 39
                              : (double)vt_random_below(random, 24) / 2 - 2;
        node->text[i] = node->column == 0   ? TREE_PICK(random, tree_titles)
                        : node->column == 1 ? TREE_PICK(random, tree_categories)
                        : node->column == 2 ? TREE_PICK(random, tree_brands)
                        : node->column == 4 ? TREE_PICK(random, tree_tags)
                                            : TREE_PICK(random, tree_colors);
    }
    return at;
}

static inline void tree_tell_value(vt_buf *out, const tree_node *node, int which)
{
    if (node->numbers) {
        vt_buf_printf(out, "%.15g", node->number[which]);
        return;
    }
    vt_buf_append_char(out, '\'');
    for (const char *c = node->text[which]; *c; c++) {
        vt_buf_append_char(out, *c);
        if (*c == '\'')
            vt_buf_append_char(out, '\'');
    }
    vt_buf_append_char(out, '\'');
}

static inline void tree_tell_leaf(vt_buf *out, const tree_node *node)
{
    static const char *const marks[] = {"=", "<>", "<", "<=", ">", ">="};
    vt_buf_printf(out, "%s ", tree_columns[node->column]);
    switch (node->test) {
    case TREE_BETWEEN:
        vt_buf_append_text(out, "between ");
        tree_tell_value(out, node, 0);
        vt_buf_append_text(out, " AND ");
        tree_tell_value(out, node, 1);
        break;
    case TREE_IN:
    case TREE_NOT_IN:
        vt_buf_append_text(out, node->test == TREE_IN ? "IN (" : "not in(");
        tree_tell_value(out, node, 0);
        vt_buf_append_text(out, " , ");
        tree_tell_value(out, node, 1);
        vt_buf_append_text(out, ")");
        break;
    case TREE_PREFIX: /* the first two bytes, without what a pattern takes for itself */
        vt_buf_append_text(out, "LIKE '");
        for (const char *c = node->text[0]; *c && c < node->text[0] + 2 && *c != '\''; c++)
            vt_buf_printf(out, "%s%c", strchr("%_\\", *c) != NULL ? "\\" : "", *c);
        vt_buf_append_text(out, "%'");
        break;
    case TREE_NULL:
        vt_buf_append_text(out, "IS NULL");
        break;
    case TREE_NOT_NULL:
        vt_buf_append_text(out, "is not null");
        break;
    default:
        vt_buf_printf(out, "%s ", marks[node->test]);
        tree_tell_value(out, node, 0);
    }
}

/* Parentheses only where precedence needs them, so that precedence is tested. */
static inline void tree_tell(vt_buf *out, const tree *t, int at, tree_kind above)
{
    const tree_node *node = &t->nodes[at];
    bool inside = (node->kind == TREE_OR && above != TREE_OR && above != TREE_LEAF) ||
                  (node->kind == TREE_AND && above == TREE_NOT);
    if (inside)
        vt_buf_append_text(out, "(");
    if (node->kind == TREE_LEAF) {
        tree_tell_leaf(out, node);
    } else if (node->kind == TREE_NOT) {
        vt_buf_append_text(out, "NOT ");
        tree_tell(out, t, node->left, TREE_NOT);
    } else {
        tree_tell(out, t, node->left, node->kind);
        vt_buf_append_text(out, node->kind == TREE_AND ? " and " : " OR ");
        tree_tell(out, t, node->right, node->kind);
    }
    if (inside)
        vt_buf_append_text(out, ")");
}

/* ---- judging: 1 true, 0 false, -1 unknown ---- */

static inline bool tree_text_is(const tree_node *node, const char *text)
{
    char number[2][32];
    const char *wanted[2];
    for (int i = 0; i < 2; i++) {
        snprintf(number[i], sizeof number[i], "%.15g", node->number[i]);
        wanted[i] = node->numbers ? number[i] : node->text[i];
    }
    int low = strcmp(text, wanted[0]), high = strcmp(text, wanted[1]);
    size_t prefix = strcspn(node->text[0], "'");
    switch (node->test) {
    case TREE_EQUAL:
    case TREE_UNEQUAL:
        return low == 0;
    case TREE_IN:
    case TREE_NOT_IN:
        return low == 0 || high == 0;
    case TREE_BELOW:
        return !node->numbers && low < 0;
    case TREE_AT_MOST:
        return !node->numbers && low <= 0;
    case TREE_ABOVE:
        return !node->numbers && low > 0;
    case TREE_AT_LEAST:
        return !node->numbers && low >= 0;
    case TREE_BETWEEN:
        return !node->numbers && low >= 0 && high <= 0;
    default:
        return strncmp(text, node->text[0], prefix < 2 ? prefix : 2) == 0;
    }
}

static inline bool tree_number_is(const tree_node *node, double number)
{
    double wanted[2];
    for (int i = 0; i < 2; i++) /* of the texts only "42" is a number, too */
        wanted[i] = node->numbers                      ? node->number[i]
                    : strcmp(node->text[i], "42") == 0 ? 42.0
                                                       : (double)NAN;
    switch (node->test) {
    case TREE_EQUAL:
    case TREE_UNEQUAL:
        return number == wanted[0];
    case TREE_IN:
    case TREE_NOT_IN:
        return number == wanted[0] || number == wanted[1];
    case TREE_BELOW:
        return node->numbers && number < wanted[0];
    case TREE_AT_MOST:
        return node->numbers && number <= wanted[0];
    case TREE_ABOVE:
        return node->numbers && number > wanted[0];
    case TREE_AT_LEAST:
        return node->numbers && number >= wanted[0];
    case TREE_BETWEEN:
        return node->numbers && number >= wanted[0] && number <= wanted[1];
    default:
        return false;
    }
}

static inline int tree_judge_leaf(const tree_node *node, const tree_product *p)
{
    const char *one = node->column == 0   ? p->title
                      : node->column == 1 ? p->category
                      : node->column == 2 ? p->brand
                      : node->column == 3 ? p->color
                      : node->column == 6 ? p->size_text
                                          : NULL;
    double number = node->column == 5 ? p->price : node->column == 6 ? p->size : (double)NAN;
    bool any = one != NULL || !isnan(number), is = false;
    if (one != NULL)
        is = tree_text_is(node, one);
    if (!isnan(number))
        is = is || tree_number_is(node, number);
    for (size_t i = 0; node->column == 4 && i < p->tag_count; i++) {
        any = true;
        is = is || tree_text_is(node, p->tags[i]);
    }
    if (node->test == TREE_NULL || node->test == TREE_NOT_NULL)
        return any == (node->test == TREE_NOT_NULL);
    if (!any)
        return -1;
    return is != (node->test == TREE_UNEQUAL || node->test == TREE_NOT_IN);
}

static inline int tree_judge(const tree *t, int at, const tree_product *p)
{
    const tree_node *node = &t->nodes[at];
    if (node->kind == TREE_LEAF)
        return tree_judge_leaf(node, p);
    int left = tree_judge(t, node->left, p);
    if (node->kind == TREE_NOT)
        return left < 0 ? -1 : !left;
    int right = tree_judge(t, node->right, p);
    int decides = node->kind == TREE_OR; /* the value that settles it alone */
    if (left == decides || right == decides)
        return decides;
    return left < 0 || right < 0 ? -1 : !decides;
}

#endif
