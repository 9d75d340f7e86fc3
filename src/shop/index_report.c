/* SPDX-License-Identifier: Apache-2.0 */
/* What the index is, as members of a JSON object, and what it can be told to be. */
#include "shop/index_report.h"

#include "base/status.h"
#include "store/store.h"

vt_status vt_index_kind_check(const char *kind, vt_error *error)
{
    vt_index_kind found;
    if (vt_index_kind_find(kind, &found))
        return VT_OK;
    return vt_fail(error, VT_ERR_USAGE,
                   "build the index: \"%.64s\" is none of auto, exact, graph, ivf", kind);
}

void vt_index_info_put(vt_json_writer *writer, const vt_index_info *info)
{
    vt_json_put_text(writer, "kind", info->kind);
    vt_json_put_text(writer, "codec", info->codec);
    vt_json_open_object(writer, "auto");
    vt_json_put_text(writer, "kind", info->wanted_kind);
    vt_json_put_text(writer, "codec", info->wanted_codec);
    vt_json_put_text(writer, "why", info->why);
    vt_json_close(writer);
    vt_json_put_int(writer, "vectors", (int64_t)info->vectors);
    vt_json_put_int(writer, "products", (int64_t)info->products);
    vt_json_put_int(writer, "dimension", (int64_t)info->dimension);
    vt_json_put_int(writer, "degree", (int64_t)info->degree);
    vt_json_put_int(writer, "lists", (int64_t)info->lists);
    vt_json_put_int(writer, "graph_bytes", (int64_t)info->graph_bytes);
    vt_json_put_int(writer, "list_bytes", (int64_t)info->list_bytes);
    vt_json_put_int(writer, "vector_bytes", (int64_t)info->vector_bytes);
    vt_json_put_bool(writer, "resident", info->resident);
    vt_json_put_int(writer, "change", (int64_t)info->change);
    vt_json_put_int(writer, "newest_change", (int64_t)info->newest);
    vt_json_open_object(writer, "snapshot");
    vt_json_put_bool(writer, "present", info->snapshot);
    vt_json_put_int(writer, "bytes", (int64_t)info->snapshot_bytes);
    vt_json_put_int(writer, "change", (int64_t)info->snapshot_change);
    vt_json_put_text(writer, "fault", info->snapshot_fault);
    vt_json_close(writer);
}
