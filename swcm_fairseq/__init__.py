"""XLM-SWCM for fairseq: text generators for low-resource languages that start from a multilingual encoder.

As ``--user-dir`` this folder registers its model, tasks, criterion and optimizer through ``models/`` and ``tasks/``,
which fairseq imports. Importing the package alone stays light, for the commands that need no fairseq.
"""

from .version import __version__  # noqa: F401


def from_pretrained(folder, **options):
    """Open a folder that ``swcm-pack`` or ``swcm-export`` wrote; see ``decoding.engines.opening.open_translator``.

    ``backend`` (``torch``, ``ct2``, ``onnx``) is what the folder is for, ``compute_type`` (``int8``) how CTranslate2
    computes it, ``threads`` how many processors it may use, ``device`` where (``cpu``, ``cuda``).
    """
    from .decoding.engines import open_translator

    return open_translator(folder, **options)
