"""Parts of the model that training leaves as they are, as two-stage training does (SixT, arXiv 2104.08757)."""

import logging
import re
from typing import List

from torch import nn

from ..errors import SwcmError

logger = logging.getLogger(__name__)

#: What ``--freeze`` may name -> the parameters that it means, by their names' beginning.
FREEZABLE = {
    "embeddings": r"(encoder|decoder)\.embeddings\.",
    "encoder": r"encoder\.layers\.",
    "decoder": r"decoder\.layers\.",
    "decoder-self-attention": r"decoder\.layers\.\d+\.self_attn\.",
    "decoder-cross-attention": r"decoder\.layers\.\d+\.cross_attn\.",
    "decoder-feed-forward": r"decoder\.layers\.\d+\.ffn\d?\.",
}


def parts_of(names: str) -> List[str]:
    """``embeddings,encoder`` -> its parts; raises ``SwcmError`` for all that are none."""
    parts = [name.strip() for name in names.split(",") if name.strip()]
    problems = ["{!r} is none of {}".format(part, ", ".join(FREEZABLE)) for part in parts if part not in FREEZABLE]
    if problems:
        raise SwcmError(f"--freeze {names}", problems)
    return parts


def freeze(model: nn.Module, names: str) -> None:
    """Leave the parts ``names`` out of training.

    Raises:
        SwcmError: a name that means nothing, or nothing left to train.
    """
    patterns = [re.compile(FREEZABLE[part]) for part in parts_of(names)]
    frozen = [
        parameter for name, parameter in model.named_parameters() if any(pattern.match(name) for pattern in patterns)
    ]
    for parameter in frozen:
        parameter.requires_grad_(False)
    left = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    if not left:
        raise SwcmError(f"--freeze {names} leaves nothing to train")
    count = sum(parameter.numel() for parameter in frozen)
    logger.info("frozen: %s (%s numbers; %s are trained)", names, f"{count:,}", f"{left:,}")
