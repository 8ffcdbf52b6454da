"""What ``--user-dir`` has to set up besides models and tasks, which fairseq imports itself."""

from . import criterions, fairseq_patches, optim  # noqa: F401  (registered; fairseq imports only models/ and tasks/)

fairseq_patches.watch_commands()
