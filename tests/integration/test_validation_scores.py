"""Validation sets decoded while training: the numbers are swcm-score's, and training goes its way as without."""

import json
import random
import re
from types import SimpleNamespace

import pytest
from sentencepiece import SentencePieceProcessor

from swcm_fairseq.scoring.command import main as swcm_score
from swcm_fairseq.torch_files import safe_load
from tests.support.tiny_encoder import sentencepiece_pieces, train_sentencepiece
from tests.support.toy import toy_dictionary, write_data_bin
from tests.support.trainings import read_probe, run_trainings

WORDS = [first + second for first in "бгдк" for second in "аоуы"]
# What a model says after a few updates, since it is all that it hears.
SAYING = {"kk": "ба ду ку бы до".split(), "mn": "ко га да".split()}
METRICS = ["chrfpp", "rougeL", "exact_match", "bleu"]
MAX_LENGTH = 8

FLAGS = """--task swcm_finetuning --lang-pairs zh-kk,zh-mn --arch xlm_swcm_tiny --max-positions 40 --dropout 0.1
    --criterion swcm_cross_entropy --optimizer adamw --lr 3e-3 --batch-size 16 --batch-size-valid 5
    --required-batch-size-multiple 1 --clip-norm 1 --cpu --seed 1 --no-epoch-checkpoints --log-format json
    --log-interval 1000 --no-progress-bar""".split()
SCORED = ["--validation-scores", ",".join(METRICS), "--validation-max-len-b", str(MAX_LENGTH), "--validation-beam", "2"]
BEST = ["--best-checkpoint-metric", "chrfpp", "--maximize-best-checkpoint-metric"]
REFUSED = {
    "unknown": ["--validation-scores", "chrfpp,rouge"],
    "unasked": ["--validation-scores", "rougeL", *BEST],
    "turned round": ["--validation-scores", "chrfpp", *BEST[:2]],
    "no pieces": ["--validation-scores", "chrfpp"],
}


def sentences(count, chance):
    return [chance.choices(WORDS, k=chance.randint(2, 5)) for _ in range(count)]


def write_data(folder, right=True):
    """Binarize random sources with one saying a language, some of its words replaced; or with random targets."""
    chance = random.Random(0)
    content = train_sentencepiece([" ".join(words) for words in sentences(300, chance)], vocab=44)
    cut = SentencePieceProcessor(model_proto=content)
    sides = {}
    for split, count in (("train", 200), ("valid", 26)):
        for target, saying in SAYING.items():
            outputs = [[chance.choice(WORDS) if chance.random() < 0.15 else w for w in saying] for _ in range(count)]
            if split == "train" and not right:
                outputs = sentences(count, chance)
            for side, lines in (("zh", sentences(count, chance)), (target, outputs)):
                sides[f"{split}.zh-{target}.{side}"] = [
                    " ".join(cut.encode(" ".join(words), out_type=str)) for words in lines
                ]
    write_data_bin(folder, toy_dictionary(sentencepiece_pieces(content)), sides)
    (folder / "sentencepiece.bpe.model").write_bytes(content)
    return str(folder)


def validations(log):
    """What each validation in a training's log said, in order."""
    lines = re.findall(r"\| INFO \| valid \| (\{.*\})", log)
    numbers = [json.loads(line).items() for line in lines]
    return [{name[len("valid_") :]: float(value) for name, value in one if name != "epoch"} for one in numbers]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, repo):
    """A training without scores; the same with them; one that spoils its model, in two runs; one in bf16; refusals."""
    folder = tmp_path_factory.mktemp("scores")
    data, wrong = write_data(folder / "data"), write_data(folder / "wrong", right=False)
    bare = write_data(folder / "bare")
    (folder / "bare" / "sentencepiece.bpe.model").unlink()

    def job(name, data, *flags):
        path = str(folder / name)
        where = [data, "--user-dir", str(repo / "swcm_fairseq"), "--save-dir", path]
        return {"args": where + FLAGS + list(flags), "probe": path + ".probe", "log": path + ".log"}

    often = ["--validate-interval-updates", "10"]
    # So much smoothing wants every piece to be as likely, which lowers the loss while the model forgets what it knew.
    spoil = ["--finetune-from-model", str(folder / "scored" / "checkpoint_last.pt"), "--label-smoothing", "0.9"]
    spoil += ["--save-interval-updates", "5", "--keep-interval-updates", "1", "--lr", "1e-3"]
    codes = run_trainings(
        folder,
        [
            job("plain", data, *often, "--max-update", "12"),
            job("scored", data, *often, *SCORED, *BEST, "--validation-print-samples", "--max-update", "40"),
            job("spoilt", wrong, *spoil, *SCORED, *BEST, "--max-update", "10"),
            job("spoilt", wrong, *spoil, *SCORED, *BEST, "--max-update", "20"),
            job("bf16", data, *SCORED, *BEST, "--bf16", "--max-update", "2", "--validation-sentences", "4"),
        ]
        + [job(name, bare if name == "no pieces" else data, *flags) for name, flags in REFUSED.items()],
    )
    return SimpleNamespace(folder=folder, data=data, codes=codes)


def log_of(trained, name):
    return (trained.folder / (name + ".log")).read_text(encoding="utf-8")


def test_all_came_to_their_end(trained):
    assert trained.codes == [0] * 5 + [1] * len(REFUSED)


def test_training_is_the_same_with_scores_and_without(trained):
    plain, scored = (read_probe(str(trained.folder / (name + ".probe"))) for name in ("plain", "scored"))
    assert len(plain) == 12 and len(scored) == 40
    assert plain == {number: scored[number] for number in plain}
    assert len({update.weights for update in plain.values()}) == 12
    losses = [[one["loss"] for one in validations(log_of(trained, name))] for name in ("plain", "scored")]
    assert len(losses[0]) == 2 and losses[0][0] == losses[1][0]


def test_what_is_logged_is_what_swcm_score_says_of_fairseq_generate(trained, run, repo, capsys):
    logged = validations(log_of(trained, "scored"))[-1]
    found = {}
    for target in SAYING:
        task = ["--task", "swcm_finetuning", "-s", "zh", "-t", target, "--gen-subset", "valid", "--batch-size", "7"]
        where = ["--user-dir", repo / "swcm_fairseq", "--path", trained.folder / "scored" / "checkpoint_last.pt"]
        how = ["--beam", "2", "--max-len-b", MAX_LENGTH, "--cpu"]
        output = run(["fairseq-generate", trained.data, *where, *task, *how]).stdout
        (trained.folder / target).write_text(output, encoding="utf-8")
        files = ["--generate-output", str(trained.folder / target), "--metrics", ",".join(METRICS)]
        assert swcm_score(["--lang", target, "--json", "--resamples", "0", *files]) == 0
        found[target] = json.loads(capsys.readouterr().out)
        for name in METRICS:
            # fairseq prints six digits.
            assert logged[f"mt.zh-{target}_{name}"] == pytest.approx(found[target][name], rel=1e-5)
    for name in METRICS:
        assert logged[name] == pytest.approx((found["kk"][name] + found["mn"][name]) / 2, rel=1e-5)
        assert 5 < logged[name] < 95
    assert abs(found["kk"]["chrfpp"] - found["mn"]["chrfpp"]) > 0.1


def test_two_processes_say_what_one_does(trained, run, repo):
    script = '. "$1/recipes/lib/common.sh"; . "$1/recipes/lib/training.sh"; shift; swcm_train "$@"'
    flags = ["--user-dir", repo / "swcm_fairseq", "--save-dir", trained.folder / "two", *FLAGS, *SCORED, *BEST]
    # A learning rate of 0 leaves the weights as they are. 52 sentences by fives: the second process has one batch less.
    still = [
        "--finetune-from-model",
        trained.folder / "scored" / "checkpoint_last.pt",
        "--lr",
        "0",
        "--max-update",
        "1",
    ]
    done = run(
        ["bash", "-euo", "pipefail", "-c", script, "bash", repo, trained.data, *flags, *still],
        env={"SWCM_CPU_PROCESSES": 2, "CUDA_VISIBLE_DEVICES": ""},
    )
    assert "training on 2 devices" in done.stdout + done.stderr
    one, two = validations(log_of(trained, "scored"))[-1], validations(done.stdout + done.stderr)[-1]
    names = [name for name in one if name.endswith(tuple(METRICS)) and not name.startswith("best")]
    assert len(names) == 3 * len(METRICS)
    assert {name: two[name] for name in [*names, "loss"]} == {name: one[name] for name in [*names, "loss"]}


def test_the_best_checkpoint_is_chosen_by_the_score_also_in_a_run_that_goes_on(trained):
    log = log_of(trained, "spoilt")
    found = validations(log)
    updates = [int(one["num_updates"]) for one in found]
    assert updates == [5, 10, 15, 20] and "@ 10 updates" in log
    score, loss = ([one[name] for one in found] for name in ("chrfpp", "loss"))
    by_score, by_loss = score.index(max(score)), loss.index(min(loss))
    assert by_score < 2 < by_loss
    best, last = (
        safe_load(str(trained.folder / "spoilt" / name)) for name in ("checkpoint_best.pt", "checkpoint_last.pt")
    )
    assert best["optimizer_history"][-1]["num_updates"] == updates[by_score]
    assert last["optimizer_history"][-1]["num_updates"] == 20
    assert best["extra_state"]["val_loss"] == last["extra_state"]["best"] == pytest.approx(max(score), rel=1e-5)
    assert [one.get("best_chrfpp") for one in found[1:]] == [max(score[:end]) for end in (2, 3, 4)]


def test_scores_in_bf16(trained):
    (found,) = validations(log_of(trained, "bf16"))
    assert set(METRICS) <= set(found) and 0 <= found["chrfpp"] <= 100


def test_samples_are_in_the_log(trained):
    log = log_of(trained, "scored")
    count = len(validations(log))
    for target in SAYING:
        shown = re.findall(rf"mt\.zh-{target}\n  source +(.*)\n  hypothesis (.*)\n  reference +(.*)\n", log)
        assert len(shown) == 2 * count
        assert len({(source, reference) for source, _, reference in shown}) == 2
        assert shown[-1][1] == " ".join(SAYING[target])
    assert "hypothesis" not in log_of(trained, "bf16")


def test_what_cannot_be_is_said_in_one_line_before_training(trained):
    said = {
        "unknown": "there is no score 'rouge'; there are: bleu,",
        "unasked": "--best-checkpoint-metric chrfpp: a score that --validation-scores does not ask for",
        "turned round": "more is better, so add --maximize-best-checkpoint-metric",
        "no pieces": "--validation-scores needs the sentencepiece.bpe.model that cut the text",
    }
    assert sorted(said) == sorted(REFUSED)
    for name, words in said.items():
        log = log_of(trained, name)
        errors = [line for line in log.splitlines() if words in line]
        assert len(errors) == 1 and "Traceback" not in log and "train_inner" not in log, log[-2000:]
        assert not [path.name for path in (trained.folder / name).glob("*") if path.suffix in (".pt", ".txt", ".tsv")]
