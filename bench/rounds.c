/* SPDX-License-Identifier: Apache-2.0 */
/* The other end of bench/rounds.sh, see rounds.h. */
#include "bench/rounds.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

enum { COUNT_MAXIMUM = 1000000000 };

vt_status vt_bench_rounds(vt_bench_work work, void *context, vt_error *error)
{
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        int64_t count;
        line[strcspn(line, "\n")] = '\0';
        if (!vt_parse_int(line, 0, COUNT_MAXIMUM, &count))
            return vt_fail(error, VT_ERR_USAGE, "\"%s\" is no count", line);
        if (count == 0)
            break;
        double begin = vt_clock_ms();
        vt_status status = work(context, count, error);
        if (status != VT_OK)
            return status;
        printf("%.4f\n", vt_clock_ms() - begin);
        fflush(stdout);
    }
    return VT_OK;
}
