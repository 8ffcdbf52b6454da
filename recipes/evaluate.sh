#!/usr/bin/env bash
# Decode test sets with a checkpoint and score them: the named ones, or all of a data folder.
#
#   recipes/evaluate.sh DATA_BIN CHECKPOINT OUT_DIR [NAME...] [-- FLAGS OF fairseq-generate...]
#
# Inputs:   DATA_BIN of recipes/binarize.sh; CHECKPOINT of swcm_finetuning (several joined by ":" are an ensemble).
#           NAME is a pair of suffixes such as zh-kk, the second one a language; or LANGUAGE/PAIR such as
#           ru/text-summary, for data in DATA_BIN/LANGUAGE. Without any: all test sets in both places.
#   TARGET_TAG    the language of the outputs of pairs whose second suffix is none (text-summary with TARGET_TAG=en)
#   REFERENCES    PREFIX scores against the texts PREFIX.PAIR.TARGET, in which nothing is lost; without it, against the
#                 binarized references that fairseq-generate prints. For LANGUAGE/PAIR these are one folder further
#                 down: REFERENCES=split/test stands for split/LANGUAGE/test.PAIR.TARGET. Further references, such as
#                 a question's other right answers, are in PREFIX.PAIR.TARGET.2 to .9, with empty lines where there
#                 are none.
#           Sources that are too long for the model are cut, and counted; a reference that is too long is named.
# Outputs:  OUT_DIR/NAME.txt, what fairseq-generate printed; OUT_DIR/NAME.json, the scores. Sets decoded
#           since the checkpoint was written are only scored.
# Hardware: a CPU, which decodes one test set after another; or GPUs, each with a test set of its own at a time.
# Time:     2 CPU cores, 28M parameters, beam 5: about 15 seconds for 150 sentences.
# Expect:   one table a test set.
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

: "${BEAM:=5}"
: "${MAX_LEN:=100}"        # most pieces of an output; no share of the source's length, which would depend on the batch
: "${MAX_TOKENS:=4000}"    # pieces a batch
: "${SPLIT:=test}"
: "${TARGET_TAG:=}"
: "${REFERENCES:=}"
: "${METRICS:=bleu,chrf,chrfpp,wrong_language}"
: "${SCORE_FLAGS:=}"       # for swcm-score, such as "--shuffled --first-sentence"

usage="recipes/evaluate.sh DATA_BIN CHECKPOINT OUT_DIR [NAME...] [-- FLAGS...]"
[ $# -ge 3 ] || usage_error "$usage"
data=${1%/} checkpoint=$2 out=$3
shift 3
names=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    [[ $1 =~ ^([A-Za-z0-9_]+/)?[A-Za-z0-9_]+-[A-Za-z0-9_]+$ ]] ||
        usage_error "'$1' is no test set such as zh-kk or ru/text-summary; $usage"
    names+=("$1")
    shift
done
[ $# -eq 0 ] || shift

# test_sets FOLDER PREFIX: the pairs of a data folder that have a test set, with PREFIX before each.
test_sets() {
    local file name
    for file in "$1/$SPLIT".*-*.*.idx; do
        name=${file##*/"$SPLIT".}
        name=${name%%.*}
        if [ -e "$1/$SPLIT.$name.${name#*-}.idx" ] && [ "${name#*-}" != None ]; then
            echo "$2$name"
        fi
    done | LC_ALL=C sort -u
}

if [ ${#names[@]} -eq 0 ]; then
    while read -r name; do names+=("$name"); done < <(
        test_sets "$data" ""
        for folder in "$data"/*/; do test_sets "${folder%/}" "$(basename "$folder")/"; done
    )
    [ ${#names[@]} -gt 0 ] || die "$data holds no test set ($SPLIT.zh-kk.kk.idx, for example), nor do its folders"
fi
use_environment
alone "$out/.lock" "$out"
devices=$out/.devices
trap 'rm -f "$devices" "$out/.lock"' EXIT

# split_name NAME: sets folder (of the data, with / or nothing), pair, source, target and tag, the language.
split_name() {
    pair=${1##*/}
    folder=${1%"$pair"}
    source=${pair%-*} target=${pair#*-}
    tag=${folder%/}
    tag=${tag:-${TARGET_TAG:-$target}}
}

# decode NAME FLAGS...: what is undone of it; false, with a message, where that fails.
decode() {
    local name=$1 folder pair source target tag wanted written
    shift
    split_name "$name"
    done_already "$out/$name.txt" "output for $name in $out" "$checkpoint" && return 0
    mkdir -p "$out/$folder"
    say "decoding $SPLIT $name with beam $BEAM${CUDA_VISIBLE_DEVICES:+ on GPU $CUDA_VISIBLE_DEVICES}"
    fairseq-generate "$data${folder:+/${folder%/}}" --user-dir "$SWCM_ROOT/swcm_fairseq" --task swcm_finetuning \
        --source-lang "$source" --target-lang "$target" --target-tag "$tag" --gen-subset "$SPLIT" \
        --path "$checkpoint" --beam "$BEAM" --max-len-b "$MAX_LEN" --max-tokens "$MAX_TOKENS" \
        --truncate-source "$@" >"$out/$name.txt.tmp" 2>"$out/$name.log" ||
        {
            say "error: fairseq-generate failed for $name: $(tail -n 1 "$out/$name.log")" >&2
            return 1
        }
    # Which sources were too long for the model, and were cut.
    sed -n 's/.*| \(.*sources are longer than .*\)/note: \1/p' "$out/$name.txt.tmp" "$out/$name.log"
    wanted=$(sentences "$data/$folder$SPLIT.$pair.$source.idx")
    written=$(awk -F '\t' '/^D-/ && !seen[$1]++ { count++ } END { print count + 0 }' "$out/$name.txt.tmp")
    if [ -n "$wanted" ] && [ "$wanted" != "$written" ]; then
        say "error: $name: $written of $wanted sentences were decoded; decoding again would end the same way: see" \
            "$out/$name.txt.tmp and $out/$name.log for those that were left out" >&2
        return 1
    fi
    mv "$out/$name.txt.tmp" "$out/$name.txt"
}

# sentences FILE.idx: how many a binarized file holds; nothing where it is of a kind that does not say.
sentences() {
    [ "$(head -c 7 "$1" 2>/dev/null)" = MMIDIDX ] || return 0
    od -An -t u8 -j 18 -N 8 "$1" | tr -d ' '
}

# on_each_gpu FLAGS...: decode all test sets, as many at a time as there are GPUs. A job takes the number of a free one
# out of a pipe and puts it back at its end.
on_each_gpu() {
    local name device jobs=() failed=0
    rm -f "$devices"
    mkfifo "$devices"
    exec 8<>"$devices"
    gpu_numbers >&8
    for name in "${names[@]}"; do
        read -r -u 8 device
        (
            trap - EXIT # the folder's lock is not the job's to remove
            status=0
            CUDA_VISIBLE_DEVICES=$device decode "$name" "$@" || status=1
            echo "$device" >&8
            exit "$status"
        ) &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job" || failed=$((failed + 1)); done
    exec 8>&-
    return $((failed > 0))
}

# gpu_numbers: the GPUs this process may use, one a line.
gpu_numbers() {
    if [ -n "${CUDA_VISIBLE_DEVICES:-}" ]; then
        tr ',' '\n' <<<"$CUDA_VISIBLE_DEVICES" | head -n "$SWCM_GPUS"
    else
        seq 0 $((SWCM_GPUS - 1))
    fi
}

mkdir -p "$out"
undone=0
find_gpus
if [ "$SWCM_GPUS" -gt 1 ] && [ ${#names[@]} -gt 1 ]; then
    on_each_gpu "$@" || undone=1
else
    for name in "${names[@]}"; do decode "$name" "$@" || undone=1; done
fi
[ "$undone" = 0 ] || die "some test sets were not decoded; see above. What is done is kept"

read -r -a more <<<"$SCORE_FLAGS"
for name in "${names[@]}"; do
    split_name "$name"
    score=(swcm-score --lang "$tag" --generate-output "$out/$name.txt" --metrics "$METRICS" "${more[@]+"${more[@]}"}")
    case $REFERENCES in
    "") references= ;;
    */*) references=${REFERENCES%/*}/$folder${REFERENCES##*/}.$pair.$target ;;
    *) references=$folder$REFERENCES.$pair.$target ;;
    esac
    if [ -n "$references" ]; then
        score+=(--ref "$references")
        for further in "$references".[2-9]; do [ ! -e "$further" ] || score+=("$further"); done
    fi
    [ -z "$SCORE_FLAGS" ] || score+=(--names model)
    "${score[@]}" --json >"$out/$name.json.tmp" || die "scoring $name failed"
    mv "$out/$name.json.tmp" "$out/$name.json"
    [ -z "$folder" ] || say "$name"
    "${score[@]}"
done
