"""chrF and chrF++ (Popovic 2015, 2017) as sacreBLEU computes them.

Character n-grams need no tokenizer, so these compare across scripts best. chrF++ adds word n-grams, words
being what stands between white space: in Tibetan or Chinese it is little more than chrF.
"""

from typing import Dict, Sequence, Tuple

from sacrebleu.metrics import CHRF

from ..data.languages import Language


def chrf(hypotheses: Sequence[str], references: Sequence[str], target: Language) -> Tuple[Dict[str, float], str]:
    """Corpus chrF2, 0 to 100, and sacreBLEU's signature."""
    return _chrf("chrf", 0, hypotheses, references)


def chrfpp(hypotheses: Sequence[str], references: Sequence[str], target: Language) -> Tuple[Dict[str, float], str]:
    """Corpus chrF2++ (word n-grams up to 2), 0 to 100, and sacreBLEU's signature."""
    return _chrf("chrfpp", 2, hypotheses, references)


def _chrf(name: str, word_order: int, hypotheses, references) -> Tuple[Dict[str, float], str]:
    metric = CHRF(word_order=word_order)
    result = metric.corpus_score(list(hypotheses), [list(references)])
    return {name: result.score}, str(metric.get_signature())
