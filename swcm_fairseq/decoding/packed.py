"""The packed folder: a model with all that decoding needs, and nothing else.

``model.safetensors`` the weights, each once; ``dict.txt``; ``sentencepiece.bpe.model``; ``config.json`` the model's
settings, the target languages it was trained for, and the symbols it was not trained with (a model that
preprocess/extend_vocab.py has grown has some; it writes as it did before, until it is trained and packed again).
"""

import dataclasses
import os
from types import SimpleNamespace
from typing import Dict, List, NamedTuple, Sequence

import torch
from fairseq.data import Dictionary
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..data.data_bin import read_dictionary
from ..errors import SwcmError, some
from ..files import atomic_folder, dump_json, utf8_name
from ..input_files import check_fetched, read_json
from ..models.config import XlmSwcmConfig
from ..models.xlm_swcm import XlmSwcmModel
from ..torch_files import check_finite, save_safetensors
from ..version import __version__
from ..vocabulary.symbols import DICTIONARY, SENTENCEPIECE_MODEL

FORMAT = 1
WEIGHTS = "model.safetensors"
CONFIG = "config.json"


class Packed(NamedTuple):
    """What a packed folder holds."""

    model: XlmSwcmModel
    dictionary: Dictionary
    sentencepiece_model: str
    targets: List[str]
    untrained: List[str]


def build(settings: Dict, dictionary: Dictionary, state: Dict[str, Tensor], origin: str) -> XlmSwcmModel:
    """Build the model that ``settings`` describe and load ``state`` into it, in float32 for decoding.

    Args:
        settings: fields of ``XlmSwcmConfig``; others are left out.
        state: every tensor, or each of those that are tied once.
        origin: file that the state came from, for messages.

    Raises:
        SwcmError: tensors that are missing, left over or of another shape, all named; or numbers that are NaN.
    """
    check_finite(state, origin)
    fields = {field.name for field in dataclasses.fields(XlmSwcmConfig)}
    cfg = XlmSwcmConfig(**{name: value for name, value in settings.items() if name in fields and name != "_name"})
    cfg.pretrained_encoder = None
    model = XlmSwcmModel.build_model(cfg, SimpleNamespace(source_dictionary=dictionary, target_dictionary=dictionary))
    own = model.state_dict()
    aliases = tied_names(own)
    problems = [f"{name} is missing" for name in own if name not in state and aliases[name] not in state]
    problems += [f"{name} is unknown" for name in state if name not in own]
    problems += [
        f"{name} is {tuple(state[name].shape)}, the settings and the dictionary give {tuple(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    if problems:
        raise SwcmError(f"the weights in {origin} do not fit their settings", problems)
    model.load_state_dict({name: state[name if name in state else aliases[name]].float() for name in own})
    return model.eval()


def silence(model: XlmSwcmModel, dictionary: Dictionary, symbols: Sequence[str]) -> None:
    """Have ``model`` give ``symbols`` no probability at all, as if its output had no rows for them."""
    rows = torch.tensor([dictionary.index(symbol) for symbol in symbols])
    logits_of = model.decoder.output_layer

    def output_layer(features: Tensor, **options) -> Tensor:
        return logits_of(features, **options).index_fill(-1, rows.to(features.device), float("-inf"))

    if symbols:
        model.decoder.output_layer = output_layer


def settings_of(model: XlmSwcmModel) -> Dict:
    """What ``build`` wants to build the like of ``model``, as plain values."""
    names = [field.name for field in dataclasses.fields(XlmSwcmConfig) if not field.name.startswith("_")]
    settings = {name: getattr(model.cfg, name) for name in names if name != "pretrained_encoder"}
    return {name: getattr(value, "value", value) for name, value in settings.items()}  # enums as their text


def tied_names(state: Dict[str, Tensor]) -> Dict[str, str]:
    """For every name the first name of the same tensor (itself, where it is not tied)."""
    first: Dict[int, str] = {}
    return {name: first.setdefault(tensor.data_ptr(), name) for name, tensor in state.items()}


def write(
    folder: str,
    model: XlmSwcmModel,
    dictionary: Dictionary,
    pieces: bytes,
    targets: List[str],
    force: bool,
    untrained: Sequence[str] = (),
) -> None:
    """Write a packed folder; it appears whole or not at all.

    Args:
        pieces: the SentencePiece model's bytes.
        targets: languages that the model was trained to write.
        untrained: symbols of the dictionary that it never saw in training, and that it shall not write.
    """
    state = model.state_dict()
    aliases = tied_names(state)
    config = {"format": FORMAT, "swcm_fairseq": __version__, "model": settings_of(model), "targets": targets}
    if untrained:
        config["untrained"] = list(untrained)
    with atomic_folder(folder, force) as temporary:
        unique = {name: tensor for name, tensor in state.items() if aliases[name] == name}
        save_safetensors(os.path.join(temporary, WEIGHTS), unique)
        dictionary.save(os.path.join(temporary, DICTIONARY))
        with open(os.path.join(temporary, SENTENCEPIECE_MODEL), "wb") as stream:
            stream.write(pieces)
        dump_json(os.path.join(temporary, CONFIG), config, indent=2, sort_keys=True)


def read(folder: str) -> Packed:
    """Read a packed folder; raises ``SwcmError`` for all that is missing or of another kind."""
    paths = {name: os.path.join(folder, name) for name in (CONFIG, WEIGHTS, DICTIONARY, SENTENCEPIECE_MODEL)}
    missing = [name for name, path in paths.items() if not os.path.exists(path)]
    if missing:
        raise SwcmError(f"{folder} is no folder of swcm-pack", [f"{n} is missing" for n in missing])
    try:
        config = read_json(paths[CONFIG])
        settings, targets, version = config["model"], list(config["targets"]), config["format"]
        untrained = list(config.get("untrained", []))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SwcmError(f"{paths[CONFIG]} is no settings file of swcm-pack: {error}")
    if version != FORMAT:
        raise SwcmError(f"{paths[CONFIG]} has format {version}; this version reads {FORMAT}")
    check_fetched(paths[WEIGHTS])
    try:
        with utf8_name(paths[WEIGHTS]) as name:
            state = load_file(name)
    except SafetensorError as error:
        raise SwcmError(f"{paths[WEIGHTS]} cannot be read: {error}")
    dictionary = read_dictionary(paths[DICTIONARY])
    strange = [symbol for symbol in untrained if symbol not in dictionary]
    if strange:
        raise SwcmError(f"{paths[CONFIG]}: untrained symbols that {DICTIONARY} lacks: {some(strange)}")
    model = build(settings, dictionary, state, paths[WEIGHTS])
    silence(model, dictionary, untrained)
    return Packed(model, dictionary, paths[SENTENCEPIECE_MODEL], targets, untrained)
