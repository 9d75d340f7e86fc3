/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two encoders of a shop are asked when they are compared, and what it is sought in.
 *
 * Queries are, the first of these that there is: photos that a training held out, photos of a list,
 * the last picture of products that have several, or every product's first picture changed at
 * random as a customer's photo differs from the shop's (cut, turned, tilted, lit, blurred,
 * compressed). An even and always the same choice of at most QUERIES of them.
 *
 * They are sought among all pictures of the shop; in a large one, among those of the products that
 * are sought and an even choice of the others, GALLERY in all.
 *
 * What is sought is the product, where the shop has it; for a held-out photo without one, any
 * product with its label.
 */
#include "shop/promote.h"
#include "shop/train_data.h"

#include "base/file.h"
#include "ingest/queries.h"

#include <stdlib.h>
#include <string.h>

enum {
    QUERIES = 1000,
    GALLERY = 20000,
    LEAST_HELD_OUT = 20, /* products with several pictures, unless all have */
    MAXIMUM_PICTURES = 100000000,
    THUMB_NAME = 66, /* 62 digits, ".jpg" */
};
#define SET_BYTES ((size_t)8 << 30)

static vt_status no_memory(vt_error *error)
{
    return vt_fail_memory(error, "what is measured with");
}

static void leave_out(vt_promote_set *set, const vt_error *reason)
{
    if (set->left_out++ == 0)
        set->reason = *reason;
}

static vt_status add_query(vt_promote_set *set, const vt_promote_query *query, vt_error *error)
{
    if (!vt_grow((void **)&set->queries, &set->query_capacity, set->query_count + 1, sizeof(*query),
                 MAXIMUM_PICTURES))
        return no_memory(error);
    set->queries[set->query_count++] = *query;
    return VT_OK;
}

/* ---- the shop's pictures ---- */

typedef struct gallery_walk {
    vt_promote_set *set;
    const char *label; /* name; used where labels are wanted */
    bool labels;
} gallery_walk;

static vt_status add_product(void *context, const vt_product *product, vt_error *error)
{
    gallery_walk *walk = context;
    vt_promote_set *set = walk->set;
    const char *label = walk->labels ? vt_train_label_of(product, walk->label) : NULL;
    if (label != NULL && (label = vt_arena_strdup(&set->arena, label)) == NULL)
        return no_memory(error);
    for (size_t i = 0; i < product->picture_count; i++) {
        const vt_picture *one = &product->pictures[i];
        vt_promote_item item = {{one->key, one->hash, NULL}, product->key, label};
        if (one->source != NULL &&
            (item.picture.source = vt_arena_strdup(&set->arena, one->source)) == NULL)
            return no_memory(error);
        if (!vt_grow((void **)&set->items, &set->capacity, set->count + 1, sizeof(item),
                     MAXIMUM_PICTURES))
            return no_memory(error);
        set->items[set->count++] = item;
    }
    return VT_OK;
}

static bool is_first(const vt_promote_set *set, size_t at)
{
    return at == 0 || set->items[at - 1].product != set->items[at].product;
}

static bool is_last(const vt_promote_set *set, size_t at)
{
    return at + 1 == set->count || set->items[at + 1].product != set->items[at].product;
}

/* ---- kinds of queries ---- */

/* `thumbs/ab/cd...jpg`, a thumbnail, is named by the hash of the picture it was made of; any other
 * file is hashed. */
static vt_status hash_photo(const char *path, vt_hash *out, vt_error *error)
{
    const char *base = vt_path_base(path);
    char hex[VT_HASH_HEX];
    if (strlen(base) == THUMB_NAME && base - path > 3 && base[-1] == '/') {
        memcpy(hex, base - 3, 2);
        memcpy(hex + 2, base, VT_HASH_HEX - 3);
        hex[VT_HASH_HEX - 1] = '\0';
        if (vt_unhex(hex, out->bytes, VT_HASH_BYTES))
            return VT_OK;
    }
    vt_buf bytes;
    size_t most = vt_decode_options_defaults().maximum_bytes;
    vt_buf_init(&bytes, most);
    vt_status status = vt_file_read(path, most, &bytes, error);
    if (status == VT_OK)
        *out = vt_hash_of(bytes.data, bytes.length);
    vt_buf_deinit(&bytes);
    return status;
}

/* Whether nothing else of the product could answer: its only picture is this one. */
static bool is_alone(const vt_promote_set *set, uint32_t product, const vt_hash *hash)
{
    size_t low = 0, high = set->count; /* items come in the order of their products' keys */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->items[middle].product < product)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->count && set->items[low].product == product && is_last(set, low) &&
           memcmp(&set->items[low].picture.hash, hash, sizeof(*hash)) == 0;
}

/* label: what is sought where the product is not known, or has no other picture; NULL: nothing. */
static vt_status add_photo(vt_promote_set *set, const char *path, uint32_t product,
                           const char *label, vt_error *error)
{
    vt_promote_query query = {.product = product, .has_hash = true};
    vt_error reason = {0};
    vt_status status = hash_photo(path, &query.hash, &reason);
    if (status == VT_ERR_NO_MEMORY)
        return vt_fail(error, status, "%s", reason.message);
    if (status != VT_OK) {
        leave_out(set, &reason);
        return VT_OK;
    }
    if (label != NULL && query.product != 0 && !is_alone(set, query.product, &query.hash))
        label = NULL;
    if (label != NULL)
        query.product = 0;
    query.photo = vt_arena_strdup(&set->arena, path);
    query.label = label != NULL ? vt_arena_strdup(&set->arena, label) : NULL;
    if (query.photo == NULL || (label != NULL && query.label == NULL))
        return no_memory(error);
    return add_query(set, &query, error);
}

/* *key: 0 when the shop has no such product. */
static vt_status find_product(vt_store *store, const char *id, uint32_t *key, vt_error *reason)
{
    vt_arena scratch;
    vt_product product = {0};
    vt_arena_init(&scratch, 4 * (size_t)VT_STORE_MAX_PRODUCT_BYTES);
    vt_status status = vt_store_get(store, id, &scratch, &product, reason);
    *key = status == VT_OK ? product.key : 0;
    vt_arena_deinit(&scratch);
    return status == VT_ERR_NOT_FOUND ? VT_OK : status;
}

/* At most QUERIES, evenly: index of the i-th. */
static size_t even(size_t i, size_t count)
{
    return count <= QUERIES ? i : i * count / QUERIES;
}

static vt_status add_held_out(vt_promotion *p, vt_promote_set *set, vt_error *error)
{
    const vt_held_out *held = p->held_out;
    size_t count = held->count < QUERIES ? held->count : QUERIES;
    vt_status status = VT_OK;
    set->kind = "validation photos";
    for (size_t i = 0; i < count && status == VT_OK; i++) {
        const vt_held_out_photo *photo = &held->photos[even(i, held->count)];
        uint32_t key = 0;
        if (photo->product != NULL)
            status = find_product(p->shop->store, photo->product, &key, error);
        if (status == VT_OK)
            status = add_photo(set, photo->path, key, photo->label, error);
    }
    return status;
}

static vt_status add_row(vt_promotion *p, vt_promote_set *set, const char *root,
                         const vt_query_row *row, vt_error *error)
{
    uint32_t key = 0;
    char *path = NULL;
    vt_error reason = {0};
    vt_status status = find_product(p->shop->store, row->product, &key, &reason);
    if (status == VT_OK && key == 0)
        status = vt_fail(&reason, VT_ERR_NOT_FOUND, "there is no product \"%.200s\"", row->product);
    if (status == VT_OK)
        status = vt_path_inside(root, row->photo, &path, &reason);
    if (status == VT_OK)
        return status = add_photo(set, path, key, NULL, error), vt_free(path), status;
    if (status == VT_ERR_NO_MEMORY || status == VT_ERR_IO || status == VT_ERR_CORRUPT)
        return vt_fail(error, status, "%s", reason.message);
    leave_out(set, &reason);
    return VT_OK;
}

static vt_status add_list(vt_promotion *p, vt_promote_set *set, vt_error *error)
{
    const char *path = p->options->queries, *root = p->options->query_images_dir;
    size_t length = (size_t)(vt_path_base(path) - path);
    char *beside = length == 0 ? vt_strdup(".") : vt_strndup(path, length);
    vt_queries *list = NULL;
    vt_status status = beside == NULL ? no_memory(error) : vt_queries_open(path, &list, error);
    set->kind = "queries";
    while (status == VT_OK) {
        vt_query_row row = {0};
        vt_error reason = {0};
        vt_status read = vt_queries_next(list, &row, &reason);
        if (read == VT_OK && row.photo == NULL)
            break;
        if (read == VT_OK)
            status = add_row(p, set, root != NULL ? root : beside, &row, error);
        else if (read == VT_ERR_FORMAT || read == VT_ERR_LIMIT || read == VT_ERR_USAGE)
            leave_out(set, &reason);
        else
            status = vt_fail(error, read, "%s", reason.message);
    }
    vt_queries_close(list);
    vt_free(beside);
    for (size_t i = 0; i < QUERIES && set->query_count > QUERIES; i++)
        set->queries[i] = set->queries[even(i, set->query_count)];
    if (set->query_count > QUERIES)
        set->query_count = QUERIES;
    return status;
}

/* The last picture of products with several; or the first of all, changed. */
static vt_status add_own(vt_promote_set *set, vt_error *error)
{
    size_t products = 0, several = 0, met = 0;
    for (size_t i = 0; i < set->count; i++) {
        products += is_first(set, i);
        several += is_last(set, i) && !is_first(set, i);
    }
    bool changed = several < LEAST_HELD_OUT && several < products;
    size_t from = changed ? products : several, count = from < QUERIES ? from : QUERIES;
    vt_status status = VT_OK;
    set->kind = changed ? "changed pictures" : "held-out pictures";
    for (size_t i = 0; i < set->count && set->query_count < count && status == VT_OK; i++) {
        const vt_promote_item *item = &set->items[i];
        if (changed ? !is_first(set, i) : !is_last(set, i) || is_first(set, i))
            continue;
        if (met++ != even(set->query_count, from))
            continue;
        const vt_promote_query query = {.picture = item->picture,
                                        .variation = changed ? item->picture.key : 0,
                                        .product = item->product,
                                        .hash = item->picture.hash,
                                        .has_hash = !changed};
        status = add_query(set, &query, error);
    }
    return status;
}

/* ---- the gallery ---- */

static int compare_keys(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Leaves what is sought and an even choice of the rest, in their order. */
static vt_status cut_gallery(vt_promote_set *set, vt_error *error)
{
    if (set->count <= GALLERY)
        return VT_OK;
    uint32_t *sought = vt_alloc_array(set->query_count, sizeof(*sought));
    if (sought == NULL)
        return no_memory(error);
    for (size_t i = 0; i < set->query_count; i++)
        sought[i] = set->queries[i].product;
    qsort(sought, set->query_count, sizeof(*sought), compare_keys);
    size_t needed = 0, kept = 0, others = 0, taken = 0;
    for (size_t i = 0; i < set->count; i++)
        needed += bsearch(&set->items[i].product, sought, set->query_count, sizeof(*sought),
                          compare_keys) != NULL;
    size_t rest = set->count - needed, room = needed < GALLERY ? GALLERY - needed : 0;
    for (size_t i = 0; i < set->count; i++) {
        bool keep = bsearch(&set->items[i].product, sought, set->query_count, sizeof(*sought),
                            compare_keys) != NULL;
        if (!keep && ++others * room / rest > taken) {
            taken++;
            keep = true;
        }
        if (keep)
            set->items[kept++] = set->items[i];
    }
    set->count = kept;
    vt_free(sought);
    return VT_OK;
}

vt_status vt_promote_set_open(vt_promotion *p, vt_promote_set *set, vt_error *error)
{
    bool held_out = p->held_out != NULL && p->held_out->count > 0;
    gallery_walk walk = {set, held_out ? p->held_out->label : NULL, held_out};
    *set = (vt_promote_set){0};
    vt_arena_init(&set->arena, SET_BYTES);
    vt_status status = vt_store_each(p->shop->store, add_product, &walk, error);
    if (status == VT_OK && held_out)
        status = add_held_out(p, set, error);
    else if (status == VT_OK && p->options->queries != NULL)
        status = add_list(p, set, error);
    else if (status == VT_OK)
        status = add_own(set, error);
    if (status == VT_OK && set->query_count == 0)
        status = vt_fail(error, VT_ERR_NOT_FOUND,
                         "measure in shop \"%.150s\": no photo to ask with is usable%s%.200s",
                         p->shop->directory, set->left_out > 0 ? ": " : "",
                         set->left_out > 0 ? set->reason.message : "");
    return status == VT_OK ? cut_gallery(set, error) : status;
}

void vt_promote_set_close(vt_promote_set *set)
{
    vt_free(set->queries);
    vt_free(set->items);
    vt_arena_deinit(&set->arena);
    *set = (vt_promote_set){0};
}
