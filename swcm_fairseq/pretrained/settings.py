"""What an encoder's files say about its shape, from Hugging Face's config.json or fairseq's model.pt."""

import argparse
import os
from dataclasses import dataclass
from typing import Any, Dict, List, Tuple

from ..errors import SwcmError
from ..torch_files import safe_load
from .tensor_files import read_json

# Both names mean the same functions in fairseq and in Hugging Face ("gelu" is the exact one, by erf).
ACTIVATIONS = ("gelu", "relu")

# Architectures that share XLM-R's names, positions and order of layers and norms.
_MODEL_TYPES = ("xlm-roberta", "roberta", "camembert")
# The same with positions from row 0 on; such as multilingual-e5-small, which has XLM-R's pieces.
_BERT = "bert"

# fairseq's LayerNorm has no setting for it.
_FAIRSEQ_EPS = 1e-5

# config.json may leave out what is Hugging Face's default.
_HUGGING_FACE_DEFAULTS = {
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
}

# Axis of the tensors -> the setting that must agree with it.
_HUGGING_FACE_SIZES = {
    "V": "vocab_size",
    "C": "hidden_size",
    "P": "max_position_embeddings",
    "F": "intermediate_size",
    "N": "num_hidden_layers",
}
_FAIRSEQ_SIZES = {"C": "encoder_embed_dim", "F": "encoder_ffn_embed_dim", "N": "encoder_layers"}


@dataclass(frozen=True)
class EncoderConfig:
    """The shape of an encoder.

    Attributes:
        vocab_size: rows of the token embedding: specials, pieces, ``<mask>``.
        encoder_layers, encoder_embed_dim, encoder_ffn_embed_dim, encoder_attention_heads: as fairseq calls them.
        max_positions: tokens in the longest input (position rows less the two before the first token's).
        activation_fn: "gelu" (the exact one) or "relu".
        layer_norm_eps: of all LayerNorms.
    """

    vocab_size: int
    encoder_layers: int
    encoder_embed_dim: int
    encoder_ffn_embed_dim: int
    encoder_attention_heads: int
    max_positions: int
    activation_fn: str
    layer_norm_eps: float


def read_hugging_face_settings(path: str) -> Tuple[Dict[str, Any], List[str]]:
    """Read config.json: the settings, and what of them this package cannot follow."""
    given = read_json(path)
    model_type = given.get("model_type")
    if model_type not in (*_MODEL_TYPES, _BERT):
        kinds = " or ".join((*_MODEL_TYPES, _BERT))
        raise SwcmError(f"{path}: model_type is {model_type!r}, another architecture; give an encoder of type {kinds}")
    config = dict(_HUGGING_FACE_DEFAULTS, **{name: value for name, value in given.items() if value is not None})
    problems = []
    checked = ["position_embedding_type", "is_decoder"]
    if model_type != _BERT:  # whose settings leave these to the tokenizer
        checked += ["bos_token_id", "pad_token_id", "eos_token_id"]
    for name in checked:
        wanted = _HUGGING_FACE_DEFAULTS[name]
        if config[name] != wanted:
            problems.append(f"config.json: {name} is {config[name]!r}, not {wanted!r}")
    settings = {
        "sizes": {axis: ("config.json: " + name, config.get(name)) for axis, name in _HUGGING_FACE_SIZES.items()},
        "heads": config.get("num_attention_heads"),
        "activation_fn": config["hidden_act"],
        "layer_norm_eps": config["layer_norm_eps"],
        "first_position": 0 if model_type == _BERT else 2,
    }
    return settings, problems


def read_fairseq_settings(path: str) -> Tuple[Dict[str, Any], Dict[str, Any], List[str]]:
    """Read a fairseq model.pt: its state dictionary, its settings, and what of them cannot be followed."""
    checkpoint = safe_load(path)
    state = checkpoint.get("model") if isinstance(checkpoint, dict) else None
    if not isinstance(state, dict):
        raise SwcmError(f"{path} is no fairseq checkpoint (it has no entry 'model')")
    args = _fairseq_model_args(checkpoint)
    if args is None:
        raise SwcmError(f"{path} holds no settings (neither 'args' nor 'cfg'), so its heads are unknown")
    name = os.path.basename(path)
    settings = {
        "sizes": {axis: (f"{name}: {key}", args.get(key)) for axis, key in _FAIRSEQ_SIZES.items()},
        "heads": args.get("encoder_attention_heads"),
        "activation_fn": args.get("activation_fn", "gelu"),
        "layer_norm_eps": _FAIRSEQ_EPS,
        "first_position": 2,
    }
    problems = []
    # What decides between norms before and after a layer is the norm after the last layer: the flag
    # encoder_normalize_before meant something else in old checkpoints.
    if any(key.endswith("sentence_encoder.layer_norm.weight") for key in state):
        problems.append(f"{name}: its LayerNorms stand before the sublayers (pre-norm), not after them")
    if args.get("no_scale_embedding") is False:
        problems.append(f"{name}: its embeddings are scaled (no_scale_embedding is not set)")
    return state, settings, problems


def size_problems(settings: Dict[str, Any], tensor_sizes: Dict[str, int]) -> List[str]:
    """Where the settings are missing, unusable or disagree with the tensors (axis -> size)."""
    problems = []
    for axis, (name, size) in settings["sizes"].items():
        if not _is_count(size):
            problems.append(f"{name} is {size!r}, not a number of things")
        elif axis in tensor_sizes and size != tensor_sizes[axis]:
            problems.append(f"{name} is {size}, the tensors have {tensor_sizes[axis]}")
    heads, width = settings["heads"], tensor_sizes.get("C", 0)
    if not _is_count(heads):
        problems.append(f"the number of attention heads is {heads!r}")
    elif width % heads:
        problems.append(f"{heads} attention heads do not divide the width {width}")
    if settings["activation_fn"] not in ACTIVATIONS:
        problems.append("the activation {!r} is none of {}".format(settings["activation_fn"], ", ".join(ACTIVATIONS)))
    eps = settings["layer_norm_eps"]
    if not isinstance(eps, float) or not 0 < eps < 1:
        problems.append(f"layer_norm_eps is {eps!r}")
    return problems


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _fairseq_model_args(checkpoint: Dict[str, Any]) -> Any:
    args = checkpoint.get("args")
    if args is None:
        args = (checkpoint.get("cfg") or {}).get("model")
    if isinstance(args, argparse.Namespace):
        args = vars(args)
    return args if isinstance(args, dict) else None
