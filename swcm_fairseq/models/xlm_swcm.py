"""The registered model ``xlm_swcm`` and its presets: assembly only."""

import functools
from typing import Dict, List, Optional, Tuple

import torch
from fairseq.models import FairseqEncoderDecoderModel, register_model, register_model_architecture
from torch import Tensor, nn

from .. import allocator
from ..errors import SwcmError
from ..fairseq_patches import join_command
from ..hardware import warn_of_slow_bf16
from ..modules.embeddings import Embeddings, position_table, token_table
from ..modules.layer_plan import layer_plan
from ..pretrained import read_encoder
from ..training_run import TrainingRun
from ..vocabulary.dictionary import check_dictionary
from .config import PRESETS, XlmSwcmConfig, fill_in, layer_sizes, resolve_sizes
from .decoder import SwcmDecoder, kept_memories
from .embedding_rows import add_rows
from .encoder import SwcmEncoder
from .initialization import Origin, initialize, tie_decoder
from .prepare_training import prepare_for_training


@register_model("xlm_swcm", dataclass=XlmSwcmConfig)
class XlmSwcmModel(FairseqEncoderDecoderModel):
    """XLM-SWCM: a multilingual encoder, and a decoder that starts from the encoder's weights.

    "Multilingual Encoder Knows more than You Realize" (Su et al., ACL 2025). Attributes ``init_origins`` says
    where each tensor of the state came from when the model was built.
    """

    def __init__(self, cfg, encoder: SwcmEncoder, decoder: SwcmDecoder):
        super().__init__(encoder, decoder)
        self.cfg = cfg
        self.init_origins: Dict[str, Origin] = {}
        self.takes_further_tags = False
        self.returns_memory = False

    @classmethod
    def build_model(cls, cfg, task):
        """Build the model and start it from the pretrained encoder, if one is named: its weights are read here, once.

        In a training run ``prepare_for_training`` does the rest.
        """
        pretrained = read_encoder(cfg.pretrained_encoder) if cfg.pretrained_encoder else None
        resolve_sizes(cfg, pretrained)
        source, target = task.source_dictionary, task.target_dictionary
        if pretrained is not None:
            if source != target:
                raise SwcmError(
                    "a pretrained encoder wants one dictionary for source and target: binarize with fairseq-preprocess "
                    "--joined-dictionary"
                )
            check_dictionary(source.symbols, pretrained.config.vocab_size, pretrained.pieces, pretrained.path)

        model = cls(cfg, *_encoder_and_decoder(cfg, source, target))
        model.decoder.may_pad_left = _may_pad_left(task)
        if cfg.tie_decoder:
            tie_decoder(model, model.decoder.plan, cfg.decoder_init)
        model.init_origins = initialize(model, model.decoder.plan, pretrained, cfg.decoder_init)
        run = TrainingRun.of(cfg)
        if run is not None:
            prepare_for_training(model, cfg, run)
        return model

    def upgrade_state_dict_named(self, state_dict, name):
        """At the start of a training that another hands over to, make room for further languages' tags."""
        super().upgrade_state_dict_named(state_dict, name)
        if self.takes_further_tags:
            add_rows(state_dict, self.state_dict())

    def set_num_updates(self, num_updates):
        """fairseq calls this before every batch."""
        super().set_num_updates(num_updates)
        if self.returns_memory and num_updates % allocator.EVERY == 0:
            allocator.return_freed_memory()

    def forward(
        self,
        src_tokens: Tensor,
        src_lengths: Optional[Tensor],
        prev_output_tokens: Tensor,
        features_only: bool = False,
        return_all_hiddens: bool = False,
    ) -> Tuple[Tensor, Dict[str, List[Optional[Tensor]]]]:
        """Source [B, S] and decoder input [B, T] -> logits [B, T, V], or features [B, T, C], and extras.

        With ``features_only`` the extras hold ``output_parameters`` too. Several processes that train one model look
        for the tensors that a batch has used in what the model returns (``--find-unused-parameters``).
        """
        encoder_out = self.encoder(src_tokens, src_lengths, return_all_hiddens=return_all_hiddens)
        x, extra = self.decoder(
            prev_output_tokens,
            encoder_out,
            features_only=features_only,
            return_all_hiddens=return_all_hiddens,
            src_lengths=src_lengths,
        )
        if features_only:
            weight, bias = self.decoder.output_parameters()
            # Views: what nothing was computed from is not looked at.
            used: List[Optional[Tensor]] = [weight.view_as(weight), None if bias is None else bias.view_as(bias)]
            extra["output_parameters"] = used
        return x, extra

    def prepare_for_inference_(self, cfg):
        """fairseq's commands call this before they decode, when ``--fp16`` has taken effect but not ``--bf16``."""
        join_command(cfg)  # fairseq-generate with another task has not looked for this model until now
        if cfg.common.bf16:
            warn_of_slow_bf16()
            self.to(torch.bfloat16)
        super().prepare_for_inference_(cfg)

    def get_normalized_probs(
        self,
        net_output: Tuple[Tensor, Optional[Dict[str, List[Optional[Tensor]]]]],
        log_probs: bool,
        sample: Optional[Dict[str, Tensor]] = None,
    ) -> Tensor:
        """Probabilities, or their logarithms, [B, T, V]: fairseq's, with the types that TorchScript asks for."""
        return self.get_normalized_probs_scriptable(net_output, log_probs, sample)

    def output_parameters(self):
        """Weight [V, C] and bias [V] or None of the output layer."""
        return self.decoder.output_parameters()


def _encoder_and_decoder(cfg, source, target):
    sizes = layer_sizes(cfg)
    embeddings = Embeddings(
        token_table(len(source), sizes.width, source.pad()),
        position_table(cfg.max_positions, sizes.width, source.pad()),
        nn.LayerNorm(sizes.width, eps=sizes.eps),
        sizes.dropout,
    )
    decoder_embeddings = embeddings
    if source != target:
        table = token_table(len(target), sizes.width, target.pad())
        decoder_embeddings = Embeddings(table, embeddings.positions, embeddings.layer_norm, sizes.dropout)
    plan = layer_plan(
        cfg.encoder_layers,
        cfg.insert_normal_every,
        cfg.decoder_layer_kind,
        cfg.inserted_layers,
        interleaved=cfg.decoder_init == "interleaved",
        shift=cfg.cross_attention_shift,
        memory=cfg.cross_attention_memory,
    )
    return (
        SwcmEncoder(source, embeddings, sizes, cfg.encoder_layers, cfg.drop_encoder_residual, kept_memories(plan)),
        SwcmDecoder(target, decoder_embeddings, sizes, plan, cfg.untie_output_projection),
    )


def _may_pad_left(task) -> bool:
    """What the task, this package's or fairseq's, says of its targets."""
    settings = getattr(task, "cfg", None) or getattr(task, "args", None)
    return bool(getattr(task, "left_pad_target", getattr(settings, "left_pad_target", True)))


for _name, _preset in PRESETS.items():
    register_model_architecture("xlm_swcm", _name)(functools.partial(fill_in, given=_preset._asdict()))
