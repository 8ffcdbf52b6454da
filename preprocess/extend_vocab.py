"""Grow a vocabulary: new pieces for a language that an encoder, or a trained model, cannot spell.

    python preprocess/extend_vocab.py --encoder ENCODER --lang dz --text train.dz --out GROWN \\
        --parallel train.dz train.zh --held-out test.dz --old zh=train.zh kk=train.kk

Pieces are learned with SentencePiece on --text. Each holds a character of the language's scripts that the model lacks,
so text without such a character comes out in the same pieces as before; that is checked on every file named here.
Weights, config.json and SentencePiece model grow in step, in a packed model and a checkpoint also the dictionary and
its tags. A new row starts from the old pieces that spell its piece; where none do, from the pieces of its translations
in --parallel; else it is drawn as pieces are spread.

A packed model writes none of the new pieces, and so translates as it did, until it is trained with them: grow its
checkpoint and its encoder (--checkpoint, --encoder, with the same text, which gives the same pieces) and train on with
--finetune-from-model.

Beside the grown files stand extend.json, what was done and how much of each file is unknown before and after, and
new_pieces.txt, which prune_encoder.py --keep-pieces takes.
"""

import argparse
import os
import sys
from collections import Counter
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Set, Tuple

from swcm_preprocess.encode import read_batches
from swcm_preprocess.grown_files import checkpoint_to_grow, encoder_to_grow, packed_to_grow
from swcm_preprocess.parallel import positive_number
from swcm_preprocess.text_lines import read_aligned, write_lines

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_folder, refuse_overwrite, write_json
from swcm_fairseq.input_files import check_inputs, pipes_kept
from swcm_fairseq.languages import Language, language
from swcm_fairseq.models.embedding_rows import align, plan_starts
from swcm_fairseq.processors import usable_processors
from swcm_fairseq.vocabulary import protected_characters
from swcm_fairseq.vocabulary.coverage import UNIT_NAMES, Coverage, coverage
from swcm_fairseq.vocabulary.new_pieces import learn_pieces, new_characters, normalized, signs_within_words
from swcm_fairseq.vocabulary.pieces import Pieces
from swcm_fairseq.vocabulary.protected_characters import protect
from swcm_fairseq.vocabulary.sentencepiece_model import Piece, SentencePieceModel

REPORT_NAME, PIECES_NAME = "extend.json", "new_pieces.txt"
MOST_PAIRS = 100_000  # lines to align; more say little about which pieces go together
MOST_SHOWN = 20


class Compared(NamedTuple):
    """A file's counts with the model as it was and as it is now."""

    language: Language
    before: Coverage
    after: Coverage
    lines_changed: int


def aligned_pieces(
    pairs: Sequence[Sequence[str]], before: Pieces, after: Pieces, workers: int
) -> Dict[str, Dict[str, float]]:
    """The old pieces that each new piece is aligned with in ``pairs`` of files (new language, its translation)."""
    new_side: List[str] = []
    old_side: List[str] = []
    for paths in pairs:
        for number, (new, old) in enumerate(read_aligned(list(paths))):
            if number < MOST_PAIRS // len(pairs):
                new_side.append(new)
                old_side.append(old)
    known = [[piece for piece in line if piece in before.known] for line in before.cut(old_side, workers)]
    return align(after.cut(new_side, workers), known)


def compare(path: str, entry: Language, before: Pieces, after: Pieces, marks: Set[str], workers: int) -> Compared:
    """Cut a file with both models; a line that holds none of ``marks`` must come out the same."""
    counts, changed, number = [Coverage(), Coverage()], 0, 0
    for batch in read_batches(path):
        cut = [pieces.cut(batch, workers) for pieces in (before, after)]
        for i, pieces in enumerate((before, after)):
            counts[i] = counts[i].plus(coverage(pieces, batch, cut[i], entry))
        for old, new in zip(*cut):
            number += 1
            # An unknown piece shows its text, which may have become a piece.
            differs = old != new or any(piece not in before.known and piece in after.known for piece in new)
            changed += differs
            if differs and marks.isdisjoint("".join(new)):
                raise AssertionError(f"{path}, line {number} is cut anew without a new character")
    return Compared(entry, counts[0], counts[1], changed)


def table(compared: Dict[str, Compared]) -> str:
    """Before and after for each file, in columns."""
    rows = [("", "unknown characters", "unknown pieces", "pieces a unit", "lines cut anew")]
    for path, (entry, before, after, changed) in compared.items():
        old, new = before.rates(), after.rates()
        rows.append(
            (
                f"{entry.code}  {path}",
                "{:.2%} -> {:.2%}".format(old["unknown_characters"], new["unknown_characters"]),
                "{:.2%} -> {:.2%}".format(old["unknown_pieces"], new["unknown_pieces"]),
                "{:.2f} -> {:.2f} ({})".format(old["pieces_per_unit"], new["pieces_per_unit"], UNIT_NAMES[entry.units]),
                f"{changed} of {after.lines}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def language_file(text: str) -> Tuple[str, str]:
    """Parse ``kk=FILE``."""
    code, separator, path = text.partition("=")
    if not (code and separator and path):
        raise argparse.ArgumentTypeError("give CODE=FILE, such as kk=train.kk")
    return code, path


def parse_arguments(argv) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    subject = parser.add_mutually_exclusive_group(required=True)
    subject.add_argument("--encoder", metavar="DIR", help="grow an encoder folder, or a fairseq model.pt")
    subject.add_argument("--packed", metavar="DIR", help="grow a trained model that swcm-pack wrote")
    subject.add_argument("--checkpoint", metavar="FILE", help="grow a checkpoint, to train on from")
    parser.add_argument("--lang", required=True, metavar="CODE", help="the new language")
    parser.add_argument("--text", required=True, nargs="+", metavar="FILE", help="text in it to learn pieces from")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--pieces", type=positive_number, default=1000, metavar="N", help="most new pieces beside characters (1000)"
    )
    parser.add_argument(
        "--parallel",
        nargs=2,
        action="append",
        default=[],
        metavar=("NEW", "OLD"),
        help="text in the new language and its translation line by line, for the rows to start from",
    )
    parser.add_argument("--held-out", nargs="+", default=[], metavar="FILE", help="text in it to report on alone")
    old = "text in old languages to report on"
    parser.add_argument("--old", nargs="+", type=language_file, default=[], metavar="CODE=FILE", help=old)
    parser.add_argument(
        "--recut",
        action="store_true",
        help="learn pieces of known characters too; other languages in the script are cut anew, and a trained model "
        "has not seen them so",
    )
    parser.add_argument(
        "--all-characters",
        action="store_true",
        help="add unknown characters of other scripts that --text holds, too; other text with them is cut anew",
    )
    parser.add_argument("--workers", type=positive_number, default=usable_processors(), metavar="N", help="threads")
    parser.add_argument("--force", action="store_true", help="replace the output folder")
    return parser.parse_args(argv)


def main(argv=None) -> int:
    """Grow what the command line names."""
    args = parse_arguments(argv)
    refuse_overwrite(args.out, args.force)
    entry = language(args.lang)
    files = dict.fromkeys(args.text + args.held_out, entry)
    files.update((path, language(code)) for code, path in args.old)
    check_inputs([*files, *sum(args.parallel, [])])
    with pipes_kept([*files, *sum(args.parallel, [])]):
        grow(args, entry, files)
    return 0


def grow(args: argparse.Namespace, entry: Language, files: Dict[str, Language]) -> None:
    """Grow as the arguments say; ``files`` are compared before and after."""
    if args.encoder:
        path, write = encoder_to_grow(args.encoder)
    elif args.packed:
        path, write = packed_to_grow(args.packed, entry.tag)
    else:
        path, write = checkpoint_to_grow(args.checkpoint, entry.tag)
    model, before = SentencePieceModel.read(path), Pieces.load(path)
    if not model.is_unigram():
        raise SwcmError(f"{path} is not of the unigram kind; only those can grow without cutting old text anew")

    def text(signs: Dict[int, str]) -> Iterator[str]:
        for each in args.text:
            for batch in read_batches(each):
                yield from normalized(before, [protect(line, signs) for line in batch], args.workers)

    # The signs that encode.py protects with the grown model: those of this language, and those that it knew before.
    signs = {**signs_within_words(text(protected_characters.ALL), entry), **protected_characters.known_to(before.known)}
    characters = Counter(character for line in text(signs) for character in line)
    marks = new_characters(before, entry, characters, args.recut)
    if marks.isdisjoint(characters) and not args.recut:
        raise SwcmError(
            f"{path} knows every character of {entry.name} in the text by itself, so nothing is unknown; --recut "
            "adds longer pieces, "
            "which cut other text in the script anew"
        )
    marks |= set(signs.values()) - (set() if args.recut else before.known)
    new = learn_pieces(model, text(signs), marks, args.pieces)
    strays = {c: n for c, n in characters.most_common() if c not in before.known and c not in marks and not c.isspace()}
    if args.all_characters:
        rarest = min(piece.score for piece in new)
        new += [Piece(character, rarest) for character in strays]
        marks, strays = marks | set(strays), {}
    grown = SentencePieceModel(model.pieces + new, model.rest)  # behind the old ones, whose ids stay

    import sentencepiece

    after = Pieces(sentencepiece.SentencePieceProcessor(model_proto=grown.to_bytes()))
    compared = {path: compare(path, each, before, after, marks, args.workers) for path, each in files.items()}
    aligned = aligned_pieces(args.parallel, before, after, args.workers) if args.parallel else {}
    starts = plan_starts(new, model.pieces, aligned)
    report: Dict[str, Any] = {
        "language": entry.code,
        "pieces": {"before": len(model.pieces) - 3, "new": len(new), "characters": sum(len(p.text) == 1 for p in new)},
        "rows_start": dict(Counter(start.kind for start in starts)),
        "still_unknown": strays,
        "files": {
            path: {
                "language": each.language.code,
                "unit": UNIT_NAMES[each.language.units],
                "lines": each.after.lines,
                "lines_cut_anew": each.lines_changed,
                "before": each.before.rates(),
                "after": each.after.rates(),
            }
            for path, each in compared.items()
        },
    }
    with atomic_folder(args.out, args.force) as folder:
        write(folder, grown, new, starts)
        write_lines(os.path.join(folder, PIECES_NAME), (piece.text for piece in new))
        with open(os.path.join(folder, REPORT_NAME), "w", encoding="utf-8", newline="\n") as stream:
            write_json(stream, report)
    counts = report["pieces"]
    print("{}: {before} pieces and {new} new ones, {characters} of them characters".format(args.out, **counts))
    kinds = ", ".join(f"{count} {kind}" for kind, count in report["rows_start"].items())
    print(f"new rows start: {kinds}\n{table(compared)}")
    if strays:
        some = " ".join(f"{character} ({count})" for character, count in list(strays.items())[:MOST_SHOWN])
        more = f" and {len(strays) - MOST_SHOWN} more" if len(strays) > MOST_SHOWN else ""
        print(f"still unknown, of other scripts (--all-characters adds them): {some}{more}")


def cli() -> int:
    """The entry point: exit code 0 done, 1 the work failed, 2 wrong usage."""
    return run_command(main)


if __name__ == "__main__":
    sys.exit(cli())
