#!/usr/bin/env bash
# Summarization from one language into others: fine-tuned on summaries in English, tested in languages whose summaries
# it was never shown with their texts, with the language forced by its tag and without.
#
#   bash recipes/transfer.sh                       zero-shot, a small setting
#   PRETRAINING_UPDATES=2500 UPDATES=1000 bash recipes/transfer.sh        until it beats the texts' first sentences
#   FEW_SHOT=50 bash recipes/transfer.sh           with 50 pairs of each test language among the fine-tuning's
#
# The method (paper, section 4): pretraining gives every language's tag a meaning, by denoising (DAE) its text and by
# translating (MT) between English and it; fine-tuning learns to summarize in English; the tag of the language asked for
# is the decoder's first input. Fine-tuning on English alone would have the other tags forgotten, so it goes on
# denoising in all of them: a summary hidden in some other package's text is to be found again
# (recipes/lib/transfer_text.py). Of the test languages training sees texts and summaries each by itself, as text to
# denoise and, the summaries, to translate, of packages that no test set has; never a summary beside its text.
#
# Inputs:   python3, and the package registries of Python (the encoder) and Debian (the text); or from this machine
#           ENCODER, and TEXT in the layout of recipes/data/debian_descriptions.sh.
#   FROM, TO       the language of the summaries to learn from (en), and those to test in ("ru uk pl")
#   FEW_SHOT       pairs of each test language for fine-tuning (0)
#   PRETRAINED     a checkpoint of recipes/pretrain.sh, to leave out the pretraining; its languages and dictionary must
#                  be those of this recipe
# Outputs:  OUT/scores.json and a table: ROUGE-L and share of wrong language of each language, forced and free, beside
#           the references, the references shuffled and the texts' first sentences; OUT/forced, OUT/free, what was
#           written; OUT/pretrained, OUT/model, checkpoints; every step's files beside them.
#           Free is decoding with the tag of the language that was fine-tuned in, the only one a model would start with
#           that has no tags to force.
# Hardware: a CPU with 2 cores, 8 GiB of memory, 4 GB of disk; GPUs are used when there are any.
# Time:     14 minutes on 2 cores with the defaults, the environment included; the longer setting 89 minutes on one.
# Expect:   200 test packages, ROUGE-L (share of wrong language, %), one seed:
#             2500 + 1000 updates, forced  en 33.5 (11.0), ru 25.8 (6.5), uk 26.3 (4.5), pl 25.7 (7.5)
#             2500 + 1000 updates, free                    ru 19.4 (50.5), uk 17.6 (44.0), pl 21.0 (31.5)
#             250 + 300 updates, forced    en 25.9 (14.5), ru 17.7 (17.5), uk 16.8 (7.5), pl 17.9 (11.0)
#             250 + 300 updates, free                      ru 7.1 (82.0), uk 8.2 (83.0), pl 9.1 (74.0)
#             first sentences              en 24.5, ru 25.2, uk 24.1, pl 23.5; references shuffled 2.5 to 3.7
#             references                   en (19.5), ru (3.0), uk (3.0), pl (10.5)
#           Stopped and started again it goes on.
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=recipes/lib/steps.sh
. "$SWCM_ROOT/recipes/lib/steps.sh"

: "${FROM:=en}"
: "${TO:=ru uk pl}"
: "${FEW_SHOT:=0}"
: "${PRETRAINED:=}"
: "${TEXT:=}"                     # folder with en/train.text-summary.text and so on instead of Debian's text
: "${ENCODER:=}"                  # encoder folder instead of multilingual-e5-small
: "${KEEP_LAYERS=0,3,6,9}"        # of the encoder; empty keeps all
: "${MIN_COUNT:=3}"               # pieces rarer than that in the training text are cut from the vocabulary
: "${MAX_SOURCE:=64}"             # pieces that the model reads of a text; the rest is cut off
: "${MAX_LEN:=40}"                # most pieces of an output
: "${BEAM:=4}"
: "${REHEARSE:=3000}"             # most summaries of each language to hide while fine-tuning
: "${PRETRAINING_UPDATES:=250}"
: "${PRETRAINING_LR:=5e-4}"
: "${UPDATES:=300}"               # of fine-tuning
: "${LR:=3e-4}"                   # of fine-tuning
: "${SENTENCES:=24}"              # examples a batch of fine-tuning
: "${SEED:=1}"
if [ "$FEW_SHOT" = 0 ]; then
    : "${OUT:=$SWCM_ROOT/runs/transfer}"
else
    : "${OUT:=$SWCM_ROOT/runs/transfer-$FEW_SHOT}"
fi
[ $# -eq 0 ] || usage_error "recipes/transfer.sh takes no arguments; its header lists the variables"
[[ $FEW_SHOT =~ ^[0-9]+$ ]] || usage_error "FEW_SHOT is a number of pairs, not '$FEW_SHOT'"
export BEAM MAX_LEN SEED

recipes=$SWCM_ROOT/recipes
read -r -a targets <<<"$TO"
languages=("$FROM" "${targets[@]}")
tests=() translations=() hidden=() few=()
for code in "${languages[@]}"; do
    tests+=("text_$code-$code")
    hidden+=("hidden_$code-$code")
done
for code in "${targets[@]}"; do
    translations+=("$FROM-$code")
    [ "$FEW_SHOT" = 0 ] || few+=("text_$code-$code")
done

begin 8

step "3/8 text"
if [ -z "$TEXT" ]; then
    [ "$FROM" = en ] || usage_error "FROM=$FROM: Debian's text is split by its English; TEXT names a folder with other"
    TEXT=$OUT/raw
    LANGS=$TO bash "$recipes/data/debian_descriptions.sh" "$TEXT"
fi
done_already "$OUT/text" "text to train and test on" ||
    "$SWCM_PY" "$recipes/lib/transfer_text.py" --data "$TEXT" --source "$FROM" --targets "${targets[@]}" \
        --few-shot "$FEW_SHOT" --rehearse "$REHEARSE" --seed "$SEED" --out "$OUT/text" \
        "${force[@]+"${force[@]}"}"

step "4/8 a smaller encoder: the pieces of the training text, layers ${KEEP_LAYERS:-all}"
encoder_and_dict "$ENCODER" "$OUT" "$(commas "${languages[@]}")" "$OUT"/text/train.*

step "5/8 pieces, binarized"
encode_text "$OUT/encoder" "$OUT/pieces" "$OUT"/text/*
bash "$recipes/binarize.sh" "$OUT/pieces" "$OUT/dict.txt" "$OUT/data-bin" \
    "${languages[@]}" "${translations[@]}" "${tests[@]}" "${hidden[@]}"

step "6/8 pretraining: denoising and translation"
if [ -z "$PRETRAINED" ]; then
    PRETRAINED=$OUT/pretrained/checkpoint_last.pt
    UPDATES=$PRETRAINING_UPDATES LR=$PRETRAINING_LR EPOCHS=1000 WARMUP=50 SENTENCES=200 MAX_TOKENS=600 UPDATE_FREQ=1 \
        MAX_LENGTH=$MAX_SOURCE MT_SHARE=0.5 SAMPLING_ALPHA=0.5 SCHEDULED_SAMPLING=none \
        bash "$recipes/pretrain.sh" "$OUT/data-bin" "$OUT/encoder" "$OUT/pretrained" \
        "$(commas "${languages[@]}")" "$(commas "${translations[@]}")"
fi

step "7/8 fine-tuning on summaries in $FROM${few:+, and $FEW_SHOT in each of $TO}"
cut=(--truncate-source --max-source-positions "$MAX_SOURCE")
UPDATES=$UPDATES LR=$LR WARMUP=40 BATCH_TOKENS=$((SENTENCES * MAX_SOURCE)) \
    bash "$recipes/train.sh" "$OUT/data-bin" "$OUT/encoder" "$OUT/model" \
    "$(commas "text_$FROM-$FROM" "${few[@]+"${few[@]}"}" "${hidden[@]}")" \
    --finetune-from-model "$PRETRAINED" --batch-size "$SENTENCES" "${cut[@]}"

step "8/8 decoding the test sets"
# decode FOLDER FLAGS...: quietly; the report shows the scores.
decode() {
    local folder=$1
    shift
    REFERENCES=$OUT/text/test METRICS=rougeL,wrong_language bash "$recipes/evaluate.sh" "$OUT/data-bin" \
        "$OUT/model/checkpoint_last.pt" "$folder" "${tests[@]}" -- "${cut[@]}" \
        --no-repeat-ngram-size 3 "$@" >"$folder.log" ||
        die "decoding into $folder failed; see $folder.log"
}
decode "$OUT/forced"
# The same for the language that was fine-tuned in.
mkdir -p "$OUT/free"
cp "$OUT/forced/text_$FROM-$FROM.txt" "$OUT/free/"
decode "$OUT/free" --target-tag "$FROM"
"$SWCM_PY" "$recipes/lib/transfer_report.py" --text "$OUT/text" --forced "$OUT/forced" --free "$OUT/free" \
    --langs "${languages[@]}" --out "$OUT/scores.json"
step "done: $OUT/scores.json"
