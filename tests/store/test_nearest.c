/* SPDX-License-Identifier: Apache-2.0 */
/* Nearest products: what a plain loop over everything that was put would answer, whatever was put,
 * replaced and removed before, by whom. */
#include "fixture.h"

#include <sys/wait.h>

enum { PRODUCTS = 150, MAX_DIM = 48, MAX_K = 200 };

/* What should be in the store: version 0 is not there. */
typedef struct shelf {
    uint32_t version[PRODUCTS];
    size_t pictures[PRODUCTS];
    uint32_t key[PRODUCTS];
} shelf;

typedef struct expected {
    float similarity;
    uint32_t product; /* key */
} expected;

static int compare_expected(const void *a, const void *b)
{
    const expected *x = a, *y = b;
    if (x->similarity != y->similarity)
        return x->similarity < y->similarity ? 1 : -1;
    return (x->product > y->product) - (x->product < y->product);
}

static size_t brute_force(const shelf *s, size_t dim, const float *query, const vt_idset *filter,
                          expected *out)
{
    size_t count = 0;
    for (uint32_t i = 0; i < PRODUCTS; i++) {
        if (s->version[i] == 0 || (filter != NULL && !vt_idset_has(filter, s->key[i])))
            continue;
        made_product m;
        made_product_init(&m, i, s->version[i], dim, s->pictures[i]);
        float best = -INFINITY;
        for (size_t j = 0; j < s->pictures[i]; j++) {
            double sum = 0;
            for (size_t d = 0; d < dim; d++)
                sum += (double)query[d] * (double)m.vectors[j * dim + d];
            best = fmaxf(best, (float)sum);
        }
        out[count++] = (expected){.similarity = best, .product = s->key[i]};
        made_product_deinit(&m);
    }
    qsort(out, count, sizeof *out, compare_expected);
    return count;
}

static size_t picture_count(const shelf *s)
{
    size_t count = 0;
    for (size_t i = 0; i < PRODUCTS; i++)
        count += s->version[i] != 0 ? s->pictures[i] : 0;
    return count;
}

/* Asks with several queries at once and holds each answer to the loop. Half precision moves a
 * similarity by less than 0.002, so ranks may differ among what is closer than that. */
static void assert_nearest(vt_store *store, uint32_t model, const shelf *s, size_t dim, size_t k,
                           const vt_idset *filter)
{
    enum { QUERIES = 3 };
    float queries[QUERIES * MAX_DIM];
    vt_random random;
    vt_random_init(&random, k * 31 + dim);
    for (size_t i = 0; i < QUERIES * dim; i++)
        queries[i] = vt_random_float(&random, -0.3f, 0.3f);
    vt_hit hits[QUERIES * MAX_K];
    size_t counts[QUERIES];
    vt_nearest_answer answer;
    vt_nearest_options options = {.k = k, .min_similarity = -INFINITY, .products = filter};
    assert_ok(
        vt_store_nearest(store, model, queries, QUERIES, &options, hits, counts, &answer, error));
    assert_string_equal(answer.strategy, "exact");
    assert_true(answer.complete);
    if (filter == NULL)
        assert_int_equal(answer.searched, picture_count(s));
    for (size_t q = 0; q < QUERIES; q++) {
        expected wanted[PRODUCTS];
        size_t count = brute_force(s, dim, queries + q * dim, filter, wanted);
        assert_int_equal(counts[q], count < k ? count : k);
        vt_idset *seen = NULL;
        assert_ok(vt_idset_new(&seen, error));
        for (size_t i = 0; i < counts[q]; i++) {
            const vt_hit *hit = &hits[q * k + i];
            assert_true(fabsf(hit->similarity - wanted[i].similarity) < 0.002f);
            assert_false(vt_idset_has(seen, hit->group));
            assert_ok(vt_idset_add(seen, hit->group, error));
            size_t at = 0;
            while (at < count && wanted[at].product != hit->group)
                at++;
            assert_true(at < count);
            assert_true(fabsf(hit->similarity - wanted[at].similarity) < 0.002f);
            float vector[MAX_DIM];
            assert_ok(vt_store_vector(store, model, hit->id, vector, error));
        }
        vt_idset_free(seen);
    }
}

static void shelf_put(shelf *s, vt_store *store, uint32_t model, uint32_t number, uint32_t version,
                      size_t dim, size_t pictures)
{
    assert_ok(fixture_put(store, model, number, version, dim, pictures, error));
    char id[32];
    snprintf(id, sizeof id, "p%u", number);
    s->version[number] = version;
    s->pictures[number] = pictures;
    s->key[number] = fixture_key(store, id);
}

static void shelf_remove(shelf *s, vt_store *store, uint32_t number)
{
    char id[32];
    snprintf(id, sizeof id, "p%u", number);
    assert_ok(vt_store_remove(store, id, error));
    s->version[number] = 0;
}

static void test_follows_every_change(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    shelf s = {0};
    assert_nearest(store, model, &s, FIXTURE_DIM, 5, NULL); /* nothing there yet */
    vt_random random;
    vt_random_init(&random, 11);
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 12; i++) {
            uint32_t number = (uint32_t)vt_random_below(&random, PRODUCTS);
            if (s.version[number] != 0 && vt_random_below(&random, 3) == 0)
                shelf_remove(&s, store, number);
            else
                shelf_put(&s, store, model, number, (uint32_t)round + 1, FIXTURE_DIM,
                          1 + (size_t)vt_random_below(&random, 4));
        }
        assert_nearest(store, model, &s, FIXTURE_DIM, 1 + (size_t)vt_random_below(&random, 20),
                       NULL);
    }
    assert_nearest(store, model, &s, FIXTURE_DIM, MAX_K, NULL);
    vt_store_stats stats;
    assert_ok(vt_store_stats_of(store, model, &stats, error));
    assert_true(stats.index_bytes >= stats.vectors * FIXTURE_DIM * 2);

    /* A fresh load holds the same as what followed along. */
    vt_store_close(store);
    assert_ok(vt_store_open(f.shop, VT_STORE_READ, &store, error));
    assert_nearest(store, model, &s, FIXTURE_DIM, MAX_K, NULL);
    vt_store_close(store);
    fixture_deinit(&f);
}

static void test_filter_and_minimum(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    shelf s = {0};
    for (uint32_t i = 0; i < 60; i++)
        shelf_put(&s, store, model, i, 1, FIXTURE_DIM, 1 + i % 3);
    vt_idset *filter = NULL;
    assert_ok(vt_idset_new(&filter, error));
    assert_nearest(store, model, &s, FIXTURE_DIM, 10, filter); /* none may answer */
    for (uint32_t i = 0; i < 60; i += 7)
        assert_ok(vt_idset_add(filter, s.key[i], error));
    assert_ok(vt_idset_add(filter, 4000000, error)); /* not a product */
    assert_nearest(store, model, &s, FIXTURE_DIM, 4, filter);
    assert_nearest(store, model, &s, FIXTURE_DIM, 50, filter);
    vt_idset_free(filter);

    made_product m;
    made_product_init(&m, 17, 1, FIXTURE_DIM, 1);
    vt_hit hits[20];
    size_t count;
    vt_nearest_options options = {.k = 20, .min_similarity = 0.98f};
    assert_ok(vt_store_nearest(store, model, m.vectors, 1, &options, hits, &count, NULL, error));
    assert_int_equal(count, 1);
    assert_int_equal(hits[0].group, s.key[17]);
    assert_true(fabsf(hits[0].similarity - 1) < 0.002f);
    options.pool = NULL;
    m.vectors[3] = NAN;
    assert_fails(VT_ERR_USAGE,
                 vt_store_nearest(store, model, m.vectors, 1, &options, hits, &count, NULL, error));
    options.k = 0;
    assert_fails(VT_ERR_USAGE,
                 vt_store_nearest(store, model, m.vectors, 1, &options, hits, &count, NULL, error));
    options.k = 1;
    assert_fails(VT_ERR_NOT_FOUND, vt_store_nearest(store, model + 9, m.vectors, 1, &options, hits,
                                                    &count, NULL, error));
    made_product_deinit(&m);
    vt_store_close(store);
    fixture_deinit(&f);
}

static void test_two_models(void **state)
{
    (void)state;
    fixture f;
    uint32_t model, wide;
    vt_store *store = fixture_create(&f, &model);
    vt_hash fingerprint = fixture_hash(1234);
    assert_ok(vt_store_model_put(store, &fingerprint, "wide", 48, &wide, error));
    shelf a = {0}, b = {0};
    for (uint32_t i = 0; i < 40; i++) {
        shelf_put(&a, store, model, i, 1, FIXTURE_DIM, 2);
        if (i % 2 == 0)
            shelf_put(&b, store, wide, i, 1, 48, 2);
    }
    assert_nearest(store, model, &a, FIXTURE_DIM, 10, NULL);
    assert_nearest(store, wide, &b, 48, 10, NULL);
    for (uint32_t i = 0; i < 40; i += 5) {
        shelf_remove(&a, store, i);
        b.version[i] = 0;
    }
    shelf_put(&b, store, wide, 1, 1, 48, 2);
    assert_nearest(store, wide, &b, 48, 50, NULL);
    assert_nearest(store, model, &a, FIXTURE_DIM, 50, NULL);
    assert_ok(vt_store_check(store, error));
    vt_store_close(store);
    fixture_deinit(&f);
}

/* A reader in this process, the writer in another one: each change is seen once it is committed. */
static void test_other_process(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    shelf s = {0};
    for (uint32_t i = 0; i < 30; i++)
        shelf_put(&s, store, model, i, 1, FIXTURE_DIM, 2);
    vt_store_close(store);
    int go[2], done[2];
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(done), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        vt_store *writer = NULL;
        char byte;
        if (vt_store_open(f.shop, VT_STORE_WRITE, &writer, NULL) != VT_OK)
            _exit(1);
        for (uint32_t i = 0; read(go[0], &byte, 1) == 1 && byte == 'g'; i++) {
            char id[32];
            snprintf(id, sizeof id, "p%u", i);
            if (fixture_put(writer, model, i + 10, 2, FIXTURE_DIM, 3, NULL) != VT_OK ||
                vt_store_remove(writer, id, NULL) != VT_OK || write(done[1], "d", 1) != 1)
                _exit(2);
        }
        _exit(0); /* not even closed */
    }
    assert_ok(vt_store_open(f.shop, VT_STORE_READ, &store, error));
    assert_nearest(store, model, &s, FIXTURE_DIM, 20, NULL);
    for (uint32_t i = 0; i < 8; i++) {
        char byte;
        assert_int_equal(write(go[1], "g", 1), 1);
        assert_int_equal(read(done[0], &byte, 1), 1);
        s.version[i] = 0;
        s.version[i + 10] = 2;
        s.pictures[i + 10] = 3;
        assert_nearest(store, model, &s, FIXTURE_DIM, 50, NULL);
    }
    assert_int_equal(write(go[1], "q", 1), 1);
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
    assert_nearest(store, model, &s, FIXTURE_DIM, 50, NULL);
    vt_store_close(store);
    for (int i = 0; i < 2; i++) {
        close(go[i]);
        close(done[i]);
    }
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follows_every_change),
        cmocka_unit_test(test_filter_and_minimum),
        cmocka_unit_test(test_two_models),
        cmocka_unit_test(test_other_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
