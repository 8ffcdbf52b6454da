"""What is measured: training steps, decoding, memory; each a function of a case that returns plain numbers."""

import statistics
from typing import Dict, List, Sequence

from swcm_fairseq.errors import SwcmError

from . import operations
from .processes import children, in_turn, make_batches
from .workload import Lengths, batch_of_pieces, decoding_batches, training_batches

MACHINE = "machine"
CLOCKS = ("wall", "processor")


def training(case, systems: Sequence[str], lengths: Sequence[Lengths]) -> dict:
    """Steps on the same batches, batch by batch in turn; one round is all batches once."""
    batches = training_batches(lengths, case["max_tokens"], case["batches"], case["seed"])
    with children(list(systems) + [MACHINE], case, "train") as started:
        machine = started.pop(MACHINE)
        make_batches(started, batches, case["seed"])
        parameters = {name: child.ask("parameters") for name, child in started.items()}
        rounds = _rounds(started, machine, case["rounds"], len(batches), lambda child, place: child.ask("train", place))
    pieces = sum(target for batch in batches for _, target in batch)
    result = _summary(rounds, pieces, "target_pieces_per_second")
    item = 2 if case["dtype"] == "bf16" else 4
    for name, numbers in result["systems"].items():
        needed = sum(operations.training_operations(case["shapes"][name], batch) for batch in batches)
        moved = len(batches) * operations.training_bytes(parameters[name], item)
        numbers.update(parameters=parameters[name], steps=len(batches))
        numbers["step_seconds"] = numbers["seconds"] / len(batches)
        _add_shares(numbers, rounds, name, needed, moved, pieces)
    result.update(batches=[_described(batch) for batch in batches], target_pieces=pieces)
    return result


def generation(case, systems: Sequence[str], lengths: Sequence[Lengths], beam: int, size: int) -> dict:
    """Decoding of the same batches of ``size`` sentences, each to its reference's length."""
    count = case["decoding_batches"] if size > 1 else 4 * case["decoding_batches"]
    batches = decoding_batches(lengths, size, count, case["seed"])

    def decode(child, place):
        seconds, written = child.ask("generate", place, beam)
        check_lengths(child.system, written, batches[place], beam)
        return seconds

    with children(list(systems) + [MACHINE], case, "generate") as started:
        machine = started.pop(MACHINE)
        make_batches(started, batches, case["seed"])
        rounds = _rounds(started, machine, case["rounds"], len(batches), decode)
    pieces = sum(target for batch in batches for _, target in batch)
    sentences = sum(len(batch) for batch in batches)
    result = _summary(rounds, pieces, "target_pieces_per_second")
    item = 2 if case["dtype"] == "bf16" else 4
    for name, numbers in result["systems"].items():
        shape = case["shapes"][name]
        needed = sum(operations.generation_operations(shape, batch, beam) for batch in batches)
        moved = sum(operations.generation_bytes(shape, batch, beam, item) for batch in batches)
        numbers["sentences_per_second"] = sentences / numbers["seconds"]
        _add_shares(numbers, rounds, name, needed, moved, pieces)
    result.update(beam=beam, size=size, batches=[_described(batch) for batch in batches], target_pieces=pieces)
    return result


def memory(case, systems: Sequence[str], lengths: Sequence[Lengths], pieces: int) -> dict:
    """Peak of a training step with ``pieces`` target pieces, each system alone in a fresh process."""
    small = training_batches(lengths, min(200, case["max_tokens"]), 1, case["seed"])[0]
    large = batch_of_pieces(lengths, pieces, case["seed"])
    found = {}
    for name in systems:
        with children([name], case, "train") as started:
            make_batches(started, [small, large], case["seed"])
            for _ in range(2):
                started[name].ask("train", 0)
            found[name] = started[name].ask("memory", 1)
    result = {"systems": found, "target_pieces": pieces, "batches": [_described(large)]}
    _add_ratios(result, {name: [numbers["above"]] for name, numbers in found.items()})
    return result


def check_lengths(system: str, written: List[List[int]], batch: Sequence[Lengths], beam: int) -> None:
    """Raise where a system did not write what was forced upon it: its time would be that of other work."""
    wanted = [[target] * beam for _, target in batch]
    if written != wanted:
        wrong = next((a, b) for a, b in zip(written + [None], wanted + [None]) if a != b)
        raise SwcmError("{}: forced lengths were not kept: wrote {} where {} were asked for".format(system, *wrong))


def _rounds(started: Dict, machine, rounds: int, places: int, work) -> Dict[str, List[Dict[str, float]]]:
    """Seconds of every round, {system: [{clock: seconds}]}, and of the machine {matrix, memory: rate a second}."""
    found = {name: [] for name in list(started) + [MACHINE]}
    for turn in range(-1, rounds):
        spent = {name: dict.fromkeys(CLOCKS, 0.0) for name in started}
        best = {"matrix": 0.0, "memory": 0.0}
        for place in range(places):
            for name in in_turn(list(started), turn + place + 1):
                for clock, seconds in zip(CLOCKS, work(started[name], place)):
                    spent[name][clock] += seconds
            # Measured between the systems, since a busy machine's ceiling comes and goes.
            for kind in best:
                done, seconds = machine.ask(kind)
                best[kind] = max(best[kind], done / seconds)
        if turn >= 0:  # the first one warms up
            for name in started:
                found[name].append(spent[name])
            found[MACHINE].append(best)
    return found


def _summary(rounds, pieces: int, rate: str) -> dict:
    systems = {}
    for name, seconds in rounds.items():
        if name == MACHINE:
            continue
        median = statistics.median(one["wall"] for one in seconds)
        systems[name] = {"seconds": median, rate: pieces / median, "rounds": seconds}
    result = {"systems": systems, "ceilings": _ceilings(rounds[MACHINE])}
    for clock in CLOCKS:
        times = {name: [one[clock] for one in rounds[name]] for name in systems}
        _add_ratios(result, times, "" if clock == "wall" else "_" + clock)
    return result


def _ceilings(machine) -> dict:
    """The best that was seen in any round, operations and bytes a second."""
    return {kind: max(one[kind] for one in machine) for kind in ("matrix", "memory")}


def _add_ratios(result, costs: Dict[str, List[float]], suffix: str = "") -> None:
    """How many times ours' cost another one's is: the median over rounds, and all of them."""
    for name in costs:
        if name == "ours" or "ours" not in costs:
            continue
        ratios = [theirs / own if own > 0 else float("inf") for theirs, own in zip(costs[name], costs["ours"])]
        result["systems"][name]["times_ours" + suffix] = statistics.median(ratios)
        result["systems"][name]["times_ours" + suffix + "_rounds"] = ratios


def _add_shares(numbers, rounds, name, needed: int, moved: int, pieces: int) -> None:
    """Operations and bytes a piece, and the shares of the ceilings of the same rounds that they were done at."""
    numbers["operations_per_piece"] = needed / pieces
    numbers["bytes_per_piece"] = moved / pieces
    pairs = list(zip(rounds[name], rounds[MACHINE]))
    numbers["matrix_share"] = statistics.median(needed / one["wall"] / best["matrix"] for one, best in pairs)
    numbers["memory_share"] = statistics.median(moved / one["wall"] / best["memory"] for one, best in pairs)


def _described(batch: Sequence[Lengths]) -> dict:
    sources, targets = zip(*batch)
    return {
        "sentences": len(batch),
        "source_pieces": sum(sources),
        "target_pieces": sum(targets),
        "longest_source": max(sources),
        "longest_target": max(targets),
    }
