"""The model in standard layers: post-norm, each self-attention, cross-attention, feed-forward, as BART has them.

A custom layer (self-attention, feed-forward, cross-attention, feed-forward) is two of these, with an idle sublayer in
each: front self-attention, idle cross-attention, feed-forward 1; back idle self-attention, cross-attention,
feed-forward 2. An idle sublayer's output projection is zero, so it computes ``LayerNorm(x + 0)``; the LayerNorm that
the sublayer before it had moves there, and a plain one, which only normalizes, takes that one's place.

Axis letters as everywhere: C channels, F inner width, V vocabulary.
"""

import math
from dataclasses import dataclass, replace
from typing import List, Optional, Tuple

import torch
from torch import Tensor

from ..errors import SwcmError

# Gain of the plain LayerNorm before an idle one, a power of two so that multiplying with it rounds nothing away. What
# is so small an idle LayerNorm divides by the square root of its eps, hardly by the standard deviation: by a constant,
# which the gain undoes. At full size it would undo the first one's eps instead, which is seen where that mattered.
_SMALL = 2.0**-13
_NEGLIGIBLE_EPS = 1e-8

#: Row of the first position, as fairseq and XLM-R count them.
FIRST_POSITION = 2

#: What the logit of a symbol gets added that shall have no probability; finite, also in half precision.
NEVER = -1e4


@dataclass(frozen=True)
class Linear:
    """``x W^T + b``: weight [out, in], bias [out]."""

    weight: Tensor
    bias: Tensor

    def reading(self, scale: float) -> "Linear":
        """The same of an input that has been multiplied by ``scale``."""
        return Linear(self.weight / scale, self.bias)

    def times(self, scale: float) -> "Linear":
        """``scale`` times the output."""
        return Linear(self.weight * scale, self.bias * scale)


@dataclass(frozen=True)
class Norm:
    """A LayerNorm's gain and bias, both [C]."""

    gain: Tensor
    bias: Tensor

    def times(self, scale: float) -> "Norm":
        """``scale`` times the output."""
        return Norm(self.gain * scale, self.bias * scale)


@dataclass(frozen=True)
class Attention:
    """The projections of an attention sublayer, each [C, C]."""

    query: Linear
    key: Linear
    value: Linear
    out: Linear


@dataclass(frozen=True)
class Layer:
    """One standard layer. An attention of None with a norm is idle; without a norm the layer has no such sublayer."""

    self_attention: Optional[Attention]
    self_norm: Optional[Norm]
    cross_attention: Optional[Attention]
    cross_norm: Optional[Norm]
    fc1: Linear
    fc2: Linear
    ffn_norm: Norm


@dataclass(frozen=True)
class StandardModel:
    """A whole model.

    Attributes:
        tokens: [V, C], of source and target.
        positions: [max_positions + 2, C]; the first token's is row ``FIRST_POSITION``.
        embedding_norm: of source and target.
        encoder, decoder: their layers.
        output: weight [V, C] and bias [V]; the weight is ``tokens`` itself where they are tied.
        heads, activation, eps: of all layers.
    """

    tokens: Tensor
    positions: Tensor
    embedding_norm: Norm
    encoder: List[Layer]
    decoder: List[Layer]
    output: Linear
    heads: int
    activation: str
    eps: float

    @property
    def tied(self) -> bool:
        """Whether the output layer is the token table."""
        return self.output.weight is self.tokens


def standard_model(model, silent: List[int], form: str) -> StandardModel:
    """Take ``model`` apart. Idle sublayers are left out; ``with_idle`` puts those in that a format wants.

    Args:
        model: an ``XlmSwcmModel``.
        silent: ids of symbols that shall have no probability.
        form: what it is for, for the message.

    Raises:
        SwcmError: all that standard layers cannot express.
    """
    check_standard(model.cfg, [planned.kind for planned in model.decoder.plan], form)
    embeddings = model.decoder.embeddings
    tokens = embeddings.tokens.weight.detach()
    weight, bias = model.output_parameters()
    bias = torch.zeros(len(tokens)) if bias is None else bias.detach().clone()
    bias[silent] = NEVER
    weight = tokens if weight is embeddings.tokens.weight else weight.detach()
    decoder: List[Layer] = []
    for layer in model.decoder.layers:
        decoder += _standard_decoder_layers(layer)
    return StandardModel(
        tokens=tokens,
        positions=embeddings.positions.weight.detach(),
        embedding_norm=_norm(embeddings.layer_norm),
        encoder=[_layer(layer.self_attn, None, layer.ffn) for layer in model.encoder.layers],
        decoder=decoder,
        output=Linear(weight, bias),
        heads=model.cfg.encoder_attention_heads,
        activation=model.cfg.activation_fn,
        eps=model.cfg.layer_norm_eps,
    )


def check_standard(cfg, kinds: List[str], form: str) -> None:
    """Raise one ``SwcmError`` for all in the settings that post-norm standard layers cannot express."""
    problems = []
    for kind in sorted(set(kinds) - {"custom", "normal"}):
        where = ", ".join(str(place) for place, found in enumerate(kinds) if found == kind)
        problems.append(
            f"--inserted-layers {kind}: decoder layers {where} normalize what they read, the others what they "
            f"write; {form} has one of the two for all layers"
        )
    if cfg.drop_encoder_residual is not None:
        problems.append(
            f"--drop-encoder-residual {cfg.drop_encoder_residual}: self-attention of that encoder layer does not "
            f"add its input, which {form} always does"
        )
    memory = getattr(cfg, "cross_attention_memory", "last")
    memory = getattr(memory, "value", memory)
    if memory != "last":
        problems.append(
            f"--cross-attention-memory {memory}: in {form} all decoder layers read the encoder's last output"
        )
    if problems:
        raise SwcmError(f"this model cannot leave as {form}; --to onnx takes every model", problems)


def with_idle(layers: List[Layer], eps: float) -> List[Layer]:
    """Decoder layers with both attentions in each, idle ones where there was none.

    Args:
        layers: of the decoder; an attention that is missing has no norm.
        eps: the LayerNorms' in the format.
    """
    filled: List[Layer] = []
    for layer in layers:
        if layer.self_attention is None:
            before, idle = _split(filled[-1].ffn_norm, eps)
            filled[-1] = replace(filled[-1], ffn_norm=before)
            layer = replace(layer, self_norm=idle)
        if layer.cross_attention is None:
            assert layer.self_norm is not None
            before, idle = _split(layer.self_norm, eps)
            layer = replace(layer, self_norm=before, cross_norm=idle)
        filled.append(layer)
    return filled


def rescaled(model: StandardModel, eps: float) -> StandardModel:
    """The same model for LayerNorms whose eps is ``eps``.

    ``LayerNorm(s z)`` with eps e is ``LayerNorm(z)`` with eps e / s^2. So everything that is added up and goes into a
    LayerNorm is multiplied by s, and what reads it divided. The encoder's last LayerNorm, which no other follows, stays
    as it is. The decoder's last is divided where the output layer that reads it is the token table, which has grown.
    """
    if math.isclose(model.eps, eps, rel_tol=1e-6):
        return replace(model, eps=eps)
    scale = math.sqrt(eps / model.eps)
    tokens = model.tokens * scale
    return replace(
        model,
        tokens=tokens,
        positions=model.positions * scale,
        embedding_norm=model.embedding_norm.times(scale),
        encoder=_rescaled_layers(model.encoder, scale, 1.0),
        decoder=_rescaled_layers(model.decoder, scale, 1 / scale if model.tied else 1.0),
        output=replace(model.output, weight=tokens) if model.tied else model.output,
        eps=eps,
    )


def _rescaled_layers(layers: List[Layer], scale: float, last: float) -> List[Layer]:
    return [_rescaled(layer, scale, last if layer is layers[-1] else scale) for layer in layers]


def _rescaled(layer: Layer, scale: float, output: float) -> Layer:
    own, cross = layer.self_attention, layer.cross_attention
    if own is not None:
        own = Attention(
            own.query.reading(scale), own.key.reading(scale), own.value.reading(scale), own.out.times(scale)
        )
    if cross is not None:  # its key and value read the encoder's output, which is not scaled
        cross = replace(cross, query=cross.query.reading(scale), out=cross.out.times(scale))
    return Layer(
        self_attention=own,
        self_norm=None if layer.self_norm is None else layer.self_norm.times(scale),
        cross_attention=cross,
        cross_norm=None if layer.cross_norm is None else layer.cross_norm.times(scale),
        fc1=layer.fc1.reading(scale),
        fc2=layer.fc2.times(scale),
        ffn_norm=layer.ffn_norm.times(output),
    )


def _split(norm: Norm, eps: float) -> Tuple[Norm, Norm]:
    """Two LayerNorms of which the second, applied to the first one's output, gives what ``norm`` gives."""
    gain = 1.0 if eps <= _NEGLIGIBLE_EPS else _SMALL
    plain = Norm(torch.full_like(norm.gain, gain), torch.zeros_like(norm.bias))
    # The second one divides by sqrt(gain^2 + eps), as the variance of what it reads is gain^2, or a little less.
    return plain, Norm(norm.gain * (math.sqrt(gain * gain + eps) / gain), norm.bias)


def _standard_decoder_layers(layer) -> List[Layer]:
    if not hasattr(layer, "ffn1"):
        return [_layer(layer.self_attn, layer.cross_attn, layer.ffn)]
    return [_layer(layer.self_attn, None, layer.ffn1), _layer(None, layer.cross_attn, layer.ffn2)]


def _layer(self_attn, cross_attn, ffn) -> Layer:
    return Layer(
        self_attention=None if self_attn is None else _attention(self_attn),
        self_norm=None if self_attn is None else _norm(self_attn.layer_norm),
        cross_attention=None if cross_attn is None else _attention(cross_attn),
        cross_norm=None if cross_attn is None else _norm(cross_attn.layer_norm),
        fc1=_linear(ffn.fc1),
        fc2=_linear(ffn.fc2),
        ffn_norm=_norm(ffn.layer_norm),
    )


def _attention(sublayer) -> Attention:
    parts = zip(sublayer.in_proj.weight.detach().chunk(3), sublayer.in_proj.bias.detach().chunk(3))
    query, key, value = (Linear(weight, bias) for weight, bias in parts)
    return Attention(query, key, value, _linear(sublayer.out_proj))


def _linear(layer) -> Linear:
    return Linear(layer.weight.detach(), layer.bias.detach())


def _norm(layer_norm) -> Norm:
    return Norm(layer_norm.weight.detach(), layer_norm.bias.detach())
