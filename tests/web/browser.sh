# SPDX-License-Identifier: Apache-2.0
#
# What the tests of pages share; sourced with the script's own arguments, VITRINE [SCREENSHOTS], not run. Ends
# the test as skipped (77) where the browser, playwright-core or axe-core are absent.
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

# start SHOP [OPTIONS]: serves it on a free port, $url
start() {
    shop=$1
    shift
    : >"$shop.out"
    "$vitrine" serve "$shop" "$@" --listen 127.0.0.1:0 >"$shop.out" 2>"$shop.err" &
    servers="$servers $!"
    while ! grep -q 'http://' "$shop.out"; do
        kill -0 $! 2>/dev/null || { cat "$shop.err"; exit 1; }
        sleep 0.1
    done
    url=$(sed 's/.* at //; s/127\.0\.0\.1/localhost/' "$shop.out")
}
