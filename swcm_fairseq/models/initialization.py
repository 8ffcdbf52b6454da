"""Where each tensor of the model starts (paper, section 3.2), as tables and one walk over the model."""

from typing import Dict, Iterable, List, NamedTuple

import torch
from torch import Tensor

from ..errors import SwcmError
from ..modules.layer_plan import PlannedLayer
from .embedding_rows import TABLES, tag_rows

# Part of a decoder layer <- part of the encoder layer it starts from.
DECODER_FROM_ENCODER = {
    "custom": {"self_attn": "self_attn", "ffn1": "ffn", "cross_attn": "self_attn", "ffn2": "ffn"},
    "normal": {"self_attn": "self_attn", "cross_attn": "self_attn", "ffn": "ffn"},
}

# Parts that start from a layer's ``second_layer``, where it has one.
SECOND_HALF = ("cross_attn", "ffn2", "ffn")

# What ``--decoder-init`` leaves as it was drawn.
NOT_COPIED = {
    "shared": (),
    "interleaved": (),
    "warm": ("cross_attn",),
    "feed-forward": ("self_attn", "cross_attn", "layer_norm"),
    "random": ("self_attn", "cross_attn", "ffn1", "ffn2", "ffn"),
}


class Origin(NamedTuple):
    """Where one tensor of the model came from.

    Attributes:
        kind: ``copied``, ``random`` or ``tied``.
        source: name in the pretrained file, name of the tensor it is tied to, or how it was drawn.
    """

    kind: str
    source: str


def initialize(model, plan: List[PlannedLayer], encoder, decoder_init: str) -> Dict[str, Origin]:
    """Start ``model`` from a pretrained encoder and account for every tensor of its state.

    Args:
        model: with ``encoder`` and ``decoder``, freshly built.
        plan: the decoder's layers.
        encoder: what ``read_encoder`` returned; None leaves everything random.
        decoder_init: ``shared`` copies encoder layers into decoder layers; ``random`` leaves them as drawn
            (the paper's "weight sharing removed"); ``interleaved`` as shared, from a plan like DeltaLM's; ``warm`` all
            but the cross-attention, as Hugging Face's EncoderDecoderModel starts; ``feed-forward`` only the linear
            layers of the feed-forward sublayers, as the authors' released code does. The embeddings are always shared.

    Returns:
        the origin of every name in ``model.state_dict()``, in its order.

    Raises:
        SwcmError: tensors of the encoder that found no place or do not fit, all listed.
    """
    state = model.state_dict()
    sources = {} if encoder is None else _sources(state, plan, decoder_init)
    if encoder is not None:
        _check_fit(state, sources, encoder)
    origins: Dict[str, Origin] = {}
    first_name: Dict[int, str] = {}
    with torch.no_grad():
        for name, tensor in state.items():
            tied_to = first_name.setdefault(tensor.data_ptr(), name)
            if tied_to != name:
                origins[name] = Origin("tied", tied_to)
            elif name in sources:
                key = sources[name]
                origins[name] = Origin("copied", _copy(tensor, encoder.tensors[key], encoder.sources[key]))
            elif name.startswith("decoder.output_projection"):
                origins[name] = _start_output(name, tensor, state)
            else:
                origins[name] = Origin("random", "drawn at build")
    return origins


def tie_decoder(model, plan: List[PlannedLayer], decoder_init: str) -> None:
    """Let decoder tensors that would start from an encoder layer's be that layer's own, in training too."""
    modules = dict(model.named_modules())
    for name, origin in copied_in_decoder(model.state_dict(), plan, decoder_init).items():
        (module, tensor), (source, source_tensor) = name.rsplit(".", 1), origin.rsplit(".", 1)
        setattr(modules[module], tensor, getattr(modules[source], source_tensor))


def _sources(state: Dict[str, Tensor], plan: List[PlannedLayer], decoder_init: str) -> Dict[str, str]:
    """Name in the model's state -> name among the encoder's tensors, for all that is copied."""
    found = {name: name for name in state if name.startswith("encoder.")}
    found.update(copied_in_decoder(state, plan, decoder_init))
    return {name: origin[len("encoder.") :] for name, origin in found.items()}


def copied_in_decoder(names: Iterable[str], plan: List[PlannedLayer], decoder_init: str) -> Dict[str, str]:
    """Of the ``names`` in a model's state, those that start from an encoder layer -> that layer's name there."""
    found = {}
    for name in names:
        if not name.startswith("decoder.layers."):
            continue
        # Such as 3, ffn1, fc1.weight.
        index, part, tensor = name[len("decoder.layers.") :].split(".", 2)
        planned = plan[int(index)]
        layer = planned.encoder_layer
        if planned.second_layer is not None and part in SECOND_HALF:
            layer = planned.second_layer
        drawn = NOT_COPIED[decoder_init] + planned.drawn
        if layer is not None and not {part, tensor.split(".")[0]} & set(drawn):
            origin = DECODER_FROM_ENCODER[planned.kind][part]
            found[name] = f"encoder.layers.{layer}.{origin}.{tensor}"
    return found


def _check_fit(state: Dict[str, Tensor], sources: Dict[str, str], encoder) -> None:
    problems = []
    for key in sorted(set(encoder.tensors) - set(sources.values())):
        problems.append(f"{encoder.sources[key]} has no place in the model")
    for name, key in sources.items():
        if key not in encoder.tensors:
            problems.append(f"{encoder.path} has no tensor for {name}")
            continue
        wanted, given = tuple(state[name].shape), tuple(encoder.tensors[key].shape)
        if name == TABLES[0]:
            wanted = (min(wanted[0], given[0]), wanted[1])  # rows of tags come on top
        if wanted != given:
            problems.append(f"{encoder.sources[key]} is {given}, {name} wants {wanted}")
    if problems:
        raise SwcmError(f"the encoder {encoder.path} does not fit the model", problems)


def _copy(tensor: Tensor, source: Tensor, source_name: str) -> str:
    """Copy in place; rows beyond the source's are new tags. Returns what was done."""
    rows = source.size(0)
    tensor[:rows].copy_(source)
    new = tensor.size(0) - rows
    if new == 0:
        return source_name
    tensor[rows:].copy_(tag_rows(source, new))
    return f"{source_name}; rows {rows}..{rows + new - 1}, tags, drawn as pieces are spread"


def _start_output(name: str, tensor: Tensor, state: Dict[str, Tensor]) -> Origin:
    """An untied output layer starts from the token table, its bias at zero."""
    if name.endswith("bias"):
        tensor.zero_()
        return Origin("random", "zeros")
    table = TABLES[1]
    tensor.copy_(state[table])
    return Origin("copied", table)
