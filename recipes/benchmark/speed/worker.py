"""The process of one system: it builds it, and then does and times what the parent asks for over a pipe."""

import logging
import os
import time
import traceback
import warnings

from swcm_fairseq.errors import SwcmError

from .workload import fingerprint, pairs_of


def serve(pipe, system: str, case, purpose: str) -> None:
    """Answer requests (name, arguments) with (True, result) or (False, why not) until the pipe is closed."""
    os.environ["OMP_NUM_THREADS"] = str(case["threads"])
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # What fairseq and transformers say on the way would bury the table.
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    worker = None
    while True:
        try:
            name, arguments = pipe.recv()
        except EOFError:
            return
        try:
            if worker is None:
                worker = _machine(case) if system == "machine" else Worker(system, case, purpose)
            pipe.send((True, getattr(worker, name)(*arguments)))
        except SwcmError as error:
            pipe.send((False, str(error)))
        except Exception:
            pipe.send((False, traceback.format_exc()))


def build(system: str, case, purpose: str):
    """One of the systems by its name on the command line."""
    if system == "hf":
        from .huggingface import HuggingFace

        return HuggingFace(case, purpose)
    from .fairseq_systems import Ours, Transformer

    return {"ours": Ours, "fairseq": Transformer}[system](case, purpose)


class Worker:
    """One system; batches are named by the parent and made once."""

    def __init__(self, system: str, case, purpose: str):
        import torch

        torch.set_num_threads(case["threads"])
        self.case = case
        self.system = build(system, case, purpose)
        self.batches = {}

    def parameters(self) -> int:
        """How many numbers are learnt, what is shared counted once."""
        return sum(parameter.numel() for parameter in self.system.parameters())

    def make(self, name: str, lengths, seed: int):
        """Make the batch ``name`` of sentences of these lengths; returns the fingerprint of what is in it, and its
        real pieces (source, target)."""
        batch = self.system.batch(pairs_of(lengths, self.case["vocabulary"], seed))
        self.batches[name] = batch
        sentences = self.system.sentences(batch)
        counts = tuple(sum(len(pair[side]) for pair in sentences) for side in (0, 1))
        return fingerprint(sentences), counts

    def train(self, name: str):
        """(wall-clock seconds, processor seconds) of one training step."""
        return self._timed(lambda: self.system.train(self.batches[name]))[0]

    def generate(self, name: str, beam: int):
        """((wall-clock seconds, processor seconds), lengths of all hypotheses) of decoding a batch."""
        return self._timed(lambda: self.system.generate(self.batches[name], beam))

    def memory(self, name: str) -> dict:
        """Bytes of a training step at its highest, above weights, gradients and optimizer state.

        To be asked for after at least one step, so that all state is there.
        """
        from .memory import bytes_of, peak_above

        lasting, absent = lasting_bytes(self.system, bytes_of)
        above = peak_above(lambda: self.system.train(self.batches[name]), self.case["device"])
        return {"above": above - absent, "lasting": lasting + absent}

    def _timed(self, work):
        self._wait()
        start, processor = time.perf_counter(), time.process_time()
        result = work()
        self._wait()
        return (time.perf_counter() - start, time.process_time() - processor), result

    def _wait(self) -> None:
        if self.case["device"] == "cuda":
            import torch

            torch.cuda.synchronize()


def lasting_bytes(system, bytes_of):
    """Bytes of weights, gradients and optimizer state: (those in memory now, those of gradients freed between steps).

    A float32 master that the optimizer keeps beside a bf16 weight is optimizer state, and so is its gradient where
    it stays in memory.
    """
    weights = system.parameters()
    optimizer = system.optimizer()
    masters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments = [value for state in optimizer.state.values() for value in state.values()]
    gradients = [parameter.grad for parameter in weights + masters]
    absent = sum(p.numel() * p.element_size() for p in weights if p.requires_grad and p.grad is None)
    return bytes_of(weights + masters + moments + gradients), absent


def _machine(case):
    from .ceilings import Machine

    return Machine(case)
