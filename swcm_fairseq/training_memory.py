"""What a training takes of a GPU's memory: an estimate from the model's sizes.

    python -m swcm_fairseq.training_memory [--arch xlm_swcm_large | --encoder FOLDER] [--vocabulary ROWS] [--memory GIB]
    python -m swcm_fairseq.training_memory --encoder FOLDER --pieces     how many a batch the smallest GPU here holds

``recipes/benchmark/gpu_check.sh`` holds the estimate against what a GPU takes.
"""

import argparse
import json
import os
import sys
from typing import List, NamedTuple, Optional

import torch

from .errors import SwcmError, run_command
from .hardware import gpus_meant
from .models.config import PRESETS

GIB = 2**30
#: Bytes a parameter: weight and gradient in half precision; in float32 master weight, its gradient, Adam's two moments.
LASTING = 2 + 2 + 4 + 4 + 8
#: With --memory-efficient-bf16 and --optimizer adam: no masters.
LASTING_MEMORY_EFFICIENT = 2 + 2 + 8
#: Bytes that an encoder layer keeps for the gradients of each channel of each piece, in half precision. Attention: its
#: input 2, query, key and value 6, what was attended to 2, mask of dropout 1, input of LayerNorm 2. Feed-forward: its
#: input 2, before and behind the activation 2 x 8, mask 1, input of LayerNorm 2. What else there is grows with neither.
ENCODER_LAYER = 36
#: The same of a normal layer: the memory's keys and values stand beside a second attention.
NORMAL_LAYER = 49
#: The same of the embeddings of source and target, with what their LayerNorms and dropout keep.
EMBEDDINGS = 12
#: What a layer keeps with --checkpoint-activations: its input.
INPUT = 2
#: Logits of a chunk of pieces, their gradients, and the caches of CUDA's libraries.
OVERHEAD = 3 * GIB
#: Fewer pieces a batch are not tried, whatever the estimate says.
LEAST = 256


class ModelSizes(NamedTuple):
    """Layers of the encoder, C, F, rows of the token table, and after how many decoder layers a normal one stands."""

    layers: int
    width: int
    inner_width: int
    vocabulary: int
    insert_normal_every: int = 3
    positions: int = 514

    @property
    def normal_layers(self) -> int:
        return self.layers // self.insert_normal_every if self.insert_normal_every else 0

    @property
    def parameters(self) -> int:
        """How many the model has: its decoder's custom layers are two of the encoder's each."""
        attention = 4 * self.width * (self.width + 1) + 2 * self.width
        feed_forward = 2 * self.width * self.inner_width + self.inner_width + 3 * self.width
        layers = 3 * self.layers * (attention + feed_forward) + self.normal_layers * (2 * attention + feed_forward)
        return layers + (self.vocabulary + self.positions + 2) * self.width

    def lasting(self, memory_efficient: bool = False) -> int:
        """Bytes for weights, gradients and optimizer in half precision, with ``--memory-efficient-bf16`` or without."""
        return self.parameters * (LASTING_MEMORY_EFFICIENT if memory_efficient else LASTING)

    def bytes_a_piece(self, checkpoint_activations: bool = False) -> int:
        """Bytes of activations for each piece of a batch, source and target alike, in half precision."""
        if checkpoint_activations:
            # The layer whose gradients are being computed has all of its own.
            kept = INPUT * (2 * self.layers + self.normal_layers) + 2 * ENCODER_LAYER
        else:
            kept = 3 * self.layers * ENCODER_LAYER + self.normal_layers * NORMAL_LAYER
        return self.width * (kept + EMBEDDINGS)

    def pieces_in(self, memory: int, checkpoint_activations: bool = False, memory_efficient: bool = False) -> int:
        """Pieces of one batch that a GPU with so many bytes can train on, rather too few; 0 where it has no room."""
        room = 0.85 * memory - self.lasting(memory_efficient) - OVERHEAD
        return max(0, int(room / self.bytes_a_piece(checkpoint_activations)))


def sizes_of_encoder(folder: str) -> ModelSizes:
    """Those in the folder's config.json; where there is none that says so, those of XLM-R base."""
    try:
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as stream:
            found = json.load(stream)
        keys = ("num_hidden_layers", "hidden_size", "intermediate_size", "vocab_size")
        return ModelSizes(*(int(found[key]) for key in keys))
    except (OSError, ValueError, KeyError, TypeError):
        return sizes_of_preset("xlm_swcm_base")


def sizes_of_preset(name: str) -> ModelSizes:
    """Those of a named architecture, with XLM-R's vocabulary.

    Raises:
        SwcmError: there is none of that name.
    """
    if name not in PRESETS:
        raise SwcmError("--arch is one of {}".format(", ".join(sorted(PRESETS))))
    preset = PRESETS[name]
    return ModelSizes(preset.encoder_layers, preset.encoder_embed_dim, preset.encoder_ffn_embed_dim, 250002)


def table(sizes: ModelSizes, memory: int) -> List[str]:
    """Lines that say what fits, for each way of saving memory."""
    lines = [f"{sizes.parameters:,} parameters; pieces a batch that a GPU of {memory / GIB:.0f} GiB has room for:"]
    for flags, checkpointed, efficient in (
        ("--bf16 --optimizer adamw", False, False),
        ("--bf16 --optimizer adamw --checkpoint-activations", True, False),
        ("--memory-efficient-bf16 --optimizer adam", False, True),
        ("--memory-efficient-bf16 --optimizer adam --checkpoint-activations", True, True),
    ):
        pieces = sizes.pieces_in(memory, checkpointed, efficient)
        lasting, piece = sizes.lasting(efficient) / GIB, sizes.bytes_a_piece(checkpointed) / 2**20
        lines.append(f"{pieces or 'none':>7}  {flags}: {lasting:.1f} GiB, and {piece:.2f} MiB a piece")
    return lines


def main(arguments: Optional[List[str]] = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m swcm_fairseq.training_memory", description=__doc__.split("\n")[0])
    parser.add_argument("--arch", default="xlm_swcm_base", help="xlm_swcm_base, _large, _small or _tiny")
    parser.add_argument("--encoder", metavar="FOLDER", help="take the sizes from this encoder's config.json instead")
    parser.add_argument("--vocabulary", type=int, metavar="ROWS", help="of the token table (250002, or the encoder's)")
    parser.add_argument("--memory", type=float, default=24, metavar="GIB", help="of the GPU (24)")
    parser.add_argument("--pieces", action="store_true", help="print the number alone, for the smallest GPU here")
    args = parser.parse_args(arguments)
    sizes = sizes_of_encoder(args.encoder) if args.encoder else sizes_of_preset(args.arch)
    if args.vocabulary:
        sizes = sizes._replace(vocabulary=args.vocabulary)
    if args.pieces:
        memory = min(torch.cuda.get_device_properties(number).total_memory for number in range(gpus_meant()))
        print(max(LEAST, sizes.pieces_in(memory)))
        return
    print("\n".join(table(sizes, int(args.memory * GIB))))


if __name__ == "__main__":
    sys.exit(run_command(main))
