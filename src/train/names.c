/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names with numbers: an open-addressing table over a list of texts.
 */
#include "train/names.h"

#include "base/hash.h"
#include "train/dataset.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 256 };

static size_t find_slot(const vt_names *names, const char *text)
{
    size_t mask = names->slot_count - 1;
    size_t at = (size_t)vt_table_hash(text, strlen(text)) & mask;
    while (names->slots[at] != 0 && strcmp(names->texts[names->slots[at] - 1], text) != 0)
        at = (at + 1) & mask;
    return at;
}

static bool grow(vt_names *names)
{
    if (names->count * 2 < names->slot_count)
        return true;
    size_t wanted = names->slot_count == 0 ? FIRST_SLOTS : names->slot_count * 2;
    uint32_t *slots = vt_calloc(wanted, sizeof(*slots));
    if (slots == NULL)
        return false;
    vt_free(names->slots);
    names->slots = slots;
    names->slot_count = wanted;
    for (size_t i = 0; i < names->count; i++)
        slots[find_slot(names, names->texts[i])] = (uint32_t)i + 1;
    return true;
}

vt_status vt_names_number(vt_names *names, vt_arena *arena, const char *text, uint32_t *out,
                          vt_error *error)
{
    if (!grow(names))
        return vt_fail_memory(error, "the names of a data set");
    size_t slot = find_slot(names, text);
    if (names->slots[slot] == 0) {
        if (names->count == VT_DATASET_MAX_LABELS)
            return vt_fail(error, VT_ERR_LIMIT, "more than %d different labels or products",
                           VT_DATASET_MAX_LABELS);
        void *texts = names->texts;
        bool room = vt_grow(&texts, &names->capacity, names->count + 1, sizeof(*names->texts),
                            VT_DATASET_MAX_LABELS);
        names->texts = texts;
        char *copy = room ? vt_arena_strdup(arena, text) : NULL;
        if (copy == NULL)
            return vt_fail_memory(error, "the names of a data set");
        names->texts[names->count++] = copy;
        names->slots[slot] = (uint32_t)names->count;
    }
    *out = names->slots[slot] - 1;
    return VT_OK;
}

void vt_names_free(vt_names *names)
{
    if (names == NULL)
        return;
    vt_free(names->texts);
    vt_free(names->slots);
    vt_free(names);
}

typedef struct numbered {
    const char *text;
    uint32_t number;
} numbered;

static int compare_numbered(const void *a, const void *b)
{
    return strcmp(((const numbered *)a)->text, ((const numbered *)b)->text);
}

vt_status vt_names_sort(vt_names *names, uint32_t **renumber, vt_error *error)
{
    if (!grow(names))
        return vt_fail_memory(error, "the names of a data set");
    numbered *sorted = vt_alloc_array(names->count, sizeof(*sorted));
    uint32_t *map = vt_alloc_array(names->count, sizeof(*map));
    if (sorted == NULL || map == NULL) {
        vt_free(sorted);
        vt_free(map);
        return vt_fail_memory(error, "the names of a data set");
    }
    for (size_t i = 0; i < names->count; i++)
        sorted[i] = (numbered){names->texts[i], (uint32_t)i};
    if (names->count > 0)
        qsort(sorted, names->count, sizeof(*sorted), compare_numbered);
    for (size_t i = 0; i < names->count; i++) {
        names->texts[i] = sorted[i].text;
        map[sorted[i].number] = (uint32_t)i;
    }
    vt_free(sorted);
    /* The table is of the old numbers. */
    memset(names->slots, 0, names->slot_count * sizeof(*names->slots));
    for (size_t i = 0; i < names->count; i++)
        names->slots[find_slot(names, names->texts[i])] = (uint32_t)i + 1;
    *renumber = map;
    return VT_OK;
}
