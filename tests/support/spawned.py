"""What a process does that fairseq starts for a test; it imports this by name."""

from swcm_fairseq.errors import SwcmError

COMPLAINT = "two things are wrong\n  - this\n  - and that"


def complain(cfg):
    """Say what the user can mend."""
    raise SwcmError(COMPLAINT)


def fail(cfg):
    """As a bug does."""
    raise RuntimeError(COMPLAINT)
