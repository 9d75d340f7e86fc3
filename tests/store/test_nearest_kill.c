/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Killed at random moments of putting, removing, building, saving and starting: what was
 * acknowledged is there, what was removed does not come back, and the index equals the store,
 * without anybody's help. VITRINE_KILLS is the number of rounds (default 12).
 *
 * The child acknowledges over a pipe, as a program would to its caller: a byte before each change
 * says which product and what, a byte after it that it is done. What lies between may be either.
 */
#include "fixture.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum { DIM = 1024, PRODUCTS = 4400, FEW = 400, DEFAULT_KILLS = 12 };

typedef struct note {
    uint32_t product, version; /* version 0: removed */
    uint32_t done;
} note;

typedef struct shelf {
    uint32_t version[PRODUCTS], pending[PRODUCTS];
    bool unsure[PRODUCTS]; /* `pending` may have come to pass */
    uint32_t walks;        /* that answered */
} shelf;

/* Of eight dimensions, where a walk misses nothing: among many times more noise it may. */
static void vector_make(uint32_t product, uint32_t version, float *out)
{
    enum { FREE = 8 };
    vt_random random;
    vt_random_init(&random, (uint64_t)version << 32 | product);
    memset(out, 0, DIM * sizeof *out);
    for (size_t i = 0; i < FREE; i++)
        out[i * (DIM / FREE)] = (float)vt_random_normal(&random);
    (void)vt_vector_normalize(out, DIM);
}

static vt_status put(vt_store *store, uint32_t model, uint32_t product, uint32_t version)
{
    char id[32];
    float vector[DIM];
    snprintf(id, sizeof id, "p%u", product);
    vector_make(product, version, vector);
    vt_picture picture = {.hash = fixture_hash((uint64_t)version << 32 | product),
                          .width = 1,
                          .height = 1,
                          .vector = vector};
    vt_product made = {.id = id, .price = version, .pictures = &picture, .picture_count = 1};
    return vt_store_put(store, model, &made, NULL);
}

static void say(int fd, uint32_t product, uint32_t version, bool done)
{
    const note n = {product, version, done};
    if (write(fd, &n, sizeof n) != sizeof n)
        _exit(3);
}

/* Opens, builds if there is nothing, asks, changes, saves by closing, again and again. */
static void child_run(const char *shop, uint32_t model, uint32_t round, int fd)
{
    vt_random random;
    vt_random_init(&random, round);
    for (uint32_t turn = 0;; turn++) {
        vt_store *store = NULL;
        vt_hit hits[10];
        size_t count = 0;
        float query[DIM];
        vt_nearest_options options = {.k = 10, .min_similarity = -INFINITY};
        if (vt_store_open(shop, VT_STORE_WRITE, &store, NULL) != VT_OK ||
            vt_store_index_refresh(store, model, NULL, NULL) != VT_OK)
            _exit(1);
        for (uint32_t i = 0; i < 120; i++) {
            uint32_t product = (uint32_t)vt_random_below(&random, FEW);
            uint32_t version = 1 + round * 1000 + turn * 130 + i;
            char id[32];
            snprintf(id, sizeof id, "p%u", product);
            bool removing = vt_random_below(&random, 3) == 0;
            say(fd, product, removing ? 0 : version, false);
            vt_status status =
                removing ? vt_store_remove(store, id, NULL) : put(store, model, product, version);
            if (status != VT_OK && status != VT_ERR_NOT_FOUND)
                _exit(2);
            say(fd, product, removing ? 0 : version, true);
            vector_make(product, version, query);
            if (i % 16 == 0 && vt_store_nearest(store, model, query, 1, &options, hits, &count,
                                                NULL, NULL) != VT_OK)
                _exit(4);
        }
        vt_store_close(store);
    }
}

static void shelf_hear(shelf *s, const note *n)
{
    s->unsure[n->product] = !n->done;
    if (n->done)
        s->version[n->product] = n->version;
    else
        s->pending[n->product] = n->version;
}

/* The version of a product that the store has; 0: none. */
static uint32_t stored_version(vt_store *store, uint32_t product)
{
    char id[32];
    vt_arena arena;
    vt_product got;
    snprintf(id, sizeof id, "p%u", product);
    vt_arena_init(&arena, 1 << 20);
    vt_status status = vt_store_get(store, id, &arena, &got, NULL);
    uint32_t version = status == VT_OK ? (uint32_t)got.price : 0;
    vt_arena_deinit(&arena);
    return version;
}

/* Searches for fewer than it takes until a process builds a graph for itself (graph.c), which would
 * be most of the work here; which ones, changes from round to round. */
static void shelf_check(shelf *s, const char *shop, uint32_t model, uint32_t round)
{
    enum { EVERY = 32 };
    vt_store *store = NULL;
    vt_hit hit;
    size_t count = 0;
    assert_ok(vt_store_open(shop, VT_STORE_READ, &store, error));
    assert_ok(vt_store_check(store, error));
    assert_ok(vt_store_index_check(store, model, NULL, error));
    vt_nearest_options options = {.k = 1, .min_similarity = -INFINITY};
    for (uint32_t i = 0; i < FEW; i++) {
        uint32_t version = stored_version(store, i);
        bool right = version == s->version[i] || (s->unsure[i] && version == s->pending[i]);
        if (!right)
            fail_msg("product %u has version %u, acknowledged was %u", i, version, s->version[i]);
        s->version[i] = version;
        s->unsure[i] = false;
        if (version == 0 || i % EVERY != round % EVERY)
            continue;
        float query[DIM];
        vector_make(i, version, query);
        vt_nearest_answer answer;
        assert_ok(vt_store_nearest(store, model, query, 1, &options, &hit, &count, &answer, error));
        assert_true(count == 1 && hit.similarity > 0.99f);
        s->walks += strcmp(answer.strategy, "walk") == 0;
    }
    vt_store_close(store);
}

static void kill_once(shelf *s, const char *shop, uint32_t model, uint32_t round)
{
    int ends[2], how = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        child_run(shop, model, round, ends[1]);
    }
    close(ends[1]);
    vt_random random;
    vt_random_init(&random, 77 + round);
    uint64_t wait_us = vt_random_below(&random, round % 3 == 0 ? 30000 : 900000);
    const struct timespec wait = {.tv_sec = 0, .tv_nsec = (long)wait_us * 1000};
    /* The pipe holds some thousands of notes: read while waiting, so that the child never stops. */
    nanosleep(&wait, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    note n;
    ssize_t length;
    while ((length = read(ends[0], &n, sizeof n)) == sizeof n)
        shelf_hear(s, &n);
    assert_int_equal(length, 0);
    close(ends[0]);
    shelf_check(s, shop, model, round);
}

static void test_kills(void **state)
{
    (void)state;
    static shelf s;
    fixture f;
    uint32_t model;
    const char *given = getenv("VITRINE_KILLS");
    int rounds = given != NULL ? atoi(given) : DEFAULT_KILLS;
    fixture_init(&f);
    vt_store *store = NULL;
    vt_hash fingerprint = fixture_hash(77);
    assert_ok(vt_store_open(f.shop, VT_STORE_CREATE, &store, error));
    assert_ok(vt_store_model_put(store, &fingerprint, "test", DIM, &model, error));
    for (uint32_t i = 0; i < PRODUCTS; i++) {
        assert_int_equal(put(store, model, i, 1), VT_OK);
        s.version[i] = 1;
    }
    vt_store_close(store);
    for (int round = 0; round < rounds; round++) {
        if (round == rounds / 4) { /* a slow machine's children are killed before they have one */
            assert_ok(vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
            assert_ok(vt_store_index_refresh(store, model, NULL, error));
            vt_store_close(store);
        }
        kill_once(&s, f.shop, model, (uint32_t)round);
    }
    print_message("%u walks\n", s.walks);
    assert_true(s.walks > 0);
    /* In the end a graph was built and saved, and is what answers. */
    vt_store_index_info info;
    assert_ok(vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
    assert_ok(vt_store_index_refresh(store, model, NULL, error));
    assert_ok(vt_store_index_info_of(store, model, &info, error));
    assert_true(info.wanted == VT_INDEX_GRAPH && info.kind == VT_INDEX_GRAPH && info.snapshot);
    assert_string_equal(info.snapshot_fault, "");
    assert_ok(vt_store_index_check(store, model, NULL, error));
    vt_store_close(store);
    fixture_deinit(&f);
}

int main(void)
{
#ifdef __SANITIZE_THREAD__
    return 77; /* skipped: takes most of an hour, and who is killed races with nobody */
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
