#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The program as people run it: the whole journey on a rendered catalogue, every exit code that can be
# brought about, and every kind of bad input, each of which must be named while the rest goes on.
#
#     tests/cli/test_cli.sh VITRINE SOURCE_ROOT FIXTURES
#
# FIXTURES is the program made of fixtures.c, which writes the pictures and networks used here.
set -u
LC_ALL=C
export LC_ALL
vitrine=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
source_root=$(cd "$2" && pwd)
fixtures=$(cd "$(dirname "$3")" && pwd)/$(basename "$3")
for program in "$vitrine" "$fixtures"; do
    [ -x "$program" ] || { echo "test_cli: \"$program\" is no program" >&2; exit 1; }
done
work=$(mktemp -d /tmp/vt-cli-XXXXXX) || exit 1
background=
trap 'test -n "$background" && kill "$background" 2>/dev/null; rm -rf "$work"' EXIT
mkdir "$work/fx" && "$fixtures" "$work/fx" || exit 1
cd "$work" || exit 1
out=$work/out.txt
err=$work/err.txt
passed=0
failures=0

# ---- how things are checked ----

good() {
    passed=$((passed + 1))
}

bad() {
    failures=$((failures + 1))
    printf '[  FAILED  ] %s\n' "$*"
    printf '    standard output:\n'
    head -n 12 "$out" | sed 's/^/        /'
    printf '    standard error:\n'
    head -n 12 "$err" | sed 's/^/        /'
}

# run CODE ARGUMENT...: vitrine with these arguments ends with this exit code
run() {
    want=$1
    shift
    got=0
    "$vitrine" "$@" >"$out" 2>"$err" </dev/null || got=$?
    if [ "$got" -eq "$want" ]; then
        good
    else
        bad "vitrine $* ended with $got, not $want"
    fi
}

# holds FILE TEXT: the file has a line with this text; lacks: it has none
holds() {
    if grep -qF -- "$2" "$1"; then good; else bad "no \"$2\" in $(basename "$1")"; fi
}

lacks() {
    if grep -qF -- "$2" "$1"; then bad "\"$2\" in $(basename "$1")"; else good; fi
}

says() {
    holds "$out" "$1"
}

complains() {
    holds "$err" "$1"
}

# is WHAT HAVE WANT
is() {
    if [ "$2" = "$3" ]; then good; else bad "$1 is \"$2\", not \"$3\""; fi
}

# number NAME: the value of the first member of this name in the JSON of the newest command
number() {
    sed -n "s/^ *\"$1\": \\([^,]*\\),\\{0,1\\}\$/\\1/p" "$out" | head -n 1
}

# A JSON reader in a few lines: exit code 0 when standard input is one whole document.
json_by_awk() {
    awk '
    function fail() { exit wrong = 1 }
    function space() { while (index(" \t\n\r", substr(s, p, 1)) && p <= n) p++ }
    function text(    c) {
        if (substr(s, p++, 1) != "\"") fail()
        while (p <= n) {
            c = substr(s, p++, 1)
            if (c == "\"") return
            if (c == "\n") fail()
            if (c == "\\") {
                if (!match(substr(s, p, 5), /^(["\\\/bfnrt]|u[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F])/)) fail()
                p += RLENGTH
            }
        }
        fail()
    }
    function list(end, named) {
        p++; space()
        if (substr(s, p, 1) == end) { p++; return }
        for (;;) {
            if (named) { space(); text(); space(); if (substr(s, p++, 1) != ":") fail() }
            value()
            space()
            if (substr(s, p, 1) == end) { p++; return }
            if (substr(s, p++, 1) != ",") fail()
            space()
        }
    }
    function value(    c) {
        space()
        c = substr(s, p, 1)
        if (c == "{") list("}", 1)
        else if (c == "[") list("]", 0)
        else if (c == "\"") text()
        else if (match(substr(s, p, 40), /^(true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)/)) p += RLENGTH
        else fail()
    }
    { s = s $0 "\n" }
    END { if (wrong) exit 1; n = length(s); p = 1; value(); space(); exit p <= n }'
}

# The newest standard output is one JSON document.
is_json() {
    if command -v jq >/dev/null 2>&1; then
        jq -es 'length == 1' "$out" >/dev/null 2>&1 || { bad "jq does not read the output"; return; }
    fi
    if json_by_awk <"$out"; then good; else bad "the output is no JSON document"; fi
}

# has_members NAME...: of the newest JSON
has_members() {
    for member in "$@"; do
        holds "$out" "\"$member\":"
    done
}

section() {
    printf '[ RUN      ] %s\n' "$*"
}

# ---- help, usage ----

section 'help and usage'
run 0 help
says 'vitrine COMMAND --help'
says 'exit codes'
run 0 --help
run 0 --version
says 'vitrine '
run 2
complains 'usage: vitrine COMMAND'
run 2 serch
complains '"serch"'
run 2 model
complains 'model check'
run 2 model inspect x
complains '"model inspect"'
run 0 model --help
says 'model run'

# offers COMMAND OPTION...: the help of the command names itself, its options and an example
offers() {
    command_words=$1
    shift
    # shellcheck disable=SC2086
    run 0 $command_words --help
    says "usage: vitrine $command_words "
    says 'example:'
    for option in "$@"; do
        says "  --$option"
    done
    # shellcheck disable=SC2086
    run 2 $command_words --no-such-option
    complains '--no-such-option'
    # What is one code for all commands is asked of one where each start takes a third of a second.
    [ -z "${VITRINE_SANITIZED:-}" ] || [ "$command_words" = init ] || return 0
    # shellcheck disable=SC2086
    run 0 help $command_words
    says "usage: vitrine $command_words "
    # shellcheck disable=SC2086
    run 2 $command_words -Q
    complains '-Q'
    # shellcheck disable=SC2086
    run 2 $command_words --json
    is_json
    has_members error status message
    says 'VT_ERR_USAGE'
    says 'too few arguments'
}
offers init model preset output precision json
offers import precision images jobs rejects product-per-folder json
offers search top offset where like text sort facets facet-top exact min-similarity crop precision json html
offers list where sort top offset facets facet-top json
offers cluster k tree cut linkage where seed html json
offers eval images k precision label split against against-split against-images preset output report json
offers promote queries query-images images preset output precision force json
offers embed out preset output precision json
offers events since top prune forget json
offers info check json
offers 'index build' kind memory json
offers 'index info' json
offers 'index check' sample json
offers 'index bench' queries json
offers show json
offers remove json
offers 'model export' json mirror shift size
offers 'model info' input precision nodes json
offers 'model check' preset output precision json
offers 'model run' in out precision json
offers 'model quantize' calibrate method percentile pictures queries images max-drop min-cosine preset output json
offers 'model test' precision json
offers sample products views seed size json
offers train out arch from size dim loss teacher epochs batch accumulate lr optimizer schedule ema augment sampler \
    label val split val-share measure early-stop precision layer-rate bias-rate imprint freeze lora seed threads small-input whiten recompute recipe set \
    images cache report logdir checkpoint resume promote force json
offers serve listen write events public-search open-to-all access-log queue max-body stop-timeout precision json
offers 'key add' scopes name expires rate json
offers 'key list' json
offers 'key revoke' json

run 2 search shop photo.jpg --top 0
complains '--top "0"'
run 2 search shop photo.jpg --top many
run 2 search shop photo.jpg --top
complains 'missing after --top'
run 2 search shop photo.jpg --min-similarity 1.5
run 2 search shop photo.jpg --crop 1,2,3
complains 'X,Y,W,H'
run 2 search shop photo.jpg --json=yes
run 2 eval shop queries.csv --k 5,1
complains '--k 5,1'
run 2 eval shop queries.csv surplus
complains '"surplus"'
run 2 info shop --json surplus
is_json
run 2 embed classic fx/good0.jpg
complains '--out'
for word in $(sed -n 's/^    vitrine \([a-z]*\).*/\1/p' "$source_root/README.md" | sort -u); do
    run 0 help "$word"
done

# ---- the journey ----

section 'sample, init, import'
run 0 sample goods --products 16 --views 1 --size 64 --seed 7 --json
is_json
is products "$(number products)" 16
is rows "$(wc -l <goods/products.csv | tr -d ' ')" 17
run 4 sample goods --products 16
complains 'goods'
run 0 init shop --model classic
says 'classic'
run 4 init shop --model classic
complains 'not empty'
run 0 info shop --json
is_json
is products "$(number products)" 0
run 0 search shop fx/photo0.jpg
says 'holds no pictures yet'

# A title that is written against pages and terminals.
escape=$(printf '\033')
{
    head -n 1 goods/products.csv
    tail -n +2 goods/products.csv | head -n 1 | sed 's/^\([^,]*\),[^,]*,/\1,"<script>alert(1)<\/script> ""><img src=x onerror=alert(2)> \&amp; '"$escape"'[31m",/'
    tail -n +3 goods/products.csv
} >goods/planted.csv
holds goods/planted.csv '<script>alert(1)</script>'
run 0 import shop goods/planted.csv --json
is_json
is rows "$(number rows)" 16
is imported "$(number imported)" 16
is rejected "$(number rejected_rows)" 0
has_members updated unchanged pictures rejected_pictures exact_duplicates near_duplicates rejects \
    duplicates cancelled took_s
run 0 import shop goods/planted.csv --json
is unchanged "$(number unchanged)" 16
is imported "$(number imported)" 0
is pictures "$(number pictures)" 0
run 0 import shop goods/products.csv --json --jobs 1
is updated "$(number updated)" 1
is 'pictures embedded for a new title' "$(number pictures)" 0
run 0 import shop goods/planted.csv
says '1 updated, 15 unchanged'

section 'search'
first=$(sed -n '2s/,.*//p' goods/products.csv)
picture=$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "image_link") c = i }
    NR == 3 { gsub(/"[^"]*"/, "quoted"); print $c }' goods/products.csv)
second=$(sed -n '3s/,.*//p' goods/products.csv)
run 0 search shop "goods/$picture" --top 3 --json
is_json
is 'the first product' "$(number product)" "\"$second\""
is similarity "$(number similarity)" 1.0000
is searched "$(number searched)" "$(find goods/studio -type f | wc -l | tr -d ' ')"
is complete "$(number complete)" true
is strategy "$(number strategy)" '"exact"'
is results "$(grep -c '"rank"' "$out")" 3
has_members results rank product title similarity image attributes strategy complete searched \
    took_ms decode embed search total
run 0 search shop "goods/$picture" --top 3
says "$second"
run 0 search shop "goods/$picture" --min-similarity 0.999 --json
is results "$(grep -c '"rank"' "$out")" 1
run 0 search shop fx/photo0.jpg --min-similarity 1
says 'nothing in this shop is similar enough'
run 0 search shop fx/photo0.jpg --min-similarity 1 --json
is_json
says 'nothing in this shop is similar enough'
run 0 search shop fx/photo0.jpg fx/photo1.jpg --top 1
run 0 search shop fx/photo0.jpg --crop 10,10,60,60 --top 1
run 2 search shop fx/photo0.jpg --crop 90,0,20,10
complains 'photo0.jpg'

section 'index'
run 0 index info shop --json
is_json
is kind "$(number kind)" '"exact"'
has_members auto why codec vectors products dimension change newest_change snapshot present fault
run 0 index info shop
says 'scanned exactly'
run 0 index build shop --json
is_json
run 0 index check shop --sample 10 --json
is_json
is sound "$(number sound)" true
is recall "$(number recall)" 1.00000
run 0 index check shop
says 'equals the catalogue'
run 0 index bench shop --queries 3 --json
is_json
has_members queries strategies strategy share rate expected_rate recall visited
run 0 index build shop --kind ivf --json
is_json
is kind "$(number kind)" '"ivf"'
has_members lists list_bytes
run 0 index info shop
says 'lists'
run 0 index check shop --sample 10 --json
is sound "$(number sound)" true
run 0 search shop fx/photo0.jpg --json
is_json
run 0 index build shop --kind exact --json
is kind "$(number kind)" '"exact"'
run 2 index build shop --kind tree
complains 'tree'
run 3 index info nowhere --json
run 2 index check shop --sample 0
run 2 index build

section 'filters, lists, examples'
run 0 list shop --json --top 100
is_json
is matched "$(number matched)" 16
is total "$(number total)" 16
is products "$(grep -c '"product": ' "$out")" 16
has_members products offset matched total took_ms
run 0 list shop --where "price IS NOT NULL" --sort price:desc --top 3 --json
top_price=$(number price)
run 0 list shop --sort price --offset 15 --top 1 --json
is 'the last price' "$(number price)" "$top_price"
is offset "$(number offset)" 15
run 0 list shop --where "price = $top_price" --facets ' price ,category' --json
is_json
has_members facets name distinct products minimum maximum values value
is maximum "$(number maximum)" "$top_price"
run 0 list shop --where "Category LIKE '%' and not price < 0" --facets category --facet-top 1
says 'category: '
says '16 products that pass, 16 in all'
run 2 list shop --where "prize < 20"
complains 'filter, column 1: no product has an attribute "prize"; near it: "price"'
run 2 list shop --where "price < 'a" --json
is_json
says 'filter, column 9'
run 2 list shop --sort nothing
complains 'sort: no product has an attribute "nothing"'
run 0 cluster shop --k 4 --json
is_json
has_members groups group label size tightness terms medoid members method chosen silhouette took_ms
is products "$(number products)" 16
is groups "$(grep -c '^      "group": ' "$out")" 4
run 0 cluster shop --k 3 --html groups.html
says '16 products in 3 groups by k-means'
holds groups.html '<h1>3 groups of products that look alike</h1>'
lacks groups.html '<script'
lacks groups.html '<img src=x'
run 0 cluster shop --tree --k 4 --html tree.html
says 'by ward linkage'
is 'parts of the tree' "$(grep -c '<details' tree.html)" "$(grep -c '</details>' tree.html)"
is 'nodes of the tree' "$(grep -c '<details' tree.html)" 7
run 0 cluster shop --tree --cut 0.5 --where "price IS NOT NULL" --json
is_json
says '"method": "average linkage"'
run 2 cluster shop --k none
complains '--k'
run 2 cluster shop --cut 0.5
complains 'for a tree'
run 3 cluster shop --where "price < 0" --json
is_json
says 'no product that passes the filter has a vector'
run 2 list shop --facets nothing
complains 'facets: no product has an attribute "nothing"'
run 2 list shop extra
run 3 list nowhere
run 0 search shop "goods/$picture" --where "id != '$second'" --top 100 --json
is_json
is matched "$(number matched)" 15
is results "$(grep -c '"rank"' "$out")" 15
lacks "$out" "\"product\": \"$second\""
has_members offset visited filter
run 0 search shop "goods/$picture" --exact --offset 14 --top 5 --json
is results "$(grep -c '"rank"' "$out")" 2
is rank "$(number rank)" 15
run 0 search shop "goods/$picture" --where "price < 0"
says 'no product passes the filter'
run 0 search shop "goods/$picture" --offset 16
says 'no products after the first 16'
run 0 search shop --like "$second" --like "$first=-0.25" --top 100 --facets category --html like.html --json
is_json
is results "$(grep -c '"rank"' "$out")" 14
lacks "$out" "\"product\": \"$second\""
holds like.html "more like $second"
holds like.html "less like $first"
holds like.html '<h2>category</h2>'
run 2 search shop
complains '--like PRODUCT'
run 3 search shop --like nobody
complains 'nobody'
run 2 search shop --like "$second=0"
complains 'weight'
run 0 info shop --check

section 'the page'
run 0 search shop fx/photo0.jpg --top 16 --html page.html
says 'page.html'
lacks "$out" "$escape"
holds page.html '&lt;script&gt;alert(1)&lt;/script&gt;'
lacks page.html '<script'
lacks page.html '<img src=x'
# Tags alone, without the texts in them: escaped text may look like anything.
sed 's/base64,[A-Za-z0-9+\/=]*//g; s/alt="[^"]*"//g; s/>/>\
/g' page.html | sed -n 's/.*\(<[^<>]*>\)$/\1/p' >tags.txt
holds tags.txt '<img'
if grep -Ei "href|src=[\"']?[^\"'d]|<(script|link|iframe|object|embed|base|form)| on[a-z]*=" tags.txt ||
    sed 's/base64,[A-Za-z0-9+\/=]*//g' page.html | grep -E 'https?:|url\(|@import'; then
    bad 'the page refers to something outside'
else
    good
fi
is pictures "$(grep -c 'src="data:image/jpeg;base64,/9j/' page.html)" 17
run 0 search shop fx/photo0.jpg --html empty.html --min-similarity 1 --json
is_json
holds empty.html 'Nothing in this shop is similar enough'

section 'eval'
run 0 eval shop goods/queries.csv --k 1,3,16 --json
is_json
is queries "$(number queries)" 16
is "recall at all" "$(number 16)" 1.000000
has_members recall precision map mrr per_category failed took_s depth
run 0 eval shop goods/queries.csv
says 'recall'
printf 'photo,product\n%s,%s\nphotos/missing.jpg,%s\n../fx/good0.jpg,%s\n/etc/passwd,%s\n%s,no-such-product\n' \
    "$picture" "$second" "$first" "$first" "$first" "$picture" >goods/mixed.csv
run 0 eval shop goods/mixed.csv --json
is_json
is queries "$(number queries)" 1
is "recall at 1" "$(number 1)" 1.000000
is failed "$(grep -c '"reason"' "$out")" 4
says 'missing.jpg'
says 'no-such-product'
printf 'photo,product\nphotos/missing.jpg,%s\n' "$first" >goods/none.csv
run 5 eval shop goods/none.csv
complains 'none of the 1 queries'
run 3 eval shop goods/queries.csv --images nowhere
complains 'nowhere'
run 3 eval shop goods/no-such-list.csv

section 'promote'
cp -r shop promoted.shop
run 11 promote promoted.shop fx/tiny.onnx --preset imagenet --queries goods/queries.csv
complains 'keeps its encoder'
says 'recall @1'
says '16 queries'
run 0 info promoted.shop
says classic
run 0 promote promoted.shop vitrine-s --queries goods/queries.csv --force --json
is_json
has_members switched refused before after recall_before recall_after embedded resumed failed took_s
is queries "$(number queries)" 16
says '"switched": true'
run 0 info promoted.shop --check
says vitrine-s
run 0 search promoted.shop "goods/$picture"
run 4 promote promoted.shop vitrine-s
complains 'already'
run 0 promote promoted.shop classic --force
says 'uses classic now'
run 3 promote promoted.shop no-such.onnx
run 3 promote no-such.shop classic
run 0 info promoted.shop --check
is "files of old models" "$(find promoted.shop/models -type f | wc -l)" 0
rm -rf promoted.shop

section 'eval of a model'
# Two kinds of things with two views of each; in val two more, a broken picture and a stranger.
for i in 0 1 2 3 4 5; do
    mkdir -p "seen/train/kind$((i % 2))" "seen/val/kind$((i % 2))"
    cp "fx/good$i.jpg" "fx/photo$i.jpg" "seen/train/kind$((i % 2))"
    cp "fx/good$i.jpg" "seen/val/kind$((i % 2))/other$i.jpg"
done
printf 'no picture' >seen/val/kind0/broken.jpg
mkdir seen/val/stranger bare
cp fx/good0.jpg seen/val/stranger/s.jpg
printf 'photo,label,thing\n' >seen/list.csv
for i in 0 1 2 3 4 5; do
    printf 'train/kind%d/good%d.jpg,kind%d,thing%d\ntrain/kind%d/photo%d.jpg,kind%d,thing%d\n' \
        $((i % 2)) "$i" $((i % 2)) "$i" $((i % 2)) "$i" $((i % 2)) "$i" >>seen/list.csv
done
printf 'photo,label,thing\nval/kind0/other0.jpg,kind0,thing0\nval/kind1/other1.jpg,kind1,thing1\n' >seen/few.csv
printf 'photo,label,thing\ntrain/kind0/good0.jpg,x,y\ntrain/kind1/good1.jpg,z,w\n' >seen/foreign.csv
run 0 eval classic seen/list.csv --label thing --label label
says '12 photos, each against all others'
says 'nearest neighbours by thing, 6 values'
says 'nearest neighbours by label, 2 values'
says 'the model names no classes'
run 0 eval classic seen --split val --against-split train --report seen.html --json
is_json
has_members model data photos gallery labels recall precision map mrr vote_accuracy per_category classification failed took_s
is photos "$(number photos)" 7
is gallery "$(number gallery)" 12
is alone "$(number alone)" 1
is "recall at 1" "$(number 1)" 1.000000
is failed "$(grep -c '"reason"' "$out")" 1
says 'broken.jpg'
holds seen.html 'Nearest neighbours: label'
run 0 eval classic seen/few.csv --against seen/list.csv --label thing --k 1,2 --json
is gallery "$(number gallery)" 12
is "recall at 1" "$(number 1)" 1.000000
run 0 eval fx/tiny.onnx seen --preset imagenet --split train --precision f32 --json
is_json
is computed_in "$(number computed_in)" '"f32"'
run 2 eval fx/tiny.onnx seen
complains 'preset'
run 2 eval fx/tiny.onnx seen --preset imagenet --precision double
run 3 eval fx/tiny.onnx seen --preset imagenet --output no-such-value
complains 'no-such-value'
run 3 eval no-such.onnx seen
complains 'no-such.onnx'
run 3 eval classic no-such-data
complains 'no-such-data'
run 5 eval classic bare
complains 'it has no photo'
run 3 eval classic seen --split test
complains 'test split'
run 2 eval classic seen --split half
complains '"half"'
run 2 eval classic seen --split val --against-split val
complains 'would find itself'
run 11 eval classic seen/few.csv --against seen/foreign.csv --json
is_json
complains 'no label of its photos'
run 5 eval classic seen/list.csv --label colour
complains 'colour'
run 3 eval classic seen --report nowhere/page.html
complains 'nowhere/page.html'
run 2 eval shop goods/queries.csv --against seen
complains '--against is for models'
run 2 eval shop goods/queries.csv --label a
complains '--label is for models'

section 'train'
tiny='--arch resnet9 --set width=0.1 --size 32 --batch 4 --epochs 1 --augment none --threads 1'
# shellcheck disable=SC2086
run 0 train seen/list.csv --out own.onnx $tiny --report own.html --logdir own.log
says ' photos of 2 labels, '
says 'written: own.onnx'
says 'vitrine init my.shop --model own.onnx'
holds own.html 'Confusion matrix'
holds own.html '</html>'
holds own.log/log.jsonl '"epoch"'
[ -f own.onnx.checkpoint ] && good || bad 'there is no checkpoint'
# shellcheck disable=SC2086
run 0 train seen/list.csv --out json.onnx $tiny --label thing --loss triplet --seed 2 --json
is_json
has_members model measure accuracy recall@1 epochs best_epoch train_loss parameters labels trained validated left_out \
    memory_bytes activation_bytes resumed stopped_early took_s
is labels "$(number labels)" 6
is accuracy "$(number accuracy)" null
printf '{"arch": "resnet9", "width": 0.1, "size": 32, "batch": 4, "epochs": 5, "threads": 1}' >own.json
run 5 train seen --out recipe.onnx --recipe own.json
complains '"stranger" has 1 photos to validate on'
rm -r seen/val/stranger
run 0 train seen --out recipe.onnx --recipe own.json --epochs 1 --augment none --json
is 'best epoch' "$(number best_epoch)" 1
is left_out "$(number left_out)" 1
run 0 model check own.onnx
run 0 init own.shop --model own.onnx
run 0 eval own.onnx seen/list.csv --json
is_json
is unclassified "$(number unclassified)" null
has_members accuracy top5 f1 classes
run 0 eval own.onnx seen/list.csv
says 'classes named by the model, of 12 photos by label'
run 2 train seen/list.csv
complains '--out is missing'
run 2 train seen/list.csv --out bad.onnx --no-such-option 3
run 2 train seen/list.csv --out bad.onnx --set width
complains '--set takes KEY=VALUE'
run 2 train seen/list.csv --out bad.onnx --set widht=1
complains '"widht"'
# shellcheck disable=SC2086
run 2 train seen/list.csv --out bad.onnx $tiny --batch many
complains '"batch" is "many"'
# shellcheck disable=SC2086
run 2 train seen/list.csv --out bad.onnx $tiny --loss anger --json
is_json
says 'VT_ERR_USAGE'
# shellcheck disable=SC2086
run 2 train seen/list.csv --out bad.onnx $tiny --loss kd
complains 'teacher'
run 2 train seen/list.csv --out bad.onnx
complains '"arch" or "from"'
# shellcheck disable=SC2086
run 3 train no-such-data --out bad.onnx $tiny
# shellcheck disable=SC2086
run 5 train bare --out bad.onnx $tiny
complains 'no photo'
# shellcheck disable=SC2086
run 2 train seen/list.csv --out bad.onnx $tiny --batch 64
complains 'batch'
[ ! -e bad.onnx ] && good || bad 'a refused training wrote a file'

section 'train: several heads'
# Six things, seen twice: their shape and how light they are are labels of one value, marks one of several.
printf 'photo,category,color,marks,product,split\n' >fx/heads.csv
for i in 0 1 2 3 4 5; do
    category=$(echo disc box diamond | cut -d ' ' -f $((i % 3 + 1)))
    color=$([ "$i" -lt 3 ] && echo dark || echo light)
    marks=$([ "$category" = disc ] && echo 'round|whole' || echo whole)
    printf 'good%d.jpg,%s,%s,%s,p%d,train\nphoto%d.jpg,%s,%s,%s,p%d,val\n' \
        "$i" "$category" "$color" "$marks" "$i" "$i" "$category" "$color" "$marks" "$i" >>fx/heads.csv
done
tiny='--arch resnet9 --set width=0.1 --size 32 --batch 6 --augment none --threads 1 --lr 0.02'
heads="$tiny --epochs 80 --label category,color --label marks --loss ce,bce:marks=0.5"

# of_head HEAD NAME: as number, of the first object of this head
of_head() {
    sed -n "/\"head\": \"$1\"/,\$ s/^ *\"$2\": \\([^,]*\\),\\{0,1\\}\$/\\1/p" "$out" | head -n 1
}
# shellcheck disable=SC2086
run 0 train fx/heads.csv --out heads.onnx $heads --report heads.html --logdir heads.log --json
is_json
is measure "$(number measure)" '"accuracy"'
is resumed "$(number resumed)" false
is 'heads in the report' "$(grep -c '"head": ' "$out")" 3
is 'labels of category' "$(of_head category labels)" 3
is 'labels of color' "$(of_head color labels)" 2
is 'photos with marks' "$(of_head marks trained)" 6
is 'several marks' "$(of_head marks several)" true
is 'the mean of the heads' "$(for head in category color marks; do of_head $head accuracy; done |
    awk -v mean="$(number accuracy)" '{ sum += $1 } END { off = sum / 3 - mean; print (off < 2e-6 && off > -2e-6) }')" 1
for head in category color marks; do
    holds heads.html "<h2>Head $head</h2>"
    holds heads.log/log.jsonl "\"$head\":{\"accuracy\":"
done
run 0 model info heads.onnx
says 'head        category  3 labels in logits.category'
says 'head        color  2 labels in logits.color'
says 'head        marks  2 labels, several a picture in logits.marks'
says 'features    features'
is 'the longest line' "$(awk 'length($0) > 100' "$out")" ''
run 0 model info heads.onnx --json
is_json
has_members heads name output several labels
is 'labels of heads' "$(sed -n '/"heads"/,/"nodes"/ s/^ *"\([a-z]*\)",\{0,1\}$/\1/p' "$out" | tr '\n' ' ')" \
    'box diamond disc dark light round whole '
run 0 model info own.onnx
says 'classes     2 labels in logits'
run 0 model check heads.onnx
run 0 eval heads.onnx fx/heads.csv --report seen-heads.html
says 'nearest neighbours by category, 3 values'
says 'nearest neighbours by color, 2 values'
lacks "$out" 'nearest neighbours by marks'
for head in category color marks; do
    says "classes of head $head named by the model, of 6 photos by $head"
    holds seen-heads.html "<h2>Classes named by the model: $head</h2>"
done
run 0 eval heads.onnx fx/heads.csv --split train --json
is_json
for head in category color marks; do
    is "label of $head" "$(of_head $head label)" "\"$head\""
    is "photos of $head" "$(of_head $head photos)" 6
    is "accuracy of $head on what it has learned" "$(of_head $head accuracy)" 1.000000
done
run 0 eval heads.onnx fx/heads.csv --label color
says 'classes of head category: not measured, its label is not among those that are measured'
says 'classes of head color named by the model'
run 5 eval heads.onnx fx/heads.csv --label product
complains 'no two photos have the same product'
run 5 eval heads.onnx fx/heads.csv --label colour
complains 'colour'
run 0 init heads.shop --model heads.onnx

# Interrupted and resumed it comes to the same file.
# shellcheck disable=SC2086
"$vitrine" train fx/heads.csv --out cut.onnx $heads >"$out" 2>"$err" &
background=$!
while [ ! -s cut.onnx.checkpoint ] && kill -0 "$background" 2>/dev/null; do
    sleep 0.01
done
kill -INT "$background"
got=0
wait "$background" || got=$?
background=
is 'the exit code of a training that was interrupted' "$got" 13
complains 'resume to go on from "cut.onnx.checkpoint"'
# shellcheck disable=SC2086
run 4 train fx/heads.csv --out cut.onnx $heads
complains 'a run that has not ended'
# shellcheck disable=SC2086
run 11 train fx/heads.csv --out cut.onnx $heads --measure color.accuracy --resume
complains 'another recipe'
[ ! -e cut.onnx ] && good || bad 'an interrupted training wrote a file'
# shellcheck disable=SC2086
run 0 train fx/heads.csv --out cut.onnx $heads --resume
says '80 epochs'
says '(resumed)'
says 'head color: 2 labels, 6 photos, 6 to measure on'
says 'head marks: 2 labels, several a photo, 6 photos, 6 to measure on'
cmp -s heads.onnx cut.onnx && good || bad 'a resumed training came to something else'

# An accuracy of six photos rises six times at most.
# shellcheck disable=SC2086
run 0 train fx/heads.csv --out stopped.onnx $tiny --epochs 100 --label category,color --measure color.accuracy \
    --early-stop 3 --json
is measure "$(number measure)" '"color.accuracy"'
is stopped_early "$(number stopped_early)" true
is 'the best epoch' "$(number best_epoch)" $(($(number epochs) - 3))
sed '/,val$/s/,\(dark\|light\),/,,/' fx/heads.csv >fx/unseen.csv
# shellcheck disable=SC2086
run 0 train fx/unseen.csv --out unseen.onnx $tiny --epochs 1 --label category,color
says 'head color: 2 labels, 6 photos, 0 to measure on'
is warnings "$(grep -c '2 values of "color" have no photo to validate on' "$err")" 1

# never CODE TEXT ARGUMENT...: a training that is refused before it begins
never() {
    code=$1 text=$2
    shift 2
    # shellcheck disable=SC2086
    run "$code" train "$@" --out bad.onnx $tiny
    complains "$text"
    [ ! -e bad.onnx ] && [ ! -e bad.onnx.checkpoint ] && good || bad "a refused training wrote a file: $text"
}
sed 's/,light,/,dark,/' fx/heads.csv >fx/dark.csv
never 5 'the first line does not name the column colour' fx/heads.csv --label category,colour
never 2 '"loss" names head "colour", which is none of "label"' fx/heads.csv --label category,color \
    --loss ce:category,ce:colour
never 2 'head "color" of "label" has no term in "loss"' fx/heads.csv --label category,color --loss ce:category
never 2 '"label" names "color" twice' fx/heads.csv --label color --label category --label color
never 5 'all photos to train on have the same "color"' fx/dark.csv --label category,color
never 2 'there is no head "colour"' fx/heads.csv --label category,color --measure colour.accuracy
never 2 'HEAD.accuracy' fx/heads.csv --label category,color --measure color.taste
never 5 'no photo to validate on has the label' fx/unseen.csv --label category,color --measure color.accuracy
never 2 'need a CSV manifest or a shop' seen --label category,color

section 'show, info, remove, embed'
run 0 show shop "$first"
says "$first"
says '<script>'
lacks "$out" "$escape"
run 0 show shop "$first" --json
is_json
has_members product title description category brand price attributes images hash phash
run 3 show shop no-such-product
complains 'no-such-product'
run 0 info shop --check
says 'sound'
run 0 info shop --check --json
is_json
is sound "$(number sound)" true
run 0 remove shop "$first"
says '1 of 1'
run 3 show shop "$first"
run 3 remove shop "$first" "$second" --json
is_json
is removed "$(grep -c '"removed": true' "$out")" 1
run 0 events shop --json
is_json
is 'clicks of a shop that takes no events' "$(number click)" 0
run 0 events shop --prune 0
says '0 events removed'
run 2 events shop --forget ''
is 'a file of events that nobody asked for' "$(ls shop/events.db 2>/dev/null)" ''
run 0 info shop --json
is products "$(number products)" 14
run 0 import shop goods/planted.csv --json
is imported "$(number imported)" 2
run 0 embed shop fx/good0.jpg fx/empty.jpg fx/good2.jpg --out vectors.npy
complains 'row 1 is zero'
complains 'empty.jpg'
dimension=$(sed -n 's/.*: 3 x \([0-9]*\)$/\1/p' "$out")
is 'the npy magic' "$(head -c 6 vectors.npy | od -An -to1 | tr -d ' \n')" 223116125115120131
is 'the npy header' "$(head -c 200 vectors.npy | grep -ac "'descr': '<f4', 'fortran_order': False, 'shape': (3, $dimension)")" 1
header=$(head -c 10 vectors.npy | od -An -tu1 -j8 | awk '{ print $1 + 256 * $2 + 10 }')
is 'the npy length' "$(wc -c <vectors.npy | tr -d ' ')" $((header + 3 * dimension * 4))
run 5 embed shop fx/empty.jpg --out none.npy
complains 'empty.jpg'
run 0 embed classic fx/good0.jpg --out one.npy --json
is_json

section 'folders'
mkdir -p folder/red/deep folder/blue
cp fx/good0.jpg folder/red/disc.jpg
cp fx/good1.jpg folder/red/deep/box.jpg
cp fx/good2.jpg folder/blue/diamond.jpg
cp fx/truncated.jpg folder/blue/half.jpg
run 0 init folder.shop --model classic
run 0 import folder.shop folder --json
is imported "$(number imported)" 3
is rejected "$(number rejected_rows)" 1
holds folder.shop/rejects.csv half.jpg
run 0 show folder.shop red/deep/box
says 'red > deep'
run 0 init leaf.shop --model classic
run 0 import leaf.shop folder --product-per-folder --json
is imported "$(number imported)" 3
run 0 show leaf.shop blue
is rejected "$(grep -c half.jpg leaf.shop/rejects.csv)" 1

# ---- networks ----

section 'model info, check, run, test'
run 0 model info fx/tiny.onnx
run 0 model info fx/tiny.onnx --nodes
says GlobalAveragePool
run 0 model info fx/tiny.onnx --json
is_json
is feature_output "$(number feature_output)" '"flat"'
has_members parameters macs macs_share run_inputs precision precision_refused memory peak_bytes reorders \
    steps folded compute executor
is step "$(sed -n '/"steps"/,$ s/^ *"folded": "\(.*\)",$/\1/p' "$out" | head -n 1)" relu
run 0 model info fx/tiny.onnx --input 2x3x16x16 --precision bf16
says 'per run of 2x3x16x16'
says 'in the file: 5 nodes'
says 'as it is run, in bf16: '
says 'where the work is, 2 of 2 layers'
says 'intermediate values'
for options in '' --nodes; do
    # shellcheck disable=SC2086
    run 0 model info fx/tiny.onnx $options
    is 'the longest line' "$(awk 'length($0) > 100' "$out")" ''
    is 'blanks at ends of lines' "$(grep -c ' $' "$out")" 0
done
run 2 model info fx/tiny.onnx --input 2x3x16
complains '?x3x16x16'
run 2 model info fx/tiny.onnx --input 1x3x16x16 --input 1
complains '2 input shapes'
run 2 model info fx/tiny.onnx --precision f16
complains 'f32, bf16, int8 and auto'
run 2 model check fx/tiny.onnx
complains preset
run 0 model check fx/tiny.onnx --preset imagenet
says ok
for precision in f32 bf16 int8; do
    run 0 model check fx/tiny.onnx --preset imagenet --precision $precision --json
    is_json
    is precision "$(number precision)" "\"$precision\""
done
run 2 model check fx/tiny.onnx --preset imagenet --precision fast
complains '"fast"'
run 2 model run fx/increment.onnx --in fx/x.npy --out made --precision fast
complains '"fast"'
run 2 model test fx/cases --precision fast
complains '"fast"'
run 0 model run fx/increment.onnx --in fx/x.npy --out made --precision bf16 --json
is precision "$(number precision)" '"bf16"'
run 0 model run fx/increment.onnx --in fx/x.npy --out made
is output "$(tail -c 24 made/output_0.npy | od -An -tf4 | awk '{ $1 = $1; print }' | tr '\n' ' ' | sed 's/ *$//')" '1 2 3 4 5 6'
run 0 model run fx/increment.onnx --in fx/x.pb --out made --reference --json
is_json
has_members outputs name shape file
run 2 model run fx/increment.onnx --out made
complains 'increment.onnx'
run 2 model run fx/increment.onnx --in fx/x.npy
complains '--out'
run 2 model run fx/tiny.onnx --in fx/x.npy --out made
run 6 model run fx/increment.onnx --in fx/good0.jpg --out made
complains 'good0.jpg'
run 0 model export fx/increment.onnx again.onnx
says again.onnx
run 0 model export again.onnx again.onnx --json
is_json
has_members file bytes nodes parameters
run 0 model run again.onnx --in fx/x.npy --out made
is output "$(tail -c 24 made/output_0.npy | od -An -tf4 | awk '{ $1 = $1; print }' | tr '\n' ' ' | sed 's/ *$//')" '1 2 3 4 5 6'
run 6 model export fx/increment.onnx again.onnx --mirror
complains 'one width'
run 6 model export fx/increment.onnx again.onnx --shift 1
complains 'one size'
run 6 model export fx/increment.onnx again.onnx --size 8
complains 'how it takes them'
run 0 model export heads.onnx larger.onnx --size 40
run 0 model check larger.onnx
run 0 model info larger.onnx
says '"width":40'
run 0 model export larger.onnx larger.onnx --size 32
run 0 embed heads.onnx fx/good0.jpg --out as-trained.npy
run 0 embed larger.onnx fx/good0.jpg --out and-back.npy
cmp -s as-trained.npy and-back.npy && good || bad 'there and back is not the same'
run 5 model export fx/good0.jpg again.onnx
complains 'good0.jpg'
mkdir shots empty
cp fx/good*.jpg fx/photo*.jpg fx/zeros.jpg shots
run 0 model quantize fx/tiny.onnx small.onnx --calibrate shots --preset imagenet
says 'small.onnx  calibrated with 12 pictures'
says '1 pictures could not be used'
says '4 of 4 nodes are quantised'
run 0 model quantize fx/tiny.onnx small2.onnx --calibrate shots --preset imagenet
is 'the same again' "$(cksum <small2.onnx)" "$(cksum <small.onnx)"
run 0 model check small.onnx
run 0 embed fx/tiny.onnx shots/good0.jpg shots/photo3.jpg --preset imagenet --out f32.npy
run 0 embed small.onnx shots/good0.jpg shots/photo3.jpg --out i8.npy
is 'cosine above 0.99' "$({
    tail -c +129 f32.npy | od -An -v -tf4 -w4
    tail -c +129 i8.npy | od -An -v -tf4 -w4
} | awk '{ v[NR] = $1 } END { n = NR / 2
    for (i = 1; i <= n; i++) { s += v[i] * v[n + i]; a += v[i] ^ 2; b += v[n + i] ^ 2 }
    print (n > 8 && s / sqrt(a * b) > 0.99) ? "yes" : "no" }')" yes
run 0 model quantize fx/tiny.onnx small.onnx --calibrate shots --preset imagenet --method entropy --pictures 4 --json
is_json
has_members file bytes_before bytes_after calibrated measured cosine nodes scale low high harm excluded
is calibrated "$(number calibrated)" 4
run 0 model quantize fx/tiny.onnx small.onnx --calibrate shots --preset imagenet --percentile 20 --min-cosine 0.999
says 'stay in floats'
run 2 model quantize small2.onnx small.onnx --calibrate shots
complains 'quantised already'
run 2 model quantize fx/tiny.onnx small.onnx --preset imagenet
complains '--calibrate'
run 2 model quantize fx/tiny.onnx small.onnx --calibrate shots --preset imagenet --method best
complains best
run 2 model quantize fx/tiny.onnx small.onnx --calibrate shots --preset imagenet --queries queries.csv
complains 'need a shop'
run 2 model quantize classic small.onnx --calibrate shots
run 3 model quantize fx/tiny.onnx small.onnx --calibrate no-such-folder --preset imagenet
complains no-such-folder
run 3 model quantize fx/tiny.onnx small.onnx --calibrate empty --preset imagenet
complains 'no pictures'
run 3 model quantize fx/tiny.onnx no-such-folder/small.onnx --calibrate shots --preset imagenet
complains no-such-folder
run 0 model quantize fx/tiny.onnx small.onnx --calibrate shop --preset imagenet --max-drop 1 --json
is_json
has_members thumbnails
run 0 model test fx/cases
says 'passed      passes'
says '1 passed, 0 failed, 0 unsupported'
run 11 model test fx/cases fx/wrong --json
is_json
is failed "$(number failed)" 1
run 6 model test fx/unsupported
says FrobnicateImage
run 3 model test goods
complains 'model.onnx'

section 'a shop with a network'
run 2 init net.shop --model fx/tiny.onnx
complains preset
run 3 init net.shop --model fx/tiny.onnx --preset imagenet --output nothing
complains '"nothing"'
run 2 init net.shop --model fx/tiny.onnx --preset imagnet
complains '"imagnet"'
if [ -e net.shop ]; then bad 'a failed init left a directory'; else good; fi
run 0 init net.shop --model fx/tiny.onnx --preset imagenet --json
is_json
is dimension "$(number dimension)" 8
run 0 import net.shop goods/products.csv
run 0 search net.shop "goods/$picture" --top 1
says "$second"
holds net.shop/vitrine.json '"precision": "auto"'
run 0 info net.shop
says 'precision auto: '
run 0 info net.shop --json
is_json
has_members precision auto similarity refused machine
for precision in f32 bf16 int8; do
    run 0 search net.shop "goods/$picture" --top 1 --precision $precision --json
    is_json
    is precision "$(number precision)" "\"$precision\""
    is 'the first product' "$(number product)" "\"$second\""
    run 0 eval net.shop goods/queries.csv --precision $precision --json
    is computed_in "$(number computed_in)" "\"$precision\""
    run 0 import net.shop goods/products.csv --precision $precision --json
    is precision "$(number precision)" "\"$precision\""
    run 0 embed net.shop fx/good0.jpg --out in.npy --precision $precision --json
    is precision "$(number precision)" "\"$precision\""
done
for command in 'search net.shop fx/good0.jpg' 'eval net.shop goods/queries.csv' \
    'import net.shop goods/products.csv' 'embed net.shop fx/good0.jpg --out in.npy' 'init new.shop'; do
    # shellcheck disable=SC2086
    run 2 $command --precision double
    complains '"double"'
done
run 0 init f32.shop --model fx/tiny.onnx --preset imagenet --precision f32 --json
is precision "$(number precision)" '"f32"'
holds f32.shop/vitrine.json '"precision": "f32"'
run 0 model check net.shop/models/tiny.onnx --json
is_json
is golden "$(number golden)" true
cp net.shop/models/tiny.onnx kept.onnx
head -c 700 kept.onnx >net.shop/models/tiny.onnx
run 5 search net.shop "goods/$picture"
complains 'tiny.onnx'
run 0 init other.shop --model fx/other.onnx --preset imagenet
cp other.shop/models/other.onnx net.shop/models/tiny.onnx
run 11 search net.shop "goods/$picture"
complains 'not the one that made'
run 0 show net.shop "$second"
cp kept.onnx net.shop/models/tiny.onnx
run 0 search net.shop "goods/$picture"

# ---- bad input ----

section 'bad pictures and bad rows'
mkdir -p bad/images
cp fx/*.jpg fx/*.png fx/*.gif bad/images/
cp fx/good5.jpg bad/outside.jpg
ln -s ../outside.jpg bad/images/leaves.jpg
ln -s good4.jpg bad/images/stays.jpg
ln -s nowhere.jpg bad/images/dangles.jpg
mkdir bad/images/folder.jpg
{
    printf 'id,title,price,image_link,additional_image_link\n'
    printf 'good-first,First,1.00,good0.jpg,\n'
    for name in truncated.jpg truncated.png empty.jpg zeros.jpg drawing.jpg huge.png bomb.png \
        missing.jpg leaves.jpg dangles.jpg folder.jpg ../outside.jpg "$work/bad/outside.jpg"; do
        printf 'bad-%s,Bad,1,%s,\n' "$(printf '%s' "$name" | tr / _)" "$name"
    done
    printf 'good-onepixel,One,1,onepixel.png,\n'
    printf 'good-cmyk,Cmyk,1,cmyk.jpg,\n'
    printf 'good-animated,Animated,1,animated.gif,\n'
    printf 'good-renamed,Renamed,1,renamed.jpg,\n'
    printf 'good-link,Link,1,stays.jpg,\n'
    printf 'good-half,Half,1,good1.jpg,truncated.jpg\n'
    printf 'good-first,Again,1,good2.jpg,\n'
    printf 'bad-missing-columns,Short\n'
    printf 'bad-too-many,Long,1,good2.jpg,,surplus,more\n'
    printf 'bad-utf8,\377\376,1,good2.jpg,\n'
    printf 'bad-no-picture,None,1,,\n'
    printf ',No id,1,good2.jpg,\n'
    printf 'bad-quoting,"Bro"ken,1,good2.jpg,\n'
    printf 'bad-remote,Remote,1,ftp://example.org/x.jpg,\n'
    printf 'good-last,Last,2.00,good3.jpg,\n'
} >bad/feed.csv
good_ids='good-first good-onepixel good-cmyk good-animated good-renamed good-link good-half good-last'
run 0 init bad.shop --model classic
run 0 import bad.shop bad/feed.csv --images bad/images --rejects bad/rejects.csv --json
is_json
is imported "$(number imported)" 8
is rejected "$(number rejected_rows)" 21
is "rejected pictures" "$(number rejected_pictures)" 15
for id in $good_ids; do
    run 0 show bad.shop "$id"
done
run 0 show bad.shop good-first
says First
lacks "$out" Again
run 0 show bad.shop good-half --json
is 'pictures of the half product' "$(grep -c '"phash"' "$out")" 1
run 0 show bad.shop good-onepixel
says '1 x 1'
for text in truncated.jpg truncated.png empty.jpg zeros.jpg drawing.jpg huge.png bomb.png missing.jpg \
    leaves.jpg dangles.jpg folder.jpg ../outside.jpg "$work/bad/outside.jpg" good-first \
    bad-missing-columns bad-no-picture ftp://example.org UTF-8 good-half; do
    holds bad/rejects.csv "$text"
done
# reason ITEM TEXT: the line of the item in the reject file gives this reason
reason() {
    if grep -F -- "$1" bad/rejects.csv | grep -qiF -- "$2"; then
        good
    else
        bad "the reject file does not say \"$2\" of $1: $(grep -F -- "$1" bad/rejects.csv)"
    fi
}
reason empty.jpg empty
reason huge.png 30000
reason bad-missing-columns '2 fields'
reason bad-too-many '7 fields'
reason good-first already
reason leaves.jpg "not inside"
reason ../outside.jpg "not inside"
reason missing.jpg 'no such file'
reason "$(grep -an bad-utf8 bad/feed.csv | cut -d: -f1),,," UTF-8
reason "$work/bad/outside.jpg" 'not inside'
is 'lines of the reject file' "$(wc -l <bad/rejects.csv | tr -d ' ')" 37
run 0 info bad.shop --check
run 0 import bad.shop bad/feed.csv --images bad/images --json
is unchanged "$(number unchanged)" 8
run 5 import bad.shop bad/feed.csv --images goods
complains 'not one product'
run 3 import bad.shop bad/feed.csv --images nowhere-at-all
complains nowhere-at-all
for name in truncated.jpg truncated.png empty.jpg; do
    run 5 search bad.shop "fx/$name"
    complains "$name"
    run 5 search bad.shop "fx/$name" --json
    is_json
    says VT_ERR_FORMAT
done
for name in zeros.jpg drawing.jpg; do
    run 6 search bad.shop "fx/$name"
    complains "$name"
done
run 7 search bad.shop fx/huge.png
complains huge.png
run 5 search bad.shop fx/bomb.png --json
is_json
run 3 search bad.shop missing.jpg
run 0 search bad.shop fx/onepixel.png fx/cmyk.jpg fx/animated.gif fx/renamed.jpg

section 'bad feeds'
printf 'name,picture\nA,good0.jpg\n' >bad/no-columns.csv
run 5 import bad.shop bad/no-columns.csv --images bad/images
complains no-columns.csv
: >bad/empty.csv
run 5 import bad.shop bad/empty.csv
complains empty.csv
run 3 import bad.shop bad/none.csv
complains none.csv
{
    printf 'id,title,image_link\n'
    printf 'before,Before,good0.jpg\n'
    printf 'open,"never closed,good1.jpg\n'
    printf 'behind,Behind,good2.jpg\n'
} >bad/open.csv
run 0 init open.shop --model classic
run 0 import open.shop bad/open.csv --images bad/images --json
run 0 show open.shop before
if [ "$(wc -l <open.shop/rejects.csv | tr -d ' ')" -ge 2 ]; then good; else bad 'the open quote was not rejected'; fi
{
    printf '\357\273\277id;title;image_link\r\n'
    printf 'semicolon;"A ""quoted"" title; with a semicolon";good0.jpg\r\n'
} >bad/semicolons.csv
run 0 import open.shop bad/semicolons.csv --images bad/images
run 0 show open.shop semicolon
says 'A "quoted" title; with a semicolon'
{
    printf '{"id":"line-1","title":"One","image_link":"good0.jpg"}\n'
    printf '{"id":"line-2","title":\n'
    printf '[1,2,3]\n'
    printf '{"id":"line-4","title":"Four","image_link":"good1.jpg"}\n'
} >bad/lines.jsonl
run 0 import open.shop bad/lines.jsonl --images bad/images --json
is imported "$(number imported)" 2
is rejected "$(number rejected_rows)" 2
run 0 show open.shop line-4

section 'bad shops'
run 3 info nowhere
complains 'vitrine init'
run 3 info goods
complains 'not a shop'
run 3 info goods --json
is_json
says VT_ERR_NOT_FOUND
run 3 search goods fx/good0.jpg
run 3 import goods goods/products.csv
: >afile
run 4 init afile
complains afile
cp -R shop hurt.shop
rm -f hurt.shop/catalog.db-wal hurt.shop/catalog.db-shm
printf 'this is not a database at all, it is a text' | dd of=hurt.shop/catalog.db conv=notrunc 2>/dev/null
run 10 info hurt.shop
complains hurt.shop
run 10 search hurt.shop fx/good0.jpg --json
is_json
says VT_ERR_CORRUPT
cp -R shop torn.shop
rm -f torn.shop/catalog.db-wal torn.shop/catalog.db-shm
size=$(wc -c <torn.shop/catalog.db | tr -d ' ')
dd if=/dev/zero of=torn.shop/catalog.db bs=4096 seek=$((size / 4096 / 2)) count=4 conv=notrunc 2>/dev/null
run 10 info torn.shop --check
complains torn.shop
cp -R shop cut.shop
rm -f cut.shop/catalog.db-wal cut.shop/catalog.db-shm
head -c 5000 shop/catalog.db >cut.shop/catalog.db
run 10 info cut.shop --check
cp -R shop settings.shop
printf '{' >settings.shop/vitrine.json
run 10 info settings.shop
complains vitrine.json
cp -R shop lost.shop
rm -f lost.shop/catalog.db*
got=0
"$vitrine" info lost.shop >"$out" 2>"$err" || got=$?
if [ "$got" -eq 3 ] || [ "$got" -eq 10 ]; then good; else bad "a lost catalogue ended with $got"; fi
complains lost.shop
if [ -e lost.shop/catalog.db ]; then bad 'reading made a catalogue'; else good; fi

section 'bad networks'
# refused CODE FILE TEXT: as something to look at and as an encoder, which leaves no shop behind
refused() {
    run "$1" model info "fx/$2"
    complains "$2"
    complains "$3"
    run "$1" init broken.shop --model "fx/$2" --preset imagenet
    complains "$2"
    if [ -e broken.shop ]; then bad 'a shop was left behind'; else good; fi
}
refused 5 truncated.onnx 'truncated.onnx'
refused 5 cycle.onnx loop
refused 6 unknown.onnx FrobnicateImage
refused 7 absurd.onnx w
refused 8 external.onnx w
refused 5 good0.jpg 'good0.jpg'
run 3 model info fx/none.onnx

section 'the other exit codes'
if [ -e /dev/full ]; then
    "$vitrine" info shop >/dev/full 2>"$err"
    is 'the exit code with a full disk' $? 9
    "$vitrine" info shop --json >/dev/full 2>"$err"
    is 'the exit code with a full disk' $? 9
fi
if [ "$(id -u)" -ne 0 ]; then
    cp fx/good0.jpg secret.jpg
    chmod 000 secret.jpg
    run 8 search shop secret.jpg
    complains secret.jpg
    cp fx/good0.jpg bad/images/secret.jpg
    chmod 000 bad/images/secret.jpg
    printf 'id,title,image_link\nsecret,S,secret.jpg\nopen,O,good1.jpg\n' >bad/secret.csv
    run 0 import open.shop bad/secret.csv --images bad/images --json
    is rejected "$(number rejected_rows)" 1
    mkdir closed
    chmod 500 closed
    run 8 init closed/shop
    chmod 700 closed
else
    echo '    (root can read everything: unreadable files are not tested)'
fi

# An import that waits for more rows holds the shop; then it is asked to stop.
mkfifo slow.csv
"$vitrine" import shop slow.csv --images fx >"$work/slow.out" 2>"$work/slow.err" &
background=$!
exec 3<>slow.csv # for reading too: does not wait for a reader
printf 'id,title,image_link\nslow-1,Slow,good0.jpg\n' >&3
# shop/lock names who writes. Asking for the right to write before could take it away.
tries=0
while [ ! -s shop/lock ] && [ "$tries" -lt 600 ] && kill -0 "$background" 2>/dev/null; do
    tries=$((tries + 1))
    sleep 0.1
done
run 12 remove shop no-such-product
complains "$background"
run 12 promote shop vitrine-s
complains "$background"
run 0 search shop fx/good1.jpg
kill -TERM "$background"
# It looks up between two rows: they come until it has ended.
i=0
while [ "$i" -lt 3000 ] && kill -0 "$background" 2>/dev/null && ! [ -s "$work/slow.out" ]; do
    i=$((i + 1))
    printf 'late-%d,Late,good1.jpg\n' "$i" >&3
    sleep 0.02
done
exec 3>&-
got=0
wait "$background" || got=$?
background=
is 'the exit code of an import that was stopped' "$got" 13
holds "$work/slow.out" 'goes on where it stopped'
run 0 info shop --check

# ---- the end ----

if [ "$failures" -ne 0 ]; then
    printf '[  FAILED  ] %d of %d test(s).\n' "$failures" $((passed + failures))
    exit 1
fi
printf '[  PASSED  ] %d test(s).\n' "$passed"
