"""The package from its installed files alone, and from a checkout, in folders with spaces, by every form of path."""

import os
import re
import shutil
import zipfile

import pytest

from tests.support.generation import hypotheses
from tests.support.toy import toy_checkpoint


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a model")
    toy_checkpoint(folder, lang_pairs="zh-kk")
    return folder


@pytest.fixture(scope="module")
def wheel(run, repo, tracked, tmp_path_factory):
    """The wheel of a clean copy, opened."""
    folder = tmp_path_factory.mktemp("a wheel")
    for name in tracked:
        (folder / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(repo / name), str(folder / "copy" / name))
    build = ["python", "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    run([*build, "--wheel-dir", folder, folder / "copy"], quick=False)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(str(path)) as archive:
        yield archive


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """What a wheel brings, in a folder of its own."""
    folder = tmp_path_factory.mktemp("site packages")
    wheel.extractall(str(folder))
    return folder


@pytest.mark.parametrize("form", ["absolute", "relative", "checkout"])
def test_decoding_from_another_folder(run, repo, model, installed, tmp_path, form):
    root = repo if form == "checkout" else installed
    plugin = str(root / "swcm_fairseq")
    if form == "relative":
        plugin = os.path.relpath(plugin, str(tmp_path))
    flags = ["--user-dir", plugin, "--task", "swcm_finetuning", "--target-lang", "kk", "--cpu", "--beam", "2"]
    command = ["fairseq-interactive", model, *flags, "--path", model / "checkpoint_best.pt", "--max-len-b", "8"]
    done = run(command, input="打开文件\n", cwd=str(tmp_path), env={"PYTHONPATH": str(root)}, quick=False)
    assert len(hypotheses(done.stdout)) == 1
    where = ["python", "-c", "import swcm_fairseq; print(swcm_fairseq.__file__)"]
    found = run(where, cwd=str(tmp_path), env={"PYTHONPATH": str(root)}, quick=False).stdout.strip()
    assert os.path.dirname(found) == str(root / "swcm_fairseq")


def test_packing_and_python_from_the_installed_files(run, model, installed, tmp_path):
    program = "import sys; from swcm_fairseq.decoding.packing import cli; sys.argv[0] = 'swcm-pack'; cli()"
    environment = {"PYTHONPATH": str(installed)}
    run(
        ["python", "-c", program, model / "checkpoint_best.pt", "a pack"],
        cwd=str(tmp_path),
        env=environment,
        quick=False,
    )
    program = "import swcm_fairseq as s; print(s.from_pretrained('a pack').translate(['打开文件'], max_len=8))"
    assert run(["python", "-c", program], cwd=str(tmp_path), env=environment, quick=False).stdout.startswith("[")


STAGES = ("read", "clean", "split", "prune_encoder", "extend_vocab", "build_dict", "encode", "mrc")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_without_the_package_is_one_clear_line(run, repo, tmp_path, stage):
    # -S: no site-packages, so neither this package nor what it needs.
    command = ["python", "-S", repo / "preprocess" / (stage + ".py"), "--help"]
    done = run(command, check=False, cwd=str(tmp_path), env={"PYTHONPATH": None}, quick=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error: swcm-fairseq is not installed") and done.stderr.count("\n") == 1


def test_stages_by_path_and_from_the_installed_files(run, repo, installed, tmp_path):
    (tmp_path / "a.kk").write_text("Бүгін  ауа райы жақсы\n" * 2, encoding="utf-8")
    program = "import sys, swcm_preprocess.clean as c; sys.argv[0] = 'swcm-clean'; sys.exit(c.cli())"
    ways = {
        "path": (["python", repo / "preprocess" / "clean.py"], {"PYTHONPATH": None}),
        "wheel": (["python", "-c", program], {"PYTHONPATH": str(installed)}),
    }
    for way, (command, environment) in ways.items():
        arguments = ["--text", "a.kk", "--lang", "kk", "--workers", "2", "--out", way]
        run([*command, *arguments], cwd=str(tmp_path), env=environment, quick=False)
        assert (tmp_path / (way + ".kk")).read_text(encoding="utf-8") == "Бүгін ауа райы жақсы\n"


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
