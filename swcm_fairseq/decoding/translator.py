"""Decoding from Python."""

import logging
import threading
from typing import List, Sequence

import torch
from fairseq.sequence_generator import SequenceGenerator

from ..data.pairs import PairDataset
from ..errors import SwcmError
from ..hardware import best_precision, bf16_speed
from ..vocabulary.dictionary import symbols_that_are_no_text, tags_in
from ..vocabulary.pieces import Pieces
from . import packed
from .generator import run_search
from .hypotheses import BaseTranslator, Search, Written

logger = logging.getLogger(__name__)

_DTYPES = ("float32", "bfloat16", "float16")


class Translator(BaseTranslator):
    """A model that turns text into text, computed with torch.

    >>> translator = swcm_fairseq.from_pretrained("runs/quickstart/packed")  # doctest: +SKIP
    >>> translator.translate(["打开文件"], target="kk")  # doctest: +SKIP
    """

    def __init__(
        self,
        model,
        dictionary,
        pieces: Pieces,
        targets: Sequence[str],
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__(pieces, targets, tags_in(dictionary.symbols), model.max_positions()[0])
        self.model = model.to(device=device, dtype=dtype)
        self.model.make_generation_fast_(need_attn=False)  # it is for decoding alone from here on
        self._decoding = threading.Lock()
        self.dictionary = dictionary
        self.device = device

    @classmethod
    def from_pretrained(
        cls, folder: str, device: str = "cpu", dtype: str = "float32", threads: int = 0
    ) -> "Translator":
        """Open a folder that ``swcm-pack`` wrote.

        Args:
            dtype: what is computed in: "float32", "bfloat16", "float16", or "auto", which is what the device is quick
                in. Outputs of float32 alone are the same on every machine but for rounding.
            threads: processors to use, for all that this process computes with torch; 0 leaves that to torch.

        Raises:
            SwcmError: the folder is not one, or is damaged; or there is no such ``dtype``.
        """
        if threads:
            torch.set_num_threads(threads)
        kind = dtype_named(dtype, device)
        parts = packed.read(folder)
        pieces = Pieces.load(parts.sentencepiece_model)
        return cls(parts.model, parts.dictionary, pieces, parts.targets, device, kind)

    def decode(self, sources: List[List[str]], tag: str, search: Search) -> List[List[Written]]:
        """Write a batch with fairseq's beam search; see ``BaseTranslator.decode``."""
        ids = [torch.tensor([self.dictionary.index(piece) for piece in source]) for source in sources]
        first = self.dictionary.index(tag)
        dataset = PairDataset(ids, [len(source) for source in ids], None, None, self.dictionary, first)
        batch = dataset.collater([dataset[place] for place in range(len(ids))])
        source = {name: tensor.to(self.device) for name, tensor in batch["net_input"].items()}
        generator = SequenceGenerator(
            [self.model],
            self.dictionary,
            beam_size=search.beam,
            len_penalty=search.lenpen,
            max_len_b=search.max_len,
            tokens_to_suppress=symbols_that_are_no_text(self.dictionary),
        )
        firsts = batch["tag"].to(self.device).repeat_interleave(generator.beam_size)
        with self._decoding:  # whether attention is wanted is a setting of the model, and slows it down
            self.model.decoder.need_attn = search.attention
            found = run_search(generator, [self.model], {"net_input": source}, bos_token=firsts)
        return [
            [self._written(one, len(pieces), search.attention) for one in outputs[: search.n_best]]
            for outputs, pieces in zip(found, ids)
        ]

    def _written(self, output, source_pieces: int, attention: bool) -> Written:
        ids = output["tokens"].tolist()[:-1]  # </s> ends it
        rows = None
        if attention:
            # [S, T], of which the first row is <s>'s and the last column </s>'s.
            rows = output["attention"][1 : source_pieces + 2, : len(ids)].t().tolist()
        return Written([self.dictionary[index] for index in ids], float(output["score"]), rows)


def dtype_named(name: str, device: str) -> torch.dtype:
    """The type that ``Translator.from_pretrained`` calls ``name``; warns where ``device`` is slow in it.

    Raises:
        SwcmError: there is no such type.
    """
    if name == "auto":
        if device == "cpu":
            return torch.float32 if bf16_speed() < 1 else torch.bfloat16
        return best_precision().dtype
    if name not in _DTYPES:
        raise SwcmError("dtype is auto, {} or {}, not {!r}".format(", ".join(_DTYPES[:2]), _DTYPES[2], name))
    if name == "bfloat16" and device == "cpu" and bf16_speed() < 0.9:
        logger.warning('dtype="bfloat16": this CPU multiplies it %.0f times slower than float32', 1 / bf16_speed())
    return getattr(torch, name)
