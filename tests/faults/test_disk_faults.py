"""Full disks, places that take nothing, missing folders, two runs at once, and Ctrl-C: one line, and nothing lost."""

import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from tests.faults.kills import contents
from tests.support.tiny_encoder import make_encoder_folder, train_sentencepiece
from tests.support.toy import toy_dictionary, write_data_bin

TRAINING = """--task swcm_finetuning --lang-pairs zh-kk --arch xlm_swcm_tiny --criterion swcm_cross_entropy
    --optimizer adamw --lr 1e-3 --max-tokens 60 --cpu --num-workers 0 --seed 1 --no-epoch-checkpoints
    --disable-validation --log-format simple --log-interval 1 --max-update""".split()


@pytest.fixture(autouse=True)
def uncounted(monkeypatch):
    """Under recipes/coverage.sh every process writes a file more, which the limit would stop instead of the stage's."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


def limited(size: int):
    """For a child process: no file may grow beyond ``size`` bytes, as where the disk is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def complaint(done) -> str:
    """The last line on standard error, of a command that failed as it should."""
    assert done.returncode == 1, done.stderr[-2000:]
    assert "Traceback" not in done.stderr, done.stderr[-2000:]
    return done.stderr.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data bin")
    lines = ["a b c d", "e f g", "h i", "j k l m n"] * 5
    sides = {f"{split}.zh-kk.{side}": lines for split in ("train", "valid") for side in ("zh", "kk")}
    return write_data_bin(folder, toy_dictionary(), sides)


@pytest.fixture
def train(run, repo, data):
    def start(model, updates, *more, **options):
        plugin = ["--user-dir", repo / "swcm_fairseq", "--save-dir", model]
        return run(["fairseq-train", data, *plugin, *TRAINING, updates, *more], check=False, **options)

    return start


# ---------------------------------------------------------------------- full disks


def test_disk_full_while_a_checkpoint_is_written(train, tmp_path):
    """The run stops with one line, the last checkpoint is whole, and with more room the run goes on from it."""
    model = tmp_path / "model"
    assert train(model, 2).returncode == 0
    before = contents(model)
    size = len(before["checkpoint_last.pt"])
    message = complaint(train(model, 4, preexec_fn=limited(size // 2)))
    assert "checkpoint_last.pt could not be written: File too large" in message and "make room" in message
    assert contents(model)["checkpoint_last.pt"] == before["checkpoint_last.pt"]
    assert not [name for name in contents(model) if name.endswith(".tmp")]
    done = train(model, 4)
    assert done.returncode == 0 and "2 updates" in done.stdout + done.stderr


def binarize(run, repo, tmp_path, **options):
    pieces, lines = tmp_path / "pieces", "a b c d e f g\n" * 3000
    pieces.mkdir(exist_ok=True)
    for name in ("train.zh-kk.zh", "train.zh-kk.kk", "sentencepiece.bpe.model"):
        (pieces / name).write_text(lines)
    toy_dictionary().save(str(tmp_path / "dict.txt"))
    command = ["bash", repo / "recipes/binarize.sh", pieces, tmp_path / "dict.txt", tmp_path / "data-bin", "zh-kk"]
    return run(command, check=False, **options)


def test_disk_full_while_a_data_bin_is_written(run, repo, tmp_path):
    assert binarize(run, repo, tmp_path, env={"WORKERS": 1}).returncode == 0
    before = contents(tmp_path / "data-bin")
    full = binarize(run, repo, tmp_path, env={"WORKERS": 1, "FORCE": 1}, preexec_fn=limited(20000))
    assert full.returncode == 1 and "File too large" in full.stderr
    assert full.stderr.splitlines()[-1].startswith("error: fairseq-preprocess failed for zh-kk")
    assert contents(tmp_path / "data-bin") == before
    assert sorted(os.listdir(str(tmp_path))) == ["data-bin", "dict.txt", "pieces"]


@pytest.mark.parametrize("stage", ["prune", "clean", "encode"])
def test_disk_full_while_preparing(run, repo, tmp_path, stage):
    raw, out = tmp_path / "raw", tmp_path / "out"
    raw.write_text("".join(f"打开文件{chr(0x4E00 + i)}\n" for i in range(3000)), encoding="utf-8")
    (tmp_path / "spm").write_bytes(train_sentencepiece())
    command = {
        "prune": ["prune_encoder.py", "--encoder", make_encoder_folder(tmp_path / "encoder")],
        "clean": ["clean.py", "--text", raw, "--lang", "zh"],
        "encode": ["encode.py", "--spm", tmp_path / "spm", raw],
    }[stage]
    command = ["python", repo / "preprocess" / command[0], *command[1:]]
    target = out if stage == "prune" else out / "x" if stage == "clean" else out
    assert run([*command, "--out", target]).returncode == 0
    before = contents(out)
    full = run([*command, "--out", target, "--force"], check=False, preexec_fn=limited(10000))
    assert "make room" in complaint(full)
    assert contents(out) == before


# ---------------------------------------------------------------------- places that take nothing, folders not there


def test_a_place_that_takes_nothing(run, repo, train, tmp_path):
    """/proc takes no files, from nobody; a file is no folder."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "raw").write_text("打开文件\n", encoding="utf-8")
    clean = ["python", repo / "preprocess" / "clean.py", "--text", tmp_path / "raw", "--lang", "zh", "--out"]
    prune = ["python", repo / "preprocess" / "prune_encoder.py", "--encoder", make_encoder_folder(tmp_path / "e")]
    for place in ("/proc/swcm/out", tmp_path / "file" / "out"):
        assert str(place) in complaint(train(place, 1))
        assert os.path.dirname(str(place)) in complaint(run([*clean, place], check=False))
        assert str(place) in complaint(run([*prune, "--out", place], check=False))
    assert (tmp_path / "file").read_text() == "mine"


def test_what_is_not_there_is_named(run, repo, tmp_path):
    gone = tmp_path / "gone"
    for script, *arguments in [
        ("clean.py", "--text", gone, "--lang", "zh", "--out", tmp_path / "x"),
        ("encode.py", "--spm", gone, "--out", tmp_path / "x", gone),
        ("prune_encoder.py", "--encoder", gone, "--out", tmp_path / "x"),
        ("build_dict.py", "--encoder", gone, "--langs", "zh", "--out", tmp_path / "x"),
    ]:
        assert str(gone) in complaint(run(["python", repo / "preprocess" / script, *arguments], check=False))
    assert os.listdir(str(tmp_path)) == []


# ---------------------------------------------------------------------- two at once, and Ctrl-C


class Running:
    """A command under way, in a session of its own."""

    def __init__(self, command, repo, log, sign: str) -> None:
        self.log = log
        environment = dict(os.environ, PYTHONPATH=str(repo), SWCM_VENV=sys.prefix, SWCM_SKIP_SETUP="1")
        environment["PATH"] = os.path.dirname(sys.executable) + os.pathsep + environment["PATH"]
        with open(str(log), "w") as stream:
            command = [str(part) for part in command]
            self.process = subprocess.Popen(
                command,
                env=environment,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                # Where the tests run in the background, they ignore Ctrl-C, and so would all that they start.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        deadline = time.time() + 120
        while sign not in self.text() and self.process.poll() is None and time.time() < deadline:
            time.sleep(0.1)
        assert sign in self.text(), self.text()[-2000:]

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def end(self, number) -> int:
        os.killpg(self.process.pid, number)
        return self.process.wait(60)


@pytest.fixture
def long_training(repo, data, tmp_path):
    """A training that has done its first updates, has many before it, and saves none of them."""
    plugin = ["--user-dir", repo / "swcm_fairseq", "--save-dir", tmp_path / "model"]
    command = [sys.executable, os.path.join(os.path.dirname(sys.executable), "fairseq-train"), data, *plugin]
    running = Running(
        [*command, *TRAINING, "1000000", "--save-interval", "1000000"], repo, tmp_path / "log", "num_updates=3"
    )
    yield running
    if running.process.poll() is None:
        running.end(signal.SIGKILL)


def test_two_trainings_in_one_folder(long_training, train, tmp_path):
    before = contents(tmp_path / "model")
    message = complaint(train(tmp_path / "model", 2))
    assert f"is being written by process {long_training.process.pid} on " in message
    assert contents(tmp_path / "model") == before
    long_training.end(signal.SIGKILL)
    done = train(tmp_path / "model", 2)
    assert done.returncode == 0, "a killed training keeps nobody out"


def test_ctrl_c_ends_a_training_in_one_line(long_training):
    code = long_training.end(signal.SIGINT)
    assert code in (130, -signal.SIGINT)
    assert long_training.text().strip().splitlines()[-1] == "interrupted"
    assert "Traceback" not in long_training.text()


def test_ctrl_c_ends_a_recipe_in_one_line(repo, data, tmp_path):
    """recipes/train.sh: training, its log and its progress, all of which get the signal."""
    encoder = make_encoder_folder(tmp_path / "encoder")
    from swcm_fairseq.pretrained import read_encoder

    pieces = read_encoder(encoder).pieces
    lines = [" ".join(pieces[i : i + 4]) for i in range(40)]
    sides = {f"{split}.zh-kk.{side}": lines for split in ("train", "valid") for side in ("zh", "kk")}
    folder = write_data_bin(tmp_path / "data", toy_dictionary(pieces), sides)
    command = ["bash", repo / "recipes/train.sh", folder, encoder, tmp_path / "model", "zh-kk"]
    running = Running(["env", "UPDATES=100000", "LOG_EVERY=1", *command], repo, tmp_path / "log", "update   0%     3")
    code = running.end(signal.SIGINT)
    assert code in (1, 130, -signal.SIGINT)
    assert "Traceback" not in running.text() + (tmp_path / "model" / "train.log").read_text()
