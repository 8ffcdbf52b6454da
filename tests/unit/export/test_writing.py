import json
import os

import pytest

import swcm_fairseq
from swcm_fairseq.decoding.packing import pack
from swcm_fairseq.errors import SwcmError
from swcm_fairseq.export.writing import export
from swcm_fairseq.modules.layer_plan import CROSS_ATTENTION_MEMORIES
from tests.support.toy import toy_checkpoint

SENTENCES = ["打开文件", "今天天气很好，我们去山上看羊。", "学校"]


@pytest.mark.parametrize("memory", sorted(set(CROSS_ATTENTION_MEMORIES) - {"last"}))
def test_other_memories_leave_by_onnx_and_by_nothing_else(memory, tmp_path):
    checkpoint = toy_checkpoint(tmp_path, {"cross_attention_memory": memory}, lang_pairs="zh-kk,zh-mn")
    pack(checkpoint, str(tmp_path / "packed"))
    before = sorted(os.listdir(str(tmp_path)))
    for form in ("hf", "ct2"):
        with pytest.raises(SwcmError, match=f"--cross-attention-memory {memory}: in {form} all decoder layers"):
            export(str(tmp_path / "packed"), str(tmp_path / form), form)
    assert sorted(os.listdir(str(tmp_path))) == before
    export(str(tmp_path / "packed"), str(tmp_path / "onnx"), "onnx")
    ours, theirs = (
        swcm_fairseq.from_pretrained(str(tmp_path / name)).hypotheses(SENTENCES, "mn", max_len=9)
        for name in ("packed", "onnx")
    )
    assert [some[0].pieces for some in theirs] == [some[0].pieces for some in ours]
    assert [some[0].score for some in theirs] == pytest.approx([some[0].score for some in ours], abs=1e-4)


def test_a_folder_for_some_languages(tmp_path):
    checkpoint = toy_checkpoint(tmp_path, lang_pairs="zh-kk,zh-mn")
    with pytest.raises(SwcmError, match="--targets zh, ug: the model was not trained to write that; it was for kk, mn"):
        export(checkpoint, str(tmp_path / "onnx"), "onnx", targets=["zh", "mn", "ug"])
    assert not (tmp_path / "onnx").exists()
    export(checkpoint, str(tmp_path / "onnx"), "onnx", targets=["mn"])
    folder = swcm_fairseq.from_pretrained(str(tmp_path / "onnx"))
    assert folder.targets == ["mn"] and folder.translate(SENTENCES, max_len=9) == folder.translate(
        SENTENCES, "mn", max_len=9
    )
    settings = json.loads((tmp_path / "onnx" / "generation_config.json").read_text())
    assert settings["forced_bos_token_id"] == folder.ids["[mn]"]


@pytest.mark.parametrize("quantization, dtype, suffix", [("none", "fp32", ""), ("int8", "q8", "_quantized")])
def test_onnx_files_stand_where_optimum_and_transformers_js_look(quantization, dtype, suffix, tmp_path):
    export(toy_checkpoint(tmp_path, lang_pairs="zh-kk"), str(tmp_path / "out"), "onnx", quantization)
    names = [f"decoder_model_merged{suffix}.onnx", f"encoder_model{suffix}.onnx"]
    assert sorted(os.listdir(str(tmp_path / "out" / "onnx"))) == names
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["transformers.js_config"] == {"dtype": dtype}
    assert {"tokenizer.json", "tokenizer_config.json", "generation_config.json"} <= set(
        os.listdir(str(tmp_path / "out"))
    )
