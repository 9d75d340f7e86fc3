#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A server that is killed (SIGKILL) in the middle of a training, while it trains and while the new encoder is
# measured with vectors of its own in the shop: it starts again without help, says that the training was
# interrupted, has nothing of it but what a next one takes away, and answers from the vectors that it had. Then
# a training goes through. VITRINE_KILLS: how often each (1).
#
#     tests/server/test_killed_training.sh VITRINE
set -u
LC_ALL=C
export LC_ALL
. "$(dirname "$0")/serving.sh"

"$vitrine" sample goods --products 40 --views 2 --size 64 --seed 7 >/dev/null 2>&1 &&
    "$vitrine" init shop --model classic >/dev/null &&
    "$vitrine" import shop goods/products.csv >/dev/null 2>&1 || exit 1
photo=goods/$(sed -n 2p goods/queries.csv | cut -d, -f1)

# train EPOCHS: a small training as a job; its id on standard output
train() {
    curl -s -H 'Content-Type: application/json' "$url/v1/jobs" -d '{"kind":"train","recipe":{"arch":"resnet9","width":0.1,
        "size":32,"batch":4,"augment":"none","val_share":0.4,"lr":0.02,"threads":1,"epochs":'"$1"'}}' |
        sed -n 's/.*"id":"\([^"]*\)".*/\1/p'
}
# member ID NAME: a text of a job
member() { curl -s "$url/v1/jobs/$1" | sed -n "s/.*\"$2\":\"\([a-z]*\)\".*/\1/p"; }
# answers: what a search finds, without what differs from one to the next
answers() {
    curl -s -F "image=@$photo" -F top=10 "$url/v1/search" | grep -oE '"(similarity|id)":"?[^,"]*'
}
encoder() { curl -s "$url/v1/info" | sed -n 's/.*"model":{\([^}]*\)}.*/\1/p'; }
# until_stage ID STAGE: waits until the job is there, or has ended; asks a hundred times a second, on one connection
until_stage() {
    curl -s -N --fail-early --rate 100/s "$url/v1/jobs/$1?[1-60000]" 2>/dev/null |
        grep -qm1 -E "\"stage\":\"$2\"|\"state\":\"(done|failed|cancelled)\""
}

start --write
before=$(encoder)
answers >wanted
check "a search finds something" yes "$(grep -q similarity wanted && echo yes)"
kills=${VITRINE_KILLS:-1}
interrupted=0
for stage in train measure; do
    round=0
    while [ "$round" -lt "$kills" ]; do
        # The first goes on for ever; the other comes to its last stages.
        job=$(train "$([ $stage = train ] && echo 100000 || echo 1)")
        check "a training has begun" yes "$([ -n "$job" ] && echo yes)"
        until_stage "$job" "$stage"
        kill -KILL $server
        wait $server 2>/dev/null
        start --write
        got=$(member "$job" state)
        [ "$got" != interrupted ] || interrupted=$((interrupted + 1))
        # It may have come to its end before it was killed, but not the endless one.
        case $stage/$got in */interrupted | measure/done) got=yes ;; esac
        check "state of the training killed at $stage" yes "$got"
        check "what is left of it" "" "$(find "shop/jobs/$job" -type f ! -name report.html 2>/dev/null)"
        # The encoder is the one before, with the vectors before, or (the switch was done) the next, whole.
        if [ "$(encoder)" = "$before" ]; then
            answers >found
            check "what is found after $stage" yes "$(cmp -s wanted found && echo yes)"
        else
            check "the encoder changes with the switch alone" measure "$stage"
            before=$(encoder)
            answers >wanted
            check "a search finds something" yes "$(grep -q similarity wanted && echo yes)"
        fi
        "$vitrine" info shop --check >check.out 2>&1
        check "the shop after $stage" 0 $?
        round=$((round + 1))
    done
done
check "most of them were interrupted" yes "$([ "$interrupted" -ge "$kills" ] && echo yes)"
job=$(train 1)
until_stage "$job" none
check "a whole training" done "$(member "$job" state)"
answers >found
check "a search finds something" yes "$(grep -q similarity found && echo yes)"
stop
"$vitrine" info shop --check >check.out 2>&1
check "the shop in the end" 0 $?
"$vitrine" index check shop --sample 20 >check.out 2>&1
check "its index" 0 $?

echo "[  PASSED  ] $passed test(s)"
[ "$failures" -eq 0 ]
