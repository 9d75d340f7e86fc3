/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a group of products is about.
 *
 * Method: each product says a set of words: its brand, its category with every level above it
 * ("Shoes > Boots" says "Shoes" too), texts and lists of its attributes, and the words of its
 * title. A word is telling of a group as far as its odds there exceed its odds in the rest of the
 * shop: the log odds ratio over its standard error (Woolf 1955), with half a product added to each
 * count (Haldane 1956, Anscombe 1956), so that a word that few products say proves little. The
 * informative priors of Monroe, Colaresi and Quinn (2008) were tried: they put a broad category
 * ("Shoes") before the narrow one that all of the group are in and no others ("Shoes > Boots").
 *
 * Departures: that measure is multiplied by the share of the group that has the word, since a label
 * should be true of most of what it stands on, and by a half for words of titles, which make poor
 * names; and of words that repeat each other ("apple", "Fruit > Apple") the label takes one.
 */
#include "search/cluster.h"

#include "base/hash.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_WORDS = 1 << 22,     /* different ones */
    MAX_PRODUCT_WORDS = 256, /* of one product */
    MAX_WORD_BYTES = 120,    /* longer values are descriptions, not names */
    LEAST_TITLE_BYTES = 3,
    FIRST_SLOTS = 1024,
    LABEL_TERMS = 3
};

static const size_t max_product_words_in_all = (size_t)1 << 31;
static const double least_score = 1, least_share = 0.34, title_weight = 0.5;

void vt_vocabulary_deinit(vt_vocabulary *vocabulary)
{
    vt_free(vocabulary->words);
    vt_free(vocabulary->slots);
}

static uint64_t hash_of(const char *name, const char *value, size_t length)
{
    return vt_table_hash(value, length) * 31 + vt_table_hash(name, strlen(name));
}

static bool is_word(const vt_cluster_word *word, const char *name, const char *value, size_t length)
{
    return strncmp(word->value, value, length) == 0 && word->value[length] == '\0' &&
           strcmp(word->name, name) == 0;
}

/* The slot of this word, or the free one where it belongs. */
static size_t slot_of(const vt_vocabulary *v, const char *name, const char *value, size_t length)
{
    size_t slot = hash_of(name, value, length) & (v->slot_count - 1);
    while (v->slots[slot] != 0 && !is_word(&v->words[v->slots[slot] - 1], name, value, length))
        slot = (slot + 1) & (v->slot_count - 1);
    return slot;
}

static bool double_slots(vt_vocabulary *v)
{
    size_t wanted = v->slot_count == 0 ? FIRST_SLOTS : 2 * v->slot_count;
    uint32_t *slots = vt_calloc(wanted, sizeof *slots), *old = v->slots;
    if (slots == NULL)
        return false;
    v->slots = slots;
    v->slot_count = wanted;
    for (size_t i = 0; i < v->count; i++) {
        const vt_cluster_word *word = &v->words[i];
        v->slots[slot_of(v, word->name, word->value, strlen(word->value))] = (uint32_t)i + 1;
    }
    vt_free(old);
    return true;
}

/* Number of the word + 1; 0: there is no room for it, or (*failed) no memory. */
static uint32_t find_or_add(vt_cluster_products *products, const char *name, const char *value,
                            size_t length, bool *failed)
{
    vt_vocabulary *v = &products->vocabulary;
    if (2 * v->count >= v->slot_count && v->count < MAX_WORDS && !double_slots(v)) {
        *failed = true;
        return 0;
    }
    size_t slot = slot_of(v, name, value, length);
    if (v->slots[slot] != 0 || v->count == MAX_WORDS)
        return v->slots[slot];
    vt_cluster_word word = {.value = vt_arena_strndup(&products->arena, value, length)};
    /* Names repeat: the words of one name share the text of the one before where they can. */
    word.name = v->count > 0 && strcmp(v->words[v->count - 1].name, name) == 0
                    ? v->words[v->count - 1].name
                    : vt_arena_strdup(&products->arena, name);
    if (word.value == NULL || word.name == NULL ||
        !vt_grow((void **)&v->words, &v->capacity, v->count + 1, sizeof *v->words, MAX_WORDS)) {
        *failed = true;
        return 0;
    }
    v->words[v->count++] = word;
    v->slots[slot] = (uint32_t)v->count;
    return (uint32_t)v->count;
}

/* ---- what one product says ---- */

typedef struct saying {
    vt_cluster_products *products;
    uint32_t words[MAX_PRODUCT_WORDS];
    size_t count;
    bool failed;
} saying;

static void say(saying *s, const char *name, const char *value, size_t length)
{
    length = vt_text_trim(&value, length);
    if (length == 0 || length > MAX_WORD_BYTES || s->count == MAX_PRODUCT_WORDS || s->failed)
        return;
    uint32_t word = find_or_add(s->products, name, value, length, &s->failed);
    if (word != 0)
        s->words[s->count++] = word - 1;
}

/* "Shoes > Boots" and "Shoes". */
static void say_category(saying *s, const char *path)
{
    if (path == NULL)
        return;
    say(s, "category", path, strlen(path));
    for (size_t i = strlen(path); i > 0; i--)
        if (path[i - 1] == '>')
            say(s, "category", path, i - 1);
}

static bool is_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
}

static void say_title(saying *s, const char *title)
{
    char word[MAX_WORD_BYTES + 1];
    size_t length = 0;
    for (const char *c = title; title != NULL; c++) {
        if (is_letter((unsigned char)*c)) {
            if (length < sizeof word)
                word[length++] = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
            continue;
        }
        if (length >= LEAST_TITLE_BYTES && length <= MAX_WORD_BYTES)
            say(s, "title", word, length);
        length = 0;
        if (*c == '\0')
            return;
    }
}

static int compare_words(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

vt_status vt_cluster_words_add(vt_cluster_products *products, const vt_product *product,
                               vt_error *error)
{
    saying s = {.products = products};
    say_category(&s, product->category);
    if (product->brand != NULL)
        say(&s, "brand", product->brand, strlen(product->brand));
    for (size_t i = 0; i < product->attribute_count; i++) {
        const vt_attribute *attribute = &product->attributes[i];
        if (attribute->kind == VT_ATTRIBUTE_TEXT && attribute->text != NULL)
            say(&s, attribute->name, attribute->text, strlen(attribute->text));
        for (size_t j = 0; attribute->kind == VT_ATTRIBUTE_LIST && j < attribute->item_count; j++)
            say(&s, attribute->name, attribute->items[j], strlen(attribute->items[j]));
    }
    say_title(&s, product->title);
    if (s.failed || !vt_grow((void **)&products->words, &products->word_capacity,
                             products->word_count + s.count + 1, sizeof *products->words,
                             max_product_words_in_all))
        return vt_fail_memory(error, "what is said of products");
    if (s.count > 0)
        qsort(s.words, s.count, sizeof *s.words, compare_words);
    for (size_t i = 0; i < s.count; i++) {
        if (i > 0 && s.words[i] == s.words[i - 1])
            continue;
        products->words[products->word_count++] = s.words[i];
        products->vocabulary.words[s.words[i]].products++;
    }
    return VT_OK;
}

/* ---- what is telling ---- */

/* In standard deviations. A group that is everything has no rest to differ from: what most of it
 * says is what can be told. */
static double score_of(const vt_cluster_products *products, uint32_t all, uint32_t inside,
                       size_t size)
{
    double total = (double)products->count, group = (double)size, rest = total - group;
    double y = inside, share = y / group;
    if (rest == 0)
        return share * sqrt(group) * 2;
    double out = (double)(all - inside), half = 0.5;
    double log_odds =
        log((y + half) / (group - y + half)) - log((out + half) / (rest - out + half));
    double variance =
        1 / (y + half) + 1 / (group - y + half) + 1 / (out + half) + 1 / (rest - out + half);
    return share * log_odds / sqrt(variance);
}

/* Keeps the best VT_CLUSTER_TERMS, best first; equal ones as they come. */
static size_t keep_term(vt_cluster_term *terms, size_t count, const vt_cluster_term *one)
{
    size_t place = count;
    while (place > 0 && terms[place - 1].score < one->score)
        place--;
    if (place == VT_CLUSTER_TERMS)
        return count;
    size_t left = count < VT_CLUSTER_TERMS ? count : VT_CLUSTER_TERMS - 1;
    memmove(terms + place + 1, terms + place, (left - place) * sizeof *terms);
    terms[place] = *one;
    return left + 1;
}

size_t vt_cluster_terms(const vt_cluster_products *products, const uint32_t *group, size_t size,
                        uint32_t *counts, vt_cluster_term *terms)
{
    size_t found = 0;
    for (size_t i = 0; i < size; i++)
        for (size_t w = products->starts[group[i]]; w < products->starts[group[i] + 1]; w++)
            counts[products->words[w]]++;
    for (size_t i = 0; i < size; i++)
        for (size_t w = products->starts[group[i]]; w < products->starts[group[i] + 1]; w++) {
            const vt_cluster_word *word = &products->vocabulary.words[products->words[w]];
            uint32_t inside = counts[products->words[w]];
            counts[products->words[w]] = 0; /* also says that it was looked at */
            if (inside == 0 || (double)inside < least_share * (double)size)
                continue;
            vt_cluster_term one = {word->name, word->value, inside, word->products - inside,
                                   score_of(products, word->products, inside, size)};
            if (strcmp(word->name, "title") == 0)
                one.score *= title_weight;
            if (one.score >= least_score)
                found = keep_term(terms, found, &one);
        }
    return found;
}

/* ---- labels ---- */

static bool starts_nocase(const char *text, const char *part)
{
    for (; *part != '\0'; text++, part++) {
        char a = *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text;
        char b = *part >= 'A' && *part <= 'Z' ? (char)(*part - 'A' + 'a') : *part;
        if (a != b)
            return false;
    }
    return true;
}

static bool contains_nocase(const char *text, const char *part)
{
    for (; *text != '\0'; text++)
        if (starts_nocase(text, part))
            return true;
    return false;
}

/* Whether a term says what one before it in the label says: a part of it, or its plural. */
static bool repeats(const vt_cluster_term *term, const vt_cluster_term *before)
{
    return contains_nocase(before->value, term->value) ||
           contains_nocase(term->value, before->value);
}

const char *vt_cluster_label(vt_arena *arena, const vt_cluster_term *terms, size_t count,
                             const vt_cluster_member *medoid)
{
    const vt_cluster_term *used[LABEL_TERMS];
    size_t use = 0;
    for (size_t i = 0; i < count && use < LABEL_TERMS; i++) {
        bool new = true;
        for (size_t j = 0; j < use; j++)
            new = new && !repeats(&terms[i], used[j]);
        if (new)
            used[use++] = &terms[i];
    }
    if (use == 0)
        return vt_arena_printf(arena, "like %s",
                               medoid->title != NULL ? medoid->title : medoid->product);
    return vt_arena_printf(arena, "%s%s%s%s%s", used[0]->value, use > 1 ? ", " : "",
                           use > 1 ? used[1]->value : "", use > 2 ? ", " : "",
                           use > 2 ? used[2]->value : "");
}
