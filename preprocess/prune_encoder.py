"""Cut an encoder to the pieces that given text uses, and to chosen layers.

Writes an encoder folder in Hugging Face's layout: weights, config.json and SentencePiece model in step, and
prune.json, which says what was kept. Rows that belong to no piece are always cut. Without --corpus all
pieces stay. The text is cut as encode.py cuts it, and into the same pieces before and after; that is checked before
anything is written.
"""

import argparse
import dataclasses
import os
import shutil
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from swcm_preprocess.encode import read_batches
from swcm_preprocess.parallel import positive_number

import numpy
import torch

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_folder, refuse_overwrite, write_json
from swcm_fairseq.input_files import check_inputs, pipes_kept
from swcm_fairseq.pretrained.encoder import OpenedEncoder, open_encoder
from swcm_fairseq.pretrained.encoder_folder import TOKEN_TYPES, hugging_face_tensors, write_encoder_folder
from swcm_fairseq.pretrained.layouts import TOKENS, layer_tensor_names
from swcm_fairseq.processors import usable_processors
from swcm_fairseq.vocabulary.pieces import Pieces
from swcm_fairseq.vocabulary.sentencepiece_model import NORMAL, Piece, SentencePieceModel
from swcm_fairseq.vocabulary.symbols import CARD, SPACE, SPECIALS

REPORT_NAME = "prune.json"
FIRST_PIECE = 3  # id of the first piece in a SentencePiece model of XLM-R's; <unk>, <s>, </s> stand before it


class Change(NamedTuple):
    """What cutting the vocabulary did to one file."""

    lines: int
    pieces: int
    unknown: int
    lines_changed: int
    first_changed: int  # its line number, 0 where none changed


def count_pieces(pieces: Pieces, corpora: Sequence[str], workers: int) -> numpy.ndarray:
    """How often each id of a model occurs in the files: [pieces]."""
    counts = numpy.zeros(pieces.model.get_piece_size(), dtype=numpy.int64)
    for path in corpora:
        for batch in read_batches(path):
            ids = [i for line in pieces.ids(batch, workers) for i in line]
            counts += numpy.bincount(numpy.asarray(ids, dtype=numpy.int64), minlength=len(counts))
    return counts


def choose_pieces(pieces: Sequence[Piece], counts: numpy.ndarray, min_count: int, wanted: Sequence[str]) -> List[int]:
    """The ids to keep, ascending: every kind but normal pieces, what the text uses, and what keeps it unchanged.

    Beside the used pieces stay the space mark, the ``wanted`` pieces, and:

    * the least probable piece, since SentencePiece sets the price of an unknown character below it; with
      another price, text with unknown characters could be cut elsewhere;
    * the single characters of used pieces that are too rare to keep, so that nothing known becomes unknown.

    Raises:
        SwcmError: names wanted pieces that the model lacks.
    """
    id_of = {piece.text: i for i, piece in enumerate(pieces)}
    lacking = [text for text in wanted if text not in id_of]
    if lacking:
        raise SwcmError("the SentencePiece model has no piece for these lines of --keep-pieces:", lacking)
    keep = {i for i, piece in enumerate(pieces) if piece.kind != NORMAL}
    keep.update(numpy.flatnonzero(counts >= min_count).tolist())
    keep.update(id_of[text] for text in wanted)
    keep.update(id_of[text] for text in [SPACE] if text in id_of)
    for rare in numpy.flatnonzero((counts > 0) & (counts < min_count)).tolist():
        keep.update(id_of[character] for character in pieces[rare].text if character in id_of)
    keep.add(min((i for i, p in enumerate(pieces) if p.kind == NORMAL), key=lambda i: pieces[i].score, default=0))
    # fairseq cuts text at any white space, so a piece that holds some can never be read back.
    return sorted(i for i in keep if i < FIRST_PIECE or pieces[i].text.split() == [pieces[i].text])


def compare(before: Pieces, after: Pieces, kept: Sequence[int], path: str, workers: int) -> Change:
    """Encode a file with both models and compare the pieces; ``kept`` has the old id of each new one.

    Ids are compared, not text: a piece that became unknown still shows the same text.
    """
    lines = pieces = unknown = changed = first = 0
    for batch in read_batches(path):
        old, new = before.ids(batch, workers), after.ids(batch, workers)
        for number, (one, other) in enumerate(zip(old, new), start=lines + 1):
            pieces += len(other)
            unknown += other.count(after.model.unk_id())
            if one != [kept[i] for i in other]:
                changed, first = changed + 1, first or number
        lines += len(batch)
    return Change(lines, pieces, unknown, changed, first)


def prune_vocabulary(
    encoder: OpenedEncoder, corpora: Sequence[str], min_count: int, wanted: Sequence[str], workers: int
) -> Tuple[SentencePieceModel, Dict[str, Change]]:
    """Cut the encoder's SentencePiece model to the text in ``corpora``; all pieces stay where there is none.

    Raises:
        SwcmError: the pieces of the text would change although ``min_count`` is 1.
    """
    path = encoder.vocabulary.sentencepiece_model
    if path is None:
        raise SwcmError(f"{encoder.path} has no SentencePiece model, so pieces cannot be counted")
    model = SentencePieceModel.read(path)
    if not corpora:
        return model, {}
    if not model.is_unigram():
        raise SwcmError(f"{path} is not of the unigram kind; only those can be cut to the pieces in use")
    before = Pieces.load(path)
    counts = count_pieces(before, corpora, workers)
    if not counts[FIRST_PIECE:].any():
        raise SwcmError("the corpora hold no piece of {}: {}".format(path, ", ".join(corpora)))
    kept = choose_pieces(model.pieces, counts, min_count, wanted)
    pruned = SentencePieceModel([model.pieces[i] for i in kept], model.rest)

    import sentencepiece

    after = Pieces(sentencepiece.SentencePieceProcessor(model_proto=pruned.to_bytes()))
    changes = {corpus: compare(before, after, kept, corpus, workers) for corpus in corpora}
    changed = [f"{c}, line {change.first_changed}" for c, change in changes.items() if change.first_changed]
    if changed and min_count <= 1:
        raise SwcmError(
            "pruning would change the pieces of the text; they hold white space, so clean the text first "
            "(preprocess/clean.py); first at:",
            changed,
        )
    return pruned, changes


def pruned_tensors(encoder: OpenedEncoder, pieces: Optional[List[str]], layers: List[int]) -> Dict[str, torch.Tensor]:
    """The kept tensors under Hugging Face's names, values untouched.

    Args:
        pieces: the kept pieces in their new order; None keeps every row.
        layers: the kept layers; the first of them becomes layer 0.
    """
    tensors: Dict[str, torch.Tensor] = {}
    names = {name: name for name in encoder.match.origins if not name.startswith("layers.")}
    for number, layer in enumerate(layers):
        names.update(zip(layer_tensor_names(number), layer_tensor_names(layer)))
    for new, old in names.items():
        tensor = encoder.tensor(old)
        if new == TOKENS and pieces is not None:
            row_of = {piece: row for row, piece in enumerate(encoder.vocabulary.pieces or [], start=len(SPECIALS))}
            rows = list(range(len(SPECIALS))) + [row_of[piece] for piece in pieces]
            rows.append(encoder.vocabulary.rows() - 1)  # <mask>
            tensor = tensor[torch.tensor(rows)]
        tensors.update(hugging_face_tensors(new, tensor))
    token_types = encoder.token_types()
    # fairseq's encoders have no token types, which is the same as a row of zeros.
    tensors[TOKEN_TYPES] = torch.zeros(1, encoder.config.encoder_embed_dim) if token_types is None else token_types
    return tensors


def write_pruned(
    folder: str, encoder: OpenedEncoder, model: Optional[SentencePieceModel], layers: List[int]
) -> Dict[str, Any]:
    """Write the encoder folder (all but prune.json) into the existing ``folder``; returns what was kept and cut."""
    pieces = [piece.text for piece in model.pieces[FIRST_PIECE:]] if model else None
    tensors = pruned_tensors(encoder, pieces, layers)
    old = encoder.config
    rows = tensors["embeddings.word_embeddings.weight"].size(0)
    config = dataclasses.replace(old, vocab_size=rows, encoder_layers=len(layers))
    write_encoder_folder(folder, config, tensors, model.to_bytes() if model else None)
    open_encoder(folder).refuse_surplus_rows()
    report = {
        "rows": {"before": old.vocab_size, "after": config.vocab_size, "surplus_cut": encoder.surplus_rows},
        "layers": {"before": old.encoder_layers, "kept": layers},
        "parameters": sum(tensor.numel() for tensor in tensors.values()),
    }
    if pieces is not None:
        kept, every = set(pieces), encoder.vocabulary.pieces or []
        report["pieces"] = {"before": len(every), "after": len(pieces)}
        report["white_space_pieces_cut"] = [p for p in every if p.split() != [p] and p not in kept]
    return report


def describe(out: str, report: Dict[str, Any]) -> str:
    """What was cut, in a few lines."""
    rows, layers = report["rows"], report["layers"]
    numbers, sizes = ",".join(map(str, layers["kept"])), "rows {} -> {}".format(rows["before"], rows["after"])
    sizes += ", layers {} -> {} ({})".format(layers["before"], len(layers["kept"]), numbers)
    lines = ["{}: {}, {:.1f}M parameters".format(out, sizes, report["parameters"] / 1e6)]
    if rows["surplus_cut"]:
        first = rows["before"] - rows["surplus_cut"]
        lines.append("cut rows {} to {}, which no piece has".format(first, rows["before"] - 1))
    if report.get("white_space_pieces_cut"):
        names = ", ".join(ascii(piece) for piece in report["white_space_pieces_cut"])
        lines.append(f"cut pieces that hold white space, which fairseq cannot use: {names}")
    for path, change in report["corpora"].items():
        counts = "{lines} lines, {pieces} pieces, {unknown} unknown, {lines_changed} lines changed".format(**change)
        lines.append(f"{path}: {counts}")
    return "\n".join(lines)


def layer_list(text: str) -> List[int]:
    """Parse ``0,3,6,9``: ascending, none twice."""
    layers = [int(each) for each in text.split(",")]
    if layers != sorted(set(layers)) or layers[0] < 0:
        raise argparse.ArgumentTypeError("give layer numbers in ascending order, such as 0,3,6,9")
    return layers


def main(argv=None) -> int:
    """Prune as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", required=True, metavar="DIR", help="encoder folder, or a fairseq model.pt")
    parser.add_argument("--corpus", nargs="+", default=[], metavar="FILE", help="text whose pieces are kept, UTF-8")
    parser.add_argument("--out", required=True, metavar="DIR", help="encoder folder to write")
    parser.add_argument("--keep-layers", type=layer_list, metavar="0,3,6,9", help="layers to keep (all)")
    parser.add_argument("--min-count", type=positive_number, default=1, metavar="N", help="occurrences needed (1)")
    parser.add_argument("--keep-pieces", metavar="FILE", help="further pieces to keep, one a line")
    parser.add_argument("--workers", type=positive_number, default=usable_processors(), metavar="N", help="threads")
    parser.add_argument("--force", action="store_true", help="replace the output folder")
    args = parser.parse_args(argv)
    if not args.corpus and (args.keep_pieces or args.min_count > 1):
        parser.error("--keep-pieces and --min-count choose pieces by the text in --corpus, which is not given")
    check_inputs(args.corpus + [args.keep_pieces] * bool(args.keep_pieces))
    with pipes_kept(args.corpus):
        prune(args)
    return 0


def prune(args: argparse.Namespace) -> None:
    """Prune as the arguments say."""
    refuse_overwrite(args.out, args.force)
    encoder = open_encoder(args.encoder)
    layers = args.keep_layers or list(range(encoder.config.encoder_layers))
    if layers[-1] >= encoder.config.encoder_layers:
        numbers, last = ",".join(map(str, layers)), encoder.config.encoder_layers - 1
        raise SwcmError(f"--keep-layers {numbers}: {args.encoder} has layers 0 to {last}")
    batches = read_batches(args.keep_pieces) if args.keep_pieces else []
    wanted = [line for batch in batches for line in batch if line]
    model = None
    changes: Dict[str, Any] = {}
    if args.corpus or encoder.vocabulary.pieces is not None:
        model, changes = prune_vocabulary(encoder, args.corpus, args.min_count, wanted, args.workers)
    with atomic_folder(args.out, args.force) as folder:
        report = write_pruned(folder, encoder, model, layers)
        report["min_count"] = args.min_count
        report["corpora"] = {path: change._asdict() for path, change in changes.items()}
        with open(os.path.join(folder, REPORT_NAME), "w", encoding="utf-8", newline="\n") as stream:
            write_json(stream, report)
        card = os.path.join(args.encoder, CARD)
        if os.path.isfile(card):
            shutil.copyfile(card, os.path.join(folder, CARD))
    print(describe(args.out, report))


def cli() -> int:
    """The entry point: exit code 0 done, 1 the work failed, 2 wrong usage."""
    return run_command(main)


if __name__ == "__main__":
    sys.exit(cli())
