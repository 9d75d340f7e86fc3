#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The shop window in Debian's chromium, driven by playwright-core and judged by axe-core; skipped (77) where one
# of them is absent.
#
#     tests/web/test_window.sh VITRINE [SCREENSHOTS]
#
# VITRINE_WEB: a folder in which 'npm install playwright-core axe-core' was run ('./dev setup --all' does, and
# './dev test' names it; sanitised runs leave the browser out).
set -u
LC_ALL=C
export LC_ALL
vitrine=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
here=$(cd "$(dirname "$0")" && pwd)
shots=${2:-}
modules=${VITRINE_WEB:-}
[ -n "$modules" ] || { echo "VITRINE_WEB names no folder"; exit 77; }
chromium=$(command -v chromium) || { echo "chromium is not here"; exit 77; }
command -v node >/dev/null || { echo "node is not here"; exit 77; }
[ -d "$modules/node_modules/playwright-core" ] && [ -d "$modules/node_modules/axe-core" ] ||
    { echo "playwright-core and axe-core are not in $modules"; exit 77; }
modules=$(cd "$modules" && pwd)
work=$(mktemp -d /tmp/vt-web-XXXXXX) || exit 1
servers=
trap 'for one in $servers; do kill "$one" 2>/dev/null; done; wait; rm -rf "$work"' EXIT
cd "$work" || exit 1

# start SHOP: serves it on a free port, $url
start() {
    : >"$1.out"
    "$vitrine" serve "$1" --listen 127.0.0.1:0 >"$1.out" 2>"$1.err" &
    servers="$servers $!"
    while ! grep -q 'http://' "$1.out"; do
        kill -0 $! 2>/dev/null || { cat "$1.err"; exit 1; }
        sleep 0.1
    done
    url=$(sed 's/.* at //; s/127\.0\.0\.1/localhost/' "$1.out")
}

"$vitrine" sample goods --products 30 --views 1 --size 256 >/dev/null 2>&1 && "$vitrine" init shop >/dev/null &&
    "$vitrine" import shop goods/products.csv >/dev/null 2>&1 && cp -r shop keyed || exit 1
key=$("$vitrine" key add keyed 2>/dev/null) || exit 1
start shop
open=$url
start keyed
node "$here/window.mjs" "$modules" "$chromium" "$open" "goods/$(sed -n 2p goods/queries.csv | cut -d, -f1)" "$url" "$key" $shots
