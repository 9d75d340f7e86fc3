#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The back office in Debian's chromium, driven by playwright-core and judged by axe-core; skipped (77) where one
# of them is absent.
#
#     tests/web/test_admin.sh VITRINE [SCREENSHOTS]
. "$(dirname "$0")/browser.sh"

"$vitrine" sample goods --products 40 --views 1 --size 256 >/dev/null 2>&1 && "$vitrine" init shop >/dev/null || exit 1
# A row without a picture and one whose picture lies elsewhere: they are to be left out.
columns=$(head -n 1 goods/products.csv | tr -cd , | wc -c)
awk -v n="$columns" 'NR == 1 { for (i = 1; i <= split($0, name, ","); i++) if (name[i] == "image_link") at = i }
    { print } END { for (k = 1; k <= 2; k++) { line = "bad-" k; for (i = 2; i <= n + 1; i++)
    line = line "," (i == at ? (k == 1 ? "none.jpg" : "/etc/passwd") : ""); print line } }' goods/products.csv >goods/feed.csv
"$vitrine" init keyed >/dev/null && "$vitrine" import keyed goods/products.csv >/dev/null 2>&1 || exit 1
key=$("$vitrine" key add keyed --scopes admin --name owner 2>/dev/null) || exit 1
write=$("$vitrine" key add keyed --scopes write,search 2>/dev/null) || exit 1
start shop --write
open=$url
start keyed --write
node "$here/admin.mjs" "$modules" "$chromium" "$open" "$work/goods" "$url" "$key" "$write" $shots
