#!/usr/bin/env bash
# Turns pieces and a dictionary into fairseq's binary data, for one or several language pairs in one folder.
#
# Usage     recipes/binarize.sh PIECES_DIR DICT OUT_DIR PAIR...
# Inputs    PIECES_DIR/{train,valid,test}.zh-kk.{zh,kk} for each PAIR such as zh-kk (those splits that are there),
#           as preprocess/encode.py writes them, with sentencepiece.bpe.model beside them; DICT is the dict.txt of
#           preprocess/build_dict.py.
#   WORKERS   processes that binarize (all processors)
#   FORCE=1   make OUT_DIR again
# Outputs   OUT_DIR/{train,valid,test}.zh-kk.{zh,kk}.{bin,idx}, dict.zh.txt, dict.kk.txt, sentencepiece.bpe.model and
#           preprocess.zh-kk.log: what fairseq-train and fairseq-generate read. OUT_DIR is whole or absent.
# Hardware  any; a processor.
# Time      some 10 seconds a pair, and a minute for each 5 million pieces and worker.
# Expect    a line for each file with its sentences and the share of pieces that the dictionary lacks, which is 0
#           where DICT was made for these corpora.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

: "${WORKERS:=$(swcm_cores)}"
: "${FORCE:=0}"

[ $# -ge 4 ] || usage_error "recipes/binarize.sh PIECES_DIR DICT OUT_DIR PAIR... (a PAIR is zh-kk, for example)"
pieces=$1
dict=$2
out=${3%/}
shift 3

problems=()
splits_of() { # PAIR: the splits that have a file in either language, one a line.
    local split
    for split in train valid test; do
        if [ -e "$pieces/$split.$1.${1%%-*}" ] || [ -e "$pieces/$split.$1.${1#*-}" ]; then
            echo "$split"
        fi
    done
}

check_pair() {
    local pair=$1 split a b lines_a lines_b found=
    for split in $(splits_of "$pair"); do
        found=yes
        a=$pieces/$split.$pair.${pair%%-*}
        b=$pieces/$split.$pair.${pair#*-}
        if [ ! -e "$a" ] || [ ! -e "$b" ]; then
            [ -e "$a" ] || problems+=("$a is missing")
            [ -e "$b" ] || problems+=("$b is missing")
            continue
        fi
        lines_a=$(grep -c '' "$a" || true)
        lines_b=$(grep -c '' "$b" || true)
        if [ "$lines_a" != "$lines_b" ]; then
            problems+=("$a has $lines_a lines, $b has $lines_b")
        elif [ "$lines_a" = 0 ]; then
            problems+=("$a and $b are empty")
        fi
    done
    [ -n "$found" ] || problems+=("$pieces has no {train,valid,test}.$pair.{${pair%%-*},${pair#*-}}")
}

[ -d "$pieces" ] || problems+=("$pieces is no folder")
[ -f "$dict" ] || problems+=("$dict, the dictionary, is missing")
[ -f "$pieces/sentencepiece.bpe.model" ] || problems+=("$pieces/sentencepiece.bpe.model is missing")
for pair in "$@"; do
    [[ $pair =~ ^[A-Za-z0-9_]+-[A-Za-z0-9_]+$ ]] || usage_error "'$pair' is no pair of languages such as zh-kk"
    [ ! -d "$pieces" ] || check_pair "$pair"
done
if [ ${#problems[@]} -gt 0 ]; then
    printf -v list '; %s' "${problems[@]}"
    die "nothing was binarized: ${list:2}"
fi

if [ -e "$out" ] && [ "$FORCE" != 1 ]; then
    for pair in "$@"; do
        [ -e "$out/preprocess.$pair.log" ] ||
            die "$out is there but does not hold $pair; give another folder, or FORCE=1 to make it again"
    done
fi
if done_already "$out"; then
    exit 0
fi

use_environment
mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$(dirname "$out")/.$(basename "$out").XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/all"
for pair in "$@"; do
    arguments=()
    for split in $(splits_of "$pair"); do
        arguments+=("--${split}pref" "$pieces/$split.$pair")
    done
    # A folder for each pair: where a dictionary stands already, fairseq-preprocess may refuse to go on.
    fairseq-preprocess --source-lang "${pair%%-*}" --target-lang "${pair#*-}" "${arguments[@]}" \
        --srcdict "$dict" --joined-dictionary --destdir "$work/$pair" --workers "$WORKERS" \
        >"$work/$pair.out" 2>&1 ||
        {
            tail -n 3 "$work/$pair.out" >&2
            die "fairseq-preprocess failed for $pair; see above"
        }
    # "[kk] PIECES/train.zh-kk.kk: 8000 sents, 84800 tokens, 0.0% replaced (by <unk>)"
    grep -o '\[[A-Za-z0-9_]*\] .* sents, .*' "$work/$pair/preprocess.log" | sed 's/^/    /'
    mv "$work/$pair/preprocess.log" "$work/all/preprocess.$pair.log"
    mv -f "$work/$pair"/* "$work/all/"
done
cp "$pieces/sentencepiece.bpe.model" "$work/all/"
chmod 755 "$work/all"
rm -rf "$out"
mv "$work/all" "$out"
say "$out: ready"
