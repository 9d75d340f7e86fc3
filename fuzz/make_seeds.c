/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seeds for fuzz targets: for those that read ONNX files small networks,
 *
 *     make_seeds DIRECTORY      writes DIRECTORY/fuzz_onnx/... and so on
 *
 * for fuzz_op random bytes behind the number of each row of the operator table, for fuzz_filter and
 * fuzz_request a few filters and requests, for fuzz_graph_file and fuzz_ivf_file small indexes of
 * each codec, and for fuzz_postings_file the postings of a few products and of none.
 */
#include "base/file.h"
#include "index/graph_file.h"
#include "index/ivf_file.h"
#include "store/postings.h"
#include "support/onnx_builder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *directory;

static void store_for(const char *target, const char *name, const void *bytes, size_t length)
{
    char path[1024];
    vt_error error;
    snprintf(path, sizeof path, "%s/%s", directory, target);
    vt_status status = vt_dir_make(path, &error);
    snprintf(path, sizeof path, "%s/%s/%s", directory, target, name);
    if (status == VT_OK)
        status = vt_file_replace(path, bytes, length, false, &error);
    if (status != VT_OK) {
        fprintf(stderr, "make_seeds: %s\n", error.message);
        exit(1);
    }
}

static void store(const char *name, vt_buf *file)
{
    store_for("fuzz_onnx", name, file->data, file->length);
    store_for("fuzz_onnx_export", name, file->data, file->length);
    vt_buf_deinit(file);
}

static void operators(void)
{
    enum { ROWS = 768, LENGTH = 160 }; /* rows beyond the table's start again at its begin */
    vt_random random;
    vt_random_init(&random, 1);
    for (unsigned row = 0; row < ROWS; row++) {
        char name[32];
        uint8_t bytes[LENGTH] = {(uint8_t)row, (uint8_t)(row >> 8)};
        for (size_t i = 2; i < LENGTH; i++)
            bytes[i] = (uint8_t)(vt_random_float(&random, 0, 256));
        snprintf(name, sizeof name, "row_%u", row);
        store_for("fuzz_op", name, bytes, sizeof bytes);
    }
}

static vt_buf message(void)
{
    vt_buf buf;
    vt_buf_init(&buf, PB_MAXIMUM);
    return buf;
}

/* One node with one input x (2, 3, 8, 8), and y. */
static void single(const char *op, const char *inputs)
{
    onnx_builder b;
    char name[64];
    onnx_begin(&b);
    onnx_input(&b, "x", VT_F32, 4, (int64_t[]){-1, 3, 8, 8});
    onnx_weight(&b, "w", 4, (int64_t[]){2, 3, 1, 1}, (float[]){1, 2, 3, 4, 5, 6});
    onnx_raw(&b, "i", VT_I64, 1, (int64_t[]){1}, (int64_t[]){-1}, 8);
    onnx_node(&b, op, inputs, "y");
    onnx_output(&b, "y", VT_F32, 4, (int64_t[]){-1, -1, -1, -1});
    onnx_metadata(&b, "key", "value");
    vt_buf file = onnx_finish(&b);
    snprintf(name, sizeof name, "single_%s", op);
    store(name, &file);
}

static void shapes(void)
{
    onnx_builder b;
    onnx_begin(&b);
    onnx_input(&b, "x", VT_F32, 2, (int64_t[]){-1, 4});
    onnx_raw(&b, "zero", VT_I64, 1, (int64_t[]){1}, (int64_t[]){0}, 8);
    onnx_raw(&b, "four", VT_I64, 1, (int64_t[]){1}, (int64_t[]){4}, 8);
    onnx_node(&b, "Shape", "x", "s");
    onnx_node(&b, "Gather", "s,zero", "n");
    onnx_node(&b, "Concat", "four,n", "t");
    onnx_node_int(&b, "axis", 0);
    onnx_node(&b, "Reshape", "x,t", "r");
    onnx_node(&b, "ConstantOfShape", "t", "c");
    onnx_node(&b, "Expand", "c,t", "e");
    onnx_node(&b, "Add", "r,e", "y");
    onnx_output(&b, "y", VT_F32, 2, (int64_t[]){4, -1});
    vt_buf file = onnx_finish(&b);
    store("shapes", &file);
}

/* A function that calls a function, an attribute by reference with a default, and an overload. */
static void functions(void)
{
    onnx_builder b;
    static const char *const names[] = {"Inner", "Outer"};
    onnx_begin(&b);
    onnx_input(&b, "x", VT_F32, 1, (int64_t[]){3});
    for (int f = 0; f < 2; f++) {
        vt_buf function = message(), node = message(), attribute = message(), set = message();
        pb_text(&function, 1, names[f]);
        pb_text(&function, 4, "a");
        pb_text(&function, 5, "r");
        pb_text(&function, 10, "local");
        pb_text(&function, 13, f == 0 ? "one" : "");
        pb_text(&set, 1, f == 0 ? "" : "local");
        pb_int(&set, 2, f == 0 ? 13 : 1);
        pb_message(&function, 9, &set);
        pb_text(&node, 1, "a");
        pb_text(&node, 2, "r");
        pb_text(&node, 4, f == 0 ? "LeakyRelu" : "Inner");
        pb_text(&node, 7, f == 0 ? "" : "local");
        pb_text(&node, 8, f == 0 ? "" : "one");
        pb_text(&attribute, 1, "alpha");
        pb_int(&attribute, 20, 1);
        pb_text(&attribute, 21, "slope");
        pb_message(&node, 5, &attribute);
        pb_message(&function, 7, &node);
        pb_text(&function, 6, "alpha");
        attribute = message();
        pb_text(&attribute, 1, "slope");
        pb_float(&attribute, 2, 0.5F);
        pb_int(&attribute, 20, 1);
        pb_message(&function, 11, &attribute);
        pb_message(&b.tail, 25, &function);
    }
    vt_buf set = message();
    pb_text(&set, 1, "local");
    pb_int(&set, 2, 1);
    pb_message(&b.tail, 8, &set);
    onnx_node(&b, "Outer", "x", "h");
    pb_text(&b.node, 7, "local");
    onnx_node(&b, "Relu", "h", "y");
    onnx_output(&b, "y", VT_F32, 1, (int64_t[]){3});
    vt_buf file = onnx_finish(&b);
    store("functions", &file);
}

static void filters(void)
{
    static const char *const seeds[] = {
        "price < 10 AND NOT (brand = 'red' OR tags CONTAINS 'blue')",
        "size IN (42, 'red', 41.5) OR title LIKE 'r_d%' AND price NOT BETWEEN -1 AND 2e1",
        "tags IS NULL OR \"title\" is not null and id != 'c'",
        "NOT NOT title >= 'blue' AND brand <> 'it''s' OR change <= 7",
        "tags NOT IN ('42') AND brand NOT LIKE '%b\\_c%' AND size = true",
        "((size > 40 OR size < '5') AND price == .5)",
    };
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        char name[32];
        snprintf(name, sizeof name, "filter_%zu", i);
        store_for("fuzz_filter", name, seeds[i], strlen(seeds[i]));
    }
}

/* A snapshot behind the character that says that its checksums may be made to fit; it goes. */
static void store_snapshot(const char *target, const char *name, const char *path)
{
    vt_buf seed = message(), file = message();
    if (vt_file_read(path, PB_MAXIMUM, &file, NULL) != VT_OK)
        exit(1);
    vt_buf_append(&seed, "s", 1);
    vt_buf_append(&seed, file.data, file.length);
    store_for(target, name, seed.data, seed.length);
    remove(path);
    vt_buf_deinit(&seed);
    vt_buf_deinit(&file);
}

/* With twins, and one that was removed. */
static void graphs(void)
{
    enum { DIM = 8, ROWS = 20 };
    for (int codec = 0; codec < VT_CODEC_COUNT; codec++) {
        char path[1024];
        vt_graph_options options = vt_graph_options_defaults();
        vt_index_origin origin = {.change = 3};
        vt_graph *graph;
        options.codec = (vt_codec)codec;
        options.degree = 4;
        snprintf(path, sizeof path, "%s/graph.tmp", directory);
        if (vt_graph_new(DIM, &options, &graph, NULL) != VT_OK)
            exit(1);
        for (uint32_t row = 0; row < ROWS; row++) {
            float vector[DIM] = {1};
            vector[1 + row % 7] = (float)(row % 15);
            (void)vt_graph_add(graph, row, row / 2, vector, NULL);
        }
        (void)vt_graph_remove(graph, 4);
        if (vt_graph_save(graph, path, &origin, NULL) != VT_OK)
            exit(1);
        store_snapshot("fuzz_graph_file", vt_codec_name((vt_codec)codec), path);
        vt_graph_free(graph);
    }
}

static void lists_of(vt_ivf_code code, bool precise, const char *name)
{
    enum { DIM = 8, ROWS = 40 };
    char path[1024];
    float vectors[ROWS * DIM] = {0};
    uint32_t ids[ROWS];
    vt_ivf_options options = vt_ivf_options_defaults();
    vt_index_origin origin = {.change = 3};
    vt_ivf *ivf;
    options.code = code;
    options.precise = precise;
    options.lists = 3;
    for (uint32_t row = 0; row < ROWS; row++) {
        vectors[row * DIM] = 1;
        vectors[row * DIM + 1 + row % 7] = (float)(row % 15);
        ids[row] = row;
    }
    vt_ivf_rows rows = {vectors, ids, NULL, ROWS};
    snprintf(path, sizeof path, "%s/lists.tmp", directory);
    if (vt_ivf_new(DIM, &options, &ivf, NULL) != VT_OK ||
        vt_ivf_build(ivf, &rows, NULL, NULL) != VT_OK ||
        vt_ivf_save(ivf, path, &origin, NULL) != VT_OK)
        exit(1);
    store_snapshot("fuzz_ivf_file", name, path);
    vt_ivf_free(ivf);
}

static void lists(void)
{
    lists_of(VT_IVF_RABITQ, true, "rabitq");
    lists_of(VT_IVF_RABITQ, false, "rabitq_alone");
    lists_of(VT_IVF_PQ, true, "pq");
    lists_of(VT_IVF_PQ, false, "pq_alone");
}

/* Texts of one and of several products, numbers, a list, and what was put and forgotten. */
static void postings_of(uint32_t products, const char *name)
{
    static const char *const texts[] = {"red", "blue", "a thing", ""};
    char path[1024];
    vt_postings *postings;
    vt_snapshot_writer *writer = NULL;
    const vt_snapshot_head head = {.change = 3};
    snprintf(path, sizeof path, "%s/postings.tmp", directory);
    if (vt_postings_new(&postings, NULL) != VT_OK)
        exit(1);
    for (uint32_t key = 1; key <= products; key++) {
        char id[16];
        snprintf(id, sizeof id, "p%u", key);
        const char *items[] = {texts[key % 4], id};
        const vt_attribute attributes[] = {
            {.name = "color", .kind = VT_ATTRIBUTE_LIST, .items = items, .item_count = key % 3},
            {.name = "size", .kind = VT_ATTRIBUTE_NUMBER, .number = key % 5}};
        const vt_product product = {.key = key * key,
                                    .change = key,
                                    .id = id,
                                    .title = texts[key % 3],
                                    .category = texts[key % 2],
                                    .price = key % 4 ? key : (double)NAN,
                                    .attributes = attributes,
                                    .attribute_count = 1 + key % 2};
        if (vt_postings_put(postings, &product, NULL) != VT_OK)
            exit(1);
    }
    vt_postings_forget(postings, 4);
    if (vt_postings_settle(postings, NULL) != VT_OK ||
        vt_snapshot_create(path, &vt_postings_kind, &head, &writer, NULL) != VT_OK ||
        vt_postings_save(postings, writer, NULL) != VT_OK ||
        vt_snapshot_commit(writer, NULL) != VT_OK)
        exit(1);
    store_snapshot("fuzz_postings_file", name, path);
    vt_postings_free(postings);
}

/* The first character chooses the reader: see fuzz_request.c. */
static void requests(void)
{
    static const char *const seeds[] = {
        "2{\"query\":[{\"image\":\"aGk=\",\"weight\":2,\"crop\":[1,2,3,4]},{\"product\":\"a\","
        "\"weight\":-0.3}],\"regions\":[[0,0,5,5]],\"top\":3,\"facets\":[\"brand\"]}",
        "2{\"image\":\"data:image/png;base64,aGk=\",\"where\":\"price < 3\",\"explain\":true,"
        "\"min_similarity\":0.5,\"offset\":2,\"exact\":false,\"facet_top\":4}",
        "3--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a\"\r\n\r\nhi\r\n"
        "--b\r\nContent-Disposition: form-data; name=top\r\n\r\n5\r\n--b--\r\n",
        "4{\"title\":\"t\",\"price\":null,\"attributes\":{\"a\":[\"x\"],\"b\":3,\"c\":true},"
        "\"images\":[\"aGk=\"]}",
        "5--b\r\nContent-Disposition: form-data; "
        "name=\"product\"\r\n\r\n{\"brand\":\"x\"}\r\n--b--",
        "6/v1/products/a%2Fb/similar",
    };
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        char name[32];
        snprintf(name, sizeof name, "request_%zu", i);
        store_for("fuzz_request", name, seeds[i], strlen(seeds[i]));
    }
}

int main(int argc, char **argv)
{
    static const char *const singles[][2] = {
        {"Relu", "x"},      {"Conv", "x,w"},        {"MaxPool", "x"},   {"Softmax", "x"},
        {"Squeeze", "x,i"}, {"Unsqueeze", "x,i"},   {"Mul", "x,w"},     {"MatMul", "x,x"},
        {"Flatten", "x"},   {"ReduceMean", "x"},    {"Clip", "x"},      {"Transpose", "x"},
        {"Identity", "x"},  {"GlobalMaxPool", "x"}, {"Concat", "x,x"},  {"Dropout", "x"},
        {"Split", "x"},     {"Gather", "w,i"},      {"Where", "x,x,x"}, {"Constant", ""},
        {"Slice", "x,i,i"}};
    if (argc != 2) {
        fprintf(stderr, "usage: make_seeds DIRECTORY\n");
        return 2;
    }
    directory = argv[1];
    operators();
    filters();
    graphs();
    lists();
    postings_of(12, "some");
    postings_of(0, "none");
    requests();
    for (size_t i = 0; i < sizeof singles / sizeof *singles; i++)
        single(singles[i][0], singles[i][1]);
    shapes();
    functions();
    tiny_options options = tiny_defaults();
    vt_buf file = tiny_build(&options);
    store("tiny", &file);
    return 0;
}
