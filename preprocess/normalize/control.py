"""Characters that a reader never sees and a model should not learn."""

import re

from swcm_fairseq.vocabulary.protected_characters import PLACEHOLDERS

# Line ends of every kind, tabs, and the ASCII separators: they separate, so something must stay in their place.
_SEPARATORS = re.compile("[\t-\r\x1c-\x1f\x85\u2028\u2029]+")

# Other controls, soft hyphen, byte order mark, marks of writing direction, interlinear marks, tags (but those that
# make the flag of a region of a black one), noncharacters, and the signs that encoding reserves for itself.
_INVISIBLE = re.compile(
    "(?P<flag>\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f)|["
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f"
    + "".join(f"{chr(plane + 0xFFFE)}-{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
    + "".join(PLACEHOLDERS.values())
    + "]+"
)

# Letters, digits and punctuation of scripts that have no use for joiners: Latin, Greek, Cyrillic, Armenian, Georgian,
# Chinese, Japanese, Korean. The others shape letters by them (Arabic, Indic, Mongolian, Tibetan) or part words without
# spaces (Khmer, Thai, Lao, Burmese); and they make one picture of several.
_UNJOINED = (
    "!-~\xa1-\xac\xae-\u02ff\u0370-\u058f\u10a0-\u11ff\u1e00-\u1fff\u2010-\u2027\u2030-\u205e"
    "\u2c60-\u2c7f\u2e80-\u2fff\u3001-\u9fff\ua640-\ua69f\ua720-\ua7ff\uac00-\ud7ff\uf900-\ufaff\uff01-\uffef"
    "\U00020000-\U0003ffff"
)
# Scripts that shape letters, but part words by spaces.
_SHAPED = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe"


def _useless(signs: str, around: str) -> "re.Pattern":
    """Runs of ``signs`` between letters of ``around``, or between one and a space or an end of the text."""
    return re.compile(
        f"(?<=[{around}])[{signs}]+(?=[{around}\\s]|\\Z)|(?:(?<=\\s)|(?<![\\s\\S]))[{signs}]+(?=[{around}])"
    )


_JOINERS = _useless("\u200b-\u200d\u2060", _UNJOINED)
_WORD_SPACES = _useless("\u200b\u2060", _UNJOINED + _SHAPED)

SIGNS = (
    "\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2060\u2028-\u202e\u2066-\u2069\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U00010000-\U0010ffff"
)


def strip_control(text: str) -> str:
    r"""Take invisible characters away and put a space for line ends and tabs.

    The joiners U+200B..U+200D and U+2060 stay where the script has a use for them: they change how words are divided or
    shaped. In others they are leavings of a web page, and would cut a word in two ("сә\u200bлем").
    Lost: which separator it was, soft hyphens, explicit writing direction, forbidden ligatures.
    """
    text = _INVISIBLE.sub(lambda match: match.group("flag") or "", _SEPARATORS.sub(" ", text))
    return _WORD_SPACES.sub("", _JOINERS.sub("", text))
