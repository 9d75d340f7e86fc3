/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Losses of pairs and triplets inside a batch. Embeddings are brought to length 1, so that all come
 * from one matrix of cosines S; squared distances are 2 - 2 S. P and N are the masks of positive
 * (same label, another row) and negative pairs.
 *
 * contrastive: Hadsell, Chopra and LeCun, "Dimensionality Reduction by Learning an Invariant
 * Mapping" (2006), equation 4: d^2 / 2 for positive, max(0, m - d)^2 / 2 for negative pairs, over
 * all pairs of the batch; m 1. This is the loss of Siamese networks.
 *
 * triplet: Hermans, Beyer and Leibe, "In Defense of the Triplet Loss" (2017), equation 5 (batch
 * hard): max(0, m + max over P of d - min over N of d), over rows that have both; m 0.2.
 * With soft 1 the hinge is log(1 + exp(x)), and there is no margin.
 *
 * triplet-semi: Schroff et al., "FaceNet" (2015), equations 1 and 4: for each positive pair the
 * nearest negative that is farther than the positive, by squared distance; where there is none the
 * farthest negative. m 0.2. Takes rows^3 numbers.
 *
 * multi-similarity: Wang et al., "Multi-Similarity Loss" (2019), equations 13 to 15: pairs are kept
 * that are less similar than the nearest negative plus e (more than the farthest positive minus e),
 * then log(1 + sum exp(-a (S - l))) / a + log(1 + sum exp(b (S - l))) / b, over all rows;
 * a 2, b 50, l 0.5, e 0.1.
 *
 * supcon: Khosla et al., "Supervised Contrastive Learning" (2020), equation 2; temperature 0.1.
 * nt-xent: Chen et al., "SimCLR" (2020), equation 1, the same with labels that are instances: every
 * row has one positive, its other view; temperature 0.1.
 */
#include "train/loss_graph.h"

#include <math.h>

/* More than any distance or similarity of unit vectors, less than what swallows them. */
static const double far = 16;

enum { MARGIN, SOFT };
enum { ALPHA, BETA, BASE, EPSILON };
enum { TEMPERATURE };

static vt_value_id squared_distances(vt_loss_graph *graph, const vt_loss_pairs *pairs)
{
    vt_value_id d = vt_loss_with(graph, "Mul", pairs->similarity, -2);
    return vt_loss_with(graph, "Max", vt_loss_with(graph, "Add", d, 2), 0);
}

/* The root's slope stays finite at 0. */
static vt_value_id distances(vt_loss_graph *graph, const vt_loss_pairs *pairs)
{
    vt_value_id d = vt_loss_with(graph, "Add", squared_distances(graph, pairs), 1e-8);
    return vt_loss_unary(graph, "Sqrt", d);
}

/* 1 where the mask is 0: (1 - mask) times `by`. */
static vt_value_id outside(vt_loss_graph *graph, vt_value_id mask, double by)
{
    return vt_loss_with(graph, "Add", vt_loss_with(graph, "Mul", mask, -by), by);
}

/* 1 for rows of the mask that have anything: (N, 1). */
static vt_value_id any(vt_loss_graph *graph, vt_value_id mask)
{
    return vt_loss_reduce(graph, "ReduceMax", mask, 1);
}

/* Extremes of a row among what the mask shows. */
static vt_value_id largest(vt_loss_graph *graph, vt_value_id x, vt_value_id mask)
{
    vt_value_id shown = vt_loss_binary(graph, "Sub", x, outside(graph, mask, far));
    return vt_loss_reduce(graph, "ReduceMax", shown, 1);
}

static vt_value_id smallest(vt_loss_graph *graph, vt_value_id x, vt_value_id mask)
{
    vt_value_id shown = vt_loss_binary(graph, "Add", x, outside(graph, mask, far));
    return vt_loss_reduce(graph, "ReduceMin", shown, 1);
}

vt_value_id vt_loss_contrastive(vt_loss_graph *graph)
{
    vt_loss_pairs pairs = vt_loss_pairs_of(graph);
    vt_value_id d = distances(graph, &pairs), m = vt_loss_number(graph, graph->parameters[MARGIN]);
    vt_value_id gap = vt_loss_unary(graph, "Relu", vt_loss_binary(graph, "Sub", m, d));
    vt_value_id near =
        vt_loss_binary(graph, "Mul", squared_distances(graph, &pairs), pairs.positive);
    vt_value_id apart = vt_loss_binary(graph, "Mul", gap, gap);
    apart = vt_loss_binary(graph, "Mul", apart, pairs.negative);
    vt_value_id both = vt_loss_binary(graph, "Add", near, apart);
    vt_value_id counted = vt_loss_binary(graph, "Add", pairs.positive, pairs.negative);
    return vt_loss_mean(graph, vt_loss_with(graph, "Mul", both, 0.5), counted);
}

/* ---- triplets ---- */

vt_value_id vt_loss_triplet_hard(vt_loss_graph *graph)
{
    vt_loss_pairs pairs = vt_loss_pairs_of(graph);
    vt_value_id d = distances(graph, &pairs);
    vt_value_id x = vt_loss_binary(graph, "Sub", largest(graph, d, pairs.positive),
                                   smallest(graph, d, pairs.negative));
    vt_value_id counted =
        vt_loss_binary(graph, "Mul", any(graph, pairs.positive), any(graph, pairs.negative));
    if (graph->parameters[SOFT] != 0.0) {
        /* Rows that do not count hold numbers up to 32: exp of them is finite. */
        vt_value_id e = vt_loss_with(graph, "Add", vt_loss_unary(graph, "Exp", x), 1);
        return vt_loss_mean(graph, vt_loss_unary(graph, "Log", e), counted);
    }
    x = vt_loss_unary(graph, "Relu", vt_loss_with(graph, "Add", x, graph->parameters[MARGIN]));
    return vt_loss_mean(graph, x, counted);
}

/* Of every pair (i, j) the distance of i to the negative that fits: (N, N, 1). d: (N, N, 1) of the
 * pair, apart: (N, 1, N) of candidates, negative: (N, 1, N). */
static vt_value_id semi_hard_negative(vt_loss_graph *graph, vt_value_id d, vt_value_id apart,
                                      vt_value_id negative)
{
    vt_value_id none = vt_loss_number(graph, far);
    vt_value_id shown = vt_loss_binary(graph, "Sub", apart, outside(graph, negative, 2 * far));
    /* Candidates that are no negatives have become negative numbers: never farther. */
    vt_value_id farther = vt_loss_binary(graph, "Greater", shown, d);
    vt_value_id nearest =
        vt_loss_reduce(graph, "ReduceMin", vt_loss_where(graph, farther, shown, none), 2);
    vt_value_id farthest = vt_loss_reduce(graph, "ReduceMax", shown, 2);
    vt_value_id found = vt_loss_with(graph, "Less", nearest, 0.5 * far);
    return vt_loss_where(graph, found, nearest, farthest);
}

vt_value_id vt_loss_triplet_semi(vt_loss_graph *graph)
{
    const int64_t column[3] = {0, -1, 1}, row[3] = {0, 1, -1};
    vt_loss_pairs pairs = vt_loss_pairs_of(graph);
    vt_value_id square = squared_distances(graph, &pairs);
    vt_value_id d = vt_loss_reshape(graph, square, column, 3);
    vt_value_id apart = vt_loss_reshape(graph, square, row, 3);
    vt_value_id negative = vt_loss_reshape(graph, pairs.negative, row, 3);
    vt_value_id n = semi_hard_negative(graph, d, apart, negative);
    vt_value_id x =
        vt_loss_with(graph, "Add", vt_loss_binary(graph, "Sub", d, n), graph->parameters[MARGIN]);
    vt_value_id counted = vt_loss_binary(graph, "Mul", pairs.positive, any(graph, pairs.negative));
    return vt_loss_mean(graph, vt_loss_unary(graph, "Relu", x),
                        vt_loss_reshape(graph, counted, column, 3));
}

/* ---- multi-similarity ---- */

/* log(1 + sum over the mask of exp(z)) of rows, with the largest exponent taken out. */
static vt_value_id log_one_plus(vt_loss_graph *graph, vt_value_id z, vt_value_id mask)
{
    /* What is hidden is not in the sum, and must not be large: 0 before the mask. */
    z = vt_loss_binary(graph, "Mul", z, mask);
    vt_value_id top = vt_loss_with(graph, "Max", vt_loss_reduce(graph, "ReduceMax", z, 1), 0);
    vt_value_id rest = vt_loss_unary(graph, "Exp", vt_loss_binary(graph, "Sub", z, top));
    rest = vt_loss_binary(graph, "Mul", rest, mask);
    rest = vt_loss_reduce(graph, "ReduceSum", rest, 1);
    vt_value_id one = vt_loss_unary(graph, "Exp", vt_loss_unary(graph, "Neg", top));
    vt_value_id sum = vt_loss_unary(graph, "Log", vt_loss_binary(graph, "Add", rest, one));
    return vt_loss_binary(graph, "Add", sum, top);
}

static vt_value_id both_masks(vt_loss_graph *graph, vt_value_id condition, vt_value_id mask)
{
    return vt_loss_binary(graph, "Mul", vt_loss_float(graph, condition), mask);
}

vt_value_id vt_loss_multi_similarity(vt_loss_graph *graph)
{
    const double *p = graph->parameters;
    vt_loss_pairs pairs = vt_loss_pairs_of(graph);
    vt_value_id s = pairs.similarity;
    vt_value_id low = vt_loss_with(graph, "Sub", smallest(graph, s, pairs.positive), p[EPSILON]);
    vt_value_id high = vt_loss_with(graph, "Add", largest(graph, s, pairs.negative), p[EPSILON]);
    vt_value_id near = both_masks(graph, vt_loss_binary(graph, "Less", s, high), pairs.positive);
    vt_value_id apart = both_masks(graph, vt_loss_binary(graph, "Greater", s, low), pairs.negative);
    vt_value_id from_base = vt_loss_with(graph, "Sub", s, p[BASE]);
    vt_value_id pull = log_one_plus(graph, vt_loss_with(graph, "Mul", from_base, -p[ALPHA]), near);
    vt_value_id push = log_one_plus(graph, vt_loss_with(graph, "Mul", from_base, p[BETA]), apart);
    vt_value_id both = vt_loss_binary(graph, "Add", vt_loss_with(graph, "Mul", pull, 1 / p[ALPHA]),
                                      vt_loss_with(graph, "Mul", push, 1 / p[BETA]));
    return vt_loss_mean(graph, both, vt_loss_known(graph));
}

/* ---- contrast with all others ---- */

vt_value_id vt_loss_contrast(vt_loss_graph *graph)
{
    vt_loss_pairs pairs = vt_loss_pairs_of(graph);
    vt_value_id z =
        vt_loss_with(graph, "Mul", pairs.similarity, 1 / graph->parameters[TEMPERATURE]);
    /* A row is no candidate for itself, nor is one whose label is not known: their exponentials are
     * 0, logarithms stay finite. */
    vt_value_id seen = vt_loss_binary(graph, "Add", pairs.positive, pairs.negative);
    vt_value_id hidden = vt_loss_with(
        graph, "Mul", vt_loss_binary(graph, "Sub", vt_loss_number(graph, 1), seen), 1e9);
    vt_value_id logs = vt_loss_log_softmax(graph, vt_loss_binary(graph, "Sub", z, hidden));
    logs = vt_loss_binary(graph, "Mul", logs, pairs.positive);
    vt_value_id count = vt_loss_reduce(graph, "ReduceSum", pairs.positive, 1);
    vt_value_id each = vt_loss_binary(graph, "Div", vt_loss_reduce(graph, "ReduceSum", logs, 1),
                                      vt_loss_with(graph, "Max", count, 1));
    return vt_loss_mean(graph, vt_loss_unary(graph, "Neg", each), any(graph, pairs.positive));
}
