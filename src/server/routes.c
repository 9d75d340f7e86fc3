/* SPDX-License-Identifier: Apache-2.0 */
/* Every route there is. web/openapi.json describes each; a test holds the two together. */
#include "server/routes.h"

const vt_route vt_routes[] = {
    /* method, path, scope, immediate, body, handler */
    {"GET", "/healthz", VT_SCOPE_NONE, true, false, vt_answer_health},
    {"GET", "/readyz", VT_SCOPE_NONE, true, false, vt_answer_ready},
    {"GET", "/metrics", VT_SCOPE_ADMIN, false, false, vt_answer_metrics},
    {"GET", "/v1/info", VT_SCOPE_SEARCH, false, false, vt_answer_info},
    {"POST", "/v1/search", VT_SCOPE_SEARCH, false, true, vt_answer_search},
    {"POST", "/v1/embed", VT_SCOPE_EMBED, false, true, vt_answer_embed},
    {"POST", "/v1/events", VT_SCOPE_SEARCH, false, true, vt_answer_add_events},
    {"GET", "/v1/facets", VT_SCOPE_SEARCH, false, false, vt_answer_facets},
    {"GET", "/v1/products", VT_SCOPE_SEARCH, false, false, vt_answer_list},
    {"GET", "/v1/products/{id}/similar", VT_SCOPE_SEARCH, false, false, vt_answer_similar},
    {"GET", "/v1/products/{id}", VT_SCOPE_SEARCH, false, false, vt_answer_product},
    {"PUT", "/v1/products/{id}", VT_SCOPE_WRITE, false, true, vt_answer_put},
    {"PATCH", "/v1/products/{id}", VT_SCOPE_WRITE, false, true, vt_answer_patch},
    {"DELETE", "/v1/products/{id}", VT_SCOPE_WRITE, false, false, vt_answer_delete},
    {"POST", "/v1/products/{id}/images", VT_SCOPE_WRITE, false, true, vt_answer_add_images},
    {"POST", "/v1/products:batch", VT_SCOPE_WRITE, false, VT_BODY_LINES, vt_answer_batch},
    {"GET", "/v1/images/{hash}", VT_SCOPE_SEARCH, false, false, vt_answer_image},
    {"POST", "/v1/jobs", VT_SCOPE_WRITE, false, true, vt_answer_add_job},
    {"GET", "/v1/jobs", VT_SCOPE_WRITE, false, false, vt_answer_jobs},
    {"GET", "/v1/jobs/{id}", VT_SCOPE_WRITE, false, false, vt_answer_job},
    {"DELETE", "/v1/jobs/{id}", VT_SCOPE_WRITE, false, false, vt_answer_cancel_job},
    {"GET", "/v1/jobs/{id}/events", VT_SCOPE_WRITE, false, false, vt_answer_job_events},
    {"GET", "/v1/jobs/{id}/rejects", VT_SCOPE_WRITE, false, false, vt_answer_job_rejects},
    {"GET", "/v1/jobs/{id}/report", VT_SCOPE_ADMIN, false, false, vt_answer_job_report},
    {"GET", "/v1/duplicates", VT_SCOPE_WRITE, false, false, vt_answer_duplicates},
    {"PUT", "/v1/duplicates/{first}/{second}", VT_SCOPE_WRITE, false, true, vt_answer_keep_pair},
    {"DELETE", "/v1/duplicates/{first}/{second}", VT_SCOPE_WRITE, false, false,
     vt_answer_forget_pair},
    {"GET", "/v1/models", VT_SCOPE_ADMIN, false, false, vt_answer_models},
    {"GET", "/v1/keys", VT_SCOPE_ADMIN, false, false, vt_answer_keys},
    {"POST", "/v1/keys", VT_SCOPE_ADMIN, false, true, vt_answer_add_key},
    {"DELETE", "/v1/keys/{id}", VT_SCOPE_ADMIN, false, false, vt_answer_revoke_key},
    {"GET", "/v1/status", VT_SCOPE_ADMIN, false, false, vt_answer_status},
    {"POST", "/v1/images:annotate", VT_SCOPE_SEARCH, false, true, vt_answer_annotate},
    {"POST", "/vectors", VT_SCOPE_EMBED, false, true, vt_answer_weaviate_vector},
    {"POST", "/vectorize", VT_SCOPE_EMBED, false, true, vt_answer_weaviate_vectors},
    {"GET", "/meta", VT_SCOPE_EMBED, false, false, vt_answer_weaviate_meta},
    {"GET", "/.well-known/ready", VT_SCOPE_NONE, true, false, vt_answer_weaviate_ready},
    {"GET", "/.well-known/live", VT_SCOPE_NONE, true, false, vt_answer_weaviate_live},
    {"GET", "/", VT_SCOPE_NONE, true, false, vt_answer_page},
    {"GET", "/{file}", VT_SCOPE_NONE, true, false, vt_answer_page},
};
const size_t vt_route_count = sizeof(vt_routes) / sizeof(vt_routes[0]);

_Static_assert(sizeof(vt_routes) / sizeof(vt_routes[0]) <= VT_ROUTES_MAXIMUM,
               "metrics have room for every route");
