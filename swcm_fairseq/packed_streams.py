"""Reading through gzip, bzip2, xz, lzma and zstd; what is packed is told by its first bytes, not by its name."""

import bz2
import gzip
import io
import lzma
import zlib
from typing import Any, BinaryIO, Callable, List, NamedTuple, Optional

from .errors import SwcmError

#: What the unpacking of damaged data raises; of OSError those without a number, which the system's have.
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, OSError)


class DamagedInput(SwcmError):
    """Packed data that is cut short or damaged; ``reason`` says how, without the file's name."""

    def __init__(self, path: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class Packing(NamedTuple):
    """A way of packing: its first bytes, its name, the command that unpacks, and the stream that does so here."""

    mark: bytes
    name: str
    command: str
    open: Callable[[BinaryIO, str], Any]


class Unpacked(io.RawIOBase):
    """The bytes of a packed stream; closing it closes that too."""

    def __init__(self, path: str, packing: Packing, packed: BinaryIO) -> None:
        self._path, self._name, self._packed = path, packing.name, packed
        self._stream = packing.open(packed, path)
        # Kept: asked once more, gzip takes a header that was cut short for the end.
        self._damage: Optional[DamagedInput] = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if self._damage:
            raise self._damage
        try:
            data = self._stream.read1(len(buffer))
        except _DAMAGED as error:
            if isinstance(error, OSError) and error.errno:
                raise
            reason = f"the {self._name} data is cut short or damaged ({error}); fetch the file again"
            self._damage = DamagedInput(self._path, reason)
            raise self._damage
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            self._packed.close()
        super().close()


class _Zstd:
    """zstd frames, one after another; the library's own reader ends in silence where a frame is cut short."""

    def __init__(self, packed: BinaryIO, path: str) -> None:
        try:
            import zstandard
        except ImportError:
            raise SwcmError(
                f"{path}: this is packed by zstd; unpack it first: zstd -d {path}, or install what reads it: "
                "pip install zstandard"
            )
        self._library = zstandard
        self._packed = packed
        self._frame: Optional[zstandard.ZstdDecompressionObj] = None
        self._rest = b""

    def read1(self, size: int) -> bytes:
        """At most ``size`` bytes; the end where there are none."""
        while not self._rest:
            data = self._packed.read1(1 << 14)  # type: ignore[attr-defined]
            if not data:
                if self._frame is not None:
                    raise EOFError("a frame has no end")
                return b""
            self._rest = self._decompress(data)
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def _decompress(self, data: bytes) -> bytes:
        unpacked: List[bytes] = []
        while data:
            if self._frame is None:
                self._frame = self._library.ZstdDecompressor().decompressobj()
            try:
                unpacked.append(self._frame.decompress(data))
            except self._library.ZstdError as error:
                raise EOFError(str(error))
            if not self._frame.eof:
                break
            data, self._frame = self._frame.unused_data, None
        return b"".join(unpacked)

    def close(self) -> None:
        """Nothing is held."""


_PACKINGS = (
    Packing(b"\x1f\x8b", "gzip", "gzip -d", lambda packed, _: gzip.GzipFile(fileobj=packed, mode="rb")),
    Packing(b"BZh", "bzip2", "bzip2 -d", lambda packed, _: bz2.BZ2File(packed, "rb")),
    Packing(b"\xfd7zXZ\0", "xz", "xz -d", lambda packed, _: lzma.LZMAFile(packed, "rb")),
    Packing(b"\x5d\0\0", "lzma", "xz -d --format=lzma", lambda packed, _: lzma.LZMAFile(packed, "rb")),
    Packing(b"\x28\xb5\x2f\xfd", "zstd", "zstd -d", _Zstd),
)


def packing_of(head: bytes) -> Optional[Packing]:
    """How what begins with ``head`` is packed, None where it is not."""
    # bzip2's mark is three letters, a digit, and the start of a block or the end.
    text = head.startswith(b"BZh") and head[4:10] not in (b"1AY&SY", b"\x17rE8P\x90")
    return next((packing for packing in _PACKINGS if head.startswith(packing.mark) and not text), None)
