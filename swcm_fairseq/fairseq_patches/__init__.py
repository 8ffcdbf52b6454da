"""What replaces parts of fairseq, one file a concept; nothing else in the package does.

fairseq has no place to plug any of this in, so parts of it are replaced when the plug-in is loaded, each by
one that does the same and one thing more. All of them have the same form in fairseq 0.12.2 and 0.12.3.
"""

from . import (
    amp,
    data_order,
    loading,
    masters,
    one_run,
    patience,
    processes,
    repeats,
    resuming,
    whole_batches,
    writing,
)


def install() -> None:
    """Put the parts in their places; to be called once a process."""
    masters.install()
    amp.install()
    data_order.install()
    patience.install()
    writing.install()
    resuming.install()
    loading.install()
    one_run.install()
    processes.install()
    whole_batches.install()
    repeats.install()
