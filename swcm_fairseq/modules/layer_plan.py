"""Which decoder layers there are, and which encoder layer each starts from (paper, section 3.2)."""

from typing import List, NamedTuple, Optional, Tuple

# What may be inserted after every X layers.
INSERTED = ("normal", "duplicate", "warm", "identity")

# What the cross-attention of custom layers may read: for one that starts from encoder layer i, how many encoder layers
# the source has been through by then. The paper's is the last layer's output; the others are layer-wise coordination
# (He et al. 2018).
CROSS_ATTENTION_MEMORIES = ("last", "same-layer", "same-layer-input")


class PlannedLayer(NamedTuple):
    """One decoder layer.

    Attributes:
        kind: a key of ``layers.DECODER_LAYERS``.
        encoder_layer: the encoder layer it starts from, if any.
        second_layer: the one that cross-attention and what follows it start from, where that is another.
        drawn: parts that start random nevertheless.
        memory: how many encoder layers have made what cross-attention reads (0: the embeddings); None for all of them.
    """

    kind: str
    encoder_layer: Optional[int]
    second_layer: Optional[int] = None
    drawn: Tuple[str, ...] = ()
    memory: Optional[int] = None


def layer_plan(
    encoder_layers: int,
    insert_every: int = 3,
    layer_kind: str = "custom",
    inserted: str = "normal",
    interleaved: bool = False,
    shift: int = 0,
    memory: str = "last",
) -> List[PlannedLayer]:
    """Plan the decoder of an encoder with ``encoder_layers`` layers: n + floor(n / X) layers.

    Decoder layer i starts from encoder layer i; after every ``insert_every`` (X) of them one layer is inserted.

    Args:
        encoder_layers: n, the number of encoder layers.
        insert_every: X; 0 inserts nothing (the paper's BASE-A).
        layer_kind: kind of the layers that start from an encoder layer.
        inserted: ``normal`` inserts a layer that starts random; ``duplicate`` a second copy of the layer before it
            (BASE-B: the same depth, nothing random); ``warm`` a normal layer from the same encoder layer, but for its
            cross-attention, which starts random; ``identity`` a random layer that starts as the identity.
        interleaved: as DeltaLM does (arXiv 2106.13736): half as many layers, each from two of the encoder's, the
            first one up to cross-attention and the second one from there on.
        shift: cross-attention and what follows it start so many encoder layers further up, or from the last one.
        memory: what custom layers, duplicates included, read; all others read the last layer's output. ``same-layer``
            is the output of the encoder layer that cross-attention starts from, which is what a second application of
            that layer would read; ``same-layer-input`` its input, which its self-attention was trained on.
    """
    plan = []
    step = 2 if interleaved else 1
    shift += step - 1
    for count, index in enumerate(range(0, encoder_layers, step), 1):
        second = min(index + shift, encoder_layers - 1) if shift else None
        read = _read(memory, index if second is None else second, encoder_layers) if layer_kind == "custom" else None
        plan.append(PlannedLayer(layer_kind, index, second, memory=read))
        if insert_every > 0 and count % insert_every == 0:
            plan.append(_inserted(inserted, plan[-1]))
    return plan


def _read(memory: str, layer: int, encoder_layers: int) -> Optional[int]:
    through = {"last": encoder_layers, "same-layer": layer + 1, "same-layer-input": layer}[memory]
    return None if through == encoder_layers else through


def _inserted(name: str, before: PlannedLayer) -> PlannedLayer:
    if name == "duplicate":
        return before
    if name == "warm":
        return PlannedLayer("normal", before.encoder_layer, drawn=("cross_attn",))
    return PlannedLayer(name, None)
