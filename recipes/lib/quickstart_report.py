"""The quickstart's scores, its baselines and its samples.

Baselines on the same test sets: ``shuffled``, the references in another order, which is what a model scores that
ignores its source; ``copy``, the source as it is.
"""

import argparse
import os
import sys
from typing import Dict, List, Tuple

from swcm_fairseq.errors import run_command
from swcm_fairseq.files import atomic_write, write_json
from swcm_fairseq.scoring import score
from swcm_fairseq.scoring.baselines import shuffled
from swcm_fairseq.scoring.corpus import read_generated, read_lines

SAMPLES = 10
METRICS = (("bleu", "BLEU"), ("chrf", "chrF"), ("chrfpp", "chrF++"))


def outputs(out: str, systems, lang: str, pivot: str = "zh"):
    """Test sources, references, and every system's and baseline's outputs in one language."""
    pair = f"{pivot}-{lang}"
    sources, references = (read_lines(os.path.join(out, "split", f"test.{pair}.{side}")) for side in (pivot, lang))
    found = {system: read_generated(os.path.join(out, system, "test", pair + ".txt")).hypotheses for system in systems}
    found["shuffled"] = shuffled(references)
    found["copy"] = sources
    return sources, references, found


def table(results, langs) -> str:
    lines = ["{:10s}{}".format("", "".join("{:>10s}".format(lang + " " + t) for lang in langs for _, t in METRICS))]
    for system, scores in results.items():
        cells = "".join(f"{scores[lang][key]:10.1f}" for lang in langs for key, _ in METRICS)
        lines.append(f"{system:10s}{cells}")
    signatures = next(iter(results.values()))[langs[0]]["signatures"]
    return "\n".join(lines + [""] + [f"{title}: {signatures[key]}" for key, title in METRICS])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="the quickstart's folder")
    parser.add_argument("--langs", nargs="+", required=True)
    parser.add_argument("--systems", nargs="+", required=True)
    args = parser.parse_args()

    results: Dict[str, Dict] = {}
    samples: List[List[Tuple[str, str, str, str]]] = []
    for lang in args.langs:
        sources, references, found = outputs(args.out, args.systems, lang)
        for system, hypotheses in found.items():
            results.setdefault(system, {})[lang] = score(hypotheses, references, lang)
        # Spread over the test set, whose order says nothing of how hard a sentence is.
        step = max(1, len(sources) // SAMPLES)
        samples.append([(lang, sources[i], references[i], found["shared"][i]) for i in range(0, len(sources), step)])
    with atomic_write(os.path.join(args.out, "scores.json")) as stream:
        write_json(stream, {"systems": results})

    print(table(results, args.langs))
    by_turns = [sample for row in zip(*samples) for sample in row][:SAMPLES]
    for lang, source, reference, hypothesis in by_turns:
        print(f"\nzh         {source}\n{lang:10s} {hypothesis}\nreference  {reference}")


if __name__ == "__main__":
    sys.exit(run_command(main))
