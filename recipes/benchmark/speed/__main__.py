"""Speed and memory of ours against Hugging Face's EncoderDecoderModel and fairseq's transformer.

recipes/benchmark/speed.sh says what is measured, and calls this.
"""

import argparse
import itertools
import json
import os
import platform
import sys

from recipes.lib import reproduce_ledger, reproduce_speed
from swcm_fairseq.errors import run_command
from swcm_fairseq.files import atomic_write, refuse_overwrite

from . import growth, measure, plot, startup
from .operations import Shape, matched_layers, standard
from .report import print_section
from .workload import BUILT_IN, read_lengths

SYSTEMS = ("ours", "hf", "fairseq")
WHAT = ("train", "generate", "memory", "startup", "growth")
IN_LEDGER = ("train", "generate", "memory")
DTYPES = ("float32", "bf16")


def arguments(words=None):
    """The settings from the command line, or from ``words``."""
    parser = argparse.ArgumentParser(
        prog="speed.sh", description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )

    def several(name, choices, default, text, kind=str):
        def parse(value):
            found = [kind(part) for part in value.split(",")]
            if choices and not set(found) <= set(choices):
                raise argparse.ArgumentTypeError("{!r}: choose from {}".format(value, ",".join(choices)))
            return found

        parser.add_argument(name, type=parse, default=default, metavar="A,B", help=text)

    several("--what", WHAT, ",".join(WHAT), "which of {}".format(",".join(WHAT)))
    several("--systems", SYSTEMS, ",".join(SYSTEMS), "which of {}; ratios want ours".format(",".join(SYSTEMS)))
    several("--vocabulary", None, "12500,135000,250000", "pieces, specials included", int)
    several("--dtype", DTYPES, ",".join(DTYPES), "which of {}".format(",".join(DTYPES)))
    several("--beams", None, "1,5", "of generation; 1 is greedy", int)
    several("--sizes", None, "1,64", "sentences a batch of generation", int)
    parser.add_argument("--rounds", type=int, default=5, help="rounds after the one that warms up")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
    parser.add_argument("--lengths", default=BUILT_IN, help="data-bin folder, or file with source and target lengths")
    parser.add_argument("--max-tokens", type=int, help="pieces a training batch (default: 600, on a GPU 8192)")
    parser.add_argument("--batches", type=int, default=6, help="training batches a round")
    parser.add_argument("--decoding-batches", type=int, default=1, help="batches a round (4 times as many of size 1)")
    parser.add_argument("--memory-pieces", type=int, default=2048, help="target pieces of the step whose memory counts")
    parser.add_argument("--layers", type=int, default=4, help="of the encoder")
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--inner", type=int, help="width inside feed-forward (default: 4 times the width)")
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--insert-every", type=int, default=3, help="ours: a normal layer after so many custom ones")
    parser.add_argument("--decoder-layers", type=int, help="the others' (default: as many weights as ours has)")
    parser.add_argument("--hf-attention", default="sdpa", choices=["sdpa", "eager"])
    parser.add_argument("--hf-bf16", default="autocast", choices=["autocast", "weights"], help="how it trains in bf16")
    parser.add_argument("--hf-shared-embeddings", action="store_true", help="one token table; its default is two")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write all numbers there")
    parser.add_argument("--plot", metavar="FILE", help="draw growth there, as SVG")
    parser.add_argument("--force", action="store_true", help="replace these files")
    parser.add_argument("--ledger", metavar="FOLDER", help="write each measurement there, and leave out what is there")
    parser.add_argument("--commit", default="", help="what the ledger says of the code's commit")
    args = parser.parse_args(words)
    for name, least in (("rounds", 1), ("threads", 1), ("batches", 1), ("decoding_batches", 1), ("memory_pieces", 2)):
        if getattr(args, name) < least:
            parser.error("--{} must be at least {}".format(name.replace("_", "-"), least))
    if args.width % args.heads:
        parser.error(f"--width {args.width} is no multiple of --heads {args.heads}")
    if min(args.vocabulary) < 16:
        parser.error("--vocabulary must be at least 16")
    return args


def base_case(args) -> dict:
    """The settings that all measurements share; plain values, since processes send them to each other."""
    names = "rounds threads batches decoding_batches layers width heads insert_every hf_attention hf_bf16".split()
    case = {name: getattr(args, name) for name in names + ["hf_shared_embeddings", "seed"]}
    case["device"] = has_gpu() if args.device == "auto" else args.device
    case["inner"] = args.inner or 4 * args.width
    case["max_tokens"] = args.max_tokens or (600 if case["device"] == "cpu" else 8192)
    case["max_positions"] = 512
    return case


def full_case(args, case, vocabulary: int, dtype: str) -> dict:
    """``case`` with its vocabulary and dtype, and what follows from them."""
    case = dict(case, vocabulary=vocabulary, dtype=dtype)
    inserted = case["layers"] // case["insert_every"] if case["insert_every"] > 0 else 0
    layers = case["layers"]
    ours = Shape(
        case["width"], case["inner"], vocabulary, layers,
        self_attentions=layers + inserted, cross_attentions=layers + inserted, feed_forwards=2 * layers + inserted,
    )  # fmt: skip
    case["decoder_layers"] = args.decoder_layers or matched_layers(ours)
    case["shapes"] = {
        "ours": ours,
        "fairseq": standard(ours, case["decoder_layers"], head=False),
        "hf": standard(ours, case["decoder_layers"], head=True),
    }
    return case


def has_gpu() -> str:
    """ "cuda" where torch sees a GPU; asked in another process, so that this one stays small."""
    import subprocess

    if os.environ.get("SWCM_DEVICE") == "cpu":
        return "cpu"
    probe = "import torch, sys; sys.exit(0 if torch.cuda.is_available() else 1)"
    return "cuda" if subprocess.run([sys.executable, "-c", probe]).returncode == 0 else "cpu"


def main():
    args = arguments()
    for path in filter(None, (args.json, args.plot)):
        refuse_overwrite(path, args.force)
    lengths = read_lengths(args.lengths)
    case = base_case(args)
    longest = case["max_positions"] - 2
    lengths = [(min(source, longest), min(target, longest)) for source, target in lengths]
    results = []

    def done(section, full, numbers):
        kept = {name: value for name, value in full.items() if name != "shapes"}
        results.append({"section": section, "case": kept, **numbers})
        print_section(results[-1])
        if args.json:  # after each, so that a run that is stopped has given something
            write(args, results)
        if args.ledger and section in IN_LEDGER:
            reproduce_speed.record(args.ledger, section, kept, numbers, args.commit)

    def wanted(section, full, beam=None, size=None):
        if section not in args.what:
            return False
        name = reproduce_speed.name_of(section, full, beam, size) if args.ledger else ""
        there = bool(name) and os.path.exists(reproduce_ledger.path_of(args.ledger, name))
        if there:
            print(f"{name}: there already", flush=True)
        return not there

    for vocabulary in args.vocabulary:
        for dtype in args.dtype:
            full = full_case(args, case, vocabulary, dtype)
            if wanted("train", full):
                done("train", full, measure.training(full, args.systems, lengths))
            for beam, size in itertools.product(args.beams, args.sizes):
                if wanted("generate", full, beam, size):
                    done("generate", full, measure.generation(full, args.systems, lengths, beam, size))
            if wanted("memory", full):
                done("memory", full, measure.memory(full, args.systems, lengths, args.memory_pieces))
    if "startup" in args.what:
        done("startup", case, {"seconds": startup.startup(args.rounds)})
    if "growth" in args.what:
        curves = growth.growth(
            lambda vocabulary: full_case(args, case, vocabulary, args.dtype[-1]),
            args.vocabulary if len(args.vocabulary) > 1 else growth.VOCABULARIES,
            args.rounds, args.seed,
        )  # fmt: skip
        done("growth", dict(case, dtype=args.dtype[-1]), {"seconds_per_piece": curves})
        if args.plot:
            with atomic_write(args.plot) as stream:
                stream.write(plot.svg(curves))
    return 0


def write(args, results) -> None:
    with atomic_write(args.json) as stream:
        json.dump({"machine": platform.platform(), "arguments": vars(args), "results": results}, stream, indent=1)
        stream.write("\n")


if __name__ == "__main__":
    sys.exit(run_command(main))
