#!/usr/bin/env bash
# What is an exported model worth? A packed model leaves in every format, and each is held against the packed one.
#
#   bash recipes/benchmark/export_check.sh [MODEL_DIR [SPLIT_DIR]]
#   PARTS=speed bash recipes/benchmark/export_check.sh          one of: equality speed others
#
# Inputs:   MODEL_DIR, a folder of swcm-pack (runs/quickstart/packed); SPLIT_DIR with test.PAIR.LANG files
#           (runs/quickstart/split).
# Outputs:  OUT (MODEL_DIR with "-exports" behind it): the folders hf, ct2, ct2-int8, onnx, onnx-int8, and three tables
#           on standard output.
#   equality  of forced outputs the largest difference of a piece's log-probability; how many of the test sentences get
#             the same pieces by beam 5; size; chrF++ with a paired test against ours
#   speed     sentences a second at batch 1 and 64, beam 5, and memory of the whole process, ours in float32 (and bf16
#             where the machine has it) and CTranslate2 and onnxruntime in float32 and int8
#   others    the same texts from transformers 4's pipelines, optimum and transformers.js, which are installed from PyPI
#             and npm into OUT (needs node 18 or later)
# Hardware: a CPU; the speeds say something on an idle machine only.
# Time:     2 CPU cores, the quickstart's model and 450 sentences: 5 minutes for equality, 4 for speed, 10 for others.
# Expect:   see recipes/benchmark/README.md.
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

: "${PAIRS:=zh-kk zh-mn zh-ug}"
: "${PARTS:=equality speed others}"
: "${FOLDERS:=hf ct2 onnx ct2-int8 onnx-int8}" # of equality
: "${THREADS:=2}"  # of speed
: "${ROUNDS:=1}"   # of speed: the quickest of so many
: "${SENTENCES:=150}" # of others: so many of each language

[ $# -le 2 ] || usage_error "recipes/benchmark/export_check.sh [MODEL_DIR [SPLIT_DIR]]"
model=${1:-$SWCM_ROOT/runs/quickstart/packed}
split=${2:-$SWCM_ROOT/runs/quickstart/split}
: "${OUT:=$model-exports}"
[ -e "$model/config.json" ] || die "$model is no folder of swcm-pack; run recipes/quickstart.sh first"
use_environment
here=$SWCM_ROOT/recipes/benchmark/exports
mkdir -p "$OUT"

export_as() { # export_as NAME FORM QUANTIZATION [OPTION ...]
    done_already "$OUT/$1" || swcm-export "$model" "$OUT/$1" --to "$2" --quantization "$3" --force "${@:4}" 2>/dev/null
}

read -r -a folders <<<"$FOLDERS"
tests=() sources=()
for pair in $PAIRS; do
    tests+=("${pair#*-}=$split/test.$pair.${pair%-*}=$split/test.$pair.${pair#*-}")
    sources+=("${pair#*-}=$split/test.$pair.${pair%-*}")
done

step exports
export_as hf hf none
for form in ct2 onnx; do
    export_as $form $form none
    export_as $form-int8 $form int8
done

for part in $PARTS; do
    step "$part"
    case $part in
    equality)
        "$SWCM_PY" "$here/equality.py" --packed "$model" --exports "$OUT" --tests "${tests[@]}" --only "${folders[@]}"
        ;;
    speed)
        bf16=()
        [ "$("$SWCM_PY" -m swcm_fairseq.hardware 2>/dev/null | cut -f 1)" != bf16 ] || bf16=(--bf16)
        # Threads wait as they do in a user's program, where the recipes' sleep.
        env -u OMP_WAIT_POLICY "$SWCM_PY" "$here/speed.py" --packed "$model" --exports "$OUT" \
            --tests "${sources[@]}" --threads "$THREADS" --rounds "$ROUNDS" "${bf16[@]}"
        ;;
    others)
        [ -e "$OUT/ours.json" ] || die "PARTS=equality comes first: it writes what is compared with"
        for pair in $PAIRS; do
            export_as "hf-${pair#*-}" hf none --targets "${pair#*-}"
        done
        if ! done_already "$OUT/venv/bin/optimum-cli" "transformers 4 and optimum"; then
            "$SWCM_PY" -m venv --clear "$OUT/venv"
            # The environment's own torch: the newest is often a build for GPUs, of some gigabytes.
            torch=$("$SWCM_PY" -c 'import importlib.metadata; print(importlib.metadata.version("torch"))')
            "$OUT/venv/bin/pip" install -q "torch==${torch%+*}"
            "$OUT/venv/bin/pip" install -q "transformers<5" optimum-onnx onnxruntime
        fi
        "$OUT/venv/bin/python" "$here/hugging_face.py" --exports "$OUT" --source "${PAIRS%%-*}" \
            --sentences "$SENTENCES"
        need_cmd npm "node 18 or later has it"
        if ! done_already "$OUT/node_modules/@huggingface" "transformers.js"; then
            # Scripts would fetch what only GPUs want.
            (cd "$OUT" && npm install --silent --no-save --ignore-scripts "@huggingface/transformers@4")
        fi
        node "$here/javascript.mjs" "$OUT" "$SENTENCES"
        ;;
    *) usage_error "PARTS are of: equality speed others" ;;
    esac
done
