"""The page: one HTML file that needs nothing else, no script among it."""

from html import escape
from typing import Any, Dict, List, Sequence

from ..evaluation import Evaluation
from ..metrics import METRICS, title_of
from ..table import values_of
from .samples import main_metric, ranked
from .svg import Drawing

SHOWN = 8  # best sentences, and as many of the worst

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; } h3 { font-size: 1rem; margin: 1.5rem 0 0; }
table { border-collapse: collapse; margin: .5rem 0; } .wide { overflow-x: auto; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: right; vertical-align: top; }
th:first-child, td:first-child, .samples th, .samples td { text-align: left; }
td small { color: #666; white-space: nowrap; } .scores small { display: block; }
.samples td { min-width: 9rem; unicode-bidi: plaintext; }
figure { margin: 1rem 0; overflow-x: auto; } figcaption { color: #555; font-size: .9rem; }
svg text { font: 12px system-ui, sans-serif; fill: #333; } svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; } svg .grid { stroke: #e2e2e2; } svg .key { stroke-width: 4; }
svg .bar { stroke-width: 2.5; stroke-opacity: .55; } svg .curve { fill: none; stroke-width: 1.8; }
svg .cell { stroke: #eee; } code { font-size: .8rem; overflow-wrap: anywhere; } .sure { font-weight: 600; }
""".strip()

# Whatever a sentence of the test set may hold, the browser fetches and runs nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(title: str, sections: Sequence[str]) -> str:
    """The whole file."""
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>\n{_STYLE}\n</style>'
    )
    body = "<h1>{}</h1>\n{}".format(escape(title), "\n".join(sections))
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n<body>\n{body}\n</body>\n</html>\n'


def section(heading: str, *parts: str) -> str:
    """A heading and what stands under it."""
    return "<section>\n<h2>{}</h2>\n{}\n</section>".format(escape(heading), "\n".join(parts))


def figure(name: str, drawing: Drawing, caption: str) -> str:
    """A plot; ``data-marks`` says how many marks it must show."""
    name, caption = escape(name, quote=True), escape(caption)
    return (
        f'<figure id="{name}" data-marks="{drawing.marks}">{drawing.svg()}<figcaption>{caption}</figcaption></figure>'
    )


def score_tables(evaluations: Sequence[Evaluation], signature: str) -> List[str]:
    """A table a language, and one of the differences to the baseline where systems were tested."""
    parts = []
    for one in evaluations:
        names = values_of(next(iter(one.scores.values())))
        sentences = len(one.test_set.references)
        header = [f"{one.lang} ({sentences} sentences)"] + [title_of(name) for name in names]
        rows = [[escape(system)] + [_cell(name, scores) for name in names] for system, scores in one.scores.items()]
        parts.append(_table(header, rows))
        if one.compared:
            header = ["less " + one.baseline] + header[1:]
            rows = [
                [escape(system)] + [_difference(found[name]) for name in names]
                for system, found in one.compared.items()
            ]
            parts.append(_table(header, rows))
    if any(one.compared for one in evaluations):
        parts.append(f"<p>Bold: p &lt; 0.05. Paired tests: <code>{escape(signature)}</code></p>")
    return parts


def signature_table(evaluations: Sequence[Evaluation]) -> str:
    """How every number was made."""
    rows = [
        [escape(one.lang), escape(METRICS[name].title), f"<code>{escape(text)}</code>"]
        for one in evaluations
        for name, text in next(iter(one.scores.values()))["signatures"].items()
    ]
    return _table(["language", "metric", "signature"], rows, "samples")


def sample_table(evaluation: Evaluation) -> List[str]:
    """The best and the worst sentences, with what every system made of them."""
    name = main_metric(evaluation)
    order = ranked(evaluation)
    count = min(SHOWN, len(order) // 2)
    parts = []
    for words, places in (("best", order[:count]), ("worst", order[::-1][:count])):
        parts.append(f"<h3>{escape(evaluation.lang)}, {words} by {escape(title_of(name))}</h3>")
        parts.append(_samples(evaluation, name, places))
    return parts


def _samples(evaluation: Evaluation, name: str, places: Sequence[int]) -> str:
    test_set = evaluation.test_set
    systems = [evaluation.baseline, *evaluation.compared]
    values = {system: evaluation.measured[system][name].by_sentence()[name] for system in systems}
    header = (["source"] if test_set.sources is not None else []) + ["reference"] + systems
    rows = []
    for place in places:
        row = [escape(test_set.sources[place])] if test_set.sources is not None else []
        row.append("<br>".join(map(escape, test_set.references[place])))
        for system in systems:
            text = escape(test_set.systems[system][place])
            row.append(f"{text} <small>{values[system][place]:.1f}</small>")
        rows.append(row)
    return _table(header, rows, "samples")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "scores") -> str:
    """Header cells are text, the others HTML."""
    lines = ["<tr>{}</tr>".format("".join(f"<th>{escape(cell)}</th>" for cell in header))]
    # Each cell finds its own direction: Uyghur and Kazakh in Arabic script run from right to left.
    lines += ["<tr>{}</tr>".format("".join(f'<td dir="auto">{cell}</td>' for cell in row)) for row in rows]
    return '<div class="wide"><table class="{}">\n{}\n</table></div>'.format(kind, "\n".join(lines))


def _cell(name: str, scores: Dict[str, Any]) -> str:
    text = f"{scores[name]:.2f}"
    if "intervals" in scores:
        text += " <small>{:.2f} to {:.2f}</small>".format(*scores["intervals"][name])
    return text


def _difference(found: Dict[str, Any]) -> str:
    return '<span class="{}">{:+.2f}</span> <small>{:+.2f} to {:+.2f}, p {:.3g}</small>'.format(
        "sure" if found["p"] < 0.05 else "open", found["difference"], *found["interval"], found["p"]
    )
