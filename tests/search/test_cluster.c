/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of products, from a store whose vectors and texts are made up. */
#include "search/cluster.h"

#include "support/scratch.h"

#include "base/random.h"
#include "vector/distance.h"

#include <math.h>

enum { DIM = 24, KINDS = 4, PER_KIND = 15, GOODS = KINDS * PER_KIND };

typedef struct shelf {
    scratch *scratch;
    vt_searcher searcher;
} shelf;

static const char *const kinds[KINDS] = {"Shoes > Boots", "Shoes > Sandals", "Bags", "Hats"};
static const char *const colours[KINDS] = {"red", "red", "blue", "green"};

/* Unit vectors around one of their kind; the two kinds of shoes lie nearer to one another. */
static void make_vector(size_t kind, size_t number, float *out)
{
    vt_random random;
    vt_random_init(&random, kind * 1000 + number);
    for (size_t d = 0; d < DIM; d++)
        out[d] = (float)(0.05 * vt_random_normal(&random));
    out[kind] += 1;
    if (kind < 2)
        out[KINDS] += 1.2F;
    assert_true(vt_vector_normalize(out, DIM));
}

static void put(shelf *s, size_t index, const float *vector)
{
    char id[16], title[64];
    size_t kind = index % KINDS;
    snprintf(id, sizeof id, "G-%02zu", index);
    snprintf(title, sizeof title, "The fine thing number%zu", index);
    vt_attribute colour = {.name = "color", .kind = VT_ATTRIBUTE_TEXT, .text = colours[kind]};
    vt_picture picture = {.source = "a.jpg", .width = 8, .height = 8, .vector = vector};
    picture.hash.bytes[0] = (uint8_t)(index + 1);
    vt_product product = {.id = id,
                          .title = title,
                          .category = kinds[kind],
                          .brand = "everyone",
                          .price = (double)index,
                          .attributes = &colour,
                          .attribute_count = 1,
                          .pictures = &picture,
                          .picture_count = 1};
    vt_error error = {0};
    if (vt_store_put(s->searcher.store, s->searcher.model, &product, &error) != VT_OK)
        fail_msg("%s", error.message);
}

static int setup_empty(void **state)
{
    shelf *s = test_calloc(1, sizeof *s);
    vt_hash fingerprint = {{1}};
    if (scratch_setup((void **)&s->scratch) != 0 ||
        vt_store_open(scratch_path(s->scratch, "shop"), VT_STORE_CREATE, &s->searcher.store,
                      NULL) != VT_OK ||
        vt_store_model_put(s->searcher.store, &fingerprint, "made up", DIM, &s->searcher.model,
                           NULL) != VT_OK)
        return -1;
    s->searcher.dim = DIM;
    *state = s;
    return 0;
}

static int setup_full(void **state)
{
    float vector[DIM];
    if (setup_empty(state) != 0)
        return -1;
    for (size_t i = 0; i < GOODS; i++) {
        make_vector(i % KINDS, i, vector);
        put(*state, i, vector);
    }
    return 0;
}

static int teardown(void **state)
{
    shelf *s = *state;
    vt_store_close(s->searcher.store);
    void *inner = s->scratch;
    scratch_teardown(&inner);
    test_free(s);
    return 0;
}

static vt_cluster_options defaults(void)
{
    return (vt_cluster_options){.cut = NAN, .seed = 1};
}

static vt_clusters *group(shelf *s, const vt_cluster_options *options)
{
    vt_error error = {0};
    vt_clusters *made = NULL;
    if (vt_search_cluster(&s->searcher, options, &made, &error) != VT_OK)
        fail_msg("%s", error.message);
    return made;
}

static size_t number_of(const char *id)
{
    return (size_t)strtoul(id + 2, NULL, 10);
}

/* Mean cosine of pairs, over all pairs; the product whose sum of cosines is largest. */
static void check_group(const vt_cluster_group *g)
{
    float a[DIM], b[DIM];
    double sum = 0, most = -INFINITY;
    size_t best = 0;
    for (size_t i = 0; i < g->size; i++) {
        double own = 0;
        make_vector(number_of(g->members[i].product) % KINDS, number_of(g->members[i].product), a);
        for (size_t j = 0; j < g->size; j++) {
            size_t other = number_of(g->members[j].product);
            make_vector(other % KINDS, other, b);
            own += i == j ? 0 : (double)vt_distance()->dot_f32(a, b, DIM);
        }
        best = own > most ? i : best;
        most = own > most ? own : most;
        sum += own;
        assert_true(i == 0 || g->members[i].similarity <= g->members[i - 1].similarity);
    }
    double pairs = (double)g->size * (double)(g->size - 1);
    assert_true(fabs(g->tightness - (pairs > 0 ? sum / pairs : 1)) < 2e-3);
    assert_string_equal(g->medoid.product, g->members[0].product);
    assert_true(best == 0 || fabs(g->members[best].similarity - g->members[0].similarity) < 1e-3);
}

static void every_product_is_in_one_group(const vt_clusters *made, size_t products)
{
    bool seen[GOODS] = {false};
    size_t sum = 0;
    for (size_t i = 0; i < made->count; i++) {
        const vt_cluster_group *g = &made->groups[i];
        assert_true(g->size > 0 && g->label[0] != '\0');
        assert_true(i == 0 || g->size <= made->groups[i - 1].size);
        for (size_t m = 0; m < g->size; m++) {
            assert_false(seen[number_of(g->members[m].product)]);
            seen[number_of(g->members[m].product)] = true;
        }
        sum += g->size;
        check_group(g);
    }
    assert_int_equal(sum, products);
    assert_int_equal(made->products, products);
}

static void kinds_are_found_and_named(void **state)
{
    shelf *s = *state;
    vt_cluster_options options = defaults();
    options.k = KINDS;
    vt_clusters *made = group(s, &options);
    assert_int_equal(made->count, KINDS);
    assert_int_equal(made->node_count, KINDS);
    every_product_is_in_one_group(made, GOODS);
    for (size_t i = 0; i < KINDS; i++) {
        const vt_cluster_group *g = &made->groups[i];
        size_t kind = number_of(g->medoid.product) % KINDS;
        assert_int_equal(g->size, PER_KIND);
        assert_string_equal(g->terms[0].value, kinds[kind]);
        assert_int_equal(g->terms[0].inside, PER_KIND);
        assert_int_equal(g->terms[0].outside, 0);
        assert_int_equal(strncmp(g->label, kinds[kind], strlen(kinds[kind])), 0);
        for (size_t t = 0; t < g->term_count; t++) { /* what all have tells nothing */
            assert_string_not_equal(g->terms[t].value, "everyone");
            assert_string_not_equal(g->terms[t].value, "fine");
        }
    }
    assert_true(made->silhouette > 0.7);
    vt_search_clusters_free(made);
}

static void the_number_is_chosen(void **state)
{
    shelf *s = *state;
    vt_cluster_options options = defaults();
    for (int tree = 0; tree < 2; tree++) {
        options.tree = tree;
        vt_clusters *made = group(s, &options);
        assert_true(made->chosen);
        assert_int_equal(made->count, KINDS);
        every_product_is_in_one_group(made, GOODS);
        vt_search_clusters_free(made);
    }
}

static void trees_join_what_is_near(void **state)
{
    shelf *s = *state;
    vt_cluster_options options = defaults();
    options.tree = true;
    options.k = KINDS;
    vt_clusters *made = group(s, &options);
    assert_int_equal(made->node_count, 2 * KINDS - 1);
    const vt_cluster_group *shoes = &made->groups[KINDS];
    assert_null(shoes->members);
    assert_int_equal(shoes->size, 2 * PER_KIND);
    for (int side = 0; side < 2; side++) {
        const vt_cluster_group *part = &made->groups[shoes->parts[side]];
        assert_true(number_of(part->medoid.product) % KINDS < 2);
    }
    assert_true(strstr(shoes->label, "Shoes") != NULL || strstr(shoes->label, "red") != NULL);
    const vt_cluster_group *all = &made->groups[made->node_count - 1];
    assert_int_equal(all->size, GOODS);
    assert_true(all->similarity < shoes->similarity);
    double between = 0; /* the mean cosine of pairs */
    for (size_t i = 0; i < GOODS; i++)
        for (size_t o = 1; i % KINDS == 0 && o < GOODS; o += KINDS) {
            float a[DIM], b[DIM];
            make_vector(0, i, a);
            make_vector(1, o, b);
            between += (double)vt_distance()->dot_f32(a, b, DIM) / (PER_KIND * PER_KIND);
        }
    assert_true(fabs(between - shoes->similarity) < 1e-3);
    /* A cut between the two gives three groups. */
    options.k = 0;
    options.cut = (shoes->similarity + made->groups[KINDS + 1].similarity) / 2;
    vt_search_clusters_free(made);
    made = group(s, &options);
    assert_int_equal(made->count, 3);
    assert_false(made->chosen);
    assert_int_equal(made->groups[0].size, 2 * PER_KIND);
    every_product_is_in_one_group(made, GOODS);
    vt_search_clusters_free(made);
}

static void filters_and_odd_numbers(void **state)
{
    shelf *s = *state;
    vt_cluster_options options = defaults();
    options.where = "category LIKE 'Shoes%'";
    for (int tree = 0; tree < 2; tree++) {
        options.tree = tree;
        const size_t numbers[] = {1, 2, 500};
        for (size_t i = 0; i < 3; i++) {
            options.k = numbers[i];
            vt_clusters *made = group(s, &options);
            assert_in_range(made->count, 1, 2 * PER_KIND);
            every_product_is_in_one_group(made, 2 * PER_KIND);
            assert_true(made->count > 1 || isnan(made->silhouette));
            assert_true(i != 0 || strstr(made->groups[0].label, "red") != NULL ||
                        strstr(made->groups[0].label, "Shoes") != NULL);
            vt_search_clusters_free(made);
        }
    }
    options.tree = false;
    options.where = "id = 'G-07'";
    options.k = 0;
    vt_clusters *made = group(s, &options);
    assert_int_equal(made->count, 1);
    assert_true(made->groups[0].tightness == 1);
    vt_search_clusters_free(made);
}

static void zero_and_equal_vectors(void **state)
{
    shelf *s = *state;
    float vector[DIM] = {0};
    put(s, 0, vector); /* says nothing: left out */
    vector[3] = 1;
    for (size_t i = 1; i < 9; i++)
        put(s, i, vector);
    vt_cluster_options options = defaults();
    for (int tree = 0; tree < 2; tree++) {
        options.tree = tree;
        options.k = 3;
        vt_clusters *made = group(s, &options);
        assert_int_equal(made->products, 8);
        assert_int_equal(made->left_out, 1);
        assert_true(tree ? made->count == 3 : made->count == 1);
        vt_search_clusters_free(made);
    }
}

static void fails(shelf *s, const vt_cluster_options *options, vt_status want, const char *text)
{
    vt_error error = {0};
    vt_clusters *made = NULL;
    vt_status got = vt_search_cluster(&s->searcher, options, &made, &error);
    if (got != want || strstr(error.message, text) == NULL)
        fail_msg("status %d, \"%s\"; wanted \"%s\"", (int)got, error.message, text);
    assert_null(made);
}

static bool stop(void *context, uint64_t done, uint64_t total)
{
    int *left = context;
    assert_true(done <= total || total == 0);
    return (*left)-- > 0;
}

static void mistakes_and_cancelling(void **state)
{
    shelf *s = *state;
    vt_cluster_options options = defaults();
    options.k = VT_CLUSTER_MAX_K + 1;
    fails(s, &options, VT_ERR_USAGE, "10001");
    options.k = 0;
    options.cut = 0.5;
    fails(s, &options, VT_ERR_USAGE, "for a tree");
    options.tree = true;
    options.linkage = "ward";
    fails(s, &options, VT_ERR_USAGE, "no similarity");
    options.linkage = "single";
    fails(s, &options, VT_ERR_USAGE, "\"single\"");
    options.linkage = NULL;
    options.cut = 2;
    fails(s, &options, VT_ERR_USAGE, "cannot be cut");
    options.cut = NAN;
    options.where = "price > 1000";
    fails(s, &options, VT_ERR_NOT_FOUND, "filter");
    options.where = "price >";
    fails(s, &options, VT_ERR_USAGE, "filter");
    options.where = NULL;
    options.on_progress = stop;
    for (int tree = 0; tree < 2; tree++)
        for (int calls = 0; calls < 2; calls++) {
            int left = calls;
            options.tree = tree;
            options.context = &left;
            fails(s, &options, VT_ERR_CANCELLED, "cancelled");
        }
}

static void an_empty_shop(void **state)
{
    vt_cluster_options options = defaults();
    fails(*state, &options, VT_ERR_NOT_FOUND, "empty");
}

static void memory_runs_out(void **state)
{
    shelf *s = *state;
    vt_cluster_options options = defaults();
    options.where = "price < 12";
    for (int tree = 0; tree < 2; tree++) {
        vt_status status = VT_ERR_NO_MEMORY;
        int64_t allowed = 0;
        options.tree = tree;
        options.k = 3;
        vt_search_clusters_free(group(s, &options)); /* what the store keeps is made now */
        for (; status == VT_ERR_NO_MEMORY && allowed < 10000; allowed++) {
            vt_clusters *made = NULL;
            vt_mem_fail_after(allowed);
            status = vt_search_cluster(&s->searcher, &options, &made, NULL);
            vt_mem_fail_after(-1);
            vt_search_clusters_free(made);
        }
        assert_int_equal(status, VT_OK);
        assert_true(allowed > 20);
    }
}

#define ON_SHELF(test) cmocka_unit_test_setup_teardown(test, setup_full, teardown)
#define ON_EMPTY(test) cmocka_unit_test_setup_teardown(test, setup_empty, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_SHELF(kinds_are_found_and_named),
        ON_SHELF(the_number_is_chosen),
        ON_SHELF(trees_join_what_is_near),
        ON_SHELF(filters_and_odd_numbers),
        ON_EMPTY(zero_and_equal_vectors),
        ON_SHELF(mistakes_and_cancelling),
        ON_EMPTY(an_empty_shop),
        ON_SHELF(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
