/* SPDX-License-Identifier: Apache-2.0 */
/* The first failure among workers: the others after it say no more. */
#include "base/thread.h"

void vt_first_error_init(vt_first_error *first)
{
    *first = (vt_first_error){.status = VT_OK};
    pthread_mutex_init(&first->lock, NULL);
}

void vt_first_error_deinit(vt_first_error *first)
{
    pthread_mutex_destroy(&first->lock);
}

void vt_first_error_note(vt_first_error *first, vt_status status, const vt_error *error)
{
    if (status == VT_OK)
        return;
    pthread_mutex_lock(&first->lock);
    if (first->status == VT_OK) {
        first->status = status;
        first->error = *error;
    }
    pthread_mutex_unlock(&first->lock);
}

vt_status vt_first_error_give(const vt_first_error *first, vt_error *error)
{
    return first->status == VT_OK ? VT_OK
                                  : vt_fail(error, first->status, "%s", first->error.message);
}
