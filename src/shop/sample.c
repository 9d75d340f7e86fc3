/* SPDX-License-Identifier: Apache-2.0 */
/* The rendered catalogue, as the public API has it. */
#include "sample/sample.h"

vt_sample_options vt_sample_defaults(void)
{
    return vt_sample_options_defaults();
}

vt_status vt_sample_make(const char *directory, const vt_sample_options *options,
                         vt_sample_report *report, vt_error *error)
{
    return vt_sample_render(directory, options, report, error);
}
