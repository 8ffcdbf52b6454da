#!/usr/bin/env bash
# The paper's comparisons, its baselines and what was tried against it, on real text: every row with the same updates,
# batches and tuning effort.
#
#   bash recipes/reproduce.sh                      the core: 5 rows, 2,000 and 8,000 pairs, 3 seeds
#   ROWS="base-b deltalm" SIZES=2000 SEEDS=1 bash recipes/reproduce.sh
#   GROUPS_OF_ROWS="core table3 baselines" SIZE=full bash recipes/reproduce.sh
#
# What it does: for every row of recipes/lib/reproduce_rows.tsv and every number of pairs a language, train with each
#           learning rate of LRS and the first seed, choose the rate by the validation loss, train with the other seeds
#           at that rate, decode the test sets. The encoder, its vocabulary and the validation and test sets are the
#           same throughout; the updates of a row's stages add up to UPDATES.
# Inputs:   python3 and the package registries; or ENCODER and TEXT from this machine, as for recipes/quickstart.sh.
# Outputs:  OUT/PAIRS/ROW/LR.SEED/, each training with its log, result.json and, at the chosen rate, its test outputs;
#           OUT/results.json and OUT/results.md, all rows that are there so far with intervals and paired tests.
#           Stopped and started again it goes on; several machines may share OUT, each with rows of its own.
# Hardware: SIZE=small: 2 CPU cores, 8 GiB. SIZE=full: GPUs (recipes/lib/training.sh).
# Time:     SIZE=small: about 7 minutes a training on 2 cores; the core is 50 of them, 6 hours. One row, size and seed
#           at one rate (LRS=5e-4 SEEDS=1): 8 minutes.
# Expect:   README.md, "Results".
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=recipes/lib/steps.sh
. "$SWCM_ROOT/recipes/lib/steps.sh"

: "${SIZE:=small}"
case $SIZE in
small) : "${KEEP_LAYERS=0,3,6,9}" "${UPDATES:=800}" "${SIZES:=2000 8000}" ;;
full) : "${KEEP_LAYERS=}" "${UPDATES:=20000}" "${SIZES:=1000 2000 8000 100000}" ;;
*) usage_error "SIZE is small or full, not $SIZE" ;;
esac
: "${GROUPS_OF_ROWS:=core}"
: "${ROWS:=}"               # names of rows, instead of GROUPS_OF_ROWS
: "${SEEDS:=1 2 3}"         # the first one is for choosing the rate
: "${LRS:=2e-4 5e-4 1e-3}"
: "${LANGS:=kk mn ug}"      # from zh
: "${OUT:=$SWCM_ROOT/runs/reproduce-$SIZE}"
: "${ENCODER:=}"            # an encoder folder instead of multilingual-e5-small
: "${TEXT:=}"               # a folder with zh-XX.zh and zh-XX.XX instead of LibreOffice's
: "${TEST_PAIRS:=400}"
: "${VALID_PAIRS:=200}"
: "${MAX_PIECES:=60}"
: "${MAX_LEN:=100}"
: "${KEEP_CHECKPOINTS:=0}"  # 1: keep them after their test sets are decoded (0.4 GB each, small)
export MAX_LEN

[ $# -eq 0 ] || usage_error "recipes/reproduce.sh takes no arguments; its header lists the variables"
recipes=$SWCM_ROOT/recipes preprocess=$SWCM_ROOT/preprocess table=$SWCM_ROOT/recipes/lib/reproduce_rows.tsv
read -r -a langs <<<"$LANGS"
read -r -a seeds <<<"$SEEDS"
read -r -a rates <<<"$LRS"
read -r -a sizes <<<"$SIZES"
pairs=("${langs[@]/#/zh-}")
joined=$(IFS=,; echo "${pairs[*]}")

# rows: the lines of the table that are asked for.
rows() {
    local row group rest name found
    for name in $ROWS; do
        found=$(grep -c "^$name"$'\t' "$table") || usage_error "ROWS: $table has no row $name"
        [ "$found" = 1 ] || die "$table has $found rows $name"
        grep "^$name"$'\t' "$table"
    done
    [ -z "$ROWS" ] || return 0
    while IFS=$'\t' read -r row group rest; do
        case " $GROUPS_OF_ROWS " in *" $group "*) printf '%s\t%s\t%s\n' "$row" "$group" "$rest" ;; esac
    done < <(grep -v '^#' "$table")
}
chosen=$(rows)
[ -n "$chosen" ] || usage_error "GROUPS_OF_ROWS: $table has no rows of $GROUPS_OF_ROWS"

use_environment
report=("$SWCM_PY" "$recipes/lib/reproduce_report.py")

if [ -z "$ENCODER" ]; then
    ENCODER=$OUT/encoder-full
    bash "$recipes/encoders/e5_small.sh" "$ENCODER"
fi
libreoffice_pairs "$OUT" "${langs[*]}"

# split_of PAIRS: at most so many a language for training; what is held out is the same for all.
split_of() {
    done_already "$OUT/$1/split/split.counts.json" "split with $1 pairs" ||
        "$SWCM_PY" "$preprocess/split.py" --pairs "${pairs[@]/#/$OUT/clean/}" --pivot zh --out "$OUT/$1/split" \
            --spm "$ENCODER/sentencepiece.bpe.model" --valid "$VALID_PAIRS" --test "$TEST_PAIRS" --max-train "$1"
}
largest=$(printf '%s\n' "${sizes[@]}" 8000 | sort -n | tail -n 1)
split_of "$largest"
prune_encoder "$ENCODER" "$OUT" "zh,${LANGS// /,}" "$OUT/$largest"/split/train.*

# data_of PAIRS: OUT/PAIRS/data-bin, with the text of every language for denoising too.
data_of() {
    local folder=$OUT/$1 part lang
    split_of "$1"
    mkdir -p "$folder/text"
    for part in train valid; do
        for lang in "${langs[@]}"; do cp "$folder/split/$part.zh-$lang.$lang" "$folder/text/$part.$lang"; done
        LC_ALL=C sort -u "$folder/split/$part".zh-*.zh >"$folder/text/$part.zh"
    done
    encode_text "$OUT/encoder" "$folder/pieces" "$folder"/split/*.zh-*.* "$folder"/text/*
    bash "$recipes/binarize.sh" "$folder/pieces" "$OUT/dict.txt" "$folder/data-bin" zh "${langs[@]}" "${pairs[@]}"
}

# train PAIRS ROW PRETRAIN FLAGS RATE SEED: one training, in one or two stages, down to result.json.
train() {
    local data=$OUT/$1/data-bin out=$OUT/$1/$2/$5.$6 pretrain=$3 rate=$5 seed=$6 flags=() first=() start=() updates=$UPDATES
    if done_already "$out/result.json" "$2, $1 pairs, rate $rate, seed $seed"; then
        return
    fi
    say "-- $2, $1 pairs a language, rate $rate, seed $seed"
    [ "$4" = - ] || read -r -a flags <<<"$("${report[@]}" sizes --encoder "$OUT/encoder" -- "$4")"
    if [ "$pretrain" != none ]; then
        updates=$((UPDATES / 2))
        start=(--finetune-from-model "$out/first/checkpoint_last.pt")
    fi
    case $pretrain in
    none) ;;
    "stage "*)
        read -r -a first <<<"${pretrain#stage }"
        UPDATES=$updates LR=$rate SEED=$seed bash "$recipes/train.sh" "$data" "$OUT/encoder" "$out/first" \
            "$joined" "${flags[@]}" "${first[@]}"
        ;;
    *)
        local texts=zh,${LANGS// /,} translated=("$joined") share=0.5
        case $pretrain in
        dae) translated=() ;;
        mt) texts='' share=1 ;;
        esac
        UPDATES=$updates EPOCHS=1000 LR=$rate WARMUP=100 SENTENCES=100 MAX_TOKENS=600 UPDATE_FREQ=1 MT_SHARE=$share \
            SCHEDULED_SAMPLING=none SEED=$seed bash "$recipes/pretrain.sh" "$data" "$OUT/encoder" "$out/first" \
            "$texts" "${translated[@]}" -- "${flags[@]}"
        ;;
    esac
    UPDATES=$updates LR=$rate SEED=$seed bash "$recipes/train.sh" "$data" "$OUT/encoder" "$out" "$joined" \
        "${flags[@]}" "${start[@]}"
    "${report[@]}" result --training "$out" --row "$2" --pairs "$1" --rate "$rate" --seed "$seed"
}

# decode PAIRS ROW RATE SEED: the test sets.
decode() {
    local out=$OUT/$1/$2/$3.$4
    [ -e "$out/test/done" ] && return
    REFERENCES=$OUT/$1/split/test METRICS=chrfpp bash "$recipes/evaluate.sh" "$OUT/$1/data-bin" \
        "$out/checkpoint_best.pt" "$out/test" "${pairs[@]}" >"$out/test.log"
    touch "$out/test/done"
}

for size in "${sizes[@]}"; do data_of "$size"; done
for size in "${sizes[@]}"; do
    while IFS=$'\t' read -r -u 7 row _ pretrain flags _; do
        for rate in "${rates[@]}"; do train "$size" "$row" "$pretrain" "$flags" "$rate" "${seeds[0]}"; done
        best=$("${report[@]}" best --row-folder "$OUT/$size/$row" --rates "${rates[@]}" --seed "${seeds[0]}")
        for seed in "${seeds[@]}"; do
            train "$size" "$row" "$pretrain" "$flags" "$best" "$seed"
            decode "$size" "$row" "$best" "$seed"
        done
        if [ "$KEEP_CHECKPOINTS" != 1 ]; then
            find "$OUT/$size/$row" -name 'checkpoint*.pt' -delete
        fi
        "${report[@]}" collect --out "$OUT" --langs "${langs[@]}" --table "$table"
    done 7<<<"$chosen"
done
say "done: $OUT/results.md"
