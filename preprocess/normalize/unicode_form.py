"""One spelling for letters that Unicode can spell in two ways."""

import unicodedata


def compose(text: str) -> str:
    """Unicode's form NFC: a letter and its accent become one character where there is one.

    Not NFKC, which cannot be undone where it matters here: it turns the suffix connector of traditional
    Mongolian (U+202F) into a space, the non-breaking tsheg of Tibetan (U+0F0C) into the plain one, and
    Kazakh's U+0675..U+0678 into two letters. Lost: nothing that canonical equivalence does not call the same.
    """
    return unicodedata.normalize("NFC", text)
