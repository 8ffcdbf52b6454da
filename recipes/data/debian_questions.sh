#!/usr/bin/env bash
# Reading comprehension data from Debian: questions on the descriptions of packages, each answered by a span of the
# passage, in the form of SQuAD.
#
# Usage     bash recipes/data/debian_questions.sh OUT_DIR
# Inputs    Debian's package descriptions, as recipes/data/debian_descriptions.sh fetches them (its header lists the
#           variables that say from where).
#   QUESTION_LANGS   "en" by default; of de en es fr it pl pt ru uk zh
#   VALID, TEST, MAX_TRAIN   packages a language, to ask about (150, 300, and at most 12000 for training)
#   DESCRIPTIONS     a folder that debian_descriptions.sh has made already, with these languages
#   FORCE=1   make a finished output again
# Output    OUT_DIR/XX/{train,valid,test}.json for each language, SQuAD's nested form with exact answer_start (how the
#           questions are made: recipes/data/debian_questions.py); OUT_DIR/counts.json; OUT_DIR/lists.txt: sha256 of
#           what the text came from. Packages are split with all that is near them, before anything is asked.
# Hardware  any; 150 MB of disk while it runs.
# Time      40 seconds of one processor and the download of 9 MB.
# Expect    from Debian 12.15, in English: 12,544 questions to train on, 148 and 271 held out. Other point releases and
#           languages give other counts. Descriptions are under their packages' licences.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

: "${QUESTION_LANGS:=en}"
: "${VALID:=150}"
: "${TEST:=300}"
: "${MAX_TRAIN:=12000}"
: "${DESCRIPTIONS:=}"
export VALID TEST MAX_TRAIN
[ $# -eq 1 ] || usage_error "bash recipes/data/debian_questions.sh OUT_DIR"
out=${1%/}

done_already "$out/counts.json" "questions in $out" && exit 0
use_environment
read -r -a languages <<<"$QUESTION_LANGS"
mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$(cd "$(dirname "$out")" && pwd)/.questions.XXXXXX")
trap 'rm -rf "$work"' EXIT
if [ -z "$DESCRIPTIONS" ]; then
    DESCRIPTIONS=$work/descriptions
    others=()
    for language in "${languages[@]}"; do [ "$language" = en ] || others+=("$language"); done
    # For English alone the default languages of descriptions come too: what is held out is what they all have.
    if [ ${#others[@]} -gt 0 ]; then export LANGS="${others[*]}"; fi
    bash "$SWCM_ROOT/recipes/data/debian_descriptions.sh" "$DESCRIPTIONS"
fi
"$SWCM_PY" "$SWCM_ROOT/recipes/data/debian_questions.py" \
    --descriptions "$DESCRIPTIONS" --langs "${languages[@]}" --out "$out" "${force[@]+"${force[@]}"}"
[ ! -e "$DESCRIPTIONS/lists.txt" ] || cp "$DESCRIPTIONS/lists.txt" "$out/lists.txt"
