"""A folder that Hugging Face's transformers open as a BART model, without code of ours."""

import os
from typing import Dict, List, Optional, Sequence

import torch
from torch import Tensor

from ..files import dump_json
from ..languages import code_of
from ..torch_files import save_safetensors
from ..version import __version__
from ..vocabulary.dictionary import tags_in
from ..vocabulary.symbols import BOS_ID, EOS_ID, MASK, PAD_ID
from .layers import Attention, Layer, Linear, Norm, StandardModel, rescaled, with_idle

_EPS = 1e-5  # of BART's LayerNorms, which have no setting for it


def write_weights(folder: str, model: StandardModel) -> None:
    """Write ``model.safetensors`` into ``folder``, of a model that ``for_bart`` gave."""
    tensors = _tensors(model, with_idle(model.decoder, model.eps))
    # Copies of their own: the format knows no views.
    unique = {name: tensor.float().clone() for name, tensor in tensors.items()}
    save_safetensors(os.path.join(folder, "model.safetensors"), unique)


def for_bart(model: StandardModel) -> StandardModel:
    """The model with the LayerNorms that BART has."""
    return rescaled(model, _EPS)


def write_settings(
    folder: str,
    cfg,
    symbols: Sequence[str],
    decoder_layers: int,
    tied: bool,
    targets: Sequence[str],
    more: Optional[Dict] = None,
) -> None:
    """Write ``config.json`` and ``generation_config.json`` into ``folder``.

    Args:
        cfg: the model's settings.
        symbols: of the dictionary, in order.
        decoder_layers: how many keys and values a decoder keeps.
        tied: whether the output layer is the token table.
        targets: languages that the model writes.
        more: what else belongs into ``config.json``.
    """
    tags = {code_of(tag): symbols.index(tag) for tag in tags_in(list(symbols))}
    settings = {**_bart_settings(cfg, len(symbols), decoder_layers, tied), **(more or {})}
    # pipeline("translation_zh_to_kk") looks here.
    settings["task_specific_params"] = {
        f"translation_{source}_to_{target}": {"forced_bos_token_id": tags[target]}
        for target in targets
        for source in tags
        if source != target
    }
    forced = tags[targets[0]] if len(targets) == 1 else None
    never = [BOS_ID, symbols.index(MASK), *tags.values()]
    generation = _generation_settings(forced, never, cfg.max_positions)
    for name, content in (("config.json", settings), ("generation_config.json", generation)):
        dump_json(os.path.join(folder, name), content, indent=2, sort_keys=True)


def _bart_settings(cfg, vocabulary: int, decoder_layers: int, tied: bool) -> Dict:
    return {
        "architectures": ["BartForConditionalGeneration"],
        "model_type": "bart",
        "is_encoder_decoder": True,
        "vocab_size": vocabulary,
        "d_model": cfg.encoder_embed_dim,
        "max_position_embeddings": cfg.max_positions,
        "encoder_layers": cfg.encoder_layers,
        "decoder_layers": decoder_layers,
        "encoder_attention_heads": cfg.encoder_attention_heads,
        "decoder_attention_heads": cfg.encoder_attention_heads,
        "encoder_ffn_dim": cfg.encoder_ffn_embed_dim,
        "decoder_ffn_dim": cfg.encoder_ffn_embed_dim,
        "activation_function": cfg.activation_fn,
        "scale_embedding": False,
        "tie_word_embeddings": tied,
        "bos_token_id": BOS_ID,
        "pad_token_id": PAD_ID,
        "eos_token_id": EOS_ID,
        "decoder_start_token_id": BOS_ID,
        "forced_eos_token_id": None,
        "torch_dtype": "float32",
        "swcm_fairseq": __version__,
    }


def _generation_settings(forced: Optional[int], never: Sequence[int], max_positions: int) -> Dict:
    """What finds the texts that ``swcm_fairseq`` finds."""
    settings: Dict = {
        "bos_token_id": BOS_ID,
        "pad_token_id": PAD_ID,
        "eos_token_id": EOS_ID,
        "decoder_start_token_id": BOS_ID,
        "forced_eos_token_id": EOS_ID,
        "num_beams": 5,
        "length_penalty": 1.0,
        "early_stopping": True,
        "min_length": 3,  # <s>, the tag, a piece
        "max_new_tokens": min(201, max_positions - 1),
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
            tensors.update(_layer(f"{side}layers.{place}.", layer))
    tensors["final_logits_bias"] = model.output.bias[None]
    return tensors


def _layer(prefix: str, layer: Layer) -> Dict[str, Tensor]:
    width = len(layer.ffn_norm.gain)
    tensors = _attention(prefix + "self_attn", layer.self_attention, width)
    assert layer.self_norm is not None, "filled layers have all norms"
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
