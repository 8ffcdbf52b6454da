"""Pieces, symbols and their rows: what an encoder's vocabulary holds, how text is cut with it, how it grows."""
