"""Tags of HTML and XML."""

import re

SIGNS = "<"

_ATTRIBUTES = r"""(?:\s+[A-Za-z_:][\w:.-]*\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>]+))*\s*"""
# Text in angle brackets that cannot be a tag stays: "<Бүх файлууд>", "<date/time>", "-1 < x > 1". So do names
# with an underscore, which programs use for variables.
_TAG = re.compile(r"<!--(?:(?!-->|<!--).)*-->|</?([A-Za-z][A-Za-z0-9:-]*)" + _ATTRIBUTES + r"/?>", re.DOTALL)

_BREAKING = frozenset("br p div li ul ol dl dt dd tr td th table h1 h2 h3 h4 h5 h6 hr blockquote title".split())


def strip_markup(text: str) -> str:
    """Take tags and comments away; those that end a line or a block leave a space.

    Lost: what the tags said.
    """
    if "<" not in text:
        return text
    return _TAG.sub(lambda match: " " if (match.group(1) or "").lower() in _BREAKING else "", text)
