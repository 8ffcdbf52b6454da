"""fairseq's flags over this package's tasks: each works, or one line says what to use.

``TABLE`` lists the options of fairseq's data, generation, checkpoint, evaluation and interactive groups and of its
translation task; a test holds that none is missing in it.
"""

import dataclasses
import importlib.util
import math
import re

import pytest
from fairseq import options, tasks
from fairseq.dataclass import configs
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.tasks.translation import TranslationConfig

import swcm_fairseq.models  # noqa: F401  (registered, as --user-dir does)
from swcm_fairseq.decoding.generator import check_search
from swcm_fairseq.errors import SwcmError
from swcm_fairseq.tasks import flags as tables
from tests.support.commands import Job, run_commands
from tests.support.generation import hypotheses, printed
from tests.support.tiny_encoder import sentencepiece_pieces, train_sentencepiece
from tests.support.toy import toy_dictionary, write_data_bin

SIZES = (
    "--arch xlm_swcm --encoder-layers 2 --encoder-embed-dim 16 --encoder-ffn-embed-dim 24 --encoder-attention-heads 2 "
    "--max-positions 40"
)
TRAIN = (
    "{data} --task swcm_finetuning --lang-pairs zh-kk " + SIZES + " --criterion swcm_cross_entropy --optimizer adamw "
    "--lr 2e-3 --max-tokens 200 --cpu --seed 1 --num-workers 0 --no-epoch-checkpoints --log-format simple "
    "--log-interval 1 --dropout 0 --attention-dropout 0 --ignore-unused-valid-subsets"
)
DECODE = (
    "{data} --task swcm_finetuning --source-lang zh --target-lang kk --path {model}/checkpoint_last.pt --cpu "
    "--num-workers 0 --max-len-b 8"
)
TEXTS = ["打开文件", "今天天气很好", "学校", "请打开文件然后保存到新的文件夹。", "山上的羊"]
ANSWERS = ["есікті аш", "бүгін ауа райы жақсы", "мектеп", "оны ашып, жаңа қалтаға сақтаңыз.", "таудағы қой"]
ORDERS = {
    "fixed": [],
    "cosine": ["--warmup-updates", "2", "--lr-period-updates", "7", "--t-mult", "2"],
    "triangular": ["--max-lr", "4e-3", "--lr-period-updates", "6", "--lr-shrink", "0.5"],
    "reduce_lr_on_plateau": ["--lr-patience", "1", "--lr-shrink", "0.5", "--lr-threshold", "0.9"],
    "inverse_sqrt": ["--warmup-updates", "4"],
    "polynomial_decay": ["--warmup-updates", "4", "--total-num-update", "15", "--lr", "2e-3,1e-3,3e-3"],
    "tri_stage": ["--warmup-steps", "3", "--hold-steps", "3", "--decay-steps", "6"],
    "step": ["--warmup-updates", "2", "--lr-deacy-period", "3"],
    "manual": ["--epoch2lr", "{{'2':1e-3,'4':3e-3}}", "--update2lr", "{{'11-12':4e-3}}"],
}
WITHIN = {"inverse_sqrt", "polynomial_decay", "tri_stage", "step", "manual"}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A data folder, the same folder with the pieces in another order, and what all commands came to."""
    root = tmp_path_factory.mktemp("flags")
    model = train_sentencepiece()
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    names = sentencepiece_pieces(model)
    lines = {"zh": TEXTS, "kk": ANSWERS}
    cut = {code: [" ".join(processor.encode(text, out_type=str)) for text in lines[code]] for code in lines}
    sides = {}
    for split, times in (("train", 4), ("train1", 2), ("valid", 1), ("valid1", 1), ("test", 1)):
        for code in lines:
            sides[f"{split}.zh-kk.{code}"] = cut[code] * times
    for code in lines:  # a blank source, and one that is longer than the model's positions
        sides["odd.zh-kk." + code] = cut[code] + [cut[code][0]] * 2
    sides["odd.zh-kk.zh"][5:] = ["▁", " ".join(cut["zh"] * 9)]
    long = {"train.zh-kk." + code: sides["odd.zh-kk." + code] for code in lines}
    for name, pieces, text in (("data", names, sides), ("other", names[::-1], sides), ("long", names, long)):
        write_data_bin(root / name, toy_dictionary(pieces), text)
        toy_dictionary(pieces).save(str(root / name / "dict.txt"))
        (root / name / "sentencepiece.bpe.model").write_bytes(model)
    return root


class Runs:
    """Jobs by name, run together when the first result is asked for."""

    def __init__(self, root):
        self.root, self.jobs, self.done = root, {}, {}
        self.places = {"data": root / "data", "other": root / "other", "long": root / "long", "model": root / "model"}

    def add(self, name, command, flags, stdin=""):
        base = {"train": TRAIN, "validate": VALIDATE}.get(command, DECODE)
        data = {"other": self.places["other"], "later": "{data}:{long}".format(**self.places)}
        places = dict(self.places, data=data.get(name.split("-")[0], self.places["data"]))
        args = f"{base} {flags}".format(**places).split()
        self.jobs[name] = Job(command, args, stdin)

    def __getitem__(self, name):
        if not self.done:
            found = run_commands(self.root, list(self.jobs.values()), timeout=1800)
            self.done = dict(zip(self.jobs, found))
        return self.done[name]


VALIDATE = "{data} --task swcm_finetuning --path {model}/checkpoint_last.pt --cpu --num-workers 0 --max-tokens 200"


@pytest.fixture(scope="module")
def runs(work):
    runs = Runs(work)
    runs.add("train", "train", "--save-dir {model} --max-epoch 1 --max-tokens 30")
    for name, (command, flags, stdin) in CASES.items():
        runs.add(name, command, flags, stdin)
    for name, flags in ORDERS.items():
        extra = " ".join(["--lr-scheduler", name, *flags])
        whole, parts = work / (name + ".whole"), work / (name + ".parts")
        flags = "--batch-size 10 --max-tokens 400 {} --save-dir {} --max-epoch {}"
        runs.add(name + ".whole", "train", flags.format(extra, whole, 5))
        # Stopped at the end of the second epoch, or within it.
        first = (extra, parts, 5, "--max-update 5") if name in WITHIN else (extra, parts, 2, "")
        runs.add(name + ".first", "train", (flags + " {}").format(*first))
        runs.add(name + ".then", "train", flags.format(extra, parts, 5))
    # Stops before its tenth epoch: no loss is as low as none at all.
    flags = "--save-dir {} --max-epoch {} --patience 2 --lr 0 --lr-scheduler fixed"
    runs.add("patience.whole", "train", flags.format(work / "patience.whole", 9))
    runs.add("patience.first", "train", flags.format(work / "patience.parts", 2))
    runs.add("patience.then", "train", flags.format(work / "patience.parts", 9))
    runs.add("patience.again", "train", flags.format(work / "patience.parts", 9))
    return runs


TYPED = "\n".join([*TEXTS, "", " \u200b ", "▁"]) + "\n"
LONG = "打开文件" * 30 + "\n学校\n"
# name: command, flags beyond the usual ones, standard input
CASES = {
    "plain": ("generate", "--beam 4", ""),
    "typed": ("interactive", "--beam 4", TYPED),
    # Text stays what it is, whatever is given from habit.
    "remove-bpe": ("generate", "--beam 4 --remove-bpe sentencepiece", ""),
    "post-process": ("generate", "--beam 4 --post-process wordpiece", ""),
    "bpe": ("generate", "--beam 4 --bpe sentencepiece --sentencepiece-model {data}/sentencepiece.bpe.model", ""),
    "bpe-other": ("generate", "--beam 4 --bpe gpt2", ""),
    "moses": ("generate", "--beam 4 --tokenizer moses", ""),
    "sacrebleu": ("generate", "--beam 4 --scoring sacrebleu", ""),
    "typed-habits": ("interactive", "--beam 4 --remove-bpe --bpe sentencepiece --tokenizer moses", TYPED),
    # Positions are those of the pieces.
    "hard": ("generate", "--beam 4 --print-alignment hard", ""),
    "soft": ("generate", "--beam 4 --print-alignment soft", ""),
    "hard-scored": ("generate", "--score-reference --print-alignment hard", ""),
    "match": ("generate", "--beam 4 --match-source-len", ""),
    "twice": ("generate", "--beam 4 --max-len-a 2 --max-len-b 0 --min-len 1 --batch-size 1", ""),
    # Ways to search.
    "diverse": ("generate", "--beam 4 --nbest 4 --diverse-beam-groups 2 --diverse-beam-strength 1", ""),
    "diverse-4": ("interactive", "--beam 4 --nbest 4 --diverse-beam-groups 4 --buffer-size 8 --batch-size 8", TYPED),
    "siblings": ("generate", "--beam 4 --diversity-rate 0.5", ""),
    "sampling": ("generate", "--beam 2 --nbest 2 --sampling --sampling-topk 5", ""),
    "topp": ("generate", "--beam 2 --nbest 2 --sampling --sampling-topp 0.8", ""),
    "prefix": ("generate", "--beam 2 --prefix-size 2", ""),
    "constraints": ("interactive", "--beam 4 --constraints", "打开文件\tаш\n\n"),
    "ngram": ("generate", "--beam 2 --no-repeat-ngram-size 1", ""),
    "dropout": ("generate", "--beam 1 --retain-dropout --retain-dropout-modules SwcmDecoder", ""),
    "others": (
        "generate",
        "--beam 2 --unnormalized --lenpen 2 --unkpen 1 --temperature 2 --quiet --results-path {model}/results",
        "",
    ),
    "shard-0": ("generate", "--beam 4 --num-shards 2 --shard-id 0 --batch-size 2", ""),
    "shard-1": ("generate", "--beam 4 --num-shards 2 --shard-id 1 --batch-size 2", ""),
    "ignored": ("generate", "--beam 4 --no-early-stop --no-beamable-mm", ""),
    "overrides": ("generate", "--beam 4 --model-overrides {{'dropout':0.5}}", ""),
    "validate": ("validate", "--valid-subset valid,test", ""),
    # What is too long.
    "odd": ("generate", "--beam 2 --gen-subset odd", ""),
    "odd-cut": ("generate", "--beam 2 --gen-subset odd --truncate-source --max-target-positions 999", ""),
    "odd-skipped": ("generate", "--beam 2 --gen-subset odd --skip-invalid-size-inputs-valid-test", ""),
    "long": ("interactive", "--beam 2", LONG),
    "long-cut": ("interactive", "--beam 2 --truncate-source", LONG),
    "few-tokens": ("train", "--save-dir {model}.no --max-update 1 --max-tokens 3", ""),
    "few-tokens-valid": ("train", "--save-dir {model}.late --max-update 1 --max-tokens-valid 5", ""),
    "no-tokens-valid": (
        "train",
        "--save-dir {model}.late --max-update 1 --max-tokens-valid 2 --skip-invalid-size-inputs-valid-test",
        "",
    ),
    "bad-rate": ("train", "--save-dir {model}.late --max-update 1 --lr-scheduler tri_stage --phase-ratio (1,1,1)", ""),
    "passed": ("train", "--save-dir {model}.late --max-update 1 --lr-scheduler pass_through", ""),
    "annealed": (
        "train",
        "--save-dir {model}.late --max-update 1 --lr-scheduler polynomial_decay --total-num-update 9 --force-anneal 2",
        "",
    ),
    "later-folder": ("train", "--save-dir {model}.late --max-update 1", ""),
    "bad-byte": ("interactive", "--beam 1 --buffer-size 2", "学校\n".encode() * 2 + b"\xb2\xbb\n"),
    "no-input": ("interactive", "--beam 1 --input {model}/none", ""),
    # Another dictionary.
    "other-generate": ("generate", "--beam 1", ""),
    "other-typed": ("interactive", "--beam 1", "学校\n"),
    "other-restored": ("train", "--restore-file {model}/checkpoint_last.pt --save-dir {model}.no --max-update 9", ""),
    "other-once": ("train", "--continue-once {model}/checkpoint_last.pt --save-dir {model}.no --max-update 9", ""),
    "other-again": ("train", "--save-dir {model} --max-update 99", ""),
    "other-finetuned": ("train", "--finetune-from-model {model}/checkpoint_last.pt --save-dir {model}.no", ""),
    # Data in parts.
    "combined": ("train", "--save-dir {model}.combined --combine-val --max-epoch 1", ""),
    "combined-wrong": ("train", "--save-dir {model}.no --combine-val --valid-subset valid,test", ""),
    "part": ("train", "--save-dir {model}.part --train-subset train1 --max-epoch 1 --batch-size 5", ""),
    "shuffled": (
        "train",
        "--save-dir {model}.shuffled --grouped-shuffling --update-ordered-indices-seed --max-epoch 2",
        "",
    ),
    "progress": ("train", "--save-dir {model}.progress --max-update 9 --max-tokens 30 --log-format json", ""),
}

EVERYTHING = (
    "--save-dir {model}.all --max-epoch 2 --batch-size 5 --required-batch-size-multiple 3 --data-buffer-size 2 "
    "--required-seq-len-multiple 4 --valid-subset valid,test --validate-interval 1 --validate-interval-updates 3 "
    "--validate-after-updates 2 --fixed-validation-seed 3 --batch-size-valid 2 --max-tokens-valid 99 "
    "--max-valid-steps 2 --curriculum 1 --update-epoch-batch-itr True --save-interval 1 --save-interval-updates 3 "
    "--keep-interval-updates 1 --keep-interval-updates-pattern 6 --keep-last-epochs 1 --keep-best-checkpoints 1 "
    "--no-save-optimizer-state --best-checkpoint-metric accuracy --maximize-best-checkpoint-metric --patience 5 "
    "--checkpoint-suffix x --load-checkpoint-on-all-dp-ranks"
)
FROM = (
    "--save-dir {model}.from --restore-file {model}/checkpoint_last.pt --reset-dataloader --reset-lr-scheduler "
    "--reset-meters --reset-optimizer --optimizer-overrides {{}} --no-last-checkpoints --max-epoch 1"
)
CASES["everything"] = ("train", EVERYTHING, "")
CASES["from"] = ("train", FROM, "")
CASES["once"] = (
    "train",
    "--save-dir {model}.once --continue-once {model}/checkpoint_last.pt --no-save --max-epoch 2",
    "",
)
CASES["fine"] = ("train", "--save-dir {model}.fine --finetune-from-model {model}/checkpoint_last.pt --max-epoch 1", "")
CASES["unvalidated"] = ("train", "--save-dir {model}.unvalidated --disable-validation --max-epoch 1", "")
CASES["async"] = ("train", "--save-dir {model}.async --write-checkpoints-asynchronously --max-epoch 1", "")


def texts(output):
    """Sources, references, outputs in pieces and as text."""
    return [printed(output, letter) for letter in "ST"] + [[one[0][1:3] for one in hypotheses(output)]]


@pytest.mark.parametrize(
    "name", ["remove-bpe", "post-process", "bpe", "bpe-other", "moses", "sacrebleu", "ignored", "overrides"]
)
def test_flags_given_from_habit_change_no_text(runs, name):
    assert runs["train"].code == 0, runs["train"].output[-3000:]
    plain = runs["plain"].output
    assert runs[name].code == 0 and texts(runs[name].output) == texts(plain)
    assert printed(plain, "S") == {i: [text] for i, text in enumerate(TEXTS)}
    assert printed(plain, "T") == {i: [text] for i, text in enumerate(ANSWERS)}


def test_the_bleu_of_pieces_is_called_so(runs):
    assert "computed on pieces (BPE tokens)" in runs["plain"].output
    assert "BPE tokens" not in runs["sacrebleu"].output


def test_typed_text_gives_what_a_file_gives_and_nothing_for_nothing(runs):
    typed = hypotheses(runs["typed"].output)
    assert [one[0].text for one in typed[:5]] == [one[0].text for one in hypotheses(runs["plain"].output)]
    assert [(one[0].text, one[0].score) for one in typed[5:]] == [("", 0.0)] * 3 and len(typed) == 8
    assert texts(runs["typed-habits"].output) == texts(runs["typed"].output)


def test_alignments_are_of_the_pieces_that_are_shown(runs):
    hard, soft = runs["hard"].output, runs["soft"].output
    for number in printed(soft, "S"):
        weights = [[float(part) for part in row.split(",")] for row in printed(soft, "A")[number][0].split()]
        pieces = printed(runs["hard"].output, "P")[number]
        columns = len(set(map(len, weights))) == 1 and len(weights[0])
        assert all(sum(row) < 1.0001 for row in weights) and len(weights) == len(pieces[0].split())
        best = [max(range(columns - 1), key=row.__getitem__) for row in weights[:-1]]
        pairs = [pair.split("-") for pair in printed(hard, "A")[number][0].split()]
        assert [int(source) for source, _ in pairs] == best
        assert [int(target) for _, target in pairs] == list(range(len(best)))
    for number, [text] in printed(runs["hard-scored"].output, "A").items():
        assert all(int(pair.split("-")[0]) < columns_of(soft, number) - 1 for pair in text.split())


def columns_of(output, number):
    return len(printed(output, "A")[number][0].split()[0].split(","))


def test_lengths_are_counted_in_pieces(runs):
    soft = runs["soft"].output
    for number, [one] in enumerate(hypotheses(runs["match"].output)):
        assert len(one.pieces.split()) == columns_of(soft, number) - 1
    for number, [one] in enumerate(hypotheses(runs["twice"].output)):
        assert len(one.pieces.split()) <= 2 * columns_of(soft, number)


@pytest.mark.parametrize(
    "name, many", [("diverse", 4), ("diverse-4", 4), ("siblings", 1), ("sampling", 2), ("topp", 2)]
)
def test_ways_to_search_give_what_was_asked_for(runs, name, many):
    assert runs[name].code == 0, runs[name].output[-2000:]
    for rows in hypotheses(runs[name].output)[:5]:
        assert len(rows) == many and all(math.isfinite(one.score) for one in rows)


@pytest.mark.parametrize(
    "name", ["prefix", "constraints", "ngram", "dropout", "others", "validate", "shuffled", "part"]
)
def test_these_work(runs, name):
    assert runs[name].code == 0, runs[name].output[-2000:]


def test_prefixes_constraints_and_repeats_are_followed(runs):
    references = printed(runs["plain"].output, "T")
    for number, [one] in enumerate(hypotheses(runs["prefix"].output)):
        start = "".join(one.pieces.split()[:2]).replace("▁", " ").strip()
        assert references[number][0].startswith(start)
    for [one] in hypotheses(runs["ngram"].output):
        assert len(set(one.pieces.split())) == len(one.pieces.split())
    constrained = hypotheses(runs["constraints"].output)
    assert "аш" in constrained[0][0].text and constrained[1][0].text == ""


def test_shards_are_parts_of_the_set(runs):
    numbers = [set(printed(runs[name].output, "S")) for name in ("shard-0", "shard-1")]
    assert numbers[0] | numbers[1] == set(range(5)) and not numbers[0] & numbers[1] and all(numbers)


def test_what_is_too_long_is_named_cut_or_left_out(runs):
    assert re.match("error: sentence 6 of odd has [0-9]+ and [0-9]+ pieces, but the limits are 40 ", runs["odd"].error)
    assert re.match("error: sentence 0 has [0-9]+ and 0 pieces, but the limits are ", runs["long"].error)
    assert "--truncate-source" in runs["long"].error
    assert (
        len(hypotheses(runs["odd-skipped"].output)) == 6
        and "1 sentences of 7 are left out" in runs["odd-skipped"].output
    )
    assert hypotheses(runs["odd-skipped"].output)[5][0].text == ""
    assert len(hypotheses(runs["long-cut"].output)) == 2
    assert "error: nothing is left of train: sentence" in runs["few-tokens"].error
    assert "error: nothing is left of valid: sentence" in runs["no-tokens-valid"].error
    assert re.search("sentence [0-9]+ of valid has .* and --max-tokens is 5", runs["few-tokens-valid"].error)


def test_limits_that_come_later_are_checked_before_anything_is_written(runs, work):
    assert (
        "error: --optimizer adamw with --lr-scheduler tri_stage: phase ratios must add up to 1"
        in runs["bad-rate"].error
    )
    error = runs["later-folder"].error
    assert re.search(r"long: train mt\.zh-kk: sentence 6 has [0-9]+ and [0-9]+ pieces, but the limits are 40 ", error)
    assert not list((work / "model.late").glob("[!.]*"))


def test_input_that_cannot_be_read_is_named(runs):
    assert "error: line 3 of the input is not UTF-8" in runs["bad-byte"].error
    assert len(printed(runs["bad-byte"].output, "D")) == 2
    assert "none: there is no such file" in runs["no-input"].error


@pytest.mark.parametrize("name", ["generate", "typed", "restored", "once", "again", "finetuned"])
def test_a_dictionary_in_another_order_is_refused_wherever_a_checkpoint_meets_data(runs, work, name):
    assert "the order differs from id 4 on" in runs["other-" + name].error
    assert not (work / "model.no").exists() or not list((work / "model.no").glob("[!.]*"))


def test_a_training_that_cannot_start_leaves_the_folder_as_it_is(runs, work):
    assert runs["other-again"].code != 0
    assert (work / "model" / "dict.txt").read_bytes() == (work / "data" / "dict.txt").read_bytes()


def test_data_in_parts_is_joined(runs):
    def examples(name, split):
        return re.findall(f"{split} zh-kk: ([0-9]+) examples", runs[name].output)

    assert examples("train", "train") == ["30"] and examples("train", "valid") == ["5"]
    assert examples("combined", "valid") == ["10"] and examples("part", "train1") == ["10"]
    assert "leave --valid-subset out" in runs["combined-wrong"].error


def test_the_pace_is_told_after_a_few_updates(runs):
    [line] = re.findall("pace: .*", runs["progress"].output)
    assert re.fullmatch(r"pace: \S+ s an update, .* for the [0-9] to come", line)


@pytest.mark.parametrize("name", ORDERS)
def test_a_schedule_goes_on_as_if_nothing_had_been(runs, name):
    def rates(part):
        assert runs[part].code == 0, runs[part].output[-2000:]
        found = re.findall(r"train_inner.*num_updates=([0-9]+), lr=([^,]+)", runs[part].output)
        return {int(update): rate for update, rate in found}

    whole, first, then = (rates(f"{name}.{part}") for part in ("whole", "first", "then"))
    assert {**first, **then} == whole and set(first) and not set(first) & set(then)
    if name != "fixed":
        assert len(set(whole.values())) > 1


def test_a_schedule_that_cannot_go_on_is_refused_by_name(runs, work):
    assert "--force-anneal with --lr-scheduler polynomial_decay: " in runs["annealed"].error
    assert "error: --optimizer adamw with --lr-scheduler pass_through: Pass-through " in runs["passed"].error
    assert not list((work / "model.late").glob("[!.]*"))


def test_early_stopping_comes_when_it_would_have_come(runs):
    def ends(part):
        assert runs["patience." + part].code == 0, runs["patience." + part].output[-2000:]
        return re.findall(r"end of epoch ([0-9]+)", runs["patience." + part].output)

    assert ends("whole") == ["1", "2", "3"]
    assert (ends("first"), ends("then"), ends("again")) == (["1", "2"], ["3"], [])
    assert "a higher --patience goes on" in runs["patience.again"].output


# ---------------------------------------------------------------------- the table

OURS = "swcm_fairseq.tasks.flags"  # refused or warned of there
DATA = "tests/unit/data/test_data_bin.py"
# Option by option: the case above that is run with it and works, or where else it is tried.
TABLE = {
    "DatasetConfig": {
        "num_workers": "plain",
        "skip_invalid_size_inputs_valid_test": "odd-skipped",
        "max_tokens": "train",
        "batch_size": "part",
        "required_batch_size_multiple": "everything",
        "required_seq_len_multiple": "everything",
        "dataset_impl": DATA,
        "data_buffer_size": "everything",
        "train_subset": "part",
        "valid_subset": "everything",
        "combine_valid_subsets": "combined",
        "ignore_unused_valid_subsets": "train",
        "validate_interval": "everything",
        "validate_interval_updates": "everything",
        "validate_after_updates": "everything",
        "fixed_validation_seed": "everything",
        "disable_validation": "unvalidated",
        "max_tokens_valid": "few-tokens-valid",
        "batch_size_valid": "everything",
        "max_valid_steps": "everything",
        "curriculum": "everything",
        "gen_subset": "odd-cut",
        "num_shards": "shard-0",
        "shard_id": "shard-1",
        "grouped_shuffling": "shuffled",
        "update_epoch_batch_itr": "everything",
        "update_ordered_indices_seed": "shuffled",
    },
    "TranslationConfig": {
        "data": "train",
        "source_lang": "plain",
        "target_lang": "plain",
        "max_source_positions": "tests/unit/tasks/test_swcm_finetuning.py",
        "max_target_positions": "odd-cut",
        "truncate_source": "long-cut",
        "train_subset": "part",
        "dataset_impl": DATA,
        "required_seq_len_multiple": "everything",
    },
    "GenerationConfig": {
        "beam": "plain",
        "nbest": "diverse",
        "max_len_a": "twice",
        "max_len_b": "twice",
        "min_len": "twice",
        "match_source_len": "match",
        "unnormalized": "others",
        "lenpen": "others",
        "unkpen": "others",
        "sacrebleu": "sacrebleu",
        "score_reference": "hard-scored",
        "prefix_size": "prefix",
        "no_repeat_ngram_size": "ngram",
        "sampling": "sampling",
        "sampling_topk": "sampling",
        "sampling_topp": "topp",
        "constraints": "constraints",
        "temperature": "others",
        "diverse_beam_groups": "diverse",
        "diverse_beam_strength": "diverse",
        "diversity_rate": "siblings",
        "print_alignment": "soft",
        "lm_path": "tests/unit/tasks/test_base.py",
        "lm_weight": "tests/unit/tasks/test_base.py",
        "retain_dropout": "dropout",
        "retain_dropout_modules": "dropout",
        "no_seed_provided": "fairseq sets it itself",
    },
    "CheckpointConfig": {
        "save_dir": "train",
        "restore_file": "from",
        "continue_once": "once",
        "finetune_from_model": "fine",
        "reset_dataloader": "from",
        "reset_lr_scheduler": "from",
        "reset_meters": "from",
        "reset_optimizer": "from",
        "optimizer_overrides": "from",
        "save_interval": "everything",
        "save_interval_updates": "everything",
        "keep_interval_updates": "everything",
        "keep_interval_updates_pattern": "everything",
        "keep_last_epochs": "everything",
        "keep_best_checkpoints": "everything",
        "no_save": "once",
        "no_epoch_checkpoints": "train",
        "no_last_checkpoints": "from",
        "no_save_optimizer_state": "everything",
        "best_checkpoint_metric": "everything",
        "maximize_best_checkpoint_metric": "everything",
        "patience": "everything",
        "checkpoint_suffix": "everything",
        "checkpoint_shard_count": "fairseq's model parallelism alone",
        "load_checkpoint_on_all_dp_ranks": "everything",
        "write_checkpoints_asynchronously": "async",
        "model_parallel_size": "fairseq's model parallelism alone",
    },
    "CommonEvalConfig": {
        "path": "plain",
        "post_process": "remove-bpe",
        "quiet": "others",
        "model_overrides": "overrides",
        "results_path": "others",
    },
    "InteractiveConfig": {"buffer_size": "bad-byte", "input": "no-input"},
}
GROUP = {"GenerationConfig": "generation", "DatasetConfig": "dataset"}
WITHOUT = [tables.REFUSED, tables.WARNED]


@pytest.mark.parametrize("kind", [*TABLE])
def test_the_table_has_every_option_and_names_a_case_that_gives_it(kind):
    config = TranslationConfig if kind == "TranslationConfig" else getattr(configs, kind)
    missing = []
    for field in dataclasses.fields(config):
        flag = field.metadata.get("argparse_alias") or "--" + field.name.replace("_", "-")
        if field.name == "_name" or any(field.name in table.get(GROUP.get(kind), {}) for table in WITHOUT):
            continue
        if kind == "TranslationConfig" and "--" + field.name.replace("_", "-") in tables.OF_TRANSLATION:
            continue
        case = TABLE[kind].get(field.name)
        if case is None:
            missing.append(flag)
        elif case in CASES or case == "train":
            command, flags, _ = CASES.get(case, ("train", "--save-dir", ""))
            given = {"train": TRAIN, "validate": VALIDATE}.get(command, DECODE) + " " + flags
            names = {flag, "--" + field.name.replace("_", "-"), "{" + field.name + "}"}
            names |= {name for name, value in ALIASES.items() if value == field.name}
            assert names & set(given.split()), (flag, case, given)
    assert not missing


ALIASES = {"--scoring": "sacrebleu", "--remove-bpe": "post_process"}


@pytest.mark.parametrize("name", ["everything", "from", "once", "fine", "unvalidated"])
def test_trainings_with_them_work(runs, name):
    assert runs[name].code == 0, runs[name].output[-2000:]


def test_checkpoints_are_written_in_the_background_where_fairseq_can_or_it_is_said(runs):
    if importlib.util.find_spec("iopath"):
        assert runs["async"].code == 0, runs["async"].output[-2000:]
    else:
        assert "needs iopath: pip install iopath" in runs["async"].error


def generation(work, *flags, parser="get_generation_parser"):
    """The task of a decoding command with ``flags``."""
    arguments = "{} --task swcm_finetuning -s zh -t kk --path x --cpu".format(work / "data").split()
    made = getattr(options, parser)(default_task="swcm_finetuning")
    args = options.parse_args_and_arch(made, [*arguments, *flags])
    return tasks.setup_task(convert_namespace_to_omegaconf(args).task)


_VALUES = {"iter_decode_eos_penalty": "1", "decoding_format": "bs", "eos_token": "x", "replace_unk": "x"}


def given(group, name):
    """The flag of a group's field with some value that is not its default; None where this fairseq has no such flag."""
    fields = {one.name: one for one in dataclasses.fields({"generation": configs.GenerationConfig}[group])}
    if name not in fields:
        return None
    flag = fields[name].metadata.get("argparse_alias") or "--" + name.replace("_", "-")
    return [flag] if fields[name].default is False else [flag, _VALUES.get(name, "7")]


@pytest.mark.parametrize("name", sorted(tables.REFUSED["generation"]))
def test_what_cannot_be_followed_is_refused_with_a_reason(work, name):
    flags = given("generation", name)
    if flags is not None:
        with pytest.raises(SwcmError, match=f"^{flags[0]} (is for|replaces)"):
            generation(work, *flags)


def test_what_changes_nothing_is_warned_of(work, caplog):
    generation(work, "--no-early-stop", "--no-beamable-mm")
    assert "--no-early-stop does nothing" in caplog.text and "--no-beamable-mm does nothing" in caplog.text


@pytest.mark.parametrize(
    "flags, words",
    [
        ("--score-reference", "--score-reference wants references: use fairseq-generate"),
        ("--prefix-size 2", "--prefix-size takes the start of references"),
        ("--print-alignment soft", "fairseq-interactive prints hard ones"),
        ("--num-shards 2", "--num-shards parts data"),
    ],
)
def test_what_fairseq_interactive_cannot_do_is_refused_there(work, flags, words):
    task = generation(work, *flags.split(), parser="get_interactive_generation_parser")
    with pytest.raises(SwcmError, match=words):
        task.build_dataset_for_inference([], [])


def test_constraints_are_refused_where_there_is_nowhere_to_give_them(work):
    with pytest.raises(SwcmError, match="use fairseq-interactive --constraints"):
        generation(work, "--constraints").load_dataset("test")


@pytest.mark.parametrize(
    "flags, words",
    [
        ("--sampling --diverse-beam-groups 2", "--sampling and --diverse-beam-groups are different ways"),
        ("--constraints --match-source-len", "--match-source-len and --constraints are different ways"),
        ("--beam 5 --diverse-beam-groups 2", "--diverse-beam-groups 2 does not divide --beam 5"),
        ("--sampling-topk 3", "--sampling-topk goes with --sampling"),
        ("--beam 2 --nbest 3", "a --beam of 2 finds no more"),
        ("--score-reference --print-alignment soft", "leave soft out"),
    ],
)
def test_flags_that_exclude_each_other_are_named(work, flags, words):
    made = options.get_generation_parser(default_task="swcm_finetuning")
    arguments = "{} --task swcm_finetuning -s zh -t kk --path x".format(work / "data").split()
    args = options.parse_args_and_arch(made, [*arguments, *flags.split()])
    with pytest.raises(SwcmError, match=words):
        check_search(convert_namespace_to_omegaconf(args).generation)


@pytest.mark.parametrize("flag", sorted(tables.OF_TRANSLATION))
def test_flags_of_fairseqs_translation_say_what_to_use(work, flag, capsys):
    made = options.get_training_parser(default_task="swcm_finetuning")
    with pytest.raises(SystemExit) as ended:
        options.parse_args_and_arch(made, f"{work} --task swcm_finetuning --arch xlm_swcm {flag} 1".split())
    assert ended.value.code == 2
    assert f"error: {flag}: {tables.OF_TRANSLATION[flag]}" in capsys.readouterr().err
