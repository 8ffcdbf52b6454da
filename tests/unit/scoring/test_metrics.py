"""Scores against sacreBLEU's own command, rouge-score, and slow plain formulas."""

import json
import random

import numpy as np
import pytest

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.languages import language
from swcm_fairseq.scoring import METRICS, score
from swcm_fairseq.scoring.metrics import measure
from swcm_fairseq.scoring.rouge import rougeL
from swcm_fairseq.scoring.tokenizers import tokenizer_for

ALPHABETS = {
    "bo": ["བཀྲ་", "ཤིས་", "བདེ་", "ལེགས་", "ཁ་", "། "],
    "dz": ["རྫོང་", "ཁ་", "འབྲུག་", "ཡིག་", "༎ "],
    "ug": ["ئۇيغۇر ", "تىلى ", "مەكتەپ ", "كىتاب ", "، "],
    "kk": ["қазақ ", "тілі ", "мектеп ", "кітап ", ", "],
    "kk_Arab": ["قازاق ", "ٴتىلى ", "مەكتەپ ", "كىتاپ ", "، "],
    "mn": ["монгол ", "хэл ", "сургууль ", "ном ", ". "],
    "mn_Mong": ["ᠮᠣᠩᠭᠣᠯ ", "ᠬᠡᠯᠡ ", "ᠨᠣᠮ ", "ᠪᠢᠴᠢᠭ\u180b ", "᠃ "],
    "zh": ["中", "文", "学", "校", "书", "，", "OK "],
    "km": ["ភា", "សា", "ខែ", "រៀ", "។ "],
    "en": ["the ", "Cat ", "sat ", "on ", "mats, ", "2 "],
}


# What tells how alike two texts are; spBLEU wants a model, which has a test of its own.
LIKENESS = [name for name, metric in METRICS.items() if metric.better > 0 and name != "spbleu"]


def sentences(code, count, seed):
    generator = random.Random(seed)
    units = ALPHABETS[code]
    return ["".join(generator.choice(units) for _ in range(generator.randint(4, 12))).strip() for _ in range(count)]


@pytest.mark.parametrize("code", sorted(ALPHABETS))
def test_identical_sentences_score_100_and_strange_ones_far_less(code):
    # Each sentence is longer than four tokens once, or BLEU's 4-grams would not exist.
    texts = ["".join(ALPHABETS[code]) + text for text in sentences(code, 20, 1)]
    same = score(texts, texts, code, metrics=LIKENESS)
    strange = score(sentences("en" if code != "en" else "kk", 20, 2), texts, code, metrics=LIKENESS)
    for name, value in same.items():
        if name != "signatures":
            assert value == pytest.approx(100.0), name
            assert strange[name] < 30, name


@pytest.mark.parametrize("code, tokenizer", [("kk", "13a"), ("en", "13a"), ("zh", "zh")])
def test_bleu_and_chrf_equal_sacrebleu(code, tokenizer, tmp_path, run):
    hypotheses, references = sentences(code, 60, 3), sentences(code, 60, 4)
    (tmp_path / "hyp").write_text("\n".join(hypotheses) + "\n", encoding="utf-8")
    (tmp_path / "ref").write_text("\n".join(references) + "\n", encoding="utf-8")

    def sacrebleu(*options):
        command = ["python", "-m", "sacrebleu", tmp_path / "ref", "-i", tmp_path / "hyp", "-w", "9", "-f", "json"]
        return json.loads(run([*command, *options]).stdout)

    ours = score(hypotheses, references, code, normalizer="none")
    for name, theirs in [
        ("bleu", sacrebleu("-m", "bleu", "-tok", tokenizer)),
        ("chrf", sacrebleu("-m", "chrf")),
        ("chrfpp", sacrebleu("-m", "chrf", "--chrf-word-order", "2")),
    ]:
        assert ours[name] == pytest.approx(theirs["score"], abs=1e-6), name
        assert ours["signatures"][name] == "norm:none|" + theirs["signature"]


def test_bleu_of_tibetan_counts_syllables_and_says_so():
    # 5 and 6 syllables and a shad each. 1-grams 5 of 6, 2-grams 3 of 5, 3-grams 1 of 4, 4-grams 0 of 3
    # (smoothed to 1/2 of 3), worked out by hand; brevity exp(1 - 7/6).
    result = score(["ཀ་ཁ་ག་ང་ཅ།"], ["ཀ་ཁ་ག་ཆ་ཅ་ཇ།"], "bo", metrics=["bleu"])
    expected = 100 * (5 / 6 * 2 / 5 * 1 / 4 * (1 / 2) / 3) ** 0.25 * 2.718281828459045 ** (1 - 7 / 6)
    assert result["bleu"] == pytest.approx(expected)
    assert "|tok:swcm-bo-syllables|" in result["signatures"]["bleu"]
    assert "|tok:swcm-characters|" in score(["ភា"], ["ភា"], "km")["signatures"]["bleu"]


def test_rouge_equals_rouge_score_on_ascii():
    from rouge_score.rouge_scorer import RougeScorer

    kinds = ["rouge1", "rouge2", "rougeL"]
    scorer = RougeScorer(kinds)
    hypotheses, references = [text.upper() for text in sentences("en", 100, 5)], sentences("en", 100, 6)
    ours = score(hypotheses, references, "en", metrics=kinds)
    results = [scorer.score(reference, hypothesis) for hypothesis, reference in zip(hypotheses, references)]
    for kind in kinds:
        for name, part in [(kind, "fmeasure"), (kind + "_p", "precision"), (kind + "_r", "recall")]:
            assert ours[name] == pytest.approx(sum(getattr(r[kind], part) for r in results), abs=1e-9)


def plain_lcs(a, b, known=None):
    """The longest common subsequence by its definition: both end in the same token, or one of them loses it."""
    known = {} if known is None else known
    if not a or not b:
        return 0
    if (len(a), len(b)) not in known:
        if a[-1] == b[-1]:
            known[len(a), len(b)] = 1 + plain_lcs(a[:-1], b[:-1], known)
        else:
            known[len(a), len(b)] = max(plain_lcs(a[:-1], b, known), plain_lcs(a, b[:-1], known))
    return known[len(a), len(b)]


def test_rouge_l_against_a_plain_lcs_in_all_scripts():
    for code in ALPHABETS:
        target = language(code)
        split = tokenizer_for(target)
        for hypothesis, reference in zip(sentences(code, 200, 7), sentences(code, 200, 8)):
            values = rougeL([hypothesis], [[reference]], target).values()
            ours, theirs = split(hypothesis.lower()), split(reference.lower())
            common = plain_lcs(ours, theirs)
            assert values["rougeL_p"] == pytest.approx(100 * common / max(len(ours), 1))
            assert values["rougeL_r"] == pytest.approx(100 * common / max(len(theirs), 1))


def test_of_several_references_the_best_counts_as_in_sacrebleu_and_rouge_score():
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import BLEU, CHRF

    hypotheses, first, second = (sentences("en", 40, seed) for seed in (11, 12, 13))
    # Every third sentence has one reference only.
    references = [[a] if place % 3 == 0 else [a, b] for place, (a, b) in enumerate(zip(first, second))]
    streams = [first, [some[1] if len(some) > 1 else None for some in references]]
    ours = score(hypotheses, references, "en", ["bleu", "chrf", "chrfpp", "rougeL", "token_f1"], normalizer="none")
    assert ours["bleu"] == pytest.approx(BLEU().corpus_score(hypotheses, streams).score, abs=1e-9)
    assert ours["chrf"] == pytest.approx(CHRF().corpus_score(hypotheses, streams).score, abs=1e-9)
    assert ours["chrfpp"] == pytest.approx(CHRF(word_order=2).corpus_score(hypotheses, streams).score, abs=1e-9)
    scorer = RougeScorer(["rougeL"])
    best = [max(scorer.score(one, h)["rougeL"].fmeasure for one in some) for h, some in zip(hypotheses, references)]
    assert ours["rougeL"] == pytest.approx(100 * sum(best) / 40, abs=1e-9)
    assert all("|nrefs:var|" in signature for signature in ours["signatures"].values())


@pytest.mark.parametrize("seed", range(20))
def test_bleu_of_few_matches_is_sacrebleus(seed):
    """Orders without a match, or without an n-gram at all, are where the formula bends."""
    from sacrebleu.metrics import BLEU

    generator = random.Random(seed)
    words = [[generator.choice("abcdef") for _ in range(generator.randint(0, 7))] for _ in range(4)]
    hypotheses, references = [" ".join(line) for line in words[:2]], [" ".join(line) + " x" for line in words[2:]]
    expected = BLEU().corpus_score(hypotheses, [references]).score
    assert score(hypotheses, references, "en", ["bleu"], "none")["bleu"] == pytest.approx(expected, abs=1e-9)


def test_spbleu_counts_the_pieces_of_the_model_that_is_named(tmp_path, monkeypatch):
    import sentencepiece
    from sacrebleu.metrics import BLEU

    texts = sentences("kk", 200, 14)
    (tmp_path / "text").write_text("\n".join(texts), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text"), model_prefix=str(tmp_path / "m"), vocab_size=20, minloglevel=2
    )
    monkeypatch.setenv("SWCM_SPBLEU_MODEL", str(tmp_path / "m.model"))
    ours = score(texts[:50], texts[50:100], "kk", ["spbleu"], "none")
    model = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "m.model"))
    pieces = [" ".join(model.encode(text, out_type=str)) for text in texts]
    expected = BLEU(tokenize="none", force=True).corpus_score(pieces[:50], [pieces[50:100]]).score
    assert ours["spbleu"] == pytest.approx(expected, abs=1e-9)
    assert "|tok:spm-" in ours["signatures"]["spbleu"]


def test_spbleu_without_its_model_says_where_to_put_it(tmp_path, monkeypatch):
    from sacrebleu.tokenizers import tokenizer_spm

    def no_network(url, path, *rest):
        raise OSError("no network")

    monkeypatch.delenv("SWCM_SPBLEU_MODEL", raising=False)
    monkeypatch.setattr(tokenizer_spm, "SACREBLEU_DIR", str(tmp_path))
    monkeypatch.setattr(tokenizer_spm, "download_file", no_network)
    with pytest.raises(SwcmError, match="no network.*put it at .*models.*SWCM_SPBLEU_MODEL"):
        score(["a"], ["a"], "kk", ["spbleu"])
    monkeypatch.setenv("SWCM_SPBLEU_MODEL", str(tmp_path / "none"))
    with pytest.raises(SwcmError, match="is no SentencePiece model"):
        score(["a"], ["a"], "kk", ["spbleu"])


def test_a_reference_is_normalized_as_the_hypothesis_was():
    # The model's pieces have U+202F as a space and full-width forms plain; its reference came from a raw file.
    hypotheses = ["ᠮᠣᠩᠭᠣᠯ ᠤᠨ ᠨᠣᠮ ᠪᠠᠢᠨ\u180eᠠ (1)"]
    references = ["ᠮᠣᠩᠭᠣᠯ\u202fᠤᠨ  ᠨᠣᠮ ᠪᠠᠢᠨ\u180eᠠ （１）"]
    normalized = score(hypotheses, references, "mn")
    assert normalized["chrf"] == pytest.approx(100) and normalized["bleu"] == pytest.approx(100)
    assert normalized["signatures"]["chrf"].startswith("norm:nmt_nfkc|")
    assert score(hypotheses, references, "mn", normalizer="none")["chrfpp"] < 90


def test_keys_are_those_of_the_scores_file():
    assert list(score(["a"], ["a"], "kk")) == ["bleu", "chrf", "chrfpp", "signatures"]
    assert list(score(["a"], ["a"], "kk")["signatures"]) == ["bleu", "chrf", "chrfpp"]


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(SwcmError) as error:
        score(["a", "b"], ["  "], "kk", metrics=["bleu", "meteor"], normalizer="nfd")
    for part in ["'meteor'", "'nfd'", "2 hypotheses for 1 references", "hold no text"]:
        assert part in str(error.value)


def test_an_unknown_language():
    with pytest.raises(SwcmError, match="unknown language 'kaz'"):
        score(["a"], ["a"], "kaz")


def test_empty_hypotheses_score_0():
    result = score(["", ""], ["бір сөз", "екі сөз"], "kk", metrics=LIKENESS + ["wrong_language", "length_ratio"])
    assert {value for name, value in result.items() if name != "signatures"} == {0.0}


# spBLEU wants a model.
ALL = [name for name in METRICS if name != "spbleu"]


def values(found):
    return {name: value for name, value in found.items() if name != "signatures"}


@pytest.mark.parametrize("code", ["en", "bo", "zh"])
def test_the_order_of_references_does_not_matter_and_a_blank_one_is_none(code):
    hypotheses = sentences(code, 40, 21)
    columns = [sentences(code, 40, seed) for seed in (22, 23, 24)]
    generator = random.Random(25)
    columns = [[text if generator.random() < 0.6 else generator.choice(["", " "]) for text in one] for one in columns]
    hypotheses[3] = hypotheses[7] = ""
    columns[0][5] = columns[1][5] = columns[2][5] = ""  # none at all is an empty one
    expected = score(hypotheses, [list(some) for some in zip(*columns)], code, ALL)
    for order in ((1, 2, 0), (2, 1, 0), (2, 0, 1)):
        assert score(hypotheses, [[some[place] for place in order] for some in zip(*columns)], code, ALL) == expected
    kept = [[one for one in some if one.strip()] or [""] for some in zip(*columns)]
    assert score(hypotheses, kept, code, ALL) == expected


@pytest.mark.parametrize("code", ["en", "bo", "zh"])
def test_the_order_of_sentences_does_not_matter(code):
    hypotheses, references = sentences(code, 40, 26), sentences(code, 40, 27)
    hypotheses[0] = references[4] = ""
    order = list(range(40))
    random.Random(28).shuffle(order)
    one = score(hypotheses, references, code, ALL)
    other = score([hypotheses[i] for i in order], [references[i] for i in order], code, ALL)
    assert values(other) == pytest.approx(values(one), abs=1e-9)


def test_measuring_in_parts_changes_nothing(monkeypatch):
    hypotheses, references = sentences("en", 60, 29), sentences("en", 60, 30)
    hypotheses[10] = hypotheses[50]
    lists = [[one] if place < 30 else [one, one + " more"] for place, one in enumerate(references)]
    found = []
    for part, many in ((10**9, 10**9), (1, 10**9), (100, 10)):
        monkeypatch.setattr("swcm_fairseq.scoring.metrics.PART", part)
        monkeypatch.setattr("swcm_fairseq.scoring.metrics.MANY", many)
        found.append(score(hypotheses, lists, "en", ALL, resamples=50))
    assert found[0] == found[1] == found[2]
    # The last setting again, in several processes, which take parts out of order.
    one, two = (measure(hypotheses, lists, "en", ALL, workers=workers) for workers in (1, 2))
    for name in ALL:
        assert np.array_equal(one[name].rows, two[name].rows) and one[name].signature == two[name].signature
        assert one[name].values() == two[name].values()
    assert "|nrefs:var|" in found[0]["signatures"]["bleu"] and "|nrefs:var|" in found[0]["signatures"]["rougeL"]


def test_texts_that_stay_in_their_files_score_as_lists(tmp_path):
    from swcm_fairseq.scoring.corpus import read_lines

    hypotheses, references = sentences("kk", 20, 31), sentences("kk", 20, 32)
    for name, texts in (("h", hypotheses), ("r", references)):
        (tmp_path / name).write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    lazy = [read_lines(str(tmp_path / name)) for name in "hr"]
    assert score(*lazy, "kk", ALL) == score(hypotheses, references, "kk", ALL)


def test_memory_does_not_grow_with_the_length_of_the_corpus():
    import tracemalloc

    texts = sentences("kk", 300, 33)

    def peak(times):
        tracemalloc.start()
        score(Repeated(texts, times), Repeated(texts, times), "kk", ["chrf"])
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(1)
    # 18 numbers of 8 bytes, and no n-grams of the sentences.
    assert peak(20) - peak(4) < 16 * 300 * 1000


class Repeated:
    """Sentences, so many times over, without the memory."""

    def __init__(self, texts, times):
        self.texts, self.times = texts, times

    def __len__(self):
        return len(self.texts) * self.times

    def __getitem__(self, place):
        if place >= len(self):
            raise IndexError(place)
        return self.texts[place % len(self.texts)]
