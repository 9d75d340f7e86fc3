/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A square product by oneDNN, see peak.h. Source and result are row-major, the second factor has
 * the layout that oneDNN likes best, as a network's weights have. The factors hold small numbers in
 * no particular order: the time does not depend on them as long as none is subnormal.
 */
#include "bench/peak.h"

#include <string.h>

#include "base/mem.h"
#include "nn/dnnl/compat.h"

/* As in the runner: of the runtime that oneDNN is linked to. */
extern void omp_set_num_threads(int count);

enum { PART_SRC, PART_WEIGHTS, PART_DST, PART_SCRATCH, PARTS };

struct vt_peak {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_memory_t memories[PARTS];
    void *data[PARTS];
};

static vt_status peak_fail(const char *what, dnnl_status_t answer, vt_error *error)
{
    return vt_fail(error, answer == dnnl_unimplemented ? VT_ERR_UNSUPPORTED : VT_ERR_INTERNAL,
                   "measure the peak: oneDNN refuses %s (%d)", what, (int)answer);
}

static void fill(void *data, size_t bytes, vt_dtype dtype)
{
    size_t size = vt_dtype_bytes(dtype);
    float values[256];
    for (size_t i = 0; i < 256; i++)
        values[i] = ((float)(i * 37 % 256) - 127.5f) / 128.0f;
    for (size_t i = 0; i < bytes / size; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i & 255], sizeof bits);
        uint16_t high = (uint16_t)(bits >> 16); /* a bf16 is the upper half of an f32 */
        if (dtype == VT_BF16)
            memcpy((char *)data + i * size, &high, size);
        else
            memcpy((char *)data + i * size, &bits, size);
    }
}

static vt_status add_part(vt_peak *peak, int part, const vt_layout *layout, vt_dtype dtype,
                          vt_error *error)
{
    size_t bytes = layout ? vt_layout_bytes(layout) : 0;
    peak->data[part] = vt_alloc_aligned(64, bytes > 0 ? bytes : 64);
    if (!peak->data[part])
        return vt_fail_memory(error, "a matrix");
    if (part != PART_SCRATCH)
        fill(peak->data[part], bytes, dtype);
    dnnl_status_t answer =
        dnnl_memory_create(&peak->memories[part], layout, peak->engine, peak->data[part]);
    return answer == dnnl_success ? VT_OK : peak_fail("a matrix", answer, error);
}

static vt_status add_parts(vt_peak *peak, const_dnnl_primitive_desc_t desc, vt_dtype dtype,
                           vt_error *error)
{
    vt_status status =
        add_part(peak, PART_SRC, vt_pd_layout(desc, dnnl_query_src_md, 0), dtype, error);
    if (status == VT_OK)
        status = add_part(peak, PART_WEIGHTS, vt_pd_layout(desc, dnnl_query_weights_md, 0), dtype,
                          error);
    if (status == VT_OK)
        status = add_part(peak, PART_DST, vt_pd_layout(desc, dnnl_query_dst_md, 0), VT_F32, error);
    if (status == VT_OK)
        status = add_part(peak, PART_SCRATCH, vt_pd_layout(desc, dnnl_query_scratchpad_md, 0),
                          VT_F32, error);
    return status;
}

static vt_status prepare(vt_peak *peak, vt_dtype dtype, vt_error *error)
{
    const int64_t dims[2] = {VT_PEAK_SIDE, VT_PEAK_SIDE};
    vt_layout *layouts[4] = {vt_layout_new(2, dims, NULL, false, dtype),
                             vt_layout_new(2, dims, NULL, true, dtype), NULL,
                             vt_layout_new(2, dims, NULL, false, VT_F32)};
    const vt_posts none = {.count = 0};
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t answer = dnnl_engine_create(&peak->engine, dnnl_cpu, 0);
    if (answer == dnnl_success)
        answer = dnnl_stream_create(&peak->stream, peak->engine, dnnl_stream_default_flags);
    if (answer == dnnl_success)
        answer = vt_pd_matmul(peak->engine, (const vt_layout *const *)layouts, &none, &desc);
    if (answer == dnnl_success && vt_pd_is_slow(desc))
        answer = dnnl_unimplemented;
    if (answer == dnnl_success)
        answer = dnnl_primitive_create(&peak->primitive, desc);
    vt_status status = answer == dnnl_success ? add_parts(peak, desc, dtype, error)
                                              : peak_fail("a product", answer, error);
    dnnl_primitive_desc_destroy(desc);
    for (int i = 0; i < 4; i++)
        vt_layout_free(layouts[i]);
    return status;
}

vt_status vt_peak_new(vt_dtype dtype, int threads, vt_peak **out, vt_error *error)
{
    vt_peak *peak = vt_calloc(1, sizeof *peak);
    if (!peak)
        return vt_fail_memory(error, "a product");
    omp_set_num_threads(threads);
    vt_status status = prepare(peak, dtype, error);
    if (status != VT_OK) {
        vt_peak_free(peak);
        return status;
    }
    *out = peak;
    return VT_OK;
}

vt_status vt_peak_run(vt_peak *peak, vt_error *error)
{
    const dnnl_exec_arg_t args[PARTS] = {
        {DNNL_ARG_SRC, peak->memories[PART_SRC]},
        {DNNL_ARG_WEIGHTS, peak->memories[PART_WEIGHTS]},
        {DNNL_ARG_DST, peak->memories[PART_DST]},
        {DNNL_ARG_SCRATCHPAD, peak->memories[PART_SCRATCH]},
    };
    dnnl_status_t answer = dnnl_primitive_execute(peak->primitive, peak->stream, PARTS, args);
    if (answer == dnnl_success)
        answer = dnnl_stream_wait(peak->stream);
    return answer == dnnl_success ? VT_OK : peak_fail("to run", answer, error);
}

void vt_peak_free(vt_peak *peak)
{
    if (!peak)
        return;
    for (int i = 0; i < PARTS; i++) {
        dnnl_memory_destroy(peak->memories[i]);
        vt_free(peak->data[i]);
    }
    dnnl_primitive_destroy(peak->primitive);
    dnnl_stream_destroy(peak->stream);
    dnnl_engine_destroy(peak->engine);
    vt_free(peak);
}
