"""The command ``swcm-score``."""

import argparse
import json
import sys
from typing import Dict, List, Optional, Sequence

from ..errors import printable, run_command
from ..files import refuse_overwrite
from ..languages import language
from ..processors import usable_processors
from . import resampling
from .evaluation import Evaluation, as_json, evaluate
from .metrics import METRICS
from .normalization import NORMALIZERS
from .statistics import MANY
from .table import table
from .testsets import BASELINES, read_test_set

_LANG = "{lang}"  # in a file name, stands for the language


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    result = argparse.ArgumentParser(
        prog="swcm-score",
        description="Score translations, summaries or answers against references, in any script. Values go from 0 "
        "to 100 (the length ratio: 1 is the references' length); a signature says how each was made. Several systems "
        "are tested against the first.",
        epilog="Examples: swcm-score --lang bo --hyp mine.bo --ref test.bo; "
        "swcm-score --lang kk --generate-output gen.txt --shuffled --json; "
        "swcm-score --lang kk mn ug --generate-output 'shared/test/zh-{lang}.txt' 'random/test/zh-{lang}.txt' "
        "--names shared random --ref 'split/test.zh-{lang}.{lang}' --report report",
    )
    files = result.add_argument_group("files (with several languages, {lang} in a name stands for the language)")
    files.add_argument(
        "--lang",
        required=True,
        nargs="+",
        metavar="CODE",
        help="language of the sentences, such as bo or kk; or several",
    )
    files.add_argument(
        "--hyp",
        nargs="+",
        default=[],
        metavar="FILE",
        help="a system's sentences, one a line; or several systems'",
    )
    files.add_argument(
        "--generate-output",
        nargs="+",
        default=[],
        metavar="FILE",
        help="what fairseq-generate printed, instead of --hyp; the references are in it, but --ref may give others",
    )
    files.add_argument(
        "--ref",
        nargs="+",
        default=[],
        metavar="FILE",
        help="the references, one a line; of several files, in any order, a blank line is none where another has text",
    )
    files.add_argument(
        "--src", metavar="FILE", help="the sources, one a line, where --generate-output does not show them"
    )
    files.add_argument("--names", nargs="+", metavar="NAME", help="the systems' names, in order (their files' names)")

    what = result.add_argument_group("scores")
    what.add_argument(
        "--metrics",
        default="bleu,chrf,chrfpp",
        metavar="NAMES",
        help="of {}, with commas (%(default)s)".format(", ".join(METRICS)),
    )
    what.add_argument(
        "--normalizer",
        choices=NORMALIZERS,
        default=NORMALIZERS[0],
        help="what is done to hypotheses and references alike first (%(default)s: what SentencePiece does to a "
        "model's text)",
    )
    what.add_argument(
        "--shuffled",
        action="store_true",
        help="score the references shuffled among themselves too: what a system scores that ignores its source",
    )
    what.add_argument(
        "--first-sentence", action="store_true", help="score the first sentence of each source too, as a summary"
    )
    what.add_argument(
        "--first-words",
        action="store_true",
        help="score the first words of each source too, as many as a reference has at the median, as an answer (with "
        "passages for --src)",
    )
    what.add_argument("--copy", action="store_true", help="score the source as it is too")
    what.add_argument(
        "--resamples",
        type=_count,
        default=resampling.RESAMPLES,
        metavar="N",
        help="test sets drawn for the 95%% intervals (%(default)s); 0: neither intervals nor tests",
    )
    what.add_argument(
        "--permutations",
        type=_count,
        default=resampling.PERMUTATIONS,
        metavar="N",
        help="exchanges drawn for the paired test between systems (%(default)s); 0: no tests",
    )
    what.add_argument("--seed", type=int, default=resampling.SEED, help="of both (%(default)s)")
    what.add_argument(
        "--workers",
        type=_positive,
        default=usable_processors(),
        metavar="N",
        help=f"processes, for more than {MANY:,} sentences (%(default)s here)",
    )

    how = result.add_argument_group("what comes out")
    how.add_argument("--json", action="store_true", help="print JSON instead of a table")
    how.add_argument("--report", metavar="DIR", help="write one HTML page with plots, DIR/index.html, too")
    how.add_argument("--force", action="store_true", help="replace a report that is there")
    how.add_argument(
        "--train-log",
        nargs="+",
        default=[],
        metavar="FILE",
        help="for the report's loss curves: what fairseq-train printed, or the folder with it (train.log); or several",
    )
    how.add_argument(
        "--model", metavar="DIR", help="for the report's picture of attention: the first system, as swcm-pack packed it"
    )
    return result


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _checked(options: argparse.ArgumentParser, arguments: argparse.Namespace) -> List[str]:
    """End with exit code 2 where the arguments do not fit together; returns the metrics' names."""
    if arguments.hyp and not arguments.ref:
        options.error("--hyp needs --ref")
    if not arguments.hyp and not arguments.generate_output and not (_baselines(arguments) and arguments.ref):
        options.error("give --hyp and --ref, or --generate-output, or --ref and --shuffled")
    names = [name for name in arguments.metrics.split(",") if name]
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        options.error("--metrics takes names of {}; not {!r}".format(", ".join(METRICS), arguments.metrics))
    files = [*arguments.hyp, *arguments.generate_output]
    systems = arguments.names or files
    if len(systems) != len(files) or len(set(systems)) != len(files) or set(systems) & set(BASELINES):
        taken = ", ".join(BASELINES)
        options.error(
            f"{len(files)} systems need as many different names, none of them {taken}; give them with --names"
        )
    fixed = [path for path in [*files, *arguments.ref, arguments.src or _LANG] if _LANG not in path]
    if len(arguments.lang) > 1 and fixed:
        options.error("with several languages, file names must hold {lang}; not " + repr(fixed[0]))
    if not arguments.report and (arguments.train_log or arguments.model):
        options.error("--train-log and --model are for --report")
    return names


def _baselines(arguments: argparse.Namespace) -> List[str]:
    """The baselines that are asked for, each by a flag of its name."""
    return [name for name in BASELINES if getattr(arguments, name.replace("-", "_"))]


def evaluate_all(arguments: argparse.Namespace, metrics: Sequence[str]) -> List[Evaluation]:
    """Read and score every language."""
    names = iter(arguments.names or [*arguments.hyp, *arguments.generate_output])
    hypotheses = {next(names): path for path in arguments.hyp}
    generated = {next(names): path for path in arguments.generate_output}
    baselines = _baselines(arguments)
    results = []
    for lang in arguments.lang:

        def here(files: Dict[str, str], lang: str = lang) -> Dict[str, str]:
            return {name: path.replace(_LANG, lang) for name, path in files.items()}

        references = [path.replace(_LANG, lang) for path in arguments.ref]
        sources = arguments.src and arguments.src.replace(_LANG, lang)
        test_set = read_test_set(here(hypotheses), here(generated), references, sources, language(lang), baselines)
        results.append(
            evaluate(
                test_set,
                lang,
                metrics,
                arguments.normalizer,
                arguments.resamples,
                arguments.permutations,
                arguments.seed,
                arguments.workers,
            )
        )
    return results


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command; prints the scores."""
    options = parser()
    arguments = options.parse_args(argv)
    metrics = _checked(options, arguments)
    for lang in arguments.lang:  # before files are read
        language(lang)
    if arguments.report:
        refuse_overwrite(arguments.report, arguments.force)
    evaluations = evaluate_all(arguments, metrics)
    signature = resampling.test_signature(arguments.resamples, arguments.permutations, arguments.seed)
    scores = as_json(evaluations, signature)
    if arguments.report:
        from .report import write_report

        write_report(
            arguments.report, evaluations, scores, signature, arguments.train_log, arguments.model, arguments.force
        )
    if arguments.json:
        # What a terminal lacks would be escaped in a way that JSON does not know.
        unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        print(printable(json.dumps(scores, ensure_ascii=not unicode, indent=2)))
    else:
        print("\n\n".join(table(evaluation, signature) for evaluation in evaluations))
    return 0


def cli() -> int:
    """The entry point: exit code 0 done, 1 the work failed, 2 wrong usage."""
    return run_command(main)


if __name__ == "__main__":
    sys.exit(cli())
