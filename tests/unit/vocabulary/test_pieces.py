"""Pieces against SentencePiece's own, with the guard spelled out plainly."""

import io
import random

import pytest
import sentencepiece

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.vocabulary.pieces import Pieces, is_blank, load_model
from tests.support.tiny_encoder import CORPUS, train_sentencepiece

SIGN, PLACEHOLDER = "\u202f", "\U000f202f"
SYMBOLS = ["</s>", "<mask>", "<unk>", "<x>", "[kk]", "[kk_Arab]", "[ཀ]", "<>", "[", "<", "]>", "[k k]"]
TIBETAN = "བོད་ཡིག་གི་ཚིག"


@pytest.fixture(scope="module")
def model():
    corpus = list(CORPUS) + [f"а{PLACEHOLDER}б {text}" for text in CORPUS]
    return sentencepiece.SentencePieceProcessor(model_proto=train_sentencepiece(corpus, 320))


def plainly(model, text):
    """The pieces of a text, and how many of them are unknown: one text, one piece at a time."""
    pieces = model.encode(text.replace(SIGN, PLACEHOLDER), out_type=str)
    ids = [model.piece_to_id(piece) for piece in pieces]
    unknown = [i == model.unk_id() or model.is_control(i) for i in ids]
    for place, piece in enumerate(pieces):
        inside = piece[1:-1]
        tag = piece[:1] == "[" and piece[-1:] == "]" and inside and all(c.isalnum() or c == "_" for c in inside)
        special = piece[:1] == "<" and piece[-1:] == ">" and len(piece) > 1
        if unknown[place] and (tag or special):
            pieces[place] = "<unk>"
    return pieces, sum(unknown)


def random_texts(number, strange, seed):
    rng = random.Random(seed)
    words = [word for line in CORPUS for word in line.split()]
    rare = SYMBOLS + [SIGN, f"а{SIGN}б", TIBETAN, "ཀ", "  ", "\u3000", "\u2028", "马", "\u200b", "\u200c"]
    texts = []
    for _ in range(number):
        chosen = rng.choices(rare if rng.random() < strange else words, k=rng.randint(0, 6))
        texts.append(rng.choice(["", " "]).join(chosen))
    return texts


@pytest.mark.parametrize("strange", [0.0, 0.2, 0.9])
def test_lines_and_lists_are_what_sentencepiece_gives_but_for_the_guard(model, strange):
    """Few strange texts are encoded by numbers, many by pieces."""
    pieces, texts = Pieces(model), random_texts(400, strange, seed=int(10 * strange))
    expected = [plainly(model, text) for text in texts]
    found = pieces.lines(texts)
    assert found.written == [" ".join(cut) for cut, _ in expected] == [pieces.encode(text) for text in texts]
    assert pieces.cut(texts) == [cut for cut, _ in expected] == pieces.cut(texts, threads=2)
    assert found.pieces == sum(len(cut) for cut, _ in expected)
    assert found.unknown == sum(lacking for _, lacking in expected)
    assert not found.split and (found.unknown > 0) == (strange > 0)
    protected = [text.replace(SIGN, PLACEHOLDER) for text in texts]
    assert pieces.ids(texts) == [model.encode(text) for text in protected]


def test_plain_text_comes_out_in_exactly_sentencepieces_pieces(model):
    texts = list(CORPUS) + random_texts(100, 0.0, seed=5)
    assert Pieces(model).cut(texts) == model.encode(texts, out_type=str)


def test_white_space_in_pieces_is_told(model):
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["one two", "one\u3000two three"]),
        model_writer=trained,
        vocab_size=40,
        hard_vocab_limit=False,
        normalization_rule_name="identity",
        minloglevel=2,
    )
    identity = sentencepiece.SentencePieceProcessor(model_proto=trained.getvalue())
    assert "\u3000" in "".join(Pieces(identity).known)
    assert Pieces(identity).lines(["one two", "one\u3000two"]).split
    assert Pieces(identity).lines(["two", "x\u2003y"]).split  # unknown
    assert not Pieces(identity).lines(["one two", "x y"]).split
    assert not Pieces(model).lines(["a\u3000b\u2003c"]).split  # made plain
    assert Pieces(model).lines([]).written == []


@pytest.mark.parametrize("text", ["{}", "{} бір", "бір {}", "{0}{0}", "бір{}екі", "бір {0} {0} екі"])
@pytest.mark.parametrize("symbol", ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "[kk]", "[mn_Cyrl]"])
def test_no_text_becomes_a_symbol_of_a_dictionary(model, symbol, text):
    pieces, text = Pieces(model), text.format(symbol)
    unguarded = model.encode(text, out_type=str)
    assert symbol in unguarded or symbol * 2 in unguarded  # so it is the guard that keeps it out
    ways = [pieces.cut([text])[0], pieces.encode(text).split(" ")]
    ways += [pieces.lines(others + [text]).written[-1].split(" ") for others in (["бір"] * 20, ["ཀ"] * 20)]
    for cut in ways:
        assert cut == ways[0] and not set(cut) & ({symbol} - {"<unk>"})


def test_a_piece_that_only_looks_like_a_symbol_is_kept(model):
    """A model may have learned "<b>" as text; its dictionary then has it as a piece."""
    pieces = Pieces(model)
    assert pieces.cut(["<b> <s>"]) == [["▁", "<unk>", "▁", "<unk>"]]
    pieces.known.add("<b>")
    assert pieces.cut(["<b> <s>"]) == [["▁", "<b>", "▁", "<unk>"]] == [pieces.encode("<b> <s>").split(" ")]
    assert not {"<unk>", "</s>", "<s>"} & pieces.known


def test_decode_undoes_encode(model):
    pieces = Pieces(model)
    for text in [*CORPUS, f"бір {TIBETAN} cd", "<ab", f"а{SIGN}б {SIGN}в"]:
        normalized = model.normalize(text.replace(SIGN, PLACEHOLDER)).replace(PLACEHOLDER, SIGN)
        assert pieces.decode(pieces.encode(text)) == normalized.replace("▁", " ").strip()
        assert pieces.decode(" ".join(pieces.cut([text])[0])) == pieces.decode(pieces.encode(text))
    assert pieces.decode(pieces.encode(f"а{SIGN}б")) == f"а{SIGN}б"
    assert pieces.decode("▁ab c ▁d") == "abc d" and pieces.decode("") == ""


def test_what_is_no_model_is_named(tmp_path):
    with pytest.raises(SwcmError, match="there is no SentencePiece model .*nothing"):
        Pieces.load(str(tmp_path / "nothing"))
    (tmp_path / "cut").write_bytes(train_sentencepiece()[:500])
    with pytest.raises(SwcmError, match="cut is no SentencePiece model, or was cut short"):
        load_model(str(tmp_path / "cut"))


def test_a_model_with_byte_fallback_is_refused_before_anything_is_cut(tmp_path):
    import io

    import sentencepiece

    from swcm_fairseq.vocabulary.encoder_vocabulary import read_vocabulary

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["Бүгін ауа райы жақсы"] * 20),
        model_writer=model,
        vocab_size=300,
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    path = tmp_path / "sentencepiece.bpe.model"
    path.write_bytes(model.getvalue())
    with pytest.raises(SwcmError, match="pieces for single bytes.*extend_vocab"):
        Pieces.load(str(path))
    _, problems = read_vocabulary(str(tmp_path))
    assert len(problems) == 1 and "byte fallback" in problems[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \t\r\n",
        "\u3000\u00a0\u202f",
        "\u200b\u200d\ufeff\u2060",
        "\u00ad",
        "\u180e",
        "\ufe0f",
        "\u3164",
        "▁▁",
        "\x01\x7f",
    ],
)
def test_what_has_no_ink_is_blank(text):
    assert is_blank(text) and not is_blank(text + "་") and not is_blank("." + text)
