"""Decoding batches of a validation set, and logging what the outputs score."""

import functools
import logging
from argparse import Namespace
from typing import Dict, List, Optional, Sequence

import numpy as np
import torch
from fairseq import utils
from fairseq.logging import metrics
from torch import Tensor

from ..vocabulary.pieces import Pieces
from .settings import ValidationConfig
from .sums import ScoreSums

logger = logging.getLogger(__name__)

_KEY = "score:"  # before a group's name in logging outputs
# A sum in another order, as several processes add up, differs in the last of 16 digits.
_DIGITS = 6


class ValidationScores:
    """Scores of what a model makes of validation sentences.

    Sentences are decoded and joined as ``fairseq-generate`` does it, references too, and scored as ``swcm-score``
    scores its output. Nothing here draws a random number.

    Args:
        task: which decodes.
        cfg: the task's flags.
        names: of the scores.
        languages: of the task's ``loss_groups``, one each.
        pieces: of the text.
    """

    def __init__(self, task, cfg: ValidationConfig, names: Sequence[str], languages: Sequence[str], pieces: Pieces):
        self.task = task
        self.cfg = cfg
        self.names = list(names)
        self.pieces = pieces
        self.sums = {group: ScoreSums(names, code) for group, code in zip(task.loss_groups, languages)}
        self._model = self._generator = None
        for group, sums in self.sums.items():
            for name, signature in sums.signatures.items():
                logger.info("%s %s: %s|beam:%d", group, name, signature, cfg.validation_beam)

    @staticmethod
    def logged(names: Sequence[str], groups: Sequence[str]) -> List[str]:
        """The names that scores are logged under: the mean over groups, and each group's where there are several."""
        several = groups if len(groups) > 1 else []
        return [*names, *(f"{group}_{name}" for group in several for name in names)]

    def measure(self, model, sample: Dict) -> Dict[str, Tensor]:
        """Decode a batch's sentences that are ``scored``; sums for the log, the same keys whatever the batch.

        A batch that does not say which are, such as the one that a process repeats when it has none left, has none.
        """
        hypotheses: Dict[str, List[str]] = {group: [] for group in self.sums}
        references: Dict[str, List[str]] = {group: [] for group in self.sums}
        scored = sample.get("scored")
        rows = [] if scored is None else scored.nonzero(as_tuple=True)[0]
        if len(rows) > 0:
            part = _rows_of(sample, rows)
            outputs = self.task.inference_step(self._generator_of(model), [model], part)
            for place, output in enumerate(outputs):
                group = self.task.loss_groups[int(part["group"][place])]
                hypotheses[group].append(self._text(output[0]["tokens"]))
                references[group].append(self._text(part["target"][place], escape_unk=True))
                if self.cfg.validation_print_samples and part["shown"][place]:
                    source = self._text(part["net_input"]["src_tokens"][place])
                    texts = source, hypotheses[group][-1], references[group][-1]
                    logger.info("%s\n  source     %s\n  hypothesis %s\n  reference  %s", group, *texts)
        return {
            _KEY + group: torch.from_numpy(sums.of(hypotheses[group], references[group]))
            for group, sums in self.sums.items()
        }

    def take_from(self, logging_outputs: List[Dict]) -> List[Dict]:
        """Log the scores of ``logging_outputs``, which may come from several processes; returns what else they hold."""
        keys = {_KEY + group for group in self.sums}
        if any(keys <= set(output) for output in logging_outputs):
            for key in keys:
                parts = [output[key].detach().cpu().double() for output in logging_outputs if key in output]
                metrics.log_scalar_sum("_" + key, torch.stack(parts).sum(0))
            groups = list(self.sums)
            for name in self.names:
                metrics.log_derived(name, functools.partial(self._score, name, groups), priority=5)
                for group in groups if len(groups) > 1 else []:
                    key = f"{group}_{name}"
                    metrics.log_derived(key, functools.partial(self._score, name, [group]), priority=25)
        return [{key: value for key, value in output.items() if key not in keys} for output in logging_outputs]

    # ------------------------------------------------------------------ the numbers

    def _score(self, name: str, groups: List[str], meters) -> Optional[float]:
        """The mean over groups, each of the same weight; a group of which nothing was decoded is left out."""
        scores = [self.sums[group].scores(np.asarray(meters["_" + _KEY + group].sum)) for group in groups]
        there = [one[name] for one in scores if one is not None]
        return round(sum(there) / len(there), _DIGITS) if there else None

    # ------------------------------------------------------------------ the texts

    def _generator_of(self, model):
        model = _unwrapped(model)
        if self._model is not model:
            settings = Namespace(
                beam=self.cfg.validation_beam,
                max_len_a=self.cfg.validation_max_len_a,
                max_len_b=self.cfg.validation_max_len_b,
            )
            self._model, self._generator = model, self.task.build_generator([model], settings)
        return self._generator

    def _text(self, tokens: Tensor, escape_unk: bool = False) -> str:
        dictionary = self.task.target_dictionary
        tokens = utils.strip_pad(tokens.int().cpu(), dictionary.pad())
        return self.pieces.decode(dictionary.string(tokens, escape_unk=escape_unk))


def _rows_of(sample: Dict, rows: Tensor) -> Dict:
    """The sentences of a batch at ``rows`` [N], without the padding that only others needed."""
    lengths = sample["net_input"]["src_lengths"][rows]
    source = sample["net_input"]["src_tokens"][rows, : int(lengths.max())]
    part = {name: sample[name][rows] for name in ("target", "tag", "group", "shown")}
    part["net_input"] = {"src_tokens": source, "src_lengths": lengths}
    return part


def _unwrapped(model):
    """The model itself, where it is wrapped to be trained by several processes."""
    while hasattr(model, "module"):
        model = model.module
    return model
