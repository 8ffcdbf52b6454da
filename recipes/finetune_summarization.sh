#!/usr/bin/env bash
# Fine-tune an encoder into a summarizer of one language, from a dataset as it comes to scores.
#
#   bash recipes/finetune_summarization.sh                      Debian's package descriptions in English, a small setting
#   bash recipes/finetune_summarization.sh TRAIN [VALID TEST]   your data
#
# Inputs:   TRAIN, VALID, TEST are each a file that preprocess/read.py reads (JSON lines, JSON, CSV, TSV; also gzip), or
#           PREFIX, which stands for the line-aligned files PREFIX.text and PREFIX.summary. Without VALID and TEST they
#           are held out of TRAIN; what is given is not cleaned, and training text that stands in it is left out.
#   SUMMARY_LANG   language of the text and its summaries (en): a code of swcm_fairseq/languages.py
#   DATASET        names of the fields: lcsts (text, summary), cmhg (content, title), mc2 (text, title); or
#   FIELDS         the names themselves, "text summary" by default
# Outputs:  OUT/scores.json, ROUGE-1/2/L with 95% intervals, share of wrong language and length ratio, of the
#           model, the references shuffled and the first sentences; OUT/model, checkpoints; every step's files beside.
# Hardware: a CPU with 2 cores and 8 GiB of memory, or all GPUs of the machine: then set KEEP_LAYERS= (all layers),
#           MAX_SOURCE, BATCH_TOKENS and UPDATES to what the data deserve.
# Time:     11 minutes on 2 cores that had other work to do, with the defaults, the environment included.
# Expect:   Debian 12.15, English, 200 test packages, ROUGE-L: references shuffled 4, first sentences 27 (2.6 times as
#           long as the references), the model 21 at 0.85 of their length. 26 in 15 minutes with DENOISING=300
#           UPDATES=500; 23 without denoising first (DENOISING=0 UPDATES=700). Stopped and started again it goes on.
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=recipes/lib/steps.sh
. "$SWCM_ROOT/recipes/lib/steps.sh"

: "${SUMMARY_LANG:=en}"
: "${DATASET:=}"
: "${OUT:=$SWCM_ROOT/runs/summarization-$SUMMARY_LANG}"
: "${ENCODER:=}"               # encoder folder instead of multilingual-e5-small
: "${KEEP_LAYERS=0,3,6,9}"     # of the encoder; empty keeps all
: "${MIN_COUNT:=2}"            # pieces rarer than that in the training text are cut from the vocabulary
: "${VALID_PAIRS:=100}"        # to hold out, where VALID and TEST are not given
: "${TEST_PAIRS:=200}"
: "${MAX_TRAIN:=8000}"         # most pairs to train on; 0: all, of text of your own
: "${MAX_CHARS:=5000}"         # longest text
: "${MAX_SOURCE:=96}"          # pieces that the model reads of a text; the rest is cut off
: "${MAX_LEN:=60}"             # most pieces of an output
: "${BATCH_TOKENS:=1200}"      # pieces an update; a long text with its short summary counts as the text
: "${DENOISING:=200}"          # updates of denoising the text and the summaries before; 0 for none
: "${DENOISING_LR:=5e-4}"
: "${UPDATES:=350}"
export UPDATES MAX_LEN BATCH_TOKENS
case $DATASET in
"") : "${FIELDS:=text summary}" ;;
lcsts) : "${FIELDS:=text summary}" ;;
cmhg) : "${FIELDS:=content title}" ;;
mc2) : "${FIELDS:=text title}" ;;
*) usage_error "DATASET is lcsts, cmhg or mc2, not $DATASET; FIELDS names the fields of others" ;;
esac
read -r text_field summary_field more <<<"$FIELDS "
[ -n "$summary_field" ] && [ -z "$more" ] || usage_error "FIELDS is the text's field and the summary's, not '$FIELDS'"
case $# in
0 | 1 | 3) ;;
*) usage_error "bash recipes/finetune_summarization.sh [TRAIN [VALID TEST]]" ;;
esac

recipes=$SWCM_ROOT/recipes
# clean.py and split.py take the two suffixes for languages.
with_sides() { SWCM_LANGUAGES=$OUT/languages.json preprocess "$@"; }

begin 7

step "3/7 text"
if [ $# -eq 0 ]; then
    LANGS=${SUMMARY_LANG/#en/} VALID=$VALID_PAIRS TEST=$TEST_PAIRS MAX_TRAIN=$MAX_TRAIN \
        bash "$recipes/data/debian_descriptions.sh" "$OUT/raw"
    split=$OUT/raw/$SUMMARY_LANG
else
    split=$OUT/split held_out=()
    "$SWCM_PY" "$recipes/lib/sides.py" --lang "$SUMMARY_LANG" --sides text summary --out "$OUT/languages.json"
    take train "$1" text "$text_field" summary "$summary_field"
    if [ $# -eq 3 ]; then
        take valid "$2" text "$text_field" summary "$summary_field"
        take test "$3" text "$text_field" summary "$summary_field"
        held_out=(--held-out "$OUT"/raw/{valid,test}.{text,summary})
    fi
    done_already "$OUT/clean/text-summary.counts.json" "clean text" ||
        with_sides clean --src "$OUT/raw/train.text" --tgt "$OUT/raw/train.summary" --src-lang text \
            --tgt-lang summary --max-chars "$MAX_CHARS" --near-duplicates 0.8 \
            --without length_ratio,identical "${held_out[@]+"${held_out[@]}"}" \
            --out "$OUT/clean/text-summary"
    if [ $# -eq 3 ]; then
        given_split text-summary text summary
    else
        done_already "$split/split.counts.json" "split" ||
            with_sides split --pairs "$OUT/clean/text-summary" --pivot summary --out "$split" \
                --valid "$VALID_PAIRS" --test "$TEST_PAIRS" --max-train "$MAX_TRAIN"
    fi
fi

step "4/7 a smaller encoder, pieces, binarized"
encoder_and_dict "$ENCODER" "$OUT" "$SUMMARY_LANG" "$split"/train.text-summary.*
encode_text "$OUT/encoder" "$OUT/pieces" "$split"/*.text-summary.*
names=(text-summary)
if [ "$DENOISING" != 0 ]; then
    names+=("$SUMMARY_LANG")
    if ! done_already "$OUT/text/train.$SUMMARY_LANG" "text to denoise"; then
        mkdir -p "$OUT/text"
        for part in valid train; do
            LC_ALL=C sort -u "$split/$part.text-summary".* >"$OUT/text/$part.$SUMMARY_LANG"
        done
    fi
    encode_text "$OUT/encoder" "$OUT/pieces" "$OUT"/text/{train,valid}."$SUMMARY_LANG"
fi
bash "$recipes/binarize.sh" "$OUT/pieces" "$OUT/dict.txt" "$OUT/data-bin" "${names[@]}"

step "5/7 denoising: the decoder learns to write the language, and to copy"
denoise "$OUT" "$SUMMARY_LANG" "$MAX_SOURCE"

step "6/7 training"
cut=(--truncate-source --max-source-positions "$MAX_SOURCE")
bash "$recipes/train.sh" "$OUT/data-bin" "$OUT/encoder" "$OUT/model" text-summary \
    --target-tag "$SUMMARY_LANG" "${cut[@]}" "${start[@]+"${start[@]}"}"

step "7/7 decoding the test set"
TARGET_TAG=$SUMMARY_LANG METRICS=rougeL SCORE_FLAGS="--resamples 0" bash "$recipes/evaluate.sh" "$OUT/data-bin" \
    "$OUT/model/checkpoint_best.pt" "$OUT/test" text-summary -- "${cut[@]}" >"$OUT/test.log" ||
    die "decoding failed; see $OUT/test.log"
# Against the texts as they are, not as far as the model reads them and knows their pieces.
score_into "$OUT/scores.json" --lang "$SUMMARY_LANG" --generate-output "$OUT/test/text-summary.txt" --names model \
    --ref "$split/test.text-summary.summary" --src "$split/test.text-summary.text" --shuffled --first-sentence \
    --metrics "rouge1,rouge2,rougeL,wrong_language,length_ratio,repeated"
step "done: $OUT/scores.json"
