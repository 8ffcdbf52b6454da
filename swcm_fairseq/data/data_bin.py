"""What lies in a folder that fairseq-preprocess made, and what is wrong with it."""

import itertools
import os
from typing import Dict, Iterator, List, Optional

from fairseq.data import ConcatDataset, Dictionary

from ..errors import SwcmError
from ..vocabulary.dictionary import differing_symbols
from ..vocabulary.symbols import DICTIONARY, SENTENCEPIECE_MODEL
from . import indexed


def load_dictionary(folders: List[str], suffixes: List[str]) -> Dictionary:
    """The one dictionary of all ``suffixes`` (``dict.txt``, or ``dict.SUFFIX.txt`` each).

    Raises:
        SwcmError: no dictionary, one that cannot be read, or some that differ.
    """
    found = {}
    for folder in folders:
        for name in [DICTIONARY] + [f"dict.{suffix}.txt" for suffix in suffixes]:
            path = os.path.join(folder, name)
            if os.path.exists(path):
                found[path] = read_dictionary(path)
    if not found:
        raise SwcmError(
            f"no dictionary in {', '.join(folders)}: expected {DICTIONARY} or dict.LANG.txt; make the folder with "
            "recipes/binarize.sh"
        )
    first_path, first = next(iter(found.items()))
    different = [path for path, dictionary in found.items() if dictionary != first]
    if different:
        raise SwcmError(f"dictionaries differ from {first_path}; binarize all languages with one", sorted(different))
    return first


def read_dictionary(path: str) -> Dictionary:
    """Load a fairseq dictionary; raises ``SwcmError`` where the file is none."""
    try:
        return Dictionary.load(path)
    except OSError:
        raise
    except Exception as error:  # the very class that fairseq raises where the file is not UTF-8
        raise SwcmError(f"{path} is not a fairseq dictionary: {error}")


def check_dictionary_of(checkpoint: str, symbols: List[str], what: str = "the data's dictionary") -> None:
    """Check that ``symbols`` are those of the ``dict.txt`` that a training left beside ``checkpoint``.

    A model knows pieces by their places in it, so with another every piece would mean another, and nothing would fail.

    Args:
        symbols: in order.
        what: they are of, for the message.

    Raises:
        SwcmError: they differ. Where no ``dict.txt`` lies there, nothing is known and nothing is raised.
    """
    beside = os.path.join(os.path.dirname(checkpoint), DICTIONARY)
    if not os.path.exists(beside):
        return
    problems = differing_symbols(symbols, read_dictionary(beside).symbols)
    if problems:
        raise SwcmError(f"{what} is not that of {checkpoint}, {beside}", problems)


def sentencepiece_model(folders: List[str]) -> Optional[str]:
    """Path of the SentencePiece model beside the data, or None."""
    paths = [os.path.join(folder, SENTENCEPIECE_MODEL) for folder in folders]
    return next(filter(os.path.exists, paths), None)


def parts(split: str, combine: bool) -> Iterator[str]:
    """The names that a split's parts may have, in order: ``train``, and with ``combine`` ``train1``, ``train2``, ...

    ``fairseq-preprocess --trainpref a,b`` numbers them in this way, and the first that is not there ends them.
    """
    yield split
    for number in itertools.count(1) if combine else ():
        yield f"{split}{number}"


def load_pair(
    folder: str,
    split: str,
    source: str,
    target: str,
    dictionary: Dictionary,
    impl: Optional[str],
    combine: bool = False,
) -> Dict:
    """The two sides ``split.source-target.{source,target}`` of one split; either order of the names will do.

    Args:
        impl: kind of the files, as ``--dataset-impl``.
        combine: join all parts that the split came in.

    Returns:
        ``{"source": indexed dataset, "target": indexed dataset}``, or an empty dictionary where there are no files.

    Raises:
        SwcmError: one side is missing, or the two have different numbers of lines.
    """
    found: Dict[str, List] = {"source": [], "target": []}
    for part in parts(split, combine):
        sides = _load_part(folder, part, source, target, dictionary, impl)
        if not sides:
            break
        for side, dataset in sides.items():
            found[side].append(dataset)
    return {side: joined(datasets) for side, datasets in found.items() if datasets}


def _load_part(folder: str, part: str, source: str, target: str, dictionary: Dictionary, impl: Optional[str]) -> Dict:
    for pair in (f"{source}-{target}", f"{target}-{source}"):
        prefix = os.path.join(folder, f"{part}.{pair}.")
        sides = {"source": prefix + source, "target": prefix + target}
        present = [name for name in sides.values() if indexed.exists(name, impl)]
        if not present:
            continue
        missing = sorted(set(sides.values()) - set(present))
        if missing:
            raise SwcmError("{} is there but {} is not".format(*(indexed.named(n, impl) for n in present + missing)))
        loaded = {side: indexed.load(name, dictionary, impl) for side, name in sides.items()}
        lengths = {side: len(dataset) for side, dataset in loaded.items()}
        if lengths["source"] != lengths["target"]:
            raise SwcmError(
                f"{sides['source']} has {lengths['source']} lines, {sides['target']} has {lengths['target']}; the two "
                "sides of a pair must match line by line"
            )
        return loaded
    return {}


def load_documents(
    folder: str, split: str, code: str, dictionary: Dictionary, impl: Optional[str], combine: bool = False
):
    """Monolingual text of one split, an indexed dataset with one document a line, or None where there is none.

    Its files are named as ``fairseq-preprocess --only-source --source-lang kk`` names them: ``train.kk-None.kk``.
    ``impl`` and ``combine`` as of ``load_pair``.
    """
    found = []
    for part in parts(split, combine):
        name = os.path.join(folder, f"{part}.{code}-None.{code}")
        if not indexed.exists(name, impl):
            break
        found.append(indexed.load(name, dictionary, impl))
    return joined(found) if found else None


def joined(datasets: List):
    """Indexed datasets as one, the parts in their order."""
    return datasets[0] if len(datasets) == 1 else ConcatDataset(datasets)


def other_kind(folder: str, impl: Optional[str]) -> str:
    """What to add to "there is no such file" where the folder holds files of another kind; empty where it does not."""
    binary = any(name.endswith(".idx") for name in os.listdir(folder))
    if impl == indexed.RAW and binary:
        return " in text: leave --dataset-impl raw out, its files are binary"
    if impl != indexed.RAW and not binary:
        return " that is binary: text, as fairseq-preprocess --dataset-impl raw leaves it, wants that flag here too"
    return ""
