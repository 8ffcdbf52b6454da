"""Lines in another script than the language's."""

from typing import Callable

from swcm_preprocess.letters import counter, letters
from swcm_preprocess.placeholders import without_placeholders

import regex

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.languages import Language, in_scripts


def in_wrong_script(language: Language, least_share: float) -> Callable[[str], bool]:
    """A test: fewer than ``least_share`` of the letters are in the language's scripts.

    Letters only: digits and punctuation belong to no script, and placeholders are Latin everywhere. The share has
    to be low where names are Latin: "OpenDocument 公式" is a good Chinese line with one letter in seven.

    Raises:
        SwcmError: a script of the language is none that Unicode knows.
    """
    try:
        own_letters = counter(rf"[{in_scripts(language.scripts)}]&&\p{{L}}")
    except regex.error as error:
        raise SwcmError("scripts {} of language {}: {}".format(", ".join(language.scripts), language.code, error))

    def test(text: str) -> bool:
        own = own_letters(text)
        if own >= least_share * len(text):
            return False  # the common case: there are no more letters than characters, and placeholders only add some
        text = without_placeholders(text)
        return own_letters(text) < least_share * letters(text)

    return test
