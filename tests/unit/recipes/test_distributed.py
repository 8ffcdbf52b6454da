"""What the recipes would run, for GPUs, machines and clusters that a test does not have."""

import pytest

# The environment's Python stands for its torch: it says how many GPUs that can use, or what is wrong with them.
SCRIPT = """
. "$1/recipes/lib/common.sh"
. "$1/recipes/lib/training.sh"
SWCM_PY=answer
answer() {
    echo asked >&2
    case "$*" in *--pieces*) echo "${FITS:-5000}"; return ;; esac
    [ -n "${TORCH_SEES:-}" ] || { echo "error: no GPU for this torch" >&2; return 1; }
    echo "$TORCH_SEES"
}
shows_gpu() { [ -n "${MACHINE_SHOWS:-}" ]; }
fairseq-train() { echo "fairseq-train $*"; }
torchrun() { echo "torchrun $*"; echo "threads $OMP_NUM_THREADS"; }
swcm_cores() { echo 8; }
shift
"""
TRAIN = SCRIPT + 'swcm_train "$@"; echo "visible ${CUDA_VISIBLE_DEVICES-all}"'

CPU_FLAGS = "--distributed-backend gloo --distributed-init-method env:// --distributed-no-spawn"
RANK = """--no_python bash -c exec fairseq-train "$@" --distributed-rank "$RANK" fairseq-train"""
UNSET = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "SWCM_DEVICE", "SWCM_GPUS_ASKED", "MAX_TOKENS", "UPDATE_FREQ")
# What a batch script finds in its environment.
SLURM = {
    "SLURM_JOB_ID": 7,
    "SLURM_NNODES": 2,
    "SLURM_NODEID": 0,
    "SLURM_NTASKS": 2,
    "SLURM_PROCID": 0,
    "SLURM_JOB_NODELIST": "node[1-2]",
    "SLURM_STEP_NODELIST": "node[1-2]",
}


@pytest.fixture
def recipe(run, repo):
    def call(script, *arguments, check=True, **environment):
        environment = dict(dict.fromkeys(UNSET), **environment)
        return run(["bash", "-euo", "pipefail", "-c", script, "bash", repo, *arguments], check=check, env=environment)

    return call


@pytest.fixture
def commands(recipe):
    def get(*arguments, **environment):
        return recipe(TRAIN, "data", "--lr", "1", *arguments, **environment).stdout.splitlines()

    return get


@pytest.mark.parametrize("machine", [{}, {"MACHINE_SHOWS": 1, "TORCH_SEES": 1}])
@pytest.mark.parametrize("around", [{}, SLURM], ids=["alone", "slurm"])
def test_one_process_needs_no_launcher(commands, machine, around):
    assert commands(**machine, **around) == ["fairseq-train data --lr 1", "visible all"]


def test_processes_on_the_cpu_share_its_processors(commands):
    command, threads, _ = commands(SWCM_CPU_PROCESSES=2)
    assert command == (
        f"torchrun --standalone --nproc_per_node 2 {RANK} --ddp-backend legacy_ddp data --lr 1 "
        "--distributed-world-size 2 "
        f"{CPU_FLAGS}"
    )
    assert threads == "threads 4"


def test_processes_are_for_machines_without_gpu(commands):
    assert commands(SWCM_CPU_PROCESSES=2, MACHINE_SHOWS=1, TORCH_SEES=1)[0] == "fairseq-train data --lr 1"


@pytest.mark.parametrize("around", [{}, SLURM], ids=["alone", "slurm"])
def test_several_gpus_are_started_by_torchrun(commands, around):
    # fairseq's own start would wait for the other machines that Slurm names.
    assert commands(MACHINE_SHOWS=1, TORCH_SEES=3, **around)[0] == (
        f"torchrun --standalone --nproc_per_node 3 {RANK} data --lr 1 --distributed-world-size 3"
    )


@pytest.mark.parametrize("here", [4, 1])
def test_several_machines(commands, here):
    # With one GPU a machine fairseq would count one process in all, so the whole number is always given.
    command = commands(MACHINE_SHOWS=1, TORCH_SEES=here, NNODES=2, NODE_RANK=1, MASTER_ADDR="first")[0]
    assert command == (
        f"torchrun --nnodes 2 --node_rank 1 --master_addr first --master_port 29500 --nproc_per_node {here} "
        f"{RANK} data --lr 1 "
        f"--distributed-world-size {2 * here}"
    )


def test_threads_that_the_user_chose_stay(commands):
    assert commands(SWCM_CPU_PROCESSES=2, OMP_NUM_THREADS=3)[1] == "threads 3"


def test_the_wrapper_that_the_user_chose_comes_last_and_so_stays(commands):
    command = commands("--ddp-backend", "pytorch_ddp", SWCM_CPU_PROCESSES=2)[0]
    assert command.rindex("--ddp-backend pytorch_ddp") > command.rindex("--ddp-backend legacy_ddp")


def test_several_machines_want_the_first_ones_address(recipe):
    done = recipe(TRAIN, "data", check=False, NNODES=2)
    assert done.returncode == 1
    assert "MASTER_ADDR" in done.stderr


@pytest.mark.parametrize("visible", ["0,0", "GPU-12345678", "MIG-12345678-0", "7", None])
def test_a_gpu_that_torch_cannot_use_is_an_error_and_no_training_on_the_cpu(recipe, visible):
    done = recipe(TRAIN, "data", check=False, MACHINE_SHOWS=1, CUDA_VISIBLE_DEVICES=visible)
    assert (done.returncode, done.stdout) == (1, "")
    assert "error: no GPU for this torch" in done.stderr


def test_the_number_of_gpus_is_torchs_word(commands):
    # What CUDA makes of such a list is not for a recipe to guess.
    command = commands(MACHINE_SHOWS=1, TORCH_SEES=2, CUDA_VISIBLE_DEVICES="GPU-1,GPU-2,-1,GPU-3")[0]
    assert "--nproc_per_node 2 " in command


@pytest.mark.parametrize("visible", ["", None])
def test_torch_is_asked_once_and_not_at_all_where_there_is_no_gpu(recipe, visible):
    ask = SCRIPT + "find_gpus; find_gpus; (find_gpus); echo $SWCM_GPUS"
    shown = recipe(ask, MACHINE_SHOWS=1, TORCH_SEES=2)
    assert (shown.stdout.split(), shown.stderr.count("asked")) == (["2"], 1)
    hidden = recipe(ask, CUDA_VISIBLE_DEVICES=visible, MACHINE_SHOWS="" if visible is None else 1)
    assert (hidden.stdout.split(), hidden.stderr) == (["0"], "")


def test_a_cpu_can_be_meant(commands):
    assert commands(SWCM_DEVICE="cpu", MACHINE_SHOWS=1, TORCH_SEES=2) == ["fairseq-train data --lr 1", "visible "]


@pytest.mark.parametrize(
    "gpus, given, expected",
    [
        (1, {}, (600, 1)),
        (4, {}, (150, 1)),
        (2, {"UPDATE_FREQ": 3}, (100, 3)),
        (2, {"MAX_TOKENS": 500}, (500, 1)),
        (2, {"NNODES": 2, "UPDATE_FREQ": 3}, (50, 3)),
        # Where memory does not hold the share, in several batches.
        (1, {"FITS": 256}, (200, 3)),
        (2, {"FITS": 256}, (150, 2)),
        (2, {"FITS": 10, "MAX_TOKENS": 500}, (500, 1)),
    ],
)
def test_an_update_has_as_many_pieces_on_any_number_of_devices(recipe, gpus, given, expected):
    share = SCRIPT + 'share_batch 600 encoder; echo "$MAX_TOKENS $UPDATE_FREQ"; echo "$batch_line"'
    numbers, line = recipe(share, MACHINE_SHOWS=1, TORCH_SEES=gpus, **given).stdout.splitlines()
    assert tuple(map(int, numbers.split())) == expected
    devices = gpus * given.get("NNODES", 1)
    assert line == (
        f"pieces an update: {expected[0] * expected[1] * devices} at most, on {devices} device(s) in "
        f"{expected[1]} batch(es) of {expected[0]}"
    )


def test_no_device_can_have_less_than_a_piece(recipe):
    done = recipe(SCRIPT + "share_batch 3 encoder", check=False, MACHINE_SHOWS=1, TORCH_SEES=8)
    assert done.returncode == 1 and "too few for 8 devices" in done.stderr


@pytest.mark.parametrize("gpus, given, freq", [(1, {}, 10), (2, {}, 5), (8, {}, 2), (2, {"UPDATE_FREQ": 1}, 1)])
def test_an_update_has_as_many_examples_on_any_number_of_devices(recipe, gpus, given, freq):
    share = SCRIPT + 'SENTENCES=60; share_sentences 600; echo "$UPDATE_FREQ"'
    assert recipe(share, MACHINE_SHOWS=1, TORCH_SEES=gpus, **given).stdout.split() == [str(freq)]
