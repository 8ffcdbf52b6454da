"""What ``--user-dir`` has to set up besides models and tasks, which fairseq imports itself."""

import sys

import torch

from . import checkpointing, criterions, optim  # noqa: F401  (registers them; fairseq imports only models/ and tasks/)
from .data import whole_batches
from .decoding import repeats
from .errors import report_without_traceback
from .training import processes
from .weights.safe_load import allowed_globals

sys.excepthook = report_without_traceback(sys.excepthook)

# fairseq loads checkpoints with torch's default, which since torch 2.6 is the safe way and wants to be told of
# the few plain classes that checkpoints hold.
if hasattr(torch.serialization, "add_safe_globals"):
    torch.serialization.add_safe_globals(allowed_globals())

checkpointing.install()
processes.install()
whole_batches.install()
repeats.install()
