"""What a user can mend is one error that lists all that is wrong, ends with code 1, and leaves no file behind."""

import json
import os
import shutil

import pytest

from swcm_fairseq.pretrained import read_encoder
from tests.support.tiny_encoder import make_encoder_folder, train_sentencepiece
from tests.support.toy import toy_checkpoint, toy_dictionary, write_data_bin
from tests.support.trainings import run_trainings

LINES = ["▁ 学 校", "▁ 打 开", "▁ 山"]


class Workplace:
    """A folder with all that a training needs, for one case to spoil."""

    def __init__(self, folder):
        self.folder = folder
        self.encoder = make_encoder_folder(folder / "encoder")
        self.pieces = read_encoder(self.encoder).pieces
        self.data = str(folder / "data-bin")
        self.binarize(toy_dictionary(self.pieces))
        shutil.copy(os.path.join(self.encoder, "sentencepiece.bpe.model"), self.data)
        self.flags = {
            "--task": "swcm_finetuning",
            "--lang-pairs": "zh-kk",
            "--arch": "xlm_swcm",
            "--pretrained-encoder": self.encoder,
            "--criterion": "swcm_cross_entropy",
            "--optimizer": "adamw",
            "--lr": "1e-3",
            "--max-tokens": "100",
            "--max-update": "1",
            "--save-dir": str(folder / "model"),
        }

    def binarize(self, dictionary, **lines):
        shutil.rmtree(self.data, ignore_errors=True)
        sides = {
            f"{split}.zh-kk.{side}": lines.get(side, LINES) for split in ("train", "valid") for side in ("zh", "kk")
        }
        write_data_bin(self.data, dictionary, sides)

    def in_encoder(self, name):
        return os.path.join(self.encoder, name)

    def command(self, repo):
        flags = [part for flag, value in self.flags.items() if value is not None for part in (flag, value)]
        return [self.data, "--user-dir", str(repo / "swcm_fairseq"), *flags, "--cpu", "--no-progress-bar"]


# Each case spoils a workplace and gives the words that the one error must have.


def nothing(place):
    return None


def no_weights(place):
    os.remove(place.in_encoder("model.safetensors"))
    return ["holds no weights", "model.safetensors", "pytorch_model.bin"]


def cut_weights(place):
    with open(place.in_encoder("model.safetensors"), "rb+") as stream:
        stream.truncate(5000)
    return ["model.safetensors", "cut short"]


def another_architecture(place):
    with open(place.in_encoder("config.json")) as stream:
        config = json.load(stream)
    config["model_type"] = "distilbert"
    with open(place.in_encoder("config.json"), "w") as stream:
        json.dump(config, stream)
    return ["config.json", "'distilbert'", "xlm-roberta"]


def sizes_against_the_preset(place):
    place.flags["--arch"] = "xlm_swcm_base"
    return [
        "--arch xlm_swcm_base",
        "encoder_layers: the encoder has 4, the architecture or a flag says 12",
        "encoder_embed_dim: the encoder has 24, the architecture or a flag says 768",
        "encoder_ffn_embed_dim: the encoder has 40, the architecture or a flag says 3072",
        "encoder_attention_heads: the encoder has 4, the architecture or a flag says 12",
    ]


def dictionary_rows(place):
    place.binarize(toy_dictionary(place.pieces[:-2] + ["elsewhere"]))
    return [
        "build_dict.py",
        "missing from the dictionary: {!r} {!r}".format(*place.pieces[-2:]),
        "not in the encoder: 'elsewhere'",
        "rows",
    ]


def sentencepiece_beside_the_data(place):
    with open(os.path.join(place.data, "sentencepiece.bpe.model"), "wb") as stream:
        stream.write(train_sentencepiece(vocab=150))
    return [os.path.join(place.data, "sentencepiece.bpe.model"), "does not match the dictionary"]


def sentencepiece_in_the_encoder(place):
    with open(place.in_encoder("sentencepiece.bpe.model"), "wb") as stream:
        stream.write(train_sentencepiece(vocab=150))
    return ["sentencepiece.bpe.model", "another encoder's"]


def different_length(place):
    place.binarize(toy_dictionary(place.pieces), kk=LINES[:2])
    return ["train.zh-kk.zh has 3 lines", "train.zh-kk.kk has 2", "valid.zh-kk.zh has 3 lines", "valid.zh-kk.kk has 2"]


def no_tag_in_the_dictionary(place):
    place.binarize(toy_dictionary(place.pieces, languages=["zh", "mn"]))
    return ["no tag [kk]", "it has: [zh] [mn]", "--langs"]


def languages_without_tags(place):
    place.flags["--lang-pairs"] = "zh-source,zh-title"
    return ["zh-source: unknown language 'source'", "zh-title: unknown language 'title'", "--target-tag"]


def restore_file(place):
    place.flags["--restore-file"] = str(place.folder / "gone.pt")
    return ["--restore-file", "gone.pt: no such file"]


def data_folder(place):
    place.data = str(place.folder / "gone")
    return ["no such data folder", "gone"]


def data_of_a_pair(place):
    place.flags["--lang-pairs"] = "zh-kk,zh-mn,kk-mn"
    return ["has no train.zh-mn", "has no train.kk-mn", "has no valid.zh-mn", "has no valid.kk-mn"]


def no_sizes(place):
    place.flags["--pretrained-encoder"] = None
    return ["the model has no sizes", "--pretrained-encoder", "xlm_swcm_tiny", "--encoder-embed-dim"]


def encoder_that_is_not_there(place):
    place.flags["--pretrained-encoder"] = str(place.folder / "gone")
    return ["gone does not exist"]


CASES = [
    no_weights,
    cut_weights,
    another_architecture,
    sizes_against_the_preset,
    dictionary_rows,
    sentencepiece_beside_the_data,
    sentencepiece_in_the_encoder,
    different_length,
    no_tag_in_the_dictionary,
    languages_without_tags,
    restore_file,
    data_folder,
    data_of_a_pair,
    no_sizes,
    encoder_that_is_not_there,
]


@pytest.fixture(scope="module")
def ended(repo, tmp_path_factory):
    """How the training of every case ended: its exit code, log, words to expect, and the files it left."""
    jobs, words, places = [], [], []
    for case in [nothing] + CASES:
        folder = tmp_path_factory.mktemp(case.__name__)
        place = Workplace(folder)
        words.append(case(place))
        places.append(place)
        jobs.append({"args": place.command(repo), "probe": str(folder / "probe"), "log": str(folder / "log")})
    codes = run_trainings(tmp_path_factory.mktemp("jobs"), jobs)
    return {
        case: (code, open(job["log"], encoding="utf-8").read(), expected, files_in(place.flags["--save-dir"]))
        for case, code, job, expected, place in zip([nothing] + CASES, codes, jobs, words, places)
    }


def files_in(folder):
    # A fork ends without taking its lock away, which a command does.
    return [name for _, _, names in os.walk(folder) for name in names if name != ".training.lock"]


def test_the_unspoilt_training_works(ended):
    code, log, _, files = ended[nothing]
    assert code == 0, log[-2000:]
    assert "checkpoint_last.pt" in files


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_one_error_says_all(ended, case):
    code, log, words, files = ended[case]
    assert code == 1
    assert "Traceback" not in log
    start, error, message = log.rpartition("\nerror: ")
    assert error and "\nerror: " not in start, log[-2000:]
    for word in words:
        assert word in message
    assert files == []


def test_commands_end_with_code_one_and_an_error_alone(run, repo, tmp_path):
    """The same through the commands themselves, which print errors where a fork of theirs would."""
    checkpoint = toy_checkpoint(tmp_path, lang_pairs="zh-kk")
    decode = ["fairseq-generate", tmp_path, "--user-dir", repo / "swcm_fairseq", "--task", "swcm_finetuning", "--cpu"]
    (tmp_path / "cut.pt").write_bytes(open(checkpoint, "rb").read()[:1000])
    for command, words in [
        (decode + ["--path", checkpoint, "-s", "zh", "-t", "ug"], "no tag [ug]; it has: [zh] [kk] [mn]"),
        (["swcm-pack", tmp_path / "cut.pt", tmp_path / "packed"], "cut.pt cannot be read"),
        (["swcm-average", "--inputs", tmp_path / "cut.pt", "--output", tmp_path / "mean.pt"], "cut.pt cannot be read"),
    ]:
        before = files_in(tmp_path)
        done = run(command, check=False)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert words in done.stderr.splitlines()[-1]
        assert files_in(tmp_path) == before


@pytest.mark.parametrize("command", [["swcm-pack"], ["swcm-average", "--inputs", "x"]], ids=lambda parts: parts[0])
def test_wrong_usage_ends_with_code_two(run, command):
    done = run(command, check=False)
    assert done.returncode == 2 and "usage: " + command[0] in done.stderr
