"""The commands, from text and an encoder to text: train, go on, validate, decode in every way, average, pack."""

import importlib.util
import os
import random
import re
import shutil
from types import SimpleNamespace

import pytest
import sentencepiece
import torch

import swcm_fairseq
from swcm_fairseq.pretrained import read_encoder
from swcm_fairseq.torch_files import safe_load
from tests.support.generation import hypotheses, printed
from tests.support.tiny_encoder import make_encoder_folder
from tests.support.toy import toy_dictionary

TENSORBOARD = [name for name in ("tensorboard", "tensorboardX") if importlib.util.find_spec(name)]
# Chinese raw text to type in; the last line is what a real user hits sooner or later.
TYPED = ["打开文件", "今天天气很好", "孩子们在学校里学习数学和历史。", "请打开文件，然后保存到新的文件夹。"]
TRAINING = """--task swcm_finetuning --arch xlm_swcm --criterion swcm_cross_entropy --label-smoothing 0.1
    --optimizer adamw --lr 1e-3 --max-tokens 300 --cpu --bf16 --seed 1 --no-progress-bar --log-interval 1
    --save-interval-updates 2""".split()


def write_pieces(folder, encoder):
    """Lines of random words, split into pieces: into Kazakh they are copied, into Mongolian turned round."""
    cut = sentencepiece.SentencePieceProcessor(model_file=encoder.sentencepiece_model)
    words = [piece.replace("▁", "") for piece in encoder.pieces if piece.replace("▁", "")]
    chance = random.Random(0)
    for split, count in (("train", 60), ("valid", 12), ("test", 12)):
        for target in ("kk", "mn"):
            lines = [chance.sample(words, chance.randint(2, 6)) for _ in range(count)]
            sides = {"zh": lines, target: lines if target == "kk" else [line[::-1] for line in lines]}
            for side, texts in sides.items():
                with open(str(folder / f"{split}.zh-{target}.{side}"), "w", encoding="utf-8") as stream:
                    stream.writelines(" ".join(cut.encode(" ".join(text), out_type=str)) + "\n" for text in texts)


def binarize(run, folder, encoder):
    toy_dictionary(encoder.pieces).save(str(folder / "dict.txt"))
    write_pieces(folder, encoder)
    for target in ("kk", "mn"):
        run(
            ["fairseq-preprocess", "--source-lang", "zh", "--target-lang", target, "--joined-dictionary"]
            + ["--srcdict", folder / "dict.txt", "--destdir", folder / "data-bin"]
            + [x for s in ("train", "valid", "test") for x in (f"--{s}pref", folder / f"{s}.zh-{target}")]
        )
    shutil.copy(encoder.sentencepiece_model, str(folder / "data-bin" / "sentencepiece.bpe.model"))
    return folder / "data-bin"


@pytest.fixture(scope="module")
def trained(run, repo, tmp_path_factory):
    """A model trained for four updates, restored and trained for two more; its encoder has been deleted since."""
    folder = tmp_path_factory.mktemp("a folder")  # with a space, as users have them
    encoder = read_encoder(make_encoder_folder(folder / "encoder", layers=3, width=32, heads=4, ffn=48))
    data, model = binarize(run, folder, encoder), folder / "model"
    plugin = ["--user-dir", repo / "swcm_fairseq"]
    train = ["fairseq-train", data, *plugin, *TRAINING, "--lang-pairs", "zh-kk,zh-mn", "--sampling-alpha", "0.3"]
    train += ["--pretrained-encoder", encoder.path, "--save-dir", model, "--update-freq", "2"]
    if TENSORBOARD:
        train += ["--tensorboard-logdir", folder / "board"]
    first = run(train + ["--max-update", "4"])
    second = run(train + ["--max-update", "6"])
    shutil.rmtree(encoder.path)

    def decode(command, *flags, pair="zh-kk", checkpoint=model / "checkpoint_last.pt", **options):
        source, target = pair.split("-")
        task = ["--task", "swcm_finetuning", "--source-lang", source, "--target-lang", target]
        return run([command, data, *plugin, *task, "--path", checkpoint, "--cpu", "--seed", "1", *flags], **options)

    return SimpleNamespace(
        folder=folder,
        data=data,
        model=model,
        encoder=encoder.path,
        plugin=plugin,
        decode=decode,
        first=first.stdout + first.stderr,
        second=second.stdout + second.stderr,
    )


@pytest.fixture(scope="module")
def by_beam(trained):
    """The test set decoded by beam search, two hypotheses a sentence."""
    return trained.decode("fairseq-generate", "--beam", "4", "--nbest", "2").stdout


@pytest.fixture(scope="module")
def packed(run, trained):
    run(["swcm-pack", trained.model / "checkpoint_last.pt", trained.folder / "packed"])
    return trained.folder / "packed"


# ---------------------------------------------------------------------- training


def test_training_leaves_checkpoints_and_all_that_decoding_needs(trained):
    names = set(os.listdir(str(trained.model)))
    assert {
        "checkpoint_last.pt",
        "checkpoint_best.pt",
        "dict.txt",
        "sentencepiece.bpe.model",
        "init_report.tsv",
    } <= names
    assert not [name for name in names if "tmp" in name]
    updates = re.findall(r"num_updates.: .?(\d+)|num_updates (\d+)", trained.first)
    assert "4" in {number for pair in updates for number in pair}


def test_the_start_is_reported_short_in_the_log_and_whole_in_the_file(trained):
    state = safe_load(str(trained.model / "checkpoint_last.pt"))["model"]
    rows = (trained.model / "init_report.tsv").read_text(encoding="utf-8").splitlines()[1:]
    assert sorted(row.split("\t")[0] for row in rows) == sorted(state)
    for line in ("start: encoder:", "start: decoder:", "tensors copied", "tensors random", "tensors tied"):
        assert line in trained.first


def test_losses_are_logged_for_each_pair(trained):
    for pair in ("zh-kk", "zh-mn"):
        assert re.search(rf"mt[._]{pair}", trained.first), trained.first[-3000:]


def test_a_checkpoint_loads_safely_and_names_no_encoder(trained):
    state = safe_load(str(trained.model / "checkpoint_last.pt"))
    assert state["cfg"]["model"]["encoder_embed_dim"] == 32
    assert trained.encoder not in str(state["cfg"])


def test_training_goes_on_where_it_stopped(trained):
    assert "Loaded checkpoint" in trained.second and "4 updates" in trained.second
    history = safe_load(str(trained.model / "checkpoint_last.pt"))["optimizer_history"]
    assert history[-1]["num_updates"] == 6


@pytest.mark.skipif(not TENSORBOARD, reason="no tensorboard is installed")
def test_tensorboard_has_its_logs(trained):
    written = [name for _, _, names in os.walk(str(trained.folder / "board")) for name in names]
    assert any("tfevents" in name for name in written)


def test_one_pair_trains_in_float32_under_the_flags_for_one(run, trained):
    target = trained.folder / "one"
    sizes = "--encoder-layers 2 --encoder-embed-dim 16 --encoder-ffn-embed-dim 16 --encoder-attention-heads 2".split()
    flags = [flag for flag in TRAINING if flag != "--bf16"]
    run(
        ["fairseq-train", trained.data, *trained.plugin, *flags, *sizes, "--source-lang", "zh", "--target-lang", "mn"]
        + ["--save-dir", target, "--max-update", "2", "--no-save-optimizer-state"]
    )
    state = safe_load(str(target / "checkpoint_last.pt"))
    assert {tensor.dtype for tensor in state["model"].values()} == {torch.float32}


def test_validate_gives_the_loss_of_each_pair(run, trained):
    done = run(
        ["fairseq-validate", trained.data, *trained.plugin, "--task", "swcm_finetuning", "--cpu", "--max-tokens", "300"]
        + ["--lang-pairs", "zh-kk,zh-mn", "--path", trained.model / "checkpoint_best.pt", "--valid-subset", "test"]
    )
    for name in ("loss", "mt.zh-kk_nll", "mt.zh-mn_nll"):
        found = re.search(rf"\b{re.escape(name)} ([0-9.]+)", done.stdout)
        assert found and 0 < float(found.group(1)) < 100, done.stdout[-1500:]


# ---------------------------------------------------------------------- fairseq-generate


def test_beam_search_gives_as_many_hypotheses_as_asked_for_best_first(by_beam):
    found = hypotheses(by_beam)
    assert len(found) == 12
    for row in found:
        assert len(row) == 2 and row[0].score >= row[1].score and row[0].pieces != row[1].pieces
        assert row[0].text == sentencepiece_text(row[0].pieces)
        mean = sum(row[0].positional) / len(row[0].positional)
        assert abs(row[0].score - mean) < 1e-3


def sentencepiece_text(pieces):
    return pieces.replace(" ", "").replace("▁", " ").strip()


def test_sources_and_references_are_printed_as_text(trained, by_beam):
    cut = sentencepiece.SentencePieceProcessor(model_file=str(trained.data / "sentencepiece.bpe.model"))
    lines = (trained.folder / "test.zh-kk.kk").read_text(encoding="utf-8").splitlines()
    texts = [cut.decode(line.split()) for line in lines]
    references = printed(by_beam, "T")
    assert [references[i][0] for i in range(12)] == texts


def test_the_target_decides_what_comes_out(trained):
    """The same sources into two languages: the same files under two pairs' names."""
    for side in ("zh", "kk"):
        for suffix in (".bin", ".idx"):
            name = "twin.zh-{}.{}"
            shutil.copy(
                str(trained.data / ("test.zh-kk." + side + suffix)),
                str(trained.data / (name.format("kk", side) + suffix)),
            )
            shutil.copy(
                str(trained.data / ("test.zh-kk." + side + suffix)),
                str(trained.data / (name.format("mn", "zh" if side == "zh" else "mn") + suffix)),
            )
    kazakh, mongolian = (
        hypotheses(trained.decode("fairseq-generate", "--gen-subset", "twin", "--beam", "1", pair=pair).stdout)
        for pair in ("zh-kk", "zh-mn")
    )
    assert [row[0].positional for row in kazakh] != [row[0].positional for row in mongolian]


def test_samples_differ_between_seeds(trained):
    flags = ["--sampling", "--sampling-topk", "10", "--beam", "2", "--nbest", "2"]
    outputs = [trained.decode("fairseq-generate", *flags, "--seed", seed).stdout for seed in ("1", "2")]
    found = [[h.pieces for row in hypotheses(output) for h in row] for output in outputs]
    assert found[0] != found[1] and len(set(found[0])) > 12


def test_prefixes_are_the_references_and_penalties_count(trained):
    flags = ["--prefix-size", "1", "--lenpen", "0", "--unkpen", "-100", "--beam", "2", "--max-len-b", "6"]
    output = trained.decode("fairseq-generate", *flags).stdout
    references = (trained.folder / "test.zh-kk.kk").read_text(encoding="utf-8").splitlines()
    for row, reference in zip(hypotheses(output), references):
        first, *rest = row[0].pieces.split()
        assert first == reference.split()[0]
        assert rest and set(rest) == {"<unk>"}
        # Without a length penalty a score is a sum; fairseq takes the penalty for <unk> into it.
        assert abs(row[0].score - sum(row[0].positional)) < 1e-2 * abs(row[0].score)


def test_references_are_scored(trained):
    output = trained.decode("fairseq-generate", "--score-reference").stdout
    references = (trained.folder / "test.zh-kk.kk").read_text(encoding="utf-8").splitlines()
    found = hypotheses(output)
    assert [row[0].pieces for row in found] == references
    assert all(len(row[0].positional) == len(row[0].pieces.split()) + 1 for row in found)
    assert all(score < 0 for row in found for score in row[0].positional)


def test_an_ensemble_of_one_and_the_same_is_that_one(trained, by_beam):
    path = trained.model / "checkpoint_last.pt"
    output = trained.decode("fairseq-generate", "--beam", "4", checkpoint=f"{path}:{path}").stdout
    for one, other in zip(hypotheses(output), hypotheses(by_beam)):
        assert one[0].pieces == other[0].pieces and abs(one[0].score - other[0].score) < 1e-3


def test_an_average_is_one_more_checkpoint(run, trained):
    mean, inputs = (
        trained.folder / "mean.pt",
        [trained.model / "checkpoint_1_2.pt", trained.model / "checkpoint_last.pt"],
    )
    run(["swcm-average", "--inputs", *inputs, "--output", mean])
    parts = [safe_load(str(path))["model"] for path in inputs]
    found = safe_load(str(mean))["model"]
    for name, tensor in found.items():
        assert torch.equal(tensor, ((parts[0][name].double() + parts[1][name].double()) / 2).float())
    output = trained.decode("fairseq-generate", "--beam", "2", checkpoint=mean).stdout
    assert len(hypotheses(output)) == 12


# ---------------------------------------------------------------------- raw text


def typed(lines):
    return "".join(line + "\n" for line in lines)


@pytest.mark.parametrize(
    "flags", [[], ["--buffer-size", "4", "--max-tokens", "60", "--nbest", "2"]], ids=["one by one", "buffered"]
)
def test_interactive_and_python_say_the_same(trained, packed, flags):
    output = trained.decode("fairseq-interactive", *flags, "--beam", "3", pair="zh-mn", input=typed(TYPED)).stdout
    expected = swcm_fairseq.from_pretrained(str(packed)).translate(TYPED, target="mn", beam=3)
    assert [row[0].text for row in hypotheses(output)] == expected


def test_interactive_needs_the_target_alone_and_no_data(run, trained):
    """The checkpoint's own folder has the dictionary and the SentencePiece model."""
    alone = run(
        ["fairseq-interactive", trained.model, *trained.plugin, "--task", "swcm_finetuning", "--target-lang", "kk"]
        + ["--path", trained.model / "checkpoint_last.pt", "--beam", "2", "--cpu"],
        input=typed(TYPED),
    )
    beside = trained.decode("fairseq-interactive", "--beam", "2", input=typed(TYPED))
    assert [row[0].text for row in hypotheses(alone.stdout)] == [row[0].text for row in hypotheses(beside.stdout)]


def test_what_must_be_said_is_said(trained):
    word = "мектеп"
    output = trained.decode(
        "fairseq-interactive", "--constraints", "--beam", "4", "--max-len-b", "20", input=f"打开文件\t{word}\n"
    ).stdout
    assert word in hypotheses(output)[0][0].text.replace(" ", "")
