"""What swcm_train of recipes/lib/training.sh would run, for GPUs and machines that a test does not have."""

import pytest

SCRIPT = """
. "$1/recipes/lib/common.sh"
. "$1/recipes/lib/training.sh"
fairseq-train() { echo "fairseq-train $*"; }
torchrun() { echo "torchrun $*"; echo "threads $OMP_NUM_THREADS"; }
swcm_cores() { echo 8; }
shift
swcm_train "$@"
"""

CPU_FLAGS = (
    "--distributed-backend gloo --distributed-init-method env:// --distributed-no-spawn --ddp-backend legacy_ddp"
)
RANK = """--no_python bash -c exec fairseq-train "$@" --distributed-rank "$RANK" fairseq-train data --lr 1"""


@pytest.fixture
def commands(run, repo):
    def get(check=True, **environment):
        environment = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": None, **environment}
        done = run(
            ["bash", "-euo", "pipefail", "-c", SCRIPT, "bash", repo, "data", "--lr", "1"], check=check, env=environment
        )
        return done if not check else done.stdout.splitlines()

    return get


@pytest.mark.parametrize("gpus", ["", "0", "0,1,2"])
def test_one_machine_is_fairseqs_own_affair(commands, gpus):
    assert commands(CUDA_VISIBLE_DEVICES=gpus) == ["fairseq-train data --lr 1"]


def test_processes_on_the_cpu_share_its_processors(commands):
    assert commands(SWCM_CPU_PROCESSES=2) == [
        "torchrun --standalone --nproc_per_node 2 {} --distributed-world-size 2 {}".format(RANK, CPU_FLAGS),
        "threads 4",
    ]


def test_processes_are_for_machines_without_gpu(commands):
    assert commands(SWCM_CPU_PROCESSES=2, CUDA_VISIBLE_DEVICES="0") == ["fairseq-train data --lr 1"]


@pytest.mark.parametrize("gpus, here", [("0,1,2,3", 4), ("0", 1)])
def test_several_machines(commands, gpus, here):
    # With one GPU a machine fairseq would count one process in all, so the whole number is always given.
    (command, _) = commands(CUDA_VISIBLE_DEVICES=gpus, NNODES=2, NODE_RANK=1, MASTER_ADDR="first")
    assert command == (
        "torchrun --nnodes 2 --node_rank 1 --master_addr first --master_port 29500 --nproc_per_node {} {} "
        "--distributed-world-size {}".format(here, RANK, 2 * here)
    )


def test_threads_that_the_user_chose_stay(commands):
    assert commands(SWCM_CPU_PROCESSES=2, OMP_NUM_THREADS=3)[1] == "threads 3"


def test_several_machines_want_the_first_ones_address(commands):
    done = commands(check=False, NNODES=2)
    assert done.returncode == 1
    assert "MASTER_ADDR" in done.stderr
