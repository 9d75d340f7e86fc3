/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C (Castagnoli), as TensorBoard's event files want it and as our own files are checked with.
 * Threads: no shared state beyond a table that is made once.
 */
#ifndef VT_BASE_CRC32C_H
#define VT_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc: 0 to begin, or what an earlier call gave for the bytes before these. */
uint32_t vt_crc32c(uint32_t crc, const void *bytes, size_t length);
/* The same without the processor's instruction: what it is held to. */
uint32_t vt_crc32c_scalar(uint32_t crc, const void *bytes, size_t length);

#endif
