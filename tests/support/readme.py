"""The README's commands and the tiniest size to run them at."""

import re

TINY = {
    "UPDATES": "3",
    "COMPARE": "1",  # some blocks look at the random decoder's output
    "LOG_EVERY": "1",
    "TRAIN_PAIRS": "40",
    "VALID_PAIRS": "4",
    "TEST_PAIRS": "6",
    "KEEP_LAYERS": "0,3",
    "BEAM": "2",
    "MAX_LEN": "8",
}
LANGS = ("kk", "mn", "ug")


def blocks(text):
    """The shell blocks of the README, in order."""
    return re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
