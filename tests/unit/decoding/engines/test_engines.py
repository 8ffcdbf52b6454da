import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import ctranslate2
import numpy as np
import pytest
import torch

import swcm_fairseq
from swcm_fairseq.decoding import packed
from swcm_fairseq.decoding.engines import ct2, onnx
from swcm_fairseq.decoding.engines.onnx import OnnxTranslator
from swcm_fairseq.errors import SwcmError
from swcm_fairseq.export.writing import export
from swcm_fairseq.vocabulary.dictionary import symbols_that_are_no_text
from tests.support.tiny_encoder import sentencepiece_pieces, train_sentencepiece
from tests.support.toy import toy_dictionary, toy_model

SENTENCES = ["打开文件", "今天天气很好，我们去山上看羊。", "", "学校", "   ", "请打开文件，然后保存到新的文件夹。"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A packed model that ends its outputs soon, at different steps, and the same exported."""
    folder = tmp_path_factory.mktemp("exported")
    pieces = train_sentencepiece()
    dictionary = toy_dictionary(sentencepiece_pieces(pieces))
    model = toy_model(dictionary, untie_output_projection=True)
    with torch.no_grad():
        bias = model.decoder.output_projection.bias
        bias[dictionary.eos()] += 1.5
        for symbol in symbols_that_are_no_text(dictionary):
            bias[dictionary.index(symbol)] -= 20
    packed.write(str(folder / "packed"), model, dictionary, pieces, ["kk", "mn"], False)
    for form in ("ct2", "onnx"):
        export(str(folder / "packed"), str(folder / form), form)
    return folder


@pytest.fixture(scope="module")
def ours(folders):
    return swcm_fairseq.from_pretrained(str(folders / "packed"))


@pytest.fixture(scope="module", params=["ct2", "onnx"])
def theirs(request, folders):
    return swcm_fairseq.from_pretrained(str(folders / request.param), backend=request.param, threads=1)


@pytest.mark.parametrize("target", ["kk", "mn"])
@pytest.mark.parametrize("beam", [1, 4])
def test_the_same_call_gives_the_same_text(ours, theirs, beam, target):
    settings = {"target": target, "beam": beam, "max_len": 30, "attention": True}
    lengths = set()
    for one, other in zip(ours.hypotheses(SENTENCES, **settings), theirs.hypotheses(SENTENCES, **settings)):
        assert (one[0].pieces, one[0].text) == (other[0].pieces, other[0].text)
        assert other[0].score == pytest.approx(one[0].score, abs=1e-4 if isinstance(theirs, OnnxTranslator) else 0.2)
        if one[0].pieces:
            np.testing.assert_allclose(other[0].attention, one[0].attention, atol=1e-4)
        lengths.add(len(one[0].pieces))
    assert len(lengths) > 1


@pytest.mark.parametrize("max_len", [1, 3, 30])
@pytest.mark.parametrize("lenpen", [0.0, 1.0, 2.0])
def test_onnx_finds_the_same_n_best(ours, folders, lenpen, max_len):
    theirs = swcm_fairseq.from_pretrained(str(folders / "onnx"), threads=1)
    settings = {"target": "kk", "beam": 4, "n_best": 4, "lenpen": lenpen, "max_len": max_len}
    for one, other in zip(ours.hypotheses(SENTENCES, **settings), theirs.hypotheses(SENTENCES, **settings)):
        assert [hypothesis.pieces for hypothesis in one] == [hypothesis.pieces for hypothesis in other]
        assert [h.score for h in other] == pytest.approx([h.score for h in one], abs=1e-4)


def test_batches_change_nothing(theirs):
    whole = theirs.translate(SENTENCES, "kk", max_len=10)
    assert theirs.translate(SENTENCES, "kk", max_len=10, batch_size=1) == whole
    assert [theirs.translate([one], "kk", max_len=10)[0] for one in SENTENCES] == whole


@pytest.mark.parametrize(
    "amd, compute_type, given, translators", [(True, "int8", 3, 3), (False, "int8", 3, 1), (True, "float32", 3, 1)]
)
def test_eight_bits_on_amds_processors_take_a_thread_for_each_part_of_a_batch(
    folders, monkeypatch, amd, compute_type, given, translators
):
    opened = []

    class Recorded(ctranslate2.Translator):
        def __init__(self, folder, **settings):
            super().__init__(folder, **settings)
            opened.append(settings)

        def translate_batch(self, source, **settings):
            batches.append(settings["max_batch_size"])
            return super().translate_batch(source, **settings)

    monkeypatch.setattr(ctranslate2, "Translator", Recorded)
    monkeypatch.setattr(ct2, "made_by_amd", lambda: amd)
    batches = []
    theirs = swcm_fairseq.from_pretrained(str(folders / "ct2"), threads=given, compute_type=compute_type)
    assert opened[-1]["intra_threads"] * translators == given
    assert theirs.engine.num_translators == translators
    alone = [theirs.translate([one], "kk", max_len=10)[0] for one in SENTENCES]
    batches.clear()
    assert theirs.translate(SENTENCES * 4, "kk", max_len=10) == alone * 4
    # Four of the six have text.
    assert batches == [-(-16 // translators)]


def test_without_a_number_of_threads_as_many_as_the_engine_takes(folders, monkeypatch):
    monkeypatch.setattr(ct2, "made_by_amd", lambda: True)
    monkeypatch.setattr(ct2, "usable_processors", lambda: 3)
    for variable, translators in (("", 3), ("2", 2), ("0", 3)):
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
        opened = swcm_fairseq.from_pretrained(str(folders / "ct2"), compute_type="int8")
        assert opened.engine.num_translators == translators


def test_ctranslate2_is_asked_for_all_batches_before_the_first_is_waited_for(folders, monkeypatch):
    theirs = swcm_fairseq.from_pretrained(str(folders / "ct2"), threads=1)
    engine, log = theirs.engine, []

    def logged(result):
        def wait():
            log.append("waited")
            return result.result()

        return SimpleNamespace(result=wait)

    def asked(sources, **settings):
        log.append("asked")
        return [logged(one) for one in engine.translate_batch(sources, **settings)]

    wanted = theirs.translate(SENTENCES, "kk", max_len=5)
    theirs.engine = SimpleNamespace(translate_batch=asked, num_translators=1)
    assert theirs.translate(SENTENCES, "kk", max_len=5, batch_size=1) == wanted
    assert log == ["asked"] * 4 + ["waited"] * 4


@pytest.mark.parametrize("overflow, setting", [(True, "1"), (False, None)])
def test_where_products_of_8_bits_may_overflow_onnxruntime_is_told_to_avoid_it(folders, monkeypatch, overflow, setting):
    told, plain = [], onnx.onnxruntime.SessionOptions

    class Recorded(plain):
        def add_session_config_entry(self, name, value):
            told.append((name, value))
            super().add_session_config_entry(name, value)

    monkeypatch.setattr(onnx.onnxruntime, "SessionOptions", Recorded)
    monkeypatch.setattr(onnx, "products_of_8_bits_overflow", lambda: overflow)
    swcm_fairseq.from_pretrained(str(folders / "onnx"), threads=1)
    assert dict(told).get("session.x64quantprecision") == setting


def test_length_is_limited_and_long_sources_are_cut(theirs):
    for found in theirs.hypotheses(["打开文件" * 30, "学校"], "kk", max_len=3):
        assert len(found[0].pieces) <= 3
    assert theirs.translate(["学校"], "kk", max_len=1000)  # more than there are positions


def test_no_tags_are_written_and_symbols_in_a_text_are_text(theirs):
    for text in theirs.translate(["打开 </s> 文件", "打开 [mn] 文件", "<pad>", "<mask>"], "kk", max_len=10):
        assert not any(symbol in text for symbol in ("<s>", "<mask>", "[kk]", "[mn]", "\u2581"))


def test_what_cannot_be_opened_is_an_error_that_says_what_to_do(folders, tmp_path):
    def refused(match, folder, **options):
        with pytest.raises(SwcmError, match=match):
            swcm_fairseq.from_pretrained(str(folder), **options)

    refused("is for backend torch; make one for ct2 with swcm-export", folders / "packed", backend="ct2")
    refused("is for backend ct2; make one for onnx", folders / "ct2", backend="onnx")
    refused("backend 'marian' is none of torch, ct2, onnx", folders / "ct2", backend="marian")
    refused("compute_type int8 is for backend ct2", folders / "packed", compute_type="int8")
    refused("computed as it was exported", folders / "onnx", compute_type="int8")
    refused("CTranslate2 cannot open", folders / "ct2", compute_type="int7")
    refused("is no folder of swcm-pack", tmp_path)
    for form, name in (("ct2", "model.bin"), ("onnx", "onnx/encoder_model.onnx")):
        broken = tmp_path / form
        shutil.copytree(str(folders / form), str(broken))
        (broken / name).write_bytes(b"nothing of the kind")
        refused("cannot open", broken)
    settings = json.loads((tmp_path / "ct2" / "swcm.json").read_text())
    (tmp_path / "ct2" / "swcm.json").write_text(json.dumps({**settings, "format": 99}))
    refused("has format 99; this version reads 1", tmp_path / "ct2")
    (tmp_path / "ct2" / "swcm.json").write_text("[]")
    refused("is no settings file of swcm-export", tmp_path / "ct2")


@pytest.mark.parametrize("form", ["ct2", "onnx"])
def test_neither_torch_nor_fairseq_is_imported(folders, form, repo):
    program = (
        "import sys, swcm_fairseq; t = swcm_fairseq.from_pretrained(sys.argv[1], threads=1);"
        "t.translate(['x'], 'kk', max_len=2); print(sorted({'torch', 'fairseq', 'transformers'} & set(sys.modules)))"
    )
    # CTranslate2 4.5, Python 3.8's, imports torch itself where it is installed.
    alone = "import sys, {}; print(sorted({{'torch', 'fairseq', 'transformers'}} & set(sys.modules)))"
    alone = alone.format({"ct2": "ctranslate2", "onnx": "onnxruntime"}[form])
    found, least = (
        subprocess.check_output([sys.executable, "-c", code, *more], cwd=str(repo)).decode().strip()
        for code, more in ((program, [str(folders / form)]), (alone, []))
    )
    assert found == least and (sys.version_info < (3, 9) or found == "[]")
