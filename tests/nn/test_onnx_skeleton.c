/* SPDX-License-Identifier: Apache-2.0 */
/* The skeleton itself, and models whose weights stay in their file. */
#include "models.h"

#include "nn/onnx_file.h"
#include "nn/plan.h"

#include <pthread.h>
#include <stdlib.h>

enum { BIG = 40000 }; /* f32 elements: larger than what is always copied */

/* x (40000) + w + v -> y; w and v lie at addresses that are no multiple of 4, if `shift` says so.
 */
static void big_model(maker *m, int shift)
{
    float *numbers = malloc(BIG * sizeof *numbers);
    maker_init(m, 13);
    m->model.producer_name = maker_text(m, &"abcd"[shift]);
    maker_input(m, "x", VT_F32, 1, (int64_t[]){BIG});
    for (int i = 0; i < BIG; i++)
        numbers[i] = (float)i;
    maker_weight(m, "w", VT_F32, 1, (int64_t[]){BIG}, numbers);
    for (int i = 0; i < BIG; i++)
        numbers[i] = 0.5F;
    maker_weight(m, "v", VT_F32, 1, (int64_t[]){BIG}, numbers);
    maker_weight(m, "small", VT_F32, 1, (int64_t[]){1}, (float[]){1});
    maker_node(m, "Sum", "x,w,v,small", "y");
    maker_output(m, "y");
    free(numbers);
}

static void store(const scratch *s, const maker *m, char path[256])
{
    vt_buf file;
    vt_error error;
    maker_pack(m, &file);
    snprintf(path, 256, "%s/big.onnx", s->root);
    assert_int_equal(vt_file_replace(path, file.data, file.length, false, &error), VT_OK);
    vt_buf_deinit(&file);
}

static vt_model *opened(const char *path)
{
    vt_model *model = NULL;
    vt_error error;
    if (vt_model_open(path, NULL, &model, &error) != VT_OK)
        fail_msg("%s", error.message);
    return model;
}

/* y for x = 1, element by element. */
static void computes(const vt_model *model, vt_executor executor)
{
    vt_session *session;
    vt_error error;
    vt_session_options options = vt_session_options_defaults();
    options.executor = executor;
    vt_tensor x, y;
    vt_shape shape = vt_shape_of(1, (int64_t[]){BIG});
    assert_int_equal(vt_tensor_init(&x, VT_F32, &shape, 0, &error), VT_OK);
    for (size_t i = 0; i < BIG; i++)
        ((float *)x.data)[i] = 1;
    assert_int_equal(vt_session_new(model, &options, &session, &error), VT_OK);
    if (vt_session_run(session, &x, 1, &y, &error) != VT_OK)
        fail_msg("%s", error.message);
    for (size_t i = 0; i < BIG; i++)
        assert_float_equal(((const float *)y.data)[i], (float)i + 2.5F, 1e-2);
    vt_session_free(session);
    vt_tensor_deinit(&x);
}

static void the_skeleton_says_where_weights_lie(void **state)
{
    (void)state;
    maker m;
    vt_buf file, skeleton;
    vt_error error;
    big_model(&m, 0);
    maker_pack(&m, &file);
    vt_buf_init(&skeleton, 1 << 20);
    assert_int_equal(vt_onnx_skeleton(file.data, file.length, &skeleton, &error), VT_OK);
    assert_true(skeleton.length < 1000);
    Onnx__ModelProto *proto =
        onnx__model_proto__unpack(NULL, skeleton.length, (const uint8_t *)skeleton.data);
    assert_non_null(proto);
    assert_string_equal(proto->producer_name, "abcd");
    assert_int_equal(proto->graph->n_initializer, 3);
    for (size_t i = 0; i < 3; i++) {
        size_t offset, length;
        const Onnx__TensorProto *want = m.weights[i];
        assert_string_equal(proto->graph->initializer[i]->name, want->name);
        assert_true(
            vt_onnx_skeleton_record(proto->graph->initializer[i]->raw_data, &offset, &length));
        assert_int_equal(length, want->raw_data.len);
        assert_memory_equal(file.data + offset, want->raw_data.data, length);
    }
    onnx__model_proto__free_unpacked(proto, NULL);
    /* Cut anywhere, it is malformed or the same file with less in it; never read beyond. */
    for (size_t cut = 0; cut < 300; cut++) {
        uint8_t *copy = malloc(cut + 1);
        memcpy(copy, file.data, cut);
        vt_buf_clear(&skeleton);
        vt_onnx_skeleton(copy, cut, &skeleton, &error);
        free(copy);
    }
    vt_buf_deinit(&skeleton);
    vt_buf_deinit(&file);
    maker_deinit(&m);
}

static void weights_stay_in_the_file(void **state)
{
    const scratch *s = *state;
    for (int shift = 0; shift < 4; shift++) {
        maker m;
        char path[256];
        big_model(&m, shift);
        store(s, &m, path);
        vt_model *model = opened(path);
        const vt_graph *graph = &model->graph;
        const vt_value *w = &graph->values[vt_graph_find_value(graph, "w")];
        const vt_value *small = &graph->values[vt_graph_find_value(graph, "small")];
        assert_false(w->constant->owned);
        assert_non_null(w->lent);
        assert_true(small->constant->owned);
        assert_null(small->lent);
        computes(model, VT_EXECUTOR_REFERENCE);
        vt_model_release_pages(model);
        computes(model, VT_EXECUTOR_ONEDNN);
        vt_model *copy = maker_model(&m); /* from bytes: nothing is borrowed */
        assert_true(copy->graph.values[vt_graph_find_value(&copy->graph, "w")].constant->owned);
        computes(copy, VT_EXECUTOR_REFERENCE);
        vt_model_free(copy);
        vt_model_free(model);
        maker_deinit(&m);
    }
}

static void readers_share_one_aligned_copy(void **state)
{
    const scratch *s = *state;
    bool seen[2] = {false, false};
    for (int shift = 0; shift < 4; shift++) {
        maker m;
        char path[256];
        vt_error error;
        vt_tensor first, second, third;
        big_model(&m, shift);
        store(s, &m, path);
        vt_model *model = opened(path);
        const vt_graph *graph = &model->graph;
        vt_value_id w = vt_graph_find_value(graph, "w");
        bool aligned = (uintptr_t)graph->values[w].constant->data % sizeof(float) == 0;
        seen[aligned] = true;
        assert_int_equal(vt_graph_acquire(graph, w, &first, &error), VT_OK);
        assert_int_equal(vt_graph_acquire(graph, w, &second, &error), VT_OK);
        assert_ptr_equal(first.data, second.data);
        assert_true((uintptr_t)first.data % sizeof(float) == 0);
        assert_true(aligned == (first.data == graph->values[w].constant->data));
        vt_graph_release(graph, w);
        assert_float_equal(((const float *)second.data)[BIG - 1], BIG - 1, 0);
        vt_graph_release(graph, w);
        vt_graph_release(graph, w); /* one too many does no harm */
        assert_int_equal(vt_graph_acquire(graph, w, &third, &error), VT_OK);
        assert_float_equal(((const float *)third.data)[BIG - 1], BIG - 1, 0);
        if (!aligned) {
            vt_graph_release(graph, w);
            vt_mem_fail_after(0);
            vt_status status = vt_graph_acquire(graph, w, &third, &error);
            vt_mem_fail_after(-1);
            assert_int_equal(status, VT_ERR_NO_MEMORY);
        }
        vt_model_free(model); /* with what is still acquired */
        maker_deinit(&m);
    }
    assert_true(seen[0] && seen[1]); /* three of four shifts are unaligned */
}

static void plans_take_constants_when_computing_and_give_them_back(void **state)
{
    const scratch *s = *state;
    maker m;
    char path[256];
    vt_error error;
    vt_plan *plan;
    big_model(&m, 1);
    store(s, &m, path);
    vt_model *model = opened(path);
    vt_graph *graph = &model->graph;
    vt_shape shape = vt_shape_of(1, (int64_t[]){BIG});
    assert_int_equal(vt_plan_new(graph, &shape, graph->outputs, 1, &plan, &error), VT_OK);
    vt_value_id w = vt_graph_find_value(graph, "w");
    assert_true(plan->values[w].constant && !plan->values[w].acquired);
    assert_null(plan->values[w].tensor.data); /* planning alone does not need it */
    assert_int_equal(vt_plan_acquire_all(plan, &error), VT_OK);
    assert_true(plan->values[w].acquired);
    assert_non_null(plan->values[w].tensor.data);
    vt_plan_release_constant(plan, w);
    assert_null(plan->values[w].tensor.data);
    assert_int_equal(plan->values[w].tensor.shape.dims[0], BIG);
    vt_plan_release_constant(plan, w);
    vt_plan_free(plan);
    computes(model, VT_EXECUTOR_REFERENCE);
    vt_model_free(model);
    maker_deinit(&m);
}

/* A session per thread: copies are made, shared and dropped while others read. */
static void *reader(void *context)
{
    for (int i = 0; i < 5; i++)
        computes(context, VT_EXECUTOR_REFERENCE);
    return NULL;
}

static void threads_may_share_them(void **state)
{
    const scratch *s = *state;
    maker m;
    char path[256];
    pthread_t threads[3];
    big_model(&m, 2);
    store(s, &m, path);
    vt_model *model = opened(path);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, model), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    vt_model_free(model);
    maker_deinit(&m);
}

static void wrong_sizes_are_refused(void **state)
{
    const scratch *s = *state;
    maker m;
    char path[256];
    vt_model *model;
    vt_error error;
    big_model(&m, 0);
    m.weights[0]->raw_data.len -= 4;
    store(s, &m, path);
    assert_int_equal(vt_model_open(path, NULL, &model, &error), VT_ERR_FORMAT);
    assert_non_null(strstr(error.message, "raw data of 159996 bytes, its shape needs 160000"));
    maker_deinit(&m);
}

/* Bools are made 0 and 1, so they cannot stay. */
static void bools_are_copied(void **state)
{
    const scratch *s = *state;
    maker m;
    char path[256];
    enum { COUNT = 100000 };
    uint8_t *bytes = malloc(COUNT);
    memset(bytes, 2, COUNT);
    maker_init(&m, 13);
    maker_weight(&m, "w", VT_BOOL, 1, (int64_t[]){COUNT}, bytes);
    maker_node(&m, "Not", "w", "y");
    maker_output(&m, "y");
    store(s, &m, path);
    vt_model *model = opened(path);
    const vt_value *w = &model->graph.values[vt_graph_find_value(&model->graph, "w")];
    assert_true(w->constant->owned);
    assert_int_equal(((const uint8_t *)w->constant->data)[COUNT - 1], 1);
    assert_null(model->graph.mappings[0].bytes); /* nothing is in the file, so it is closed */
    vt_model_free(model);
    maker_deinit(&m);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_skeleton_says_where_weights_lie),
        cmocka_unit_test_setup_teardown(weights_stay_in_the_file, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(readers_share_one_aligned_copy, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(plans_take_constants_when_computing_and_give_them_back,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(threads_may_share_them, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(wrong_sizes_are_refused, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(bools_are_copied, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
