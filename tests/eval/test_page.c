/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of reports: what strangers wrote is escaped, the hardest come first, thumbnails are inside.
 */
#include "support/scratch.h"

#include "eval/neighbours.h"
#include "eval/page.h"

#include <stdio.h>

enum { PAGE_BYTES = 1 << 20, MANY = 61 };

static size_t count_of(const vt_buf *page, const char *text)
{
    size_t count = 0;
    for (const char *at = strstr(vt_buf_text(page), text); at != NULL; at = strstr(at + 1, text))
        count++;
    return count;
}

static void classes_are_drawn(void **state)
{
    (void)state;
    static const char *const names[] = {"cat", "<script>alert(1)</script>", "cow"};
    static const float scores[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
    vt_classification *measures = NULL;
    vt_buf page;
    vt_buf_init(&page, PAGE_BYTES);
    assert_int_equal(vt_classification_new(3, &measures, NULL), VT_OK);
    assert_int_equal(vt_classification_classes(measures), 3);
    vt_classification_add(measures, 0, scores[0]);
    vt_classification_add(measures, 0, scores[1]);
    vt_classification_add(measures, 1, scores[1]);
    vt_page_begin(&page, "A & B");
    vt_page_matrix(&page, measures, names);
    vt_page_classes(&page, measures, names);
    vt_page_end(&page);
    assert_false(page.failed);
    assert_int_equal(count_of(&page, "<title>A &amp; B</title>"), 1);
    assert_int_equal(count_of(&page, "<script"), 0);
    assert_int_equal(count_of(&page, "&lt;script&gt;"), 2);
    assert_int_equal(count_of(&page, "title=\"1\""), 3); /* cells with one photo */
    assert_int_equal(count_of(&page, "<td>2</td><td>1.000</td><td>0.500</td><td>0.667</td>"), 1);
    assert_int_equal(count_of(&page, "<td>0</td><td>0.000</td><td>0.000</td><td>0.000</td>"), 1);
    assert_int_equal(count_of(&page, "</html>"), 1);
    vt_classification_free(measures);
    vt_buf_deinit(&page);
}

static void large_matrices_are_not(void **state)
{
    (void)state;
    static const char *names[MANY];
    vt_classification *measures = NULL;
    vt_buf page;
    vt_buf_init(&page, PAGE_BYTES);
    for (int i = 0; i < MANY; i++)
        names[i] = "x";
    assert_int_equal(vt_classification_new(MANY, &measures, NULL), VT_OK);
    vt_page_matrix(&page, measures, names);
    assert_int_equal(count_of(&page, "Not drawn: 61 classes"), 1);
    assert_int_equal(count_of(&page, "<td"), 0);
    vt_classification_free(measures);
    vt_buf_deinit(&page);
}

static void recall_is_listed_by_label(void **state)
{
    (void)state;
    const vt_retrieval_options options = {.k = {1, 2}, .k_count = 2};
    static const bool first[2] = {true, false}, second[2] = {false, true};
    vt_retrieval *retrieval = NULL;
    vt_buf page;
    vt_buf_init(&page, PAGE_BYTES);
    assert_int_equal(vt_retrieval_new(&options, &retrieval, NULL), VT_OK);
    assert_int_equal(vt_retrieval_add(retrieval, "a<b", first, 2, 1, NULL), VT_OK);
    assert_int_equal(vt_retrieval_add(retrieval, "a<b", second, 2, 1, NULL), VT_OK);
    vt_page_recall(&page, retrieval, &options);
    assert_int_equal(count_of(&page, "<th>recall@2</th>"), 1);
    assert_int_equal(count_of(&page, "<td>a&lt;b</td><td>2</td><td>0.500</td><td>1.000</td></tr>"),
                     1);
    vt_retrieval_free(retrieval);
    vt_buf_deinit(&page);
}

/* Photo 2 has no picture. */
static void put_thumb(void *context, size_t place, vt_buf *jpeg)
{
    (void)context;
    if (place != 2)
        vt_buf_printf(jpeg, "%zu", place);
}

static void the_hardest_come_first(void **state)
{
    (void)state;
    static const uint32_t labels[] = {0, 0, 1, 1, 0};
    static const char *const names[] = {"good", "b&d"};
    static const uint32_t neighbours[] = {1, 4, 2, 3, VT_NO_NEIGHBOUR, VT_NO_NEIGHBOUR, 0, 2};
    static const uint32_t named[] = {0, 1, 1, 0};
    static const float wrong[] = {0, 0.25f, 0, 0.75f};
    vt_page_examples examples = {.count = 4,
                                 .labels = labels,
                                 .label_names = names,
                                 .neighbours = neighbours,
                                 .neighbour_count = 2,
                                 .among = "the others",
                                 .thumb = put_thumb};
    vt_buf page;
    vt_buf_init(&page, PAGE_BYTES);
    vt_page_put_examples(&page, &examples);
    assert_false(page.failed);
    /* 1 and 2 find nothing of theirs, 3 does at the second place, 0 at once: it is not shown. */
    assert_int_equal(count_of(&page, "class=\"r\""), 3);
    assert_int_equal(count_of(&page, "class=\"y\""), 1);
    assert_int_equal(count_of(&page, "class=\"n\""), 3);
    assert_int_equal(count_of(&page, "<img"), 4); /* without those of photo 2 */
    assert_int_equal(count_of(&page, "b&amp;d"), 5);
    assert_int_equal(count_of(&page, "named"), 0);
    vt_buf_clear(&page);
    examples.named = named;
    examples.wrong = wrong;
    examples.class_names = names;
    vt_page_put_examples(&page, &examples);
    const char *sure = strstr(vt_buf_text(&page), "75%"), *less = strstr(vt_buf_text(&page), "25%");
    assert_true(sure != NULL && less != NULL && sure < less);
    assert_int_equal(count_of(&page, "class=\"r\""), 2);
    examples.count = 1;
    vt_buf_clear(&page);
    vt_page_put_examples(&page, &examples);
    assert_int_equal(count_of(&page, "None: all are right"), 1);
    vt_buf_deinit(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_drawn),
        cmocka_unit_test(large_matrices_are_not),
        cmocka_unit_test(recall_is_listed_by_label),
        cmocka_unit_test(the_hardest_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
