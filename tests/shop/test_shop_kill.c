/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shop of some thousand vectors, killed at random moments of imports, deletes, snapshots and
 * start-up: what was acknowledged is there, what was deleted stays away, catalogue and index are
 * sound and equal, and the next process starts without help. VITRINE_KILLS is the number of rounds
 * (default 4).
 *
 * The child says over a pipe what it is about to do and, once it was acknowledged, that it is done.
 * What lies between may have come to pass or not. The shop is opened by children alone: the threads
 * of libraries do not come along into a child.
 */
#include "shop/journey.h"

#include "base/clock.h"
#include "base/random.h"
#include "store/store.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    ROUNDS = 4,
    FEW = 48,             /* products that come, change and go */
    FEED_ROWS = 16,       /* of them in one import */
    REMOVALS = 6,         /* after it */
    BASE_BYTES = 9 << 20, /* of vectors that stay, so that there is a graph */
    BASE_ROWS = 4400,
    BASE_PICTURES = 400, /* of one product */
    DISTINCT = 10        /* vectors among them: to build the graph takes no time */
};

/* So many turns, undisturbed ones, a child lives at most; early is within its start-up. */
static const double EARLY_TURNS = 0.2, LATE_TURNS = 2.5;

typedef struct note {
    uint32_t product, version; /* 0: deleted */
    uint32_t done;
} note;

typedef struct shelf {
    uint32_t version[FEW], pending[FEW];
    bool unsure[FEW]; /* `pending` may have come to pass */
} shelf;

static void ok(vt_status status, const vt_error *error)
{
    if (status == VT_OK)
        return;
    fprintf(stderr, "%s\n", error->message);
    _exit(1);
}

/* ---- in children ---- */

static void in_child_make(const char *directory)
{
    vt_error error = {0};
    vt_init_options options = vt_init_options_defaults();
    options.model = "classic"; /* opens at once */
    ok(vt_shop_init(directory, &options, &error), &error);
}

static void say(int fd, uint32_t product, uint32_t version, bool done)
{
    const note n = {product, version, done};
    if (write(fd, &n, sizeof n) != sizeof n)
        _exit(3);
}

/* Each product once in a feed, in any order; its title is its version. */
static void feed_make(journey *j, vt_random *random, uint32_t version, uint32_t *products)
{
    uint32_t all[FEW];
    vt_buf text;
    vt_buf_init(&text, 1 << 16);
    vt_buf_append_text(&text, "id,title,image_link\n");
    for (uint32_t i = 0; i < FEW; i++)
        all[i] = i;
    for (uint32_t i = 0; i < FEED_ROWS; i++) {
        uint32_t at = i + (uint32_t)vt_random_below(random, FEW - i);
        products[i] = all[at];
        all[at] = all[i];
        vt_buf_printf(&text, "k%u,version %u,p%u.jpg\n", products[i], version,
                      (products[i] + version) % PRODUCTS);
    }
    scratch_write(j->scratch, "kill.csv", text.data, text.length);
    vt_buf_deinit(&text);
}

static void import_some(journey *j, vt_shop *shop, vt_random *random, uint32_t version, int fd)
{
    uint32_t products[FEED_ROWS];
    vt_error error = {0};
    vt_import_report report = {0};
    const vt_import_options options = vt_import_options_defaults();
    feed_make(j, random, version, products);
    for (size_t i = 0; i < FEED_ROWS; i++)
        say(fd, products[i], version, false);
    ok(vt_shop_import(shop, at(j, "kill.csv"), &options, &report, &error), &error);
    for (size_t i = 0; i < FEED_ROWS; i++)
        say(fd, products[i], version, true);
}

static void remove_some(vt_shop *shop, vt_random *random, int fd)
{
    for (size_t i = 0; i < REMOVALS; i++) {
        char id[16];
        vt_error error = {0};
        uint32_t product = (uint32_t)vt_random_below(random, FEW);
        snprintf(id, sizeof id, "k%u", product);
        say(fd, product, 0, false);
        vt_status status = vt_shop_remove(shop, id, &error);
        ok(status == VT_ERR_NOT_FOUND ? VT_OK : status, &error);
        say(fd, product, 0, true);
    }
}

/* Starts up, imports, deletes, now and then builds the graph, saves by closing. */
static void work_once(journey *j, vt_random *random, uint32_t version, int fd)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    ok(vt_shop_open(j->shop, VT_OPEN_WRITE, &shop, &error), &error);
    import_some(j, shop, random, version, fd);
    remove_some(shop, random, fd);
    if (vt_random_below(random, 3) == 0)
        ok(vt_shop_index_build(shop, NULL, &error), &error);
    vt_shop_close(shop);
}

/* Again and again, or once. */
static void in_child_work(journey *j, uint32_t round, bool once, int fd)
{
    vt_random random;
    vt_random_init(&random, round);
    for (uint32_t turn = 0; !once || turn == 0; turn++)
        work_once(j, &random, 1 + round * 1000 + turn, fd);
    _exit(0);
}

/* ---- the parent ---- */

#define must_be_ok(call)                                                                           \
    do {                                                                                           \
        vt_error error_ = {0};                                                                     \
        vt_error *error = &error_;                                                                 \
        expect_ok((call), error);                                                                  \
    } while (0)

static vt_status model_note(void *context, const vt_store_model *model, vt_error *error)
{
    (void)error;
    *(vt_store_model *)context = *model;
    return VT_OK;
}

static void vector_draw(vt_random *random, float *vector, size_t dim)
{
    double sum = 0;
    for (size_t d = 0; d < dim; d++) {
        vector[d] = (float)vt_random_normal(random);
        sum += (double)vector[d] * (double)vector[d];
    }
    for (size_t d = 0; d < dim; d++)
        vector[d] = (float)(vector[d] / sqrt(sum));
}

/* Products of many vectors each, which stay. */
static void base_fill(const char *shop, vt_store_model *model)
{
    vt_store *store = NULL;
    vt_random random;
    vt_random_init(&random, 5);
    must_be_ok(vt_store_open(shop, VT_STORE_WRITE, &store, error));
    must_be_ok(vt_store_each_model(store, model_note, model, error));
    size_t rows = BASE_BYTES / (2 * model->dim) + 1;
    rows = rows < BASE_ROWS ? BASE_ROWS : rows;
    float *vectors = vt_alloc_array(DISTINCT, model->dim * sizeof *vectors);
    vt_picture *pictures = vt_calloc(BASE_PICTURES, sizeof *pictures);
    assert_true(vectors != NULL && pictures != NULL);
    for (size_t first = 0; first < rows; first += BASE_PICTURES) {
        char id[32];
        snprintf(id, sizeof id, "base%zu", first);
        for (size_t i = 0; i < BASE_PICTURES; i++) {
            uint64_t seed = first + i;
            float *vector = vectors + i % DISTINCT * model->dim;
            if (i < DISTINCT)
                vector_draw(&random, vector, model->dim);
            pictures[i] = (vt_picture){
                .hash = vt_hash_of(&seed, sizeof seed), .width = 1, .height = 1, .vector = vector};
        }
        const vt_product product = {
            .id = id, .price = (double)NAN, .pictures = pictures, .picture_count = BASE_PICTURES};
        must_be_ok(vt_store_put(store, model->key, &product, error));
    }
    must_be_ok(vt_store_index_build(store, model->key, NULL, error));
    vt_store_close(store);
    vt_free(vectors);
    vt_free(pictures);
}

static void shelf_hear(shelf *s, int fd)
{
    note n;
    ssize_t length;
    while ((length = read(fd, &n, sizeof n)) == sizeof n) {
        s->unsure[n.product] = !n.done;
        if (n.done)
            s->version[n.product] = n.version;
        else
            s->pending[n.product] = n.version;
    }
    assert_int_equal(length, 0);
}

/* 0: there is no such product. */
static uint32_t stored_version(vt_store *store, uint32_t product)
{
    char id[16];
    vt_arena arena;
    vt_product got;
    unsigned version = 0;
    snprintf(id, sizeof id, "k%u", product);
    vt_arena_init(&arena, 1 << 20);
    vt_status status = vt_store_get(store, id, &arena, &got, NULL);
    if (status == VT_OK)
        assert_int_equal(sscanf(got.title, "version %u", &version), 1);
    else
        assert_int_equal(status, VT_ERR_NOT_FOUND);
    vt_arena_deinit(&arena);
    return version;
}

/* What a process that has just started finds. */
static void shelf_check(shelf *s, const char *shop, uint32_t model)
{
    vt_store *store = NULL;
    vt_store_index_info info;
    must_be_ok(vt_store_open(shop, VT_STORE_READ, &store, error));
    must_be_ok(vt_store_check(store, error));
    must_be_ok(vt_store_index_check(store, model, NULL, error));
    must_be_ok(vt_store_check_postings(store, error));
    must_be_ok(vt_store_index_info_of(store, model, &info, error));
    assert_true(info.kind ==
                VT_INDEX_GRAPH); /* there was one from the beginning: it was never lost */
    assert_string_equal(info.snapshot_fault, "");
    for (uint32_t i = 0; i < FEW; i++) {
        uint32_t version = stored_version(store, i);
        if (version != s->version[i] && !(s->unsure[i] && version == s->pending[i]))
            fail_msg("product %u has version %u, acknowledged was %u", i, version, s->version[i]);
        s->version[i] = version;
        s->unsure[i] = false;
    }
    vt_store_close(store);
}

static pid_t child_start(journey *j, uint32_t round, bool once, int *fd)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        in_child_work(j, round, once, ends[1]);
    }
    close(ends[1]);
    *fd = ends[0];
    return child;
}

/* An undisturbed turn; the milliseconds it took. */
static double work_undisturbed(journey *j, shelf *s, uint32_t model)
{
    int fd, how = 0;
    double started = vt_clock_ms();
    pid_t child = child_start(j, 0, true, &fd);
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    double took_ms = vt_clock_ms() - started;
    shelf_hear(s, fd);
    close(fd);
    shelf_check(s, j->shop, model);
    return took_ms;
}

static void kill_once(journey *j, shelf *s, uint32_t model, uint32_t round, double turn_ms)
{
    int fd, how = 0;
    vt_random random;
    pid_t child = child_start(j, round, false, &fd);
    vt_random_init(&random, 99 + round);
    double longest_ms = turn_ms * (round % 4 == 0 ? EARLY_TURNS : LATE_TURNS);
    double wait_ms = vt_random_double(&random) * longest_ms;
    const struct timespec wait = {.tv_sec = (time_t)(wait_ms / 1000),
                                  .tv_nsec = (long)(fmod(wait_ms, 1000) * 1e6)};
    nanosleep(&wait, NULL); /* the pipe holds some thousand notes: the child never stops */
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    shelf_hear(s, fd);
    close(fd);
    shelf_check(s, j->shop, model);
}

static void a_shop_may_be_killed_at_any_moment(void **state)
{
    journey *j = *state;
    shelf s = {0};
    vt_store_model model = {0};
    int64_t rounds = ROUNDS;
    const char *given = getenv("VITRINE_KILLS");
    int how = 0;
    if (given != NULL)
        assert_true(vt_parse_int(given, 1, 1000000, &rounds));
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        in_child_make(j->shop);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    base_fill(j->shop, &model);
    double turn_ms = work_undisturbed(j, &s, model.key);
    for (int64_t round = 1; round <= rounds; round++)
        kill_once(j, &s, model.key, (uint32_t)round, turn_ms);
}

int main(void)
{
#ifdef __SANITIZE_THREAD__
    return 77; /* skipped: who is killed races with nobody */
#endif
    const struct CMUnitTest tests[] = {
        IN_JOURNEY(a_shop_may_be_killed_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
