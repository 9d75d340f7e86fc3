# SPDX-License-Identifier: Apache-2.0
# A server to ask with curl, for the scripts of this folder; sourced, with the program as $1. Their work is
# done in a folder of its own that is gone afterwards.
vitrine=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
command -v curl >/dev/null || { echo "curl is not here"; exit 77; }
work=$(mktemp -d /tmp/vt-server-XXXXXX) || exit 1
server=
trap 'test -n "$server" && kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0 failures=0

# check WHAT WANT GOT
check() {
    if [ "$2" = "$3" ]; then passed=$((passed + 1)); else
        failures=$((failures + 1))
        echo "[  FAILED  ] $1: $3 instead of $2"
    fi
}
# code WANT ARGUMENT...: curl answers with this HTTP status
code() {
    want=$1
    shift
    got=$(curl -s -o body -w '%{http_code}' "$@")
    check "$*" "$want" "$got"
}
holds() { if grep -qF -- "$1" body; then got=yes; else got=no; fi; check "body holds $1" yes $got; }
start() {
    : >out
    "$vitrine" serve shop --listen 127.0.0.1:0 "$@" >out 2>err &
    server=$!
    while ! grep -q '://' out; do
        kill -0 $server 2>/dev/null || { cat err; exit 1; }
        sleep 0.1
    done
    url=$(sed 's/.* at //' out)
}
stop() {
    kill -TERM $server
    wait $server
    check "end of the server" 0 $?
    server=
}
