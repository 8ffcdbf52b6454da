"""Pretraining: denoising and translation in one mixture (the paper's DAE and MT)."""

import contextlib
import logging
from dataclasses import dataclass, field
from typing import Any, List, NamedTuple, Optional, Sequence

import numpy as np
import torch
from fairseq.data import FairseqDataset
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.logging import metrics
from fairseq.optim.amp_optimizer import AMPOptimizer
from fairseq.tasks import register_task
from omegaconf import II

from ..data.data_bin import load_documents, load_pair, other_kind
from ..data.denoising import DenoisingDataset
from ..data.lengths import CutSequences, nothing_but_end
from ..data.mixture import MixtureDataset
from ..data.noise import NoiseSettings
from ..data.pairs import PairDataset
from ..data.sampling import objective_shares
from ..errors import SwcmError
from ..languages import tag_of
from ..training.scheduled_sampling import SCHEDULES, Schedule, ScheduledSampling
from ..vocabulary.dictionary import symbols_that_are_no_text
from ..vocabulary.symbols import MASK
from ..vocabulary.whole_words import WholeWords
from .base import SwcmTask

logger = logging.getLogger(__name__)


@dataclass
class SwcmPretrainingConfig(FairseqDataclass):
    """Flags of ``--task swcm_pretraining``."""

    data: str = field(
        default="", metadata={"help": "data folder of recipes/binarize.sh, or several joined by colons, one a pass"}
    )
    dae_langs: Optional[str] = field(
        default=None, metadata={"help": "languages whose text is denoised, such as bo,ug,kk,mn,zh"}
    )
    mt_pairs: Optional[str] = field(
        default=None, metadata={"help": "pairs that are translated in both directions, such as zh-bo,zh-ug"}
    )
    sampling_alpha: float = field(
        default=0.3, metadata={"help": "exponent of the shares that languages, and pairs, are drawn with"}
    )
    mt_share: float = field(
        default=0.1,
        metadata={"help": "share of an epoch's examples that are translation, where there is denoising too"},
    )
    mask_ratio: float = field(default=0.35, metadata={"help": "share of a text's words that are masked"})
    poisson_lambda: float = field(default=3.5, metadata={"help": "mean length of a masked span in words"})
    permute_sentences: float = field(default=1.0, metadata={"help": "share of sentences that change places"})
    scheduled_sampling: ChoiceEnum(list(SCHEDULES)) = field(  # type: ignore[valid-type]
        default="none", metadata={"help": "how teacher forcing gives way to the model's own predictions"}
    )
    sampling_start: int = field(default=0, metadata={"help": "update at which scheduled sampling begins"})
    sampling_half_life: int = field(
        default=10000, metadata={"help": "updates from there until the probability of teacher forcing is a half"}
    )
    sampling_floor: float = field(
        default=0.0, metadata={"help": "lowest probability of teacher forcing; 1 is plain training"}
    )
    max_source_positions: int = field(default=256, metadata={"help": "sources are cut to this many pieces"})
    max_target_positions: int = field(default=256, metadata={"help": "targets are cut to this many pieces"})
    dataset_impl: Optional[str] = II("dataset.dataset_impl")
    required_seq_len_multiple: int = II("dataset.required_seq_len_multiple")
    seed: int = II("common.seed")


class Plan(NamedTuple):
    """What is trained: languages to denoise, and directions to translate (both of each pair, side by side)."""

    languages: List[str]
    directions: List[tuple]

    @property
    def groups(self) -> List[str]:
        return [f"dae.{code}" for code in self.languages] + [
            f"mt.{source}-{target}" for source, target in self.directions
        ]


@register_task("swcm_pretraining", dataclass=SwcmPretrainingConfig)
class SwcmPretrainingTask(SwcmTask):
    """Denoising of monolingual text and translation of parallel text, mixed within batches.

    An epoch takes as many denoising examples as there are, drawn by language with p_i = q_i^alpha / sum_j q_j^alpha,
    and so many translations on top that ``--mt-share`` of all are translations, drawn by pair with the same formula,
    both directions alike. The paper leaves open what q counts; here it counts examples, which are runs of sentences up
    to the length limit, so that alpha 1 takes every one once. With no denoising, an epoch takes as many translations as
    there are.
    """

    def __init__(self, cfg, dictionary, plan: Plan):
        super().__init__(cfg, dictionary)
        self.plan = plan
        self.loss_groups = plan.groups
        self.draws_examples = self.cuts_text = True
        if plan.languages and MASK not in dictionary:
            raise SwcmError(f"the dictionary in {self.folders[0]} has no {MASK}, which denoising needs")
        self.noise = NoiseSettings(cfg.mask_ratio, cfg.poisson_lambda, cfg.permute_sentences).check()
        self.tags = self.language_indices([*plan.languages, *(target for _, target in plan.directions)])
        self.units = {code: WholeWords(dictionary.symbols, code) for code in plan.languages}
        schedule = Schedule(
            getattr(cfg.scheduled_sampling, "value", cfg.scheduled_sampling),
            cfg.sampling_start,
            cfg.sampling_half_life,
            cfg.sampling_floor,
        )
        never = [dictionary.index(symbol) for symbol in symbols_that_are_no_text(dictionary)]
        self.sampling = ScheduledSampling(schedule, cfg.seed, dictionary.pad(), never)

    @classmethod
    def setup_task(cls, cfg, **kwargs):
        plan = plan_of(cfg)
        codes = set(plan.languages) | {code for direction in plan.directions for code in direction}
        return cls(cfg, cls.read_dictionary(cfg, sorted(codes)), plan)

    # ------------------------------------------------------------------ data

    def check_data(self, run) -> None:
        """Raise one error for all that the folders lack to train on, and for pairs of different length."""
        problems = [p for folder in self.folders for p in self._problems(folder, run.train_split, True, needed=True)]
        for split in run.valid_splits:
            problems += self._problems(self.folders[0], split, run.combines_valid, needed=False)
        if problems:
            raise SwcmError("the data cannot be used", problems)

    def _problems(self, folder: str, split: str, combine: bool, needed: bool) -> List[str]:
        problems = []
        impl = self.cfg.dataset_impl
        hint = other_kind(folder, impl)
        for code in self.plan.languages:
            try:
                if load_documents(folder, split, code, self.dictionary, impl, combine) is None and needed:
                    problems.append(f"{folder} has no {split}.{code}-None.{code}{hint}")
            except SwcmError as error:
                problems.append(str(error))
        for source, target in self.plan.directions[::2]:
            try:
                found = load_pair(folder, split, source, target, self.dictionary, impl, combine)
                if needed and not found:
                    problems.append(f"{folder} has no {split}.{source}-{target}{hint}")
            except SwcmError as error:
                problems.append(str(error))
        return problems

    def load_dataset(self, split, epoch=1, combine=False, **kwargs):
        """Load ``split`` of every language and pair, with ``combine`` all its parts; epochs go through the folders."""
        folder = self.folder_of(epoch)
        found = [self._denoising(folder, split, combine, group) for group in range(len(self.plan.languages))]
        for number in range(0, len(self.plan.directions), 2):
            found += self._translation(folder, split, combine, len(self.plan.languages) + number)
        missing = [f"{split} {name}" for name, one in zip(self.loss_groups, found) if one is None]
        training = split == self.train_split
        if missing and (training or len(missing) == len(found)):
            raise SwcmError("{} has no data, or nothing but empty lines, for {}".format(folder, ", ".join(missing)))
        for name in missing:
            logger.warning("%s: no data in %s, so its loss is not measured", name, folder)
        if not training:
            self.datasets[split] = MixtureDataset([one for one in found if one is not None])
            return
        sizes = [len(one) for one in found if one is not None]  # which is all of them
        number = len(self.plan.languages)
        shares, total = objective_shares(sizes[:number], sizes[number::2], self.cfg.sampling_alpha, self.cfg.mt_share)
        self.datasets[split] = MixtureDataset(found, seed=self.cfg.seed, shares=shares, examples=total)
        for name, share in zip(self.loss_groups, shares):
            logger.info("%s: %.1f%% of %d examples an epoch", name, 100 * share, total)

    def _denoising(self, folder: str, split: str, combine: bool, group: int) -> Optional[FairseqDataset]:
        code = self.plan.languages[group]
        documents = load_documents(folder, split, code, self.dictionary, self.cfg.dataset_impl, combine)
        if documents is None:
            return None
        dataset = DenoisingDataset(
            documents,
            self.dictionary,
            self.units[code],
            self.tags[group],
            group,
            self.noise,
            self.cfg.seed,
            self.cfg.max_source_positions,
            self.cfg.max_target_positions,
            self.cfg.required_seq_len_multiple,
        )
        logger.info(
            "%s %s: %d examples of %d documents; %d sentences of more than %d pieces cut into several, "
            "%d empty documents dropped",
            split,
            self.loss_groups[group],
            len(dataset),
            len(documents),
            dataset.runs.long_sentences,
            dataset.limit,
            dataset.runs.empty_documents,
        )
        return dataset if len(dataset) else None

    def _translation(self, folder: str, split: str, combine: bool, group: int) -> Sequence[Optional[FairseqDataset]]:
        """The datasets of ``group`` and of its other direction, the next group."""
        source, target = self.plan.directions[group - len(self.plan.languages)]
        sides = load_pair(folder, split, source, target, self.dictionary, self.cfg.dataset_impl, combine)
        if not sides:
            return [None, None]
        eos = self.dictionary.eos()
        empty = [nothing_but_end(side, side.sizes, eos) for side in (sides["source"], sides["target"])]
        chosen = np.flatnonzero(~(empty[0] | empty[1]))
        datasets = []
        for number, names in ((group, ("source", "target")), (group + 1, ("target", "source"))):
            limits = (self.cfg.max_source_positions - 1, self.cfg.max_target_positions)  # <s> comes on top
            cut: List[Any] = [
                CutSequences(sides[n], sides[n].sizes, eos, limit, chosen) for n, limit in zip(names, limits)
            ]
            logger.info(
                "%s %s: %d of %d pairs, the others dropped for an empty side; %d sources and %d targets cut, "
                "%d pieces lost",
                split,
                self.loss_groups[number],
                len(chosen),
                len(empty[0]),
                cut[0].cut,
                cut[1].cut,
                cut[0].pieces_lost + cut[1].pieces_lost,
            )
            datasets.append(
                PairDataset(
                    cut[0],
                    cut[0].sizes,
                    cut[1],
                    cut[1].sizes,
                    self.dictionary,
                    self.tags[number],
                    group=number,
                    pad_to_multiple=self.cfg.required_seq_len_multiple,
                )
            )
        return datasets if len(chosen) else [None, None]

    # ------------------------------------------------------------------ training

    def train_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
        """One batch forward and backward, after a pass for scheduled sampling where it is due."""
        if self.sampling.schedule.kind != "none":
            metrics.log_scalar("forcing", self.sampling.schedule.teacher_forcing(update_num), round=4)
            mixed_precision = isinstance(optimizer, AMPOptimizer)
            with torch.cuda.amp.autocast() if mixed_precision else contextlib.nullcontext():
                sample = self.sampling(model, sample, update_num)
        return super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)


def plan_of(cfg) -> Plan:
    """What the flags ask for; raises ``SwcmError`` for all that is wrong with them."""
    languages, pairs = _names(cfg.dae_langs), _names(cfg.mt_pairs)
    problems = [] if cfg.data else ["give the data folder"]
    if not languages and not pairs:
        problems.append("nothing to train: give --dae-langs bo,kk,zh, or --mt-pairs zh-bo,zh-kk, or both")
    for flag, names in (("--dae-langs", languages), ("--mt-pairs", pairs)):
        problems += [f"{flag} names {name} twice" for name in sorted(set(names)) if names.count(name) > 1]
    split = [tuple(pair.split("-")) for pair in pairs]
    wrong = [name for name, codes in zip(pairs, split) if len(codes) != 2 or codes[0] == codes[-1]]
    problems += [f"--mt-pairs: {name!r} is not two languages as in zh-bo" for name in wrong]
    twice = sorted({"-".join(pair) for pair in split if pair[::-1] in split and pair < pair[::-1]})
    problems += [f"--mt-pairs: {pair} stands in both orders; each pair goes both ways anyway" for pair in twice]
    for code in sorted(set(languages) | {code for codes in split for code in codes}):
        try:
            tag_of(code)
        except SwcmError as error:
            problems.append(str(error))
    if languages and pairs and not 0 < cfg.mt_share < 1:
        problems.append(f"--mt-share is {cfg.mt_share}; with both objectives it lies between 0 and 1")
    if cfg.sampling_alpha < 0:
        problems.append(f"--sampling-alpha is {cfg.sampling_alpha}; it is 0 or more")
    if min(cfg.max_source_positions, cfg.max_target_positions) < 3:
        problems.append("--max-source-positions and --max-target-positions must be 3 or more")
    if problems:
        raise SwcmError("the pretraining task cannot start", problems)
    return Plan(languages, [direction for pair in split for direction in (pair, pair[::-1])])


def _names(text: Optional[str]) -> List[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]
