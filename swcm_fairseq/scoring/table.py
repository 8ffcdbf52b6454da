"""Scores for a person to read in a terminal."""

from typing import Any, Dict, List, Sequence

from .evaluation import Evaluation
from .metrics import METRICS, title_of

_BESIDE = ("intervals", "signatures")


def values_of(scores: Dict[str, Any]) -> List[str]:
    """The names of the values in what ``score`` returned, in order."""
    return [name for name in scores if name not in _BESIDE]


def table(evaluation: Evaluation, signature: str) -> str:
    """Systems down and values across, each with half the width of its interval; under it the tests, the signatures.

    A difference to the baseline is marked ``*`` where p < 0.05.
    """
    names = values_of(next(iter(evaluation.scores.values())))
    sentences = len(evaluation.test_set.references)
    header = [f"{evaluation.lang} ({sentences} sentences)"] + [title_of(name) for name in names]
    rows = [[_short(system)] + [_cell(name, scores) for name in names] for system, scores in evaluation.scores.items()]
    lines = _aligned([header] + rows)
    if evaluation.compared:
        header = ["less " + _short(evaluation.baseline)] + header[1:]
        rows = [
            [_short(system)] + [_difference(found[name]) for name in names]
            for system, found in evaluation.compared.items()
        ]
        lines += [""] + _aligned([header] + rows)
        lines.append(f"* p < 0.05 ({signature})")
    signatures = next(iter(evaluation.scores.values()))["signatures"]
    width = max(len(METRICS[name].title) for name in signatures)
    lines += ["", *(f"{METRICS[name].title.ljust(width)}  {text}" for name, text in signatures.items())]
    return "\n".join(lines)


def _cell(name: str, scores: Dict[str, Any]) -> str:
    text = f"{scores[name]:.2f}"
    if "intervals" in scores:
        low, high = scores["intervals"][name]
        text += f" ±{(high - low) / 2:.2f}"
    return text


def _difference(found: Dict[str, Any]) -> str:
    return "{:+.2f}{}".format(found["difference"], "*" if found["p"] < 0.05 else " ")


def _aligned(rows: Sequence[Sequence[str]]) -> List[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])])
        for row in rows
    ]


def _short(path: str, limit: int = 40) -> str:
    return path if len(path) <= limit else "..." + path[3 - limit :]
