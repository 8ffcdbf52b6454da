#!/usr/bin/env bash
# Turns pieces and a dictionary into fairseq's binary data, for pairs and for single languages in one folder.
#
# Usage     recipes/binarize.sh PIECES_DIR DICT OUT_DIR NAME...
# Inputs    For a NAME such as zh-kk PIECES_DIR/{train,valid,test}.zh-kk.{zh,kk}, for a NAME such as kk, text to
#           denoise, PIECES_DIR/{train,valid,test}.kk (those splits that are there), as preprocess/encode.py writes
#           them, with sentencepiece.bpe.model beside them; DICT is the dict.txt of preprocess/build_dict.py.
#           In text to denoise a line is a document; " </s> " between pieces parts its sentences.
#   WORKERS   processes that binarize (all processors)
#   FORCE=1   make OUT_DIR again
# Outputs   OUT_DIR/{train,valid,test}.zh-kk.{zh,kk}.{bin,idx} and .kk-None.kk.{bin,idx}, dict.zh.txt, dict.kk.txt, sentencepiece.bpe.model and
#           preprocess.zh-kk.log: what fairseq-train and fairseq-generate read. OUT_DIR is whole or absent.
# Hardware  any; a processor.
# Time      some 10 seconds a name, and a minute for each 5 million pieces and worker.
# Expect    a line for each file with its sentences and the share of pieces that the dictionary lacks, which is 0
#           where DICT was made for these corpora.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

: "${WORKERS:=$(swcm_cores)}"
: "${FORCE:=0}"

[ $# -ge 4 ] || usage_error "recipes/binarize.sh PIECES_DIR DICT OUT_DIR NAME... (a NAME is zh-kk or kk, for example)"
pieces=$1
dict=$2
out=${3%/}
shift 3

problems=() notes=()
files_of() { # NAME SPLIT: the two sides of a pair, or the one file of a language, one a line.
    case $1 in
    *-*) printf '%s\n' "$pieces/$2.$1.${1%%-*}" "$pieces/$2.$1.${1#*-}" ;;
    *) printf '%s\n' "$pieces/$2.$1" ;;
    esac
}

splits_of() { # NAME: the splits that have any of their files, one a line.
    local split file
    for split in train valid test; do
        while read -r file; do
            if [ -e "$file" ]; then
                echo "$split"
                break
            fi
        done < <(files_of "$1" "$split")
    done
}

check() { # NAME: adds to problems.
    local split file lines blank first first_lines found=
    for split in $(splits_of "$1"); do
        found=yes
        first=
        while read -r file; do
            if [ ! -e "$file" ]; then
                problems+=("$file is missing")
                continue
            fi
            lines=$(grep -c '' "$file" || true)
            [ "$lines" != 0 ] || problems+=("$file is empty")
            # To train on they are no harm; as a question or an answer of a test they mean nothing.
            blank=$(LC_ALL=C grep -c '^[[:space:]]*$' "$file" || true)
            [ "$split" = train ] || [ "$blank" = 0 ] || notes+=("note: $file has $blank blank lines of $lines")
            if [ -n "$first" ] && [ "$lines" != "$first_lines" ]; then
                problems+=("$first has $first_lines lines, $file has $lines")
            fi
            first=$file first_lines=$lines
        done < <(files_of "$1" "$split")
    done
    case $1 in
    *-*) file="$1.{${1%%-*},${1#*-}}" ;;
    *) file=$1 ;;
    esac
    [ -n "$found" ] || problems+=("$pieces has no {train,valid,test}.$file")
}

[ -d "$pieces" ] || problems+=("$pieces is no folder")
[ -f "$dict" ] || problems+=("$dict, the dictionary, is missing")
[ -f "$pieces/sentencepiece.bpe.model" ] || problems+=("$pieces/sentencepiece.bpe.model is missing")
for name in "$@"; do
    [[ $name =~ ^[A-Za-z0-9_]+(-[A-Za-z0-9_]+)?$ ]] || usage_error "'$name' is no pair of languages such as zh-kk, nor a language"
    [ ! -d "$pieces" ] || check "$name"
done
if [ ${#problems[@]} -gt 0 ]; then
    printf -v list '; %s' "${problems[@]}"
    die "nothing was binarized: ${list:2}"
fi

[ ${#notes[@]} -eq 0 ] || printf '%s\n' "${notes[@]}"

if [ -e "$out" ] && [ "$FORCE" != 1 ]; then
    for name in "$@"; do
        [ -e "$out/preprocess.$name.log" ] ||
            die "$out is there but does not hold $name; give another folder, or FORCE=1 to make it again"
    done
fi
done_already "$out" && exit 0

use_environment
hidden=$(dirname "$out")/.$(basename "$out")
alone "$hidden.lock" "$out"
work=$hidden.tmp
trap 'rm -rf "$work" "$hidden.lock"' EXIT
rm -rf "$work" # what a killed run left
mkdir -p "$work/all"
for name in "$@"; do
    case $name in
    *-*) arguments=(--source-lang "${name%%-*}" --target-lang "${name#*-}" --joined-dictionary) prefix=.$name ;;
    *) arguments=(--source-lang "$name" --only-source) prefix= ;;
    esac
    for split in $(splits_of "$name"); do
        arguments+=("--${split}pref" "$pieces/$split$prefix")
    done
    # A folder for each: where a dictionary stands already, fairseq-preprocess may refuse to go on.
    fairseq-preprocess "${arguments[@]}" \
        --srcdict "$dict" --destdir "$work/$name" --workers "$WORKERS" \
        >"$work/$name.out" 2>&1 ||
        {
            tail -n 3 "$work/$name.out" >&2
            die "fairseq-preprocess failed for $name; see above"
        }
    # "[kk] PIECES/train.zh-kk.kk: 8000 sents, 84800 tokens, 0.0% replaced (by <unk>)"
    grep -o '\[[A-Za-z0-9_]*\] .* sents, .*' "$work/$name/preprocess.log" | sed 's/^/    /'
    mv "$work/$name/preprocess.log" "$work/all/preprocess.$name.log"
    mv -f "$work/$name"/* "$work/all/"
done
cp "$pieces/sentencepiece.bpe.model" "$work/all/"
rm -rf "$out"
mv "$work/all" "$out"
say "$out: ready"
