"""The command ``swcm-pack``: from a checkpoint to one portable folder."""

import argparse
import os
import sys
from typing import TYPE_CHECKING, List, Optional

from ..errors import SwcmError, run_command
from ..files import refuse_overwrite

if TYPE_CHECKING:
    from .packed import Packed


def pack(checkpoint: str, folder: str, data: Optional[str] = None, force: bool = False) -> None:
    """Write ``folder`` from ``checkpoint`` and the dictionary and SentencePiece model of its folder.

    Args:
        checkpoint: a .pt file that ``fairseq-train`` wrote with this package's model.
        folder: what to write.
        data: where dict.txt and sentencepiece.bpe.model lie, if not beside the checkpoint.
        force: replace what stands at ``folder``.
    """
    from . import packed

    refuse_overwrite(folder, force)
    parts = read_checkpoint(checkpoint, data)
    with open(parts.sentencepiece_model, "rb") as stream:
        packed.write(folder, parts.model, parts.dictionary, stream.read(), parts.targets, force)


def read_checkpoint(checkpoint: str, data: Optional[str] = None) -> "Packed":
    """What a packed folder of ``checkpoint`` would hold; arguments as of ``pack``."""
    from ..data.data_bin import check_dictionary_of, load_dictionary, sentencepiece_model
    from ..torch_files import safe_load
    from ..vocabulary.dictionary import check_sentencepiece_model
    from . import packed

    source = data or os.path.dirname(os.path.abspath(checkpoint))
    state = safe_load(checkpoint)
    settings, task = _settings(state, checkpoint)
    targets = _targets(task)
    pieces = sentencepiece_model([source])
    if pieces is None:
        raise SwcmError(f"no sentencepiece.bpe.model in {source}; --data names the folder that has it")
    dictionary = load_dictionary([source], targets)
    check_dictionary_of(checkpoint, dictionary.symbols, f"the dictionary in {source}")
    check_sentencepiece_model(dictionary.symbols, pieces)
    model = packed.build(settings, dictionary, state["model"], checkpoint)
    return packed.Packed(model, dictionary, pieces, targets, [])


def _settings(state, checkpoint: str):
    try:
        model, task = state["cfg"]["model"], state["cfg"]["task"]
        if "insert_normal_every" not in model or "model" not in state:
            raise KeyError("insert_normal_every")
    except (KeyError, TypeError):
        raise SwcmError(f"{checkpoint} is no checkpoint of an xlm_swcm model")
    return model, task


def _targets(task) -> List[str]:
    """Languages the model was trained to write, from the task's settings."""
    task = task if isinstance(task, dict) else vars(task)
    if task.get("target_tag"):
        return [task["target_tag"]]
    if task.get("lang_pairs"):
        return sorted({pair.strip().split("-")[-1] for pair in task["lang_pairs"].split(",")})
    return [task["target_lang"]] if task.get("target_lang") else []


def main(arguments: Optional[List[str]] = None) -> None:
    parser = argparse.ArgumentParser(prog="swcm-pack", description=__doc__)
    parser.add_argument("checkpoint", help="a checkpoint of fairseq-train, such as checkpoint_best.pt")
    parser.add_argument("folder", help="the folder to write")
    parser.add_argument("--data", help="folder of dict.txt and sentencepiece.bpe.model (beside the checkpoint)")
    parser.add_argument("--force", action="store_true", help="replace the folder if it exists")
    args = parser.parse_args(arguments)
    pack(args.checkpoint, args.folder, args.data, args.force)
    print(f"packed {args.checkpoint} into {args.folder}", file=sys.stderr)


def cli() -> None:
    """Entry point."""
    sys.exit(run_command(main))
