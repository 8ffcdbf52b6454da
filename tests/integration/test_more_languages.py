"""recipes/more_languages.sh: one quickstart after another on text and an encoder made here, and one table of all."""

import json

from tests.support.tiny_encoder import make_encoder_folder
from tests.support.toy import write_pairs

from .test_finetune_mt import pair


def test_quickstarts_follow_each_other_and_end_in_one_table(run, repo, tmp_path):
    text = tmp_path / "raw text"
    text.mkdir()
    for first, code in enumerate(("kk", "mn")):
        write_pairs(text, "zh-" + code, [pair(60 * first + number) for number in range(60)])
    settings = {
        "TEXT": text,
        "ENCODER": make_encoder_folder(tmp_path / "encoder", layers=4),
        "OUT": tmp_path / "out",
        "LANGS": "kk mn",
        "AT_ONCE": 1,
        "KEEP_LAYERS": "0,2",
        "UPDATES": 2,
        "VALID_PAIRS": 4,
        "TEST_PAIRS": 5,
        "MAX_LEN": 8,
        "PRECISION": "fp32",
        "BEAM": 2,
    }
    command = ["bash", repo / "recipes" / "more_languages.sh"]
    run(command, env=settings, timeout=900)
    scores = json.loads((tmp_path / "out" / "scores.json").read_text(encoding="utf-8"))
    assert {"shared", "random", "shuffled"} <= set(scores["systems"])
    for system in scores["systems"].values():
        assert {"kk", "mn"} <= set(system) and all("chrfpp" in system[code] for code in ("kk", "mn"))
    assert (tmp_path / "out" / "report" / "index.html").exists()
    before = (tmp_path / "out" / "kk" / "scores.json").stat().st_mtime_ns
    run(command, env=settings)
    assert (tmp_path / "out" / "kk" / "scores.json").stat().st_mtime_ns == before
