"""The command ``swcm-translate``: lines from standard input, their translations to standard output."""

import argparse
import sys
from typing import IO, List, Optional

from ..errors import SwcmError, run_command
from .arguments import add_engine_arguments, add_search_arguments, count, opened
from .hypotheses import BaseTranslator
from .translate_lines import LineSettings, Progress, translate_lines


def main(arguments: Optional[List[str]] = None) -> None:
    parser = argparse.ArgumentParser(prog="swcm-translate", description=__doc__.splitlines()[0])
    add_arguments(parser)
    args = parser.parse_args(arguments)
    translator = opened(args.model, args)
    translate_stream(translator, sys.stdin.buffer, sys.stdout.buffer, settings_of(args), Progress(args.quiet))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What this command shares with ``swcm-translate-file``."""
    parser.add_argument("--model", required=True, help="a folder of swcm-export (--to ct2 or onnx), or of swcm-pack")
    parser.add_argument("--to", help="target language; may be left out where the model writes one")
    add_search_arguments(parser)
    parser.add_argument(
        "--n-best", type=count, default=1, help="hypotheses a line, each with the line's number in front"
    )
    parser.add_argument("--scores", action="store_true", help="write each one's score and a tab in front")
    parser.add_argument("--lenpen", type=float, default=1.0, help="exponent of the length that scores are divided by")
    parser.add_argument("--at-once", type=count, help="lines read before they are translated (256; 1 from a keyboard)")
    add_engine_arguments(parser)
    parser.add_argument("--quiet", action="store_true", help="say nothing but what goes wrong")


def settings_of(args: argparse.Namespace) -> LineSettings:
    """The settings that the arguments ask for."""
    at_once = args.at_once or (1 if sys.stdin is not None and sys.stdin.isatty() else LineSettings.at_once)
    return LineSettings(
        target=args.to,
        beam=args.beam,
        n_best=args.n_best,
        lenpen=args.lenpen,
        max_len=args.max_len,
        batch_size=args.batch_size,
        max_pieces=args.max_pieces,
        scores=args.scores,
        at_once=at_once,
    )


def translate_stream(
    translator: BaseTranslator, source: IO[bytes], target: IO[bytes], settings: LineSettings, progress: Progress
) -> None:
    """Translate all lines of ``source`` into ``target``; raises ``SwcmError`` where none could be."""
    for text in translate_lines(translator, source, settings, progress):
        target.write(text.encode("utf-8"))
        if settings.at_once == 1 or progress.lines % settings.at_once == 0:
            target.flush()
    target.flush()
    progress.end()
    if 0 < progress.lines == progress.bad:
        raise SwcmError("no line could be translated")


def cli() -> None:
    """Entry point."""
    sys.exit(run_command(main))
