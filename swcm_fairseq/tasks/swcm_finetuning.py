"""Fine-tuning: one or several pairs of source and target in one model (paper, section 4.2)."""

import logging
from dataclasses import dataclass, field
from typing import Dict, List, NamedTuple, Optional

from fairseq.tasks import register_task
from omegaconf import II

from ..data.data_bin import load_pair, other_kind
from ..data.mixture import MixtureDataset
from ..data.pairs import PairDataset
from ..errors import SwcmError
from ..languages import tag_of
from ..validation.scores import ValidationScores
from ..validation.sentences import ScoredSentences
from ..validation.settings import ValidationConfig, check_best_metric, score_names
from ..vocabulary.pieces import Pieces
from ..vocabulary.symbols import SENTENCEPIECE_MODEL
from .base import SwcmTask

logger = logging.getLogger(__name__)


@dataclass
class SwcmFinetuningConfig(ValidationConfig):
    """Flags of ``--task swcm_finetuning``."""

    data: str = field(
        default="", metadata={"help": "data folder of recipes/binarize.sh, or several joined by colons, one a pass"}
    )
    lang_pairs: Optional[str] = field(
        default=None, metadata={"help": "pairs of file suffixes to train together, such as zh-kk,zh-mn"}
    )
    source_lang: Optional[str] = field(
        default=None, metadata={"help": "suffix of the source files, for one pair", "argparse_alias": "-s"}
    )
    target_lang: Optional[str] = field(
        default=None, metadata={"help": "suffix of the target files, for one pair", "argparse_alias": "-t"}
    )
    target_tag: Optional[str] = field(
        default=None, metadata={"help": "language of the target, where it is not the suffix (such as bo)"}
    )
    sampling_alpha: float = field(
        default=1.0, metadata={"help": "exponent of the shares that pairs are drawn with; 1 takes every example once"}
    )
    truncate_source: bool = field(default=False, metadata={"help": "cut sources to --max-source-positions"})
    max_source_positions: int = field(default=512, metadata={"help": "longest source in pieces, specials included"})
    max_target_positions: int = field(default=512, metadata={"help": "longest target in pieces, </s> included"})
    dataset_impl: Optional[str] = II("dataset.dataset_impl")
    required_seq_len_multiple: int = II("dataset.required_seq_len_multiple")
    seed: int = II("common.seed")


class Pair(NamedTuple):
    """A pair of file suffixes, and the language that the second is in."""

    source: str
    target: str
    language: str

    def __str__(self) -> str:
        return f"{self.source}-{self.target}"


@register_task("swcm_finetuning", dataclass=SwcmFinetuningConfig)
class SwcmFinetuningTask(SwcmTask):
    """Translation, summarization and reading comprehension from pairs of text.

    The source is ``<s> x </s>``; the decoder starts with the target language's tag and writes ``y </s>``.
    File suffixes and languages are two things: in summarization both sides are in one language.
    """

    def __init__(self, cfg, dictionary, pairs: List[Pair]):
        super().__init__(cfg, dictionary)
        self.pairs = pairs
        self.tags = self.language_indices([pair.language for pair in pairs])
        self.loss_groups = [f"mt.{pair}" for pair in pairs]
        self.draws_examples = len(pairs) > 1 and cfg.sampling_alpha != 1
        self.score_names = score_names(cfg)
        self._scores: Optional[ValidationScores] = None

    @classmethod
    def setup_task(cls, cfg, **kwargs):
        pairs = pairs_of(cfg)
        suffixes = [suffix for pair in pairs for suffix in (pair.source, pair.target)]
        return cls(cfg, cls.read_dictionary(cfg, sorted(set(suffixes))), pairs)

    def check_data(self, run) -> None:
        """Raise one error for all pairs without files, or with sides of different length; one for useless scores."""
        parts = [(folder, run.train_split, True) for folder in self.folders]
        parts += [(self.folders[0], split, run.combines_valid) for split in run.valid_splits]
        problems = []
        for folder, split, combine in parts:
            try:
                self._load_sides(folder, split, combine)
            except SwcmError as error:
                problems += error.problems
        if problems:
            raise SwcmError("the data cannot be used", problems)
        if run.valid_splits:
            self._check_scores(run)

    def _load_sides(self, folder: str, split: str, combine: bool) -> List[Dict]:
        """Both sides of every pair; raises for all pairs at once."""
        found, problems = [], []
        impl = self.cfg.dataset_impl
        for pair in self.pairs:
            try:
                found.append(load_pair(folder, split, pair.source, pair.target, self.dictionary, impl, combine))
                if not found[-1]:
                    problems.append(f"{folder} has no {split}.{pair}{other_kind(folder, impl)}")
            except SwcmError as error:
                problems.append(str(error))
        if problems:
            raise SwcmError("the data cannot be used", problems)
        return found

    def load_dataset(self, split, epoch=1, combine=False, **kwargs):
        """Load ``split`` of every pair, with ``combine`` all its parts; epochs go through the folders in turn."""
        folder = self.folder_of(epoch)
        datasets = [
            PairDataset(
                sides["source"],
                sides["source"].sizes,
                sides["target"],
                sides["target"].sizes,
                self.dictionary,
                self.tags[group],
                group=group,
                max_source=self._cut_to(),
                pad_to_multiple=self.cfg.required_seq_len_multiple,
            )
            for group, sides in enumerate(self._load_sides(folder, split, combine))
        ]
        for pair, dataset in zip(self.pairs, datasets):
            logger.info("%s %s: %d examples from %s", split, pair, len(dataset), folder)
            if dataset.cut:
                found = split, pair, dataset.cut, len(dataset), dataset.max_source
                logger.warning("%s %s: %d of %d sources are longer than %d pieces and are cut", *found)
        if len(datasets) == 1:
            self.datasets[split] = datasets[0]
        else:
            alpha = self.cfg.sampling_alpha if split == self.train_split else None
            self.datasets[split] = MixtureDataset(datasets, alpha, self.cfg.seed)
        if self.score_names and split != self.train_split:
            sizes = [len(dataset) for dataset in datasets]
            self.datasets[split] = ScoredSentences(self.datasets[split], sizes, self.cfg.validation_sentences)

    # ------------------------------------------------------------------ validation

    def _check_scores(self, run) -> None:
        scores = ValidationScores.logged(self.score_names, self.loss_groups)
        others = None
        if run.root.criterion._name == "swcm_cross_entropy":
            others = ["loss", "nll_loss", "ppl", "accuracy"]
            others += [group + what for group in self.loss_groups for what in ("_nll", "_ppl", "_acc")]
        check_best_metric(run.root.checkpoint, scores, others)
        if self.score_names:
            self.scores()  # raises for what is missing to make them

    def scores(self) -> ValidationScores:
        """Decoding of validation sets; raises ``SwcmError`` where no SentencePiece model lies beside the data."""
        if self._scores is None:
            path = self._sentencepiece_model()
            if path is None:
                raise SwcmError(
                    f"--validation-scores needs the {SENTENCEPIECE_MODEL} that cut the text, to join decoded "
                    f"pieces: put it into {self.folders[0]}"
                )
            languages = [pair.language for pair in self.pairs]
            self._scores = ValidationScores(self, self.cfg, self.score_names, languages, Pieces.load(path))
        return self._scores

    def valid_step(self, sample, model, criterion):
        """fairseq's, and with ``--validation-scores`` the batch is decoded too."""
        loss, sample_size, logging_output = super().valid_step(sample, model, criterion)
        if self.score_names:
            logging_output.update(self.scores().measure(model, sample))
        return loss, sample_size, logging_output

    def reduce_metrics(self, logging_outputs, criterion):
        """fairseq's, and the scores are logged apart from what the criterion knows of."""
        if self._scores is not None:
            logging_outputs = self._scores.take_from(logging_outputs)
        super().reduce_metrics(logging_outputs, criterion)


def pairs_of(cfg) -> List[Pair]:
    """The pairs that the flags name; raises ``SwcmError`` for all that is wrong with them."""
    if not cfg.data:
        raise SwcmError("give the data folder")
    one = [cfg.source_lang, cfg.target_lang]
    if cfg.lang_pairs:
        names = [name.strip() for name in cfg.lang_pairs.split(",") if name.strip()]
        problems = [f"{name!r} is not SOURCE-TARGET" for name in names if len(name.split("-")) != 2]
        problems += [f"{name} is named twice" for name in sorted(set(names)) if names.count(name) > 1]
        if any(one):
            problems.append("--source-lang and --target-lang name one pair; leave them out or leave out --lang-pairs")
        if problems:
            raise SwcmError(f"--lang-pairs {cfg.lang_pairs}", problems)
        suffixes = [name.split("-") for name in names]
    elif all(one):
        suffixes = [one]
    elif cfg.target_lang or cfg.target_tag:
        # Raw text has no files, so the target alone will do.
        target = cfg.target_lang or cfg.target_tag
        suffixes = [[cfg.source_lang or target, target]]
    else:
        raise SwcmError("name the languages: --lang-pairs zh-kk,zh-mn or --source-lang zh --target-lang kk")
    if cfg.target_tag and len(suffixes) > 1:
        raise SwcmError(f"--target-tag {cfg.target_tag} goes with one pair, not with {cfg.lang_pairs}")
    pairs = [Pair(source, target, cfg.target_tag or target) for source, target in suffixes]
    problems = []
    for pair in pairs:
        try:
            tag_of(pair.language)
        except SwcmError as error:
            problems.append(f"{pair}: {error}; --target-tag says the language of a suffix")
    if problems:
        raise SwcmError("a language without a tag", problems)
    return pairs
