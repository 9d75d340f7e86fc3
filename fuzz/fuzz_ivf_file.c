/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as a snapshot of inverted lists. It is refused, or it is lists that can be
 * searched, added to and removed from, and that the validator finds sound.
 *
 * Checksums would keep nearly all of it out, so they are made to fit first, except where the first
 * byte says not to.
 */
#include "base/file.h"
#include "index/ivf_file.h"
#include "support/snapshots.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { HEAD = 128, ENTRY = 32, MAXIMUM = 1 << 20 };

static void sums_fix(vt_buf *file)
{
    if (file->length < HEAD)
        return;
    uint64_t table = snapshot_get(file, 48, 8), count = snapshot_get(file, 56, 4);
    snapshot_put(file, 16, file->length, 8);
    if (table <= file->length && count <= (file->length - table) / ENTRY)
        snapshot_fix_sums(file);
}

static void use(vt_ivf *ivf)
{
    enum { K = 4 };
    static float query[VT_IVF_MAX_DIM];
    vt_hit hits[K];
    size_t count;
    vt_ivf_search_options options = vt_ivf_search_defaults();
    vt_ivf_answers answers = {hits, &count, NULL};
    query[0] = 1.0F;
    options.k = K;
    if (vt_ivf_check(ivf, NULL, NULL) != VT_OK)
        abort();
    (void)vt_ivf_search(ivf, query, 1, &options, &answers, NULL);
    for (uint32_t id = 0; id < 64; id++)
        (void)vt_ivf_remove(ivf, id);
    for (uint32_t id = 0; id < 8; id++)
        (void)vt_ivf_add(ivf, id, id, query, NULL);
    if (vt_ivf_check(ivf, NULL, NULL) != VT_OK)
        abort();
    (void)vt_ivf_search(ivf, query, 1, &options, &answers, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[64];
    if (path[0] == '\0')
        snprintf(path, sizeof path, "/tmp/fuzz-ivf-%ld", (long)getpid());
    if (size < 1 || size > MAXIMUM)
        return 0;
    vt_buf file;
    vt_buf_init(&file, MAXIMUM);
    if (!vt_buf_append(&file, data + 1, size - 1)) {
        vt_buf_deinit(&file);
        return 0;
    }
    if (data[0] != 'r')
        sums_fix(&file);
    vt_ivf *ivf = NULL;
    vt_error error = {0};
    if (vt_file_replace(path, file.data, file.length, false, NULL) == VT_OK) {
        vt_status status = vt_ivf_load(path, MAXIMUM, NULL, &ivf, NULL, &error);
        if (status == VT_OK)
            use(ivf);
        else if (error.message[0] == '\0' || ivf != NULL)
            abort();
        vt_ivf_free(ivf);
    }
    vt_buf_deinit(&file);
    unlink(path);
    return 0;
}
