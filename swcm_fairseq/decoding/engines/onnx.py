"""Decoding with onnxruntime, without torch."""

import os
from typing import Dict, List, Sequence

import numpy as np
import onnxruntime

from ...errors import SwcmError
from ...processors import products_of_8_bits_overflow
from ...vocabulary.encoder_vocabulary import dictionary_symbols
from ...vocabulary.pieces import Pieces
from ...vocabulary.symbols import (
    BOS_ID,
    DICTIONARY,
    EOS_ID,
    PAD_ID,
    SENTENCEPIECE_MODEL,
    SPECIALS,
    UNKNOWN_ID,
)
from ..hypotheses import BaseTranslator, Search, Written
from .beam_search import BeamSearch, Candidates, Finished
from .folder import Exported, onnx_files

ERRORS_ONLY = 3


class OnnxTranslator(BaseTranslator):
    """A model that onnxruntime computes, with fairseq's beam search."""

    def __init__(
        self,
        encoder: "onnxruntime.InferenceSession",
        decoder: "onnxruntime.InferenceSession",
        symbols: Sequence[str],
        exported: Exported,
        pieces: Pieces,
    ):
        super().__init__(pieces, exported.targets, exported.tags, exported.max_positions)
        self.symbols = list(symbols)
        self.ids = {symbol: index for index, symbol in enumerate(symbols)}
        self._encoder, self._decoder = encoder, decoder
        self._never = np.array([self.ids[symbol] for symbol in exported.no_text] + [PAD_ID])
        caches = {one.name: one.shape for one in decoder.get_inputs() if one.name.startswith("past_key_values.")}
        self._caches = sorted(caches)
        _, self._heads, _, self._channels = next(iter(caches.values()))

    @classmethod
    def open(
        cls, folder: str, exported: Exported, device: str = "cpu", compute_type: str = "default", threads: int = 0
    ) -> "OnnxTranslator":
        """Open a folder of ``swcm-export --to onnx``; see ``open_translator``."""
        if compute_type != "default":
            raise SwcmError(
                f"compute_type {compute_type} is for backend ct2; an ONNX model is computed as it was exported "
                "(swcm-export --quantization)"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = ERRORS_ONLY
        if products_of_8_bits_overflow():
            options.add_session_config_entry("session.x64quantprecision", "1")  # slower products that do not
        providers = ["CPUExecutionProvider"]
        if not device.startswith("cpu"):
            providers.insert(0, "CUDAExecutionProvider")
        sessions = []
        eight_bits = os.path.exists(os.path.join(folder, onnx_files(True)[0]))
        for name in onnx_files(eight_bits):
            path = os.path.join(folder, name)
            try:
                sessions.append(onnxruntime.InferenceSession(path, options, providers=providers))
            except Exception as error:  # its classes have no ancestor of their own
                raise SwcmError(f"onnxruntime cannot open {path}: {str(error).strip().splitlines()[0]}")
        symbols = [*SPECIALS, *dictionary_symbols(os.path.join(folder, DICTIONARY))]
        encoder, decoder = sessions
        return cls(encoder, decoder, symbols, exported, Pieces.load(os.path.join(folder, SENTENCEPIECE_MODEL)))

    def decode(self, sources: List[List[str]], tag: str, search: Search) -> List[List[Written]]:
        """Write a batch; see ``BaseTranslator.decode``."""
        ids, mask = self._batch(sources)
        (memory,) = self._encoder.run(None, {"input_ids": ids, "attention_mask": mask})
        # <s>, the tag and what is written but for the last </s> have positions.
        longest = min(search.max_len, self.max_source - 2)
        beam = BeamSearch(len(sources), search.beam, search.lenpen, longest, EOS_ID)
        wanted = min(2 * search.beam + len(self._never), len(self.symbols))
        memory_feed = {"encoder_hidden_states": memory, "encoder_attention_mask": mask}
        # Before the first step all hypotheses of a sentence are alike, so one is computed.
        inputs = np.tile(np.array([[BOS_ID, self.ids[tag]]]), (len(sources), 1))
        shape = (len(sources), self._heads, 0, self._channels)
        caches = {name: np.zeros(shape, dtype=np.float32) for name in self._caches}
        attention: List[np.ndarray] = []
        first = True
        while True:
            feed = dict(memory_feed, input_ids=inputs, use_cache_branch=np.array([not first]), best=np.array([wanted]))
            given = self._step({**feed, **caches}, beam.last, search.attention)
            if search.attention:
                attention.append(given["attention"][:, -1])
            active = beam.active
            rows = beam.advance(self._candidates(given, beam.last))
            if rows is None:
                break
            kept = np.isin(active, beam.active)
            caches = self._moved(given, rows, kept)
            if not kept.all():
                memory_feed = {name: value[kept] for name, value in memory_feed.items()}
            inputs = beam.symbols[:, None]
            first = False
        found = beam.best()
        return [
            [self._written(one, attention, len(source)) for one in some[: search.n_best]]
            for some, source in zip(found, sources)
        ]

    def _batch(self, sources: List[List[str]]):
        """-> ids and mask [B, S], padded on the right."""
        longest = max(map(len, sources)) + 2
        ids = np.full((len(sources), longest), PAD_ID)
        for row, source in zip(ids, sources):
            known = [self.ids.get(piece, UNKNOWN_ID) for piece in source]
            row[: len(source) + 2] = [BOS_ID, *known, EOS_ID]
        return ids, (ids != PAD_ID).astype(np.int64)

    def _step(self, feed: Dict[str, np.ndarray], last: bool, attention: bool) -> Dict[str, np.ndarray]:
        names = ["best_logits", "best_ids", "log_total"] + ["attention"] * attention + ["logits"] * last
        names += [name.replace("past_key_values", "present") for name in self._caches]
        return dict(zip(names, self._decoder.run(names, feed)))

    def _candidates(self, given: Dict[str, np.ndarray], last: bool) -> Candidates:
        scores = given["best_logits"] - given["log_total"]
        scores[np.isin(given["best_ids"], self._never)] = -np.inf
        end = given["logits"][:, -1, EOS_ID] - given["log_total"][:, 0] if last else None
        return Candidates(given["best_ids"], scores, end)

    def _moved(self, given, rows: np.ndarray, kept: np.ndarray) -> Dict[str, np.ndarray]:
        """The caches of ``rows`` [R']; those of the memory have a row for each sentence that is ``kept``."""
        moved = {}
        for name in self._caches:
            value = given[name.replace("past_key_values", "present")]
            if ".decoder." in name:
                same = len(rows) == len(value) and np.array_equal(rows, np.arange(len(rows)))
                moved[name] = value if same else value[rows]
            else:
                moved[name] = value if kept.all() else value[kept]
        return moved

    def _written(self, one: Finished, attention: List[np.ndarray], source_pieces: int) -> Written:
        pieces = [self.symbols[index] for index in one.ids]
        if not attention:
            return Written(pieces, one.score)
        rows = [step[row, 1 : source_pieces + 2].tolist() for step, row in zip(attention, one.rows)]  # without <s>
        return Written(pieces, one.score, rows[: len(pieces)])
