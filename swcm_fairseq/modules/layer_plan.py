"""Which decoder layers there are, and which encoder layer each starts from (paper, section 3.2)."""

from typing import List, NamedTuple, Optional


class PlannedLayer(NamedTuple):
    """One decoder layer: its kind (``custom`` or ``normal``) and the encoder layer it starts from, if any."""

    kind: str
    encoder_layer: Optional[int]


def layer_plan(
    encoder_layers: int,
    insert_every: int = 3,
    layer_kind: str = "custom",
    inserted: str = "normal",
) -> List[PlannedLayer]:
    """Plan the decoder of an encoder with ``encoder_layers`` layers: n + floor(n / X) layers.

    Decoder layer i starts from encoder layer i; after every ``insert_every`` (X) of them one layer is inserted.

    Args:
        encoder_layers: n, the number of encoder layers.
        insert_every: X; 0 inserts nothing (the paper's BASE-A).
        layer_kind: kind of the layers that start from an encoder layer.
        inserted: ``normal`` inserts a layer that starts random; ``duplicate`` inserts a second copy of the
            layer before it (BASE-B: the same depth, nothing random).
    """
    plan = []
    for index in range(encoder_layers):
        plan.append(PlannedLayer(layer_kind, index))
        if insert_every > 0 and (index + 1) % insert_every == 0:
            plan.append(PlannedLayer("normal", None) if inserted == "normal" else plan[-1])
    return plan
