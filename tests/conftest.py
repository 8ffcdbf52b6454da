"""What all tests share: the checkout, running commands, the network."""

import functools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.preloaded import Preloaded

# Before torch is imported by any test: more threads only wait for each other on tensors this small.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# No test may depend on a model hub, nor wait for one.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


@functools.lru_cache(maxsize=None)
def network_problem():
    """None when pip reaches its index, else the reason."""
    # A dry run asks the index and fetches nothing that stays; six is small and always there.
    probe = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--ignore-installed",
        "--no-deps",
        "--quiet",
        "--no-cache-dir",
        "six",
    ]
    try:
        done = subprocess.run(probe, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=90)
    except subprocess.TimeoutExpired:
        return "the package index did not answer within 90 seconds"
    return None if done.returncode == 0 else done.stderr.decode(errors="replace").strip()[-300:]


def pytest_runtest_setup(item):
    if item.get_closest_marker("network"):
        problem = network_problem()
        if problem and os.environ.get("CI") == "true":
            pytest.fail(f"no network: {problem}", pytrace=False)
        if problem:
            pytest.skip(f"no network: {problem}")


def pytest_collection_finish():
    restore_environment()


@pytest.fixture(autouse=True)
def environment_restored():
    """What libraries leave in the environment (OpenMP does, fairseq's data loaders do) reaches no test's commands."""
    yield
    restore_environment()


def restore_environment():
    for name in set(os.environ) - set(ENVIRONMENT) - {"PYTEST_CURRENT_TEST"}:
        del os.environ[name]
    os.environ.update(ENVIRONMENT)


@pytest.fixture(scope="session")
def repo():
    """Path of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def tracked(repo):
    """All files that belong to the project, as paths under the checkout."""
    listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=str(repo)).decode().split("\0")
    return [name for name in listed if name and (repo / name).exists()]


@pytest.fixture(scope="session")
def preloaded():
    """A function that returns the folder of programs that have torch and fairseq loaded, made when first asked for."""
    servers = []

    def folder():
        if not servers:
            servers.append(Preloaded(ENVIRONMENT))
        return servers[0].folder

    yield folder
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def run(preloaded):
    """``run(arguments, check=True, timeout=300, **options)``: run a command and return its CompletedProcess.

    ``python``, fairseq's commands and recipes use the environment that runs the tests; the checkout is on
    PYTHONPATH; output is text. With ``check``, a failure shows both of the command's outputs. ``options`` go to
    subprocess.Popen, but ``input``, which is typed; ``env`` adds to the environment, a value of None takes away.

    Commands and recipes go on from a process that has torch and fairseq loaded, which saves each of their processes
    six seconds (``tests.support.preloaded``); where they are to start from nothing, ``quick`` is False.
    """

    def run_command(arguments, check=True, timeout=300, env=None, quick=True, **options):
        environment = dict(os.environ)
        arguments = [str(argument) for argument in arguments]
        folder = preloaded() if quick else sys.prefix
        environment["PATH"] = os.path.join(folder, "bin") + os.pathsep + environment.get("PATH", "")
        checkout = [str(ROOT), str(ROOT / "preprocess")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, checkout + [environment.get("PYTHONPATH")]))
        environment["PYTHONIOENCODING"] = "utf-8"
        # Recipes take this environment too, whoever made it.
        environment["SWCM_VENV"] = folder
        environment["SWCM_SKIP_SETUP"] = "1"
        for name, value in (env or {}).items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = str(value)
        if arguments[0] == "python":
            arguments[0] = os.path.join(folder, "bin", "python")
        given = options.pop("input", None)
        if given is not None:
            options["stdin"] = subprocess.PIPE
        # A session of its own, so that a time limit ends a recipe's trainings with the recipe.
        with subprocess.Popen(
            arguments,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            **options,
        ) as process:
            try:
                stdout, stderr = process.communicate(given, timeout=timeout)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        done = subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)
        if check and done.returncode != 0:
            pytest.fail(
                "{} exited with {}\n--- standard output ---\n{}\n--- standard error ---\n{}".format(
                    " ".join(arguments), done.returncode, done.stdout[-4000:], done.stderr[-4000:]
                ),
                pytrace=False,
            )
        return done

    return run_command


@pytest.fixture
def patched():
    """fairseq as it is while one of its commands runs a task of this package."""
    from swcm_fairseq.fairseq_patches import applied

    with applied():
        yield


@pytest.fixture(params=["torch's own", "ours"])
def route(request, monkeypatch):
    """Both ways of safe loading: torch's where it can be told names, and the unpickler for older ones."""
    import torch

    if request.param == "ours":
        monkeypatch.delattr(torch.serialization, "safe_globals", raising=False)
    elif not hasattr(torch.serialization, "safe_globals"):
        pytest.skip("this torch has no safe_globals")
