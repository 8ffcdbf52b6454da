"""What outputs without understanding score, to hold a system's scores against."""

import random
import re
import statistics
from typing import List, Sequence, TypeVar

from ..errors import SwcmError
from ..languages import Language
from .lazy_lines import Mapped
from .tokenizers import tokenizer_for

SEED = 20250215  # fixed, so that the baseline of a test set is one number

Sentence = TypeVar("Sentence")

# Where a sentence ends: behind a mark that stands before white space, or at once where the script has no spaces.
_END = re.compile(r"(?:[.!?؟։।᠃᠉…]+[\"'”’»)\]]*|།|༎)(?=\s)|[。！？]+[”’」』）]*|។")


def shuffled(references: Sequence[Sentence], seed: int = SEED) -> List[Sentence]:
    """The references in another order, none in its own place: a model that writes well and ignores its source.

    Raises:
        SwcmError: fewer than two references.
    """
    if len(references) < 2:
        raise SwcmError("shuffling references among themselves takes two sentences or more")
    generator = random.Random(seed)
    result = list(references)
    # Sattolo's algorithm: exchanging with an earlier place only makes one cycle, so nothing stays where it was.
    for last in range(len(result) - 1, 0, -1):
        other = generator.randrange(last)
        result[last], result[other] = result[other], result[last]
    return result


def first_sentences(sources: Sequence[str]) -> List[str]:
    """The first sentence of each source: what a summary has to beat."""
    return list(map(first_sentence, sources))


def first_sentence(source: str) -> str:
    """The first sentence of one source."""
    text = source.strip()
    end = _END.search(text)
    return text[: end.end()] if end else text


def first_words(sources: Sequence[str], references: Sequence[Sequence[str]], target: Language) -> Sequence[str]:
    """As many first tokens of each source as the references have at the median: an answer without a question."""
    split = tokenizer_for(target)
    count = int(statistics.median(len(split(one)) for some in references for one in some))
    return Mapped(sources, lambda source: " ".join(split(source)[: max(count, 1)]))
