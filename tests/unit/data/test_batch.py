import random

import pytest
import torch

from swcm_fairseq.data.batch import Example, collate

PAD, EOS = 1, 2


def random_examples(seed, with_target=True):
    chance = random.Random(seed)

    def pieces(least):
        return [chance.randrange(3, 30) for _ in range(chance.randrange(least, 7))]

    return [
        Example(
            index=10 * i,
            source=torch.tensor([0] + pieces(0) + [EOS]),
            target=torch.tensor(pieces(0) + [EOS], dtype=torch.int32) if with_target else None,
            tag=chance.choice([40, 41]),
            group=chance.randrange(3),
        )
        for i in range(chance.randrange(1, 6))
    ]


def padded(rows, multiple=1):
    width = max(len(row) for row in rows)
    width += -width % multiple
    return [row + [PAD] * (width - len(row)) for row in rows]


@pytest.mark.parametrize("multiple", [1, 4])
@pytest.mark.parametrize("seed", range(5))
def test_batch_equals_the_plain_formula(seed, multiple):
    examples = random_examples(seed)
    batch = collate(examples, PAD, EOS, multiple)
    sources = [example.source.tolist() for example in examples]
    targets = [example.target.tolist() for example in examples]
    inputs = [[example.tag] + target[:-1] for example, target in zip(examples, targets)]
    assert batch["net_input"]["src_tokens"].tolist() == padded(sources, multiple)
    assert batch["net_input"]["src_lengths"].tolist() == [len(source) for source in sources]
    assert batch["target"].tolist() == padded(targets, multiple)
    assert batch["net_input"]["prev_output_tokens"].tolist() == padded(inputs, multiple)
    assert batch["ntokens"] == sum(len(target) for target in targets)
    assert batch["nsentences"] == len(examples)
    assert batch["id"].tolist() == [example.index for example in examples]
    assert batch["tag"].tolist() == [example.tag for example in examples]
    assert batch["group"].tolist() == [example.group for example in examples]


def test_without_targets_there_is_nothing_to_learn_from():
    examples = random_examples(0, with_target=False)
    batch = collate(examples, PAD, EOS)
    assert batch["target"] is None
    assert "prev_output_tokens" not in batch["net_input"]
    assert batch["ntokens"] == sum(len(example.source) for example in examples)


def test_constraints_are_padded_with_zeros():
    examples = [
        Example(0, torch.tensor([0, 5, EOS]), None, tag=40, constraints=torch.tensor(packed))
        for packed in ([1, 5, 0], [2, 5, 0, 6, 0])
    ]
    assert collate(examples, PAD, EOS)["constraints"].tolist() == [[1, 5, 0, 0, 0], [2, 5, 0, 6, 0]]


def test_no_examples_are_an_empty_batch():
    assert collate([], PAD, EOS) == {}
