#!/usr/bin/env bash
# Fine-tune an encoder into a translator of one pair of languages, from a dataset as it comes to scores.
#
#   bash recipes/finetune_mt.sh                                   Chinese into three languages: the quickstart's setting
#   PAIR=zh-kk bash recipes/finetune_mt.sh TRAIN [VALID TEST]     your data
#
# Inputs:   TRAIN, VALID, TEST are each a file that preprocess/read.py reads (JSON lines, JSON, CSV, TSV, gettext; also
#           gzip), or PREFIX, which stands for the line-aligned files PREFIX.zh and PREFIX.kk (PAIR=zh-kk). Without VALID
#           and TEST they are held out of TRAIN; what is given is not cleaned, and training text that stands in it is
#           left out.
#   PAIR      source and target language (zh-kk): codes of swcm_fairseq/languages.py
#   FIELDS    their fields in the files, by default the languages themselves ("zh kk")
#   OUT, ENCODER, KEEP_LAYERS, VALID_PAIRS, TEST_PAIRS, MAX_PIECES     as in recipes/quickstart.sh
#   MAX_TRAIN most pairs to train on (0: all)
#   UPDATES, LR, PRECISION and others     as in recipes/train.sh
# Outputs:  OUT/test/PAIR.json, scores; OUT/model, checkpoints; OUT/packed; every step's files beside them.
# Hardware: as recipes/quickstart.sh for as many pairs.
# Time:     without arguments 11 to 14 minutes on 2 CPU cores that have bf16, the environment included.
# Expect:   a table of scores, beside those of the references in another order.
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=recipes/lib/steps.sh
. "$SWCM_ROOT/recipes/lib/steps.sh"

: "${UPDATES:=1000}"
: "${PAIR:=zh-kk}"
: "${FIELDS:=${PAIR/-/ }}"
: "${OUT:=$SWCM_ROOT/runs/mt-$PAIR}"
: "${ENCODER:=}"
: "${KEEP_LAYERS=0,2,4}"
: "${VALID_PAIRS:=100}"
: "${TEST_PAIRS:=150}"
: "${MAX_TRAIN:=0}"
: "${MAX_PIECES:=60}"
: "${MAX_LEN:=100}"
export UPDATES MAX_LEN

case $# in
0) COMPARE=0 exec bash "$SWCM_ROOT/recipes/quickstart.sh" ;;
1 | 3) ;;
*) usage_error "recipes/finetune_mt.sh [TRAIN [VALID TEST]]" ;;
esac
[[ $PAIR =~ ^[A-Za-z_]+-[A-Za-z_]+$ ]] || usage_error "PAIR is two languages such as zh-kk, not '$PAIR'"
read -r source_field target_field more <<<"$FIELDS "
[ -n "$target_field" ] && [ -z "$more" ] || usage_error "FIELDS is the source's field and the target's, not '$FIELDS'"
recipes=$SWCM_ROOT/recipes
source=${PAIR%-*} target=${PAIR#*-}
fields=("$source" "$source_field" "$target" "$target_field")

begin 6

step "3/6 text"
held_out=()
take train "$1" "${fields[@]}"
if [ $# -eq 3 ]; then
    take valid "$2" "${fields[@]}"
    take test "$3" "${fields[@]}"
    held_out=(--held-out "$OUT/raw/valid.$source" "$OUT/raw/valid.$target" "$OUT/raw/test.$source" "$OUT/raw/test.$target")
fi
done_already "$OUT/clean/$PAIR.counts.json" "clean text" ||
    preprocess clean --src "$OUT/raw/train.$source" --tgt "$OUT/raw/train.$target" \
        --src-lang "$source" --tgt-lang "$target" --spm "$ENCODER/sentencepiece.bpe.model" --max-pieces "$MAX_PIECES" \
        "${held_out[@]+"${held_out[@]}"}" --out "$OUT/clean/$PAIR"
split=$OUT/split
if [ $# -eq 3 ]; then
    given_split "$PAIR" "$source" "$target"
else
    done_already "$split/split.counts.json" "split" ||
        preprocess split --pairs "$OUT/clean/$PAIR" --pivot "$source" --out "$split" \
            --spm "$ENCODER/sentencepiece.bpe.model" --valid "$VALID_PAIRS" --test "$TEST_PAIRS" \
            --max-train "$MAX_TRAIN"
fi

step "4/6 a smaller encoder, pieces, binarized"
encoder_and_dict "$ENCODER" "$OUT" "$source,$target" "$split/train.$PAIR".*
encode_text "$OUT/encoder" "$OUT/pieces" "$split"/*."$PAIR".*
bash "$recipes/binarize.sh" "$OUT/pieces" "$OUT/dict.txt" "$OUT/data-bin" "$PAIR"

step "5/6 training"
bash "$recipes/train.sh" "$OUT/data-bin" "$OUT/encoder" "$OUT/model" "$PAIR"

step "6/6 decoding the test set"
REFERENCES=$split/test SCORE_FLAGS=--shuffled bash "$recipes/evaluate.sh" "$OUT/data-bin" \
    "$OUT/model/checkpoint_best.pt" "$OUT/test" "$PAIR"
pack "$OUT/model/checkpoint_best.pt" "$OUT/packed"
step "done: $OUT/test/$PAIR.json"
