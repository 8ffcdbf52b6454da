"""Which lines are left out: small tests, one a file. Each answers one question about clean text.

A test of a side is a function from text to bool, a test of a pair from two texts to bool; true means: leave
out. The order matters for the counts alone, since a line is counted under the first reason that applies.
"""
