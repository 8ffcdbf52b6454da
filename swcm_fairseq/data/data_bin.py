"""What lies in a folder that fairseq-preprocess made, and what is wrong with it."""

import os
from typing import Dict, List, Optional

from fairseq.data import Dictionary, data_utils

from ..errors import SwcmError

SENTENCEPIECE_MODEL = "sentencepiece.bpe.model"
DICTIONARY = "dict.txt"


def load_dictionary(folders: List[str], suffixes: List[str]) -> Dictionary:
    """The one dictionary of all ``suffixes`` (``dict.txt``, or ``dict.SUFFIX.txt`` each).

    Raises:
        SwcmError: no dictionary, one that cannot be read, or some that differ.
    """
    found = {}
    for folder in folders:
        for name in [DICTIONARY] + ["dict.{}.txt".format(suffix) for suffix in suffixes]:
            path = os.path.join(folder, name)
            if os.path.exists(path):
                found[path] = read_dictionary(path)
    if not found:
        raise SwcmError(
            "no dictionary in {}: expected {} or dict.LANG.txt; make the folder with recipes/binarize.sh".format(
                ", ".join(folders), DICTIONARY
            )
        )
    first_path, first = next(iter(found.items()))
    different = [path for path, dictionary in found.items() if dictionary != first]
    if different:
        raise SwcmError(
            "dictionaries differ from {}; binarize all languages with one".format(first_path), sorted(different)
        )
    return first


def read_dictionary(path: str) -> Dictionary:
    """Load a fairseq dictionary; raises ``SwcmError`` where the file is none."""
    try:
        return Dictionary.load(path)
    except OSError:
        raise
    except Exception as error:  # the very class that fairseq raises where the file is not UTF-8
        raise SwcmError("{} is not a fairseq dictionary: {}".format(path, error))


def sentencepiece_model(folders: List[str]) -> Optional[str]:
    """Path of the SentencePiece model beside the data, or None."""
    for folder in folders:
        path = os.path.join(folder, SENTENCEPIECE_MODEL)
        if os.path.exists(path):
            return path
    return None


def load_pair(folder: str, split: str, source: str, target: str, dictionary: Dictionary, impl: Optional[str]) -> Dict:
    """The two sides ``split.source-target.{source,target}`` of one split; either order of the names will do.

    Returns:
        ``{"source": indexed dataset, "target": indexed dataset}``, or an empty dictionary where there are no files.

    Raises:
        SwcmError: one side is missing, or the two have different numbers of lines.
    """
    for pair in ("{}-{}".format(source, target), "{}-{}".format(target, source)):
        prefix = os.path.join(folder, "{}.{}.".format(split, pair))
        sides = {"source": prefix + source, "target": prefix + target}
        present = [name for name in sides.values() if os.path.exists(name + ".idx")]
        if not present:
            continue
        missing = sorted(set(sides.values()) - set(present))
        if missing:
            raise SwcmError("{}.idx is there but {}.idx is not".format(present[0], missing[0]))
        loaded = {side: data_utils.load_indexed_dataset(name, dictionary, impl) for side, name in sides.items()}
        lengths = {side: len(dataset) for side, dataset in loaded.items()}
        if lengths["source"] != lengths["target"]:
            raise SwcmError(
                "{} has {} lines, {} has {}; the two sides of a pair must match line by line".format(
                    sides["source"], lengths["source"], sides["target"], lengths["target"]
                )
            )
        return loaded
    return {}


def load_documents(folder: str, split: str, code: str, dictionary: Dictionary, impl: Optional[str]):
    """Monolingual text of one split, an indexed dataset with one document a line, or None where there is none.

    Its files are named as ``fairseq-preprocess --only-source --source-lang kk`` names them: ``train.kk-None.kk``.
    """
    name = os.path.join(folder, "{0}.{1}-None.{1}".format(split, code))
    return data_utils.load_indexed_dataset(name, dictionary, impl) if os.path.exists(name + ".idx") else None
