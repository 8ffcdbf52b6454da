"""Learn how common runs of letters are in a language, from its text: what ``profiles`` holds.

``python -m swcm_fairseq.scoring.learn_profiles --out profiles.txt kk_Cyrl=text.kk ug=text.ug ...`` writes a line a
language: code, script, runs. One language that is alone in its script needs no profile.
"""

import argparse
import math
import sys
from collections import Counter
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

import regex

from ..errors import SwcmError, run_command
from ..files import atomic_write, refuse_overwrite
from ..languages import all_codes, language
from .corpus import read_lines
from .language_identification import runs_of
from .normalization import normalize
from .tokenizers import UNSPACED, tokenizer_for

# Runs a language: the more, the surer of short texts. Latin has so many languages that the file would grow large.
RUNS, RUNS_LATIN = 1000, 400
GROUPS = 12  # a run that is more bits rarer than the commonest is left out


def learn(sentences: Iterable[str], code: str, runs: int = 0) -> Tuple[str, str]:
    """The script of a language's text and its profile of ``runs`` runs (0: the usual number).

    ``language_identification.Candidates`` says what a profile is.

    Raises:
        SwcmError: text without a word in the language's scripts.
    """
    target = language(code if code in all_codes() else code.partition("_")[0])
    split = tokenizer_for(target)
    patterns = {name: regex.compile(rf"(?V1)[\p{{Script={name}}}&&\p{{L}}]") for name in target.scripts}
    scripts: Counter = Counter()
    counts: Counter = Counter()
    for sentence in sentences:
        for word in split(sentence):
            script = next((name for name, pattern in patterns.items() if pattern.search(word)), None)
            if script:
                scripts[script] += 1
                counts.update(runs_of([word]))
    if not counts:
        raise SwcmError("no word of the text for {} is in {}".format(code, " or ".join(target.scripts)))
    script = scripts.most_common(1)[0][0]
    runs = runs or (RUNS_LATIN if script == "Latin" else RUNS)
    groups: List[List[str]] = [[] for _ in range(GROUPS)]
    most = max(counts.values())
    # Sorted, so that the same text always gives the same profile.
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    # Of an alphabet every letter is kept: which are missing tells most.
    alphabet = not UNSPACED.intersection(target.scripts)
    rest = [(run, count) for run, count in order[runs:] if alphabet and len(run) == 1]
    for run, count in order[:runs] + rest:
        group = round(math.log2(most / count))
        if group < GROUPS:
            groups[group].append(run)
    while not groups[-1]:
        groups.pop()
    return script, "|".join(" ".join(group) for group in groups)


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="learn_profiles", description=__doc__)
    parser.add_argument("texts", nargs="+", metavar="CODE=FILE", help="text of a language; several files may have it")
    parser.add_argument(
        "--runs", type=int, default=0, help="runs of letters to keep a language (1000, of a Latin one 400)"
    )
    parser.add_argument("--out", required=True, help="the file to write")
    parser.add_argument("--force", action="store_true", help="replace it")
    arguments = parser.parse_args(argv)
    texts: Dict[str, List[str]] = {}
    for text in arguments.texts:
        code, equals, path = text.partition("=")
        if not equals:
            parser.error(f"{text!r} is not CODE=FILE")
        texts.setdefault(code, []).extend(normalize(read_lines(path), "nmt_nfkc"))
    refuse_overwrite(arguments.out, arguments.force)
    with atomic_write(arguments.out) as stream:
        for code in sorted(texts):
            script, profile = learn(texts[code], code, arguments.runs)
            stream.write(f"{code}\t{script}\t{profile}\n")


if __name__ == "__main__":
    sys.exit(run_command(main))
