import multiprocessing

import pytest
from fairseq.trainer import Trainer

from swcm_fairseq.fairseq_patches import data_order
from tests.support.toy import toy_dictionary, toy_task, write_data_bin


@pytest.mark.parametrize("name", ["get_train_iterator", "get_valid_iterator"])
def test_processes_that_read_end_with_their_epoch(tmp_path, monkeypatch, name):
    """Each is a fork of the training with all its memory: one an epoch would soon be too many."""
    lines = ["a b c", "d e", "f g h", "i"]
    write_data_bin(tmp_path, toy_dictionary(), {"train.zh-kk.zh": lines, "train.zh-kk.kk": lines})
    task = toy_task(tmp_path, toy_dictionary(), source_lang="zh", target_lang="kk")
    task.load_dataset("train")

    def stock(self, epoch, disable_iterator_cache=False):
        dataset = task.dataset("train")
        options = {"num_workers": 1, "epoch": epoch, "disable_iterator_cache": disable_iterator_cache}
        return task.get_batch_iterator(dataset, max_sentences=2, **options)

    for each in ("get_train_iterator", "get_valid_iterator"):
        monkeypatch.setattr(Trainer, each, getattr(data_order, each)(stock))
    kept, earlier = [], set(multiprocessing.active_children())  # other tests', about to end
    for epoch in (1, 2, 3):
        kept.append(getattr(Trainer, name)(None, epoch))  # as a cycle of references may keep it
        batches = list(kept[-1].next_epoch_itr())
        assert sum(len(batch["id"]) for batch in batches) == 4
        assert len(set(multiprocessing.active_children()) - earlier) <= 1
