#!/usr/bin/env bash
# From nothing to a translator from Chinese into Kazakh, Mongolian and Uyghur, with its scores, in one command.
#
#   bash recipes/quickstart.sh                          a translator in 25 minutes
#   MINUTES=60 bash recipes/quickstart.sh               a better one; UPDATES=3000 says how long in updates. Where one has
#                                                       been trained already, its training goes on
#   COMPARE=1 RECIPE=paper bash recipes/quickstart.sh   the paper's recipe, beside a decoder that starts random
#
# Inputs:   python3, and the package registries of Python (the encoder) and Debian (the text; without apt see TEXT).
# Outputs:  runs/quickstart/scores.json and sample translations; the translator in runs/quickstart/packed and as
#           checkpoints in runs/quickstart/shared; every step's files beside them.
# Hardware: a CPU with 2 cores, 8 GiB of memory, 4 GB of disk; a GPU is used when there is one.
# Time:     MINUTES, the environment included: it measures its first updates and makes as many as fit. 2 cores with bf16
#           make one or two updates a second, others, which train in float32, about one.
# Expect:   chrF++ in the twenties after 800 updates; references in the wrong order have 6. The random start of COMPARE=1
#           scores little more than those. A second run skips what is done, FORCE=1 makes it again.
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=recipes/lib/steps.sh
. "$SWCM_ROOT/recipes/lib/steps.sh"

: "${OUT:=$SWCM_ROOT/runs/quickstart}"
: "${MINUTES:=25}"             # for all of it
: "${UPDATES:=}"               # training steps, instead of as many as fit MINUTES
: "${RECIPE:=best}"            # best or paper (recipes/train.sh)
: "${COMPARE:=0}"              # 1: a second training, whose decoder starts random, in half of the time
: "${LANGS:=kk mn ug}"         # languages to translate Chinese into
: "${TEXT:=}"                  # folder with zh-kk.zh, zh-kk.kk, ... instead of LibreOffice's text
: "${ENCODER:=}"               # encoder folder instead of multilingual-e5-small
: "${KEEP_LAYERS=0,2,4}"       # of the encoder; empty keeps all
: "${TRAIN_PAIRS:=0}"          # most pairs a language; 0: all
: "${TEST_PAIRS:=150}"
: "${VALID_PAIRS:=100}"
: "${MAX_PIECES:=60}"          # longest side of a pair, in the encoder's pieces
: "${MAX_LEN:=100}"             # most pieces of an output
export MAX_LEN RECIPE

[ $# -eq 0 ] || usage_error "recipes/quickstart.sh takes no arguments; its header lists the variables"
[[ $MINUTES =~ ^[1-9][0-9]*$ ]] || usage_error "MINUTES is a number of minutes, not '$MINUTES'"
[[ $UPDATES =~ ^([1-9][0-9]*)?$ ]] || usage_error "UPDATES is a number of training steps, not '$UPDATES'"
asked=${UPDATES:-$MINUTES minutes}
recipes=$SWCM_ROOT/recipes
read -r -a langs <<<"$LANGS"
pairs=("${langs[@]/#/zh-}")
joined=$(commas "${pairs[@]}")

begin 8

step "3/8 text"
libreoffice_pairs "$OUT" "${langs[*]}"
done_already "$OUT/split/split.counts.json" "split" ||
    preprocess split --pairs "${pairs[@]/#/$OUT/clean/}" --pivot zh --out "$OUT/split" \
        --spm "$ENCODER/sentencepiece.bpe.model" --valid "$VALID_PAIRS" --test "$TEST_PAIRS" \
        --max-train "$TRAIN_PAIRS"

step "4/8 a smaller encoder: the pieces of the training text, layers ${KEEP_LAYERS:-all}"
encoder_and_dict "$ENCODER" "$OUT" "$(commas zh "${langs[@]}")" "$OUT"/split/train.*

step "5/8 pieces, binarized"
encode_text "$OUT/encoder" "$OUT/pieces" "$OUT"/split/*.zh-*.*
bash "$recipes/binarize.sh" "$OUT/pieces" "$OUT/dict.txt" "$OUT/data-bin" "${pairs[@]}"

# How many updates fit is found out by making some, once for what is asked for.
plan=("$SWCM_PY" -m recipes.lib.quickstart_plan)
if [ -z "$UPDATES" ]; then
    if [ ! -e "$OUT/updates" ] || [ "$(cut -f 1 "$OUT/updates")" != "$asked, COMPARE=$COMPARE" ]; then
        say "measuring a few updates"
        UPDATES=30 LOG_EVERY=5 VALIDATION_SCORES='' BEST_METRIC='' FORCE=1 bash "$recipes/train.sh" "$OUT/data-bin" \
            "$OUT/encoder" "$OUT/timing" "$joined" --no-save --disable-validation >"$OUT/timing.log" ||
            die "training failed; see $OUT/timing.log"
        UPDATES=$("${plan[@]}" updates --log "$OUT/timing/train.log" --seconds $((60 * MINUTES - SECONDS)) \
            --trainings $((COMPARE == 0 ? 1 : 2)))
        printf '%s\t%s\n' "$asked, COMPARE=$COMPARE" "$UPDATES" >"$OUT/updates"
    fi
    UPDATES=$(cut -f 2 "$OUT/updates")
    say "$UPDATES updates fit $MINUTES minutes"
fi
export UPDATES

step "6/8 training, decoder started from the encoder"
bash "$recipes/train.sh" "$OUT/data-bin" "$OUT/encoder" "$OUT/shared" "$joined"
systems=(shared)
if [ "$COMPARE" != 0 ]; then
    step "7/8 the same training, decoder started random"
    bash "$recipes/train.sh" "$OUT/data-bin" "$OUT/encoder" "$OUT/random" "$joined" --decoder-init random
    systems+=(random)
fi

step "8/8 decoding the test sets"
for system in "${systems[@]}"; do
    REFERENCES=$OUT/split/test bash "$recipes/evaluate.sh" "$OUT/data-bin" "$OUT/$system/checkpoint_best.pt" \
        "$OUT/$system/test" "${pairs[@]}"
done
pack "$OUT/shared/checkpoint_best.pt" "$OUT/packed"
"$SWCM_PY" "$recipes/lib/quickstart_report.py" --out "$OUT" --langs "${langs[@]}" --systems "${systems[@]}"
step "done: $OUT/scores.json"
quoted() { printf '%q' "$1"; } # paths may hold spaces
cat <<END

Type sentences at it:

  $(quoted "$SWCM_VENV/bin/fairseq-interactive") $(quoted "$OUT/data-bin") --user-dir $(quoted "$SWCM_ROOT/swcm_fairseq") \\
    --task swcm_finetuning --source-lang zh --target-lang ${langs[0]} \\
    --path $(quoted "$OUT/shared/checkpoint_best.pt") --beam 5 --max-len-b $MAX_LEN

From Python:

  $(quoted "$SWCM_PY") -c 'import swcm_fairseq; t = swcm_fairseq.from_pretrained("$OUT/packed"); print(t.translate(["打开文件"], target="${langs[0]}"))'
END
"${plan[@]}" further --updates "$(cat "$OUT/shared/done")" --log "$OUT/shared/train.log"
