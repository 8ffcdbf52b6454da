"""Reading what fairseq-generate and fairseq-interactive print."""

import re
from typing import Dict, List, NamedTuple


class Hypothesis(NamedTuple):
    """One hypothesis: its score, its pieces, its text, and the score of each piece, all logarithms of base 2."""

    score: float
    pieces: str
    text: str
    positional: List[float]


def printed(output: str, letter: str) -> Dict[int, List[str]]:
    """Sentence's number -> what follows ``LETTER-NUMBER`` on its lines, in the order of the lines."""
    found: Dict[int, List[str]] = {}
    for number, rest in re.findall(rf"^{letter}-(\d+)\t(.*)$", output, re.MULTILINE):
        found.setdefault(int(number), []).append(rest)
    return found


def hypotheses(output: str) -> List[List[Hypothesis]]:
    """All hypotheses of every sentence, best first, in the order of the sentences."""
    pieces, texts, positional = (printed(output, letter) for letter in "HDP")
    assert sorted(pieces) == list(range(len(pieces))), "every sentence comes out, once"
    result = []
    for number in sorted(pieces):
        row = []
        for one, text, scores in zip(pieces[number], texts[number], positional[number]):
            score, _, line = one.partition("\t")
            row.append(Hypothesis(float(score), line, text.partition("\t")[2], [float(s) for s in scores.split()]))
        result.append(row)
    return result
