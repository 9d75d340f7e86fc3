/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine's own indexes in the shape of peers of bench/search. Threads: as search_peer.h says. */
#ifndef VT_BENCH_SEARCH_VITRINE_H
#define VT_BENCH_SEARCH_VITRINE_H

#include "bench/search_peer.h"

const search_peer *vt_bench_search_own(size_t index); /* NULL after the last */

#endif
