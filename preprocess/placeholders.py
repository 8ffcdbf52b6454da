"""Placeholders in the strings of a program: places that it fills in, such as ``%1``, ``$(ARG1)``, ``%PRODUCTNAME``."""

import re
from typing import List

# Names are ASCII: in scripts without spaces the text goes on right behind them ("%PRODUCTNAME格式").
PLACEHOLDER = re.compile(
    r"""
      \$\([^()\s]+\)                     # $(ARG1)
    | [$%]\{[^{}\s]+\}                   # ${name} %{name}
    | %[A-Z][A-Z0-9_]*%?                 # %PRODUCTNAME %MOD1 %OBJECT_NAME%; not the per cent sign of "50 % des"
    | %[sdiu](?![A-Za-z])                # %s %d
    | %[0-9]+(?:\$[sd])?                 # %1 %1$s
    | \$[A-Za-z_][A-Za-z0-9_]*\$?        # $name $name$
    | \$[0-9](?![0-9])                   # $1, but not the price $100
    | \#[A-Za-z][A-Za-z0-9_]*\#          # #PAGECOUNT#
    """,
    re.VERBOSE,
)

# What every variable has; most text has none of them.
_SIGNS = re.compile("[%$#]")


def placeholders(text: str) -> List[str]:
    """The placeholders of a text, in order."""
    return PLACEHOLDER.findall(text) if _SIGNS.search(text) else []


def without_placeholders(text: str) -> str:
    """The text with a space in the place of each variable."""
    return PLACEHOLDER.sub(" ", text) if _SIGNS.search(text) else text
