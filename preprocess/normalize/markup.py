"""Tags of HTML and XML."""

import re
from typing import Callable, Set

SIGNS = "<"

_ATTRIBUTES = r"""(?:\s+[A-Za-z_:][\w:.-]*\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>]+))*\s*"""
# Text in angle brackets that cannot be a tag stays: "<Бүх файлууд>", "<date/time>", "-1 < x > 1". So do names
# with an underscore, which programs use for variables.
_TAG = re.compile(
    r"<!--(?:(?!-->|<!--).)*-->|<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9:-]*)(?P<more>" + _ATTRIBUTES + r"/?)>",
    re.DOTALL,
)

_BREAKING = frozenset("br p div li ul ol dl dt dd tr td th table h1 h2 h3 h4 h5 h6 hr blockquote title".split())

# Names of HTML that nobody takes for a word.
_PLAIN = frozenset(
    "a abbr acronym b bdi bdo blockquote br col colgroup datalist dd del dfn div dl dt em fieldset figcaption "
    "frameset h1 h2 h3 h4 h5 h6 hgroup hr html i iframe img ins kbd li nobr noframes noscript ol optgroup p param pre "
    "q rp rt ruby s samp script span strike strong sub sup svg tbody td textarea tfoot th thead tr tt u ul wbr".split()
)
# Those that are words as well: "cp <source> <target>" is a line of a manual.
_WORDS = frozenset(
    "address applet area article aside audio base basefont big blink body button canvas caption center cite code data "
    "details dialog dir embed figure font footer form frame head header input label legend link main map mark marquee "
    "menu meta meter nav object option output picture progress search section select slot small source style summary "
    "table template time title track var video".split()
)


def strip_markup(text: str) -> str:
    """Take tags and comments away; those that end a line or a block leave a space.

    A word in angle brackets may be text: a key ("<Enter>"), an argument ("<filename>"). It is a tag where HTML has the
    name, where it has attributes, ends itself ("<x/>"), is of a name space ("<o:p>"), or stands before the text that
    an end tag of the same name closes.
    Lost: what the tags said.
    """
    if "<" not in text:
        return text
    return _TAG.sub(_remover(text), text)


def _remover(text: str) -> Callable[["re.Match"], str]:
    opened: Set[str] = set()
    closed: Set[str] = set()
    for match in _TAG.finditer(text):
        if match.group("name"):
            (closed if match.group("close") else opened).add(match.group("name").lower())

    def remove(match: "re.Match") -> str:
        if match.group("name") is None:
            return ""  # a comment
        name, more = match.group("name").lower(), match.group("more").strip()
        known = name in _PLAIN or ":" in name or (name in _WORDS and match.group("close"))
        paired = name in (opened if match.group("close") else closed)
        if not known and not more and not paired:
            return match.group()
        return " " if name in _BREAKING else ""

    return remove
