"""From summarization data in several languages to what transfer between them trains and tests on.

Reads DATA/XX/{train,valid,test}.text-summary.{text,summary} with the records' names, by which languages are joined, in
DATA/XX/{train,valid,test}.packages, as recipes/data/debian_descriptions.sh writes them. Writes into DIR, for the
language S of the summaries to learn from and each language X to transfer to:

    {train,valid,test}.text_S-S.{text_S,S}   texts and their summaries
    {valid,test}.text_X-X.{text_X,X}         the same, to test on; with --few-shot N also N of train, repeated
    {train,valid}.S, .X                      summaries and first sentences by themselves, to denoise
    {train,valid}.S-X.{S,X}                  summaries of the same record in two languages
    {train,valid}.hidden_X-X.{hidden_X,X}    a summary hidden in another record's text, to be found again (and hidden_S)
    counts.json                              records of each language and part: read = kept + blank + duplicate

A record whose text or summary is blank, or whose name an earlier one of its part has, is left out.

The last are denoising with words put in, where mBART's noise takes them out: what has to be found stands in something
as long as a text, behind a few of its words, as the gist of a description stands behind the program's name.

No summary in X stands beside its text, unless --few-shot asks for it.
"""

import argparse
import os
import sys
from random import Random
from typing import Dict, List, NamedTuple, Sequence, Tuple

from swcm_preprocess.text_lines import read_aligned, write_lines

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_folder, write_json
from swcm_fairseq.input_files import input_problems
from swcm_fairseq.sentences import sentences
from swcm_fairseq.vocabulary.pieces import is_blank

PARTS = ("train", "valid", "test")
# Characters; a longer sentence costs more time than it teaches.
LONGEST = 250
# Fewer than so many examples would not be seen beside thousands of others; few-shot pairs are repeated up to it.
REPEATED_TO = 500
# Words of the text before a hidden summary, at most, and behind it.
BEFORE, BEHIND = 6, 40


class Record(NamedTuple):
    """A text with its summary."""

    text: str
    summary: str

    @property
    def first(self) -> str:
        """The first sentence."""
        return next(iter(sentences(self.text)), "")


Records = Dict[str, Record]  # by name


def read_part(folder: str, part: str) -> Tuple[Records, Dict[str, int]]:
    """The records of one part of one language, and how many were read, kept and left out, by reason.

    Raises:
        SwcmError: files that are missing or not aligned, or without any record.
    """
    names = ("packages", "text-summary.text", "text-summary.summary")
    paths = [os.path.join(folder, f"{part}.{name}") for name in names]
    missing = input_problems(paths)
    if missing:
        raise SwcmError("summarization data is incomplete", missing)
    records: Records = {}
    counts = dict.fromkeys(("read", "kept", "blank", "duplicate"), 0)
    for name, text, summary in read_aligned(paths):
        counts["read"] += 1
        reason = "blank" if is_blank(text) or is_blank(summary) else "duplicate" if name in records else "kept"
        counts[reason] += 1
        if reason == "kept":
            records[name] = Record(text, summary)
    if not records:
        raise SwcmError("{}: none of {} records has a text and a summary".format(paths[1], counts["read"]))
    return records, counts


def hidden(records: Sequence[Record], most: int, random: Random) -> List[Tuple[str, str]]:
    """At most so many summaries, each within the text of another record, and by themselves."""
    if len(records) < 2:
        raise SwcmError(f"a summary is hidden in another record's text, and there are {len(records)} records")
    pairs = []
    for place in random.sample(range(len(records)), min(most, len(records))):
        # Any other record's text: its own would be what is to be learned without examples.
        other = (place + random.randrange(1, len(records))) % len(records)
        summary, words = records[place].summary, records[other].text.split()
        inside = summary[:1].lower() + summary[1:] if random.random() < 0.5 else summary
        before = random.randint(0, min(BEFORE, len(words)))
        pairs.append((" ".join(words[:before] + [inside] + words[before : before + BEHIND]), summary))
    return pairs


def write(folder: str, data: Dict[str, Dict[str, Records]], options: argparse.Namespace) -> None:
    def write_pairs(part: str, source: str, target: str, pairs: Sequence[Sequence[str]]) -> None:
        for side, suffix in enumerate((source, target)):
            path = os.path.join(folder, f"{part}.{source}-{target}.{suffix}")
            write_lines(path, (pair[side] for pair in pairs))

    for code in [options.source] + options.targets:
        for part in PARTS:
            records = data[code][part]
            pairs = list(records.values())
            if part != "train" or code == options.source:
                write_pairs(part, "text_" + code, code, pairs)
            elif options.few_shot:
                few = Random(f"{options.seed}/{code}").sample(pairs, min(options.few_shot, len(pairs)))
                write_pairs(part, "text_" + code, code, few * max(1, REPEATED_TO // len(few)))
            if part == "test":
                continue
            summaries = [record.summary for record in pairs]
            firsts = [record.first for record in pairs if 0 < len(record.first) <= LONGEST]
            write_lines(os.path.join(folder, f"{part}.{code}"), summaries + (firsts if part == "train" else []))
            found = hidden(pairs, options.rehearse, Random(f"{options.seed}/{part}/{code}"))
            write_pairs(part, "hidden_" + code, code, found)
            if code != options.source:
                other = data[options.source][part]
                shared = [(other[name].summary, records[name].summary) for name in records if name in other]
                write_pairs(part, options.source, code, shared)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, metavar="DIR", help="folder with a folder for each language")
    parser.add_argument("--source", required=True, metavar="S", help="language of the summaries to learn from")
    parser.add_argument("--targets", nargs="+", required=True, metavar="X", help="languages to transfer to")
    parser.add_argument("--few-shot", type=int, default=0, metavar="N", help="pairs of each X to learn from (0)")
    parser.add_argument("--rehearse", type=int, default=3000, metavar="N", help="most hidden summaries (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--force", action="store_true", help="replace a finished output")
    options = parser.parse_args()
    if options.few_shot < 0 or options.rehearse < 1:
        parser.error("--few-shot must not be negative, --rehearse at least 1")
    if len({options.source, *options.targets}) <= len(options.targets):
        parser.error("a language is named twice")
    return options


def main() -> None:
    options = parse_arguments()
    data: Dict[str, Dict[str, Records]] = {}
    counts: Dict[str, Dict[str, Dict[str, int]]] = {}
    for code in [options.source] + options.targets:
        data[code], counts[code] = {}, {}
        for part in PARTS:
            data[code][part], found = read_part(os.path.join(options.data, code), part)
            counts[code][part] = found
            if found["kept"] < found["read"]:
                line = "{}, {}: kept {kept} of {read} records, {blank} blank, {duplicate} with the name of another"
                print(line.format(code, part, **found), file=sys.stderr)
    with atomic_folder(options.out, options.force) as folder:
        write(folder, data, options)
        with open(os.path.join(folder, "counts.json"), "w", encoding="utf-8", newline="\n") as stream:
            write_json(stream, counts)


if __name__ == "__main__":
    sys.exit(run_command(main))
