#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# 'vitrine serve' and 'vitrine key' as people run them, with curl: requests, limits, keys, stop. What every
# route answers to every kind of key is test_server.c's.
#
#     tests/server/test_server.sh VITRINE
set -u
LC_ALL=C
export LC_ALL
. "$(dirname "$0")/serving.sh"

"$vitrine" sample goods --products 8 --views 1 --size 96 >/dev/null 2>&1 &&
    "$vitrine" init shop >/dev/null && "$vitrine" import shop goods/products.csv >/dev/null 2>&1 || exit 1
photo=goods/$(sed -n 2p goods/queries.csv | cut -d, -f1)
id=p00001

start --write --max-body 1 --head-timeout 1 --body-timeout 1 --access-log access.log
for path in /healthz /readyz /metrics /v1/info /v1/products / /app.js /openapi.json \
    "/v1/products/$id" "/v1/products/$id/similar"; do
    code 200 "$url$path"
done
code 200 -F "image=@$photo" -F top=3 -F 'facets=category,price' "$url/v1/search"
holds '"results"'
holds '"facets":[{"name":"category"'
code 200 -H 'Content-Type: application/json' -d "{\"product\":\"$id\",\"where\":\"price > 0\"}" "$url/v1/search"
code 200 -F "image=@$photo" "$url/v1/embed"
holds '"dimension"'
hash=$(curl -s "$url/v1/products/$id" | sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/')
code 200 "$url/v1/images/$hash"
code 304 -H "If-None-Match: \"$hash\"" "$url/v1/images/$hash"
etag=$(curl -sI "$url/" | tr -d '\r' | sed -n 's/^ETag: //p')
check "policy of a page that the browser has" yes "$(curl -sI -H "If-None-Match: $etag" "$url/" |
    grep -q "^Content-Security-Policy:.*script-src 'self'" && echo yes)"
code 200 "$url/v1/images/$hash?w=24"
code 404 "$url/v1/images/00"
code 404 "$url/v1/products/none"
code 404 "$url/nothing/at/all"
code 405 -X POST "$url/healthz"
code 400 "$url/v1/products/%ff"
code 200 "$url/v1/facets?names=category,price&top=2"
holds '"facets":[{"name":"category"'
holds '"matched":8'
code 400 "$url/v1/facets"
code 400 "$url/v1/facets?names=nothing"
code 200 -F image=@$photo -F sort=-price "$url/v1/search"
holds '"similarity"'
code 400 -F image=@$photo -F sort=wieght "$url/v1/search"
code 400 -H 'Content-Type: application/json' -d '{"text":"*"}' "$url/v1/search"
code 400 -H 'Content-Type: application/json' -d '{"text":5}' "$url/v1/search"
code 200 -X PATCH -H 'Content-Type: application/json' -d '{"title":"Zwölf Gläser 红色"}' "$url/v1/products/$id"
code 200 -H 'Content-Type: application/json' -d '{"text":"glaser 红色 zwo","explain":true}' "$url/v1/search"
holds '"text_score"'
holds '"text_fields":["title"]'
holds '"strategy":"words"'
holds "\"id\":\"$id\""
code 409 -H 'Content-Type: application/json' -d '{"kind":"view","product":"p00002"}' "$url/v1/events"
code 200 -F image=@$photo -F 'text=title:"zwölf' "$url/v1/search"
holds '"results":[]'
code 400 "$url/v1/products?top=x"
code 403 -H 'Host: elsewhere.example' "$url/v1/info"
code 415 -d x "$url/v1/search"
code 422 -H 'Content-Type: application/json' -d '{' "$url/v1/search"
code 422 -H 'Content-Type: multipart/form-data; boundary=b' -d 'xx' "$url/v1/search"
code 400 -H 'Content-Type: application/json' -d '{"colour":1}' "$url/v1/search"
head -c 1500000 /dev/zero >large
code 413 -H 'Content-Type: application/json' --data-binary @large "$url/v1/search"
code 413 -H 'Transfer-Encoding: chunked' -H 'Content-Type: application/json' --data-binary @large "$url/v1/search"
code 201 -X PUT -F 'product={"title":"New","price":5,"attributes":{"color":"red"}}' -F "image=@$photo" "$url/v1/products/new%2F1"
code 200 -X PATCH -H 'Content-Type: application/json' -d '{"price":7}' "$url/v1/products/new%2F1"
holds '"price":7'
holds '"title":"New"'
code 400 -X PUT -H 'Content-Type: application/json' -d '{"title":"No picture"}' "$url/v1/products/other"
code 200 -X POST -F "image=@$photo" "$url/v1/products/new%2F1/images"
printf '%s\n' '{"op":"patch","id":"new/1","price":8}' '{"op":"delete","id":"none"}' >lines
code 200 -H 'Content-Type: application/x-ndjson' --data-binary @lines "$url/v1/products:batch"
holds '{"line":1,"id":"new/1","status":200}'
holds '"status":404'
code 204 -X DELETE "$url/v1/products/new%2F1"
code 404 "$url/v1/products/new%2F1"
# A client that drips its body is let go.
code 000 --limit-rate 1000 -H 'Content-Type: application/json' --data-binary "@$photo" -H 'Expect:' "$url/v1/search"
pids=
for i in 1 2 3 4 5 6 7 8; do
    curl -s -o /dev/null -w '%{http_code}\n' -F "image=@$photo" "$url/v1/search" >"many.$i" &
    pids="$pids $!"
done
wait $pids
check "eight at once" 8 "$(cat many.* | grep -c 200)"
stop
check "lines of the access log" yes "$(grep -q '"route":"/v1/search","status":200' access.log && echo yes)"

# Limits and what is off by itself.
start --max-pixels 900
code 413 -F "image=@$photo" "$url/v1/search"
holds 'more than the 900 allowed'
code 403 -H 'Content-Type: application/json' -d '{"image_url":"http://127.0.0.1/"}' "$url/v1/search"
stop
start --fetch-images --fetch-any-port --cache 1
code 422 -H 'Content-Type: application/json' -d "{\"image_url\":\"$url/icon.svg\"}" "$url/v1/search"
holds 'public addresses'
code 200 "$url/v1/products/$id/similar"
code 200 -D head "$url/v1/products/$id/similar"
check "an answer given before" yes "$(grep -qi '^Cache-Status: vitrine; hit' head && echo yes)"
etag=$(sed -n 's/^[Ee][Tt]ag: \(.*\)\r$/\1/p' head)
code 304 -H "If-None-Match: $etag" "$url/v1/products/$id/similar"
stop

# What shoppers do: told to the server, asked of the program beside it.
start --events
seen=$(curl -s -D - -o body "$url/v1/products/p00002/similar" | tr -d '\r' | sed -n 's/^Search-Id: //p')
check "digits of a search's id" 32 "$(printf %s "$seen" | tr -d '\n' | wc -c | tr -d ' ')"
code 200 -H 'Content-Type: application/json' "$url/v1/events" -d "[{\"kind\":\"view\",\"product\":\"p00003\",
    \"search\":\"$seen\",\"position\":1,\"session\":\"one tab\"},{\"kind\":\"click\",\"product\":\"p00003\",
    \"search\":\"$seen\",\"position\":1,\"session\":\"one tab\"},{\"kind\":\"purchase\",\"product\":\"none\"}]"
holds '"stored":2'
holds '"status":404'
"$vitrine" events shop --json >body
holds '"click": 1'
holds '"rate": 1'
holds '"without_click": 0'
"$vitrine" events shop >body
holds 'p00003'
"$vitrine" events shop --forget 'one tab' >body
holds '2 events removed'
"$vitrine" events shop --json >body
holds '"click": 0'
stop
check "who may read the events" 600 "$(stat -c %a shop/events.db)"

# TLS, where a certificate can be made.
# certify SUBJECT
certify() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
    -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout key.pem -out cert.pem 2>/dev/null; }
if command -v openssl >/dev/null; then
    certify first
    chmod 644 key.pem
    "$vitrine" serve shop --listen 127.0.0.1:0 --tls-cert cert.pem --tls-key key.pem >out 2>err
    check "a key that others can read" 8 $?
    chmod 600 key.pem
    start --tls-cert cert.pem --tls-key key.pem
    check "how it is reached" https "${url%%:*}"
    code 200 --cacert cert.pem -D head "$url/readyz"
    check "that it stays so" yes "$(grep -qi '^Strict-Transport-Security: max-age=' head && echo yes)"
    code 200 --cacert cert.pem -F "image=@$photo" "$url/v1/search"
    code 000 --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0 --cacert cert.pem "$url/readyz"
    cp cert.pem old.pem
    certify second
    chmod 600 key.pem
    kill -HUP $server
    while ! grep -q 'read anew' err; do sleep 0.1; done
    code 200 --cacert cert.pem "$url/readyz"
    code 000 --cacert old.pem "$url/readyz"
    echo nothing >cert2.pem
    cp cert.pem kept.pem
    cp cert2.pem cert.pem
    kill -HUP $server
    while ! grep -q 'as before' err; do sleep 0.1; done
    code 200 --cacert kept.pem "$url/readyz"
    stop
else
    echo "openssl is not here: TLS is left to test_tls.c"
fi

search=$("$vitrine" key add shop --scopes search 2>/dev/null)
slow=$("$vitrine" key add shop --scopes search --rate 1 2>/dev/null)
check "who may read the keys" 600 "$(stat -c %a shop/keys.json)"
start
code 200 "$url/"
code 401 "$url/v1/info"
code 200 -H "X-Api-Key: $search" "$url/v1/info"
code 200 -H "Authorization: Bearer $slow" "$url/v1/info"
code 429 -H "Authorization: Bearer $slow" "$url/v1/info"
"$vitrine" key revoke shop "$(echo "$search" | cut -d_ -f2)"
sleep 1.2
code 401 -H "X-Api-Key: $search" "$url/v1/info"
stop

rm shop/keys.json
"$vitrine" serve shop --listen 0.0.0.0:0 >out 2>err
check "serving strangers without a key" 8 $?
check "ids of keys that are not there" 3 "$("$vitrine" key revoke shop none >/dev/null 2>&1; echo $?)"

echo "[  PASSED  ] $passed test(s)"
[ "$failures" -eq 0 ]
