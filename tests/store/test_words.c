/* SPDX-License-Identifier: Apache-2.0 */
/* The index of words: what is found by what, in step with the products, closed to FTS5's syntax. */
#include "fixture.h"

#include "store/sqlite/sqlite.h"

#include <signal.h>
#include <sys/wait.h>

static vt_status put(vt_store *store, uint32_t model, const char *id, const char *title,
                     const char *description)
{
    float vector[FIXTURE_DIM] = {1.0f};
    vt_picture picture = {.hash = vt_hash_of(id, strlen(id)), .vector = vector};
    vt_attribute color = {.name = "material", .kind = VT_ATTRIBUTE_TEXT, .text = "stoneware"};
    vt_product product = {.id = id,
                          .title = title,
                          .description = description,
                          .category = "kitchen",
                          .brand = "Acme",
                          .price = (double)NAN,
                          .attributes = &color,
                          .attribute_count = 1,
                          .pictures = &picture,
                          .picture_count = 1};
    return vt_store_put(store, model, &product, NULL);
}

/* How many products have the words. */
static size_t found(vt_store *store, const char *text)
{
    vt_word_hit *hits = NULL;
    size_t count = 0;
    assert_ok(vt_store_words(store, text, false, &hits, &count, error));
    for (size_t i = 1; i < count; i++)
        assert_true(hits[i - 1].product < hits[i].product);
    vt_free(hits);
    return count;
}

static void words_find_products(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    assert_int_equal(put(store, model, "a", "Red café mug", "A mug of clay."), VT_OK);
    assert_int_equal(put(store, model, "b", "Blue bowl", "Goes with the red mug"), VT_OK);
    assert_int_equal(put(store, model, "c", NULL, NULL), VT_OK);
    assert_int_equal(found(store, "red mug"), 2);
    assert_int_equal(found(store, "MUG, red!"), 2);
    assert_int_equal(found(store, "cafe"), 1);
    assert_int_equal(found(store, "CAFÉ"), 1);
    assert_int_equal(found(store, "caf"), 1);     /* the last word may go on */
    assert_int_equal(found(store, "caf "), 0);    /* but not when it has ended */
    assert_int_equal(found(store, "caf mug"), 0); /* nor any other */
    assert_int_equal(found(store, "acme stoneware kitchen"), 3);
    assert_int_equal(found(store, "material"), 0); /* names are no words of a product */
    vt_word_hit *hits = NULL;
    size_t count = 0;
    assert_ok(vt_store_words(store, "red mug", true, &hits, &count, error));
    assert_int_equal(count, 2);
    assert_true(hits[0].score > hits[1].score && hits[1].score > 0); /* title before description */
    unsigned fields = 99;
    assert_ok(vt_store_words_fields(store, "red mug", hits[0].product, &fields, error));
    assert_int_equal(fields, VT_TEXT_TITLE | VT_TEXT_DESCRIPTION);
    assert_ok(vt_store_words_fields(store, "red mug", hits[1].product, &fields, error));
    assert_int_equal(fields, VT_TEXT_DESCRIPTION);
    assert_ok(vt_store_words_fields(store, "café", hits[1].product, &fields, error));
    assert_int_equal(fields, 0);
    vt_free(hits);
    assert_ok(vt_store_check(store, error));
    vt_store_close(store);
    fixture_deinit(&f);
}

/* What stands between the characters of a question is theirs or nobody's, never an operator. */
static void syntax_is_text(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    assert_int_equal(put(store, model, "a", "red mug", "near or not"), VT_OK);
    assert_int_equal(put(store, model, "b", "blue bowl", NULL), VT_OK);
    static const struct {
        const char *text;
        size_t count;
    } cases[] = {
        {"red OR blue", 0},   {"red NOT blue", 0},
        {"red NOT bowl", 0},  {"red NEAR not", 1},
        {"NEAR(red mug)", 1}, {"title:red", 0},
        {"title : mug", 0},   {"\"red\" \"mug", 1},
        {"re* mug", 0},       {"red + mug", 1},
        {"^mug", 1},          {"{title} red", 0},
        {"-blue", 1},         {"red) OR (blue", 0},
        {"mug\"\"*", 1},      {"' ; DROP TABLE x; red", 0},
        {"red -- mug", 1},    {"bowl\" OR \"red", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (found(store, cases[i].text) != cases[i].count)
            fail_msg("%s: %zu products", cases[i].text, found(store, cases[i].text));
    vt_word_hit *hits = NULL;
    size_t count = 0;
    assert_fails_saying(VT_ERR_USAGE, "no word",
                        vt_store_words(store, "\"* - ()", false, &hits, &count, error));
    assert_fails(VT_ERR_USAGE, vt_store_words(store, "", false, &hits, &count, error));
    assert_fails(VT_ERR_USAGE, vt_store_words(store, "\xff", false, &hits, &count, error));
    char many[VT_STORE_MAX_WORDS_BYTES + 8];
    for (size_t i = 0; i < sizeof many - 1; i++)
        many[i] = i % 2 ? ' ' : 'a';
    many[sizeof many - 1] = '\0';
    assert_fails(VT_ERR_LIMIT, vt_store_words(store, many, false, &hits, &count, error));
    many[4000] = '\0';
    assert_fails(VT_ERR_LIMIT, vt_store_words(store, many, false, &hits, &count, error));
    many[2 * VT_STORE_MAX_WORDS - 1] = '\0';
    assert_int_equal(found(store, many), 0);
    vt_store_close(store);
    fixture_deinit(&f);
}

static void chinese_is_found_by_its_characters(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    assert_int_equal(put(store, model, "a", "红色陶瓷杯子", "适合咖啡"), VT_OK);
    assert_int_equal(put(store, model, "b", "蓝色玻璃杯", "黑红两色可选"), VT_OK);
    assert_int_equal(put(store, model, "c", "红色杯子 300ml", NULL), VT_OK);
    static const struct {
        const char *text;
        size_t count;
    } cases[] = {
        {"杯", 3},       /* one character */
        {"杯子", 2},     /* the usual two */
        {"红色", 2},     /* adjacent: not 红两色 */
        {"红色杯子", 2}, /* two words written together; also with 陶瓷 between */
        {"咖啡", 1},     {"红色 杯", 2}, {"红色杯子300", 1},
        {"绿色", 0},     {"色红", 0},    {"acme 陶瓷", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (found(store, cases[i].text) != cases[i].count)
            fail_msg("%s: %zu products", cases[i].text, found(store, cases[i].text));
    vt_word_hit *hits = NULL;
    size_t count = 0;
    assert_ok(vt_store_words(store, "红色杯子", true, &hits, &count, error));
    assert_true(count == 2 && hits[1].score > hits[0].score); /* as it stands before in parts */
    vt_free(hits);
    vt_store_close(store);
    fixture_deinit(&f);
}

static void words_follow_the_products(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    assert_int_equal(put(store, model, "a", "red mug", NULL), VT_OK);
    assert_int_equal(put(store, model, "a", "green mug", NULL), VT_OK);
    assert_int_equal(found(store, "red"), 0);
    assert_int_equal(found(store, "green"), 1);
    assert_ok(vt_store_remove(store, "a", error));
    assert_int_equal(found(store, "green"), 0);
    assert_ok(vt_store_check(store, error));
    vt_store_close(store);
    fixture_deinit(&f);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* A catalogue from before the index gets it, with what is in it, when it is opened for writing. */
static void older_catalogues_get_it(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    char back[80];
    vt_store *store = fixture_create(&f, &model);
    assert_int_equal(put(store, model, "a", "红色 mug", "x"), VT_OK);
    vt_store_close(store);
    snprintf(back, sizeof back, "DROP TABLE kept_pairs; DROP TABLE words; PRAGMA user_version = %d",
             VT_SQLITE_VERSION_WORDS - 1);
    run_sql(f.catalog, back);
    vt_store *reader = NULL;
    vt_word_hit *hits = NULL;
    size_t count = 0;
    assert_ok(vt_store_open(f.shop, VT_STORE_READ, &reader, error));
    assert_fails_saying(VT_ERR_UNSUPPORTED, "writing",
                        vt_store_words(reader, "mug", false, &hits, &count, error));
    assert_ok(vt_store_check(reader, error));
    assert_ok(vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
    assert_int_equal(found(reader, "mug"), 1); /* it goes over by itself */
    vt_store_close(reader);
    assert_int_equal(found(store, "红"), 1);
    assert_int_equal(found(store, "acme stoneware"), 1);
    assert_ok(vt_store_check(store, error));
    vt_store_close(store);
    fixture_deinit(&f);
}

static void the_check_finds_what_is_out_of_step(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *said;
    } faults[] = {
        {"UPDATE products SET title = 'blue' WHERE id = 'a'", "words that are not those"},
        {"UPDATE attributes SET text = 'tin'", "words that are not those"},
        {"DELETE FROM words WHERE rowid = 1", "words that are not those"},
        {"INSERT INTO words (rowid, title) VALUES (77, 'x')", "words of a product that is not"},
        /* From 3.44 on SQLite's own check finds these two, and says so in its words. */
        {"UPDATE words_content SET c0 = 'blue' WHERE id = 1", "words"},
        {"UPDATE words_content SET c0 = 'blue' WHERE id = 1;"
         "UPDATE products SET title = 'blue' WHERE key = 1",
         "words"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        fixture f;
        uint32_t model;
        vt_store *store = fixture_create(&f, &model);
        assert_int_equal(put(store, model, "a", "red mug", NULL), VT_OK);
        assert_int_equal(put(store, model, "b", "bowl", NULL), VT_OK);
        assert_ok(vt_store_check(store, error));
        vt_store_close(store);
        run_sql(f.catalog, faults[i].sql);
        assert_ok(vt_store_open(f.shop, VT_STORE_READ, &store, error));
        assert_fails_saying(VT_ERR_CORRUPT, faults[i].said, vt_store_check(store, error));
        vt_store_close(store);
        fixture_deinit(&f);
    }
}

/* A writer that is killed leaves products and words that agree. */
static void killed_writers_leave_them_in_step(void **state)
{
    (void)state;
    enum { ROUNDS = 6, PRODUCTS = 400 };
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    vt_store_close(store);
    for (int round = 0; round < ROUNDS; round++) {
        int begun[2];
        char byte;
        assert_int_equal(pipe(begun), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            if (vt_store_open(f.shop, VT_STORE_WRITE, &store, NULL) != VT_OK)
                _exit(1);
            for (int i = 0; i < PRODUCTS; i++) {
                char id[16], title[48];
                snprintf(id, sizeof id, "p%d", i % 20);
                snprintf(title, sizeof title, "round%d mug%d 红色", round, i);
                if (put(store, model, id, title, "words to be written") != VT_OK)
                    _exit(1);
                if (i == 0 && write(begun[1], "", 1) != 1)
                    _exit(1);
            }
            for (;;)
                pause();
        }
        assert_int_equal(read(begun[0], &byte, 1), 1);
        close(begun[0]);
        close(begun[1]);
        usleep((useconds_t)(20000 + 30000 * round));
        assert_int_equal(kill(child, SIGKILL), 0);
        waitpid(child, NULL, 0);
        assert_ok(vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
        assert_ok(vt_store_check(store, error));
        vt_store_close(store);
    }
    assert_ok(vt_store_open(f.shop, VT_STORE_READ, &store, error));
    assert_true(found(store, "红色") > 0);
    vt_store_close(store);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_find_products),
        cmocka_unit_test(syntax_is_text),
        cmocka_unit_test(chinese_is_found_by_its_characters),
        cmocka_unit_test(words_follow_the_products),
        cmocka_unit_test(older_catalogues_get_it),
        cmocka_unit_test(the_check_finds_what_is_out_of_step),
        cmocka_unit_test(killed_writers_leave_them_in_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
