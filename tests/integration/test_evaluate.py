"""recipes/evaluate.sh: which test sets it decodes, where, and what it keeps; with stand-ins for fairseq and GPUs."""

import json
import os

import pytest

# Prints three sentences as fairseq-generate does, and notes when it ran, on what, and what it was asked for.
GENERATE = """#!/usr/bin/env bash
set -eu
log=$SWCM_TEST/calls
mkdir -p "$log"
name=$(basename "$1").$(sed 's/.*--source-lang \\([^ ]*\\) --target-lang \\([^ ]*\\) .*/\\1-\\2/' <<<"$*")
echo "${CUDA_VISIBLE_DEVICES-none} $(date +%s%N) begin $*" >"$log/$name"
# As long as two of these may run, wait to be seen together; a single one is not kept waiting for long.
for _ in $(seq 20); do
    [ "$(ls "$log" | wc -l)" -lt "${SWCM_TEST_TOGETHER:-1}" ] || break
    sleep 0.1
done
case " ${SWCM_TEST_FAILING:-} " in *" $name "*) echo "no such thing" >&2; exit 1 ;; esac
for number in 2 0 1; do
    printf 'S-%s\\tx\\nT-%s\\tбір екі үш %s\\nH-%s\\t-1\\tбір екі %s\\nD-%s\\t-1\\tбір екі %s\\n' \\
        $number $number $number $number $number $number $number
done
echo "$(date +%s%N)" >>"$log/$name"
"""


@pytest.fixture
def evaluate(run, repo, tmp_path):
    """Calls the recipe in an environment whose fairseq-generate is the one above."""
    programs = tmp_path / "environment" / "bin"
    programs.mkdir(parents=True)

    def program(name, text):
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)

    program("fairseq-generate", GENERATE)
    program("swcm-score", '#!/bin/sh\nexec "$SWCM_TEST_PYTHON" -m swcm_fairseq.scoring.command "$@"\n')

    def call(*names, gpus=0, check=True, flags=(), **env):
        # The environment's torch is asked how many GPUs it can use.
        program("python", f"#!/bin/sh\ncase $* in '-m swcm_fairseq.hardware --gpus') echo {gpus} ;; esac\n")
        program("nvidia-smi", "#!/bin/sh\n")
        environment = {"SWCM_VENV": programs.parent, "SWCM_TEST": tmp_path, "CUDA_VISIBLE_DEVICES": None}
        environment["PATH"] = "{}{}{}".format(programs, os.pathsep, os.environ["PATH"])
        environment["SWCM_TEST_PYTHON"] = os.sys.executable
        environment["SCORE_FLAGS"] = "--resamples 0"
        environment.update(env)
        command = ["bash", repo / "recipes/evaluate.sh", tmp_path / "data bin", "model.pt", tmp_path / "out"]
        return run([*command, *names, *(["--", *flags] if flags else [])], check=check, env=environment)

    return call


def data(tmp_path, *names):
    for name in names:
        folder, _, pair = name.rpartition("/")
        place = tmp_path / "data bin" / folder
        place.mkdir(parents=True, exist_ok=True)
        for side in pair.split("-"):
            (place / f"test.{pair}.{side}.idx").write_text("")
    (tmp_path / "data bin").mkdir(exist_ok=True)
    (tmp_path / "data bin" / "test.kk-None.kk.idx").write_text("")
    (tmp_path / "data bin" / "train.zh-ug.ug.idx").write_text("")


def calls(tmp_path):
    """Name -> (device, begin, arguments, end)."""
    found = {}
    for path in (tmp_path / "calls").iterdir():
        first, *rest = path.read_text(encoding="utf-8").splitlines()
        device, begin, _, arguments = first.split(" ", 3)
        found[path.name] = (device, int(begin), arguments, int(rest[0]) if rest else None)
    return found


def test_all_test_sets_of_a_folder_one_after_another_without_a_gpu(evaluate, tmp_path):
    data(tmp_path, "zh-kk", "zh-mn", "ru/text-summary")
    done = evaluate(flags=["--lenpen", "2"])
    found = calls(tmp_path)
    assert set(found) == {"data bin.zh-kk", "data bin.zh-mn", "ru.text-summary"}
    spans = sorted((begin, end) for _, begin, _, end in found.values())
    assert all(first[1] <= second[0] for first, second in zip(spans, spans[1:]))
    assert {device for device, *_ in found.values()} == {"none"}
    tags = {name: arguments.partition("--target-tag ")[2].split()[0] for name, (_, _, arguments, _) in found.items()}
    assert tags == {"data bin.zh-kk": "kk", "data bin.zh-mn": "mn", "ru.text-summary": "ru"}
    assert all(arguments.endswith("--lenpen 2") for _, _, arguments, _ in found.values())
    assert str(tmp_path / "data bin" / "ru") in found["ru.text-summary"][2]
    for name in ("zh-kk", "zh-mn", "ru/text-summary"):
        scores = json.loads((tmp_path / "out" / (name + ".json")).read_text(encoding="utf-8"))
        assert {"bleu", "chrf", "chrfpp", "wrong_language"} <= set(scores)
    assert done.stdout.count("wrong language") >= 3
    assert "there already" in evaluate().stdout and calls(tmp_path) == found, "what is done is not done again"


@pytest.mark.parametrize("env, devices", [({}, {"0", "1"}), ({"CUDA_VISIBLE_DEVICES": "3,5,-1"}, {"3", "5"})])
def test_each_gpu_has_a_test_set_of_its_own(evaluate, tmp_path, env, devices):
    data(tmp_path, "zh-kk", "zh-mn", "zh-ug", "zh-bo")
    evaluate(gpus=2, SWCM_TEST_TOGETHER=2, **env)
    found = calls(tmp_path)
    assert len(found) == 4
    assert {device for device, *_ in found.values()} == devices
    for device in devices:
        spans = sorted((begin, end) for one, begin, _, end in found.values() if one == device)
        assert all(first[1] <= second[0] for first, second in zip(spans, spans[1:])), "one at a time on a GPU"
    first, second = sorted((begin, end) for _, begin, _, end in found.values())[:2]
    assert second[0] < first[1], "two GPUs work at the same time"
    assert len(list((tmp_path / "out").glob("*.json"))) == 4
    assert not (tmp_path / "out" / ".devices").exists() and not (tmp_path / "out" / ".lock").exists()


@pytest.mark.parametrize("gpus", [0, 2])
def test_one_that_fails_is_named_and_the_others_are_kept(evaluate, tmp_path, gpus):
    data(tmp_path, "zh-kk", "zh-mn", "zh-ug")
    done = evaluate(gpus=gpus, check=False, SWCM_TEST_FAILING="data bin.zh-kk")
    assert done.returncode == 1
    assert "fairseq-generate failed for zh-kk: no such thing" in done.stderr and "were not decoded" in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").glob("*.txt")) == ["zh-mn.txt", "zh-ug.txt"]
    again = evaluate(gpus=gpus)
    assert again.stdout.count("there already") == 2 and (tmp_path / "out" / "zh-kk.json").exists()


def test_the_named_test_sets_alone_against_the_texts_and_with_baselines(evaluate, tmp_path):
    data(tmp_path, "zh-kk", "en/text-summary")
    (tmp_path / "split" / "en").mkdir(parents=True)
    lines = "".join(f"бір екі {number}\n" for number in range(3))
    (tmp_path / "split" / "en" / "test.text-summary.summary").write_text(lines, encoding="utf-8")
    evaluate(
        "en/text-summary",
        REFERENCES=tmp_path / "split" / "test",
        METRICS="exact_match",
        SCORE_FLAGS="--shuffled --first-sentence --resamples 0",
    )
    assert set(calls(tmp_path)) == {"en.text-summary"}
    scores = json.loads((tmp_path / "out/en/text-summary.json").read_text(encoding="utf-8"))["systems"]
    assert {name: found["en"]["exact_match"] for name, found in scores.items()} == {
        "model": 100,
        "shuffled": 0,
        "first-sentence": 0,
    }


def test_a_language_for_suffixes_that_are_none(evaluate, tmp_path):
    data(tmp_path, "question-answer")
    evaluate("question-answer", TARGET_TAG="kk")
    assert "--target-tag kk" in calls(tmp_path)["data bin.question-answer"][2]
    assert "unknown language 'answer'" in evaluate("question-answer", check=False, FORCE=1).stderr


def test_wrong_usage(evaluate, tmp_path):
    data(tmp_path)
    done = evaluate(check=False)
    assert done.returncode == 1 and "holds no test set" in done.stderr
    assert evaluate("zhkk", check=False).returncode == 2


def test_sentences_that_were_left_out_are_an_error_and_not_a_score(evaluate, tmp_path):
    """fairseq-generate wrote three sentences; its data holds four."""
    data(tmp_path, "zh-kk")
    index = tmp_path / "data bin" / "test.zh-kk.zh.idx"
    index.write_bytes(b"MMIDIDX\x00\x00" + (1).to_bytes(8, "little") + b"\x04" + (4).to_bytes(8, "little"))
    done = evaluate("zh-kk", check=False)
    assert done.returncode == 1 and "zh-kk: 3 of 4 sentences were decoded" in done.stderr
    assert not (tmp_path / "out/zh-kk.txt").exists() and not (tmp_path / "out/zh-kk.json").exists()
    index.write_bytes(index.read_bytes()[:-8] + (3).to_bytes(8, "little"))
    evaluate("zh-kk")
    assert (tmp_path / "out/zh-kk.json").exists()
    assert "--truncate-source" in calls(tmp_path)["data bin.zh-kk"][2]
