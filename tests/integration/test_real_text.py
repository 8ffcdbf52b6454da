"""What holds on toys, shown on the real encoder and the real text that the quickstart fetches."""

import itertools
import os

import numpy as np
import pytest
import sentencepiece
import torch

from swcm_fairseq.data.noise import NoiseSettings, add_noise, noise_generator
from swcm_fairseq.vocabulary.pieces import Pieces
from swcm_fairseq.vocabulary.whole_words import WholeWords
from tests.support.toy import start_from

pytestmark = [pytest.mark.network, pytest.mark.slow]

EOS, UNK = 2, 3


FETCH = """
. "$1/recipes/lib/common.sh"
. "$1/recipes/lib/steps.sh"
use_environment
ENCODER=$2/encoder TEXT= MAX_PIECES=60
bash "$1/recipes/encoders/e5_small.sh" "$ENCODER"
libreoffice_pairs "$2" "kk mn ug"
"""


@pytest.fixture(scope="module")
def fetched(run, repo, tmp_path_factory):
    """A folder with ``encoder`` and, in ``clean``, pairs of Chinese with three languages."""
    folder = tmp_path_factory.mktemp("real text")
    run(["bash", "-euo", "pipefail", "-c", FETCH, "fetch", repo, folder], timeout=900)
    return folder


@torch.no_grad()
def test_the_real_encoder_computes_what_hugging_faces_does(fetched):
    from transformers import XLMRobertaModel

    folder = str(fetched / "encoder")
    ours = start_from(folder).encoder.eval()
    theirs = XLMRobertaModel.from_pretrained(folder, add_pooling_layer=False).eval()
    pieces = sentencepiece.SentencePieceProcessor(model_file=os.path.join(folder, "sentencepiece.bpe.model"))
    texts = ["打开文件", "Файлды ашу үшін осы жерді басыңыз", "ھۆججەت ئاچ", "Hello, world!"]
    rows = [[0] + [piece + 1 for piece in pieces.encode(text)] + [2] for text in texts]
    tokens = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=1)
    real = tokens.ne(1)
    found = ours(tokens)["encoder_out"][0].transpose(0, 1)
    expected = theirs(tokens, attention_mask=real.long()).last_hidden_state
    torch.testing.assert_close(found[real], expected[real], atol=1e-5, rtol=0)


@pytest.fixture(scope="module")
def documents(fetched):
    """Over 10,000 sentences of four languages in documents of eight: (WholeWords, [ids of a document])."""
    pieces = Pieces.load(str(fetched / "encoder" / "sentencepiece.bpe.model"))
    symbols = ["<s>", "<pad>", "</s>", "<unk>"]
    symbols += [pieces.model.id_to_piece(i) for i in range(3, pieces.model.get_piece_size())] + ["<mask>"]
    index = {symbol: i for i, symbol in enumerate(symbols)}
    found = []
    for code, file in (("kk", "zh-kk.kk"), ("mn", "zh-mn.mn"), ("ug", "zh-ug.ug"), ("zh", "zh-kk.zh")):
        lines = (fetched / "clean" / file).read_text(encoding="utf-8").splitlines()[:3000]
        assert len(lines) == 3000
        sentences = [[index.get(piece, UNK) for piece in cut] + [EOS] for cut in pieces.cut(lines)]
        units = WholeWords(symbols, code)
        for start in range(0, len(sentences), 8):
            found.append((units, np.array(list(itertools.chain(*sentences[start : start + 8])))))
    return found, index["<mask>"]


def noised(documents, **settings):
    """Each document's units, ids and noised ids."""
    for number, (units, pieces) in enumerate(documents[0]):
        random = noise_generator(1, 1, number)
        yield units, pieces, add_noise(pieces, units, EOS, documents[1], NoiseSettings(**settings), random, 10**6)


@pytest.mark.parametrize("ratio", [0.35, 0.15])
def test_the_masked_share_of_real_text_is_the_flag(documents, ratio):
    total = gone = 0
    for units, pieces, result in noised(documents, mask_ratio=ratio, permute_sentences=0.0):
        total += units.starts(pieces).sum()
        # Count what is left by aligning it with the text, since a unit behind a mask need not look like a beginning.
        kept = _aligned(pieces, result, documents[1])
        gone += (units.starts(pieces) & ~kept).sum()
    assert abs(gone / total - ratio) < 0.01


def _aligned(pieces, result, mask):
    """bool [T]: which pieces are left; what a mask hides is the shortest stretch that lets the rest follow."""
    kept, place = np.zeros(len(pieces), dtype=bool), 0
    # A span may go on behind a sentence's end, which stays.
    edges = np.union1d(np.flatnonzero(result == mask), np.flatnonzero(result == EOS) + 1)
    for part in np.split(result, edges):
        part = part[part != mask]
        while len(part) and not np.array_equal(pieces[place : place + len(part)], part):
            place += 1
            assert place < len(pieces), "what is left is no part of the text"
        kept[place : place + len(part)] = True
        place += len(part)
    return kept


def test_real_sentences_change_places_and_can_be_found_again(documents):
    moved = several = 0
    for _, pieces, result in noised(documents, mask_ratio=0.0):
        before, after = _sentences(pieces), _sentences(result)
        assert sorted(before) == sorted(after)
        several += len(set(before)) > 3
        moved += len(set(before)) > 3 and before != after
    assert several > 1000 and moved / several > 0.99


def _sentences(pieces):
    return [tuple(sentence) for sentence in np.split(pieces, np.flatnonzero(pieces == EOS) + 1) if len(sentence)]


def test_real_text_is_itself_where_nothing_is_masked(documents):
    for _, pieces, result in noised(documents, mask_ratio=0.0, permute_sentences=0.0):
        assert np.array_equal(pieces, result)
