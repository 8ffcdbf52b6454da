# shellcheck shell=bash
# How a recipe trains on whatever there is; to be sourced after common.sh.
#
# Inputs    GPUs are all that CUDA_VISIBLE_DEVICES leaves; without any, or with SWCM_DEVICE=cpu, SWCM_CPU_PROCESSES
#           processes on the CPU.
#           Several machines: the same command on each, with NNODES (their number), NODE_RANK (0, 1, ...), MASTER_ADDR
#           (the first one's address) and MASTER_PORT; the folder for checkpoints must be the same for all.
#           recipes/slurm.sbatch sets them under Slurm.
# Batches   BATCH_TOKENS is what an update learns from, whatever the number of devices; each has its share a batch.
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

# find_processes: sets processes_here, those of this machine, and processes, those of all.
find_processes() {
    find_gpus
    processes_here=$([ "$SWCM_GPUS" -gt 0 ] && echo "$SWCM_GPUS" || echo "$SWCM_CPU_PROCESSES")
    processes=$((processes_here * NNODES))
}

# swcm_train ARGUMENTS: fairseq-train with one process for each device of each machine, all training one model. Where
# there are several, torchrun starts them: fairseq itself takes what Slurm says for an order to wait for others.
swcm_train() {
    local processes_here processes
    find_processes
    if [ "$processes" -eq 1 ]; then
        fairseq-train "$@"
        return
    fi

    local where=(--standalone)
    if [ "$NNODES" -gt 1 ]; then
        [ -n "$MASTER_ADDR" ] || die "NNODES=$NNODES: set MASTER_ADDR to the address of machine 0"
        where=(--nnodes "$NNODES" --node_rank "$NODE_RANK" --master_addr "$MASTER_ADDR" --master_port "$MASTER_PORT")
    fi
    local defaults=() flags=(--distributed-world-size "$processes")
    if [ "$SWCM_GPUS" -eq 0 ]; then
        # torchrun says who is who, but without CUDA fairseq does not listen.
        flags+=(--distributed-backend gloo --distributed-init-method env:// --distributed-no-spawn)
        defaults=(--ddp-backend legacy_ddp)
    fi
    # torchrun gives each process the same arguments; its number is in the environment.
    # shellcheck disable=SC2016
    OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(threads_each "$processes_here")} \
        torchrun "${where[@]}" --nproc_per_node "$processes_here" --no_python \
        bash -c 'exec fairseq-train "$@" --distributed-rank "$RANK"' fairseq-train "${defaults[@]+"${defaults[@]}"}" \
        "$@" "${flags[@]}"
}

# share_batch BATCH_TOKENS ENCODER: sets MAX_TOKENS and UPDATE_FREQ, where the user has not, such that an update has so
# many pieces on any number of devices; batch_line says how. A device takes its share in one batch, or in as many as the
# memory of a GPU asks for with the encoder in the folder ENCODER.
# shellcheck disable=SC2034
share_batch() {
    local processes_here processes share most
    find_processes
    share=$(($1 / processes > 0 ? $1 / processes : 1))
    if [ -z "${UPDATE_FREQ:-}" ] && [ "$SWCM_GPUS" -gt 0 ] && [ -z "${MAX_TOKENS:-}" ]; then
        most=$("$SWCM_PY" -m swcm_fairseq.training_memory --encoder "$2" --pieces) || exit 1
        UPDATE_FREQ=$(((share + most - 1) / most))
    fi
    : "${UPDATE_FREQ:=1}"
    : "${MAX_TOKENS:=$(($1 / (processes * UPDATE_FREQ)))}"
    [ "$MAX_TOKENS" -gt 0 ] || die "BATCH_TOKENS=$1: too few for $processes devices and UPDATE_FREQ=$UPDATE_FREQ"
    batch_line="pieces an update: $((MAX_TOKENS * processes * UPDATE_FREQ)) at most, on $processes device(s) in \
$UPDATE_FREQ batch(es) of $MAX_TOKENS"
}

# share_sentences BATCH_SENTENCES: the same for batches that are counted in examples, SENTENCES of them a batch.
# shellcheck disable=SC2034
share_sentences() {
    local processes_here processes
    find_processes
    : "${UPDATE_FREQ:=$((($1 + SENTENCES * processes - 1) / (SENTENCES * processes)))}"
    batch_line="examples an update: $((SENTENCES * processes * UPDATE_FREQ)) at most, on $processes device(s) in \
$UPDATE_FREQ batch(es) of $SENTENCES"
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
            "$SWCM_PY" -m swcm_fairseq.hardware --precision "$PRECISION"
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

# trained_already OUT UPDATES: true, and says so, where the training in OUT came to its end after as many updates or more.
trained_already() {
    local made
    [ -e "$1/done" ] || return 1
    made=$(cat "$1/done")
    if [ "${FORCE:-0}" != 1 ] && [ "${made:-$2}" -lt "$2" ] && [ -e "$1/checkpoint_last.pt" ]; then
        say "training in $1: $made updates are made, it goes on to $2"
        return 1
    fi
    done_already "$1/done" "training in $1"
}

# train_shown OUT UPDATES ARGUMENTS: swcm_train into the folder OUT; the whole output goes to OUT/train.log, the
# command to OUT/command.txt, and the terminal sees how the loss falls. OUT/done says after how many updates it ended.
train_shown() {
    local out=$1 updates=$2 log=$1/train.log
    shift 2
    mkdir -p "$out"
    # The folder is the same for all machines; the first one writes of the training as a whole.
    if [ "$NODE_RANK" -eq 0 ]; then
        [ "${FORCE:-0}" != 1 ] || "$SWCM_PY" -m recipes.lib.remove_training "$out"
        [ ! -e "$out/command.txt" ] || mv "$out/command.txt" "$out/.command.txt.old"
        {
            printf '# %s\n' "$precision_line"
            printf '%q ' fairseq-train "$@"
        } >"$out/command.txt"
    else
        log=$out/train.machine$NODE_RANK.log
    fi
    say "training into $out (whole log: $log)"
    say "$precision_line"
    [ -z "${batch_line:-}" ] || say "$batch_line"
    swcm_train "$@" 2>&1 | tee -a "$log" |
        "$SWCM_PY" "$SWCM_ROOT/recipes/lib/show_progress.py" --updates "$updates" \
            --scores "$VALIDATION_SCORES" || {
        # dict.txt is written where a training begins. One that could not has left the checkpoints as they were, and
        # the command that made them stays beside them.
        [ ! -e "$out/.command.txt.old" ] || [ "$out/dict.txt" -nt "$out/command.txt" ] ||
            mv "$out/.command.txt.old" "$out/command.txt"
        die "training failed; see $log"
    }
    rm -f "$out/.command.txt.old"
    echo "$updates" >"$out/done"
}
