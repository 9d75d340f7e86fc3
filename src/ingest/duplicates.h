/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures that several products share: the same bytes, or nearly the same look.
 *
 *     vt_duplicates_new(store, 3, table, &duplicates, error);   // knows what the store has
 *     vt_duplicates_add(duplicates, &product, error);           // after it was put
 *     vt_duplicates_free(duplicates);
 *
 * A picture is reported once, against the first product that had it. About 50 bytes are kept per
 * picture.
 *
 * Threads: belongs to one thread at a time.
 */
#ifndef VT_INGEST_DUPLICATES_H
#define VT_INGEST_DUPLICATES_H

#include "ingest/table.h"
#include "store/store.h"

enum { VT_DUPLICATES_COLUMNS = 6 };
extern const char *const vt_duplicates_header[VT_DUPLICATES_COLUMNS];

typedef struct vt_duplicates vt_duplicates;

/* near_bits: Hamming radius of near duplicates, < 0: only exact ones. report: borrowed, may be
 * NULL. */
vt_status vt_duplicates_new(vt_store *store, int near_bits, vt_table *report, vt_duplicates **out,
                            vt_error *error);
void vt_duplicates_free(vt_duplicates *duplicates);
/* Compares the product's pictures with those of all other products and with one another, reports,
 * and remembers them. */
vt_status vt_duplicates_add(vt_duplicates *duplicates, const vt_product *product, vt_error *error);
/* A perceptual hash that says nothing: of a plain surface. */
bool vt_duplicates_is_plain(uint64_t phash);
uint64_t vt_duplicates_exact(const vt_duplicates *duplicates);
uint64_t vt_duplicates_near(const vt_duplicates *duplicates);

#endif
