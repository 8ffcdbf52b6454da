"""Cut text into SentencePiece pieces, line by line, for fairseq-preprocess.

Each output has the name of its input and as many lines; pieces are separated by single spaces. No line is
dropped, so parallel files stay parallel. The SentencePiece model is left beside the output, because text can
only be put together again with the model that cut it.
"""

import argparse
import contextlib
import os
import re
import sys
from typing import IO, Iterator, List, NamedTuple, Set

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_write, refuse_overwrite

MODEL_NAME = "sentencepiece.bpe.model"
SENTENCE_END = "</s>"  # between the sentences of a document, in text and in pieces
UNKNOWN = "<unk>"
SYMBOL = re.compile(r"<.*>\Z|\[\w+\]\Z")  # what a dictionary has beside pieces: specials and language tags
BATCH_LINES = 20_000  # enough to keep threads busy, little enough to hold in memory


class Counts(NamedTuple):
    """What a file came to."""

    lines: int
    pieces: int
    unknown: int


def load_model(path: str):
    """The ``SentencePieceProcessor`` of the model file at ``path``."""
    import sentencepiece

    if not os.path.isfile(path):
        raise SwcmError("there is no SentencePiece model {}".format(path))
    try:
        return sentencepiece.SentencePieceProcessor(model_file=path)
    except (RuntimeError, OSError) as error:
        raise SwcmError("{} is no SentencePiece model, or was cut short ({})".format(path, error))


def read_batches(path: str, size: int = BATCH_LINES) -> Iterator[List[str]]:
    """Yield the lines of a text file without their ends, ``size`` at a time; only ``\\n`` (or ``\\r\\n``) ends one.

    Raises:
        SwcmError: the file is missing, or a line is not UTF-8.
    """
    if not os.path.isfile(path):
        raise SwcmError("there is no file {}".format(path))
    batch: List[str] = []
    with open(path, "rb") as stream:
        for number, raw in enumerate(stream, start=1):
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise SwcmError(
                    "{}, line {}: not UTF-8 at byte {}; convert the file, for example with iconv".format(
                        path, number, error.start + 1
                    )
                )
            batch.append(line[:-1].rstrip("\r") if line.endswith("\n") else line)
            if len(batch) == size:
                yield batch
                batch = []
    if batch:
        yield batch


def positive_number(text: str) -> int:
    """Parse a number that is at least one."""
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return count


def default_workers() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def text_pieces(model) -> Set[str]:
    """The model's pieces that stand for text."""
    ids = range(model.get_piece_size())
    return {model.id_to_piece(i) for i in ids if not model.is_control(i) and not model.is_unknown(i)}


def encode_texts(model, known: Set[str], batch: List[str], workers: int) -> Iterator[List[str]]:
    """The pieces of each text of ``batch``; text that the model lacks stands as it is, unless it looks like a symbol.

    SentencePiece gives unknown text as one piece, so a ``</s>``, ``<mask>`` or ``[kk]`` in it would be taken for the
    dictionary's.
    """
    for pieces in model.encode(batch, out_type=str, num_threads=workers):
        yield [UNKNOWN if piece not in known and SYMBOL.match(piece) else piece for piece in pieces]


def encode_documents(model, known: Set[str], batch: List[str], workers: int) -> Iterator[List[str]]:
    """The pieces of each document of ``batch``, with ``</s>`` between its sentences."""
    documents = [[sentence for sentence in map(str.strip, line.split(SENTENCE_END)) if sentence] for line in batch]
    flat = [sentence for document in documents for sentence in document]
    encoded = encode_texts(model, known, flat, workers)
    for document in documents:
        pieces: List[str] = []
        for _ in document:
            pieces += ([SENTENCE_END] if pieces else []) + next(encoded)
        yield pieces


def encode_file(model, source: str, target: IO[str], workers: int, documents: bool = False) -> Counts:
    """Write the pieces of each line of ``source``; returns lines, pieces and pieces that the model lacks."""
    known = text_pieces(model)
    lines = pieces = unknown = 0
    for batch in read_batches(source):
        if documents:
            encoded = encode_documents(model, known, batch, workers)
        else:
            encoded = encode_texts(model, known, batch, workers)
        for sentence in encoded:
            lines += 1
            unknown += sum(piece not in known and piece != SENTENCE_END for piece in sentence)
            joined = " ".join(sentence)
            if joined.split() != sentence:
                raise SwcmError(
                    "{}, line {}: a piece holds white space, at which fairseq would cut it again; clean the text "
                    "first (preprocess/clean.py)".format(source, lines)
                )
            pieces += len(sentence)
            target.write(joined + "\n")
    return Counts(lines, pieces, unknown)


def main(argv=None) -> int:
    """Encode the files given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spm", required=True, metavar="FILE", help="SentencePiece model")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the pieces and a copy of the model")
    parser.add_argument("--workers", type=positive_number, default=default_workers(), metavar="N", help="threads")
    parser.add_argument(
        "--documents", action="store_true", help="a line is a document to denoise; </s> in it parts its sentences"
    )
    parser.add_argument("--force", action="store_true", help="replace files that are there already")
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="text file, UTF-8, one sentence or text a line")
    args = parser.parse_args(argv)

    names = [os.path.basename(path) for path in args.inputs]
    twice = sorted({name for name in names if names.count(name) > 1 or name == MODEL_NAME})
    if twice:
        raise SwcmError("two files would be written under the same name in {}: {}".format(args.out, ", ".join(twice)))
    model = load_model(args.spm)
    with open(args.spm, "rb") as stream:
        model_bytes = stream.read()
    targets = [os.path.join(args.out, name) for name in names]
    for source, target in zip(args.inputs, targets):
        if os.path.exists(target) and os.path.exists(source) and os.path.samefile(source, target):
            raise SwcmError("{} would be overwritten by its own pieces; give another --out".format(source))
        refuse_overwrite(target, args.force)
    _refuse_other_model(os.path.join(args.out, MODEL_NAME), model_bytes, args.force)

    # All files take their names together, when the last one is whole.
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(atomic_write(target)) for target in targets]
        stack.enter_context(atomic_write(os.path.join(args.out, MODEL_NAME), "wb")).write(model_bytes)
        counts = [encode_file(model, s, stream, args.workers, args.documents) for s, stream in zip(args.inputs, streams)]
    for target, (lines, pieces, unknown) in zip(targets, counts):
        share = 100.0 * unknown / pieces if pieces else 0.0
        print("{}: {} lines, {} pieces, {:.2f}% unknown".format(target, lines, pieces, share))
    return 0


def _refuse_other_model(path: str, model: bytes, force: bool) -> None:
    """One folder holds the pieces of one model."""
    if os.path.isfile(path) and not force:
        with open(path, "rb") as stream:
            if stream.read() != model:
                raise SwcmError("{} is another model; give another --out, or --force to replace it".format(path))


if __name__ == "__main__":
    sys.exit(run_command(main))
