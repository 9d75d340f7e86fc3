/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constants in the form the primitives want, and shared between runners.
 *
 * Every session of a model prepares the same weights. Instead of a cache that knows where a weight
 * comes from (passes make new ones for each plan), what has been prepared is compared with what
 * other runners hold: equal bytes are kept once, with a count. The key is the length and a hash of
 * samples; equality is proven by comparing all bytes, which costs a few hundredths of a second for
 * the hundred megabytes of a ResNet-50, once per runner.
 *
 * A model from a stranger could hold very many weights of one length that differ only where no
 * sample is taken; at most CANDIDATE_MAXIMUM are compared, then the new one is simply not shared.
 *
 * Threads: one lock around the table; the bytes themselves are read only once they are in it.
 */
#include "nn/dnnl/runner.h"

#include "base/hash.h"

#include <pthread.h>
#include <string.h>

enum { BUCKET_COUNT = 1024, SAMPLE_BYTES = 64, SAMPLE_COUNT = 32, CANDIDATE_MAXIMUM = 8 };

/* In front of the data, which starts HEADER_BYTES behind it. */
typedef struct prepared {
    struct prepared *next;
    size_t bytes, references;
    uint64_t key;
} prepared;

enum { HEADER_BYTES = 64 };
_Static_assert(sizeof(prepared) <= HEADER_BYTES, "the data stays aligned behind its header");

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static prepared *table[BUCKET_COUNT];

static void *data_of(prepared *block)
{
    return (char *)block + HEADER_BYTES;
}

static uint64_t key_of(const void *data, size_t bytes)
{
    char samples[SAMPLE_BYTES * SAMPLE_COUNT + sizeof bytes];
    size_t length = 0, step = bytes / SAMPLE_COUNT;
    memcpy(samples, &bytes, sizeof bytes);
    length += sizeof bytes;
    for (size_t i = 0; i < SAMPLE_COUNT && i * step < bytes; i++) {
        size_t left = bytes - i * step, take = left < SAMPLE_BYTES ? left : SAMPLE_BYTES;
        memcpy(samples + length, (const char *)data + i * step, take);
        length += take;
    }
    return vt_table_hash(samples, length);
}

/* The block to use: an equal one that is already there (this one is then freed), or this one. */
static prepared *share(prepared *block)
{
    block->key = key_of(data_of(block), block->bytes);
    prepared **bucket = &table[block->key % BUCKET_COUNT], *found = NULL;
    int compared = 0;
    pthread_mutex_lock(&table_lock);
    for (prepared *other = *bucket; other && !found && compared < CANDIDATE_MAXIMUM;
         other = other->next) {
        if (other->key == block->key && other->bytes == block->bytes) {
            compared++;
            if (memcmp(data_of(other), data_of(block), block->bytes) == 0) {
                found = other;
                found->references++;
            }
        }
    }
    if (!found) {
        block->next = *bucket;
        *bucket = block;
    }
    pthread_mutex_unlock(&table_lock);
    if (found) {
        vt_free(block);
        return found;
    }
    return block;
}

void vt_dnnl_weights_release(void *data)
{
    if (!data) {
        return;
    }
    prepared *block = (prepared *)(void *)((char *)data - HEADER_BYTES);
    pthread_mutex_lock(&table_lock);
    bool last = --block->references == 0;
    if (last) {
        prepared **link = &table[block->key % BUCKET_COUNT];
        while (*link != block) {
            link = &(*link)->next;
        }
        *link = block->next;
    }
    pthread_mutex_unlock(&table_lock);
    if (last) {
        vt_free(block);
    }
}

/* layouts: of the source in its own type (NULL: row-major), of the result. */
static vt_status reorder_now(vt_dnnl *dnnl, const vt_layout *const layouts[2], vt_dtype type,
                             const void *from, void *to, vt_error *error)
{
    int64_t dims[VT_LAYOUT_MAX_RANK];
    int rank = vt_layout_dims(layouts[1], dims);
    vt_layout *plain = NULL;
    if (!layouts[0]) {
        plain = vt_layout_new_plain(rank, dims, type);
    } else if (vt_layout_retype(layouts[0], type, &plain) && !plain) {
        return vt_fail(error, VT_ERR_INTERNAL, "prepare a weight: its layout has no %s form",
                       vt_dtype_name(type));
    }
    if (!plain) {
        return vt_fail_memory(error, "the layout of a weight");
    }
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t memories[3] = {NULL, NULL, NULL};
    void *scratch = NULL;
    dnnl_status_t status = vt_pd_reorder(dnnl->engine, plain, layouts[1], &desc);
    if (status == dnnl_success) {
        status = dnnl_primitive_create(&primitive, desc);
    }
    if (status ==
        dnnl_success) { /* oneDNN's handles are not const; a reorder reads its source only */
        status = dnnl_memory_create(&memories[0], plain, dnnl->engine, (void *)(uintptr_t)from);
    }
    if (status == dnnl_success) {
        status = dnnl_memory_create(&memories[1], layouts[1], dnnl->engine, to);
    }
    const vt_layout *needed =
        status == dnnl_success ? vt_pd_layout(desc, dnnl_query_scratchpad_md, 0) : NULL;
    if (!vt_layout_is_none(needed)) {
        scratch = vt_alloc_aligned(64, vt_layout_bytes(needed));
        status = scratch ? dnnl_memory_create(&memories[2], needed, dnnl->engine, scratch)
                         : dnnl_out_of_memory;
    }
    if (status == dnnl_success) {
        dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, memories[0]},
                                  {DNNL_ARG_TO, memories[1]},
                                  {DNNL_ARG_SCRATCHPAD, memories[2]}};
        status = dnnl_primitive_execute(primitive, dnnl->stream, memories[2] ? 3 : 2, args);
    }
    if (status == dnnl_success) {
        status = dnnl_stream_wait(dnnl->stream);
    }
    for (int i = 0; i < 3; i++) {
        if (memories[i]) {
            dnnl_memory_destroy(memories[i]);
        }
    }
    if (primitive) {
        dnnl_primitive_destroy(primitive);
    }
    if (desc) {
        dnnl_primitive_desc_destroy(desc);
    }
    vt_free(scratch);
    vt_layout_free(plain);
    return status == dnnl_success ? VT_OK : vt_dnnl_fail(status, "the reorder of a weight", error);
}

/* The same without oneDNN's reorder. */
static vt_status place_now(const vt_layout *const layouts[2], const vt_tensor *tensor, void *to,
                           vt_error *error)
{
    size_t count = vt_tensor_count(tensor);
    vt_dtype target = vt_layout_type(layouts[1]);
    const void *source = tensor->data;
    float *floats = NULL;
    void *converted = NULL;
    if (tensor->dtype != target) { /* between floats, by way of f32 */
        floats = vt_alloc_array(count, sizeof *floats);
        converted = vt_alloc_array(count, vt_dtype_bytes(target));
        if (!floats || !converted) {
            vt_free(floats);
            vt_free(converted);
            return vt_fail_memory(error, "a weight");
        }
        vt_dnnl_convert(tensor->dtype, tensor->data, VT_F32, floats, count);
        vt_dnnl_convert(VT_F32, floats, target, converted, count);
        source = converted;
    }
    vt_layout_place(layouts[0], layouts[1], vt_dtype_bytes(target), source, to);
    vt_free(floats);
    vt_free(converted);
    return VT_OK;
}

vt_status vt_dnnl_weights_prepare(vt_dnnl *dnnl, const vt_tensor *tensor, const vt_layout *reading,
                                  const vt_layout *layout, vt_buffer *out, vt_error *error)
{
    size_t count = vt_tensor_count(tensor), total;
    vt_dtype target = layout ? vt_layout_type(layout) : VT_F32;
    if (vt_dtype_is_float(target) != vt_dtype_is_float(tensor->dtype)) {
        return vt_fail(error, VT_ERR_INTERNAL, "prepare a constant: no way from %s to %s",
                       vt_dtype_name(tensor->dtype), vt_dtype_name(target));
    }
    size_t size = layout ? vt_layout_bytes(layout) : count * sizeof(float);
    if (!vt_size_add(size, HEADER_BYTES, &total)) {
        return vt_fail_memory(error, "a weight");
    }
    vt_status status = VT_OK;
    prepared *block = vt_alloc_large(total);
    const void *source = tensor->data;
    float *converted = NULL;
    if (!block) {
        return vt_fail_memory(error, "a weight");
    }
    *block = (prepared){.bytes = size, .references = 1};
    if (!layout) {
        vt_dnnl_convert(tensor->dtype, tensor->data, VT_F32, data_of(block), count);
    } else if (VT_REORDERS_LEAVE_OUT && vt_layout_is_padded(layout)) {
        status =
            place_now((const vt_layout *const[]){reading, layout}, tensor, data_of(block), error);
        if (status != VT_OK) {
            goto out;
        }
    } else {
        vt_dtype type = tensor->dtype;
        if (type == VT_F16 || type == VT_F64) {
            converted = vt_alloc_array(count, sizeof *converted);
            if (!converted) {
                status = vt_fail_memory(error, "a weight");
                goto out;
            }
            vt_dnnl_convert(type, tensor->data, VT_F32, converted, count);
            source = converted;
            type = VT_F32;
        }
        status = reorder_now(dnnl, (const vt_layout *const[]){reading, layout}, type, source,
                             data_of(block), error);
        if (status != VT_OK) {
            goto out;
        }
    }
    block = share(block);
    out->data = data_of(block);
    out->bytes = size;
    block = NULL;
out:
    vt_free(converted);
    vt_free(block);
    return status;
}
