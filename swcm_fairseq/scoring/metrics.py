"""The metrics by name, and ``score``, which puts them together."""

from typing import Any, Callable, Dict, NamedTuple, Sequence, Tuple

from ..data.languages import Language, language
from ..errors import SwcmError
from . import bleu, chrf, rouge
from .normalization import NORMALIZERS, normalize

Values = Dict[str, float]


class Metric(NamedTuple):
    """``compute(hypotheses, references, language)`` returns values by name, the first being the metric's own,
    and the signature; ``title`` is what a person reads."""

    title: str
    compute: Callable[[Sequence[str], Sequence[str], Language], Tuple[Values, str]]


METRICS: Dict[str, Metric] = {
    "bleu": Metric("BLEU", bleu.bleu),
    "chrf": Metric("chrF", chrf.chrf),
    "chrfpp": Metric("chrF++", chrf.chrfpp),
    "rouge1": Metric("ROUGE-1", rouge.rouge1),
    "rouge2": Metric("ROUGE-2", rouge.rouge2),
    "rougeL": Metric("ROUGE-L", rouge.rougeL),
}


def score(
    hypotheses: Sequence[str],
    references: Sequence[str],
    lang: str,
    metrics: Sequence[str] = ("bleu", "chrf", "chrfpp"),
    normalizer: str = "nmt_nfkc",
) -> Dict[str, Any]:
    """Score a system's outputs against one reference each.

    Args:
        hypotheses: N raw sentences (no pieces), in the order of the references.
        references: N raw sentences.
        lang: language code; it chooses the tokenizers.
        metrics: names out of ``METRICS``.
        normalizer: what is done to both sides first, a name out of ``NORMALIZERS``. The default is what
            SentencePiece did to all that the model ever saw, so that a reference is not held against it.

    Returns:
        ``{"bleu": 10.1, "chrf": 29.3, "chrfpp": 26.8, "signatures": {"bleu": "...", ...}}``, values from 0 to 100.
        ROUGE adds precision and recall: ``{"rougeL": F, "rougeL_p": P, "rougeL_r": R, ...}``.

    Raises:
        SwcmError: lists of different length or without text, an unknown language, metric or normalizer.
    """
    problems = ["unknown metric {!r}".format(name) for name in metrics if name not in METRICS]
    if not metrics:
        problems.append("no metric was asked for")
    if normalizer not in NORMALIZERS:
        problems.append("unknown normalizer {!r}; it is one of {}".format(normalizer, ", ".join(NORMALIZERS)))
    if len(hypotheses) != len(references):
        problems.append("{} hypotheses for {} references".format(len(hypotheses), len(references)))
    if not any(reference.strip() for reference in references):
        problems.append("the references hold no text")
    if problems:
        raise SwcmError("these sentences cannot be scored (metrics: {})".format(", ".join(METRICS)), problems)
    target = language(lang)
    hypotheses = normalize(hypotheses, normalizer)
    references = normalize(references, normalizer)
    scores: Dict[str, Any] = {}
    signatures = {}
    for name in metrics:
        values, signature = METRICS[name].compute(hypotheses, references, target)
        scores.update(values)
        signatures[name] = "norm:{}|{}".format(normalizer, signature)
    scores["signatures"] = signatures
    return scores
