/* SPDX-License-Identifier: Apache-2.0 */
/* An approximate index, whichever it is: making it and giving it back. The rest are tables of
 * functions, ann_graph.c and ann_ivf.c. */
#include "index/ann.h"

#include "base/mem.h"

static vt_status ann_take(const vt_ann_driver *driver, vt_ann **out, vt_error *error)
{
    vt_ann *ann = vt_calloc(1, sizeof *ann);
    if (ann == NULL)
        return vt_fail_memory(error, driver->what);
    ann->driver = driver;
    *out = ann;
    return VT_OK;
}

vt_status vt_ann_new(const vt_ann_driver *driver, size_t dim, const vt_ann_options *options,
                     vt_ann **out, vt_error *error)
{
    vt_ann *ann = NULL;
    vt_status status = ann_take(driver, &ann, error);
    if (status == VT_OK)
        status = driver->init(ann, dim, options, error);
    if (status == VT_OK)
        *out = ann;
    else
        vt_free(ann);
    return status;
}

vt_status vt_ann_load(const vt_ann_driver *driver, const char *path, vt_pool *pool, vt_ann **out,
                      vt_ann_file_info *info, vt_error *error)
{
    vt_ann *ann = NULL;
    vt_status status = ann_take(driver, &ann, error);
    if (status == VT_OK)
        status = driver->load(ann, path, pool, info, error);
    if (status == VT_OK)
        *out = ann;
    else
        vt_free(ann);
    return status;
}

void vt_ann_free(vt_ann *ann)
{
    if (ann == NULL)
        return;
    ann->driver->deinit(ann);
    vt_free(ann);
}

size_t vt_ann_rows_of(vt_ann *ann)
{
    vt_ann_facts facts;
    ann->driver->tell(ann, &facts);
    return facts.rows;
}
