"""Two processes of which one saves slowly, for a test: ``python tests/support/saving.py RANK FOLDER``."""

import os
import sys
import time
from datetime import timedelta

from torch import distributed

from swcm_fairseq.fairseq_patches import waiting


def main(rank: int, folder: str) -> None:
    """Save and write down when that was over, by everybody's clock."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2, timeout=timedelta(seconds=300)
    )

    def save(cfg, trainer, epoch_itr, val_loss):
        if rank == 0:
            time.sleep(1.5)
            with open(os.path.join(folder, "saved"), "w"):
                pass
        return rank

    for _ in range(2):
        saved = waiting.save_checkpoint(save)(None, None, None, None)
        with open(os.path.join(folder, f"said.{rank}"), "a") as stream:
            stream.write("{} {}\n".format(saved, os.path.exists(os.path.join(folder, "saved"))))
        distributed.barrier()
        if rank == 0:
            os.remove(os.path.join(folder, "saved"))
        distributed.barrier()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
