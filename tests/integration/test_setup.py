"""recipes/setup.sh: which Python it takes, what it installs in which order, and what it leaves when that fails.

The installs are played by a stand-in for Python that writes down what it is asked; recipes/test.sh itself runs
the real thing.
"""

import concurrent.futures
import os
import runpy
import signal
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
"-c import os, sysconfig"*) [ ! -e "$calls.no-headers" ] || echo /usr/include/nowhere ;;
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
    wheel)
        echo "pip ${*:3}" >>"$calls"
        echo "building 'fairseq.libbleu' extension"
        all="$*"
        folder=${all##*--wheel-dir }
        mkdir -p "${folder%% fairseq-fixed*}"
        touch "${folder%% fairseq-fixed*}/fairseq_fixed-0.12.3.1-any.whl"
        ;;
    freeze) printf 'torch==9.9\nsympy==1.0\n' ;;
    *)
        echo "pip ${*:3}" >>"$calls"
        echo "Collecting something"
        [ ! -e "$calls.slow" ] || sleep 0.3
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
        path.write_text(PLACEHOLDER.replace("VERSION", version).replace("CALLS", f"'{self.calls}'"))
        path.chmod(0o755)
        return path

    def setup(self, keep_calls=False, **env):
        if not keep_calls:
            self.calls.write_text("")
        env.setdefault("SWCM_VENV", self.venv)
        env.setdefault("SWCM_TORCH", None)
        env.setdefault("SWCM_EXTRAS", None)
        env.setdefault("SWCM_WHEELS", self.folder / "wheels")
        return self._run(["bash", self._repo / "recipes" / "setup.sh"], env=env, check=False, timeout=60, quick=False)

    def called(self):
        return self.calls.read_text().splitlines()


@pytest.fixture
def bench(run, repo, tmp_path):
    return Bench(run, repo, tmp_path)


def test_torch_comes_first_and_nothing_may_replace_it(bench, repo):
    done = bench.setup(SWCM_PYTHON=bench.python("3.11"))
    assert done.returncode == 0, done.stderr
    calls = bench.called()
    assert calls[0] == f"venv --clear {bench.venv}"
    installs = [call for call in calls if call.startswith("pip install")]
    assert "constraints-py311.txt torch" in installs[0] and "-e" not in installs[0]
    assert f"-e {repo}[test,tensorboard]" in installs[-1]
    assert f"-c {bench.venv}/constraints.txt" in installs[-1]
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
    assert bench.setup(SWCM_PYTHON=python, SWCM_EXTRAS="tensorboard").returncode == 1
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


@pytest.mark.parametrize("version", ["3.7", "3.14"])
def test_a_python_that_fairseq_cannot_be_had_for_is_refused(bench, version):
    done = bench.setup(SWCM_PYTHON=bench.python(version))
    assert done.returncode == 1
    assert f"is Python {version}; fairseq can be had for 3.9 to 3.13" in done.stderr
    assert "swcm-export" in done.stderr, "what to do there"
    assert not bench.venv.exists()


def machine(bench, name, kind):
    """A PATH on which ``uname`` names another machine."""
    (bench.folder / "other machine").mkdir(exist_ok=True)
    uname = bench.folder / "other machine" / "uname"
    uname.write_text(f"#!/bin/sh\ncase $1 in -s) echo {name} ;; *) echo {kind} ;; esac\n")
    uname.chmod(0o755)
    return "{}:{}:{}".format(uname.parent, os.path.dirname(os.sys.executable), os.environ["PATH"])


@pytest.mark.parametrize(
    "version, where",
    [("3.9", None), ("3.10", None), ("3.13", None), ("3.11", ("Linux", "aarch64")), ("3.12", ("Darwin", "arm64"))],
)
def test_without_a_wheel_fairseq_is_built_once_and_kept(bench, version, where):
    env = {"PATH": machine(bench, *where)} if where else {}
    python = bench.python(version)
    done = bench.setup(SWCM_PYTHON=python, **env)
    assert done.returncode == 0, done.stderr
    assert "building fairseq for Python " + version in done.stdout and "building 'fairseq.libbleu'" in done.stdout
    (wheel,) = [call for call in bench.called() if call.startswith("pip wheel")]
    assert wheel.endswith("fairseq-fixed==0.12.3.1") and "--no-build-isolation" in wheel
    (kept,) = (bench.folder / "wheels").glob(f"python{version}-torch9.9-*/fairseq_fixed-*.whl")
    pins = (bench.venv / "constraints.txt").read_text()
    assert "omegaconf==" not in pins and "hydra-core==" not in pins, "that fairseq names its own"
    last = bench.called()[-1]
    assert f"--find-links {kept.parent} " in last and "-e " in last

    done = bench.setup(SWCM_PYTHON=python, SWCM_VENV=bench.folder / "second", **env)
    assert done.returncode == 0 and "built earlier" in done.stdout
    assert not [call for call in bench.called() if call.startswith("pip wheel")]


def test_where_there_is_a_wheel_nothing_is_built(bench):
    assert bench.setup(SWCM_PYTHON=bench.python("3.12")).returncode == 0
    assert not [call for call in bench.called() if "pip wheel" in call or "--find-links" in call]


def test_python_38_has_its_wheel_on_linux_for_x86_alone(bench):
    done = bench.setup(SWCM_PYTHON=bench.python("3.8"), PATH=machine(bench, "Linux", "aarch64"))
    assert done.returncode == 1 and "on Linux x86-64 3.8 too" in done.stderr


def test_what_building_lacks_is_said_before_anything_is_fetched(bench):
    python = bench.python("3.10")
    (bench.folder / "calls.no-headers").write_text("")
    done = bench.setup(SWCM_PYTHON=python)
    assert done.returncode == 1 and "apt install python3.10-dev" in done.stderr
    assert bench.called() == [] and not bench.venv.exists()
    (bench.folder / "calls.no-headers").unlink()
    done = bench.setup(SWCM_PYTHON=python, PATH=tools(bench), CXX=None)
    assert done.returncode == 1 and "no C++ compiler (apt install g++)" in done.stderr
    assert bench.called() == [] and not bench.venv.exists()


def test_two_at_once_make_one_environment(bench):
    python = bench.python("3.11")
    (bench.folder / "calls.slow").write_text("")
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(bench.setup, SWCM_PYTHON=python, keep_calls=True) for _ in range(3)]
    done = [one.result() for one in runs]
    assert [one.returncode for one in done] == [0, 0, 0], [one.stderr for one in done]
    assert sorted("waiting for it" in one.stdout for one in done) == [False, True, True]
    assert sum(call.startswith("venv") for call in bench.called()) == 1
    assert sum(" -e " in call for call in bench.called()) == 1


def test_one_that_was_killed_leaves_no_lock(bench, repo):
    python = bench.python("3.11")
    (bench.folder / "calls.slow").write_text("")
    env = dict(os.environ, SWCM_VENV=str(bench.venv), SWCM_PYTHON=str(python), SWCM_WHEELS=str(bench.folder))
    first = subprocess.Popen(["bash", str(repo / "recipes" / "setup.sh")], env=env, start_new_session=True)
    while not bench.calls.exists() or "pip install" not in bench.calls.read_text():
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert bench.setup(SWCM_PYTHON=python).returncode == 0
    assert any("-e " in call for call in bench.called())


def test_an_environment_in_use_is_not_made_anew(bench, repo):
    python = bench.python("3.11")
    assert bench.setup(SWCM_PYTHON=python).returncode == 0
    # By a program of it, and by a recipe, which may be between two programs.
    program = bench.venv / "bin" / "fairseq-train"
    program.write_text("#!/bin/sh\nsleep 60\n")
    program.chmod(0o755)
    recipe = '. "$1/recipes/lib/common.sh"; use_environment; echo ready; read -r _'
    env = dict(os.environ, SWCM_VENV=str(bench.venv), SWCM_PYTHON=str(python), SWCM_WHEELS=str(bench.folder / "wheels"))
    for name in ("SWCM_SKIP_SETUP", "SWCM_TORCH", "SWCM_EXTRAS"):
        env.pop(name, None)
    for command in ([str(program)], ["bash", "-c", recipe, "bash", str(repo)]):
        user = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if command[0] == "bash":
            assert b"ready" in user.stdout.readline()
        else:
            time.sleep(0.5)
        done = bench.setup(SWCM_PYTHON=python, SWCM_TORCH="torch==2.6.0")
        user.kill()
        user.wait()
        assert done.returncode == 1 and "is in use" in done.stderr, done.stderr
        assert bench.called() == [] and program.exists()
    assert bench.setup(SWCM_PYTHON=python, SWCM_TORCH="torch==2.6.0").returncode == 0


def test_a_python_without_venv_is_named_with_its_package(bench):
    (bench.folder / "calls.no-venv").write_text("")
    done = bench.setup(SWCM_PYTHON=bench.python("3.11"))
    assert done.returncode == 1 and "python3.11-venv" in done.stderr


def tools(bench):
    """A folder of commands for PATH: what setup.sh uses, no Python and no compiler."""
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
        "sed",
        "uname",
        "mv",
        "tr",
        "env",
        "flock",
    ]:
        path = subprocess.check_output(["bash", "-c", "type -P " + tool], encoding="utf-8").strip()
        os.symlink(path, str(commands / tool))
    return commands


@pytest.mark.parametrize(
    "there, taken",
    [
        ({"python3": "3.12"}, "python3"),
        ({"python3": "3.13", "python3.8": "3.8"}, "python3.8"),
        ({"python3.12": "3.12", "python3.8": "3.8", "python3.11": "3.11"}, "python3.11"),
        ({"python3": "3.14", "python": "2.7"}, None),
        ({}, None),
    ],
)
def test_the_first_python_with_wheels_is_found(bench, there, taken):
    commands = tools(bench)
    for name, version in there.items():
        bench.python(version, "bin/" + name)
    done = bench.setup(PATH=commands, PYENV_ROOT=bench.folder / "none", SWCM_PYTHON=None)
    if taken:
        assert done.returncode == 0, done.stderr
        assert f"with Python {there[taken]} ({taken})" in done.stdout
    else:
        assert done.returncode == 1
        assert "no Python from 3.9 to 3.13 found" in done.stderr and len(done.stderr.splitlines()) == 1


def test_what_stands_at_the_place_is_not_destroyed(bench):
    bench.venv.mkdir()
    (bench.venv / "thesis.tex").write_text("years of work")
    done = bench.setup(SWCM_PYTHON=bench.python("3.11"))
    assert done.returncode == 1 and "set SWCM_VENV to another place" in done.stderr
    assert [path.name for path in bench.venv.iterdir()] == ["thesis.tex"]


def test_wrong_usage(run, repo):
    assert run(["bash", repo / "recipes" / "setup.sh", "--help"], check=False, quick=False).returncode == 2


def test_setup_py_allows_the_pythons_that_fairseq_can_be_had_for(repo, monkeypatch):
    packaging = pytest.importorskip("packaging.specifiers")
    setuptools = pytest.importorskip("setuptools")
    kept = {}
    monkeypatch.setattr(setuptools, "setup", kept.update)
    monkeypatch.chdir(repo)
    runpy.run_path(str(repo / "setup.py"))
    allowed = packaging.SpecifierSet(kept["python_requires"])
    versions = ["3.7.16", "3.8.18", "3.9.18", "3.10.13", "3.11.7", "3.12.1", "3.13.0", "3.14.0"]
    assert [version for version in versions if version not in allowed] == ["3.7.16", "3.14.0"]
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
        ("constraints-py311.txt", "3.13"),
        ("constraints-py310.txt", "3.10"),
        ("constraints-py39.txt", "3.9"),
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


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"])
@pytest.mark.parametrize("where", [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")])
def test_one_fairseq_for_each_machine(repo, monkeypatch, version, where):
    requirements = pytest.importorskip("packaging.requirements")
    setuptools = pytest.importorskip("setuptools")
    kept = {}
    monkeypatch.setattr(setuptools, "setup", kept.update)
    monkeypatch.chdir(repo)
    runpy.run_path(str(repo / "setup.py"))
    machine = {"python_version": version, "sys_platform": where[0], "platform_machine": where[1]}
    wanted = [requirements.Requirement(text) for text in kept["install_requires"]]
    (found,) = [r.name for r in wanted if "fairseq" in r.name and r.marker.evaluate(machine)]
    if version == "3.8":
        assert found == "fairseq"
    else:
        wheel = version in ("3.11", "3.12") and where == ("linux", "x86_64")
        assert found == ("ve-fairseq" if wheel else "fairseq-fixed")
