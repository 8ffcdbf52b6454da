"""Scheduled sampling in two parallel passes (Bengio et al. 2015; for transformers, Mihaylova and Martins 2019).

The first pass, without gradients, gives the model's own prediction for every position; some positions of the decoder's
input are replaced by them; the second pass is trained as ever. No token-by-token loop.
"""

import contextlib
import math
from typing import Dict, List, NamedTuple, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import SwcmError
from ..modules.padding import asking_waits

SCHEDULES = ("none", "linear", "exponential", "inverse-sigmoid")


class Schedule(NamedTuple):
    """How the probability of teacher forcing falls with the updates.

    With t updates since ``start`` and h the half-life: linear 1 - t / 2h; exponential 2 ** (-t / h); inverse-sigmoid
    k / (k + exp(t / k)) with k ln k = h. All three are at a half when t = h, and none falls below ``floor``.

    Attributes:
        kind: one of ``SCHEDULES``.
        start: update at which the fall begins.
        half_life: updates from there until a half.
        floor: lowest probability; 1 is plain training.
    """

    kind: str = "none"
    start: int = 0
    half_life: int = 10000
    floor: float = 0.0

    def check(self) -> "Schedule":
        """Return the schedule; raises ``SwcmError`` for all that cannot be."""
        problems = []
        if self.kind not in SCHEDULES:
            problems.append("--scheduled-sampling is {!r}, not one of {}".format(self.kind, ", ".join(SCHEDULES)))
        if self.start < 0:
            problems.append(f"--sampling-start is {self.start}; updates count from 0")
        if self.half_life < 1:
            problems.append(f"--sampling-half-life is {self.half_life}; give at least 1 update")
        if not 0 <= self.floor <= 1:
            problems.append(f"--sampling-floor is {self.floor}; it is a probability, from 0 to 1")
        if problems:
            raise SwcmError("this schedule cannot be followed", problems)
        return self

    def teacher_forcing(self, update: int) -> float:
        """Probability that an input of the decoder is the right one, after ``update`` updates."""
        since = update - self.start
        if self.kind == "none" or since < 0:
            return 1.0
        return max(self.floor, _FALL[self.kind](since, self.half_life))


def _linear(since: int, half_life: int) -> float:
    return 1 - since / (2 * half_life)


def _exponential(since: int, half_life: int) -> float:
    return 0.5 ** (since / half_life)


def _inverse_sigmoid(since: int, half_life: int) -> float:
    k = _solve_k_ln_k(half_life)
    return 1 / (1 + math.exp(min(since / k, 700.0)) / k)  # exp overflows soon after 700


def _solve_k_ln_k(value: float) -> float:
    """The k >= 1 with k ln k = ``value``, by Newton's method (the function is convex, so it cannot miss)."""
    k = 1 + value
    for _ in range(50):
        k -= (k * math.log(k) - value) / (math.log(k) + 1)
    return k


_FALL = {"linear": _linear, "exponential": _exponential, "inverse-sigmoid": _inverse_sigmoid}


class ScheduledSampling:
    """Replaces inputs of the decoder by the model's own predictions.

    Which inputs is a function of (seed, update, the batch's examples), so a run that is resumed, or one whose batches
    go to other processes, draws the same.

    Args:
        schedule: of teacher forcing.
        seed: of the draw.
        pad: id of padding.
        never: ids that are never predicted, ``pad`` among them.
    """

    def __init__(self, schedule: Schedule, seed: int, pad: int, never: List[int]):
        self.schedule = schedule.check()
        self.seed = seed
        self.pad = pad
        self.never = sorted(set(never) | {pad})

    def __call__(self, model, sample: Dict, update: int) -> Dict:
        """``sample`` with other ``prev_output_tokens``; the same object where nothing is to be replaced."""
        forcing = self.schedule.teacher_forcing(update)
        if forcing >= 1.0 or not sample:
            return sample
        inputs = sample["net_input"]["prev_output_tokens"]
        # The numbers that the host keeps: to read them from the device means to wait for it.
        ids = sample.get("host_ids") or sample["id"].tolist()
        # Which inputs are padding is such a question too, so there some predictions are made for nothing.
        chosen = (self._draw if asking_waits(inputs) else self.choose)(inputs, ids, update, 1 - forcing)
        rows, columns = (places.to(inputs.device, non_blocking=True) for places in chosen.nonzero(as_tuple=True))
        if len(rows) == 0:
            return sample
        # The output at a position is the prediction of the next one's input.
        predicted = predict(model, sample["net_input"], rows, columns - 1, self.never)
        before = inputs[rows, columns]
        inputs = inputs.index_put((rows, columns), torch.where(before.eq(self.pad), before, predicted))
        return dict(sample, net_input=dict(sample["net_input"], prev_output_tokens=inputs))

    def choose(self, inputs: Tensor, ids: Sequence[int], update: int, probability: float) -> Tensor:
        """bool [B, T], each input with ``probability``; never the tag at position 0, never padding."""
        return self._draw(inputs, ids, update, probability).to(inputs.device) & inputs.ne(self.pad)

    def _draw(self, inputs: Tensor, ids: Sequence[int], update: int, probability: float) -> Tensor:
        """The same, padding not left out, on the CPU."""
        key = np.random.SeedSequence([self.seed, update, *map(int, ids)])
        drawn = np.random.Generator(np.random.PCG64(key)).random(tuple(inputs.shape)) < probability
        drawn[:, 0] = False
        return torch.from_numpy(drawn)


@torch.no_grad()
def predict(model, net_input: Dict, rows: Tensor, columns: Tensor, never: List[int]) -> Tensor:
    """The most likely pieces at the positions (``rows``, ``columns``) [N] of a batch, ids [N].

    The model runs in evaluation mode: predictions are those of decoding, and the random state that the trained pass
    draws its dropout from stays as it is. Logits are computed at the asked positions alone, some at a time.
    """
    with _evaluating(model, asking_waits(rows)):
        memory = model.encoder(net_input["src_tokens"], src_lengths=net_input["src_lengths"])
        features, _ = model.decoder(net_input["prev_output_tokens"], encoder_out=memory, features_only=True)
    asked = features[rows, columns]
    weight, bias = model.decoder.output_parameters()
    predicted = []
    suppressed = torch.tensor(never).to(rows.device, non_blocking=True)
    for some in asked.split(max(64, 2**25 // weight.size(0))):
        logits = F.linear(some, weight, bias)
        predicted.append(logits.index_fill_(1, suppressed, -math.inf).argmax(1))
    return torch.cat(predicted)


@contextlib.contextmanager
def _evaluating(model, asking_is_slow: bool):
    training = model.training
    model.eval()
    if asking_is_slow:
        # Parts are to predict, but to look for padding no more than in training.
        model.encoder.training = model.decoder.training = True
    try:
        yield
    finally:
        model.train(training)
