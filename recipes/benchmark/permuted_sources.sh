#!/usr/bin/env bash
# Does the model read its source? Train the quickstart's model once more, with the sources of each training set in
# another order, so that none belongs to its target. What it then scores is what it knows of the language alone.
#
#   bash recipes/benchmark/permuted_sources.sh [QUICKSTART_DIR]
#
# Inputs:   QUICKSTART_DIR, runs/quickstart by default, as recipes/quickstart.sh left it.
# Outputs:  QUICKSTART_DIR/permuted: the permuted pieces, data-bin, the model, its output and scores on the test sets.
# Hardware: as for the quickstart.
# Time:     9 minutes on 2 cores.
# Expect:   chrF++ no higher than that of references shuffled among themselves ("shuffled" in scores.json).
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

: "${UPDATES:=800}"
: "${MAX_LEN:=100}"
: "${LANGS:=kk mn ug}"
export UPDATES MAX_LEN

[ $# -le 1 ] || usage_error "recipes/benchmark/permuted_sources.sh [QUICKSTART_DIR]"
quick=${1:-$SWCM_ROOT/runs/quickstart}
[ -e "$quick/scores.json" ] || die "$quick is no finished quickstart; run recipes/quickstart.sh first"
out=$quick/permuted
read -r -a langs <<<"$LANGS"
pairs=("${langs[@]/#/zh-}")
use_environment

if ! done_already "$out/pieces" "permuted pieces"; then
    rm -rf "$out/pieces.tmp"
    mkdir -p "$out/pieces.tmp"
    cp "$quick"/pieces/* "$out/pieces.tmp"
    for pair in "${pairs[@]}"; do
        # The same order in every run: the file itself is the source of the random bytes.
        shuf --random-source="$quick/pieces/sentencepiece.bpe.model" "$quick/pieces/train.$pair.zh" \
            >"$out/pieces.tmp/train.$pair.zh"
    done
    mv "$out/pieces.tmp" "$out/pieces"
fi
bash "$SWCM_ROOT/recipes/binarize.sh" "$out/pieces" "$quick/dict.txt" "$out/data-bin" "${pairs[@]}"
bash "$SWCM_ROOT/recipes/train.sh" "$out/data-bin" "$quick/encoder" "$out/model" "$(commas "${pairs[@]}")"
REFERENCES=$quick/split/test bash "$SWCM_ROOT/recipes/evaluate.sh" "$out/data-bin" "$out/model/checkpoint_best.pt" \
    "$out/test" "${pairs[@]}"
