"""Clean raw text: a line-aligned pair of files, or text in one language; plain or gzip, in one file or many parts.

    python preprocess/clean.py --src raw.zh --tgt raw.kk --src-lang zh --tgt-lang kk --out clean/zh-kk
    python preprocess/clean.py --text raw.bo.part*.gz --lang bo --out clean/bo

Each line is normalized by the rules of preprocess/normalize, then kept, or left out under one reason, by the
tests of preprocess/filters. Writes PREFIX.zh, PREFIX.kk and PREFIX.counts.json (one text: PREFIX.bo), where
read = kept + dropped. With --documents a line is a document, in which </s> parts the sentences.

Text is streamed; memory grows with the number of different lines alone, 8 bytes each (--near-duplicates: 200).
The result depends neither on the number of --workers nor on the order in which parts are given: they are taken in the
order of their names. A run that was killed goes on where it was when the same command is given again.
"""

import argparse
import collections
import os
import sys
import time
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from swcm_preprocess.clean_rows import (
    DUPLICATE,
    NEAR_DUPLICATE,
    REASONS,
    Cleaned,
    Cleaner,
    Row,
    Settings,
    signatures_of,
)
from swcm_preprocess.filters.duplicates import Seen, digest
from swcm_preprocess.filters.near_duplicates import NearSeen
from swcm_preprocess.normalize import RULES
from swcm_preprocess.parallel import in_batches, ordered_map, positive_number
from swcm_preprocess.restarting import RestartableOutputs, was_interrupted
from swcm_preprocess.text_lines import Problems, in_order, read_aligned, refuse_input

import numpy as np

from swcm_fairseq.errors import SwcmError, printable, run_command
from swcm_fairseq.files import refuse_overwrite, write_json
from swcm_fairseq.processors import usable_processors
from swcm_fairseq.version import __version__

BATCH_LINES, BATCH_CHARACTERS = 5000, 1 << 20
SECONDS_BETWEEN_SAVES = 20.0

Shards = List[Sequence[str]]  # parts of a corpus in order: the files of a part, one a side


class Corpus:
    """The rows of all parts, one after another; ``problems`` are the lines that are not UTF-8."""

    def __init__(self, shards: Shards, drop_undecodable: bool) -> None:
        self.shards = shards
        self.drop_undecodable = drop_undecodable
        self.problems = Problems()

    def rows(self) -> Iterator[Row]:
        """Raises ``SwcmError`` at the end for lines that are not UTF-8, unless they are to be dropped."""
        for shard in self.shards:
            yield from read_aligned(shard, self.problems, self.drop_undecodable)
        if not self.drop_undecodable:
            self.problems.raise_if_any(
                "lines that are not UTF-8 text; mend or remove them, or leave them out with --undecodable drop"
            )


class Tally:
    """What has been read, kept and dropped."""

    def __init__(self, sides: int) -> None:
        self.read = self.kept = 0
        self.dropped: Dict[str, int] = collections.Counter()
        self.changed = [0] * sides

    def add(self, cleaned: Cleaned, duplicates: Dict[str, int]) -> None:
        """Count a batch, and those of its rows that turned out to be duplicates."""
        self.read += cleaned.read
        self.kept += len(cleaned.rows) - sum(duplicates.values())
        for dropped in (cleaned.dropped, duplicates):
            self.dropped.update({reason: number for reason, number in dropped.items() if number})
        self.changed = [old + new for old, new in zip(self.changed, cleaned.changed)]
        assert self.read == self.kept + sum(self.dropped.values())

    def as_state(self) -> Dict[str, Any]:
        return {"read": self.read, "kept": self.kept, "dropped": dict(self.dropped), "changed": self.changed}

    def restore(self, state: Dict[str, Any]) -> None:
        self.read, self.kept, self.changed = state["read"], state["kept"], state["changed"]
        self.dropped = collections.Counter(state["dropped"])


class Memory:
    """What was kept before: the one part of cleaning that looks beyond a line."""

    def __init__(self, settings: Settings) -> None:
        self.exact = Seen() if DUPLICATE not in settings.without else None
        self.near = NearSeen(settings.near_duplicates) if settings.near_duplicates else None

    def recall(self, rows: List[Tuple[str, ...]]) -> None:
        """Take up rows that an earlier run kept."""
        if self.exact:
            self.exact.remember(b"".join(map(digest, rows)), [True] * len(rows))
        if self.near:
            self.near.first_times(signatures_of(rows))

    def sort_out(self, cleaned: Cleaned) -> Tuple[List[Tuple[str, ...]], Dict[str, int]]:
        """The rows of a batch that are new, and how many are duplicates of either kind.

        What is left out is forgotten, or a run that goes on from what was kept would count in another way.
        """
        rows = cleaned.rows
        new = np.ones(len(rows), dtype=bool)
        if self.exact:
            new = self.exact.first_times(cleaned.digests)
        duplicates = {DUPLICATE: int(len(rows) - new.sum()), NEAR_DUPLICATE: 0}
        if self.near:
            far = self.near.first_times(cleaned.signatures[new])
            duplicates[NEAR_DUPLICATE] = far.count(False)
            new[new] = far
        if self.exact:
            self.exact.remember(cleaned.digests, new)
        return [row for row, is_new in zip(rows, new) if is_new], duplicates


def clean(corpus: Corpus, settings: Settings, outputs: RestartableOutputs, workers: int) -> Tally:
    """Stream the rows of a corpus through a ``Cleaner`` into ``outputs`` (one stream a side, then the counts)."""
    *streams, _ = outputs.streams
    tally, memory = Tally(len(streams)), Memory(settings)
    rows = corpus.rows()
    if outputs.state:
        tally.restore(outputs.state)
        for _ in zip(range(tally.read), rows):
            pass
        for batch in in_batches(read_aligned(outputs.partial[:-1]), BATCH_LINES, len, BATCH_CHARACTERS):
            memory.recall(batch)
        print(f"going on behind line {tally.read}", file=sys.stderr)
    batches = in_batches(rows, BATCH_LINES, lambda row: sum(map(len, filter(None, row))), BATCH_CHARACTERS)
    saved = time.monotonic()
    for cleaned in ordered_map(Cleaner, settings, batches, workers):
        kept, duplicates = memory.sort_out(cleaned)
        for stream, texts in zip(streams, zip(*kept)):
            stream.write("\n".join(texts) + "\n")
        tally.add(cleaned, duplicates)
        if time.monotonic() - saved >= SECONDS_BETWEEN_SAVES:
            outputs.save(tally.as_state())
            saved = time.monotonic()
    return tally


def report_of(tally: Tally, corpus: Corpus, codes: Sequence[str]) -> Dict[str, Any]:
    """What the counts file says."""
    report = {
        "read": tally.read,
        "kept": tally.kept,
        "dropped": dict(sorted(tally.dropped.items())),
        "normalized": dict(zip(codes, tally.changed)),
    }
    if corpus.problems.number:
        report["undecodable"] = list(map(printable, corpus.problems.in_words()))
    return report


def parse_arguments(argv=None) -> Tuple[argparse.Namespace, List[str], Shards]:
    """The options, the languages of the sides, and the parts with a file for each side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = Settings(())
    parser.add_argument("--src", nargs="+", metavar="FILE", help="first side of a pair, in one file or several parts")
    parser.add_argument("--tgt", nargs="+", metavar="FILE", help="second side, line by line its translation")
    parser.add_argument("--src-lang", metavar="CODE", help="language of the first side")
    parser.add_argument("--tgt-lang", metavar="CODE", help="language of the second side")
    parser.add_argument("--text", nargs="+", metavar="FILE", help="text in one language, in the place of a pair")
    parser.add_argument("--lang", metavar="CODE", help="its language")
    parser.add_argument("--out", metavar="PREFIX", required=True, help="outputs are PREFIX.CODE and PREFIX.counts.json")
    parser.add_argument("--documents", action="store_true", help="a line is a document; </s> in it parts its sentences")
    parser.add_argument(
        "--catalogue",
        action="store_true",
        help="the lines are a program's messages: take marks of shortcuts away (~File, Шы_ғу), and leave out pairs "
        "whose sides have different placeholders (%%1, $name)",
    )

    def number(flag: str, meaning: str, kind=float, **more) -> None:
        default = more.setdefault("default", getattr(defaults, flag.strip("-").replace("-", "_")))
        shown = "" if default is None else f" (default: {default})"
        parser.add_argument(flag, type=kind, metavar="N" if kind is int else "X", help=meaning + shown, **more)

    number("--min-script", "least share of letters in the language's scripts")
    number("--max-chars", "longest line (default: 1000; of --documents 100000)", int, default=None)
    number("--max-pieces", "longest line in pieces of --spm", int, default=None)
    parser.add_argument("--spm", metavar="FILE", help="SentencePiece model that --max-pieces counts with")
    number("--max-ratio", "most that one side may be longer, a Chinese character counting as three letters")
    number("--max-code", "largest share of signs of code and markup")
    number("--max-repetition", "largest share of stretches that stood in the line before")
    parser.add_argument(
        "--held-out",
        nargs="+",
        default=[],
        metavar="FILE",
        help="leave out lines that stand in these, but for case, punctuation and numbers: the test data",
    )
    number("--near-duplicates", "leave out lines that share so much with an earlier one, 0.8 for example")
    parser.add_argument(
        "--transliterate", default="", metavar="CODE", help="side in Kazakh whose Cyrillic is written in Arabic script"
    )
    parser.add_argument(
        "--undecodable",
        choices=("fail", "drop"),
        default="fail",
        help="what to do about lines that are not UTF-8; they are named in either case (default: %(default)s)",
    )
    parser.add_argument(
        "--without",
        default="",
        metavar="NAME,...",
        help="rules and tests to leave out: {}; {}".format(", ".join(RULES), ", ".join(REASONS)),
    )
    parser.add_argument("--workers", type=positive_number, default=usable_processors(), metavar="N", help="processes")
    parser.add_argument("--force", action="store_true", help="replace a finished output")
    options = parser.parse_args(argv)
    pair = (options.src, options.tgt, options.src_lang, options.tgt_lang)
    single = (options.text, options.lang)
    if not (all(pair) and not any(single)) and not (all(single) and not any(pair)):
        parser.error("give --src, --tgt, --src-lang and --tgt-lang, or --text and --lang")
    if bool(options.max_pieces) != bool(options.spm):
        parser.error("--max-pieces and --spm go together")
    if options.src_lang and options.src_lang == options.tgt_lang:
        parser.error("the sides of a pair need different codes, since the outputs are named by them")
    if options.text:
        codes = [options.lang]
        shards: List[Sequence[str]] = [(path,) for path in options.text]
    else:
        if len(options.src) != len(options.tgt):
            parser.error(f"--src has {len(options.src)} parts and --tgt {len(options.tgt)}")
        codes = [options.src_lang, options.tgt_lang]
        shards = list(zip(options.src, options.tgt))
    if options.transliterate and options.transliterate not in codes:
        parser.error(f"--transliterate {options.transliterate}: not a language of this run")
    return options, codes, shards


def settings_of(options: argparse.Namespace, codes: Sequence[str]) -> Settings:
    """The settings of the ``Cleaner``; raises ``SwcmError`` for a name in --without that is neither rule nor test."""
    left_out = [name for name in options.without.split(",") if name]
    unknown = sorted(set(left_out) - set(RULES) - set(REASONS))
    if unknown:
        raise SwcmError("--without {}: no such rule or test; see --help".format(",".join(unknown)))
    return Settings(
        codes=tuple(codes),
        documents=options.documents,
        catalogue=options.catalogue,
        without=frozenset(left_out),
        transliterate=frozenset(filter(None, [options.transliterate])),
        min_script=options.min_script,
        max_chars=options.max_chars or (100_000 if options.documents else Settings(()).max_chars),
        max_pieces=options.max_pieces or 0,
        spm=options.spm or "",
        max_ratio=options.max_ratio,
        max_code=options.max_code,
        max_repetition=options.max_repetition,
        held_out=tuple(options.held_out),
        near_duplicates=options.near_duplicates,
    )


def identity_of(settings: Settings, shards: Shards, drop_undecodable: bool) -> Dict[str, Any]:
    """All that the result depends on, but for the bytes of files that changed neither size nor time."""
    known = {
        name: sorted(value) if isinstance(value, frozenset) else value for name, value in settings._asdict().items()
    }
    files = [path for shard in shards for path in shard] + list(settings.held_out) + [settings.spm] * bool(settings.spm)
    state = [os.stat(path) for path in files]
    known["files"] = [[os.path.abspath(path), found.st_size, found.st_mtime_ns] for path, found in zip(files, state)]
    return dict(known, drop_undecodable=drop_undecodable, version=__version__)


def main(argv=None) -> int:
    """Clean what the command line names."""
    options, codes, shards = parse_arguments(argv)
    settings = settings_of(options, codes)
    shards = in_order(shards)
    names = [f"{options.out}.{end}" for end in codes + ["counts.json"]]
    for path in names:
        refuse_input(path, (given for shard in shards for given in shard))
        refuse_overwrite(path, options.force or was_interrupted(names))
    Cleaner(settings)  # whatever is wrong with the settings is said before any file is touched
    corpus = Corpus(shards, options.undecodable == "drop")
    outputs = RestartableOutputs(names, identity_of(settings, shards, corpus.drop_undecodable))
    try:
        tally = clean(corpus, settings, outputs, options.workers)
        report = report_of(tally, corpus, codes)
        write_json(outputs.streams[-1], report)
        outputs.finish()
    except KeyboardInterrupt:
        outputs.close()
        raise
    except BaseException:
        outputs.discard()
        raise
    for problem in report.get("undecodable", ()):
        print("left out: " + problem, file=sys.stderr)
    print(
        "{}: read {read}, kept {kept}; dropped: {reasons}".format(
            options.out,
            reasons=", ".join("{} {}".format(*item) for item in report["dropped"].items()) or "none",
            **report,
        )
    )
    return 0


def cli() -> int:
    """The entry point: exit code 0 done, 1 the work failed, 2 wrong usage."""
    return run_command(main)


if __name__ == "__main__":
    sys.exit(cli())
