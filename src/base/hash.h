/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content hashes: BLAKE2b-256 (RFC 7693) over libsodium. Content comes from strangers, so the hash
 * that names it must resist collisions made on purpose.
 *
 * Threads: a vt_hasher belongs to one thread; the rest has no shared state.
 */
#ifndef VT_BASE_HASH_H
#define VT_BASE_HASH_H

#include "vitrine.h"

#include <stddef.h>
#include <stdint.h>

enum { VT_HASH_BYTES = 32, VT_HASH_HEX = 65 };

/* vt_hash itself is the public header's. */

typedef struct vt_hasher {
    _Alignas(64) uint8_t state[384]; /* libsodium's state, opaque here */
} vt_hasher;

void vt_hasher_init(vt_hasher *hasher);
void vt_hasher_add(vt_hasher *hasher, const void *bytes, size_t length);
void vt_hasher_add_text(vt_hasher *hasher,
                        const char *text); /* length-prefixed; NULL differs from "" */
vt_hash vt_hasher_finish(vt_hasher *hasher);
vt_hash vt_hash_of(const void *bytes, size_t length);
void vt_hash_hex(const vt_hash *hash, char out[VT_HASH_HEX]);

/* 64 bits for tables in memory (not for content): seeded per process, so that strangers' keys
 * cannot be chosen to collide (SipHash-2-4). */
uint64_t vt_table_hash(const void *bytes, size_t length);

#endif
