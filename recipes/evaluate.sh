#!/usr/bin/env bash
# Decode the test sets of a data folder with a checkpoint and score them.
#
#   recipes/evaluate.sh DATA_BIN CHECKPOINT OUT_DIR PAIR... [-- FLAGS OF fairseq-generate...]
#
# Inputs:   DATA_BIN of recipes/binarize.sh; CHECKPOINT of swcm_finetuning (several joined by ":" are an ensemble);
#           PAIR such as zh-kk. REFERENCES=PREFIX scores against the texts PREFIX.PAIR.TARGET, in which nothing is
#           lost; without it, against the binarized references that fairseq-generate prints.
# Outputs:  OUT_DIR/PAIR.txt, what fairseq-generate printed; OUT_DIR/PAIR.json, BLEU, chrF and chrF++.
# Hardware: a CPU or one GPU.
# Time:     2 CPU cores, 28M parameters, beam 5: about 15 seconds for 150 sentences.
# Expect:   one table a pair.
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

: "${BEAM:=5}"
: "${MAX_LEN:=100}"        # most pieces of an output; no share of the source's length, which would depend on the batch
: "${MAX_TOKENS:=4000}"    # pieces a batch
: "${SPLIT:=test}"
: "${REFERENCES:=}"

[ $# -ge 4 ] || usage_error "recipes/evaluate.sh DATA_BIN CHECKPOINT OUT_DIR PAIR... [-- FLAGS...]"
data=$1 checkpoint=$2 out=$3
shift 3
pairs=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    pairs+=("$1")
    shift
done
[ $# -eq 0 ] || shift
use_environment
alone "$out/.lock" "$out"
trap 'rm -f "$out/.lock"' EXIT

for pair in "${pairs[@]}"; do
    source=${pair%-*} target=${pair#*-}
    if ! done_already "$out/$pair.txt" "output for $pair in $out"; then
        say "decoding $SPLIT $pair with beam $BEAM"
        fairseq-generate "$data" --user-dir "$SWCM_ROOT/swcm_fairseq" --task swcm_finetuning \
            --source-lang "$source" --target-lang "$target" --gen-subset "$SPLIT" --path "$checkpoint" \
            --beam "$BEAM" --max-len-b "$MAX_LEN" --max-tokens "$MAX_TOKENS" --skip-invalid-size-inputs-valid-test \
            "$@" >"$out/$pair.txt.tmp" 2>"$out/$pair.log" ||
            die "fairseq-generate failed for $pair: $(tail -n 1 "$out/$pair.log")"
        mv "$out/$pair.txt.tmp" "$out/$pair.txt"
    fi
    score=(swcm-score --lang "$target" --generate-output "$out/$pair.txt")
    [ -z "$REFERENCES" ] || score+=(--ref "$REFERENCES.$pair.$target")
    "${score[@]}" --json >"$out/$pair.json.tmp" || die "scoring $pair failed"
    mv "$out/$pair.json.tmp" "$out/$pair.json"
    "${score[@]}"
done
