"""XLM-SWCM for fairseq: text generators for low-resource languages that start from a multilingual encoder.

As ``--user-dir`` this folder registers its model, tasks, criterion and optimizer through ``models/`` and ``tasks/``,
which fairseq imports. Importing the package alone stays light, for the commands that need no fairseq.
"""

from .version import __version__  # noqa: F401


def from_pretrained(folder, **options):
    """Open a folder that ``swcm-pack`` wrote; see ``swcm_fairseq.decoding.translator.Translator``."""
    from .decoding.translator import Translator

    return Translator.from_pretrained(folder, **options)
