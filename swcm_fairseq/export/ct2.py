"""A folder that CTranslate2 opens.

CTranslate2 knows standard layers only. ``layers.py`` turns the model into such, and says why that changes no output.
"""

from typing import Optional

import numpy as np
from ctranslate2.specs import attention_spec, common_spec, transformer_spec

from ..vocabulary.symbols import BOS, EOS, UNKNOWN
from .layers import FIRST_POSITION, Attention, Layer, Norm, StandardModel, with_idle

#: ``--quantization`` -> CTranslate2's name.
QUANTIZATIONS = {"int8": "int8", "int8_float32": "int8_float32", "bfloat16": "bfloat16", "none": None}

_ACTIVATIONS = {"gelu": common_spec.Activation.GELU, "relu": common_spec.Activation.RELU}


def write_model(folder: str, model: StandardModel, symbols, quantization: Optional[str]) -> None:
    """Write ``model.bin``, ``config.json`` and ``shared_vocabulary.json`` into ``folder``.

    Idle attentions have one channel a head and cost next to nothing. (CTranslate2 also opens layers without
    cross-attention, but fails at the first batch whose sentences end at different steps.)

    Args:
        symbols: of the dictionary, in order.
        quantization: a value of ``QUANTIZATIONS``.
    """
    spec = _spec(model)
    spec.register_source_vocabulary(list(symbols))
    spec.register_target_vocabulary(list(symbols))
    spec.config.unk_token, spec.config.bos_token, spec.config.eos_token = UNKNOWN, BOS, EOS
    spec.config.decoder_start_token = BOS
    # Sources are given as the tokenizer makes them, <s> and </s> among them.
    spec.config.add_source_bos = spec.config.add_source_eos = False
    spec.config.layer_norm_epsilon = model.eps
    spec.validate()
    spec.optimize(quantization=quantization)
    spec.save(folder)


def _spec(model: StandardModel) -> transformer_spec.TransformerSpec:
    decoder_layers = with_idle(model.decoder, model.eps)
    spec = transformer_spec.TransformerSpec.from_config(
        (len(model.encoder), len(decoder_layers)),
        model.heads,
        pre_norm=False,
        activation=_ACTIVATIONS[model.activation],
        alignment_layer=-1,
        alignment_heads=0,  # all
        layernorm_embedding=True,
    )
    for side in (spec.encoder, spec.decoder):
        side.scale_embeddings = 1.0
        side.position_encodings.encodings = _array(model.positions[FIRST_POSITION:])
        _set_norm(side.layernorm_embedding, model.embedding_norm)
    spec.encoder.embeddings[0].weight = _array(model.tokens)
    spec.decoder.embeddings.weight = _array(model.tokens)
    spec.decoder.projection.weight = _array(model.output.weight)
    if bool(model.output.bias.any()):
        spec.decoder.projection.bias = _array(model.output.bias)
    for place, layer in enumerate(model.encoder):
        _set_layer(spec.encoder.layer[place], layer, model.heads)
    for place, layer in enumerate(decoder_layers):
        _set_layer(spec.decoder.layer[place], layer, model.heads)
    return spec


def _set_layer(spec, layer: Layer, heads: int) -> None:
    width = len(layer.ffn_norm.gain)
    if layer.self_attention is None:
        spec.self_attention = attention_spec.MultiHeadAttentionSpec(self_attention=True, head_dim=1)
    _set_attention(spec.self_attention, layer.self_attention, heads, width)
    assert layer.self_norm is not None, "filled layers have all norms"
    _set_norm(spec.self_attention.layer_norm, layer.self_norm)
    if layer.cross_norm is not None:
        if layer.cross_attention is None:
            spec.attention = attention_spec.MultiHeadAttentionSpec(head_dim=1)
        _set_attention(spec.attention, layer.cross_attention, heads, width)
        _set_norm(spec.attention.layer_norm, layer.cross_norm)
    _set_linear(spec.ffn.linear_0, [layer.fc1])
    _set_linear(spec.ffn.linear_1, [layer.fc2])
    _set_norm(spec.ffn.layer_norm, layer.ffn_norm)


def _set_attention(spec, attention: Optional[Attention], heads: int, width: int) -> None:
    """Projections that read the same are one: query, key and value of x, or key and value of the memory."""
    groups = [3] if len(spec.linear) == 2 else [1, 2]
    if attention is None:
        for linear, parts in zip(spec.linear, groups):
            _set_zero(linear, parts * heads, width)
        _set_zero(spec.linear[-1], width, heads)
        return
    inputs = [attention.query, attention.key, attention.value]
    for linear, parts in zip(spec.linear, groups):
        _set_linear(linear, inputs[:parts])
        inputs = inputs[parts:]
    _set_linear(spec.linear[-1], [attention.out])


def _set_zero(spec, outputs: int, inputs: int) -> None:
    spec.weight = np.zeros((outputs, inputs), dtype=np.float32)
    spec.bias = np.zeros(outputs, dtype=np.float32)


def _set_linear(spec, parts) -> None:
    spec.weight = np.concatenate([_array(part.weight) for part in parts])
    spec.bias = np.concatenate([_array(part.bias) for part in parts])


def _set_norm(spec, norm: Norm) -> None:
    spec.gamma, spec.beta = _array(norm.gain), _array(norm.bias)


def _array(tensor) -> np.ndarray:
    return np.array(tensor.float().numpy())
