"""Pairs whose sides show that they do not translate each other."""

from swcm_preprocess.variables import variables


def are_identical(source: str, target: str) -> bool:
    """Not translated: names, formulas, forgotten strings. A model would learn to copy."""
    return source == target


def differ_in_variables(source: str, target: str) -> bool:
    """A variable of one side is missing on the other: a translator's slip, or another text."""
    return set(variables(source)) != set(variables(target))
