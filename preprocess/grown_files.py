"""What can grow, on disk: an encoder folder, a folder of swcm-pack, a checkpoint with what lies beside it.

Each is opened once, and gives the SentencePiece model to grow and a function that writes all of it, grown.
"""

import os
from typing import Callable, List, Sequence, Tuple

from swcm_preprocess.growing import grow_encoder, grow_state, grown_symbols

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.models.embedding_rows import TABLES, Start
from swcm_fairseq.pretrained.encoder import open_encoder
from swcm_fairseq.vocabulary.sentencepiece_model import Piece, SentencePieceModel

# write(folder, grown SentencePiece model, new pieces, their starts): the grown files, into an existing folder.
Writer = Callable[[str, SentencePieceModel, List[Piece], List[Start]], None]


def encoder_to_grow(path: str) -> Tuple[str, Writer]:
    """The SentencePiece model of an encoder, and how to write the grown encoder."""
    encoder = open_encoder(path)
    encoder.refuse_surplus_rows()
    if encoder.vocabulary.sentencepiece_model is None:
        raise SwcmError(f"{path} has no SentencePiece model; put it there")

    def write(folder, model, new, starts):
        grow_encoder(folder, encoder, model, starts)
        open_encoder(folder).refuse_surplus_rows()

    return encoder.vocabulary.sentencepiece_model, write


def packed_to_grow(path: str, tag: str) -> Tuple[str, Writer]:
    """The SentencePiece model of a folder of swcm-pack, and how to write the grown folder."""
    from swcm_fairseq.decoding import packed

    old = packed.read(path)
    symbols = old.dictionary.symbols

    def write(folder, model, new, starts):
        state = dict(old.model.state_dict())
        dictionary = dictionary_of(grown_symbols(symbols, new, [tag]))
        grow_state(state, symbols, starts, len(dictionary) - len(symbols) - len(new))
        grown = packed.build(packed.settings_of(old.model), dictionary, state, path)
        untrained = old.untrained + [symbol for symbol in dictionary.symbols if symbol not in old.dictionary]
        packed.write(folder, grown, dictionary, model.to_bytes(), old.targets, True, untrained)

    return old.sentencepiece_model, write


def checkpoint_to_grow(path: str, tag: str) -> Tuple[str, Writer]:
    """The SentencePiece model beside a checkpoint, and how to write checkpoint, dictionary and model, grown."""
    import torch

    from swcm_fairseq.data.data_bin import load_dictionary, sentencepiece_model
    from swcm_fairseq.torch_files import check_finite, safe_load
    from swcm_fairseq.vocabulary.dictionary import check_sentencepiece_model
    from swcm_fairseq.vocabulary.symbols import DICTIONARY, SENTENCEPIECE_MODEL

    state = safe_load(path)
    if not isinstance(state, dict) or TABLES[0] not in state.get("model", {}):
        raise SwcmError(f"{path} is no checkpoint of an xlm_swcm model")
    check_finite(state["model"], path)
    beside = os.path.dirname(os.path.abspath(path))
    pieces = sentencepiece_model([beside])
    if pieces is None:
        raise SwcmError(f"no {SENTENCEPIECE_MODEL} beside {path}")
    symbols = load_dictionary([beside], []).symbols
    check_sentencepiece_model(symbols, pieces)
    # Moments of the old rows would go with the wrong ones.
    state = {name: value for name, value in state.items() if name != "last_optimizer_state"}

    def write(folder, model, new, starts):
        dictionary = dictionary_of(grown_symbols(symbols, new, [tag]))
        grow_state(state["model"], symbols, starts, len(dictionary) - len(symbols) - len(new))
        torch.save(state, os.path.join(folder, os.path.basename(path)))
        dictionary.save(os.path.join(folder, DICTIONARY))
        with open(os.path.join(folder, SENTENCEPIECE_MODEL), "wb") as stream:
            stream.write(model.to_bytes())

    return pieces, write


def dictionary_of(symbols: Sequence[str]):
    """fairseq's dictionary of ``symbols``, its own four specials first among them."""
    from fairseq.data import Dictionary

    dictionary = Dictionary()
    for symbol in symbols[dictionary.nspecial :]:
        dictionary.add_symbol(symbol)
    return dictionary
