#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What lies in examples/ does what it says: the C program against a shop, the clients against a server, the
# container's recipe as far as that goes without building a container.
#
#     tests/tools/test_examples.sh VITRINE SOURCE_ROOT EXAMPLE
set -u
LC_ALL=C
export LC_ALL
root=$(cd "$2" && pwd)
example=$(cd "$(dirname "$3")" && pwd)/$(basename "$3")
. "$(dirname "$0")/../server/serving.sh"

"$vitrine" sample goods --products 8 --views 1 --size 96 >/dev/null 2>&1 &&
    "$vitrine" init shop >/dev/null && "$vitrine" import shop goods/products.csv >/dev/null 2>&1 || exit 1
photo=goods/$(sed -n 2p goods/queries.csv | cut -d, -f1)

# ---- the program on the library ----
check "lines of the C program" yes "$([ "$(wc -l <"$root/examples/search.c")" -le 40 ] && echo yes)"
"$example" shop "$photo" >found 2>err
check "the C program ends" 0 $?
check "what it finds" 5 "$(grep -cE '^-?(0|1)\.[0-9]{3} p[0-9]+$' found)"
"$vitrine" search shop "$photo" --top 5 --json >wanted.json 2>/dev/null
check "what the program finds too" yes \
    "$(grep -q "\"product\": *\"$(head -1 found | cut -d' ' -f2)\"" wanted.json && echo yes)"
"$example" none "$photo" >found 2>err
check "a shop that is not there" 3 $?
check "and why" yes "$(grep -q '^search: .*none' err && echo yes)"
"$example" >found 2>err
check "no arguments" 2 $?

# ---- clients of a server ----
start
port=$(sed 's/.*://' out)
# client NAME COMMAND...: the example, at our port
client() {
    sed "s/localhost:8080/127.0.0.1:$port/" "$root/examples/$1" >"$1"
    name=$1
    shift
    command -v "$1" >/dev/null || { echo "$1 is not here: $name is not tried"; return; }
    "$@" "$name" "$photo" >"$name.out" 2>&1
    check "end of $name" 0 $?
    check "results of $name" yes "$([ -s "$name.out" ] && grep -qE '0\.[0-9]+|"similarity"' "$name.out" && echo yes)"
}
client search.sh sh
client search.py python3
client search.mjs node
stop

# ---- the container's recipe ----
recipe=$root/examples/Containerfile
# Lines that end in a backslash go on.
sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "$recipe" | grep -v '^#' | tr -s ' ' >steps
check "stages" 2 "$(grep -c '^FROM ' steps)"
check "slim images of Debian alone" 2 "$(grep -c '^FROM docker.io/library/debian:[a-z]*-slim' steps)"
check "the user who serves" yes "$(sed -n '/^USER /s/^USER \([0-9]*\).*/\1/p' steps | grep -qv '^0*$' && echo yes)"
check "who serves comes last" USER "$(grep -nE '^(USER|RUN) ' steps | tail -1 | sed 's/^[0-9]*:\([A-Z]*\).*/\1/')"
for path in $(sed -n 's/^COPY \([a-z].*\) [^ ]*$/\1/p' steps); do
    check "$path is copied and there" yes "$([ -e "$root/$path" ] && echo yes)"
done
# Everything that the build reads is copied.
for path in $(cd "$root" && sed -n "s/^ *subdir('\([a-z]*\)'.*/\1/p" meson.build | sort -u); do
    case $path in bench | fuzz) continue ;; esac
    check "$path is copied" yes "$(grep -q "^COPY .*$path" steps && echo yes)"
done
for path in $(sed -n "s|.*'\.\./\([a-z]*\)/.*|\1|p" "$root/tests/meson.build" | sort -u); do
    check "$path is copied" yes "$(grep -q "^COPY .*$path" steps && echo yes)"
done
# packages STAGE: that the stage installs
packages() {
    awk -v wanted="$1" '/^FROM /{ stage++ } stage == wanted && /apt-get install/' steps |
        sed 's/.*--no-install-recommends//; s/&&.*//' | tr ' ' '\n' | grep . | sort -u
}
packages 1 >build.packages
packages 2 >run.packages
for package in $(sed -n '/^build_packages="/,/"$/p' "$root/dev" | sed 's/build_packages=//; s/"//g'); do
    case $package in binutils | curl) continue ;; esac # of tests and checks alone
    check "$package is there to build with" yes "$(grep -qx "$package" build.packages && echo yes)"
done
# What the program is linked to comes with a package of the second stage, where this is the same Debian.
if grep -q '^VERSION_CODENAME=bookworm' /etc/os-release 2>/dev/null && command -v dpkg >/dev/null &&
    command -v readelf >/dev/null; then
    for library in $(readelf -d "$vitrine" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
        case $library in libc.* | libm.* | ld-linux* | libasan* | libubsan* | libtsan*) continue ;; esac
        package=$(dpkg -S "*-linux-gnu/$library" 2>/dev/null | head -1 | sed 's/:.*//')
        [ -n "$package" ] || continue
        check "$library is there to run with ($package)" yes "$(grep -qx "$package" run.packages && echo yes)"
    done
else
    echo "this is not the Debian of the container: its libraries are not looked at"
fi
command=$(sed -n 's/^CMD \[\(.*\)\]$/\1/p' steps | sed 's/[",]//g')
# Its command line is one that the program knows: without a key it refuses strangers.
# shellcheck disable=SC2086
"$vitrine" $(echo "$command" | sed "s|/shop|shop|; s|0.0.0.0:8080|0.0.0.0:0|") >out 2>err
check "the container's command without a key" 8 $?

echo "[  PASSED  ] $passed test(s)"
[ "$failures" -eq 0 ]
