/* SPDX-License-Identifier: Apache-2.0 */
/* Time. Threads: no shared state. */
#ifndef VT_BASE_CLOCK_H
#define VT_BASE_CLOCK_H

#include <stdint.h>

double vt_clock_ms(void);       /* monotonic, since some fixed moment */
int64_t vt_clock_unix_ms(void); /* since 1970, UTC */

#endif
