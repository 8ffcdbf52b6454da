"""Checkpoints from anywhere: nothing that they hold is run, and no path that they name is written to.

fairseq loads them with what torch does by default, which before torch 2.6 runs whatever the pickle says. And it
evaluates settings of some of its models as Python, the kernels of convolutions for example, which a checkpoint brings
as text.
"""

import argparse
import ast
import builtins
import copy
from typing import Any, Iterator, Tuple

import torch
from fairseq.tasks.language_modeling import LanguageModelingTask

from ..data.data_bin import check_dictionary_of
from ..errors import SwcmError
from ..torch_files import check_finite, safe_load
from .patch import instead

# The parts of a checkpoint's settings that things are built from, and the settings in them that are names of folders.
_PARTS = ("model", "task", "criterion", "bpe", "tokenizer", "scoring")
_LARGE = ("model", "last_optimizer_state")
_FOLDERS = ("data", "save_dir", "tensorboard_logdir", "path")


def load(file, **unused: Any) -> Any:
    """What ``torch.load`` is to fairseq: the content of an open checkpoint, on the CPU.

    Raises:
        SwcmError: as ``safe_load``; or the settings hold a program, the weights NaN.
    """
    state = safe_load(file.name, mapped=True)
    if not isinstance(state, dict):
        raise SwcmError(f"{file.name} is no checkpoint of fairseq: it holds a {type(state).__name__}")
    programs = [f"{name}: {text}" for name, text in _texts(state) if is_program(text)]
    if programs:
        raise SwcmError(f"{file.name}: fairseq would run these settings, so nothing was loaded", programs)
    if isinstance(state.get("model"), dict):
        check_finite(state["model"], file.name)
    # What is large is copied from the file to where it goes; the rest may be kept as it is.
    return {name: value if name in _LARGE else copy.deepcopy(value) for name, value in state.items()}


def _texts(state: dict) -> Iterator[Tuple[str, str]]:
    """Every setting that is text, with its name, of those that something may be built from."""
    cfg = state.get("cfg")
    parts = {"cfg." + part: cfg.get(part) for part in _PARTS} if isinstance(cfg, dict) else {}
    for name, part in {"args": state.get("args"), **parts}.items():
        yield from _texts_in(name, part)


def _texts_in(name: str, value: Any) -> Iterator[Tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts_in(name, item)
    else:
        settings = vars(value) if isinstance(value, argparse.Namespace) else value
        for key, part in settings.items() if isinstance(settings, dict) else ():
            if key not in _FOLDERS:
                yield from _texts_in(f"{name}.{key}", part)


def is_program(text: str) -> bool:
    """Whether ``text`` is a Python expression that calls something that Python or a module has.

    ``[(512, 3)] * 14`` is none; nor is a name with something in parentheses behind it.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False  # nor can it be evaluated
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return any(not isinstance(called, ast.Name) or hasattr(builtins, called.id) for called in calls)


class _Torch:
    """All of torch, but for ``load``."""

    load = staticmethod(load)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def torch_for_checkpoints(stock):
    """torch as fairseq's module of checkpoints sees it, for whatever it loads: to decode, to go on, to start from."""
    return _Torch()


@instead
def load_model_ensemble_and_task(stock, filenames, *args, **options):
    """The dictionary beside a checkpoint is the data's."""
    models, cfg, task = stock(filenames, *args, **options)
    # The package's own models and language models: others may add symbols to what the file holds.
    if hasattr(task, "language_indices") or isinstance(task, LanguageModelingTask):
        for name in filenames:
            check_dictionary_of(name, task.target_dictionary.symbols)
    return models, cfg, task


@instead
def load_checkpoint(stock, self, filename, *args, **options):
    """What the optimizer goes on with is its own, not the mapped file, which somebody may write over."""
    extra = stock(self, filename, *args, **options)
    states = {} if self._optimizer is None else getattr(self.optimizer.optimizer, "state", {})
    for state in states.values():
        for name, value in state.items():
            if torch.is_tensor(value) and value.device.type == "cpu":
                state[name] = value.clone()
    return extra
