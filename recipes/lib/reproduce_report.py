"""The commands behind recipes/reproduce.sh and recipes/results.sh.

next      trainings of the plan that the ledger does not have and that can begin, a line each
record    a finished training -> the ledger
sizes     flags with LAYERS, WIDTH, INNER and HEADS replaced by an encoder's sizes
languages the table of recipes/more_languages.sh alone
tables    all of the ledger as Markdown, and what is missing; with --write into a README, between its markers
"""

import argparse
import json
import os
import re
import sys
from typing import Dict, List

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_write

from . import reproduce_ledger as ledger
from . import reproduce_speed as speed
from . import reproduce_tables as tables
from .reproduce_plan import Experiment, Job, Setting, check, missing, read_ledger, read_plan, read_rows
from .reproduce_training import entry_of

#: Where the tables go: ``<!-- ledger: core -->`` ... ``<!-- /ledger -->``.
_MARKED = re.compile(r"(<!-- ledger: ([\w-]+) -->\n).*?(<!-- /ledger -->)", re.DOTALL)
FIGURE = "curves"


def with_sizes(flags: str, encoder: str) -> str:
    """``flags`` with the encoder's sizes in their places."""
    with open(os.path.join(encoder, "config.json"), encoding="utf-8") as stream:
        config = json.load(stream)
    names = {
        "LAYERS": "num_hidden_layers",
        "WIDTH": "hidden_size",
        "INNER": "intermediate_size",
        "HEADS": "num_attention_heads",
    }
    return " ".join(str(config[names[word]]) if word in names else word for word in flags.split())


def plan_of(args) -> List[Experiment]:
    """The plan, or of it what --experiments names; with --rows a plan of its own."""
    if args.rows:
        return [Experiment("chosen", pairs, args.updates, args.rates, args.seeds, args.rows) for pairs in args.pairs]
    plan = read_plan()
    strange = sorted(set(args.experiments) - {one.name for one in plan})
    if strange:
        raise SwcmError("the plan has no such experiments: " + ", ".join(strange))
    return [one for one in plan if not args.experiments or one.name in args.experiments]


def next_jobs(args) -> None:
    rows, setting, plan = read_rows(), Setting(args.size, args.langs), plan_of(args)
    check(plan, rows)
    left = missing(plan, setting, read_ledger(args.ledger, setting))
    for job in left:
        if job.rate is not None:
            row = rows[job.row]
            print(setting.name(job), *job, row.layers, row.pretrain, row.flags, sep="\t")
    print(f"{len(left)} trainings are missing", file=sys.stderr)


def record(args) -> None:
    row, setting = read_rows()[args.row], Setting(args.size, args.langs)
    job = Job(args.pairs, args.row, args.updates, args.rate, args.seed)
    about = {"size": args.size, "langs": args.langs, **job._asdict(), "pretrain": row.pretrain, "flags": row.flags}
    if row.layers != "-":
        about["layers"] = row.layers
    about.update(commit=args.commit, experiment=args.experiment)
    ledger.write(args.ledger, setting.name(job), entry_of(args.training, args.split, args.langs, about))
    read_ledger(args.ledger, setting)


def sections(args) -> Dict[str, List[str]]:
    """The lines of every table by the name in its markers."""
    rows, setting = read_rows(), Setting(args.size, args.langs)
    entries, found = read_ledger(args.ledger, setting), {}
    plan = plan_of(args)
    check(plan, rows)
    for name in dict.fromkeys(one.name for one in plan):
        part = [one for one in plan if one.name == name]
        found[name] = tables.table(part, setting, entries, rows)
    curves = [one for one in plan if one.name == FIGURE]
    found["curve-table"] = tables.curve_table(curves, setting, entries)
    found["nearness"] = tables.nearness_table([one for one in plan if one.name == "core"], setting, entries)
    everything = ledger.read(args.ledger)
    found["languages"] = tables.languages_table(list(ledger.of_kind(everything, "training").values()))
    speeds = ledger.of_kind(everything, "speed")
    found["speed"], found["speed-short"] = speed.table(speeds), speed.short_table(speeds)
    return found


def write_tables(args) -> None:
    found = sections(args)
    setting = Setting(args.size, args.langs)
    curves = [one for one in plan_of(args) if one.name == FIGURE]
    figure = tables.curve_figure(curves, setting, read_ledger(args.ledger, setting))
    if figure is not None:
        with atomic_write(os.path.join(args.ledger, FIGURE + ".svg")) as stream:
            stream.write(figure)
    if args.write is None:
        for name, lines in found.items():
            print("\n".join([f"## {name}", "", *(lines or ["nothing yet"]), ""]))
        return
    for path in args.write:
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        strange = [name for _, name, _ in _MARKED.findall(text) if name not in found]
        if strange:
            raise SwcmError("{}: no table of the ledger is called {}".format(path, ", ".join(strange)))
        with atomic_write(path) as stream:
            stream.write(filled(text, found))


def filled(text: str, found: Dict[str, List[str]]) -> str:
    """``text`` with every table between its markers."""
    return _MARKED.sub(lambda match: match.group(1) + "\n".join(found[match.group(2)] + [match.group(3)]), text)


def arguments(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.required = True
    for name in ("next", "record", "tables"):
        one = commands.add_parser(name)
        one.add_argument("--ledger", required=True)
        one.add_argument("--size", default="small")
        one.add_argument("--langs", nargs="+", default=["kk", "mn", "ug"])
        if name == "record":
            continue
        one.add_argument("--experiments", nargs="*", default=[], help="of the plan; without, all")
        one.add_argument("--rows", nargs="*", default=[], help="with these a plan of its own:")
        one.add_argument("--pairs", nargs="+", default=["2000"])
        one.add_argument("--updates", type=int, default=800)
        one.add_argument("--rates", nargs="+", default=["5e-4"])
        one.add_argument("--seeds", nargs="+", type=int, default=[1])
    one.add_argument("--write", metavar="README", nargs="+")
    one = commands.choices["record"]
    one.add_argument("--training", required=True)
    one.add_argument("--split", required=True)
    one.add_argument("--commit", default="")
    one.add_argument("--experiment", default="", help="where the plan does not say which it belongs to")
    for name, kind in (("pairs", str), ("row", str), ("updates", int), ("rate", str), ("seed", int)):
        one.add_argument("--" + name, type=kind, required=True)
    one = commands.add_parser("languages")
    one.add_argument("--ledger", required=True)
    one = commands.add_parser("sizes")
    one.add_argument("--encoder", required=True)
    one.add_argument("flags")
    return parser.parse_args(words)


def main() -> None:
    args = arguments()
    if args.command == "next":
        next_jobs(args)
    elif args.command == "record":
        record(args)
    elif args.command == "languages":
        entries = ledger.of_kind(ledger.read(args.ledger), "training")
        print("\n".join(tables.languages_table(list(entries.values()))))
    elif args.command == "sizes":
        print(with_sizes(args.flags, args.encoder))
    else:
        write_tables(args)


if __name__ == "__main__":
    sys.exit(run_command(main))
