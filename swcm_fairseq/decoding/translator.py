"""Decoding from Python."""

import logging
from typing import List, Optional, Sequence

import torch
from fairseq.sequence_generator import SequenceGenerator

from .. import plugin  # noqa: F401
from ..data.dictionary import symbols_that_are_no_text, tags_in
from ..data.languages import tag_of
from ..data.pairs import PairDataset
from ..data.pieces import Pieces
from ..errors import SwcmError
from . import packed

logger = logging.getLogger(__name__)


class Translator:
    """A model that turns text into text.

    >>> translator = swcm_fairseq.from_pretrained("runs/quickstart/packed")  # doctest: +SKIP
    >>> translator.translate(["打开文件"], target="kk")  # doctest: +SKIP
    """

    def __init__(self, model, dictionary, pieces: Pieces, targets: Sequence[str], device: str = "cpu"):
        self.model = model.to(device)
        # It is for decoding alone from here on. The report wants the attention.
        self.model.make_generation_fast_(need_attn=True)
        self.dictionary = dictionary
        self.pieces = pieces
        self.targets = list(targets)
        self.device = device

    @classmethod
    def from_pretrained(cls, folder: str, device: str = "cpu") -> "Translator":
        """Open a folder that ``swcm-pack`` wrote.

        Raises:
            SwcmError: the folder is not one, or is damaged.
        """
        parts = packed.read(folder)
        return cls(parts.model, parts.dictionary, Pieces.load(parts.sentencepiece_model), parts.targets, device)

    def translate(
        self,
        sentences: Sequence[str],
        target: Optional[str] = None,
        beam: int = 5,
        lenpen: float = 1.0,
        max_len: int = 200,
        batch_size: int = 32,
    ) -> List[str]:
        """Write each sentence in ``target``.

        Args:
            sentences: raw text; an empty one gives an empty one.
            target: language code; may be left out where the model was trained for one.
            beam: width of the beam; 1 is greedy.
            lenpen: exponent of the length that scores are divided by.
            max_len: most pieces of an output.
            batch_size: sentences decoded together; it does not change the outputs.

        Returns:
            one text a sentence, in order. Sources longer than the model's positions are cut, with a warning.

        Raises:
            SwcmError: a language without a tag.
        """
        dataset = self._dataset(sentences, self._tag(target))
        generator = SequenceGenerator(
            [self.model],
            self.dictionary,
            beam_size=beam,
            len_penalty=lenpen,
            max_len_b=max_len,
            tokens_to_suppress=symbols_that_are_no_text(self.dictionary),
        )
        outputs = [""] * len(sentences)
        todo = [index for index in dataset.ordered_indices().tolist() if sentences[index].strip()]
        for start in range(0, len(todo), batch_size):
            batch = dataset.collater([dataset[index] for index in todo[start : start + batch_size]])
            source = {name: tensor.to(self.device) for name, tensor in batch["net_input"].items()}
            first = batch["tag"].to(self.device).repeat_interleave(generator.beam_size)
            found = generator.generate([self.model], {"net_input": source}, bos_token=first)
            for index, hypotheses in zip(batch["id"].tolist(), found):
                outputs[index] = self._text(hypotheses[0]["tokens"])
        return outputs

    def _tag(self, target: Optional[str]) -> int:
        if target is None and len(self.targets) != 1:
            raise SwcmError("say the target language; the model was trained for: {}".format(", ".join(self.targets)))
        tag = tag_of(target or self.targets[0])
        index = self.dictionary.index(tag)
        if index == self.dictionary.unk():
            known = " ".join(tags_in(self.dictionary.symbols))
            raise SwcmError("the model has no tag {}; it has: {}".format(tag, known))
        return index

    def _dataset(self, sentences: Sequence[str], tag: int) -> PairDataset:
        encode = self.dictionary.encode_line
        lines = [" ".join(pieces) for pieces in self.pieces.cut(sentences)]
        sources = [encode(line, add_if_not_exist=False).long() for line in lines]
        sizes = [len(source) for source in sources]
        limit = self.model.max_positions()[0]
        cut = sum(size + 1 > limit for size in sizes)
        if cut:
            logger.warning("%d sources are longer than %d pieces and were cut", cut, limit)
        return PairDataset(sources, sizes, None, None, self.dictionary, tag, max_source=limit)

    def _text(self, tokens: torch.Tensor) -> str:
        line = self.dictionary.string(tokens.int().cpu(), extra_symbols_to_ignore={self.dictionary.eos()})
        return self.pieces.decode(line)
