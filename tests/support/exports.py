"""Models of every kind that standard layers can express, for tests of what leaves."""

from typing import Any, Dict

import torch

from tests.support.toy import toy_dictionary, toy_model, toy_sources

#: Name -> settings of ``toy_model``.
EXPORTABLE: Dict[str, Dict[str, Any]] = {
    "custom": {"insert_normal_every": 0},
    "inserted": {},
    "duplicate": {"inserted_layers": "duplicate"},
    "warm": {"inserted_layers": "warm"},
    "interleaved": {"decoder_init": "interleaved"},
    "normal": {"decoder_layer_kind": "normal"},
    "tied decoder": {"tie_decoder": True},
    "untied": {"untie_output_projection": True},
    "tiny eps": {"layer_norm_eps": 1e-12},
    "tiny eps, untied": {"layer_norm_eps": 1e-12, "untie_output_projection": True},
    "large eps": {"layer_norm_eps": 1e-2},
    "odd sizes": {"encoder_embed_dim": 15, "encoder_ffn_embed_dim": 7, "encoder_attention_heads": 3},
    "relu": {"activation_fn": "relu"},
}


def exportable(name, dictionary=None):
    """A model whose LayerNorms also see what varies little, where their eps counts."""
    dictionary = dictionary or toy_dictionary()
    model = toy_model(dictionary, **EXPORTABLE[name])
    with torch.no_grad():
        model.decoder.layers[0].self_attn.layer_norm.weight.mul_(0.05)
        model.decoder.layers[0].cross_attn.out_proj.weight.mul_(0.05)
        model.encoder.layers[0].self_attn.layer_norm.weight.mul_(0.05)
    return model


def forced(dictionary, rows=6):
    """Sources and targets of several lengths: pieces of each source, and ids that are forced behind the tag."""
    generator = torch.Generator().manual_seed(3)
    sources, targets = [], []
    for row in range(rows):
        sources.append(toy_sources(dictionary, [3 + 2 * row], seed=row)[0])
        ids = torch.randint(dictionary.nspecial, dictionary.index("<mask>"), (4 + 3 * row,), generator=generator)
        targets.append(ids)
    return sources, targets


def log_probabilities(model, dictionary, source, target, tag="[kk]"):
    """What our model gives each of ``target`` [T] and the ``</s>`` behind it, [T + 1]."""
    first, last = torch.tensor([dictionary.index(tag)]), torch.tensor([dictionary.eos()])
    with torch.no_grad():
        logits, _ = model(source[None], None, torch.cat([first, target])[None])
    wanted = torch.cat([target, last])
    return torch.log_softmax(logits[0], -1).gather(-1, wanted[:, None])[:, 0]
