"""A folder for each format: the model in it, and what every folder holds."""

import os
import shutil
from typing import Callable, Optional

from ..data.data_bin import DICTIONARY
from ..decoding import packed
from ..decoding.engines.folder import PIECES, Exported, write_settings
from ..decoding.packed import Packed
from ..decoding.packing import read_checkpoint
from ..errors import SwcmError
from ..files import atomic_folder
from ..languages import code_of
from ..vocabulary.dictionary import symbols_that_are_no_text, tags_in
from . import hf
from .layers import standard_model
from .tokenizer import tokenizer_files, write_tokenizer


def export(
    source: str,
    folder: str,
    form: str,
    quantization: str = "none",
    data: Optional[str] = None,
    run: Optional[str] = None,
    force: bool = False,
) -> None:
    """Write the model in ``source`` as ``folder``, which appears whole or not at all.

    Args:
        source: a folder of ``swcm-pack``, or a checkpoint.
        form: one of ``FORMATS``.
        quantization: how weights are stored.
        data: for a checkpoint, where dict.txt and sentencepiece.bpe.model lie, if not beside it.
        run: folder of the training, whose files fill the model card.
        force: replace what stands at ``folder``.

    Raises:
        SwcmError: what ``form`` cannot express, before anything is written; a package that is missing.
    """
    parts = packed.read(source) if os.path.isdir(source) else read_checkpoint(source, data)
    write_model = _writer(form, parts, quantization)
    with atomic_folder(folder, force) as temporary:
        write_model(temporary)
        parts.dictionary.save(os.path.join(temporary, DICTIONARY))
        shutil.copyfile(parts.sentencepiece_model, os.path.join(temporary, PIECES))
        write_settings(temporary, _settings(form, parts))


def _writer(form: str, parts: Packed, quantization: str) -> Callable[[str], None]:
    """What writes the model's files into a folder; whatever can go wrong with the model has gone wrong before."""
    silent = [parts.dictionary.index(symbol) for symbol in parts.untrained]
    if form == "ct2":
        try:
            from . import ct2
        except ModuleNotFoundError as error:
            raise SwcmError("--to ct2 needs {}: pip install ctranslate2".format(error.name))
        model = standard_model(parts.model, silent, form)
        return lambda folder: ct2.write_model(folder, model, parts.dictionary.symbols, ct2.QUANTIZATIONS[quantization])
    model = standard_model(parts.model, silent, form)
    tokenizer = tokenizer_files(parts.sentencepiece_model, parts.dictionary.symbols, parts.model.max_positions()[0])
    index = parts.dictionary.index
    tags = {code_of(tag): index(tag) for tag in tags_in(parts.dictionary.symbols)}
    never = [index(symbol) for symbol in symbols_that_are_no_text(parts.dictionary)]

    def write(folder: str) -> None:
        hf.write_model(folder, model, tags, parts.targets, never)
        write_tokenizer(folder, tokenizer)

    return write


def _settings(form: str, parts: Packed) -> Exported:
    symbols = parts.dictionary.symbols
    return Exported(
        kind=form,
        targets=parts.targets,
        tags=tags_in(symbols),
        no_text=list(symbols_that_are_no_text(parts.dictionary)),
        max_positions=parts.model.max_positions()[0],
    )
