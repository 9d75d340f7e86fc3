/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/store: what a snapshot of postings holds, for both directions. No state. */
#ifndef VT_STORE_POSTINGS_FRAME_H
#define VT_STORE_POSTINGS_FRAME_H

#include "store/postings.h"

/* docs/formats/postings.md */
enum { POSTINGS_TAG_COLUMN = 1, POSTINGS_TAG_RECORDS = 2, POSTINGS_TAG_DIRECTORY = 3 };

typedef struct postings_directory {
    uint64_t products, words;
    uint32_t columns, name_bytes; /* NULs included */
    uint64_t zero;
} postings_directory;
_Static_assert(sizeof(postings_directory) == 32, "the directory has no gaps");

/* One column; its section holds in this order: the set of products that have it, texts, for each
 * text its only product, sets of the others, numbers, their products. */
typedef struct postings_column {
    uint64_t present_bytes, text_bytes, texts, set_bytes, numbers;
    uint64_t pairs; /* of a text and a product */
    uint64_t zeros[2];
} postings_column;
_Static_assert(sizeof(postings_column) == 64, "a column has no gaps");

#endif
