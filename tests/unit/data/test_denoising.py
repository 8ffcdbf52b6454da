"""Denoising examples: runs of sentences, sources and targets, and the same data whoever loads it."""

import numpy as np
import pytest
import torch
from fairseq.data.iterators import EpochBatchIterator

from swcm_fairseq.data.denoising import DenoisingDataset, find_runs, tidy
from swcm_fairseq.data.mixture import MixtureDataset
from swcm_fairseq.data.noise import NoiseSettings
from swcm_fairseq.vocabulary.whole_words import WholeWords
from tests.support.toy import toy_dictionary

EOS = 2


def documents_of(*lines):
    return [torch.tensor(line) for line in lines]


def runs_of(limit, *lines):
    runs = find_runs(documents_of(*lines), EOS, limit)
    return list(zip(runs.document.tolist(), runs.begin.tolist(), runs.end.tolist(), runs.length.tolist())), runs


def test_a_document_that_fits_is_one_run():
    assert runs_of(5, [4, 5, EOS, 6, EOS], [7, EOS])[0] == [(0, 0, 5, 5), (1, 0, 2, 2)]


def test_runs_end_where_a_sentence_ends_and_never_span_documents():
    assert runs_of(4, [4, EOS, 5, EOS, 6, EOS], [7, EOS])[0] == [(0, 0, 4, 4), (0, 4, 6, 2), (1, 0, 2, 2)]
    assert runs_of(5, [4, EOS, 5, EOS, 6, EOS])[0] == [(0, 0, 4, 4), (0, 4, 6, 2)]


def test_a_long_sentence_goes_on_in_the_next_run():
    # Three pieces and the </s> that closes the run, twice; the rest takes the next sentence with it.
    found, runs = runs_of(4, [4, 5, 6, 7, 8, 9, 10, EOS, 11, EOS])
    assert found == [(0, 0, 3, 4), (0, 3, 6, 4), (0, 6, 10, 4)]
    assert runs.long_sentences == 1


def test_a_sentence_of_the_limit_is_not_cut():
    found, runs = runs_of(4, [4, 5, 6, EOS, 7, 8, 9, 10, EOS])
    assert found == [(0, 0, 4, 4), (0, 4, 7, 4), (0, 7, 9, 2)]
    assert runs.long_sentences == 1


def test_empty_documents_are_counted_and_empty_sentences_dropped():
    found, runs = runs_of(9, [EOS], [4, EOS, EOS, 5, EOS], [EOS, EOS])
    assert found == [(1, 0, 4, 4)]
    assert runs.empty_documents == 2


def test_a_text_is_closed():
    assert tidy(np.array([4, 5]), EOS).tolist() == [4, 5, EOS]
    assert tidy(np.array([EOS, 4, EOS, EOS]), EOS).tolist() == [4, EOS]


@pytest.fixture(scope="module")
def dictionary():
    return toy_dictionary()


@pytest.fixture(scope="module")
def lines(dictionary):
    random = np.random.RandomState(0)
    lines = []
    for _ in range(60):
        sentences = [list(random.randint(4, 24, random.randint(1, 8))) + [EOS] for _ in range(random.randint(1, 6))]
        lines.append([int(piece) for sentence in sentences for piece in sentence])
    return lines


def denoising(dictionary, lines, limit=16, code="zh", group=0, **settings):
    units = WholeWords(dictionary.symbols, code)
    settings = NoiseSettings(**settings)
    tag = dictionary.index(f"[{code}]")
    return DenoisingDataset(documents_of(*lines), dictionary, units, tag, group, settings, 1, limit + 1, limit)


def test_all_text_is_there_once(dictionary, lines):
    dataset = denoising(dictionary, lines)
    joined = [piece for i in range(len(dataset)) for piece in dataset.text(i).tolist()]
    assert joined == [piece for line in lines for piece in line]


def test_source_and_target_of_an_example(dictionary, lines):
    dataset = denoising(dictionary, lines)
    mask = dictionary.index("<mask>")
    masked = 0
    for index in range(len(dataset)):
        example = dataset[index]
        source, target = example.source.tolist(), example.target.tolist()
        assert source[0] == dictionary.bos() and source[-1] == target[-1] == EOS
        assert set(source[1:]) <= set(target) | {mask}
        assert len(target) == dataset.size(index)[1] <= 16 and len(source) <= 17
        assert example.tag == dictionary.index("[zh]") and example.index == index
        masked += source.count(mask)
    assert masked > len(dataset)


def test_without_noise_the_source_is_the_text(dictionary, lines):
    dataset = denoising(dictionary, lines, mask_ratio=0, permute_sentences=0)
    for index in range(len(dataset)):
        example = dataset[index]
        assert example.source.tolist() == [0] + example.target.tolist()


def mixture(dictionary, lines):
    datasets = [denoising(dictionary, lines, code="zh"), denoising(dictionary, lines[:9], code="kk", group=1)]
    return MixtureDataset(datasets, alpha=0.3, seed=3)


def batches_of(dataset, workers, epochs=3, start=None, **options):
    """Every batch of ``epochs`` epochs; ``start`` is the state of an iterator to go on from."""
    indices = np.arange(len(dataset))
    iterator = EpochBatchIterator(
        dataset,
        collate_fn=dataset.collater,
        batch_sampler=[indices[i : i + 8].tolist() for i in range(0, len(indices), 8)],
        num_workers=workers,
        **options,
    )
    if start is not None:
        iterator.load_state_dict(start)
    batches, states = [], []
    while iterator.next_epoch_idx <= epochs:
        for batch in iterator.next_epoch_itr():
            net_input = batch["net_input"]
            batches.append((batch["id"].tolist(), net_input["src_tokens"].tolist(), batch["target"].tolist()))
            states.append(iterator.state_dict())
    return batches, states


@pytest.mark.parametrize("reuse", [False, True])
def test_workers_do_not_change_the_data(dictionary, lines, reuse):
    """fairseq may keep its workers over epochs; then nobody tells their copies of the dataset which epoch it is."""
    alone, _ = batches_of(mixture(dictionary, lines), 0, reuse_dataloader=reuse)
    for workers in (1, 4):
        assert batches_of(mixture(dictionary, lines), workers, reuse_dataloader=reuse)[0] == alone


@pytest.mark.parametrize("workers", [0, 2])
def test_a_restart_in_the_middle_goes_on_with_the_same_data(dictionary, lines, workers):
    whole, states = batches_of(mixture(dictionary, lines), 0)
    stop = len(whole) // 2 + 1
    dataset = mixture(dictionary, lines)
    dataset.set_epoch(states[stop - 1]["epoch"])  # as fairseq does when it restores an iterator
    rest, _ = batches_of(dataset, workers, start=states[stop - 1])
    assert rest == whole[stop:]


def test_every_epoch_has_other_noise(dictionary, lines):
    dataset = denoising(dictionary, lines)
    first = [dataset[i].source.tolist() for i in range(len(dataset))]
    dataset.set_epoch(2)
    second = [dataset[i].source.tolist() for i in range(len(dataset))]
    assert sum(a != b for a, b in zip(first, second)) > len(dataset) / 2
    dataset.set_epoch(1)
    assert [dataset[i].source.tolist() for i in range(len(dataset))] == first


def test_a_text_that_is_drawn_twice_gets_other_noise(dictionary, lines):
    dataset = MixtureDataset([denoising(dictionary, lines[:1], limit=40)], shares=[1.0], examples=20)
    sources = {tuple(dataset[i].source.tolist()) for i in range(20)}
    assert len({tuple(dataset[i].target.tolist()) for i in range(20)}) == 1
    assert len(sources) > 15


def test_batches_are_not_kept_for_the_next_epoch(dictionary, lines):
    assert not mixture(dictionary, lines).can_reuse_epoch_itr_across_epochs
    assert not MixtureDataset([denoising(dictionary, lines)]).can_reuse_epoch_itr_across_epochs
