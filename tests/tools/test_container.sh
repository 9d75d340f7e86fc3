#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The container of examples/ is built and run, without a registry: the image that its stages begin with is made
# by debootstrap, buildah builds the rest in chroots, and the program in it is run as the image says. Takes
# minutes and some gigabytes below TMPDIR, so only where VITRINE_CONTAINER is set (to 1, or to a folder in which
# debootstrap's roots are kept for the next time); wants root, buildah and debootstrap (Debian packages) and a
# mirror of Debian.
#
#     VITRINE_CONTAINER=1 tests/tools/test_container.sh SOURCE_ROOT
set -u
LC_ALL=C
export LC_ALL
[ -n "${VITRINE_CONTAINER:-}" ] || { echo "VITRINE_CONTAINER is not set: no container is built"; exit 77; }
for tool in buildah debootstrap curl; do
    command -v $tool >/dev/null || { echo "$tool is not here"; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "root is needed"; exit 77; }
root=$(cd "$1" && pwd)
recipe=$root/examples/Containerfile
work=$(mktemp -d "${TMPDIR:-/tmp}/vt-container-XXXXXX") || exit 1
roots=$work
[ ! -d "$VITRINE_CONTAINER" ] || roots=$(cd "$VITRINE_CONTAINER" && pwd)
passed=0 failures=0
runner=
finish() {
    [ -z "$runner" ] || kill "$runner" 2>/dev/null
    wait 2>/dev/null
    build umount --all >/dev/null 2>&1
    rm -rf "$work"
}
build() { buildah --storage-driver vfs --root "$work/images" --runroot "$work/run" "$@"; }
trap finish EXIT
trap 'exit 1' INT TERM

# check WHAT WANT GOT
check() {
    if [ "$2" = "$3" ]; then passed=$((passed + 1)); else
        failures=$((failures + 1))
        echo "[  FAILED  ] $1: $3 instead of $2"
    fi
}
give_up() {
    tail -n 30 "$work/log"
    echo "[  FAILED  ] $1"
    exit 1
}

# ---- what the stages begin with ----
for image in $(sed -n 's/^FROM \([^ ]*\).*/\1/p' "$recipe" | sort -u); do
    suite=$(echo "$image" | sed 's/.*:\([a-z]*\)-slim$/\1/')
    [ -f "$roots/$suite/etc/debian_version" ] ||
        debootstrap --variant=minbase "$suite" "$roots/$suite" >"$work/log" 2>&1 || give_up "debootstrap of $suite"
    container=$(build from scratch) && build add -q "$container" "$roots/$suite" / >"$work/log" 2>&1 &&
        build config --cmd bash "$container" && build commit -q "$container" "$image" >"$work/log" 2>&1 ||
        give_up "$image"
    build rm "$container" >/dev/null
done

# ---- the build, as the recipe's first line says ----
build bud --isolation chroot --pull-never -t vitrine -f "$recipe" "$root" >"$work/log" 2>&1 || give_up "the build"
container=$(build from --pull-never vitrine) || give_up "the image"
place=$(build mount "$container") || give_up "mounting the image"
check "who runs it" 10001:10001 "$(build inspect --type image --format '{{.OCIv1.Config.User}}' vitrine)"
check "no compiler is in it" "" "$(find "$place/usr/bin" -name 'gcc*' -o -name meson)"

# ---- the program in it, as that user ----
inside() { build run --isolation chroot "$@"; }
check "its version" "$(sed -n "s/^ *version: '\([^']*\)'.*/vitrine \1/p" "$root/meson.build" | head -n 1)" \
    "$(inside "$container" -- /usr/local/bin/vitrine --version 2>"$work/log")"
check "who that is" 10001 "$(inside "$container" -- id -u 2>"$work/log")"
# In the container's own tree: in chroots what is mounted over a VOLUME does not outlast the run.
mkdir "$place/data" && chown 10001:10001 "$place/data"
on_shop() { inside "$container" -- /usr/local/bin/vitrine "$@"; }
on_shop init /data >"$work/log" 2>&1
check "a shop is made" 0 $?
key=$(on_shop key add /data --scopes search 2>"$work/log")
check "a key is made" yes "$([ -n "$key" ] && echo yes)"
# The image's own command, at a port of ours.
command=$(sed -n 's/^CMD \[\(.*\)\]$/\1/p' "$recipe" | sed 's/[",]//g; s/0\.0\.0\.0:8080/0.0.0.0:18080/; s|/shop|/data|')
# shellcheck disable=SC2086
on_shop $command >"$work/served" 2>&1 &
runner=$!
tries=0
until curl -s -o "$work/health" http://127.0.0.1:18080/healthz || [ $tries -ge 300 ]; do
    kill -0 $runner 2>/dev/null || { cat "$work/served"; break; }
    tries=$((tries + 1))
    sleep 0.1
done
check "it serves" yes "$([ -s "$work/health" ] && echo yes)"
check "strangers are refused" 401 "$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:18080/v1/info)"
check "its key is known" 200 \
    "$(curl -s -o /dev/null -w '%{http_code}' -H "X-Api-Key: $key" http://127.0.0.1:18080/v1/info)"
server=$(pgrep -f '^/usr/local/bin/vitrine serve /data --listen 0.0.0.0:18080' | head -n 1)
check "the server's user" 10001 "$(awk '/^Uid:/ { print $2 }' "/proc/${server:-0}/status" 2>/dev/null)"
[ -z "$server" ] || kill -TERM "$server"
wait $runner
check "its end" 0 $?
runner=

echo "[  PASSED  ] $passed test(s)"
[ "$failures" -eq 0 ]
