"""From the folder of a finished training, its test sets decoded, to its entry in the ledger."""

import hashlib
import os
import platform
import re
from importlib import metadata
from typing import Dict, List, Optional, Sequence

from swcm_preprocess.overlap import closest, fingerprint, index, ngrams

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.scoring import measure
from swcm_fairseq.scoring.corpus import read_generated, read_lines

from . import reproduce_ledger as ledger

METRICS = ("chrfpp", "bleu", "rougeL")
#: Test sentences by the share of 2-character runs that the nearest training source has of theirs.
NEARNESS = (0.0, 0.3, 0.5, 1.0)
VERSIONS = ("torch", "fairseq", "ve-fairseq", "numpy", "sacrebleu", "rouge-score", "sentencepiece", "swcm-fairseq")

_VALID = re.compile(r"\| valid on 'valid' subset \| (?P<numbers>.*)")
_STEP = re.compile(r"\| train_inner \| .*")
_NUMBER = re.compile(r"\b([\w.-]+)[= ]([-+.\deE]+)\b")


def entry_of(training: str, split: str, langs: List[str], about: Dict) -> Dict:
    """The entry of a training.

    Args:
        training: its folder, with train.log, command.txt and test/zh-XX.txt.
        split: the folder with its text.
        about: what it is, as a job and its setting say; kept as it is.
    """
    log = read_lines(os.path.join(training, "train.log"))
    validation = read_validation(log)
    if not validation:
        raise SwcmError(f"{training}/train.log holds no validation with chrF++ (VALIDATION_SCORES=chrfpp)")
    chosen = max(validation, key=lambda one: (one["chrfpp"], -one["update"]))
    signatures, test = {}, {}
    for lang in langs:
        test[lang], signatures = _test_of(training, split, lang)
    return {
        "kind": "training",
        **about,
        "machine": machine(training),
        "versions": versions(),
        "train": {lang: len(read_lines(_text(split, "train", lang, lang))) for lang in langs},
        "seconds": round(seconds_of_steps(log)),
        "validation": validation,
        "chosen": chosen,
        "signatures": signatures,
        "test": test,
    }


def read_validation(log: Sequence[str]) -> List[Dict]:
    """``[{"update": 200, "nll": 5.1, "chrfpp": 12.3}, ...]``; of a run that went on the last word counts."""
    found = {}
    for line in log:
        match = _VALID.search(line)
        numbers = dict(_NUMBER.findall(match.group("numbers"))) if match else {}
        if "chrfpp" in numbers:
            update = int(numbers["num_updates"])
            found[update] = {"update": update, "nll": float(numbers["nll_loss"]), "chrfpp": float(numbers["chrfpp"])}
    return [found[update] for update in sorted(found)]


def seconds_of_steps(log: Sequence[str]) -> float:
    """Seconds that the updates took, without validation; of updates that were made twice the last ones count."""
    spent = {}
    for line in log:
        match = _STEP.search(line)
        numbers = dict(_NUMBER.findall(match.group())) if match else {}
        if "train_wall" in numbers:
            spent[int(numbers["num_updates"])] = float(numbers["train_wall"])
    return sum(spent.values())


def machine(training: Optional[str] = None) -> Dict:
    """The CPU, the threads, and the precision that a training's command.txt tells of."""
    found = {"cpu": _cpu(), "threads": int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)}
    if training is not None:
        with open(os.path.join(training, "command.txt"), encoding="utf-8") as stream:
            command = stream.read()
        precision = re.search(r"^# precision: (\w+)", command)
        found["precision"] = precision.group(1) if precision else "bf16" if "--bf16" in command.split() else "fp32"
    return found


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            lines = [line.partition(":")[2].strip() for line in stream if line.startswith(("model name", "flags"))]
    except OSError:
        lines = []
    name = lines[0] if lines else platform.processor() or platform.machine()
    flags = lines[1].split() if len(lines) > 1 else []
    kinds = [kind for kind in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if kind in flags]
    return " ".join([name, *kinds])


def versions() -> Dict[str, str]:
    found = {"python": platform.python_version()}
    for name in VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _text(split: str, part: str, lang: str, side: str) -> str:
    return os.path.join(split, f"{part}.zh-{lang}.{side}")


def _test_of(training: str, split: str, lang: str):
    references = read_lines(_text(split, "test", lang, lang))
    outputs = read_generated(os.path.join(training, "test", f"zh-{lang}.txt")).hypotheses
    measured = measure(outputs, [[one] for one in references], lang, METRICS)
    scores = {name: round(one.values()[name], 4) for name, one in measured.items()}
    # The digest says that two trainings were tested on the same sentences.
    digest = hashlib.sha256("\n".join(references).encode("utf-8")).hexdigest()[:12]
    found = {
        "sentences": len(references),
        "digest": digest,
        **scores,
        "counts": ledger.pack_counts(measured["chrfpp"].rows, kinds=3),
        "nearness": "".join(map(str, bins_of(split, lang))),
    }
    return found, {name: one.signature for name, one in measured.items()}


def bins_of(split: str, lang: str) -> List[int]:
    """For each test sentence the place in ``NEARNESS`` of its nearest training source."""
    trained, tested = (
        [ngrams(fingerprint(line), 2) for line in read_lines(_text(split, part, lang, "zh"))]
        for part in ("train", "test")
    )
    postings = index(trained)
    near = [closest(one, trained, postings) for one in tested]
    return [max(place for place, bound in enumerate(NEARNESS[:-1]) if share >= bound) for share in near]
