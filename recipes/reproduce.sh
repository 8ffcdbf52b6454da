#!/usr/bin/env bash
# The paper's comparisons, its baselines and what was tried against it, on real text, into the ledger recipes/results:
# every row with the same updates, batches and tuning effort.
#
#   bash recipes/reproduce.sh                        what recipes/lib/reproduce_plan.tsv lists, most telling first
#   EXPERIMENTS="recipe core" JOBS=2 bash recipes/reproduce.sh
#   ROWS="base-b deltalm" SIZES=2000 SEEDS=1 bash recipes/reproduce.sh       rows of recipes/lib/reproduce_rows.tsv
#
# What it does: of all trainings asked for, those that the ledger does not have: train, decode the test sets, write the
#           ledger's file. The first seed is trained at each rate, the others at the one with the best validation
#           chrF++, which also chooses the checkpoint. Vocabulary, validation and test sets are the same throughout, the
#           encoder too, but for rows that keep other layers of it; the updates of a row's stages add up to UPDATES.
#           It can be stopped at any moment, kill -9 included, and goes on where it was: within a training from its last
#           200 updates. Several machines may share OUT, or have one each and copy their ledger files together.
# Inputs:   python3 and the package registries; or ENCODER and TEXT from this machine, as for recipes/quickstart.sh. With
#           all that is asked for in the ledger: nothing.
# Outputs:  LEDGER/*.json, one for every finished training; OUT/PAIRS/ROW/UPDATES.RATE.SEED/ with logs and outputs.
#           recipes/results.sh makes the tables.
# Hardware: SIZE=small: a CPU core and 4 GiB for each of the JOBS. SIZE=full: GPUs (recipes/lib/training.sh).
# Time:     SIZE=small: 800 updates take 15 to 20 minutes of one core, in float32 on AVX2 20 to 30.
# Expect:   README.md, "Results".
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=recipes/lib/steps.sh
. "$SWCM_ROOT/recipes/lib/steps.sh"

: "${SIZE:=small}"
case $SIZE in
small) : "${KEEP_LAYERS=0,3,6,9}" "${UPDATES:=800}" "${SIZES:=2000 8000}" ;;
full) : "${KEEP_LAYERS=}" "${UPDATES:=20000}" "${SIZES:=1000 2000 8000 all}" ;;
*) usage_error "SIZE is small or full, not $SIZE" ;;
esac
: "${EXPERIMENTS:=}"        # of the plan; empty: all of it
: "${ROWS:=}"               # names of rows, with SIZES, UPDATES, LRS and SEEDS instead of the plan
: "${SEEDS:=1 2 3}"         # the first one is for choosing the rate
: "${LRS:=5e-4 1e-3 2e-3}"
: "${JOBS:=1}"              # trainings at once; two of one thread each do more than one of two threads
: "${LANGS:=kk mn ug}"      # from zh
: "${OUT:=$SWCM_ROOT/runs/reproduce-$SIZE}"
: "${ENCODER:=}"            # an encoder folder instead of multilingual-e5-small
: "${TEXT:=}"               # a folder with zh-XX.zh and zh-XX.XX instead of LibreOffice's
: "${LEDGER:=}"             # by default recipes/results, with another ENCODER or TEXT OUT/results
: "${TEST_PAIRS:=500}"
: "${VALID_PAIRS:=300}"
: "${MAX_PIECES:=60}"
: "${MAX_LEN:=100}"
: "${KEEP_CHECKPOINTS:=0}"  # 1: keep them after their test sets are decoded (0.4 GB each, small)
export MAX_LEN

[ $# -eq 0 ] || usage_error "recipes/reproduce.sh takes no arguments; its header lists the variables"
[[ $JOBS =~ ^[1-9][0-9]*$ ]] || usage_error "JOBS is a number of trainings, not '$JOBS'"
recipes=$SWCM_ROOT/recipes
if [ -z "$LEDGER" ]; then
    LEDGER=$recipes/results
    [ -z "$ENCODER$TEXT" ] || LEDGER=$OUT/results
fi
read -r -a langs <<<"$LANGS"
read -r -a experiments <<<"$EXPERIMENTS"
read -r -a rows <<<"$ROWS"
read -r -a seeds <<<"$SEEDS"
read -r -a rates <<<"$LRS"
read -r -a sizes <<<"$SIZES"
pairs=("${langs[@]/#/zh-}")
# What all rows share, whatever the caller's environment says; a row's flags come behind these.
export WARMUP=100 MAX_TOKENS=600 UPDATE_FREQ=1 LABEL_SMOOTHING=0.1 DROPOUT=0.1 CLIP=1.0 RECIPE=paper
[ "$SIZE" = small ] || unset MAX_TOKENS UPDATE_FREQ
export VALIDATION_SCORES=chrfpp BEST_METRIC=chrfpp VALIDATION_SENTENCES=0 VALIDATION_BEAM=1
export METRICS=chrfpp BEAM=5

use_environment
report=("$SWCM_PY" -m recipes.lib.reproduce_report)
commit=$(git -C "$SWCM_ROOT" rev-parse HEAD 2>/dev/null || true)
[ -z "$commit" ] || [ -z "$(git -C "$SWCM_ROOT" status --porcelain --untracked-files=no)" ] || commit=$commit+changes
mkdir -p "$OUT/locks"
rm -rf "$OUT/failed"
export OUT LEDGER SIZE LANGS KEEP_CHECKPOINTS commit

# open_jobs: those that can begin, a line each: name, pairs, row, updates, rate, seed, layers, pretrain, flags.
open_jobs() {
    "${report[@]}" next --ledger "$LEDGER" --size "$SIZE" --langs "${langs[@]}" --experiments "${experiments[@]}" \
        --rows "${rows[@]}" --pairs "${sizes[@]}" --updates "$UPDATES" --rates "${rates[@]}" --seeds "${seeds[@]}"
}

# split_of PAIRS: at most so many a language for training; what is held out is the same for all.
split_of() {
    done_already "$OUT/$1/split/split.counts.json" "split with $1 pairs" ||
        preprocess split --pairs "${pairs[@]/#/$OUT/clean/}" --pivot zh --out "$OUT/$1/split" \
            --spm "$ENCODER/sentencepiece.bpe.model" --valid "$VALID_PAIRS" --test "$TEST_PAIRS" \
            --max-train "${1/all/0}"
}

# prepare PAIRS...: text, encoder, dictionary, and for each number of pairs OUT/PAIRS/data-bin, with the text of every
# language for denoising too.
prepare() {
    local size part lang folder layers cuts
    if [ -z "$ENCODER" ]; then
        ENCODER=$OUT/encoder-full
        bash "$recipes/encoders/e5_small.sh" "$ENCODER"
    fi
    libreoffice_pairs "$OUT" "${langs[*]}"
    # The encoder is cut for all text there is, so that it is the same whatever is asked for.
    split_of all
    encoder_and_dict "$ENCODER" "$OUT" "$(commas zh "${langs[@]}")" "$OUT"/all/split/train.*
    read -r -a cuts <<<"$(cut -f 7 <<<"$wanted" | grep -v '^-$' | sort -u | tr '\n' ' ')"
    for layers in "${cuts[@]}"; do
        KEEP_LAYERS=$layers prune_encoder "$ENCODER" "$OUT/layers/$layers/encoder" "$OUT"/all/split/train.*
    done
    for size in "$@"; do
        folder=$OUT/$size
        split_of "$size"
        mkdir -p "$folder/text"
        for part in train valid; do
            for lang in "${langs[@]}"; do cp "$folder/split/$part.zh-$lang.$lang" "$folder/text/$part.$lang"; done
            LC_ALL=C sort -u "$folder/split/$part".zh-*.zh >"$folder/text/$part.zh"
        done
        encode_text "$OUT/encoder" "$folder/pieces" "$folder"/split/*.zh-*.* "$folder"/text/*
        bash "$recipes/binarize.sh" "$folder/pieces" "$OUT/dict.txt" "$folder/data-bin" zh "${langs[@]}" "${pairs[@]}"
    done
}

# work: one training after another until none is left that nobody else works on.
work() {
    local line fields state busy
    while :; do
        state=none busy=0
        while IFS= read -r -u 7 line; do
            IFS=$'\t' read -r -a fields <<<"$line" # no field is empty
            [ ! -e "$OUT/failed/${fields[0]}" ] || continue
            state=0
            bash "$recipes/lib/reproduce_training.sh" "${fields[@]}" 7<&- || state=$?
            case $state in
            0) break ;;
            75) busy=1 state=none ;;
            *)
                mkdir -p "$OUT/failed"
                touch "$OUT/failed/${fields[0]}"
                say "error: ${fields[0]} failed; see above. What is done is kept" >&2
                break
                ;;
            esac
        done 7< <(open_jobs 2>/dev/null)
        if [ "$state" = none ]; then
            # A training that another is at work on may decide a rate, and so open further ones.
            [ "$busy" = 1 ] || break
            sleep 5
        fi
    done
}

wanted=$(open_jobs)
if [ -z "$wanted" ]; then
    say "the ledger has all of it: $LEDGER"
    exit 0
fi
read -r -a needed <<<"$(cut -f 2 <<<"$wanted" | sort -u | tr '\n' ' ')"
prepare "${needed[@]}"
if [ "$JOBS" -gt 1 ]; then
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
fi
if [ "$JOBS" = 1 ]; then
    work
else
    set -m # each worker is a process group, which can be ended as a whole
    workers=()
    for ((number = 1; number <= JOBS; number++)); do
        work &
        workers+=($!)
    done
    trap 'for worker in "${workers[@]}"; do kill -- "-$worker" 2>/dev/null || true; done; exit 130' INT TERM
    for worker in "${workers[@]}"; do
        while :; do
            state=0
            wait "$worker" || state=$?
            # wait returns as well when a worker is suspended, which is not its end.
            kill -0 "$worker" 2>/dev/null || break
            sleep 1
        done
        [ "$state" = 0 ] || die "a worker ended early; start again, what is done is kept"
    done
fi
[ ! -e "$OUT/failed" ] || die "some trainings failed; see above. What is done is kept"
say "done: $LEDGER"
