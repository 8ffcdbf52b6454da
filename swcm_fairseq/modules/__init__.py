"""The parts of the model.

Axis letters in every docstring of the package: B batch, S source length, T target length, C channels (width),
H heads, D channels of a head (C / H), F width of the feed-forward sublayer, V vocabulary.
"""
