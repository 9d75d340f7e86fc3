/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as a snapshot of inverted lists. It is refused, or it is lists that can be
 * searched, added to and removed from, and that the validator finds sound.
 */
#include "index/ivf_file.h"
#include "snapshot_input.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
    if (!snapshot_input_write(data, size, path))
        return 0;
    vt_ivf *ivf = NULL;
    vt_error error = {0};
    vt_status status = vt_ivf_load(path, SNAPSHOT_MAXIMUM, NULL, &ivf, NULL, &error);
    if (status == VT_OK)
        use(ivf);
    else if (error.message[0] == '\0' || ivf != NULL)
        abort();
    vt_ivf_free(ivf);
    unlink(path);
    return 0;
}
