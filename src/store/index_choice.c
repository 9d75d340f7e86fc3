/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which index a number of vectors deserves: the exact scan alone, a graph, or inverted lists, with
 * which codec, and whether vectors are in memory besides.
 *
 * Method: what each takes in memory is estimated from its layout (docs/index.md). Few vectors are
 * scanned; of many the graph is taken, which is the fastest, with the better codec that fits the
 * limit; where no graph fits, lists, with the better code that does.
 */
#include "store/planner.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    ANN_ROWS = 4096,
    ANN_BYTES = 8 << 20, /* of vectors: scanned in about half a millisecond */
    ANN_DIM = VT_GRAPH_MAX_DIM,
    LINE = 64,
};
_Static_assert((int)ANN_DIM <= (int)VT_IVF_MAX_DIM, "lists can have them, too");
static const double MB = 1e-6, MEMBER_BYTES = 24;
static const double ROW_BYTES = 26; /* of a vector in memory besides: id, product, their table */

const char *vt_index_kind_name(vt_index_kind kind)
{
    static const char *const names[VT_INDEX_KIND_COUNT] = {"auto", "exact", "graph", "ivf"};
    return (unsigned)kind < VT_INDEX_KIND_COUNT ? names[kind] : "unknown";
}

bool vt_index_kind_find(const char *name, vt_index_kind *out)
{
    for (unsigned kind = 0; kind < VT_INDEX_KIND_COUNT; kind++)
        if (strcmp(name, vt_index_kind_name((vt_index_kind)kind)) == 0) {
            *out = (vt_index_kind)kind;
            return true;
        }
    return false;
}

/* ---- bytes ---- */

static size_t machine_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
    size_t all = 0;
    if (pages < 1 || bytes < 1 || !vt_size_mul((size_t)pages, (size_t)bytes, &all))
        return SIZE_MAX;
    return all;
}

/* Of a node with its place in the table of ids, about. */
static double node_bytes(vt_codec codec, size_t dim)
{
    enum { FACTORS = 24, NEIGHBOURS = 32 * 4, LABEL_AND_TABLE = 16 };
    double width = ceil((double)dim / 64) * 64;
    double node = ceil((width / 2 + FACTORS + NEIGHBOURS) / LINE) * LINE;
    return node + LABEL_AND_TABLE + (codec == VT_CODEC_INT4X2 ? width / 2 : 0);
}

/* Of rows in inverted lists, with centroids, codebooks and what lists have free, about; as
 * vt_ivf_bytes_of counts. */
static double lists_bytes(vt_ivf_code code, double rows, size_t dim)
{
    enum { FACTORS = 12, ID_AND_GROUP = 8, TABLE = 16, LIST = 40, BLOCK = 32, SUB = 8 };
    double width = ceil((double)dim / 64) * 64, lists = fmin(2 * sqrt(rows) + 1, VT_IVF_MAX_LISTS);
    bool pq = code == VT_IVF_PQ;
    double row = FACTORS + ID_AND_GROUP + (pq ? width / (2 * SUB) : width / 8);
    double held = rows * (1 + 1.0 / 16) + lists * BLOCK / 2;
    return held * row + rows * TABLE + lists * (width * sizeof(float) + LIST) +
           (pq ? width * 16 * sizeof(float) : 0);
}

/* ---- what fits ---- */

typedef struct needs {
    double rows, limit, vectors; /* bytes: the limit, and of the vectors themselves */
    size_t dim;
} needs;

static void kind_set(vt_index_choice *out, const needs *n, vt_index_kind kind, double bytes)
{
    out->kind = kind;
    out->resident = bytes + n->vectors <= n->limit;
    out->bytes = (size_t)(bytes + (out->resident ? n->vectors : n->rows * MEMBER_BYTES));
}

static const char *vectors_said(const vt_index_choice *out)
{
    return out->resident ? ", and room for the vectors themselves"
                         : ", vectors stay in the database";
}

/* Beside the index each picture has its place in the table of products. */
static double held(const needs *n, double bytes)
{
    return bytes + n->rows * MEMBER_BYTES;
}

static bool graph_choose(const needs *n, vt_index_choice *out)
{
    double full = n->rows * node_bytes(VT_CODEC_INT4X2, n->dim);
    double small = n->rows * node_bytes(VT_CODEC_INT4, n->dim);
    if (small > n->limit) {
        snprintf(out->why, sizeof out->why,
                 "the smallest graph takes %.0f MB, the limit is %.0f MB", small * MB,
                 n->limit * MB);
        return false;
    }
    bool fine = full <= n->limit;
    out->options.codec = fine ? VT_CODEC_INT4X2 : VT_CODEC_INT4;
    out->codec = vt_codec_name(out->options.codec);
    kind_set(out, n, VT_INDEX_GRAPH, fine ? full : small);
    snprintf(out->why, sizeof out->why,
             "%.0f vectors of %zu dimensions: %.0f MB as a graph%s%s; the limit is %.0f MB",
             n->rows, n->dim, (fine ? full : small) * MB, fine ? "" : " of the coarse codes alone",
             vectors_said(out), n->limit * MB);
    return true;
}

static bool ivf_choose(const needs *n, vt_index_choice *out, bool forced)
{
    double full = lists_bytes(VT_IVF_RABITQ, n->rows, n->dim);
    double small = lists_bytes(VT_IVF_PQ, n->rows, n->dim);
    if (held(n, fmin(full, small)) > n->limit) {
        snprintf(out->why, sizeof out->why,
                 "the smallest inverted lists take %.1f MB, the limit is %.1f MB",
                 held(n, fmin(full, small)) * MB, n->limit * MB);
        return false;
    }
    bool fine = held(n, full) <= n->limit;
    out->options.code = fine ? VT_IVF_RABITQ : VT_IVF_PQ;
    out->codec = vt_ivf_code_name(out->options.code);
    kind_set(out, n, VT_INDEX_IVF, fine ? full : small);
    snprintf(
        out->why, sizeof out->why,
        "%.0f vectors of %zu dimensions: %s%.1f MB as inverted lists%s%s; the limit is %.1f MB",
        n->rows, n->dim, forced ? "" : "no graph fits, ", (fine ? full : small) * MB,
        fine ? "" : " of product codes", vectors_said(out), n->limit * MB);
    return true;
}

void vt_index_choose(size_t rows, size_t dim, size_t memory_bytes, vt_index_kind wanted,
                     vt_index_choice *out)
{
    const bool automatic = wanted == VT_INDEX_AUTO;
    *out = (vt_index_choice){.kind = VT_INDEX_EXACT, .codec = vt_codec_name(VT_CODEC_F16)};
    out->memory_bytes = memory_bytes > 0 ? memory_bytes : machine_bytes() / 2;
    needs n = {.rows = (double)rows, .limit = (double)out->memory_bytes, .dim = dim};
    n.vectors = n.rows * ((double)dim * 2 + ROW_BYTES + MEMBER_BYTES);
    kind_set(out, &n, VT_INDEX_EXACT, 0);
    bool few = rows < ANN_ROWS || n.rows * (double)dim * 2 < ANN_BYTES;
    if (wanted == VT_INDEX_EXACT || (automatic && few)) {
        snprintf(out->why, sizeof out->why, "%zu vectors (%.1f MB) are scanned exactly%s", rows,
                 n.rows * (double)dim * 2 * MB, automatic ? " in no time" : ", as was asked for");
        return;
    }
    if (dim > ANN_DIM) {
        snprintf(out->why, sizeof out->why,
                 "graphs and lists hold at most %d dimensions, these have %zu", ANN_DIM, dim);
        return;
    }
    if (wanted != VT_INDEX_IVF && graph_choose(&n, out))
        return;
    if (wanted != VT_INDEX_GRAPH)
        (void)ivf_choose(&n, out, !automatic);
}
