"""Decoding with CTranslate2, without torch."""

import os
from typing import Any, Dict, Iterable, List

import ctranslate2

from ...errors import SwcmError
from ...processors import made_by_amd, usable_processors
from ...vocabulary.pieces import Pieces
from ...vocabulary.symbols import BOS, EOS, SENTENCEPIECE_MODEL
from ..hypotheses import BaseTranslator, Search, Written
from .folder import Exported

# CTranslate2 compares hypotheses by probability alone, and stops before it has as many as the beam is wide, where its
# length penalty is 0; with one that changes no number it stops where fairseq does, and what it found is compared here.
_NO_PENALTY = 1e-9

# On AMD's processors CTranslate2 multiplies 8-bit numbers with oneDNN, which is several times slower with two threads
# than with one. There each thread takes sentences of its own.


class Ct2Translator(BaseTranslator):
    """A model that CTranslate2 computes; it finds what fairseq's beam search finds.

    Not quite the same are outputs as long as ``max_len`` allows, whose last ``</s>`` is not scored, and the scores
    themselves, by what probability the model gives to symbols that are no text and, at first, to ``</s>``.
    """

    def __init__(self, engine: "ctranslate2.Translator", exported: Exported, pieces: Pieces):
        super().__init__(pieces, exported.targets, exported.tags, exported.max_positions)
        self.engine = engine
        self._no_text = [[symbol] for symbol in exported.no_text]

    @classmethod
    def open(
        cls, folder: str, exported: Exported, device: str = "cpu", compute_type: str = "default", threads: int = 0
    ) -> "Ct2Translator":
        """Open a folder of ``swcm-export --to ct2``; see ``open_translator``."""
        device, _, index = device.partition(":")
        settings: Dict[str, Any] = {"device": device, "device_index": int(index or 0), "compute_type": compute_type}
        try:
            engine = ctranslate2.Translator(folder, intra_threads=threads, **settings)
            if device == "cpu" and engine.compute_type.startswith("int8") and made_by_amd():
                del engine
                together = threads or _threads_by_default()
                engine = ctranslate2.Translator(folder, inter_threads=together, intra_threads=1, **settings)
        except (RuntimeError, ValueError) as error:
            raise SwcmError(f"CTranslate2 cannot open {folder}: {str(error).strip()}")
        return cls(engine, exported, Pieces.load(os.path.join(folder, SENTENCEPIECE_MODEL)))

    def decode(self, sources: List[List[str]], tag: str, search: Search) -> List[List[Written]]:
        """Write a batch; see ``BaseTranslator.decode``."""
        return next(iter(self.decode_batches([sources], tag, search)))

    def decode_batches(
        self, batches: Iterable[List[List[str]]], tag: str, search: Search
    ) -> Iterable[List[List[Written]]]:
        """See ``BaseTranslator.decode_batches``; the engine is asked for all of them before the first is waited for."""
        # <s>, the tag, and one position for the </s> that ends the longest output.
        longest = min(search.max_len, self.max_source - 2)
        asked = [self._ask(sources, tag, search, longest) for sources in batches]
        return ([_best(one.result(), longest, search) for one in results] for results in asked)

    def _ask(self, sources: List[List[str]], tag: str, search: Search, longest: int) -> List:
        """What will hold the results; waits where the engine's queue is full."""
        return self.engine.translate_batch(
            [[BOS] + source + [EOS] for source in sources],
            target_prefix=[[tag]] * len(sources),
            max_batch_size=-(-len(sources) // self.engine.num_translators),
            asynchronous=True,
            beam_size=search.beam,
            num_hypotheses=search.beam,
            length_penalty=_NO_PENALTY,
            max_decoding_length=longest + 2,  # the tag and </s> count
            min_decoding_length=2,  # as fairseq, no output is empty
            max_input_length=0,
            suppress_sequences=self._no_text,
            return_scores=True,
            return_end_token=True,
            return_attention=search.attention,
        )


def _threads_by_default() -> int:
    """As many as CTranslate2 takes where it is left to it."""
    return int(os.environ.get("OMP_NUM_THREADS") or 0) or min(usable_processors(), 4)


def _best(result, longest: int, search: Search) -> List[Written]:
    outputs = []
    for place, symbols in enumerate(result.hypotheses):
        symbols = symbols[1:]  # the tag
        length = len(symbols)
        if symbols[-1:] == [EOS]:
            symbols = symbols[:-1]
        symbols = symbols[:longest]
        attention = None
        if search.attention:
            attention = [row[1:] for row in result.attention[place][1 : len(symbols) + 1]]  # without <s>
        outputs.append(Written(symbols, result.scores[place] / length**search.lenpen, attention))
    outputs.sort(key=lambda output: -output.score)
    return outputs[: search.n_best]
