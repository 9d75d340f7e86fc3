/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted, and its text (Prometheus exposition format 0.0.4). */
#include "server/answer_cache.h"

#include "base/clock.h"
#include "base/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Upper bounds, seconds. */
static const double bounds[VT_METRIC_BUCKETS] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                 0.1,    0.25,  0.5,    1.0,   2.5,  5.0,   10.0};

static size_t route_index(const vt_request *request)
{
    const vt_route *route = request->routing.route;
    return route != NULL ? (size_t)(route - vt_routes) : VT_ROUTES_MAXIMUM;
}

void vt_metrics_note(vt_metrics *metrics, const vt_request *request, double took_ms)
{
    vt_route_metrics *route = &metrics->routes[route_index(request)];
    int class = request->http / 100;
    size_t bucket = 0;
    while (bucket < VT_METRIC_BUCKETS && took_ms > bounds[bucket] * 1000.0)
        bucket++;
    atomic_fetch_add(&route->classes[class >= 1 && class <= 5 ? class : 0], 1);
    atomic_fetch_add(&route->buckets[bucket], 1);
    atomic_fetch_add(&route->sum_us, (uint64_t)(took_ms > 0.0 ? took_ms * 1000.0 : 0.0));
}

static void print_labels(vt_buf *out, size_t i)
{
    if (i < vt_route_count)
        vt_buf_printf(out, "method=\"%s\",route=\"%s\"", vt_routes[i].method, vt_routes[i].pattern);
    else
        vt_buf_append_text(out, "method=\"\",route=\"none\"");
}

static void print_requests(vt_metrics *metrics, vt_buf *out)
{
    vt_buf_append_text(out, "# HELP vitrine_requests_total Requests answered.\n"
                            "# TYPE vitrine_requests_total counter\n");
    for (size_t i = 0; i <= VT_ROUTES_MAXIMUM; i++)
        for (int class = 0; class < 6; class ++) {
            uint64_t count = atomic_load(&metrics->routes[i].classes[class]);
            if (count == 0)
                continue;
            vt_buf_append_text(out, "vitrine_requests_total{");
            print_labels(out, i);
            vt_buf_printf(out, ",status=\"%dxx\"} %" PRIu64 "\n", class, count);
        }
}

static void print_times_of(vt_route_metrics *route, size_t i, vt_buf *out)
{
    uint64_t count = 0;
    for (size_t bucket = 0; bucket <= VT_METRIC_BUCKETS; bucket++) {
        count += atomic_load(&route->buckets[bucket]);
        vt_buf_append_text(out, "vitrine_request_seconds_bucket{");
        print_labels(out, i);
        if (bucket < VT_METRIC_BUCKETS)
            vt_buf_printf(out, ",le=\"%g\"} %" PRIu64 "\n", bounds[bucket], count);
        else
            vt_buf_printf(out, ",le=\"+Inf\"} %" PRIu64 "\n", count);
    }
    vt_buf_append_text(out, "vitrine_request_seconds_sum{");
    print_labels(out, i);
    vt_buf_printf(out, "} %.6f\nvitrine_request_seconds_count{",
                  (double)atomic_load(&route->sum_us) / 1e6);
    print_labels(out, i);
    vt_buf_printf(out, "} %" PRIu64 "\n", count);
}

static void print_times(vt_metrics *metrics, vt_buf *out)
{
    vt_buf_append_text(out, "# HELP vitrine_request_seconds From the head to the sent answer.\n"
                            "# TYPE vitrine_request_seconds histogram\n");
    for (size_t i = 0; i <= VT_ROUTES_MAXIMUM; i++) {
        uint64_t any = 0;
        for (size_t bucket = 0; bucket <= VT_METRIC_BUCKETS; bucket++)
            any += atomic_load(&metrics->routes[i].buckets[bucket]);
        if (any > 0)
            print_times_of(&metrics->routes[i], i, out);
    }
}

static void print_one(vt_buf *out, const char *name, const char *type, const char *help,
                      double value)
{
    vt_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name,
                  value);
}

static double resident_bytes(void)
{
    char text[128] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0.0;
    unsigned long pages = 0;
    if (fgets(text, sizeof(text), file) == NULL || sscanf(text, "%*u %lu", &pages) != 1)
        pages = 0;
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void print_shop(vt_server *server, vt_buf *out)
{
    vt_shop_info info;
    vt_error error;
    pthread_mutex_lock(&server->info_lock);
    vt_status status = vt_shop_info_of(server->shop, &info, &error);
    pthread_mutex_unlock(&server->info_lock);
    if (status != VT_OK)
        return;
    print_one(out, "vitrine_products", "gauge", "Products in the shop.", (double)info.products);
    print_one(out, "vitrine_vectors", "gauge", "Vectors in the shop.", (double)info.vectors);
    print_one(out, "vitrine_change", "gauge", "Number of the newest change.", (double)info.change);
}

void vt_metrics_print(vt_server *server, vt_buf *out)
{
    vt_metrics *metrics = &server->metrics;
    print_requests(metrics, out);
    print_times(metrics, out);
    print_one(out, "vitrine_requests_in_flight", "gauge", "Requests begun and not yet answered.",
              atomic_load(&server->in_flight));
    print_one(out, "vitrine_queue_depth", "gauge", "Requests that wait for a worker.",
              atomic_load(&server->waiting));
    print_one(out, "vitrine_connections", "gauge", "Open connections.",
              (double)vt_connections_count(server->connections));
    print_one(out, "vitrine_body_bytes", "gauge", "Memory that bodies take.",
              (double)atomic_load(&server->bodies_bytes));
    print_one(out, "vitrine_refused_queue_total", "counter", "Refused because the queue was full.",
              (double)atomic_load(&metrics->refused_queue));
    print_one(out, "vitrine_refused_memory_total", "counter",
              "Refused because bodies took too much memory.",
              (double)atomic_load(&metrics->refused_memory));
    print_one(out, "vitrine_refused_rate_total", "counter", "Refused because of a key's rate.",
              (double)atomic_load(&metrics->refused_rate));
    print_one(out, "vitrine_aborted_total", "counter", "Connections that ended before the answer.",
              (double)atomic_load(&metrics->aborted));
    print_one(out, "vitrine_cache_hits_total", "counter", "Answers given a second time.",
              (double)atomic_load(&metrics->cache_hits));
    print_one(out, "vitrine_cache_misses_total", "counter", "Answers that had to be worked out.",
              (double)atomic_load(&metrics->cache_misses));
    print_one(out, "vitrine_not_modified_total", "counter",
              "Clients told that they have the answer before it was worked out.",
              (double)atomic_load(&metrics->not_modified));
    print_one(out, "vitrine_cache_bytes", "gauge", "Memory that kept answers take.",
              (double)vt_answer_cache_bytes(server->cache));
    print_one(out, "vitrine_resident_bytes", "gauge", "Memory of this process.", resident_bytes());
    print_one(out, "vitrine_uptime_seconds", "gauge", "Since the start.",
              (vt_clock_ms() - server->started_ms) / 1000.0);
    print_shop(server, out);
}
