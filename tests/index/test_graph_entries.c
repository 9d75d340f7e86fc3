/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where walks begin: a sample that grows with the graph, each node of it listed with the entry that
 * it is nearest to, in building, adding, removing and loading.
 */
#include "support/scratch.h"

#include "base/random.h"
#include "index/graph_file.h"
#include "index/graph_nodes.h"

/* A sample of twice the entries. */
enum { DIM = 8, EVERY = 64, ROWS = 2 * ENTRIES_MAXIMUM * EVERY, THREADS = 2 };

typedef struct world {
    float *vectors; /* (2 ROWS, DIM) */
    uint32_t *ids;  /* (2 ROWS) */
    vt_graph *graph;
    vt_pool *pool;
} world;

static void world_init(world *w)
{
    vt_graph_options options = vt_graph_options_defaults();
    vt_random random;
    vt_random_init(&random, 5);
    w->vectors = vt_alloc_array(2 * ROWS, DIM * sizeof(float));
    w->ids = vt_alloc_array(2 * ROWS, sizeof *w->ids);
    for (size_t i = 0; i < (size_t)2 * ROWS * DIM; i++)
        w->vectors[i] = (float)vt_random_normal(&random);
    for (size_t i = 0; i < (size_t)2 * ROWS; i++)
        w->ids[i] = (uint32_t)i;
    options.codec = VT_CODEC_F32; /* nearest by the vectors themselves */
    options.metric = VT_METRIC_L2;
    options.degree = 8;
    options.width = 16;
    assert_int_equal(vt_graph_new(DIM, &options, &w->graph, NULL), VT_OK);
    assert_int_equal(vt_pool_new(THREADS, &w->pool, NULL), VT_OK);
}

static void world_deinit(world *w)
{
    vt_graph_free(w->graph);
    vt_pool_free(w->pool);
    vt_free(w->vectors);
    vt_free(w->ids);
}

static void rows_build(world *w, size_t count)
{
    vt_graph_rows rows = {w->vectors, w->ids, NULL, count};
    assert_int_equal(vt_graph_build(w->graph, &rows, w->pool, NULL), VT_OK);
}

static void row_add(world *w, uint32_t id)
{
    const float *vector = w->vectors + (size_t)id * DIM;
    assert_int_equal(vt_graph_add(w->graph, id, id, vector, NULL), VT_OK);
}

static void assert_sound(const world *w)
{
    vt_graph_shape shape;
    vt_error error;
    if (vt_graph_check(w->graph, &shape, &error) != VT_OK)
        fail_msg("%s", error.message);
}

static float distance(const world *w, uint32_t a, uint32_t b)
{
    float sum = 0;
    const float *from = w->vectors + (size_t)graph_id(w->graph, a) * DIM;
    const float *to = w->vectors + (size_t)graph_id(w->graph, b) * DIM;
    for (size_t i = 0; i < DIM; i++)
        sum += (from[i] - to[i]) * (from[i] - to[i]);
    return sum;
}

static bool is_nearest(const world *w, size_t entry, uint32_t slot)
{
    float own = distance(w, slot, atomic_load(&w->graph->entries[entry]));
    for (size_t e = 0; e < atomic_load(&w->graph->entry_count); e++)
        if (distance(w, slot, atomic_load(&w->graph->entries[e])) < own * 0.9999f)
            return false;
    return true;
}

/* How many nodes are listed; *nearest: of them, with the entry that they are nearest to. */
static size_t listed(const world *w, size_t *nearest)
{
    size_t count = 0;
    *nearest = 0;
    for (size_t e = 0; e < ENTRIES_MAXIMUM; e++)
        for (size_t i = 0; i < NEAR_MAXIMUM; i++) {
            uint32_t slot = atomic_load(&w->graph->near[e][i]);
            if (slot == NO_SLOT)
                continue;
            count++;
            *nearest += is_nearest(w, e, slot);
        }
    return count;
}

/* Some find their entry's list full. */
static void assert_spread(const world *w, size_t wanted)
{
    size_t nearest, count = listed(w, &nearest);
    assert_true(count > wanted * 3 / 4 && count <= wanted * 5 / 4);
    assert_int_equal(nearest, count);
    assert_sound(w);
}

static void a_small_graph_needs_none(void **state)
{
    (void)state;
    world w;
    size_t nearest;
    world_init(&w);
    rows_build(&w, ROWS / 4);
    assert_int_equal(listed(&w, &nearest), 0);
    assert_sound(&w);
    world_deinit(&w);
}

static void nodes_are_listed_with_the_nearest_entry(void **state)
{
    world w;
    const char *path = scratch_path(*state, "graph");
    const vt_index_origin origin = {0};
    const vt_graph_load_options options = vt_graph_load_options_defaults();
    world_init(&w);
    rows_build(&w, ROWS);
    assert_spread(&w, ROWS / EVERY);
    assert_int_equal(vt_graph_save(w.graph, path, &origin, NULL), VT_OK);
    vt_graph_free(w.graph);
    w.graph = NULL;
    assert_int_equal(vt_graph_load(path, &options, &w.graph, NULL, NULL), VT_OK);
    assert_spread(&w, ROWS / EVERY);
    world_deinit(&w);
}

/* Entries change meanwhile, what is listed with them does not: that it is listed is what counts. */
static void it_grows_shrinks_and_is_renewed(void **state)
{
    (void)state;
    one_thread();
    enum { BUILT = ROWS * 3 / 4, GROWN = 2 * BUILT + EVERY, LESS = GROWN * 5 / 8 };
    world w;
    size_t nearest;
    world_init(&w);
    rows_build(&w, BUILT);
    size_t built = listed(&w, &nearest);
    for (uint32_t id = BUILT; id < GROWN; id++)
        row_add(&w, id);
    size_t grown = listed(&w, &nearest);
    assert_true(grown > built * 7 / 4);
    assert_sound(&w);
    for (uint32_t id = 0; id < LESS; id++) {
        assert_true(vt_graph_remove(w.graph, id));
        if (id % 8192 == 0)
            assert_sound(&w); /* no removed node is listed */
    }
    size_t left = listed(&w, &nearest);
    assert_true(left < grown / 2);
    row_add(&w, 0);
    assert_true(listed(&w, &nearest) > 0 && nearest == listed(&w, &nearest));
    assert_sound(&w);
    world_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_graph_needs_none),
        cmocka_unit_test_setup_teardown(nodes_are_listed_with_the_nearest_entry, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test(it_grows_shrinks_and_is_renewed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
