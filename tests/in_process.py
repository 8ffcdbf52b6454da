"""Running the scripts in preprocess/ within the test's process, where starting Python would take most of the time."""

import importlib
import os
import sys
from typing import NamedTuple

from swcm_fairseq.errors import run_command

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "preprocess")


class Done(NamedTuple):
    """How a command ended, under the names that subprocess uses."""

    returncode: int
    stdout: str
    stderr: str


def import_script(name: str):
    """The module ``preprocess/NAME.py``."""
    if FOLDER not in sys.path:
        sys.path.insert(0, FOLDER)  # as Python itself does for a script
    return importlib.import_module(name)


def run_script(name: str, arguments, capsys, check: bool = True) -> Done:
    """Run ``preprocess/NAME.py`` as its command line would; with ``check``, a failure fails the test."""
    script = import_script(name)
    capsys.readouterr()
    try:
        code = run_command(lambda: script.main([str(argument) for argument in arguments]))
    except SystemExit as ended:  # argparse
        code = ended.code
    output = capsys.readouterr()
    assert not check or code == 0, output.err
    return Done(code, output.out, output.err)
