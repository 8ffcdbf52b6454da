"""Cut text into SentencePiece pieces, line by line, for fairseq-preprocess.

Each output has the name of its input and as many lines; pieces are separated by single spaces. No line is
dropped, so parallel files stay parallel. The SentencePiece model is left beside the output, because text can
only be put together again with the model that cut it.
"""

import argparse
import itertools
import os
import sys
from typing import IO, Iterator, List, NamedTuple, Sequence, Tuple

from swcm_preprocess.parallel import in_batches, ordered_map, positive_number
from swcm_preprocess.text_lines import read_blocks, split_lines

from swcm_fairseq.encodings import encoding_hint
from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_files
from swcm_fairseq.processors import usable_processors
from swcm_fairseq.vocabulary.pieces import Lines, Pieces
from swcm_fairseq.vocabulary.symbols import EOS, SENTENCEPIECE_MODEL

# Enough to be worth a message between processes, little enough to hold in memory.
BATCH_LINES, BATCH_CHARACTERS = 5_000, 1 << 20

# A line that is longer is no text to learn from, and to cut it takes some hundred bytes of memory for each character.
LONGEST_LINE = 500_000


class Settings(NamedTuple):
    """What cutting depends on."""

    spm: str
    documents: bool


class Encoded(NamedTuple):
    """The pieces of a batch of lines as text, one line each, and what they came to."""

    text: bytes
    lines: int
    pieces: int
    unknown: int
    refused: str = ""  # why a line cannot be written in pieces; ``lines`` are those before it


def read_batches(path: str) -> Iterator[List[str]]:
    """The lines of a text file without their ends, ``BATCH_LINES`` at a time or fewer where they are long.

    Raises:
        SwcmError: the file is missing, or a line is not UTF-8 or too long to be one.
    """
    return in_batches(_read_lines(path), BATCH_LINES, len, BATCH_CHARACTERS)


def _read_lines(path: str) -> Iterator[str]:
    number = 0
    for block in read_blocks(path):
        lines, refused = decoded(block)
        yield from lines
        number += len(lines)
        if refused:
            raise SwcmError(f"{path}, line {number + 1}: {refused}")


def decoded(block: bytes) -> Tuple[List[str], str]:
    """The lines of a block, and why the one behind them cannot be read, or nothing."""
    try:
        lines = split_lines(block.decode("utf-8"), "\n", "\r")
    except UnicodeDecodeError as error:
        good = block.rfind(b"\n", 0, error.start) + 1
        lines, refused = decoded(block[:good])
        byte = error.start - good + 1
        hint = encoding_hint("INPUT", block[good:]) or "convert the file, for example with iconv"
        return lines, refused or f"not UTF-8 at byte {byte}; {hint}"
    for number, line in enumerate(lines if len(block) > LONGEST_LINE else ()):
        if len(line) > LONGEST_LINE:
            refused = f"{len(line):,} characters; clean the text first (preprocess/clean.py --max-chars)"
            return lines[:number], refused
    return lines, ""


class Encoder:
    """Cuts blocks of lines; any process that makes one from the same settings gives the same."""

    def __init__(self, settings: Settings) -> None:
        self.model = Pieces.load(settings.spm)
        self.documents = settings.documents

    def __call__(self, batch: Tuple[int, bytes]) -> Tuple[int, Encoded]:
        """Cut the lines of a block; its number stays with it."""
        number, block = batch
        lines, refused = decoded(block)
        found = self._documents(lines) if self.documents else self.model.lines(lines)
        if found.split:
            sound = next(i for i, line in enumerate(lines) if self._is_split(line))
            refused = (
                "a piece holds white space, at which fairseq would cut it again; clean the text first "
                "(preprocess/clean.py)"
            )
            return number, Encoded(b"", sound, 0, 0, refused)
        text = "\n".join(found.written + [""]).encode("utf-8")
        return number, Encoded(text, len(lines), found.pieces, found.unknown, refused)

    def _is_split(self, line: str) -> bool:
        return (self._documents([line]) if self.documents else self.model.lines([line])).split

    def _documents(self, lines: List[str]) -> Lines:
        """The pieces of each document, with ``</s>`` between its sentences."""
        documents = [[sentence for sentence in map(str.strip, line.split(EOS)) if sentence] for line in lines]
        found = self.model.lines(list(itertools.chain.from_iterable(documents)))
        sentences = iter(found.written)
        between = f" {EOS} "
        written = [between.join(itertools.islice(sentences, len(document))) for document in documents]
        ends = sum(max(0, len(document) - 1) for document in documents)
        return found._replace(written=written, pieces=found.pieces + ends)


def encode_files(
    settings: Settings, sources: Sequence[str], targets: Sequence[IO[bytes]], workers: int
) -> List[Encoded]:
    """Write the pieces of each line of each source; returns what each came to, its ``text`` being left out."""
    totals = [Encoded(b"", 0, 0, 0) for _ in sources]
    batches = ((number, block) for number, source in enumerate(sources) for block in read_blocks(source))
    for number, encoded in ordered_map(Encoder, settings, batches, workers):
        total = totals[number]
        if encoded.refused:
            raise SwcmError(f"{sources[number]}, line {total.lines + encoded.lines + 1}: {encoded.refused}")
        targets[number].write(encoded.text)
        totals[number] = Encoded(
            b"", total.lines + encoded.lines, total.pieces + encoded.pieces, total.unknown + encoded.unknown
        )
    return totals


def main(argv=None) -> int:
    """Encode the files given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spm", required=True, metavar="FILE", help="SentencePiece model")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the pieces and a copy of the model")
    parser.add_argument("--workers", type=positive_number, default=usable_processors(), metavar="N", help="processes")
    parser.add_argument(
        "--documents", action="store_true", help="a line is a document to denoise; </s> in it parts its sentences"
    )
    parser.add_argument("--force", action="store_true", help="replace files that are there already")
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="text file, UTF-8, one sentence or text a line")
    args = parser.parse_args(argv)

    names = [os.path.basename(path) for path in args.inputs]
    twice = sorted({name for name in names if names.count(name) > 1 or name == SENTENCEPIECE_MODEL})
    if twice:
        raise SwcmError("two files would be written under the same name in {}: {}".format(args.out, ", ".join(twice)))
    with open(args.spm, "rb") as stream:
        model_bytes = stream.read()
    targets = [os.path.join(args.out, name) for name in names]
    for source, target in zip(args.inputs, targets):
        if os.path.exists(target) and os.path.exists(source) and os.path.samefile(source, target):
            raise SwcmError(f"{source} would be overwritten by its own pieces; give another --out")
    beside = os.path.join(args.out, SENTENCEPIECE_MODEL)
    there = _is_there(beside, model_bytes, args.force)

    # All files take their names when the last one is whole, and the model its own after the pieces.
    paths = [] if there else [beside]
    with atomic_files(paths + targets, ["wb"] * len(paths + targets), args.force) as opened:
        streams = opened[len(paths) :]
        for copy in opened[: len(paths)]:
            copy.write(model_bytes)
        counts = encode_files(Settings(args.spm, args.documents), args.inputs, streams, args.workers)
    for target, count in zip(targets, counts):
        share = 100.0 * count.unknown / count.pieces if count.pieces else 0.0
        print(f"{target}: {count.lines} lines, {count.pieces} pieces, {share:.2f}% unknown")
    return 0


def _is_there(path: str, model: bytes, force: bool) -> bool:
    """Whether ``model`` stands at ``path`` already; raises where another one does, unless ``force`` replaces it.

    One folder holds the pieces of one model.
    """
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as stream:
        same = stream.read() == model
    if not same and not force:
        raise SwcmError(f"{path} is another model; give another --out, or --force to replace it")
    return same


def cli() -> int:
    """The entry point: exit code 0 done, 1 the work failed, 2 wrong usage."""
    return run_command(main)


if __name__ == "__main__":
    sys.exit(cli())
