"""How fast one worker makes denoising examples: tokens of noised source a second.

Makes documents like real ones (words of Zipf's distribution cut into pieces, sentences and documents of many lengths)
in a vocabulary of XLM-R's size, reads them through the dataset that pretraining uses, and times what a data worker
does: fetching a text, adding noise, and collating batches. The time is the processor's, which is that of the clock
where the worker has a core to itself. Prints JSON with --json, else a line a language. Nothing is written.

    python -m recipes.benchmark.noise

Hardware: one processor core. Time: some 15 seconds.
"""

import argparse
import json
import platform
import sys
import time
from typing import Dict

import numpy as np
import torch
from fairseq.data import Dictionary

from swcm_fairseq.data.denoising import DenoisingDataset
from swcm_fairseq.data.noise import NoiseSettings
from swcm_fairseq.errors import run_command
from swcm_fairseq.languages import tag_of
from swcm_fairseq.vocabulary.whole_words import SPACE, WholeWords

TSHEG = "\u0f0b"


def make_dictionary(size: int, code: str) -> Dictionary:
    """``size`` pieces, a third of them opening a word, and one in three ending with a tsheg; the tag of ``code``."""
    dictionary = Dictionary()
    for number in range(size):
        opening, closing = SPACE if number % 3 == 0 else "", TSHEG if number % 9 > 5 else ""
        dictionary.add_symbol(f"{opening}p{number}{closing}")
    dictionary.add_symbol("<mask>")
    dictionary.add_symbol(tag_of(code))
    return dictionary


def make_documents(count: int, sentences: int, dictionary: Dictionary, random: np.random.Generator):
    """``count`` documents of about ``sentences`` sentences of about 25 pieces, by Zipf's law."""
    eos, first = dictionary.eos(), dictionary.nspecial
    pieces = dictionary.index("<mask>") - first
    documents = []
    for _ in range(count):
        parts = []
        for _ in range(random.poisson(sentences - 1) + 1):
            ids = random.zipf(1.2, random.poisson(24) + 1) % pieces + first
            parts.append(np.append(ids, eos))
        documents.append(torch.from_numpy(np.concatenate(parts)))
    return documents


def measure(dataset: DenoisingDataset, seconds: float, batch: int) -> Dict[str, float]:
    """Make examples for ``seconds``, ``batch`` at a time, and count."""
    order = np.random.RandomState(0).permutation(len(dataset))
    tokens = examples = place = 0
    start, clock = time.process_time(), time.perf_counter()
    while time.process_time() - start < seconds:
        made = [dataset[int(order[(place + i) % len(order)])] for i in range(batch)]
        dataset.collater(made)
        tokens += sum(len(example.source) for example in made)
        examples += batch
        place += batch
    passed = time.process_time() - start
    return {
        "tokens_per_second": round(tokens / passed),
        "examples_per_second": round(examples / passed),
        "tokens_per_example": round(tokens / examples, 1),
        "processor_seconds": round(passed, 2),
        "clock_seconds": round(time.perf_counter() - clock, 2),
    }


def main(argv=None) -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--langs", default="kk,bo,zh", metavar="kk,bo", help="languages, whose units differ")
    parser.add_argument("--sentences", type=int, default=20, metavar="N", help="sentences a document; 1 is the slowest")
    parser.add_argument("--documents", type=int, default=1000, metavar="N")
    parser.add_argument("--pieces", type=int, default=250000, metavar="V", help="size of the vocabulary")
    parser.add_argument("--batch", type=int, default=16, metavar="N", help="examples a batch")
    parser.add_argument("--seconds", type=float, default=3.0, metavar="S", help="for each language")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args(argv)

    torch.set_num_threads(1)  # one worker
    results = {}
    for code in args.langs.split(","):
        dictionary = make_dictionary(args.pieces, code)
        documents = make_documents(args.documents, args.sentences, dictionary, np.random.default_rng(0))
        units = WholeWords(dictionary.symbols, code)
        tag = dictionary.index(tag_of(code))
        dataset = DenoisingDataset(documents, dictionary, units, tag, 0, NoiseSettings(), 1, 256, 256)
        results[code] = measure(dataset, args.seconds, args.batch)
        if not args.json:
            print(
                "{}: {tokens_per_second:,} source tokens a second and worker, {examples_per_second:,} examples of "
                "{tokens_per_example} tokens".format(code, **results[code])
            )
    if args.json:
        setting = {
            "sentences": args.sentences,
            "pieces": args.pieces,
            "numpy": np.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
        }
        print(json.dumps({"setting": setting, "languages": results}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
