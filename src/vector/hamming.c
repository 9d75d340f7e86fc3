/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multi-index hashing over 64-bit codes.
 *
 * Method: Norouzi, Punjani and Fleet, Fast Search in Hamming Space with Multi-Index Hashing (CVPR
 * 2012), algorithm for k nearest neighbours with growing radius. A code is cut in four chunks of 16
 * bits, each with a table of its own. Let a code be at distance r = 4s + a (a < 4). Then one of its
 * chunks 0..a is within s, or one of the others within s - 1: otherwise the distances would sum to
 * (a + 1)(s + 1) + (3 - a)s = r + 1. So after the buckets at chunk distance s of chunk a have been
 * looked at, in the order of r, all codes up to distance r have been met, and the search may end as
 * soon as the best is that near.
 *
 * Departures. Bits are dealt to the chunks along diagonals of the code seen as 8 x 8: perceptual
 * hashes of product pictures are constant along their white margins, and chunks cut from
 * consecutive bits would put half the catalogue in one bucket. A permutation changes no distance. A
 * code that is there already is counted but not stored, for only the earliest of equals is ever the
 * answer: a million copies of one picture cost no more than one.
 *
 * Memory: 32 bytes a code and 1 MiB of bucket heads. Buckets are chains through the entries: the
 * code and the way on lie side by side, so that a step costs one cache miss and not two.
 */
#include "vector/hamming.h"

#include "base/mem.h"

enum { CHUNKS = 4, CHUNK_BITS = 16, BUCKETS = 1 << CHUNK_BITS };

typedef struct entry {
    uint64_t code; /* permuted */
    uint32_t id;
    uint32_t next[CHUNKS]; /* entry number + 1; 0 ends the chain */
} entry;

struct vt_hamming_index {
    entry *entries;
    size_t count, capacity;
    size_t added;
    uint32_t heads[CHUNKS][BUCKETS]; /* entry number + 1 */
};

static const size_t MAX_ENTRIES = UINT32_MAX - 1;

int vt_hamming(uint64_t a, uint64_t b)
{
    return __builtin_popcountll(a ^ b);
}

/* Bit (row, column) of the 8 x 8 goes to chunk (row + column) mod 4: each chunk gets two bits of
 * every row and of every column. */
static uint64_t code_permute(uint64_t code)
{
    uint64_t permuted = 0;
    for (unsigned row = 0; row < 8; row++) {
        unsigned byte = code >> (8 * row) & 0xff;
        unsigned turned = (byte << row % 4 | byte >> (8 - row % 4)) & 0xff;
        for (unsigned chunk = 0; chunk < CHUNKS; chunk++) {
            uint64_t two = (turned >> chunk & 1u) | (turned >> (chunk + 4) & 1u) << 1;
            permuted |= two << (CHUNK_BITS * chunk + 2 * row);
        }
    }
    return permuted;
}

static unsigned code_chunk(uint64_t code, unsigned chunk)
{
    return code >> (CHUNK_BITS * chunk) & (BUCKETS - 1);
}

vt_status vt_hamming_index_new(vt_hamming_index **out, vt_error *error)
{
    vt_hamming_index *index = vt_calloc(1, sizeof *index);
    if (!index)
        return vt_fail_memory(error, "index of picture hashes");
    *out = index;
    return VT_OK;
}

void vt_hamming_index_free(vt_hamming_index *index)
{
    if (!index)
        return;
    vt_free(index->entries);
    vt_free(index);
}

size_t vt_hamming_index_count(const vt_hamming_index *index)
{
    return index->added;
}

/* ---- searching ---- */

typedef struct nearest {
    const vt_hamming_index *index;
    uint64_t code; /* permuted */
    int distance;  /* of the best so far; radius + 1 while there is none */
    uint32_t best; /* entry number */
} nearest;

static void bucket_look(nearest *search, unsigned chunk, unsigned bucket)
{
    const entry *entries = search->index->entries;
    for (uint32_t at = search->index->heads[chunk][bucket]; at; at = entries[at - 1].next[chunk]) {
        int distance = vt_hamming(entries[at - 1].code, search->code);
        if (distance < search->distance ||
            (distance == search->distance && at - 1 < search->best)) {
            search->distance = distance;
            search->best = at - 1;
        }
    }
}

/* The buckets whose chunk differs from the code's in exactly `bits` bits (0, 1 or 2). */
static void buckets_look(nearest *search, unsigned chunk, int bits)
{
    unsigned home = code_chunk(search->code, chunk);
    if (bits == 0)
        bucket_look(search, chunk, home);
    for (unsigned i = 0; bits > 0 && i < CHUNK_BITS; i++) {
        if (bits == 1)
            bucket_look(search, chunk, home ^ 1u << i);
        for (unsigned j = i + 1; bits == 2 && j < CHUNK_BITS; j++)
            bucket_look(search, chunk, home ^ 1u << i ^ 1u << j);
    }
}

bool vt_hamming_index_nearest(const vt_hamming_index *index, uint64_t code, int radius,
                              uint32_t *id, int *distance)
{
    if (radius > VT_HAMMING_MAX_RADIUS)
        radius = VT_HAMMING_MAX_RADIUS;
    /* Entry 0 as the best so far, so that nothing at radius + 1 passes for an earlier equal. */
    nearest search = {index, code_permute(code), radius + 1, 0};
    for (int r = 0; r <= radius && search.distance >= r; r++)
        buckets_look(&search, (unsigned)r % CHUNKS, r / CHUNKS);
    if (search.distance > radius)
        return false;
    *id = index->entries[search.best].id;
    *distance = search.distance;
    return true;
}

vt_status vt_hamming_index_add(vt_hamming_index *index, uint64_t code, uint32_t id, vt_error *error)
{
    uint32_t earlier;
    int distance;
    if (vt_hamming_index_nearest(index, code, 0, &earlier, &distance)) {
        index->added++;
        return VT_OK;
    }
    if (index->count == MAX_ENTRIES)
        return vt_fail(error, VT_ERR_LIMIT, "index picture hashes: there are %zu already",
                       index->count);
    void *grown = index->entries;
    if (!vt_grow(&grown, &index->capacity, index->count + 1, sizeof(entry), MAX_ENTRIES))
        return vt_fail_memory(error, "index of picture hashes");
    index->entries = grown;
    entry *made = &index->entries[index->count];
    made->code = code_permute(code);
    made->id = id;
    for (unsigned chunk = 0; chunk < CHUNKS; chunk++) {
        uint32_t *head = &index->heads[chunk][code_chunk(made->code, chunk)];
        made->next[chunk] = *head;
        *head = (uint32_t)(index->count + 1);
    }
    index->count++;
    index->added++;
    return VT_OK;
}
