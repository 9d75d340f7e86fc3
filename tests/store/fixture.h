/* SPDX-License-Identifier: Apache-2.0 */
/* What the store's tests share: a shop in a temporary directory, products made from a number. */
#ifndef VT_TESTS_STORE_FIXTURE_H
#define VT_TESTS_STORE_FIXTURE_H

#include "base/random.h"
#include "store/store.h"
#include "support/sanitized.h"
#include "vector/distance.h"

#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

enum { FIXTURE_DIM = 24, FIXTURE_PICTURES_MAX = 8 };

typedef struct fixture {
    char dir[64];     /* temporary, removed at the end */
    char shop[80];    /* dir/shop */
    char catalog[96]; /* dir/shop/catalog.db */
} fixture;

/* In memory where there is a file system of it with room: processes are killed here and disks made
 * to fail, but the power is not cut, so that waiting for a disk after each of thousands of commits
 * shows nothing. */
static inline const char *fixture_parent(void)
{
    enum { ROOM_MIB = 512 };
    struct statvfs memory;
    bool roomy = access("/dev/shm", W_OK) == 0 && statvfs("/dev/shm", &memory) == 0 &&
                 (uint64_t)memory.f_bavail * memory.f_frsize >> 20 >= ROOM_MIB;
    return roomy ? "/dev/shm" : "/tmp";
}

static inline void fixture_init(fixture *f)
{
    const char *parent = fixture_parent();
    snprintf(f->dir, sizeof f->dir, "%s/vitrine-store-XXXXXX", parent);
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->shop, sizeof f->shop, "%s/shop", f->dir);
    snprintf(f->catalog, sizeof f->catalog, "%s/catalog.db", f->shop);
}

static inline int fixture_remove_entry(const char *path, const struct stat *info, int type,
                                       struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static inline void fixture_deinit(fixture *f)
{
    nftw(f->dir, fixture_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Fails the test with the message when a call did not succeed. */
#define assert_ok(call)                                                                            \
    do {                                                                                           \
        vt_error error_ = {0};                                                                     \
        vt_error *error = &error_;                                                                 \
        vt_status status_ = (call);                                                                \
        if (status_ != VT_OK)                                                                      \
            fail_msg("%s: %s: %s", #call, vt_status_text(status_), error_.message);                \
    } while (0)

/* The call must fail so, and say so in *error. */
#define assert_fails(expected, call)                                                               \
    do {                                                                                           \
        vt_error error_ = {0};                                                                     \
        vt_error *error = &error_;                                                                 \
        vt_status status_ = (call);                                                                \
        if (status_ != (expected))                                                                 \
            fail_msg("%s: got %s (%s), wanted %s", #call, vt_status_text(status_), error_.message, \
                     vt_status_text(expected));                                                    \
        assert_int_equal(error_.status, (expected));                                               \
        assert_true(error_.message[0] != '\0');                                                    \
    } while (0)

/* As assert_fails, and the message must contain `part`. */
#define assert_fails_saying(expected, part, call)                                                  \
    do {                                                                                           \
        vt_error error_ = {0};                                                                     \
        vt_error *error = &error_;                                                                 \
        vt_status status_ = (call);                                                                \
        if (status_ != (expected) || strstr(error_.message, (part)) == NULL)                       \
            fail_msg("%s: got %s (%s), wanted %s with \"%s\"", #call, vt_status_text(status_),     \
                     error_.message, vt_status_text(expected), (part));                            \
    } while (0)

static inline vt_hash fixture_hash(uint64_t seed)
{
    return vt_hash_of(&seed, sizeof seed);
}

/* A product made from a number: everything in it can be told from (number, version). */
typedef struct made_product {
    vt_product product;
    char id[32], title[64], category[16], brand[16];
    vt_attribute attributes[3];
    char color[16];
    const char *items[2];
    vt_picture pictures[FIXTURE_PICTURES_MAX];
    char sources[FIXTURE_PICTURES_MAX][48];
    float *vectors; /* (picture_count, dim) */
} made_product;

static inline void made_product_init(made_product *m, uint32_t number, uint32_t version, size_t dim,
                                     size_t pictures)
{
    memset(m, 0, sizeof *m);
    snprintf(m->id, sizeof m->id, "p%u", number);
    snprintf(m->title, sizeof m->title, "Produkt %u, Größe %u", number, version);
    snprintf(m->category, sizeof m->category, "c%u", number % 7);
    snprintf(m->brand, sizeof m->brand, "b%u", number % 3);
    snprintf(m->color, sizeof m->color, "f%u", version);
    m->items[0] = "S";
    m->items[1] = m->color;
    m->attributes[0] = (vt_attribute){.name = "color", .kind = VT_ATTRIBUTE_TEXT, .text = m->color};
    m->attributes[1] =
        (vt_attribute){.name = "weight", .kind = VT_ATTRIBUTE_NUMBER, .number = number * 0.25};
    m->attributes[2] = (vt_attribute){
        .name = "sizes", .kind = VT_ATTRIBUTE_LIST, .items = m->items, .item_count = 2};
    m->vectors = vt_alloc_array(pictures * dim, sizeof *m->vectors);
    assert_non_null(m->vectors);
    vt_random random;
    vt_random_init(&random, ((uint64_t)version << 32) | number);
    for (size_t i = 0; i < pictures; i++) {
        snprintf(m->sources[i], sizeof m->sources[i], "img/%u-%zu.jpg", number, i);
        double sum = 0;
        float *vector = m->vectors + i * dim;
        for (size_t j = 0; j < dim; j++) {
            vector[j] = (float)vt_random_normal(&random);
            sum += (double)vector[j] * (double)vector[j];
        }
        for (size_t j = 0; j < dim; j++)
            vector[j] = (float)(vector[j] / sqrt(sum));
        m->pictures[i] = (vt_picture){
            .source = m->sources[i],
            .hash = fixture_hash(((uint64_t)version << 40) | ((uint64_t)number << 4) | i),
            .phash = vt_random_u64(&random),
            .width = 640,
            .height = 480,
            .file_bytes = 1000 + i,
            .vector = vector};
    }
    m->product = (vt_product){.id = m->id,
                              .title = m->title,
                              .description = NULL,
                              .category = m->category,
                              .brand = m->brand,
                              .link = "",
                              .price = number + 0.5,
                              .currency = "EUR",
                              .attributes = m->attributes,
                              .attribute_count = 3,
                              .pictures = m->pictures,
                              .picture_count = pictures,
                              .content = fixture_hash(((uint64_t)version << 32) + number)};
}

static inline void made_product_deinit(made_product *m)
{
    vt_free(m->vectors);
}

/* A product "p<number>" of one picture, told from others by `picture`, with this vector. */
static inline void fixture_put_vector(vt_store *store, uint32_t model, uint32_t number,
                                      uint64_t picture, const float *vector)
{
    char id[32];
    snprintf(id, sizeof id, "p%u", number);
    vt_picture one = {.hash = fixture_hash(picture), .width = 1, .height = 1, .vector = vector};
    vt_product product = {.id = id, .price = (double)NAN, .pictures = &one, .picture_count = 1};
    assert_ok(vt_store_put(store, model, &product, error));
}

static inline vt_status fixture_put(vt_store *store, uint32_t model, uint32_t number,
                                    uint32_t version, size_t dim, size_t pictures, vt_error *error)
{
    made_product m;
    made_product_init(&m, number, version, dim, pictures);
    vt_status status = vt_store_put(store, model, &m.product, error);
    made_product_deinit(&m);
    return status;
}

/* In a fixture that is there. */
static inline vt_store *fixture_make_shop(fixture *f, uint32_t *model)
{
    vt_store *store = NULL;
    vt_hash fingerprint = fixture_hash(77);
    assert_ok(vt_store_open(f->shop, VT_STORE_CREATE, &store, error));
    assert_ok(vt_store_model_put(store, &fingerprint, "test", FIXTURE_DIM, model, error));
    return store;
}

static inline vt_store *fixture_create(fixture *f, uint32_t *model)
{
    fixture_init(f);
    return fixture_make_shop(f, model);
}

static inline uint64_t fixture_count(vt_store *store)
{
    vt_store_stats stats = {0};
    assert_ok(vt_store_stats_of(store, 1, &stats, error));
    return stats.products;
}

static inline void assert_same_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        assert_true(a == b);
    else
        assert_string_equal(a, b);
}

static inline void assert_same_number(double a, double b)
{
    assert_true((isnan(a) && isnan(b)) || a == b);
}

static inline void assert_same_attribute(const vt_attribute *a, const vt_attribute *b)
{
    assert_same_text(a->name, b->name);
    assert_int_equal(a->kind, b->kind);
    if (a->kind == VT_ATTRIBUTE_TEXT)
        assert_same_text(a->text, b->text);
    if (a->kind == VT_ATTRIBUTE_NUMBER)
        assert_same_number(a->number, b->number);
    if (a->kind != VT_ATTRIBUTE_LIST)
        return;
    assert_int_equal(a->item_count, b->item_count);
    for (size_t i = 0; i < a->item_count; i++)
        assert_same_text(a->items[i], b->items[i]);
}

/* All but keys, change and vectors. */
static inline void assert_same_product(const vt_product *a, const vt_product *b)
{
    assert_same_text(a->id, b->id);
    assert_same_text(a->title, b->title);
    assert_same_text(a->description, b->description);
    assert_same_text(a->category, b->category);
    assert_same_text(a->brand, b->brand);
    assert_same_text(a->link, b->link);
    assert_same_text(a->currency, b->currency);
    assert_same_number(a->price, b->price);
    assert_memory_equal(&a->content, &b->content, sizeof a->content);
    assert_int_equal(a->attribute_count, b->attribute_count);
    for (size_t i = 0; i < a->attribute_count; i++)
        assert_same_attribute(&a->attributes[i], &b->attributes[i]);
    assert_int_equal(a->picture_count, b->picture_count);
    for (size_t i = 0; i < a->picture_count; i++) {
        const vt_picture *p = &a->pictures[i], *q = &b->pictures[i];
        assert_same_text(p->source, q->source);
        assert_memory_equal(&p->hash, &q->hash, sizeof p->hash);
        assert_true(p->phash == q->phash);
        assert_int_equal(p->width, q->width);
        assert_int_equal(p->height, q->height);
        assert_true(p->file_bytes == q->file_bytes);
    }
}

/* The store holds exactly this product, with its vectors (as half floats). */
static inline void assert_stored(vt_store *store, uint32_t model, const vt_product *wanted,
                                 size_t dim)
{
    vt_arena arena;
    vt_arena_init(&arena, 64 << 20);
    vt_product got;
    assert_ok(vt_store_get(store, wanted->id, &arena, &got, error));
    assert_same_product(wanted, &got);
    assert_true(got.key != 0 && got.change != 0);
    float *vector = vt_alloc_array(dim, sizeof *vector);
    for (size_t i = 0; i < got.picture_count; i++) {
        assert_true(got.pictures[i].key != 0);
        assert_null(got.pictures[i].vector);
        assert_ok(vt_store_vector(store, model, got.pictures[i].key, vector, error));
        for (size_t j = 0; j < dim; j++)
            assert_true(fabsf(vector[j] - wanted->pictures[i].vector[j]) <= 0.0005f);
    }
    vt_free(vector);
    vt_arena_deinit(&arena);
}

static inline void assert_made_stored(vt_store *store, uint32_t model, uint32_t number,
                                      uint32_t version, size_t dim, size_t pictures)
{
    made_product m;
    made_product_init(&m, number, version, dim, pictures);
    assert_stored(store, model, &m.product, dim);
    made_product_deinit(&m);
}

static inline uint32_t fixture_key(vt_store *store, const char *id)
{
    vt_arena arena;
    vt_arena_init(&arena, 64 << 20);
    vt_product got = {0};
    assert_ok(vt_store_get(store, id, &arena, &got, error));
    vt_arena_deinit(&arena);
    return got.key;
}

/* Of length 1, in a direction that the seed says; out: (dim). */
static inline void unit_vector(uint64_t seed, float *out, size_t dim)
{
    vt_random random;
    vt_random_init(&random, seed);
    for (size_t i = 0; i < dim; i++)
        out[i] = (float)vt_random_normal(&random);
    (void)vt_vector_normalize(out, dim);
}

#endif
