"""What all commands that decode with a model are asked: how it is opened, and how outputs are looked for."""

import argparse

from .engines import BACKENDS, open_translator
from .hypotheses import BATCH_SIZE, BEAM, MAX_LEN, MAX_PIECES, BaseTranslator


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """How the model is opened; for ``opened``."""
    parser.add_argument("--backend", choices=BACKENDS, help="what computes the model (what the folder is for)")
    parser.add_argument("--compute-type", default="default", help="for ct2: int8, float32, bfloat16 and others")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--threads", type=count, help="processors to use (the engine's own choice)")


def add_search_arguments(parser: argparse.ArgumentParser) -> None:
    """How outputs are looked for."""
    parser.add_argument("--beam", type=count, default=BEAM, help="width of the beam; 1 is greedy (%(default)s)")
    parser.add_argument("--max-len", type=count, default=MAX_LEN, help="most pieces of an output (%(default)s)")
    parser.add_argument(
        "--batch-size", type=count, default=BATCH_SIZE, help="most sentences computed together (%(default)s)"
    )
    parser.add_argument(
        "--max-pieces", type=count, default=MAX_PIECES, help="a longer line is translated in parts (%(default)s)"
    )


def opened(folder: str, args: argparse.Namespace) -> BaseTranslator:
    """The model in ``folder``, opened as the arguments ask."""
    return open_translator(folder, args.backend, args.device, args.compute_type, args.threads or 0)


def count(text: str) -> int:
    """A number of 1 or more."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value
