"""What a score does not show: outputs in the wrong language, of the wrong length, empty, stuck, or all the same.

Real text is not free of these either (a reference may be a file name, or say "ha ha ha"): hold a system's shares
against the references' own, which ``swcm-score --shuffled`` shows.
"""

import hashlib
from typing import List, Sequence

import numpy as np

from ..languages import Language
from ..version import __version__
from .language_identification import Recognizer
from .statistics import Statistics, count_references, means, ratio
from .tokenizers import tokenizer_for

_LOOP_TOKENS = 10  # the longest phrase whose repetition counts as a loop
_LOOP_TIMES = 3  # so often in a row; twice is good language in many places (Chinese and Kazakh double words)


def wrong_language(hypotheses: Sequence[str], references: Sequence[Sequence[str]], target: Language) -> Statistics:
    """Share of outputs in another script or language than asked for, 0 to 100; and the part that the script shows.

    Outputs without letters, empty ones among them, are in no language and do not count as wrong.
    """
    recognizer = Recognizer(target)
    verdicts = [recognizer.wrong(hypothesis) for hypothesis in hypotheses]
    columns = {
        "wrong_language": [verdict is not None for verdict in verdicts],
        "wrong_language_script": [verdict == "script" for verdict in verdicts],
    }
    return means(columns, _signature(references, f"lang:{target.code}|by:{recognizer.signature}"))


def length_ratio(hypotheses: Sequence[str], references: Sequence[Sequence[str]], target: Language) -> Statistics:
    """Tokens of all outputs to tokens of all references; of several references the one of nearest length counts."""
    split = tokenizer_for(target)
    rows = []
    for hypothesis, some in zip(hypotheses, references):
        length = len(split(hypothesis))
        rows.append([length, min((len(split(one)) for one in some), key=lambda other: abs(other - length))])

    def combine(sums: np.ndarray):
        return {"length_ratio": ratio(sums[..., 0], sums[..., 1])}

    signature = _signature(references, f"tok:swcm-{target.units}")
    return Statistics(np.asarray(rows, dtype=float), combine, signature)


def empty(hypotheses: Sequence[str], references: Sequence[Sequence[str]], target: Language) -> Statistics:
    """Share of outputs without a letter, digit or mark, 0 to 100."""
    flags = [not hypothesis.strip() for hypothesis in hypotheses]
    return means({"empty": flags}, _signature(references, "unit:output"))


def looping(hypotheses: Sequence[str], references: Sequence[Sequence[str]], target: Language) -> Statistics:
    """Share of outputs that say a phrase of up to ten tokens three times in a row or more, 0 to 100."""
    split = tokenizer_for(target)
    flags = [_loops(split(hypothesis.lower())) for hypothesis in hypotheses]
    words = f"ngram:{_LOOP_TOKENS}|times:{_LOOP_TIMES}|tok:swcm-{target.units}"
    return means({"looping": flags}, _signature(references, words))


def repeated(hypotheses: Sequence[str], references: Sequence[Sequence[str]], target: Language) -> Statistics:
    """Share of outputs that were given for another sentence too, whose references are others, 0 to 100."""
    # [N, 2] of hashes: there may be millions of sentences.
    pairs = np.array(
        [(_hash(hypothesis.strip()), _hash("\n".join(some))) for hypothesis, some in zip(hypotheses, references)],
        dtype=np.uint64,
    )
    outputs, different = np.unique(np.unique(pairs, axis=0)[:, 0], return_counts=True)
    flags = np.isin(pairs[:, 0], outputs[different > 1]) & (pairs[:, 0] != _hash(""))
    return means({"repeated": flags}, _signature(references, "unit:output"))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest(), "little")


def _loops(tokens: List[str]) -> bool:
    for length in range(1, _LOOP_TOKENS + 1):
        run = 0  # tokens in a row that equal the one a phrase's length before
        for place in range(length, len(tokens)):
            run = run + 1 if tokens[place] == tokens[place - length] else 0
            if run >= length * (_LOOP_TIMES - 1):
                return True
    return False


def _signature(references: Sequence[Sequence[str]], words: str) -> str:
    return f"nrefs:{count_references(references)}|{words}|version:swcm-{__version__}"
