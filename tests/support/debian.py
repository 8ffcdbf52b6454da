"""Debian packages and gettext catalogues made by hand."""

import io
import lzma
import tarfile

from .hostile_files import compiled_catalogue


def catalogue(messages):
    """Bytes of a gettext .mo file of ``messages``, id -> text, with the header that says that they are UTF-8."""
    return compiled_catalogue({"": "Content-Type: text/plain; charset=UTF-8\n", **messages})


def debian_package(files):
    """Bytes of a .deb: an ar archive of debian-binary, control and data."""

    def archive(members):
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as tar:
            for name, content in members.items():
                entry = tarfile.TarInfo("./" + name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        return lzma.compress(raw.getvalue())

    control = b"Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n"
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": archive({"control": control}), "data.tar.xz": archive(files)}
    result = b"!<arch>\n"
    for name, content in parts.items():
        result += "{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n".format(name, 0, 0, 0, "100644", len(content)).encode()
        result += content + b"\n" * (len(content) % 2)
    return result
