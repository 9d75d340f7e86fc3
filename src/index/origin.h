/* SPDX-License-Identifier: Apache-2.0 */
/* What the snapshot of an index was made from, whichever index it is. */
#ifndef VT_INDEX_ORIGIN_H
#define VT_INDEX_ORIGIN_H

#include "base/hash.h"
#include "base/snapshot.h"

typedef struct vt_index_origin {
    uint64_t change;             /* number of the newest change that it contains for certain */
    vt_snapshot_session session; /* of the writer that gave that number: base/snapshot.h */
    vt_hash model;               /* fingerprint of the encoder of its vectors */
} vt_index_origin;

#endif
