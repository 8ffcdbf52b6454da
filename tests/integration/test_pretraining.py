"""Pretraining with the commands, and its hand-over to fine-tuning."""

import random
import re

import pytest

from swcm_fairseq.data.data_bin import load_documents
from swcm_fairseq.pretrained import read_encoder
from swcm_fairseq.torch_files import safe_load
from tests.support.tiny_encoder import make_encoder_folder
from tests.support.toy import toy_dictionary, write_data_bin


def lines(pieces, count, sentences, seed):
    """Documents of pieces; ``</s>`` stands literally between sentences."""
    draw = random.Random(seed)
    return [
        " </s> ".join(" ".join(draw.choices(pieces, k=draw.randint(2, 7))) for _ in range(draw.randint(1, sentences)))
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = make_encoder_folder(tmp_path_factory.mktemp("an encoder"), layers=2, width=16, heads=2, ffn=24)
    return folder, [piece for piece in read_encoder(folder).pieces if piece.split() == [piece]]


def dictionary_of(encoder, languages):
    return toy_dictionary(read_encoder(encoder[0]).pieces, languages)


def data_bin(folder, encoder, languages, pairs):
    sides = {}
    for source, target in pairs:
        for split, count in (("train", 40), ("valid", 5)):
            for seed, code in enumerate((source, target)):
                sides[f"{split}.{source}-{target}.{code}"] = lines(encoder[1], count, 1, seed)
    return write_data_bin(folder, dictionary_of(encoder, languages), sides)


@pytest.fixture(scope="module")
def data(tmp_path_factory, encoder, run):
    """zh-kk, and text of zh and kk that fairseq-preprocess itself has binarized."""
    folder = tmp_path_factory.mktemp("data bin")
    work = tmp_path_factory.mktemp("pieces")
    data_bin(folder, encoder, ("zh", "kk"), [("zh", "kk")])
    dictionary_of(encoder, ("zh", "kk")).save(str(work / "dict.txt"))
    for code in ("zh", "kk"):
        (work / f"train.{code}").write_text("\n".join(lines(encoder[1], 60, 4, code)) + "\n", "utf-8")
        command = ["fairseq-preprocess", "--only-source", "--source-lang", code, "--trainpref", work / "train"]
        run(command + ["--srcdict", work / "dict.txt", "--destdir", work / code])
        for path in (work / code).glob("*.kk.*" if code == "kk" else "*.zh.*"):
            path.replace(folder / path.name)
    return folder


def test_fairseq_preprocess_reads_the_sentence_ends(data, encoder):
    dictionary = dictionary_of(encoder, ("zh", "kk"))
    documents = load_documents(str(data), "train", "kk", dictionary, None)
    for line, document in zip(lines(encoder[1], 60, 4, "kk"), documents):
        assert document.tolist() == [dictionary.index(piece) for piece in (line + " </s>").split()]
    assert sum(line.count("</s>") for line in lines(encoder[1], 60, 4, "kk")) > 20


def train(run, data, save, *flags, **options):
    command = ["fairseq-train", data, "--user-dir", "swcm_fairseq", "--save-dir", save, "--cpu", "--optimizer", "adam"]
    command += ["--arch", "xlm_swcm", "--criterion", "label_smoothed_cross_entropy", "--label-smoothing", "0.1"]
    command += ["--lr", "0.001", "--max-tokens", "200", "--max-update", "4", "--log-format", "simple"]
    command += ["--log-interval", "1", "--num-workers", "0"]
    # By default fairseq leaves out the last batch where it is no multiple of 8, which may be all there is.
    command += ["--required-batch-size-multiple", "1"]
    return run(command + list(flags), **options)


PRETRAINING = ["--task", "swcm_pretraining", "--dae-langs", "zh,kk", "--mt-pairs", "zh-kk", "--mt-share", "0.3"]


def pretrain(run, data, save, encoder, *flags, **options):
    settings = PRETRAINING + ["--pretrained-encoder", encoder[0], "--scheduled-sampling", "linear"]
    settings += ["--sampling-half-life", "2", "--max-source-positions", "12", "--max-target-positions", "12"]
    return train(run, data, save, *settings, *flags, **options)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory, encoder, data, run, repo):
    save = tmp_path_factory.mktemp("pretrained")
    done = pretrain(run, data, save, encoder, cwd=repo)
    return save, done.stdout + done.stderr


def test_pretraining_says_what_it_takes_and_trains(pretrained):
    save, log = pretrained
    assert (save / "checkpoint_last.pt").exists() and (save / "dict.txt").exists()
    # 60 documents each; the shares are 0.7 by half and 0.3 by two directions where both languages have as many runs.
    assert len(re.findall(r"train dae\.(?:zh|kk): \d+ examples of 60 documents", log)) == 2
    assert len(re.findall(r"train mt\.(?:zh-kk|kk-zh): 40 of 40 pairs", log)) == 2
    assert len(re.findall(r"mt\.(?:zh-kk|kk-zh): 15\.0% of \d+ examples an epoch", log)) == 2
    # Teacher forcing falls from 1 by a quarter an update.
    assert re.findall(r"\bforcing=([\d.]+)", log)[:4] == ["1", "0.75", "0.5", "0.25"]


def test_another_number_of_workers_trains_the_same_weights(tmp_path, encoder, data, pretrained, run, repo):
    pretrain(run, data, tmp_path, encoder, "--num-workers", "2", cwd=repo)
    one, other = (safe_load(str(folder / "checkpoint_last.pt"))["model"] for folder in (pretrained[0], tmp_path))
    assert all(one[name].equal(other[name]) for name in one)


def finetune(run, data, save, encoder, pretrained, pairs, *flags, **options):
    task = ["--task", "swcm_finetuning", "--lang-pairs", pairs, "--pretrained-encoder", encoder[0]]
    start = ["--finetune-from-model", pretrained / "checkpoint_last.pt"]
    return train(run, data, save, *task, *start, *flags, **options)


def test_a_pretrained_model_is_given_a_further_language(tmp_path, encoder, pretrained, run, repo):
    data = data_bin(tmp_path / "data", encoder, ("zh", "kk", "mn"), [("zh", "mn")])
    frozen = ["--lr", "0"]  # what is saved is what was loaded
    done = finetune(run, data, tmp_path / "save", encoder, pretrained[0], "zh-mn", *frozen, cwd=repo)
    assert "new in the dictionary, with rows of their own: [mn]" in done.stdout + done.stderr
    before = safe_load(str(pretrained[0] / "checkpoint_last.pt"))["model"]
    after = safe_load(str(tmp_path / "save" / "checkpoint_last.pt"))["model"]
    name = "encoder.embeddings.tokens.weight"
    rows = before[name].size(0)
    assert after[name].size(0) == rows + 1
    assert after[name].equal(after["decoder.embeddings.tokens.weight"])
    for other, tensor in before.items():
        assert after[other][: tensor.size(0)].equal(tensor), other
    # Drawn as the pieces are spread, channel by channel, and the row of no other symbol.
    pieces, new = before[name][4:].float(), after[name][rows].float()
    assert ((new - pieces.mean(0)) / pieces.std(0)).abs().max() < 5
    assert (pieces - new).norm(dim=1).min() > 0.1 * pieces.norm(dim=1).mean()


def test_other_dictionaries_are_refused_with_the_difference(tmp_path, encoder, pretrained, run, repo):
    data = data_bin(tmp_path / "data", encoder, ("kk", "zh"), [("zh", "kk")])
    done = finetune(run, data, tmp_path / "save", encoder, pretrained[0], "zh-kk", cwd=repo, check=False)
    assert done.returncode == 1
    message = done.stderr[done.stderr.index("error:") :]
    assert "Traceback" not in done.stderr
    assert "the order differs from id" in message and "'[kk]'" in message and "'[zh]'" in message
    assert not (tmp_path / "save" / "checkpoint_last.pt").exists()


def test_a_missing_language_and_another_shape_are_both_named(tmp_path, encoder, pretrained, run, repo):
    data = data_bin(tmp_path / "data", encoder, ("zh", "mn"), [("zh", "mn")])
    untied = ["--untie-output-projection"]
    done = finetune(run, data, tmp_path / "save", encoder, pretrained[0], "zh-mn", *untied, cwd=repo, check=False)
    assert done.returncode == 1
    assert "missing from the data's dictionary: '[kk]'" in done.stderr
    assert "decoder.output_projection.bias is not in the checkpoint" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cut_checkpoint_is_refused(tmp_path, encoder, data, pretrained, run, repo):
    whole = (pretrained[0] / "checkpoint_last.pt").read_bytes()
    (tmp_path / "checkpoint_last.pt").write_bytes(whole[: len(whole) // 2])
    done = finetune(run, data, tmp_path / "save", encoder, tmp_path, "zh-kk", cwd=repo, check=False)
    assert done.returncode == 1
    assert "is no checkpoint of fairseq, or was cut short" in done.stderr and "Traceback" not in done.stderr


def test_wrong_flags_of_noise_and_schedule_are_errors(tmp_path, encoder, data, run, repo):
    flags = PRETRAINING + ["--pretrained-encoder", encoder[0], "--mask-ratio", "2"]
    done = train(run, data, tmp_path / "save", *flags, cwd=repo, check=False)
    assert done.returncode == 1 and "--mask-ratio is 2.0" in done.stderr and "Traceback" not in done.stderr
