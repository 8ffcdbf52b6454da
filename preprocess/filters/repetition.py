"""Text that says the same again and again: menus, leaders of dots, keyboards that were leant on, broken generators."""

from typing import Callable

LENGTH = 8  # characters of the stretches that are compared
STEP = 4  # every fourth stretch is looked at: less work, and a repetition repeats at any step
WINDOW = 1000  # characters: in a long text every stretch comes again some time
SHORTEST = 24  # shorter text has too few stretches for a share


def is_repetitive(most: float) -> Callable[[str], bool]:
    """A test: more than ``most`` of the text's stretches of 8 characters stood shortly before.

    It needs no words, so it serves every script.
    """

    def test(text: str) -> bool:
        if len(text) < SHORTEST:
            return False
        places = range(0, len(text) - LENGTH + 1, STEP)
        different = 0
        for first in range(0, len(places), WINDOW // STEP):
            different += len({text[i : i + LENGTH] for i in places[first : first + WINDOW // STEP]})
        return different < (1 - most) * len(places)

    return test
