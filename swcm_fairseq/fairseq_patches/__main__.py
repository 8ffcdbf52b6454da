"""Print the table of what this package replaces in fairseq."""

from . import COMMANDS, PATCHES

for patch in [COMMANDS, *PATCHES]:
    print(f"{patch.target}\n    mends  {patch.mends}\n    until  {patch.until}")
