"""Running the scripts in preprocess/ within the test's process, where starting Python would take most of the time."""

import importlib
from typing import NamedTuple

from swcm_fairseq.errors import run_command


class Done(NamedTuple):
    """How a command ended, under the names that subprocess uses."""

    returncode: int
    stdout: str
    stderr: str


def import_script(name: str):
    """The module ``preprocess/NAME.py``."""
    return importlib.import_module("swcm_preprocess." + name)


def assert_fails(done, *parts) -> None:
    """The command failed with an error that says all of this; ``done`` is a ``Done`` or subprocess's own."""
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    for part in parts:
        assert str(part) in done.stderr, done.stderr


def run_script(name: str, arguments, capsys, check: bool = True) -> Done:
    """Run ``preprocess/NAME.py`` as its command line would; with ``check``, a failure fails the test."""
    script = import_script(name)
    capsys.readouterr()
    try:
        code = run_command(lambda: script.main([str(argument) for argument in arguments]))
    except SystemExit as ended:  # argparse
        code = int(ended.code or 0)
    output = capsys.readouterr()
    assert not check or code == 0, output.err
    return Done(code, output.out, output.err)
