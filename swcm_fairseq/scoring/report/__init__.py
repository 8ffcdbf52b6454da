"""The report of ``swcm-score --report``: scores, plots and sentences on one page that opens without a network."""

import os
from typing import Any, Dict, List, Optional, Sequence

from ...errors import SwcmError
from ...files import atomic_folder, write_json
from ..evaluation import Evaluation
from ..metrics import METRICS, title_of
from . import plots
from .attention import attention
from .page import figure, page, sample_table, score_tables, section, signature_table
from .samples import by_length, main_metric, to_look_into
from .training_log import read_curves

PAGE = "index.html"
SCORES = "scores.json"


def write_report(
    folder: str,
    evaluations: Sequence[Evaluation],
    scores: Dict[str, Any],
    signature: str,
    logs: Sequence[str] = (),
    model: Optional[str] = None,
    force: bool = False,
) -> None:
    """Write ``folder/index.html``, and ``scores`` beside it as ``scores.json``.

    Args:
        evaluations: one a language.
        signature: of the paired tests.
        logs: what fairseq-train printed, or folders with it, for the loss curves.
        model: folder of swcm-pack with the first system, for the picture of attention.

    Raises:
        SwcmError: a report is there already and ``force`` is not set; a log or a model that cannot be read.
    """
    sections = [
        section("Scores", *score_tables(evaluations, signature)),
        section("By language", *_by_language(evaluations)),
        section("By length", *[_by_length(one) for one in evaluations]),
    ]
    if logs:
        sections.append(section("Training", _losses(logs)))
    if model:
        sections.append(section("Attention", _attention(evaluations[0], model)))
    sections.append(section("Sentences", *[part for one in evaluations for part in sample_table(one)]))
    sections.append(section("How the numbers were made", signature_table(evaluations)))
    title = "Scores: " + ", ".join(one.lang for one in evaluations)
    with atomic_folder(folder, force) as temporary:
        with open(os.path.join(temporary, PAGE), "w", encoding="utf-8", newline="\n") as stream:
            stream.write(page(title, sections))
        with open(os.path.join(temporary, SCORES), "w", encoding="utf-8", newline="\n") as stream:
            write_json(stream, scores)


def _by_language(evaluations: Sequence[Evaluation]) -> List[str]:
    names = [name for name in METRICS if name in evaluations[0].measured[evaluations[0].baseline]]
    parts = []
    for name in names:
        values = {
            one.lang: {
                system: plots.Point(scores[name], tuple(scores["intervals"][name]) if "intervals" in scores else None)
                for system, scores in one.scores.items()
            }
            for one in evaluations
        }
        drawing = plots.by_language(title_of(name), values)
        parts.append(figure("by-language-" + name, drawing, title_of(name) + " with 95% bootstrap intervals"))
    return parts


def _by_length(evaluation: Evaluation) -> str:
    name = main_metric(evaluation)
    intervals = "intervals" in next(iter(evaluation.scores.values()))
    found = by_length(evaluation, intervals)
    drawing = plots.by_length(title_of(name), found.unit, found.bins, found.points)
    words = f"{evaluation.lang}: {title_of(name)} by {found.unit}, in bins of about equally many sentences"
    return figure("by-length-" + evaluation.lang, drawing, words)


def _losses(logs: Sequence[str]) -> str:
    series = {}
    for log in logs:
        for name, curve in read_curves(log).items():
            series[f"{_run(log)} {name}" if len(logs) > 1 else name] = curve
    return figure("losses", plots.curves("loss, bits a piece", series), "Loss in training and validation")


def _run(log: str) -> str:
    """A short name for a run: its folder's."""
    path = os.path.abspath(log)
    return os.path.basename(path if os.path.isdir(path) else os.path.dirname(path))


def _attention(evaluation: Evaluation, model: str) -> str:
    sources = evaluation.test_set.sources
    if sources is None:
        raise SwcmError("the picture of attention needs the sources: give them with --src")
    place = to_look_into(evaluation)
    output = evaluation.test_set.systems[evaluation.baseline][place]
    found = attention(model, sources[place], output, evaluation.lang)
    drawing = plots.heat_map("attention", found.target, found.source, found.weights)
    words = f"What the decoder's last layer reads (across) while it writes (down), sentence {place + 1}"
    return figure("attention", drawing, words)
