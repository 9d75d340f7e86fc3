/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The k best of a stream, ungrouped or one per group.
 *
 * Method: a binary heap with the worst of the k on top, under the strict order (similarity down,
 * group up, id up). Grouped, a hash table (linear probing, deletion by shifting back: Knuth, The
 * Art of Computer Programming 3, 6.4, algorithm R) says where in the heap a group sits.
 *
 * Why one pass is enough for groups: once k groups are held, the top of the heap only ever gets
 * better, for a hit is replaced by a better one of its group, or the top by a better one of
 * another. A hit that is turned away or evicted is behind k other groups, and stays behind k groups
 * for good; if its group has something better it will be pushed as well and stands on its own. So
 * nothing needs to be remembered about groups outside the heap, and a group may leave and come
 * back.
 */
#include "vector/topk.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static bool hit_better(const vt_hit *a, const vt_hit *b)
{
    if (a->similarity != b->similarity)
        return a->similarity > b->similarity;
    if (a->group != b->group)
        return a->group < b->group;
    return a->id < b->id;
}

vt_status vt_topk_init(vt_topk *top, size_t k, bool grouped, vt_error *error)
{
    if (k < 1 || k > VT_TOPK_MAX_K)
        return vt_fail(error, VT_ERR_USAGE, "keep the best %zu: must be 1 to %d", k, VT_TOPK_MAX_K);
    vt_topk made = {.k = k, .grouped = grouped};
    made.hits = vt_alloc_array(k, sizeof *made.hits);
    if (!made.hits)
        return vt_fail_memory(error, "best hits");
    if (grouped) {
        /* At least twice the groups held: short probes, and always an empty slot to stop at. */
        unsigned bits = 3;
        while ((size_t)1 << bits < 2 * k)
            bits++;
        made.slot_mask = ((size_t)1 << bits) - 1;
        made.slot_shift = 32 - bits;
        made.slots = vt_calloc(made.slot_mask + 1, sizeof *made.slots);
        if (!made.slots) {
            vt_free(made.hits);
            return vt_fail_memory(error, "best hits");
        }
    }
    *top = made;
    return VT_OK;
}

void vt_topk_deinit(vt_topk *top)
{
    vt_free(top->hits);
    vt_free(top->slots);
    *top = (vt_topk){0};
}

void vt_topk_clear(vt_topk *top)
{
    if (top->grouped)
        memset(top->slots, 0, (top->slot_mask + 1) * sizeof *top->slots);
    top->count = 0;
    top->sorted = false;
}

float vt_topk_threshold(const vt_topk *top)
{
    if (top->count < top->k)
        return -INFINITY;
    return top->hits[top->sorted ? top->count - 1 : 0].similarity;
}

/* ---- group -> heap position ---- */

/* Fibonacci hashing (Knuth 3, 6.4): groups are small consecutive numbers of our own making. */
static size_t slot_home(const vt_topk *top, uint32_t group)
{
    return (uint32_t)(group * 0x9e3779b9u) >> top->slot_shift;
}

/* The group's slot, or the empty one where it belongs. */
static size_t slot_find(const vt_topk *top, uint32_t group)
{
    size_t slot = slot_home(top, group);
    while (top->slots[slot] && top->hits[top->slots[slot] - 1].group != group)
        slot = (slot + 1) & top->slot_mask;
    return slot;
}

static void slot_remove(vt_topk *top, uint32_t group)
{
    size_t hole = slot_find(top, group);
    top->slots[hole] = 0;
    for (size_t slot = (hole + 1) & top->slot_mask; top->slots[slot];
         slot = (slot + 1) & top->slot_mask) {
        /* What sits here may move back unless its home lies behind the hole. */
        size_t home = slot_home(top, top->hits[top->slots[slot] - 1].group);
        if (((slot - home) & top->slot_mask) < ((slot - hole) & top->slot_mask))
            continue;
        top->slots[hole] = top->slots[slot];
        top->slots[slot] = 0;
        hole = slot;
    }
}

/* ---- heap ---- */

/* Exchanges two heap positions. Both slots are found before anything moves: the table compares
 * groups through the heap and is only consistent then. */
static void heap_swap(vt_topk *top, size_t a, size_t b)
{
    vt_hit kept = top->hits[a];
    if (top->grouped) {
        size_t slot_a = slot_find(top, kept.group);
        size_t slot_b = slot_find(top, top->hits[b].group);
        top->slots[slot_a] = (uint32_t)(b + 1);
        top->slots[slot_b] = (uint32_t)(a + 1);
    }
    top->hits[a] = top->hits[b];
    top->hits[b] = kept;
}

static void sift_up(vt_topk *top, size_t at)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (!hit_better(&top->hits[parent], &top->hits[at]))
            return;
        heap_swap(top, at, parent);
        at = parent;
    }
}

static void sift_down(vt_topk *top, size_t at, size_t count)
{
    for (;;) {
        size_t worst = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (hit_better(&top->hits[worst], &top->hits[child]))
                worst = child;
        if (worst == at)
            return;
        heap_swap(top, at, worst);
        at = worst;
    }
}

void vt_topk_push(vt_topk *top, float similarity, uint32_t id, uint32_t group)
{
    assert(!top->sorted);
    if (isnan(similarity))
        return;
    vt_hit hit = {similarity, id, group};
    bool full = top->count == top->k;
    /* Turned away here are most of a stream. A group that is held is held with something better. */
    if (full && !hit_better(&hit, &top->hits[0]))
        return;
    if (top->grouped) {
        uint32_t held = top->slots[slot_find(top, group)];
        if (held) {
            if (hit_better(&hit, &top->hits[held - 1])) {
                top->hits[held - 1] = hit;
                sift_down(top, held - 1, top->count);
            }
            return;
        }
        if (full)
            slot_remove(top, top->hits[0].group);
    }
    size_t at = full ? 0 : top->count++;
    if (top->grouped)
        top->slots[slot_find(top, group)] = (uint32_t)(at + 1);
    top->hits[at] = hit;
    if (full)
        sift_down(top, 0, top->count);
    else
        sift_up(top, at);
}

void vt_topk_merge(vt_topk *top, const vt_topk *other)
{
    for (size_t i = 0; i < other->count; i++)
        vt_topk_push(top, other->hits[i].similarity, other->hits[i].id, other->hits[i].group);
}

size_t vt_topk_sort(vt_topk *top)
{
    if (top->sorted)
        return top->count;
    top->sorted = true;
    /* The heap is the first half of a heap sort. Where the groups sit no longer matters. */
    bool grouped = top->grouped;
    top->grouped = false;
    for (size_t left = top->count; left > 1; left--) {
        heap_swap(top, 0, left - 1);
        sift_down(top, 0, left - 1);
    }
    top->grouped = grouped;
    return top->count;
}
