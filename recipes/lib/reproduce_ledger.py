"""The ledger of measurements, recipes/results: one small JSON file for each, whole or not there.

A file's name says what was measured, its text under which settings, from which commit and on which kind of CPU. Files
are only added, so that results come from any machine in any order, and a merge of two ledgers is a copy of files.

    kind "training"   a finished training with its test scores (reproduce_training.py makes it)
    kind "speed"      a finished measurement of recipes/benchmark/speed.sh
"""

import base64
import json
import lzma
import os
from typing import Dict

import numpy as np

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.files import atomic_write

FORMAT = 1
MOST_BYTES = 20000
ENDING = ".json"


def path_of(folder: str, name: str) -> str:
    return os.path.join(folder, name + ENDING)


def write(folder: str, name: str, entry: Dict) -> None:
    """Write ``entry`` as ``folder``/NAME.json: whole, or not at all.

    Raises:
        SwcmError: an entry of more than ``MOST_BYTES`` bytes.
    """
    text = json.dumps({"format": FORMAT, **entry}, ensure_ascii=False, indent=1) + "\n"
    size = len(text.encode("utf-8"))
    if size > MOST_BYTES:
        raise SwcmError(f"{path_of(folder, name)} would be {size} bytes; a file of the ledger has {MOST_BYTES} at most")
    os.makedirs(folder, exist_ok=True)
    with atomic_write(path_of(folder, name)) as stream:
        stream.write(text)


def read(folder: str) -> Dict[str, Dict]:
    """All entries of ``folder`` by name, sorted; none where there is no such folder.

    Raises:
        SwcmError: a file that is none of the ledger's.
    """
    if not os.path.isdir(folder):
        return {}
    # What a killed process leaves behind is hidden.
    names = [name for name in sorted(os.listdir(folder)) if name.endswith(ENDING) and not name.startswith(".")]
    return {name[: -len(ENDING)]: _read_file(os.path.join(folder, name)) for name in names}


def _read_file(path: str) -> Dict:
    try:
        with open(path, encoding="utf-8") as stream:
            entry = json.load(stream)
        if entry["format"] != FORMAT:
            raise SwcmError(f"{path} has format {entry['format']}; this version reads {FORMAT}")
        entry["kind"]
    except (ValueError, KeyError, TypeError) as error:
        raise SwcmError(f"{path} is no file of the ledger: {error}")
    return entry


def pack_counts(rows: np.ndarray, kinds: int = 1) -> str:
    """Counts [N, K], whole numbers below 2 ** 15, as text; ``unpack_counts`` has them back.

    Columns of the same kind, ``kinds`` apart, are stored side by side as differences: counts of n-grams of neighbouring
    orders differ little.
    """
    columns = rows.T.reshape(-1, kinds, len(rows)).swapaxes(0, 1)
    whole = columns.astype(np.int16)
    if not np.array_equal(whole, columns):
        raise ValueError("counts that are no whole numbers below 32768")
    whole[:, 1:] -= whole[:, :-1].copy()
    packed = lzma.compress(whole.astype("<i2").tobytes(), format=lzma.FORMAT_ALONE, preset=9)
    return f"{len(rows)}x{rows.shape[1]}x{kinds} " + base64.b85encode(packed).decode("ascii")


def unpack_counts(text: str) -> np.ndarray:
    """[N, K], floats."""
    shape, _, packed = text.partition(" ")
    count, columns, kinds = map(int, shape.split("x"))
    whole = np.frombuffer(lzma.decompress(base64.b85decode(packed)), dtype="<i2").reshape(kinds, -1, count)
    return np.cumsum(whole, axis=1, dtype=np.int64).swapaxes(0, 1).reshape(columns, count).T.astype(float)


def of_kind(entries: Dict[str, Dict], kind: str) -> Dict[str, Dict]:
    return {name: entry for name, entry in entries.items() if entry["kind"] == kind}
