"""The decoder: custom and normal layers as planned, with fairseq's incremental interface."""

from typing import Dict, List, Optional, Tuple

import torch
from fairseq.models import FairseqIncrementalDecoder
from torch import Tensor, nn

from ..modules.attention import IncrementalState
from ..modules.beam_rows import regroup, stays
from ..modules.decoding_step import Step, decoding_step
from ..modules.embeddings import Embeddings
from ..modules.layer_plan import PlannedLayer
from ..modules.layers import DECODER_LAYERS, LayerSizes
from ..modules.linear import PackedLinear
from ..modules.masks import fuses, mask_for
from ..modules.padding import RealPositions, asking_waits, pad, real_positions, unpad


class SwcmDecoder(FairseqIncrementalDecoder):
    """The decoder of XLM-SWCM.

    Inside, every target begins with ``<s>``, as every text did that the encoder's layers were trained on, and the
    first input (the language's tag) comes second. XLM-R-like layers use the first position as a place to rest their
    attention on and wash out whatever token stands there: a tag in that place could not be heard.

    Args:
        dictionary: fairseq's, of the target.
        embeddings: the encoder's own (with a token table of its own where the dictionaries differ).
        sizes: of every layer.
        plan: kind, origin and memory of every layer.
        untie_output: give the output its own weight and bias instead of the token table.
    """

    def __init__(
        self, dictionary, embeddings: Embeddings, sizes: LayerSizes, plan: List[PlannedLayer], untie_output: bool
    ):
        super().__init__(dictionary)
        self.embeddings = embeddings
        self.plan = plan
        self.layers = nn.ModuleList([DECODER_LAYERS[planned.kind](sizes) for planned in plan])
        kept = kept_memories(plan)
        #: for every layer its place among the encoder's ``memories``; -1 is the encoder's output
        self.memory_places = [-1 if one.memory is None else kept.index(one.memory) for one in plan]
        self.padding_idx = dictionary.pad()
        self.bos_idx = dictionary.bos()
        self.output_projection = None
        if untie_output:
            self.output_projection = nn.Linear(sizes.width, len(dictionary))
            # Untied is a start from the token table, not a random output: the two drift apart in training.
            self.output_projection.weight.data.copy_(embeddings.tokens.weight.data)
            nn.init.zeros_(self.output_projection.bias)
        self.packed_linear = PackedLinear()
        self._step: Optional[Tuple[int, Optional[Step]]] = None
        self.need_attn = True
        #: Whether targets may be padded on the left, where a task does not say that they are not.
        self.may_pad_left = True

    def make_generation_fast_(self, need_attn: bool = False, **unused) -> None:
        """fairseq calls this before it decodes; ``need_attn``: whether the attention will be asked for."""
        self.packed_linear.freeze()
        self.need_attn = need_attn
        self._step = None

    def forward(
        self,
        prev_output_tokens: Tensor,
        encoder_out: Optional[Dict[str, List[Tensor]]] = None,
        incremental_state: IncrementalState = None,
        features_only: bool = False,
        return_all_hiddens: bool = False,
        src_lengths: Optional[Tensor] = None,
    ) -> Tuple[Tensor, Dict[str, List[Optional[Tensor]]]]:
        """Decode ``prev_output_tokens`` [B, T] (all tokens so far; incrementally the last one is computed).

        Returns:
            logits [B, T, V], or features [B, T, C] with ``features_only`` (T is 1 when incremental); and a
            dictionary with ``attn``, the last layer's cross-attention averaged over heads [B, T, S] (None in
            training), and ``inner_states``, every layer's [T, B, C], when asked for.
        """
        x, extra = self.extract_features(
            prev_output_tokens, encoder_out, incremental_state, return_all_hiddens=return_all_hiddens
        )
        return (x if features_only else self.output_layer(x)), extra

    def extract_features(
        self,
        prev_output_tokens: Tensor,
        encoder_out: Optional[Dict[str, List[Tensor]]] = None,
        incremental_state: IncrementalState = None,
        return_all_hiddens: bool = False,
    ) -> Tuple[Tensor, Dict[str, List[Optional[Tensor]]]]:
        """Like ``forward`` with ``features_only``."""
        assert encoder_out is not None, "there is nothing to decode without an encoder's output"
        memory = encoder_out["encoder_out"][0].transpose(0, 1)
        padding = encoder_out["encoder_padding_mask"]
        memory_mask = mask_for(memory, padding[0][:, None, None, :]) if len(padding) > 0 else None
        repeated: Optional[Tensor] = None
        mask: Optional[Tensor] = None
        real: Optional[RealPositions] = None
        if self._memory_rows(incremental_state) is not None:
            x = self.embeddings(prev_output_tokens[:, -1:], step=prev_output_tokens.size(1) + 1)
            if not torch.jit.is_scripting():
                quick = None if return_all_hiddens else self._quick_step(x, incremental_state, memory_mask)
                if quick is not None:
                    return quick, {"attn": [None], "inner_states": []}
        else:
            tokens = self._after_start(prev_output_tokens)
            if incremental_state is not None:
                memory_rows = encoder_out["memory_rows"][0]
                self._keep_memory_rows(incremental_state, memory_rows)
                tokens, repeated = _once_a_sentence(tokens, memory_rows, memory.size(0))
            x = self.embeddings(tokens)
            mask = self._self_mask(tokens, x)
            if self.training and incremental_state is None and not return_all_hiddens:
                real = real_positions(tokens.ne(self.padding_idx))
        if real is not None:
            x = unpad(x, real)

        states = [x] if return_all_hiddens else []
        causal = mask is None and x.size(1) > 1
        weights: Optional[Tensor] = None
        for index, layer in enumerate(self.layers):
            need_weights = self.need_attn and not self.training and index + 1 == len(self.layers)
            place = self.memory_places[index]
            read = memory if place < 0 else encoder_out["memories"][place].transpose(0, 1)
            x, weights = layer(x, read, mask, memory_mask, incremental_state, need_weights, real, causal)
            if return_all_hiddens:
                states.append(x)

        if real is not None:
            x = pad(x, real)
        if repeated is not None:
            self._reorder_past(incremental_state, repeated)
            x = x[repeated]
            weights = None if weights is None else weights[repeated]
            states = [state[repeated] for state in states]
        wanted = 1 if incremental_state is not None else prev_output_tokens.size(1)
        x = x[:, -wanted:]
        weights = None if weights is None else weights[:, -wanted:]
        inner_states: List[Optional[Tensor]] = []
        for state in states:
            inner_states.append(state[:, -wanted:].transpose(0, 1))
        return x, {"attn": [weights], "inner_states": inner_states}

    @torch.jit.unused
    def _quick_step(
        self, x: Tensor, incremental_state: IncrementalState, memory_mask: Optional[Tensor]
    ) -> Optional[Tensor]:
        """x [R, 1, C] through all layers as ``decoding_step`` does it; None where ``forward`` is needed."""
        frozen = self.packed_linear.packed is not None and not torch.is_grad_enabled()
        if incremental_state is None or not frozen or self.training or self.need_attn or x.device.type != "cpu":
            return None
        # A model that was moved or cast after its last step has other weights.
        weights = self.layers[0].self_attn.out_proj.weight.data_ptr()
        if self._step is None or self._step[0] != weights:
            self._step = (weights, decoding_step(self.layers))
        step = self._step[1]
        return None if step is None else step(x, incremental_state, memory_mask)

    def _after_start(self, tokens: Tensor) -> Tensor:
        """[B, T] -> [B, T + 1]: ``<s>`` in front."""
        return torch.cat([torch.full_like(tokens[:, :1], self.bos_idx), tokens], dim=1)

    def _self_mask(self, tokens: Tensor, x: Tensor) -> Optional[Tensor]:
        """[1 or B, 1, T, T], where attending from x [B, T, C] is forbidden: to the future, to padding on the left.

        Padding on the right needs no mask: it lies in every real token's future. None where only the future is
        forbidden and attention leaves that out by itself.
        """
        length = tokens.size(1)
        padding = tokens.eq(self.padding_idx)
        asking = self.training and asking_waits(padding)
        padded_left = self.may_pad_left if asking else bool(padding[:, 1].any())
        if fuses(x) and not padded_left:
            return None
        future = torch.ones(length, length, dtype=torch.bool, device=tokens.device).triu(1)[None, None]
        return mask_for(x, future | padding[:, None, None, :] if padded_left else future)

    def output_parameters(self) -> Tuple[Tensor, Optional[Tensor]]:
        """Weight [V, C] and bias [V] or None of the output layer, for losses that compute logits themselves."""
        if self.output_projection is None:
            return self.embeddings.tokens.weight, None
        return self.output_projection.weight, self.output_projection.bias

    def output_layer(self, features: Tensor) -> Tensor:
        """Features [..., C] -> logits [..., V]."""
        weight, bias = self.output_parameters()
        return self.packed_linear(features, weight, bias)

    def max_positions(self) -> int:
        """The longest target, in pieces, ``</s>`` included."""
        return self.embeddings.max_positions - 1  # <s> takes one

    def _memory_rows(self, incremental_state: IncrementalState) -> Optional[Tensor]:
        """Which row of the memory each cached row [R] reads; None before the first step."""
        entry = self.get_incremental_state(incremental_state, "memory")
        return None if entry is None else entry["memory_rows"]

    def _keep_memory_rows(self, incremental_state: IncrementalState, memory_rows: Tensor) -> None:
        entry: Dict[str, Optional[Tensor]] = {"memory_rows": memory_rows}
        self.set_incremental_state(incremental_state, "memory", entry)

    def reorder_incremental_state_scripting(self, incremental_state: IncrementalState, new_order: Tensor) -> None:
        """Bring the caches into ``new_order`` [R'], as beam search does after every step."""
        memory_rows = self._memory_rows(incremental_state)
        if memory_rows is None or stays(new_order, memory_rows.numel()):
            return
        self._reorder_past(incremental_state, new_order)
        moves = regroup(memory_rows, new_order)
        if moves is not None:
            for layer in self.layers:
                layer.cross_attn.reorder_cache(incremental_state, moves[0])
            self._keep_memory_rows(incremental_state, moves[1])

    def _reorder_past(self, incremental_state: IncrementalState, new_order: Tensor) -> None:
        for layer in self.layers:
            layer.self_attn.reorder_cache(incremental_state, new_order)

    def reorder_incremental_state(self, incremental_state: IncrementalState, new_order: Tensor) -> None:
        self.reorder_incremental_state_scripting(incremental_state, new_order)


def kept_memories(plan: List[PlannedLayer]) -> List[int]:
    """What of the encoder's the decoder reads beside its output: after how many layers, ascending."""
    return sorted({planned.memory for planned in plan if planned.memory is not None})


def _once_a_sentence(tokens: Tensor, memory_rows: Tensor, sentences: int) -> Tuple[Tensor, Optional[Tensor]]:
    """Before the first step all hypotheses of a sentence are alike, so one of them is computed.

    Args:
        tokens: [R, T].
        memory_rows: [R], the row of the memory that each reads.
        sentences: M, rows of the memory.

    Returns:
        the rows to compute, and what repeats them into all rows [R]; all rows and None where they differ.
    """
    if tokens.size(0) == sentences:
        return tokens, None
    first = tokens[:: tokens.size(0) // sentences]
    return (first, memory_rows) if torch.equal(first[memory_rows], tokens) else (tokens, None)
