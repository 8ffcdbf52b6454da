"""Characters that a reader never sees and a model should not learn."""

import re

from swcm_fairseq.vocabulary.protected_characters import PLACEHOLDERS

# Line ends of every kind, tabs, and the ASCII separators: they separate, so something must stay in their place.
_SEPARATORS = re.compile("[\t-\r\x1c-\x1f\x85\u2028\u2029]+")

# Other controls, soft hyphen, byte order mark, marks of writing direction, interlinear marks, tags,
# noncharacters, and the signs that encoding reserves for itself. The joiners U+200B..U+200D and U+2060 stay: they
# change how words are divided or shaped.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f"
    + "".join("{}-{}".format(chr(plane + 0xFFFE), chr(plane + 0xFFFF)) for plane in range(0x10000, 0x110000, 0x10000))
    + "".join(PLACEHOLDERS.values())
    + "]+"
)

SIGNS = (
    "\x00-\x1f\x7f-\x9f\xad\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U00010000-\U0010ffff"
)


def strip_control(text: str) -> str:
    """Take invisible characters away and put a space for line ends and tabs.

    Lost: which separator it was, soft hyphens, explicit writing direction.
    """
    return _INVISIBLE.sub("", _SEPARATORS.sub(" ", text))
