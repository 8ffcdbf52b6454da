"""A folder for each format: the model in it, and what every folder holds."""

import importlib
import os
import shutil
import sys
from typing import Callable, Dict, Optional, Sequence

from ..decoding import packed
from ..decoding.engines.folder import Exported, write_settings
from ..decoding.packed import Packed
from ..decoding.packing import read_checkpoint
from ..errors import SwcmError
from ..files import atomic_folder
from ..languages import code_of
from ..vocabulary.dictionary import symbols_that_are_no_text, tags_in
from ..vocabulary.symbols import DICTIONARY, SENTENCEPIECE_MODEL
from . import hf
from .layers import standard_model
from .model_card import model_card
from .run_files import RunFiles, find_run, read_run
from .tokenizer import tokenizer_files, write_tokenizer


def export(
    source: str,
    folder: str,
    form: str,
    quantization: str = "none",
    data: Optional[str] = None,
    run: Optional[str] = None,
    license: Optional[str] = None,
    force: bool = False,
    targets: Optional[Sequence[str]] = None,
) -> None:
    """Write the model in ``source`` as ``folder``, which appears whole or not at all.

    Args:
        source: a folder of ``swcm-pack``, or a checkpoint.
        form: one of ``FORMATS``.
        quantization: how weights are stored.
        data: for a checkpoint, where dict.txt and sentencepiece.bpe.model lie, if not beside it.
        run: folder of the training, whose files fill the model card; by default the nearest one with scores.json.
        license: what the card names, where the encoder came without a card.
        force: replace what stands at ``folder``.
        targets: languages that the folder writes; by default all that the model was trained to write.

    Raises:
        SwcmError: before anything is written: languages that the model does not write, what ``form`` cannot express, a
            package that is missing.
    """
    parts = packed.read(source) if os.path.isdir(source) else read_checkpoint(source, data)
    if targets:
        parts = _only(parts, targets)
    write_model = _writer(form, parts, quantization)
    card = _card(form, parts, source, run, license)
    with atomic_folder(folder, force) as temporary:
        write_model(temporary)
        parts.dictionary.save(os.path.join(temporary, DICTIONARY))
        shutil.copyfile(parts.sentencepiece_model, os.path.join(temporary, SENTENCEPIECE_MODEL))
        write_settings(temporary, _settings(form, parts))
        with open(os.path.join(temporary, "README.md"), "w", encoding="utf-8", newline="\n") as stream:
            stream.write(card)


def _only(parts: Packed, targets: Sequence[str]) -> Packed:
    """The same for these languages alone."""
    strange = [code for code in targets if code not in parts.targets]
    if strange:
        known, unknown = ", ".join(parts.targets), ", ".join(strange)
        raise SwcmError(f"--targets {unknown}: the model was not trained to write that; it was for {known}")
    return parts._replace(targets=list(dict.fromkeys(targets)))


def _writer(form: str, parts: Packed, quantization: str) -> Callable[[str], None]:
    """What writes the model's files into a folder; whatever can go wrong with the model has gone wrong before."""
    symbols, cfg = parts.dictionary.symbols, parts.model.cfg
    silent = [parts.dictionary.index(symbol) for symbol in parts.untrained]
    if form == "onnx":
        onnx_model = _module("onnx_model", "onnx")
        tokenizer = _tokenizer(parts, needed=False)

        def write_onnx(folder: str) -> None:
            onnx_model.write_model(folder, parts.model, silent, quantization == "int8")
            settings = onnx_model.javascript_settings(folder, quantization == "int8")
            hf.write_settings(folder, cfg, symbols, len(parts.model.decoder.layers), True, parts.targets, settings)
            write_tokenizer(folder, tokenizer)

        return write_onnx

    model = standard_model(parts.model, silent, form)
    if form == "ct2":
        ct2 = _module("ct2", "ctranslate2")
        return lambda folder: ct2.write_model(folder, model, symbols, ct2.QUANTIZATIONS[quantization])

    model = hf.for_bart(model)
    tokenizer = _tokenizer(parts, needed=True)

    def write_hf(folder: str) -> None:
        hf.write_weights(folder, model)
        hf.write_settings(folder, cfg, symbols, len(model.decoder), model.tied, parts.targets)
        write_tokenizer(folder, tokenizer)

    return write_hf


def _module(name: str, package: str):
    try:
        return importlib.import_module("." + name, __package__)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise SwcmError(f"this needs {package}: pip install {package}")


def _tokenizer(parts: Packed, needed: bool) -> Dict[str, Dict]:
    """The tokenizer's files; none where there can be none and none is ``needed``, which is said."""
    try:
        return tokenizer_files(parts.sentencepiece_model, parts.dictionary.symbols, parts.model.max_positions()[0])
    except SwcmError as error:
        if needed:
            raise
        print(f"no tokenizer for Hugging Face's libraries is written: {error}", file=sys.stderr)
        return {}


def _card(form: str, parts: Packed, source: str, run: Optional[str], license: Optional[str]) -> str:
    if run is not None and not os.path.isdir(run):
        raise SwcmError(f"--run {run} is no folder")
    folder = run or find_run(source)
    known = read_run(folder, source) if folder else RunFiles()
    tags = {code_of(tag): parts.dictionary.index(tag) for tag in tags_in(parts.dictionary.symbols)}
    return model_card(form, tags, parts.targets, known, license)


def _settings(form: str, parts: Packed) -> Exported:
    symbols = parts.dictionary.symbols
    return Exported(
        kind=form,
        targets=parts.targets,
        tags=tags_in(symbols),
        no_text=list(symbols_that_are_no_text(parts.dictionary)),
        max_positions=parts.model.max_positions()[0],
    )
