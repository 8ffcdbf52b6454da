"""A validation pass by hand: batches, as processes get them, against other entry points to decoding and scoring."""

import itertools
import logging
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fairseq.logging import metrics

from swcm_fairseq.criterions.swcm_cross_entropy import SwcmCrossEntropy
from swcm_fairseq.decoding.translator import Translator
from swcm_fairseq.scoring import score
from swcm_fairseq.scoring.normalization import normalize
from swcm_fairseq.vocabulary.pieces import Pieces
from tests.support.tiny_encoder import CORPUS, sentencepiece_pieces, train_sentencepiece
from tests.support.toy import toy_dictionary, toy_model, toy_task, write_data_bin

NAMES = ["chrfpp", "rougeL", "exact_match", "length_ratio"]
MAX_LENGTH = 12
SOURCES = {"kk": list(CORPUS[:5]) + ["羊", "历史"], "mn": list(CORPUS[:4])}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Data for two pairs with a SentencePiece model beside it, and a model whose outputs some references repeat."""
    folder = tmp_path_factory.mktemp("data")
    content = train_sentencepiece()
    (folder / "sentencepiece.bpe.model").write_bytes(content)
    pieces = Pieces.load(str(folder / "sentencepiece.bpe.model"))
    dictionary = toy_dictionary(sentencepiece_pieces(content))
    model = toy_model(dictionary, untie_output_projection=True, max_positions=80)
    with torch.no_grad():
        model.output_parameters()[1][dictionary.eos()] += 2.5  # so that outputs end, and not all at one length
    translator = Translator(model, dictionary, pieces, ["kk", "mn"])
    references = {"kk": list(CORPUS[5:12]), "mn": list(CORPUS[10:14])}
    for target, lines in references.items():
        outputs = translator.translate(SOURCES[target], target=target, beam=1, max_len=MAX_LENGTH)
        lines[:2] = outputs[:1] + [outputs[1] + " " + lines[1]]
    sides = {}
    for target, lines in references.items():
        sides[f"valid.zh-{target}.zh"] = list(map(pieces.encode, SOURCES[target]))
        sides[f"valid.zh-{target}.{target}"] = list(map(pieces.encode, lines))
    # A piece that the dictionary lacks is <unk> in an output and <<unk>> in a reference, as fairseq-generate says it.
    sides["valid.zh-kk.kk"][3] = "▁сақтаңыз? " + sides["valid.zh-kk.kk"][3]
    references["kk"][3] = "<<unk>> " + references["kk"][3]
    write_data_bin(folder, dictionary, sides)
    return SimpleNamespace(
        folder=folder, dictionary=dictionary, model=model, translator=translator, references=references
    )


def task_of(parts, **settings):
    settings = {"lang_pairs": "zh-kk,zh-mn", "validation_scores": ",".join(NAMES), **settings}
    task = toy_task(parts.folder, parts.dictionary, validation_max_len_b=MAX_LENGTH, **settings)
    task.load_dataset("valid")
    return task


def batches_of(task, size):
    dataset = task.dataset("valid")
    order = dataset.ordered_indices().tolist()
    return [dataset.collater([dataset[i] for i in order[start : start + size]]) for start in range(0, len(order), size)]


def validate(task, model, size=3, processes=1):
    """What is logged at the end of a validation, by each of several processes that take batches in turn."""
    criterion = SwcmCrossEntropy(task, sentence_avg=False)
    batches = batches_of(task, size)
    with metrics.aggregate(new_root=True) as meters:
        for at_once in itertools.zip_longest(*[iter(batches)] * processes):
            outputs = [task.valid_step(batch, model, criterion)[2] for batch in at_once if batch is not None]
            keys = {key for output in outputs for key in output}
            assert all(set(output) == keys for output in outputs)
            # fairseq adds outputs of processes up, key by key.
            task.reduce_metrics([{key: sum(output[key] for output in outputs) for key in keys}], criterion)
        return meters.get_smoothed_values()


def expected(parts, target, beam=1, chosen=None):
    """The scores of one pair by the package's other entry points."""
    outputs = parts.translator.translate(SOURCES[target], target=target, beam=beam, max_len=MAX_LENGTH)
    chosen = range(len(outputs)) if chosen is None else chosen
    return score([outputs[i] for i in chosen], [parts.references[target][i] for i in chosen], target, NAMES)


@pytest.mark.parametrize("beam", [1, 3])
def test_scores_are_those_of_translating_and_scoring(parts, beam):
    found = validate(task_of(parts, validation_beam=beam), parts.model)
    kk, mn = expected(parts, "kk", beam), expected(parts, "mn", beam)
    for name in NAMES:
        assert found["mt.zh-kk_" + name] == pytest.approx(kk[name], abs=1e-6)
        assert found["mt.zh-mn_" + name] == pytest.approx(mn[name], abs=1e-6)
        # Seven sentences and four weigh the same.
        assert found[name] == pytest.approx((kk[name] + mn[name]) / 2, abs=2e-6)
    assert kk["chrfpp"] != pytest.approx(mn["chrfpp"], abs=0.1) and kk["exact_match"] > 0 or beam == 3


def test_batches_and_processes_make_no_difference(parts):
    task = task_of(parts)
    whole = validate(task, parts.model, size=20)
    scores = [name for name in whole if name.endswith(tuple(NAMES))]
    assert len(scores) == 3 * len(NAMES)
    for size, processes in ((1, 1), (2, 2), (4, 3)):
        found = validate(task, parts.model, size, processes)
        assert {name: found[name] for name in scores} == {name: whole[name] for name in scores}


def test_so_many_sentences_of_each_pair(parts):
    found = validate(task_of(parts, validation_sentences=3), parts.model)
    assert found["mt.zh-kk_chrfpp"] == pytest.approx(expected(parts, "kk", chosen=[0, 2, 4])["chrfpp"], abs=1e-6)
    assert found["mt.zh-mn_chrfpp"] == pytest.approx(expected(parts, "mn", chosen=[0, 1, 2])["chrfpp"], abs=1e-6)
    # The loss is that of all.
    plain = validate(task_of(parts, validation_scores=None), parts.model)
    assert found["loss"] == pytest.approx(plain["loss"], abs=1e-3)


def test_the_sentences_to_decode_may_stand_anywhere_in_a_batch(parts):
    task = task_of(parts, validation_sentences=2)
    dataset = task.dataset("valid")
    found = task.scores().measure(parts.model, dataset.collater([dataset[index] for index in range(10, -1, -1)]))
    for target, chosen in (("kk", [0, 3]), ("mn", [0, 2])):
        scores = task.scores().sums["mt.zh-" + target].scores(found["score:mt.zh-" + target].numpy())
        assert scores["chrfpp"] == pytest.approx(expected(parts, target, chosen=chosen)["chrfpp"], abs=1e-6)


def test_one_pair_has_one_number(parts):
    found = validate(task_of(parts, lang_pairs=None, source_lang="zh", target_lang="mn"), parts.model)
    assert [name for name in found if "chrfpp" in name] == ["chrfpp"]
    assert found["chrfpp"] == pytest.approx(expected(parts, "mn")["chrfpp"], abs=1e-6)


def test_without_the_flag_nothing_is_decoded(parts, monkeypatch):
    task = task_of(parts, validation_scores=None)
    monkeypatch.setattr(task, "inference_step", lambda *_: pytest.fail("decoded"))
    assert not [name for name in validate(task, parts.model) if name.endswith("chrfpp")]


def test_a_batch_that_does_not_belong_to_a_validation_set_has_the_same_keys_and_counts_nothing(parts):
    task = task_of(parts)
    criterion = SwcmCrossEntropy(task, sentence_avg=False)
    batch = batches_of(task, 3)[0]
    real = task.valid_step(batch, parts.model, criterion)[2]
    repeated = {name: value for name, value in batch.items() if name not in ("scored", "shown")}
    dummy = task.valid_step(repeated, parts.model, criterion)[2]
    assert set(real) == set(dummy)
    assert real["score:mt.zh-kk"].any() and not dummy["score:mt.zh-kk"].any()


def test_the_criterion_does_not_see_the_scores(parts):
    class Stock(SwcmCrossEntropy):
        seen = set()

        @classmethod
        def reduce_metrics(cls, logging_outputs):
            cls.seen.update(*logging_outputs)

    task = task_of(parts)
    task.reduce_metrics(
        [task.valid_step(batches_of(task, 3)[0], parts.model, Stock(task, False))[2]], Stock(task, False)
    )
    assert "nll_loss" in Stock.seen and not [key for key in Stock.seen if key.startswith("score:")]


def test_a_model_is_found_in_what_processes_wrap_it_in(parts):
    task = task_of(parts)
    wrapped = SimpleNamespace(module=SimpleNamespace(module=parts.model))
    batch = batches_of(task, 20)[0]
    found = task.scores().measure(wrapped, batch)
    assert all(found[key].equal(value) for key, value in task.scores().measure(parts.model, batch).items())


def test_no_random_number_is_drawn(parts):
    task = task_of(parts, validation_beam=2)
    batch = batches_of(task, 4)[0]
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    task.scores().measure(parts.model, batch)
    assert torch.get_rng_state().equal(before[0])
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before[1:]


@pytest.mark.parametrize("asked", [True, False])
def test_samples_are_shown_on_request_the_same_ones_every_time(parts, caplog, asked):
    with caplog.at_level(logging.INFO):
        task = task_of(parts, validation_print_samples=asked)
        for size in (2, 5):
            caplog.clear()
            validate(task, parts.model, size)
            shown = sorted(r.getMessage() for r in caplog.records if "hypothesis" in r.getMessage())
            assert len(shown) == (4 if asked else 0)
            if not asked:
                continue
            outputs = parts.translator.translate(SOURCES["kk"], target="kk", beam=1, max_len=MAX_LENGTH)
            normalized = normalize(SOURCES["kk"], "nmt_nfkc")
            assert shown[0].splitlines() in [
                ["mt.zh-kk", "  source     " + normalized[i], "  hypothesis " + outputs[i]]
                + ["  reference  " + parts.references["kk"][i]]
                for i in (0, 3)
            ]


def test_signatures_are_said_once(parts, caplog):
    with caplog.at_level(logging.INFO):
        task = task_of(parts, validation_beam=2)
        validate(task, parts.model)
    said = [r.getMessage() for r in caplog.records if "mt.zh-mn chrfpp: norm:nmt_nfkc|nrefs:1" in r.getMessage()]
    assert len(said) == 1 and said[0].endswith("|beam:2")
