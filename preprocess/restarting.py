"""Outputs of a long run that, killed at any point and started again, goes on where it was and gives the same bytes.

While a run is under way its outputs are hidden files beside their names, and a journal says how much of them is done.
They take their names together at the end, the last output after all the others.
"""

import contextlib
import json
import os
from typing import IO, Any, Dict, List, Optional, Sequence

from swcm_fairseq.files import atomic_write, neighbour, only_writer


class RestartableOutputs:
    """Open text files for ``paths``, which a run of the same ``settings`` may have begun.

    Args:
        settings: all that the result depends on, as JSON can hold it.

    Attributes:
        streams: one a path, behind what is done already.
        state: what ``save`` was given last, or None where there is nothing to go on from.

    Raises:
        SwcmError: another process is writing the same outputs.
    """

    def __init__(self, paths: Sequence[str], settings: Dict[str, Any]) -> None:
        self.paths = [os.path.abspath(path) for path in paths]
        self.partial = [neighbour(path, "partial") for path in self.paths]
        self.journal = neighbour(self.paths[-1], "journal")
        self.settings = json.loads(json.dumps(settings))
        os.makedirs(os.path.dirname(self.paths[0]), exist_ok=True)
        self._alone = contextlib.ExitStack()
        self._alone.enter_context(only_writer(self.paths[-1]))
        # In append mode the position is the end, and opening destroys nothing.
        self.streams: List[IO[str]] = []
        for path in self.partial:
            self.streams.append(open(path, "a", encoding="utf-8", newline="\n"))
        self.state: Optional[Dict[str, Any]] = self._read_journal()
        sizes = self.state.pop("sizes") if self.state else [0] * len(self.streams)
        for stream, size in zip(self.streams, sizes):
            stream.truncate(size)

    def save(self, state: Dict[str, Any]) -> None:
        """Note that all that was written so far belongs to ``state``."""
        for stream in self.streams:
            stream.flush()
            os.fsync(stream.fileno())
        sizes = [os.path.getsize(path) for path in self.partial]
        with atomic_write(self.journal) as stream:
            json.dump({"settings": self.settings, "state": dict(state, sizes=sizes)}, stream)

    def finish(self) -> None:
        """Give all outputs their names."""
        self._close(sync=True)
        with atomic_write(self.journal) as stream:
            json.dump({"settings": self.settings, "state": None}, stream)
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.paths[-1])  # a mixture of old and new must not look whole
        for partial, path in zip(self.partial, self.paths):
            os.replace(partial, path)
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.journal)
        self._alone.close()

    def discard(self) -> None:
        """Leave nothing behind, as if the run had never been."""
        self._close(sync=False)
        for path in self.partial + [self.journal]:
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)
        self._alone.close()

    def close(self) -> None:
        """Leave all for another run to go on from."""
        self._close(sync=False)
        self._alone.close()

    def _close(self, sync: bool) -> None:
        for stream in self.streams:
            if not stream.closed:
                stream.flush()
                if sync:
                    os.fsync(stream.fileno())
                stream.close()

    def _read_journal(self) -> Optional[Dict[str, Any]]:
        try:
            with open(self.journal, encoding="utf-8") as stream:
                journal = json.load(stream)
            if journal["settings"] != self.settings:
                return None
            whole = all(os.path.getsize(path) >= size for path, size in zip(self.partial, journal["state"]["sizes"]))
            return journal["state"] if whole else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


def was_interrupted(paths: Sequence[str]) -> bool:
    """Whether a run was killed while its outputs took their names: the last one has none, and its journal is there."""
    return not os.path.exists(paths[-1]) and os.path.exists(neighbour(paths[-1], "journal"))
