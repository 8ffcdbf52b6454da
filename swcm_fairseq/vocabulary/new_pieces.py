"""Pieces for text that an encoder's SentencePiece model cannot spell, learned so that other text stays as it is.

A unigram model cuts text by the sum of its pieces' scores, and prices an unknown character at its lowest score less
ten. So text keeps its pieces exactly when no new piece occurs in it and the lowest score stays. Both are ensured here:
every new piece holds a character that marks the new text, and scores are held within those there are.
"""

import io
from typing import Dict, Iterable, List, Sequence, Set

import regex
import sentencepiece

from ..errors import SwcmError
from ..languages import Language, in_scripts
from .pieces import Pieces
from .protected_characters import PLACEHOLDERS
from .sentencepiece_model import NORMAL, Piece, SentencePieceModel
from .symbols import SPACE

# A script with more characters than this gets those that the text holds; a smaller one gets all, seen or not.
WHOLE_SCRIPT = 2000

_LONGEST_LINE = 4192 // 4  # characters; SentencePiece's trainer skips lines of more than 4192 bytes
_MOST_LINES = 1_000_000  # enough to learn pieces from, and it fits into memory


def script_pattern(language: Language):
    """A compiled pattern of one character of the language's scripts.

    Raises:
        SwcmError: a script that Unicode does not have.
    """
    try:
        return regex.compile(f"[{in_scripts(language.scripts)}]")
    except regex.error as error:
        raise SwcmError(f"scripts {', '.join(language.scripts)} of language {language.code}: {error}")


def normalized(pieces: Pieces, lines: Sequence[str], threads: int = 1) -> List[str]:
    """Each line as the model sees it: normalized by its own rules, spaces as spaces."""
    cut = pieces.model.encode(list(lines), out_type=str, num_threads=threads)
    return ["".join(line).replace(SPACE, " ").strip() for line in cut]


def characters_of_script(pieces: Pieces, language: Language) -> Set[str]:
    """The characters of the language's scripts that the model's normalizer leaves as they are."""
    pattern = script_pattern(language)
    every = [chr(code) for code in range(0x110000) if pattern.match(chr(code))]
    kept = normalized(pieces, every)
    return {character for character, after in zip(every, kept) if after == character}


def new_characters(pieces: Pieces, language: Language, text: Iterable[str], recut: bool = False) -> Set[str]:
    """The characters that mark new pieces: of the language's scripts, and no piece of the model by themselves.

    Args:
        text: normalized, in the language.
        recut: take those that are pieces, too; text of other languages in the script is then cut anew.
    """
    of_script = characters_of_script(pieces, language)
    if len(of_script) > WHOLE_SCRIPT:
        of_script &= {character for line in text for character in line}
    return of_script if recut else of_script - pieces.known


def signs_within_words(text: Iterable[str], language: Language) -> Dict[int, str]:
    """The part of the table of placeholders whose signs join letters of the language's scripts.

    Args:
        text: normalized, with placeholders for all signs.
    """
    letter = script_pattern(language).pattern
    joins = {
        sign: regex.compile(f"{letter}{placeholder}|{placeholder}{letter}")
        for sign, placeholder in PLACEHOLDERS.items()
    }
    found: Set[str] = set()
    for line in text:
        found.update(sign for sign, pattern in joins.items() if sign not in found and pattern.search(line))
    return {ord(sign): PLACEHOLDERS[sign] for sign in sorted(found)}


def learn_pieces(model: SentencePieceModel, text: Iterable[str], marks: Set[str], count: int) -> List[Piece]:
    """Learn pieces from ``text``, best first, with every mark as a piece of its own among them.

    Args:
        model: to be grown, of the unigram kind.
        text: normalized lines of the new language.
        marks: characters of which every new piece holds one.
        count: most pieces of more than one character.

    Raises:
        SwcmError: the text holds none of the marks.
    """
    words = [word for line in _some_lines(text) for word in line.split() if not marks.isdisjoint(word)]
    if not words:
        raise SwcmError("the text holds no character that the SentencePiece model lacks in the language's scripts")
    learned = _train(words, count)
    old = {piece.text for piece in model.pieces}
    scores = [piece.score for piece in model.pieces if piece.kind == NORMAL]
    lowest, highest = min(scores), max(scores)
    wanted: Dict[str, float] = {}
    left = count
    for piece in sorted(learned, key=lambda piece: (-piece.score, piece.text)):
        # fairseq cuts text at white space, so a piece that holds some could not be read back.
        if piece.text in old or marks.isdisjoint(piece.text) or piece.text.split() != [piece.text]:
            continue
        if len(piece.text) > 1:
            left -= 1
        if len(piece.text) == 1 or left >= 0:
            wanted[piece.text] = piece.score
    rarest = min(wanted.values(), default=lowest)
    for character in sorted(marks - old):
        wanted.setdefault(character, rarest)
    return [Piece(text, min(max(score, lowest), highest)) for text, score in wanted.items()]


def _some_lines(text: Iterable[str]) -> List[str]:
    """At most a million lines, spread evenly over the text."""
    lines, step = [], 1
    for number, line in enumerate(text):
        if number % step == 0:
            lines.append(line)
        if len(lines) > _MOST_LINES:
            lines, step = lines[::2], 2 * step
    return lines


def _train(words: List[str], count: int) -> List[Piece]:
    # Words of a line stand together: pieces do not cross spaces, so nothing is lost, and no line gets too long.
    line: List[str] = []
    lines, size = [], 0
    for word in words:
        if size + len(word) > _LONGEST_LINE and line:
            lines.append(" ".join(line))
            line, size = [], 0
        line.append(word[:_LONGEST_LINE])
        size += len(word) + 1
    lines.append(" ".join(line))
    alphabet = {character for word in words for character in word}
    trained = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=trained,
            model_type="unigram",
            vocab_size=count + len(alphabet) + 4,  # <unk>, <s>, </s>, the space
            hard_vocab_limit=False,
            character_coverage=1.0,
            normalization_rule_name="identity",  # the text is normalized already, by the encoder's own rules
            num_threads=1,  # sums in another order would give other pieces
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        raise SwcmError(f"SentencePiece could not learn pieces from the text: {error}")
    learned = SentencePieceModel.from_bytes(trained.getvalue()).pieces
    return [piece for piece in learned if piece.kind == NORMAL]
