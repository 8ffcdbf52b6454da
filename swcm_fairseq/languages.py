"""The one table of languages: code, name, scripts, unit of text, tag.

Everything that depends on a language asks here: the dictionary and the tasks for its tag, cleaning for its
scripts, scores and noise for its unit of text. Pure Python, so that light commands start at once.

A language that is missing needs no change here: ``register_language`` adds it from Python, and the
environment variable ``SWCM_LANGUAGES`` names a JSON file with more for the commands, for example
``{"bxr": {"name": "Buryat", "scripts": ["Cyrillic"], "units": "words"}}``.
"""

import difflib
import os
import re
from typing import Dict, Iterable, List, NamedTuple, Set, Tuple

from .errors import SwcmError
from .input_files import read_json

WORDS = "words"  # separated by white space
SYLLABLES = "syllables"  # separated by the Tibetan tsheg
CHARACTERS = "characters"  # written without separators between words
UNITS = (WORDS, SYLLABLES, CHARACTERS)

ENVIRONMENT_VARIABLE = "SWCM_LANGUAGES"

# A code stands in file names as "train.zh-kk.kk" and in lists as "zh-kk,zh-mn", so it holds neither of
# their separators.
_CODE = re.compile(r"[A-Za-z0-9_]+\Z")


class Language(NamedTuple):
    """One language.

    ``scripts`` are names of the Unicode property Script, the usual one first. A plain code accepts every
    script the language is written in; the code with a script (``kk_Arab``) accepts that one.
    """

    code: str
    name: str
    scripts: Tuple[str, ...]
    units: str

    @property
    def separator(self) -> str:
        """What stands between two of its sentences."""
        return "" if self.units == CHARACTERS else " "

    @property
    def tag(self) -> str:
        """The dictionary symbol that stands for the language: the decoder's first input."""
        return f"[{self.code}]"


def language(code: str) -> Language:
    """Look up a code; raises ``SwcmError`` for an unknown one, naming those near it and how to add it."""
    if not isinstance(code, str):
        raise SwcmError(f"a language is one code such as 'kk', not {code!r:.40}")
    table = _table()
    if code not in table:
        near = ", ".join(difflib.get_close_matches(code, table, n=3, cutoff=0.5))
        near = f" (near it: {near})" if near else ""
        raise SwcmError(
            f"unknown language {code!r}{near}; add it with swcm_fairseq.languages.register_language, or for the "
            f"commands in a JSON file named by {ENVIRONMENT_VARIABLE}"
        )
    return table[code]


def tag_of(code: str) -> str:
    """The tag of a language, ``kk`` -> ``[kk]``; raises ``SwcmError`` for an unknown code."""
    return language(code).tag


def code_of(tag: str) -> str:
    """The code of a tag, ``[kk]`` -> ``kk``; raises ``SwcmError`` for anything else."""
    if len(tag) < 3 or tag[0] != "[" or tag[-1] != "]":
        raise SwcmError(f"{tag!r} is no language tag; a tag is a code in brackets, such as [kk]")
    return language(tag[1:-1]).code


def in_scripts(names: Iterable[str]) -> str:
    """What stands in the brackets of a regular expression for one character of the scripts ``names``."""
    return "".join(rf"\p{{Script={name}}}" for name in names)


def all_codes() -> List[str]:
    """Every known code, sorted."""
    return sorted(_table())


def register_language(code: str, name: str, scripts: Iterable[str], units: str = WORDS) -> Language:
    """Add a language for the rest of this process; the same entry may be registered again.

    Args:
        code: letters, digits and underscores; the tag is this in brackets.
        name: the English name.
        scripts: names of the Unicode property Script, such as ``["Cyrillic"]``; at least one.
        units: ``words``, ``syllables`` (Tibetan script) or ``characters`` (no separators between words).

    Raises:
        SwcmError: an entry that cannot be used, or a code that is taken by a different language.
    """
    entry = _checked(code, name, scripts, units)
    taken = _table().get(code, entry)
    if taken != entry:
        raise SwcmError(f"language code {code!r} is taken by {taken.name}; choose another code")
    _LANGUAGES[code] = entry
    return entry


def _checked(code: str, name: str, scripts: Iterable[str], units: str) -> Language:
    scripts = (scripts,) if isinstance(scripts, str) else tuple(scripts)
    problems = []
    if not _CODE.match(code):
        problems.append("the code may hold letters, digits and underscores only")
    if not scripts or not all(isinstance(script, str) and script for script in scripts):
        problems.append("scripts must name at least one Unicode script, such as Cyrillic")
    if units not in UNITS:
        problems.append("units must be one of {}, not {!r}".format(", ".join(UNITS), units))
    if problems:
        raise SwcmError(f"language {code!r} cannot be registered", problems)
    return Language(code, name, scripts, units)


def _table() -> Dict[str, Language]:
    path = os.environ.get(ENVIRONMENT_VARIABLE)
    if path and path not in _files_read:
        _read_file(path)
        _files_read.add(path)
    return _LANGUAGES


def _read_file(path: str) -> None:
    try:
        entries = read_json(path)
        languages = [
            _checked(code, entry["name"], entry["scripts"], entry.get("units", WORDS))
            for code, entry in entries.items()
        ]
    except SwcmError:
        raise
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise SwcmError(
            f"{path} (named by {ENVIRONMENT_VARIABLE}) must hold {{code: {{name, scripts, units}}}} as JSON: "
            f"{type(error).__name__}: {error}"
        )
    _LANGUAGES.update((entry.code, entry) for entry in languages)


def _parse(rows: str) -> Dict[str, Language]:
    table = {}
    for row in rows.strip().splitlines():
        code, name, scripts, units = (cell.strip() for cell in row.split("|"))
        table[code] = _checked(code, name, scripts.split(), units or WORDS)
    return table


_files_read: Set[str] = set()

# code | name | scripts, the usual one first | unit of text, where it is not words
_LANGUAGES = _parse(
    """
    af | Afrikaans | Latin |
    am | Amharic | Ethiopic |
    ar | Arabic | Arabic |
    as | Assamese | Bengali |
    az | Azerbaijani | Latin Cyrillic |
    be | Belarusian | Cyrillic |
    bg | Bulgarian | Cyrillic |
    bn | Bengali | Bengali |
    bo | Tibetan | Tibetan | syllables
    br | Breton | Latin |
    bs | Bosnian | Latin Cyrillic |
    ca | Catalan | Latin |
    cs | Czech | Latin |
    cy | Welsh | Latin |
    da | Danish | Latin |
    de | German | Latin |
    dz | Dzongkha | Tibetan | syllables
    el | Greek | Greek |
    en | English | Latin |
    eo | Esperanto | Latin |
    es | Spanish | Latin |
    et | Estonian | Latin |
    eu | Basque | Latin |
    fa | Persian | Arabic |
    fi | Finnish | Latin |
    fr | French | Latin |
    fy | Western Frisian | Latin |
    ga | Irish | Latin |
    gd | Scottish Gaelic | Latin |
    gl | Galician | Latin |
    gn | Guarani | Latin |
    gu | Gujarati | Gujarati |
    gug | Paraguayan Guarani | Latin |
    ha | Hausa | Latin |
    he | Hebrew | Hebrew |
    hi | Hindi | Devanagari |
    hr | Croatian | Latin |
    hu | Hungarian | Latin |
    hy | Armenian | Armenian |
    id | Indonesian | Latin |
    ii | Sichuan Yi | Yi | characters
    is | Icelandic | Latin |
    it | Italian | Latin |
    ja | Japanese | Han Hiragana Katakana | characters
    jv | Javanese | Latin |
    ka | Georgian | Georgian |
    kk | Kazakh | Cyrillic Arabic |
    kk_Arab | Kazakh in Arabic script | Arabic |
    kk_Cyrl | Kazakh in Cyrillic script | Cyrillic |
    km | Khmer | Khmer | characters
    kn | Kannada | Kannada |
    ko | Korean | Hangul Han |
    ku | Kurdish | Latin Arabic |
    ky | Kyrgyz | Cyrillic |
    la | Latin | Latin |
    lo | Lao | Lao | characters
    lt | Lithuanian | Latin |
    lv | Latvian | Latin |
    mg | Malagasy | Latin |
    mk | Macedonian | Cyrillic |
    ml | Malayalam | Malayalam |
    mn | Mongolian | Cyrillic Mongolian |
    mn_Cyrl | Mongolian in Cyrillic script | Cyrillic |
    mn_Mong | Mongolian in traditional script | Mongolian |
    mr | Marathi | Devanagari |
    ms | Malay | Latin |
    my | Burmese | Myanmar | characters
    nb | Norwegian Bokmal | Latin |
    ne | Nepali | Devanagari |
    nl | Dutch | Latin |
    nn | Norwegian Nynorsk | Latin |
    no | Norwegian | Latin |
    om | Oromo | Latin |
    or | Odia | Oriya |
    pa | Punjabi | Gurmukhi |
    pl | Polish | Latin |
    ps | Pashto | Arabic |
    pt | Portuguese | Latin |
    ro | Romanian | Latin |
    ru | Russian | Cyrillic |
    sa | Sanskrit | Devanagari |
    sd | Sindhi | Arabic |
    si | Sinhala | Sinhala |
    sk | Slovak | Latin |
    sl | Slovenian | Latin |
    so | Somali | Latin |
    sq | Albanian | Latin |
    sr | Serbian | Cyrillic Latin |
    su | Sundanese | Latin |
    sv | Swedish | Latin |
    sw | Swahili | Latin |
    ta | Tamil | Tamil |
    te | Telugu | Telugu |
    tg | Tajik | Cyrillic |
    th | Thai | Thai | characters
    tl | Tagalog | Latin |
    tr | Turkish | Latin |
    tt | Tatar | Cyrillic |
    ug | Uyghur | Arabic |
    uk | Ukrainian | Cyrillic |
    ur | Urdu | Arabic |
    uz | Uzbek | Latin Cyrillic |
    vi | Vietnamese | Latin |
    xh | Xhosa | Latin |
    yi | Yiddish | Hebrew |
    yue | Cantonese | Han | characters
    za | Zhuang | Latin |
    zh | Chinese | Han | characters
    zu | Zulu | Latin |
    """
)
