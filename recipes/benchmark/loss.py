#!/usr/bin/env python3
"""Time, peak memory and exactness of the chunked loss against fairseq's label_smoothed_cross_entropy.

What it does: one output layer and loss, forward and backward, by swcm_cross_entropy's chunked_cross_entropy (which
finds the accuracy as well) and by fairseq's own functions (linear, log_softmax in float32, label_smoothed_nll_loss),
on the same random numbers.
  time     both in one process, in turn; the ratio is the median of the ratios of neighbours, so that a busy machine
           slows both. CPU seconds stand beside wall-clock seconds, since they feel other processes least.
  memory   each in a fresh process: the highest resident size (ru_maxrss) less that with weights and inputs in place,
           so the gradients count. On a GPU, torch's own peak less what was allocated before.
  error    largest one of loss and gradients against the formula in float64, relative to the largest value, with and
           without smoothing.
Usage: python -m recipes.benchmark.loss, from the checkout.
Input: nothing. Output: a table, and JSON with --json FILE.
Hardware: CPU or one GPU; fairseq's way takes about 13 bytes x tokens x vocabulary, 13 GB at the defaults.
Time: about 3 minutes a line of the table on two CPU cores.
Result to expect: memory at most 0.25, time at most 1.15, errors of ours below 1e-5 in float32 (those of
fairseq's gradients with smoothing are larger: it adds up V equal small numbers).
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import time

import torch
from fairseq import utils
from fairseq.criterions.label_smoothed_cross_entropy import label_smoothed_nll_loss
from torch.nn.functional import linear

from swcm_fairseq.criterions.chunked_loss import chunked_cross_entropy
from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_write, refuse_overwrite

PAD = 1


def ours(hidden, weight, targets, smoothing, chunk):
    return chunked_cross_entropy(hidden, weight, None, targets, smoothing, chunk)[0]


def fairseqs(hidden, weight, targets, smoothing, chunk):
    log_probs = utils.log_softmax(linear(hidden, weight), dim=-1)
    return label_smoothed_nll_loss(log_probs, targets, smoothing, ignore_index=PAD)[0]


def formula(hidden, weight, targets, smoothing, chunk):
    log_probs = linear(hidden, weight).log_softmax(-1)
    return label_smoothed_nll_loss(log_probs, targets, smoothing, ignore_index=PAD)[0]


WAYS = {"ours": ours, "fairseq": fairseqs}


def make_inputs(case):
    """hidden [N, C], weight [V, C], targets [N]; logits are about as large as a trained model's."""
    torch.manual_seed(1)
    tokens, channels, vocabulary = case["tokens"], case["channels"], case["vocabulary"]
    like = {"dtype": getattr(torch, case["dtype"]), "device": case["device"]}
    # Drawn in place: a temporary would count as memory that was in use before the step.
    hidden = torch.empty(tokens, channels, **like).normal_()
    weight = torch.empty(vocabulary, channels, **like).normal_(std=2.0 / channels**0.5)
    targets = torch.randint(PAD + 1, vocabulary, (tokens,), device=case["device"])
    return hidden.requires_grad_(), weight.requires_grad_(), targets


def step(function, inputs, smoothing, chunk):
    """One forward and backward pass; returns the loss and leaves the gradients."""
    hidden, weight, targets = inputs
    hidden.grad = weight.grad = None
    loss = function(hidden, weight, targets, smoothing, chunk)
    loss.backward()
    if loss.is_cuda:
        torch.cuda.synchronize()
    return loss.detach()


def peak_memory(way, case):
    """Bytes that a step takes beyond its inputs. To be run in a process of its own."""
    torch.set_num_threads(case["threads"])
    inputs = make_inputs(case)
    if case["device"] == "cuda":
        before = torch.cuda.memory_allocated()
        step(WAYS[way], inputs, case["smoothing"], case["chunk"])
        return torch.cuda.max_memory_allocated() - before
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step(WAYS[way], inputs, case["smoothing"], case["chunk"])
    unit = 1 if sys.platform == "darwin" else 1024
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit


def memory(case):
    """Peak memory of each way, {way: bytes}. To be asked for before this process has grown.

    ru_maxrss of a new process starts from what the one that started it holds.
    """
    peaks = {}
    for way in WAYS:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            peaks[way] = pool.apply(peak_memory, (way, case))
    return peaks


def errors(case, inputs):
    """Largest error of value and gradients on the first 128 tokens, {smoothing: {way: {what: error}}}.

    Relative to the largest value, against the formula in float64: fairseq's own rounding is not the measure.
    """
    hidden, weight, targets = inputs
    part = (hidden.detach()[:128].clone().requires_grad_(), weight, targets[:128])
    exact = tuple(x.detach().double().requires_grad_() for x in part[:2]) + part[2:]
    found = {}
    for smoothing in sorted({0.0, case["smoothing"]}):
        wanted = results(formula, exact, smoothing, None)
        found[str(smoothing)] = {
            way: {
                name: float((value - wanted[name]).abs().max() / wanted[name].abs().max())
                for name, value in results(function, part, smoothing, case["chunk"]).items()
            }
            for way, function in WAYS.items()
        }
    weight.grad = None
    return found


def results(function, inputs, smoothing, chunk):
    loss = step(function, inputs, smoothing, chunk)
    return {"loss": loss, "hidden": inputs[0].grad, "weight": inputs[1].grad}


def times(case, inputs):
    """Seconds of every repeat, {clock: {way: [seconds]}}."""
    clocks = {"wall": time.perf_counter, "cpu": time.process_time}
    seconds = {name: {way: [] for way in WAYS} for name in clocks}
    for repeat in range(-1, case["repeats"]):
        for way in WAYS:
            start = {name: clock() for name, clock in clocks.items()}
            step(WAYS[way], inputs, case["smoothing"], case["chunk"])
            if repeat >= 0:  # the first round warms up
                for name, clock in clocks.items():
                    seconds[name][way].append(clock() - start[name])
    return seconds


def measure(case, peaks):
    """All numbers of one line of the table."""
    torch.set_num_threads(case["threads"])
    inputs = make_inputs(case)
    result = dict(case, peak_bytes=peaks, memory_ratio=peaks["ours"] / peaks["fairseq"])
    result["errors"] = errors(case, inputs)
    seconds = times(case, inputs)
    for name, clock in seconds.items():
        result[name + "_seconds"] = {way: statistics.median(values) for way, values in clock.items()}
        result[name + "_ratio"] = statistics.median(a / b for a, b in zip(clock["ours"], clock["fairseq"]))
    return result


def check_memory(cases):
    """Refuse what would take the machine down: an out-of-memory kill may hit any process."""
    need = max((13 * case["tokens"] + 12 * case["channels"]) * case["vocabulary"] for case in cases)
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return
    if cases[0]["device"] == "cpu" and need > free:
        raise SwcmError(
            "fairseq's loss needs about {:.0f} GB for --tokens {} --vocabulary {}, and {:.0f} GB are free; "
            "give smaller ones".format(need / 1e9, cases[0]["tokens"], cases[0]["vocabulary"], free / 1e9)
        )


HEADER = "{:>9} {:>5} {:>7} {:>6}  {:>17} {:>6}  {:>17} {:>6} {:>6}  {:>15}".format(
    "dtype", "C", "V", "N", "GB ours/fairseq", "ratio", "s ours/fairseq", "ratio", "(cpu)", "error ours/fs."
)


def row(result):
    peaks, seconds = result["peak_bytes"], result["wall_seconds"]
    worst = [max(max(one[way].values()) for one in result["errors"].values()) for way in WAYS]
    memory_part = " {:>8.2f} {:>8.2f} {:>6.3f}"
    time_part, error_part = memory_part + " {:>6.3f}", " {:>7.1e} {:>7.1e}"
    return " ".join(["{:>9} {:>5} {:>7} {:>6}", memory_part, time_part, error_part]).format(
        result["dtype"], result["channels"], result["vocabulary"], result["tokens"],
        peaks["ours"] / 1e9, peaks["fairseq"] / 1e9, result["memory_ratio"],
        seconds["ours"], seconds["fairseq"], result["wall_ratio"], result["cpu_ratio"],
        *worst,
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--vocabulary", type=int, default=250000)
    parser.add_argument("--channels", type=int, nargs="+", default=[384, 768])
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    parser.add_argument("--smoothing", type=float, default=0.1)
    parser.add_argument("--chunk", type=int, default=-1, help="tokens a chunk; -1 is the criterion's own choice")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--json", metavar="FILE", help="write all numbers there")
    parser.add_argument("--force", action="store_true", help="replace FILE")
    args = parser.parse_args()
    if args.json:
        refuse_overwrite(args.json, args.force)
    shared = {key: getattr(args, key) for key in "tokens vocabulary smoothing chunk repeats threads device".split()}
    cases = [dict(shared, channels=channels, dtype=dtype) for dtype in args.dtypes for channels in args.channels]
    check_memory(cases)
    peaks = [memory(case) for case in cases]
    print(HEADER)
    results = []
    for case, peak in zip(cases, peaks):
        results.append(measure(case, peak))
        print(row(results[-1]), flush=True)
    if args.json:
        with atomic_write(args.json) as stream:
            json.dump({"torch": torch.__version__, "results": results}, stream, indent=1)
            stream.write("\n")


if __name__ == "__main__":
    sys.exit(run_command(main))
