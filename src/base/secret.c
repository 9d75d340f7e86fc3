/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets: Argon2id (RFC 9106) and keyed BLAKE2b (RFC 7693) over libsodium.
 *
 * Cost: what is stored here are keys of 256 random bits, which nobody guesses however fast a guess
 * is; Argon2id stands between a stolen file and a day on which random bits turn out to be less
 * random. Two passes over 8 MiB take some 10 ms, which a server can spend on a wrong key.
 */
#include "base/secret.h"

#include <sodium.h>

#include <string.h>

enum { SECRET_PASSES = 2, SECRET_MEMORY_BYTES = 8 << 20 };

_Static_assert(VT_SECRET_STORED >= crypto_pwhash_argon2id_STRBYTES, "room for libsodium's text");
_Static_assert(VT_SECRET_TAG_BYTES == crypto_generichash_BYTES, "a tag is one hash");

void vt_secret_random(void *out, size_t length)
{
    randombytes_buf(out, length);
}

vt_status vt_secret_store(const char *secret, char out[VT_SECRET_STORED], vt_error *error)
{
    char text[VT_SECRET_STORED] = {0};
    if (sodium_init() < 0)
        return vt_fail(error, VT_ERR_INTERNAL, "hash a secret: libsodium does not start");
    if (crypto_pwhash_argon2id_str(text, secret, strlen(secret), SECRET_PASSES,
                                   SECRET_MEMORY_BYTES) != 0)
        return vt_fail_memory(error, "hashing a secret");
    memcpy(out, text, sizeof(text));
    return VT_OK;
}

bool vt_secret_matches(const char stored[VT_SECRET_STORED], const char *secret)
{
    return sodium_init() >= 0 &&
           crypto_pwhash_argon2id_str_verify(stored, secret, strlen(secret)) == 0;
}

bool vt_secret_equal(const void *a, const void *b, size_t length)
{
    return sodium_memcmp(a, b, length) == 0;
}

void vt_secret_tag(const uint8_t key[VT_SECRET_TAG_BYTES], const void *bytes, size_t length,
                   uint8_t out[VT_SECRET_TAG_BYTES])
{
    crypto_generichash(out, VT_SECRET_TAG_BYTES, bytes, length, key, VT_SECRET_TAG_BYTES);
}
