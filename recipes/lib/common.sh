# shellcheck shell=bash
# What the recipes share; to be sourced. Gives SWCM_ROOT (the checkout), SWCM_VENV, SWCM_PY and the functions below.

SWCM_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
: "${SWCM_VENV:=$SWCM_ROOT/.venv}"
case $SWCM_VENV in
/*) ;;
*) SWCM_VENV=$PWD/$SWCM_VENV ;;
esac
SWCM_PY=$SWCM_VENV/bin/python
export SWCM_ROOT SWCM_VENV SWCM_PY

# A thread that waits for the others gives its processor away. By default it spins, and where another program wants a
# processor too, training was seen to fall from 1.9 updates a second to 0.2 (2 cores); like this, to 1.2.
: "${OMP_WAIT_POLICY:=PASSIVE}"
export OMP_WAIT_POLICY

# say WORDS: progress, with the time of day.
say() { printf '[%s] %s\n' "$(date +%H:%M:%S)" "$*"; }

# step WORDS: a heading, with the minutes since the recipe began.
step() { say "== $* ($((SECONDS / 60)) min)"; }

# die MESSAGE: the work failed.
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# usage_error MESSAGE: the recipe was called in a wrong way.
usage_error() {
    printf 'usage error: %s\n' "$*" >&2
    exit 2
}

# commas WORDS: the words with commas between them.
commas() {
    local IFS=,
    echo "$*"
}

# need_cmd NAME HINT: the program must be there; HINT says how to get it.
need_cmd() { command -v "$1" >/dev/null 2>&1 || die "$1 is not installed${2:+; $2}"; }

# done_already PATH WORDS [FROM]: true, and says so, when the finished output is there, and not older than the file that it
# was made from; FORCE=1 makes it again.
done_already() {
    [ -e "$1" ] && [ "${FORCE:-0}" != 1 ] && [ ! "${3:-$1}" -nt "$1" ] || return 1
    say "${2:-$1}: there already"
}

# force: the flag that has a command do so too.
# shellcheck disable=SC2034
if [ "${FORCE:-0}" = 1 ]; then force=(--force); else force=(); fi

# preprocess NAME ARGUMENTS: preprocess/NAME.py, which makes its output again where FORCE=1 says so.
preprocess() {
    "$SWCM_PY" "$SWCM_ROOT/preprocess/$1.py" "${force[@]+"${force[@]}"}" "${@:2}"
}

# alone LOCK WORDS: nobody else works on WORDS from here on; who comes second ends with an error. LOCK is a file to hold
# while this process and all that it has started live, and to remove at the end; the system lets go of it however they
# end. Without the command flock (util-linux) there is no such protection.
alone() {
    command -v flock >/dev/null 2>&1 || return 0
    mkdir -p "$(dirname "$1")"
    while :; do
        exec 9>"$1"
        # Processes that were killed just now take a moment to go.
        flock --wait 3 9 || die "another process is working on $2; wait for its end, or stop it"
        # Else its last holder has removed it in between.
        [ ! "$1" -ef /dev/fd/9 ] || return 0
    done
}

# try_lock FD FILE: takes FILE for this process alone and all that it has started, through the descriptor FD; false where
# another has it. The system lets go of it however they end.
try_lock() { eval "exec $1>>\"\$2\"" && lock "$1" "-x -n" "LOCK_EX | fcntl.LOCK_NB"; }

# wait_for_lock FD: the same, where try_lock was false, as soon as the others have ended.
wait_for_lock() { lock "$1" "-x" "LOCK_EX"; }

# share_lock FD FILE: many may have it so, as long as nobody has it alone.
share_lock() { eval "exec $1>>\"\$2\"" && lock "$1" "-s -n" "LOCK_SH | fcntl.LOCK_NB"; }

# lock FD FLAGS CONSTANTS: by flock, or by Python where that is not installed. A lock belongs to the open file, so whoever
# sets it, it is this process's.
lock() {
    if command -v flock >/dev/null 2>&1; then
        # shellcheck disable=SC2086
        flock $2 "$1"
    else
        python3 -c "import fcntl; fcntl.flock($1, fcntl.$3)" 2>/dev/null
    fi
}

# find_gpus: sets SWCM_GPUS to the number of GPUs that the environment's torch can use. It is asked once, since another
# count would be another's: a driver may be too old for torch, torch built without CUDA, CUDA_VISIBLE_DEVICES name a device
# twice. Ends with an error where the machine has a GPU that torch cannot use. SWCM_DEVICE=cpu means a CPU.
find_gpus() {
    local asked="${SWCM_DEVICE:-} ${CUDA_VISIBLE_DEVICES-all} $SWCM_PY"
    [ "${SWCM_GPUS_ASKED:-}" != "$asked" ] || return 0
    if [ "${SWCM_DEVICE:-}" = cpu ]; then
        # For all that knows nothing of SWCM_DEVICE, fairseq among it.
        export CUDA_VISIBLE_DEVICES=
        asked="cpu  $SWCM_PY"
    fi
    if [ "${SWCM_DEVICE:-}" != cuda ] && { [ -z "${CUDA_VISIBLE_DEVICES-all}" ] || ! shows_gpu; }; then
        SWCM_GPUS=0
    else
        SWCM_GPUS=$("$SWCM_PY" -m swcm_fairseq.hardware --gpus) || exit 1
    fi
    SWCM_GPUS_ASKED=$asked
    export SWCM_GPUS SWCM_GPUS_ASKED
}

# shows_gpu: whether there is anything on this machine that could be a GPU (the last two: Windows' subsystem, AMD).
shows_gpu() { command -v nvidia-smi >/dev/null 2>&1 || [ -e /dev/nvidia0 ] || [ -e /dev/dxg ] || [ -e /dev/kfd ]; }

# swcm_cores: number of processors this process may use.
# (nproc itself would count no more than OMP_NUM_THREADS.)
swcm_cores() { env -u OMP_NUM_THREADS nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1; }

# use_environment: make the environment if need be, and put its commands (fairseq-train, swcm-score, ...) first, and the
# checkout before whatever package is installed.
# SWCM_SKIP_SETUP=1 takes the environment at SWCM_VENV as it is, for one that was not made by recipes/setup.sh.
use_environment() {
    if [ "${SWCM_SKIP_SETUP:-0}" != 1 ]; then
        bash "$SWCM_ROOT/recipes/setup.sh" || exit
        # While this recipe lasts, no setup makes the environment anew.
        share_lock 7 "$SWCM_VENV.used" || die "$SWCM_VENV is just being made anew; start again"
    fi
    export PATH="$SWCM_VENV/bin:$PATH"
    case :${PYTHONPATH:-}: in
    *:"$SWCM_ROOT":*) ;;
    *) export PYTHONPATH="$SWCM_ROOT${PYTHONPATH:+:$PYTHONPATH}" ;;
    esac
}

# begin STEPS: the first two of a recipe's steps. The environment; and ENCODER, which is multilingual-e5-small in OUT
# where no other was named.
begin() {
    step "1/$1 environment"
    use_environment
    mkdir -p "$OUT"
    step "2/$1 encoder"
    [ -n "$ENCODER" ] || {
        ENCODER=$OUT/encoder-full
        bash "$SWCM_ROOT/recipes/encoders/e5_small.sh" "$ENCODER"
    }
}

# sha256_of FILE
sha256_of() {
    if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# check_version FILE "WHAT IS" VERSION KNOWN_VERSION KNOWN_SHA256: the FILE says that it is of VERSION; that is told
# where the recipe's expected counts belong to another, and where a file says the known one and isn't it, it is refused.
# KNOWN_SHA256 is empty for what no counts are known of.
check_version() {
    local sha256
    sha256=$(sha256_of "$1")
    [ -n "$5" ] && [ "$5" != "$sha256" ] || return 0
    [ "$3" != "$4" ] || die "$1 says it is version $4, but its sha256 is $sha256, not $5; fetch it again"
    say "note: $2 $3, not $4; counts and scores may differ"
}

# take PART INPUT SIDE FIELD SIDE FIELD: OUT/raw/PART.SIDE of both sides, of whatever INPUT is: a file of records, which
# preprocess/read.py reads, or the beginning of the names of two files.
take() {
    if [ -e "$2.$3" ] && [ -e "$2.$5" ]; then
        mkdir -p "$OUT/raw"
        cp "$2.$3" "$OUT/raw/$1.$3"
        cp "$2.$5" "$OUT/raw/$1.$5"
    elif [ -f "$2" ]; then
        done_already "$OUT/raw/$1.counts.json" "text of $2" ||
            preprocess read --take "$3=$4" "$5=$6" --out "$OUT/raw/$1" "$2"
    else
        die "$2: neither a file nor the beginning of $2.$3 and $2.$5"
    fi
}
