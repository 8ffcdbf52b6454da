"""Sums of parts give the score of the whole, as ``score`` (and swcm-score) computes it."""

import random

import numpy as np
import pytest

from swcm_fairseq.scoring import score
from swcm_fairseq.validation.settings import KNOWN
from swcm_fairseq.validation.sums import ScoreSums

WORDS = {
    "kk": "Файлды ашып, жаңа қалтаға сақтаңыз. Балалар мектепте тарихты оқиды NEW 3.5".split(),
    "zh": "今天天气很好，我们去山上看羊。 请打开文件 ＡＢＣ 保存".split(),
    "bo": "བོད་ཡིག་ནི་ སྙན་པོ་ ཡིན། ཁྱེད་རང་ ག་པར་ ཕེབས་ བཀྲ་ཤིས་".split(),
    "ug": "بۈگۈن ھاۋا ياخشى، بىز تاغقا قوي كۆرگىلى بارىمىز.".split(),
    "mn": "Файлыг нээгээд шинэ хавтсанд хадгална уу. Энэ ном".split(),
    "en": "the cat sat on a mat and the dog saw it".split(),
}
# spBLEU wants a model that is downloaded.
NAMES = [name for name in KNOWN if name != "spbleu"]


def texts(lang):
    chance = random.Random(lang)
    references = [" ".join(chance.choices(WORDS[lang], k=chance.randint(1, 9))) for _ in range(40)]
    hypotheses = []
    for reference in references:
        words = [word if chance.random() < 0.6 else chance.choice(WORDS[lang]) for word in reference.split()]
        hypotheses.append(" ".join(words[: chance.randint(0, len(words))] or words))
    hypotheses[3], references[7], hypotheses[11] = "", "", references[11]
    return hypotheses, references


@pytest.mark.parametrize("lang", sorted(WORDS))
def test_parts_add_up_to_the_score_of_the_whole(lang):
    hypotheses, references = texts(lang)
    sums = ScoreSums(NAMES, lang)
    # As batches come: of different size, one of them with no reference text, and none at all.
    ends = [0, 7, 8, 8, 25, 40]
    parts = [sums.of(hypotheses[a:b], references[a:b]) for a, b in zip(ends, ends[1:])]
    assert {part.shape for part in parts} == {(sums.width,)}
    assert not parts[2].any()
    found = sums.scores(np.sum(parts, axis=0))
    whole = score(hypotheses, references, lang, NAMES)
    assert list(found) == NAMES
    for name in NAMES:
        assert found[name] == pytest.approx(whole[name], rel=1e-12), name
        assert sums.signatures[name] == whole["signatures"][name], name
    # Every metric sees something, but for what good text has none of.
    assert all(found[name] > 0 for name in ("bleu", "chrf", "chrfpp", "rougeL", "exact_match", "empty"))


def test_references_are_normalized_as_hypotheses_are():
    # What SentencePiece has made of a full-width letter, and what stands in a raw reference.
    sums = ScoreSums(["exact_match", "chrfpp"], "zh")
    assert sums.scores(sums.of(["ABC文件"], ["ＡＢＣ文件"])) == {"exact_match": 100.0, "chrfpp": 100.0}


def test_no_sentence_has_no_score():
    sums = ScoreSums(["chrfpp", "rougeL"], "kk")
    assert sums.scores(sums.of([], [])) is None
    assert sums.scores(sums.of([""], ["бір"])) == {"chrfpp": 0.0, "rougeL": 0.0}
