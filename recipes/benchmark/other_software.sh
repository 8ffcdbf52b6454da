#!/usr/bin/env bash
# Does a translator that learnt from LibreOffice's messages translate those of other programs? The messages of GNOME's
# are cleaned like the training text; what stands in the quickstart's own split, on either side, is left out.
#
#   bash recipes/benchmark/other_software.sh [QUICKSTART_DIR [MODEL_DIR ...]]
#
# Inputs:   QUICKSTART_DIR, runs/quickstart by default, as recipes/quickstart.sh left it. MODEL_DIR, folders of swcm-pack
#           or swcm-export, by default QUICKSTART_DIR/packed; all are tested against the first.
# Outputs:  a table on standard output; OUT (QUICKSTART_DIR/other-software): the text, its test sets, what each model
#           wrote.
# Hardware: as for decoding the quickstart's test sets.
# Time:     2 CPU cores: a minute a model.
# Expect:   see recipes/benchmark/README.md.
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

quick=${1:-$SWCM_ROOT/runs/quickstart}
: "${OUT:=$quick/other-software}"
: "${LANGS:=kk mn ug}"
: "${TEST_PAIRS:=300}"  # a language
: "${MAX_PIECES:=60}"
: "${MAX_LEN:=100}"
: "${BEAM:=5}"
export LANGS
[ -e "$quick/scores.json" ] || die "$quick is no finished quickstart; run recipes/quickstart.sh first"
read -r -a langs <<<"$LANGS"
pairs=("${langs[@]/#/zh-}")
shift $(($# > 0))
[ $# -gt 0 ] || set -- "$quick/packed"
use_environment

bash "$SWCM_ROOT/recipes/data/gnome.sh" "$OUT/raw"
for lang in "${langs[@]}"; do
    done_already "$OUT/clean/zh-$lang.counts.json" "clean zh-$lang" ||
        preprocess clean --src "$OUT/raw/zh-$lang.zh" --tgt "$OUT/raw/zh-$lang.$lang" --src-lang zh --tgt-lang "$lang" \
            --spm "$quick/encoder/sentencepiece.bpe.model" --max-pieces "$MAX_PIECES" --catalogue \
            --held-out "$quick/split/"*".zh-$lang."* --out "$OUT/clean/zh-$lang"
done
done_already "$OUT/split/split.counts.json" "test sets" ||
    preprocess split --pairs "${pairs[@]/#/$OUT/clean/}" --pivot zh --out "$OUT/split" --valid 0 --test "$TEST_PAIRS"

hypotheses=() names=()
for model in "$@"; do
    # A folder's path is its name.
    names+=("$model")
    outputs=$OUT/outputs/${model//\//_}
    mkdir -p "$outputs"
    hypotheses+=("$outputs/{lang}.txt")
    for lang in "${langs[@]}"; do
        done_already "$outputs/$lang.txt" "zh-$lang of $model" "$model/config.json" ||
            swcm-translate-file "$OUT/split/test.zh-$lang.zh" "$outputs/$lang.txt" --model "$model" --to "$lang" \
                --beam "$BEAM" --max-len "$MAX_LEN" --quiet --force
    done
done
swcm-score --lang "${langs[@]}" --hyp "${hypotheses[@]}" --names "${names[@]}" --ref "$OUT/split/test.zh-{lang}.{lang}" \
    --shuffled --metrics chrfpp
