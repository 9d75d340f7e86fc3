/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/server: what the routes of routes.c do. Threads: as http.h says of requests. */
#ifndef VT_SERVER_ROUTES_H
#define VT_SERVER_ROUTES_H

#include "server/http.h"

/* pages.c */
vt_handler vt_answer_page;
/* service_routes.c */
vt_handler vt_answer_health, vt_answer_ready, vt_answer_metrics, vt_answer_info;
/* search_routes.c */
vt_handler vt_answer_search, vt_answer_similar, vt_answer_embed;
/* events_route.c */
vt_handler vt_answer_add_events;
void vt_search_id_new(char out[VT_SEARCH_ID_CHARS + 1]); /* hex digits */
/* list_route.c */
vt_handler vt_answer_list, vt_answer_facets;
/* product_routes.c */
vt_handler vt_answer_product, vt_answer_put, vt_answer_patch, vt_answer_add_images,
    vt_answer_delete;
/* batch_route.c, image_route.c */
vt_handler vt_answer_batch, vt_answer_image;
/* job_routes.c */
vt_handler vt_answer_add_job, vt_answer_jobs, vt_answer_job, vt_answer_job_events,
    vt_answer_job_rejects, vt_answer_job_report, vt_answer_cancel_job;
/* review_routes.c */
vt_handler vt_answer_duplicates, vt_answer_keep_pair, vt_answer_forget_pair, vt_answer_models;
/* key_routes.c, status_route.c */
vt_handler vt_answer_keys, vt_answer_add_key, vt_answer_revoke_key, vt_answer_status;
/* vision_route.c */
vt_handler vt_answer_annotate;
/* weaviate_route.c */
vt_handler vt_answer_weaviate_vector, vt_answer_weaviate_vectors, vt_answer_weaviate_meta,
    vt_answer_weaviate_ready, vt_answer_weaviate_live;

#endif
