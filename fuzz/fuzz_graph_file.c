/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as a snapshot of the graph index. It is refused, or it is a graph that can
 * be searched, added to and removed from.
 *
 * Checksums would keep nearly all of it out, so they are made to fit first, except where the first
 * byte says not to.
 */
#include "base/crc32c.h"
#include "base/file.h"
#include "base/mem.h"
#include "index/graph_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAD = 128, ENTRY = 32, MAXIMUM = 1 << 20 };

static uint64_t get(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    memcpy(&value, at, bytes);
    return value;
}

static void put(uint8_t *at, uint64_t value, size_t bytes)
{
    memcpy(at, &value, bytes);
}

static void sums_fix(uint8_t *file, size_t length)
{
    if (length < HEAD)
        return;
    uint64_t table = get(file + 48, 8), count = get(file + 56, 4);
    put(file + 16, length, 8);
    if (table <= length && count <= (length - table) / ENTRY) {
        for (uint64_t i = 0; i < count; i++) {
            uint8_t *entry = file + table + i * ENTRY;
            uint64_t begin = get(entry, 8), end = i + 1 < count ? get(entry + ENTRY, 8) : table;
            if (begin <= end && end <= length)
                put(entry + 20, vt_crc32c(0, file + begin, (size_t)(end - begin)), 4);
        }
        put(file + 60, vt_crc32c(0, file + table, (size_t)count * ENTRY), 4);
    }
    put(file + 124, vt_crc32c(0, file, 124), 4);
}

static void use(vt_graph *graph)
{
    enum { K = 4 };
    static float query[VT_GRAPH_MAX_DIM];
    vt_hit hits[K];
    size_t count;
    vt_graph_search_options options = vt_graph_search_defaults();
    vt_graph_answers answers = {hits, &count, NULL};
    query[0] = 1.0F;
    options.k = K;
    (void)vt_graph_search(graph, query, 1, &options, &answers, NULL);
    for (uint32_t id = 0; id < 64; id++)
        (void)vt_graph_remove(graph, id);
    for (uint32_t id = 0; id < 8; id++)
        (void)vt_graph_add(graph, id, id, query, NULL);
    vt_graph_settle(graph);
    (void)vt_graph_search(graph, query, 1, &options, &answers, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[64];
    if (path[0] == '\0')
        snprintf(path, sizeof path, "/tmp/fuzz-graph-%ld", (long)getpid());
    if (size < 1 || size > MAXIMUM)
        return 0;
    uint8_t *file = malloc(size);
    if (file == NULL)
        return 0;
    memcpy(file, data + 1, size - 1);
    if (data[0] != 'r')
        sums_fix(file, size - 1);
    vt_graph_load_options options = vt_graph_load_options_defaults();
    vt_graph *graph = NULL;
    vt_error error = {0};
    if (vt_file_replace(path, file, size - 1, false, NULL) == VT_OK) {
        vt_status status = vt_graph_load(path, &options, &graph, NULL, &error);
        if (status == VT_OK)
            use(graph);
        else if (error.message[0] == '\0' || graph != NULL)
            abort();
        vt_graph_free(graph);
    }
    free(file);
    unlink(path);
    return 0;
}
