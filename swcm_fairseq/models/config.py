"""The model's settings: what users type, and what a pretrained encoder or a preset fills in."""

from dataclasses import dataclass, field
from typing import Dict, NamedTuple, Optional

from fairseq.dataclass import ChoiceEnum, FairseqDataclass

from ..errors import SwcmError
from ..modules.feed_forward import ACTIVATIONS
from ..modules.layer_plan import CROSS_ATTENTION_MEMORIES, INSERTED
from ..modules.layers import LayerSizes
from .freezing import FREEZABLE
from .initialization import NOT_COPIED


@dataclass
class XlmSwcmConfig(FairseqDataclass):
    """Flags of ``--arch xlm_swcm``. Sizes left out come from the encoder or the preset."""

    pretrained_encoder: Optional[str] = field(
        default=None,
        metadata={"help": "encoder to start from: a Hugging Face folder or a fairseq XLM-R model.pt"},
    )
    insert_normal_every: int = field(
        default=3, metadata={"help": "insert a layer after every X layers that start from the encoder (0: none)"}
    )
    decoder_init: ChoiceEnum(list(NOT_COPIED)) = field(  # type: ignore[valid-type]
        default="shared",
        metadata={
            "help": "start decoder layers from the encoder's, or draw them (random: weight sharing removed). Others: "
            "interleaved (as DeltaLM: half the layers, each from two), warm (as Hugging Face: no cross-attention), "
            "feed-forward (these alone)"
        },
    )
    decoder_layer_kind: ChoiceEnum(["custom", "normal"]) = field(  # type: ignore[valid-type]
        default="custom", metadata={"help": "kind of the decoder layers that stand for an encoder layer"}
    )
    inserted_layers: ChoiceEnum(list(INSERTED)) = field(  # type: ignore[valid-type]
        default="normal",
        metadata={
            "help": "inserted layers: random normal ones; or second copies of the layer before (duplicate: BASE-B), "
            "normal ones from the same encoder layer but for a random cross-attention (warm), or random ones that "
            "are the identity at first (identity)"
        },
    )
    cross_attention_memory: ChoiceEnum(list(CROSS_ATTENTION_MEMORIES)) = field(  # type: ignore[valid-type]
        default="last",
        metadata={
            "help": "what custom layers read: the encoder's output, or what the encoder layer that they start from has "
            "put out (same-layer) or read (same-layer-input); other layers read the encoder's output"
        },
    )
    cross_attention_shift: int = field(
        default=0,
        metadata={"help": "start cross-attention and what follows it from the encoder layer so many further up"},
    )
    tie_decoder: bool = field(
        default=False,
        metadata={"help": "decoder tensors that would start as copies of the encoder's stay one with them"},
    )
    drop_encoder_residual: Optional[int] = field(
        default=None,
        metadata={"help": "encoder layer (the first is 0) whose self-attention does not add its input, as in SixT"},
    )
    copied_lr_scale: float = field(
        default=1.0,
        metadata={"help": "learning rate of all tensors that start from the encoder, as a share of --lr"},
    )
    untie_output_projection: bool = field(
        default=False, metadata={"help": "an output layer of its own, with a bias, that starts from the embedding"}
    )
    checkpoint_activations: bool = field(
        default=False,
        metadata={"help": "compute layers' activations again for their gradients instead of keeping them: less memory"},
    )
    freeze: str = field(
        default="", metadata={"help": "parts that are not trained, with commas: {}".format(", ".join(FREEZABLE))}
    )
    encoder_layers: Optional[int] = field(default=None, metadata={"help": "number of encoder layers"})
    encoder_embed_dim: Optional[int] = field(default=None, metadata={"help": "width of encoder and decoder"})
    encoder_ffn_embed_dim: Optional[int] = field(default=None, metadata={"help": "inner width of feed-forward"})
    encoder_attention_heads: Optional[int] = field(default=None, metadata={"help": "number of attention heads"})
    max_positions: Optional[int] = field(default=None, metadata={"help": "longest sequence, in pieces"})
    activation_fn: Optional[str] = field(default=None, metadata={"help": "activation: gelu or relu"})
    layer_norm_eps: Optional[float] = field(default=None, metadata={"help": "epsilon of every LayerNorm"})
    dropout: float = field(default=0.1, metadata={"help": "dropout on embeddings and sublayer outputs"})
    attention_dropout: float = field(default=0.1, metadata={"help": "dropout on attention weights"})
    activation_dropout: float = field(default=0.0, metadata={"help": "dropout after the activation"})


class Preset(NamedTuple):
    """Sizes of a named architecture."""

    encoder_layers: int
    encoder_embed_dim: int
    encoder_ffn_embed_dim: int
    encoder_attention_heads: int


PRESETS = {
    "xlm_swcm_base": Preset(12, 768, 3072, 12),
    "xlm_swcm_large": Preset(24, 1024, 4096, 16),
    "xlm_swcm_small": Preset(12, 384, 1536, 12),
    "xlm_swcm_tiny": Preset(3, 64, 128, 4),
}

SIZES = Preset._fields
# What XLM-R has; used when neither an encoder nor a flag says otherwise.
DEFAULTS = {"max_positions": 512, "activation_fn": "gelu", "layer_norm_eps": 1e-5}


def fill_in(cfg, given: Dict[str, object]) -> None:
    """Set those of ``cfg``'s fields that no flag has set."""
    for name, value in given.items():
        if getattr(cfg, name, None) is None:
            setattr(cfg, name, value)


def resolve_sizes(cfg, encoder) -> None:
    """Fill ``cfg``'s sizes in from the pretrained encoder (or None) and check them.

    Raises:
        SwcmError: every size on which flags or preset and the encoder disagree, or that is missing or impossible.
    """
    if encoder is not None:
        known = {name: getattr(encoder.config, name) for name in SIZES + tuple(DEFAULTS)}
        asked = {name: getattr(cfg, name, None) for name in known}
        problems = [
            f"{name}: the encoder has {known[name]}, the architecture or a flag says {asked[name]}"
            for name in known
            if asked[name] is not None and asked[name] != known[name]
        ]
        if problems:
            arch = getattr(cfg, "_name", None) or "xlm_swcm"
            message = f"the sizes of the encoder {encoder.path} do not agree with --arch {arch}"
            raise SwcmError(f"{message}; --arch xlm_swcm takes the encoder's", problems)
        fill_in(cfg, known)
    fill_in(cfg, DEFAULTS)
    _check_possible(cfg)


def _check_possible(cfg) -> None:
    missing = [name for name in SIZES if getattr(cfg, name, None) is None]
    if missing:
        presets, flags = ", ".join(sorted(PRESETS)), ", ".join("--" + name.replace("_", "-") for name in missing)
        raise SwcmError(f"the model has no sizes: give --pretrained-encoder, a preset ({presets}), or {flags}")
    problems = []
    if cfg.encoder_embed_dim % cfg.encoder_attention_heads:
        problems.append(f"width {cfg.encoder_embed_dim} is not a multiple of {cfg.encoder_attention_heads} heads")
    if cfg.activation_fn not in ACTIVATIONS:
        problems.append("activation {!r} is none of {}".format(cfg.activation_fn, ", ".join(sorted(ACTIVATIONS))))
    if cfg.insert_normal_every < 0:
        problems.append(f"--insert-normal-every is {cfg.insert_normal_every}; 0 inserts nothing")
    if cfg.cross_attention_shift < 0:
        problems.append(f"--cross-attention-shift is {cfg.cross_attention_shift}; it counts layers further up")
    if cfg.cross_attention_memory != "last" and cfg.decoder_layer_kind != "custom":
        problems.append(
            f"--cross-attention-memory {cfg.cross_attention_memory} is for custom layers; with --decoder-layer-kind "
            f"{cfg.decoder_layer_kind} all layers read the encoder's output"
        )
    if cfg.drop_encoder_residual is not None and not 0 <= cfg.drop_encoder_residual < cfg.encoder_layers:
        problems.append(
            f"--drop-encoder-residual is {cfg.drop_encoder_residual}; layers are 0 to {cfg.encoder_layers - 1}"
        )
    if not cfg.copied_lr_scale > 0:
        problems.append(f"--copied-lr-scale is {cfg.copied_lr_scale}; 0 would be --freeze")
    if problems:
        raise SwcmError("this model cannot be built", problems)


def layer_sizes(cfg) -> LayerSizes:
    """What every layer is built from."""
    return LayerSizes(
        width=cfg.encoder_embed_dim,
        heads=cfg.encoder_attention_heads,
        inner_width=cfg.encoder_ffn_embed_dim,
        activation=cfg.activation_fn,
        eps=cfg.layer_norm_eps,
        dropout=cfg.dropout,
        attention_dropout=cfg.attention_dropout,
        activation_dropout=cfg.activation_dropout,
    )
