"""SentencePiece model files: SentencePiece itself must agree with what is read and written."""

import pytest
import sentencepiece

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.vocabulary.sentencepiece_model import (
    CONTROL,
    NORMAL,
    UNKNOWN,
    SentencePieceModel,
    unigram_model,
)
from tests.support.tiny_encoder import CORPUS, train_sentencepiece


def processor(model):
    return sentencepiece.SentencePieceProcessor(model_proto=model.to_bytes())


def test_pieces_are_what_sentencepiece_says():
    data = train_sentencepiece()
    model, known = SentencePieceModel.from_bytes(data), sentencepiece.SentencePieceProcessor(model_proto=data)
    assert [piece.text for piece in model.pieces] == [known.id_to_piece(i) for i in range(known.get_piece_size())]
    assert [piece.score for piece in model.pieces] == [known.get_score(i) for i in range(known.get_piece_size())]
    assert [piece.kind for piece in model.pieces[:4]] == [UNKNOWN, CONTROL, CONTROL, NORMAL]
    assert model.is_unigram() and not SentencePieceModel.from_bytes(train_sentencepiece(kind="bpe")).is_unigram()


def test_writing_loses_nothing():
    model = SentencePieceModel.from_bytes(train_sentencepiece())
    again = SentencePieceModel.from_bytes(model.to_bytes())
    assert again.pieces == model.pieces and len(again.rest) == len(model.rest) >= 2
    assert again.normalizer_spec() == model.normalizer_spec() and again.to_bytes() == model.to_bytes()
    for line in CORPUS:
        assert processor(model).encode(line) == sentencepiece.SentencePieceProcessor(
            model_proto=train_sentencepiece()
        ).encode(line)


def test_cut_model_keeps_scores_and_drops_ids():
    model = SentencePieceModel.from_bytes(train_sentencepiece())
    kept = model.pieces[:3] + model.pieces[10::2]
    cut = processor(SentencePieceModel(kept, model.rest))
    assert cut.get_piece_size() == len(kept)
    assert [cut.id_to_piece(i) for i in range(len(kept))] == [piece.text for piece in kept]
    assert [cut.get_score(i) for i in range(len(kept))] == [piece.score for piece in kept]


def test_a_cut_model_says_how_many_pieces_it_has():
    """In field 4 of the trainer's settings, a varint: what other readers of such files believe."""
    model = SentencePieceModel.from_bytes(train_sentencepiece())
    model.pieces = model.pieces[:90]
    again = SentencePieceModel.from_bytes(model.to_bytes())
    (settings,) = [value for number, _, value in again.rest if number == 2]
    assert settings.endswith(bytes([4 << 3, 90])) and settings.count(bytes([4 << 3, 90])) == 1


def test_model_built_from_pieces_cuts_as_the_trained_one():
    trained = SentencePieceModel.from_bytes(train_sentencepiece())
    built, known = processor(unigram_model(trained.pieces, trained.normalizer_spec())), processor(trained)
    lines = list(CORPUS) + ["  Ｆｕｌｌ　ｗｉｄｔｈ  ①② ", "", "ཀ་ཁ་ unknown"]
    for line in lines:
        assert built.encode(line, out_type=str) == known.encode(line, out_type=str)
    assert (built.unk_id(), built.bos_id(), built.eos_id(), built.pad_id()) == (0, 1, 2, -1)


NO_MODELS = {
    "empty": lambda: b"",
    "ones": lambda: b"\xff" * 40,
    "text": lambda: b"text, not a model\n",
    "cut": lambda: train_sentencepiece()[:-5],
}


@pytest.mark.parametrize("kind", NO_MODELS)
def test_what_is_no_whole_model(kind):
    with pytest.raises(SwcmError, match="here.model is no SentencePiece model"):
        SentencePieceModel.from_bytes(NO_MODELS[kind](), "here.model")
