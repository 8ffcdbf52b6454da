"""What recipes/reproduce.sh keeps of its trainings, and the tables made of them.

    result    the validation loss of a finished training -> TRAINING/result.json
    best      the learning rate whose training has the lowest validation loss
    sizes     flags with LAYERS, WIDTH, INNER and HEADS replaced by an encoder's sizes
    collect   all test outputs -> OUT/results.json and OUT/results.md

Seeds of a row are taken together: each sentence has one row of sums over all seeds, so that intervals and tests draw
sentences, with what all seeds made of them, and the difference between seeds stands beside as a standard deviation.
Tests are against the row "shared" of the same size, p is Holm-corrected over all rows, sizes and languages.
"""

import argparse
import collections
import json
import os
import statistics
import sys
from typing import Dict, List, Sequence, Tuple

from swcm_preprocess.overlap import closest, fingerprint, index, ngrams

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_write, write_json
from swcm_fairseq.scoring import measure
from swcm_fairseq.scoring.corpus import read_generated, read_lines
from swcm_fairseq.scoring.resampling import compare, intervals
from swcm_fairseq.scoring.statistics import Statistics

BASELINE = "shared"
METRICS = ("chrfpp", "bleu", "rougeL")
SHOWN = "chrfpp"
#: Test sentences by the share of 2-character runs that the nearest training source has of theirs.
NEARNESS = (0.0, 0.3, 0.5, 1.0)


# ---------------------------------------------------------------------- one training


def write_result(training: str, row: str, pairs: int, rate: str, seed: int) -> None:
    """The loss of the best checkpoint, by fairseq's own account."""
    # Only here, since it loads torch.
    from swcm_fairseq.torch_files import safe_load

    state = safe_load(os.path.join(training, "checkpoint_best.pt"))["extra_state"]
    found = {"row": row, "pairs": pairs, "rate": rate, "seed": seed, "valid_loss": float(state["best"])}
    with atomic_write(os.path.join(training, "result.json")) as stream:
        json.dump(found, stream)


def best_rate(folder: str, rates: Sequence[str], seed: int) -> str:
    """The rate of the lowest validation loss; of equals the first."""
    return min(rates, key=lambda rate: read_result(os.path.join(folder, "{}.{}".format(rate, seed)))["valid_loss"])


def read_result(training: str) -> Dict:
    with open(os.path.join(training, "result.json"), encoding="utf-8") as stream:
        return json.load(stream)


def with_sizes(flags: str, encoder: str) -> str:
    """``flags`` with the encoder's sizes in their places."""
    with open(os.path.join(encoder, "config.json"), encoding="utf-8") as stream:
        config = json.load(stream)
    names = {
        "LAYERS": "num_hidden_layers",
        "WIDTH": "hidden_size",
        "INNER": "intermediate_size",
        "HEADS": "num_attention_heads",
    }
    return " ".join(str(config[names[word]]) if word in names else word for word in flags.split())


# ---------------------------------------------------------------------- all of them


class Row:
    """The decoded trainings of one row of the table with one number of pairs."""

    def __init__(self, pairs: int, name: str):
        self.pairs = pairs
        self.name = name
        self.trainings: List[Dict] = []
        #: by language, the statistics of each seed, in METRICS' order
        self.measured: Dict[str, List[List[Statistics]]] = collections.defaultdict(list)

    def together(self, lang: str) -> List[Statistics]:
        """Each metric's statistics with every sentence's sums over all seeds."""
        by_metric = zip(*self.measured[lang])
        return [same[0]._replace(rows=sum(one.rows for one in same)) for same in by_metric]

    def by_seed(self, lang: str) -> List[float]:
        place = METRICS.index(SHOWN)
        return [found[place].values()[SHOWN] for found in self.measured[lang]]


def read_rows(out: str, langs: Sequence[str]) -> List[Row]:
    """All rows with decoded test sets, by number of pairs."""
    found = []
    for pairs in sorted((int(name) for name in os.listdir(out) if name.isdigit())):
        folder = os.path.join(out, str(pairs))
        references = {lang: read_lines(os.path.join(folder, "split", "test.zh-{0}.{0}".format(lang))) for lang in langs}
        for name in sorted(os.listdir(folder)):
            row = Row(pairs, name)
            for training in _trainings(os.path.join(folder, name)):
                row.trainings.append(read_result(training))
                for lang in langs:
                    path = os.path.join(training, "test", "zh-{}.txt".format(lang))
                    outputs = read_generated(path).hypotheses
                    wanted = [[one] for one in references[lang]]
                    row.measured[lang].append(list(measure(outputs, wanted, lang, METRICS).values()))
            if row.trainings:
                found.append(row)
    return found


def _trainings(folder: str) -> List[str]:
    if not os.path.isdir(folder):
        return []
    names = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    return [name for name in names if os.path.exists(os.path.join(name, "test", "done"))]


def holm(values: Dict[Tuple, float]) -> Dict[Tuple, float]:
    """p by key, corrected by Holm's step-down procedure for as many tests as there are."""
    corrected, highest = {}, 0.0
    for place, key in enumerate(sorted(values, key=values.__getitem__)):
        highest = max(highest, min(1.0, values[key] * (len(values) - place)))
        corrected[key] = highest
    return corrected


def results(rows: Sequence[Row], langs: Sequence[str], nearness: Dict[Tuple[int, str], List[int]]) -> List[Dict]:
    """Scores, intervals, differences to the baseline and scores by nearness of all rows."""
    baselines = {row.pairs: row for row in rows if row.name == BASELINE}
    found, chances = [], {}
    for row in rows:
        entry = {"row": row.name, "pairs": row.pairs, "trainings": row.trainings, "langs": {}}
        for lang in langs:
            together = row.together(lang)
            scores = {name: value for one in together for name, value in one.values().items() if name in METRICS}
            ranges = {name: list(pair) for one in intervals(together) for name, pair in one.items() if name in METRICS}
            by_seed = row.by_seed(lang)
            entry["langs"][lang] = {
                "scores": scores,
                "intervals": ranges,
                "by_seed": by_seed,
                "by_nearness": _by_nearness(together[METRICS.index(SHOWN)], nearness[row.pairs, lang]),
            }
            baseline = baselines.get(row.pairs)
            if baseline is not None and baseline is not row and len(baseline.trainings) == len(row.trainings):
                differences = compare(baseline.together(lang), together)
                one = differences[METRICS.index(SHOWN)][SHOWN]
                entry["langs"][lang]["to_baseline"] = {"difference": one.difference, "interval": list(one.interval)}
                chances[row.pairs, row.name, lang] = one.p
        found.append(entry)
    corrected = holm(chances)
    for entry in found:
        for lang in langs:
            key = entry["pairs"], entry["row"], lang
            if key in corrected:
                entry["langs"][lang]["to_baseline"].update(p=chances[key], p_holm=corrected[key])
    return found


def bins_of(out: str, pairs: int, lang: str) -> List[int]:
    """For each test sentence the place in NEARNESS of its nearest training source."""
    split = os.path.join(out, str(pairs), "split")
    name = "{}.zh-" + lang + ".zh"
    trained, tested = (
        [ngrams(fingerprint(line), 2) for line in read_lines(os.path.join(split, name.format(part)))]
        for part in ("train", "test")
    )
    postings = index(trained)
    near = [closest(one, trained, postings) for one in tested]
    return [max(place for place, bound in enumerate(NEARNESS[:-1]) if share >= bound) for share in near]


def _by_nearness(statistic: Statistics, bins: Sequence[int]) -> List[Dict]:
    found = []
    for place, bound in enumerate(NEARNESS[:-1]):
        chosen = [number for number, one in enumerate(bins) if one == place]
        sums = statistic.rows[chosen].sum(axis=0)
        score = float(statistic.combine(sums)[SHOWN]) if chosen else None
        found.append({"from": bound, "to": NEARNESS[place + 1], "sentences": len(chosen), SHOWN: score})
    return found


def markdown(entries: Sequence[Dict], langs: Sequence[str], paper: Dict[str, str]) -> str:
    """A table: chrF++ by language with its 95% interval, the mean, and the difference to the baseline."""
    head = ["pairs", "row", "rate", "seeds"] + list(langs) + ["mean", "to shared", "paper's ROUGE-L"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for entry in entries:
        cells = [str(entry["pairs"]), entry["row"], entry["trainings"][0]["rate"], str(len(entry["trainings"]))]
        scores = [entry["langs"][lang]["scores"][SHOWN] for lang in langs]
        for lang, score in zip(langs, scores):
            low, high = entry["langs"][lang]["intervals"][SHOWN]
            cells.append("{:.1f} ({:.1f} to {:.1f})".format(score, low, high))
        by_seed = [statistics.mean(values) for values in zip(*(entry["langs"][lang]["by_seed"] for lang in langs))]
        spread = " ± {:.1f}".format(statistics.stdev(by_seed)) if len(by_seed) > 1 else ""
        cells.append("{:.1f}{}".format(statistics.mean(scores), spread))
        differences = [entry["langs"][lang].get("to_baseline") for lang in langs]
        cells.append(
            ", ".join("{:+.1f}{}".format(one["difference"], "*" if one["p_holm"] < 0.05 else "") for one in differences)
            if all(differences)
            else ""
        )
        cells.append(paper.get(entry["row"], ""))
        lines.append("| " + " | ".join(cells) + " |")
    note = "chrF++ (95% interval over sentences; ± standard deviation over seeds of the mean). * p < 0.05 (Holm)."
    return "\n".join(lines + ["", note, ""])


def read_paper(table: str) -> Dict[str, str]:
    rows = [line.rstrip("\n").split("\t") for line in open(table, encoding="utf-8") if not line.startswith("#")]
    return {row[0]: "" if row[4] == "-" else row[4] for row in rows}


def collect(out: str, langs: Sequence[str], table: str) -> None:
    rows = read_rows(out, langs)
    if not rows:
        raise SwcmError("{} holds no decoded test sets yet".format(out))
    nearness = {(row.pairs, lang): [] for row in rows for lang in langs}
    for pairs, lang in nearness:
        nearness[pairs, lang] = bins_of(out, pairs, lang)
    entries = results(rows, langs, nearness)
    with atomic_write(os.path.join(out, "results.json")) as stream:
        write_json(stream, {"rows": entries})
    text = markdown(entries, langs, read_paper(table))
    with atomic_write(os.path.join(out, "results.md")) as stream:
        stream.write(text)
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.required = True
    one = commands.add_parser("result")
    one.add_argument("--training", required=True)
    one.add_argument("--row", required=True)
    one.add_argument("--pairs", type=int, required=True)
    one.add_argument("--rate", required=True)
    one.add_argument("--seed", type=int, required=True)
    one = commands.add_parser("best")
    one.add_argument("--row-folder", required=True)
    one.add_argument("--rates", nargs="+", required=True)
    one.add_argument("--seed", type=int, required=True)
    one = commands.add_parser("sizes")
    one.add_argument("--encoder", required=True)
    one.add_argument("flags")
    one = commands.add_parser("collect")
    one.add_argument("--out", required=True)
    one.add_argument("--langs", nargs="+", required=True)
    one.add_argument("--table", required=True)
    args = parser.parse_args()
    if args.command == "result":
        write_result(args.training, args.row, args.pairs, args.rate, args.seed)
    elif args.command == "best":
        print(best_rate(args.row_folder, args.rates, args.seed))
    elif args.command == "sizes":
        print(with_sizes(args.flags, args.encoder))
    else:
        collect(args.out, args.langs, args.table)


if __name__ == "__main__":
    sys.exit(run_command(main))
