"""Which sentences are trained on and decoded: only lengths and pieces, the same for every system.

A sentence pair is two lists of piece ids, ``<s> x </s>`` and ``y </s>``. Its lengths count the pieces of both lists.
"""

import hashlib
import os
import random
from typing import Iterable, List, Sequence, Tuple

from swcm_fairseq.errors import SwcmError

BOS, PAD, EOS, UNK = range(4)
SPECIALS = 4
#: Rows at the dictionary's end that are no text: <mask> and one language's tag.
NO_TEXT = 2

BUILT_IN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lengths.txt")

Lengths = Tuple[int, int]
Pair = Tuple[List[int], List[int]]


def read_lengths(path: str) -> List[Lengths]:
    """Lengths (source, target) of real sentence pairs, the specials counted.

    Args:
        path: a text file with two numbers a line (pieces without specials; lines that start with # are comments), or a
            data folder of recipes/binarize.sh, whose training pairs are all taken.
    """
    found = _binarized_lengths(path) if os.path.isdir(path) else _listed_lengths(path)
    if not found:
        raise SwcmError(f"{path} holds no lengths")
    return [(source + 2, target + 1) for source, target in found]


def _listed_lengths(path: str) -> List[Lengths]:
    found, problems = [], []
    with open(path, encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip() or line.startswith("#"):
                continue
            fields = line.split()
            if len(fields) == 2 and all(field.isdecimal() and int(field) > 0 for field in fields):
                found.append((int(fields[0]), int(fields[1])))
            else:
                problems.append(f"{path}:{number}: {line.strip()!r} is not two positive numbers")
    if problems:
        raise SwcmError("the file of lengths cannot be used", problems[:10])
    return found


def _binarized_lengths(folder: str) -> List[Lengths]:
    # Only here, since it loads torch.
    from fairseq.data import data_utils

    found = []
    for name in sorted(os.listdir(folder)):
        parts = name.split(".")
        if len(parts) == 4 and parts[0] == "train" and parts[3] == "idx" and parts[1].endswith("-" + parts[2]):
            source = parts[1][: -len(parts[2]) - 1]
            prefix = os.path.join(folder, f"train.{parts[1]}.")
            # Kept until the sizes have been read: they lie in the files, which close with it.
            sides = [data_utils.load_indexed_dataset(prefix + side, None) for side in (source, parts[2])]
            # The files' lines end in </s>.
            found += [(int(a) - 1, int(b) - 1) for a, b in zip(*(side.sizes for side in sides)) if a > 1 and b > 1]
    return found


def training_batches(lengths: Sequence[Lengths], max_tokens: int, count: int, seed: int) -> List[List[Lengths]]:
    """``count`` batches as training sees them.

    Pairs are drawn with replacement, sorted by length and cut into batches of at most ``max_tokens`` pieces, padding
    included, on the longer side, as fairseq does; of these batches, ``count`` that lie evenly from short to long.
    """
    draw = random.Random(seed)
    usable = [pair for pair in lengths if max(pair) <= max_tokens]
    if not usable:
        raise SwcmError(f"every sentence is longer than --max-tokens {max_tokens}")
    mean = sum(map(max, usable)) / len(usable)
    # Four times as many as are kept, so that a batch's sentences are as much alike as in real data.
    pool = sorted(draw.choice(usable) for _ in range(int(4 * count * max_tokens / mean) + 1))
    batches = [[]]
    longest = 0
    for pair in pool:
        longest = max(longest, *pair)
        if longest * (len(batches[-1]) + 1) > max_tokens:
            batches.append([])
            longest = max(pair)
        batches[-1].append(pair)
    whole = batches[:-1] or batches  # the last one is a remainder
    return evenly(whole, count)


def decoding_batches(lengths: Sequence[Lengths], size: int, count: int, seed: int) -> List[List[Lengths]]:
    """``count`` batches of ``size`` sentences, sorted by source length as fairseq-generate does, short to long."""
    draw = random.Random(seed)
    pool = sorted(draw.choice(lengths) for _ in range(max(4 * count, 16) * size))
    return evenly([pool[first : first + size] for first in range(0, len(pool), size)], count)


def evenly(items: List, count: int) -> List:
    """``count`` of ``items`` (all, where there are fewer), each from the middle of its share."""
    count = min(count, len(items))
    return [items[(2 * i + 1) * len(items) // (2 * count)] for i in range(count)]


def batch_of_pieces(lengths: Sequence[Lengths], pieces: int, seed: int) -> List[Lengths]:
    """A batch with just ``pieces`` target pieces, of sentences about as long as the one where half of them lie."""
    ordered = sorted(lengths, key=lambda pair: (pair[1], pair[0]))
    half = sum(target for _, target in ordered) / 2
    middle, seen = 0, 0
    while seen < half:
        seen += ordered[middle][1]
        middle += 1
    spread = max(1, len(ordered) // 50)
    near = ordered[max(0, middle - spread) : middle + spread]
    draw = random.Random(seed)
    batch, left = [], pieces
    while left > 0:
        source, target = draw.choice(near)
        batch.append((source, min(target, left)))
        left -= batch[-1][1]
    return batch


def pairs_of(lengths: Iterable[Lengths], vocabulary: int, seed: int) -> List[Pair]:
    """Random text of these lengths: a function of its arguments alone, so that all processes make the same.

    Pieces are drawn with probability 1 / rank, about as often as those of real text.
    """
    draw = random.Random(seed)
    pieces = vocabulary - SPECIALS - NO_TEXT

    def text(length):
        return [SPECIALS + min(pieces - 1, int(pieces ** draw.random()) - 1) for _ in range(length)]

    return [([BOS] + text(source - 2) + [EOS], text(target - 1) + [EOS]) for source, target in lengths]


def fingerprint(pairs: Iterable[Pair]) -> str:
    """Of all pieces in their order; what differs in one piece differs here."""
    digest = hashlib.sha256()
    for source, target in pairs:
        digest.update(repr((list(source), list(target))).encode())
    return digest.hexdigest()[:16]
