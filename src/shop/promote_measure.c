/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recall of a shop's encoder and of the one that may take its place, on the same queries.
 *
 * Each encoder embeds the queries itself, from the same pixels, and searches the vectors that it
 * serves or would serve: the old one those that are stored, the new one those that are made of the
 * shop's pictures (which are stored too, so that a switch need not make them again). What it costs
 * that new vectors come from thumbnails is therefore in the figure.
 *
 * The search is exact, by cosine, products ranked by their best picture. recall@k is the share of
 * queries with a sought product among the first k (src/eval); products that tie with it come before
 * it, so that an encoder which gives everything the same vector finds nothing. A picture with the
 * query's own bytes is no answer to it.
 */
#include "shop/promote.h"

#include "image/augment.h"
#include "vector/distance.h"

#include <math.h>
#include <string.h>

enum { VARIED_PX = 256, UNANSWERABLE = -1 };
static const int ranks_at[VT_PROMOTE_RANKS] = {1, 5, 10};
/* As a customer's photo differs from the shop's picture. */
static const char variation[] = "crop=0.5,rotate=15,perspective=0.2,brightness=0.3,contrast=0.3,"
                                "saturation=0.3,hue=0.02,blur=0.3,noise=0.3,jpeg=0.5";

typedef struct side {
    const vt_encoder *encoder;
    vt_batcher *batcher;
    size_t dim;
    float *queries; /* (query_count, dim) */
    float *items;   /* (count, dim) */
    bool *present;  /* (count): there is a vector */
    int64_t *ranks; /* (query_count) products before the sought one */
} side;

typedef struct comparison {
    vt_promotion *p;
    vt_promote_set set;
    side before, after;
    vt_batcher *own_batcher; /* of the encoder that serves */
    vt_augment augment;
    size_t first;     /* of a block of queries */
    vt_error *errors; /* (VT_PROMOTE_BATCH) */
    bool *usable;     /* (query_count) */
} comparison;

/* ---- queries ---- */

/* Takes the picture's place by one that was changed at random. */
static vt_status vary(const comparison *c, uint64_t seed, vt_image *image, vt_error *error)
{
    const vt_pixel_spec spec = {.width = image->width,
                                .height = image->height,
                                .fit = VT_FIT_SQUASH,
                                .kernel = VT_KERNEL_BILINEAR,
                                .crop_ratio = 1};
    vt_random random;
    vt_random_init(&random, seed);
    return vt_augment_picture(&c->augment, &spec, &random, image, error);
}

static vt_status load_query(const comparison *c, const vt_promote_query *query, vt_image *image,
                            vt_error *error)
{
    vt_encoder_info a = vt_encoder_info_of(c->before.encoder);
    vt_encoder_info b = vt_encoder_info_of(c->after.encoder);
    vt_decode_options how = vt_decode_options_defaults();
    how.fit_width = a.fit_width > b.fit_width ? a.fit_width : b.fit_width;
    how.fit_height = a.fit_height > b.fit_height ? a.fit_height : b.fit_height;
    if (query->photo != NULL)
        return vt_image_decode_file(query->photo, &how, image, error);
    vt_status status = vt_promote_load(c->p, &query->picture, &how, image, NULL, error);
    if (status != VT_OK || query->variation == 0)
        return status;
    vt_image small = {0};
    static const uint8_t white[3] = {255, 255, 255};
    status = vt_image_resize(image, VARIED_PX, VARIED_PX, VT_FIT_CONTAIN, VT_KERNEL_AREA, white,
                             &small, error);
    vt_image_deinit(image);
    *image = small;
    return status == VT_OK ? vary(c, query->variation, image, error) : status;
}

static void embed_query(void *context, size_t index)
{
    comparison *c = context;
    size_t at = c->first + index;
    vt_error *error = &c->errors[index];
    vt_image image = {0};
    error->status = load_query(c, &c->set.queries[at], &image, error);
    if (error->status == VT_OK)
        error->status = vt_batcher_embed(c->before.batcher, &image, 1,
                                         c->before.queries + at * c->before.dim, error);
    if (error->status == VT_OK)
        error->status = vt_batcher_embed(c->after.batcher, &image, 1,
                                         c->after.queries + at * c->after.dim, error);
    vt_image_deinit(&image);
    c->usable[at] = error->status == VT_OK;
}

static vt_status embed_queries(comparison *c, vt_error *error)
{
    vt_promote_set *set = &c->set;
    vt_status status = VT_OK;
    vt_promotion *p = c->p;
    for (c->first = 0; c->first < set->query_count && status == VT_OK;
         c->first += VT_PROMOTE_BATCH) {
        size_t left = set->query_count - c->first;
        size_t count = left < VT_PROMOTE_BATCH ? left : VT_PROMOTE_BATCH;
        vt_pool_for(p->pool, count, embed_query, c);
        for (size_t i = 0; i < count && status == VT_OK; i++) {
            if (c->errors[i].status == VT_ERR_NO_MEMORY) /* says nothing about the photo */
                status = vt_fail(error, VT_ERR_NO_MEMORY, "%s", c->errors[i].message);
            else if (c->errors[i].status != VT_OK && set->left_out++ == 0)
                set->reason = c->errors[i];
        }
        p->done += count;
        if (status == VT_OK)
            status = vt_promote_tell(p, p->done, p->total, error);
    }
    return status;
}

/* ---- the gallery ---- */

/* VT_OK with *present false where there is none. */
static vt_status read_vector(vt_promotion *p, uint32_t model, const vt_promote_item *item,
                             float *out, bool *present, vt_error *error)
{
    vt_status status = vt_store_vector(p->shop->store, model, item->picture.key, out, error);
    *present = status == VT_OK;
    return status == VT_ERR_NOT_FOUND ? VT_OK : status;
}

/* The new vectors of items first .. first + count, made and stored where they are missing. */
static vt_status embed_items(comparison *c, size_t first, size_t count, float *scratch,
                             vt_error *error)
{
    vt_promotion *p = c->p;
    vt_promote_picture missing[VT_PROMOTE_BATCH];
    size_t places[VT_PROMOTE_BATCH], missing_count = 0, dim = c->after.dim;
    bool good[VT_PROMOTE_BATCH];
    vt_status status = VT_OK;
    for (size_t i = first; i < first + count && status == VT_OK; i++) {
        const vt_promote_item *item = &c->set.items[i];
        status = read_vector(p, p->to, item, c->after.items + i * dim, &c->after.present[i], error);
        if (status == VT_OK && !c->after.present[i]) {
            places[missing_count] = i;
            missing[missing_count++] = item->picture;
        }
    }
    if (status == VT_OK && missing_count > 0)
        status = vt_promote_embed(p, missing, missing_count, scratch, good, error);
    if (status == VT_OK && missing_count > 0)
        status = vt_promote_store(p, missing, missing_count, scratch, good, error);
    for (size_t i = 0; i < missing_count && status == VT_OK; i++) {
        c->after.present[places[i]] = good[i];
        memcpy(c->after.items + places[i] * dim, scratch + i * dim, dim * sizeof(float));
    }
    return status;
}

static vt_status load_gallery(comparison *c, vt_error *error)
{
    vt_promotion *p = c->p;
    float *scratch = vt_calloc(VT_PROMOTE_BATCH, c->after.dim * sizeof(*scratch));
    vt_status status = scratch == NULL ? vt_fail_memory(error, "a batch of pictures") : VT_OK;
    for (size_t first = 0; first < c->set.count && status == VT_OK; first += VT_PROMOTE_BATCH) {
        size_t left = c->set.count - first;
        size_t count = left < VT_PROMOTE_BATCH ? left : VT_PROMOTE_BATCH;
        for (size_t i = first; i < first + count && status == VT_OK; i++)
            status = read_vector(p, p->from, &c->set.items[i], c->before.items + i * c->before.dim,
                                 &c->before.present[i], error);
        if (status == VT_OK)
            status = embed_items(c, first, count, scratch, error);
        p->done += count;
        if (status == VT_OK)
            status = vt_promote_tell(p, p->done, p->total, error);
    }
    vt_free(scratch);
    return status;
}

/* ---- ranks ---- */

static bool is_sought(const vt_promote_query *query, const vt_promote_item *item)
{
    if (query->product != 0)
        return item->product == query->product;
    return item->label != NULL && query->label != NULL && strcmp(item->label, query->label) == 0;
}

/* The best similarity among the pictures of the product that begins at `at`, whose end is returned;
 * NAN: none of them may answer. */
static size_t best_of_product(const comparison *c, const side *s, size_t query, size_t at,
                              float *best)
{
    const vt_promote_query *asked = &c->set.queries[query];
    uint32_t product = c->set.items[at].product;
    *best = NAN;
    for (; at < c->set.count && c->set.items[at].product == product; at++) {
        const vt_promote_item *item = &c->set.items[at];
        bool own =
            asked->has_hash && memcmp(&item->picture.hash, &asked->hash, sizeof(asked->hash)) == 0;
        if (own || !s->present[at])
            continue;
        float similarity =
            vt_distance()->cosine_f32(s->queries + query * s->dim, s->items + at * s->dim, s->dim);
        if (!(similarity <= *best))
            *best = similarity;
    }
    return at;
}

static int64_t rank_of(const comparison *c, const side *s, size_t query)
{
    const vt_promote_query *asked = &c->set.queries[query];
    float sought = NAN, best;
    int64_t rank = 0;
    for (size_t at = 0; at < c->set.count;) {
        bool is = is_sought(asked, &c->set.items[at]);
        if (is) {
            at = best_of_product(c, s, query, at, &best);
            if (!isnan(best) && !(best <= sought))
                sought = best;
        } else {
            at++;
        }
    }
    if (isnan(sought))
        return UNANSWERABLE;
    for (size_t at = 0; at < c->set.count;) {
        bool is = is_sought(asked, &c->set.items[at]);
        at = best_of_product(c, s, query, at, &best);
        rank += !is && best >= sought;
    }
    return rank;
}

static void rank_query(void *context, size_t index)
{
    comparison *c = context;
    bool usable = c->usable[index];
    c->before.ranks[index] = usable ? rank_of(c, &c->before, index) : UNANSWERABLE;
    c->after.ranks[index] = usable ? rank_of(c, &c->after, index) : UNANSWERABLE;
}

/* A query that the shop cannot answer as it is says nothing; one that only the new encoder cannot
 * is a miss. */
static vt_status count_recall(comparison *c, vt_error *error)
{
    vt_promote_report *report = c->p->report;
    size_t asked = 0, before[VT_PROMOTE_RANKS] = {0}, after[VT_PROMOTE_RANKS] = {0};
    for (size_t q = 0; q < c->set.query_count; q++) {
        int64_t a = c->before.ranks[q], b = c->after.ranks[q];
        if (a == UNANSWERABLE) {
            if (c->usable[q] && c->set.left_out++ == 0)
                vt_fail(&c->set.reason, VT_ERR_NOT_FOUND, "the shop has nothing that answers it");
            continue;
        }
        asked++;
        for (int k = 0; k < VT_PROMOTE_RANKS; k++) {
            before[k] += a < ranks_at[k];
            after[k] += b != UNANSWERABLE && b < ranks_at[k];
        }
    }
    report->measured_with = c->set.kind;
    report->queries = asked;
    report->gallery = c->set.count;
    report->queries_left_out = c->set.left_out;
    if (asked == 0)
        return vt_fail(error, VT_ERR_NOT_FOUND,
                       "measure in shop \"%.150s\": none of the %s could be asked: %.200s",
                       c->p->shop->directory, c->set.kind, c->set.reason.message);
    for (int k = 0; k < VT_PROMOTE_RANKS; k++) {
        report->recall_before[k] = (double)before[k] / (double)asked;
        report->recall_after[k] = (double)after[k] / (double)asked;
    }
    return VT_OK;
}

/* ---- the whole ---- */

static vt_status side_open(side *s, const comparison *c, const vt_encoder *encoder,
                           vt_batcher *batcher, vt_error *error)
{
    size_t queries = c->set.query_count, items = c->set.count;
    s->encoder = encoder;
    s->batcher = batcher;
    s->dim = vt_encoder_info_of(encoder).dim;
    s->queries = vt_calloc(queries, s->dim * sizeof(float));
    s->items = vt_calloc(items, s->dim * sizeof(float));
    s->present = vt_calloc(items, sizeof(*s->present));
    s->ranks = vt_calloc(queries, sizeof(*s->ranks));
    return s->queries == NULL || s->items == NULL || s->present == NULL || s->ranks == NULL
               ? vt_fail_memory(error, "a measurement")
               : VT_OK;
}

static void side_close(side *s)
{
    vt_free(s->queries);
    vt_free(s->items);
    vt_free(s->present);
    vt_free(s->ranks);
}

static vt_status open_comparison(comparison *c, vt_error *error)
{
    vt_promotion *p = c->p;
    vt_batcher_options options = vt_batcher_options_defaults();
    options.bulk = true;
    vt_status status = vt_augment_parse(variation, &c->augment, error);
    if (status == VT_OK)
        status = vt_shop_need_encoder(p->shop, error);
    if (status == VT_OK)
        status = vt_batcher_new(p->shop->encoder, &options, &c->own_batcher, error);
    if (status == VT_OK)
        status = vt_promote_set_open(p, &c->set, error);
    if (status == VT_OK)
        status = side_open(&c->before, c, p->shop->encoder, c->own_batcher, error);
    if (status == VT_OK)
        status = side_open(&c->after, c, p->encoder, p->batcher, error);
    if (status != VT_OK)
        return status;
    c->errors = vt_calloc(VT_PROMOTE_BATCH, sizeof(*c->errors));
    c->usable = vt_calloc(c->set.query_count, sizeof(*c->usable));
    return c->errors == NULL || c->usable == NULL ? vt_fail_memory(error, "a measurement") : VT_OK;
}

vt_status vt_promote_measure(vt_promotion *p, vt_error *error)
{
    comparison c = {.p = p};
    vt_promote_phase(p, "measure", "pictures");
    vt_status status = open_comparison(&c, error);
    p->total = c.set.query_count + c.set.count;
    if (status == VT_OK)
        status = embed_queries(&c, error);
    if (status == VT_OK)
        status = load_gallery(&c, error);
    if (status == VT_OK) {
        vt_pool_for(p->pool, c.set.query_count, rank_query, &c);
        status = count_recall(&c, error);
    }
    side_close(&c.before);
    side_close(&c.after);
    vt_free(c.errors);
    vt_free(c.usable);
    vt_batcher_free(c.own_batcher);
    vt_promote_set_close(&c.set);
    return status;
}
