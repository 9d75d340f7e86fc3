/* SPDX-License-Identifier: Apache-2.0 */
/* The peers that a library holds: see search_peer.h. */
#ifndef VT_BENCH_SEARCH_LOAD_H
#define VT_BENCH_SEARCH_LOAD_H

#include <dlfcn.h>
#include <stdio.h>

#include "bench/search_peer.h"

typedef const search_peer *search_peer_getter(size_t index);

/* Stays loaded. NULL: it cannot be, or is no library of peers, and that was said. */
static inline search_peer_getter *search_peers_load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    search_peer_getter *get = NULL;
    if (library)
        *(void **)&get = dlsym(library, "search_peer_get");
    if (!get)
        fprintf(stderr, "%s\n", dlerror());
    return get;
}

#endif
