/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "train/sampler.h"

enum { COUNT = 60, LABELS = 5 };

typedef struct made {
    uint32_t indices[COUNT], labels[COUNT], order[COUNT];
    vt_sampler *sampler;
    size_t count;
} made;

/* Label l has 4 * (l + 1) examples; example i's index is 100 + i. */
static vt_status make(made *m, vt_sampler_kind kind, size_t batch, size_t per_label)
{
    size_t at = 0;
    for (uint32_t l = 0; l < LABELS; l++)
        for (uint32_t i = 0; i < 4 * (l + 1); i++, at++) {
            m->indices[at] = 100 + (uint32_t)at;
            m->labels[at] = l;
        }
    const vt_sampler_examples examples = {m->indices, m->labels, COUNT, LABELS};
    const vt_sampler_options options = {kind, batch, per_label, 3};
    vt_status status = vt_sampler_new(&examples, &options, &m->sampler, NULL);
    if (status == VT_OK)
        m->count = vt_sampler_count(m->sampler);
    return status;
}

static void shuffled_takes_each_once(void **state)
{
    (void)state;
    made m, again;
    int seen[COUNT] = {0};
    assert_int_equal(make(&m, VT_SAMPLER_SHUFFLED, 8, 0), VT_OK);
    assert_int_equal(make(&again, VT_SAMPLER_SHUFFLED, 8, 0), VT_OK);
    assert_int_equal(m.count, 56);
    vt_sampler_epoch(m.sampler, 2, m.order);
    for (size_t i = 0; i < m.count; i++)
        assert_int_equal(seen[m.order[i] - 100]++, 0);
    vt_sampler_epoch(again.sampler, 1, again.order);
    assert_memory_not_equal(m.order, again.order, m.count * 4);
    vt_sampler_epoch(again.sampler, 2, again.order); /* whatever was asked before */
    assert_memory_equal(m.order, again.order, m.count * 4);
    vt_sampler_free(m.sampler);
    vt_sampler_free(again.sampler);
}

static void balanced_takes_labels_equally(void **state)
{
    (void)state;
    made m;
    size_t seen[LABELS] = {0};
    assert_int_equal(make(&m, VT_SAMPLER_BALANCED, 10, 0), VT_OK);
    vt_sampler_epoch(m.sampler, 0, m.order);
    for (size_t i = 0; i < m.count; i++)
        seen[m.labels[m.order[i] - 100]]++;
    for (int l = 0; l < LABELS; l++)
        assert_int_equal(seen[l], COUNT / LABELS);
    vt_sampler_free(m.sampler);
}

static void classes_lie_side_by_side(void **state)
{
    (void)state;
    made m;
    assert_int_equal(make(&m, VT_SAMPLER_CLASSES, 12, 4), VT_OK);
    for (uint64_t epoch = 0; epoch < 20; epoch++) {
        vt_sampler_epoch(m.sampler, epoch, m.order);
        for (size_t b = 0; b < m.count; b += 12) {
            bool used[LABELS] = {false};
            for (size_t p = 0; p < 3; p++) {
                const uint32_t *group = m.order + b + 4 * p;
                uint32_t label = m.labels[group[0] - 100];
                assert_false(used[label]);
                used[label] = true;
                for (int k = 1; k < 4; k++) {
                    assert_int_equal(m.labels[group[k] - 100], label);
                    for (int j = 0; j < k; j++)
                        assert_int_not_equal(group[j], group[k]);
                }
            }
        }
    }
    vt_sampler_free(m.sampler);
}

static void impossible_batches_are_refused(void **state)
{
    (void)state;
    made m;
    vt_sampler_options options = {0};
    assert_int_equal(make(&m, VT_SAMPLER_SHUFFLED, 61, 0), VT_ERR_USAGE);
    assert_int_equal(make(&m, VT_SAMPLER_SHUFFLED, 0, 0), VT_ERR_USAGE);
    assert_int_equal(make(&m, VT_SAMPLER_CLASSES, 12, 5), VT_ERR_USAGE);
    assert_int_equal(make(&m, VT_SAMPLER_CLASSES, 12, 2), VT_ERR_USAGE); /* 6 labels */
    assert_int_equal(vt_sampler_parse("classes:0", &options, NULL), VT_ERR_USAGE);
    assert_int_equal(vt_sampler_parse("classes:7", &options, NULL), VT_OK);
    assert_int_equal(options.per_label, 7);
    assert_int_equal(vt_sampler_parse(NULL, &options, NULL), VT_OK);
    assert_int_equal(options.kind, VT_SAMPLER_SHUFFLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shuffled_takes_each_once),
        cmocka_unit_test(balanced_takes_labels_equally),
        cmocka_unit_test(classes_lie_side_by_side),
        cmocka_unit_test(impossible_batches_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
