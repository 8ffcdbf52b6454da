"""fairseq's generators over this package's models: what they are built from, and how a batch goes through one."""

import logging
from typing import Dict, List

import torch
from fairseq import checkpoint_utils, search
from torch import Tensor

from ..allocator import keep_freed_memory
from ..errors import SwcmError
from ..vocabulary.dictionary import symbols_that_are_no_text
from ..vocabulary.pieces import is_blank
from .without_bos import LanguageModelView, ModelView, without_start

logger = logging.getLogger(__name__)

_SEARCHES = {
    "sampling": lambda args: getattr(args, "sampling", False),
    "diverse-beam-groups": lambda args: getattr(args, "diverse_beam_groups", -1) > 0,
    "match-source-len": lambda args: getattr(args, "match_source_len", False),
    "diversity-rate": lambda args: getattr(args, "diversity_rate", -1) > -1,
    "constraints": lambda args: getattr(args, "constraints", None),
}


def check_search(args) -> None:
    """Raise ``SwcmError`` for flags of the generation group that cannot go together.

    fairseq takes one of two and leaves the other out, or fails in the middle of a file.
    """
    asked = ["--" + flag for flag, given in _SEARCHES.items() if given(args)]
    problems = ["{} are different ways to search; give one".format(" and ".join(asked))] if len(asked) > 1 else []
    beam, groups = getattr(args, "beam", 5), getattr(args, "diverse_beam_groups", -1)
    if groups > 0 and beam % groups:
        problems.append(f"--diverse-beam-groups {groups} does not divide --beam {beam}")
    for flag, off in (("sampling_topk", -1), ("sampling_topp", -1.0)):
        if getattr(args, flag, off) > 0 and not getattr(args, "sampling", False):
            problems.append("--{} goes with --sampling".format(flag.replace("_", "-")))
    if beam < 1:
        problems.append(f"--beam is {beam}; it is 1 or more")
    if getattr(args, "nbest", 1) > beam:
        problems.append(f"--nbest is {args.nbest}, but a --beam of {beam} finds no more than that")
    if getattr(args, "temperature", 1.0) <= 0:
        problems.append(f"--temperature is {args.temperature}; it is more than 0")
    if getattr(args, "score_reference", False) and getattr(args, "print_alignment", None) == "soft":
        problems.append("--score-reference gives hard alignments alone; leave soft out")
    if problems:
        raise SwcmError("the flags cannot be used together", problems)


def options_of(args, dictionary, given: Dict, data: str) -> Dict:
    """What the generator's class gets beside fairseq's own: what it must not write, and the language model.

    Args:
        args: fairseq's generation group.
        given: of such options, by the caller.
        data: the folder whose dictionary a language model shares.
    """
    options = dict(given)
    if getattr(args, "score_reference", False):
        return options
    options.setdefault("tokens_to_suppress", symbols_that_are_no_text(dictionary))
    if "lm_model" not in options and getattr(args, "lm_path", None):  # fairseq-interactive passes the flag over
        options.update(lm_model=_language_model(args.lm_path, data), lm_weight=args.lm_weight)
    if options.get("lm_model") is not None:
        options["lm_model"] = LanguageModelView(options["lm_model"], dictionary.eos())
    return options


def _language_model(path: str, data: str):
    [model], _ = checkpoint_utils.load_model_ensemble([path], arg_overrides={"data": data}, task=None)
    return model


def views_of(models: List, dictionary) -> List:
    """Views of models that have an encoder and a decoder; others as they are."""
    if all(hasattr(model, "encoder") and hasattr(model, "decoder") for model in models):
        return [ModelView(model, dictionary) for model in models]
    return models


def repaired_search(generator) -> None:
    """Have ``--diverse-beam-groups`` keep enough candidates.

    One candidate a beam, which is fairseq's default there, leaves none for a beam whose best one ends the sentence.
    """
    strategy = getattr(generator, "search", None)
    if isinstance(strategy, search.DiverseBeamSearch) and hasattr(strategy, "candidate_multiple"):
        strategy.candidate_multiple = 2


def generate(generator, models: List, sample: Dict, tags: Tensor, dictionary, **options) -> List[List[Dict]]:
    """Write a batch, each sentence after its tag; a source that shows nothing gets one output, of ``</s>`` alone.

    Args:
        models: the generator's.
        sample: a batch of fairseq's form.
        tags: [B], each sentence's first input of the decoder.
        options: ``prefix_tokens`` and ``constraints``, [B, ...] or None.

    Returns:
        fairseq's hypotheses of each sentence.
    """
    source = sample["net_input"]["src_tokens"]
    shows = ~blank_rows(source, dictionary)
    rows = shows.nonzero(as_tuple=True)[0]
    found: List[List[Dict]] = [[_nothing(dictionary.eos())] for _ in range(source.size(0))]
    if len(rows) == 0:
        return found
    given = {name: tensor[rows] for name, tensor in sample["net_input"].items() if isinstance(tensor, Tensor)}
    net_input = without_start(given, dictionary)
    width = int(net_input["src_lengths"].max())
    net_input["src_tokens"] = net_input["src_tokens"][:, :width]
    if getattr(generator, "match_source_len", False):
        net_input["src_lengths"] = net_input["src_lengths"] - 1  # </s> is no piece to match
    part = {"net_input": net_input}
    options = {name: None if tensor is None else tensor[rows] for name, tensor in options.items()}
    first = tags.to(source.device)[rows].repeat_interleave(generator.beam_size)
    outputs = run_search(generator, models, part, bos_token=first, **options)
    for row, hypotheses in zip(rows.tolist(), outputs):
        found[row] = hypotheses
    return found


def run_search(generator, models: List, sample: Dict, **options) -> List[List[Dict]]:
    """fairseq's search itself; what its steps free is used again by the next ones."""
    source = sample["net_input"]["src_tokens"]
    scores = 0 if source.is_cuda else 4 * source.size(0) * generator.beam_size * generator.vocab_size
    with torch.no_grad(), keep_freed_memory(scores):
        return generator.generate(models, sample, **options)


def score(generator, models: List, sample: Dict, dictionary, **options) -> List[List[Dict]]:
    """Score the references of a batch (``--score-reference``)."""
    given = {**sample, "net_input": without_start(sample["net_input"], dictionary)}
    with torch.no_grad():
        return generator.generate(views_of(models, dictionary), given, **options)


def blank_rows(source: Tensor, dictionary) -> Tensor:
    """bool [B]: which sources [B, S] have no piece that shows anything."""
    seen = torch.unique(source)
    specials = {dictionary.bos(), dictionary.pad(), dictionary.eos()}
    blank = [index for index in seen.tolist() if index in specials or is_blank(dictionary[index])]
    return torch.isin(source, torch.tensor(blank, device=source.device)).all(dim=1)


def _nothing(eos: int) -> Dict[str, Tensor]:
    return {
        "tokens": torch.tensor([eos]),
        "score": torch.tensor(0.0),
        "attention": torch.empty(0),
        "alignment": [],
        "positional_scores": torch.zeros(1),
    }
