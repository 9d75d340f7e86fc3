/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samplers: a permutation; labels in turn; P labels times K examples (Hermans et al. 2017, "PK
 * batches").
 *
 * Method: examples lie sorted by label. Labels and the examples of each are dealt like cards: a
 * shuffled deck that is shuffled anew when it is used up, so that nothing comes again before
 * everything has come.
 */
#include "train/sampler.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/random.h"

#include <string.h>

typedef struct deck {
    uint32_t *cards; /* (count), borrowed */
    size_t count, next;
} deck;

struct vt_sampler {
    vt_sampler_options options;
    uint32_t *by_label; /* (count) indices, sorted by label, in their first order */
    uint32_t *cards;    /* (count) the same, shuffled */
    deck *decks;        /* (decks_count) one per label that has examples */
    uint32_t *turns;    /* (deck_count) */
    size_t deck_count, count, batches;
};

vt_status vt_sampler_parse(const char *text, vt_sampler_options *out, vt_error *error)
{
    int64_t per_label;
    if (text == NULL || strcmp(text, "shuffled") == 0) {
        out->kind = VT_SAMPLER_SHUFFLED;
    } else if (strcmp(text, "balanced") == 0) {
        out->kind = VT_SAMPLER_BALANCED;
    } else if (strncmp(text, "classes:", 8) == 0 && vt_parse_int(text + 8, 1, 65536, &per_label)) {
        out->kind = VT_SAMPLER_CLASSES;
        out->per_label = (size_t)per_label;
    } else {
        return vt_fail(error, VT_ERR_USAGE,
                       "there is no sampler \"%.40s\", there are shuffled, balanced and classes:K",
                       text);
    }
    return VT_OK;
}

static void shuffle(uint32_t *cards, size_t count, vt_random *random)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)vt_random_below(random, i);
        uint32_t keep = cards[i - 1];
        cards[i - 1] = cards[j];
        cards[j] = keep;
    }
}

static uint32_t deal(deck *from, vt_random *random)
{
    if (from->next == from->count) {
        shuffle(from->cards, from->count, random);
        from->next = 0;
    }
    return from->cards[from->next++];
}

static vt_status sort_by_label(vt_sampler *sampler, const vt_sampler_examples *examples,
                               vt_error *error)
{
    size_t *starts = vt_calloc(examples->label_count + 2, sizeof(*starts));
    if (starts == NULL)
        return vt_fail_memory(error, "a sampler");
    for (size_t i = 0; i < examples->count; i++)
        starts[examples->labels[i] + 1]++;
    for (size_t l = 0; l < examples->label_count; l++) {
        if (starts[l + 1] > 0)
            sampler->decks[sampler->deck_count++] =
                (deck){sampler->cards + starts[l], starts[l + 1], 0};
        starts[l + 1] += starts[l];
    }
    for (size_t i = 0; i < examples->count; i++)
        sampler->by_label[starts[examples->labels[i]]++] = examples->indices[i];
    vt_free(starts);
    return VT_OK;
}

static vt_status check(vt_sampler *sampler, vt_error *error)
{
    const vt_sampler_options *options = &sampler->options;
    if (options->batch == 0 || sampler->count < options->batch)
        return vt_fail(error, VT_ERR_USAGE, "a batch of %zu needs as many photos, there are %zu",
                       options->batch, sampler->count);
    if (options->kind != VT_SAMPLER_CLASSES)
        return VT_OK;
    if (options->per_label == 0 || options->batch % options->per_label != 0)
        return vt_fail(error, VT_ERR_USAGE,
                       "a batch of %zu does not divide into labels with %zu photos each",
                       options->batch, options->per_label);
    if (sampler->deck_count < options->batch / options->per_label)
        return vt_fail(error, VT_ERR_USAGE,
                       "a batch of %zu with %zu photos per label needs %zu labels, there are %zu",
                       options->batch, options->per_label, options->batch / options->per_label,
                       sampler->deck_count);
    return VT_OK;
}

vt_status vt_sampler_new(const vt_sampler_examples *examples, const vt_sampler_options *options,
                         vt_sampler **out, vt_error *error)
{
    vt_sampler *sampler = vt_calloc(1, sizeof(*sampler));
    if (sampler == NULL)
        return vt_fail_memory(error, "a sampler");
    sampler->options = *options;
    sampler->count = examples->count;
    sampler->by_label = vt_alloc_array(examples->count + 1, sizeof(uint32_t));
    sampler->cards = vt_alloc_array(examples->count + 1, sizeof(uint32_t));
    sampler->decks = vt_calloc(examples->label_count + 1, sizeof(deck));
    sampler->turns = vt_alloc_array(examples->label_count + 1, sizeof(uint32_t));
    vt_status status = VT_OK;
    if (sampler->by_label == NULL || sampler->cards == NULL || sampler->decks == NULL ||
        sampler->turns == NULL)
        status = vt_fail_memory(error, "a sampler");
    if (status == VT_OK)
        status = sort_by_label(sampler, examples, error);
    if (status == VT_OK)
        status = check(sampler, error);
    if (status != VT_OK) {
        vt_sampler_free(sampler);
        return status;
    }
    sampler->batches = sampler->count / options->batch;
    *out = sampler;
    return VT_OK;
}

void vt_sampler_free(vt_sampler *sampler)
{
    if (sampler == NULL)
        return;
    vt_free(sampler->by_label);
    vt_free(sampler->cards);
    vt_free(sampler->decks);
    vt_free(sampler->turns);
    vt_free(sampler);
}

size_t vt_sampler_count(const vt_sampler *sampler)
{
    return sampler->batches * sampler->options.batch;
}

/* `run` examples of one label after another, labels in turn; within a batch no label twice, as
 * long as there are enough: a batch starts its labels where the last one ended. */
static void deal_labels(vt_sampler *sampler, vt_random *random, size_t run, uint32_t *order)
{
    size_t wanted = vt_sampler_count(sampler), per_batch = sampler->options.batch / run;
    deck turns = {sampler->turns, sampler->deck_count, sampler->deck_count};
    for (size_t i = 0; i < sampler->deck_count; i++) {
        turns.cards[i] = (uint32_t)i;
        sampler->decks[i].next = sampler->decks[i].count;
    }
    for (size_t at = 0; at < wanted;) {
        /* A shuffle in mid-batch could repeat a label. */
        if (sampler->options.kind == VT_SAMPLER_CLASSES && at % sampler->options.batch == 0 &&
            turns.count - turns.next < per_batch)
            turns.next = turns.count;
        deck *label = &sampler->decks[deal(&turns, random)];
        for (size_t k = 0; k < run; k++)
            order[at++] = deal(label, random);
    }
}

void vt_sampler_epoch(vt_sampler *sampler, uint64_t epoch, uint32_t *order)
{
    vt_random seed, random;
    vt_random_init(&seed, sampler->options.seed);
    random = vt_random_fork(&seed, epoch);
    memcpy(sampler->cards, sampler->by_label, sampler->count * sizeof(uint32_t));
    if (sampler->options.kind == VT_SAMPLER_SHUFFLED) {
        shuffle(sampler->cards, sampler->count, &random);
        memcpy(order, sampler->cards, vt_sampler_count(sampler) * sizeof(uint32_t));
        return;
    }
    bool classes = sampler->options.kind == VT_SAMPLER_CLASSES;
    deal_labels(sampler, &random, classes ? sampler->options.per_label : 1, order);
}
