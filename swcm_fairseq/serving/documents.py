"""A request's text as sentences to translate, and as what stands around them and stays as it is."""

import re
from html import escape
from html.parser import HTMLParser
from typing import Callable, List, Sequence, Union

from ..sentences import parts_that_fit
from ..vocabulary.pieces import is_blank

# As str.splitlines has them.
_LINE_BREAK = re.compile("(\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029])")
# What is in these is no text in a language. (An element with translate="no" says so itself.)
_NO_TEXT = frozenset(["code", "kbd", "math", "samp", "script", "style", "svg", "template", "var"])
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())


class Document:
    """A text taken apart.

    Attributes:
        sentences: what is to be translated, in order; none is blank.
    """

    def __init__(self, fits: Callable[[str], bool], written: Callable[[str], str] = str) -> None:
        self.sentences: List[str] = []
        self._fits = fits
        self._written = written
        # What stays, and the numbers of sentences that make up one line.
        self._frame: List[Union[str, List[int]]] = []

    def keep(self, text: str) -> None:
        """Go on with ``text`` as it is."""
        self._frame.append(text)

    def translate(self, line: str) -> None:
        """Go on with a line to translate; the white space around it stays."""
        if is_blank(line):
            self.keep(self._written(line))
            return
        core = line.strip()
        start = line.index(core)
        parts = parts_that_fit(core, self._fits)
        first = len(self.sentences)
        self.sentences += parts
        self.keep(line[:start])
        self._frame.append(list(range(first, len(self.sentences))))
        self.keep(line[start + len(core) :])

    def translate_lines(self, text: str) -> None:
        """Go on with lines to translate; what breaks them stays."""
        for place, part in enumerate(_LINE_BREAK.split(text)):
            if place % 2:
                self.keep(part)
            else:
                self.translate(part)

    def join(self, translations: Sequence[str], glue: str) -> str:
        """The whole text, with a translation in the place of each sentence.

        Args:
            glue: what stands between two sentences of a line.
        """
        return "".join(
            part if isinstance(part, str) else self._written(glue.join(translations[place] for place in part))
            for part in self._frame
        )


def read_text(text: str, fits: Callable[[str], bool]) -> Document:
    """Plain text: each line is translated, line breaks and blank lines stay.

    Args:
        fits: whether the model takes a text in one go.
    """
    document = Document(fits)
    document.translate_lines(text)
    return document


def read_html(text: str, fits: Callable[[str], bool]) -> Document:
    """HTML: each run of text between tags is translated; tags, comments and code stay."""
    reader = _Reader(Document(fits, written=lambda translation: escape(translation, quote=False)))
    reader.feed(text)
    reader.close()
    return reader.document


class _Reader(HTMLParser):
    """Walks through HTML, which may be broken: what it cannot read as a tag is text."""

    def __init__(self, document: Document) -> None:
        super().__init__(convert_charrefs=True)
        self.document = document
        self._text: List[str] = []  # what has come since the last tag
        self._open: List[str] = []  # elements from the outermost one on whose text stays
        self._verbatim = 0  # how many <pre> it is in: their lines are lines

    def close(self):
        super().close()
        self._keep("")

    def parse_html_declaration(self, i):
        try:
            return super().parse_html_declaration(i)
        except (AssertionError, NotImplementedError):  # <![; is no declaration (the latter before Python 3.10)
            return self.parse_bogus_comment(i)

    def handle_starttag(self, tag, attributes):
        self._keep(self.get_starttag_text())
        if tag in _VOID:
            return
        if self._open or tag in _NO_TEXT or ("translate", "no") in attributes:
            self._open.append(tag)
        self._verbatim += tag == "pre"

    def handle_startendtag(self, tag, attributes):
        self._keep(self.get_starttag_text())

    def handle_endtag(self, tag):
        self._keep(f"</{tag}>")
        while tag in self._open and self._open.pop() != tag:
            pass  # elements that nobody closed
        self._verbatim = max(0, self._verbatim - (tag == "pre"))

    def handle_data(self, data):
        self._text.append(data)

    def handle_comment(self, data):
        self._keep(f"<!--{data}-->")

    def handle_decl(self, declaration):
        self._keep(f"<!{declaration}>")

    def unknown_decl(self, data):
        self._keep(f"<![{data}]>")

    def handle_pi(self, data):
        self._keep(f"<?{data}>")

    def _keep(self, markup):
        """Be done with the text so far, then go on with ``markup`` as it is."""
        text, self._text = "".join(self._text), []
        if self._open:
            raw = self._open[-1] in self.CDATA_CONTENT_ELEMENTS
            self.document.keep(text if raw else escape(text, quote=False))
        elif self._verbatim:
            self.document.translate_lines(text)
        else:
            # Line breaks are spaces here; those around a text stay as they are.
            core = text.strip()
            start = text.find(core)
            self.document.translate(text[:start] + " ".join(core.split()) + text[start + len(core) :])
        self.document.keep(markup)
