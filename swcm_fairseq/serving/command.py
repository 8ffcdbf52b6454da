"""The command ``swcm-serve``: a model behind HTTP, with LibreTranslate's API and a page to try it."""

import argparse
import logging
import sys
from typing import List, Optional

from ..decoding.arguments import add_engine_arguments, add_search_arguments, count, opened
from ..errors import SwcmError, run_command
from .settings import Settings


def main(arguments: Optional[List[str]] = None) -> None:
    args = _arguments(arguments)
    # What takes seconds to import comes after --help.
    try:
        from . import api, batching, metrics, server
    except ImportError as error:
        raise SwcmError(f"swcm-serve wants {error.name or error}: pip install 'swcm-fairseq[serve]'")

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    settings = Settings(
        beam=args.beam,
        max_len=args.max_len,
        batch_size=args.batch_size,
        batch_wait=args.batch_wait / 1000,
        queue=args.queue,
        max_chars=args.max_chars,
        max_pieces=args.max_pieces,
        timeout=args.timeout,
        slow=args.slow,
        sources=tuple(args.source or ()),
    )
    # Before the model is read: a port that is taken is known at once.
    with server.listen(args.host, args.port) as bound:
        translator = opened(args.folder, args)
        numbers = metrics.Metrics()
        batcher = batching.Batcher(translator, settings, numbers)
        served = api.Api(translator, batcher, numbers, settings)
        # The first call of all is slower than others, and shows whether the engine works.
        translator.hypotheses(["1"], target=translator.targets[0], beam=settings.beam, max_len=settings.max_len)
        host, port = bound.getsockname()[:2]
        sources, targets = ", ".join(served.catalogue.sources), ", ".join(served.catalogue.targets)
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        print(f"serving {args.folder} ({sources} to {targets}) at {address}", file=sys.stderr, flush=True)
        server.serve(server.make_server(served.application(), settings), batcher, bound, settings)


def _arguments(arguments: Optional[List[str]]) -> argparse.Namespace:
    known = Settings()
    parser = argparse.ArgumentParser(prog="swcm-serve", description=__doc__)

    def add(name: str, kind, default, words: str) -> None:
        parser.add_argument(name, type=kind, default=default, help=words + " (%(default)s)")

    parser.add_argument("folder", help="a folder of swcm-pack, or one of swcm-export --to ct2 or onnx")
    add("--host", str, "127.0.0.1", "address to listen at; 0.0.0.0 lets other machines in")
    add("--port", int, 5000, "port to listen at; 0 is any free one")
    add("--batch-wait", _seconds, 1000 * known.batch_wait, "milliseconds that a sentence waits for others")
    add("--queue", count, known.queue, "most requests in the house; others are told to wait")
    add("--max-chars", count, known.max_chars, "most characters of a request")
    add("--timeout", _seconds, known.timeout, "seconds in which a request is answered")
    add("--slow", _seconds, known.slow, "seconds that a client may take to send a request")
    parser.add_argument("--source", nargs="+", metavar="LANG", help="languages to offer as sources (the model's)")
    add_search_arguments(parser)
    add_engine_arguments(parser)
    return parser.parse_args(arguments)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is no length of time")
    return value


def cli() -> None:
    """Entry point."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    cli()
