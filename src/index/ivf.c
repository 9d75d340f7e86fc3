/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inverted lists: keeping the rows. ivf_rows.h has the layout.
 *
 * Method: blocks of 32 rows in each list, and a hash table from id to place (list and position)
 * with linear probing and deletion by shifting back (Knuth, The Art of Computer Programming 3, 6.4,
 * algorithm R), which holds places only: the id is looked up in the block. A removed row is
 * overwritten by the last of its list, whose place becomes zero.
 *
 * Lists grow by an eighth: there are thousands, and what is left free in them is memory that this
 * index is there to save. They shrink when less than half of their room is used.
 */
#include "index/ivf_rows.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { BLOCK = VT_FASTSCAN_BLOCK, FIRST_SLOTS = 128 };
static const uint64_t ROTATION_SEED = 20261;

vt_ivf_options vt_ivf_options_defaults(void)
{
    return (vt_ivf_options){.metric = VT_METRIC_COSINE,
                            .code = VT_IVF_RABITQ,
                            .sub_dim = 8,
                            .precise = true,
                            .codec = VT_CODEC_INT8,
                            .seed = 1};
}

const char *vt_ivf_code_name(vt_ivf_code code)
{
    return code == VT_IVF_RABITQ ? "rabitq" : code == VT_IVF_PQ ? "pq" : "unknown";
}

static vt_status options_check(size_t dim, const vt_ivf_options *options, vt_error *error)
{
    if (dim < 1 || dim > VT_IVF_MAX_DIM)
        return vt_fail(error, VT_ERR_USAGE,
                       "make inverted lists of %zu dimensions: must be 1 to %d", dim,
                       VT_IVF_MAX_DIM);
    if (options->code != VT_IVF_RABITQ && options->code != VT_IVF_PQ)
        return vt_fail(error, VT_ERR_USAGE, "make inverted lists: unknown code %d",
                       (int)options->code);
    size_t sub = options->sub_dim;
    if (options->code == VT_IVF_PQ && sub != 2 && sub != 4 && sub != 8 && sub != 16)
        return vt_fail(error, VT_ERR_USAGE,
                       "make inverted lists: sub-vectors of %zu elements: must be 2, 4, 8 or 16",
                       sub);
    if (options->lists > VT_IVF_MAX_LISTS)
        return vt_fail(error, VT_ERR_USAGE, "make %zu inverted lists: %d is the most",
                       options->lists, VT_IVF_MAX_LISTS);
    if (options->precise && options->codec == VT_CODEC_INT4X2)
        return vt_fail(error, VT_ERR_USAGE, "make inverted lists: the precise code cannot be %s",
                       vt_codec_name(options->codec));
    return VT_OK;
}

vt_status vt_ivf_new(size_t dim, const vt_ivf_options *options, vt_ivf **out, vt_error *error)
{
    vt_status status = options_check(dim, options, error);
    if (status != VT_OK)
        return status;
    vt_ivf *ivf = vt_calloc(1, sizeof *ivf);
    ivf_locks *locks = vt_calloc(1, sizeof *locks);
    if (!ivf || !locks) {
        vt_free(ivf);
        vt_free(locks);
        return vt_fail_memory(error, "inverted lists");
    }
    pthread_mutex_init(&locks->writers, NULL);
    vt_rwlock_init(&locks->rows);
    ivf->locks = locks;
    ivf->options = *options;
    ivf->dim = dim;
    ivf->width = (dim + 63) / 64 * 64;
    ivf->sub = options->code == VT_IVF_PQ ? options->sub_dim : 4;
    ivf->groups = ivf->width / ivf->sub;
    ivf->block_bytes = ivf->groups * VT_FASTSCAN_GROUP_BYTES +
                       BLOCK * (VT_FASTSCAN_FACTORS * sizeof(float) + 2 * sizeof(uint32_t));
    ivf->floats = vt_distance();
    ivf->fastscan = vt_fastscan();
    vt_codec codec = options->precise ? options->codec : VT_CODEC_F32;
    status = vt_coder_new(codec, options->metric, dim, &ivf->coder, error);
    if (status == VT_OK)
        status = vt_rotation_init(&ivf->rotation, ivf->width, ROTATION_SEED, error);
    if (status != VT_OK) {
        vt_ivf_free(ivf);
        return status;
    }
    ivf->precise_bytes = options->precise ? vt_coder_code_bytes(ivf->coder) : 0;
    *out = ivf;
    return VT_OK;
}

void vt_ivf_free(vt_ivf *ivf)
{
    if (!ivf)
        return;
    ivf_lists_drop(ivf);
    vt_coder_free(ivf->coder);
    vt_rotation_deinit(&ivf->rotation);
    pthread_mutex_destroy(&ivf->locks->writers);
    pthread_rwlock_destroy(&ivf->locks->rows);
    vt_free(ivf->locks);
    vt_free(ivf->slots);
    vt_free(ivf);
}

vt_status ivf_lists_make(vt_ivf *ivf, size_t lists, vt_error *error)
{
    /* Within 65536 lists and 4096 dimensions: no overflow to check for. */
    size_t book_elements = ivf_books(ivf) * ivf->sub * VT_FASTSCAN_ENTRIES;
    ivf->centroids = vt_alloc_aligned(64, lists * ivf->width * sizeof *ivf->centroids);
    ivf->norms = vt_alloc_array(lists, sizeof *ivf->norms);
    ivf->halves = vt_alloc_aligned(64, lists * ivf->width * sizeof *ivf->halves);
    ivf->books = vt_alloc_aligned(64, book_elements * sizeof *ivf->books);
    ivf->lists = vt_calloc(lists, sizeof *ivf->lists);
    if (!ivf->centroids || !ivf->norms || !ivf->halves || !ivf->books || !ivf->lists) {
        ivf_lists_drop(ivf);
        return vt_fail_memory(error, "inverted lists");
    }
    if (ivf->options.code == VT_IVF_RABITQ)
        for (size_t i = 0; i < book_elements; i++) {
            size_t element = i / VT_FASTSCAN_ENTRIES, code = i % VT_FASTSCAN_ENTRIES;
            ivf->books[i] = code >> element & 1 ? 1.0f : -1.0f;
        }
    ivf->list_count = lists;
    return VT_OK;
}

void ivf_lists_drop(vt_ivf *ivf)
{
    for (size_t i = 0; ivf->lists && i < ivf->list_count; i++) {
        vt_free(ivf->lists[i].blocks);
        vt_free(ivf->lists[i].precise);
    }
    vt_free(ivf->lists);
    vt_free(ivf->centroids);
    vt_free(ivf->norms);
    vt_free(ivf->halves);
    vt_free(ivf->books);
    ivf->lists = NULL;
    ivf->halves = NULL;
    ivf->centroids = ivf->norms = ivf->books = NULL;
    ivf->list_count = 0;
}

/* The power of two above all of them; 1 where all are zero. */
static float unit_of(const float *values, size_t count)
{
    float largest = 0.0f;
    int exponent;
    for (size_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(values[i]));
    (void)frexpf(largest, &exponent);
    return ldexpf(1.0f, exponent);
}

void ivf_centroids_note(vt_ivf *ivf)
{
    float scaled[VT_IVF_MAX_DIM];
    ivf->unit = unit_of(ivf->centroids, ivf->list_count * ivf->width);
    for (size_t i = 0; i < ivf->list_count; i++) {
        const float *centroid = ivf->centroids + i * ivf->width;
        ivf->norms[i] = ivf->floats->dot_f32(centroid, centroid, ivf->width);
        for (size_t e = 0; e < ivf->width; e++)
            scaled[e] = centroid[e] / ivf->unit;
        ivf->floats->f32_to_f16(scaled, ivf->halves + i * ivf->width, ivf->width);
    }
}

/* ---- what there is ---- */

bool vt_ivf_is_trained(const vt_ivf *ivf)
{
    return ivf->list_count > 0;
}

bool vt_ivf_has(const vt_ivf *ivf, uint32_t id)
{
    ivf_place place;
    pthread_rwlock_rdlock(&ivf->locks->rows);
    bool found = ivf_find(ivf, id, &place);
    pthread_rwlock_unlock(&ivf->locks->rows);
    return found;
}

size_t vt_ivf_count(const vt_ivf *ivf)
{
    pthread_rwlock_rdlock(&ivf->locks->rows);
    size_t count = ivf->count;
    pthread_rwlock_unlock(&ivf->locks->rows);
    return count;
}

size_t vt_ivf_dim(const vt_ivf *ivf)
{
    return ivf->dim;
}

size_t vt_ivf_lists(const vt_ivf *ivf)
{
    return ivf->list_count;
}

vt_ivf_options vt_ivf_options_of(const vt_ivf *ivf)
{
    return ivf->options;
}

size_t vt_ivf_code_bytes(const vt_ivf *ivf)
{
    return ivf->groups / 2 + VT_FASTSCAN_FACTORS * sizeof(float);
}

static size_t lists_bytes(const vt_ivf *ivf, size_t lists)
{
    size_t books = ivf_books(ivf) * ivf->sub * VT_FASTSCAN_ENTRIES * sizeof(float);
    return lists * ((ivf->width + 1) * sizeof(float) + ivf->width * sizeof(uint16_t) +
                    sizeof(ivf_list)) +
           books;
}

size_t vt_ivf_bytes(const vt_ivf *ivf)
{
    size_t bytes = sizeof *ivf + sizeof *ivf->locks;
    if (ivf->list_count > 0)
        bytes += lists_bytes(ivf, ivf->list_count);
    pthread_rwlock_rdlock(&ivf->locks->rows);
    if (ivf->slots)
        bytes += (ivf->slot_mask + 1) * sizeof *ivf->slots;
    for (size_t i = 0; i < ivf->list_count; i++) {
        size_t room = ivf->lists[i].room;
        bytes += room / BLOCK * ivf->block_bytes + room * ivf->precise_bytes;
    }
    pthread_rwlock_unlock(&ivf->locks->rows);
    return bytes;
}

size_t vt_ivf_bytes_of(const vt_ivf *ivf, size_t rows)
{
    size_t lists = ivf->list_count > 0 ? ivf->list_count : ivf->options.lists;
    if (lists == 0)
        lists = (size_t)(2.0 * sqrt((double)rows)) + 1;
    /* Half a block of every list and half of the eighth by which lists grow are free; the table of
     * ids is from a third to two thirds full. */
    size_t row = ivf->block_bytes / BLOCK + ivf->precise_bytes;
    size_t held = rows + rows / 16 + lists * BLOCK / 2;
    return sizeof *ivf + lists_bytes(ivf, lists) + held * row + 2 * rows * sizeof *ivf->slots;
}

vt_status vt_ivf_each(const vt_ivf *ivf, vt_ivf_visit *visit, void *context, vt_error *error)
{
    vt_status status = VT_OK;
    pthread_mutex_lock(&ivf->locks->writers);
    for (size_t i = 0; status == VT_OK && i < ivf->list_count; i++)
        for (size_t at = 0; status == VT_OK && at < ivf->lists[i].count; at++) {
            unsigned char *block = ivf_block(ivf, &ivf->lists[i], at);
            status = visit(context, ivf_ids(ivf, block)[at % BLOCK],
                           ivf_groups(ivf, block)[at % BLOCK], error);
        }
    pthread_mutex_unlock(&ivf->locks->writers);
    return status;
}

/* ---- id -> place ---- */

static ivf_place place_of(uint64_t held)
{
    return (ivf_place){(uint32_t)((held - 1) >> 32), (uint32_t)(held - 1)};
}

/* Fibonacci hashing; ids are numbers of our own making. */
static size_t slot_home(const vt_ivf *ivf, uint32_t id)
{
    return (size_t)(id * 0x9e3779b97f4a7c15u >> 32) & ivf->slot_mask;
}

/* The slot of the id, or the empty one where it belongs. There is always an empty one. */
static size_t slot_find(const vt_ivf *ivf, uint32_t id)
{
    size_t slot = slot_home(ivf, id);
    while (ivf->slots[slot] && ivf_id_at(ivf, place_of(ivf->slots[slot])) != id)
        slot = (slot + 1) & ivf->slot_mask;
    return slot;
}

static void slot_remove(vt_ivf *ivf, size_t hole)
{
    ivf->slots[hole] = 0;
    for (size_t slot = (hole + 1) & ivf->slot_mask; ivf->slots[slot];
         slot = (slot + 1) & ivf->slot_mask) {
        /* What sits here may move back unless its home lies behind the hole. */
        size_t home = slot_home(ivf, ivf_id_at(ivf, place_of(ivf->slots[slot])));
        if (((slot - home) & ivf->slot_mask) < ((slot - hole) & ivf->slot_mask))
            continue;
        ivf->slots[hole] = ivf->slots[slot];
        ivf->slots[slot] = 0;
        hole = slot;
    }
}

bool ivf_find(const vt_ivf *ivf, uint32_t id, ivf_place *out)
{
    uint64_t held = ivf->slots ? ivf->slots[slot_find(ivf, id)] : 0;
    if (held)
        *out = place_of(held);
    return held != 0;
}

void ivf_table_put(vt_ivf *ivf, uint32_t id, ivf_place place)
{
    ivf->slots[slot_find(ivf, id)] = ((uint64_t)place.list << 32 | place.at) + 1;
}

/* At a load of at most two thirds. */
bool ivf_table_hold(vt_ivf *ivf, size_t rows)
{
    size_t have = ivf->slots ? ivf->slot_mask + 1 : 0, want = have ? have : FIRST_SLOTS;
    while (want / 3 * 2 < rows)
        want *= 2;
    if (want == have)
        return true;
    uint64_t *slots = vt_calloc(want, sizeof *slots), *old = ivf->slots;
    if (!slots)
        return false;
    ivf->slots = slots;
    ivf->slot_mask = want - 1;
    for (size_t i = 0; i < have; i++)
        if (old[i])
            slots[slot_find(ivf, ivf_id_at(ivf, place_of(old[i])))] = old[i];
    vt_free(old);
    return true;
}

/* ---- lists ---- */

/* Room for so many rows, no more and no less than blocks hold. */
static bool list_resize(const vt_ivf *ivf, ivf_list *list, size_t rows)
{
    size_t blocks = (rows + BLOCK - 1) / BLOCK, used = (list->count + BLOCK - 1) / BLOCK;
    size_t block_bytes, precise_bytes;
    if (!vt_size_mul(blocks, ivf->block_bytes, &block_bytes) ||
        !vt_size_mul(blocks * BLOCK, ivf->precise_bytes, &precise_bytes))
        return false;
    unsigned char *made = vt_alloc_aligned(64, block_bytes);
    unsigned char *precise = precise_bytes > 0 ? vt_alloc_aligned(64, precise_bytes) : NULL;
    if (!made || (precise_bytes > 0 && !precise)) {
        vt_free(made);
        vt_free(precise);
        return false;
    }
    if (used > 0)
        memcpy(made, list->blocks, used * ivf->block_bytes);
    memset(made + used * ivf->block_bytes, 0, block_bytes - used * ivf->block_bytes);
    if (precise && list->count > 0)
        memcpy(precise, list->precise, list->count * ivf->precise_bytes);
    vt_free(list->blocks);
    vt_free(list->precise);
    *list = (ivf_list){made, precise, list->count, blocks * BLOCK};
    return true;
}

/* A wish: where memory for the smaller is out, the larger stays. */
static void list_shrink(const vt_ivf *ivf, ivf_list *list)
{
    if (list->count == 0) {
        vt_free(list->blocks);
        vt_free(list->precise);
        *list = (ivf_list){0};
    } else if (list->room - list->count >= BLOCK + BLOCK / 2 + list->count / 4) {
        (void)list_resize(ivf, list, list->count + list->count / 8 + 1);
    }
}

bool ivf_list_hold(vt_ivf *ivf, ivf_list *list, size_t rows, bool exact)
{
    if (rows <= list->room)
        return true;
    size_t more = exact ? rows : list->room + list->room / 8;
    return list_resize(ivf, list, more > rows ? more : rows);
}

/* Half a byte of the block. */
static void code_put(unsigned char *block, size_t group, size_t at, unsigned code)
{
    unsigned char *byte = block + group * VT_FASTSCAN_GROUP_BYTES + at % 16;
    *byte = at < 16 ? (unsigned char)((*byte & 0xf0u) | code)
                    : (unsigned char)((*byte & 0x0fu) | code << 4);
}

static unsigned code_get(const unsigned char *block, size_t group, size_t at)
{
    unsigned byte = block[group * VT_FASTSCAN_GROUP_BYTES + at % 16];
    return at < 16 ? byte & 15u : byte >> 4;
}

/* With `rows` held alone. */
static bool row_put(vt_ivf *ivf, uint32_t list_number, const ivf_row *row)
{
    ivf_list *list = &ivf->lists[list_number];
    if (!ivf_list_hold(ivf, list, list->count + 1, false) || !ivf_table_hold(ivf, ivf->count + 1))
        return false;
    assert(list->blocks);
    size_t at = list->count++, place = at % BLOCK;
    unsigned char *block = ivf_block(ivf, list, at);
    for (size_t g = 0; g < ivf->groups; g++)
        code_put(block, g, place, row->code[g]);
    for (size_t f = 0; f < VT_FASTSCAN_FACTORS; f++)
        ivf_factors(ivf, block)[f * BLOCK + place] = row->factors[f];
    ivf_ids(ivf, block)[place] = row->id;
    ivf_groups(ivf, block)[place] = row->group;
    if (ivf->precise_bytes > 0)
        memcpy(list->precise + at * ivf->precise_bytes, row->precise, ivf->precise_bytes);
    ivf_table_put(ivf, row->id, (ivf_place){list_number, (uint32_t)at});
    ivf->count++;
    return true;
}

bool ivf_append(vt_ivf *ivf, uint32_t list, const ivf_row *row)
{
    pthread_rwlock_wrlock(&ivf->locks->rows);
    bool put = row_put(ivf, list, row);
    pthread_rwlock_unlock(&ivf->locks->rows);
    return put;
}

/* `from` NULL: zeros. Places within their blocks. */
static void place_copy(const vt_ivf *ivf, unsigned char *to, size_t to_at, unsigned char *from,
                       size_t from_at)
{
    for (size_t g = 0; g < ivf->groups; g++)
        code_put(to, g, to_at, from ? code_get(from, g, from_at) : 0);
    for (size_t f = 0; f < VT_FASTSCAN_FACTORS; f++)
        ivf_factors(ivf, to)[f * BLOCK + to_at] =
            from ? ivf_factors(ivf, from)[f * BLOCK + from_at] : 0.0f;
    ivf_ids(ivf, to)[to_at] = from ? ivf_ids(ivf, from)[from_at] : 0;
    ivf_groups(ivf, to)[to_at] = from ? ivf_groups(ivf, from)[from_at] : 0;
}

/* With `rows` held alone. */
static void row_remove(vt_ivf *ivf, uint32_t id, ivf_place place)
{
    slot_remove(ivf, slot_find(ivf, id)); /* while every place still holds its row */
    ivf_list *list = &ivf->lists[place.list];
    assert(list->blocks); /* it holds the row */
    size_t last = list->count - 1;
    unsigned char *last_block = ivf_block(ivf, list, last);
    if (place.at != last) {
        uint32_t moved = ivf_ids(ivf, last_block)[last % BLOCK];
        size_t slot = slot_find(ivf, moved);
        place_copy(ivf, ivf_block(ivf, list, place.at), place.at % BLOCK, last_block, last % BLOCK);
        if (ivf->precise_bytes > 0)
            memcpy(list->precise + place.at * ivf->precise_bytes,
                   list->precise + last * ivf->precise_bytes, ivf->precise_bytes);
        ivf->slots[slot] = ((uint64_t)place.list << 32 | place.at) + 1;
    }
    place_copy(ivf, last_block, last % BLOCK, NULL, 0);
    list->count--;
    ivf->count--;
    list_shrink(ivf, list);
}

bool ivf_take_out(vt_ivf *ivf, uint32_t id)
{
    ivf_place place;
    if (!ivf_find(ivf, id, &place))
        return false;
    pthread_rwlock_wrlock(&ivf->locks->rows);
    row_remove(ivf, id, place);
    pthread_rwlock_unlock(&ivf->locks->rows);
    return true;
}

bool vt_ivf_remove(vt_ivf *ivf, uint32_t id)
{
    pthread_mutex_lock(&ivf->locks->writers);
    bool removed = ivf_take_out(ivf, id);
    pthread_mutex_unlock(&ivf->locks->writers);
    return removed;
}
