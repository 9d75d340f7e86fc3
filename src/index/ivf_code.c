/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inverted lists: what codes stand for, and tables of a query.
 *
 * Method. A row x of the list around c leaves r = x - c. Its code has 4 bits for each group of
 * elements and stands for a vector u, one of 16 sub-vectors in each group:
 *   - RaBitQ (Gao and Long, RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error
 *     Bound for Approximate Nearest Neighbor Search, SIGMOD 2024): the signs of r, four at a time;
 *   - product quantiser (Jégou, Douze and Schmid, Product Quantization for Nearest Neighbor Search,
 *     TPAMI 2011): the nearest of 16 centroids.
 * <q - c, r> is estimated by s <q - c, u>, s = |r|^2 / <r, u>: right for what of q - c goes along
 * r, and off by <q - c, s u - r> for the rest, which the random rotation makes a number of mean 0
 * and deviation |q - c| |s u - r| / sqrt(D - 1) (RaBitQ, theorem 3.2; for the quantiser, whose
 * codebook was trained after the rotation, it is what is measured). Hence
 *     <q, x>      = <q, c> + s <q, u> + (<c, r> - s <c, u>)
 *     -|q - x|^2  = -|q - c|^2 + 2 s <q, u> + (-|r|^2 - 2 s <c, u>)
 * where brackets are known when the row is coded: so <q, u> is all that a search computes, its
 * tables are those of the whole query and serve for all lists, and its error is still that of
 * q - c, which is short where it matters.
 *
 * Tables have 8 bits an entry, counted from the least of their group with one step for all: sums
 * stay within 16 bits. Rounding an entry is off by step / sqrt(12) on the average.
 *
 * Departures: entries of RaBitQ's tables are rounded, not the query's elements, which costs nothing
 * here and is nearer; where a quantiser's u points elsewhere than r (a row that lies near its
 * centroid) s is <r, u> / |u|^2, the nearest there is.
 */
#include "index/ivf_rows.h"

#include <math.h>
#include <string.h>

enum { ENTRIES = VT_FASTSCAN_ENTRIES };

void ivf_prepare(const vt_ivf *ivf, const float *vector, float *out)
{
    memcpy(out, vector, ivf->dim * sizeof *out);
    if (ivf->options.metric == VT_METRIC_COSINE)
        (void)vt_vector_normalize(out, ivf->dim);
    memset(out + ivf->dim, 0, (ivf->width - ivf->dim) * sizeof *out);
    vt_rotation_apply(&ivf->rotation, out);
}

/* ---- coding ---- */

static unsigned signs_of(const float *r)
{
    unsigned code = 0;
    for (unsigned i = 0; i < 4; i++)
        code |= (unsigned)(r[i] >= 0.0f) << i;
    return code;
}

/* The sub-vector of the book, (sub, 16), that is nearest. */
static unsigned nearest_of(const float *book, const float *r, size_t sub)
{
    float distances[ENTRIES] = {0.0f};
    for (size_t i = 0; i < sub; i++)
        for (size_t e = 0; e < ENTRIES; e++) {
            float difference = r[i] - book[i * ENTRIES + e];
            distances[e] += difference * difference;
        }
    unsigned best = 0;
    for (unsigned e = 1; e < ENTRIES; e++)
        if (distances[e] < distances[best])
            best = e;
    return best;
}

typedef struct products {
    double ru, uu, rr, cu, cr; /* of r, u and c with one another */
} products;

static void factors_make(const vt_ivf *ivf, const products *p, float *factors)
{
    const bool l2 = ivf->options.metric == VT_METRIC_L2;
    /* Where the angle between u and r is beyond 60 degrees, r's own length would be a guess. */
    bool along = p->ru > 0.0 && 4.0 * p->ru * p->ru >= p->rr * p->uu;
    double scale = along ? p->rr / p->ru : p->uu > 0.0 ? p->ru / p->uu : 0.0;
    double rest2 = scale * scale * p->uu - 2.0 * scale * p->ru + p->rr;
    double error = sqrt(fmax(rest2, 0.0) / (double)(ivf->width - 1));
    double add = l2 ? -p->rr - 2.0 * scale * p->cu : p->cr - scale * p->cu;
    /* Negative scales, of a quantiser's u that points away, would turn the slack round; huge ones
     * come of codebooks that no training made. */
    if (!(scale >= 0.0 && scale <= 1e18)) {
        scale = 0.0;
        add = l2 ? -p->rr : p->cr;
        error = sqrt(p->rr / (double)(ivf->width - 1));
    }
    factors[0] = (float)(l2 ? 2.0 * scale : scale);
    factors[1] = (float)add;
    factors[2] = (float)(l2 ? 2.0 * error : error);
}

void ivf_encode(const vt_ivf *ivf, uint32_t list, float *x, uint8_t *code, float *factors)
{
    const float *c = ivf->centroids + (size_t)list * ivf->width;
    products p = {0};
    for (size_t i = 0; i < ivf->width; i++)
        x[i] -= c[i];
    for (size_t g = 0; g < ivf->groups; g++) {
        const float *r = x + g * ivf->sub, *book = ivf_book(ivf, g);
        const float *centroid = c + g * ivf->sub;
        unsigned chosen =
            ivf->options.code == VT_IVF_RABITQ ? signs_of(r) : nearest_of(book, r, ivf->sub);
        code[g] = (uint8_t)chosen;
        for (size_t i = 0; i < ivf->sub; i++) {
            double u = book[i * ENTRIES + chosen];
            p.ru += r[i] * u;
            p.uu += u * u;
            p.rr += (double)r[i] * r[i];
            p.cu += centroid[i] * u;
            p.cr += (double)centroid[i] * r[i];
        }
    }
    factors_make(ivf, &p, factors);
}

/* ---- tables ---- */

/* Products of the query's elements with the 16 sub-vectors of one book. */
static void entries_make(const float *book, const float *query, size_t sub, float *entries)
{
    float sums[ENTRIES] = {0.0f};
    for (size_t i = 0; i < sub; i++)
        for (size_t e = 0; e < ENTRIES; e++)
            sums[e] += query[i] * book[i * ENTRIES + e];
    memcpy(entries, sums, sizeof sums);
}

void ivf_tables(const vt_ivf *ivf, const float *query, float *entries, uint8_t *tables,
                vt_fastscan_line *line)
{
    const size_t most = 65535 / ivf->groups;
    const float last = (float)(most < 255 ? most : 255);
    float widest = 0.0f, base = 0.0f;
    for (size_t g = 0; g < ivf->groups; g++) {
        float *entry = entries + g * ENTRIES, low = INFINITY, high = -INFINITY;
        entries_make(ivf_book(ivf, g), query + g * ivf->sub, ivf->sub, entry);
        for (size_t e = 0; e < ENTRIES; e++) {
            low = entry[e] < low ? entry[e] : low;
            high = entry[e] > high ? entry[e] : high;
        }
        for (size_t e = 0; e < ENTRIES; e++)
            entry[e] -= low;
        base += low;
        widest = high - low > widest ? high - low : widest;
    }
    const float inverse = widest > 0.0f ? last / widest : 0.0f;
    for (size_t i = 0; i < ivf->groups * ENTRIES; i++) {
        float level = entries[i] * inverse + 0.5f;
        tables[i] = (uint8_t)(level < last ? level : last);
    }
    line->step = widest / last;
    line->base = base;
    line->slack = line->step * (float)sqrt((double)ivf->groups / 12.0);
}
