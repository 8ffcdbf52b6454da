"""A device that is made up: tensors that say they are on an accelerator, and lie on the CPU.

It refuses what a GPU refuses, an operation on tensors of two devices, and counts by the operation's name

- ``kernels``, what computes something; views do not;
- ``transfers``, copies from the CPU to the device and back;
- ``waits``, where the host looks at a value (``item()``, ``bool()``, ``tolist()``, ``torch.equal``), needs one to know
  a size (``nonzero``, a mask as index), or copies without ``non_blocking``.

torch's back end for devices of one's own is what it stands on, so autograd, optimizers and ``.to`` take it for a device
like another. Within the ``with`` block of ``MadeUpDevice`` tensors can be made on it.
"""

from collections import Counter
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import BaseTorchFunctionMode
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

NAME = "made_up"

#: Questions about a tensor's shape, which the host knows.
_SHAPE = {"size", "stride", "numel", "dim", "storage_offset", "is_contiguous", "layout"}
_SHAPE |= {"sym_" + name for name in _SHAPE} | {"is_strides_like_format", "is_non_overlapping_and_dense"}
_ASKING = {"_local_scalar_dense", "equal", "nonzero", "masked_select", "is_nonzero", "allclose", "bincount"}
_NO_KERNEL = {"detach", "alias", "lift_fresh", "_unsafe_view", "empty", "empty_like", "new_empty", "empty_strided"}
_NO_KERNEL |= {"resize_", "set_", "new_empty_strided", "_to_copy", "copy_"}
#: What takes indices from the CPU as well; they are copied.
_INDEXING = {"index", "index_put", "index_put_", "_unsafe_index", "_index_put_impl_"}


class _Backend:
    """What torch asks of a device's module."""

    @staticmethod
    def is_available() -> bool:
        return False  # or torch would pin memory for it, in whatever runs in this process afterwards

    @staticmethod
    def is_initialized() -> bool:
        return True

    @staticmethod
    def current_device() -> int:
        return 0

    @staticmethod
    def device_count() -> int:
        return 1

    @staticmethod
    def get_amp_supported_dtype():
        return [torch.float16, torch.bfloat16]

    @staticmethod
    def _is_in_bad_fork() -> bool:
        return False

    @staticmethod
    def manual_seed_all(seed: int) -> None:
        pass


def _register() -> torch.device:
    if torch._C._get_privateuse1_backend_name() != NAME:
        backend_registration._setup_privateuseone_for_python_backend(NAME, _Backend())
    return torch.device(NAME, 0)


DEVICE = _register()


class _OnDevice(torch.Tensor):
    """A tensor of the device; ``raw`` holds its values, on the CPU."""

    raw: torch.Tensor

    @staticmethod
    def __new__(cls, raw: torch.Tensor) -> "_OnDevice":
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            raw.size(),
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            device="meta",
            dispatch_device=True,
            dispatch_sizes_strides_policy="sizes",
        )
        made.raw = raw.detach()
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        if func is torch.ops.prim.device.default:
            return DEVICE
        if _name(func) in _SHAPE:
            return func(*_bare(args), **_bare(kwargs or {}))
        raise RuntimeError(f"{func} on the made-up device outside of its block")

    def __repr__(self, **unused) -> str:
        return f"made_up({tuple(self.raw.shape)}, {self.raw.dtype})"


class MadeUpDevice(TorchDispatchMode):
    """Within its ``with`` block tensors can be on ``device``, and what is done with them is counted."""

    device = DEVICE

    def __init__(self) -> None:
        super().__init__()
        self.functions = _Functions(self)
        self.reset()

    def reset(self) -> None:
        """Count anew."""
        self.kernels: Counter = Counter()
        self.transfers: Counter = Counter()
        self.waits: Counter = Counter()

    def counts(self) -> "tuple[int, int, int]":
        """Kernels, transfers and waits."""
        return sum(self.kernels.values()), sum(self.transfers.values()), sum(self.waits.values())

    def __enter__(self):
        self.functions.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self.functions.__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = _name(func)
        if func is torch.ops.prim.device.default:
            return DEVICE if isinstance(args[0], _OnDevice) else args[0].device
        given, _ = tree_flatten((args, kwargs))
        here = any(isinstance(one, _OnDevice) for one in given)
        if name in _SHAPE:
            return func(*_bare(args), **_bare(kwargs))
        if name in ("_to_copy", "copy_"):
            return self._copy(func, name, args, kwargs)
        wanted = kwargs.get("device")
        made_here = wanted is not None and torch.device(wanted).type == NAME
        if not here and not made_here:
            return func(*args, **kwargs)  # a matter of the CPU alone
        if wanted is not None:
            kwargs["device"] = "cpu"
        self._check_devices(name, given)
        self._count(func, name, args, kwargs)
        out = func(*_bare(args), **_bare(kwargs))
        if wanted is not None and not made_here:
            return out  # such as new_zeros(..., device="cpu")
        wrapped = tree_map(lambda one: _OnDevice(one) if isinstance(one, torch.Tensor) else one, out)
        return _own_objects(func, args, kwargs, wrapped)

    def _copy(self, func, name, args, kwargs):
        """Between devices, or within one."""
        if name == "copy_":
            target, source = args[:2]
            waits = not (args[2] if len(args) > 2 else kwargs.get("non_blocking", False))
            to_here = isinstance(target, _OnDevice)
        else:
            source, wanted = args[0], kwargs.pop("device", None)
            waits = not kwargs.get("non_blocking", False)
            to_here = torch.device(wanted).type == NAME if wanted is not None else isinstance(source, _OnDevice)
        if isinstance(source, _OnDevice) == to_here:
            if to_here:
                self.kernels[name] += 1
        else:
            kind = "to the device" if to_here else "from the device"
            self.transfers[kind] += 1
            if waits or not to_here:
                self.waits[kind] += 1
        if name == "copy_":
            _bare(target).copy_(_bare(source))
            return target
        out = func(_bare(source), **kwargs)
        return _OnDevice(out) if to_here else out

    def _check_devices(self, name: str, given) -> None:
        others = [one for one in given if isinstance(one, torch.Tensor) and not isinstance(one, _OnDevice)]
        for one in others:
            if one.dim() == 0 and name != "index_put_":
                continue  # a number, as a kernel's argument
            if name not in _INDEXING:
                raise RuntimeError(f"{name}: expected all tensors to be on one device, found {NAME} and {one.device}")
            self.transfers["index"] += 1
            self.waits["index"] += 1

    def _count(self, func, name: str, args, kwargs) -> None:
        if name in _ASKING or name.startswith(("unique", "_unique")) or _sized_by_values(name, args, kwargs):
            self.waits[name] += 1
        if name not in _NO_KERNEL and not func.is_view:
            self.kernels[name] += 1


class _Functions(BaseTorchFunctionMode):
    """What never comes down to operations: attention, one kernel each way as on a GPU, and lists of values."""

    def __init__(self, counts: MadeUpDevice) -> None:
        self.counted = counts

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in (torch.Tensor.tolist, torch.Tensor.numpy) and isinstance(args[0], _OnDevice):
            return func(args[0].cpu(), **kwargs)
        if func is torch.tensor and torch.device(kwargs.get("device") or "cpu").type == NAME:
            # From Python's numbers to the device, which torch does by itself.
            return func(*args, **dict(kwargs, device="cpu")).to(DEVICE)
        if func is getattr(F, "scaled_dot_product_attention", None) and isinstance(args[0], _OnDevice):
            mask = kwargs.get("attn_mask", args[3] if len(args) > 3 else None)
            if mask is not None:
                assert mask.device == DEVICE and not mask.requires_grad
                assert mask.dtype in (torch.bool, args[0].dtype), "a mask that a GPU refuses"
            rest = {name: value for name, value in kwargs.items() if name != "attn_mask"}
            return _Attention.apply(self.counted, *args[:3], mask, rest)
        return func(*args, **kwargs)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, counts, query, key, value, mask, options):
        ctx.counts = counts
        with torch.enable_grad():
            ctx.inputs = [_bare(one).detach().requires_grad_() for one in (query, key, value)]
            ctx.output = F.scaled_dot_product_attention(*ctx.inputs, attn_mask=_bare(mask), **options)
        counts.kernels["attention"] += 1
        return _OnDevice(ctx.output)

    @staticmethod
    def backward(ctx, gradient):
        ctx.counts.kernels["attention_backward"] += 1
        found = torch.autograd.grad(ctx.output, ctx.inputs, _bare(gradient))
        return (None, *(_OnDevice(one) for one in found), None, None)


def to_device(module: torch.nn.Module) -> torch.nn.Module:
    """``module.to(DEVICE)``, within the device's block: parameters that are shared stay so."""
    with torch.no_grad():
        moved = {id(one): one.to(DEVICE) for one in (*module.parameters(), *module.buffers())}
        parameters = {}
        for part in module.modules():
            for name, one in list(part._parameters.items()):
                if one is not None and not isinstance(one, _OnDevice):
                    if id(one) not in parameters:
                        parameters[id(one)] = torch.nn.Parameter(moved[id(one)], one.requires_grad)
                        vars(parameters[id(one)]).update(
                            {key: value for key, value in vars(one).items() if key != "raw"}
                        )
                    part._parameters[name] = parameters[id(one)]
            for name, one in list(part._buffers.items()):
                if one is not None:
                    part._buffers[name] = moved[id(one)]
    return module


def sample_to_device(sample: Any) -> Any:
    """A batch as fairseq's trainer moves it: without a wait."""
    return tree_map(lambda one: one.to(DEVICE, non_blocking=True) if isinstance(one, torch.Tensor) else one, sample)


def cpu_values(tensor: torch.Tensor) -> torch.Tensor:
    """What a tensor of the device holds; nothing is counted."""
    return _bare(tensor)


def _name(func: Any) -> str:
    return func._schema.name.split("::")[-1]


def _bare(value: Any) -> Any:
    if isinstance(value, _OnDevice):
        return value.raw
    if isinstance(value, (tuple, list, dict)):
        return tree_map(lambda one: one.raw if isinstance(one, _OnDevice) else one, value)
    return value


def _own_objects(func, args, kwargs, out):
    """What works in place returns what it was given."""
    if any(returned.alias_info is not None and returned.alias_info.is_write for returned in func._schema.returns):
        for argument, schema in zip(args, func._schema.arguments):
            if schema.alias_info is not None and schema.alias_info.is_write:
                return argument
        for schema in func._schema.arguments:
            if schema.alias_info is not None and schema.alias_info.is_write and schema.name in kwargs:
                return kwargs[schema.name]
    return out


def _sized_by_values(name: str, args, kwargs) -> bool:
    if name in _INDEXING:
        masks = [one for one in args[1] if one is not None and one.dtype in (torch.bool, torch.uint8)]
        if name == "index_put_" and len(masks) == len([one for one in args[1] if one is not None]) == 1:
            return _bare(args[2]).dim() > 0  # one number for all places is masked_fill
        return bool(masks)
    return name == "repeat_interleave" and "output_size" not in kwargs
