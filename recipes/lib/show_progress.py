"""Turns fairseq-train's log on standard input into a line a person can follow, with the time that is left.

Only lines that say something go through: how the model started, how the losses fall, and what went wrong.
"""

import argparse
import contextlib
import re
import sys
import time

FIELD = re.compile(r"(\w[\w.-]*)[= ]([-+.\de]+)(?=[,\s|]|$)")


def fields(text):
    """``loss=5.3, num_updates=50`` or ``loss 5.3 | num_updates 50`` as a dictionary of text."""
    return dict(FIELD.findall(text))


def training_line(values, updates, started, first):
    """One line for an interval of training; ``first`` is the update the run began at, for the time left."""
    done = int(values["num_updates"])
    line = "update {:5d}  loss {:>6}  ppl {:>8}".format(done, values.get("loss", "?"), values.get("ppl", "?"))
    if updates and done > first:
        left = (time.time() - started) / (done - first) * max(0, updates - done)
        line = line.replace("update", "update {:3.0f}%".format(100 * done / updates))
        line += "  about {:.0f} min left".format(left / 60)
    return line


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=0, help="updates the run will make, for the time that is left")
    parser.add_argument("--scores", default="", metavar="A,B", help="scores that validation logs, to be shown too")
    args = parser.parse_args()
    scores = [name for name in args.scores.replace(" ", "").split(",") if name]
    started, first = time.time(), None
    for line in sys.stdin:
        if " | train_inner | " in line:
            values = fields(line)
            if first is None:
                started, first = time.time(), int(values["num_updates"])
            print(training_line(values, args.updates, started, first), flush=True)
        elif " | valid | " in line:
            values = fields(line.split("subset | ")[-1])
            loss, ppl = values.get("loss", "?"), values.get("ppl", "?")
            parts = ["validation     loss {:>6}  ppl {:>8}".format(loss, ppl)]
            parts += ["{} {}".format(name, values[name]) for name in scores if name in values]
            print("  ".join(parts), flush=True)
        elif "start: " in line or "Loaded checkpoint" in line:
            print(line.rstrip("\n").split(" | ")[-1], flush=True)
        elif line.startswith(("error:", "Traceback", "  - ")):
            print(line.rstrip("\n"), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):  # what it follows ends too, and says so
        main()
