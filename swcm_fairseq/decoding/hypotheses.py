"""What decoding from Python gives, and all of it that does not depend on what computes the model."""

import abc
import logging
import re
from dataclasses import dataclass
from typing import Callable, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

from ..errors import SwcmError
from ..languages import tag_of
from ..vocabulary.pieces import Pieces, is_blank

logger = logging.getLogger(__name__)

#: What holds where nothing else is said: width of the beam, most pieces of an output, sentences computed together, most
#: pieces of a line that is translated as a whole.
BEAM, MAX_LEN, BATCH_SIZE, MAX_PIECES = 5, 200, 32, 128

_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN = 30  # characters of a wrong argument that an error shows


@dataclass(frozen=True)
class Hypothesis:
    """One text that a model wrote for a sentence.

    Attributes:
        text: the text.
        score: the natural logarithm of its probability, divided by the number of its pieces, ``</s>`` included, to the
            power of ``lenpen``. A sentence without pieces has one hypothesis: no text, of score 0.
        pieces: what the text was joined from, without ``</s>``.
        attention: for each piece its weights over the source's pieces and ``</s>``, the mean over the last layer's
            heads; None where it was not asked for.
    """

    text: str
    score: float
    pieces: List[str]
    attention: Optional[List[List[float]]] = None


class Search(NamedTuple):
    """How outputs are looked for; ``Translator.hypotheses`` explains the parts."""

    beam: int = BEAM
    n_best: int = 1
    lenpen: float = 1.0
    max_len: int = MAX_LEN
    attention: bool = False

    def check(self) -> "Search":
        """Raise one ``SwcmError`` for all that makes no sense."""
        numbers = {"beam": self.beam, "n_best": self.n_best, "max_len": self.max_len}
        strange = [name for name, value in numbers.items() if not isinstance(value, int)]
        problems = [f"{name} is {numbers[name]!r}, which is no whole number" for name in strange]
        problems += [f"{n} is {v}; it is 1 or more" for n, v in numbers.items() if n not in strange and v < 1]
        if not strange and self.n_best > self.beam:
            problems.append(f"n_best is {self.n_best}, but a beam of {self.beam} finds no more than that")
        if problems:
            raise SwcmError("this cannot be searched for", problems)
        return self


class Written(NamedTuple):
    """One output in pieces, as ``Hypothesis`` has them."""

    pieces: List[str]
    score: float
    attention: Optional[List[List[float]]] = None


def list_of_texts(sentences: Iterable[str], call: str) -> List[str]:
    """``sentences`` as a list.

    Args:
        call: what the user called, for the message.

    Raises:
        SwcmError: one text, which is not taken for a list of its letters, or something that is no text, as half of a
            pair of surrogates is not.
    """
    if isinstance(sentences, (str, bytes)):
        shown = repr(sentences) if len(sentences) <= _SHOWN else "..."
        raise SwcmError(f"{call} takes a list of texts, not one: {call}([{shown}])")
    if not isinstance(sentences, Iterable):
        raise SwcmError(f"{call} takes a list of texts, not {sentences!r:.40}")
    texts = list(sentences)
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise SwcmError(f"{call} takes a list of texts; number {place} in it is {text!r:.40}")
        if _SURROGATE.search(text):
            raise SwcmError(f"{call} takes a list of texts; number {place} in it, {text!r:.40}, holds a lone surrogate")
    return texts


class BaseTranslator(abc.ABC):
    """A model that turns text into text, whatever computes it.

    Args:
        pieces: that cut and join its text.
        targets: languages that it was trained to write.
        tags: all that its dictionary has, such as ``[kk]``.
        max_source: most pieces of a source, ``<s>`` and ``</s>`` included.
    """

    def __init__(self, pieces: Pieces, targets: Sequence[str], tags: Sequence[str], max_source: int):
        self.pieces = pieces
        self.targets = list(targets)
        self.tags = list(tags)
        self.max_source = max_source

    @abc.abstractmethod
    def decode(self, sources: List[List[str]], tag: str, search: Search) -> List[List[Written]]:
        """Write a batch.

        Args:
            sources: pieces of each sentence, at least one and at most ``max_source - 2``, without ``<s>`` and
                ``</s>``, which the model wants around them.
            tag: the decoder's first input.
            search: as ``hypotheses`` was asked.

        Returns:
            ``search.n_best`` outputs a sentence, best first.
        """

    def decode_batches(
        self, batches: Iterable[List[List[str]]], tag: str, search: Search
    ) -> Iterable[List[List[Written]]]:
        """``decode`` of each batch, in order; for engines that can work on several at once."""
        return (self.decode(sources, tag, search) for sources in batches)

    def hypotheses(
        self,
        sentences: Sequence[str],
        target: Optional[str] = None,
        beam: int = BEAM,
        n_best: int = 1,
        lenpen: float = 1.0,
        max_len: int = MAX_LEN,
        batch_size: int = BATCH_SIZE,
        attention: bool = False,
    ) -> List[List[Hypothesis]]:
        """The ``n_best`` most probable texts that a beam finds for each sentence, best first, with their scores.

        Args:
            sentences: raw text; sources longer than the model's positions are cut, with a warning.
            target: language code; may be left out where the model was trained for one.
            beam: width of the beam; 1 is greedy.
            n_best: how many texts a sentence, at most ``beam``.
            lenpen: exponent of the length that scores are divided by.
            max_len: most pieces of an output.
            batch_size: sentences decoded together; it does not change the outputs.
            attention: also give what each piece attended to.

        Returns:
            a list a sentence, in order. One that has no pieces (white space, invisible signs) has one hypothesis, of
            no text.

        Raises:
            SwcmError: one text in the place of a list, a language without a tag, or a number that makes no sense.
        """
        texts = list_of_texts(sentences, "hypotheses")
        search = Search(beam, n_best, lenpen, max_len, attention).check()
        if batch_size < 1:
            raise SwcmError(f"batch_size is {batch_size}; it is 1 or more")
        tag = self._tag(target)
        sources = self._cut(texts)
        found = [[Hypothesis("", 0.0, [], [] if attention else None)] for _ in texts]
        todo = [place for place, text in enumerate(texts) if sources[place] and not is_blank(text)]
        todo.sort(key=lambda place: len(sources[place]))
        batches = [todo[start : start + batch_size] for start in range(0, len(todo), batch_size)]
        decoded = self.decode_batches(([sources[place] for place in batch] for batch in batches), tag, search)
        for batch, outputs in zip(batches, decoded):
            for place, written in zip(batch, outputs):
                found[place] = [
                    Hypothesis(self.pieces.decode(" ".join(one.pieces)), one.score, one.pieces, one.attention)
                    for one in written
                ]
        return found

    def translate(
        self,
        sentences: Sequence[str],
        target: Optional[str] = None,
        beam: int = BEAM,
        lenpen: float = 1.0,
        max_len: int = MAX_LEN,
        batch_size: int = BATCH_SIZE,
        n_best: Optional[int] = None,
        return_scores: bool = False,
    ) -> List:
        """Write each sentence in ``target``; arguments and errors as of ``hypotheses``.

        Returns:
            one text a sentence, in order; with ``return_scores`` one pair (text, score); with ``n_best`` a list of so
            many texts, or pairs, best first. A sentence without pieces gives an empty text.
        """
        texts = list_of_texts(sentences, "translate")
        lists = self.hypotheses(texts, target, beam, n_best or 1, lenpen, max_len, batch_size)
        found = [[_shown(one, return_scores) for one in some] for some in lists]
        return found if n_best is not None else [some[0] for some in found]

    def fits(self, most: int) -> Callable[[str], bool]:
        """Says of a text whether it has at most ``most`` pieces, and no more than the model takes."""
        room = min(most, self.max_source - 2)
        return lambda text: len(self.pieces.cut([text])[0]) <= room

    def _tag(self, target: Optional[str]) -> str:
        if target is None and len(self.targets) != 1:
            raise SwcmError("say the target language; the model was trained for: {}".format(", ".join(self.targets)))
        tag = tag_of(target or self.targets[0])
        if tag not in self.tags:
            raise SwcmError("the model has no tag {}; it has: {}".format(tag, " ".join(self.tags)))
        return tag

    def _cut(self, texts: List[str]) -> List[List[str]]:
        limit = self.max_source - 2
        sources = self.pieces.cut(texts)
        cut = sum(len(source) > limit for source in sources)
        if cut:
            logger.warning("%d sources are longer than %d pieces and were cut", cut, self.max_source)
        return [source[:limit] for source in sources]


def _shown(one: Hypothesis, with_score: bool) -> Union[str, Tuple[str, float]]:
    return (one.text, one.score) if with_score else one.text
