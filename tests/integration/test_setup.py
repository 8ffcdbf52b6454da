"""recipes/setup.sh: which Python it takes, what it installs in which order, and what it leaves when that fails.

The installs are played by a stand-in for Python that writes down what it is asked; recipes/test.sh itself runs
the real thing.
"""

import os
import runpy
import subprocess
import time

import pytest

PLACEHOLDER = r"""#!/usr/bin/env bash
# Plays Python VERSION: makes environments that hold a copy of itself, writes down every pip install.
version=VERSION
calls=CALLS
case "$1 $2" in
"-c import sys"*) echo "$version" ;;
"-c import venv"*) [ ! -e "$calls.no-venv" ] ;;
"-c import importlib"*) echo 9.9 ;;
"-c import torchaudio"*) [ ! -e "$calls.bad-audio" ] ;;
"-m venv")
    echo "venv ${*:3}" >>"$calls"
    rm -rf "$4"
    mkdir -p "$4/bin"
    cp "$0" "$4/bin/python"
    ;;
"-m pip")
    case $3 in
    --version) echo "pip 99" ;;
    freeze) printf 'torch==9.9\nsympy==1.0\n' ;;
    *)
        echo "pip ${*:3}" >>"$calls"
        echo "Collecting something"
        if [ -e "$calls.fail" ] && [[ "$*" == *"$(cat "$calls.fail")"* ]]; then
            echo "ERROR: No matching distribution found"
            exit 1
        fi
        ;;
    esac
    ;;
esac
"""


class Bench:
    def __init__(self, run, repo, folder):
        self._run, self._repo, self.folder = run, repo, folder
        self.calls = folder / "calls"
        self.venv = folder / "an environment"

    def python(self, version, name="python"):
        path = self.folder / name
        path.write_text(PLACEHOLDER.replace("VERSION", version).replace("CALLS", "'{}'".format(self.calls)))
        path.chmod(0o755)
        return path

    def setup(self, **env):
        self.calls.write_text("")
        env.setdefault("SWCM_VENV", self.venv)
        env.setdefault("SWCM_TORCH", None)
        env.setdefault("SWCM_EXTRAS", None)
        return self._run(["bash", self._repo / "recipes" / "setup.sh"], env=env, check=False, timeout=60)

    def called(self):
        return self.calls.read_text().splitlines()


@pytest.fixture
def bench(run, repo, tmp_path):
    return Bench(run, repo, tmp_path)


def test_torch_comes_first_and_nothing_may_replace_it(bench, repo):
    done = bench.setup(SWCM_PYTHON=bench.python("3.11"))
    assert done.returncode == 0, done.stderr
    calls = bench.called()
    assert calls[0] == "venv --clear {}".format(bench.venv)
    installs = [call for call in calls if call.startswith("pip install")]
    assert "constraints-py311.txt torch" in installs[0] and "-e" not in installs[0]
    assert "-e {}[test,plots]".format(repo) in installs[-1]
    assert "-c {}/constraints.txt".format(bench.venv) in installs[-1]
    pins = (bench.venv / "constraints.txt").read_text().splitlines()
    assert "torch==9.9" in pins, "the version that was installed"
    assert len([pin for pin in pins if pin.startswith("torch==")]) == 1


def test_a_second_run_does_nothing_and_takes_no_time(bench):
    python = bench.python("3.11")
    assert bench.setup(SWCM_PYTHON=python).returncode == 0
    start = time.time()
    done = bench.setup(SWCM_PYTHON=python)
    assert (done.returncode, done.stdout, bench.called()) == (0, "", [])
    assert time.time() - start < 1


def test_a_failed_install_is_one_error_and_is_tried_again(bench):
    python = bench.python("3.11")
    (bench.folder / "calls.fail").write_text("-e ")
    done = bench.setup(SWCM_PYTHON=python)
    assert done.returncode == 1
    assert done.stderr.startswith("error: pip could not install") and len(done.stderr.splitlines()) == 1
    assert "ERROR: No matching distribution found" in (bench.venv / "setup.log").read_text()
    (bench.folder / "calls.fail").unlink()
    assert bench.setup(SWCM_PYTHON=python).returncode == 0
    assert bench.called() != []


def test_what_a_failed_change_left_is_not_taken_for_finished(bench):
    python = bench.python("3.11")
    bench.setup(SWCM_PYTHON=python)
    (bench.folder / "calls.fail").write_text("-e ")
    assert bench.setup(SWCM_PYTHON=python, SWCM_EXTRAS="plots").returncode == 1
    (bench.folder / "calls.fail").unlink()
    assert bench.setup(SWCM_PYTHON=python).returncode == 0
    assert bench.called() != []


def test_another_torch_is_installed_anew_and_what_it_brings_is_not_pinned(bench):
    python = bench.python("3.11")
    bench.setup(SWCM_PYTHON=python)
    assert bench.setup(SWCM_PYTHON=python, SWCM_TORCH="torch==2.6.0 --index-url file:///wheels").returncode == 0
    calls = bench.called()
    assert calls[0].startswith("venv --clear"), "pip would take the torch that is there for the one asked for"
    assert calls[1].endswith("torch==2.6.0 --index-url file:///wheels")
    pins = (bench.venv / "constraints.txt").read_text()
    assert "sympy==" not in pins and "torchaudio==" not in pins and "numpy==" in pins


def test_on_python_38_pip_is_held_below_24_1_first(bench):
    assert bench.setup(SWCM_PYTHON=bench.python("3.8")).returncode == 0
    installs = [call for call in bench.called() if call.startswith("pip install")]
    assert installs[0].endswith("pip<24.1")
    assert "constraints-py38.txt" in installs[1]


def test_a_torchaudio_that_does_not_load_is_taken_out(bench):
    (bench.folder / "calls.bad-audio").write_text("")
    assert bench.setup(SWCM_PYTHON=bench.python("3.12")).returncode == 0
    assert bench.called()[-1] == "pip uninstall --yes torchaudio"


@pytest.mark.parametrize("version", ["3.7", "3.9", "3.10", "3.13"])
def test_a_python_without_wheels_is_refused(bench, version):
    done = bench.setup(SWCM_PYTHON=bench.python(version))
    assert done.returncode == 1
    assert "is Python {}; fairseq has wheels for 3.11, 3.12 and 3.8 only".format(version) in done.stderr
    assert not bench.venv.exists()


def test_a_python_without_venv_is_named_with_its_package(bench):
    (bench.folder / "calls.no-venv").write_text("")
    done = bench.setup(SWCM_PYTHON=bench.python("3.11"))
    assert done.returncode == 1 and "python3.11-venv" in done.stderr


@pytest.mark.parametrize(
    "there, taken",
    [
        ({"python3": "3.12"}, "python3"),
        ({"python3": "3.13", "python3.8": "3.8"}, "python3.8"),
        ({"python3.12": "3.12", "python3.8": "3.8", "python3.11": "3.11"}, "python3.11"),
        ({"python3": "3.13", "python": "2.7"}, None),
        ({}, None),
    ],
)
def test_the_first_python_with_wheels_is_found(bench, there, taken):
    commands = bench.folder / "bin"
    commands.mkdir()
    for tool in [
        "bash",
        "dirname",
        "cat",
        "cksum",
        "date",
        "ls",
        "head",
        "mkdir",
        "rm",
        "cp",
        "tee",
        "awk",
        "grep",
        "tail",
    ]:
        path = subprocess.check_output(["bash", "-c", "type -P " + tool], encoding="utf-8").strip()
        os.symlink(path, str(commands / tool))
    for name, version in there.items():
        bench.python(version, "bin/" + name)
    done = bench.setup(PATH=commands, PYENV_ROOT=bench.folder / "none", SWCM_PYTHON=None)
    if taken:
        assert done.returncode == 0, done.stderr
        assert "with Python {} ({})".format(there[taken], taken) in done.stdout
    else:
        assert done.returncode == 1
        assert "no Python 3.11, 3.12 or 3.8 found" in done.stderr and len(done.stderr.splitlines()) == 1


def test_what_stands_at_the_place_is_not_destroyed(bench):
    bench.venv.mkdir()
    (bench.venv / "thesis.tex").write_text("years of work")
    done = bench.setup(SWCM_PYTHON=bench.python("3.11"))
    assert done.returncode == 1 and "set SWCM_VENV to another place" in done.stderr
    assert [path.name for path in bench.venv.iterdir()] == ["thesis.tex"]


def test_wrong_usage(run, repo):
    assert run(["bash", repo / "recipes" / "setup.sh", "--help"], check=False).returncode == 2


def test_setup_py_allows_the_pythons_that_have_wheels(repo, monkeypatch):
    packaging = pytest.importorskip("packaging.specifiers")
    setuptools = pytest.importorskip("setuptools")
    kept = {}
    monkeypatch.setattr(setuptools, "setup", kept.update)
    monkeypatch.chdir(repo)
    runpy.run_path(str(repo / "setup.py"))
    allowed = packaging.SpecifierSet(kept["python_requires"])
    versions = ["3.7.16", "3.8.18", "3.9.18", "3.10.13", "3.11.7", "3.12.1", "3.13.0"]
    assert [version for version in versions if version in allowed] == ["3.8.18", "3.11.7", "3.12.1"]
    from swcm_fairseq.version import __version__

    assert (kept["name"], kept["version"], kept["license"]) == ("swcm-fairseq", __version__, "MIT")
    assert "swcm_fairseq.scoring" in kept["packages"] and not any("tests" in name for name in kept["packages"])


def test_every_requirement_is_pinned(repo, monkeypatch):
    """What setup.py asks for has one version in the constraints of each Python that it applies to."""
    requirements = pytest.importorskip("packaging.requirements")
    setuptools = pytest.importorskip("setuptools")
    kept = {}
    monkeypatch.setattr(setuptools, "setup", kept.update)
    monkeypatch.chdir(repo)
    runpy.run_path(str(repo / "setup.py"))
    wanted = kept["install_requires"] + sum(kept["extras_require"].values(), [])
    for name, version in [
        ("constraints-py311.txt", "3.11"),
        ("constraints-py311.txt", "3.12"),
        ("constraints-py38.txt", "3.8"),
    ]:
        lines = (repo / "recipes" / "lib" / name).read_text().splitlines()
        pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
        pins = {key.lower().replace("_", "-"): value for key, value in pins.items()}
        for text in wanted:
            requirement = requirements.Requirement(text)
            if requirement.marker and not requirement.marker.evaluate({"python_version": version}):
                continue
            if any(clause.operator == "==" for clause in requirement.specifier):
                continue  # pinned in setup.py itself
            assert requirement.name in pins, (name, text)
            assert pins[requirement.name] in requirement.specifier, (name, text)
