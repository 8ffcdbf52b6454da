"""fairseq-hydra-train, which loads plug-ins later than fairseq-train does, trains as that does."""

import torch

from tests.support.toy import toy_dictionary, write_data_bin

SETTINGS = """# @package _group_
common: {user_dir: PLUGIN, cpu: true, bf16: true, log_format: simple}
task: {_name: swcm_finetuning, data: DATA, lang_pairs: zh-kk}
model: {_name: xlm_swcm_tiny}
criterion: {_name: swcm_cross_entropy}
dataset: {max_tokens: 200, disable_validation: true}
optimization: {max_update: 1, lr: [0.001]}
optimizer: {_name: adamw}
lr_scheduler: {_name: fixed}
checkpoint: {save_dir: OUT}
"""


def test_it_trains_as_fairseq_train_does(run, repo, tmp_path):
    lines = ["a b c", "d e", "f g h"]
    data = write_data_bin(tmp_path / "data", toy_dictionary(), {"train.zh-kk.zh": lines, "train.zh-kk.kk": lines})
    settings = SETTINGS.replace("PLUGIN", str(repo / "swcm_fairseq")).replace("DATA", data)
    (tmp_path / "tiny.yaml").write_text(settings.replace("OUT", str(tmp_path / "out")))
    run(["fairseq-hydra-train", "--config-dir", tmp_path, "--config-name", "tiny"], cwd=str(tmp_path))
    out = tmp_path / "out"
    assert (out / "init_report.tsv").exists() and (out / "dict.txt").exists()
    saved = torch.load(str(out / "checkpoint_last.pt"), weights_only=False)
    assert "swcm_float32_masters" in saved["last_optimizer_state"], "the table of patches is in place"
