"""What scheduled sampling costs: the time of a step with it, over that of a step without.

A step is forward and backward of a random model on one batch, without the optimizer, which costs the same with and
without. Measured with the share of replaced inputs at 0.25, 0.5 and 1. Prints JSON with --json, else a line each.
Nothing is written.

    python -m recipes.benchmark.scheduled_sampling

Hardware: a processor, or a GPU with --device cuda. Time: a minute on a processor. Expect ratios below 1.5.
"""

import argparse
import json
import sys
import time
from types import SimpleNamespace

import torch
from fairseq.data import Dictionary

from swcm_fairseq.criterions.chunked_loss import chunked_cross_entropy
from swcm_fairseq.errors import run_command
from swcm_fairseq.models.config import XlmSwcmConfig
from swcm_fairseq.models.xlm_swcm import XlmSwcmModel
from swcm_fairseq.training.scheduled_sampling import Schedule, ScheduledSampling


def make_model(args) -> XlmSwcmModel:
    """A random model of the sizes asked for."""
    dictionary = Dictionary()
    for number in range(args.pieces):
        dictionary.add_symbol(f"p{number}")
    sizes = XlmSwcmConfig(
        encoder_layers=args.layers,
        encoder_embed_dim=args.width,
        encoder_ffn_embed_dim=4 * args.width,
        encoder_attention_heads=max(1, args.width // 64),
    )
    task = SimpleNamespace(source_dictionary=dictionary, target_dictionary=dictionary)
    return XlmSwcmModel.build_model(sizes, task).to(args.device).train()


def make_batch(args):
    """Random sentences, all of one length."""
    shape = (args.sentences, args.length)
    source, inputs, target = (torch.randint(4, args.pieces, shape, device=args.device) for _ in range(3))
    lengths = torch.full((args.sentences,), args.length, device=args.device)
    net_input = {"src_tokens": source, "src_lengths": lengths, "prev_output_tokens": inputs}
    return {"id": torch.arange(args.sentences), "net_input": net_input, "target": target}


def step_time(model, batch, sampling, rounds: int) -> float:
    """The shortest of several steps, in seconds."""
    best = float("inf")
    for _ in range(rounds + 1):  # the first one warms up
        model.zero_grad()
        start = _clock(batch)
        sample = batch if sampling is None else sampling(model, batch, update=1000)  # the floor
        features, _ = model(**sample["net_input"], features_only=True)
        weight, bias = model.output_parameters()
        loss, _, _ = chunked_cross_entropy(features.flatten(0, 1), weight, bias, sample["target"].flatten(), 0.1)
        loss.backward()
        best = min(best, _clock(batch) - start)
    return best


def _clock(batch) -> float:
    """Seconds; on a processor those of this process, so that others do not count."""
    if not batch["target"].is_cuda:
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def main(argv=None) -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", type=int, default=20000, metavar="V", help="size of the vocabulary")
    parser.add_argument("--layers", type=int, default=4, metavar="N", help="of the encoder")
    parser.add_argument("--width", type=int, default=384, metavar="C")
    parser.add_argument("--sentences", type=int, default=8, metavar="B")
    parser.add_argument("--length", type=int, default=64, metavar="T", help="of sources and targets")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="steps, of which the quickest counts")
    parser.add_argument("--device", default="cpu", metavar="cpu|cuda")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args(argv)

    torch.manual_seed(0)
    model, batch = make_model(args), make_batch(args)
    plain = step_time(model, batch, None, args.rounds)
    results = {"pieces": args.pieces, "step_seconds": round(plain, 4), "ratios": {}}
    for replaced in (0.25, 0.5, 1.0):
        schedule = Schedule("linear", half_life=1, floor=1 - replaced)
        sampling = ScheduledSampling(schedule, 1, pad=1, never=[])
        ratio = step_time(model, batch, sampling, args.rounds) / plain
        results["ratios"][str(replaced)] = round(ratio, 3)
        if not args.json:
            print(f"{replaced} of the inputs replaced: {ratio:.2f} times a step without ({plain:.3f} s)")
    if args.json:
        print(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
