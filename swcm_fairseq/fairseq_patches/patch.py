"""How a part of fairseq is replaced: only where it is what this package knows, and only for a while."""

import contextlib
import functools
import importlib
import inspect
from typing import Any, Callable, Iterator, NamedTuple, Optional, Sequence, Tuple

import fairseq

from ..errors import SwcmError

KNOWN = "fairseq 0.12.2, ve-fairseq 0.12.3 and fairseq-fixed 0.12.3.1"

_INHERITED = object()


def instead(replacement: Callable) -> Callable[[Callable], Callable]:
    """What a ``Patch`` makes of a function: ``replacement``, which is given the stock one before its arguments."""

    @functools.wraps(replacement)
    def make(stock: Callable) -> Callable:
        @functools.wraps(stock)
        def call(*args, **options):
            return replacement(stock, *args, **options)

        return call

    return make


class Patch(NamedTuple):
    """One attribute of fairseq's that is replaced.

    Attributes:
        target: full name of the attribute.
        make: gives the replacement for what stands there.
        takes: names of the parameters of what stands there, in order; None where it is no function.
        mends: what is wrong without it, and fairseq's issue where there is one.
        until: when it could go.
    """

    target: str
    make: Callable[[Any], Any]
    takes: Optional[str]
    mends: str
    until: str

    def place(self) -> Tuple[Any, str]:
        """The module or class, and the attribute's name in it."""
        owner, _, name = self.target.rpartition(".")
        try:
            return importlib.import_module(owner), name
        except ModuleNotFoundError:
            module, _, kind = owner.rpartition(".")
            return getattr(importlib.import_module(module), kind), name

    def problem(self) -> str:
        """What stands at the target that this package doesn't know, in words; "" where it does."""
        try:
            owner, name = self.place()
            found = getattr(owner, name)
        except (ImportError, AttributeError):
            return f"{self.target} is not there"
        takes = None if self.takes is None else " ".join(inspect.signature(found).parameters)
        return "" if takes == self.takes else f"{self.target} takes ({takes}), not ({self.takes})"

    def put(self) -> Callable[[], None]:
        """Replace it; the function that is returned puts back what stood there."""
        owner, name = self.place()
        own = vars(owner).get(name, _INHERITED)
        made = self.make(getattr(owner, name))
        setattr(owner, name, staticmethod(made) if isinstance(own, staticmethod) else made)
        return lambda: delattr(owner, name) if own is _INHERITED else setattr(owner, name, own)


@contextlib.contextmanager
def replaced(patches: Sequence[Patch]) -> Iterator[None]:
    """All ``patches`` in their places until the block ends.

    Raises:
        SwcmError: names every one whose target is not what it knows; nothing is replaced then.
    """
    # Two patches may have one target: the later one is made of what the earlier one has put there.
    problems = [problem for problem in dict.fromkeys(patch.problem() for patch in patches) if problem]
    if problems:
        raise SwcmError(f"fairseq {fairseq.__version__} is not one that this package knows ({KNOWN}):", problems)
    with contextlib.ExitStack() as stack:
        for patch in patches:
            stack.callback(patch.put())
        yield
