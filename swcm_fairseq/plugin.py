"""What ``--user-dir`` has to set up besides models and tasks, which fairseq imports itself."""

import sys

import torch

from . import criterions, fairseq_patches, optim  # noqa: F401  (registers them; fairseq imports only models/ and tasks/)
from .errors import report_without_traceback
from .torch_files import allowed_globals

sys.excepthook = report_without_traceback(sys.excepthook)

# fairseq loads checkpoints with torch's default, which since torch 2.6 is the safe way and wants to be told of
# the few plain classes that checkpoints hold.
if hasattr(torch.serialization, "add_safe_globals"):
    torch.serialization.add_safe_globals(allowed_globals())

fairseq_patches.install()
