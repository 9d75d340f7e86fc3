/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes: BLAKE2b-256 (RFC 7693) for content and SipHash-2-4 (Aumasson and Bernstein 2012) for
 * tables in memory, both by libsodium.
 */
#include "base/hash.h"

#include "base/buf.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(crypto_generichash_state) <= sizeof(((vt_hasher *)0)->state),
               "vt_hasher is too small");
_Static_assert(_Alignof(vt_hasher) >= 64, "libsodium wants its state on a 64-byte boundary");
_Static_assert(crypto_shorthash_BYTES == sizeof(uint64_t), "a table hash is 64 bits");

static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static uint8_t table_key[crypto_shorthash_KEYBYTES];

/* sodium_init picks the fast implementations. If it fails, the plain ones stay in use and give the
 * same hashes. */
static void prepare(void)
{
    bool fast = sodium_init() >= 0;
    (void)fast;
    randombytes_buf(table_key, sizeof table_key);
}

static crypto_generichash_state *state_of(vt_hasher *hasher)
{
    return (crypto_generichash_state *)(void *)hasher->state;
}

void vt_hasher_init(vt_hasher *hasher)
{
    pthread_once(&prepared, prepare);
    int code = crypto_generichash_init(state_of(hasher), NULL, 0, VT_HASH_BYTES);
    assert(code == 0); /* fails only for lengths out of range */
    (void)code;
}

void vt_hasher_add(vt_hasher *hasher, const void *bytes, size_t length)
{
    if (length)
        crypto_generichash_update(state_of(hasher), bytes, length);
}

void vt_hasher_add_text(vt_hasher *hasher, const char *text)
{
    uint64_t length = text ? strlen(text) : UINT64_MAX;
    uint8_t prefix[8]; /* little endian on every machine */
    for (int i = 0; i < 8; i++)
        prefix[i] = (uint8_t)(length >> (8 * i));
    vt_hasher_add(hasher, prefix, sizeof prefix);
    if (text)
        vt_hasher_add(hasher, text, (size_t)length);
}

vt_hash vt_hasher_finish(vt_hasher *hasher)
{
    vt_hash hash;
    crypto_generichash_final(state_of(hasher), hash.bytes, sizeof hash.bytes);
    return hash;
}

vt_hash vt_hash_of(const void *bytes, size_t length)
{
    vt_hasher hasher;
    vt_hasher_init(&hasher);
    vt_hasher_add(&hasher, bytes, length);
    return vt_hasher_finish(&hasher);
}

void vt_hash_hex(const vt_hash *hash, char out[VT_HASH_HEX])
{
    vt_hex(hash->bytes, sizeof hash->bytes, out);
}

uint64_t vt_table_hash(const void *bytes, size_t length)
{
    pthread_once(&prepared, prepare);
    uint8_t digest[crypto_shorthash_BYTES];
    crypto_shorthash(digest, length ? bytes : digest, length, table_key);
    uint64_t hash;
    memcpy(&hash, digest, sizeof hash);
    return hash;
}
