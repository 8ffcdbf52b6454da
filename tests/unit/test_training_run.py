import os
from types import SimpleNamespace

import pytest
from fairseq.dataclass.configs import FairseqConfig
from omegaconf import OmegaConf, open_dict

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.fairseq_patches.commands import allow_bf16_off_tpus
from swcm_fairseq.models.config import XlmSwcmConfig
from swcm_fairseq.training_run import TrainingRun, running


@pytest.fixture
def root(tmp_path):
    cfg = OmegaConf.structured(FairseqConfig())
    cfg.checkpoint.save_dir = str(tmp_path / "checkpoints")
    with open_dict(cfg):
        cfg.model = OmegaConf.structured(XlmSwcmConfig())
        cfg.common.bf16 = True
        cfg.common.tpu = True
    with running(cfg):
        yield cfg


def reloaded(cfg):
    """The configuration as a checkpoint gives it back."""
    return OmegaConf.create(OmegaConf.to_container(cfg, resolve=False))


def test_a_run_is_found_from_its_parts(root, tmp_path):
    run = TrainingRun.of(root.model)
    assert run.save_dir == str(tmp_path / "checkpoints")
    assert run.is_master
    root.distributed_training.distributed_rank = 1
    assert not TrainingRun.of(root.task if root.task else root.model).is_master


def test_the_splits_are_those_that_will_be_loaded(root):
    root.dataset.valid_subset = "valid,other"
    run = TrainingRun.of(root.model)
    assert (run.train_split, run.valid_splits) == ("train", ["valid", "other"])
    root.dataset.disable_validation = True
    assert TrainingRun.of(root.model).valid_splits == []


def test_there_is_no_run_outside_of_training():
    assert TrainingRun.of(XlmSwcmConfig()) is None
    assert TrainingRun.of(SimpleNamespace()) is None
    assert TrainingRun.of(OmegaConf.create({"model": {"x": 1}}).model) is None


def test_a_checkpoints_configuration_is_no_run(root):
    TrainingRun.of(root.model)
    assert TrainingRun.of(root.model) is not None, "the run itself stays one"
    assert TrainingRun.of(reloaded(root).model) is None


def test_bf16_is_taken_off_tpus(root):
    allow_bf16_off_tpus(TrainingRun.of(root.model).root)
    assert not root.common.tpu and root.common.bf16


def test_settings_filled_in_reach_the_configuration_that_is_saved(root):
    run = TrainingRun.of(root.model)
    filled_in = OmegaConf.structured(XlmSwcmConfig(encoder_layers=7, max_positions=9))
    run.keep_model_settings(filled_in, ["encoder_layers"])
    assert (root.model.encoder_layers, root.model.max_positions) == (7, None)


def test_a_file_for_decoding_is_copied_whole(root, tmp_path):
    run = TrainingRun.of(root.model)
    os.makedirs(run.save_dir)
    (tmp_path / "model").write_bytes(b"pieces")
    run.keep_beside_checkpoints(str(tmp_path / "model"))
    run.keep_beside_checkpoints(os.path.join(run.save_dir, "model"))  # itself: nothing to do
    assert os.listdir(run.save_dir) == ["model"]
    with open(os.path.join(run.save_dir, "model"), "rb") as stream:
        assert stream.read() == b"pieces"


@pytest.mark.parametrize(
    "setting, flag", [("restore_file", "--restore-file"), ("finetune_from_model", "--finetune-from")]
)
def test_files_to_start_from_must_exist(root, tmp_path, setting, flag):
    run = TrainingRun.of(root.model)
    run.check_restored_files()
    root.checkpoint[setting] = str(tmp_path / "none.pt")
    with pytest.raises(SwcmError, match=flag + ".*none.pt: no such file"):
        run.check_restored_files()
    (tmp_path / "none.pt").write_bytes(b"")
    run.check_restored_files()
