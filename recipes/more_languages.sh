#!/usr/bin/env bash
# What the encoder's weights are worth in further languages: the quickstart as it is, on twelve more of LibreOffice's,
# of eight families and eight scripts. The paper leaves open whether they gain as its own four do.
#
#   bash recipes/more_languages.sh
#
# What it does: recipes/quickstart.sh for AT_ONCE languages after AT_ONCE others, with both starts; then one table of
#           all, with intervals and paired tests, and a page with plots.
# Inputs:   python3 and the package registries; or TEXT and ENCODER, as for recipes/quickstart.sh, whose other
#           variables are taken too.
# Outputs:  LEDGER, recipes/results, has a file for each training, and recipes/results.sh the table ("languages"); what
#           the ledger has isn't run again. Of what was trained here OUT/scores.json; OUT/report/index.html; OUT/shared
#           and OUT/random, what both systems wrote, beside OUT/references; OUT/kk-mn-ug and the like, each quickstart.
#           Stopped and started again it goes on.
# Hardware: as for the quickstart.
# Time:     as for the quickstart, 18 minutes on 2 cores, for every three languages: not yet seen as a whole.
# Expect:   a row of shared, random and shuffled for every language, with a p-value beside random.
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

: "${LANGS:=am cy eu gn ka km ne or si tg uz zu}"
: "${AT_ONCE:=3}"    # languages that one model learns together
: "${OUT:=$SWCM_ROOT/runs/more-languages}"
: "${ENCODER:=}"     # encoder folder instead of multilingual-e5-small
: "${TEXT:=}"        # folder with zh-XX.zh and zh-XX.XX instead of LibreOffice's text
: "${LEDGER:=}"      # by default recipes/results, with another ENCODER or TEXT OUT/results
: "${UPDATES:=800}"
: "${TRAIN_PAIRS:=5000}"
[ $# -eq 0 ] || usage_error "recipes/more_languages.sh takes no arguments; its header lists the variables"
[[ $AT_ONCE =~ ^[1-9][0-9]*$ ]] || usage_error "AT_ONCE is a number of languages, not '$AT_ONCE'"
read -r -a langs <<<"$LANGS"

if [ -z "$LEDGER" ]; then
    LEDGER=$SWCM_ROOT/recipes/results
    [ -z "$ENCODER$TEXT" ] || LEDGER=$OUT/results
fi
# What the ledger's names say, and the paper's recipe for both starts.
export UPDATES TRAIN_PAIRS RECIPE=paper LR=5e-4 SEED=1 VALIDATION_SCORES=chrfpp
commit=$(git -C "$SWCM_ROOT" rev-parse HEAD 2>/dev/null || true)

# in_ledger LANGUAGES: whether it has both systems.
in_ledger() {
    local system
    for system in shared random; do [ -e "$LEDGER/small.${1// /-}.$TRAIN_PAIRS.$system.$UPDATES.$LR.$SEED.json" ] || return 1; done
}

begin 3
export ENCODER TEXT
report=("$SWCM_PY" -m recipes.lib.reproduce_report)
here=()
step "3/3 quickstarts"
mkdir -p "$OUT"/{shared,random,references,sources}
for ((first = 0; first < ${#langs[@]}; first += AT_ONCE)); do
    some=("${langs[@]:first:AT_ONCE}")
    folder=$OUT/$(IFS=-; echo "${some[*]}")
    if [ ! -e "$folder/scores.json" ] && in_ledger "${some[*]}"; then
        say "${some[*]}: in the ledger"
        continue
    fi
    done_already "$folder/scores.json" "${some[*]}" ||
        LANGS="${some[*]}" OUT=$folder COMPARE=1 SWCM_SKIP_SETUP=1 bash "$SWCM_ROOT/recipes/quickstart.sh"
    in_ledger "${some[*]}" || for system in shared random; do
        "${report[@]}" record --ledger "$LEDGER" --langs "${some[@]}" --training "$folder/$system" \
            --split "$folder/split" --pairs "$TRAIN_PAIRS" --row "$system" --updates "$UPDATES" --rate "$LR" \
            --seed "$SEED" --commit "$commit" --experiment languages
    done
    here+=("${some[@]}")
    for lang in "${some[@]}"; do
        for system in shared random; do cp "$folder/$system/test/zh-$lang.txt" "$OUT/$system/"; done
        cp "$folder/split/test.zh-$lang.$lang" "$OUT/references/"
        cp "$folder/split/test.zh-$lang.zh" "$OUT/sources/"
    done
done

"${report[@]}" languages --ledger "$LEDGER"
[ ${#here[@]} -gt 0 ] || exit 0
metrics=chrfpp,bleu,wrong_language
score=(swcm-score --lang "${here[@]}" --names shared random --metrics "$metrics" --shuffled
    --generate-output "$OUT/shared/zh-{lang}.txt" "$OUT/random/zh-{lang}.txt"
    --ref "$OUT/references/test.zh-{lang}.{lang}" --src "$OUT/sources/test.zh-{lang}.zh")
"${score[@]}" --json --report "$OUT/report" --force >"$OUT/scores.json.tmp"
mv "$OUT/scores.json.tmp" "$OUT/scores.json"
"${score[@]}"
step "done: $OUT/scores.json"
