"""Losses out of both of fairseq's log formats."""

import pytest

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.scoring.report.training_log import read_curves

HEAD = "2026-01-01 00:00:00 | INFO | "
# As fairseq printed them in a run of three updates; a second run went on from update 2 and wrote into the same file.
SIMPLE = [
    "train_inner | epoch 001:      1 / 3 loss=9.5, nll_loss=9.1, ppl=549, mt.zh-kk_nll=9, num_updates=1, lr=1e-05",
    "train_inner | epoch 001:      2 / 3 loss=9, nll_loss=8.6, ppl=388, num_updates=2, lr=2e-05, wall=3",
    "valid | epoch 001 | valid on 'valid' subset | loss 8.9 | nll_loss 8.5 | ppl 362 | num_updates 2 | best_loss 8.9",
    "train | epoch 001 | loss 9.2 | nll_loss 8.8 | ppl 400 | num_updates 2 | lr 2e-05",
    "train_inner | epoch 001:      2 / 3 loss=8.8, nll_loss=8.4, num_updates=2, lr=2e-05",
    "train_inner | epoch 001:      3 / 3 loss=nan, nll_loss=nan, num_updates=3, lr=3e-05",
    "valid | epoch 001 | valid on 'valid1' subset | loss 7 | num_updates 3",
]
JSON = [
    'train_inner | {"epoch": 1, "update": 0.5, "loss": "9.5", "nll_loss": "9.1", "num_updates": "1"}',
    'train_inner | {"epoch": 1, "update": 0.6, "loss": "8.8", "nll_loss": "8.4", "num_updates": "2"}',
    'valid | {"epoch": 1, "valid_loss": "8.9", "valid_nll_loss": "8.5", "valid_num_updates": "2"}',
    'train | {"epoch": 1, "train_loss": "9.2", "train_nll_loss": "8.8", "train_num_updates": "2"}',
    'valid1 | {"epoch": 1, "valid1_loss": "7", "valid1_num_updates": "3"}',
]


@pytest.mark.parametrize("lines", [SIMPLE, JSON], ids=["simple", "json"])
def test_curves(tmp_path, lines):
    (tmp_path / "train.log").write_text("starting\n" + "".join(HEAD + line + "\n" for line in lines))
    expected = {"train": [(1, 9.1), (2, 8.4)], "valid": [(2, 8.5)], "valid1": [(3, 7)]}
    assert read_curves(str(tmp_path)) == expected
    assert read_curves(str(tmp_path / "train.log")) == expected


def test_what_holds_no_losses_is_refused(tmp_path):
    with pytest.raises(SwcmError, match="holds no train.log"):
        read_curves(str(tmp_path))
    (tmp_path / "train.log").write_text("nothing {here}\n")
    with pytest.raises(SwcmError, match="holds no losses"):
        read_curves(str(tmp_path))
