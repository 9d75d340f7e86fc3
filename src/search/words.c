/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of a query. Beside photos or products they narrow: what has not all of them is no answer,
 * and the rest stays ranked by similarity, as the two cannot be weighed against each other (a bm25
 * has no upper end). Alone they rank, by bm25.
 */
#include "search/search.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

vt_status vt_search_words(vt_search *s, vt_idset **set, vt_error *error)
{
    bool scored = !s->visual && !s->sorted;
    vt_status status = vt_store_words(s->searcher->store, s->query->text, scored, &s->words,
                                      &s->word_count, error);
    vt_idset *found = NULL;
    if (status == VT_OK)
        status = vt_idset_new(&found, error);
    for (size_t i = 0; status == VT_OK && i < s->word_count; i++)
        status = vt_idset_add(found, s->words[i].product, error);
    if (status != VT_OK) {
        vt_idset_free(found);
        return status;
    }
    *set = found;
    return VT_OK;
}

static int compare(const void *a, const void *b)
{
    const vt_candidate *x = a, *y = b;
    if (x->text_score != y->text_score)
        return x->text_score > y->text_score ? -1 : 1;
    return (x->product > y->product) - (x->product < y->product);
}

vt_status vt_search_rank_words(const vt_search *s, size_t most, vt_candidate **out, size_t *count,
                               vt_error *error)
{
    vt_candidate *all = vt_alloc_array(s->word_count, sizeof *all);
    size_t found = 0;
    if (all == NULL)
        return vt_fail_memory(error, "the products that have the words");
    for (size_t i = 0; i < s->word_count; i++)
        if (s->products == NULL || vt_idset_has(s->products, s->words[i].product))
            all[found++] = (vt_candidate){s->words[i].product, 0, (double)NAN, s->words[i].score};
    qsort(all, found, sizeof *all, compare);
    *out = all;
    *count = found < most ? found : most;
    return VT_OK;
}

vt_status vt_search_explain_words(const vt_search *s, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < s->answer->count; i++)
        status = vt_store_words_fields(s->searcher->store, s->query->text,
                                       s->answer->results[i].product->key,
                                       &s->answer->results[i].text_fields, error);
    return status;
}
