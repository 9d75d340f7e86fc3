/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads reading beside writing ones: every answer is one that some moment could have given.
 */
#include "fixture.h"

#include <stdatomic.h>

enum { PRODUCTS = 40, READERS = 3, WRITERS = 2, ROUNDS = 60 };

typedef struct stage {
    vt_store *store;
    uint32_t model;
    atomic_bool stop;
    atomic_int next_writer;
    atomic_uint latest[PRODUCTS]; /* version that was acknowledged last */
    atomic_uint reads;
    /* cmocka's assertions belong to the main thread: others count here what went wrong. */
    atomic_uint faults;
} stage;

/* Product numbers are shared out: each is written by one thread, so that `latest` only grows. */
static void write_products(void *context)
{
    stage *s = context;
    uint32_t mine = (uint32_t)atomic_fetch_add(&s->next_writer, 1);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        for (uint32_t i = mine; i < PRODUCTS; i += WRITERS) {
            if (fixture_put(s->store, s->model, i, round, FIXTURE_DIM, 1 + round % 3, NULL) !=
                VT_OK)
                atomic_fetch_add(&s->faults, 1);
            atomic_store(&s->latest[i], round);
        }
    }
}

static bool made_equals(const vt_product *got, uint32_t number, uint32_t version)
{
    made_product m;
    made_product_init(&m, number, version, FIXTURE_DIM, 1 + version % 3);
    bool same = strcmp(got->title, m.title) == 0 && got->picture_count == m.product.picture_count &&
                got->attribute_count == 3 && strcmp(got->attributes[0].text, m.color) == 0 &&
                memcmp(&got->content, &m.product.content, sizeof got->content) == 0;
    for (size_t i = 0; same && i < got->picture_count; i++)
        same = memcmp(&got->pictures[i].hash, &m.pictures[i].hash, sizeof(vt_hash)) == 0;
    made_product_deinit(&m);
    return same;
}

/* What is read is whole (of one version) and not older than what was acknowledged before. */
static bool read_one(stage *s, uint32_t number)
{
    char id[32];
    snprintf(id, sizeof id, "p%u", number);
    uint32_t least = atomic_load(&s->latest[number]);
    vt_arena arena;
    vt_arena_init(&arena, 1 << 20);
    vt_product got;
    vt_status status = vt_store_get(s->store, id, &arena, &got, NULL);
    bool good = status == VT_OK || (least == 0 && status == VT_ERR_NOT_FOUND);
    unsigned version = 0, named = 0;
    if (status == VT_OK)
        good = sscanf(got.title, "Produkt %u, Größe %u", &named, &version) == 2 &&
               named == number && version >= least && made_equals(&got, number, version);
    vt_arena_deinit(&arena);
    return good;
}

static bool find_one(stage *s, uint32_t number)
{
    uint32_t version = atomic_load(&s->latest[number]);
    if (version == 0)
        return true;
    made_product m;
    made_product_init(&m, number, version, FIXTURE_DIM, 1);
    vt_hit hits[5];
    size_t count = 0;
    vt_nearest_options options = {.k = 5, .min_similarity = -INFINITY};
    vt_status status =
        vt_store_nearest(s->store, s->model, m.vectors, 1, &options, hits, &count, NULL, NULL);
    bool good = status == VT_OK && count >= 1;
    /* Unless it was replaced meanwhile, the product itself is nearest to its own picture. */
    if (good && atomic_load(&s->latest[number]) == version && hits[0].similarity < 0.99f) {
        vt_arena arena;
        vt_arena_init(&arena, 1 << 20);
        vt_product got;
        if (vt_store_get(s->store, m.id, &arena, &got, NULL) == VT_OK)
            good = !made_equals(&got, number, version);
        vt_arena_deinit(&arena);
    }
    made_product_deinit(&m);
    return good;
}

static vt_status count_walk(void *context, const vt_product *product, vt_error *error)
{
    (void)error;
    (void)product;
    ++*(unsigned *)context;
    return VT_OK;
}

static void read_products(void *context)
{
    stage *s = context;
    for (uint32_t i = 0; !atomic_load(&s->stop); i++) {
        unsigned walked = 0;
        vt_hash hash;
        char id[32];
        snprintf(id, sizeof id, "p%u", i % PRODUCTS);
        vt_status content = vt_store_content(s->store, s->model, id, &hash, NULL);
        if (!read_one(s, i % PRODUCTS) || !find_one(s, (i * 7) % PRODUCTS) ||
            (content != VT_OK && content != VT_ERR_NOT_FOUND) ||
            (i % 16 == 0 &&
             (vt_store_each(s->store, count_walk, &walked, NULL) != VT_OK || walked > PRODUCTS)))
            atomic_fetch_add(&s->faults, 1);
        atomic_fetch_add(&s->reads, 1);
    }
}

static void test_readers_beside_writers(void **state)
{
    (void)state;
    fixture f;
    stage s = {0};
    s.store = fixture_create(&f, &s.model);
    vt_thread *readers[READERS], *writers[WRITERS];
    for (size_t i = 0; i < WRITERS; i++)
        assert_ok(vt_thread_start("writer", write_products, &s, &writers[i], error));
    for (size_t i = 0; i < READERS; i++)
        assert_ok(vt_thread_start("reader", read_products, &s, &readers[i], error));
    for (size_t i = 0; i < WRITERS; i++)
        vt_thread_join(writers[i]);
    atomic_store(&s.stop, true);
    for (size_t i = 0; i < READERS; i++)
        vt_thread_join(readers[i]);
    assert_int_equal(atomic_load(&s.faults), 0);
    assert_true(atomic_load(&s.reads) > 0);
    for (uint32_t i = 0; i < PRODUCTS; i++)
        assert_made_stored(s.store, s.model, i, ROUNDS, FIXTURE_DIM, 1 + ROUNDS % 3);
    assert_ok(vt_store_check(s.store, error));
    vt_store_close(s.store);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_readers_beside_writers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
