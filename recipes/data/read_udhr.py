"""Align the Universal Declaration of Human Rights, from one HTML page a language, segment by segment.

The pages share their sections (title, preamble, articles 1 to 30); a segment is a heading or a paragraph. Where
a section has more segments in one language than in another, the shortest are joined with the one after them,
one by one, until the numbers agree: in these pages the surplus is a lead-in such as "The General Assembly,"
that stands on a line of its own. If, after that, the segments do not take up about the same shares of the
section in each language, the section is dropped in all of them. What was joined and dropped is counted.
"""

import argparse
import html.parser
import json
import os
import sys
from typing import Dict, List, Sequence

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_files
from swcm_fairseq.input_files import read_text

# How far a segment's end may lie from the same segment's end in the pivot, as a share of the section.
MOST_SHIFT = 0.15

Sections = Dict[str, List[str]]  # name of the section -> its segments


class _Page(html.parser.HTMLParser):
    """Collects the text of headings and paragraphs under the section they stand in."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.sections: Sections = {}
        self._section = "title"
        self._parts = None

    def handle_starttag(self, tag, attributes):
        if tag == "header":
            self._section = "preamble"
        elif tag == "article":
            self._section = "article {}".format(dict(attributes).get("data-number"))
        elif tag in ("h1", "h2", "p"):
            self._parts = []

    def handle_endtag(self, tag):
        if tag in ("h1", "h2", "p") and self._parts is not None:
            text = " ".join("".join(self._parts).split())
            if text:
                # A heading is a section by itself: it is never joined with text.
                name = self._section + (", heading" if tag == "h2" else "")
                self.sections.setdefault(name, []).append(text)
            self._parts = None

    def handle_data(self, data):
        if self._parts is not None:
            self._parts.append(data)


def read_page(path: str) -> Sections:
    """Segments of one page by section; raises ``SwcmError`` where the file is no such page."""
    page = _Page()
    page.feed(read_text(path))
    page.close()
    if not set(page.sections) - {"title"}:
        raise SwcmError(f"{path}: no headings and paragraphs by section in this page")
    return page.sections


def shorten(segments: Sequence[str], number: int) -> List[str]:
    """Join the shortest segment with the next (the last with the one before) until ``number`` are left."""
    segments = list(segments)
    while len(segments) > number:
        shortest = min(range(len(segments)), key=lambda i: len(segments[i]))
        first = min(shortest, len(segments) - 2)
        segments[first : first + 2] = [" ".join(segments[first : first + 2])]
    return segments


def ends(segments: Sequence[str]) -> List[float]:
    """Where each segment ends, as a share of the characters of the section."""
    total, reached, shares = sum(map(len, segments)), 0, []
    for segment in segments:
        reached += len(segment)
        shares.append(reached / total)
    return shares


def align(pages: Dict[str, Sections], pivot: str) -> Dict[str, object]:
    """Align the sections of all pages.

    Returns:
        ``lines``: code -> segments, as many for each; ``counts``: code -> {read, kept, joined, dropped}, where
        ``joined`` segments are part of the one after them and kept + joined + dropped = read.
    """
    names = list(dict.fromkeys(name for sections in pages.values() for name in sections))
    lines = {code: [] for code in pages}
    counts = {code: {"read": 0, "kept": 0, "joined": 0, "dropped": 0} for code in pages}
    for name in names:
        read = {code: sections.get(name, []) for code, sections in pages.items()}
        fewest = min(map(len, read.values()))
        kept = {code: shorten(segments, fewest) for code, segments in read.items()} if fewest else None
        if kept and not agree(kept, pivot):
            kept = None
        for code, segments in read.items():
            counts[code]["read"] += len(segments)
            if kept:
                lines[code] += kept[code]
                counts[code]["kept"] += fewest
                counts[code]["joined"] += len(segments) - fewest
            else:
                counts[code]["dropped"] += len(segments)
    for code, count in counts.items():
        assert count["read"] == count["kept"] + count["joined"] + count["dropped"], code
    return {"lines": lines, "counts": counts}


def agree(section: Dict[str, List[str]], pivot: str) -> bool:
    """True where every language's segments end near the pivot's."""
    expected = ends(section[pivot])
    return all(
        abs(here - there) <= MOST_SHIFT
        for segments in section.values()
        for here, there in zip(ends(segments), expected)
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="+", metavar="CODE=FILE.html", help="at least two languages")
    parser.add_argument("--pivot", default="zh", help="the language that each pair has on its first side")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the output")
    parser.add_argument("--force", action="store_true", help="replace a finished output")
    options = parser.parse_args()
    options.pages = dict(page.partition("=")[::2] for page in options.pages)
    if options.pivot not in options.pages or len(options.pages) < 2 or not all(options.pages.values()):
        parser.error(f"give CODE=FILE for the pivot {options.pivot} and for one more language at least")
    return options


def main() -> None:
    options = parse_arguments()
    pages = {code: read_page(path) for code, path in options.pages.items()}
    everything = align(pages, options.pivot)
    counts = {"udhr": everything["counts"]}
    files = {"udhr." + code: lines for code, lines in everything["lines"].items()}
    # A pair by itself loses fewer segments than all languages together.
    for code in pages:
        if code == options.pivot:
            continue
        pair = align({options.pivot: pages[options.pivot], code: pages[code]}, options.pivot)
        name = f"{options.pivot}-{code}"
        counts[name] = pair["counts"]
        files.update((f"{name}.{side}", lines) for side, lines in pair["lines"].items())
    # The counts take their name last: their presence says that the output is whole.
    paths = [os.path.join(options.out, name) for name in ["udhr.counts.json", *files]]
    with atomic_files(paths, force=options.force) as (report, *streams):
        for stream, lines in zip(streams, files.values()):
            stream.writelines(line + "\n" for line in lines)
        json.dump(counts, report, indent=2, sort_keys=True)
        report.write("\n")
    for name, count in counts.items():
        print("{}: {}".format(name, "; ".join(summary(code, **side) for code, side in count.items())))


def summary(code: str, read: int, kept: int, joined: int, dropped: int) -> str:
    """One language's counts in words."""
    return f"{code} {kept} of {read} segments, {joined} joined, {dropped} dropped"


if __name__ == "__main__":
    sys.exit(run_command(main))
