"""What recipes/reproduce.sh is to train, in order, and what of it the ledger has."""

import itertools
import os
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

from swcm_fairseq.errors import SwcmError

from . import reproduce_ledger as ledger

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = os.path.join(HERE, "reproduce_rows.tsv")
PLAN = os.path.join(HERE, "reproduce_plan.tsv")
ALL = "all"


class Row(NamedTuple):
    """A line of reproduce_rows.tsv."""

    name: str
    group: str
    layers: str
    pretrain: str
    flags: str
    paper: str


class Experiment(NamedTuple):
    """A line of reproduce_plan.tsv: ``rows`` trained with so many ``pairs`` a language and so many ``updates``."""

    name: str
    pairs: str
    updates: int
    rates: List[str]
    seeds: List[int]
    rows: List[str]


class Job(NamedTuple):
    """One training; ``rate`` is None where it depends on trainings that are still to come."""

    pairs: str
    row: str
    updates: int
    rate: Optional[str]
    seed: int


class Setting(NamedTuple):
    """What all trainings of a call share: the encoder's ``size`` and the languages translated into."""

    size: str
    langs: List[str]

    def name(self, job: Job) -> str:
        """The ledger's name of a training."""
        return ".".join([self.size, "-".join(self.langs), *map(str, job)])


def _table(path: str, columns: int) -> List[List[str]]:
    with open(path, encoding="utf-8") as stream:
        lines = [line.rstrip("\n").split("\t") for line in stream if line.strip() and not line.startswith("#")]
    for line in lines:
        if len(line) != columns:
            raise SwcmError(f"{path}: {len(line)} columns in the line of {line[0]}, not {columns}")
    return lines


def read_rows(path: str = ROWS) -> Dict[str, Row]:
    rows = [Row(*line) for line in _table(path, len(Row._fields))]
    if len({row.name for row in rows}) != len(rows):
        raise SwcmError(f"{path} has two rows of one name")
    return {row.name: row for row in rows}


def read_plan(path: str = PLAN) -> List[Experiment]:
    return [
        Experiment(name, pairs, int(updates), rates.split(), [int(seed) for seed in seeds.split()], rows.split())
        for name, pairs, updates, rates, seeds, rows in _table(path, len(Experiment._fields))
    ]


def jobs(plan: Sequence[Experiment], setting: Setting, entries: Dict[str, Dict]) -> Iterator[Job]:
    """All trainings of ``plan``, each once: the first seed with all rates before the others, row by row."""
    seen = set()
    for one in plan:
        first = [Job(one.pairs, row, one.updates, rate, one.seeds[0]) for rate in one.rates for row in one.rows]
        others = (
            Job(one.pairs, row, one.updates, best_rate(one, row, setting, entries), seed)
            for seed in one.seeds[1:]
            for row in one.rows
        )
        for job in itertools.chain(first, others):
            if job not in seen:
                seen.add(job)
                yield job


def best_rate(
    one: Experiment, row: str, setting: Setting, entries: Dict[str, Dict], so_far: bool = False
) -> Optional[str]:
    """The rate with the best validation chrF++ of the first seed, of equals the first.

    None before all rates are there; with ``so_far`` it is the best of those that are.
    """
    names = {rate: setting.name(Job(one.pairs, row, one.updates, rate, one.seeds[0])) for rate in one.rates}
    scores = {rate: entries[name]["chosen"]["chrfpp"] for rate, name in names.items() if name in entries}
    if len(one.rates) == 1:
        return one.rates[0]
    if not scores or (len(scores) < len(one.rates) and not so_far):
        return None
    return max(scores, key=scores.__getitem__)


def missing(plan: Sequence[Experiment], setting: Setting, entries: Dict[str, Dict]) -> List[Job]:
    """What of the plan the ledger does not have, in order; those without a rate cannot be trained yet."""
    return [job for job in jobs(plan, setting, entries) if job.rate is None or setting.name(job) not in entries]


def check(plan: Sequence[Experiment], rows: Dict[str, Row]) -> None:
    """Raise ``SwcmError`` for all rows of the plan that there are not."""
    strange = sorted({row for one in plan for row in one.rows if row not in rows})
    if strange:
        raise SwcmError("{} has no such rows: {}".format(ROWS, ", ".join(strange)))


def read_ledger(folder: str, setting: Setting) -> Dict[str, Dict]:
    """The trainings of this setting by name; raises ``SwcmError`` where two of them have other test sentences."""
    entries = {
        name: entry
        for name, entry in ledger.of_kind(ledger.read(folder), "training").items()
        if (entry["size"], entry["langs"]) == (setting.size, setting.langs)
    }
    digests = {lang: {entry["test"][lang]["digest"] for entry in entries.values()} for lang in setting.langs}
    several = [lang for lang, found in digests.items() if len(found) > 1]
    if several:
        raise SwcmError(f"{folder} holds trainings with other test sentences than others have: {', '.join(several)}")
    return entries
