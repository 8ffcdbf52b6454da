"""What transfer gave: scores of each language with its tag forced and without, beside the baselines.

ROUGE-L of the outputs, of the references shuffled among themselves and of each text's first sentence; the share of
outputs, and of references, in a wrong language. The texts are taken whole, not as far as the model reads them.
"""

import argparse
import os
import sys
from typing import Dict, List, Sequence

from swcm_fairseq.errors import run_command
from swcm_fairseq.files import atomic_write, write_json
from swcm_fairseq.scoring import score
from swcm_fairseq.scoring.baselines import first_sentences, shuffled
from swcm_fairseq.scoring.corpus import read_generated, read_lines

METRICS = ("rougeL", "wrong_language")
# The share of wrong language may exceed the references' by so many points.
ALLOWED = 5.0
SAMPLES = 3


def outputs(options: argparse.Namespace, code: str) -> Dict[str, Sequence[str]]:
    """Every system's and baseline's outputs in one language; the references and the sources too."""
    prefix = os.path.join(options.text, f"{options.part}.text_{code}-{code}.")
    references, sources = read_lines(prefix + code), read_lines(prefix + "text_" + code)
    found: Dict[str, Sequence[str]] = {
        "references": references,
        "shuffled": shuffled(references),
        "first-sentence": first_sentences(sources),
    }
    for name, folder in (("forced", options.forced), ("free", options.free)):
        found[name] = read_generated(os.path.join(folder, f"text_{code}-{code}.txt")).hypotheses
    return found


def passes(systems: Dict[str, Dict[str, float]]) -> bool:
    """Whether forcing brought the right language, and better summaries than either baseline."""
    forced, references = systems["forced"], systems["references"]
    return forced["wrong_language"] <= references["wrong_language"] + ALLOWED and forced["rougeL"] > max(
        systems["shuffled"]["rougeL"], systems["first-sentence"]["rougeL"]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True, metavar="DIR", help="folder with the tests' texts and references")
    parser.add_argument("--part", default="test", help="test or valid (%(default)s)")
    parser.add_argument("--forced", required=True, metavar="DIR", help="outputs with the language's own tag")
    parser.add_argument("--free", required=True, metavar="DIR", help="outputs with the tag of the fine-tuning")
    parser.add_argument("--langs", nargs="+", required=True, metavar="XX")
    parser.add_argument("--out", required=True, metavar="FILE", help="JSON file to write")
    options = parser.parse_args()
    results: Dict[str, Dict] = {}
    samples: List[str] = []
    for code in options.langs:
        found = outputs(options, code)
        scores = {name: score(lines, found["references"], code, METRICS) for name, lines in found.items()}
        results[code] = dict(scores, passes=passes(scores))
        step = max(1, len(found["references"]) // SAMPLES)
        for i in range(0, len(found["references"]), step):
            samples += ["", "reference  " + found["references"][i]]
            samples += [f"{name:<9}  {found[name][i]}" for name in ("forced", "free")]
    with atomic_write(options.out) as stream:
        write_json(stream, results)
    row = "{:<6}{:>10}{:>8}{:>10}{:>16}{:>14}{:>8}{:>12}  {}"
    print(row.format("", "ROUGE-L", "", "", "", "wrong lang.", "", "", ""))
    print(row.format("", "forced", "free", "shuffled", "first sentence", "forced", "free", "references", "passes"))
    for code, systems in results.items():
        rouge = [systems[name]["rougeL"] for name in ("forced", "free", "shuffled", "first-sentence")]
        wrong = [systems[name]["wrong_language"] for name in ("forced", "free", "references")]
        cells = [f"{value:.1f}" for value in rouge + wrong]
        print(row.format(code, *cells, "yes" if systems["passes"] else "no"))
    print("\n".join(samples))


if __name__ == "__main__":
    sys.exit(run_command(main))
