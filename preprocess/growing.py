"""Growing a vocabulary: an encoder, or a trained model, with more pieces, and all that counts pieces in step.

Rows stand as dictionaries name them: specials, pieces, ``<mask>``, tags. New pieces go behind the old ones, before
``<mask>``; what stands behind moves up, and no old row changes.
"""

import dataclasses
from typing import Dict, List, Sequence

import torch
from torch import Tensor

from swcm_fairseq.models.embedding_rows import TABLES, Start, start_rows, tag_rows
from swcm_fairseq.pretrained.encoder import OpenedEncoder
from swcm_fairseq.pretrained.encoder_folder import TOKEN_TYPES, hugging_face_tensors, write_encoder_folder
from swcm_fairseq.pretrained.layouts import TOKENS
from swcm_fairseq.vocabulary.sentencepiece_model import Piece, SentencePieceModel
from swcm_fairseq.vocabulary.symbols import MASK, SPECIALS


def grow_encoder(folder: str, encoder: OpenedEncoder, model: SentencePieceModel, starts: Sequence[Start]) -> None:
    """Write the grown encoder into the existing ``folder``.

    Args:
        encoder: without surplus rows.
        model: the grown model; its last ``len(starts)`` pieces are new.
    """
    order = encoder.vocabulary.pieces or []
    row_of = {piece: row for row, piece in enumerate(order, start=len(SPECIALS))}
    tensors: Dict[str, Tensor] = {}
    for name in encoder.match.origins:
        tensor = encoder.tensor(name)
        if name == TOKENS:
            # In the SentencePiece model's order, which is not everywhere the rows' own.
            old = model.pieces[len(SPECIALS) - 1 : len(model.pieces) - len(starts)]
            rows = list(range(len(SPECIALS))) + [row_of[piece.text] for piece in old]
            mask = tensor[len(SPECIALS) + len(order) :]
            tensor = torch.cat([tensor[torch.tensor(rows)], start_rows(tensor, row_of, starts), mask])
        tensors.update(hugging_face_tensors(name, tensor))
    token_types = encoder.token_types()
    tensors[TOKEN_TYPES] = torch.zeros(1, encoder.config.encoder_embed_dim) if token_types is None else token_types
    config = dataclasses.replace(encoder.config, vocab_size=encoder.config.vocab_size + len(starts))
    write_encoder_folder(folder, config, tensors, model.to_bytes())


def grown_symbols(symbols: Sequence[str], new: Sequence[Piece], tags: Sequence[str]) -> List[str]:
    """A dictionary's symbols, specials included, with the ``new`` pieces before ``<mask>`` and ``tags`` at the end."""
    symbols, mask = list(symbols), list(symbols).index(MASK)
    new_tags = [tag for tag in tags if tag not in symbols]
    return symbols[:mask] + [piece.text for piece in new] + symbols[mask:] + new_tags


def grow_state(state: Dict[str, Tensor], symbols: Sequence[str], starts: Sequence[Start], tags: int) -> None:
    """Lengthen all tables of a trained model's ``state`` in place, so that they fit ``grown_symbols``.

    Args:
        symbols: the dictionary's before it grew.
        tags: how many tags are new; their rows are drawn as where a model is built, the same in all tables.
    """
    row_of, mask = {symbol: row for row, symbol in enumerate(symbols)}, list(symbols).index(MASK)
    for name in TABLES:
        if name not in state:
            continue
        table = state[name] if state[name].dim() == 2 else state[name].unsqueeze(1)
        rows = start_rows(table, row_of, starts)
        if state[name].dim() == 2:
            drawn = tag_rows(table, tags, torch.Generator().manual_seed(table.size(0))).to(table.dtype)
        else:
            drawn = table.new_zeros(tags, 1)  # the bias of a tag, which is never written
        grown = torch.cat([table[:mask], rows, table[mask:], drawn])
        state[name] = grown if state[name].dim() == 2 else grown.squeeze(1)
