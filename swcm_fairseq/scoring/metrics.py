"""The metrics by name, and ``score``, which puts them together."""

import functools
import itertools
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Sequence, Tuple, Union

import numpy as np

from ..errors import SwcmError
from ..languages import Language, language
from . import answers, bleu, checks, chrf, resampling, rouge
from .corpus import in_one_order
from .lazy_lines import Mapped
from .normalization import NORMALIZERS, normalize
from .processes import ordered
from .statistics import MANY, Statistics, compact, joined

# One reference a sentence, or several.
References = Sequence[Union[str, Sequence[str]]]

PART = 30_000  # characters that are compared at a time


class Metric(NamedTuple):
    """``compute(hypotheses, references, language)`` returns the metric's ``Statistics`` (references are lists).

    ``title`` is what a person reads. ``better`` is 1 where more is better, -1 where less is, 0 where neither.
    ``alone`` says that a sentence's numbers depend on no other sentence, so that a test set may be measured in parts.
    """

    title: str
    compute: Callable[[Sequence[str], Sequence[Sequence[str]], Language], Statistics]
    better: int = 1
    alone: bool = True


METRICS: Dict[str, Metric] = {
    "bleu": Metric("BLEU", bleu.bleu),
    "spbleu": Metric("spBLEU", bleu.spbleu),
    "chrf": Metric("chrF", chrf.chrf),
    "chrfpp": Metric("chrF++", chrf.chrfpp),
    "rouge1": Metric("ROUGE-1", rouge.rouge1),
    "rouge2": Metric("ROUGE-2", rouge.rouge2),
    "rougeL": Metric("ROUGE-L", rouge.rougeL),
    "exact_match": Metric("exact match", answers.exact_match),
    "token_f1": Metric("token F1", answers.token_f1),
    "wrong_language": Metric("wrong language", checks.wrong_language, -1),
    "length_ratio": Metric("length ratio", checks.length_ratio, 0),
    "empty": Metric("empty", checks.empty, -1),
    "looping": Metric("looping", checks.looping, -1),
    "repeated": Metric("repeated", checks.repeated, -1, alone=False),
}
_PARTS = {"_p": " P", "_r": " R", "_script": " (script)"}


def title_of(value: str) -> str:
    """What a person reads for a value's name: ``rougeL_p`` -> ``ROUGE-L P``."""
    if value in METRICS:
        return METRICS[value].title
    for ending, words in _PARTS.items():
        name = value[: -len(ending)]
        if value.endswith(ending) and name in METRICS:
            return METRICS[name].title + words
    return value


def measure(
    hypotheses: Sequence[str],
    references: References,
    lang: str,
    metrics: Sequence[str] = ("bleu", "chrf", "chrfpp"),
    normalizer: str = "nmt_nfkc",
    workers: int = 1,
) -> Dict[str, Statistics]:
    """The statistics of each metric, from which ``score`` and the paired tests come; arguments are ``score``'s.

    ``workers`` processes share the work where there are more than ``MANY`` sentences.
    """
    lists = Mapped(references, lambda some: [some] if isinstance(some, str) else some)
    problems = [f"unknown metric {name!r}" for name in metrics if name not in METRICS]
    if not metrics:
        problems.append("no metric was asked for")
    if normalizer not in NORMALIZERS:
        problems.append("unknown normalizer {!r}; it is one of {}".format(normalizer, ", ".join(NORMALIZERS)))
    if len(hypotheses) != len(lists):
        problems.append(f"{len(hypotheses)} hypotheses for {len(lists)} references")
    if not any(one.strip() for some in lists for one in some):
        problems.append("the references hold no text")
    without = [number for number, some in enumerate(lists, 1) if not some]
    if without:
        problems.append(f"sentence {without[0]} has no reference")
    if problems:
        raise SwcmError("these sentences cannot be scored (metrics: {})".format(", ".join(METRICS)), problems)
    target = language(lang)
    parts: Dict[str, List[Statistics]] = {name: [] for name in metrics}
    alone = [name for name in metrics if METRICS[name].alone]
    many = len(hypotheses) > MANY
    outputs = Mapped(hypotheses, lambda text: normalize([text], normalizer)[0])
    every = Mapped(lists, lambda some: in_one_order(normalize(some, normalizer)))
    cut = _in_parts(outputs, every)
    # The first part is measured here in any case: its formulas, which cannot be sent, are those of all.
    for part in itertools.islice(cut, 1 if many and workers > 1 else None) if alone else ():
        for name in alone:
            found = METRICS[name].compute(*part, target)
            parts[name].append(compact(found) if many else found)
    if alone and many and workers > 1:
        for rows in ordered(functools.partial(_counted, alone, target), cut, workers):
            for name, (numbers, signature) in zip(alone, rows):
                parts[name].append(parts[name][0]._replace(rows=numbers, signature=signature))
    for name in metrics:
        if not METRICS[name].alone:
            parts[name].append(METRICS[name].compute(outputs, every, target))
    measured = {name: joined(found) for name, found in parts.items()}
    return {name: found._replace(signature=f"norm:{normalizer}|{found.signature}") for name, found in measured.items()}


def _counted(
    names: Sequence[str], target: Language, part: Tuple[List[str], List[List[str]]]
) -> List[Tuple[np.ndarray, str]]:
    """Rows and signature of each metric, of one part of many."""
    found = [compact(METRICS[name].compute(*part, target)) for name in names]
    return [(one.rows, one.signature) for one in found]


def _in_parts(
    hypotheses: Iterable[str], references: Iterable[List[str]]
) -> Iterator[Tuple[List[str], List[List[str]]]]:
    """The sentences, so many at a time that their n-grams fit into little memory."""
    outputs: List[str] = []
    lists: List[List[str]] = []
    characters = 0
    for hypothesis, some in zip(hypotheses, references):
        outputs.append(hypothesis)
        lists.append(some)
        characters += len(hypothesis) + sum(map(len, some))
        if characters > PART:
            yield outputs, lists
            outputs, lists, characters = [], [], 0
    if outputs:
        yield outputs, lists


def summary(measured: Dict[str, Statistics], resamples: int, seed: int = resampling.SEED) -> Dict[str, Any]:
    """Scores, intervals (where there are resamples) and signatures, in the shape that ``score`` returns."""
    scores: Dict[str, Any] = {}
    for found in measured.values():
        scores.update(found.values())
    signatures = {name: found.signature for name, found in measured.items()}
    if resamples:
        signatures = {name: resampling.signed(text, resamples, seed) for name, text in signatures.items()}
        every = resampling.intervals(list(measured.values()), resamples, seed)
        scores["intervals"] = {value: list(limits) for found in every for value, limits in found.items()}
    scores["signatures"] = signatures
    return scores


def score(
    hypotheses: Sequence[str],
    references: References,
    lang: str,
    metrics: Sequence[str] = ("bleu", "chrf", "chrfpp"),
    normalizer: str = "nmt_nfkc",
    resamples: int = 0,
) -> Dict[str, Any]:
    """Score a system's outputs against one or more references each.

    Args:
        hypotheses: N raw sentences (no pieces), in the order of the references.
        references: N raw sentences, or N lists of them; a blank one does not count beside others.
        lang: language code; it chooses the tokenizers.
        metrics: names out of ``METRICS``.
        normalizer: what is done to both sides first, a name out of ``NORMALIZERS``. The default is what
            SentencePiece did to all that the model ever saw, so that a reference is not held against it.
        resamples: test sets to draw for 95% intervals (1000 is usual); 0 gives none.

    Returns:
        ``{"bleu": 10.1, "chrf": 29.3, "chrfpp": 26.8, "signatures": {"bleu": "...", ...}}``, values from 0 to 100
        (but for ``length_ratio``, where 1 is the references' length).
        ROUGE adds precision and recall: ``{"rougeL": F, "rougeL_p": P, "rougeL_r": R, ...}``; ``wrong_language`` adds
        ``wrong_language_script``, the part of it that the script gives away. With ``resamples``, ``"intervals"``
        holds ``[low, high]`` for every value.

    Raises:
        SwcmError: lists of different length or without text, an unknown language, metric or normalizer.
    """
    return summary(measure(hypotheses, references, lang, metrics, normalizer), resamples)
