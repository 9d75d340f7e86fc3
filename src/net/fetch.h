/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetching what a stranger's feed points to, without becoming the stranger's tool: http and https
 * only, public addresses only (checked on the address actually connected to, again after every
 * redirect), bounded size, time and redirects, no credentials, no cookies, no proxies from the URL.
 *
 *     vt_fetcher *fetcher;
 *     vt_fetch_options options = vt_fetch_options_defaults();
 *     vt_fetcher_new(&options, &fetcher, error);
 *     vt_fetch(fetcher, "https://shop.example/a.jpg", &bytes, error);
 *     vt_fetcher_free(fetcher);
 *
 * Threads: a fetcher keeps connections alive and belongs to one thread at a time.
 */
#ifndef VT_NET_FETCH_H
#define VT_NET_FETCH_H

#include "base/buf.h"
#include "base/status.h"

typedef struct vt_fetch_options {
    size_t maximum_bytes;
    long timeout_ms, connect_timeout_ms; /* of one attempt; a pause is no longer than timeout_ms */
    int maximum_redirects;
    /* For time-outs, dropped connections, 429 and 5xx, with growing pauses, or what the server asks
     * for in Retry-After; a server that asks for more than timeout_ms is not asked again. */
    int attempts;
    bool allow_private_hosts; /* loopback, private, link-local and the like */
    bool web_ports_only;      /* 80 and 443, also after a redirect */
    /* "NAME:PORT:ADDRESS": what these names mean, whatever the system would say. Their addresses
     * are held to the same rules. Borrowed as long as the fetcher lives. */
    const char *const *names;
    size_t name_count;
} vt_fetch_options;
vt_fetch_options vt_fetch_options_defaults(void); /* 64 MiB, 30 s, 10 s, 5, 3; the rest: no */

typedef struct vt_fetcher vt_fetcher;
vt_status vt_fetcher_new(const vt_fetch_options *options, vt_fetcher **out, vt_error *error);
void vt_fetcher_free(vt_fetcher *fetcher);
/* Appends the body; on failure `body` is as it was. VT_ERR_DENIED for schemes, addresses and
 * ports that are refused, VT_ERR_NOT_FOUND for 404/410, VT_ERR_LIMIT for size and redirects,
 * VT_ERR_FORMAT for a malformed URL, VT_ERR_IO for everything on the wire; messages carry the URL.
 */
vt_status vt_fetch(vt_fetcher *fetcher, const char *url, vt_buf *body, vt_error *error);

/* Is this literal IPv4/IPv6 address one of the public internet? IPv6 forms with an IPv4 address
 * inside (v4-mapped, NAT64, 6to4, Teredo) are not, whatever they carry; nor is what is no address.
 */
bool vt_address_is_public(const char *address);

#endif
