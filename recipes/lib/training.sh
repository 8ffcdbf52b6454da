# shellcheck shell=bash
# How a recipe trains on whatever there is; to be sourced after common.sh.
#
# Inputs    GPUs are all that CUDA_VISIBLE_DEVICES leaves; without any, SWCM_CPU_PROCESSES processes on the CPU.
#           Several machines: the same command on each, with NNODES (their number), NODE_RANK (0, 1, ...), MASTER_ADDR
#           (the first one's address) and MASTER_PORT; the folder for checkpoints must be the same for all.
# Scores    With VALIDATION_SCORES a recipe decodes its validation set too, each time it validates, and logs the scores;
#           BEST_METRIC, one of them, then chooses checkpoint_best.pt in the place of the loss. For example
#           VALIDATION_SCORES=chrfpp,rougeL BEST_METRIC=chrfpp.
# Hardware  CPU processes were run here, two of them; several GPUs and several machines were not.

: "${SWCM_CPU_PROCESSES:=1}"     # processes on a machine without GPU; in bf16 more than one wants torch 2
: "${NNODES:=1}"                 # machines
: "${NODE_RANK:=0}"              # which of them this one is
: "${MASTER_ADDR:=}"             # the address of machine 0
: "${MASTER_PORT:=29500}"        # a free port there
: "${VALIDATION_SCORES:=}"       # metrics of swcm-score, with commas; none: only the loss
: "${VALIDATION_SENTENCES:=200}" # decoded of each pair's validation set, always the same ones; 0: all
: "${VALIDATION_BEAM:=1}"        # beam size of that decoding
: "${VALIDATION_MAX_LEN:=100}"   # most pieces of an output
: "${BEST_METRIC:=}"             # one of the scores, or of the losses that are logged; none: the loss

# swcm_train ARGUMENTS: fairseq-train with one process for each device of each machine, all training one model.
swcm_train() {
    local gpus here total
    gpus=$(swcm_gpus)
    here=$([ "$gpus" -gt 0 ] && echo "$gpus" || echo "$SWCM_CPU_PROCESSES")
    total=$((here * NNODES))
    if [ "$NNODES" -eq 1 ] && { [ "$gpus" -gt 0 ] || [ "$here" -eq 1 ]; }; then
        # fairseq itself starts a process for each GPU of the machine.
        fairseq-train "$@"
        return
    fi

    local where=(--standalone)
    if [ "$NNODES" -gt 1 ]; then
        [ -n "$MASTER_ADDR" ] || die "NNODES=$NNODES: set MASTER_ADDR to the address of machine 0"
        where=(--nnodes "$NNODES" --node_rank "$NODE_RANK" --master_addr "$MASTER_ADDR" --master_port "$MASTER_PORT")
    fi
    local flags=(--distributed-world-size "$total")
    if [ "$gpus" -eq 0 ]; then
        # torchrun says who is who, but without CUDA fairseq does not listen, and its usual wrapper of the model
        # wants CUDA devices.
        flags+=(--distributed-backend gloo --distributed-init-method env:// --distributed-no-spawn
            --ddp-backend legacy_ddp)
    fi
    # torchrun gives each process the same arguments; its number is in the environment.
    # shellcheck disable=SC2016
    OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(threads_each "$here")} \
        torchrun "${where[@]}" --nproc_per_node "$here" --no_python \
        bash -c 'exec fairseq-train "$@" --distributed-rank "$RANK"' fairseq-train "$@" "${flags[@]}"
}

# threads_each PROCESSES: the processors of this machine, shared evenly.
threads_each() {
    local threads=$(($(swcm_cores) / $1))
    echo "$((threads > 0 ? threads : 1))"
}

# precision_flags OUT: sets the array precision, which the recipe uses, to fairseq's flag for its PRECISION. With auto it
# is what this machine is quick in, or what the training in the folder OUT began with. precision_line says which, and why.
# shellcheck disable=SC2034,SC2153
precision_flags() {
    local name reason
    case $PRECISION in
    auto | bf16 | fp16 | fp32) ;;
    *) usage_error "PRECISION is auto, bf16, fp16 or fp32, not $PRECISION" ;;
    esac
    if [ "$PRECISION" = auto ] && [ -e "$1/checkpoint_last.pt" ] &&
        name=$(sed -n 's/^# precision: \([a-z0-9]*\).*/\1/p' "$1/command.txt" 2>/dev/null) && [ -n "$name" ]; then
        reason="what this training began with; PRECISION chooses another"
    else
        IFS=$'\t' read -r name reason < <(
            PYTHONPATH=$SWCM_ROOT${PYTHONPATH:+:$PYTHONPATH} "$SWCM_PY" -m swcm_fairseq.hardware --precision "$PRECISION"
        ) || die "the machine could not be asked for its precision"
    fi
    precision_line="precision: $name ($reason)"
    precision=()
    [ "$name" = fp32 ] || precision=(--"$name")
}

# validation_flags: sets the array validation, which the recipe uses, to what VALIDATION_SCORES and BEST_METRIC ask for.
# shellcheck disable=SC2034
validation_flags() {
    validation=()
    if [ -n "$VALIDATION_SCORES" ]; then
        validation+=(--validation-scores "$VALIDATION_SCORES" --validation-sentences "$VALIDATION_SENTENCES"
            --validation-beam "$VALIDATION_BEAM" --validation-max-len-b "$VALIDATION_MAX_LEN"
            --validation-print-samples)
    fi
    if [ -n "$BEST_METRIC" ]; then
        validation+=(--best-checkpoint-metric "$BEST_METRIC")
        case $BEST_METRIC in
        *loss | *ppl | *_nll | *wrong_language | *empty | *looping) ;; # less is better
        *) validation+=(--maximize-best-checkpoint-metric) ;;
        esac
    fi
}

# train_shown OUT UPDATES ARGUMENTS: swcm_train into the folder OUT; the whole output goes to OUT/train.log, the
# command to OUT/command.txt, and the terminal sees how the loss falls. OUT/done says that it came to its end.
train_shown() {
    local out=$1 updates=$2
    shift 2
    mkdir -p "$out"
    {
        printf '# %s\n' "$precision_line"
        printf '%q ' fairseq-train "$@"
    } >"$out/command.txt"
    say "training into $out (whole log: $out/train.log)"
    say "$precision_line"
    swcm_train "$@" 2>&1 | tee -a "$out/train.log" |
        "$SWCM_PY" "$SWCM_ROOT/recipes/lib/show_progress.py" --updates "$updates" \
            --scores "$VALIDATION_SCORES" ||
        die "training failed; see $out/train.log"
    touch "$out/done"
}
