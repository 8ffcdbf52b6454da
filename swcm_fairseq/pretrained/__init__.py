"""Reading and checking a pretrained encoder from the files that users have."""

from .encoder import EncoderConfig, PretrainedEncoder, read_encoder

__all__ = ["EncoderConfig", "PretrainedEncoder", "read_encoder"]
