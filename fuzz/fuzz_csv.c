/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as a table of products. Every row must be whole or refused with a reason,
 * lines must not run backwards, and reading must end.
 *
 *     CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined \
 *         -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link
 *     ninja -C build-fuzz fuzz/fuzz_csv && build-fuzz/fuzz/fuzz_csv corpus/
 */
#include "fuzz_feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    fuzz_feed("csv", bytes, length);
    return 0;
}
