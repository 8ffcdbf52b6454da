"""A command that goes on from the server of tests.support.preloaded finds all as a new Python does."""

import json
import os
import time

import pytest

STATE = """
import json, logging, os, resource, signal, sys
print(json.dumps({
    "argv": sys.argv[1:], "path": sys.path, "folder": os.getcwd(), "name": __name__, "typed": sys.stdin.read(),
    "environment": {k: v for k, v in os.environ.items() if k not in ("PATH", "SWCM_VENV", "_", "SHLVL")},
    "mask": os.umask(0), "limit": resource.getrlimit(resource.RLIMIT_FSIZE), "executable": sys.executable,
    "signals": [str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)],
    "streams": [(s.encoding, s.errors, s.line_buffering) for s in (sys.stdin, sys.stdout, sys.stderr)],
    "log": str(logging.root.handlers), "hook": sys.excepthook is sys.__excepthook__,
}))
"""


@pytest.fixture
def both(run, tmp_path):
    """Run a line of shell with Python preloaded, and with Python from nothing."""

    def runs(line, **options):
        return [
            run(["bash", "-c", line], check=False, cwd=str(tmp_path), quick=quick, **options) for quick in (True, False)
        ]

    return runs


@pytest.mark.parametrize("how", ["state.py", "-m state", '-c "$(cat state.py)"'])
def test_a_program_finds_the_same(both, tmp_path, how):
    (tmp_path / "state.py").write_text(STATE)
    line = f"umask 027; ulimit -f 100; trap '' HUP; python {how} a 'b c' -x"
    preloaded, new = both(line, input="жаз\n", env={"SWCM_TEST": "1", "PYTHONPATH": "here"})
    assert preloaded.stderr == new.stderr == ""
    found = json.loads(preloaded.stdout)
    assert found == json.loads(new.stdout)
    assert found["argv"] == ["a", "b c", "-x"] and found["typed"] == "жаз\n" and found["mask"] == 0o027


@pytest.mark.parametrize(
    "program",
    [
        "raise SystemExit(3)",
        "raise SystemExit('no')",
        "1 / 0",
        "import os; os._exit(7)",
        "import os; os.kill(os.getpid(), 15)",
    ],
)
def test_a_program_ends_the_same(both, program):
    preloaded, new = both(f'python -c "print(1); {program}"')
    assert (preloaded.returncode, preloaded.stdout) == (new.returncode, new.stdout)
    assert preloaded.stderr.splitlines()[-1:] == new.stderr.splitlines()[-1:]


def test_torch_is_there_without_loading_and_from_nothing_where_more_threads_are_wanted(run):
    line = "python -c 'import sys; print(\"torch\" in sys.modules)'"
    assert run(["bash", "-c", line], quick=True).stdout == "True\n"
    assert run(["bash", "-c", "OMP_NUM_THREADS=2 " + line], quick=True).stdout == "False\n"


@pytest.mark.parametrize("time", ["before", "after"])
def test_what_a_library_leaves_in_the_environment_ends_with_its_test(time):
    assert "PYTHONWARNINGS" not in os.environ
    os.environ["PYTHONWARNINGS"] = "ignore"  # as fairseq's data loaders do


def test_who_kills_the_command_kills_the_work(run, tmp_path):
    program = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
    line = f'python -c "{program}" & while [ ! -s pid ]; do sleep 0.1; done; kill -9 $!; wait $!'
    assert run(["bash", "-c", line], check=False, cwd=str(tmp_path), quick=True).returncode == 128 + 9
    pid = int((tmp_path / "pid").read_text())
    until = time.time() + 20
    while os.path.exists(f"/proc/{pid}") and time.time() < until:
        time.sleep(0.1)
    assert not os.path.exists(f"/proc/{pid}")
