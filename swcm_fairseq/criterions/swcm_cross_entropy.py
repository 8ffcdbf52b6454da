"""The training criterion: label-smoothed cross-entropy, told apart by objective and language in the log."""

import math
from dataclasses import dataclass, field
from typing import Dict, List

import torch
from fairseq import utils
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics
from omegaconf import II

from ..modules.padding import places_of
from .chunked_loss import chunked_cross_entropy
from .rdrop import chunked_symmetric_kl, double_batch, symmetric_kl

# Logging outputs must be flat; a group's sums are one vector under its name behind this prefix.
GROUP = "group:"


@dataclass
class SwcmCrossEntropyConfig(FairseqDataclass):
    label_smoothing: float = field(
        default=0.0, metadata={"help": "share of the target's probability that is spread over all other pieces"}
    )
    loss_chunk_tokens: int = field(
        default=-1,
        metadata={
            "help": "tokens whose logits stand in memory at once; -1 chooses by vocabulary and device, 0 computes "
            "the logits of the whole batch, padding too, in the plain way"
        },
    )
    rdrop_alpha: float = field(
        default=0.0,
        metadata={
            "help": "run every batch twice and add so much of how far the two, with other dropout, are apart (R-Drop); "
            "5 is its authors' choice for translation, 0 leaves it out"
        },
    )
    sentence_avg: bool = II("optimization.sentence_avg")


@register_criterion("swcm_cross_entropy", dataclass=SwcmCrossEntropyConfig)
class SwcmCrossEntropy(FairseqCriterion):
    """Loss, nll, perplexity and accuracy of a batch, in total, per group and per objective.

    A group is "objective.languages", such as "mt.zh-kk" or "dae.bo". The task names them in ``loss_groups``, and
    ``sample["group"]``, [B], says which of them each sentence belongs to; without them only totals are logged.

    A model that has ``output_parameters()``, weight [V, C] and bias [V] or None, and returns its features [B, T, C]
    when called with ``features_only=True`` never holds the logits of the whole batch. Any other model works too.

    With ``rdrop_alpha`` a batch is run twice in training. The loss is the mean of both, plus alpha times a quarter of
    the two Kullback-Leibler divergences between them: half of R-Drop's equation 4, so that it stays a loss a token.
    """

    def __init__(self, task, sentence_avg, label_smoothing=0.0, loss_chunk_tokens=-1, rdrop_alpha=0.0):
        super().__init__(task)
        self.sentence_avg = sentence_avg
        self.label_smoothing = label_smoothing
        self.loss_chunk_tokens = loss_chunk_tokens
        self.rdrop_alpha = rdrop_alpha

    def forward(self, model, sample, reduce=True):
        """Return the loss summed over the real tokens, the sample size to divide it by, and sums for the log.

        The loss is always summed; ``reduce`` is there because fairseq passes it.
        """
        twofold = self.rdrop_alpha > 0 and model.training
        run = double_batch(sample) if twofold else sample
        target = sample["target"]
        real = run["target"].ne(self.padding_idx)
        compute = self._chunked if self.loss_chunk_tokens != 0 and hasattr(model, "output_parameters") else self._plain
        loss, nll, correct, apart = compute(model, run, real, twofold)
        if twofold:
            loss = loss / 2 + self.rdrop_alpha / 4 * apart
            nll, correct = nll.view(2, -1).mean(0), correct.to(nll).view(2, -1).mean(0)
        sample_size = target.size(0) if self.sentence_avg else sample["ntokens"]
        logging_output = {
            "loss": loss.detach(),
            "nll_loss": nll.sum(),
            "n_correct": correct.sum(),
            "ntokens": sample["ntokens"],
            "nsentences": target.size(0),
            "sample_size": sample_size,
        }
        logging_output.update(self._group_sums(sample, real[: target.size(0)], nll, correct))
        return loss, sample_size, logging_output

    def _chunked(self, model, sample, real, twofold):
        """Loss, nll [N], correct [N] of the N real tokens, and how far both halves of the batch are apart or None.

        Never holds all their logits.
        """
        features, extra = model(**sample["net_input"], features_only=True)
        weight, bias = extra.get("output_parameters") or model.output_parameters()
        # index_select, because the backward pass of indexing with a mask is slow.
        kept = places_of(real, sample["ntokens"] * (2 if twofold else 1))
        hidden = features.flatten(0, 1).index_select(0, kept)
        targets = sample["target"].flatten().index_select(0, kept)
        found = chunked_cross_entropy(hidden, weight, bias, targets, self.label_smoothing, self.loss_chunk_tokens)
        apart = chunked_symmetric_kl(hidden, weight, bias, self.loss_chunk_tokens) if twofold else None
        return (*found, apart)

    def _plain(self, model, sample, real, twofold):
        """The same by the formula itself, from the probabilities that the model gives."""
        net_output = model(**sample["net_input"])
        log_probs = model.get_normalized_probs(net_output, log_probs=True)[real]
        targets = sample["target"][real]
        nll = -log_probs.gather(1, targets.unsqueeze(1)).squeeze(1)
        spread = self.label_smoothing / (log_probs.size(1) - 1)
        loss = (1.0 - self.label_smoothing - spread) * nll.sum() - spread * log_probs.sum()
        apart = symmetric_kl(*log_probs.chunk(2)) if twofold else None
        return loss, nll.detach(), log_probs.argmax(1).eq(targets), apart

    def _group_sums(self, sample, real, nll, correct):
        """A vector (nll, correct, tokens) for every group of the task, whether it occurs in the batch or not.

        fairseq adds logging outputs of several processes up by position, so all must have the same keys.
        """
        names = getattr(self.task, "loss_groups", None) or []
        sums = nll.new_zeros(len(names), 3)
        if names and sample.get("group") is not None:
            places = places_of(real, sample["ntokens"])
            group = sample["group"].index_select(0, torch.div(places, real.size(1), rounding_mode="floor"))
            sums.index_add_(0, group, torch.stack([nll, correct.to(nll), torch.ones_like(nll)], dim=1))
        return {GROUP + name: vector for name, vector in zip(names, sums)}

    @classmethod
    def reduce_metrics(cls, logging_outputs):
        """Log the averages of one update, over all its batches and processes."""
        if not logging_outputs:
            return
        sums = _add_up(logging_outputs)
        (loss,), (sample_size,) = sums["loss"], sums["sample_size"]
        if sample_size > 0:
            metrics.log_scalar("loss", loss / sample_size / math.log(2), sample_size, round=3)
        total = [sums[key][0] for key in ("nll_loss", "n_correct", "ntokens")]
        _log(total, "nll_loss", "ppl", "accuracy", priority=10)

        groups = {key[len(GROUP) :]: value for key, value in sums.items() if key.startswith(GROUP)}
        objectives: Dict[str, List[float]] = {}
        for name, values in groups.items():
            objective = objectives.setdefault(name.split(".")[0], [0.0, 0.0, 0.0])
            objective[:] = [a + b for a, b in zip(objective, values)]
        if len(objectives) > 1:
            groups.update(objectives)
        for name, values in groups.items():
            _log(values, name + "_nll", name + "_ppl", name + "_acc", priority=30)

    @staticmethod
    def logging_outputs_can_be_summed():
        """Everything that ``forward`` logs is a sum; the alternative gathers pickles, which needs a GPU."""
        return True


def _add_up(logging_outputs):
    """Sum over batches: {key: list of Python floats}, fetched from the device all at once.

    Python numbers, because meters go into checkpoints, and safe loading refuses NumPy's.
    """
    sums = {key: sum(log[key] for log in logging_outputs) for key in logging_outputs[0]}
    sizes = [value.numel() if torch.is_tensor(value) else 0 for value in sums.values()]
    tensors = [value.reshape(-1).double() for value in sums.values() if torch.is_tensor(value)]
    numbers = iter(torch.cat(tensors).tolist() if tensors else [])
    return {
        key: [next(numbers) for _ in range(size)] if size else [float(value)]
        for (key, value), size in zip(sums.items(), sizes)
    }


def _log(sums, nll_key, ppl_key, accuracy_key, priority):
    """Log sums (nll, correct, tokens) as averages over tokens; nothing when there were none."""
    nll, correct, tokens = sums
    if tokens > 0:
        metrics.log_scalar(nll_key, nll / tokens / math.log(2), tokens, priority=priority, round=3)
        metrics.log_derived(ppl_key, lambda meters: _perplexity(meters[nll_key].avg), priority=priority)
        metrics.log_scalar(accuracy_key, 100.0 * correct / tokens, tokens, priority=priority, round=3)


def _perplexity(nll):
    # An interval without the group leaves its meter empty.
    return None if nll is None else utils.get_perplexity(nll)
