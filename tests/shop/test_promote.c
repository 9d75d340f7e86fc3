/* SPDX-License-Identifier: Apache-2.0 */
/* A shop changes its encoder: measured, refused, killed at every stage, written to and searched
 * meanwhile. Each part runs in a process of its own: what dies leaves the others whole, and no
 * process forks after it has run a network. */
#include "shop/journey.h"

#include "support/onnx_builder.h"

#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum { QUERY_SHIFT = 9, KILLED = 42, KILL_ROUNDS = 24 };

typedef void part(journey *j, int argument);

/* The part's exit code; assertions that fail inside are printed there and give 1. */
static int in_child(journey *j, part *run, int argument)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        run(j, argument);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* cmocka's assertions jump to the test that was running when the process was forked: in a child
 * they would go on with the rest of the tests. */
#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);          \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void must_ok(vt_status status, const vt_error *error, int line)
{
    if (status == VT_OK)
        return;
    fprintf(stderr, "line %d: status %d: %s\n", line, (int)status, error->message);
    _exit(1);
}
#define ok(call) must_ok((call), &error, __LINE__)

static vt_init_options tiny_model(journey *j, const char *name, uint64_t seed,
                                  char path[SCRATCH_PATH_BYTES])
{
    tiny_options tiny = tiny_defaults();
    vt_init_options options = vt_init_options_defaults();
    tiny.seed = seed;
    vt_buf file = tiny_build(&tiny);
    scratch_write(j->scratch, name, file.data, file.length);
    vt_buf_deinit(&file);
    snprintf(path, SCRATCH_PATH_BYTES, "%s", at(j, name));
    options.model = path;
    options.preset = "imagenet";
    return options;
}

static void import_into(const char *shop_path, const char *feed)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_import_report report = {0};
    vt_import_options options = vt_import_options_defaults();
    ok(vt_shop_open(shop_path, VT_OPEN_WRITE, &shop, &error));
    ok(vt_shop_import(shop, feed, &options, &report, &error));
    vt_shop_close(shop);
}

/* A shop with the tiny network (tiny true) or classic. */
static void make(journey *j, int tiny)
{
    vt_error error = {0};
    char path[SCRATCH_PATH_BYTES];
    vt_init_options options = vt_init_options_defaults();
    options.model = "classic";
    if (tiny)
        options = tiny_model(j, "tiny.onnx", 1, path);
    ok(vt_shop_init(j->shop, &options, &error));
    import_into(j->shop, j->feed);
}

static vt_promote_options forced(void)
{
    vt_promote_options how = vt_promote_options_defaults();
    how.preset = "imagenet";
    how.force = true;
    return how;
}

/* Every product is found by its own picture, by an encoder of this name. */
static void must_find_all(journey *j, vt_shop *shop, const char *model, int products)
{
    vt_error error = {0};
    vt_shop_info info;
    for (int i = 0; i < products; i++) {
        char name[32], want[32];
        vt_answer *answer = NULL;
        vt_query query = vt_query_defaults();
        snprintf(name, sizeof(name), "p%d.jpg", i);
        snprintf(want, sizeof(want), "P-%d", i);
        vt_photo photo = {.path = at(j, name)};
        query.photos = &photo;
        query.photo_count = 1;
        ok(vt_shop_search(shop, &query, &answer, &error));
        must(answer->matched == (uint64_t)products);
        must(answer->count > 0 && strcmp(answer->results[0].product->id, want) == 0);
        must(answer->results[0].similarity > 0.97);
        vt_answer_free(answer);
    }
    ok(vt_shop_info_of(shop, &info, &error));
    must(info.vectors == (uint64_t)products);
    must(model == NULL || strcmp(info.model, model) == 0);
}

static int count_models(journey *j, bool unfinished)
{
    int count = 0;
    DIR *dir = opendir(at(j, "shop/models"));
    for (struct dirent *one; dir != NULL && (one = readdir(dir)) != NULL;)
        count += one->d_name[0] != '.' && (unfinished || strstr(one->d_name, ".tmp") == NULL);
    if (dir != NULL)
        closedir(dir);
    return count;
}

static int files_in_models(journey *j)
{
    return count_models(j, true);
}

/* Without files in the middle of which a promotion was killed; the next promotion removes them. */
static int finished_in_models(journey *j)
{
    return count_models(j, false);
}

static void promote_there_and_back(journey *j, int argument)
{
    vt_error error = {0};
    char path[SCRATCH_PATH_BYTES];
    vt_shop *shop = NULL, *watcher = NULL;
    vt_promote_report report;
    vt_promote_options how = forced();
    (void)argument;
    make(j, false);
    tiny_model(j, "next.onnx", 3, path);
    ok(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error));
    ok(vt_shop_open(j->shop, VT_OPEN_READ, &watcher, &error));
    must_find_all(j, watcher, "classic", PRODUCTS);
    ok(vt_shop_promote(shop, path, &how, &report, &error));
    must(report.switched && report.embedded == PRODUCTS && report.originals == 0);
    must(report.measured_with != NULL && report.queries == PRODUCTS);
    must(report.dimension_after == TINY_FEATURES && strcmp(report.after, "next.onnx") == 0);
    /* Who has it open finds out by itself, with everything that belongs to it. */
    must_find_all(j, watcher, "next.onnx", PRODUCTS);
    must_find_all(j, shop, "next.onnx", PRODUCTS);
    must(vt_shop_promote(shop, path, &how, &report, &error) == VT_ERR_EXISTS);
    must(files_in_models(j) == 1);
    how.images_dir = at(j, "");
    how.preset = NULL;
    ok(vt_shop_promote(watcher, "classic", &how, &report, &error));
    must(report.switched && report.originals == PRODUCTS);
    must_find_all(j, shop, "classic", PRODUCTS);
    must(files_in_models(j) == 0);
    ok(vt_shop_check(shop, &error));
    vt_shop_close(watcher);
    vt_shop_close(shop);
}

static void a_shop_changes_its_encoder_there_and_back(void **state)
{
    assert_int_equal(in_child(*state, promote_there_and_back, 0), 0);
}

/* Photos of the goods, moved, and as dark as that share of the light. */
static void write_queries(journey *j, float light)
{
    vt_error error = {0};
    char text[4096] = "photo,product\n";
    for (int i = 0; i < PRODUCTS; i++) {
        char name[32], line[64];
        snprintf(name, sizeof(name), "q%d.jpg", i);
        vt_image image = {0};
        ok(goods_draw(i, QUERY_SHIFT, &image, &error));
        for (size_t b = 0; b < 3 * (size_t)GOODS_SIDE * GOODS_SIDE; b++)
            image.rgb[b] = (uint8_t)((float)image.rgb[b] * light);
        must(goods_write_image(at(j, name), &image));
        vt_image_deinit(&image);
        snprintf(line, sizeof(line), "%s,P-%d\n", name, i);
        strncat(text, line, sizeof(text) - strlen(text) - 1);
    }
    write_text(j, "queries.csv", text);
}

/* Where the encoder that serves finds everything there is nothing to rise to. */
static void promote_refused(journey *j, int argument)
{
    vt_error error = {0};
    char path[SCRATCH_PATH_BYTES], queries[SCRATCH_PATH_BYTES];
    vt_shop *shop = NULL;
    vt_promote_report report;
    vt_promote_options how = vt_promote_options_defaults();
    vt_shop_info before, after;
    (void)argument;
    make(j, false);
    write_queries(j, 1);
    snprintf(queries, sizeof(queries), "%s", at(j, "queries.csv"));
    tiny_model(j, "next.onnx", 3, path);
    how.preset = "imagenet";
    how.queries = queries;
    ok(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error));
    ok(vt_shop_info_of(shop, &before, &error));
    ok(vt_shop_promote(shop, path, &how, &report, &error));
    fprintf(stderr, "recall at 1: %g, %g\n", report.recall_before[0], report.recall_after[0]);
    must(strcmp(report.measured_with, "queries") == 0 && report.queries == PRODUCTS);
    must(report.recall_after[0] <= report.recall_before[0]);
    must(!report.switched && strstr(report.refused, "does not rise") != NULL);
    must(files_in_models(j) == 0);
    ok(vt_shop_info_of(shop, &after, &error));
    must(strcmp(after.model, "classic") == 0 && after.change == before.change);
    must_find_all(j, shop, "classic", PRODUCTS);
    vt_shop_close(shop);
}

static void an_encoder_that_finds_no_more_is_refused(void **state)
{
    assert_int_equal(in_child(*state, promote_refused, 0), 0);
}

/* In the dark the network of random weights, which has only colours, is lost. */
static void promote_rising(journey *j, int argument)
{
    vt_error error = {0};
    char queries[SCRATCH_PATH_BYTES];
    vt_shop *shop = NULL;
    vt_promote_report report;
    vt_promote_options how = vt_promote_options_defaults();
    (void)argument;
    make(j, true);
    write_queries(j, 0.3f);
    snprintf(queries, sizeof(queries), "%s", at(j, "queries.csv"));
    how.queries = queries;
    ok(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error));
    ok(vt_shop_promote(shop, "classic", &how, &report, &error));
    fprintf(stderr, "recall at 1: %g, %g\n", report.recall_before[0], report.recall_after[0]);
    must(report.recall_after[0] > report.recall_before[0]);
    must(report.switched && report.refused[0] == '\0');
    must_find_all(j, shop, "classic", PRODUCTS);
    vt_shop_close(shop);
}

static void what_is_measured_decides(void **state)
{
    assert_int_equal(in_child(*state, promote_rising, 0), 0);
}

/* ---- killed ---- */

typedef struct killer {
    int calls, last; /* dies at the last */
} killer;

static bool die_in_progress(void *context, uint64_t done, uint64_t total)
{
    killer *k = context;
    (void)done;
    (void)total;
    if (++k->calls == k->last)
        _exit(KILLED);
    return true;
}

static void die_in_phase(void *context, const char *phase, const char *unit)
{
    (void)phase;
    (void)unit;
    die_in_progress(context, 0, 0);
}

static void promote_and_die(journey *j, int last)
{
    vt_error error = {0};
    char path[SCRATCH_PATH_BYTES];
    killer k = {.last = last};
    vt_shop *shop = NULL;
    vt_promote_report report;
    vt_promote_options how = forced();
    how.on_phase = die_in_phase;
    how.on_progress = die_in_progress;
    how.context = &k;
    tiny_model(j, "next.onnx", 3, path);
    ok(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error));
    vt_status status = vt_shop_promote(shop, path, &how, &report, &error);
    must(status == VT_OK || status == VT_ERR_EXISTS);
    must(status == VT_ERR_EXISTS || report.switched);
    vt_shop_close(shop);
}

static void look_round(journey *j, int argument)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    ok(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error));
    must_find_all(j, shop, argument ? "next.onnx" : NULL, PRODUCTS);
    ok(vt_shop_check(shop, &error));
    vt_shop_close(shop);
    /* A writer finds it as it should be, too, and takes away what is left of an old encoder. */
    import_into(j->shop, j->feed);
    ok(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error));
    vt_shop_info info;
    ok(vt_shop_info_of(shop, &info, &error));
    must(strcmp(info.model, "next.onnx") != 0 || finished_in_models(j) == 1);
    vt_shop_close(shop);
}

static void a_promotion_may_be_killed_anywhere(void **state)
{
    journey *j = *state;
    int killed = 0, code = KILLED;
    assert_int_equal(in_child(j, make, 0), 0);
    for (int last = 1; last <= KILL_ROUNDS && code == KILLED; last++) {
        /* The same place again, from where the one before got to. */
        for (int again = 0; again < 2 && code == KILLED; again++) {
            code = in_child(j, promote_and_die, last);
            killed += code == KILLED;
            assert_true(code == KILLED || code == 0);
            if (again || SCRATCH_STRIDE == 1) /* once for both under a sanitizer */
                assert_int_equal(in_child(j, look_round, 0), 0);
        }
    }
    assert_int_equal(code, 0);
    assert_true(killed > 5);
    assert_int_equal(in_child(j, look_round, 1), 0);
    assert_int_equal(files_in_models(j), 1);
}

/* SIGKILL from outside, at moments that nobody chose. */
static void a_promotion_may_be_killed_at_random(void **state)
{
    journey *j = *state;
    assert_int_equal(in_child(j, make, 0), 0);
    vt_random random;
    vt_random_init(&random, 17);
    for (int round = 0; round < KILL_ROUNDS; round++) {
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            promote_and_die(j, 0);
            _exit(0);
        }
        usleep((unsigned)vt_random_below(&random, 150000));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        if (round % 4 == 0)
            assert_int_equal(in_child(j, look_round, 0), 0);
    }
    assert_int_equal(in_child(j, promote_and_die, 0), 0);
    assert_int_equal(in_child(j, look_round, 1), 0);
    assert_int_equal(files_in_models(j), 1);
}

/* ---- meanwhile ---- */

enum { LATE = 5 };

static void import_late(void *context, const char *phase, const char *unit)
{
    journey *j = context;
    char text[4096] = "id,title,image_link\n", feed[SCRATCH_PATH_BYTES];
    (void)unit;
    if (strcmp(phase, "embed") != 0)
        return;
    for (int i = PRODUCTS; i < PRODUCTS + LATE; i++) {
        char name[32], line[128];
        snprintf(name, sizeof(name), "p%d.jpg", i);
        must(goods_write(at(j, name), i, 0));
        snprintf(line, sizeof(line), "P-%d,Late %d,%s\n", i, i, name);
        strncat(text, line, sizeof(text) - strlen(text) - 1);
    }
    /* And one that changes: P-0 has another title. */
    strncat(text, "P-0,Other,p0.jpg\n", sizeof(text) - strlen(text) - 1);
    write_text(j, "late.csv", text);
    snprintf(feed, sizeof(feed), "%s", at(j, "late.csv"));
    import_into(j->shop, feed);
}

static void promote_with_import(journey *j, int argument)
{
    vt_error error = {0};
    char path[SCRATCH_PATH_BYTES];
    vt_shop *shop = NULL;
    vt_promote_report report;
    vt_promote_options how = forced();
    (void)argument;
    make(j, false);
    how.on_phase = import_late;
    how.context = j;
    tiny_model(j, "next.onnx", 3, path);
    ok(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error));
    ok(vt_shop_promote(shop, path, &how, &report, &error));
    must(report.switched && report.embedded == PRODUCTS + LATE);
    must_find_all(j, shop, "next.onnx", PRODUCTS + LATE);
    ok(vt_shop_check(shop, &error));
    vt_shop_close(shop);
}

static void products_that_come_meanwhile_are_there_after_it(void **state)
{
    assert_int_equal(in_child(*state, promote_with_import, 0), 0);
}

typedef struct searching {
    journey *j;
    vt_shop *shop;
    atomic_bool stop;
    atomic_int rounds;
    int first;
    char photos[PRODUCTS][SCRATCH_PATH_BYTES];
} searching;

/* Vectors of two models that were mixed would not come out alike. */
static void *search_on(void *context)
{
    searching *s = context;
    for (int i = 0; !atomic_load(&s->stop); i = (i + 1) % PRODUCTS) {
        vt_error error = {0};
        vt_answer *answer = NULL;
        vt_photo photo = {.path = s->photos[i]};
        vt_query query = vt_query_defaults();
        char want[32];
        snprintf(want, sizeof(want), "P-%d", i);
        query.photos = &photo;
        query.photo_count = 1;
        ok(vt_shop_search(s->shop, &query, &answer, &error));
        must(answer->matched == PRODUCTS && answer->count > 0);
        must(strcmp(answer->results[0].product->id, want) == 0);
        must(answer->results[0].similarity > 0.97);
        vt_answer_free(answer);
        atomic_fetch_add(&s->rounds, 1);
    }
    return NULL;
}

static void promote_under_load(journey *j, int same_handle)
{
    vt_error error = {0};
    char path[SCRATCH_PATH_BYTES];
    vt_shop *shop = NULL, *other = NULL;
    vt_promote_report report;
    vt_promote_options how = forced();
    searching s = {.j = j};
    pthread_t threads[2];
    make(j, false);
    tiny_model(j, "next.onnx", 3, path);
    for (int i = 0; i < PRODUCTS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "p%d.jpg", i);
        snprintf(s.photos[i], sizeof(s.photos[i]), "%s", at(j, name));
    }
    ok(vt_shop_open(j->shop, same_handle ? VT_OPEN_WRITE : VT_OPEN_READ, &shop, &error));
    if (!same_handle)
        ok(vt_shop_open(j->shop, VT_OPEN_READ, &other, &error));
    s.shop = same_handle ? shop : other;
    for (int i = 0; i < 2; i++)
        must(pthread_create(&threads[i], NULL, search_on, &s) == 0);
    for (int turn = 0; turn < 3; turn++) {
        how.preset = turn % 2 ? NULL : "imagenet";
        ok(vt_shop_promote(shop, turn % 2 ? "classic" : path, &how, &report, &error));
        must(report.switched);
        int rounds = atomic_load(&s.rounds);
        while (atomic_load(&s.rounds) < rounds + 5)
            usleep(1000);
    }
    atomic_store(&s.stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    vt_shop_close(other);
    vt_shop_close(shop);
}

static void searches_go_on_and_never_mix(void **state)
{
    assert_int_equal(in_child(*state, promote_under_load, 0), 0);
}

static void searches_of_the_same_handle_go_on(void **state)
{
    assert_int_equal(in_child(*state, promote_under_load, 1), 0);
}

/* Products that come one at a time through the same handle: none is without a vector after it. */
enum { PUTS = 40 };

static void *put_on(void *context)
{
    searching *s = context;
    for (int i = 0; i < PUTS; i++) {
        vt_error error = {0};
        char id[32];
        snprintf(id, sizeof(id), "late-%d", i);
        vt_photo photo = {.path = s->photos[i % PRODUCTS]};
        vt_product product = {.id = id, .title = "Late", .price = (double)NAN};
        ok(vt_shop_put(s->shop, &product, &photo, 1, NULL, &error));
        atomic_fetch_add(&s->rounds, 1);
    }
    return NULL;
}

static void promote_with_puts(journey *j, int argument)
{
    vt_error error = {0};
    char path[SCRATCH_PATH_BYTES];
    vt_shop *shop = NULL;
    vt_promote_report report;
    vt_promote_options how = forced();
    searching s = {.j = j};
    pthread_t thread;
    (void)argument;
    make(j, false);
    tiny_model(j, "next.onnx", 3, path);
    for (int i = 0; i < PRODUCTS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "p%d.jpg", i);
        snprintf(s.photos[i], sizeof(s.photos[i]), "%s", at(j, name));
    }
    ok(vt_shop_open(j->shop, VT_OPEN_WRITE, &shop, &error));
    s.shop = shop;
    must(pthread_create(&thread, NULL, put_on, &s) == 0);
    for (int turn = 0; turn < 3 || atomic_load(&s.rounds) < PUTS; turn++) {
        how.preset = turn % 2 ? NULL : "imagenet";
        ok(vt_shop_promote(shop, turn % 2 ? "classic" : path, &how, &report, &error));
        must(report.switched && report.failed == 0);
    }
    pthread_join(thread, NULL);
    vt_shop_info info;
    ok(vt_shop_info_of(shop, &info, &error));
    must(info.products == PRODUCTS + PUTS && info.vectors == PRODUCTS + PUTS);
    ok(vt_shop_check(shop, &error));
    vt_shop_close(shop);
}

static void puts_of_the_same_handle_go_on(void **state)
{
    assert_int_equal(in_child(*state, promote_with_puts, 0), 0);
}

/* ---- the encoder in the program ---- */

static void promote_by_its_word(journey *j, int argument)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_promote_report report;
    vt_promote_options how = forced();
    char images[SCRATCH_PATH_BYTES];
    snprintf(images, sizeof(images), "%s", at(j, ""));
    how.images_dir = images;
    how.preset = NULL;
    (void)argument;
    make(j, false);
    ok(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error));
    ok(vt_shop_promote(shop, "vitrine-s", &how, &report, &error));
    must(report.switched && report.embedded == PRODUCTS && files_in_models(j) == 1);
    must_find_all(j, shop, report.after, PRODUCTS);
    must(vt_shop_promote(shop, "vitrine-s", &how, &report, &error) == VT_ERR_EXISTS);
    vt_shop_close(shop);
}

static void promote_the_default(journey *j, int argument)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_promote_report report;
    const vt_promote_options how = vt_promote_options_defaults();
    const vt_init_options options = vt_init_options_defaults();
    (void)argument;
    ok(vt_shop_init(j->shop, &options, &error));
    ok(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error));
    must(vt_shop_promote(shop, "vitrine-s", &how, &report, &error) == VT_ERR_EXISTS);
    vt_shop_close(shop);
}

static void the_default_encoder_goes_by_its_word(void **state)
{
    assert_int_equal(in_child(*state, promote_by_its_word, 0), 0);
}

static void a_new_shop_has_the_default_encoder_already(void **state)
{
    assert_int_equal(in_child(*state, promote_the_default, 0), 0);
}

/* ---- older shops ---- */

static void run_sql(journey *j, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    must(sqlite3_open(at(j, "shop/catalog.db"), &db) == SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fprintf(stderr, "%s: %s\n", sql, message);
    must(message == NULL);
    sqlite3_close(db);
}

static void promote_older(journey *j, int version)
{
    vt_error error = {0};
    char path[SCRATCH_PATH_BYTES];
    vt_shop *shop = NULL, *watcher = NULL;
    vt_promote_report report;
    vt_promote_options how = forced();
    make(j, false);
    run_sql(j, "DROP TABLE kept_pairs; DROP TABLE words; DROP INDEX models_serving; ALTER TABLE "
               "models DROP COLUMN source;"
               "ALTER TABLE models DROP COLUMN state; ALTER TABLE models DROP COLUMN change;"
               "PRAGMA user_version = 2");
    if (version == 1)
        run_sql(j, "DROP TABLE sessions; PRAGMA user_version = 1");
    tiny_model(j, "next.onnx", 3, path);
    ok(vt_shop_open(j->shop, VT_OPEN_READ, &watcher, &error));
    must_find_all(j, watcher, "classic", PRODUCTS);
    ok(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error));
    ok(vt_shop_promote(shop, path, &how, &report, &error));
    must(report.switched);
    must_find_all(j, watcher, "next.onnx", PRODUCTS);
    ok(vt_shop_check(watcher, &error));
    vt_shop_close(watcher);
    vt_shop_close(shop);
}

static void shops_of_older_versions_are_promoted(void **state)
{
    assert_int_equal(in_child(*state, promote_older, 1), 0);
}

static void shops_of_the_version_before_are_promoted(void **state)
{
    assert_int_equal(in_child(*state, promote_older, 2), 0);
}

/* ---- what cannot be ---- */

/* Another process writes as it begins: said at once, nothing touched. */
static void promote_beside_a_writer(journey *j, int argument)
{
    vt_error error = {0};
    char path[SCRATCH_PATH_BYTES];
    vt_shop *writer = NULL, *shop = NULL;
    vt_promote_report report;
    vt_promote_options how = forced();
    vt_shop_info before, after;
    (void)argument;
    make(j, false);
    tiny_model(j, "next.onnx", 3, path);
    ok(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error));
    ok(vt_shop_info_of(shop, &before, &error));
    ok(vt_shop_open(j->shop, VT_OPEN_WRITE, &writer, &error));
    must(vt_shop_promote(shop, path, &how, &report, &error) == VT_ERR_BUSY);
    must(strstr(error.message, "for writing") != NULL && strstr(error.message, "--write") != NULL);
    must(files_in_models(j) == 0);
    ok(vt_shop_info_of(shop, &after, &error));
    must(after.change == before.change);
    vt_shop_close(writer);
    ok(vt_shop_promote(shop, path, &how, &report, &error));
    must_find_all(j, shop, "next.onnx", PRODUCTS);
    vt_shop_close(shop);
}

static void one_begins_only_where_nobody_else_may_write(void **state)
{
    assert_int_equal(in_child(*state, promote_beside_a_writer, 0), 0);
}

static void promote_badly(journey *j, int argument)
{
    vt_error error = {0};
    char path[SCRATCH_PATH_BYTES];
    vt_shop *shop = NULL;
    vt_promote_report report;
    vt_promote_options how = forced();
    (void)argument;
    make(j, false);
    ok(vt_shop_open(j->shop, VT_OPEN_READ, &shop, &error));
    must(vt_shop_promote(shop, at(j, "absent.onnx"), &how, &report, &error) == VT_ERR_NOT_FOUND);
    write_text(j, "bad.onnx", "no model at all");
    must(vt_shop_promote(shop, at(j, "bad.onnx"), &how, &report, &error) == VT_ERR_FORMAT);
    tiny_model(j, "next.onnx", 3, path);
    how.preset = NULL; /* the file has no contract */
    must(vt_shop_promote(shop, path, &how, &report, &error) != VT_OK);
    how.preset = "imagenet";
    how.output = "nowhere";
    must(vt_shop_promote(shop, path, &how, &report, &error) != VT_OK);
    how.output = NULL;
    how.precision = "f12";
    must(vt_shop_promote(shop, path, &how, &report, &error) == VT_ERR_USAGE);
    how.precision = how.preset = NULL;
    must(vt_shop_promote(shop, "classic", &how, &report, &error) == VT_ERR_EXISTS);
    must(files_in_models(j) == 0);
    /* Without a thumbnail there is nothing to embed: no product may be lost. */
    must(system("rm -rf \"$SHOP/thumbs\"") == 0);
    how.preset = "imagenet";
    how.force = false;
    must(vt_shop_promote(shop, path, &how, &report, &error) == VT_ERR_NOT_FOUND);
    must_find_all(j, shop, "classic", PRODUCTS);
    vt_shop_close(shop);
}

static void what_cannot_be_promoted_changes_nothing(void **state)
{
    journey *j = *state;
    setenv("SHOP", j->shop, 1);
    assert_int_equal(in_child(j, promote_badly, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_JOURNEY(a_shop_changes_its_encoder_there_and_back),
        IN_JOURNEY(an_encoder_that_finds_no_more_is_refused),
        IN_JOURNEY(what_is_measured_decides),
        IN_JOURNEY(a_promotion_may_be_killed_anywhere),
        IN_JOURNEY(a_promotion_may_be_killed_at_random),
        IN_JOURNEY(products_that_come_meanwhile_are_there_after_it),
        IN_JOURNEY(searches_go_on_and_never_mix),
        IN_JOURNEY(searches_of_the_same_handle_go_on),
        IN_JOURNEY(puts_of_the_same_handle_go_on),
        IN_JOURNEY(the_default_encoder_goes_by_its_word),
        IN_JOURNEY(a_new_shop_has_the_default_encoder_already),
        IN_JOURNEY(shops_of_older_versions_are_promoted),
        IN_JOURNEY(shops_of_the_version_before_are_promoted),
        IN_JOURNEY(one_begins_only_where_nobody_else_may_write),
        IN_JOURNEY(what_cannot_be_promoted_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
