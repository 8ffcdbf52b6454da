"""The presets under fairseq's own translation task: its dictionaries, no tags, from scratch."""

import random

import pytest
import torch

from tests.support.generation import hypotheses

WORDS = {"src": "un deux trois quatre cinq six sept".split(), "tgt": "one two three four five six seven".split()}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Parallel text of a few words, word for word."""
    folder, chance = tmp_path_factory.mktemp("text"), random.Random(0)
    for split, count in (("train", 80), ("valid", 9), ("test", 9)):
        numbers = [[chance.randrange(7) for _ in range(chance.randint(1, 6))] for _ in range(count)]
        for side, words in WORDS.items():
            lines = [" ".join(words[number] for number in row) + "\n" for row in numbers]
            (folder / f"{split}.{side}").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.mark.parametrize("dictionaries, flags", [("joined", ["--joined-dictionary"]), ("separate", [])])
def test_a_preset_trains_and_decodes_as_any_architecture_does(run, repo, text, dictionaries, flags):
    data, model = text / dictionaries, text / (dictionaries + "-model")
    pairs = ["--source-lang", "src", "--target-lang", "tgt"]
    run(
        ["fairseq-preprocess", *pairs, *flags, "--destdir", data, "--trainpref", text / "train"]
        + ["--validpref", text / "valid", "--testpref", text / "test"]
    )
    plugin = ["--user-dir", repo / "swcm_fairseq"]
    run(
        [
            "fairseq-train",
            data,
            *plugin,
            "--task",
            "translation",
            *pairs,
            "--arch",
            "xlm_swcm_tiny",
            "--max-update",
            "4",
        ]
        + ["--criterion", "label_smoothed_cross_entropy", "--optimizer", "adam", "--lr", "1e-3", "--max-tokens", "200"]
        + ["--dropout", "0.2", "--save-dir", model, "--cpu", "--no-progress-bar", "--seed", "1"]
    )

    state = torch.load(str(model / "checkpoint_last.pt"))["model"]
    encoder, decoder = (state[side + ".embeddings.tokens.weight"] for side in ("encoder", "decoder"))
    # Four specials and seven words of each language, filled up to a multiple of eight.
    assert (len(encoder), len(decoder)) == {"joined": (24, 24), "separate": (16, 16)}[dictionaries]
    assert torch.equal(encoder, decoder) == (dictionaries == "joined")

    path = ["--path", model / "checkpoint_best.pt"]
    outputs = [
        run(["fairseq-generate", data, *plugin, *pairs, *path, "--cpu", "--beam", "3", "--batch-size", size]).stdout
        for size in ("9", "1")
    ]
    one, other = ([(row[0].pieces, round(row[0].score, 3)) for row in hypotheses(output)] for output in outputs)
    assert len(one) == 9, "every sentence is decoded, though nine is no multiple of eight"
    assert one == other
