"""Operations and bytes that a model cannot do without: what speeds are held against the machine's ceilings by.

An operation is an addition or a multiplication of a matrix product; padding, softmax and the like are not counted, and
of the scores of causal attention only those that are needed. Bytes are those of weights, optimizer state and caches,
each moved as often as it must be if nothing stays in a cache of the processor from one step to the next.
"""

from typing import NamedTuple, Sequence, Tuple


class Shape(NamedTuple):
    """What costs depend on. Axes: C width, F inner width, V vocabulary.

    Attributes:
        width, inner, vocabulary: C, F, V.
        encoder_layers: of self-attention and feed-forward each.
        self_attentions, cross_attentions, feed_forwards: how many the decoder has of each.
        head: whether a square layer stands before the output layer.
    """

    width: int
    inner: int
    vocabulary: int
    encoder_layers: int
    self_attentions: int
    cross_attentions: int
    feed_forwards: int
    head: bool = False

    @property
    def decoder_weights(self) -> int:
        """Matrix elements of the decoder's layers."""
        attentions = self.self_attentions + self.cross_attentions
        return attentions * 4 * self.width**2 + self.feed_forwards * 2 * self.width * self.inner

    @property
    def encoder_weights(self) -> int:
        return self.encoder_layers * (4 * self.width**2 + 2 * self.width * self.inner)

    @property
    def output_weights(self) -> int:
        return self.width * self.vocabulary + self.head * self.width**2


def matched_layers(shape: Shape) -> int:
    """Standard decoder layers (two attentions, one feed-forward) with as many weights as ``shape``'s decoder."""
    return max(1, round(shape.decoder_weights / (8 * shape.width**2 + 2 * shape.width * shape.inner)))


def standard(shape: Shape, decoder_layers: int, head: bool) -> Shape:
    """``shape`` with a decoder of standard layers."""
    count = decoder_layers
    return shape._replace(self_attentions=count, cross_attentions=count, feed_forwards=count, head=head)


def encoding(shape: Shape, source: int) -> int:
    """Operations to encode ``source`` pieces."""
    return 2 * shape.encoder_weights * source + 4 * shape.encoder_layers * shape.width * source**2


def decoding(shape: Shape, source: int, target: int) -> int:
    """Operations to decode ``target`` pieces one way, each once, output layer included."""
    width = shape.width
    own = shape.decoder_weights - shape.cross_attentions * 2 * width**2  # all but keys and values of the source
    keys_values = shape.cross_attentions * 2 * width**2
    causal = shape.self_attentions * 2 * target * (target + 1) * width
    across = shape.cross_attentions * 4 * source * target * width
    return 2 * (own + shape.output_weights) * target + 2 * keys_values * source + causal + across


def training_operations(shape: Shape, batch: Sequence[Tuple[int, int]]) -> int:
    """Forward and backward: every product of the forward pass has two in the backward pass."""
    return 3 * sum(encoding(shape, source) + decoding(shape, source, target) for source, target in batch)


def training_bytes(parameters: int, item: int) -> int:
    """Bytes a step moves at least, whatever the batch.

    Weights are read in both passes, gradients written and read (``item`` bytes each); the optimizer reads and writes
    weights and two moments in float32.
    """
    return parameters * (4 * item + 6 * 4)


def generation_operations(shape: Shape, batch: Sequence[Tuple[int, int]], beam: int) -> int:
    """Encode once, project the memory once, and decode ``beam`` ways."""
    total = 0
    for source, target in batch:
        memory = 4 * shape.cross_attentions * shape.width**2 * source
        ways = decoding(shape, source, target) - memory
        total += encoding(shape, source) + memory + beam * ways
    return total


def generation_bytes(shape: Shape, batch: Sequence[Tuple[int, int]], beam: int, item: int) -> int:
    """Bytes moved at least: decoder and output layer once a step, each sentence's caches once a step of its own."""
    steps = max(target for _, target in batch)
    weights = shape.encoder_weights + steps * (shape.decoder_weights + shape.output_weights)
    caches = sum(
        2 * shape.width * target * (shape.self_attentions * beam * (target + 1) / 2 + shape.cross_attentions * source)
        for source, target in batch
    )
    return int(item * (weights + caches))
