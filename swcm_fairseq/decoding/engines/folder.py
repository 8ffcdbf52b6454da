"""The part of an exported folder that is this package's own: how to open it, its pieces and languages.

``swcm.json`` lies beside the files of the format (CTranslate2's, ONNX's, Hugging Face's), with ``dict.txt`` and
``sentencepiece.bpe.model`` as in a packed folder.
"""

import os
from dataclasses import asdict, dataclass
from typing import List, Tuple

from ...errors import SwcmError
from ...files import dump_json
from ...input_files import read_json

SETTINGS = "swcm.json"
FORMAT = 1
#: What a folder's model is in -> what computes it.
FORMATS = ("hf", "ct2", "onnx")


def onnx_files(eight_bits: bool) -> Tuple[str, str]:
    """Where encoder and decoder lie in a folder for ONNX: where optimum and transformers.js look for them."""
    suffix = "_quantized" if eight_bits else ""
    return f"onnx/encoder_model{suffix}.onnx", f"onnx/decoder_model_merged{suffix}.onnx"


@dataclass(frozen=True)
class Exported:
    """How to decode with an exported model.

    Attributes:
        kind: one of ``FORMATS``.
        targets: languages that it was trained to write.
        tags: all that it has, such as ``[kk]``.
        no_text: symbols that a search must never write.
        max_positions: most pieces of a sequence, ``<s>`` and ``</s>`` included.
    """

    kind: str
    targets: List[str]
    tags: List[str]
    no_text: List[str]
    max_positions: int


def write_settings(folder: str, exported: Exported) -> None:
    """Write ``swcm.json`` into ``folder``."""
    content = {"format": FORMAT, **asdict(exported)}
    dump_json(os.path.join(folder, SETTINGS), content, indent=2, sort_keys=True, ensure_ascii=False)


def read_settings(folder: str) -> Exported:
    """Read ``swcm.json`` of ``folder``; raises ``SwcmError`` where it is missing or of another kind."""
    path = os.path.join(folder, SETTINGS)
    if not os.path.isfile(path):
        raise SwcmError(f"{folder} is no folder of swcm-export: it has no {SETTINGS}")
    try:
        found = read_json(path)
        version = found["format"]
        fields = {name: found[name] for name in Exported.__dataclass_fields__}
        exported = Exported(**fields)
        lists = [exported.targets, exported.tags, exported.no_text]
        if exported.kind not in FORMATS or not all(isinstance(text, str) for some in lists for text in some):
            raise ValueError(f"kind {exported.kind!r}")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SwcmError(f"{path} is no settings file of swcm-export: {error}")
    if version != FORMAT:
        raise SwcmError(f"{path} has format {version}; this version reads {FORMAT}")
    return exported
