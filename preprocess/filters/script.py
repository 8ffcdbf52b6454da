"""Lines in another script than the language's."""

from typing import Callable

import regex

from preprocess.variables import without_variables
from swcm_fairseq.data.languages import Language
from swcm_fairseq.errors import SwcmError

_LETTERS = regex.compile(r"\p{L}")


def in_wrong_script(language: Language, least_share: float) -> Callable[[str], bool]:
    """A test: fewer than ``least_share`` of the letters are in the language's scripts.

    Letters only: digits and punctuation belong to no script, and variables are Latin everywhere. The share has
    to be low where names are Latin: "OpenDocument 公式" is a good Chinese line with one letter in seven.

    Raises:
        SwcmError: a script of the language is none that Unicode knows.
    """
    try:
        script = regex.compile(
            r"(?V1)[[{}]&&\p{{L}}]".format("".join(r"\p{{Script={}}}".format(name) for name in language.scripts))
        )
    except regex.error as error:
        raise SwcmError("scripts {} of language {}: {}".format(", ".join(language.scripts), language.code, error))

    def test(text: str) -> bool:
        text = without_variables(text)
        letters = len(_LETTERS.findall(text))
        return len(script.findall(text)) < least_share * letters

    return test
