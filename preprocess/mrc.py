"""Put question and passage together, as the source of a model that answers (paper, section 4.2: MRC).

    python preprocess/read.py --format squad --take question=question passage=context answer=answer --out raw/train FILE
    python preprocess/mrc.py --question raw/train.question --passage raw/train.passage --answer raw/train.answer \\
        --spm sentencepiece.bpe.model --max-pieces 254 --out text/train.question_bo-bo.question_bo
    python preprocess/encode.py --documents --spm sentencepiece.bpe.model --out pieces text/train.question_bo-bo.*

A line of the output is "question </s> passage", at most --max-pieces long when preprocess/encode.py has cut it; the
<s> and </s> that the model puts around it come on top. What is too long loses whole pieces at the passage's end, never
of the question, and no line is dropped. With --documents encode.py writes the mark between the two as the dictionary's
own </s>, which XLM-R knows as the end of a sentence; the same letters inside of a text become an entity. From raw text
</s> is never a symbol, so a model that is to be asked through fairseq-interactive or from Python wants text for a mark,
such as --separator '|', and encode.py without --documents.

Writes OUT.counts.json too: how many passages were cut, by how many pieces, and how many answers went with that. Give
it the model that will cut the text, so the cut-down encoder's.
"""

import argparse
import sys
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

from swcm_preprocess.parallel import in_batches
from swcm_preprocess.text_lines import Problems, read_aligned, refuse_input

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_files, write_json
from swcm_fairseq.input_files import check_inputs
from swcm_fairseq.sentences import one_line
from swcm_fairseq.vocabulary.pieces import Pieces
from swcm_fairseq.vocabulary.symbols import EOS, SPACE

_BATCH_LINES, _BATCH_CHARACTERS = 1_000, 1 << 20

Row = Sequence[str]  # question, passage, and the answer where there is one


class Joined(NamedTuple):
    """A source line, its length in pieces, how many the passage lost, and whether the answer is in what stayed.

    ``answer`` is "kept", "cut" or "absent", which it was from the start; "" where no answer is known.
    """

    text: str
    pieces: int
    cut: int
    answer: str


class Joiner:
    """Joins questions and passages to lines of at most ``longest`` pieces.

    Args:
        model: that will cut the lines.
        longest: pieces of a line, the separator among them.
        separator: ``</s>``, or text of which the model knows every piece.

    Raises:
        SwcmError: the model does not know the separator.
    """

    def __init__(self, model: Pieces, longest: int, separator: str = EOS) -> None:
        self.model = model
        self.longest = longest
        self.separator = separator
        self.documents = separator == EOS
        self._mark = 1 if self.documents else len(model.cut([separator])[0])
        if not self.documents and not (self._mark and model.known.issuperset(model.cut([separator])[0])):
            raise SwcmError(f"--separator {separator!r}: the model does not know it; take another, or {EOS}")

    def __call__(self, rows: Sequence[Row]) -> Iterator[Optional[Joined]]:
        """Join each row; a question that leaves no room for a passage gives ``None``."""
        cleaned = [[self._clean(text) for text in row] for row in rows]
        cut = iter(self.model.cut([text for row in cleaned for text in row]))
        for row in cleaned:
            question, passage, *answer = [next(cut) for _ in row]
            yield self._join(row, question, passage, answer[0] if answer else None)

    def _clean(self, text: str) -> str:
        text = one_line(text)
        return text.replace(EOS, "&lt;/s&gt;") if self.documents else text

    def _join(self, row: Row, question: List[str], passage: List[str], answer: Optional[List[str]]) -> Optional[Joined]:
        text, kept = self._line(row[0], row[1]), len(passage)
        length = len(question) + 1 + kept if self.documents else self._length(text)
        # The start of a text has the same pieces as in the whole of it, as a rule: at its new end, or beside a
        # separator, the model may see it otherwise. So what comes out is measured.
        while length > self.longest:
            kept = min(kept - 1, self.longest - len(question) - self._mark)
            while kept > 0 and passage[kept - 1] == SPACE:  # a space at the end of a line is none
                kept -= 1
            shown = self.model.decode(" ".join(passage[: max(kept, 0)]))
            if not shown:
                return None
            text = self._line(row[0], shown)
            length = self._length(text)
        fate = "" if answer is None else self._fate(answer, passage, passage[:kept])
        return Joined(text, length, len(passage) - kept, fate)

    def _line(self, question: str, passage: str) -> str:
        return f"{question} {self.separator} {passage}"

    def _length(self, line: str) -> int:
        """Pieces of a line as preprocess/encode.py cuts it."""
        parts = [part.strip() for part in line.split(EOS)] if self.documents else [line]
        found = self.model.cut(parts)
        return sum(map(len, found)) + len(found) - 1

    def _fate(self, answer: List[str], passage: List[str], kept: List[str]) -> str:
        wanted, whole, rest = (self.model.decode(" ".join(pieces)) for pieces in (answer, passage, kept))
        if not wanted or wanted not in whole:
            return "absent"
        return "kept" if wanted in rest else "cut"


class Counts:
    """What was done to the passages, for the counts file."""

    def __init__(self, longest: int, separator: str) -> None:
        self.settings = {"max_pieces": longest, "separator": separator}
        self.cuts: List[int] = []
        self.lines = self.pieces = self.longest = 0
        self.answers: Dict[str, int] = {}

    def add(self, joined: Joined) -> None:
        self.lines += 1
        self.pieces += joined.pieces
        self.longest = max(self.longest, joined.pieces)
        if joined.cut:
            self.cuts.append(joined.cut)
        if joined.answer:
            self.answers[joined.answer] = self.answers.get(joined.answer, 0) + 1

    def report(self) -> Dict:
        """As it stands in the file; pieces are the model's."""
        cuts = sorted(self.cuts)
        found = {
            **self.settings,
            "lines": self.lines,
            "pieces": self.pieces,
            "longest_line": self.longest,
            "passages_cut": len(cuts),
            "pieces_cut": {"all": sum(cuts), "median": cuts[len(cuts) // 2], "most": cuts[-1]} if cuts else {"all": 0},
        }
        if self.answers:
            found["answers"] = {
                "in_the_passage": self.answers.get("kept", 0),
                "lost_by_the_cut": self.answers.get("cut", 0),
                "in_other_words": self.answers.get("absent", 0),
            }
        return found

    def in_words(self) -> str:
        """The same on one line."""
        words = (
            f"{self.lines} lines, the longest of {self.longest} pieces; {len(self.cuts)} passages cut, by "
            f"{sum(self.cuts)} pieces in all"
        )
        return words + ("; {} answers lost by that".format(self.answers.get("cut", 0)) if self.answers else "")


def join_files(paths: Sequence[str], joiner: Joiner, stream) -> Counts:
    """Join the lines of the files ``paths`` (question, passage, perhaps answer) into ``stream``.

    Raises:
        SwcmError: files that do not match line by line, empty lines, and questions too long for ``joiner``, all named.
    """
    counts, problems = Counts(joiner.longest, joiner.separator), Problems()
    number = 0
    for batch in in_batches(read_aligned(paths), _BATCH_LINES, lambda row: sum(map(len, row)), _BATCH_CHARACTERS):
        for row, joined in zip(batch, joiner(batch)):
            number += 1
            empty = [path for path, text in zip(paths, row[:2]) if not text.strip()]
            for path in empty:
                problems.add(f"{path}, line {number}: empty")
            if empty:
                continue
            if joined is None:
                problems.add(
                    f"{paths[0]}, line {number}: the question leaves no room for a passage in {joiner.longest} pieces"
                )
            else:
                counts.add(joined)
                stream.write(joined.text + "\n")
    problems.raise_if_any("questions that cannot be asked; leave them out, or raise --max-pieces where it is that")
    return counts


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--question", required=True, metavar="FILE", help="one a line")
    parser.add_argument("--passage", required=True, metavar="FILE", help="one a line")
    parser.add_argument("--answer", metavar="FILE", help="one a line; only read, to count those that the cut loses")
    parser.add_argument("--spm", required=True, metavar="FILE", help="SentencePiece model")
    parser.add_argument(
        "--max-pieces",
        type=int,
        default=510,
        metavar="N",
        help="longest line, the separator among its pieces (%(default)s: XLM-R's positions without <s> and </s>)",
    )
    parser.add_argument("--separator", default=EOS, metavar="TEXT", help="between the two (%(default)s)")
    parser.add_argument("--out", required=True, metavar="FILE", help="lines to write; FILE.counts.json comes too")
    parser.add_argument("--force", action="store_true", help="replace a finished output")
    options = parser.parse_args(argv)
    if options.max_pieces < 3:
        parser.error("--max-pieces must be 3 or more: a question, the separator and a passage")
    return options


def main(argv=None) -> int:
    """Join what the command line names."""
    options = parse_arguments(argv)
    paths = [path for path in (options.question, options.passage, options.answer) if path]
    check_inputs(paths)
    refuse_input(options.out, paths)
    joiner = Joiner(Pieces.load(options.spm), options.max_pieces, options.separator)
    with atomic_files([options.out + ".counts.json", options.out], force=options.force) as (report, stream):
        counts = join_files(paths, joiner, stream)
        write_json(report, counts.report())
    print(f"{options.out}: {counts.in_words()}")
    return 0


def cli() -> int:
    """The entry point: exit code 0 done, 1 the work failed, 2 wrong usage."""
    return run_command(main)


if __name__ == "__main__":
    sys.exit(cli())
