"""A folder that Hugging Face's transformers open as a BART model, without code of ours."""

import json
import os
from typing import Dict, List, Optional, Sequence

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..version import __version__
from ..vocabulary.encoder_vocabulary import SPECIALS
from .layers import Attention, Layer, Linear, Norm, StandardModel, rescaled, with_idle

_EPS = 1e-5  # of BART's LayerNorms, which have no setting for it
_START, _PADDING, _END, _UNKNOWN = range(len(SPECIALS))


def write_model(
    folder: str, model: StandardModel, tags: Dict[str, int], targets: Sequence[str], never: Sequence[int]
) -> None:
    """Write ``model.safetensors``, ``config.json`` and ``generation_config.json`` into ``folder``.

    Args:
        tags: language -> id of its tag.
        targets: languages that the model writes.
        never: ids that must not be written.
    """
    model = rescaled(model, _EPS)
    decoder = with_idle(model.decoder, _EPS, every_cross=True)
    tensors = _tensors(model, decoder)
    # Contiguous copies of their own: the format knows no views.
    unique = {name: tensor.float().clone().contiguous() for name, tensor in tensors.items()}
    save_file(unique, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    write_settings(folder, model, len(decoder), tags, targets, never)


def write_settings(
    folder: str,
    model: StandardModel,
    decoder_layers: int,
    tags: Dict[str, int],
    targets: Sequence[str],
    never: Sequence[int],
) -> None:
    """Write the two settings files alone; arguments as of ``write_model``."""
    settings = _bart_settings(model, decoder_layers)
    settings["task_specific_params"] = {
        "translation_{}_to_{}".format(source, target): {"forced_bos_token_id": tags[target]}
        for target in targets
        for source in tags
        if source != target
    }
    forced = tags[targets[0]] if len(targets) == 1 else None
    _write(folder, "config.json", settings)
    _write(folder, "generation_config.json", _generation_settings(forced, never))


def _bart_settings(model: StandardModel, decoder_layers: int) -> Dict:
    vocabulary, width = model.tokens.shape
    inner_width = len(model.encoder[0].fc1.bias)
    return {
        "architectures": ["BartForConditionalGeneration"],
        "model_type": "bart",
        "is_encoder_decoder": True,
        "vocab_size": vocabulary,
        "d_model": width,
        "max_position_embeddings": len(model.positions) - 2,
        "encoder_layers": len(model.encoder),
        "decoder_layers": decoder_layers,
        "encoder_attention_heads": model.heads,
        "decoder_attention_heads": model.heads,
        "encoder_ffn_dim": inner_width,
        "decoder_ffn_dim": inner_width,
        "activation_function": model.activation,
        "scale_embedding": False,
        "tie_word_embeddings": model.tied,
        "bos_token_id": _START,
        "pad_token_id": _PADDING,
        "eos_token_id": _END,
        "decoder_start_token_id": _START,
        "forced_eos_token_id": None,
        "torch_dtype": "float32",
        "swcm_fairseq": __version__,
    }


def _generation_settings(forced: Optional[int], never: Sequence[int]) -> Dict:
    """What finds the texts that ``swcm_fairseq`` finds."""
    settings: Dict = {
        "bos_token_id": _START,
        "pad_token_id": _PADDING,
        "eos_token_id": _END,
        "decoder_start_token_id": _START,
        "forced_eos_token_id": _END,
        "num_beams": 5,
        "length_penalty": 1.0,
        "early_stopping": True,
        "max_new_tokens": 201,
        "bad_words_ids": [[index] for index in never],
    }
    if forced is not None:
        settings["forced_bos_token_id"] = forced
    return settings


def _tensors(model: StandardModel, decoder: List[Layer]) -> Dict[str, Tensor]:
    tensors = {"model.shared.weight": model.tokens}
    if not model.tied:
        tensors["lm_head.weight"] = model.output.weight
    for side, layers in (("model.encoder.", model.encoder), ("model.decoder.", decoder)):
        if not model.tied:  # "tied" is one setting for both, and untied the tables are three
            tensors[side + "embed_tokens.weight"] = model.tokens
        tensors[side + "embed_positions.weight"] = model.positions
        tensors.update(_norm(side + "layernorm_embedding", model.embedding_norm))
        for place, layer in enumerate(layers):
            tensors.update(_layer("{}layers.{}.".format(side, place), layer))
    tensors["final_logits_bias"] = model.output.bias[None]
    return tensors


def _layer(prefix: str, layer: Layer) -> Dict[str, Tensor]:
    width = len(layer.ffn_norm.gain)
    tensors = _attention(prefix + "self_attn", layer.self_attention, width)
    tensors.update(_norm(prefix + "self_attn_layer_norm", layer.self_norm))
    if layer.cross_norm is not None:
        tensors.update(_attention(prefix + "encoder_attn", layer.cross_attention, width))
        tensors.update(_norm(prefix + "encoder_attn_layer_norm", layer.cross_norm))
    tensors.update(_linear(prefix + "fc1", layer.fc1))
    tensors.update(_linear(prefix + "fc2", layer.fc2))
    tensors.update(_norm(prefix + "final_layer_norm", layer.ffn_norm))
    return tensors


def _attention(name: str, attention: Optional[Attention], width: int) -> Dict[str, Tensor]:
    if attention is None:
        zero = Linear(torch.zeros(width, width), torch.zeros(width))
        attention = Attention(zero, zero, zero, zero)
    parts = {
        "q_proj": attention.query,
        "k_proj": attention.key,
        "v_proj": attention.value,
        "out_proj": attention.out,
    }
    return {key: value for part, linear in parts.items() for key, value in _linear(name + "." + part, linear).items()}


def _linear(name: str, linear: Linear) -> Dict[str, Tensor]:
    return {name + ".weight": linear.weight, name + ".bias": linear.bias}


def _norm(name: str, norm: Norm) -> Dict[str, Tensor]:
    return {name + ".weight": norm.gain, name + ".bias": norm.bias}


def _write(folder: str, name: str, content: Dict) -> None:
    with open(os.path.join(folder, name), "w", encoding="utf-8", newline="\n") as stream:
        json.dump(content, stream, indent=2, sort_keys=True)
        stream.write("\n")
