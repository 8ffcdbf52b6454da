#!/usr/bin/env bash
# One training of recipes/reproduce.sh, in one or two stages, down to its file in the ledger; what was begun goes on.
#
#   bash recipes/lib/reproduce_training.sh NAME PAIRS ROW UPDATES RATE SEED LAYERS PRETRAIN FLAGS
#
# The arguments are a line of "reproduce_report next"; the variables are recipes/reproduce.sh's. Exit code 75: somebody
# else is at work on it.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# shellcheck disable=SC2153
: "${OUT:?}" "${LEDGER:?}" "${SIZE:?}" "${LANGS:?}" "${KEEP_CHECKPOINTS:=0}" "${commit:=}"
[ $# -eq 9 ] || usage_error "recipes/lib/reproduce_training.sh NAME PAIRS ROW UPDATES RATE SEED LAYERS PRETRAIN FLAGS"
name=$1 size=$2 row=$3 updates=$4 rate=$5 seed=$6 layers=$7 pretrain=$8 words=$9
# The lock is held by all that is started from here, so that what outlives a killed recipe is not begun a second time.
try_lock 8 "$OUT/locks/$name" || exit 75
[ ! -e "$LEDGER/$name.json" ] || exit 0
use_environment
say "-- $name"
recipes=$SWCM_ROOT/recipes report=("$SWCM_PY" -m recipes.lib.reproduce_report)
read -r -a langs <<<"$LANGS"
pairs=("${langs[@]/#/zh-}")
joined=$(commas "${pairs[@]}")
data=$OUT/$size/data-bin out=$OUT/$size/$row/$updates.$rate.$seed stage=$updates
encoder=$OUT/encoder
[ "$layers" = - ] || encoder=$OUT/layers/$layers/encoder
flags=() first=() start=()
[ "$words" = - ] || read -r -a flags <<<"$("${report[@]}" sizes --encoder "$encoder" -- "$words")"
if [ "$pretrain" != none ]; then
    stage=$((updates / 2))
    start=(--finetune-from-model "$out/first/checkpoint_last.pt")
fi
case $pretrain in
none) ;;
"stage "*)
    read -r -a first <<<"${pretrain#stage }"
    UPDATES=$stage LR=$rate SEED=$seed VALIDATION_SCORES='' BEST_METRIC='' bash "$recipes/train.sh" "$data" \
        "$encoder" "$out/first" "$joined" "${flags[@]}" "${first[@]}"
    ;;
*)
    texts=$(commas zh "${langs[@]}") translated=("$joined") share=0.5
    case $pretrain in
    dae) translated=() ;;
    mt) texts='' share=1 ;;
    esac
    UPDATES=$stage EPOCHS=1000 LR=$rate SENTENCES=100 MT_SHARE=$share SCHEDULED_SAMPLING=none SEED=$seed \
        bash "$recipes/pretrain.sh" "$data" "$encoder" "$out/first" "$texts" "${translated[@]}" -- "${flags[@]}"
    ;;
esac
every=$((stage < 200 ? stage : 200))
UPDATES=$stage LR=$rate SEED=$seed bash "$recipes/train.sh" "$data" "$encoder" "$out" "$joined" \
    --validate-interval 1000000 --validate-interval-updates "$every" --save-interval 1000000 \
    --save-interval-updates "$every" --keep-interval-updates 1 "${flags[@]}" "${start[@]}"
REFERENCES=$OUT/$size/split/test bash "$recipes/evaluate.sh" "$data" "$out/checkpoint_best.pt" "$out/test" \
    "${pairs[@]}" >"$out/test.log"
"${report[@]}" record --ledger "$LEDGER" --size "$SIZE" --langs "${langs[@]}" --training "$out" \
    --split "$OUT/$size/split" --pairs "$size" --row "$row" --updates "$updates" --rate "$rate" --seed "$seed" \
    --commit "$commit"
[ "$KEEP_CHECKPOINTS" = 1 ] || find "$out" -name 'checkpoint*.pt' -delete
say "-- $name: in the ledger"
