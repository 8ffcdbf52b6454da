import json
import os

import pytest
import torch
import transformers
from packaging import version
from safetensors import safe_open
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import swcm_fairseq
from swcm_fairseq.decoding.packing import pack
from swcm_fairseq.export import hf
from swcm_fairseq.export.layers import standard_model
from swcm_fairseq.export.writing import export
from tests.support.exports import EXPORTABLE, exportable, forced, log_probabilities
from tests.support.toy import toy_checkpoint, toy_dictionary

SENTENCES = ["打开文件", "今天天气很好，我们去山上看羊。", "学校", "请打开文件，然后保存到新的文件夹。"]


@pytest.mark.parametrize("name", EXPORTABLE)
def test_log_probabilities_are_ours(name, tmp_path):
    dictionary = toy_dictionary()
    model = exportable(name, dictionary)
    standard = hf.for_bart(standard_model(model, [], "hf"))
    hf.write_weights(str(tmp_path), standard)
    hf.write_settings(str(tmp_path), model.cfg, dictionary.symbols, len(standard.decoder), standard.tied, ["kk"])
    theirs, report = AutoModelForSeq2SeqLM.from_pretrained(str(tmp_path), output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    # One table of tokens, unless the model has an output layer of its own.
    with safe_open(str(tmp_path / "model.safetensors"), "pt") as tensors:
        tables = [key for key in tensors.keys() if tensors.get_slice(key).get_shape()[0] == len(dictionary)]
    assert len(tables) == (4 if EXPORTABLE[name].get("untie_output_projection") else 1), tables
    start = torch.tensor([0, dictionary.index("[kk]")])
    for source, target in zip(*forced(dictionary)):
        with torch.no_grad():
            logits = theirs.eval()(input_ids=source[None], decoder_input_ids=torch.cat([start, target])[None]).logits
        wanted = torch.cat([target, torch.tensor([dictionary.eos()])])
        found = torch.log_softmax(logits[0, 1:], -1).gather(-1, wanted[:, None])[:, 0]
        torch.testing.assert_close(found, log_probabilities(model, dictionary, source, target), atol=1e-4, rtol=0)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    pack(toy_checkpoint(folder, lang_pairs="zh-kk,zh-mn"), str(folder / "packed"))
    export(str(folder / "packed"), str(folder / "hf"), "hf")
    return str(folder / "packed"), str(folder / "hf")


def test_generate_writes_what_translate_writes(folders):
    packed, folder = folders
    ours = swcm_fairseq.from_pretrained(packed)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSeq2SeqLM.from_pretrained(folder)
    inputs = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    for code in ("kk", "mn"):
        start = torch.tensor([[0, tokenizer.convert_tokens_to_ids(f"[{code}]")]] * len(SENTENCES))
        # With the tag among the inputs it does not count for the length, as in fairseq.
        outputs = model.generate(**inputs, decoder_input_ids=start, num_beams=4, max_new_tokens=10)
        wanted = ours.translate(SENTENCES, code, beam=4, max_len=9)
        assert tokenizer.batch_decode(outputs, skip_special_tokens=True) == wanted
        forced_bos = model.generate(**inputs, forced_bos_token_id=int(start[0, 1]), num_beams=1, max_new_tokens=11)
        wanted = ours.translate(SENTENCES, code, beam=1, max_len=9)
        assert tokenizer.batch_decode(forced_bos, skip_special_tokens=True) == wanted


@pytest.mark.skipif(version.parse(transformers.__version__).major > 4, reason="version 5 has no such pipeline")
def test_the_pipeline_writes_the_language_of_its_name(folders, tmp_path):
    packed, folder = folders
    ours = swcm_fairseq.from_pretrained(packed)
    settings = {"num_beams": 1, "max_new_tokens": 11}
    export(packed, str(tmp_path / "mn"), "hf", targets=["mn"])
    for code, task, place, words in (
        ("kk", "translation_zh_to_kk", folder, {}),
        ("mn", "translation_zh_to_mn", folder, {}),
        ("mn", "translation", str(tmp_path / "mn"), {"src_lang": "zh", "tgt_lang": "mn"}),
    ):
        found = transformers.pipeline(task, model=place, **words)(SENTENCES, **settings)
        wanted = ours.translate(SENTENCES, code, beam=1, max_len=9)
        assert [one["translation_text"] for one in found] == wanted


def test_a_language_is_forced_where_there_is_one_and_named_where_there_are_several(folders, tmp_path):
    with open(os.path.join(folders[1], "generation_config.json")) as stream:
        assert "forced_bos_token_id" not in json.load(stream)
    with open(os.path.join(folders[1], "config.json")) as stream:
        tasks = json.load(stream)["task_specific_params"]
    pairs = ("kk_to_mn", "mn_to_kk", "zh_to_kk", "zh_to_mn")
    assert sorted(tasks) == ["translation_" + pair for pair in pairs]
    pack(toy_checkpoint(tmp_path, source_lang="zh", target_lang="mn"), str(tmp_path / "packed"))
    export(str(tmp_path / "packed"), str(tmp_path / "hf"), "hf")
    tokenizer = AutoTokenizer.from_pretrained(str(tmp_path / "hf"))
    with open(str(tmp_path / "hf" / "generation_config.json")) as stream:
        assert json.load(stream)["forced_bos_token_id"] == tokenizer.convert_tokens_to_ids("[mn]")
