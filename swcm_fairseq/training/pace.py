"""How long a training will take, said after its first updates."""

import logging
import time
from typing import Optional

logger = logging.getLogger(__name__)

_MEASURED = 5  # updates, after the first, which is slower
_LONG_S = 3600


class Pace:
    """Tells, once, how long the updates to come will take.

    Args:
        updates: of the whole training, 0 where epochs or a schedule end it.
    """

    def __init__(self, updates: int) -> None:
        self.updates = updates
        self._last: Optional[int] = None
        self._first: Optional[int] = None
        self._began = 0.0
        self._said = False

    def note(self, update: int) -> None:
        """To be called as the training begins to compute ``update`` (counted from 0), once or several times."""
        if self._said or update == self._last:
            return
        now = time.monotonic()
        if self._last is not None and self._first is None:
            self._first, self._began = update, now
        self._last = update
        if self._first is not None and update - self._first >= _MEASURED:
            self._said = True
            self._say((now - self._began) / (update - self._first), update)

    def _say(self, seconds: float, done: int) -> None:
        line = f"pace: {_span(seconds)} an update"
        left = seconds * max(0, self.updates - done)
        if self.updates:
            line += f", {_span(left)} for the {max(0, self.updates - done)} to come"
        logger.info(line)
        if left > _LONG_S:
            logger.warning(
                "pace: this training takes more than an hour. Fewer updates end it sooner (recipes: UPDATES=%d for an "
                "hour; flag: --max-update); it may be stopped and goes on where it was when it is started again",
                max(1, int(_LONG_S / seconds) // 10 * 10),
            )


def _span(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} hours"
