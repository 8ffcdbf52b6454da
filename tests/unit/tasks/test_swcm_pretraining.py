"""The pretraining task: what it asks of its flags, what an epoch holds, what batches look like."""

import logging
import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from swcm_fairseq.data.sampling import objective_shares
from swcm_fairseq.errors import SwcmError
from swcm_fairseq.tasks.swcm_pretraining import SwcmPretrainingConfig, SwcmPretrainingTask, plan_of
from tests.support.toy import toy_dictionary, toy_model, write_data_bin


@pytest.fixture(scope="module")
def dictionary():
    return toy_dictionary()


def lines(count, seed, longest=12):
    random = np.random.RandomState(seed)
    return [" ".join(random.choice(list("abcdefghijklmnopqrst"), random.randint(1, longest + 1))) for _ in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, dictionary):
    """600 Chinese, 90 Kazakh and 10 Mongolian documents, 40 pairs with Kazakh and 10 with Mongolian; one pair empty."""
    sides = {"train.zh-None.zh": lines(600, 1), "train.kk-None.kk": lines(89, 2) + ["a b </s> c d"]}
    sides["train.mn-None.mn"] = lines(10, 3)
    for pair, target, count in (("zh-kk", "kk", 40), ("zh-mn", "mn", 10)):
        for split in ("train", "valid"):
            sides[f"{split}.{pair}.zh"] = lines(count - 1, count) + ["a"]
            sides[f"{split}.{pair}.{target}"] = lines(count, count + 1)
    sides["train.zh-mn.mn"][3] = ""
    sides["valid.zh-None.zh"] = lines(20, 9)
    return write_data_bin(tmp_path_factory.mktemp("data bin"), dictionary, sides)


def task_of(folder, **settings):
    fields = {
        "data": str(folder),
        "dae_langs": "zh,kk,mn",
        "mt_pairs": "zh-kk,zh-mn",
        "seed": 1,
        "dataset_impl": None,
        "required_seq_len_multiple": 1,
        **settings,
    }
    return SwcmPretrainingTask.setup_task(OmegaConf.structured(SwcmPretrainingConfig(**fields)))


def train_set(folder, **settings):
    task = task_of(folder, **settings)
    task.load_dataset("train")
    return task, task.dataset("train")


def test_groups_and_tags(folder, dictionary):
    task = task_of(folder)
    assert task.loss_groups == ["dae.zh", "dae.kk", "dae.mn", "mt.zh-kk", "mt.kk-zh", "mt.zh-mn", "mt.mn-zh"]
    languages = ["zh", "kk", "mn", "kk", "zh", "mn", "zh"]
    assert task.tags == [dictionary.index(f"[{code}]") for code in languages]


@pytest.mark.parametrize("alpha", [1.0, 0.3, 0.0])
def test_shares_of_an_epoch_follow_the_formula(folder, alpha):
    _, dataset = train_set(folder, sampling_alpha=alpha, mt_share=0.25)
    groups = np.array([dataset[i].group for i in range(len(dataset))])
    weights = np.array([600.0, 90.0, 10.0]) / 700
    expected = 0.75 * weights**alpha / (weights**alpha).sum()
    pairs = np.array([40.0, 9.0]) / 49  # one Mongolian side is empty
    pairs = 0.25 * pairs**alpha / (pairs**alpha).sum()
    expected = np.concatenate([expected, [pairs[0] / 2, pairs[0] / 2, pairs[1] / 2, pairs[1] / 2]])
    shares = np.bincount(groups, minlength=7) / len(groups)
    assert abs(shares - expected).max() < 0.01
    assert len(dataset) == round(700 / 0.75)


def test_alpha_one_takes_every_text_once(folder):
    _, dataset = train_set(folder, sampling_alpha=1.0, mt_pairs=None)
    drawn = sorted(zip(dataset.dataset_of.tolist(), dataset.index_in.tolist()))
    assert drawn == [(i, j) for i, size in enumerate((600, 90, 10)) for j in range(size)]


def test_an_epoch_of_translations_alone():
    shares, total = objective_shares([], [30, 10], 1.0, 0.1)
    assert shares.tolist() == [0.375, 0.375, 0.125, 0.125] and total == 80


def test_both_directions_come_from_one_pair(folder, dictionary):
    task, dataset = train_set(folder)
    bos, eos = dictionary.bos(), dictionary.eos()
    forward, backward = dataset.datasets[3], dataset.datasets[4]
    assert len(forward) == len(backward) == 40
    for index in range(40):
        there, back = forward[index], backward[index]
        assert there.source.tolist() == [bos] + back.target.tolist()
        assert back.source.tolist() == [bos] + there.target.tolist()
        assert there.source[-1] == there.target[-1] == eos
    assert forward[0].tag == dictionary.index("[kk]") and backward[0].tag == dictionary.index("[zh]")


def test_a_literal_sentence_end_in_the_data_ends_a_sentence(folder, dictionary):
    task, dataset = train_set(folder)
    text = dataset.datasets[1].text(89)
    assert dictionary.string(text).split() == ["a", "b", "c", "d"] and (text == dictionary.eos()).sum() == 2


def test_batches_hold_both_objectives_and_begin_with_the_tag(folder):
    task, dataset = train_set(folder, mt_share=0.3)
    indices = dataset.ordered_indices()
    mixed = 0
    for start in range(0, len(indices), 32):
        batch = dataset.collater([dataset[i] for i in indices[start : start + 32]])
        mixed += len({int(group) < 3 for group in batch["group"]}) == 2
        previous = batch["net_input"]["prev_output_tokens"]
        assert previous[:, 0].tolist() == [task.tags[group] for group in batch["group"].tolist()]
        assert previous[:, 1:].eq(batch["target"][:, :-1]).logical_or(previous[:, 1:].eq(1)).all()
    assert mixed > 10


def test_lengths_are_cut_and_said(folder, caplog):
    with caplog.at_level(logging.INFO):
        task, dataset = train_set(folder, max_source_positions=9, max_target_positions=6)
    for index in range(len(dataset)):
        example = dataset[index]
        assert len(example.source) <= 9 and len(example.target) <= 6
        assert example.source[-1] == example.target[-1] == 2
    # By hand: sides are cut to 8 pieces (and <s>) as sources, to 6 as targets, </s> included.
    zh, kk = ([len(line.split()) + 1 for line in side] for side in (lines(39, 40) + ["a"], lines(40, 41)))
    cut = sum(n > 8 for n in zh), sum(n > 6 for n in kk)
    lost = sum(max(n - 8, 0) for n in zh) + sum(max(n - 6, 0) for n in kk)
    said = [record.getMessage() for record in caplog.records if record.getMessage().startswith("train mt.zh-kk")]
    assert said == [
        "train mt.zh-kk: 40 of 40 pairs, the others dropped for an empty side; "
        "{} sources and {} targets cut, {} pieces lost".format(*cut, lost)
    ]
    longer = sum(len(line.split()) + 1 > 6 for line in lines(600, 1))
    assert any(
        f"600 documents; {longer} sentences of more than 6 pieces cut" in record.getMessage()
        for record in caplog.records
    )


def test_validation_takes_every_example_once_and_misses_are_said(folder, caplog):
    task = task_of(folder)
    with caplog.at_level(logging.WARNING):
        task.load_dataset("valid")
    assert len(task.dataset("valid")) == 20 + 2 * 40 + 2 * 10
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["valid dae.kk", "valid dae.mn"]


def test_all_tags_that_the_dictionary_lacks_are_named(folder):
    with pytest.raises(SwcmError, match=r"no tag \[ug\] \[bo\] \[uz\]; it has"):
        task_of(folder, dae_langs="zh,ug,bo", mt_pairs="zh-bo,zh-uz")


def test_missing_training_data_is_named(folder):
    task = task_of(folder, mt_pairs="zh-kk,kk-mn")
    with pytest.raises(SwcmError, match="train mt.kk-mn, train mt.mn-kk"):
        task.load_dataset("train")


def test_all_that_training_lacks_is_named_at_once_before_anything_is_written(folder, tmp_path, dictionary):
    other = write_data_bin(
        tmp_path,
        dictionary,
        {"train.zh-None.zh": ["a"], "train.zh-kk.zh": ["a", "b"], "train.zh-kk.kk": ["a"], "valid.zh-mn.mn": ["a"]},
    )
    task = task_of(f"{other}:{folder}", dae_langs="zh,kk", mt_pairs="zh-kk,zh-mn,kk-mn")
    before = sorted(os.listdir(other))
    run = SimpleNamespace(train_split="train", valid_splits=["valid", "none"], combines_valid=False)
    with pytest.raises(SwcmError) as caught:
        task.check_data(run)
    expected = [
        (other, "has no train.kk-None.kk"),
        (other, "train.zh-kk.zh has 2 lines"),  # its other side has one
        (other, "has no train.zh-mn"),
        (other, "has no train.kk-mn"),
        (str(folder), "has no train.kk-mn"),
        # Validation measures what there is, but a pair with one side is a mistake.
        (other, "valid.zh-mn.mn.idx is there but"),
    ]
    assert len(caught.value.problems) == len(expected)
    for problem, (place, words) in zip(caught.value.problems, expected):
        assert problem.startswith(place) and words in problem
    assert sorted(os.listdir(other)) == before
    run.valid_splits = []
    with pytest.raises(SwcmError) as caught:
        task.check_data(run)
    assert len(caught.value.problems) == 5
    task_of(folder).check_data(
        SimpleNamespace(train_split="train", valid_splits=["valid", "none"], combines_valid=False)
    )


def test_folders_are_taken_in_turn(folder, tmp_path, dictionary):
    other = write_data_bin(tmp_path, dictionary, {"train.kk-None.kk": lines(5, 1)})
    task = task_of(f"{folder}:{other}", dae_langs="kk", mt_pairs=None)
    for epoch, size in ((1, 90), (2, 5), (3, 90)):
        task.load_dataset("train", epoch=epoch)
        assert len(task.dataset("train")) == size


def test_wrong_flags_are_all_named(folder):
    cfg = SwcmPretrainingConfig(
        data="x", dae_langs="zh,zh,xx", mt_pairs="zh-kk,kk-zh,mn", sampling_alpha=-1, mt_share=1, max_source_positions=1
    )
    with pytest.raises(SwcmError) as raised:
        plan_of(cfg)
    assert len(raised.value.problems) == 7
    with pytest.raises(SwcmError, match="nothing to train"):
        plan_of(SwcmPretrainingConfig(data="x"))


class Criterion:
    """The sum of the model's output, which shows the inputs it was given."""

    def __call__(self, model, sample):
        self.inputs = sample["net_input"]["prev_output_tokens"]
        loss = model(**sample["net_input"])[0].sum()
        return loss, 1, {}


def step(folder, dictionary, **settings):
    task, dataset = train_set(folder, **settings)
    model = toy_model(dictionary, dropout=0.2)
    criterion = Criterion()
    optimizer = SimpleNamespace(backward=lambda loss: loss.backward())
    torch.manual_seed(5)
    loss, _, _ = task.train_step(dataset.collater([dataset[i] for i in range(8)]), model, criterion, optimizer, 100)
    return loss.item(), [p.grad for p in model.parameters()], criterion.inputs, task, dataset, model


def test_floor_one_equals_plain_training_exactly(folder, dictionary):
    plain = step(folder, dictionary)
    forced = step(folder, dictionary, scheduled_sampling="linear", sampling_half_life=1, sampling_floor=1.0)
    sampled = step(folder, dictionary, scheduled_sampling="linear", sampling_half_life=1, sampling_floor=0.2)
    assert plain[0] == forced[0] and plain[2].equal(forced[2])
    assert all(a.equal(b) for a, b in zip(plain[1], forced[1]) if a is not None)
    assert not plain[2].equal(sampled[2])


def test_no_scheduled_sampling_in_validation(folder, dictionary):
    _, _, _, task, dataset, model = step(
        folder, dictionary, scheduled_sampling="linear", sampling_half_life=1, sampling_floor=0.0
    )
    batch = dataset.collater([dataset[i] for i in range(8)])
    criterion = Criterion()
    task.valid_step(batch, model, criterion)
    assert criterion.inputs.equal(batch["net_input"]["prev_output_tokens"])
