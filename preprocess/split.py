"""Split clean parallel text into train, valid and test so that no held-out sentence has a twin in training.

    python preprocess/split.py --pairs clean/zh-kk clean/zh-mn --pivot zh --out split --valid 100 --test 150

All pairs are split together by their pivot side. Two of its sentences are twins when they share 0.7 (--similarity)

  - of the character n-grams of the shorter one, case, numbers and punctuation set aside, or
  - with --spm, of the pieces of the one that has more of them, as a model sees them.

Twins, and twins of twins, are a cluster, which goes to one part as a whole, in all pairs. Sentences that all pairs
have are held out first, so that the test sets of several languages are comparable; a pivot sentence stands in a
test set once, with its first translation. Clusters of more than --max-cluster sentences stay in train. In a corpus
of some hundred thousand sentences only the clusters of those are looked for that may be held out.

Lines that are blank on one side or both are no pairs and go nowhere.

Writes DIR/{train,valid,test}.zh-kk.{zh,kk} and DIR/split.counts.json, where read = train + valid + test + left_out for
each pair; "blank" says how many of those that are left out are blank.
The result is a function of the files and of --seed.
"""

import argparse
import collections
import itertools
import os
import random
import sys
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple, TypeVar

from swcm_preprocess.neighbours import ClustersOnDemand, Index, Progress
from swcm_preprocess.overlap import Elements, Of, clusters, fingerprint, ngrams, twins
from swcm_preprocess.text_lines import read_aligned, write_lines

import numpy as np

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_folder, write_json
from swcm_fairseq.input_files import input_problems
from swcm_fairseq.languages import CHARACTERS, language
from swcm_fairseq.vocabulary.pieces import Pieces, is_blank

HELD_OUT = ("test", "valid")  # in the order in which they are filled

Line = Tuple[str, str]  # pivot, other side
Corpus = Dict[str, List[Line]]  # name of the pair ("zh-kk") -> its lines
Cluster = TypeVar("Cluster", bound=Sequence[str])
Counts = Dict[str, int]

AT_ONCE = 10_000  # sentences that are cut into pieces at a time

# Up to so many sentences, and comparisons, all clusters are found (half a minute); beyond, those asked for.
MOST_AT_ONCE, MOST_WORK = 200_000, 20_000_000


class Measure(NamedTuple):
    """One way to compare sentences: as which sets, and what the shared elements are a share of."""

    name: str
    sets: Callable[[Sequence[str]], Iterator[Elements]]
    of: Of


def measures(n: int, spm: str) -> List[Measure]:
    """Character n-grams, and pieces where a SentencePiece model is given."""
    chosen = [Measure("ngrams", lambda texts: (ngrams(fingerprint(text), n) for text in texts), min)]
    if spm:
        pieces = Pieces.load(spm)

        def cut(texts: Sequence[str]) -> Iterator[Elements]:
            for first in range(0, len(texts), AT_ONCE):
                some = texts[first : first + AT_ONCE]
                # A text without pieces still has to be some set.
                yield from (frozenset(found) or frozenset([text]) for text, found in zip(some, pieces.cut(some)))

        chosen.append(Measure("pieces", cut, max))
    return chosen


def index_of(measure: Measure, texts: Sequence[str], similarity: str) -> Index:
    """The sentences as sets, to be asked for neighbours."""
    progress = Progress(f"sentences cut into {measure.name}", len(texts))

    def sets() -> Iterator[Elements]:
        for elements in measure.sets(texts):
            progress.step()
            yield elements

    return Index(sets(), measure.of, similarity)


def pivots(pairs: Corpus) -> List[str]:
    """The different pivot sentences of all pairs, sorted."""
    return sorted({pivot for lines in pairs.values() for pivot, _ in lines})


def read_pairs(prefixes: Sequence[str], pivot: str) -> Tuple[Corpus, Counts]:
    """Read ``PREFIX.zh`` and ``PREFIX.kk`` for each ``.../zh-kk``; pivot first in every line.

    Returns:
        the lines that hold text on both sides, and of each pair how many do not.
    """
    corpus: Corpus = {}
    blank: Counts = {}
    problems = []
    for prefix in prefixes:
        name = os.path.basename(prefix)
        codes = name.split("-")
        if len(codes) != 2 or pivot not in codes or codes[0] == codes[1]:
            problems.append(f"{prefix}: the name must be two languages, one of them {pivot}, such as {pivot}-kk")
            continue
        if name in corpus:
            problems.append(f"{prefix}: a second pair of the name {name}")
            continue
        other = codes[1] if codes[0] == pivot else codes[0]
        paths = [f"{prefix}.{code}" for code in (pivot, other)]
        absent = input_problems(paths)
        if absent:
            problems += absent
            continue
        lines = list(read_aligned(paths))
        corpus[name] = [line for line in lines if not any(map(is_blank, line))]
        blank[name] = len(lines) - len(corpus[name])
    if problems:
        raise SwcmError("pairs that cannot be split", problems)
    return corpus, blank


def candidates(
    corpus: Corpus, texts: Sequence[str], compare: Sequence[Measure], indexes: Sequence[Index], options
) -> Tuple[Iterator[List[str]], Callable[[], Dict]]:
    """Clusters of the pivot sentences in the order in which they are to be held out, and what is known of them.

    First those that most pairs have, in random order among themselves; none of more than --max-cluster sentences. All
    clusters are found before where that is little work. In a large corpus those alone are found that are asked for.
    """
    if len(texts) <= MOST_AT_ONCE and sum(index.work() for index in indexes) <= MOST_WORK:
        groups = group(texts, compare, options.similarity)
        small = [cluster for cluster in groups if len(cluster) <= options.max_cluster]
        return iter(in_order(small, corpus, options.seed)), lambda: cluster_statistics(groups, options.max_cluster)

    on_demand = ClustersOnDemand(indexes, options.max_cluster)
    place_of = {text: place for place, text in enumerate(texts)}
    order = [place_of[text] for (text,) in in_order([(text,) for text in texts], corpus, options.seed)]

    def find() -> Iterator[List[str]]:
        seen: Set[int] = set()
        for place in order:
            cluster = None if place in seen else on_demand.of(place)
            if cluster:
                seen.update(cluster)
                yield [texts[member] for member in cluster]

    return find(), lambda: dict(
        cluster_sizes(on_demand.sizes), pivot_sentences=len(texts), sentences_looked_at=on_demand.looked_at
    )


def in_order(clusters: Sequence[Cluster], corpus: Corpus, seed: int) -> List[Cluster]:
    """First those that most pairs have, in random order among themselves."""
    having = [{pivot for pivot, _ in lines} for lines in corpus.values()]
    order = list(clusters)
    random.Random(seed).shuffle(order)
    # A stable sort.
    order.sort(key=lambda cluster: -sum(any(text in known for text in cluster) for known in having))
    return order


def group(texts: Sequence[str], compare: Sequence[Measure], similarity: str) -> List[List[str]]:
    """All clusters of the pivot sentences: twins by any measure are together."""
    pairs = (pair for measure in compare for pair in twins(list(measure.sets(texts)), similarity, measure.of))
    return [[texts[position] for position in cluster] for cluster in clusters(len(texts), pairs)]


def hold_out(corpus: Corpus, queue: Iterator[List[str]], wanted: Counts) -> Dict[str, Set[str]]:
    """Choose clusters for test and valid until each pair has its lines; returns part -> pivot sentences.

    Raises:
        SwcmError: some pair has too few lines in clusters that may be held out.
    """
    sentences = {name: {pivot for pivot, _ in lines} for name, lines in corpus.items()}
    parts: Dict[str, Set[str]] = {}
    problems = []
    for part in HELD_OUT:
        missing = dict.fromkeys(corpus, wanted[part])
        parts[part] = set()
        passed = []
        progress = Progress(f"sentences held out for {part}", sum(missing.values()))
        while any(number > 0 for number in missing.values()):
            cluster = next(queue, None)
            if cluster is None:
                break
            available = {name: sum(text in known for text in cluster) for name, known in sentences.items()}
            if any(missing[name] > 0 and number for name, number in available.items()):
                parts[part].update(cluster)
                for name, number in available.items():
                    progress.step(max(0, min(number, missing[name])))
                    missing[name] -= number
            else:
                passed.append(cluster)
        queue = itertools.chain(passed, queue)
        problems += [f"{name}: {number} lines for {part} are missing" for name, number in missing.items() if number > 0]
    if problems:
        raise SwcmError("not enough text to hold out; ask for less, or raise --max-cluster", problems)
    return parts


def distribute(
    corpus: Corpus, parts: Dict[str, Set[str]], wanted: Dict[str, int], max_train: int, seed: int
) -> Dict[str, Corpus]:
    """Part -> pair -> lines, in the order of the input; the surplus of a part is left out.

    What is held out for one pair is in no pair's train, so a pair may have more held-out lines than it asked for.
    """
    result: Dict[str, Corpus] = {part: {} for part in ("train",) + HELD_OUT}
    for name, lines in corpus.items():
        placed: Dict[str, List[Line]] = {part: [] for part in result}
        for line in lines:
            placed[next((part for part in HELD_OUT if line[0] in parts[part]), "train")].append(line)
        if not placed["train"]:
            raise SwcmError(f"{name}: nothing is left for train; ask for smaller --valid and --test")
        limits = dict(wanted, train=max_train or len(lines))
        for part, all_lines in placed.items():
            if part in HELD_OUT:
                first: Dict[str, Tuple[str, str]] = {}
                for line in all_lines:
                    first.setdefault(line[0], line)
                all_lines = list(first.values())
            # Seeded by name too: a pair's sample does not depend on what else is split.
            chooser = random.Random(f"{seed}/{part}/{name}")
            chosen = sorted(chooser.sample(range(len(all_lines)), min(limits[part], len(all_lines))))
            result[part][name] = [all_lines[i] for i in chosen]
    return result


def check(
    split: Dict[str, Corpus],
    texts: Sequence[str],
    compare: Sequence[Measure],
    indexes: Sequence[Index],
    similarity: str,
) -> Dict:
    """Measure, without the clusters, how close each held-out sentence comes to training; none may be a twin."""
    report: Dict = {part: {"sentences": len(pivots(split[part])), "closest": {}} for part in HELD_OUT}
    place_of = {text: place for place, text in enumerate(texts)}
    train = np.array([place_of[text] for text in pivots(split["train"])])
    for measure, index in zip(compare, indexes):
        for part in HELD_OUT:
            progress = Progress(f"{part} sentences compared with training", report[part]["sentences"])
            best = []
            for text in pivots(split[part]):
                best.append(float(index.overlaps(place_of[text], train).max()))
                progress.step()
            histogram = collections.Counter(f"{int(value * 10) / 10:.1f}" for value in best)
            greatest = max(best, default=0.0)
            report[part]["closest"][measure.name] = {
                "greatest": round(greatest, 4),
                "histogram": dict(sorted(histogram.items())),
            }
            assert greatest < float(similarity), "a held-out sentence has a twin in training"
    # No twin by its source, and yet the same translation: common for short labels.
    for part in HELD_OUT:
        report[part]["targets_in_train"] = {}
        for name, lines in split[part].items():
            known = {other for _, other in split["train"][name]}
            report[part]["targets_in_train"][name] = sum(other in known for _, other in lines)
    return report


def cluster_statistics(groups: Sequence[Sequence[str]], max_cluster: int) -> Dict:
    sizes = [len(cluster) for cluster in groups]
    return {
        "pivot_sentences": sum(sizes),
        **cluster_sizes(sizes),
        "sentences_kept_in_train_by_size": sum(size for size in sizes if size > max_cluster),
    }


def cluster_sizes(sizes: List[int]) -> Dict:
    return {"clusters": len(sizes), "singletons": sizes.count(1), "largest": sorted(sizes, reverse=True)[:5]}


def parse_arguments(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--pairs", nargs="+", required=True, metavar="PREFIX", help="clean/zh-kk for clean/zh-kk.zh, .kk"
    )
    parser.add_argument("--pivot", required=True, metavar="CODE", help="the language that all pairs share")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--valid", type=int, required=True, metavar="N", help="lines for validation, of each pair")
    parser.add_argument("--test", type=int, required=True, metavar="N", help="lines for test, of each pair")
    parser.add_argument(
        "--max-train",
        type=int,
        default=0,
        metavar="N",
        help="most lines for training, of each pair, chosen at random (default: all)",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="(default: %(default)s)")
    parser.add_argument(
        "--similarity",
        default="0.7",
        metavar="SHARE",
        help="share from which two pivot sentences are twins (default: %(default)s)",
    )
    parser.add_argument("--spm", metavar="FILE", help="SentencePiece model, to compare by its pieces too")
    parser.add_argument(
        "--ngram",
        type=int,
        default=0,
        metavar="N",
        help="length of the n-grams, 2 or more (default: 2 for a pivot written without spaces, 3 for others)",
    )
    parser.add_argument(
        "--max-cluster",
        type=int,
        default=10,
        metavar="N",
        help="larger clusters of twins stay in train (default: %(default)s)",
    )
    parser.add_argument("--force", action="store_true", help="replace a finished output")
    options = parser.parse_args(argv)
    try:
        if not 0 < float(options.similarity) <= 1:
            raise ValueError
    except ValueError:
        parser.error("--similarity must be a number over 0 and at most 1")
    if options.valid < 0 or options.test < 0 or options.max_train < 0 or options.max_cluster < 1:
        parser.error("--valid, --test and --max-train must not be negative, --max-cluster at least 1")
    if options.ngram and options.ngram < 2:
        parser.error("--ngram must be at least 2")
    return options


def main(argv: Optional[Sequence[str]] = None) -> int:
    options = parse_arguments(argv)
    n = options.ngram or (2 if language(options.pivot).units == CHARACTERS else 3)
    compare = measures(n, options.spm)
    wanted = {"test": options.test, "valid": options.valid}
    with atomic_folder(options.out, options.force) as folder:
        corpus, blank = read_pairs(options.pairs, options.pivot)
        texts = pivots(corpus)
        indexes = [index_of(measure, texts, options.similarity) for measure in compare]
        queue, known_clusters = candidates(corpus, texts, compare, indexes, options)
        parts = hold_out(corpus, queue, wanted)
        split = distribute(corpus, parts, wanted, options.max_train, options.seed)
        counts = {
            "pairs": {},
            "clusters": known_clusters(),
            "closest_in_train": check(split, texts, compare, indexes, options.similarity),
            "settings": {"ngram": n, "similarity": options.similarity, "seed": options.seed},
        }
        for name, lines in corpus.items():
            codes = sorted(name.split("-"), key=lambda code: code != options.pivot)
            for part, pairs in split.items():
                for side, code in enumerate(codes):
                    write_lines(os.path.join(folder, f"{part}.{name}.{code}"), (line[side] for line in pairs[name]))
            kept = {part: len(pairs[name]) for part, pairs in split.items()}
            read = len(lines) + blank[name]
            kept["left_out"] = read - sum(kept.values())
            counts["pairs"][name] = dict(kept, read=read, blank=blank[name])
            assert kept["left_out"] >= blank[name]
        with open(os.path.join(folder, "split.counts.json"), "w", encoding="utf-8", newline="\n") as stream:
            write_json(stream, counts)
    for name, kept in counts["pairs"].items():
        print(
            "{}: train {train}, valid {valid}, test {test}, left out {left_out} (blank {blank}), of {read}".format(
                name, **kept
            )
        )
    for name, found in counts["closest_in_train"]["test"]["closest"].items():
        print("the test sentence closest to training shares {greatest} of its {}".format(name, **found))
    return 0


def cli() -> int:
    """The entry point: exit code 0 done, 1 the work failed, 2 wrong usage."""
    return run_command(main)


if __name__ == "__main__":
    sys.exit(cli())
