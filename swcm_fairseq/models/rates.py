"""Learning rates of their own for tensors that start from the encoder, beside those that start random."""

import logging

from torch import nn

from ..errors import SwcmError
from ..optim.adamw import ScaledRate
from ..training_run import TrainingRun
from .initialization import copied_in_decoder

logger = logging.getLogger(__name__)


def scale_rate_of_copied(model: nn.Module, cfg, run: TrainingRun) -> None:
    """Mark the parameters that start from the encoder, its own included, for ``cfg.copied_lr_scale``.

    Raises:
        SwcmError: an optimizer that does not heed the mark, or gradients in one flat piece, where it is lost.
    """
    common, optimizer = run.root.common, run.root.optimizer
    if getattr(optimizer, "_name", None) != "adamw":
        raise SwcmError("--copied-lr-scale wants --optimizer adamw")
    if common.fp16 and not common.bf16 and not common.fp16_no_flatten_grads:
        raise SwcmError("--copied-lr-scale with --fp16 wants --fp16-no-flatten-grads")
    parameters = dict(model.named_parameters())
    copied = copied_in_decoder(parameters, model.decoder.plan, cfg.decoder_init)
    rate = ScaledRate(cfg.copied_lr_scale)
    count = 0
    for name, parameter in parameters.items():
        if name in copied or name.startswith("encoder."):
            parameter.param_group = rate
            count += parameter.numel()
    logger.info("learning rate: %s times --lr for %s numbers from the encoder", rate.scale, f"{count:,}")
