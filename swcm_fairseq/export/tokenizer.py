"""A tokenizer of Hugging Face's for a model's SentencePiece pieces, with the same ids for the same text.

``tokenizer.json`` is what the library tokenizers reads, fast; ``sentencepiece.bpe.model`` beside it is for the slow
tokenizer, ``XLMRobertaTokenizer``. The ids are fairseq's, as in XLM-R: specials, pieces, ``<mask>``, tags.
"""

import base64
import os
from typing import Dict, List, Sequence

from ..errors import SwcmError, some
from ..files import dump_json
from ..vocabulary.protected_characters import known_to
from ..vocabulary.sentencepiece_model import (
    BYTE,
    CONTROL,
    NORMAL,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    SentencePieceModel,
)
from ..vocabulary.symbols import BOS, BOS_ID, EOS, EOS_ID, MASK, PAD, SPACE, SPECIALS, UNKNOWN_ID
from .unicode_composition import expanded, uncomposed

# The library replaces groups of characters that a reader takes for one, and of a group what follows its first replaced
# part is lost. A control character parts them; the usual tables take it away again.
_APART = "\x01"
# Keeps apart what must not be composed; it is assigned to nothing, and stands in no text.
_BARRIER = "\U000e0fff"
_EVERYWHERE = "(?<=[\\s\\S])(?=[\\s\\S])"


def tokenizer_files(sentencepiece_model: str, symbols: Sequence[str], max_length: int) -> Dict[str, Dict]:
    """Name -> content of ``tokenizer.json`` and what lies beside it.

    Args:
        sentencepiece_model: path of the model's.
        symbols: of the dictionary, in order.
        max_length: most ids of a text, ``<s>`` and ``</s>`` included.

    Raises:
        SwcmError: what Hugging Face's tokenizers cannot do as SentencePiece does.
    """
    model = SentencePieceModel.read(sentencepiece_model)
    _check(model, sentencepiece_model)
    scores = {piece.text: piece.score for piece in model.pieces if piece.kind == NORMAL}
    end = next((place for place in range(len(SPECIALS), len(symbols)) if symbols[place] not in scores), len(symbols))
    vocabulary = [[symbol, 0.0] for symbol in SPECIALS] + [[symbol, scores[symbol]] for symbol in symbols[4:end]]
    added = [(place, symbols[place]) for place in [*range(len(SPECIALS)), *range(end, len(symbols))]]
    tags = [symbol for _, symbol in added[len(SPECIALS) + 1 :]]
    return {
        "tokenizer.json": {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [{"id": place, **_special(symbol)} for place, symbol in added],
            "normalizer": _sequence("normalizers", _normalizers(model)),
            "pre_tokenizer": _sequence("pretokenizers", _splits(symbols[4:end])),
            "post_processor": _post_processor(),
            "decoder": _sequence("decoders", _decoders(model)),
            "model": {
                "type": "Unigram",
                "unk_id": UNKNOWN_ID,
                "vocab": vocabulary,
                "byte_fallback": False,
            },
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            **_NAMES,
            "additional_special_tokens": tags,
            "added_tokens_decoder": {str(place): _special(symbol) for place, symbol in added},
            "model_max_length": max_length,
            "model_input_names": ["input_ids", "attention_mask"],
            "clean_up_tokenization_spaces": False,
            # A </s> or [kk] in a text is text.
            "split_special_tokens": True,
        },
        "special_tokens_map.json": {**_NAMES, "additional_special_tokens": tags},
    }


def write_tokenizer(folder: str, files: Dict[str, Dict]) -> None:
    """Write what ``tokenizer_files`` gave into ``folder``."""
    for name, content in files.items():
        indent = None if name == "tokenizer.json" else 2
        dump_json(os.path.join(folder, name), content, ensure_ascii=False, indent=indent)


_NAMES = {
    "bos_token": BOS,
    "eos_token": EOS,
    "sep_token": EOS,
    "cls_token": BOS,
    "unk_token": SPECIALS[UNKNOWN_ID],
    "pad_token": PAD,
    "mask_token": MASK,
}


def _check(model: SentencePieceModel, path: str) -> None:
    problems = []
    if not model.is_unigram():
        problems.append("it is no unigram model")
    kinds = {BYTE: "bytes", USER_DEFINED: "user-defined", UNUSED: "unused"}
    for kind in sorted({piece.kind for piece in model.pieces} - {NORMAL, UNKNOWN, CONTROL}):
        found = [piece.text for piece in model.pieces if piece.kind == kind]
        problems.append("it has pieces that are {}: {}".format(kinds.get(kind, f"of kind {kind}"), some(found)))
    if problems:
        raise SwcmError(
            f"Hugging Face's tokenizers cannot do what {path} does; --to ct2 and --to onnx use SentencePiece itself",
            problems,
        )


def _special(symbol: str) -> Dict:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"content": symbol, **flags}


def _sequence(name: str, parts: List[Dict]):
    return {"type": "Sequence", name: parts} if parts else None


def _replace(string: str, content: str) -> Dict:
    return {"type": "Replace", "pattern": {"String": string}, "content": content}


def _replace_all(regex: str, content: str) -> Dict:
    return {"type": "Replace", "pattern": {"Regex": regex}, "content": content}


def _normalizers(model: SentencePieceModel) -> List[Dict]:
    """SentencePiece's normalization: the table, then white space."""
    settings = model.normalization()
    table = known_to(piece.text for piece in model.pieces)
    parts = [_replace(chr(sign), stand_in) for sign, stand_in in table.items()]
    if settings.character_map:
        parts += [
            _replace_all(expanded(), _BARRIER),
            _replace_all(_EVERYWHERE, _APART),
            {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(settings.character_map).decode("ascii")},
            _replace(_APART, ""),
            _replace_all(uncomposed(), _BARRIER),
            {"type": "NFC"},
            _replace(_BARRIER, ""),
        ]
    if settings.remove_extra_whitespaces:
        parts += [_replace_all("^ +| +$", ""), _replace_all(" {2,}", " ")]
    if settings.add_dummy_prefix:
        parts.append({"type": "Prepend", "prepend": " "})
    return parts + [_replace(" ", SPACE)]


def _splits(pieces: Sequence[str]) -> List[Dict]:
    """Cut a text such as ``</s>`` where no piece goes across, so that it is not taken for the special of that name."""
    joined = "\n".join(pieces)
    parts = []
    for special in SPECIALS:
        places = range(1, len(special))
        place = next((p for p in places if special[p - 1 : p + 1] not in joined), 1)
        regex = f"(?<={special[:place]})(?={special[place:]})"
        parts.append({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False})
    return parts


def _post_processor() -> Dict:
    start, end = ({"SpecialToken": {"id": symbol, "type_id": 0}} for symbol in (BOS, EOS))
    first, second = ({"Sequence": {"id": side, "type_id": 0}} for side in "AB")
    return {
        "type": "TemplateProcessing",
        "single": [start, first, end],
        "pair": [start, first, end, end, second, end],
        "special_tokens": {
            symbol: {"id": symbol, "ids": [index], "tokens": [symbol]}
            for symbol, index in ((BOS, BOS_ID), (EOS, EOS_ID))
        },
    }


def _decoders(model: SentencePieceModel) -> List[Dict]:
    table = known_to(piece.text for piece in model.pieces)
    parts = [_replace(SPACE, " ")] + [_replace(stand_in, chr(sign)) for sign, stand_in in table.items()]
    return parts + [{"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1000, "stop": 1000}]
