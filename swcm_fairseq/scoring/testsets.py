"""The test set of one language, and what the systems made of it."""

from typing import Dict, List, NamedTuple, Optional, Sequence

from ..errors import SwcmError
from ..languages import Language
from .baselines import first_sentence, first_words, shuffled
from .corpus import read_generated, read_lines, read_references
from .lazy_lines import Mapped

SHUFFLED = "shuffled"
FIRST_SENTENCE = "first-sentence"
FIRST_WORDS = "first-words"
COPY = "copy"
BASELINES = (SHUFFLED, FIRST_SENTENCE, FIRST_WORDS, COPY)


class TestSet(NamedTuple):
    """N sentences: every system's outputs (baselines are systems too), their references, their sources if known."""

    systems: Dict[str, Sequence[str]]
    references: Sequence[List[str]]
    sources: Optional[Sequence[str]]


def read_test_set(
    hypotheses: Dict[str, str],
    generated: Dict[str, str],
    references: Sequence[str],
    sources: Optional[str],
    target: Language,
    baselines: Sequence[str] = (),
) -> TestSet:
    """Read what there is of one language.

    Args:
        hypotheses: text files by name of the system.
        generated: what fairseq-generate printed, by name of the system.
        references: text files, one a reference; where none are given, those in ``generated`` count.
        sources: text file; where there is none, those in ``generated``.
        target: the language.
        baselines: out of ``BASELINES``, to be added as systems.

    Raises:
        SwcmError: anything that cannot be read or does not fit together.
    """
    known = read_references(references) if references else None
    origin = references[0] if references else None
    known_sources = read_lines(sources) if sources else None
    source_origin = sources
    systems, paths = {}, {}
    for name, path in hypotheses.items():
        systems[name], paths[name] = read_lines(path), path
    for name, path in generated.items():
        output = read_generated(path)
        systems[name], paths[name] = output.hypotheses, path
        if known_sources is None and output.sources:
            known_sources, source_origin = output.sources, path
        if references:
            continue
        if output.references is None:
            raise SwcmError(f"{path} holds no references (T lines); give them with --ref")
        found = Mapped(output.references, lambda reference: [reference])
        if known is not None and found != known:
            raise SwcmError(f"{origin} and {path} hold different references; score them one by one")
        known, origin = found, path
    assert known is not None, "there are references, or an output that holds them"
    problems = [
        f"{paths[name]} has {len(sentences)} sentences, {origin} has {len(known)}"
        for name, sentences in systems.items()
        if len(sentences) != len(known)
    ]
    if known_sources is not None and len(known_sources) != len(known):
        problems.append(f"{source_origin} has {len(known_sources)} sources, {origin} has {len(known)}")
    if problems:
        raise SwcmError("hypotheses and references must match line by line", problems)
    for name in baselines:
        systems[name] = _baseline(name, known, known_sources, target)
    return TestSet(systems, known, known_sources)


def _baseline(
    name: str, references: Sequence[List[str]], sources: Optional[Sequence[str]], target: Language
) -> Sequence[str]:
    if name == SHUFFLED:
        return Mapped(shuffled(range(len(references))), lambda place: references[place][0])
    if sources is None:
        raise SwcmError(f"--{name} needs the sources: give them with --src")
    if name == FIRST_WORDS:
        return first_words(sources, references, target)
    return Mapped(sources, first_sentence) if name == FIRST_SENTENCE else sources
