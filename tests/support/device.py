"""A device that is made up: it runs on the CPU and counts what a GPU would be told, and how often one would wait.

A kernel is an operation that computes; views are none. The host waits where it looks at a value: ``item()``,
``bool()``, ``tolist()``, ``torch.equal``, or a result whose size depends on values (``nonzero``, a mask as index).
"""

import contextlib
from collections import Counter
from typing import Iterator

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_ASKING = {"_local_scalar_dense", "equal", "nonzero", "masked_select", "is_nonzero", "allclose", "bincount"}
_VIEWS = {"detach", "alias", "lift_fresh", "_unsafe_view", "empty", "empty_like", "new_empty", "empty_strided"}


class MadeUpDevice(TorchDispatchMode):
    """Within its ``with`` block ``kernels`` and ``waits`` count by the operation's name."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: Counter = Counter()
        self.waits: Counter = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.split("::")[-1]
        if name in _ASKING or name.startswith(("unique", "_unique")) or _sized_by_values(name, args, kwargs or {}):
            self.waits[name] += 1
        if name not in _VIEWS and not func.is_view:
            self.kernels[name] += 1
        return func(*args, **(kwargs or {}))


def _sized_by_values(name: str, args, kwargs) -> bool:
    if name in ("index", "index_put", "index_put_"):
        return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1])
    return name == "repeat_interleave" and "output_size" not in kwargs


@contextlib.contextmanager
def made_up_device(monkeypatch) -> Iterator[MadeUpDevice]:
    """The device, for which the package does what it does where asking for a value means to wait."""
    from swcm_fairseq.criterions import chunked_loss
    from swcm_fairseq.models import decoder, encoder
    from swcm_fairseq.modules import padding, rows

    device = MadeUpDevice()
    with monkeypatch.context() as patch:
        for module in (padding, rows, encoder, decoder, chunked_loss):
            patch.setattr(module, "asking_waits", lambda x: True)
        tolist = torch.Tensor.tolist

        def counted(tensor):
            device.waits["tolist"] += 1
            return tolist(tensor)

        patch.setattr(torch.Tensor, "tolist", counted)
        with device:
            yield device
