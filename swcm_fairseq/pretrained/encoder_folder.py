"""Writing an encoder as a Hugging Face folder, the one layout that every later stage reads."""

import os
from typing import Dict, Optional

import torch

from ..files import write_json
from ..torch_files import save_safetensors
from ..vocabulary.symbols import SENTENCEPIECE_MODEL
from .layouts import HUGGING_FACE, hugging_face_names
from .settings import EncoderConfig

TOKEN_TYPES = HUGGING_FACE.token_types
CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"


def write_encoder_folder(
    folder: str, config: EncoderConfig, tensors: Dict[str, torch.Tensor], sentencepiece_model: Optional[bytes]
) -> None:
    """Write config.json, model.safetensors and sentencepiece.bpe.model into the existing ``folder``.

    Args:
        config: the sizes that config.json gets.
        tensors: Hugging Face's name, without prefix -> tensor; see ``hugging_face_tensors``. A table of token
            types [types, C] belongs to them.
        sentencepiece_model: the model file's bytes, None where there is none.
    """
    settings = {
        "architectures": ["XLMRobertaModel"],
        "model_type": "xlm-roberta",
        "vocab_size": config.vocab_size,
        "hidden_size": config.encoder_embed_dim,
        "num_hidden_layers": config.encoder_layers,
        "num_attention_heads": config.encoder_attention_heads,
        "intermediate_size": config.encoder_ffn_embed_dim,
        "max_position_embeddings": tensors["embeddings.position_embeddings.weight"].size(0),
        "type_vocab_size": tensors[TOKEN_TYPES].size(0),
        "hidden_act": config.activation_fn,
        "layer_norm_eps": config.layer_norm_eps,
        "position_embedding_type": "absolute",
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
    }
    with open(os.path.join(folder, CONFIG_FILE), "w", encoding="utf-8", newline="\n") as stream:
        write_json(stream, settings)
    if sentencepiece_model is not None:
        with open(os.path.join(folder, SENTENCEPIECE_MODEL), "wb") as stream:
            stream.write(sentencepiece_model)
    save_safetensors(os.path.join(folder, WEIGHTS_FILE), tensors)


def hugging_face_tensors(name: str, tensor: torch.Tensor) -> Dict[str, torch.Tensor]:
    """Hugging Face's tensors, by name, for the one that is called ``name`` here (q, k, v are taken apart)."""
    names = hugging_face_names(name)
    return dict(zip(names, tensor.chunk(len(names)))) if len(names) > 1 else {names[0]: tensor}
