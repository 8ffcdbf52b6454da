"""kill -9 at random moments: started again, every stage ends in the same bytes, and no finished file is lost.

A few kills each here; ``bash recipes/test_faults.sh`` makes some hundred.
"""

import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

from swcm_fairseq.errors import run_command
from tests.faults.kills import contents, kill_again_and_again, run_to_its_end, wanted
from tests.faults.train_kills import train_and_kill
from tests.support.forked import forked
from tests.support.generation import hypotheses
from tests.support.in_process import import_script
from tests.support.tiny_encoder import CORPUS, make_encoder_folder, train_sentencepiece
from tests.support.toy import toy_checkpoint, write_data_bin


class Stage:
    """A stage of the work that can be started in a process of its own, in a folder for its output."""

    def __init__(self, name: str, folder: Path, out: str, work) -> None:
        self.name, self.folder, self.out, self.work = name, folder, folder / out, work
        self.log = folder / (name + ".log")

    def start(self) -> int:
        return forked(self.work, self.log, session=True)

    def unfinished(self):
        """The files that are being written, whatever a stage calls them meanwhile."""
        found = [path for path in self.folder.rglob(".*") if path.name.endswith((".tmp", ".partial"))]
        return [file for path in found for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]

    def leftovers(self):
        return [path for path in self.folder.rglob(".*") if re.search(r"\.(tmp|lock|old|partial|journal)$", path.name)]


def script(name, *arguments):
    """The work of preprocess/NAME.py, as its command line would do it; imported here, so that the child need not."""
    module = import_script(name)

    def work():
        sys.argv = [name + ".py", *map(str, arguments)]
        return run_command(module.main)

    return work


def all_or_none_in(stage: Stage, whole, sign: str):
    """After each kill: where the file that says so is there, all are there, and whole."""

    def check():
        found = contents(stage.out)
        if sign in found:
            assert found == whole
        for name in found:
            assert found[name] == whole[name], name + " has its name and is not whole"

    return check


def killed_and_started_again(stage: Stage, sign: str, share: float = 1.0) -> None:
    seconds = run_to_its_end(stage.start)
    whole = contents(stage.out)
    assert sign in whole and not stage.leftovers()
    shutil.rmtree(str(stage.out))

    def check():
        all_or_none_in(stage, whole, sign)()
        if sign in contents(stage.out):
            # A kill may fall behind the last name and before the end of the locks, which bind nobody any more.
            assert all(path.name.endswith(".lock") for path in stage.leftovers())
            shutil.rmtree(str(stage.out))  # done: from the start again

    kill_again_and_again(stage.name, stage.start, seconds, wanted(share), stage.unfinished, check)
    run_to_its_end(stage.start)
    assert contents(stage.out) == whole
    assert not stage.leftovers(), "what killed runs left is gone"


def long_text(folder, lines: int):
    """Two files of ``lines`` different lines each."""
    chance = random.Random(0)
    words = {"zh": [c for line in CORPUS[:5] for c in line], "kk": " ".join(CORPUS[5:10]).split()}
    paths = {}
    for side, joint in (("zh", ""), ("kk", " ")):
        paths[side] = folder / ("raw." + side)
        text = [joint.join(chance.choices(words[side], k=12)) for _ in range(lines)]
        paths[side].write_text("\n".join(text) + "\n", encoding="utf-8")
    return paths


def test_clean(tmp_path):
    raw = long_text(tmp_path, 4000)
    arguments = ["--src", raw["zh"], "--tgt", raw["kk"], "--src-lang", "zh", "--tgt-lang", "kk", "--max-ratio", "99"]
    work = script("clean", *arguments, "--out", tmp_path / "clean" / "zh-kk")
    killed_and_started_again(Stage("clean", tmp_path, "clean", work), "zh-kk.counts.json")


def test_encode(tmp_path):
    raw = long_text(tmp_path, 8000)
    (tmp_path / "spm").write_bytes(train_sentencepiece())
    work = script("encode", "--spm", tmp_path / "spm", "--workers", 1, "--out", tmp_path / "pieces", *raw.values())
    killed_and_started_again(Stage("encode", tmp_path, "pieces", work), "sentencepiece.bpe.model")


def test_a_folder(tmp_path):
    """prune_encoder.py stands for all that write a folder: split.py, swcm-pack, the encoder recipes."""
    encoder = make_encoder_folder(tmp_path / "encoder", layers=8, width=96, ffn=384)
    raw = long_text(tmp_path, 500)
    arguments = ["--encoder", encoder, "--corpus", *raw.values(), "--workers", 1]
    work = script("prune_encoder", *arguments, "--out", tmp_path / "out" / "pruned")
    killed_and_started_again(Stage("prune", tmp_path, "out", work), os.path.join("pruned", "prune.json"))


def recipe(repo, *arguments, log, **settings):
    """A recipe in a session of its own, so that a kill takes all that it has started."""
    environment = dict(os.environ, SWCM_VENV=sys.prefix, SWCM_SKIP_SETUP="1", PYTHONPATH=str(repo), **settings)

    def start() -> int:
        with open(str(log), "a") as stream:
            command = ["bash", *map(str, arguments)]
            return subprocess.Popen(command, env=environment, stdout=stream, stderr=stream, start_new_session=True).pid

    return start


def test_binarize(repo, tmp_path):
    raw = long_text(tmp_path, 3000)
    pieces = tmp_path / "pieces"
    script("encode", "--spm", _spm(tmp_path), "--out", pieces, *raw.values())()
    for side in ("zh", "kk"):
        os.rename(str(pieces / ("raw." + side)), str(pieces / ("train.zh-kk." + side)))
        shutil.copy(str(pieces / ("train.zh-kk." + side)), str(pieces / ("test.zh-kk." + side)))
    encoder = make_encoder_folder(tmp_path / "encoder")
    assert script("build_dict", "--encoder", encoder, "--langs", "zh,kk", "--out", tmp_path / "dict.txt")() == 0
    out = tmp_path / "out" / "data-bin"
    start = recipe(
        repo,
        repo / "recipes/binarize.sh",
        pieces,
        tmp_path / "dict.txt",
        out,
        "zh-kk",
        log=tmp_path / "log",
        WORKERS="1",
    )
    stage = Stage("binarize", tmp_path, "out", None)
    stage.start = start
    seconds = run_to_its_end(start)

    def data():
        return {name: text for name, text in contents(out).items() if not name.endswith(".log")}

    whole = data()
    assert {"train.zh-kk.kk.bin", "dict.zh.txt", "sentencepiece.bpe.model"} <= set(whole)
    shutil.rmtree(str(out))

    def check():
        assert data() in ({}, whole)
        if data():
            shutil.rmtree(str(out))

    kill_again_and_again("binarize", start, seconds, wanted(0.5), stage.unfinished, check)
    run_to_its_end(start)
    assert data() == whole
    assert not [path for path in out.parent.rglob(".*") if path.is_dir()], "what killed runs left is gone"


def _spm(folder):
    (folder / "spm").write_bytes(train_sentencepiece())
    return folder / "spm"


def test_generate(repo, tmp_path):
    """recipes/evaluate.sh, which decodes with fairseq-generate and scores."""
    from fairseq.data import Dictionary

    model = tmp_path / "model"
    model.mkdir()
    checkpoint = toy_checkpoint(model, lang_pairs="zh-kk")
    dictionary = Dictionary.load(str(model / "dict.txt"))
    chance = random.Random(0)
    pieces = [symbol for symbol in dictionary.symbols[4:] if symbol[0] not in "<["]
    lines = [" ".join(chance.choices(pieces, k=6)) for _ in range(120)]
    data = write_data_bin(tmp_path / "data", dictionary, {"test.zh-kk." + side: lines for side in ("zh", "kk")})
    shutil.copy(str(model / "sentencepiece.bpe.model"), data)
    out = tmp_path / "out"
    start = recipe(
        repo,
        repo / "recipes/evaluate.sh",
        data,
        checkpoint,
        out,
        "zh-kk",
        log=tmp_path / "log",
        BEAM="2",
        MAX_LEN="12",
        MAX_TOKENS="60",
        CUDA_VISIBLE_DEVICES="",
    )
    seconds = run_to_its_end(start)

    def decoded():
        return hypotheses((out / "zh-kk.txt").read_text(encoding="utf-8"))

    whole, scores = decoded(), (out / "zh-kk.json").read_bytes()
    assert len(whole) == 120

    def check():
        if (out / "zh-kk.txt").exists():
            assert decoded() == whole
            (out / "zh-kk.txt").unlink()

    def unfinished():
        return list(out.glob("*.tmp"))

    kill_again_and_again("generate", start, seconds, wanted(0.4), unfinished, check)
    run_to_its_end(start)
    assert decoded() == whole and (out / "zh-kk.json").read_bytes() == scores
    assert not unfinished()


def test_train(tmp_path):
    """Each update, its losses, weights and masters, is that of the run that was not killed."""
    kills = wanted(1.5)
    log = train_and_kill(tmp_path, kills)
    assert re.search(r"going on from the newest whole checkpoint|Loaded checkpoint", log)
