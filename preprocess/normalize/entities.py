"""HTML's names and numbers for characters, which crawls and catalogues leave in the text."""

import html
import re

# Text that was encoded several times: "&amp;amp;lt;".
_AGAIN = re.compile(r"&(?:(?:amp|AMP|#38|#[xX]26);)+")
_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});")

SIGNS = "&"


def decode_entities(text: str) -> str:
    """``&amp;`` -> ``&``, ``&#1178;`` -> the letter; names that HTML does not have stay, and so do impossible numbers.

    Only whole entities, with their semicolon: "R&D" is text. Lost: nothing but the spelling.
    """
    if "&" not in text:
        return text
    return _ENTITY.sub(_decode, _AGAIN.sub("&", text))


def _decode(match: "re.Match") -> str:
    decoded = html.unescape(match.group())
    # "&#0;" and "&#xD800;" name no character; html puts the replacement character for them, which says less.
    return match.group() if decoded == "\ufffd" else decoded
