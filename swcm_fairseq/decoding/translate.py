"""The command ``swcm-translate``: lines from standard input, their translations to standard output."""

import argparse
import sys
from typing import IO, List, Optional, Tuple

from ..errors import SwcmError, run_command
from .engines import BACKENDS, open_translator
from .hypotheses import BaseTranslator
from .lines import LineSettings, Progress, translate_lines


def main(arguments: Optional[List[str]] = None) -> None:
    parser = argparse.ArgumentParser(prog="swcm-translate", description=__doc__.splitlines()[0])
    add_arguments(parser)
    args = parser.parse_args(arguments)
    translator, settings = opened(args)
    translate_stream(translator, sys.stdin.buffer, sys.stdout.buffer, settings, Progress(args.quiet))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What this command shares with ``swcm-translate-file``."""
    parser.add_argument("--model", required=True, help="a folder of swcm-export (--to ct2 or onnx), or of swcm-pack")
    parser.add_argument("--to", help="target language; may be left out where the model writes one")
    parser.add_argument("--beam", type=int, default=5, help="width of the beam; 1 is greedy (%(default)s)")
    parser.add_argument("--n-best", type=int, default=1, help="hypotheses a line, each with the line's number in front")
    parser.add_argument("--scores", action="store_true", help="write each one's score and a tab in front")
    parser.add_argument("--lenpen", type=float, default=1.0, help="exponent of the length that scores are divided by")
    parser.add_argument("--max-len", type=int, default=200, help="most pieces of an output (%(default)s)")
    parser.add_argument(
        "--max-pieces", type=int, default=128, help="a longer line is translated in sentences (%(default)s)"
    )
    parser.add_argument("--batch-size", type=int, default=32, help="sentences computed together (%(default)s)")
    parser.add_argument(
        "--at-once", type=int, default=None, help="lines read before they are translated (256; 1 from a keyboard)"
    )
    parser.add_argument("--backend", choices=BACKENDS, help="by default what the folder is for")
    parser.add_argument("--compute-type", default="default", help="for ct2: int8, float32, bfloat16 and others")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="processors to use (the engine's own choice)")
    parser.add_argument("--quiet", action="store_true", help="say nothing but what goes wrong")


def opened(args: argparse.Namespace) -> Tuple[BaseTranslator, LineSettings]:
    """The translator and the settings that the arguments ask for."""
    at_once = args.at_once or (1 if sys.stdin is not None and sys.stdin.isatty() else LineSettings.at_once)
    settings = LineSettings(
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
    if min(settings.max_pieces, settings.at_once) < 1:
        raise SwcmError("--max-pieces and --at-once are 1 or more")
    return open_translator(args.model, args.backend, args.device, args.compute_type, args.threads), settings


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
