/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the index is, as JSON: the same members for whoever shows it.
 *
 *     vt_json_open_object(&writer, "index");
 *     vt_index_info_put(&writer, &info);
 *     vt_json_close(&writer);
 *
 * Threads: no shared state.
 */
#ifndef VT_SHOP_INDEX_REPORT_H
#define VT_SHOP_INDEX_REPORT_H

#include "base/json.h"
#include "vitrine.h"

/* Members of an open object. */
void vt_index_info_put(vt_json_writer *writer, const vt_index_info *info);

#endif
