/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as a snapshot of the graph index. It is refused, or it is a graph that can
 * be searched, added to and removed from.
 */
#include "index/graph_file.h"
#include "snapshot_input.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
    if (!snapshot_input_write(data, size, path))
        return 0;
    vt_graph_load_options options = vt_graph_load_options_defaults();
    vt_graph *graph = NULL;
    vt_error error = {0};
    vt_status status = vt_graph_load(path, &options, &graph, NULL, &error);
    if (status == VT_OK)
        use(graph);
    else if (error.message[0] == '\0' || graph != NULL)
        abort();
    vt_graph_free(graph);
    unlink(path);
    return 0;
}
