"""Lines in, lines out: translating a stream of text, whatever its length and whatever stands in it."""

import sys
import time
from dataclasses import dataclass, field
from typing import IO, Iterable, Iterator, List, Optional, Tuple

from ..languages import language
from ..sentences import one_line, parts_that_fit
from .hypotheses import BATCH_SIZE, BEAM, MAX_LEN, MAX_PIECES, BaseTranslator, Hypothesis

_SHOWN_EVERY = 0.5  # seconds, on a screen
_LOGGED_EVERY = 30.0  # elsewhere
_BLANK = Hypothesis("", 0.0, [])


@dataclass(frozen=True)
class LineSettings:
    """How lines are translated.

    Attributes:
        target: language code; None where the model writes one.
        beam, n_best, lenpen, max_len, batch_size: as of ``BaseTranslator.hypotheses``.
        max_pieces: a line of more pieces is translated in parts, sentence by sentence.
        scores: whether they are written.
        at_once: lines that are read before they are translated together.
    """

    target: Optional[str] = None
    beam: int = BEAM
    n_best: int = 1
    lenpen: float = 1.0
    max_len: int = MAX_LEN
    batch_size: int = BATCH_SIZE
    max_pieces: int = MAX_PIECES
    scores: bool = False
    at_once: int = 256


@dataclass
class Progress:
    """Says on standard error how far it is, and names what went wrong.

    Attributes:
        lines: how many are done.
        bad: how many of them have an empty line for a translation because something went wrong.
    """

    quiet: bool = False
    stream: IO = field(default_factory=lambda: sys.stderr)
    lines: int = 0
    bad: int = 0
    _started: float = field(default_factory=time.monotonic)
    _shown: float = field(default_factory=time.monotonic)

    def done(self, lines: int) -> None:
        """So many more lines are done."""
        self.lines += lines
        now, screen = time.monotonic(), self.stream.isatty()
        if not self.quiet and now - self._shown >= (_SHOWN_EVERY if screen else _LOGGED_EVERY):
            self._shown = now
            print(self._text(), end="\r" if screen else "\n", file=self.stream, flush=True)

    def fault(self, line: int, reason: str) -> None:
        """Line number ``line`` cannot be translated."""
        self.bad += 1
        print(f"line {line}: {reason}; an empty line stands for it", file=self.stream)

    def end(self) -> None:
        """The last word."""
        if not self.quiet:
            bad = f", {self.bad} of them empty for what is named above" if self.bad else ""
            print(self._text() + bad, file=self.stream)

    def _text(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-3)
        return f"{self.lines} lines, {self.lines / seconds:.1f} a second"


def translate_lines(
    translator: BaseTranslator, lines: Iterable[bytes], settings: LineSettings, progress: Progress
) -> Iterator[str]:
    """Translate ``lines``, which end in ``\\n``, as they come.

    Yields:
        what is to be written for each line, in order, ``\\n`` at its end: the translation, behind its score and a tab
        where scores are asked for; of several hypotheses a line each, with the line's number and a tab in front. A line
        that is no UTF-8 or that the model fails at costs itself alone: it is named, and empty.

    Raises:
        SwcmError: before the first line, for settings that make no sense or a language without a tag.
    """
    translator.hypotheses([], **_search(settings))
    chunk: List[bytes] = []
    first = 1
    for line in lines:
        chunk.append(line)
        if len(chunk) >= settings.at_once:
            yield from _chunk(translator, chunk, first, settings, progress)
            first, chunk = first + len(chunk), []
    yield from _chunk(translator, chunk, first, settings, progress)


def _chunk(
    translator: BaseTranslator, lines: List[bytes], first: int, settings: LineSettings, progress: Progress
) -> Iterator[str]:
    parts: List[str] = []
    places: List[Tuple[int, int]] = []
    fits = translator.fits(settings.max_pieces)
    for number, line in enumerate(lines, first):
        texts: List[str] = []
        try:
            texts = parts_that_fit(_text(line), fits)
        except UnicodeDecodeError as error:
            progress.fault(number, f"no UTF-8 at byte {error.start + 1}")
        places.append((len(parts), len(parts) + len(texts)))
        parts += texts
    hypotheses = _hypotheses(translator, parts, settings)
    glue = language(settings.target or translator.targets[0]).separator
    for number, (start, end) in enumerate(places, first):
        found = hypotheses[start:end]
        faults = [one for one in found if isinstance(one, Exception)]
        if faults:
            progress.fault(number, f"{type(faults[0]).__name__}: {faults[0]}".splitlines()[0])
            found = []
        progress.done(1)
        yield _written(number, found, glue, settings)


def _hypotheses(translator: BaseTranslator, parts: List[str], settings: LineSettings) -> List:
    """For each part its hypotheses, or the error that it raises."""
    try:
        return list(translator.hypotheses(parts, **_search(settings)))
    except Exception as error:  # whatever an engine raises: it must not cost the other lines
        if len(parts) < 2:
            return [error for _ in parts]
    middle = len(parts) // 2
    return _hypotheses(translator, parts[:middle], settings) + _hypotheses(translator, parts[middle:], settings)


def _search(settings: LineSettings) -> dict:
    names = ("target", "beam", "n_best", "lenpen", "max_len", "batch_size")
    return {name: getattr(settings, name) for name in names}


def _written(number: int, parts: List[List[Hypothesis]], glue: str, settings: LineSettings) -> str:
    several = settings.n_best > 1
    lines = []
    for rank in range(max(map(len, parts), default=1)):
        # A part with fewer (a blank one) gives its last again.
        ones = [part[min(rank, len(part) - 1)] for part in parts] or [_BLANK]
        text = glue.join(one_line(one.text) for one in ones)
        score = sum(one.score for one in ones) / len(ones)
        columns = [str(number)] * several + [f"{score:.4f}"] * settings.scores + [text]
        lines.append("\t".join(columns) + "\n")
    return "".join(lines)


def _text(line: bytes) -> str:
    return line.rstrip(b"\n").rstrip(b"\r").decode("utf-8")
