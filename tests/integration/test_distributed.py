"""Two processes on the CPU train one model, started as the recipes start them."""

import os
import shlex
import sys

import pytest

from tests.support.trainings import make_data, read_probe

UPDATES, SAVED = 6, 4

FLAGS = (
    "--task swcm_finetuning --lang-pairs zh-kk,zh-mn --arch xlm_swcm --encoder-layers 2 --encoder-embed-dim 16 "
    "--encoder-ffn-embed-dim 24 --encoder-attention-heads 2 --insert-normal-every 2 --max-positions 40 --dropout 0 "
    "--attention-dropout 0 --criterion swcm_cross_entropy --label-smoothing 0.1 --optimizer adamw --lr 3e-3 "
    "--clip-norm 1.0 --max-tokens 60 --save-interval-updates 4 --no-epoch-checkpoints --log-format json "
    "--log-interval 1 --cpu --seed 7"
)


# What sbatch sets for its script.
SLURM = {
    "SLURM_JOB_ID": os.getpid(),
    "SLURM_NNODES": 2,
    "SLURM_NTASKS": 2,
    "SLURM_NTASKS_PER_NODE": 1,
    "SLURM_JOB_NODELIST": "node[1-2]",
    "SLURM_STEP_NODELIST": "node[1-2]",
}


@pytest.fixture(scope="module")
def swcm_train(tmp_path_factory, repo, run):
    """``swcm_train(name, flags, processes)``: train by the recipes' function; each process writes name.probe.<rank>."""
    folder = tmp_path_factory.mktemp("distributed")
    # More than the updates below take: the last batch of an epoch may find no other for the second process.
    data = make_data(folder / "data", lines=180)
    watched = folder / "bin" / "fairseq-train"
    watched.parent.mkdir()
    watched.write_text(f'#!/bin/sh\nexec python {shlex.quote(str(repo / "tests/support/trainings.py"))} "$@"\n')
    watched.chmod(0o755)
    # run puts this environment's commands before all others, so the watched one is named after that.
    script = (
        'set -euo pipefail; . "$1/recipes/lib/common.sh"; . "$1/recipes/lib/training.sh"; PATH=$2:$PATH; shift 2; '
        'swcm_train "$@"'
    )

    def train(name, *flags, processes=1, slurm=False):
        where = ["--user-dir", repo / "swcm_fairseq", "--save-dir", folder / name]
        command = ["bash", "-c", script, "bash", repo, folder / "bin"]
        env = {"SWCM_CPU_PROCESSES": processes, "PROBE": folder / (name + ".probe"), "CUDA_VISIBLE_DEVICES": ""}
        if slurm:
            # The job is handed a recipe; this one is swcm_train alone.
            recipe = folder / "recipe.sh"
            recipe.write_text('set -- {} {} "$@"\n{}'.format(shlex.quote(str(repo)), folder / "bin", script))
            command = ["bash", repo / "recipes" / "slurm.sbatch", recipe]
            for name_, text in (("scontrol", SCONTROL), ("srun", SRUN)):
                (folder / "slurm").mkdir(exist_ok=True)
                (folder / "slurm" / name_).write_text(text)
                (folder / "slurm" / name_).chmod(0o755)
            env.update(SLURM, SLURM_SUBMIT_DIR=repo, SWCM_CPU_PROCESSES=1, OMP_NUM_THREADS=1)
            env["PATH"] = "{}:{}:{}".format(folder / "slurm", os.path.dirname(sys.executable), os.environ["PATH"])
        done = run([*command, data, *where, *FLAGS.split(), *flags], env=env)
        probes = [read_probe(f"{folder / name}.probe.{rank}") for rank in range(processes)]
        return done.stdout + done.stderr, probes, folder / name

    return train


# Stand-ins for Slurm's commands: one machine that is two, each with one task.
SCONTROL = "#!/bin/sh\nprintf 'localhost\\nlocalhost\\n'\n"
SRUN = """#!/usr/bin/env bash
echo "srun $*"
while [[ $1 == --* ]]; do case $1 in --*=*) shift ;; *) shift 2 ;; esac; done
SLURM_NODEID=0 SLURM_PROCID=0 "$@" & first=$!
SLURM_NODEID=1 SLURM_PROCID=1 "$@" & second=$!
wait "$first" && wait "$second"
"""


@pytest.fixture(scope="module")
def two(swcm_train):
    return swcm_train("two", "--max-update", str(UPDATES), processes=2)


def test_world_size_in_the_log(two):
    log, _, _ = two
    assert "training on 2 devices" in log
    assert "'distributed_world_size': 2" in log


def test_both_hold_the_same_weights_after_each_update(two):
    _, (first, second), _ = two
    assert list(first) == list(second) == list(range(1, UPDATES + 1))
    weights = [first[number].weights for number in first]
    assert weights == [second[number].weights for number in second]
    assert len(set(weights)) == UPDATES
    assert all(first[number].losses != second[number].losses for number in first)


def test_one_process_with_twice_the_accumulation_has_the_same_losses(two, swcm_train):
    _, (first, second), _ = two
    _, (alone,), _ = swcm_train("one", "--max-update", str(UPDATES), "--update-freq", "2")
    for number in range(1, UPDATES + 1):
        losses = [float.fromhex(loss) for loss in first[number].losses + second[number].losses]
        assert [float.fromhex(loss) for loss in alone[number].losses] == pytest.approx(losses, rel=1e-5)


def test_two_processes_go_on_from_a_checkpoint_exactly(two, swcm_train):
    _, whole, folder = two
    again = folder.parent / "again"
    again.mkdir()
    os.link(str(folder / f"checkpoint_1_{SAVED}.pt"), str(again / "checkpoint_last.pt"))
    log, resumed, _ = swcm_train("again", "--max-update", str(UPDATES), processes=2)
    assert f"@ {SAVED} updates" in log
    for part, all_updates in zip(resumed, whole):
        assert part == {number: all_updates[number] for number in range(SAVED + 1, UPDATES + 1)}


def test_two_machines_under_slurm_train_as_two_processes_do(two, swcm_train):
    _, processes, _ = two
    log, machines, _ = swcm_train("slurm", "--max-update", str(UPDATES), processes=2, slurm=True)
    assert "srun --nodes 2 --ntasks 2 --ntasks-per-node 1" in log and "training on 2 devices" in log
    assert machines == processes


@pytest.mark.parametrize("before, now, freq", [(2, 1, "2"), (1, 2, "1")])
def test_another_number_of_processes_goes_on_where_the_others_stopped(two, swcm_train, before, now, freq):
    _, (first, second), folder = two
    # Of one process with twice the batches an update, the checkpoint is that of two but for what it says of itself.
    start = folder if before == 2 else swcm_train("whole", "--max-update", str(UPDATES), "--update-freq", "2")[2]
    name = f"{before}-to-{now}"
    (folder.parent / name).mkdir()
    os.link(str(start / f"checkpoint_1_{SAVED}.pt"), str(folder.parent / name / "checkpoint_last.pt"))
    log, resumed, _ = swcm_train(name, "--max-update", str(UPDATES), "--update-freq", freq, processes=now)
    assert f"{now} process(es) go on where {before} stopped, {2 * SAVED} batches into epoch 1" in log
    for number in range(SAVED + 1, UPDATES + 1):
        expected = [float.fromhex(loss) for loss in first[number].losses + second[number].losses]
        found = [float.fromhex(loss) for part in resumed for loss in part[number].losses]
        assert found == pytest.approx(expected, rel=1e-5)
