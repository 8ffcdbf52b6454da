"""The encoder: XLM-R's, with fairseq's interface."""

from typing import Dict, List, Optional

import torch
from fairseq.models import FairseqEncoder
from torch import Tensor, nn

from ..modules.embeddings import Embeddings
from ..modules.layers import EncoderLayer, LayerSizes


class SwcmEncoder(FairseqEncoder):
    """A post-norm transformer encoder that equals Hugging Face's XLMRobertaModel on the same weights.

    Args:
        dictionary: fairseq's, of the source.
        embeddings: shared with the decoder.
        sizes: of every layer.
        layers: how many.
    """

    def __init__(self, dictionary, embeddings: Embeddings, sizes: LayerSizes, layers: int):
        super().__init__(dictionary)
        self.embeddings = embeddings
        self.layers = nn.ModuleList([EncoderLayer(sizes) for _ in range(layers)])
        self.padding_idx = dictionary.pad()

    def forward(
        self, src_tokens: Tensor, src_lengths: Optional[Tensor] = None, return_all_hiddens: bool = False
    ) -> Dict[str, List[Tensor]]:
        """Encode ``src_tokens`` [B, S], padded on either side.

        Returns:
            fairseq's dictionary of lists: ``encoder_out`` [S, B, C]; ``encoder_padding_mask`` bool [B, S], True
            at padding, an empty list where nothing is padded; ``encoder_states``, every layer's [S, B, C], when
            asked for; ``sentence`` [B], which sentence of the batch each row belongs to.
        """
        padding = src_tokens.eq(self.padding_idx)
        has_padding = bool(padding.any())
        mask = padding[:, None, None, :] if has_padding else None
        x = self.embeddings(src_tokens)
        states = [x.transpose(0, 1)] if return_all_hiddens else []
        for layer in self.layers:
            x = layer(x, mask)
            if return_all_hiddens:
                states.append(x.transpose(0, 1))
        return {
            "encoder_out": [x.transpose(0, 1)],
            "encoder_padding_mask": [padding] if has_padding else [],
            "encoder_embedding": [],
            "encoder_states": states,
            "src_tokens": [],
            "src_lengths": [],
            "sentence": [torch.arange(src_tokens.size(0), device=src_tokens.device)],
        }

    def reorder_encoder_out(self, encoder_out: Dict[str, List[Tensor]], new_order: Tensor) -> Dict[str, List[Tensor]]:
        """Bring the batch into ``new_order`` [B']."""
        if keeps_sentences(encoder_out["sentence"][0], new_order):
            return encoder_out
        batch_axis = {"encoder_out": 1, "encoder_states": 1}
        return {
            name: [tensor.index_select(batch_axis.get(name, 0), new_order) for tensor in tensors]
            for name, tensors in encoder_out.items()
        }

    def max_positions(self) -> int:
        """The longest source, in pieces, ``<s>`` and ``</s>`` included."""
        return self.embeddings.max_positions


def keeps_sentences(sentence: Tensor, new_order: Tensor) -> bool:
    """Whether ``new_order`` [B'] leaves every row with the ``sentence`` [B] it had, as beam search mostly does.

    Then nothing that depends on the source alone has to move. Rows of one sentence are copies of each other.
    """
    return sentence.size(0) == new_order.size(0) and bool(torch.equal(sentence[new_order], sentence))
