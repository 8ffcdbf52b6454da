"""Write fairseq's dictionary for an encoder: its pieces in row order, ``<mask>``, then the languages' tags.

fairseq puts its four specials before them, so that every symbol's id is its row in the encoder's embedding;
the tags' rows are added when a model is built.
"""

import argparse
import os
import sys
from collections import Counter
from typing import List

import swcm_preprocess  # noqa: F401 (says in one line where nothing is installed)

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_write, refuse_overwrite
from swcm_fairseq.languages import tag_of
from swcm_fairseq.pretrained.encoder import open_encoder
from swcm_fairseq.vocabulary.symbols import MASK, SPECIALS


def dictionary_symbols(pieces: List[str], codes: List[str]) -> List[str]:
    """The dictionary's symbols after the four specials.

    Args:
        pieces: in row order.
        codes: languages, such as ``["zh", "kk"]``.

    Raises:
        SwcmError: every unknown language, and every symbol that fairseq could not read back or that stands twice.
    """
    problems, tags = [], []
    for code in codes:
        try:
            tags.append(tag_of(code))
        except SwcmError as error:
            problems.append(str(error))
    symbols = pieces + [MASK] + tags
    counts = Counter(list(SPECIALS) + symbols)
    for symbol, count in counts.items():
        if count > 1:
            kind = "the tag" if symbol in tags else "the symbol"
            problems.append(f"{kind} {symbol} stands {count} times")
    # Lines of a dictionary end where Python's universal newlines see an end, and their parts are cut at spaces.
    unwritable = [piece for piece in pieces if not piece or set(piece) & set(" \r\n")]
    problems += [f"the piece {piece!r} cannot stand in a dictionary" for piece in unwritable]
    if problems:
        raise SwcmError("no dictionary can be made:", problems)
    return symbols


def language_codes(text: str) -> List[str]:
    """Parse ``zh,kk,mn``."""
    codes = [code.strip() for code in text.split(",")]
    if not all(codes):
        raise argparse.ArgumentTypeError("give languages separated by commas, such as zh,kk,mn,ug")
    return codes


def main(argv=None) -> int:
    """Build the dictionary that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", required=True, metavar="DIR", help="encoder folder with its SentencePiece model")
    parser.add_argument("--langs", required=True, type=language_codes, metavar="zh,kk", help="languages to get a tag")
    parser.add_argument("--out", required=True, metavar="FILE", help="dictionary to write (dict.txt)")
    parser.add_argument("--force", action="store_true", help="replace FILE")
    args = parser.parse_args(argv)

    refuse_overwrite(args.out, args.force)
    encoder = open_encoder(args.encoder)
    encoder.refuse_surplus_rows()
    if encoder.vocabulary.pieces is None:
        raise SwcmError(f"{args.encoder} has no SentencePiece model, so its pieces are unknown; put it there")
    symbols = dictionary_symbols(encoder.vocabulary.pieces, args.langs)
    with atomic_write(args.out) as stream:
        stream.writelines(symbol + " 1\n" for symbol in symbols)
    unusable = [piece for piece in encoder.vocabulary.pieces if piece.split() != [piece]]
    if unusable:
        print(
            "note: fairseq cuts text at any white space, so it never uses {}".format(", ".join(map(repr, unusable))),
            file=sys.stderr,
        )
    tags = " ".join(symbols[-len(args.langs) :])
    print(f"{os.path.normpath(args.out)}: {len(symbols)} symbols, tags {tags}")
    return 0


def cli() -> int:
    """The entry point: exit code 0 done, 1 the work failed, 2 wrong usage."""
    return run_command(main)


if __name__ == "__main__":
    sys.exit(cli())
