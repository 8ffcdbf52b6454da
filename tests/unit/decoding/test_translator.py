import logging
import math
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
import torch

import swcm_fairseq
from swcm_fairseq.decoding import generator as decoding_generator
from swcm_fairseq.decoding import translator as decoding_translator
from swcm_fairseq.decoding.packing import pack
from swcm_fairseq.decoding.translator import dtype_named
from swcm_fairseq.errors import SwcmError
from tests.support.toy import toy_checkpoint

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


def test_layers_are_one_function_unless_the_attention_is_asked_for(translator, monkeypatch):
    decoder, quick = translator.model.decoder, []
    original = decoder._quick_step

    def record(*args):
        found = original(*args)
        quick.append(found is not None)
        return found

    monkeypatch.setattr(decoder, "_quick_step", record)
    for attention in (False, True, False):
        (found,) = translator.hypotheses(["打开文件"], "kk", beam=2, max_len=6, attention=attention)
        assert (found[0].attention is not None) == attention
        assert quick and set(quick) == {not attention}
        quick.clear()


def test_threads_that_ask_for_the_attention_or_not_do_not_meet(translator):
    def asked(attention):
        return translator.hypotheses(SENTENCES, "kk", beam=2, max_len=8, batch_size=1, attention=attention)

    with ThreadPoolExecutor(4) as pool:
        for attention, lists in zip([False, True] * 6, pool.map(asked, [False, True] * 6)):
            assert all((one.attention is not None) == attention for found in lists for one in found)


def test_a_search_keeps_the_memory_of_its_scores(translator, monkeypatch):
    sizes = []
    monkeypatch.setattr(decoding_generator, "keep_freed_memory", lambda size: sizes.append(size) or nullcontext())
    translator.translate(["打开文件", "学校"], "kk", beam=3, max_len=6)
    assert sizes == [2 * 3 * len(translator.dictionary) * 4]


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


def test_hypotheses_are_sorted_and_scored_as_the_model_scores_them(translator):
    for sentence, found in zip(SENTENCES[:2], translator.hypotheses(SENTENCES[:2], "kk", beam=4, n_best=3, max_len=8)):
        assert len(found) == 3 and len({tuple(one.pieces) for one in found}) == 3
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        assert found[0].text == translator.translate([sentence], "kk", beam=4, max_len=8)[0]
        for one in found:
            assert one.text == translator.pieces.decode(" ".join(one.pieces)) and one.attention is None
            total, count = _log_probability(translator, sentence, one.pieces, "[kk]")
            # At the limit a search takes </s> whatever it costs.
            assert len(one.pieces) <= 8
            assert one.score == pytest.approx(total / count, abs=1e-4)


def test_scores_follow_the_length_penalty(translator):
    [[one]] = translator.hypotheses(["学校"], "kk", beam=1, max_len=6, lenpen=0.5)
    total, count = _log_probability(translator, "学校", one.pieces, "[kk]")
    assert one.score == pytest.approx(total / math.sqrt(count), abs=1e-4)


def _log_probability(translator, sentence, pieces, tag):
    """The sum over pieces and </s> of teacher-forced log-probabilities, and their number."""
    dictionary = translator.dictionary
    source = [dictionary.index(piece) for piece in translator.pieces.cut([sentence])[0]]
    tokens = torch.tensor([[dictionary.bos()] + source + [dictionary.eos()]])
    written = [dictionary.index(piece) for piece in pieces]
    given = torch.tensor([[dictionary.index(tag)] + written])
    with torch.no_grad():
        logits, _ = translator.model(tokens, torch.tensor([tokens.size(1)]), given)
    wanted = torch.tensor(written + [dictionary.eos()])
    chosen = logits[0].log_softmax(-1).gather(1, wanted[:, None])
    return float(chosen.sum()), len(wanted)


def test_attention_is_over_the_pieces_of_the_source_and_its_end(translator):
    texts = ["打开文件", "今天天气很好，我们去山上看羊。"]
    together = translator.hypotheses(texts, "kk", beam=2, max_len=6, attention=True)
    for text, [one] in zip(texts, together):
        [[alone]] = translator.hypotheses([text], "kk", beam=2, max_len=6, attention=True)
        assert one.pieces == alone.pieces and len(one.attention) == len(one.pieces) > 0
        columns = len(translator.pieces.cut([text])[0]) + 1
        for row, other in zip(one.attention, alone.attention):
            assert len(row) == columns and 0 < sum(row) < 1  # <s> has the rest
            assert row == pytest.approx(other, abs=1e-5)


def test_n_best_and_scores_of_translate(translator):
    texts = ["打开文件", ""]
    [first, nothing] = translator.translate(texts, "kk", beam=3, max_len=6, n_best=2, return_scores=True)
    [found, _] = translator.hypotheses(texts, "kk", beam=3, max_len=6, n_best=2)
    assert first == [(one.text, one.score) for one in found] and nothing == [("", 0.0)]
    assert translator.translate(texts, "kk", beam=3, max_len=6, n_best=1) == [[found[0].text], [""]]
    assert translator.translate(texts, "kk", beam=3, max_len=6, return_scores=True) == [first[0], ("", 0.0)]


@pytest.mark.parametrize(
    "blank",
    [
        "",
        " ",
        "\u3000",
        "\u00a0",
        "\u200b",
        "\ufeff",
        "\u200e",
        "\u202f",
        "\r\n",
        "\u2581",
        "\x01",
        "\u00ad",
        "\u2028\t\x00",
    ],
)
def test_a_sentence_that_shows_nothing_gives_nothing(translator, blank):
    text = "学校"
    assert translator.translate([blank, text], "kk", beam=1, max_len=5)[0] == ""
    assert translator.translate([text + blank], "kk", beam=1, max_len=5) != [""]


@pytest.mark.parametrize("call", ["translate", "hypotheses"])
def test_one_text_is_not_taken_for_a_list_of_letters(translator, call):
    with pytest.raises(SwcmError, match=rf"{call} takes a list of texts, not one: {call}\(\['打开文件'\]\)"):
        getattr(translator, call)("打开文件", target="kk")
    with pytest.raises(SwcmError, match="takes a list of texts; number 1 in it is None"):
        getattr(translator, call)(["打开文件", None], target="kk")
    with pytest.raises(SwcmError, match="takes a list of texts, not one"):
        getattr(translator, call)("打开文件".encode(), target="kk")
    with pytest.raises(SwcmError, match="takes a list of texts, not None"):
        getattr(translator, call)(None, target="kk")
    with pytest.raises(SwcmError, match="number 1 in it, .* holds a lone surrogate"):
        getattr(translator, call)(["学校", "a\ud83d"], target="kk")
    with pytest.raises(SwcmError, match=r"a language is one code such as 'kk', not \['kk', 'mn'\]"):
        getattr(translator, call)(["学校"], target=["kk", "mn"])


def test_a_search_that_makes_no_sense_is_refused_with_all_reasons(translator):
    with pytest.raises(SwcmError) as error:
        translator.hypotheses(["学校"], "kk", beam=0, n_best=3, max_len=0)
    assert len(error.value.problems) == 3 and "n_best is 3" in str(error.value)
    with pytest.raises(SwcmError, match="beam is '5', which is no whole number"):
        translator.hypotheses(["学校"], "kk", beam="5")


@pytest.mark.parametrize("name, expected", [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_the_type_that_is_computed_in_is_chosen(folder, name, expected):
    translator = swcm_fairseq.from_pretrained(folder, dtype=name)
    assert {parameter.dtype for parameter in translator.model.parameters()} == {expected}
    [[one]] = translator.hypotheses(["学校"], "kk", beam=2, max_len=5)
    assert one.pieces and math.isfinite(one.score)


def test_auto_is_what_the_machine_is_quick_in_and_slow_bfloat16_is_warned_of(monkeypatch, caplog):
    for speed, expected, warned in ((0.05, torch.float32, "20 times slower"), (3.0, torch.bfloat16, "")):
        monkeypatch.setattr(decoding_translator, "bf16_speed", lambda speed=speed: speed)
        assert dtype_named("auto", "cpu") == expected
        assert dtype_named("float32", "cpu") == torch.float32
        caplog.clear()
        assert dtype_named("bfloat16", "cpu") == torch.bfloat16
        assert warned in caplog.text and bool(warned) == bool(caplog.text)
    with pytest.raises(SwcmError, match="dtype is auto, float32, bfloat16 or float16, not 'bf16'"):
        dtype_named("bf16", "cpu")


def test_as_many_processors_as_were_asked_for(folder):
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            swcm_fairseq.from_pretrained(folder, threads=threads)
            assert torch.get_num_threads() == threads
        swcm_fairseq.from_pretrained(folder)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
