/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of products, as the public API has it. */
#include "search/cluster.h"
#include "shop/shop.h"

#include <math.h>

vt_cluster_options vt_cluster_options_defaults(void)
{
    return (vt_cluster_options){.cut = NAN, .seed = 1};
}

vt_status vt_shop_cluster(vt_shop *shop, const vt_cluster_options *options, vt_clusters **out,
                          vt_error *error)
{
    vt_searcher searcher;
    vt_status status = vt_shop_enter(shop, NULL, error);
    if (status != VT_OK)
        return status;
    status = vt_shop_need_scanner(shop, &searcher, error);
    if (status == VT_OK)
        status = vt_search_cluster(&searcher, options, out, error);
    vt_shop_leave(shop);
    return status;
}

void vt_clusters_free(vt_clusters *clusters)
{
    vt_search_clusters_free(clusters);
}
