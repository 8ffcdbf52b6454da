"""Models as generators and users see them: without the ``<s>`` that stands before every source.

A fairseq generator counts the source's tokens (``--match-source-len``, ``--max-len-a``), aligns outputs with them, and
starts with a token that a language model would not know. Through these views all three are as for fairseq's own
transformer: a source is its pieces and ``</s>``, and a language model begins with ``</s>``.
"""

from typing import Dict, Optional

import torch
from fairseq.models import FairseqIncrementalDecoder
from torch import Tensor, nn


def with_start(net_input: Dict[str, Tensor], dictionary) -> Dict[str, Tensor]:
    """A batch's input with ``<s>`` before every source, [B, S] -> [B, S + 1]."""
    source = net_input["src_tokens"]
    longer = torch.cat([source.new_full((source.size(0), 1), dictionary.bos()), source], dim=1)
    return {**net_input, "src_tokens": longer, "src_lengths": longer.ne(dictionary.pad()).sum(dim=1)}


def without_start(net_input: Dict[str, Tensor], dictionary) -> Dict[str, Tensor]:
    """The other way round; every source begins with ``<s>``, and padding stands on the right."""
    source = net_input["src_tokens"]
    assert bool(source[:, 0].eq(dictionary.bos()).all()), "sources begin with <s>"
    return {**net_input, "src_tokens": source[:, 1:], "src_lengths": source[:, 1:].ne(dictionary.pad()).sum(dim=1)}


def _without_start_column(extra: Dict) -> Dict:
    weights = extra.get("attn")
    if weights is None or weights[0] is None:
        return extra
    return {**extra, "attn": [weights[0][..., 1:]]}


class _EncoderView(nn.Module):
    def __init__(self, encoder, dictionary):
        super().__init__()
        self.encoder = encoder
        self.dictionary = dictionary

    def forward_torchscript(self, net_input: Dict[str, Tensor]):
        return self.encoder.forward_torchscript(with_start(net_input, self.dictionary))

    def reorder_encoder_out(self, encoder_out, new_order: Tensor):
        return self.encoder.reorder_encoder_out(encoder_out, new_order)


class _DecoderView(FairseqIncrementalDecoder):
    def __init__(self, decoder):
        super().__init__(decoder.dictionary)
        self.decoder = decoder

    def forward(self, prev_output_tokens, encoder_out=None, incremental_state=None, **options):
        logits, extra = self.decoder.forward(
            prev_output_tokens, encoder_out=encoder_out, incremental_state=incremental_state, **options
        )
        return logits, _without_start_column(extra)

    def reorder_incremental_state_scripting(self, incremental_state, new_order: Tensor) -> None:
        self.decoder.reorder_incremental_state_scripting(incremental_state, new_order)


class ModelView(nn.Module):
    """An encoder and decoder that read sources without ``<s>`` and tell of attention to the others alone."""

    def __init__(self, model, dictionary):
        super().__init__()
        self.model = model
        self.dictionary = dictionary
        self.encoder = _EncoderView(model.encoder, dictionary)
        self.decoder = _DecoderView(model.decoder)

    def forward(self, src_tokens: Tensor, src_lengths: Tensor, prev_output_tokens: Tensor, **options):
        given = with_start({"src_tokens": src_tokens, "src_lengths": src_lengths}, self.dictionary)
        logits, extra = self.model(prev_output_tokens=prev_output_tokens, **given, **options)
        return logits, _without_start_column(extra)

    def get_normalized_probs(self, net_output, log_probs: bool, sample=None) -> Tensor:
        return self.model.get_normalized_probs(net_output, log_probs, sample)

    def max_decoder_positions(self) -> int:
        return self.model.max_decoder_positions()


class LanguageModelView(nn.Module):
    """A language model whose texts begin with ``</s>``, as it was trained, whatever the decoder's first token is."""

    def __init__(self, model, eos: int):
        super().__init__()
        self.model = model
        self.eos = eos

    def forward(self, tokens: Tensor, **options):
        return self.model(torch.cat([torch.full_like(tokens[:, :1], self.eos), tokens[:, 1:]], dim=1), **options)

    def get_normalized_probs(self, net_output, log_probs: bool, sample: Optional[Dict] = None) -> Tensor:
        return self.model.get_normalized_probs(net_output, log_probs, sample)
