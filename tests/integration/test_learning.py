"""Learning from real updates: the model copies its source, and cannot where the sources belong to other sentences."""

import random

import pytest

from tests.support.generation import hypotheses
from tests.support.toy import PIECES, toy_dictionary, write_data_bin

TRAINING = """--task swcm_finetuning --source-lang zh --target-lang kk --arch xlm_swcm_tiny --dropout 0
    --attention-dropout 0 --criterion swcm_cross_entropy
    --optimizer adam --lr 3e-3 --lr-scheduler inverse_sqrt --warmup-updates 30
    --batch-size 32 --max-update 200 --clip-norm 1 --cpu --seed 1 --no-epoch-checkpoints --disable-validation
    --no-progress-bar""".split()


def sentences(count, chance):
    return [" ".join(chance.choices(PIECES, k=chance.randint(2, 5))) for _ in range(count)]


def right_pieces(found, references):
    """Share of the references' pieces that stand in their place in what was found."""
    pairs = [(one.split(), other.split()) for one, other in zip(found, references)]
    right = sum(a == b for one, other in pairs for a, b in zip(one, other))
    return right / sum(len(other) for _, other in pairs)


@pytest.fixture(scope="module")
def decoded(run, repo, tmp_path_factory):
    """What a model says to the test sources after training on sources that are right, and on permuted ones."""

    def train_and_decode(permuted):
        chance = random.Random(0)
        train, test = sentences(2000, chance), sentences(40, chance)
        sources = chance.sample(train, len(train)) if permuted else train
        folder = tmp_path_factory.mktemp("permuted" if permuted else "right")
        sides = {"train.zh-kk.zh": sources, "train.zh-kk.kk": train}
        # fairseq 0.12.2 wants validation data even where it is not to validate.
        sides.update({f"{split}.zh-kk.{side}": test for split in ("valid", "test") for side in ("zh", "kk")})
        data = write_data_bin(folder, toy_dictionary(), sides)
        plugin = ["--user-dir", repo / "swcm_fairseq"]
        run(["fairseq-train", data, *plugin, *TRAINING, "--save-dir", folder / "model"])
        done = run(
            [
                "fairseq-generate",
                data,
                *plugin,
                "--task",
                "swcm_finetuning",
                "-s",
                "zh",
                "-t",
                "kk",
                "--beam",
                "1",
                "--cpu",
            ]
            + ["--path", folder / "model" / "checkpoint_last.pt"]
        )
        return test, [found[0].text for found in hypotheses(done.stdout)]

    return train_and_decode


def test_a_copy_task_is_learned(decoded):
    references, found = decoded(permuted=False)
    assert right_pieces(found, references) > 0.9


def test_with_permuted_sources_the_same_training_stays_at_chance(decoded):
    references, found = decoded(permuted=True)
    # References against each other: one piece of twenty is right by chance.
    shuffled = right_pieces(references[1:] + references[:1], references)
    assert shuffled < 0.15
    assert right_pieces(found, references) < 0.15
