#!/usr/bin/env bash
# Does a short pretraining pay? Fine-tune the quickstart's encoder on some pairs, with and without pretraining on these
# pairs and on the text of all, and score the quickstart's test sets.
#
#   PAIRS=1500 PRETRAINING=400 UPDATES=700 bash recipes/benchmark/pretraining.sh [QUICKSTART_DIR]
#   PAIRS=1500 PRETRAINING=0 UPDATES=1100 bash recipes/benchmark/pretraining.sh [QUICKSTART_DIR]
#
# Inputs:   QUICKSTART_DIR, runs/quickstart by default, as recipes/quickstart.sh left it.
# Outputs:  QUICKSTART_DIR/pretraining/PAIRS: data, and for each setting the model, its output and scores.
# Hardware: as for the quickstart.
# Time:     two updates a second on 2 cores.
# Expect:   chrF++ within the intervals of each other; numbers in recipes/README.md, "What they gave".
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"
# shellcheck source=recipes/lib/steps.sh
. "$SWCM_ROOT/recipes/lib/steps.sh"

: "${PAIRS:=1500}"      # a language, drawn from the quickstart's training pairs
: "${PRETRAINING:=400}" # updates of denoising and translation, half and half; 0 for none
: "${UPDATES:=700}"     # of fine-tuning, behind them
: "${LANGS:=kk mn ug}"
: "${MAX_LEN:=100}"
export MAX_LEN

[ $# -le 1 ] || usage_error "recipes/benchmark/pretraining.sh [QUICKSTART_DIR]"
quick=${1:-$SWCM_ROOT/runs/quickstart}
[ -e "$quick/dict.txt" ] || die "$quick is no quickstart; run recipes/quickstart.sh first"
out=$quick/pretraining/$PAIRS model=$quick/pretraining/$PAIRS/$PRETRAINING.$UPDATES
recipes=$SWCM_ROOT/recipes
read -r -a langs <<<"$LANGS"
pairs=("${langs[@]/#/zh-}")
joined=$(commas "${pairs[@]}")
use_environment

if ! done_already "$out/text" "text of $PAIRS pairs a language"; then
    rm -rf "$out/text.tmp"
    "$SWCM_PY" - "$quick/split" "$out/text.tmp" "$PAIRS" "${langs[@]}" <<'END'
"""The drawn pairs, and the text of every language of all pairs."""
import pathlib
import random
import sys

split, out, count, langs = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
out.mkdir(parents=True)
for part in ("train", "valid", "test"):
    chinese = set()
    for lang in langs:
        names = ["{}.zh-{}.{}".format(part, lang, side) for side in ("zh", lang)]
        sides = [(split / name).read_text(encoding="utf-8").splitlines() for name in names]
        chosen = range(len(sides[0]))
        if part == "train":
            chosen = sorted(random.Random(3).sample(chosen, count))
        for name, side in zip(names, sides):
            (out / name).write_text("".join(side[i] + "\n" for i in chosen), encoding="utf-8")
        if part != "test":
            chinese.update(sides[0])
            (out / (part + "." + lang)).write_text("".join(line + "\n" for line in sides[1]), encoding="utf-8")
    if part != "test":
        (out / (part + ".zh")).write_text("".join(line + "\n" for line in sorted(chinese)), encoding="utf-8")
END
    mv "$out/text.tmp" "$out/text"
fi
encode_text "$quick/encoder" "$out/pieces" "$out"/text/*
bash "$recipes/binarize.sh" "$out/pieces" "$quick/dict.txt" "$out/data-bin" zh "${langs[@]}" "${pairs[@]}"

start=()
if [ "$PRETRAINING" -gt 0 ]; then
    UPDATES=$PRETRAINING EPOCHS=1000 LR=5e-4 WARMUP=50 SENTENCES=100 MAX_TOKENS=600 UPDATE_FREQ=1 MT_SHARE=0.5 \
        SCHEDULED_SAMPLING=none bash "$recipes/pretrain.sh" "$out/data-bin" "$quick/encoder" \
        "$out/pretrained.$PRETRAINING" "$(commas zh "${langs[@]}")" "$joined"
    start=(--finetune-from-model "$out/pretrained.$PRETRAINING/checkpoint_last.pt")
fi
UPDATES=$UPDATES bash "$recipes/train.sh" "$out/data-bin" "$quick/encoder" "$model" "$joined" "${start[@]}"
REFERENCES=$quick/split/test bash "$recipes/evaluate.sh" "$out/data-bin" "$model/checkpoint_best.pt" "$model/test" \
    "${pairs[@]}"
