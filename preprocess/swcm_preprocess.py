"""The package ``swcm_preprocess`` for a script of this folder that is run by path: it is the script's own folder.

Python looks for modules beside such a script first, so this file is what its imports find, before an installed package.
A checkout's scripts use the checkout's modules, whatever else is installed.
"""

import importlib.util
import os
import sys

if importlib.util.find_spec("swcm_fairseq") is None:
    sys.exit(
        f"error: swcm-fairseq is not installed for {sys.executable}; 'bash recipes/setup.sh' makes an environment, "
        "whose .venv/bin/python runs this; or install it: pip install -e ."
    )
# A module with a path is a package.
__path__ = [os.path.dirname(os.path.abspath(__file__))]
