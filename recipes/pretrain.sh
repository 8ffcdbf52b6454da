#!/usr/bin/env bash
# Pretrain: denoise text of several languages and translate between them, from an encoder to a model to fine-tune
# (paper, section 4.1).
#
#   recipes/pretrain.sh DATA_BIN ENCODER OUT_DIR DAE_LANGS [MT_PAIRS] [-- FLAGS OF fairseq-train...]
#
# Inputs:   DATA_BIN of recipes/binarize.sh, with text to denoise (names such as kk) and pairs (zh-kk); ENCODER as for
#           recipes/train.sh; DAE_LANGS such as bo,ug,kk,mn,zh; MT_PAIRS such as zh-bo,zh-ug.
# Outputs:  OUT_DIR/checkpoint_{best,last}.pt with dict.txt, sentencepiece.bpe.model and init_report.tsv beside them;
#           OUT_DIR/train.log, command.txt, tensorboard. Go on with
#           recipes/train.sh ... --finetune-from-model OUT_DIR/checkpoint_last.pt
# Hardware: the settings are the paper's, for GPUs: 8 epochs of 256 pieces at most, 600 examples an update over all
#           devices, learning rate 1e-4. recipes/lib/training.sh says how to use several machines. On a CPU set
#           UPDATES and MAX_TOKENS to what you have time for.
# Time:     the paper: 92 hours on two A800 for 5 GB of text.
# Expect:   the denoising loss falls first, translation follows. Stopped and started again it is the same run.
set -euo pipefail

# shellcheck source=recipes/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=recipes/lib/training.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/training.sh"

: "${EPOCHS:=8}"
: "${UPDATES:=0}"                  # stop after so many updates; 0 goes by EPOCHS
: "${LR:=1e-4}"
: "${WARMUP:=1000}"                # updates
: "${BATCH_SENTENCES:=600}"        # examples an update over all devices: the paper's
: "${SENTENCES:=60}"               # examples a batch and device: what fits
: "${MAX_TOKENS:=16000}"           # pieces a batch and device, padding included
: "${UPDATE_FREQ:=}"               # batches an update and device (as many as BATCH_SENTENCES take)
: "${MAX_LENGTH:=256}"             # pieces; longer text is cut into several examples
: "${SAMPLING_ALPHA:=0.3}"         # p_i = q_i^alpha / sum_j q_j^alpha
: "${MT_SHARE:=0.1}"               # share of examples that are translation
: "${SCHEDULED_SAMPLING:=linear}"  # none, linear, exponential or inverse-sigmoid
: "${SAMPLING_HALF_LIFE:=20000}"   # updates until half of the decoder's inputs are its own predictions
: "${SAMPLING_FLOOR:=0.5}"         # least share of true inputs
: "${CLIP:=1.0}"
: "${DROPOUT:=0.1}"
: "${PRECISION:=auto}"             # auto: what this machine is quick in; bf16, fp16 (GPU) or fp32
: "${SAVE_EVERY:=1000}"            # updates
: "${SEED:=1}"
: "${LOG_EVERY:=50}"               # updates

[ $# -ge 4 ] || usage_error "recipes/pretrain.sh DATA_BIN ENCODER OUT_DIR DAE_LANGS [MT_PAIRS] [-- FLAGS...]"
data=$1 encoder=$2 out=$3 langs=$4
shift 4
pairs=()
if [ $# -gt 0 ] && [ "$1" != -- ]; then
    pairs=(--mt-pairs "$1" --mt-share "$MT_SHARE")
    shift
fi
[ $# -eq 0 ] || shift

done_already "$out/done" "pretraining in $out" && exit 0
use_environment
precision_flags "$out"
share_sentences "$BATCH_SENTENCES"

arguments=(
    "$data" --user-dir "$SWCM_ROOT/swcm_fairseq" --save-dir "$out"
    --task swcm_pretraining --dae-langs "$langs" "${pairs[@]}" --sampling-alpha "$SAMPLING_ALPHA"
    --max-source-positions "$MAX_LENGTH" --max-target-positions "$MAX_LENGTH"
    --scheduled-sampling "$SCHEDULED_SAMPLING" --sampling-half-life "$SAMPLING_HALF_LIFE"
    --sampling-floor "$SAMPLING_FLOOR"
    --arch xlm_swcm --pretrained-encoder "$encoder" --dropout "$DROPOUT"
    --criterion swcm_cross_entropy --label-smoothing 0.1
    --optimizer adamw --adam-betas '(0.9, 0.98)' --weight-decay 0.01 --clip-norm "$CLIP"
    --lr "$LR" --lr-scheduler inverse_sqrt --warmup-updates "$WARMUP"
    --batch-size "$SENTENCES" --max-tokens "$MAX_TOKENS" --update-freq "$UPDATE_FREQ"
    --max-epoch "$EPOCHS" --max-update "$UPDATES" --required-batch-size-multiple 1
    --save-interval-updates "$SAVE_EVERY" --keep-interval-updates 2 --no-epoch-checkpoints
    --seed "$SEED" "${precision[@]}" --skip-invalid-size-inputs-valid-test
    --log-format simple --log-interval "$LOG_EVERY" --tensorboard-logdir "$out/tensorboard"
    "$@"
)
train_shown "$out" "$UPDATES" "${arguments[@]}"
