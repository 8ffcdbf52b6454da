"""The commands of README.md and recipes/README.md, run once for all tests of them and of what they leave behind."""

import shutil
import sys

import pytest

from tests.support.readme import TINY, blocks


@pytest.fixture(scope="session")
def checkout(repo, tracked, tmp_path_factory):
    """A copy of what git tracks, with this environment as its .venv, in which every README block has run."""
    copy = tmp_path_factory.mktemp("clone of it")  # a path with spaces, as users have them
    for name in tracked:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(str(repo / name), str(copy / name))
    (copy / ".venv").symlink_to(sys.prefix)
    return copy


@pytest.fixture(scope="session")
def outputs(checkout, run):
    """What each block printed."""
    environment = dict(TINY, SWCM_VENV=None, PYTHONPATH=str(checkout))
    found = []
    texts = [(checkout / name).read_text(encoding="utf-8") for name in ("README.md", "recipes/README.md")]
    for block in [block for text in texts for block in blocks(text)]:
        done = run(["bash", "-euo", "pipefail", "-c", block], cwd=str(checkout), env=environment, timeout=1500)
        found.append(done.stdout)
    return found
