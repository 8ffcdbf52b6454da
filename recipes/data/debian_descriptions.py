"""Read Debian's package descriptions in several languages, and split them by package for summarization.

A record of apt's Translation files is a package's name, the MD5 of its English description, a one-line synopsis and the
long description; a translation belongs to the English text whose MD5 it names. The long description is the text, the
synopsis its summary.

Packages are one family when their names differ by what packagers append (foo, libfoo2, foo-dev, foo-doc), or when their
English texts share a sentence, or through another package. Families are held out as a whole, and what is left for
training must not be near anything held out: see ``too_near``.

Writes, for each language, DIR/XX/{train,valid,test}.text-summary.{text,summary} and DIR/XX/{train,valid,test}.packages,
the names line by line, so that lines of several languages can be joined; and DIR/counts.json, where for each
language read = train + valid + test + left_out + dropped.
"""

import argparse
import collections
import os
import random
import sys
from typing import Dict, Iterable, List, NamedTuple, Sequence, Set

from swcm_preprocess.clean_rows import Cleaner, Settings
from swcm_preprocess.filters.near_duplicates import signatures
from swcm_preprocess.overlap import closest, clusters, fingerprint, index, ngrams
from swcm_preprocess.split import HELD_OUT, hold_out, in_order
from swcm_preprocess.text_lines import Problems, read_lines, write_lines

import regex

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_folder, write_json
from swcm_fairseq.sentences import sentences

PAIR, TEXT, SUMMARY = "text-summary", "text", "summary"

# Letters in a sentence by which two packages are one family; shorter ones are headings and courtesies.
TELLING = 40
# Larger families stay in training; see preprocess/split.py.
MAX_FAMILY = 10
# What counts as near: the share of a synopsis's 3-character runs, and of a text's 4-character runs (see
# preprocess/overlap.py and preprocess/filters/near_duplicates.py).
NEAR_SUMMARY, NEAR_TEXT = 0.7, 0.5

_APPENDED = regex.compile(
    r"(?:-(?:dbg|dev|docs?|data|common|utils|tools|bin|core|plugins?|modules?|examples?|server|client|all|base|full"
    r"|extras?|lite|nox|x11|gtk\d?|qt\d?|gui|cli|perl|ruby|python3?|java|tests?|runtime|static|l10n|i18n|[0-9.]+)"
    r"|[0-9.]+)\Z"
)
# Chinese text is wrapped anywhere: a line break between its signs is no space.
_WRAPPED = regex.compile(r"(?<=[\p{Script=Han}。，、；：！？（）《》“”]) (?=[\p{Script=Han}。，、；：！？（）《》“”])")


MD5 = "Description-md5"


class Description(NamedTuple):
    """One package's description in one language; ``paragraphs`` make the text."""

    package: str
    summary: str
    paragraphs: Sequence[str]

    @property
    def text(self) -> str:
        return " ".join(self.paragraphs)


Corpus = Dict[str, Dict[str, Description]]  # language -> package -> its description


def read_translations(path: str) -> Dict[str, Description]:
    """The records of a Translation file by the MD5 that they name; of several with the same MD5 the first.

    Raises:
        SwcmError: bytes that are not UTF-8, or a file without a record.
    """
    found: Dict[str, Description] = {}
    problems = Problems()
    record: List[str] = []
    for line in read_lines(path, problems):
        if line:
            record.append(line)
        elif line is not None:
            _add(found, record)
            record = []
    _add(found, record)
    problems.raise_if_any("descriptions that cannot be read")
    if not found:
        raise SwcmError(f"{path}: no descriptions; is this a Translation file of apt's lists?")
    return found


def _add(found: Dict[str, Description], record: Sequence[str]) -> None:
    fields: Dict[str, List[str]] = {}
    last: List[str] = []
    for line in record:
        if line[0] in " \t":
            last.append(line.strip())
        else:
            name, _, value = line.partition(":")
            last = fields.setdefault("Description" if name.startswith("Description-") and name != MD5 else name, [])
            last.append(value.strip())
    if {"Package", MD5, "Description"} <= set(fields):
        summary, *lines = fields["Description"]
        paragraphs = (_unwrapped(part) for part in "\n".join(lines).split("\n.\n"))
        found.setdefault(
            fields[MD5][0], Description(fields["Package"][0], summary, tuple(part for part in paragraphs if part))
        )


def _unwrapped(paragraph: str) -> str:
    return _WRAPPED.sub("", " ".join(paragraph.split()))


def clean(code: str, found: Dict[str, Description], english: Dict[str, Description], dropped: Dict[str, int]):
    """The descriptions worth keeping, by package: normalized, translated, in the language's script.

    Returns Dict[package, Description] with one paragraph; why others are left out is counted in ``dropped``.
    """
    # A text is longer than its summary, and names the program with its underscores and tildes.
    without = frozenset(["length_ratio", "variables_differ", "identical", "shortcuts"])
    cleaner = Cleaner(Settings((code, code), without=without, max_chars=3000))
    kept: Dict[str, Description] = {}
    seen: Set[tuple] = set()
    for md5 in sorted(found):
        one, original = found[md5], english.get(md5)
        if original is None:
            reason = "other_version"
        elif found is not english and (
            one.summary == original.summary or set(one.paragraphs) & {p for p in original.paragraphs if " " in p}
        ):
            reason = "untranslated"
        elif one.package in kept:
            reason = "second_version"
        else:
            rows, _, _, _, reasons, _ = cleaner([(one.text, one.summary)])
            reason = next(iter(reasons), "") or ("duplicate" if rows[0] in seen else "")
        if reason:
            dropped[reason.partition(":")[0]] += 1
        else:
            seen.add(rows[0])
            kept[one.package] = Description(one.package, rows[0][1], (rows[0][0],))
    return kept


def stem(package: str) -> str:
    """The name without ``lib`` before it and what packagers append: libfoo2-dev is foo's."""
    name = package[3:] if package.startswith("lib") else package
    while True:
        shorter = _APPENDED.sub("", name)
        if shorter == name or len(shorter) < 2:
            return name
        name = shorter


def families(names: Sequence[str], english: Dict[str, Description]) -> List[List[str]]:
    """The packages ``names`` in groups; ``english`` has the text of each."""
    places: Dict[str, List[int]] = collections.defaultdict(list)
    for place, name in enumerate(names):
        places["name " + stem(name)].append(place)
        for sentence in set(sentences(english[name].text)):
            if len(sentence) >= TELLING:
                places[fingerprint(sentence)].append(place)
    pairs = ((same[0], other) for same in places.values() for other in same[1:])
    return [[names[place] for place in group] for group in clusters(len(names), pairs)]


def too_near(corpus: Corpus, held_out: Set[str], pivot: str) -> Set[str]:
    """Packages outside ``held_out`` that say what one in it says.

    Their English synopsis shares 0.7 of the shorter one's 3-character runs with a held-out one, their English text half
    of the 4-character runs (by MinHash), or their text or synopsis in any language is the same but for case, numbers
    and punctuation.
    """
    english = corpus[pivot]
    rest = sorted(set(english) - held_out)
    near: Set[str] = set()
    runs = {name: ngrams(fingerprint(english[name].summary), 3) for name in english}
    theirs = [runs[name] for name in sorted(held_out)]
    postings = index(theirs)
    near.update(name for name in rest if closest(runs[name], theirs, postings) >= NEAR_SUMMARY)
    numbers = signatures([english[name].text for name in sorted(held_out)])
    for name, own in zip(rest, signatures([english[name].text for name in rest])):
        if own.any() and (numbers == own).mean(axis=1).max() >= NEAR_TEXT:
            near.add(name)
    for known in corpus.values():
        said = {fingerprint(text) for name in held_out & set(known) for text in (known[name].text, known[name].summary)}
        near.update(
            name
            for name, one in known.items()
            if name not in held_out and (fingerprint(one.text) in said or fingerprint(one.summary) in said)
        )
    return near


def chosen(names: Iterable[str], most: int, seed: str) -> List[str]:
    """At most so many of the names, drawn at random, sorted."""
    names = sorted(names)
    return sorted(random.Random(seed).sample(names, min(most, len(names))))


def split(corpus: Corpus, pivot: str, wanted: Dict[str, int], max_train: int, seed: int) -> Dict[str, Dict]:
    """Part -> language -> packages. Held-out families are those that most languages have; see preprocess/split.py.

    Of a family that is held out the one package that most languages have stands for all.
    """
    english = corpus[pivot]
    others = [code for code in corpus if code != pivot]
    translated = {name for code in others for name in corpus[code] if name in english}
    # Comparing all of Debian would take a minute; these are enough to train on.
    alone = chosen(set(english) - translated, max(0, 2 * max_train - len(translated)), f"{seed}/{pivot}")
    names = sorted(translated.union(alone))
    known = {code: {name: corpus[code][name] for name in names if name in corpus[code]} for code in corpus}
    groups = families(names, english)
    speakers = {
        min(group, key=lambda name: (-sum(name in known[code] for code in others), len(name), name)) for group in groups
    }
    lines = {code: [(name, "") for name in sorted(speakers & set(known[code]))] for code in others or [pivot]}
    small = [group for group in groups if len(group) <= MAX_FAMILY]
    parts = hold_out(lines, iter(in_order(small, lines, seed)), wanted)
    held_out = set().union(*(parts[part] for part in HELD_OUT))
    members = {part: parts[part] & speakers for part in HELD_OUT}
    members["train"] = set(names) - held_out - too_near(known, held_out, pivot)
    # Whatever is translated stays in training, so that it can be learned from in two languages.
    english_alone = chosen(
        members["train"] - translated, max(0, max_train - len(members["train"] & translated)), f"{seed}/train"
    )
    known[pivot] = {name: english[name] for name in sorted(translated.union(english_alone, held_out))}
    most = dict(wanted, train=max_train)
    return {
        part: {
            code: chosen(members[part] & set(known[code]), most[part], "/".join([str(seed), part])) for code in corpus
        }
        for part in ("train",) + HELD_OUT
    }


def write(folder: str, corpus: Corpus, parts: Dict[str, Dict]) -> None:
    for part, by_language in parts.items():
        for code, names in by_language.items():
            os.makedirs(os.path.join(folder, code), exist_ok=True)
            lines = {
                f"{PAIR}.{TEXT}": [corpus[code][name].text for name in names],
                f"{PAIR}.{SUMMARY}": [corpus[code][name].summary for name in names],
                "packages": names,
            }
            for ending, texts in lines.items():
                write_lines(os.path.join(folder, code, f"{part}.{ending}"), texts)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--translations", nargs="+", required=True, metavar="XX=FILE", help="Translation files; the first is English"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--valid", type=int, default=100, metavar="N", help="packages a language (%(default)s)")
    parser.add_argument("--test", type=int, default=200, metavar="N", help="packages a language (%(default)s)")
    parser.add_argument("--max-train", type=int, default=8000, metavar="N", help="most a language (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--force", action="store_true", help="replace a finished output")
    options = parser.parse_args()
    options.translations = dict(item.partition("=")[::2] for item in options.translations)
    if not all(options.translations) or not all(options.translations.values()):
        parser.error("--translations wants XX=FILE")
    if min(options.valid, options.test) < 1 or options.max_train < 1:
        parser.error("--valid, --test and --max-train must be 1 or more")
    return options


def main() -> None:
    options = parse_arguments()
    pivot = next(iter(options.translations))
    with atomic_folder(options.out, options.force) as folder:
        found = {code: read_translations(path) for code, path in options.translations.items()}
        dropped = {code: collections.Counter() for code in found}
        corpus = {code: clean(code, known, found[pivot], dropped[code]) for code, known in found.items()}
        parts = split(corpus, pivot, {"valid": options.valid, "test": options.test}, options.max_train, options.seed)
        write(folder, corpus, parts)
        counts = {}
        for code, known in found.items():
            numbers = {part: len(by_language[code]) for part, by_language in parts.items()}
            counts[code] = dict(
                numbers,
                read=len(known),
                dropped=dict(sorted(dropped[code].items())),
                left_out=len(corpus[code]) - sum(numbers.values()),
            )
            print(
                "{}: train {train}, valid {valid}, test {test}, left out {left_out}, dropped {gone}, of {read}".format(
                    code, gone=sum(dropped[code].values()), **counts[code]
                )
            )
        with open(os.path.join(folder, "counts.json"), "w", encoding="utf-8", newline="\n") as stream:
            write_json(stream, counts)


if __name__ == "__main__":
    sys.exit(run_command(main))
