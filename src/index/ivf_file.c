/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inverted lists: saving them, and the head of a saved file. ivf_load.c reads the rest;
 * docs/formats/inverted-lists.md is the format.
 *
 * Method: a section for each list, its blocks as they are in memory and the precise codes behind
 * them, through the frame of base/snapshot.h. Writers are held up while that is copied, searches
 * are not; syncing and renaming are without the lock.
 */
#include "index/ivf_frame.h"

#include "base/crc32c.h"
#include "base/mem.h"

const vt_snapshot_kind ivf_file_kind = {
    .magic = "VTINVLS1", .version = 1, .what = "inverted lists"};

uint32_t ivf_rotation_sum(const vt_ivf *ivf)
{
    size_t signs = VT_ROTATION_ROUNDS * ivf->rotation.width;
    return vt_crc32c(0, ivf->rotation.signs, signs * sizeof *ivf->rotation.signs);
}

static void parameters_write(const vt_ivf *ivf, const vt_index_origin *origin,
                             vt_snapshot_writer *writer)
{
    const vt_ivf_options *options = &ivf->options;
    ivf_parameters parameters = {
        .model = origin->model,
        .metric = (uint32_t)options->metric,
        .code = (uint32_t)options->code,
        .sub_dim = (uint32_t)ivf->sub,
        .dim = (uint32_t)ivf->dim,
        .lists = (uint32_t)ivf->list_count,
        .lists_wanted = (uint32_t)options->lists,
        .precise = options->precise,
        .codec = options->precise ? (uint32_t)options->codec : 0,
        .seed = options->seed,
        .rows = ivf->count,
        .block_bytes = (uint32_t)ivf->block_bytes,
        .precise_bytes = (uint32_t)ivf->precise_bytes,
        .rotation = ivf_rotation_sum(ivf),
        .codec_rotation = vt_coder_rotation_sum(ivf->coder),
    };
    (void)vt_snapshot_section(writer, IVF_TAG_PARAMETERS);
    (void)vt_snapshot_write(writer, &parameters, sizeof parameters);
}

static void tables_write(const vt_ivf *ivf, vt_snapshot_writer *writer)
{
    const float *mean = vt_coder_mean(ivf->coder);
    const bool trained = ivf->options.code == VT_IVF_PQ;
    size_t books = trained ? ivf->groups * ivf->sub * VT_FASTSCAN_ENTRIES : 0;
    (void)vt_snapshot_section(writer, IVF_TAG_CENTROIDS);
    (void)vt_snapshot_write(writer, ivf->centroids,
                            ivf->list_count * ivf->width * sizeof *ivf->centroids);
    (void)vt_snapshot_section(writer, IVF_TAG_BOOKS);
    (void)vt_snapshot_write(writer, ivf->books, books * sizeof *ivf->books);
    (void)vt_snapshot_section(writer, IVF_TAG_MEAN);
    (void)vt_snapshot_write(writer, mean, mean ? ivf->dim * sizeof *mean : 0);
    (void)vt_snapshot_section(writer, IVF_TAG_SIZES);
    for (size_t i = 0; i < ivf->list_count; i++) {
        uint32_t count = (uint32_t)ivf->lists[i].count;
        (void)vt_snapshot_write(writer, &count, sizeof count);
    }
}

vt_status vt_ivf_save(const vt_ivf *ivf, const char *path, const vt_index_origin *origin,
                      vt_error *error)
{
    vt_snapshot_writer *writer;
    vt_snapshot_head head = {origin->change, origin->session};
    if (ivf->list_count == 0)
        return vt_fail(error, VT_ERR_USAGE, "save inverted lists: they are not trained");
    vt_status status = vt_snapshot_create(path, &ivf_file_kind, &head, &writer, error);
    if (status != VT_OK)
        return status;
    pthread_mutex_lock(&ivf->locks->writers);
    parameters_write(ivf, origin, writer);
    tables_write(ivf, writer);
    for (size_t i = 0; i < ivf->list_count; i++) {
        const ivf_list *list = &ivf->lists[i];
        (void)vt_snapshot_section(writer, IVF_TAG_LIST);
        (void)vt_snapshot_write(writer, list->blocks, ivf_list_bytes(ivf, list->count));
        (void)vt_snapshot_write(writer, list->precise, list->count * ivf->precise_bytes);
    }
    pthread_mutex_unlock(&ivf->locks->writers);
    return vt_snapshot_commit(writer, error);
}

/* ---- the head ---- */

static vt_status sections_check(const vt_snapshot *file, vt_error *error)
{
    size_t sections = vt_snapshot_sections(file);
    if (sections < IVF_FIRST_LISTS)
        return vt_snapshot_damaged(file, error, "it has only %zu sections", sections);
    for (size_t i = 0; i < sections; i++) {
        uint32_t tag = vt_snapshot_section_at(file, i).tag;
        if (tag != (i < IVF_FIRST_LISTS ? (uint32_t)i + IVF_TAG_PARAMETERS : IVF_TAG_LIST))
            return vt_snapshot_damaged(file, error, "section %zu has tag %u", i, tag);
    }
    return VT_OK;
}

vt_status ivf_parameters_read(const vt_snapshot *file, ivf_parameters *out, vt_error *error)
{
    ivf_parameters p;
    vt_snapshot_part part = {&p, sizeof p};
    unsigned left = 0;
    vt_status status = sections_check(file, error);
    if (status == VT_OK)
        status = vt_snapshot_read(file, 0, &part, 1, error);
    if (status != VT_OK)
        return status;
    for (size_t i = 0; i < sizeof p.zeros; i++)
        left |= p.zeros[i];
    if (p.metric > VT_METRIC_L2 || p.code > VT_IVF_PQ || p.codec >= VT_CODEC_COUNT ||
        p.precise > 1 || (!p.precise && p.codec != 0) || p.dim < 1 || p.dim > VT_IVF_MAX_DIM ||
        p.lists_wanted > VT_IVF_MAX_LISTS || left != 0)
        return vt_snapshot_damaged(file, error, "its parameters cannot be");
    if (p.lists < 1 || p.lists > VT_IVF_MAX_LISTS || p.rows > IVF_MAX_ROWS ||
        vt_snapshot_sections(file) != IVF_FIRST_LISTS + p.lists)
        return vt_snapshot_damaged(file, error, "it says %llu rows in %u lists",
                                   (unsigned long long)p.rows, p.lists);
    *out = p;
    return VT_OK;
}

vt_ivf_file_info ivf_file_info(const vt_snapshot *file, const ivf_parameters *p)
{
    vt_snapshot_head head = vt_snapshot_head_of(file);
    return (vt_ivf_file_info){.origin = {head.change, head.session, p->model},
                              .options = {.metric = (vt_metric)p->metric,
                                          .code = (vt_ivf_code)p->code,
                                          .sub_dim = p->sub_dim,
                                          .lists = p->lists_wanted,
                                          .precise = p->precise,
                                          .codec = (vt_codec)p->codec,
                                          .seed = p->seed},
                              .dim = p->dim,
                              .rows = (size_t)p->rows,
                              .lists = p->lists,
                              .bytes = vt_snapshot_bytes(file)};
}

vt_status vt_ivf_file_info_of(const char *path, vt_ivf_file_info *out, vt_error *error)
{
    vt_snapshot *file;
    vt_status status = vt_snapshot_open(path, &ivf_file_kind, (uint64_t)1 << 40, &file, error);
    if (status != VT_OK)
        return status;
    ivf_parameters parameters;
    status = ivf_parameters_read(file, &parameters, error);
    if (status == VT_OK)
        *out = ivf_file_info(file, &parameters);
    vt_snapshot_close(file);
    return status;
}
