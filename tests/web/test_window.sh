#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The shop window in Debian's chromium, driven by playwright-core and judged by axe-core; skipped (77) where one
# of them is absent.
#
#     tests/web/test_window.sh VITRINE [SCREENSHOTS]
. "$(dirname "$0")/browser.sh"

"$vitrine" sample goods --products 30 --views 1 --size 256 >/dev/null 2>&1 && "$vitrine" init shop >/dev/null &&
    "$vitrine" import shop goods/products.csv >/dev/null 2>&1 && cp -r shop keyed || exit 1
key=$("$vitrine" key add keyed 2>/dev/null) || exit 1
start shop --events
open=$url
start keyed --events
node "$here/window.mjs" "$modules" "$chromium" "$open" "goods/$(sed -n 2p goods/queries.csv | cut -d, -f1)" "$url" "$key" $shots || exit 1
"$vitrine" events shop --json >told && grep -q '"view": [1-9]' told && grep -q '"click": [1-9]' told ||
    { echo "[  FAILED  ] what the page told was not kept"; cat told; exit 1; }
