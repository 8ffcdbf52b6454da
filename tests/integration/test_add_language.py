"""recipes/add_language.sh on text and an encoder made here, and training on from a grown checkpoint."""

import json
import os
import shutil

import pytest
from fairseq.data import Dictionary

from swcm_fairseq.decoding import packed
from swcm_fairseq.vocabulary.pieces import Pieces
from tests.support.in_process import run_script
from tests.support.tiny_encoder import make_encoder_folder
from tests.support.toy import toy_checkpoint, write_data_bin, write_pairs

NOUNS = {"文件": "ཡིག་སྣོད་", "书": "དཔེ་དེབ་", "学校": "སློབ་གྲྭ་", "羊": "ལུག་", "天气": "གནམ་གཤིས་", "朋友": "ཆ་རོགས་"}
VERBS = {"打开": "ཁ་ཕྱེ།", "保存": "སྲུངས།", "学习": "སྦྱང་།", "看": "བལྟ།", "去": "འགྱོ།", "来": "འོང་།"}
PAIRS = [
    (verb + noun + "和" + other, f"{NOUNS[noun]}དང་{NOUNS[other]}{VERBS[verb]}")
    for verb in VERBS
    for noun in NOUNS
    for other in NOUNS
    if noun < other
]


@pytest.fixture(scope="module")
def made(tmp_path_factory, run, repo):
    """The recipe's environment and its folder, after one run."""
    folder = tmp_path_factory.mktemp("add language")
    text = folder / "raw"
    text.mkdir()
    write_pairs(text, "zh-dz", PAIRS)
    environment = {
        "TEXT": text,
        "ENCODER": make_encoder_folder(folder / "encoder", layers=4),
        "OUT": folder / "out",
        "KEEP_LAYERS": "0,2",
        "UPDATES": 3,
        "VALID_PAIRS": 4,
        "TEST_PAIRS": 4,
        "PIECES": 40,
        "MAX_LEN": 12,
        "PRECISION": "fp32",
        "WORKERS": 1,
    }
    done = run(["bash", repo / "recipes" / "add_language.sh"], env=environment)
    return environment, folder / "out", done


def test_the_recipe_goes_from_text_to_scores(made):
    _, out, done = made
    scores = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    assert set(scores["systems"]) == {"with", "without", "shuffled", "copy", "old letters"}
    assert all(0 <= system["dz"]["chrfpp"] <= 100 for system in scores["systems"].values())
    assert scores["systems"]["old letters"]["dz"]["chrf"] == 0  # the text has no other letter than new ones
    test = next(counts for path, counts in scores["vocabulary"]["files"].items() if path.endswith("test.zh-dz.dz"))
    assert test["before"]["unknown_characters"] == 1 and test["after"]["unknown_characters"] == 0
    # Without the grown vocabulary all of Dzongkha is unknown in training too; with it nothing is.
    for name, unknown in (("with", False), ("without", True)):
        log = (out / name / "data-bin" / "preprocess.zh-dz.log").read_text(encoding="utf-8")
        line = next(line for line in log.splitlines() if "train.zh-dz.dz" in line and "replaced" in line)
        assert (" 0.0% replaced" in line) != unknown
    found = packed.read(str(out / "packed"))
    assert found.targets == ["dz"] and found.untrained == [] and found.model.cfg.encoder_layers == 2
    assert "unknown characters 100.00% -> 0.00%" in done.stdout


def test_a_second_run_makes_nothing_anew(made, run, repo):
    environment, out, _ = made
    # Scoring takes no time and is done again.
    files = [path for path in out.rglob("*") if path.is_file() and path.name not in ("scores.json", "zh-dz.json")]
    before = {path: path.stat().st_mtime_ns for path in files}
    again = run(["bash", repo / "recipes" / "add_language.sh"], env=dict(environment, COMPARE=0))
    assert {path: path.stat().st_mtime_ns for path in files} == before
    assert again.stdout.count("there already") >= 8


@pytest.mark.parametrize("options, words", [({"DATA": "nowhere"}, "libreoffice or udhr"), ({}, "takes no arguments")])
def test_wrong_usage(run, repo, options, words):
    command = ["bash", repo / "recipes" / "add_language.sh"] + ([] if options else ["dz"])
    done = run(command, check=False, env=options)
    assert done.returncode == 2 and words in done.stderr


def test_training_goes_on_from_a_grown_checkpoint(made, run, repo, tmp_path, capsys):
    """Encoder and checkpoint grow apart, and still fit each other and one dictionary."""
    _, out, _ = made
    os.makedirs(str(tmp_path / "trained"))
    checkpoint = toy_checkpoint(tmp_path / "trained", lang_pairs="zh-kk,zh-mn")
    encoder = make_encoder_folder(tmp_path / "encoder", layers=4, width=16, ffn=24, heads=4, positions=42)
    text = [str(out / "split" / "train.zh-dz.dz"), str(out / "split" / "train.zh-dz.zh")]
    options = ["--lang", "dz", "--text", text[0], "--parallel", *text]
    for kind, subject, name in (("--encoder", encoder, "encoder-grown"), ("--checkpoint", checkpoint, "start")):
        run_script("extend_vocab", [kind, subject, *options, "--out", tmp_path / name], capsys)
    grown, start = tmp_path / "encoder-grown", tmp_path / "start"
    dictionary = ["--encoder", grown, "--langs", "zh,kk,mn,dz", "--out", tmp_path / "dict.txt"]
    run_script("build_dict", dictionary, capsys)
    assert (tmp_path / "dict.txt").read_bytes() == (start / "dict.txt").read_bytes()
    spm = grown / "sentencepiece.bpe.model"
    assert spm.read_bytes() == (start / "sentencepiece.bpe.model").read_bytes()

    pieces, sides = Pieces.load(str(spm)), {}
    for path in (out / "split").glob("*.zh-dz.*"):
        lines = path.read_text(encoding="utf-8").splitlines()
        sides[path.name] = [" ".join(cut) for cut in pieces.cut(lines)]
    data = write_data_bin(tmp_path / "data-bin", Dictionary.load(str(start / "dict.txt")), sides)
    shutil.copy(str(spm), data)
    run(
        ["bash", repo / "recipes" / "train.sh", data, grown, tmp_path / "model", "zh-dz"]
        + ["--insert-normal-every", "2", "--finetune-from-model", start / "checkpoint_best.pt"],
        env={"UPDATES": 2, "PRECISION": "fp32"},
    )
    assert (tmp_path / "model" / "done").exists() and (tmp_path / "model" / "checkpoint_best.pt").exists()
