/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vitrine - visual product search: the public interface, whole, in one header.
 *
 * A *shop* is a directory with a catalogue of products, their pictures and one vector per picture.
 * The smallest correct use (every call returns a vt_status; `error` may be NULL everywhere):
 *
 *     vt_error error;
 *     vt_shop *shop;
 *     vt_answer *answer;
 *     vt_query query = vt_query_defaults();
 *     vt_photo photo = {.path = "photo.jpg"};
 *     query.photos = &photo;
 *     query.photo_count = 1;
 *     if (vt_shop_open("my.shop", VT_OPEN_READ, &shop, &error) != VT_OK)
 *         fprintf(stderr, "%s\n", error.message);
 *     vt_shop_search(shop, &query, &answer, &error);
 *     for (size_t i = 0; i < answer->count; i++)
 *         printf("%.3f %s\n", answer->results[i].similarity, answer->results[i].product->title);
 *     vt_answer_free(answer);
 *     vt_shop_close(shop);
 *
 * Threads: one shop may be searched from many threads at once, also while one puts, removes or
 * imports products, one import at a time, or promotes another encoder; close needs it alone.
 * Ownership: what a function hands out through a `**out` is the caller's, to be released with the
 * `_free` or `_close` of the same noun; everything else that is returned or passed is borrowed.
 * Out-parameters are untouched when a call fails. Strings are UTF-8.
 */
#ifndef VITRINE_H
#define VITRINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define VT_API                 __attribute__((visibility("default")))
#define VT_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define VT_API
#define VT_PRINTF(format, first)
#endif

/* ---------------------------------------------------------------------------------- status */

/* Every code: name, text, HTTP status, exit code of the program. */
#define VT_STATUS_TABLE(X)                                                                         \
    X(VT_OK, "ok", 200, 0)                                                                         \
    X(VT_ERR_INTERNAL, "internal error", 500, 1)                                                   \
    X(VT_ERR_USAGE, "invalid argument", 400, 2)                                                    \
    X(VT_ERR_NOT_FOUND, "not found", 404, 3)                                                       \
    X(VT_ERR_EXISTS, "already exists", 409, 4)                                                     \
    X(VT_ERR_FORMAT, "malformed input", 422, 5)                                                    \
    X(VT_ERR_UNSUPPORTED, "not supported", 415, 6)                                                 \
    X(VT_ERR_LIMIT, "over a limit", 413, 7)                                                        \
    X(VT_ERR_DENIED, "not allowed", 403, 8)                                                        \
    X(VT_ERR_IO, "input or output failed", 500, 9)                                                 \
    X(VT_ERR_CORRUPT, "damaged data", 500, 10)                                                     \
    X(VT_ERR_MISMATCH, "does not match", 500, 11)                                                  \
    X(VT_ERR_BUSY, "in use", 503, 12)                                                              \
    X(VT_ERR_CANCELLED, "cancelled", 499, 13)                                                      \
    X(VT_ERR_NO_MEMORY, "out of memory", 503, 14)

typedef enum vt_status {
#define VT_STATUS_ENUM(name, text, http, exit_code) name,
    VT_STATUS_TABLE(VT_STATUS_ENUM)
#undef VT_STATUS_ENUM
        VT_STATUS_COUNT
} vt_status;

/* What went wrong, on what, and why. Belongs to the caller; any function takes NULL instead. */
typedef struct vt_error {
    vt_status status;
    char message[512]; /* lower case, no full stop, always terminated */
} vt_error;

VT_API const char *vt_status_text(vt_status status);
VT_API int vt_status_http(vt_status status);
VT_API int vt_status_exit_code(vt_status status);

VT_API const char *vt_version(void);

/* Releases what an API function handed out as plain memory. NULL is fine. */
VT_API void vt_release(void *memory);

/* Log lines of the library go to this sink; without one they are dropped. Set it before other
 * calls. level: 0 debug, 1 info, 2 warning, 3 error. */
VT_API void vt_set_log(void (*sink)(void *context, int level, const char *line), void *context,
                       int minimum_level);

/* Called now and then by everything that takes long; total 0: not known yet. false cancels. */
typedef bool vt_on_progress(void *context, uint64_t done, uint64_t total);

/* -------------------------------------------------------------------------------- products */

typedef struct vt_hash {
    uint8_t bytes[32]; /* BLAKE2b-256 */
} vt_hash;

typedef enum vt_attribute_kind {
    VT_ATTRIBUTE_TEXT,
    VT_ATTRIBUTE_NUMBER,
    VT_ATTRIBUTE_LIST
} vt_attribute_kind;

typedef struct vt_attribute {
    const char *name;
    vt_attribute_kind kind;
    const char *text;         /* TEXT */
    double number;            /* NUMBER */
    const char *const *items; /* LIST: (item_count) texts */
    size_t item_count;
} vt_attribute;

typedef struct vt_picture {
    uint32_t key;       /* given by the store; 0 in what is put */
    const char *source; /* path or address as in the feed */
    vt_hash hash;       /* of the encoded bytes; names the thumbnail */
    uint64_t phash;     /* perceptual hash */
    int width, height;  /* of the full upright picture */
    uint64_t file_bytes;
    const float *vector; /* (dimension of the model); NULL in what is got */
} vt_picture;

typedef struct vt_product {
    uint32_t key;   /* given by the store; 0 in what is put */
    const char *id; /* the shop's own, unique, not empty */
    const char *title, *description, *category, *brand, *link; /* NULL: none */
    double price;                                              /* NAN: none */
    const char *currency;                                      /* ISO 4217, NULL: none */
    const vt_attribute *attributes;
    size_t attribute_count;
    const vt_picture *pictures; /* first: the main one */
    size_t picture_count;
    vt_hash content; /* of everything that was imported: equal means unchanged */
    uint64_t change; /* change number of its last write; given by the store */
} vt_product;

/* ------------------------------------------------------------------------------------ shop */

typedef struct vt_shop vt_shop;

/* A *precision*, wherever one is asked for, is a text: "f32", "bf16", "int8", or "auto" (also
 * NULL): the fastest on this machine whose vector of the model's golden picture has cosine 0.999 or
 * more with the one in f32 (docs/models.md). Anything else is VT_ERR_USAGE. */

typedef struct vt_init_options {
    const char *model;  /* "vitrine-s", the network that the library brings, "classic", which needs
                           none, or the path of an ONNX file; networks are copied into the shop */
    const char *preset; /* how pictures become its input, where the file does not say so itself:
                           imagenet, caffe, clip, siglip, dinov2, none; NULL: the file says */
    const char *output; /* value that is the embedding; NULL: chosen (see docs/models.md) */
    const char *precision; /* what the network is to compute in; kept in the shop's settings */
} vt_init_options;
VT_API vt_init_options vt_init_options_defaults(void); /* vitrine-s */

/* Makes a shop in `directory`, which must not hold one (VT_ERR_EXISTS). */
VT_API vt_status vt_shop_init(const char *directory, const vt_init_options *options,
                              vt_error *error);

typedef enum vt_open_mode { VT_OPEN_READ, VT_OPEN_WRITE } vt_open_mode;
VT_API vt_status vt_shop_open(const char *directory, vt_open_mode mode, vt_shop **out,
                              vt_error *error);
VT_API void vt_shop_close(vt_shop *shop); /* NULL is fine */

/* Computes in this precision from here on, whatever the settings say, which stay as they are; NULL:
 * what they say. Nobody else may be using the shop. */
VT_API vt_status vt_shop_use_precision(vt_shop *shop, const char *precision, vt_error *error);
/* The one that is computed in: "f32", "bf16" or "int8" (constants); NULL while no network is loaded
 * (nothing was embedded yet, or the encoder has none). */
VT_API const char *vt_shop_precision(vt_shop *shop);

typedef struct vt_shop_info {
    uint64_t products, pictures, vectors, change;
    uint64_t database_bytes;
    const char *directory, *driver, *model, *version; /* borrowed, as categories are */
    size_t dimension;
    char model_fingerprint[65];
    const char *precision; /* as asked for in the settings */
    /* What "auto" came to when last noted there (at init or import): */
    const char *auto_precision; /* NULL: not noted, or nothing to choose */
    double auto_similarity;     /* of the golden picture's vector; NAN: nothing was compared */
    const char *auto_refused;   /* faster ones and why they were left; "": none */
    const char *auto_machine;   /* kind of machine it holds for */
    struct vt_category_count {
        const char *category;
        uint64_t products;
    } * categories; /* most first, borrowed until the shop's next call of vt_shop_info or its end */
    size_t category_count;
} vt_shop_info;
VT_API vt_status vt_shop_info_of(vt_shop *shop, vt_shop_info *out, vt_error *error);
/* The database's integrity and ours: VT_ERR_CORRUPT with the first fault. */
VT_API vt_status vt_shop_check(vt_shop *shop, vt_error *error);

/* *out: the product and everything it points to; vt_product_free. */
VT_API vt_status vt_shop_get(vt_shop *shop, const char *product, vt_product **out, vt_error *error);
VT_API void vt_product_free(vt_product *product);
VT_API vt_status vt_shop_remove(vt_shop *shop, const char *product, vt_error *error);
/* *jpeg: the thumbnail named by a picture's hash; vt_release. */
VT_API vt_status vt_shop_thumbnail(vt_shop *shop, const vt_hash *hash, void **jpeg, size_t *length,
                                   vt_error *error);
/* The same, shrunk to this width where it is wider; width_px 0: as it is. */
VT_API vt_status vt_shop_picture(vt_shop *shop, const vt_hash *hash, int width_px, void **jpeg,
                                 size_t *length, vt_error *error);

/* ---------------------------------------------------------------------------------- import */

typedef struct vt_import_options {
    const char *images_dir;   /* NULL: where the feed lies */
    const char *rejects_path; /* CSV of what was rejected and why; NULL: rejects.csv in the shop */
    const char
        *duplicates_path; /* CSV of equal and nearly equal pictures; NULL: duplicates.csv there */
    int jobs;             /* workers; 0: chosen from the cores */
    bool product_per_folder;  /* folders: each leaf folder is one product */
    bool no_remote;           /* do not fetch http(s) addresses */
    bool allow_private_hosts; /* fetch them also from loopback and private networks */
    /* "import" of products, then "index" of vectors; NULL: all is one, of products */
    void (*on_phase)(void *context, const char *phase, const char *unit);
    vt_on_progress *on_progress; /* within a phase; may be NULL */
    void *context;
} vt_import_options;
VT_API vt_import_options vt_import_options_defaults(void);

typedef struct vt_import_report {
    uint64_t rows;                         /* products met in the feed */
    uint64_t imported, updated, unchanged; /* imported: new ones */
    uint64_t rejected_rows;                /* products that were not imported */
    uint64_t rejected_pictures;            /* pictures left out, also of imported products */
    uint64_t pictures;                     /* embedded and stored in this run */
    uint64_t exact_duplicates, near_duplicates;
    char first_reject[256]; /* "" when none */
    double took_s;
    bool cancelled;
} vt_import_report;

/* source: CSV, TSV, JSON Lines, or a folder (docs/formats/feed.md). *report is filled also when the
 * import fails part way: everything it counts as imported is stored. */
VT_API vt_status vt_shop_import(vt_shop *shop, const char *source, const vt_import_options *options,
                                vt_import_report *report, vt_error *error);

/* ---------------------------------------------------------------------------------- search */

/* A picture from outside: a file, or bytes in memory when path is NULL. */
typedef struct vt_photo {
    const char *path;
    const void *bytes;
    size_t length;
} vt_photo;

/* A product of the shop as an example of what is looked for. */
typedef struct vt_like {
    const char *product; /* id */
    double weight;       /* 1: as much as a photo; negative: less like it; not 0 */
} vt_like;

/* How one photo of a query counts. */
typedef struct vt_view {
    int x, y, width, height; /* of the photo, in pixels; width 0: as the query's crop says */
    double weight;           /* as a liked product's */
} vt_view;

typedef struct vt_query {
    const vt_photo *photos; /* several: views of one thing, their vectors are averaged */
    size_t photo_count;
    const vt_view *views; /* (photo_count); NULL: each counts 1, by the crop */
    int crop_x, crop_y, crop_width, crop_height; /* of each photo, in pixels; width 0: all of it */
    size_t top;                                  /* products wanted, 1 to 10000 */
    double min_similarity;                       /* cosine; below it nothing is an answer */
    const vt_like *likes;                        /* with the photos or without any */
    size_t like_count;
    const char *where;         /* filter (docs/filters.md); NULL or "": every product */
    size_t offset;             /* of the best products so many are left out, up to 1000000 */
    const char *const *facets; /* names of attributes whose values are to be counted */
    size_t facet_count;        /* up to 64 */
    size_t facet_top;          /* values of each, most products first; 0: 10 */
    bool exact;                /* look at every vector that the filter leaves */
    bool explain;              /* vt_result.shares and text_fields are wanted */
    const char *text;          /* words that answers must have (docs/text.md); NULL or "": none.
                                  Without photo and product they are ranked by these words */
    const char *sort; /* NULL or "similarity": best first; or an attribute's name, "-name" or
                         "name:desc" for the reverse. With a photo or product the 1000 most
                         similar are put in order, otherwise all; those without a value
                         come last */
} vt_query;
VT_API vt_query vt_query_defaults(void); /* no photo, whole, 10, -1; nothing else */

/* Where words of vt_query.text stand. */
typedef enum vt_text_field {
    VT_TEXT_TITLE = 1,
    VT_TEXT_CATEGORY = 2,
    VT_TEXT_ATTRIBUTES = 4, /* or the brand */
    VT_TEXT_DESCRIPTION = 8
} vt_text_field;

typedef struct vt_result {
    const vt_product *product;
    const vt_picture *picture; /* the one that matched best; by words alone: the main one */
    double similarity;         /* cosine, -1 to 1; NAN: by words alone */
    double text_score;         /* bm25, larger is better; NAN: not by words alone */
    unsigned text_fields;      /* bits of vt_text_field; 0: no words, or not asked for */
    /* (photo_count + like_count): what each photo, then each liked product adds to the similarity;
     * together they are it, up to the precision that vectors are stored in. NULL: not asked for. */
    const double *shares;
} vt_result;

/* How many of the products that pass the filter have each value of an attribute. */
typedef struct vt_facet_value {
    const char *text; /* NULL: a number */
    double number;
    uint64_t products;
} vt_facet_value;

typedef struct vt_facet {
    const char *name;
    vt_facet_value *values; /* most products first, equal ones by value */
    size_t count;
    uint64_t distinct;       /* values that products of this answer have, also those not listed */
    uint64_t products;       /* that have a value at all */
    double minimum, maximum; /* of the numbers; NAN: there are none */
} vt_facet;

typedef struct vt_answer {
    vt_result *results; /* in the order asked for, equal ones by product key; rank: offset + index
                           + 1 */
    size_t count;
    const char
        *strategy;     /* how the neighbours were found: "exact", "walk", "checked walk", "filtered
                          walk", "lists", "filtered lists", "estimated", or a walk or lists with
                          ", then exact" or ", then estimated" (docs/index.md); "words"; static */
    bool complete;     /* no better product exists */
    uint64_t matched;  /* products that pass the filter and have the words, however similar */
    uint64_t searched; /* vectors compared with the query */
    uint64_t visited;  /* vectors looked at, also those that the filter refused then */
    vt_facet *facets;  /* as asked for; of all that pass the filter */
    size_t facet_count;
    double decode_ms, embed_ms, filter_ms, search_ms, total_ms;
} vt_answer;

/* The products most similar to the photos, the liked products, or their weighted sum, of those that
 * have the words where there are some; or, by words alone, those that fit these best: unit vectors
 * are added, a product's being the mean direction of its pictures. Liked products are no answers
 * themselves. Exactly `top` products come when so many pass filter and minimum after `offset`. */
VT_API vt_status vt_shop_search(vt_shop *shop, const vt_query *query, vt_answer **out,
                                vt_error *error);
VT_API void vt_answer_free(vt_answer *answer);

/* ---------------------------------------------------------------------------------- events */

typedef enum vt_event_kind {
    VT_EVENT_VIEW, /* a product was shown */
    VT_EVENT_CLICK,
    VT_EVENT_CART,
    VT_EVENT_PURCHASE,
    VT_EVENT_KINDS
} vt_event_kind;

/* What a shopper did. */
typedef struct vt_event {
    vt_event_kind kind;
    const char *product;
    const char *search;  /* the answer that led there: 32 hex digits; NULL: none */
    int position;        /* of the product in it, from 1; 0: not told */
    const char *session; /* what tells one visit from others; only a tag of it is stored. NULL: not
                            told */
    int64_t time_ms;     /* since 1970; 0: now */
} vt_event;

enum { VT_EVENTS_MAX = 1000, VT_EVENT_MAX_POSITION = 10000, VT_EVENT_MAX_SESSION_BYTES = 256 };

/* Adds events to the shop's events.db, which is made when there is none; whatever way the shop was
 * opened. Each is checked by itself: verdicts (count) says whether it was stored (status VT_OK,
 * VT_ERR_USAGE, VT_ERR_NOT_FOUND: the product) and why not. Those that are good are durable when it
 * returns VT_OK, and none is stored otherwise. count 0: only sees to it that there is a file. */
VT_API vt_status vt_shop_add_events(vt_shop *shop, const vt_event *events, size_t count,
                                    vt_error *verdicts, vt_error *error);
/* "view", "click", "cart", "purchase". */
VT_API const char *vt_event_kind_name(vt_event_kind kind);

typedef struct vt_event_position {
    int position;
    uint64_t views, clicks; /* a product counts once per search */
} vt_event_position;

typedef struct vt_event_product {
    const char *product, *title; /* title NULL: it has none, or is gone */
    bool gone;                   /* the shop does not have it any more */
    uint64_t events;
} vt_event_product;

typedef struct vt_event_search {
    char search[33];
    int64_t time_ms; /* of its first event */
    uint64_t views;
} vt_event_search;

typedef struct vt_event_report_options {
    int64_t since_ms; /* only events from here on; 0: all */
    size_t top;       /* products and searches listed, up to 1000 */
} vt_event_report_options;
VT_API vt_event_report_options vt_event_report_options_defaults(void); /* all, 10 */

typedef struct vt_event_report {
    uint64_t counts[VT_EVENT_KINDS];
    uint64_t sessions;
    int64_t first_ms, last_ms;          /* 0: there is no event */
    const vt_event_position *positions; /* the first hundred that occur */
    size_t position_count;
    const vt_event_product *clicked, *bought; /* most often first */
    size_t clicked_count, bought_count;
    uint64_t searches, unclicked;              /* that events name; of them without any but views */
    const vt_event_search *searches_unclicked; /* newest first */
    size_t unclicked_count;
} vt_event_report;

/* *out: vt_event_report_free. */
VT_API vt_status vt_shop_report_events(vt_shop *shop, const vt_event_report_options *options,
                                       vt_event_report **out, vt_error *error);
VT_API void vt_event_report_free(vt_event_report *report);
/* Removes the events before this time; *removed: how many there were. */
VT_API vt_status vt_shop_prune_events(vt_shop *shop, int64_t before_ms, uint64_t *removed,
                                      vt_error *error);
/* Removes what was done in this session. */
VT_API vt_status vt_shop_forget_session(vt_shop *shop, const char *session, uint64_t *removed,
                                        vt_error *error);

/* ----------------------------------------------------------------------------------- index */

/* What finds the nearest (docs/index.md). It is derived from the catalogue, kept in step with it,
 * and made again whenever it is missing or damaged: none of these calls is ever needed. */

enum { VT_INDEX_WHY = 200 }; /* bytes of a reason */

typedef struct vt_index_options {
    const char *kind;            /* "graph", "ivf" (inverted lists) or "exact" (neither, and what
                                    there was on disk is taken away); NULL, "auto": by number,
                                    dimension and memory */
    uint64_t memory_bytes;       /* what it may take; 0: half of what the machine has */
    vt_on_progress *on_progress; /* vectors; may be NULL */
    void *context;
    char *why; /* (VT_INDEX_WHY) filled when it is built: why it became what it is; may be NULL */
} vt_index_options;

/* Builds it anew and writes its snapshot. Also beside a process that writes to the shop. Cancelled:
 * VT_ERR_CANCELLED, and everything is as it was. VT_ERR_USAGE for a kind that there is not;
 * VT_ERR_LIMIT where one that was asked for does not fit the memory, or the vectors have too many
 * dimensions. What was built once is kept in step and stays what it is until it is built again. */
VT_API vt_status vt_shop_index_build(vt_shop *shop, const vt_index_options *options,
                                     vt_error *error);

typedef struct vt_index_info {
    const char *kind;  /* "graph", "ivf" or "exact": what answers; static text, like the codecs */
    const char *codec; /* of graph or lists that there are, or of the vectors that are scanned */
    const char *wanted_kind, *wanted_codec; /* what is chosen for so many vectors */
    char why[VT_INDEX_WHY];                 /* and why */
    uint64_t vectors, products, dimension;
    uint64_t degree;                                /* of the graph; 0: there is none */
    uint64_t lists;                                 /* inverted lists; 0: there are none */
    uint64_t graph_bytes, list_bytes, vector_bytes; /* in memory */
    bool resident;                                  /* vectors are in memory besides */
    uint64_t change, newest;                        /* changes it contains, and those there are */
    bool snapshot;                                  /* there is a file: */
    uint64_t snapshot_bytes, snapshot_change;
    char snapshot_fault[256]; /* why it could not be used; "": it could */
} vt_index_info;
VT_API vt_status vt_shop_index_info(vt_shop *shop, vt_index_info *out, vt_error *error);

/* How it is measured. */
typedef struct vt_index_measure {
    size_t queries; /* vectors of the shop, moved a little at random */
    void (*on_phase)(void *context, const char *phase, const char *unit); /* may be NULL */
    vt_on_progress *on_progress; /* within a phase; not to call the shop again. May be NULL */
    void *context;
} vt_index_measure;

typedef struct vt_index_check {
    size_t queries, k;    /* k: 10, or all products where there are fewer */
    double recall;        /* of search as it is today against the exact scan */
    double worst;         /* of a single query */
    const char *strategy; /* that answered; static text */
    double mean_visited;  /* vectors compared */
} vt_index_check;
/* Holds the index to the catalogue, every row (VT_ERR_CORRUPT with the first difference), and
 * measures its recall. Phases: "check" of vectors, "recall" of queries. Cancelled:
 * VT_ERR_CANCELLED. */
VT_API vt_status vt_shop_index_check(vt_shop *shop, const vt_index_measure *how,
                                     vt_index_check *out, vt_error *error);

enum { VT_INDEX_BENCH_CAPACITY = 24 };
typedef struct vt_index_bench {
    struct vt_index_bench_row {
        const char *strategy; /* that answered; static text */
        double share;         /* of the products that were allowed to answer */
        double rate;          /* queries per second, one thread */
        double expected_rate; /* that the planner reckons with */
        double recall;        /* @10 */
        double mean_visited;
    } rows[VT_INDEX_BENCH_CAPACITY];
    size_t count, queries;
} vt_index_bench;
/* Every strategy that can be, with so many queries, one after another. One phase, "bench" of
 * queries. Cancelled: VT_ERR_CANCELLED. */
VT_API vt_status vt_shop_index_bench(vt_shop *shop, const vt_index_measure *how,
                                     vt_index_bench *out, vt_error *error);

/* ------------------------------------------------------------------------------------ list */

typedef struct vt_list_options {
    const char *where; /* filter (docs/filters.md); NULL or "": every product */
    const char *sort;  /* an attribute's name, perhaps as "price:desc" or "-price"; NULL:
                          as products came in. Products without a value come last, equal ones as
                          they came in (":desc": in reverse) */
    size_t top;        /* products wanted, up to 10000; 0: none, only counts */
    size_t offset;     /* so many are left out first */
    const char *const *facets;
    size_t facet_count, facet_top; /* as in vt_query */
} vt_list_options;
VT_API vt_list_options vt_list_options_defaults(void); /* all, as they came in, 10 from 0 */

typedef struct vt_list {
    vt_product *products;
    size_t count;
    uint64_t matched; /* products that pass the filter */
    uint64_t total;   /* products of the shop */
    vt_facet *facets;
    size_t facet_count;
    double filter_ms, total_ms;
} vt_list;

/* Products without any photo: *out, vt_list_free. */
VT_API vt_status vt_shop_list(vt_shop *shop, const vt_list_options *options, vt_list **out,
                              vt_error *error);
VT_API void vt_list_free(vt_list *list);

/* A small JPEG of a photo, for showing; *jpeg: vt_release. */
VT_API vt_status vt_photo_thumbnail(const vt_photo *photo, int side_px, void **jpeg, size_t *length,
                                    vt_error *error);

/* ---------------------------------------------------------------------------------- groups */

typedef struct vt_cluster_options {
    size_t k;   /* groups wanted, up to 10000 (a tree: 2000); 0: as many as have the best
                   silhouette, up to 100 */
    bool tree;  /* group by joining, and say what was joined further until one group was left */
    double cut; /* of a tree: groups go on being joined while the mean similarity between them is
                   no less than this; NAN: down to k */
    const char *linkage; /* of a tree: "average" or "ward"; NULL: average where there is a cut,
                            which needs it, otherwise ward */
    const char *where;   /* filter (docs/filters.md); NULL or "": every product */
    uint64_t seed;       /* of everything random: the same gives the same groups */
    void (*on_phase)(void *context, const char *phase, const char *unit); /* may be NULL */
    vt_on_progress *on_progress; /* within a phase; may be NULL */
    void *context;
} vt_cluster_options;
VT_API vt_cluster_options vt_cluster_options_defaults(void); /* k-means, k 0, cut NAN, seed 1 */

/* What products of a group have in common more than others have. */
typedef struct vt_cluster_term {
    const char *name; /* of the attribute; "title": a word of it */
    const char *value;
    uint64_t inside, outside; /* products that have it, in the group and in the rest */
    double score;             /* log odds ratio in standard deviations (docs/clusters.md) */
} vt_cluster_term;

typedef struct vt_cluster_member {
    const char *product, *title; /* id; NULL: no title */
    vt_hash picture;             /* of the main picture: names the thumbnail */
    double similarity;           /* cosine with the group's mean direction */
} vt_cluster_member;

typedef struct vt_cluster_group {
    const char *label;      /* of its terms; of its medoid's title where nothing is telling */
    vt_cluster_term *terms; /* most telling first */
    size_t term_count;
    size_t size;                /* products */
    double tightness;           /* mean cosine between two of them; 1 of a single one */
    vt_cluster_member medoid;   /* the product most similar to all others of the group */
    vt_cluster_member *members; /* (size) most typical first; NULL: a joined group, see its parts */
    size_t parts[2];            /* of a joined group: indices of groups */
    double similarity;          /* of a joined group: mean cosine between its parts */
} vt_cluster_group;

typedef struct vt_clusters {
    vt_cluster_group *groups; /* (node_count): `count` groups, largest first, then joined ones, the
                                 last of which is all */
    size_t count, node_count;
    uint64_t products;  /* that were grouped */
    uint64_t left_out;  /* that pass the filter, but have no vectors */
    double silhouette;  /* mean, of a sample; NAN: there is one group only */
    const char *method; /* "k-means", "average linkage", "ward linkage of k-means" ... */
    bool chosen;        /* the number of groups was chosen here */
    double read_ms, group_ms, name_ms, total_ms;
} vt_clusters;

/* Groups of products that look alike; a product counts as the mean direction of its pictures. *out:
 * vt_clusters_free. VT_ERR_NOT_FOUND when no product passes the filter and has a vector. */
VT_API vt_status vt_shop_cluster(vt_shop *shop, const vt_cluster_options *options,
                                 vt_clusters **out, vt_error *error);
VT_API void vt_clusters_free(vt_clusters *clusters);

/* ------------------------------------------------------------------------------------ eval */

enum { VT_EVAL_MAX_K = 16 };

typedef struct vt_eval_options {
    const char *images_dir;  /* NULL: where the CSV lies */
    size_t k[VT_EVAL_MAX_K]; /* ascending */
    size_t k_count;
    vt_on_progress *on_progress; /* queries; may be NULL */
    void *context;
} vt_eval_options;
VT_API vt_eval_options vt_eval_options_defaults(void); /* 1, 5, 10 */

typedef struct vt_eval_report {
    size_t queries;
    size_t k[VT_EVAL_MAX_K], k_count;
    double recall[VT_EVAL_MAX_K], precision[VT_EVAL_MAX_K], map, mrr;
    size_t depth; /* ranks looked at for map and mrr */
    struct vt_eval_category {
        const char *category;
        size_t queries;
        double recall[VT_EVAL_MAX_K];
    } * categories;
    size_t category_count;
    struct vt_eval_failure {
        const char *photo, *reason;
    } * failed; /* queries left out */
    size_t failed_count;
    double took_s;
    const char *computed_in; /* as vt_shop_precision has it; `precision` is the measure */
    const char *json;        /* all of it as one document */
} vt_eval_report;

/* queries: CSV with the columns photo, product and perhaps category. Measures are defined in
 * docs/evaluation.md. */
VT_API vt_status vt_shop_eval(vt_shop *shop, const char *queries, const vt_eval_options *options,
                              vt_eval_report **out, vt_error *error);
VT_API void vt_eval_report_free(vt_eval_report *report);

/* What a model is worth on photos with labels. */
enum { VT_EVAL_MAX_LABELS = 16 };
typedef struct vt_model_eval_options {
    const char *labels[VT_EVAL_MAX_LABELS]; /* columns of a manifest, or category, product,
                                               attribute of a shop: each is measured */
    size_t label_count;                     /* 0: those of the model's heads where they have names,
                                               else the usual one, as for vt_train */
    const char *split;      /* "train", "val", "test", "all"; NULL: val, where there is none test,
                               where there is none all */
    const char *images_dir; /* as for vt_train */
    /* Whose photos are searched; both NULL: the same ones, each without itself. */
    const char *against;       /* other data; NULL: other photos of the same data */
    const char *against_split; /* NULL: all */
    const char *against_images_dir;
    size_t k[VT_EVAL_MAX_K]; /* ascending */
    size_t k_count;
    const char *report; /* HTML file to write; NULL: none */
    /* phase: "embed" or "compare"; false cancels. May be NULL. */
    bool (*on_progress)(void *context, const char *phase, uint64_t done, uint64_t total);
    void *context;
} vt_model_eval_options;
VT_API vt_model_eval_options vt_model_eval_options_defaults(void); /* 1, 5, 10 */

typedef struct vt_model_eval_report {
    size_t photos, gallery; /* measured; searched in, 0: the same ones */
    size_t dimension;
    const char *computed_in; /* NULL: the encoder has no network */
    size_t k[VT_EVAL_MAX_K], k_count, depth;
    struct vt_eval_label { /* by nearest neighbours, for each of the options' labels */
        const char *name;
        size_t values;  /* different ones */
        size_t queries; /* photos that are counted */
        size_t alone;   /* that are not: nothing that is searched has their label */
        double recall[VT_EVAL_MAX_K], precision[VT_EVAL_MAX_K], map, mrr;
        double accuracy; /* of the label that the 10 nearest vote for */
        struct vt_eval_category *categories;
        size_t category_count;
    } * labels;
    size_t label_count;
    /* What the model's own classes are worth: of its only head, or of the first with a name that
     * could be measured; `heads` has all of them. */
    const char *unclassified;   /* why they were not measured; NULL: they were */
    const char *classes_of;     /* the label that they are */
    size_t classified, unknown; /* photos; unknown: whose label is none of the model's classes */
    double accuracy, top5, f1;
    struct vt_eval_class {
        const char *name;
        size_t photos, named; /* truly of it; named so */
        double precision, recall, f1;
    } * classes; /* that photos have or that were named */
    size_t class_count;
    struct vt_eval_classes { /* the same by head */
        const char *head;    /* "": the only one, without a name */
        bool several; /* a photo has any number of its classes; accuracy: all of them right */
        const char *unclassified, *label;
        size_t classified, unknown, unlabelled; /* unlabelled: photos without any value */
        double accuracy, top5, f1;              /* top5 NAN with several */
        struct vt_eval_class *classes;
        size_t class_count;
    } * heads;
    size_t head_count;
    struct vt_eval_failure *failed; /* photos left out */
    size_t failed_count;
    double took_s;
    const char *json; /* all of it as one document */
} vt_model_eval_report;

/* encoder->model: as for vt_shop_init. data: as for vt_train. Measures are defined in
 * docs/evaluation.md. */
VT_API vt_status vt_model_eval(const vt_init_options *encoder, const char *data,
                               const vt_model_eval_options *options, vt_model_eval_report **out,
                               vt_error *error);
VT_API void vt_model_eval_report_free(vt_model_eval_report *report);

/* ------------------------------------------------------------------- encoders and networks */

typedef struct vt_embed_result {
    float *vectors; /* (count, dimension); row i is zero when photo i failed */
    size_t count, dimension;
    const char *precision; /* that was computed in; NULL: the encoder has no network */
    struct vt_embed_failure {
        size_t index;
        char *reason;
    } * failed;
    size_t failed_count;
} vt_embed_result;
/* encoder->model: as for vt_shop_init, or a shop's directory (then without preset and output; its
 * settings' precision where none is given). A
 * photo that fails keeps its row; the call fails when none works. */
VT_API vt_status vt_embed_photos(const vt_init_options *encoder, const vt_photo *photos,
                                 size_t count, vt_embed_result **out, vt_error *error);
VT_API void vt_embed_result_free(vt_embed_result *result);
/* Writes them as NumPy f32 array (count, dimension). */
VT_API vt_status vt_embed_result_save(const vt_embed_result *result, const char *path,
                                      vt_error *error);

typedef struct vt_onnx_value {
    const char *name, *type;
    char shape[128]; /* "1x3x224x224", ? where it depends on the input */
} vt_onnx_value;
typedef struct vt_onnx_node {
    const char *op_type, *name, *output;
    char shape[128]; /* of the first output */
    uint64_t macs;   /* multiply-adds */
} vt_onnx_node;
/* One step of what is run after all passes over the graph. */
typedef struct vt_onnx_step {
    const char *op_type, *name, *output;
    const char *posts;    /* what was folded into it: "add relu"; "": nothing */
    const char *compute;  /* type it computes in */
    const char *executor; /* what runs it: "onednn brgconv:avx512_core", "view", "loop" ... */
    char shape[128];      /* of the output */
    uint64_t macs;
} vt_onnx_step;
typedef struct vt_onnx_memory {
    uint64_t parameter_bytes; /* as stored in the file */
    uint64_t prepared_bytes;  /* the same in the forms that the executor wants, beside them */
    uint64_t activation_bytes, unshared_bytes; /* intermediate values: planned, and without reuse */
    uint64_t peak_bytes; /* estimate: parameters, prepared, activations, inputs, outputs */
} vt_onnx_memory;
/* Classes that a model names, of its only head or of one with a name. */
typedef struct vt_onnx_head {
    const char *name;          /* "": the only one, without a name */
    const char *output;        /* value with its scores; NULL: it has shaped the embedding alone */
    bool several;              /* any number of the classes a picture, not one */
    const char *const *labels; /* (label_count) */
    size_t label_count;
} vt_onnx_head;
typedef struct vt_onnx_info {
    const char *producer, *graph;
    int64_t ir_version, opset;
    uint64_t parameters, parameter_bytes, macs;
    vt_onnx_value *inputs, *outputs;
    size_t input_count, output_count;
    vt_onnx_value *run_inputs; /* (input_count) with the shapes that all of this is about */
    vt_onnx_node *nodes;       /* the graph as it is in the file */
    size_t node_count;
    const char *precision; /* of the steps; "auto" is settled where the file has a contract, else it
                              is f32 here */
    const char *precision_refused; /* why a faster one was left by "auto"; "": none */
    vt_onnx_step *steps;           /* the graph as it is run; none when it cannot be planned: */
    size_t step_count;
    const char *plan_failure; /* NULL: it can */
    vt_onnx_memory memory;
    size_t reorders;            /* layout conversions per run */
    const char *feature_output; /* what serves as the embedding as the contract says, or would with
                                   a preset; NULL: the first output */
    const char *contract;       /* pixel contract as JSON; NULL: none in the file */
    bool has_golden;
    vt_onnx_head *heads; /* (head_count) as its metadata says */
    size_t head_count;
} vt_onnx_info;
typedef struct vt_onnx_info_options {
    const char *const *input_shapes; /* "1x3x224x224", one per input in order; none: the declared
                                        ones, with 1 for free sizes, 224 for those of a picture */
    size_t input_shape_count;
    const char *precision;
} vt_onnx_info_options;
/* options NULL: none of them. */
VT_API vt_status vt_onnx_info_of(const char *path, const vt_onnx_info_options *options,
                                 vt_onnx_info **out, vt_error *error);
VT_API void vt_onnx_info_free(vt_onnx_info *info);

typedef struct vt_onnx_check_report {
    bool has_contract, has_golden;
    double golden_similarity;    /* cosine with the stored vector; NAN without one */
    double reference_similarity; /* cosine between the two executors */
    size_t dimension;
    const char *precision;       /* of the fast executor */
    char precision_refused[192]; /* why a faster one was left by "auto"; "": none */
} vt_onnx_check_report;
/* Loads the file as an encoder and holds it to its golden picture and to the reference executor. */
VT_API vt_status vt_onnx_check(const vt_init_options *encoder, vt_onnx_check_report *report,
                               vt_error *error);

typedef enum vt_onnx_executor { VT_ONNX_ONEDNN, VT_ONNX_REFERENCE } vt_onnx_executor;
typedef struct vt_onnx_run_options {
    const char *const *inputs; /* .pb (TensorProto) or .npy files, one per input, in order */
    size_t input_count;
    const char *const *outputs; /* value names; none: the graph's outputs */
    size_t output_count;
    const char *directory; /* receives output_<i>.npy */
    vt_onnx_executor executor;
    const char *precision; /* of VT_ONNX_ONEDNN; "auto" is f32: nothing tells what is right */
    void (*on_output)(void *context, const char *name, const char *shape, const char *path);
    void *context;
} vt_onnx_run_options;
VT_API vt_status vt_onnx_run(const char *path, const vt_onnx_run_options *options, vt_error *error);

typedef struct vt_onnx_rewrite_options {
    /* Every picture is seen several times and outputs are the means, for better vectors and scores:
     * mirrored left to right (twice the time), moved by so many pixels up left and down right
     * (three times; both: six times). */
    bool mirror;
    int64_t shift; /* pixels; 0: not */
    /* Side of the pictures that an encoder takes, 1 to 4096; 0: as it was. Random crops make things
     * look larger in training than they are when whole pictures are searched with: a quarter more
     * makes up for that (Touvron et al., "Fixing the train-test resolution discrepancy", 2019). */
    int64_t size;
} vt_onnx_rewrite_options;
VT_API vt_onnx_rewrite_options vt_onnx_rewrite_options_defaults(void);
typedef struct vt_onnx_rewrite_report {
    size_t nodes, parameters, file_bytes;
} vt_onnx_rewrite_report;
/* Writes the network in `path` anew to `out` (replaced atomically; may be the same) as one ONNX
 * file: external data inside, functions inlined, what this program does not know left out. options
 * NULL: the defaults; report may be NULL. VT_ERR_UNSUPPORTED: there are no such views, since
 * it does not take pictures of one width, or size for `shift`, or no other size; VT_ERR_USAGE: a
 * shift by more than the picture. */
VT_API vt_status vt_onnx_rewrite(const char *path, const char *out,
                                 const vt_onnx_rewrite_options *options,
                                 vt_onnx_rewrite_report *report, vt_error *error);

typedef enum vt_onnx_calibration {
    VT_ONNX_PERCENTILE,
    VT_ONNX_ENTROPY,
    VT_ONNX_MAXIMUM,
} vt_onnx_calibration;
typedef struct vt_onnx_quantize_options {
    const char *calibrate; /* a folder with pictures, or a shop's directory (its thumbnails) */
    const char *preset, *output; /* as in vt_init_options */
    vt_onnx_calibration method;
    double percentile;   /* of all magnitudes, kept by VT_ONNX_PERCENTILE; above 0 to 100 */
    size_t pictures;     /* at most so many to calibrate with, and as many to measure with */
    const char *queries; /* with a shop: CSV as for vt_shop_eval; NULL: products' last pictures */
    const char *images_dir; /* of the queries; NULL: where the CSV lies */
    double maximum_drop;    /* of recall at 1 and 5, where there are queries */
    double minimum_cosine;  /* mean, between f32 and quantised vectors, where there are none */
    void (*on_phase)(void *context, const char *phase, const char *unit); /* may be NULL */
    vt_on_progress *on_progress; /* within a phase; may be NULL */
    void *context;
} vt_onnx_quantize_options;
/* percentile 99.99, 256 pictures, drop 0.01, cosine 0.99 */
VT_API vt_onnx_quantize_options vt_onnx_quantize_options_defaults(void);

typedef struct vt_onnx_quantize_report {
    uint64_t bytes_before, bytes_after;       /* of the files */
    size_t calibrated, measured, failed;      /* pictures; failed: that could not be used */
    bool thumbnails;                          /* the pictures were a shop's thumbnails */
    size_t queries, gallery;                  /* of the measured; 0: only vectors were compared */
    double recall_before[2], recall_after[2]; /* at 1 and 5; NAN without queries */
    double cosine;                            /* mean, between the vectors of both */
    struct vt_onnx_quantize_node {
        const char *op_type, *name, *output, *input; /* input: the value it reads in 8 bits */
        double threshold, scale;                     /* of the input */
        bool is_unsigned;
        double harm;    /* 1 - mean cosine when it alone is quantised; NAN: not measured */
        bool excluded;  /* left in floats because of its harm */
        bool quantized; /* in the file */
    } * nodes;          /* all that could be quantised */
    size_t node_count;
    double took_s;
} vt_onnx_quantize_report;
/* Static post-training quantisation of the encoder in `path`: 8-bit weights with a scale per
 * channel, activations with thresholds from pictures, written to `out` (replaced atomically) as an
 * ordinary ONNX file with QuantizeLinear and DequantizeLinear. Nodes that hurt most stay in floats
 * until the bound holds; VT_ERR_MISMATCH, and nothing is written, when it never does. */
VT_API vt_status vt_onnx_quantize(const char *path, const char *out,
                                  const vt_onnx_quantize_options *options,
                                  vt_onnx_quantize_report **report, vt_error *error);
VT_API void vt_onnx_quantize_report_free(vt_onnx_quantize_report *report);

typedef struct vt_onnx_case {
    const char *name;
    vt_status status;   /* VT_OK passed, VT_ERR_UNSUPPORTED skipped, otherwise failed */
    const char *reason; /* "" when passed */
} vt_onnx_case;
typedef struct vt_onnx_totals {
    size_t passed, failed, unsupported;
} vt_onnx_totals;
typedef struct vt_onnx_test_options {
    vt_onnx_executor executor;
    const char *precision;                                   /* as for vt_onnx_run */
    void (*on_case)(void *context, const vt_onnx_case *one); /* may be NULL */
    void *context;
} vt_onnx_test_options;
/* Runs one case folder of the ONNX backend test suite (model.onnx and test_data_set_*), or every
 * one below `directory`. Tolerances are the suite's own, meant for f32: rtol 1e-3, atol 1e-7. */
VT_API vt_status vt_onnx_test(const char *directory, const vt_onnx_test_options *options,
                              vt_onnx_totals *totals, vt_error *error);

/* ---------------------------------------------------------------------------------- sample */

typedef struct vt_sample_options {
    size_t products;
    int studio_views; /* per product, on white */
    int photo_views;  /* per product, "customer photos" */
    uint64_t seed;
    int size_px;                 /* side of the studio pictures; photos vary around it */
    int threads;                 /* 0: all cores */
    vt_on_progress *on_progress; /* pictures; may be NULL */
    void *context;
} vt_sample_options;
VT_API vt_sample_options vt_sample_defaults(void); /* 160 products, 2, 3, seed 1, 320 px */

typedef struct vt_sample_report {
    size_t products, families, pictures;
} vt_sample_report;

/* Renders a catalogue that belongs to nobody, with queries.csv to measure on. VT_ERR_EXISTS when
 * `directory` already holds one. */
VT_API vt_status vt_sample_make(const char *directory, const vt_sample_options *options,
                                vt_sample_report *report, vt_error *error);

/* --------------------------------------------------------------------------------- promote */

enum { VT_PROMOTE_RANKS = 3 }; /* 1, 5, 10 */
typedef struct vt_promote_options {
    const char *preset, *output;  /* as in vt_init_options */
    const char *precision;        /* kept in the shop's settings; NULL: as the shop has it */
    const char *queries;          /* CSV as for vt_shop_eval; NULL: the shop's own pictures */
    const char *query_images_dir; /* where its photos' paths start; NULL: where the CSV lies */
    const char *images_dir;       /* where the feed's pictures lie; NULL: thumbnails are embedded */
    bool force;                   /* switch whatever the measurement comes to */
    void (*on_phase)(void *context, const char *phase, const char *unit); /* may be NULL */
    vt_on_progress *on_progress; /* within a phase; false: ends with VT_ERR_CANCELLED, and the next
                                    call goes on from there. May be NULL */
    void *context;
} vt_promote_options;
VT_API vt_promote_options vt_promote_options_defaults(void); /* none of them */

typedef struct vt_promote_report {
    bool switched;                /* false: the shop is as it was */
    char refused[256];            /* why not; "": it was */
    char before[256], after[256]; /* names of the encoders */
    size_t dimension_before, dimension_after;
    const char *measured_with; /* "queries", "validation photos", "held-out pictures" or "changed
                                  pictures" (constants); NULL: nothing was measured */
    size_t queries, gallery;   /* photos that were asked; pictures they were sought in */
    size_t queries_left_out;
    double recall_before[VT_PROMOTE_RANKS], recall_after[VT_PROMOTE_RANKS]; /* NAN: not measured */
    uint64_t resumed;             /* pictures that an earlier call had embedded */
    uint64_t embedded, originals; /* in this call; of them from the feed's pictures */
    uint64_t failed;              /* pictures without a vector now */
    char first_failure[256];      /* "": none */
    double took_s;
} vt_promote_report;

/* Gives the shop another encoder (as for vt_shop_init) while it is searched: both encoders are
 * measured on the same queries, and where recall at 1 rises all pictures are embedded, beside the
 * vectors that go on serving, and then switched to at once. Where it does not, nothing changes and
 * report->refused says why. A call that ended in the middle is taken up by the next one with the
 * same file. A shop that is open for reading is enough: it is written in short moments, so that
 * other processes can import meanwhile; what they bring is embedded too. A shop that is open for
 * writing is promoted through this handle, and no other process can. May be called beside searches
 * of the same shop, and beside puts and one import of it. VT_ERR_EXISTS: it is the shop's encoder
 * already; VT_ERR_BUSY: another promotion is on its way, or another process has the shop open for
 * writing as this one begins; VT_ERR_MISMATCH: products would not be found any more. *report is
 * filled also when it fails part way. */
VT_API vt_status vt_shop_promote(vt_shop *shop, const char *model,
                                 const vt_promote_options *options, vt_promote_report *report,
                                 vt_error *error);

/* -------------------------------------------------------------------------------- training */

/* One value of a recipe; the keys are in docs/training.md. */
typedef struct vt_train_setting {
    const char *key, *value;
} vt_train_setting;

typedef struct vt_train_progress {
    const char *phase;    /* "decode", "train", "evaluate"; with a shop to promote in: its phases */
    uint64_t done, total; /* photos */
    int epoch, epochs;
    double loss;               /* smoothed; of "train" */
    const char *measure;       /* that the run goes by: "accuracy", "color.accuracy" */
    double value;              /* of the newest epoch that was measured; NAN: none was */
    const char *const *heads;  /* (head_count) names, where the recipe names heads */
    const double *head_values; /* (head_count) the same of each head; NAN: it has none */
    size_t head_count;
} vt_train_progress;

typedef struct vt_train_options {
    const char *out;    /* ONNX file to write; `<out>.checkpoint` lies beside it */
    const char *recipe; /* JSON file; NULL: none */
    const vt_train_setting *settings;
    size_t setting_count;   /* over what the recipe says */
    const char *images_dir; /* of a manifest's photos; NULL: where the CSV lies; of a shop's: where
                               the feed's pictures lie, NULL: its thumbnails are used */
    const char *cache;      /* file with the decoded pictures; NULL: `<out>.pictures` */
    const char *report;     /* HTML; NULL: none */
    const char *logdir;     /* JSON Lines and TensorBoard events; NULL: none */
    bool resume;            /* from the checkpoint, where there is one */
    const char *promote;    /* shop that gets the encoder if its recall on the validation photos
                               rises (vt_shop_promote); NULL: none */
    bool force;             /* whatever it comes to */
    double checkpoint_s;    /* between checkpoints within an epoch; 0: after every step */
    /* false: the run saves and ends with VT_ERR_CANCELLED. May be NULL. */
    bool (*on_progress)(void *context, const vt_train_progress *progress);
    void *context;
} vt_train_options;
VT_API vt_train_options vt_train_options_defaults(void); /* 60 s */

enum { VT_TRAIN_MEASURES = 7, VT_TRAIN_MAX_HEADS = 16 };
typedef struct vt_train_head {
    const char *name;
    bool classes, several; /* has scores of its labels; a photo has any number of them */
    size_t labels, trained, validated; /* photos that have any */
    double values[VT_TRAIN_MEASURES];
} vt_train_head;

typedef struct vt_train_report {
    const char *measures[VT_TRAIN_MEASURES]; /* "accuracy" ... */
    double values[VT_TRAIN_MEASURES];        /* of the weights that were written; NAN: none; with
                                                several heads the mean of those that have it */
    size_t measure;                          /* index of the one that the run went by */
    const char *measure_name;                /* its name, "color.accuracy" where it is of a head */
    int epochs, best_epoch;                  /* that were trained; whose weights were written */
    double loss;                             /* mean of the last epoch */
    size_t parameters, labels, trained, validated, left_out; /* photos */
    /* Planned for one training step: all of it, and what it keeps between operators. 0: none was
     * done (a run resumed at its end). */
    size_t memory_bytes, activation_bytes;
    bool resumed, stopped_early;
    double took_s;
    /* Of options->promote; NULL: none, or it failed: the encoder is written all the same, and
     * vt_shop_promote can be tried again. */
    const vt_promote_report *promotion;
    vt_status promotion_status;
    const char *promotion_failure;           /* NULL: it did not fail */
    vt_train_head heads[VT_TRAIN_MAX_HEADS]; /* (head_count) where the recipe names heads */
    size_t head_count;                       /* 0: one label, without a name */
    const char *json;                        /* all of it as one document */
} vt_train_report;

/* data: a folder with a folder per class, a CSV manifest or a shop's directory. */
VT_API vt_status vt_train(const char *data, const vt_train_options *options, vt_train_report **out,
                          vt_error *error);
VT_API void vt_train_report_free(vt_train_report *report);

/* --------------------------------------------------------------------------------- service */

/* What a program that keeps a shop open for others needs besides. */

/* Loads the encoder now instead of with the first search. */
VT_API vt_status vt_shop_warm(vt_shop *shop, vt_error *error);
/* Photos with more pixels than this are refused by their headers from here on, whether they are
 * searched with, embedded or put; imports keep the decoder's own limit of 200 million, which 0
 * stands for. Nobody else may be using the shop. */
VT_API void vt_shop_limit_pixels(vt_shop *shop, uint64_t pixels);
/* Number of the newest change, of this process or another: what was found at the same number would
 * be found again. Cheap. */
VT_API vt_status vt_shop_change(vt_shop *shop, uint64_t *out, vt_error *error);
typedef struct vt_photo_fetch_options {
    size_t maximum_bytes;
    long timeout_ms; /* of the whole, redirects too */
    int maximum_redirects;
    bool any_port;            /* not 80 and 443 alone */
    bool allow_private_hosts; /* loopback, private, link-local and the like */
    /* "NAME:PORT:ADDRESS": what these names mean, whatever the system would say; their addresses
     * are held to the same rules */
    const char *const *names;
    size_t name_count;
} vt_photo_fetch_options;
VT_API vt_photo_fetch_options vt_photo_fetch_options_defaults(void); /* 32 MiB, 8 s, 3 redirects */
/* What lies at a URL that a stranger gave: http and https, public addresses (looked at where the
 * connection is made, after every redirect too), no credentials, cookies or proxies. *bytes:
 * vt_release. VT_ERR_DENIED: refused by these rules; options NULL: the defaults. Messages say what
 * is known, addresses too: they are for whoever runs the shop. */
VT_API vt_status vt_photo_fetch(const char *url, const vt_photo_fetch_options *options,
                                void **bytes, size_t *length, vt_error *error);
/* Width and height in pixels, upright. maximum_pixels 0: 200 million. */
VT_API vt_status vt_photo_size(const vt_photo *photo, uint64_t maximum_pixels, int *width,
                               int *height, vt_error *error);
/* Vectors of photos by the shop's encoder, of length 1 and all of one encoder, whatever else
 * happens to the shop: *vectors (count, *dimension) is the caller's; vt_release. From any thread,
 * many together run as batches. */
VT_API vt_status vt_shop_embed(vt_shop *shop, const vt_photo *photos, size_t count, float **vectors,
                               size_t *dimension, vt_error *error);
/* Inserts or replaces one product: texts and attributes as `product` has them, its pictures made of
 * the photos (up to 64), or left as they are when there are none of these. key, pictures, content
 * and change of `product` do not matter. Durable when it returns VT_OK. *created (may be NULL): it
 * is new. Searches may go on beside it. */
VT_API vt_status vt_shop_put(vt_shop *shop, const vt_product *product, const vt_photo *photos,
                             size_t photo_count, bool *created, vt_error *error);
/* Gives a product (VT_ERR_NOT_FOUND) further pictures, behind those it has; one that it has already
 * is left out. Otherwise as vt_shop_put. */
VT_API vt_status vt_shop_add_photos(vt_shop *shop, const char *product, const vt_photo *photos,
                                    size_t photo_count, vt_error *error);

#ifdef __cplusplus
}
#endif

#endif
