"""recipes/benchmark/gpu_check.sh, its first steps, on the CPU."""

import json


def test_a_step_that_fails_does_not_stop_the_others(run, repo, tmp_path):
    # Decoding wants what training leaves, which was not asked for.
    done = run(
        ["bash", repo / "recipes" / "benchmark" / "gpu_check.sh", tmp_path / "out"],
        env={"SWCM_DEVICE": "cpu", "STEPS": "environment decoding memory"},
        check=False,
    )
    assert done.returncode == 1
    found = json.loads((tmp_path / "out" / "gpu_check.json").read_text())
    assert [(name, result["status"]) for name, result in found.items()] == [
        ("environment", "ok"),
        ("decoding", "failed"),
        ("memory", "ok"),
    ]
    assert "fairseq-generate failed" in found["decoding"]["said"] and found["environment"]["torch"]
    table = (tmp_path / "out" / "gpu_check.md").read_text()
    assert table in done.stdout and len(table.splitlines()) == 2 + 3


def test_an_unknown_step_is_refused(run, repo, tmp_path):
    done = run(
        ["bash", repo / "recipes" / "benchmark" / "gpu_check.sh", tmp_path],
        env={"SWCM_DEVICE": "cpu", "STEPS": "partiy"},
        check=False,
    )
    assert done.returncode == 1 and "no such step: partiy" in done.stderr
