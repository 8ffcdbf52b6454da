"""The table of what is replaced in fairseq: all of it, only where it is known, and only for what is ours."""

import json
import textwrap

import pytest
from fairseq.distributed import utils as distributed_utils
from fairseq.trainer import Trainer

from swcm_fairseq import fairseq_patches
from swcm_fairseq.decoding.packing import pack
from swcm_fairseq.errors import SwcmError
from swcm_fairseq.fairseq_patches import COMMANDS, PATCHES, applied
from swcm_fairseq.fairseq_patches.patch import Patch, replaced
from tests.support.toy import toy_checkpoint, toy_dictionary, write_data_bin

# Of fairseq, torch and sys what code can be in: functions, classes, and what classes hold; by full name, as identities.
# Modules that load later are no change, nor are numbers and caches.
SNAPSHOT = textwrap.dedent(
    """
    import json, sys

    def snapshot():
        found = {"sys." + name: id(getattr(sys, name)) for name in ("excepthook", "displayhook", "stdout", "stderr")}
        for module_name, module in list(sys.modules.items()):
            if module_name.split(".")[0] not in ("fairseq", "fairseq_cli", "torch") or module.__name__ != module_name:
                continue  # the last are second names of modules
            for name, value in list(vars(module).items()):
                # fairseq's own name for a module that is not the module it names counts too.
                if callable(value) or name == "torch":
                    found[module_name + "." + name] = id(value)
                if isinstance(value, type) and value.__module__ == module_name:
                    for member, inner in list(vars(value).items()):
                        if callable(inner) or isinstance(inner, (staticmethod, classmethod, property)):
                            found[module_name + "." + name + "." + member] = id(inner)
        return found

    def changed(before):
        after = snapshot()
        # What a class gains counts, what a module gains by being loaded does not.
        known = [name for name in after if name in before or name.rpartition(".")[0] in before]
        return sorted(name for name in known if before.get(name) != after[name])
    """
)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    pack(toy_checkpoint(folder, lang_pairs="zh-kk"), str(folder / "packed"))
    return folder / "packed"


def test_everything_replaced_is_in_the_table_and_put_back():
    stock = {patch.target: getattr(*patch.place()) for patch in PATCHES}
    with applied(), applied():
        assert all(getattr(*patch.place()) is not stock[patch.target] for patch in PATCHES)
    assert {patch.target: getattr(*patch.place()) for patch in PATCHES} == stock


def test_the_table_says_what_each_mends_and_until_when():
    for patch in [COMMANDS, *PATCHES]:
        assert patch.mends and patch.until and patch.target.startswith("fairseq."), patch.target


def test_a_fairseq_with_other_parts_is_refused_in_one_error(monkeypatch):
    monkeypatch.setattr(Trainer, "save_checkpoint", lambda self, path: None)
    gone = Patch("fairseq.trainer.Trainer.gone", lambda stock: stock, "self", "-", "-")
    with pytest.raises(SwcmError) as caught:
        with replaced([*PATCHES, gone]):
            raise AssertionError("nothing runs")
    assert caught.value.problems == [
        "fairseq.trainer.Trainer.save_checkpoint takes (self path), not (self filename extra_state)",
        "fairseq.trainer.Trainer.gone is not there",
    ]
    assert "fairseq 0.12.2" in str(caught.value)


def test_after_an_error_everything_is_put_back():
    stock = Trainer.save_checkpoint
    with pytest.raises(ZeroDivisionError), applied():
        raise ZeroDivisionError
    assert Trainer.save_checkpoint is stock
    with applied():
        assert Trainer.save_checkpoint is not stock


def test_what_from_pretrained_changes_is_nothing(run, packed):
    script = SNAPSHOT + textwrap.dedent(
        """
        import fairseq, torch, fairseq_cli.train, fairseq.sequence_generator, fairseq.ngram_repeat_block
        before = snapshot()
        import swcm_fairseq
        assert len(swcm_fairseq.from_pretrained(sys.argv[1]).translate(["a b", "c"], target="kk")) == 2
        print(json.dumps(changed(before)), len(before))
        """
    )
    changed, size = run(["python", "-c", script, packed], quick=False).stdout.splitlines()[-1].rsplit(" ", 1)
    assert json.loads(changed) == []
    assert int(size) > 5000, "much is looked at"


def test_loading_the_plugin_replaces_one_function(run, repo):
    script = SNAPSHOT + textwrap.dedent(
        """
        import argparse, fairseq, torch, fairseq_cli.train, fairseq.trainer
        from fairseq.utils import import_user_module
        before = snapshot()
        import_user_module(argparse.Namespace(user_dir=sys.argv[1]))
        print(json.dumps(changed(before)))
        """
    )
    output = run(["python", "-c", script, repo / "swcm_fairseq"], quick=False).stdout
    assert json.loads(output.splitlines()[-1]) == [COMMANDS.target]


def test_during_a_command_the_list_is_what_the_table_says(run, repo):
    script = SNAPSHOT + textwrap.dedent(
        """
        import argparse, fairseq, torch, fairseq_cli.train, fairseq.trainer, fairseq.ngram_repeat_block
        import fairseq.optim.amp_optimizer, fairseq.models.distributed_fairseq_model
        from fairseq.utils import import_user_module
        before = snapshot()
        import_user_module(argparse.Namespace(user_dir=sys.argv[1]))
        from swcm_fairseq.fairseq_patches import applied
        with applied():
            during = changed(before)
        print(json.dumps(during))
        """
    )
    output = run(["python", "-c", script, repo / "swcm_fairseq"], quick=False).stdout
    assert json.loads(output.splitlines()[-1]) == sorted({patch.target for patch in [COMMANDS, *PATCHES]})


SECOND_PLUGIN = """
from fairseq.optim import register_optimizer
from fairseq.optim.sgd import SGD
from fairseq.tasks import register_task
from fairseq.tasks.translation import TranslationConfig, TranslationTask


@register_task("second_translation", dataclass=TranslationConfig)
class SecondTranslation(TranslationTask):
    pass


@register_optimizer("second_sgd")
class SecondSGD(SGD):
    pass
"""

TRAINING = """
import argparse, json, sys, torch, fairseq_cli.train
import fairseq.trainer
from fairseq import checkpoint_utils
from fairseq.utils import import_user_module

out, task, optimizer, *plugins = sys.argv[1:]
for folder in plugins:
    import_user_module(argparse.Namespace(user_dir=folder))
seen = []
stock_step = fairseq.trainer.Trainer.train_step

def train_step(self, samples, raise_oom=False):
    seen.append([f.__globals__["__name__"] for f in (
                 fairseq.trainer.Trainer.save_checkpoint, checkpoint_utils.load_checkpoint,
                 checkpoint_utils.torch_persistent_save, fairseq.trainer.Trainer.get_train_iterator)])
    return stock_step(self, samples, raise_oom)

fairseq.trainer.Trainer.train_step = train_step
sys.argv = ["fairseq-train", DATA, "--task", task, "-s", "zh", "-t", "kk", "--arch", "transformer_tiny", "--optimizer",
            optimizer, "--lr", "0.1", "--max-tokens", "60", "--max-update", "3", "--cpu", "--save-dir", out,
            "--no-progress-bar", "--disable-validation", "--required-batch-size-multiple", "8"]
fairseq_cli.train.cli_main()
print(json.dumps(seen))
"""


@pytest.mark.parametrize("task, optimizer", [("translation", "sgd"), ("second_translation", "second_sgd")])
def test_other_peoples_tasks_run_in_stock_fairseq(run, repo, tmp_path, task, optimizer):
    """fairseq's own translation, and a second plug-in's task and optimizer, with ours loaded beside them."""
    import torch

    from swcm_fairseq.torch_files import safe_load

    lines = ["a b c", "d e", "f g h", "i", "a c"] * 4
    # fairseq 0.12.2 loads the validation set even where it is not wanted.
    sides = {f"{split}.zh-kk.{side}": lines for split in ("train", "valid") for side in ("zh", "kk")}
    data = write_data_bin(tmp_path / "data", toy_dictionary(), sides)
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "__init__.py").write_text(SECOND_PLUGIN)
    script = TRAINING.replace("DATA", repr(data))
    found = {}
    for name, plugins in (("alone", []), ("beside", [repo / "swcm_fairseq"])):
        out = tmp_path / name
        done = run(["python", "-c", script, out, task, optimizer, *plugins, tmp_path / "second"], quick=False)
        seen = json.loads(done.stdout.splitlines()[-1])
        assert len(seen) == 3 and {module.split(".")[0] for step in seen for module in step} == {"fairseq"}
        found[name] = safe_load(str(out / "checkpoint_last.pt"))
        assert not list(out.glob(".*")), "no lock, no temporary file"
    assert list(found["beside"]["model"]) == list(found["alone"]["model"])
    for name, tensor in found["alone"]["model"].items():
        # (fairseq never sets what is in this one.)
        assert name.endswith("._float_tensor") or torch.equal(found["beside"]["model"][name], tensor), name
    assert "swcm" not in str([list(found["beside"][part]) for part in ("cfg", "extra_state", "last_optimizer_state")])


def test_commands_tell_ours_from_others():
    from types import SimpleNamespace

    from swcm_fairseq.fairseq_patches.commands import is_ours
    from swcm_fairseq.tasks import swcm_finetuning  # noqa: F401  (registered)

    def command(task=None, model=None):
        named = {part: SimpleNamespace(_name=name) for part, name in (("task", task), ("model", model))}
        return SimpleNamespace(**named)

    assert is_ours(command("swcm_finetuning", "transformer")) and is_ours(command("translation", "xlm_swcm_base"))
    assert not is_ours(command("translation", "transformer")) and not is_ours(command())
    assert not is_ours(SimpleNamespace())
    assert distributed_utils.call_main.__wrapped__ is not None and fairseq_patches.COMMANDS.problem() == ""
