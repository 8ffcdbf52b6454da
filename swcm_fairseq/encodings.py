"""Which encoding a text has that should be UTF-8, and what converts it."""

import contextlib
from typing import Callable, Tuple

from .errors import SwcmError

HEAD = 4096  # bytes at the start of a text, which tell its encoding


def decode(path: str, data: bytes) -> str:
    """The bytes of a whole file as text, without the byte order mark; line ends stay as they are.

    Raises:
        SwcmError: it is not UTF-8, with the line and, by its look, the encoding.
    """
    refuse_wide_characters(path, data[:HEAD])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        start = data.rfind(b"\n", 0, error.start) + 1
        hint = encoding_hint(path, data[start:]) or "mend it, or convert the file with iconv"
        raise SwcmError(f"{path}, line {line}: not UTF-8 (byte 0x{data[error.start]:02x}); {hint}")


def refuse_wide_characters(path: str, head: bytes) -> None:
    """Raise ``SwcmError`` where the first bytes of a text are UTF-16 or UTF-32, with the mark of its order or not."""
    name = _wide_encoding(head)
    if name:
        raise SwcmError(f"{path}: this is {name}; convert it first: iconv -f {name} -t UTF-8 {path} > NEW")


def encoding_hint(path: str, sample: bytes) -> str:
    """The command that converts a text of which ``sample`` is no UTF-8, or "" where its encoding cannot be told."""
    name = guess_encoding(sample)
    return f"it looks like {name}: iconv -f {name} -t UTF-8 {path} > NEW" if name else ""


def guess_encoding(sample: bytes) -> str:
    """The encoding that text most likely has which is no UTF-8, by iconv's name, or "" where none fits.

    Nearly all of its signs beyond ASCII are common ones of the script then. Bytes that are read in a wrong encoding
    give rare characters, or words of capital letters.
    """
    fits = [_fit(sample[:HEAD], codec, weight) for _, codec, weight in _ENCODINGS]
    best = max(fits)
    return _ENCODINGS[fits.index(best)][0] if best >= 0.8 else ""


def _fit(sample: bytes, codec: str, weight: Callable[[str], float]) -> float:
    """The mean weight (0 to 1) of the signs beyond ASCII, or 0 where the sample cannot be read."""
    for cut in range(4):  # the sample may end within a character
        with contextlib.suppress(UnicodeDecodeError):
            signs = [sign for sign in sample[: len(sample) - cut].decode(codec) if sign > "\x7f"]
            return sum(map(weight, signs)) / len(signs) if signs else 0.0
    return 0.0


def _simplified(sign: str) -> float:
    # GB 2312 has its commonest 3,755 characters in rows 0xB0 to 0xD7, and punctuation in 0xA1 and 0xA3.
    code = sign.encode("gb18030")
    return len(code) == 2 and (0xB0 <= code[0] <= 0xD7 or code[0] in (0xA1, 0xA3)) and code[1] >= 0xA1


def _traditional(sign: str) -> float:
    # Big5 has punctuation and its commonest 5,401 characters in these rows.
    return 0xA1 <= sign.encode("big5")[0] <= 0xC6


def _cyrillic(letters: str) -> Callable[[str], float]:
    letters += "абвгдежзийклмнопрстуфхцчшщъыьэюя«»—–№“”…"
    return lambda sign: 1.0 if sign in letters else 0.6 if sign.lower() in letters else 0.0


#: Of two that fit as well the first counts.
_ENCODINGS: Tuple[Tuple[str, str, Callable[[str], float]], ...] = (
    ("GB18030", "gb18030", _simplified),
    ("BIG5", "big5", _traditional),
    ("WINDOWS-1251", "cp1251", _cyrillic("ё")),
    ("RK1048", "kz1048", _cyrillic("ёәіңғүұқөһ")),
    ("KOI8-R", "koi8-r", _cyrillic("ё")),
    ("CP866", "cp866", _cyrillic("ё")),
)


def _wide_encoding(head: bytes) -> str:
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "UTF-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    # Without a mark: a line feed, a space, a letter or a sign of ASCII has its zeros always on the same side.
    even, odd = head[: HEAD & ~1 : 2], head[1:HEAD:2]
    if len(head) < 8 or min(even.count(0), odd.count(0)) > len(odd) // 50:
        return ""
    for zeros, name in ((odd, "UTF-16LE"), (even, "UTF-16BE")):
        if zeros.count(0) > len(zeros) // 10:
            return name
    return ""
