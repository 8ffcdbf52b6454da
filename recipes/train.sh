#!/usr/bin/env bash
# Fine-tune an encoder on binarized pairs: the training step of the recipes.
#
#   bash recipes/train.sh DATA_BIN ENCODER OUT_DIR PAIRS [FLAGS OF fairseq-train...]
#
# Inputs:   DATA_BIN of recipes/binarize.sh; ENCODER, a Hugging Face folder or a fairseq model.pt, whose rows the
#           dictionary of DATA_BIN names; PAIRS such as zh-kk,zh-mn (one model for all).
#           Further flags go to fairseq-train as they are, for example --decoder-init random.
#           RECIPE=paper: the paper's decoder and settings. RECIPE=best: what learned most in equal minutes on small data:
#           twice the rate, no dropout, no random inserted layers, the checkpoint that translates best.
#           VALIDATION_SCORES=chrfpp BEST_METRIC=chrfpp keeps the checkpoint that translates best, not the one of the
#           lowest loss (recipes/lib/training.sh).
# Outputs:  OUT_DIR/checkpoint_{best,last}.pt with dict.txt, sentencepiece.bpe.model and init_report.tsv beside them;
#           OUT_DIR/train.log; OUT_DIR/command.txt, what was run, and in which precision; OUT_DIR/tensorboard.
# Hardware: a CPU, or all GPUs of the machine (recipes/lib/training.sh says how to use several machines).
# Time:     2 CPU cores, 28M parameters: half a second to one an update of 600 pieces in bf16, where the CPU has it; one
#           to two seconds in float32.
# Expect:   the validation loss falls all the time at these settings; stopped and started again it goes on, also after
#           its end where UPDATES is more than before. FORCE=1 begins anew and removes what an earlier training left.
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

: "${RECIPE:=paper}"       # paper or best
case $RECIPE in
paper)
    : "${LR:=5e-4}" "${DROPOUT:=0.1}"
    recipe=()
    ;;
best)
    : "${LR:=1e-3}" "${DROPOUT:=0}" "${VALIDATION_SCORES=chrfpp}" "${BEST_METRIC=chrfpp}"
    recipe=(--insert-normal-every 0 --attention-dropout 0)
    ;;
*) usage_error "RECIPE is paper or best, not $RECIPE" ;;
esac

# shellcheck source=recipes/lib/training.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/training.sh"

# LR, the rate of the copied and the new tensors alike, and DROPOUT are the recipe's by default.
: "${UPDATES:=1000}"       # training steps
: "${WARMUP:=100}"         # updates until the rate is reached; then it falls in a straight line to zero
: "${BATCH_TOKENS:=600}"   # pieces an update, padding included, over all devices; larger ones learn more slowly here
: "${MAX_TOKENS:=}"        # pieces a batch and device (its share of BATCH_TOKENS)
: "${UPDATE_FREQ:=}"       # batches an update and device (one, or as many as the memory of a GPU asks for)
: "${LABEL_SMOOTHING:=0.1}"
: "${CLIP:=1.0}"
: "${PRECISION:=auto}"     # auto: what this machine is quick in; bf16, fp16 (GPU) or fp32
: "${SEED:=1}"
: "${LOG_EVERY:=50}"       # updates

[ $# -ge 4 ] || usage_error "recipes/train.sh DATA_BIN ENCODER OUT_DIR PAIRS [FLAGS...]"
data=$1 encoder=$2 out=$3 pairs=$4
shift 4

trained_already "$out" "$UPDATES" && exit 0
use_environment
precision_flags "$out"
share_batch "$BATCH_TOKENS" "$encoder"
validation_flags

arguments=(
    "$data" --user-dir "$SWCM_ROOT/swcm_fairseq" --save-dir "$out"
    --task swcm_finetuning --lang-pairs "$pairs"
    --arch xlm_swcm --pretrained-encoder "$encoder" --dropout "$DROPOUT"
    --criterion swcm_cross_entropy --label-smoothing "$LABEL_SMOOTHING"
    --optimizer adamw --adam-betas '(0.9, 0.98)' --weight-decay 0.01 --clip-norm "$CLIP"
    --lr "$LR" --lr-scheduler polynomial_decay --warmup-updates "$WARMUP" --total-num-update "$UPDATES"
    --max-tokens "$MAX_TOKENS" --update-freq "$UPDATE_FREQ" --max-update "$UPDATES" --required-batch-size-multiple 1
    --seed "$SEED" "${precision[@]}" --no-epoch-checkpoints --skip-invalid-size-inputs-valid-test
    --log-format simple --log-interval "$LOG_EVERY" --tensorboard-logdir "$out/tensorboard" "${validation[@]}"
    "${recipe[@]+"${recipe[@]}"}" "$@"
)
train_shown "$out" "$UPDATES" "${arguments[@]}"
