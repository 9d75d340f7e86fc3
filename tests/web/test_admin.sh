#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The back office in Debian's chromium, driven by playwright-core and judged by axe-core; skipped (77) where one
# of them is absent. As test_window.sh.
#
#     tests/web/test_admin.sh VITRINE [SCREENSHOTS]
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
work=$(mktemp -d /tmp/vt-admin-XXXXXX) || exit 1
servers=
trap 'for one in $servers; do kill "$one" 2>/dev/null; done; wait; rm -rf "$work"' EXIT
cd "$work" || exit 1

# start SHOP: serves it on a free port, $url
start() {
    : >"$1.out"
    "$vitrine" serve "$1" --write --listen 127.0.0.1:0 >"$1.out" 2>"$1.err" &
    servers="$servers $!"
    while ! grep -q 'http://' "$1.out"; do
        kill -0 $! 2>/dev/null || { cat "$1.err"; exit 1; }
        sleep 0.1
    done
    url=$(sed 's/.* at //; s/127\.0\.0\.1/localhost/' "$1.out")
}

"$vitrine" sample goods --products 40 --views 1 --size 256 >/dev/null 2>&1 && "$vitrine" init shop >/dev/null || exit 1
# A row without a picture and one whose picture lies elsewhere: they are to be left out.
columns=$(head -n 1 goods/products.csv | tr -cd , | wc -c)
awk -v n="$columns" 'NR == 1 { for (i = 1; i <= split($0, name, ","); i++) if (name[i] == "image_link") at = i }
    { print } END { for (k = 1; k <= 2; k++) { line = "bad-" k; for (i = 2; i <= n + 1; i++)
    line = line "," (i == at ? (k == 1 ? "none.jpg" : "/etc/passwd") : ""); print line } }' goods/products.csv >goods/feed.csv
"$vitrine" init keyed >/dev/null && "$vitrine" import keyed goods/products.csv >/dev/null 2>&1 || exit 1
key=$("$vitrine" key add keyed --scopes admin --name owner 2>/dev/null) || exit 1
write=$("$vitrine" key add keyed --scopes write,search 2>/dev/null) || exit 1
start shop
open=$url
start keyed
node "$here/admin.mjs" "$modules" "$chromium" "$open" "$work/goods" "$url" "$key" "$write" $shots
