"""The registered tasks."""

from .. import plugin  # noqa: F401
