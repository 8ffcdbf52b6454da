"""fairseq's flags that a task is started with beside its own: which of them it cannot follow, and what to use."""

import argparse
import dataclasses
import logging
from typing import Any, Dict, List, Optional

from fairseq.dataclass.configs import FairseqConfig
from omegaconf import open_dict

from ..errors import SwcmError

logger = logging.getLogger(__name__)

_SPEECH = "is for speech"
_REFINED = "is for models that write all at once and refine it"

#: What no command can do here: name in fairseq's configuration -> why, and what to use. A flag that is given from habit
#: and changes no text is only warned of.
REFUSED: Dict[str, Dict[str, str]] = {
    "generation": {
        "beam_mt": _SPEECH,
        "max_len_a_mt": _SPEECH,
        "max_len_b_mt": _SPEECH,
        "lenpen_mt": _SPEECH,
        "eos_token": _SPEECH,
        "replace_unk": "replaces words, and texts are pieces here, which leave next to nothing unknown",
        "print_step": _REFINED,
        "iter_decode_eos_penalty": _REFINED,
        "iter_decode_max_iter": _REFINED,
        "iter_decode_force_max_iter": _REFINED,
        "iter_decode_with_beam": _REFINED,
        "iter_decode_with_external_reranker": _REFINED,
        "retain_iter_history": _REFINED,
        "decoding_format": _REFINED,
    },
}
WARNED: Dict[str, Dict[str, str]] = {
    "generation": {
        "no_early_stop": "does nothing in fairseq any more",
        "no_beamable_mm": "does nothing for these models",
    },
}
#: What one command alone can do.
REFUSED_IN_GENERATE: Dict[str, Dict[str, str]] = {
    "generation": {"constraints": "are typed with the sentence: use fairseq-interactive --constraints"},
}
REFUSED_IN_INTERACTIVE: Dict[str, Dict[str, str]] = {
    "generation": {
        "score_reference": "wants references: use fairseq-generate",
        "prefix_size": "takes the start of references: use fairseq-generate",
    },
    "dataset": {"num_shards": "parts data: use fairseq-generate", "shard_id": "parts data: use fairseq-generate"},
}
REFUSED_IN_TRAINING: Dict[str, Dict[str, str]] = {
    "dataset": {
        "num_shards": "parts data to decode; to train on several devices give --distributed-world-size",
        "shard_id": "parts data to decode; to train on several devices give --distributed-world-size",
    },
}
#: Flags of fairseq's task translation that this package's tasks have otherwise, or not.
OF_TRANSLATION = {
    "--load-alignments": "alignments are not trained on",
    "--left-pad-source": "batches are padded on the right, which changes no output",
    "--left-pad-target": "batches are padded on the right, which changes no output",
    "--upsample-primary": "use --sampling-alpha with --lang-pairs, or name the part several times in --trainpref",
    "--num-batch-buckets": "is for TPUs; use --required-seq-len-multiple",
    "--eval-bleu": "use --validation-scores bleu",
    "--eval-bleu-args": "use --validation-beam, --validation-max-len-a and -b",
    "--eval-bleu-detok": "use --validation-scores bleu, which joins pieces by itself",
    "--eval-bleu-detok-args": "use --validation-scores bleu, which joins pieces by itself",
    "--eval-tokenized-bleu": "use --validation-scores bleu, which is computed on text",
    "--eval-bleu-remove-bpe": "use --validation-scores bleu, which joins pieces by itself",
    "--eval-bleu-print-samples": "use --validation-print-samples",
}


class _Instead(argparse.Action):
    """Ends a command that is given a flag of ``OF_TRANSLATION``."""

    def __call__(self, parser, namespace, values, option_string=None):
        parser.error(f"{option_string}: {OF_TRANSLATION[option_string]}")


def refuse_translations_flags(parser) -> None:
    """Have ``parser`` say what to use for flags of fairseq's own translation task."""
    for flag in OF_TRANSLATION:
        parser.add_argument(flag, action=_Instead, nargs="?", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


class GivenFlags:
    """What the command line says outside of the task's own flags.

    Args:
        root: the command's whole configuration, or None where a task is set up otherwise.
    """

    def __init__(self, root) -> None:
        self.root = root
        self._checked = False

    @classmethod
    def of(cls, cfg) -> "GivenFlags":
        """Those of the command whose configuration ``cfg`` is a part of; raises for what no command can do."""
        parent = getattr(cfg, "_get_parent", None)
        root = parent() if parent is not None else None
        flags = cls(root if root is not None and "common_eval" in root and "generation" in root else None)
        for given in flags.listed(WARNED):
            logger.warning("%s", given)
        flags.refuse(REFUSED)
        return flags

    @property
    def decoding(self) -> bool:
        """Whether a checkpoint is named to decode or validate with."""
        return self.root is not None and bool(self.root.common_eval.path)

    def listed(self, table: Dict[str, Dict[str, str]]) -> List[str]:
        """The flags of ``table`` with a value that is not their default, each with what the table says of it."""
        found = []
        for group, reasons in table.items() if self.root is not None else ():
            for name, reason in reasons.items():
                known = _field(group, name)
                if known is not None and name in self.root[group] and self.root[group][name] != known.default:
                    found.append(f"{_flag(known)} {reason}")
        return found

    def refuse(self, table: Dict[str, Dict[str, str]]) -> None:
        """Raise one ``SwcmError`` for all flags of ``table`` that are given."""
        found = self.listed(table)
        if found:
            raise SwcmError("; ".join(found))

    def check_interactive(self) -> None:
        """Raise for what ``fairseq-interactive`` would pass over or fail at."""
        self.refuse(REFUSED_IN_INTERACTIVE)
        if self.root is not None and self.root.generation.print_alignment == "soft":
            raise SwcmError("--print-alignment soft: fairseq-interactive prints hard ones; use fairseq-generate")

    def check_generate(self) -> None:
        """Raise for what ``fairseq-generate`` would fail at, and give effect to ``--num-shards``.

        fairseq parts a test set by ``--distributed-world-size`` and passes its own flag for it over.
        """
        self.refuse(REFUSED_IN_GENERATE)
        dataset, processes = self.root.dataset, self.root.distributed_training
        if dataset.num_shards > 1 and processes.distributed_world_size == 1:
            if not 0 <= dataset.shard_id < dataset.num_shards:
                raise SwcmError(f"--shard-id is {dataset.shard_id}; it is 0 to {dataset.num_shards - 1}")
            with open_dict(self.root):
                processes.distributed_world_size = dataset.num_shards
                processes.distributed_rank = dataset.shard_id

    def leave_text_to_pieces(self, path: str) -> None:
        """Take back what would work on text that is put together already, such as ``--remove-bpe``.

        The model at ``path`` cuts text and joins it, so the flags that do so for other data have nothing left to do; a
        second joining would take the spaces out.
        """
        if self.root is None or self._checked:
            return
        self._checked = True
        asked = {
            "--post-process": self.root.common_eval.post_process,
            "--bpe": getattr(self.root.bpe, "_name", None),
            "--tokenizer": getattr(self.root.tokenizer, "_name", None),
        }
        given = [f"{flag} {value}" for flag, value in asked.items() if value]
        if given:
            logger.info("%s: not needed, %s cuts and joins the text", ", ".join(given), path)
        with open_dict(self.root):
            self.root.common_eval.post_process = None
        scoring = getattr(self.root.scoring, "_name", None)
        if self.decoding and scoring in (None, "bleu") and not self.root.generation.sacrebleu:
            logger.warning(
                "the BLEU that fairseq-generate prints is computed on pieces (BPE tokens), not on words, and is "
                "comparable with no other; for scores of the text use swcm-score --generate-output"
            )


def _field(group: str, name: str) -> Optional[dataclasses.Field]:
    groups: Dict[str, Any] = {field.name: field.default for field in dataclasses.fields(FairseqConfig)}
    return {field.name: field for field in dataclasses.fields(groups[group])}.get(name)


def _flag(field: dataclasses.Field) -> str:
    return field.metadata.get("argparse_alias") or "--" + field.name.replace("_", "-")
