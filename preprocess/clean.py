"""Clean raw text: a line-aligned pair of files, or one file.

    python preprocess/clean.py --src raw.zh --tgt raw.kk --src-lang zh --tgt-lang kk --out clean/zh-kk
    python preprocess/clean.py --text raw.bo --lang bo --out clean/bo

Each line is normalized by the rules of preprocess/normalize, then kept, or left out under one reason, by the
tests of preprocess/filters. Writes PREFIX.zh, PREFIX.kk and PREFIX.counts.json (one text: PREFIX.bo), where
read = kept + dropped. Text is streamed; memory grows with the number of different lines alone (16 bytes each).
"""

import argparse
import collections
import contextlib
import json
import os
import sys
from typing import Callable, Dict, List, Optional, Sequence, Tuple

# Run by path, from anywhere: the packages stand beside this script's folder.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from preprocess.filters.agreement import are_identical, differ_in_variables  # noqa: E402
from preprocess.filters.duplicates import is_repeated  # noqa: E402
from preprocess.filters.empty import has_no_letters, is_empty  # noqa: E402
from preprocess.filters.length import differ_in_length, has_more_pieces_than, is_longer_than  # noqa: E402
from preprocess.filters.script import in_wrong_script  # noqa: E402
from preprocess.lines import read_aligned  # noqa: E402
from preprocess.normalize import RULES, normalize, rules_without  # noqa: E402
from swcm_fairseq.data.languages import Language, language  # noqa: E402
from swcm_fairseq.errors import SwcmError, run_command  # noqa: E402
from swcm_fairseq.files import atomic_write, refuse_overwrite  # noqa: E402

# Every reason, in the order of the tests; the first that applies is counted.
SIDE_REASONS = ("empty", "no_letters", "wrong_script", "too_long", "too_many_pieces")
PAIR_REASONS = ("identical", "length_ratio", "variables_differ")
REASONS = SIDE_REASONS + PAIR_REASONS + ("duplicate",)

Test = Callable[..., bool]


class Tests:
    """The tests that a run applies, by reason: ``sides`` for each side, then ``pair``, then ``last``."""

    def __init__(self, options: argparse.Namespace, languages: Sequence[Language], left_out: Sequence[str]) -> None:
        self.sides: List[Dict[str, Test]] = []
        for entry in languages:
            side: Dict[str, Test] = {
                "empty": is_empty,
                "no_letters": has_no_letters,
                "wrong_script": in_wrong_script(entry, options.min_script),
                "too_long": is_longer_than(options.max_chars),
            }
            if options.max_pieces:
                side["too_many_pieces"] = has_more_pieces_than(options.max_pieces, options.spm)
            self.sides.append(_without(side, left_out))
        pair = {
            "identical": are_identical,
            "length_ratio": differ_in_length(options.max_ratio),
            "variables_differ": differ_in_variables,
        }
        self.pair = _without(pair, left_out) if len(languages) == 2 else {}
        # The last one: only what would be kept is remembered.
        self.last = _without({"duplicate": is_repeated()}, left_out)
        self.codes = [entry.code for entry in languages]

    def reason(self, texts: Sequence[str]) -> Optional[str]:
        """Why the line is left out, or ``None``; in a pair a side's reason names the side."""
        for name in SIDE_REASONS:
            for code, tests, text in zip(self.codes, self.sides, texts):
                if name in tests and tests[name](text):
                    return "{}:{}".format(name, code) if len(texts) > 1 else name
        for tests in (self.pair, self.last):
            for name, test in tests.items():
                if test(*texts):
                    return name
        return None


def _without(tests: Dict[str, Test], left_out: Sequence[str]) -> Dict[str, Test]:
    return {name: test for name, test in tests.items() if name not in left_out}


def clean(paths: List[str], outputs: Sequence, rules: Dict, tests: Tests) -> Dict:
    """Stream the lines of ``paths`` through rules and tests into ``outputs``; returns the counts."""
    read = kept = 0
    dropped: collections.Counter = collections.Counter()
    changed = [0] * len(paths)
    for raw in read_aligned(paths):
        read += 1
        texts = [normalize(text, rules) for text in raw]
        for i, text in enumerate(texts):
            changed[i] += text != raw[i]
        reason = tests.reason(texts)
        if reason:
            dropped[reason] += 1
            continue
        kept += 1
        for output, text in zip(outputs, texts):
            output.write(text + "\n")
    assert read == kept + sum(dropped.values())
    return {
        "read": read,
        "kept": kept,
        "dropped": dict(sorted(dropped.items())),
        "normalized": dict(zip(tests.codes, changed)),
    }


def parse_arguments() -> Tuple[argparse.Namespace, List[Tuple[str, str]]]:
    """The options, and (language code, file) for each side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--src", metavar="FILE", help="first side of a pair")
    parser.add_argument("--tgt", metavar="FILE", help="second side of a pair, line by line its translation")
    parser.add_argument("--src-lang", metavar="CODE", help="language of the first side")
    parser.add_argument("--tgt-lang", metavar="CODE", help="language of the second side")
    parser.add_argument("--text", metavar="FILE", help="text in one language, in the place of a pair")
    parser.add_argument("--lang", metavar="CODE", help="its language")
    parser.add_argument("--out", metavar="PREFIX", required=True, help="outputs are PREFIX.CODE and PREFIX.counts.json")
    parser.add_argument("--min-script", type=float, default=0.3, metavar="SHARE",
                        help="least share of letters in the language's scripts (default: %(default)s)")
    parser.add_argument("--max-chars", type=int, default=1000, metavar="N", help="longest line (default: %(default)s)")
    parser.add_argument("--max-pieces", type=int, metavar="N", help="longest line in pieces of --spm")
    parser.add_argument("--spm", metavar="FILE", help="SentencePiece model that --max-pieces counts with")
    parser.add_argument("--max-ratio", type=float, default=3.0, metavar="X",
                        help="most that one side may be longer than the other, a Chinese character counting as three "
                        "letters (default: %(default)s)")
    parser.add_argument("--without", default="", metavar="NAME,...",
                        help="rules and tests to leave out: {}; {}".format(", ".join(RULES), ", ".join(REASONS)))
    parser.add_argument("--force", action="store_true", help="replace a finished output")
    options = parser.parse_args()
    pair = (options.src, options.tgt, options.src_lang, options.tgt_lang)
    single = (options.text, options.lang)
    if not (all(pair) and not any(single)) and not (all(single) and not any(pair)):
        parser.error("give --src, --tgt, --src-lang and --tgt-lang, or --text and --lang")
    if bool(options.max_pieces) != bool(options.spm):
        parser.error("--max-pieces and --spm go together")
    if options.src_lang and options.src_lang == options.tgt_lang:
        parser.error("the sides of a pair need different codes, since the outputs are named by them")
    sides = [(options.lang, options.text)]
    if options.src:
        sides = [(options.src_lang, options.src), (options.tgt_lang, options.tgt)]
    return options, sides


def main() -> None:
    options, sides = parse_arguments()
    left_out = [name for name in options.without.split(",") if name]
    unknown = sorted(set(left_out) - set(RULES) - set(REASONS))
    if unknown:
        raise SwcmError("--without {}: no such rule or test; see --help".format(",".join(unknown)))
    rules = rules_without(name for name in left_out if name in RULES)
    tests = Tests(options, [language(code) for code, _ in sides], left_out)
    inputs = [path for _, path in sides]
    outputs = ["{}.{}".format(options.out, end) for end in ["counts.json"] + [code for code, _ in sides]]
    for path in outputs:
        if any(os.path.exists(path) and os.path.samefile(path, given) for given in inputs):
            raise SwcmError("{} is an input; choose another --out".format(path))
        refuse_overwrite(path, options.force)
    with contextlib.ExitStack() as stack:
        # The counts take their name last, so their presence says that the output is whole.
        report, *streams = [stack.enter_context(atomic_write(path)) for path in outputs]
        counts = clean(inputs, streams, rules, tests)
        json.dump(counts, report, indent=2, ensure_ascii=False)
        report.write("\n")
    print("{}: read {read}, kept {kept}; dropped: {reasons}".format(
        options.out, reasons=", ".join("{} {}".format(*item) for item in counts["dropped"].items()) or "none", **counts))


if __name__ == "__main__":
    sys.exit(run_command(main))
