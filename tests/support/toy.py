"""Toy parts that tests share: a dictionary, models, batches, tasks and binarized data, all quick to build."""

import copy
import dataclasses
import os
from types import SimpleNamespace
from typing import Dict, List, Optional, Sequence

import torch
from fairseq.data import Dictionary, indexed_dataset
from omegaconf import OmegaConf

from swcm_fairseq.models.config import XlmSwcmConfig
from swcm_fairseq.models.xlm_swcm import XlmSwcmModel
from swcm_fairseq.pretrained import read_encoder
from swcm_fairseq.tasks.swcm_finetuning import SwcmFinetuningConfig, SwcmFinetuningTask
from tests.support.tiny_encoder import sentencepiece_pieces, train_sentencepiece

LANGUAGES = ("zh", "kk", "mn")
PIECES = tuple("abcdefghijklmnopqrst")
# Four layers and an insertion after every second: custom, custom, normal, custom, custom, normal.
SIZES = {
    "encoder_layers": 4,
    "encoder_embed_dim": 16,
    "encoder_ffn_embed_dim": 24,
    "encoder_attention_heads": 4,
    "max_positions": 40,
}
NO_DROPOUT = {"dropout": 0.0, "attention_dropout": 0.0}


def toy_dictionary(pieces: Sequence[str] = PIECES, languages: Sequence[str] = LANGUAGES) -> Dictionary:
    """Specials, pieces, ``<mask>``, tags: in the order that the package asks for."""
    dictionary = Dictionary()
    for symbol in [*pieces, "<mask>", *(f"[{code}]" for code in languages)]:
        dictionary.add_symbol(symbol)
    return dictionary


def build_model(source: Dictionary, target: Dictionary = None, seed: int = 1, **settings) -> XlmSwcmModel:
    """The model as it is built for a training: from ``pretrained_encoder``, or random with the sizes given."""
    torch.manual_seed(seed)
    task = SimpleNamespace(source_dictionary=source, target_dictionary=target or source)
    return XlmSwcmModel.build_model(XlmSwcmConfig(**{**NO_DROPOUT, **settings}), task).eval()


def start_from(folder: str, languages: Sequence[str] = LANGUAGES, **settings) -> XlmSwcmModel:
    """A model that starts from the encoder in ``folder``, with the dictionary that fits."""
    dictionary = toy_dictionary(read_encoder(folder).pieces or (), languages)
    return build_model(dictionary, pretrained_encoder=folder, **settings)


def frozen_model(model: XlmSwcmModel, dtype: torch.dtype = torch.float32, **options) -> XlmSwcmModel:
    """A copy as fairseq prepares it for decoding; ``options`` of ``make_generation_fast_``."""
    model = copy.deepcopy(model).to(dtype)
    model.make_generation_fast_(**options)
    return model


def toy_model(dictionary: Dictionary, target: Dictionary = None, seed: int = 1, **settings) -> XlmSwcmModel:
    """A random model whose outputs depend on its source and on every weight.

    A fresh one is so close to the identity that it would hide bugs; wider weights would drown the input.
    """
    settings = {**SIZES, "insert_normal_every": 2, **settings}
    model = build_model(dictionary, target, seed, **settings)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.copy_(torch.randn_like(parameter) / parameter.size(1) ** 0.5)
            else:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def toy_sources(dictionary: Dictionary, lengths: Sequence[int], left: bool = False, seed: int = 0) -> torch.Tensor:
    """Random sources ``<s> x </s>`` of ``lengths`` (specials included) [B, S], padded on the right or the left."""
    generator = torch.Generator().manual_seed(seed)
    batch = torch.full((len(lengths), max(lengths)), dictionary.pad())
    for row, length in zip(batch, lengths):
        pieces = torch.randint(dictionary.nspecial, dictionary.index("<mask>"), (length,), generator=generator)
        pieces[0], pieces[-1] = dictionary.bos(), dictionary.eos()
        if left:
            row[-length:] = pieces
        else:
            row[:length] = pieces
    return batch


def toy_task(folder, dictionary: Dictionary, **settings) -> SwcmFinetuningTask:
    """The fine-tuning task over ``folder``, as ``fairseq-train`` sets it up."""
    fields = {"data": str(folder), "seed": 1, "dataset_impl": None, "required_seq_len_multiple": 1, **settings}
    cfg = OmegaConf.structured(SwcmFinetuningConfig(**fields))
    dictionary.save(os.path.join(str(folder), "dict.txt"))
    return SwcmFinetuningTask.setup_task(cfg)


def write_data_bin(folder, dictionary: Dictionary, sides: Dict[str, List[str]]) -> str:
    """Write what ``fairseq-preprocess`` writes: ``{"train.zh-kk.kk": lines of pieces, ...}`` and the dictionaries."""
    folder = str(folder)
    os.makedirs(folder, exist_ok=True)
    for name, lines in sides.items():
        prefix = os.path.join(folder, name)
        builder = indexed_dataset.make_builder(prefix + ".bin", impl="mmap", vocab_size=len(dictionary))
        for line in lines:
            builder.add_item(dictionary.encode_line(line, add_if_not_exist=False))
        builder.finalize(prefix + ".idx")
        dictionary.save(os.path.join(folder, "dict.{}.txt".format(name.split(".")[-1])))
    return folder


def write_pairs(folder, pair: str, rows: Sequence[Sequence[str]]) -> None:
    """Write ``folder``/zh-kk.zh and zh-kk.kk for ``pair`` zh-kk, line by line aligned, as recipes take TEXT."""
    for side, code in enumerate(pair.split("-")):
        with open(os.path.join(str(folder), f"{pair}.{code}"), "w", encoding="utf-8") as stream:
            stream.writelines(row[side] + "\n" for row in rows)


def toy_checkpoint(folder, model_settings: Optional[Dict] = None, **task) -> str:
    """Write a checkpoint of a toy model as ``fairseq-train`` leaves it, with all that decoding needs beside it."""
    pieces = train_sentencepiece()
    dictionary = toy_dictionary(sentencepiece_pieces(pieces))
    model = toy_model(dictionary, **(model_settings or {}))
    settings = {field.name: getattr(model.cfg, field.name) for field in dataclasses.fields(XlmSwcmConfig)}
    settings = {name: value for name, value in settings.items() if not name.startswith("_")}
    cfg = {"model": {"_name": "xlm_swcm", **settings}, "task": {"_name": "swcm_finetuning", **task}}
    path = os.path.join(str(folder), "checkpoint_best.pt")
    # What fairseq wants to find beside the settings and the weights.
    history = [{"criterion_name": "x", "optimizer_name": "x", "lr_scheduler_state": {}, "num_updates": 1}]
    extra = {"extra_state": {"train_iterator": {"epoch": 1}}, "optimizer_history": history}
    torch.save({"cfg": cfg, "model": model.state_dict(), **extra}, path)
    dictionary.save(os.path.join(str(folder), "dict.txt"))
    with open(os.path.join(str(folder), "sentencepiece.bpe.model"), "wb") as stream:
        stream.write(pieces)
    return path
