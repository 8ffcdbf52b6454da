import os
import subprocess
import sys

from swcm_fairseq.fairseq_patches import waiting


def test_the_others_wait_for_the_one_that_saves_and_not_in_a_collective(tmp_path, repo):
    script = [sys.executable, str(repo / "tests" / "support" / "saving.py")]
    environment = dict(os.environ, PYTHONPATH=str(repo), OMP_NUM_THREADS="1")
    processes = [subprocess.Popen([*script, str(rank), str(tmp_path)], env=environment) for rank in range(2)]
    assert [process.wait(200) for process in processes] == [0, 0]
    for rank in range(2):
        assert (tmp_path / f"said.{rank}").read_text() == f"{rank} True\n" * 2


def test_one_process_does_not_wait(monkeypatch):
    assert waiting.save_checkpoint(lambda *given: given)(1, 2, 3, 4) == (1, 2, 3, 4)
