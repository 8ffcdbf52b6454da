"""The command ``swcm-score``."""

import argparse
import json
import sys
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..data.languages import language
from ..errors import SwcmError, run_command
from .corpus import read_generated, read_lines
from .metrics import METRICS, score
from .normalization import NORMALIZERS
from .yardsticks import shuffled

Scores = Dict[str, Any]


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    result = argparse.ArgumentParser(
        prog="swcm-score",
        description="Score translations, summaries or answers against references, in any script. Values go from 0 "
        "to 100; a signature says how each was made.",
        epilog="Examples: swcm-score --lang bo --hyp mine.bo --ref test.bo; "
        "swcm-score --lang kk --generate-output gen.txt --shuffled --json",
    )
    result.add_argument("--lang", required=True, metavar="CODE", help="language of the sentences, such as bo or kk")
    result.add_argument("--hyp", nargs="+", metavar="FILE", help="a system's sentences, one a line; or several systems'")
    result.add_argument("--ref", metavar="FILE", help="the references, one a line")
    result.add_argument(
        "--generate-output",
        nargs="+",
        metavar="FILE",
        help="what fairseq-generate printed, instead of --hyp; the references are in it, but --ref may give others",
    )
    result.add_argument(
        "--metrics",
        default="bleu,chrf,chrfpp",
        metavar="NAMES",
        help="of {}, with commas (%(default)s)".format(", ".join(METRICS)),
    )
    result.add_argument(
        "--shuffled",
        action="store_true",
        help="score the references shuffled among themselves too: what a system scores that ignores its source",
    )
    result.add_argument(
        "--normalizer",
        choices=NORMALIZERS,
        default=NORMALIZERS[0],
        help="what is done to hypotheses and references alike first (%(default)s: what SentencePiece does to a "
        "model's text)",
    )
    result.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return result


def read_systems(arguments: argparse.Namespace) -> Tuple[Dict[str, List[str]], List[str]]:
    """Sentences by system, and the references; raises ``SwcmError`` where they do not fit together."""
    references = read_lines(arguments.ref) if arguments.ref else None
    origin = arguments.ref
    systems = {}
    for path in arguments.hyp or []:
        systems[path] = read_lines(path)
    for path in arguments.generate_output or []:
        generated = read_generated(path)
        systems[path] = generated.hypotheses
        if arguments.ref:
            continue
        if generated.references is None:
            raise SwcmError("{} holds no references (T lines); give them with --ref".format(path))
        if references is not None and generated.references != references:
            raise SwcmError("{} and {} hold different references; score them one by one".format(origin, path))
        references, origin = generated.references, path
    problems = [
        "{} has {} sentences, {} has {}".format(path, len(sentences), origin, len(references))
        for path, sentences in systems.items()
        if len(sentences) != len(references)
    ]
    if problems:
        raise SwcmError("hypotheses and references must match line by line", problems)
    if arguments.shuffled:
        systems["shuffled"] = shuffled(references)
    return systems, references


def table(results: Dict[str, Scores], sentences: int, lang: str) -> str:
    """Scores as a table, systems down and metrics across, with the signatures under it."""
    columns = [name for name in next(iter(results.values())) if name != "signatures"]
    titles = [_title(name) for name in columns]
    rows = [[_short(name)] + ["{:.2f}".format(scores[column]) for column in columns] for name, scores in results.items()]
    header = ["{} ({} sentences)".format(lang, sentences)] + titles
    widths = [max(len(row[place]) for row in [header] + rows) for place in range(len(header))]
    lines = ["  ".join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])])
             for row in [header] + rows]
    signatures = next(iter(results.values()))["signatures"]
    width = max(len(METRICS[name].title) for name in signatures)
    lines += ["", *("{}  {}".format(METRICS[name].title.ljust(width), text) for name, text in signatures.items())]
    return "\n".join(lines)


def _title(column: str) -> str:
    name, _, part = column.partition("_")
    return METRICS[name].title + (" " + part.upper() if part else "")


def _short(path: str, limit: int = 40) -> str:
    return path if len(path) <= limit else "..." + path[3 - limit:]


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command; prints the scores."""
    options = parser()
    arguments = options.parse_args(argv)
    if arguments.hyp and not arguments.ref:
        options.error("--hyp needs --ref")
    if not arguments.hyp and not arguments.generate_output and not (arguments.shuffled and arguments.ref):
        options.error("give --hyp and --ref, or --generate-output, or --ref and --shuffled")
    names = [name for name in arguments.metrics.split(",") if name]
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        options.error("--metrics takes names of {}; not {!r}".format(", ".join(METRICS), arguments.metrics))
    language(arguments.lang)  # before files are read
    systems, references = read_systems(arguments)
    results = {
        name: score(sentences, references, arguments.lang, names, arguments.normalizer)
        for name, sentences in systems.items()
    }
    if not arguments.json:
        print(table(results, len(references), arguments.lang))
    elif len(results) == 1:
        print(json.dumps(next(iter(results.values())), ensure_ascii=False, indent=2))
    else:
        # The shape of the quickstart's scores.json.
        nested = {"systems": {name: {arguments.lang: scores} for name, scores in results.items()}}
        print(json.dumps(nested, ensure_ascii=False, indent=2))
    return 0


def cli() -> int:
    """The entry point: exit code 0 done, 1 the work failed, 2 wrong usage."""
    return run_command(main)


if __name__ == "__main__":
    sys.exit(cli())
