"""What can be said without running the code: style, types and shell scripts."""

import importlib.util
import re
import sys

import pytest

# The tools are pinned for the newer Pythons alone; what they say is the same everywhere.
pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 9) or not importlib.util.find_spec("ruff"), reason="the tools are not in this environment"
)


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


def test_a_setting_that_may_be_empty_stays_empty(repo, tracked):
    """``:=`` puts the default in place of an empty value too, ``=`` does not."""
    for name in tracked:
        if name.endswith(".sh"):
            text = (repo / name).read_text(encoding="utf-8")
            assert not re.findall(r'^: "\$\{\w+:=[^}]+\}".*\bempty\b.*', text, re.M), name


def test_nothing_is_fetched_over_plain_http(repo, tracked):
    texts = {name: (repo / name).read_text(encoding="utf-8") for name in tracked if re.search(r"\.(sh|py)$", name)}
    own = {name: text for name, text in texts.items() if not name.startswith("tests/")}
    # The last is the name of a kind of markup, which nobody fetches.
    address = re.compile(r"http://(?!localhost|127\.|www\.w3\.org/2000/svg)[\w.]+\.\w")
    assert not [name for name, text in own.items() if address.search(text)]
