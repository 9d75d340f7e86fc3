/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inverted lists: adding rows, one by one and many at once.
 *
 * Method: a chunk of rows at a time. On all threads, tiles of 32 rows meet all centroids as a
 * product of two matrices, and are coded; then, in the order they came, rows are put into their
 * lists, which is copying. So the result does not depend on threads, and beside the lists there is
 * memory for one chunk.
 */
#include "index/ivf_rows.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 2048 };

typedef struct stage {
    vt_ivf *ivf;
    const float *vectors; /* (count, dim) of this chunk */
    size_t count;
    float *x;               /* (CHUNK, width) */
    float *dots;            /* (tiles, IVF_TILE, IVF_TILE_LISTS) */
    float *scratch;         /* (tiles, width of the coder) */
    float *factors;         /* (CHUNK, VT_FASTSCAN_FACTORS) */
    uint32_t *lists;        /* (CHUNK) */
    uint8_t *codes;         /* (CHUNK, groups) */
    unsigned char *precise; /* (CHUNK, precise_bytes), aligned */
} stage;

void ivf_assign(const vt_ivf *ivf, const float *x, size_t count, float *dots, uint32_t *lists)
{
    float best[IVF_TILE];
    for (size_t i = 0; i < count; i++) {
        best[i] = INFINITY;
        lists[i] = 0;
    }
    for (size_t first = 0; first < ivf->list_count; first += IVF_TILE_LISTS) {
        size_t left = ivf->list_count - first;
        size_t width = left < IVF_TILE_LISTS ? left : IVF_TILE_LISTS;
        ivf->floats->dot_block_f32(x, count, ivf->centroids + first * ivf->width, width, ivf->width,
                                   dots);
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < width; j++) {
                float value = ivf->norms[first + j] - 2.0f * dots[i * width + j];
                if (value < best[i]) {
                    best[i] = value;
                    lists[i] = (uint32_t)(first + j);
                }
            }
    }
}

static void tile_code(void *context, size_t tile)
{
    stage *s = context;
    const vt_ivf *ivf = s->ivf;
    const size_t first = tile * IVF_TILE;
    const size_t count = s->count - first < IVF_TILE ? s->count - first : IVF_TILE;
    float *x = s->x + first * ivf->width;
    float *scratch = s->scratch + tile * vt_coder_width(ivf->coder);
    for (size_t i = 0; i < count; i++)
        ivf_prepare(ivf, s->vectors + (first + i) * ivf->dim, x + i * ivf->width);
    ivf_assign(ivf, x, count, s->dots + tile * IVF_TILE * IVF_TILE_LISTS, s->lists + first);
    for (size_t i = 0; i < count; i++) {
        size_t row = first + i;
        ivf_encode(ivf, s->lists[row], x + i * ivf->width, s->codes + row * ivf->groups,
                   s->factors + row * VT_FASTSCAN_FACTORS);
        if (ivf->precise_bytes > 0)
            vt_coder_encode(ivf->coder, s->vectors + row * ivf->dim, scratch,
                            s->precise + row * ivf->precise_bytes, NULL);
    }
}

static void stage_deinit(stage *s)
{
    vt_free(s->x);
    vt_free(s->dots);
    vt_free(s->scratch);
    vt_free(s->factors);
    vt_free(s->lists);
    vt_free(s->codes);
    vt_free(s->precise);
}

/* For chunks of at most `rows`. */
static bool stage_init(stage *s, vt_ivf *ivf, size_t rows)
{
    size_t tiles = (rows + IVF_TILE - 1) / IVF_TILE;
    *s = (stage){.ivf = ivf};
    s->x = vt_alloc_array(rows, ivf->width * sizeof *s->x);
    s->dots = vt_alloc_array(tiles, (size_t)IVF_TILE * IVF_TILE_LISTS * sizeof *s->dots);
    s->scratch = vt_alloc_array(tiles, vt_coder_width(ivf->coder) * sizeof *s->scratch);
    s->factors = vt_alloc_array(rows, VT_FASTSCAN_FACTORS * sizeof *s->factors);
    s->lists = vt_alloc_array(rows, sizeof *s->lists);
    s->codes = vt_alloc_array(rows, ivf->groups);
    s->precise = vt_alloc_aligned(64, rows * ivf->precise_bytes + 1);
    if (s->x && s->dots && s->scratch && s->factors && s->lists && s->codes && s->precise)
        return true;
    stage_deinit(s);
    return false;
}

/* False: memory is out, after *added rows. VT_ERR_EXISTS likewise. */
static vt_status chunk_append(const stage *s, const uint32_t *ids, const uint32_t *groups,
                              size_t *added, vt_error *error)
{
    vt_ivf *ivf = s->ivf;
    ivf_place place;
    for (size_t i = 0; i < s->count; i++) {
        ivf_row row = {.id = ids[i],
                       .group = groups ? groups[i] : ids[i],
                       .code = s->codes + i * ivf->groups,
                       .precise = s->precise + i * ivf->precise_bytes};
        memcpy(row.factors, s->factors + i * VT_FASTSCAN_FACTORS, sizeof row.factors);
        if (ivf_find(ivf, row.id, &place))
            return vt_fail(error, VT_ERR_EXISTS, "add to inverted lists: id %u is there already",
                           row.id);
        if (ivf->count >= IVF_MAX_ROWS)
            return vt_fail(error, VT_ERR_LIMIT, "add to inverted lists: they hold at most %zu rows",
                           IVF_MAX_ROWS);
        if (!ivf_append(ivf, s->lists[i], &row))
            return vt_fail_memory(error, "inverted lists");
        ++*added;
    }
    return VT_OK;
}

static vt_status rows_check(const vt_ivf *ivf, const vt_ivf_rows *rows, vt_error *error)
{
    ivf_place place;
    for (size_t i = 0; i < rows->count; i++) {
        vt_status status = vt_coder_check(ivf->coder, rows->vectors + i * ivf->dim,
                                          "add to inverted lists", error);
        if (status != VT_OK && rows->count > 1)
            return vt_fail_context(error, status, "row %zu of %zu", i + 1, rows->count);
        if (status != VT_OK)
            return status;
        if (ivf_find(ivf, rows->ids[i], &place))
            return vt_fail(error, VT_ERR_EXISTS, "add to inverted lists: id %u is there already",
                           rows->ids[i]);
    }
    return VT_OK;
}

static vt_status rows_add(vt_ivf *ivf, const vt_ivf_rows *rows, vt_pool *pool, vt_error *error)
{
    stage s;
    size_t added = 0;
    vt_status status = VT_OK;
    if (!stage_init(&s, ivf, rows->count < CHUNK ? rows->count : CHUNK))
        return vt_fail_memory(error, "inverted lists");
    for (size_t first = 0; status == VT_OK && first < rows->count; first += CHUNK) {
        s.vectors = rows->vectors + first * ivf->dim;
        s.count = rows->count - first < CHUNK ? rows->count - first : CHUNK;
        vt_pool_for(pool, (s.count + IVF_TILE - 1) / IVF_TILE, tile_code, &s);
        status = chunk_append(&s, rows->ids + first, rows->groups ? rows->groups + first : NULL,
                              &added, error);
    }
    for (size_t i = 0; status != VT_OK && i < added; i++)
        (void)ivf_take_out(ivf, rows->ids[i]);
    stage_deinit(&s);
    return status;
}

vt_status vt_ivf_build(vt_ivf *ivf, const vt_ivf_rows *rows, vt_pool *pool, vt_error *error)
{
    if (rows->count == 0)
        return VT_OK;
    pthread_mutex_lock(&ivf->locks->writers);
    vt_status status = rows_check(ivf, rows, error);
    if (status == VT_OK && ivf->list_count == 0)
        status = vt_ivf_train(ivf, rows->vectors, rows->count, rows->count, pool, error);
    if (status == VT_OK)
        status = rows_add(ivf, rows, pool, error);
    pthread_mutex_unlock(&ivf->locks->writers);
    return status;
}

vt_status vt_ivf_add(vt_ivf *ivf, uint32_t id, uint32_t group, const float *vector, vt_error *error)
{
    if (ivf->list_count == 0)
        return vt_fail(error, VT_ERR_USAGE, "add to inverted lists: they are not trained");
    vt_ivf_rows rows = {vector, &id, &group, 1};
    return vt_ivf_build(ivf, &rows, NULL, error);
}
