"""The command ``swcm-export``: a packed folder or a checkpoint, as a folder that others open."""

import argparse
import os
import sys
from typing import List, Optional

from ..decoding.engines.folder import FORMATS
from ..errors import run_command
from ..files import refuse_overwrite

#: What ``--quantization`` may be, the default first, for each format.
QUANTIZATIONS = {"hf": ("none",), "ct2": ("int8", "int8_float32", "bfloat16", "none"), "onnx": ("int8", "none")}


def main(arguments: Optional[List[str]] = None) -> None:
    parser = argparse.ArgumentParser(prog="swcm-export", description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a folder of swcm-pack, or a checkpoint of fairseq-train")
    parser.add_argument("folder", help="the folder to write")
    parser.add_argument(
        "--to",
        required=True,
        choices=FORMATS,
        help="hf: Hugging Face's transformers open it; ct2: CTranslate2 (int8 on CPUs); onnx: onnxruntime, every model",
    )
    kinds = "; ".join("{}: {}".format(form, ", ".join(names)) for form, names in QUANTIZATIONS.items())
    parser.add_argument("--quantization", help=f"how weights are stored ({kinds}; the first by default)")
    parser.add_argument(
        "--targets",
        nargs="+",
        metavar="LANG",
        help="languages that the folder writes (all that the model was trained for); a single one need never be named",
    )
    parser.add_argument("--data", help="folder of dict.txt and sentencepiece.bpe.model (beside the checkpoint)")
    parser.add_argument(
        "--run", help="folder of the training, for the model card (by default the nearest one with scores.json)"
    )
    parser.add_argument("--license", help="for the model card, where the encoder came without a card of its own")
    parser.add_argument("--force", action="store_true", help="replace the folder if it exists")
    args = parser.parse_args(arguments)
    quantization = args.quantization or QUANTIZATIONS[args.to][0]
    if quantization not in QUANTIZATIONS[args.to]:
        known = ", ".join(QUANTIZATIONS[args.to])
        parser.error(f"--quantization {quantization} is none of {args.to}'s: {known}")
    refuse_overwrite(args.folder, args.force)

    from .writing import export  # late: --help needs no torch

    options = {"data": args.data, "run": args.run, "license": args.license, "targets": args.targets}
    export(args.model, args.folder, args.to, quantization, force=args.force, **options)
    size = sum(os.path.getsize(os.path.join(place, name)) for place, _, names in os.walk(args.folder) for name in names)
    print(f"{args.folder}: {size / 1e6:.0f} MB for {args.to}", file=sys.stderr)


def cli() -> None:
    """Entry point."""
    sys.exit(run_command(main))
