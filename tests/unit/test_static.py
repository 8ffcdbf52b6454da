"""What can be said without running the code: style, types, shell scripts, and what a wheel would carry."""

import importlib.util
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

# The tools are pinned for the newer Pythons alone; what they say is the same everywhere.
pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 9) or not importlib.util.find_spec("ruff"), reason="the tools are not in this environment"
)


@pytest.fixture(scope="module")
def tracked(repo):
    """All files that belong to the project, as paths under the checkout."""
    listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=str(repo)).decode().split("\0")
    return [name for name in listed if name and (repo / name).exists()]


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=lambda command: command[0])
def test_ruff_finds_nothing(run, repo, tracked, command):
    files = [name for name in tracked if name.endswith(".py")]
    run(["python", "-m", "ruff", *command, "--no-cache", *files], cwd=str(repo))


def test_public_interfaces_have_the_types_they_claim(run, repo, tmp_path):
    run(["python", "-m", "mypy", "--cache-dir", tmp_path], cwd=str(repo))


def test_shell_scripts_are_as_shellcheck_wants_them(run, repo, tracked):
    scripts = [name for name in tracked if name.endswith(".sh")] + [".ci/run"]
    assert len(scripts) > 10
    run(["shellcheck", "--external-sources", *scripts], cwd=str(repo))


def test_every_recipe_stops_at_the_first_failure(repo, tracked):
    for name in tracked:
        if name.endswith(".sh") and not name.startswith("recipes/lib/"):
            assert "\nset -euo pipefail\n" in (repo / name).read_text(encoding="utf-8"), name


def test_nothing_is_fetched_over_plain_http(repo, tracked):
    texts = {name: (repo / name).read_text(encoding="utf-8") for name in tracked if re.search(r"\.(sh|py)$", name)}
    own = {name: text for name, text in texts.items() if not name.startswith("tests/")}
    # The last is the name of a kind of markup, which nobody fetches.
    address = re.compile(r"http://(?!localhost|127\.|www\.w3\.org/2000/svg)[\w.]+\.\w")
    assert not [name for name, text in own.items() if address.search(text)]


@pytest.fixture(scope="module")
def wheel(run, repo, tracked, tmp_path_factory):
    """The wheel of a clean copy, opened."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked:
        (folder / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(repo / name), str(folder / "copy" / name))
    build = ["python", "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    run([*build, "--wheel-dir", folder, folder / "copy"])
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(str(path)) as archive:
        yield archive


def test_the_wheel_holds_both_packages_and_nothing_else(wheel, tracked):
    names = set(wheel.namelist())
    about = {name for name in names if ".dist-info/" in name}
    own = {name for name in tracked if name.startswith(("swcm_fairseq/", "preprocess/"))}
    assert names - about == {re.sub(r"\Apreprocess/", "swcm_preprocess/", name) for name in own}
    assert {name.split("/")[-1] for name in about} == {
        "METADATA",
        "WHEEL",
        "RECORD",
        "entry_points.txt",
        "top_level.txt",
        "LICENSE",
    }
    (top,) = (name for name in about if name.endswith("top_level.txt"))
    assert wheel.read(top).split() == [b"swcm_fairseq", b"swcm_preprocess"]


def test_the_wheels_commands_are_there(wheel):
    (points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    targets = dict(re.findall(r"^(swcm-[\w-]+) = ([\w.]+):cli$", wheel.read(points).decode(), re.MULTILINE))
    stages = {"read", "clean", "split", "prune", "extend-vocab", "build-dict", "encode", "mrc"}
    assert {"swcm-" + name for name in stages | {"average", "pack", "score"}} <= set(targets)
    for module in targets.values():
        path = module.replace(".", "/") + ".py"
        assert b"def cli(" in wheel.read(path), path
