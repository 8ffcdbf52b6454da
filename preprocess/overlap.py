"""Sentences that are nearly the same, found exactly.

A sentence is compared as a set: its character n-grams, or its pieces. Two sets A, B are twins when they share
a threshold of the elements of the smaller or of the larger one:

    |A & B| / min(|A|, |B|)     strict: a sentence is a twin of every longer one that contains most of it
    |A & B| / max(|A|, |B|)     both sentences consist of the same for the most part

For the same sets the first is at least as great as Dice, Dice as the second, and the second as Jaccard.

The search is exact, not by hashes (MinHash): the short strings that this is for have a dozen elements, so an
inverted index with the prefix filter of set-similarity joins takes seconds for 40,000 of them, and the result
is the same on every machine.
"""

import collections
import unicodedata
from fractions import Fraction
from typing import Callable, Dict, FrozenSet, Iterable, Iterator, List, Sequence, Tuple

import regex

Elements = FrozenSet[str]
Of = Callable[[int, int], int]  # min or max: which of the two sizes the shared elements are a share of

_NO_TEXT = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
_NUMBER = regex.compile(r"\p{N}+")

# Around a sentence, so that a word by itself is not contained in every sentence that has it.
_START, _END = "\x02", "\x03"


def fingerprint(text: str) -> str:
    """What is compared: letters in lower case, every number as 0; a text without either stands for itself.

    Letters that Unicode can spell in several ways are spelled in one (NFKC): the two sides of a comparison may come
    from different programs.
    """
    text = unicodedata.normalize("NFKC", text)
    return _NUMBER.sub("0", _NO_TEXT.sub("", text.casefold())) or text


def ngrams(text: str, n: int) -> Elements:
    """The set of character n-grams (n >= 2) of a text with its start and end marked; at least one."""
    marked = _START + text + _END
    return frozenset(marked[i : i + n] for i in range(max(1, len(marked) - n + 1)))


def overlap(a: Elements, b: Elements, of: Of = min) -> float:
    """Share of the elements of the smaller (``min``) or larger (``max``) set that the other set has too."""
    return len(a & b) / of(len(a), len(b))


def index(sets: Sequence[Elements]) -> Dict[str, List[int]]:
    """For each element the positions of the sets that have it, in order."""
    postings: Dict[str, List[int]] = collections.defaultdict(list)
    for position, elements in enumerate(sets):
        for element in elements:
            postings[element].append(position)
    return postings


def twins(sets: Sequence[Elements], threshold: str, of: Of = min) -> Iterator[Tuple[int, int]]:
    """Every pair of positions, each once, whose overlap is at least ``threshold`` (a decimal number, ``"0.7"``).

    Prefix filter: of the m elements of the set that the overlap is a share of, k = ceil(threshold * m) must be
    shared, so at least one of any m - k + 1 of them is; the rarest ones are looked up, and what they find is
    compared in full. No set may be empty.
    """
    share = Fraction(threshold)
    postings = index(sets)
    for position, elements in enumerate(sets):
        size = len(elements)
        needed = -(-share.numerator * size // share.denominator)
        rarest = sorted(elements, key=lambda element: (len(postings[element]), element))[: size - needed + 1]
        for other in set().union(*(postings[element] for element in rarest)):
            # Each pair is looked at from the side that the overlap is a share of; of two as large, from the first.
            larger = (len(sets[other]), other) > (size, position)
            if larger == (of is min) and other != position and len(elements & sets[other]) >= needed:
                yield position, other


def clusters(size: int, pairs: Iterable[Tuple[int, int]]) -> List[List[int]]:
    """The positions 0 .. size - 1, grouped so that paired ones, and pairs of pairs, are together; sorted."""
    parent = list(range(size))

    def root(position: int) -> int:
        while parent[position] != position:
            parent[position] = parent[parent[position]]
            position = parent[position]
        return position

    for a, b in pairs:
        a, b = sorted((root(a), root(b)))
        parent[b] = a
    groups: Dict[int, List[int]] = collections.defaultdict(list)
    for position in range(size):
        groups[root(position)].append(position)
    return sorted(groups.values())


def closest(elements: Elements, sets: Sequence[Elements], postings: Dict[str, List[int]], of: Of = min) -> float:
    """The greatest overlap with any of ``sets``, whose index is ``postings``; 0 where nothing is shared.

    It counts all that is shared, without the filter and the clusters above, so it can check them.
    """
    shared = collections.Counter(position for element in elements for position in postings.get(element, ()))
    return max((number / of(len(elements), len(sets[position])) for position, number in shared.items()), default=0.0)
