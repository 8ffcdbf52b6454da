"""Read text out of the formats that corpora come in, and write it line by line, for clean.py.

    python preprocess/read.py --take bo=title+text --split documents --out raw/mc2 mc2/bo/*.jsonl.gz
    python preprocess/read.py --take text=text summary=summary --out raw/lcsts LCSTS/train.jsonl
    python preprocess/read.py --take content=content title=title --out raw/cmhg cmhg.csv
    python preprocess/read.py --format squad --take source=question+context answer=answer --out raw/qa TibetanQA.json
    python preprocess/read.py --take zh=zh bo=bo --out raw/zh-bo milic-eval.json
    python preprocess/read.py --take en=source kk=text --out raw/en-kk kk.po

Formats: text (a line is a record with the field text), jsonl, json (a list, or an object with a list in "data"), squad
(nested, or flat records; fields context, question, answer, title, id, and further answers as answer.2, answer.3), csv,
tsv, gettext (.mo, .po; fields context, source, text). Any of them may be packed (gz, xz, bz2, zst) or a pipe. Columns
without names are called 1, 2, 3 (--no-header). Line-aligned pairs of files need no reading: clean.py takes them.

--take NAME=FIELD+FIELD writes PREFIX.NAME; several outputs stay line by line aligned, and a record that lacks a field
is in none of them, unless the output may be empty: NAME=FIELD? writes an empty line there. Fields inside others are
reached by dots: zh=translation.zh, answer=answers.text.0. Writes PREFIX.counts.json too, where read = kept + dropped;
messages of gettext are dropped as obsolete, fuzzy, untranslated, duplicate or plural. Nothing but white space is
changed, cleaning comes later.
"""

import argparse
import collections
import re
import sys
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from swcm_preprocess.readers import FORMATS, OWN_FIELDS, TABLES, LeftOut, format_of, read_table, why_not_read
from swcm_preprocess.text_lines import Problems, in_order, refuse_input

from swcm_fairseq.errors import SwcmError, run_command, some
from swcm_fairseq.files import atomic_files, write_json
from swcm_fairseq.sentences import one_line, sentences
from swcm_fairseq.vocabulary.symbols import EOS

UNREADABLE = "unreadable"


class Take(NamedTuple):
    """An output: its name, its fields, and whether its lines may be empty."""

    name: str
    fields: List[str]
    optional: bool


def lines_of(texts: Sequence[str], split: str) -> List[str]:
    """What the fields of one record come to: one line, or with ``sentences`` one for each.

    In a document a ``</s>`` of the text itself, HTML's end of crossed-out text, becomes the entity of the same sign.
    """
    if split == "records":
        return [one_line(" ".join(texts))]
    found = [sentence for text in texts for sentence in sentences(text)]
    if split == "sentences":
        return found
    return [f" {EOS} ".join(sentence.replace(EOS, "&lt;/s&gt;") for sentence in found)]


def read_record(record: Optional[Dict[str, str]], takes: Sequence[Take], split: str) -> Tuple[str, List[List[str]]]:
    """Why a record is left out, or "", and the lines of each output."""
    if record is None:
        return UNREADABLE, []
    for take in takes:
        for field in take.fields:
            if field not in record and not take.optional:
                return "no_field:" + field, []
    lines = [lines_of([record.get(field, "") for field in take.fields], split) for take in takes]
    for take, found in zip(takes, lines):
        if not any(found) and not take.optional:
            return "empty:" + take.name if len(takes) > 1 else "empty", []
    return "", lines


class Fields:
    """The names that records have, for a message about those that none has."""

    def __init__(self, of_format: Iterable[str]) -> None:
        self._known: Dict[str, None] = {}
        self._of_format = frozenset(of_format)  # names that mean something, whether records have them or not

    def add(self, record: Dict[str, str]) -> None:
        if not record.keys() <= self._known.keys():
            self._known.update(dict.fromkeys(record))

    def absent(self, takes: Sequence[Take]) -> List[str]:
        """Those of ``takes`` that no record has, if there are any; one of several, such as answer.2, may be lacking."""
        wanted = {field: None for take in takes for field in take.fields if self._known}
        known = self._known.keys() | self._of_format
        return [field for field in wanted if field not in known and not self._is_further(field)]

    def in_words(self) -> str:
        """Those that there are."""
        joined = [name for name in self._known if len(self._known) == 1 and re.search(r"[;,|\t]", name)]
        what = "; that is several names in one: what parts them is --delimiter" if joined else ""
        return some(sorted(self._known)) + what

    def _is_further(self, field: str) -> bool:
        return bool(re.search(r"\.[1-9]\d*(\.|\Z)", field)) and any(
            re.sub(r"\.\d+", replaced, field) in self._known for replaced in ("", ".0", ".1")
        )


def read_all(paths: Sequence[str], options: argparse.Namespace, problems: Problems) -> Iterator[Any]:
    """The records of all files, one after another."""
    for path in paths:
        kind = options.format or format_of(path) or ""
        if kind in TABLES:
            form = TABLES[kind]._replace(header=not options.no_header)
            chosen = {"delimiter": options.delimiter, "quotes": options.quotes}
            form = form._replace(**{name: value for name, value in chosen.items() if value})
            yield from read_table(path, problems, form)
        else:
            yield from FORMATS[kind](path, problems)


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="files, taken in the order of their names")
    parser.add_argument("--format", choices=sorted(FORMATS), help="(default: by the ending of each name)")
    parser.add_argument(
        "--take", nargs="+", required=True, metavar="NAME=FIELD", help="outputs, and the fields that go into them"
    )
    parser.add_argument(
        "--split",
        choices=("records", "sentences", "documents"),
        default="records",
        help="a line is a record (the default), a sentence, or a document with </s> between its sentences",
    )
    parser.add_argument(
        "--delimiter", type=one_sign, metavar="SIGN", help="between the cells of a table (csv: , tsv: tab)"
    )
    parser.add_argument(
        "--quotes",
        choices=("table", "text"),
        help="what quotation marks around the cells of a table are (csv: the table's, tsv: as its cells show)",
    )
    parser.add_argument("--no-header", action="store_true", help="a table without names: its columns are 1, 2, 3 ...")
    parser.add_argument("--out", required=True, metavar="PREFIX", help="outputs are PREFIX.NAME and PREFIX.counts.json")
    parser.add_argument(
        "--unreadable",
        choices=("fail", "drop"),
        default="fail",
        help="what to do about records that cannot be read; they are named in either case (default: %(default)s)",
    )
    parser.add_argument("--force", action="store_true", help="replace a finished output")
    options = parser.parse_args(argv)
    takes = []
    for take in options.take:
        name, _, fields = take.partition("=")
        optional = fields.endswith("?")
        takes.append(Take(name, (fields[:-1] if optional else fields).split("+"), optional))
    if not all(take.name and all(take.fields) and "/" not in take.name for take in takes):
        parser.error("--take wants NAME=FIELD, NAME=FIELD+FIELD or, for an output that may be empty, NAME=FIELD?")
    if all(take.optional for take in takes):
        parser.error("--take wants an output that may not be empty; all of these end in ?")
    names = [take.name for take in takes] + ["counts.json"]
    if len(set(names)) < len(names):
        parser.error("--take names an output twice")
    if options.split == "sentences" and len(takes) > 1:
        parser.error("sentences of several outputs would not stay aligned; --split records or documents does")
    options.take = takes
    unknown = [path for path in options.inputs if not options.format and not format_of(path)]
    for path in unknown:
        if why_not_read(path):
            parser.error(f"{path}: {why_not_read(path)}")
    if unknown:
        parser.error("--format is needed, since these names do not tell it: " + some(unknown))
    kinds = {options.format or format_of(path) for path in options.inputs}
    if (options.no_header or options.delimiter or options.quotes) and not kinds <= TABLES.keys():
        parser.error("--delimiter, --quotes and --no-header are for tables, csv and tsv")
    return options


def one_sign(text: str) -> str:
    """A delimiter: one sign, or a tab as shells pass it."""
    sign = {"\\t": "\t", "tab": "\t"}.get(text, text)
    if len(sign) != 1 or sign in '"\r\n':
        raise argparse.ArgumentTypeError("must be one sign, and no quotation mark")
    return sign


def main(argv=None) -> int:
    """Read what the command line names."""
    options = parse_arguments(argv)
    paths = [path for (path,) in in_order([(path,) for path in options.inputs])]
    outputs = [f"{options.out}.{end}" for end in ["counts.json"] + [take.name for take in options.take]]
    for output in outputs:
        refuse_input(output, paths)
    problems = Problems()
    read = kept = lines = 0
    dropped: Dict[str, int] = collections.Counter()
    fields = Fields(OWN_FIELDS.get(options.format, ()))
    with atomic_files(outputs, force=options.force) as (report, *streams):
        for record in read_all(paths, options, problems):
            read += 1
            if isinstance(record, LeftOut):
                dropped[record.reason] += 1
                continue
            fields.add(record or {})
            reason, found = read_record(record, options.take, options.split)
            if reason:
                dropped[reason] += 1
                continue
            kept += 1
            for stream, texts in zip(streams, found):
                stream.write("".join(text + "\n" for text in texts))
            lines += len(found[0])
        if options.unreadable == "fail":
            problems.raise_if_any("records that cannot be read; mend them, or leave them out with --unreadable drop")
        assert read == kept + sum(dropped.values()) and problems.number == dropped[UNREADABLE]
        if read and not kept and any(reason.startswith("no_field") for reason in dropped):
            wanted = (field for take in options.take if not take.optional for field in take.fields)
            raise SwcmError(
                "no record has all of the fields {}; there are: {}".format(", ".join(wanted), fields.in_words())
            )
        absent = fields.absent(options.take)
        if absent:
            raise SwcmError(f"no record has the field {some(absent)}; there are: {fields.in_words()}")
        counts: Dict[str, Any] = {
            "read": read,
            "kept": kept,
            "dropped": dict(sorted(dropped.items())),
            "lines": lines,
        }
        if problems.number:
            counts["unreadable"] = problems.in_words()
        write_json(report, counts)
    for problem in problems.in_words():
        print("left out: " + problem, file=sys.stderr)
    reasons = ", ".join("{} {}".format(*item) for item in counts["dropped"].items()) or "none"
    print(f"{options.out}: read {read}, kept {kept} in {lines} lines; dropped: {reasons}")
    return 0


def cli() -> int:
    """The entry point: exit code 0 done, 1 the work failed, 2 wrong usage."""
    return run_command(main)


if __name__ == "__main__":
    sys.exit(cli())
