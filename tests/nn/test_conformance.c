/* SPDX-License-Identifier: Apache-2.0 */
/* The operators' references against the cases of the ONNX backend suite. */
#include "conformance.h"

/* The numbers are what is supported now; they only go up. */
static void every_supported_case_matches(void **state)
{
    const scratch *s = *state;
    if (!conformance_unpack(s))
        skip();
    conformance_group(s, "simple", VT_EXECUTOR_REFERENCE, 3);
    conformance_group(s, "pytorch-operator", VT_EXECUTOR_REFERENCE, 19);
    conformance_group(s, "pytorch-converted", VT_EXECUTOR_REFERENCE, 44);
    conformance_group(s, "node", VT_EXECUTOR_REFERENCE, 436);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_supported_case_matches, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
