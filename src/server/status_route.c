/* SPDX-License-Identifier: Apache-2.0 */
/* How the service is doing, for whoever runs it. Numbers over time are in /metrics. */
#include "server/jobs.h"
#include "server/routes.h"

#include "base/clock.h"
#include "shop/index_report.h"

static void put_shop(vt_json_writer *writer, const vt_shop_info *info)
{
    vt_json_open_object(writer, "shop");
    vt_json_put_int(writer, "products", (int64_t)info->products);
    vt_json_put_int(writer, "images", (int64_t)info->pictures);
    vt_json_put_int(writer, "vectors", (int64_t)info->vectors);
    vt_json_put_int(writer, "change", (int64_t)info->change);
    vt_json_put_int(writer, "database_bytes", (int64_t)info->database_bytes);
    vt_json_put_text(writer, "driver", info->driver);
    vt_json_close(writer);
    vt_json_open_object(writer, "model");
    vt_json_put_text(writer, "name", info->model);
    vt_json_put_int(writer, "dimension", (int64_t)info->dimension);
    vt_json_put_text(writer, "fingerprint", info->model_fingerprint);
    vt_json_put_text(writer, "precision", info->precision);
    if (info->auto_precision != NULL)
        vt_json_put_text(writer, "auto_precision", info->auto_precision);
    vt_json_close(writer);
}

static void put_service(vt_json_writer *writer, vt_server *server)
{
    size_t running = 0, queued = 0;
    if (server->jobs != NULL)
        vt_jobs_count(server->jobs, &running, &queued);
    vt_json_open_object(writer, "service");
    vt_json_put_text(writer, "version", vt_version());
    vt_json_put_number(writer, "uptime_s", (vt_clock_ms() - server->started_ms) / 1000.0, 0);
    vt_json_put_int(writer, "connections", (int64_t)vt_connections_count(server->connections));
    vt_json_put_int(writer, "in_flight", atomic_load(&server->in_flight));
    vt_json_put_int(writer, "waiting", atomic_load(&server->waiting));
    vt_json_put_bool(writer, "keys", vt_keyring_count(server->keyring) > 0);
    vt_json_put_bool(writer, "jobs", server->jobs != NULL);
    vt_json_put_bool(writer, "import_images", server->options.import_images != NULL);
    vt_json_put_bool(writer, "import_remote", server->options.import_remote);
    vt_json_put_int(writer, "jobs_running", (int64_t)running);
    vt_json_put_int(writer, "jobs_queued", (int64_t)queued);
    vt_json_close(writer);
}

vt_status vt_answer_status(vt_request *request, vt_error *error)
{
    vt_server *server = request->server;
    vt_json_writer writer;
    vt_shop_info shop;
    vt_index_info index;
    vt_reply_begin(request, &writer);
    pthread_mutex_lock(&server->info_lock);
    vt_status status = vt_shop_info_of(server->shop, &shop, error);
    if (status == VT_OK)
        put_shop(&writer, &shop);
    pthread_mutex_unlock(&server->info_lock);
    if (status == VT_OK)
        status = vt_shop_index_info(server->shop, &index, error);
    if (status != VT_OK)
        return status;
    vt_json_open_object(&writer, "index");
    vt_index_info_put(&writer, &index);
    vt_json_close(&writer);
    put_service(&writer, server);
    return vt_reply_end(request, &writer, MHD_HTTP_OK, error);
}
