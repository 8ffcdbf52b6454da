"""Sentences that are nearly the same, found exactly.

Two sentences are twins when at least a threshold of the n-grams of the shorter one occur in the other:

    overlap(a, b) = |A & B| / min(|A|, |B|),    A, B: sets of character n-grams

No usual measure is stricter: overlap >= share of a's n-grams in b, share of b's in a, Dice >= Jaccard. So sentences
that are no twins here have less than the threshold in common by any of them.

The search is exact, not by hashes (MinHash): the short strings that this is for have a dozen n-grams, so an
inverted index with the prefix filter of set-similarity joins takes seconds for 40,000 of them, and the result is
the same on every machine.
"""

import collections
from fractions import Fraction
from typing import Dict, FrozenSet, Iterator, List, Sequence, Tuple

import regex

Ngrams = FrozenSet[str]

_NO_TEXT = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
_NUMBER = regex.compile(r"\p{N}+")

# Around a sentence, so that a word by itself is not contained in every sentence that has it.
_START, _END = "\x02", "\x03"


def fingerprint(text: str) -> str:
    """What is compared: letters in lower case, every number as 0; a text without either stands for itself."""
    return _NUMBER.sub("0", _NO_TEXT.sub("", text.casefold())) or text


def ngrams(text: str, n: int) -> Ngrams:
    """The set of character n-grams (n >= 2) of a text with its start and end marked; at least one."""
    marked = _START + text + _END
    return frozenset(marked[i : i + n] for i in range(max(1, len(marked) - n + 1)))


def overlap(a: Ngrams, b: Ngrams) -> float:
    """Share of the n-grams of the smaller set that the other set has too."""
    return len(a & b) / min(len(a), len(b))


def index(sets: Sequence[Ngrams]) -> Dict[str, List[int]]:
    """For each n-gram the positions of the sets that have it, in order."""
    postings: Dict[str, List[int]] = collections.defaultdict(list)
    for position, grams in enumerate(sets):
        for gram in grams:
            postings[gram].append(position)
    return postings


def twins(sets: Sequence[Ngrams], threshold: str) -> Iterator[Tuple[int, int]]:
    """Every pair of positions, each once, whose overlap is at least ``threshold`` (a decimal number, ``"0.7"``).

    Prefix filter: of m n-grams at least k = ceil(threshold * m) must be shared, so at least one of any m - k + 1
    of them is; the rarest ones are looked up, and what they find is compared in full.
    """
    share = Fraction(threshold)
    postings = index(sets)
    for position, grams in enumerate(sets):
        size = len(grams)
        needed = -(-share.numerator * size // share.denominator)
        rarest = sorted(grams, key=lambda gram: (len(postings[gram]), gram))[: size - needed + 1]
        found = set()
        for gram in rarest:
            found.update(postings[gram])
        for other in found:
            # Each pair is looked at from its smaller side; of two as large, from the first.
            if (len(sets[other]), other) > (size, position) and len(grams & sets[other]) >= needed:
                yield position, other


def clusters(sets: Sequence[Ngrams], threshold: str) -> List[List[int]]:
    """Positions grouped so that twins, and twins of twins, are together; sorted."""
    parent = list(range(len(sets)))

    def root(position: int) -> int:
        while parent[position] != position:
            parent[position] = parent[parent[position]]
            position = parent[position]
        return position

    for a, b in twins(sets, threshold):
        a, b = sorted((root(a), root(b)))
        parent[b] = a
    groups: Dict[int, List[int]] = collections.defaultdict(list)
    for position in range(len(sets)):
        groups[root(position)].append(position)
    return sorted(groups.values())


def closest(grams: Ngrams, sets: Sequence[Ngrams], postings: Dict[str, List[int]]) -> float:
    """The greatest overlap of ``grams`` with any of ``sets``, whose index is ``postings``; 0 where nothing is shared.

    It counts all shared n-grams, without the filter and the clusters above, so it can check them.
    """
    shared = collections.Counter(position for gram in grams for position in postings.get(gram, ()))
    return max((number / min(len(grams), len(sets[position])) for position, number in shared.items()), default=0.0)
