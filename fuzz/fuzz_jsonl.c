/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as JSON Lines of products. Every row must be whole or refused with a
 * reason, lines must not run backwards, and reading must end.
 *
 *     CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined \
 *         -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link
 *     ninja -C build-fuzz fuzz/fuzz_jsonl && build-fuzz/fuzz/fuzz_jsonl corpus/
 */
#include "fuzz_feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    fuzz_feed("jsonl", bytes, length);
    return 0;
}
