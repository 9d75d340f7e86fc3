/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN from several threads at once: descriptors of reorders that nobody made before. 2.6 finds
 * their code in a map that the search adds to, so that two searches lose a node of it (which the
 * address sanitizer reports) or follow one that is half there. */
#include "nn/dnnl/compat.h"

#include "base/thread.h"

#include <stdatomic.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { THREADS = 4, RANKS = 6 };

static const vt_dtype types[] = {VT_F32, VT_BF16, VT_I32, VT_I8, VT_U8};
enum { TYPES = sizeof types / sizeof types[0], KINDS = TYPES * TYPES * RANKS };

typedef struct searchers {
    dnnl_engine_t engine;
    atomic_int arrived; /* at any kind so far, of all threads */
    atomic_int made[KINDS];
} searchers;

static void search(searchers *all, int kind)
{
    int64_t dims[RANKS] = {2, 2, 2, 2, 2, 2};
    int rank = kind % RANKS + 1;
    vt_layout *from = vt_layout_new(rank, dims, NULL, false, types[kind / RANKS % TYPES]);
    vt_layout *to = vt_layout_new(rank, dims, NULL, false, types[kind / RANKS / TYPES]);
    dnnl_primitive_desc_t desc = NULL;
    atomic_fetch_add(&all->arrived, 1);
    while (atomic_load(&all->arrived) < (kind + 1) * THREADS) {
    }
    if (vt_pd_reorder(all->engine, from, to, &desc) == dnnl_success) {
        atomic_fetch_add(&all->made[kind], 1);
        dnnl_primitive_desc_destroy(desc);
    }
    vt_layout_free(from);
    vt_layout_free(to);
}

static void search_all(void *context)
{
    for (int kind = 0; kind < KINDS; kind++) {
        search(context, kind);
    }
}

static void test_reorders(void **state)
{
    (void)state;
    static searchers all;
    int known = 0;
    assert_int_equal(dnnl_engine_create(&all.engine, dnnl_cpu, 0), dnnl_success);
    vt_thread *threads[THREADS];
    vt_error error;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(vt_thread_start("search", search_all, &all, &threads[i], &error), VT_OK);
    }
    for (int i = 0; i < THREADS; i++) {
        vt_thread_join(threads[i]);
    }
    for (int kind = 0; kind < KINDS; kind++) { /* there are pairs of types that it does not know */
        int made = atomic_load(&all.made[kind]);
        assert_true(made == 0 || made == THREADS);
        known += made == THREADS;
    }
    assert_true(known > KINDS / 2);
    dnnl_engine_destroy(all.engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reorders)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
