"""Files as a stranger might hand them over, and how to see that nothing in them ran."""

import os
from pathlib import Path

import torch


class Program:
    """Unpickling one of these runs a shell command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


class Trap:
    """A program that leaves a mark where it is run, ready to be put into any file."""

    def __init__(self, folder) -> None:
        self.mark = Path(str(folder)) / "it ran"

    def program(self) -> Program:
        """For a pickle."""
        return Program(f"touch '{self.mark}'")

    def expression(self) -> str:
        """For a setting that is evaluated."""
        return f"__import__('os').system(\"touch '{self.mark}'\")"

    def put_into(self, path, content, zipped: bool = True) -> str:
        """``torch.save`` the dictionary ``content`` with the program in it."""
        torch.save(dict(content, extra=self.program()), str(path), _use_new_zipfile_serialization=zipped)
        return str(path)

    def sprung(self) -> bool:
        return self.mark.exists()
