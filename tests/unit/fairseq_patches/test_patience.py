import sys
from types import SimpleNamespace

import pytest
from fairseq.trainer import Trainer

from swcm_fairseq.fairseq_patches import patience


@pytest.fixture
def kept(monkeypatch):
    """What a trainer has saved by file name; its own saving and loading do nothing else."""
    kept = {}
    save = patience.save_checkpoint(lambda self, filename, extra: kept.update({filename: extra}))
    load = patience.load_checkpoint(lambda self, filename, *flags: kept.get(filename))
    monkeypatch.setattr(Trainer, "save_checkpoint", save)
    monkeypatch.setattr(Trainer, "load_checkpoint", load)
    return kept


@pytest.fixture
def fresh_process(monkeypatch):
    """``fresh_process()``: what a new process knows of waiting."""

    def start():
        def should_stop_early():
            pass

        monkeypatch.setitem(sys.modules, "fairseq_cli.train", SimpleNamespace(should_stop_early=should_stop_early))
        return should_stop_early

    return start


def trainer_of(patience=0):
    trainer = Trainer.__new__(Trainer)
    settings = SimpleNamespace(patience=patience), SimpleNamespace(max_epoch=9)
    trainer.cfg = SimpleNamespace(checkpoint=settings[0], optimization=settings[1])
    return trainer


def test_a_new_process_has_waited_as_long(kept, fresh_process):
    trainer, before = trainer_of(), fresh_process()
    before.best, before.num_runs = 2.5, 3
    trainer.save_checkpoint("a.pt", {"val_loss": 2.75})
    assert kept["a.pt"]["val_loss"] == 2.75
    after = fresh_process()
    assert trainer.load_checkpoint("a.pt") is kept["a.pt"]
    assert (after.best, after.num_runs) == (2.5, 3)


@pytest.mark.parametrize("waits, epochs", [(3, -1), (4, 9), (0, 9)])
def test_a_run_that_had_stopped_early_trains_no_more(kept, fresh_process, waits, epochs):
    trainer, before = trainer_of(patience=waits), fresh_process()
    before.best, before.num_runs = 2.5, 3
    trainer.save_checkpoint("a.pt", {})
    fresh_process()
    trainer.load_checkpoint("a.pt")
    assert trainer.cfg.optimization.max_epoch == epochs


@pytest.mark.parametrize("flags", [{"reset_optimizer": True}, {"reset_meters": True}])
def test_another_training_that_starts_from_it_has_not_waited(kept, fresh_process, flags):
    trainer, before = trainer_of(), fresh_process()
    before.best, before.num_runs = 2.5, 3
    trainer.save_checkpoint("a.pt", {})
    after = fresh_process()
    trainer.load_checkpoint("a.pt", **flags)
    assert not hasattr(after, "best")


def test_no_patience_leaves_checkpoints_as_they_were(kept, fresh_process):
    fresh_process()
    trainer, extra = trainer_of(), {"val_loss": 1.0}
    trainer.save_checkpoint("a.pt", extra)
    assert kept["a.pt"] == {"val_loss": 1.0}
    trainer.load_checkpoint("a.pt")
    assert trainer.load_checkpoint("missing.pt") is None
