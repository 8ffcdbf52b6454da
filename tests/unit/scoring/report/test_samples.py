"""Which sentences are shown, and the bins of length."""

import pytest

from swcm_fairseq.scoring import score
from swcm_fairseq.scoring.evaluation import evaluate
from swcm_fairseq.scoring.report.samples import by_length, main_metric, ranked, to_look_into
from swcm_fairseq.scoring.testsets import TestSet as Set

REFERENCES = ["a b c d e"[: 2 * (place % 5) + 1] for place in range(20)]
GOOD = list(REFERENCES)
BAD = ["x" if place in (7, 11) else text for place, text in enumerate(REFERENCES)]


def evaluation(metrics, **systems):
    sources = ["s " * (place + 1) for place in range(20)]
    return evaluate(Set(systems, [[text] for text in REFERENCES], sources), "en", metrics, "none", 50, 50)


def test_the_metric_that_ranks():
    assert main_metric(evaluation(["bleu", "wrong_language", "rougeL", "chrf"], good=GOOD)) == "rougeL"
    assert main_metric(evaluation(["bleu"], good=GOOD)) == "bleu"
    assert main_metric(evaluation(["empty"], good=GOOD)) == "empty"


def test_worst_sentences_come_last_by_the_mean_of_all_systems():
    also = ["x" if place == 11 else text for place, text in enumerate(REFERENCES)]
    assert ranked(evaluation(["chrf"], bad=BAD, also=also))[-2:] == [7, 11]


def test_bins_take_every_sentence_once_and_score_it_with_its_like():
    found = by_length(evaluation(["chrf"], bad=BAD), intervals=True)
    assert found.unit == "tokens of the source"
    assert found.bins[0].startswith("1") and found.bins[-1].endswith("-20")
    edges = [tuple(map(int, label.split("-"))) for label in found.bins]
    assert [length for low, high in edges for length in range(low, high + 1)] == list(range(1, 21))
    for (low, high), point in zip(edges, found.points["bad"]):
        part = slice(low - 1, high)
        assert point.value == pytest.approx(score(BAD[part], REFERENCES[part], "en", ["chrf"], "none")["chrf"])
        assert point.interval[0] <= point.value <= point.interval[1] + 1e-9


def test_sentences_of_one_length_make_one_bin():
    one = evaluate(Set({"a": ["a b"] * 4}, [["a b"]] * 4, None), "en", ["chrf"], "none", 0, 0)
    found = by_length(one, intervals=False)
    assert (found.unit, found.bins, len(found.points["a"])) == ("tokens of the reference", ["2"], 1)


def test_a_sentence_of_middling_length_is_looked_into():
    place = to_look_into(evaluation(["chrf"], good=GOOD))
    assert len(GOOD[place].split()) >= 4
