/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets over libsodium: random bytes, Argon2id, comparison in constant time, keyed tags.
 *
 *     char stored[VT_SECRET_STORED];
 *     vt_secret_store(secret, stored, error);          // what may be written down
 *     bool good = vt_secret_matches(stored, secret);   // slow on purpose: milliseconds
 *
 * Threads: no shared state.
 */
#ifndef VT_BASE_SECRET_H
#define VT_BASE_SECRET_H

#include "base/status.h"

enum { VT_SECRET_STORED = 128, VT_SECRET_TAG_BYTES = 32 };

/* From the system's generator. */
void vt_secret_random(void *out, size_t length);
/* Argon2id with a salt of its own (RFC 9106), as text. */
vt_status vt_secret_store(const char *secret, char out[VT_SECRET_STORED], vt_error *error);
bool vt_secret_matches(const char stored[VT_SECRET_STORED], const char *secret);
/* Takes as long for equal as for different bytes. */
bool vt_secret_equal(const void *a, const void *b, size_t length);
/* BLAKE2b-256 under a key that nobody else has: an entry of a table that tells nothing about what
 * it stands for. */
void vt_secret_tag(const uint8_t key[VT_SECRET_TAG_BYTES], const void *bytes, size_t length,
                   uint8_t out[VT_SECRET_TAG_BYTES]);

#endif
