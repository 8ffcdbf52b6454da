"""HTML's names and numbers for characters, which crawls and catalogues leave in the text."""

import html
import re

# Text that was encoded several times: "&amp;amp;lt;".
_AGAIN = re.compile(r"&(?:(?:amp|AMP|#38|#[xX]26);)+")
_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});")


def decode_entities(text: str) -> str:
    """``&amp;`` -> ``&``, ``&#1178;`` -> the letter; names that HTML does not have stay.

    Only whole entities, with their semicolon: "R&D" is text. Lost: nothing but the spelling.
    """
    if "&" not in text:
        return text
    return _ENTITY.sub(lambda match: html.unescape(match.group()), _AGAIN.sub("&", text))
