"""Read two languages' compiled gettext catalogues and write the messages they share as a raw parallel pair.

A message is known by the name of its catalogue and its id (context and English text), so two translations of
it are joined without guessing. Kept out, each under its own count: messages that the other language lacks,
messages with plural forms (languages have different numbers of them), and messages that one side leaves in
English. A line break inside a message becomes a space; nothing else is changed, cleaning comes later.
"""

import argparse
import gettext
import glob
import json
import os
import re
import sys
from typing import Dict, List, NamedTuple, Tuple

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_files

# gettext puts this between a message's context and its English text.
_CONTEXT_END = "\x04"
_LINE_BREAKS = re.compile(r"[\r\n]+")

Key = Tuple[str, str]  # name of the catalogue, message id


class Pair(NamedTuple):
    """What joining two languages gave: lines (pivot, target), and counts that add up."""

    lines: List[Tuple[str, str]]
    counts: Dict[str, object]


def read_catalogues(folder: str) -> Dict[Key, str]:
    """Every translated message of the ``LC_MESSAGES/*.mo`` files below ``folder``.

    A message with plural forms is there once, as an empty text, so that it can be counted.

    Raises:
        SwcmError: no catalogue below ``folder``, or some that cannot be read (all are named).
    """
    paths = sorted(glob.glob(os.path.join(glob.escape(folder), "**", "LC_MESSAGES", "*.mo"), recursive=True))
    if not paths:
        raise SwcmError("{}: no gettext catalogue (LC_MESSAGES/*.mo) in this folder".format(folder))
    messages, problems = {}, []
    for path in paths:
        try:
            with open(path, "rb") as stream:
                # The class has no public way to list its messages.
                catalogue = gettext.GNUTranslations(stream)._catalog
        except (OSError, ValueError, LookupError, EOFError) as error:
            problems.append("{}: {}".format(path, error))
            continue
        except Exception as error:  # struct.error and the like: the module trusts the file's offsets
            problems.append("{}: cut or damaged ({})".format(path, error))
            continue
        name = os.path.basename(path)
        for identifier, text in catalogue.items():
            if isinstance(identifier, tuple):  # (id, number of the plural form)
                messages[name, identifier[0]] = ""
            elif identifier:  # the empty id holds the catalogue's header
                messages[name, identifier] = text
    if problems:
        raise SwcmError("catalogues that cannot be read", problems)
    return messages


def join(pivot: Dict[Key, str], target: Dict[Key, str]) -> Pair:
    """Join two languages by message, in the order of the keys."""
    dropped = {"missing": 0, "plural": 0, "untranslated": 0}
    lines = []
    for key in sorted(pivot):
        english = key[1].rpartition(_CONTEXT_END)[2]
        texts = pivot[key], target.get(key)
        if texts[1] is None:
            dropped["missing"] += 1
        elif not all(texts):
            dropped["plural"] += 1
        elif english in texts:
            dropped["untranslated"] += 1
        else:
            lines.append(tuple(_LINE_BREAKS.sub(" ", text) for text in texts))
    assert len(pivot) == len(lines) + sum(dropped.values())
    return Pair(lines, {"read": len(pivot), "kept": len(lines), "dropped": dropped})


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pivot", required=True, metavar="LANG", help="suffix of the first output, such as zh")
    parser.add_argument("--pivot-dir", required=True, help="folder with its catalogues, at any depth")
    parser.add_argument("--target", required=True, metavar="LANG", help="suffix of the second output, such as kk")
    parser.add_argument("--target-dir", required=True, help="folder with its catalogues, at any depth")
    parser.add_argument(
        "--out", required=True, metavar="PREFIX", help="writes PREFIX.LANG twice and PREFIX.counts.json"
    )
    parser.add_argument("--force", action="store_true", help="replace a finished output")
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    paths = ["{}.{}".format(options.out, end) for end in ("counts.json", options.pivot, options.target)]
    # The counts take their name last, so their presence says that the pair is whole.
    with atomic_files(paths, force=options.force) as (counts, *sides):
        pair = join(read_catalogues(options.pivot_dir), read_catalogues(options.target_dir))
        for texts in pair.lines:
            for side, text in zip(sides, texts):
                side.write(text + "\n")
        json.dump(pair.counts, counts, indent=2)
        counts.write("\n")
    print("{}: {}".format(options.out, summary(pair.counts)))


def summary(counts: Dict) -> str:
    """One line: what was read, kept and dropped for which reason."""
    return "read {read}, kept {kept}; dropped: ".format(**counts) + ", ".join(
        "{} {}".format(reason, number) for reason, number in counts["dropped"].items()
    )


if __name__ == "__main__":
    sys.exit(run_command(main))
