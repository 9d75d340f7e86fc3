/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Postings: which products have which value, in memory beside the database, for filters, facets and
 * orders. Derived: a driver builds them from its rows and keeps them in step.
 *
 *     vt_postings *postings;
 *     vt_postings_new(&postings, error);
 *     vt_postings_put(postings, &product, error);          // or begin, add_*, end
 *     vt_postings_settle(postings, error);                 // before questions
 *     vt_postings_select(postings, &what, &selection, error);
 *     vt_postings_free(postings);
 *
 *     postings.c           columns by name, what each product has
 *     text_column.c        values -> products
 *     number_column.c      sorted numbers
 *     postings_filter.c    filter -> products
 *     postings_select.c    facets, pages, all of one question
 *     postings_names.c     names of columns
 *     postings_save.c      to a file, and postings_load.c back
 *
 * A *column* is one name with all its values: texts (also the items of lists) and numbers.
 *
 * Threads: many may select at once; all that changes needs the postings alone. After a failure to
 * change them they are of no use but to be freed.
 */
#ifndef VT_STORE_POSTINGS_H
#define VT_STORE_POSTINGS_H

#include "base/snapshot.h"
#include "store/filter.h"
#include "store/store.h"

#include <pthread.h>

/* ---- text_column.c: every distinct text with the products that have it ---- */
typedef struct vt_text_value {
    const char *text;
    vt_idset *products; /* NULL: at most one has it, `only` */
    uint32_t only;      /* 0: none */
    uint32_t hash;      /* of the text */
} vt_text_value;

typedef struct vt_text_column {
    vt_text_value *values;
    size_t count, capacity;
    size_t dead;     /* values that no product has any more */
    uint32_t *slots; /* (slot_count) open-addressing table text -> value + 1 */
    size_t slot_count;
    uint32_t *order; /* (ordered) numbers of values by text; later values are not in it yet */
    size_t ordered;
} vt_text_column;

void vt_text_column_deinit(vt_text_column *column);
/* *value: its number, made when new (its text copied to the arena). */
vt_status vt_text_column_intern(vt_text_column *column, vt_arena *arena, const char *text,
                                uint32_t *value, vt_error *error);
bool vt_text_column_find(const vt_text_column *column, const char *text, uint32_t *value);
/* *added: false when it was there. */
vt_status vt_text_column_add(vt_text_column *column, uint32_t value, uint32_t product, bool *added,
                             vt_error *error);
void vt_text_column_remove(vt_text_column *column, uint32_t value, uint32_t product);
/* Makes `order` hold every value. */
vt_status vt_text_column_sort(vt_text_column *column, vt_error *error);
/* The first place in the order whose text is not below (`after`: is above) this one. */
size_t vt_text_column_bound(const vt_text_column *column, const char *text, bool after);
size_t vt_text_column_bytes(const vt_text_column *column);
/* Fills an empty column with `count` texts that lie one behind the other in `bytes` (length), each
 * with its NUL, in order; they stay there. No products yet. VT_ERR_CORRUPT when it is not so. */
vt_status vt_text_column_fill(vt_text_column *column, const char *bytes, size_t length,
                              size_t count, vt_error *error);

/* ---- number_column.c: numbers in order, at most one per product ---- */
typedef struct vt_number_entry {
    double value;
    uint32_t product;
} vt_number_entry;

typedef struct vt_number_block {
    vt_number_entry *entries; /* (limit) by value, then product */
    size_t count;
    vt_idset *below; /* products in all blocks before this one */
} vt_number_block;

typedef struct vt_number_column {
    vt_number_block *blocks;
    size_t block_count;
    size_t limit;  /* entries a block has room for */
    size_t count;  /* entries in blocks */
    vt_idset *all; /* products in blocks; NULL while there are none */
    vt_number_entry *pending;
    size_t pending_count, pending_capacity;
} vt_number_column;

typedef struct vt_number_place {
    size_t block, at;
} vt_number_place;

void vt_number_column_deinit(vt_number_column *column);
vt_status vt_number_column_add(vt_number_column *column, double value, uint32_t product,
                               vt_error *error); /* pending until settled */
void vt_number_column_remove(vt_number_column *column, double value, uint32_t product);
vt_status vt_number_column_settle(vt_number_column *column, vt_error *error);
/* The first place whose number is not below (`after`: is above) this one. */
vt_number_place vt_number_column_bound(const vt_number_column *column, double value, bool after);
/* How many entries lie in [from, to), when it is no more than `most`; else something above. */
size_t vt_number_column_between(const vt_number_column *column, vt_number_place from,
                                vt_number_place to, size_t most);
/* The products in [from, to); *out is the caller's. */
vt_status vt_number_column_range(const vt_number_column *column, vt_number_place from,
                                 vt_number_place to, vt_idset **out, vt_error *error);
size_t vt_number_column_bytes(const vt_number_column *column);
/* Fills an empty column with entries that are in order. VT_ERR_CORRUPT when they are not. */
vt_status vt_number_column_fill(vt_number_column *column, const vt_number_entry *entries,
                                size_t count, vt_error *error);

/* ---- postings.c ---- */
typedef struct vt_posting_column {
    const char *name;
    vt_idset *present; /* products with a value */
    vt_text_column texts;
    vt_number_column numbers;
    uint64_t numbered; /* the put that gave it a number last */
} vt_posting_column;

typedef struct vt_posting_record {
    uint32_t product; /* 0: free */
    uint32_t at;      /* place of its words + 1; 0: forgotten */
} vt_posting_record;

typedef struct vt_postings {
    vt_arena arena;             /* names and texts */
    vt_posting_column *columns; /* the built-in ones first */
    size_t column_count, column_capacity;
    uint32_t *column_slots; /* open-addressing table name -> column + 1 */
    size_t column_slot_count;
    vt_idset *all;

    /* What each product has, for forgetting it: a count, then per text the column and the value,
     * per number the column with the highest bit set and the two halves of the number. */
    vt_posting_record *records;
    size_t record_count, record_used; /* slots (a power of two), slots taken */
    uint32_t *words;
    size_t word_count, word_capacity, word_waste;

    uint32_t product; /* being put */
    uint64_t puts;
    uint32_t *scratch; /* its words */
    size_t scratch_count, scratch_capacity;

    pthread_mutex_t sort_lock; /* text columns are sorted by the first question that needs it */
} vt_postings;

vt_status vt_postings_new(vt_postings **out, vt_error *error);
void vt_postings_free(vt_postings *postings); /* NULL is fine */
/* One product's values: begin, any number of adds, end. It must not be there (forget it first). */
void vt_postings_begin(vt_postings *postings, uint32_t product);
vt_status vt_postings_add_text(vt_postings *postings, size_t column, const char *text,
                               vt_error *error); /* NULL: nothing */
vt_status vt_postings_add_number(vt_postings *postings, size_t column, double number,
                                 vt_error *error); /* NAN: nothing; a second one: nothing */
vt_status vt_postings_end(vt_postings *postings, vt_error *error);
void vt_postings_forget(vt_postings *postings, uint32_t product); /* fine when it is not there */
/* All of that from a product with key and change. */
vt_status vt_postings_put(vt_postings *postings, const vt_product *product, vt_error *error);
/* After changes, before questions. */
vt_status vt_postings_settle(vt_postings *postings, vt_error *error);
/* The column of an attribute, made when new; SIZE_MAX: hidden by a built-in one. */
vt_status vt_postings_column(vt_postings *postings, const char *attribute, size_t *column,
                             vt_error *error);
bool vt_postings_find_column(const vt_postings *postings, const char *name, size_t *column);
/* More is dead than alive: better built anew. */
bool vt_postings_is_wasteful(const vt_postings *postings);
size_t vt_postings_bytes(vt_postings *postings);
/* Whether both hold the same: VT_ERR_CORRUPT with the first difference. */
vt_status vt_postings_compare(vt_postings *have, vt_postings *want, vt_error *error);
/* The column's texts in order. */
vt_status vt_postings_sorted(vt_postings *postings, size_t column, vt_error *error);

/* What is noted of a product: a count, then so many words; NULL: it is not there. */
const uint32_t *vt_postings_record(const vt_postings *postings, uint32_t product);
/* Fills empty postings with products, ascending, and their records, one behind the other, which are
 * taken (vt_alloc) when it succeeds. VT_ERR_CORRUPT when they name what there is not. `pairs`:
 * (columns) counts how many texts the products have in each. */
vt_status vt_postings_fill(vt_postings *postings, const uint32_t *products, size_t count,
                           uint32_t *words, size_t word_count, uint64_t *pairs, vt_error *error);

/* ---- postings_save.c, postings_load.c: in a snapshot file (docs/formats/postings.md) ---- */
extern const vt_snapshot_kind vt_postings_kind;
/* Writes all sections. Postings that are settled; they must not change meanwhile, but may be asked.
 * What the writer remembers is told by its commit, VT_ERR_NO_MEMORY here. */
vt_status vt_postings_save(vt_postings *postings, vt_snapshot_writer *writer, vt_error *error);
/* VT_ERR_CORRUPT when the file is damaged or says what cannot be. */
vt_status vt_postings_load(const vt_snapshot *file, vt_pool *pool, vt_postings **out,
                           vt_error *error);

/* ---- postings_names.c ---- */
/* The column that is called so, or is when case does not matter (unless `quoted`). A failure is
 * VT_ERR_USAGE with near names; `where` begins its message. */
vt_status vt_postings_resolve(const vt_postings *postings, const char *name, bool quoted,
                              const char *where, size_t *column, vt_error *error);

/* ---- postings_filter.c ---- */
/* Resolves the filter's names, then *out: the products it is true for, the caller's. */
vt_status vt_postings_filter(vt_postings *postings, vt_filter *filter, vt_idset **out,
                             vt_error *error);

/* ---- postings_select.c ---- */
/* As vt_store_select. */
vt_status vt_postings_select(vt_postings *postings, const vt_select *what, vt_arena *arena,
                             vt_selection *out, vt_error *error);

#endif
