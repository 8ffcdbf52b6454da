"""Removes what a training has left in its folder, so that the next one begins anew; not while one is running."""

import argparse
import glob
import os
import shutil
import sys

from swcm_fairseq.errors import run_command
from swcm_fairseq.fairseq_patches.save_dir_lock import hold

#: What fairseq-train and recipes/lib/training.sh write there.
LEFT = ("checkpoint*.pt", "done", "dict.txt", "sentencepiece.bpe.model", "init_report.tsv", "train*.log", "tensorboard")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="the --save-dir of fairseq-train")
    folder = parser.parse_args().folder
    hold(folder)
    for pattern in LEFT:
        for path in glob.glob(os.path.join(glob.escape(folder), pattern)):
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.remove(path)


if __name__ == "__main__":
    sys.exit(run_command(main))
