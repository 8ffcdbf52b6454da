"""How the time for one target piece grows with length, batch and vocabulary."""

import statistics
from typing import Dict, List, Sequence

from .measure import check_lengths
from .processes import children, make_batches

LENGTHS = (16, 32, 64, 128, 256)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
VOCABULARIES = (12500, 50000, 135000, 250000)
BEAM = 5
LENGTH = 32  # where the batch or the vocabulary is what grows
SENTENCES = {"train": 32, "generate": 8}  # where the vocabulary grows
PIECES = {"train": 1024, "generate": 256}  # a batch, where the length grows; at least one sentence


def growth(make_case, vocabularies: Sequence[int], rounds: int, seed: int, lengths=LENGTHS, batches=BATCHES) -> Dict:
    """Seconds a target piece of ours, for training steps and beam search, every hypothesis forced to its length.

    All sentences of a batch have one length, on both sides, so nothing is padded.

    Args:
        make_case: the case of a vocabulary.
        vocabularies: the first is that of the other two curves.

    Returns:
        ``{"train" or "generate": {"length" or "batch" or "vocabulary": [(x, seconds a piece), ...]}}``.
    """
    found = {}
    for what in ("train", "generate"):
        shapes = {}  # (kind, x) -> (sentences, length)
        for length in lengths:
            shapes["length", length] = (max(1, PIECES[what] // length), length)
        for size in batches:
            shapes["batch", size] = (size, LENGTH)
        curves: Dict[str, List] = {"length": [], "batch": [], "vocabulary": []}
        for vocabulary in vocabularies:
            shapes["vocabulary", vocabulary] = (SENTENCES[what], LENGTH)
            for (kind, x), seconds in _measured(make_case(vocabulary), what, shapes, rounds, seed).items():
                curves[kind].append((x, seconds))
            shapes = {}
        found[what] = curves
    return found


def _measured(case, what: str, shapes: Dict, rounds: int, seed: int) -> Dict:
    """Median seconds a piece for each of ``shapes``, {key: (sentences, length)}, measured in turn."""
    batches = [[(length, length)] * sentences for sentences, length in shapes.values()]
    spent: List[List[float]] = [[] for _ in batches]
    with children(["ours"], case, what) as started:
        make_batches(started, batches, seed)
        for turn in range(-1, rounds):
            for place, batch in enumerate(batches):
                if what == "train":
                    seconds = started["ours"].ask("train", place)
                else:
                    seconds, written = started["ours"].ask("generate", place, BEAM)
                    check_lengths("ours", written, batch, BEAM)
                if turn >= 0:  # the first one warms up
                    spent[place].append(seconds[0] / sum(target for _, target in batch))
    return {key: statistics.median(values) for key, values in zip(shapes, spent)}
