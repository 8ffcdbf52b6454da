"""The ledger's tables and figure: scores with intervals, paired tests, curves, and what is missing.

Seeds of a row are taken together: each sentence has one row of counts over all seeds, so that intervals and tests draw
sentences, with what all seeds made of them, and the difference between seeds stands beside as a standard deviation. A
row is tested against the first one of its experiment, with the seeds that both have and at the same number of pairs; p
is Holm-corrected over all rows, numbers of pairs and languages of the experiment.
"""

import statistics
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from swcm_fairseq.scoring.chrf import chrfpp_of_counts
from swcm_fairseq.scoring.report.plots import curves
from swcm_fairseq.scoring.resampling import compare, intervals
from swcm_fairseq.scoring.statistics import Statistics

from . import reproduce_ledger as ledger
from .reproduce_plan import Experiment, Job, Row, Setting, best_rate, jobs, missing
from .reproduce_training import NEARNESS

SHOWN = "chrfpp"
_STYLE = (
    "<style>text{font:12px sans-serif}.middle{text-anchor:middle}.end{text-anchor:end}.grid{stroke:#ddd}"
    ".curve{fill:none;stroke-width:2}svg{background:white}</style>"
)


class Measured(NamedTuple):
    """A row of an experiment's table: the entries of its seeds that are there, at the rate that was chosen."""

    one: Experiment
    row: str
    rate: str
    by_seed: Dict[int, Dict]


def measured_rows(plan: Sequence[Experiment], setting: Setting, entries: Dict[str, Dict]) -> List[Measured]:
    """All rows of some lines of the plan of which there is a training."""
    found = []
    for one in plan:
        for row in one.rows:
            rate = best_rate(one, row, setting, entries, so_far=True)
            if rate is None:
                continue
            names = {seed: setting.name(Job(one.pairs, row, one.updates, rate, seed)) for seed in one.seeds}
            by_seed = {seed: entries[name] for seed, name in names.items() if name in entries}
            if by_seed:
                found.append(Measured(one, row, rate, by_seed))
    return found


def counted(entry: Dict, lang: str) -> Statistics:
    return chrfpp_of_counts(ledger.unpack_counts(entry["test"][lang]["counts"]), entry["signatures"][SHOWN])


def together(row: Measured, lang: str, seeds: Optional[Sequence[int]] = None) -> Statistics:
    """Every sentence's counts over all seeds, or some."""
    chosen = [counted(row.by_seed[seed], lang) for seed in (row.by_seed if seeds is None else seeds)]
    return chosen[0]._replace(rows=sum(one.rows for one in chosen))


def holm(values: Dict[Tuple, float]) -> Dict[Tuple, float]:
    """p by key, corrected by Holm's step-down procedure for as many tests as there are."""
    corrected, highest = {}, 0.0
    for place, key in enumerate(sorted(values, key=values.__getitem__)):
        highest = max(highest, min(1.0, values[key] * (len(values) - place)))
        corrected[key] = highest
    return corrected


def against_first(rows: Sequence[Measured], langs: Sequence[str]) -> Dict[Tuple[int, str], Tuple[float, float]]:
    """(place of the row, language) -> difference to the experiment's first row, and p after Holm's correction."""
    differences, chances = {}, {}
    baselines = {row.one.pairs: row for row in rows if row.row == rows[0].one.rows[0]}
    for place, row in enumerate(rows):
        baseline = baselines.get(row.one.pairs)
        seeds = sorted(set(row.by_seed) & set(baseline.by_seed)) if baseline else []
        if baseline is None or not seeds or row is baseline or row.one.updates != baseline.one.updates:
            continue
        for lang in langs:
            pair = [together(which, lang, seeds) for which in (baseline, row)]
            found = compare(pair[:1], pair[1:])[0][SHOWN]
            differences[place, lang], chances[place, lang] = found.difference, found.p
    corrected = holm(chances)
    return {key: (differences[key], corrected[key]) for key in differences}


def table(plan: Sequence[Experiment], setting: Setting, entries: Dict[str, Dict], papers: Dict[str, Row]) -> List[str]:
    """The lines of one experiment's table in Markdown, of whatever is there."""
    langs = setting.langs
    rows = measured_rows(plan, setting, entries)
    left = missing(plan, setting, entries)
    lines = []
    if rows:
        compared = against_first(rows, langs)
        with_paper = any(papers[row.row].paper != "-" for row in rows)
        head = ["pairs", "updates", "row", "rate", "seeds", *langs, "mean", f"to `{plan[0].rows[0]}`"]
        head += ["paper's ROUGE-L"] if with_paper else []
        lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        for place, row in enumerate(rows):
            cells = [row.one.pairs, str(row.one.updates), f"`{row.row}`", row.rate, str(len(row.by_seed))]
            scores = []
            for lang in langs:
                one = together(row, lang)
                low, high = intervals([one])[0][SHOWN]
                scores.append(one.values()[SHOWN])
                cells.append(f"{scores[-1]:.1f} ({low:.1f} to {high:.1f})")
            cells.append(f"{statistics.mean(scores):.1f}{_spread(row, langs)}")
            tests = [compared[place, lang] for lang in langs if (place, lang) in compared]
            cells.append(
                ", ".join(f"{difference:+.1f}{'*' if p < 0.05 else ''}" for difference, p in tests)
                if len(tests) == len(langs)
                else ""
            )
            cells += [papers[row.row].paper.replace("-", "")] if with_paper else []
            lines.append("| " + " | ".join(cells) + " |")
        sizes = sorted(
            {entry["test"][lang]["sentences"] for row in rows for entry in row.by_seed.values() for lang in langs}
        )
        lines += [
            "",
            f"chrF++ of {' or '.join(map(str, sizes))} test sentences a language (95% interval over sentences; ± "
            "standard deviation over seeds of the mean). * p < 0.05 (Holm).",
        ]
    if left:
        total = len(list(jobs(plan, setting, entries)))
        lines += [f"Not measured yet: {len(left)} of {total} trainings."]
    return lines


def _spread(row: Measured, langs: Sequence[str]) -> str:
    means = [statistics.mean(entry["test"][lang][SHOWN] for lang in langs) for entry in row.by_seed.values()]
    return f" ± {statistics.stdev(means):.1f}" if len(means) > 1 else ""


def nearness_table(plan: Sequence[Experiment], setting: Setting, entries: Dict[str, Dict]) -> List[str]:
    """chrF++ of test sentences by how near the nearest training source is, over all languages."""
    rows, langs = measured_rows(plan, setting, entries), setting.langs
    if not rows:
        return []
    lines = ["| nearest training source | " + " | ".join(f"`{row.row}`, {row.one.pairs} pairs" for row in rows) + " |"]
    lines.append("|" + "---|" * (len(rows) + 1))
    for place, bound in enumerate(NEARNESS[:-1]):
        cells = [f"{bound} to {NEARNESS[place + 1]}"]
        for row in rows:
            sums = 0
            for lang in langs:
                one, bins = together(row, lang), next(iter(row.by_seed.values()))["test"][lang]["nearness"]
                sums = sums + one.rows[[kind == str(place) for kind in bins]].sum(axis=0)
            cells.append(f"{float(one.combine(sums)[SHOWN]):.1f}")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def languages_table(entries: Sequence[Dict]) -> List[str]:
    """recipes/more_languages.sh: a line a language, the decoder started from the encoder against the random one."""
    pairs: Dict[Tuple, Dict[str, Dict]] = {}
    for entry in entries:
        if entry.get("experiment") == "languages":
            key = (tuple(entry["langs"]), entry["pairs"], entry["updates"], entry["rate"], entry["seed"])
            pairs.setdefault(key, {})[entry["row"]] = entry
    lines: List[str] = []
    chances: Dict = {}
    for both in (one for _, one in sorted(pairs.items()) if {"shared", "random"} <= set(one)):
        for lang in both["shared"]["langs"]:
            shared, drawn = (counted(both[row], lang) for row in ("shared", "random"))
            found = compare([drawn], [shared])[0][SHOWN]
            low, high = found.interval
            chances[(len(lines),)] = found.p
            cells = [lang, str(both["shared"]["train"][lang])]
            cells += [f"{one.values()[SHOWN]:.1f}" for one in (shared, drawn)]
            lines.append("| " + " | ".join([*cells, f"{found.difference:+.1f} ({low:+.1f} to {high:+.1f})"]))
    if not lines:
        return []
    corrected = holm(chances)
    head = ["language", "training pairs", "`shared`", "`random`", "difference (95% interval)", "p (Holm)"]
    above = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return above + [f"{line} | {corrected[(place,)]:.4f} |" for place, line in enumerate(lines)]


def curve_figure(plan: Sequence[Experiment], setting: Setting, entries: Dict[str, Dict]) -> Optional[str]:
    """Validation chrF++ over updates of an experiment's first seeds, as SVG; None where there are none."""
    rows = measured_rows(plan, setting, entries)
    if not rows:
        return None
    series = {}
    for row in rows:
        entry = next(iter(row.by_seed.values()))
        series[f"{row.row}, {row.rate}"] = [(one["update"], one["chrfpp"]) for one in entry["validation"]]
    # By itself in a file, an SVG has to bring its name space and its style.
    drawn = curves("validation chrF++", series).svg()
    return drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(">", f">{_STYLE}", 1) + "\n"


def curve_table(plan: Sequence[Experiment], setting: Setting, entries: Dict[str, Dict]) -> List[str]:
    """Validation chrF++ by update, and the minutes that so many updates took."""
    rows = [(row, next(iter(row.by_seed.values()))) for row in measured_rows(plan, setting, entries)]
    if not rows:
        return []
    updates = sorted({one["update"] for _, entry in rows for one in entry["validation"]})
    lines = ["| updates | " + " | ".join(f"`{row.row}` (minutes)" for row, _ in rows) + " |"]
    lines.append("|" + "---|" * (len(rows) + 1))
    for update in updates:
        cells = [str(update)]
        for _, entry in rows:
            score = {one["update"]: one["chrfpp"] for one in entry["validation"]}.get(update)
            minutes = entry["seconds"] / entry["updates"] * update / 60
            cells.append("" if score is None else f"{score:.1f} ({minutes:.0f})")
        lines.append("| " + " | ".join(cells) + " |")
    return lines
