"""What a training run adds to a built model: parts frozen, rates of their own, a report, where it goes on from."""

import logging
import os

from ..hardware import usable_gpus, warn_of_slow_bf16
from ..training_run import TrainingRun
from .checkpoint_activations import checkpoint_activations
from .config import DEFAULTS, SIZES
from .finetune_from import check_finetune_from, checkpoint_to_start_from
from .freezing import freeze
from .init_report import REPORT_NAME, report_lines, summary_lines, write_report
from .rates import scale_rate_of_copied

logger = logging.getLogger(__name__)


def prepare_for_training(model, cfg, run: TrainingRun) -> None:
    """Make ``model``, just built, ready to be trained in ``run``.

    The encoder's path is taken out of the settings that checkpoints keep, and the sizes that it brought are put in: a
    trained model never asks for its encoder again.

    Args:
        model: with ``init_origins``.
        cfg: its settings.

    Raises:
        SwcmError: flags that do not go together, or a ``--finetune-from-model`` that does not fit.
    """
    if cfg.freeze:
        freeze(model, cfg.freeze)
    if cfg.copied_lr_scale != 1:
        scale_rate_of_copied(model, cfg, run)
    if cfg.checkpoint_activations:
        checkpoint_activations(model)
    if run.root.common.bf16:
        warn_of_slow_bf16()
    model.returns_memory = run.root.common.cpu or not usable_gpus()
    cfg.pretrained_encoder = None
    run.keep_model_settings(cfg, SIZES + tuple(DEFAULTS) + ("pretrained_encoder",))
    earlier = checkpoint_to_start_from(run)
    if earlier is not None:
        check_finetune_from(earlier, model.decoder.dictionary.symbols, model.state_dict())
        model.takes_further_tags = True
    _report_initialization(model, run)


def _report_initialization(model, run: TrainingRun) -> None:
    state = model.state_dict()
    for line in summary_lines(state, model.init_origins):
        logger.info(line)
    if run.is_master:
        path = os.path.join(run.save_dir, REPORT_NAME)
        lines = report_lines(state, model.init_origins)
        run.at_start(lambda: write_report(path, lines))
        logger.info("start: every tensor is listed in %s", path)
