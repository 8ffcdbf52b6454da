"""Preparing text and encoders: one stage a file, one filter a file.

Installed, this folder is the package ``swcm_preprocess`` and its stages are the commands swcm-read, swcm-clean,
swcm-split, swcm-prune, swcm-extend-vocab, swcm-build-dict, swcm-encode and swcm-mrc. Every stage can be run by path
too: ``python preprocess/clean.py``.
"""
