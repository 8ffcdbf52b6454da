"""ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004) as rouge-score computes them, with tokens in every script.

rouge-score's own tokenizer drops every letter that is not ASCII, which makes 0 of all Tibetan.
"""

from types import SimpleNamespace
from typing import Sequence

from ..languages import Language
from .statistics import Statistics, count_references, means
from .tokenizers import tokenizer_for


def rouge1(hypotheses: Sequence[str], references: Sequence[Sequence[str]], target: Language) -> Statistics:
    """Single tokens in common: F, precision and recall, 0 to 100, averaged over sentences.

    Of several references the one counts whose F is highest.
    """
    return _rouge("rouge1", hypotheses, references, target)


def rouge2(hypotheses: Sequence[str], references: Sequence[Sequence[str]], target: Language) -> Statistics:
    """Pairs of neighbouring tokens in common; otherwise as ``rouge1``."""
    return _rouge("rouge2", hypotheses, references, target)


def rougeL(hypotheses: Sequence[str], references: Sequence[Sequence[str]], target: Language) -> Statistics:
    """The longest common subsequence of tokens; otherwise as ``rouge1``."""
    return _rouge("rougeL", hypotheses, references, target)


def _rouge(kind: str, hypotheses, references, target: Language) -> Statistics:
    # Only where it is asked for: it brings nltk along, which takes seconds to start.
    from importlib.metadata import version

    from rouge_score.rouge_scorer import RougeScorer

    split = tokenizer_for(target)
    scorer = RougeScorer([kind], tokenizer=SimpleNamespace(tokenize=lambda text: split(text.lower())))
    results = [scorer.score_multi(some, hypothesis)[kind] for hypothesis, some in zip(hypotheses, references)]
    columns = {
        kind: [result.fmeasure for result in results],
        kind + "_p": [result.precision for result in results],
        kind + "_r": [result.recall for result in results],
    }
    signature = "nrefs:{}|case:lc|stem:no|agg:mean|tok:swcm-{}|version:rouge-score-{}".format(
        count_references(references), target.units, version("rouge_score")
    )
    return means(columns, signature)
