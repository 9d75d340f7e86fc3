/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products in groups that look alike, and what each group is about.
 *
 *     vt_search_cluster(&searcher, &options, &clusters, error);
 *     vt_search_clusters_free(clusters);
 *
 *     cluster.c            the order of it; the answer
 *     cluster_products.c   products that pass the filter: directions, and what is said of them
 *     cluster_groups.c     directions -> groups, by k-means or as a tree; how many
 *     cluster_terms.c      what is said of products -> what is telling of a group
 *
 * Threads: a run belongs to one thread, and uses the searcher's pool.
 */
#ifndef VT_SEARCH_CLUSTER_H
#define VT_SEARCH_CLUSTER_H

#include "search/search.h"

enum {
    VT_CLUSTER_MAX_K = 10000,
    VT_CLUSTER_MAX_TREE_GROUPS = 2000,
    VT_CLUSTER_MAX_CHOSEN = 100, /* the largest number that is chosen here */
    VT_CLUSTER_TREE_ROWS = 4096, /* products that a tree is made of directly */
    VT_CLUSTER_SAMPLE = 4096     /* products that a silhouette is measured on */
};

vt_status vt_search_cluster(const vt_searcher *searcher, const vt_cluster_options *options,
                            vt_clusters **out, vt_error *error);
void vt_search_clusters_free(vt_clusters *clusters);

/* ---- inside src/search ---- */

/* An attribute's value or a word of titles, and how many products have it. */
typedef struct vt_cluster_word {
    const char *name, *value;
    uint32_t products;
} vt_cluster_word;

/* Open-addressing table of words; what has no room is left out. */
typedef struct vt_vocabulary {
    vt_cluster_word *words; /* (count), owned */
    size_t count, capacity;
    uint32_t *slots; /* (slot_count) word + 1; 0: free */
    size_t slot_count;
} vt_vocabulary;

typedef struct vt_cluster_products {
    vt_arena arena; /* texts */
    size_t count, dim;
    float *vectors;             /* (count, dim), of length 1 */
    vt_cluster_member *members; /* (count) */
    vt_vocabulary vocabulary;
    uint32_t *words; /* (word_count) of all products, each one's ascending */
    size_t word_count, word_capacity;
    size_t *starts; /* (count + 1) of each product's */
    uint64_t left_out;
} vt_cluster_products;

/* Zeroed before; deinit in any case. */
vt_status vt_cluster_products_read(const vt_searcher *searcher, const vt_cluster_options *options,
                                   vt_cluster_products *out, vt_error *error);
void vt_cluster_products_deinit(vt_cluster_products *products);

/* Appends what is said of this product, each once, to products->words. */
vt_status vt_cluster_words_add(vt_cluster_products *products, const vt_product *product,
                               vt_error *error);
void vt_vocabulary_deinit(vt_vocabulary *vocabulary);

/* Two groups that were joined: below `group_count` a group, above it a join before. */
typedef struct vt_cluster_join {
    uint32_t parts[2];
} vt_cluster_join;

typedef struct vt_cluster_grouping {
    size_t group_count;
    uint32_t *labels;       /* (products->count) */
    vt_cluster_join *joins; /* (group_count - 1) of a tree; NULL otherwise */
    double silhouette;
    const char *method;
} vt_cluster_grouping;

/* Zeroed before; deinit in any case. */
vt_status vt_cluster_group_products(const vt_searcher *searcher, const vt_cluster_options *options,
                                    const vt_cluster_products *products, vt_cluster_grouping *out,
                                    vt_error *error);
void vt_cluster_grouping_deinit(vt_cluster_grouping *grouping);

/* The most telling words of the group of these products. counts: (vocabulary.count) zeroes, which
 * they are again afterwards; terms: (VT_CLUSTER_TERMS). How many there are. */
enum { VT_CLUSTER_TERMS = 8 };
size_t vt_cluster_terms(const vt_cluster_products *products, const uint32_t *group, size_t size,
                        uint32_t *counts, vt_cluster_term *terms);
/* "Shoes, red": of the terms, or of the medoid where there are none; NULL: no memory. */
const char *vt_cluster_label(vt_arena *arena, const vt_cluster_term *terms, size_t count,
                             const vt_cluster_member *medoid);

#endif
