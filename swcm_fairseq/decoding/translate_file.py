"""The command ``swcm-translate-file``: a file of lines, translated line by line into another."""

import argparse
import sys
from typing import List, Optional

from ..errors import run_command
from ..files import atomic_write, refuse_overwrite
from ..input_files import open_input
from .arguments import opened
from .translate import add_arguments, settings_of, translate_stream
from .translate_lines import Progress


def main(arguments: Optional[List[str]] = None) -> None:
    parser = argparse.ArgumentParser(prog="swcm-translate-file", description=__doc__.splitlines()[0])
    parser.add_argument("input", help="text in UTF-8, also compressed")
    parser.add_argument("output", help="the file to write; it appears when it is whole")
    add_arguments(parser)
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    args = parser.parse_args(arguments)
    refuse_overwrite(args.output, args.force)
    translator = opened(args.model, args)
    with open_input(args.input) as source, atomic_write(args.output, "wb") as target:
        translate_stream(translator, source, target, settings_of(args), Progress(args.quiet))


def cli() -> None:
    """Entry point."""
    sys.exit(run_command(main))
