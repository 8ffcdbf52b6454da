"""Which decoder layers there are, and which encoder layer each starts from (paper, section 3.2)."""

from typing import List, NamedTuple, Optional, Tuple

# What may be inserted after every X layers.
INSERTED = ("normal", "duplicate", "warm", "quiet")


class PlannedLayer(NamedTuple):
    """One decoder layer.

    Attributes:
        kind: a key of ``layers.DECODER_LAYERS``.
        encoder_layer: the encoder layer it starts from, if any.
        second_layer: the one that cross-attention and what follows it start from, where that is another.
        drawn: parts that start random nevertheless.
    """

    kind: str
    encoder_layer: Optional[int]
    second_layer: Optional[int] = None
    drawn: Tuple[str, ...] = ()


def layer_plan(
    encoder_layers: int,
    insert_every: int = 3,
    layer_kind: str = "custom",
    inserted: str = "normal",
    interleaved: bool = False,
    shift: int = 0,
) -> List[PlannedLayer]:
    """Plan the decoder of an encoder with ``encoder_layers`` layers: n + floor(n / X) layers.

    Decoder layer i starts from encoder layer i; after every ``insert_every`` (X) of them one layer is inserted.

    Args:
        encoder_layers: n, the number of encoder layers.
        insert_every: X; 0 inserts nothing (the paper's BASE-A).
        layer_kind: kind of the layers that start from an encoder layer.
        inserted: ``normal`` inserts a layer that starts random; ``duplicate`` a second copy of the layer before it
            (BASE-B: the same depth, nothing random); ``warm`` a normal layer from the same encoder layer, but for its
            cross-attention, which starts random; ``quiet`` a random layer that starts as the identity.
        interleaved: as DeltaLM does (arXiv 2106.13736): half as many layers, each from two of the encoder's, the
            first one up to cross-attention and the second one from there on.
        shift: cross-attention and what follows it start so many encoder layers further up, or from the last one.
    """
    plan = []
    step = 2 if interleaved else 1
    shift += step - 1
    for count, index in enumerate(range(0, encoder_layers, step), 1):
        second = min(index + shift, encoder_layers - 1) if shift else None
        plan.append(PlannedLayer(layer_kind, index, second))
        if insert_every > 0 and count % insert_every == 0:
            plan.append(_inserted(inserted, plan[-1]))
    return plan


def _inserted(name: str, before: PlannedLayer) -> PlannedLayer:
    if name == "duplicate":
        return before
    if name == "warm":
        return PlannedLayer("normal", before.encoder_layer, drawn=("cross_attn",))
    return PlannedLayer(name, None)
