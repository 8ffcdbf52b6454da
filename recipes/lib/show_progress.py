"""Turns fairseq-train's log on standard input into a line a person can follow, with the time that is left.

Only lines that say something go through: how the model started, how the losses fall, and what went wrong. What cannot
be read is left out: a training does not end because of what shows it.
"""

import argparse
import contextlib
import json
import re
import sys
import time

FIELD = re.compile(r"(\w[\w.-]*)[= ]([-+.\de]+)(?=[,\s|]|$)")


def fields(text):
    """Any of fairseq's --log-format as a dictionary of text.

    ``loss=5.3, num_updates=50`` or ``loss 5.3 | num_updates 50``; JSON, where validation's names begin with valid_.
    """
    start = text.find("{")
    if start >= 0:
        with contextlib.suppress(ValueError):
            values = json.loads(text[start:])
            return {re.sub("^(train|valid)_", "", name): str(value) for name, value in values.items()}
    return dict(FIELD.findall(text))


def training_line(values, updates, started, first):
    """One line for an interval of training; ``first`` is the update the run began at, for the time left."""
    done = int(values["num_updates"])
    line = "update {:5d}  loss {:>6}  ppl {:>8}".format(done, values.get("loss", "?"), values.get("ppl", "?"))
    if updates and done > first:
        left = (time.time() - started) / (done - first) * max(0, updates - done)
        line = line.replace("update", f"update {100 * done / updates:3.0f}%")
        line += f"  about {left / 60:.0f} min left"
    return line


class Display:
    """What is shown of a log, line by line."""

    def __init__(self, updates, scores):
        self.updates = updates
        self.scores = scores
        self.started, self.first = time.time(), None

    def shown(self, line):
        """The text for one line of the log, or None."""
        if " | train_inner | " in line:
            values = fields(line)
            if not values.get("num_updates", "").isdigit():
                return None
            if self.first is None:
                self.started, self.first = time.time(), int(values["num_updates"])
            return training_line(values, self.updates, self.started, self.first)
        if " | valid | " in line:
            values = fields(line.split("subset | ")[-1])
            if "loss" not in values:
                return None
            parts = ["validation     loss {:>6}  ppl {:>8}".format(values["loss"], values.get("ppl", "?"))]
            parts += [f"{name} {values[name]}" for name in self.scores if name in values]
            return "  ".join(parts)
        if any(word in line for word in ("start: ", "pace: ", "Loaded checkpoint")):
            return line.rstrip("\n").split(" | ")[-1]
        if line.startswith(("error:", "Traceback", "  - ")):
            return line.rstrip("\n")
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=0, help="updates the run will make, for the time that is left")
    parser.add_argument("--scores", default="", metavar="A,B", help="scores that validation logs, to be shown too")
    args = parser.parse_args()
    display = Display(args.updates, [name for name in args.scores.replace(" ", "").split(",") if name])
    for stream in (sys.stdin, sys.stdout):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # A terminal that is gone shows nothing more; the log is read to its end all the same.
    gone = False
    for line in sys.stdin:
        shown = None
        with contextlib.suppress(ValueError, KeyError, IndexError, AttributeError):
            shown = display.shown(line)
        if shown is not None and not gone:
            try:
                print(shown, flush=True)
            except OSError:
                gone = True


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):  # what it follows ends too, and says so
        main()
