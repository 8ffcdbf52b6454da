"""The encoder: XLM-R's, with fairseq's interface."""

from typing import Dict, List, Optional, Sequence

import torch
from fairseq.models import FairseqEncoder
from torch import Tensor, nn

from ..modules.beam_rows import regroup
from ..modules.embeddings import Embeddings
from ..modules.layers import EncoderLayer, LayerSizes
from ..modules.masks import mask_for
from ..modules.padding import asking_waits


class SwcmEncoder(FairseqEncoder):
    """A post-norm transformer encoder that equals Hugging Face's XLMRobertaModel on the same weights.

    Args:
        dictionary: fairseq's, of the source.
        embeddings: shared with the decoder.
        sizes: of every layer.
        layers: how many.
        without_residual: number of the layer, if any, whose self-attention does not add its input.
        kept: what the decoder reads beside the output: after how many layers, each once and ascending.
    """

    kept: List[int]  # for TorchScript, which cannot tell what an empty list is of

    def __init__(
        self,
        dictionary,
        embeddings: Embeddings,
        sizes: LayerSizes,
        layers: int,
        without_residual: Optional[int] = None,
        kept: Sequence[int] = (),
    ):
        super().__init__(dictionary)
        self.embeddings = embeddings
        self.layers = nn.ModuleList([EncoderLayer(sizes, number != without_residual) for number in range(layers)])
        self.padding_idx = dictionary.pad()
        self.kept = list(kept)

    def forward(
        self, src_tokens: Tensor, src_lengths: Optional[Tensor] = None, return_all_hiddens: bool = False
    ) -> Dict[str, List[Tensor]]:
        """Encode ``src_tokens`` [B, S], padded on either side.

        Returns:
            fairseq's dictionary of lists: ``encoder_out`` [S, B, C]; ``encoder_padding_mask`` bool [B, S], True
            at padding, an empty list where nothing is padded; ``encoder_states``, every layer's [S, B, C], when
            asked for; ``memories``, those of ``kept``; ``memory_rows`` [B], which row of all these each row of the
            decoder reads.
        """
        padding = src_tokens.eq(self.padding_idx)
        # In training a mask that hides nothing costs less than to wait for the answer.
        has_padding = (self.training and asking_waits(padding)) or bool(padding.any())
        x = self.embeddings(src_tokens)
        mask = mask_for(x, padding[:, None, None, :]) if has_padding else None
        states = [x.transpose(0, 1)] if return_all_hiddens else []
        memories = [x.transpose(0, 1)] if 0 in self.kept else []
        for through, layer in enumerate(self.layers, 1):
            x = layer(x, mask)
            if return_all_hiddens:
                states.append(x.transpose(0, 1))
            if through in self.kept:
                memories.append(x.transpose(0, 1))
        return {
            "encoder_out": [x.transpose(0, 1)],
            "encoder_padding_mask": [padding] if has_padding else [],
            "encoder_embedding": [],
            "encoder_states": states,
            "memories": memories,
            "src_tokens": [],
            "src_lengths": [],
            "memory_rows": [torch.arange(src_tokens.size(0), device=src_tokens.device)],
        }

    def reorder_encoder_out(self, encoder_out: Dict[str, List[Tensor]], new_order: Tensor) -> Dict[str, List[Tensor]]:
        """Bring the rows that read this output into ``new_order`` [R'].

        Rows of one sentence go on sharing it (``modules/beam_rows.py``): ``memory_rows`` says which row reads which.
        """
        moves = regroup(encoder_out["memory_rows"][0], new_order)
        if moves is None:
            return encoder_out
        kept, memory_rows = moves
        moved: Dict[str, List[Tensor]] = {}
        for name, tensors in encoder_out.items():
            batch_axis = 1 if name in ("encoder_out", "encoder_states", "memories") else 0
            if name != "memory_rows":
                moved[name] = [tensor.index_select(batch_axis, kept) for tensor in tensors]
        moved["memory_rows"] = [memory_rows]
        return moved

    def max_positions(self) -> int:
        """The longest source, in pieces, ``<s>`` and ``</s>`` included."""
        return self.embeddings.max_positions
