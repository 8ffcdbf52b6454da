#!/usr/bin/env bash
# Fine-tune an encoder to answer questions on passages, in one language, from a dataset as it comes to scores.
#
#   bash recipes/finetune_mrc.sh                      questions on Debian's package descriptions, a small setting
#   bash recipes/finetune_mrc.sh TRAIN [VALID TEST]   your data
#
# Inputs:   TRAIN, VALID, TEST are each a file of SQuAD's nested form or of flat records with context, question and
#           answer (TibetanQA), as a list or as lines, also gzip. Without VALID and TEST they are held out of TRAIN,
#           passage by passage; training passages that stand in VALID or TEST are left out. Of several answers to a
#           question (nine at most) training learns the first, and scores take the one that fits best.
#   ANSWER_LANG   language of questions, passages and answers (en): a code of swcm_fairseq/languages.py
#   SEPARATOR     between question and passage: </s>, the encoder's own, or one piece of its vocabulary, such as "|".
#                 From raw text </s> is never a symbol, so only a model with another can be asked by fairseq-interactive
#                 or from Python: translate(["QUESTION | PASSAGE"]).
# Outputs:  OUT/scores.json, exact match, token F1, ROUGE-L (with 95% intervals) and the share of wrong language, of the
#           model, of the references shuffled and of the passages' first words; OUT/model, checkpoints;
#           OUT/text/*.counts.json, how many passages were cut to MAX_PIECES and how many answers went with that; every
#           step's files beside.
# Hardware: a CPU with 2 cores and 8 GiB of memory, or all GPUs of the machine: then set KEEP_LAYERS= (all layers),
#           MAX_PIECES=510, BATCH_TOKENS and UPDATES to what the data deserve.
# Time:     11 minutes on 2 cores that had other work to do with the defaults, the environment included.
# Expect:   Debian 12.15, English, 271 test questions: exact match 17, token F1 37, ROUGE-L 38, where the passages' first
#           words score 0, 27 and 28, and the references shuffled 0, 1 and 2. Without denoising first (DENOISING=0,
#           MAX_PIECES=120, 500 updates of 600 pieces, lists of four packages) it was 0, 3 and 7.
#           Stopped and started again it goes on.
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=recipes/lib/steps.sh
. "$SWCM_ROOT/recipes/lib/steps.sh"

: "${ANSWER_LANG:=en}"
: "${OUT:=$SWCM_ROOT/runs/mrc-$ANSWER_LANG}"
: "${ENCODER:=}"               # encoder folder instead of multilingual-e5-small
: "${KEEP_LAYERS=0,3,6,9}"     # of the encoder; empty keeps all
: "${MIN_COUNT:=2}"            # pieces rarer than that in the training text are cut from the vocabulary
: "${VALID_QUESTIONS:=100}"    # to hold out, where VALID and TEST are not given
: "${TEST_QUESTIONS:=200}"
: "${MAX_TRAIN:=100000}"       # most questions to train on; 0: all
: "${MAX_PIECES:=64}"          # question, separator and passage; what is too long is cut from the passage's end
: "${SEPARATOR:=</s>}"
: "${MAX_LEN:=60}"             # most pieces of an answer
: "${DENOISING:=300}"          # updates of denoising the training passages first, which teaches copying; 0: none
: "${DENOISING_LR:=5e-4}"
: "${BATCH_TOKENS:=1200}"      # pieces an update; a passage with its short answer counts as the passage
: "${UPDATES:=300}"            # of learning to answer
export MAX_LEN BATCH_TOKENS
case $# in
0 | 1 | 3) ;;
*) usage_error "bash recipes/finetune_mrc.sh [TRAIN [VALID TEST]]" ;;
esac

recipes=$SWCM_ROOT/recipes

begin 7

step "3/7 questions"
if [ $# -eq 0 ]; then
    QUESTION_LANGS=$ANSWER_LANG bash "$recipes/data/debian_questions.sh" "$OUT/debian"
    set -- "$OUT/debian/$ANSWER_LANG"/{train,valid,test}.json
fi
further=()
for number in {2..9}; do further+=("answer.$number=answer.$number?"); done
parts=(train valid test)
for file in "$@"; do
    part=${parts[0]}
    parts=("${parts[@]:1}")
    done_already "$OUT/raw/$part.counts.json" "questions of $file" ||
        preprocess read --format squad --out "$OUT/raw/$part" \
            --take question=question passage=context answer=answer "${further[@]}" -- "$file"
done
split=$OUT/split
done_already "$split/counts.json" "split" ||
    "$SWCM_PY" "$recipes/lib/split_questions.py" --questions "$OUT/raw" --out "$split" --valid "$VALID_QUESTIONS" \
        --test "$TEST_QUESTIONS" --max-train "$MAX_TRAIN" "${force[@]+"${force[@]}"}"

step "4/7 a smaller encoder; question, separator and passage in pieces, binarized"
documents=() keep=()
if [ "$SEPARATOR" = "</s>" ]; then
    documents=(--documents)
else
    printf '\u2581%s\n' "$SEPARATOR" >"$OUT/separator.txt"
    keep=(--keep-pieces "$OUT/separator.txt")
fi
encoder_and_dict "$ENCODER" "$OUT" "$ANSWER_LANG" "$split"/train.{question,passage,answer} "${keep[@]+"${keep[@]}"}"
spm=$OUT/encoder/sentencepiece.bpe.model
for part in train valid test; do
    source=$OUT/text/$part.question-answer.question
    done_already "$source" "questions with passages, $part" ||
        preprocess mrc --question "$split/$part.question" --passage "$split/$part.passage" \
            --answer "$split/$part.answer" --spm "$spm" --max-pieces "$MAX_PIECES" --separator "$SEPARATOR" \
            --out "$source"
    for answer in "$split/$part".answer*; do cp "$answer" "$OUT/text/$part.question-answer.${answer##*/"$part."}"; done
done
# In a question's line </s> may be the separator; in an answer it is text.
encode_text "$OUT/encoder" "$OUT/pieces" "$OUT"/text/{train,valid,test}.question-answer.question \
    "${documents[@]+"${documents[@]}"}"
encode_text "$OUT/encoder" "$OUT/pieces" "$OUT"/text/*.question-answer.answer
names=(question-answer)
if [ "$DENOISING" != 0 ]; then
    names+=("$ANSWER_LANG")
    for part in train valid; do LC_ALL=C sort -u "$split/$part.passage" >"$OUT/text/$part.$ANSWER_LANG"; done
    encode_text "$OUT/encoder" "$OUT/pieces" "$OUT"/text/{train,valid}."$ANSWER_LANG"
fi
bash "$recipes/binarize.sh" "$OUT/pieces" "$OUT/dict.txt" "$OUT/data-bin" "${names[@]}"

step "5/7 denoising"
denoise "$OUT" "$ANSWER_LANG" $((MAX_PIECES + 2))

step "6/7 learning to answer"
UPDATES=$UPDATES bash "$recipes/train.sh" "$OUT/data-bin" "$OUT/encoder" "$OUT/model" question-answer \
    --target-tag "$ANSWER_LANG" "${start[@]+"${start[@]}"}"

step "7/7 answering the test questions"
metrics=exact_match,token_f1,rougeL,wrong_language
TARGET_TAG=$ANSWER_LANG REFERENCES=$OUT/text/test METRICS=$metrics bash "$recipes/evaluate.sh" "$OUT/data-bin" \
    "$OUT/model/checkpoint_best.pt" "$OUT/test" question-answer
score_into "$OUT/scores.json" --lang "$ANSWER_LANG" --generate-output "$OUT/test/question-answer.txt" --names model \
    --ref "$OUT"/text/test.question-answer.answer* --src "$split/test.passage" --metrics "$metrics" --shuffled \
    --first-words
step "done: $OUT/scores.json"
