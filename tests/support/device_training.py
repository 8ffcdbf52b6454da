"""fairseq's trainer with this package's parts, on the made-up device or on the CPU."""

from typing import Iterator, List, Optional

import torch
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.logging import metrics
from fairseq.trainer import Trainer

from swcm_fairseq.criterions import swcm_cross_entropy  # noqa: F401
from swcm_fairseq.fairseq_patches import applied
from swcm_fairseq.models import xlm_swcm  # noqa: F401
from swcm_fairseq.optim import adamw  # noqa: F401
from swcm_fairseq.tasks import swcm_finetuning, swcm_pretraining  # noqa: F401

_SIZES = "--arch xlm_swcm --encoder-layers 2 --encoder-embed-dim 16 --encoder-ffn-embed-dim 24 "
_SIZES += "--encoder-attention-heads 2 --max-positions 40 --dropout 0 --attention-dropout 0"


class Training:
    """A trainer over ``make_data``'s data, and its batches.

    Args:
        data: the folder.
        flags: beside those of a small model on a CPU.
        on_device: whether model and batches are on the made-up device, within whose block all is to be done.
    """

    def __init__(self, data: str, flags: str, on_device: bool) -> None:
        text = f"{data} --save-dir {data}/checkpoints --cpu --seed 7 {_SIZES}"
        text += f" --optimizer adamw --lr 0.01 --max-tokens 60 --clip-norm 1 {flags}"
        args = options.parse_args_and_arch(options.get_training_parser(), text.split())
        self.cfg = convert_namespace_to_omegaconf(args)
        self.cfg.common.tpu = False  # as commands.prepare
        torch.manual_seed(7)
        self.task = tasks.setup_task(self.cfg.task)
        self.task.load_dataset("train")
        self.model = self.task.build_model(self.cfg.model)
        self.criterion = self.task.build_criterion(self.cfg.criterion)
        self.trainer = Trainer(self.cfg, self.task, self.model, self.criterion)
        if on_device:
            from tests.support.device import sample_to_device, to_device  # which not every torch can make

            to_device(self.trainer._model)
            self.trainer.device = next(self.trainer._model.parameters()).device
            self.trainer._prepare_sample = lambda sample, is_dummy=False: (sample_to_device(sample), False)

    def batches(self, split: str = "train") -> Iterator:
        """Batches of a split, on the CPU, always the same."""
        dataset = self.task.dataset(split)
        positions = self.trainer.model.max_positions()
        epoch = self.task.get_batch_iterator(dataset, max_tokens=60, max_positions=positions, seed=7)
        return epoch.next_epoch_itr(shuffle=False)

    def train(self, updates: int, start: int = 0, device=None) -> List[float]:
        """So many updates; the loss of each. With ``device`` its counts are those of the last update."""
        losses = []
        metrics.reset()  # of another training, whose numbers are on another device
        with applied():
            for number, sample in enumerate(self.batches()):
                if number < start:
                    continue
                if number == start + updates:
                    break
                if device is not None:
                    device.reset()
                found = self.trainer.train_step([sample])
                losses.append(float(found["loss"]))
        return losses


def weights(model) -> List[torch.Tensor]:
    """All parameters of a model, on the CPU; nothing is counted."""
    return [getattr(one, "raw", one).detach() for one in model.parameters()]


def make(data: str, flags: str, device: Optional[object]) -> Training:
    """A ``Training``, on the device where one is given."""
    with applied():
        return Training(data, flags, device is not None)
