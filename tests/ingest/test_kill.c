/* SPDX-License-Identifier: Apache-2.0 */
/* Killed at random moments: what was acknowledged is there, nothing is there twice, and going on
 * ends where an undisturbed import ends. */
#include "ingest/shop.h"

#include "base/clock.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum { PRODUCTS = 150, ROUNDS = 12 };

/* In memory that the killed child and the test share: products acknowledged in this child's life.
 */
static volatile uint64_t *acknowledged;

static bool tell_parent(void *context, const vt_ingest_progress *progress)
{
    (void)context;
    *acknowledged = progress->imported + progress->unchanged;
    return true;
}

static void put_catalogue(const shop *s)
{
    vt_buf feed;
    vt_buf_init(&feed, 1 << 20);
    vt_buf_append_text(&feed, "id,title,image_link,additional_image_link\n");
    for (int i = 0; i < PRODUCTS; i++) {
        char name[32], more[32];
        snprintf(name, sizeof name, "%d.jpg", i);
        snprintf(more, sizeof more, "%d-b.jpg", i);
        shop_picture(s, name, (uint64_t)(2 * i));
        shop_picture(s, more, (uint64_t)(2 * i + 1));
        vt_buf_printf(&feed, "p%d,Product %d,%s,%s\n", i, i, name, more);
    }
    shop_write_feed(s, feed.data);
    vt_buf_deinit(&feed);
}

/* In the child: an import that reports what it has done. */
static void import_in_child(shop *s)
{
    shop_open_store(s);
    s->options.on_progress = tell_parent;
    vt_status status = shop_try_import(s, s->feed);
    *acknowledged = s->report.imported + s->report.unchanged;
    shop_close_store(s);
    _exit(status == VT_OK ? 0 : 1);
}

static void sleep_ms(double ms)
{
    struct timespec span = {(time_t)(ms / 1000), (long)(ms * 1e6) % 1000000000};
    nanosleep(&span, NULL);
}

static void test_killed_at_random_moments(void **state)
{
    (void)state;
    shop s;
    vt_random random;
    shop_init_closed(&s);
    put_catalogue(&s);
    uint64_t seed = (uint64_t)vt_clock_unix_ms();
    print_message("seed %" PRIu64 "\n", seed);
    vt_random_init(&random, seed);
    acknowledged =
        mmap(NULL, sizeof *acknowledged, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(acknowledged != MAP_FAILED);

    double whole_ms =
        400; /* how long an import may take; learnt from the first that gets through */
    size_t before = 0;
    int killed = 0;
    for (int round = 0; round < ROUNDS; round++) {
        *acknowledged = 0;
        double started = vt_clock_ms();
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            import_in_child(&s);
        sleep_ms(whole_ms * vt_random_double(&random));
        kill(child, SIGKILL);
        int end;
        assert_int_equal(waitpid(child, &end, 0), child);
        killed += WIFSIGNALED(end);
        if (WIFEXITED(end)) {
            assert_int_equal(WEXITSTATUS(end), 0);
            whole_ms = vt_clock_ms() - started;
        }
        if (!vt_dir_exists(s.store_dir))
            continue; /* killed before there was a shop */
        vt_status opened = vt_store_open(s.store_dir, VT_STORE_READ, &s.store, NULL);
        if (opened != VT_OK)
            continue; /* killed while it was made; the next round must cope */
        vt_store_stats stats;
        assert_ok(vt_store_stats_of(s.store, 1, &stats, error));
        assert_ok(vt_store_check(s.store, error));
        assert_true(stats.products >= *acknowledged);
        assert_true(stats.products >= before);
        assert_int_equal(stats.pictures, 2 * stats.products);
        before = (size_t)stats.products;
        vt_store_close(s.store);
        s.store = NULL;
        if (before == PRODUCTS && round + 1 < ROUNDS) { /* all there: from the start */
            nftw(s.store_dir, shop_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
            before = 0;
        }
    }
    print_message("%d of %d imports were killed\n", killed, ROUNDS);
    assert_true(killed > 0);

    shop_open_store(&s);
    shop_import(&s);
    assert_int_equal(s.report.rows, PRODUCTS);
    assert_int_equal(s.report.unchanged, before);
    assert_int_equal(s.report.imported, PRODUCTS - before);
    for (int i = 0; i < PRODUCTS; i++) {
        char id[16], want[32];
        snprintf(id, sizeof id, "p%d", i);
        snprintf(want, sizeof want, "%d.jpg %d-b.jpg", i, i);
        assert_string_equal(shop_sources(&s, id), want);
    }
    assert_int_equal(shop_product_count(&s), PRODUCTS);
    char *dump = shop_dump(&s);
    assert_null(strstr(dump, "thumb=0"));
    vt_free(dump);
    munmap((void *)(uintptr_t)acknowledged, sizeof *acknowledged);
    shop_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_killed_at_random_moments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
