/* SPDX-License-Identifier: Apache-2.0 */
/* A token bucket: an average rate, and bursts up to what the bucket holds. */
#include "server/http.h"

#include <math.h>

int vt_bucket_take(vt_bucket *bucket, double rate, double burst, double now_ms)
{
    if (bucket->filled_ms <= 0.0)
        bucket->tokens = burst;
    else if (now_ms > bucket->filled_ms)
        bucket->tokens = fmin(burst, bucket->tokens + (now_ms - bucket->filled_ms) * rate / 1000.0);
    bucket->filled_ms = now_ms;
    if (bucket->tokens >= 1.0) {
        bucket->tokens -= 1.0;
        return 0;
    }
    double wait_ms = ceil((1.0 - bucket->tokens) * 1000.0 / rate);
    return wait_ms < 1.0 ? 1 : wait_ms > 3600000.0 ? 3600000 : (int)wait_ms;
}
