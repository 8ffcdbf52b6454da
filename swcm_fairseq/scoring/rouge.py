"""ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004) as rouge-score computes them, with tokens in every script.

rouge-score's own tokenizer drops every letter that is not ASCII, which makes 0 of all Tibetan.
"""

from typing import Dict, List, Sequence, Tuple

from ..data.languages import Language
from .tokenizers import tokenizer_for


class _Tokens:
    """The shape in which rouge-score takes a tokenizer."""

    def __init__(self, target: Language) -> None:
        self._split = tokenizer_for(target)

    def tokenize(self, text: str) -> List[str]:
        return self._split(text.lower())


def rouge1(hypotheses: Sequence[str], references: Sequence[str], target: Language) -> Tuple[Dict[str, float], str]:
    """Single tokens in common: F, precision and recall, 0 to 100, averaged over sentences; and a signature."""
    return _rouge("rouge1", hypotheses, references, target)


def rouge2(hypotheses: Sequence[str], references: Sequence[str], target: Language) -> Tuple[Dict[str, float], str]:
    """Pairs of neighbouring tokens in common; otherwise as ``rouge1``."""
    return _rouge("rouge2", hypotheses, references, target)


def rougeL(hypotheses: Sequence[str], references: Sequence[str], target: Language) -> Tuple[Dict[str, float], str]:
    """The longest common subsequence of tokens; otherwise as ``rouge1``."""
    return _rouge("rougeL", hypotheses, references, target)


def _rouge(kind: str, hypotheses, references, target: Language) -> Tuple[Dict[str, float], str]:
    # Only where it is asked for: it brings nltk along, which takes seconds to start.
    from importlib.metadata import version

    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer([kind], tokenizer=_Tokens(target))
    precision = recall = fmeasure = 0.0
    for hypothesis, reference in zip(hypotheses, references):
        result = scorer.score(reference, hypothesis)[kind]
        precision += result.precision
        recall += result.recall
        fmeasure += result.fmeasure
    scale = 100.0 / len(references)
    values = {kind: fmeasure * scale, kind + "_p": precision * scale, kind + "_r": recall * scale}
    signature = "nrefs:1|case:lc|stem:no|agg:mean|tok:swcm-{}|version:rouge-score-{}".format(
        target.units, version("rouge_score")
    )
    return values, signature
