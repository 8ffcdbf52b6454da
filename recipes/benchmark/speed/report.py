"""The tables that a person reads; all numbers are in the JSON."""

NAMES = {"ours": "ours", "hf": "Hugging Face", "fairseq": "fairseq"}


def print_section(result) -> None:
    """One measurement: a heading and a line for each system."""
    print("\n".join(lines_of(result)), flush=True)


def lines_of(result):
    sections = {
        "train": _training,
        "generate": _generation,
        "memory": _memory,
        "startup": _startup,
        "growth": _growth,
    }
    return sections[result["section"]](result)


def _heading(result, text: str) -> str:
    case = result["case"]
    return "\n{} pieces, {}, {} on {}".format(case["vocabulary"], case["dtype"], text, _place(case))


def _place(case) -> str:
    return "{} threads".format(case["threads"]) if case["device"] == "cpu" else "GPU"


def _training(result):
    columns = ("pieces/s", "s/step", "matrix", "memory", "M weights", "theirs/ours")
    lines = [_heading(result, "training"), _row("", *columns)]
    for name, numbers in result["systems"].items():
        lines.append(
            _row(
                NAMES[name],
                "{:.0f}".format(numbers["target_pieces_per_second"]),
                "{:.3f}".format(numbers["step_seconds"]),
                *_shares(numbers),
                "{:.1f}".format(numbers["parameters"] / 1e6),
                _ratio(numbers),
            )
        )
    return lines + [_ceilings(result)]


def _generation(result):
    heading = _heading(result, "beam {}, batches of {}".format(result["beam"], result["size"]))
    lines = [heading, _row("", "sentences/s", "pieces/s", "matrix", "memory", "", "theirs/ours")]
    for name, numbers in result["systems"].items():
        lines.append(
            _row(
                NAMES[name],
                "{:.2f}".format(numbers["sentences_per_second"]),
                "{:.1f}".format(numbers["target_pieces_per_second"]),
                *_shares(numbers),
                "",
                _ratio(numbers),
            )
        )
    return lines + [_ceilings(result)]


def _memory(result):
    text = "memory of a step of {} target pieces".format(result["target_pieces"])
    lines = [_heading(result, text), _row("", "MB above", "MB lasting", "", "", "", "theirs/ours")]
    for name, numbers in result["systems"].items():
        above, lasting = (f"{numbers[key] / 1e6:.0f}" for key in ("above", "lasting"))
        lines.append(_row(NAMES[name], above, lasting, "", "", "", _ratio(numbers)))
    return lines


def _startup(result):
    lines = ["\nimporting"]
    for part, seconds in result["seconds"].items():
        lines.append(_row(part, "{:.2f} s".format(seconds["wall"]), "({:.2f})".format(seconds["processor"])))
    return lines


def _growth(result):
    lines = ["\nmilliseconds a target piece, {} on {}".format(result["case"]["dtype"], _place(result["case"]))]
    for what, curves in result["seconds_per_piece"].items():
        for kind, points in curves.items():
            lines.append(_row(f"{what} / {kind}", *(x for x, _ in points)))
            lines.append(_row("", *(f"{seconds * 1e3:.2f}" for _, seconds in points)))
    return lines


def _row(name, *columns) -> str:
    return f"{name:<21}" + "".join(f"{column:>13}" for column in columns)


def _shares(numbers):
    return (f"{numbers[key]:.0%}" for key in ("matrix_share", "memory_share"))


def _ratio(numbers) -> str:
    """theirs over ours by the clock, and by processor seconds, which feel other programs least."""
    if "times_ours" not in numbers:
        return ""
    found = "{:.2f}".format(numbers["times_ours"])
    if "times_ours_processor" in numbers:
        found += " ({:.2f})".format(numbers["times_ours_processor"])
    return found


def _ceilings(result) -> str:
    found = result["ceilings"]
    return "ceilings: matrix products {:.0f} GFLOP/s, memory {:.1f} GB/s".format(
        found["matrix"] / 1e9, found["memory"] / 1e9
    )
