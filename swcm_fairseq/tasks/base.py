"""What the tasks share: one dictionary with tags, raw text in and out, and a forced target language."""

import logging
import os
from typing import List, Optional, Tuple

import numpy as np
import torch
from fairseq import utils
from fairseq.data import Dictionary
from fairseq.tasks import FairseqTask

from ..data.data_bin import check_dictionary_of, load_dictionary, sentencepiece_model
from ..data.pairs import PairDataset
from ..decoding.generator import check_search, generate, options_of, repaired_search, score, views_of
from ..errors import SwcmError
from ..fairseq_patches import join_command
from ..files import atomic_write
from ..languages import tag_of
from ..training.pace import Pace
from ..training_run import TrainingRun
from ..vocabulary.dictionary import check_sentencepiece_model, tags_in
from ..vocabulary.pieces import Pieces
from ..vocabulary.symbols import DICTIONARY
from .flags import REFUSED_IN_TRAINING, GivenFlags, refuse_translations_flags

logger = logging.getLogger(__name__)


class SwcmTask(FairseqTask):
    """Base of the package's tasks.

    Args:
        cfg: with ``data``: a folder, or several joined by colons, one a pass over the data.
        dictionary: of source and target.
    """

    #: Batches are padded on the right.
    left_pad_target = False

    def __init__(self, cfg, dictionary: Dictionary):
        super().__init__(cfg)
        join_command(cfg)
        self.dictionary = dictionary
        self.folders = utils.split_paths(cfg.data)
        self.flags = GivenFlags.of(cfg)
        #: Names of the groups that the criterion reports apart, ``objective.languages``.
        self.loss_groups: List[str] = []
        #: Whether an epoch of training is drawn from the examples, so that not every one is in each.
        self.draws_examples = False
        #: Whether all text is cut to ``max_positions``.
        self.cuts_text = False
        #: Dictionary ids of the target languages' tags, one a group.
        self.tags: List[int] = []
        #: Name of the split that is trained on.
        self.train_split = "train"
        # The longest source of each model that was built.
        self._model_positions: List[int] = []
        # The --max-tokens of the batches that are being made.
        self._most_tokens: Optional[int] = None
        self._pace: Optional[Pace] = None

    @classmethod
    def add_args(cls, parser) -> None:
        """The task's flags; and for those of fairseq's translation task that it lacks, what to use."""
        super().add_args(parser)
        refuse_translations_flags(parser)

    @property
    def source_dictionary(self) -> Dictionary:
        return self.dictionary

    @property
    def target_dictionary(self) -> Dictionary:
        return self.dictionary

    @classmethod
    def read_dictionary(cls, cfg, suffixes: List[str]) -> Dictionary:
        """The data's dictionary, which must hold tags."""
        folders = utils.split_paths(cfg.data)
        missing = [folder for folder in folders if not os.path.isdir(folder)]
        if missing:
            raise SwcmError(f"no such data folder: {', '.join(missing)}")
        dictionary = load_dictionary(folders, suffixes)
        logger.info("dictionary: %d symbols, tags %s", len(dictionary), " ".join(tags_in(dictionary.symbols)))
        return dictionary

    def language_indices(self, codes: List[str]) -> List[int]:
        """Dictionary ids of languages' tags; raises ``SwcmError`` for all that the dictionary lacks."""
        tags = [tag_of(code) for code in codes]
        missing = [tag for tag in dict.fromkeys(tags) if tag not in self.dictionary]
        if missing:
            known = " ".join(tags_in(self.dictionary.symbols)) or "none"
            raise SwcmError(
                f"the dictionary in {self.folders[0]} has no tag {' '.join(missing)}; it has: {known}. Make one with "
                "preprocess/build_dict.py --langs"
            )
        return [self.dictionary.index(tag) for tag in tags]

    # ------------------------------------------------------------------ building

    def build_model(self, cfg, from_checkpoint=False):
        """Build the model; in a training run also leave what decoding needs beside the checkpoints."""
        run = None if from_checkpoint else TrainingRun.of(cfg)
        if run is not None:
            self.flags.refuse(REFUSED_IN_TRAINING)
            run.check_restored_files()
            pieces = self._sentencepiece_model()
            self.train_split = run.train_split
            self._pace = Pace(run.root.optimization.max_update) if run.is_master else None
            self.check_data(run)
            for path in run.checkpoints_at_hand():
                check_dictionary_of(path, self.dictionary.symbols)
        model = super().build_model(cfg, from_checkpoint)
        self._model_positions.append(model.max_positions()[0])
        if run is not None:
            self._check_later_epochs(run, model)
            run.at_start(lambda: self._save_decoding_files(run, pieces))
        return model

    def _cut_to(self) -> Optional[int]:
        """Where ``--truncate-source`` cuts: its limit, or the model's where that is shorter; None where it does not."""
        if not getattr(self.cfg, "truncate_source", False):
            return None
        return min([self.cfg.max_source_positions, *self._model_positions])

    def check_data(self, run: TrainingRun) -> None:
        """Raise for data that cannot be trained on, while nothing has been written."""

    def train_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
        """fairseq's; after a few updates the log says how long the others will take."""
        if self._pace is not None:
            self._pace.note(update_num)
        return super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)

    def max_positions(self):
        """(source, target) limits in pieces."""
        return self.cfg.max_source_positions, self.cfg.max_target_positions

    def folder_of(self, epoch: int) -> str:
        """The data of an epoch, which go through the folders in turn; raises for flags that decoding would ignore."""
        if self.flags.decoding:
            self.flags.check_generate()
        return self.folders[(epoch - 1) % len(self.folders)]

    # ------------------------------------------------------------------ batches

    def get_batch_iterator(self, dataset, max_tokens=None, *arguments, **options):
        """fairseq's; sentences that no batch can hold are named, or left out where that was asked for."""
        self._most_tokens = max_tokens
        return super().get_batch_iterator(dataset, max_tokens, *arguments, **options)

    def filter_indices_by_size(self, indices, dataset, max_positions=None, ignore_invalid_inputs=False):
        """The examples that fit the model's positions and ``--max-tokens``.

        Raises:
            SwcmError: one does not, and such are not to be left out; or none of a whole split does.
        """
        kept, ignored, reason = self._fitting(indices, dataset, max_positions)
        if len(ignored) == 0:
            return kept
        split = next((name for name, one in self.datasets.items() if one is dataset), None)
        first = "sentence {}{} has {} and {} pieces".format(
            ignored[0], f" of {split}" if split else "", *dataset.size(ignored[0])
        )
        if len(kept) == 0 and split is not None:
            raise SwcmError(f"nothing is left of {split}: {first}, and {reason}")
        if not ignore_invalid_inputs:
            raise _too_long(first, reason)
        logger.warning("%d sentences of %d are left out; %s, and %s", len(ignored), len(indices), first, reason)
        return kept

    def _fitting(self, indices, dataset, max_positions) -> Tuple[np.ndarray, List[int], str]:
        """Of ``indices`` those that fit, those that do not, and the limits that these are over."""
        kept, ignored = dataset.filter_indices_by_size(indices, max_positions)
        kept = np.asarray(kept, dtype=np.int64)
        reason = "the limits are {} on the source side and {} on the target's".format(*max_positions)
        if self._most_tokens:
            lengths = _lengths(dataset, kept)
            if len(ignored) == 0 and (lengths > self._most_tokens).any():
                reason = f"--max-tokens is {self._most_tokens}"
            ignored = [*ignored, *kept[lengths > self._most_tokens]]
            kept = kept[lengths <= self._most_tokens]
        return kept, ignored, reason

    def _check_later_epochs(self, run: TrainingRun, model) -> None:
        """Raise for a sentence that a later epoch cannot hold: of another folder, or not drawn in the first epoch.

        The first epoch's batches are made before training begins anyway.
        """
        settings = run.root.dataset
        if settings.skip_invalid_size_inputs_valid_test:
            return
        limits = utils.resolve_max_positions(self.max_positions(), model.max_positions())
        if self.cuts_text and limits == self.max_positions() and (settings.max_tokens or max(limits)) >= max(limits):
            return
        self._most_tokens = settings.max_tokens
        for number, folder in enumerate(self.folders, start=1):
            if number == 1 and not self.draws_examples:
                continue
            self.load_dataset(run.train_split, epoch=number)
            whole = self.datasets.pop(run.train_split)
            for dataset in getattr(whole, "datasets", [whole]):
                _, ignored, reason = self._fitting(np.arange(len(dataset)), dataset, limits)
                if len(ignored):
                    found = folder, run.train_split, self.loss_groups[dataset.group], ignored[0]
                    sizes = dataset.size(ignored[0])
                    raise _too_long("{}: {} {}: sentence {} has {} and {} pieces".format(*found, *sizes), reason)

    def _sentencepiece_model(self) -> Optional[str]:
        """Path of the SentencePiece model beside the data, or None; raises where it is not the dictionary's."""
        path = sentencepiece_model(self.folders)
        if path is not None:
            check_sentencepiece_model(self.dictionary.symbols, path)
        return path

    def _save_decoding_files(self, run: TrainingRun, pieces: Optional[str]) -> None:
        if not run.is_master:
            return
        with atomic_write(os.path.join(run.save_dir, DICTIONARY)) as stream:
            self.dictionary.save(stream)
        if pieces is not None:
            run.keep_beside_checkpoints(pieces)

    def build_bpe(self, args):
        """The SentencePiece model that cut the data, so that text goes in and out; where there is none, ``--bpe``."""
        path = self._sentencepiece_model()
        if path is None:
            return super().build_bpe(args)
        self.flags.leave_text_to_pieces(path)
        return Pieces.load(path)

    def build_tokenizer(self, args):
        """``--tokenizer``, but where a SentencePiece model cut the data: its pieces are of text as it is."""
        return None if self._sentencepiece_model() is not None else super().build_tokenizer(args)

    def build_generator(self, models, args, seq_gen_cls=None, extra_gen_cls_kwargs=None, **kwargs):
        """fairseq's generator, which here never writes a tag, ``<mask>`` or ``<s>``: they are no text."""
        check_search(args)
        options = options_of(args, self.dictionary, extra_gen_cls_kwargs or {}, self.folders[0])
        seen = views_of(models, self.dictionary)
        generator = super().build_generator(seen, args, seq_gen_cls, extra_gen_cls_kwargs=options, **kwargs)
        repaired_search(generator)
        return generator

    # ------------------------------------------------------------------ decoding

    def default_tag_index(self) -> Optional[int]:
        """The tag that raw input is decoded into, or None when the task has several targets."""
        return self.tags[0] if len(set(self.tags)) == 1 else None

    def inference_step(self, generator, models, sample, prefix_tokens=None, constraints=None):
        """Decode a batch; the decoder's first input is each sentence's tag, which forces the language."""
        given = {"prefix_tokens": prefix_tokens, "constraints": constraints}
        if not hasattr(generator, "beam_size"):  # scores references, whose inputs hold the tag already
            return score(generator, models, sample, self.dictionary, **given)
        tags = sample.get("tag")
        if tags is None:  # fairseq-interactive makes batches of its own
            tags = torch.full((sample["net_input"]["src_tokens"].size(0),), self._raw_text_tag())
        return generate(generator, models, sample, tags, self.dictionary, **given)

    def build_dataset_for_inference(self, src_tokens, src_lengths, constraints=None):
        """Raw input for ``fairseq-interactive``: pieces without ``<s>``, cut where ``--truncate-source`` says so."""
        self.flags.check_interactive()
        tag = self._raw_text_tag()
        return PairDataset(
            src_tokens,
            src_lengths,
            None,
            None,
            self.dictionary,
            tag,
            max_source=self._cut_to(),
            constraints=constraints,
        )

    def _raw_text_tag(self) -> int:
        tag = self.default_tag_index()
        if tag is None:
            raise SwcmError("several target languages: say which with --target-lang or --target-tag")
        return tag


def _too_long(first: str, reason: str) -> SwcmError:
    return SwcmError(
        f"{first}, but {reason}; shorten it, cut sources with --truncate-source, or leave such sentences out with "
        "--skip-invalid-size-inputs-valid-test"
    )


def _lengths(dataset, indices: np.ndarray) -> np.ndarray:
    """Pieces of the longer side of each example, [N]."""
    try:
        return np.asarray(dataset.num_tokens_vec(indices))
    except NotImplementedError:
        return np.array([dataset.num_tokens(index) for index in indices])
