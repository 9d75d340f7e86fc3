/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the index is, as JSON: the same members for whoever shows it; and what it can be told to be.
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

/* VT_ERR_USAGE unless vt_index_options.kind may be this text. */
vt_status vt_index_kind_check(const char *kind, vt_error *error);

#endif
