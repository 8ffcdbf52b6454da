"""Exact match and token F1 for reading comprehension (Rajpurkar et al. 2016), with tokens in every script."""

from collections import Counter
from typing import Callable, List, Sequence

from ..languages import Language
from ..version import __version__
from .statistics import Statistics, count_references, means
from .tokenizers import tokenizer_for

_ARTICLES = {"en": frozenset(["a", "an", "the"])}  # SQuAD's own script leaves them out


def exact_match(hypotheses: Sequence[str], references: Sequence[Sequence[str]], target: Language) -> Statistics:
    """Share of answers whose tokens are those of one of the references, 0 to 100; case and punctuation are nothing."""
    return _answers("exact_match", _same, hypotheses, references, target)


def token_f1(hypotheses: Sequence[str], references: Sequence[Sequence[str]], target: Language) -> Statistics:
    """F1 of tokens in common, whatever their order, with the best of the references; the mean, 0 to 100."""
    return _answers("token_f1", _overlap, hypotheses, references, target)


def _answers(name: str, compare: Callable, hypotheses, references, target: Language) -> Statistics:
    split = tokenizer_for(target)
    articles = _ARTICLES.get(target.code, frozenset())

    def tokens(text: str) -> List[str]:
        # An answer such as "%" has no tokens; it is held against the reference as it stands.
        words = split(text.lower()) or text.split()
        return [word for word in words if word not in articles] or words

    values = [
        max(compare(tokens(hypothesis), tokens(one)) for one in some)
        for hypothesis, some in zip(hypotheses, references)
    ]
    signature = "nrefs:{}|case:lc|punct:no|art:{}|tok:swcm-{}|version:swcm-{}".format(
        count_references(references), "no" if articles else "yes", target.units, __version__
    )
    return means({name: values}, signature)


def _same(hypothesis: List[str], reference: List[str]) -> float:
    return float(hypothesis == reference)


def _overlap(hypothesis: List[str], reference: List[str]) -> float:
    common = sum((Counter(hypothesis) & Counter(reference)).values())
    if not hypothesis or not reference:
        return float(hypothesis == reference)
    return 2 * common / (len(hypothesis) + len(reference))
