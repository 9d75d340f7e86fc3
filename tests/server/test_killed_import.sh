#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A server that is killed (SIGKILL) at any moment of an import, with products put beside it: it starts again
# without help, has every product that it acknowledged, knows that the import was interrupted, and the same
# feed makes the catalogue whole. VITRINE_KILLS: how often (2).
#
#     tests/server/test_killed_import.sh VITRINE
set -u
LC_ALL=C
export LC_ALL
. "$(dirname "$0")/serving.sh"

products=40
"$vitrine" sample goods --products $products --views 1 --size 64 --seed 5 >/dev/null 2>&1 || exit 1
photo=goods/$(sed -n 2p goods/queries.csv | cut -d, -f1)
cd goods || exit 1
find . -name '*.jpg' | sed 's|^\./||; s|.*|-F\nimage=@&;filename=&|' >../pictures
cd .. || exit 1

# import: the feed with its pictures as a job; its id on standard output
import() {
    (cd goods && tr '\n' '\0' <../pictures | xargs -0 curl -s -F feed=@products.csv "$url/v1/jobs") |
        sed -n 's/.*"id":"\([^"]*\)".*/\1/p'
}
# state ID: of a job
state() { curl -s "$url/v1/jobs/$1" | sed -n 's/.*"state":"\([a-z]*\)".*/\1/p'; }

# put_until_killed: products beside the import, the acknowledged ones noted
put_until_killed() {
    n=0
    while got=$(curl -s -o /dev/null -w '%{http_code}' -X PUT -F "product={\"title\":\"Put $n\"}" \
        -F "image=@$photo" "$url/v1/products/put-$round-$n"); do
        case $got in 200 | 201) echo "put-$round-$n" >>acknowledged ;; esac
        n=$((n + 1))
    done
    echo "put-$round-$n" >>unanswered
}

: >acknowledged
: >unanswered
"$vitrine" init shop --model classic >/dev/null || exit 1
round=0
kills=${VITRINE_KILLS:-2}
while [ "$round" -lt "$kills" ]; do
    start --write
    put_until_killed &
    putting=$!
    job=$(import)
    check "an import has begun" yes "$([ -n "$job" ] && echo yes)"
    # From the first moments of the job to its end.
    sleep "$(awk -v round="$round" 'BEGIN { srand(round + 1); printf "%.2f", rand() }')"
    kill -KILL $server
    wait $server 2>/dev/null
    wait $putting
    start --write
    case $(state "$job") in
    interrupted | done | queued | running) got=yes ;;
    *) got=$(state "$job") ;;
    esac
    check "state of the import after kill $round" yes "$got"
    while read -r id; do
        code 200 "$url/v1/products/$id"
    done <acknowledged
    stop
    "$vitrine" index check shop --sample 20 >check.out 2>&1
    check "index of the shop after kill $round" 0 $?
    "$vitrine" info shop --check >check.out 2>&1
    check "the shop after kill $round" 0 $?
    round=$((round + 1))
done

start --write
job=$(import)
while got=$(state "$job") && [ "$got" = queued ] || [ "$got" = running ]; do sleep 0.1; done
check "the whole import" done "$got"
check "some puts were acknowledged" yes "$([ -s acknowledged ] && echo yes)"
count=$(curl -s "$url/v1/info" | sed -n 's/^{"version":"[^"]*","products":\([0-9]*\).*/\1/p')
# A kill may have come between a put's commit and its answer.
stored=0
while read -r id; do
    [ "$(curl -s -o /dev/null -w '%{http_code}' "$url/v1/products/$id")" != 200 ] || stored=$((stored + 1))
done <unanswered
check "puts that were cut off" "$kills" "$(wc -l <unanswered)"
check "products in the end" $((products + $(wc -l <acknowledged) + stored)) "$count"
stop

echo "[  PASSED  ] $passed test(s)"
[ "$failures" -eq 0 ]
