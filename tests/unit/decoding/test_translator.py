import logging
import shutil

import pytest

import swcm_fairseq
from swcm_fairseq.decoding.packing import pack
from swcm_fairseq.errors import SwcmError
from tests.toy import toy_checkpoint

SENTENCES = ["打开文件", "今天天气很好，我们去山上看羊。", "", "学校", "   ", "请打开文件，然后保存到新的文件夹。"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    pack(toy_checkpoint(folder, lang_pairs="zh-kk,zh-mn"), str(folder / "packed"))
    return str(folder / "packed")


@pytest.fixture(scope="module")
def translator(folder):
    return swcm_fairseq.from_pretrained(folder)


def test_one_text_a_sentence_in_order_and_nothing_for_nothing(translator):
    found = translator.translate(SENTENCES, target="kk", max_len=10)
    assert [bool(text) for text in found] == [True, True, False, True, False, True]
    for sentence, text in zip(SENTENCES, found):
        assert translator.translate([sentence], target="kk", max_len=10) == [text]
    assert translator.translate([], target="kk") == []


@pytest.mark.parametrize("batch_size", [1, 2, 5])
@pytest.mark.parametrize("beam", [1, 4])
def test_batch_size_does_not_change_the_outputs(translator, batch_size, beam):
    settings = {"target": "kk", "beam": beam, "max_len": 10}
    assert translator.translate(SENTENCES, batch_size=batch_size, **settings) == translator.translate(
        SENTENCES, **settings
    )


def test_the_target_is_the_decoders_first_input(translator, monkeypatch):
    first, forward = [], translator.model.decoder.forward

    def record(tokens, **options):
        first.append(set(tokens[:, 0].tolist()))
        return forward(tokens, **options)

    monkeypatch.setattr(translator.model.decoder, "forward", record)
    translator.translate(SENTENCES, "mn", max_len=10)
    assert first and all(tags == {translator.dictionary.index("[mn]")} for tags in first)


def test_length_is_limited(translator):
    short, long = (translator.translate(["打开文件"], "kk", beam=1, max_len=length)[0] for length in (2, 9))
    assert len(translator.pieces.cut([short])[0]) <= 3 and long.startswith(short.strip()) and len(long) > len(short)


def test_text_has_no_pieces_tags_or_specials(translator, monkeypatch):
    plain = translator.model.decoder.output_layer
    no_text = [translator.dictionary.index(symbol) for symbol in ("<s>", "<mask>", "[zh]", "[kk]", "[mn]")]

    def liking_what_is_no_text(features):
        logits = plain(features)
        logits[..., no_text] += 50
        return logits

    monkeypatch.setattr(translator.model.decoder, "output_layer", liking_what_is_no_text)
    for text in translator.translate(SENTENCES, target="kk", max_len=10):
        assert not any(symbol in text for symbol in "▁[<⁇")


def test_a_target_must_be_said_among_several_and_have_a_tag(translator):
    with pytest.raises(SwcmError, match="say the target language; the model was trained for: kk, mn"):
        translator.translate(SENTENCES)
    with pytest.raises(SwcmError, match=r"no tag \[bo\]; it has: \[zh\] \[kk\] \[mn\]"):
        translator.translate(SENTENCES, target="bo")
    with pytest.raises(SwcmError, match="unknown language 'kz'"):
        translator.translate(SENTENCES, target="kz")


def test_one_target_needs_not_be_said(tmp_path):
    pack(toy_checkpoint(tmp_path, source_lang="zh", target_lang="mn"), str(tmp_path / "packed"))
    translator = swcm_fairseq.from_pretrained(str(tmp_path / "packed"))
    assert translator.translate(["学校"], max_len=5) == translator.translate(["学校"], target="mn", max_len=5)


def test_symbols_in_a_text_are_text(translator, monkeypatch):
    """What a stranger types must not end the source, nor name a language."""
    seen, forward = [], translator.model.encoder.forward

    def record(src_tokens, **options):
        seen.append(src_tokens)
        return forward(src_tokens, **options)

    monkeypatch.setattr(translator.model.encoder, "forward", record)
    for text in ("打开 </s> 文件", "打开 <mask> 文件", "打开 [mn] 文件", "<pad>"):
        translator.translate([text], target="kk", max_len=3)
        inside = seen.pop()[0, 1:-1].tolist()
        symbols = [translator.dictionary.index(symbol) for symbol in ("<s>", "<pad>", "</s>", "<mask>", "[mn]")]
        assert inside and not set(inside) & set(symbols), text


def test_long_sources_are_cut_with_a_warning(translator, caplog):
    start = "打开文件" * 9
    with caplog.at_level(logging.WARNING):
        one, other = translator.translate([start + "学校" * 10, start + "山羊" * 30], "kk", max_len=5)
    assert "2 sources are longer than 40 pieces" in caplog.text
    assert one and other


def test_a_folder_that_is_none_or_damaged_is_an_error(folder, tmp_path):
    with pytest.raises(SwcmError, match="is no folder of swcm-pack"):
        swcm_fairseq.from_pretrained(str(tmp_path))
    copy = shutil.copytree(folder, str(tmp_path / "copy"))
    (tmp_path / "copy" / "sentencepiece.bpe.model").write_bytes(b"nothing of the kind")
    with pytest.raises(SwcmError, match="is no SentencePiece model"):
        swcm_fairseq.from_pretrained(copy)
