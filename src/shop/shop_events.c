/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What shoppers did: checked, then kept beside the catalogue; told of; removed again.
 *
 * Events name products by their ids, so that those of a product that is taken out stay until they
 * are pruned. When they are told of, the catalogue is asked for titles: what it does not have any
 * more is said to be gone.
 *
 * The file is opened for adding when the first event comes, and stays open. It has a lock of its
 * own: neither searches nor changes of products wait for it.
 */
#include "shop/shop.h"

#include "base/clock.h"
#include "store/event_log.h"

#include <string.h>

enum { REPORT_BYTES = 64 << 20, REPORT_TOP = 1000, PRODUCT_BYTES = 64 << 20 };

const char *vt_event_kind_name(vt_event_kind kind)
{
    static const char *const names[VT_EVENT_KINDS] = {"view", "click", "cart", "purchase"};
    unsigned index = (unsigned)kind;
    return index < VT_EVENT_KINDS ? names[index] : "unknown";
}

/* ---- adding ---- */

static bool is_search_id(const char *text)
{
    uint8_t bytes[VT_EVENT_SEARCH_BYTES];
    return vt_unhex(text, bytes, sizeof(bytes));
}

static vt_status check_session(const char *session, vt_error *error)
{
    size_t length = strlen(session);
    if (length < 1 || length > VT_EVENT_MAX_SESSION_BYTES)
        return vt_fail(error, VT_ERR_USAGE, "the session has %zu bytes, 1 to %d can be", length,
                       VT_EVENT_MAX_SESSION_BYTES);
    return VT_OK;
}

static vt_status check_form(const vt_event *event, int64_t now_ms, vt_error *error)
{
    if ((unsigned)event->kind >= VT_EVENT_KINDS)
        return vt_fail(error, VT_ERR_USAGE,
                       "the event's kind is none of view, click, cart, "
                       "purchase");
    if (event->product == NULL || event->product[0] == '\0')
        return vt_fail(error, VT_ERR_USAGE, "the event names no product");
    if (event->search != NULL && !is_search_id(event->search))
        return vt_fail(error, VT_ERR_USAGE, "\"%.40s\" is no id of a search", event->search);
    if (event->position < 0 || event->position > VT_EVENT_MAX_POSITION)
        return vt_fail(error, VT_ERR_USAGE, "the position %d is not from 1 to %d", event->position,
                       VT_EVENT_MAX_POSITION);
    if (event->position > 0 && event->search == NULL)
        return vt_fail(error, VT_ERR_USAGE, "a position needs the search that it is of");
    if (event->time_ms < 0 || event->time_ms > now_ms)
        return vt_fail(error, VT_ERR_USAGE, "the time is %s",
                       event->time_ms < 0 ? "before 1970" : "in the future");
    return event->session != NULL ? check_session(event->session, error) : VT_OK;
}

/* A verdict on the event; a failure that is not its own goes on to *error. */
static vt_status check(vt_shop *shop, const vt_event *event, int64_t now_ms, vt_error *verdict,
                       vt_error *error)
{
    bool there = false;
    *verdict = (vt_error){.status = VT_OK};
    if (check_form(event, now_ms, verdict) != VT_OK)
        return VT_OK;
    vt_status status = vt_store_has(shop->store, event->product, &there, error);
    if (status == VT_OK && !there)
        (void)vt_error_set(verdict, VT_ERR_NOT_FOUND, "there is no product \"%.200s\"",
                           event->product);
    return status;
}

/* Opened once; *out is borrowed from the shop. */
static vt_status need_events(vt_shop *shop, vt_event_log **out, vt_error *error)
{
    pthread_mutex_lock(&shop->lock);
    vt_status status = shop->events != NULL ? VT_OK
                                            : vt_event_log_open(shop->directory, VT_EVENT_LOG_WRITE,
                                                                &shop->events, error);
    *out = shop->events;
    pthread_mutex_unlock(&shop->lock);
    return status;
}

vt_status vt_shop_add_events(vt_shop *shop, const vt_event *events, size_t count,
                             vt_error *verdicts, vt_error *error)
{
    vt_event_log *file = NULL;
    int64_t now_ms = vt_clock_unix_ms();
    size_t good = 0;
    if (count > VT_EVENTS_MAX)
        return vt_fail(error, VT_ERR_LIMIT, "add events: %zu at once, at most %d can be", count,
                       VT_EVENTS_MAX);
    vt_event *chosen = vt_alloc_array(count + 1, sizeof(*chosen));
    vt_status status = chosen != NULL ? VT_OK : vt_fail_memory(error, "events");
    for (size_t i = 0; i < count && status == VT_OK; i++) {
        status = check(shop, &events[i], now_ms, &verdicts[i], error);
        if (status != VT_OK || verdicts[i].status != VT_OK)
            continue;
        chosen[good] = events[i];
        chosen[good].time_ms = events[i].time_ms > 0 ? events[i].time_ms : now_ms;
        good++;
    }
    if (status == VT_OK && (good > 0 || count == 0))
        status = need_events(shop, &file, error);
    if (status == VT_OK && good > 0)
        status = vt_event_log_add(file, chosen, good, error);
    vt_free(chosen);
    return status;
}

/* ---- telling ---- */

vt_event_report_options vt_event_report_options_defaults(void)
{
    return (vt_event_report_options){.top = 10};
}

/* What vt_shop_report_events hands out. */
typedef struct report_block {
    vt_event_report report; /* first: the caller holds a pointer to it */
    vt_arena arena;
} report_block;

void vt_event_report_free(vt_event_report *report)
{
    report_block *block = (report_block *)report;
    if (block == NULL)
        return;
    vt_arena_deinit(&block->arena);
    vt_free(block);
}

/* Titles from the catalogue as it is now: a copy of `products` (count) with them. */
static vt_status add_titles(vt_shop *shop, vt_arena *arena, size_t count,
                            const vt_event_product **products, vt_error *error)
{
    vt_arena reading;
    vt_event_product *all = vt_arena_array(arena, count + 1, sizeof(*all));
    vt_status status = all != NULL ? VT_OK : vt_fail_memory(error, "a report of events");
    vt_arena_init(&reading, PRODUCT_BYTES);
    for (size_t i = 0; i < count && status == VT_OK; i++) {
        vt_product product = {0};
        all[i] = (*products)[i];
        status = vt_store_get(shop->store, all[i].product, &reading, &product, error);
        all[i].gone = status == VT_ERR_NOT_FOUND;
        if (status == VT_OK && product.title != NULL) {
            all[i].title = vt_arena_strdup(arena, product.title);
            status = all[i].title != NULL ? VT_OK : vt_fail_memory(error, "a report of events");
        }
        if (all[i].gone)
            status = VT_OK;
        vt_arena_reset(&reading);
    }
    vt_arena_deinit(&reading);
    *products = all;
    return status;
}

static vt_status report(vt_shop *shop, const vt_event_report_options *options, report_block *block,
                        vt_error *error)
{
    vt_event_report *out = &block->report;
    vt_event_log *file = NULL;
    vt_status status = vt_event_log_open(shop->directory, VT_EVENT_LOG_READ, &file, error);
    if (status == VT_ERR_NOT_FOUND) /* nobody did anything yet */
        return VT_OK;
    if (status == VT_OK)
        status = vt_event_log_report(file, options, &block->arena, out, error);
    vt_event_log_close(file);
    if (status == VT_OK)
        status = add_titles(shop, &block->arena, out->clicked_count, &out->clicked, error);
    if (status == VT_OK)
        status = add_titles(shop, &block->arena, out->bought_count, &out->bought, error);
    return status;
}

vt_status vt_shop_report_events(vt_shop *shop, const vt_event_report_options *options,
                                vt_event_report **out, vt_error *error)
{
    if (options->top > REPORT_TOP)
        return vt_fail(error, VT_ERR_LIMIT, "report events: the top %zu, at most %d can be",
                       options->top, REPORT_TOP);
    report_block *block = vt_calloc(1, sizeof(*block));
    if (block == NULL)
        return vt_fail_memory(error, "a report of events");
    vt_arena_init(&block->arena, REPORT_BYTES);
    vt_status status = report(shop, options, block, error);
    if (status != VT_OK) {
        vt_event_report_free(&block->report);
        return status;
    }
    *out = &block->report;
    return VT_OK;
}

/* ---- removing ---- */

/* *out NULL: nothing was ever added, so that there is nothing to remove. */
static vt_status open_for_removal(vt_shop *shop, vt_event_log **out, vt_error *error)
{
    *out = NULL;
    vt_status status = vt_event_log_open(shop->directory, VT_EVENT_LOG_CHANGE, out, error);
    return status == VT_ERR_NOT_FOUND ? VT_OK : status;
}

vt_status vt_shop_prune_events(vt_shop *shop, int64_t before_ms, uint64_t *removed, vt_error *error)
{
    vt_event_log *file;
    uint64_t count = 0;
    vt_status status = open_for_removal(shop, &file, error);
    if (status == VT_OK && file != NULL)
        status = vt_event_log_prune(file, before_ms, &count, error);
    vt_event_log_close(file);
    if (status == VT_OK)
        *removed = count;
    return status;
}

vt_status vt_shop_forget_session(vt_shop *shop, const char *session, uint64_t *removed,
                                 vt_error *error)
{
    vt_event_log *file;
    uint64_t count = 0;
    vt_status status = check_session(session, error);
    if (status != VT_OK)
        return vt_fail_context(error, status, "forget a session");
    status = open_for_removal(shop, &file, error);
    if (status == VT_OK && file != NULL)
        status = vt_event_log_forget(file, session, &count, error);
    vt_event_log_close(file);
    if (status == VT_OK)
        *removed = count;
    return status;
}
