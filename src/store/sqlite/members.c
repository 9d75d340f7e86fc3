/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pictures of each product the index in memory holds.
 *
 * Method: when a product changes, the database no longer knows which pictures it had; the index
 * must forget exactly those. An open-addressing table (linear probing) leads from a product to a
 * chain of nodes; nodes that are freed are used again. A product without pictures keeps its slot
 * until the table is next rebuilt, so probing needs no tombstones. About 20 bytes per picture.
 */
#include "store/sqlite/sqlite.h"

#include "base/status.h"

typedef struct member_slot {
    uint32_t product; /* 0: free */
    uint32_t head;    /* node number + 1; 0: none left */
} member_slot;

typedef struct member_node {
    uint32_t picture;
    uint32_t next; /* node number + 1 */
} member_node;

struct vt_members {
    member_slot *slots;
    size_t slot_count; /* power of two */
    size_t used_slots;
    size_t products; /* with pictures */
    member_node *nodes;
    size_t node_count, node_capacity;
    uint32_t free_nodes; /* node number + 1 */
};

enum { FIRST_SLOTS = 256 };

vt_status vt_members_new(vt_members **out, vt_error *error)
{
    vt_members *members = vt_calloc(1, sizeof *members);
    if (members == NULL)
        return vt_fail_memory(error, "the index of a catalogue");
    members->slot_count = FIRST_SLOTS;
    members->slots = vt_calloc(members->slot_count, sizeof *members->slots);
    if (members->slots == NULL) {
        vt_free(members);
        return vt_fail_memory(error, "the index of a catalogue");
    }
    *out = members;
    return VT_OK;
}

void vt_members_free(vt_members *members)
{
    if (members == NULL)
        return;
    vt_free(members->slots);
    vt_free(members->nodes);
    vt_free(members);
}

/* Keys are ours and consecutive, so a multiplication (Knuth's, 2^32 / golden ratio) spreads them
 * enough. */
static size_t slot_home(size_t slot_count, uint32_t product)
{
    return ((uint64_t)(product * 2654435769u) * slot_count) >> 32;
}

/* The slot of this product, or the free one where it belongs. */
static member_slot *find_slot(member_slot *slots, size_t slot_count, uint32_t product)
{
    size_t at = slot_home(slot_count, product);
    while (slots[at].product != 0 && slots[at].product != product)
        at = (at + 1) & (slot_count - 1);
    return &slots[at];
}

/* Drops products without pictures; doubles when more than a third is really in use. */
static bool rebuild(vt_members *members)
{
    size_t live = 0;
    for (size_t i = 0; i < members->slot_count; i++)
        live += members->slots[i].head != 0;
    size_t count = members->slot_count;
    if (live > count / 3 && !vt_size_mul(count, 2, &count))
        return false;
    member_slot *slots = vt_calloc(count, sizeof *slots);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < members->slot_count; i++)
        if (members->slots[i].head != 0)
            *find_slot(slots, count, members->slots[i].product) = members->slots[i];
    vt_free(members->slots);
    members->slots = slots;
    members->slot_count = count;
    members->used_slots = live;
    return true;
}

vt_status vt_members_add(vt_members *members, uint32_t product, uint32_t picture, vt_error *error)
{
    if (members->used_slots >= members->slot_count / 3 * 2 && !rebuild(members))
        return vt_fail_memory(error, "the index of a catalogue");
    uint32_t node = members->free_nodes;
    if (node != 0) {
        members->free_nodes = members->nodes[node - 1].next;
    } else {
        if (!vt_grow((void **)&members->nodes, &members->node_capacity, members->node_count + 1,
                     sizeof *members->nodes, UINT32_MAX - 1))
            return vt_fail_memory(error, "the index of a catalogue");
        node = (uint32_t)++members->node_count;
    }
    member_slot *slot = find_slot(members->slots, members->slot_count, product);
    if (slot->product == 0) {
        slot->product = product;
        members->used_slots++;
    }
    members->products += slot->head == 0;
    members->nodes[node - 1] = (member_node){.picture = picture, .next = slot->head};
    slot->head = node;
    return VT_OK;
}

bool vt_members_pop(vt_members *members, uint32_t product, uint32_t *picture)
{
    member_slot *slot = find_slot(members->slots, members->slot_count, product);
    if (slot->product == 0 || slot->head == 0)
        return false;
    uint32_t node = slot->head;
    *picture = members->nodes[node - 1].picture;
    slot->head = members->nodes[node - 1].next;
    members->products -= slot->head == 0;
    members->nodes[node - 1].next = members->free_nodes;
    members->free_nodes = node;
    return true;
}

static size_t chain_copy(const vt_members *members, const member_slot *slot, uint32_t *out)
{
    size_t count = 0;
    for (uint32_t node = slot->head; node != 0; node = members->nodes[node - 1].next)
        out[count++] = members->nodes[node - 1].picture;
    return count;
}

static size_t chain_length(const vt_members *members, const member_slot *slot)
{
    size_t count = 0;
    for (uint32_t node = slot->head; node != 0; node = members->nodes[node - 1].next)
        count++;
    return count;
}

static vt_status collect_all(const vt_members *members, uint32_t **out, size_t *count,
                             vt_error *error)
{
    size_t held = 0;
    uint32_t *all = vt_alloc_array(members->node_count, sizeof *all);
    if (all == NULL)
        return vt_fail_memory(error, "a list of pictures");
    for (size_t i = 0; i < members->slot_count; i++)
        held += chain_copy(members, &members->slots[i], all + held);
    *out = all;
    *count = held;
    return VT_OK;
}

/* Those of so many products; ids grows. False: memory is out. */
static bool collect(const vt_members *members, const uint32_t *products, size_t count, void **ids,
                    size_t *room, size_t *held)
{
    enum { AHEAD = 16 }; /* slots lie scattered: those of the next are asked of memory */
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count)
            __builtin_prefetch(&members->slots[slot_home(members->slot_count, products[i + AHEAD])],
                               0, 3);
        const member_slot *slot = find_slot(members->slots, members->slot_count, products[i]);
        size_t length = slot->product == 0 ? 0 : chain_length(members, slot);
        if (!vt_grow(ids, room, *held + length + 1, sizeof(uint32_t), UINT32_MAX))
            return false;
        if (length > 0)
            *held += chain_copy(members, slot, (uint32_t *)*ids + *held);
    }
    return true;
}

vt_status vt_members_collect(const vt_members *members, const vt_idset *products, uint32_t **out,
                             size_t *count, vt_error *error)
{
    if (products == NULL)
        return collect_all(members, out, count, error);
    size_t held = 0, room = 0, wanted = vt_idset_count(products);
    void *ids = NULL; /* also of none: a list without pictures is a list */
    uint32_t *keys = vt_alloc_array(wanted, sizeof *keys);
    bool done = keys != NULL && vt_grow(&ids, &room, wanted + 1, sizeof(uint32_t), UINT32_MAX);
    if (done) {
        vt_idset_list(products, keys);
        done = collect(members, keys, wanted, &ids, &room, &held);
    }
    vt_free(keys);
    if (!done) {
        vt_free(ids);
        return vt_fail_memory(error, "a list of pictures");
    }
    *out = ids;
    *count = held;
    return VT_OK;
}

size_t vt_members_products(const vt_members *members)
{
    return members->products;
}

size_t vt_members_bytes(const vt_members *members)
{
    return members->slot_count * sizeof *members->slots +
           members->node_capacity * sizeof *members->nodes;
}
