"""The command ``swcm-serve``: a model behind HTTP, with LibreTranslate's API and a page to try it."""

import argparse
import logging
import os
import sys
from typing import List, Optional

from ..decoding.engines import open_translator
from ..decoding.hypotheses import BaseTranslator
from ..errors import SwcmError, run_command

BACKENDS = ("auto", "torch", "fairseq", "ct2", "onnx")


def main(arguments: Optional[List[str]] = None) -> None:
    args = _arguments(arguments)
    # What takes seconds to import comes after --help.
    try:
        from . import api, batching, metrics, server
    except ImportError as error:
        raise SwcmError(f"swcm-serve wants {error.name or error}: pip install 'swcm-fairseq[serve]'")
    from .settings import Settings

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    settings = Settings(
        beam=args.beam,
        max_len=args.max_len,
        batch_size=args.batch_size,
        batch_wait=args.batch_wait / 1000,
        queue=args.queue,
        max_chars=args.max_chars,
        part_pieces=args.part_pieces,
        timeout=args.timeout,
        slow=args.slow,
        sources=tuple(args.source or ()),
    )
    # Before the model is read: a port that is taken is known at once.
    with server.listen(args.host, args.port) as bound:
        translator = _open(args)
        numbers = metrics.Metrics()
        batcher = batching.Batcher(translator, settings, numbers)
        served = api.Api(translator, batcher, numbers, settings)
        # The first call of all is slower than others, and shows whether the engine works.
        translator.hypotheses(["1"], target=translator.targets[0], beam=settings.beam, max_len=settings.max_len)
        host, port = bound.getsockname()[:2]
        languages = "{} to {}".format(", ".join(served.catalogue.sources), ", ".join(served.catalogue.targets))
        address = "http://{}:{}".format(f"[{host}]" if ":" in host else host, port)
        print(f"serving {args.folder} ({languages}) at {address}", file=sys.stderr, flush=True)
        server.serve(server.make_server(served.application(), settings), batcher, bound, settings)


def _arguments(arguments: Optional[List[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="swcm-serve", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("folder", help="a folder of swcm-pack, or one of swcm-export --to ct2 or onnx")
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default="auto",
        help="what computes it (auto: what the folder is for)",
    )
    parser.add_argument("--compute-type", default="default", help="numbers to compute in, such as int8 (ct2)")
    parser.add_argument("--device", default="cpu", help="where to compute: cpu, cuda")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0 lets other machines in")
    parser.add_argument("--port", type=int, default=5000, help="port to listen at; 0 is any free one")
    parser.add_argument("--threads", type=_count, help="processors to decode with (all)")
    parser.add_argument("--beam", type=_count, default=5, help="width of the beam")
    parser.add_argument("--max-len", type=_count, default=200, help="most pieces of an output")
    parser.add_argument("--batch-size", type=_count, default=32, help="most sentences decoded together")
    parser.add_argument("--batch-wait", type=_seconds, default=5, help="milliseconds that a sentence waits for others")
    parser.add_argument("--queue", type=_count, default=256, help="most requests in the house; others are told to wait")
    parser.add_argument("--max-chars", type=_count, default=20000, help="most characters of a request")
    parser.add_argument("--part-pieces", type=_count, default=128, help="longer lines are translated in parts")
    parser.add_argument("--timeout", type=_seconds, default=60, help="seconds in which a request is answered")
    parser.add_argument("--slow", type=_seconds, default=10, help="seconds that a client may take to send a request")
    parser.add_argument("--source", nargs="+", metavar="LANG", help="languages to offer as sources (the model's)")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is no length of time")
    return value


def _open(args: argparse.Namespace) -> BaseTranslator:
    backend = {"auto": None, "fairseq": "torch"}.get(args.backend, args.backend)
    if args.threads:
        # What torch and others that use OpenMP go by; CTranslate2 is told.
        os.environ["OMP_NUM_THREADS"] = str(args.threads)
    return open_translator(
        args.folder, backend=backend, device=args.device, compute_type=args.compute_type, threads=args.threads or 0
    )


def cli() -> None:
    """Entry point."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
