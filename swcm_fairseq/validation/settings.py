"""The flags, and what cannot be asked for with them."""

from dataclasses import dataclass, field
from typing import List, Optional

from fairseq.dataclass import FairseqDataclass

from ..errors import SwcmError
from ..scoring import METRICS

# "repeated" compares each output with all others, so its parts cannot be added up.
KNOWN = tuple(name for name in METRICS if name != "repeated")


@dataclass
class ValidationConfig(FairseqDataclass):
    """Flags of a task that can decode its validation sets."""

    validation_scores: Optional[str] = field(
        default=None,
        metadata={
            "help": "decode the validation sets too and log these scores, with commas, such as "
            "chrfpp,rougeL,exact_match (names of swcm-score's --metrics); with several pairs the mean over them, and "
            "each pair's. Goes with --best-checkpoint-metric chrfpp --maximize-best-checkpoint-metric"
        },
    )
    validation_beam: int = field(default=1, metadata={"help": "beam size of that decoding; 1 is greedy and quickest"})
    validation_max_len_a: float = field(
        default=0.0, metadata={"help": "outputs have at most so many pieces for each of the source's, and"}
    )
    validation_max_len_b: int = field(default=200, metadata={"help": "so many on top"})
    validation_sentences: int = field(
        default=0,
        metadata={
            "help": "decode at most so many sentences of each pair and set, evenly spread over it, the same ones every "
            "time; 0 decodes all"
        },
    )
    validation_print_samples: bool = field(
        default=False, metadata={"help": "log some of the decoded sentences with their sources and references"}
    )


def score_names(cfg: ValidationConfig) -> List[str]:
    """The scores that the flags ask for, none twice; raises ``SwcmError`` for all that is wrong with the flags."""
    # Settings of a checkpoint that is older than these flags may lack them.
    asked = getattr(cfg, "validation_scores", None) or ""
    names = [name.strip() for name in asked.split(",") if name.strip()]
    problems = ["there is no score {!r}; there are: {}".format(n, ", ".join(KNOWN)) for n in names if n not in KNOWN]
    for flag, least in (
        ("--validation-beam", 1),
        ("--validation-max-len-a", 0),
        ("--validation-max-len-b", 1),
        ("--validation-sentences", 0),
    ):
        value = getattr(cfg, flag[2:].replace("-", "_"), None)
        if value is not None and value < least:
            problems.append(f"{flag} is {value}; it is {least} or more")
    if problems:
        raise SwcmError(f"--validation-scores {asked}", problems)
    return list(dict.fromkeys(names))


def check_best_metric(checkpoint, scores: List[str], others: Optional[List[str]]) -> None:
    """Raise ``SwcmError`` where no best checkpoint can be chosen; fairseq would stop at the first validation.

    Args:
        checkpoint: fairseq's flags of that group.
        scores: names that scores will be logged under.
        others: names that the criterion logs; None where they are not known.
    """
    name, maximize = checkpoint.best_checkpoint_metric, checkpoint.maximize_best_checkpoint_metric
    said = f"--best-checkpoint-metric {name}: "
    score = next((one for one in METRICS if name == one or name.endswith("_" + one)), None)
    if score is not None and name not in scores:
        raise SwcmError(said + "a score that --validation-scores does not ask for")
    if score is None:
        if others is not None and name not in others:
            raise SwcmError(said + "nothing of that name is logged; there is {}".format(", ".join(others + scores)))
        return
    better = METRICS[score].better
    if better == 0:
        raise SwcmError(said + "neither more of it is better nor less")
    if better == 1 and not maximize:
        raise SwcmError(said + "more is better, so add --maximize-best-checkpoint-metric")
    if better == -1 and maximize:
        raise SwcmError(said + "less is better, so leave out --maximize-best-checkpoint-metric")
