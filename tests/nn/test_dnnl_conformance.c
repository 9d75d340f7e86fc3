/* SPDX-License-Identifier: Apache-2.0 */
/* The oneDNN executor against the cases of the ONNX backend suite: those that the operators'
 * references pass must pass here too. */
#include "conformance.h"

static void every_supported_case_matches(void **state)
{
    scratch *s = *state;
    if (!conformance_unpack(s)) {
        skip();
    }
    conformance_group(s, "simple", VT_EXECUTOR_ONEDNN, 3);
    conformance_group(s, "pytorch-operator", VT_EXECUTOR_ONEDNN, 19);
    conformance_group(s, "pytorch-converted", VT_EXECUTOR_ONEDNN, 40);
    conformance_group(s, "node", VT_EXECUTOR_ONEDNN, 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_supported_case_matches, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
