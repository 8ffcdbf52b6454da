from types import SimpleNamespace

import pytest

from swcm_fairseq.data.mixture import MixtureDataset
from swcm_fairseq.data.pairs import PairDataset
from swcm_fairseq.errors import SwcmError
from swcm_fairseq.tasks.swcm_finetuning import pairs_of
from tests.support.tiny_encoder import sentencepiece_pieces, train_sentencepiece
from tests.support.toy import toy_dictionary, toy_task, write_data_bin

DICTIONARY = toy_dictionary()


def flags(**given):
    names = ("lang_pairs", "source_lang", "target_lang", "target_tag")
    return SimpleNamespace(**{**dict.fromkeys(names), "data": "somewhere", **given})


@pytest.mark.parametrize(
    "given, expected",
    [
        ({"lang_pairs": "zh-kk"}, [("zh", "kk", "kk")]),
        ({"lang_pairs": "zh-kk, zh-mn,"}, [("zh", "kk", "kk"), ("zh", "mn", "mn")]),
        ({"source_lang": "zh", "target_lang": "kk"}, [("zh", "kk", "kk")]),
        # A summary is in the language of its text, and the files are called otherwise.
        ({"source_lang": "text", "target_lang": "summary", "target_tag": "bo"}, [("text", "summary", "bo")]),
        ({"lang_pairs": "text-summary", "target_tag": "bo"}, [("text", "summary", "bo")]),
        # Raw input needs no source.
        ({"target_lang": "kk"}, [("kk", "kk", "kk")]),
        ({"target_tag": "kk"}, [("kk", "kk", "kk")]),
    ],
)
def test_pairs(given, expected):
    assert pairs_of(flags(**given)) == expected


@pytest.mark.parametrize(
    "given, words",
    [
        ({}, ["name the languages", "--lang-pairs"]),
        ({"source_lang": "zh"}, ["name the languages"]),
        ({"data": ""}, ["give the data folder"]),
        (
            {"lang_pairs": "zh-kk,zh,zh-kk", "target_lang": "kk"},
            ["'zh' is not SOURCE-TARGET", "zh-kk is named twice", "--source-lang and --target-lang name one pair"],
        ),
        ({"lang_pairs": "zh-kk,zh-mn", "target_tag": "kk"}, ["--target-tag kk goes with one pair"]),
        (
            {"lang_pairs": "zh-qqq,zh-kk,zh-rrr"},
            ["zh-qqq: unknown language", "zh-rrr: unknown language", "--target-tag"],
        ),
    ],
)
def test_flags_that_name_no_pairs_are_refused_with_all_that_is_wrong(given, words):
    with pytest.raises(SwcmError) as caught:
        pairs_of(flags(**given))
    for word in words:
        assert word in str(caught.value)


@pytest.fixture
def folders(tmp_path):
    def sides(lines):
        return {
            f"{split}.zh-{t}.{side}": lines for split in ("train", "valid") for t in ("kk", "mn") for side in ("zh", t)
        }

    return [
        write_data_bin(tmp_path / "one", DICTIONARY, sides(["a b", "c"])),
        write_data_bin(tmp_path / "two", DICTIONARY, sides(["d e f", "g", "h"])),
    ]


def test_one_pair_is_a_plain_dataset_and_several_are_a_mixture(folders):
    one = toy_task(folders[0], DICTIONARY, source_lang="zh", target_lang="mn")
    one.load_dataset("train")
    assert isinstance(one.dataset("train"), PairDataset)
    assert one.loss_groups == ["mt.zh-mn"]
    assert one.dataset("train")[0].tag == DICTIONARY.index("[mn]")

    several = toy_task(folders[0], DICTIONARY, lang_pairs="zh-kk,zh-mn")
    several.load_dataset("valid")
    assert isinstance(several.dataset("valid"), MixtureDataset)
    assert several.loss_groups == ["mt.zh-kk", "mt.zh-mn"]
    examples = [several.dataset("valid")[index] for index in range(4)]
    assert [example.group for example in examples] == [0, 0, 1, 1]
    assert [DICTIONARY.symbols[example.tag] for example in examples] == ["[kk]", "[kk]", "[mn]", "[mn]"]


def test_training_is_sampled_by_alpha_and_validation_is_not(tmp_path):
    lines = {"kk": ["a"] * 12, "mn": ["b"] * 2}
    sides = {f"{split}.zh-{t}.{side}": lines[t] for split in ("train", "valid") for t in lines for side in ("zh", t)}
    task = toy_task(
        write_data_bin(tmp_path, DICTIONARY, sides), DICTIONARY, lang_pairs="zh-kk,zh-mn", sampling_alpha=0.0
    )
    for split, expected in (("train", [7, 7]), ("valid", [12, 2])):
        task.load_dataset(split)
        groups = [example.group for example in task.dataset(split)]
        assert [groups.count(0), groups.count(1)] == expected


def test_epochs_go_through_the_folders_in_turn(folders):
    task = toy_task(folders[0], DICTIONARY, source_lang="zh", target_lang="kk", data=":".join(folders))
    lengths = []
    for epoch in (1, 2, 3):
        task.load_dataset("train", epoch=epoch)
        lengths.append(len(task.dataset("train")))
    assert lengths == [2, 3, 2]


@pytest.fixture
def spoilt(tmp_path):
    """A task whose data lacks a pair, and has one with sides of different length, in training and validation."""
    dictionary = toy_dictionary(languages=["zh", "kk", "mn", "ug", "bo"])
    sides = {}
    for split in ("train", "valid"):
        sides.update({f"{split}.zh-{t}.{side}": ["a"] for t in ("kk", "mn") for side in ("zh", t)})
        sides[f"{split}.zh-mn.mn"] = ["a", "b"]
    folder = write_data_bin(tmp_path, dictionary, sides)
    return toy_task(folder, dictionary, lang_pairs="zh-kk,zh-ug,zh-mn")


def test_all_that_is_wrong_with_the_data_is_named_at_once(spoilt):
    with pytest.raises(SwcmError) as caught:
        spoilt.load_dataset("train")
    assert len(caught.value.problems) == 2
    assert "has no train.zh-ug" in caught.value.problems[0]
    assert "train.zh-mn.zh has 1 lines" in caught.value.problems[1]


def test_a_run_checks_all_it_will_need_before_it_begins(spoilt):
    def problems(**splits):
        with pytest.raises(SwcmError) as caught:
            spoilt.check_data(SimpleNamespace(combines_valid=False, **splits))
        return caught.value.problems

    assert len(problems(train_split="train", valid_splits=["valid"])) == 4
    assert len(problems(train_split="train", valid_splits=[])) == 2
    assert len(problems(train_split="train", valid_splits=["valid", "other"])) == 7


def test_long_sources_are_cut_only_when_asked(folders):
    for truncate, length in ((False, 5), (True, 4)):
        task = toy_task(
            folders[1],
            DICTIONARY,
            source_lang="zh",
            target_lang="kk",
            truncate_source=truncate,
            max_source_positions=4,
            max_target_positions=9,
        )
        task.load_dataset("train")
        assert len(task.dataset("train")[0].source) == length
        assert task.max_positions() == (4, 9)


def run_of(best="loss", maximize=False, valid_splits=("valid",)):
    """As much of a run as ``check_data`` looks at."""
    checkpoint = SimpleNamespace(best_checkpoint_metric=best, maximize_best_checkpoint_metric=maximize)
    root = SimpleNamespace(checkpoint=checkpoint, criterion=SimpleNamespace(_name="swcm_cross_entropy"))
    return SimpleNamespace(train_split="train", valid_splits=list(valid_splits), combines_valid=False, root=root)


def scored_task(folder, dictionary=DICTIONARY, **settings):
    return toy_task(folder, dictionary, lang_pairs="zh-kk,zh-mn", **settings)


def test_scores_need_the_sentencepiece_model_before_anything_is_trained(folders):
    scored_task(folders[0]).check_data(run_of())
    task = scored_task(folders[0], validation_scores="chrfpp")
    with pytest.raises(SwcmError) as caught:
        task.check_data(run_of())
    said = str(caught.value)
    assert "\n" not in said and "sentencepiece.bpe.model" in said and folders[0] in said
    # Nothing is decoded where nothing is validated.
    task.check_data(run_of(valid_splits=[]))


def test_scores_of_any_pair_may_choose_the_best_checkpoint(tmp_path):
    content = train_sentencepiece()
    dictionary = toy_dictionary(sentencepiece_pieces(content))
    sides = {f"{s}.zh-{t}.{x}": ["a"] for s in ("train", "valid") for t in ("kk", "mn") for x in ("zh", t)}
    folder = write_data_bin(tmp_path, dictionary, sides)
    (tmp_path / "sentencepiece.bpe.model").write_bytes(content)
    task = scored_task(folder, dictionary, validation_scores="chrfpp,rougeL")
    for name in ("chrfpp", "rougeL", "mt.zh-kk_chrfpp", "mt.zh-mn_rougeL"):
        task.check_data(run_of(name, maximize=True))
    for name in ("mt.zh-mn_ppl", "accuracy"):
        task.check_data(run_of(name))
    for name in ("bleu", "mt.zh-ug_chrfpp", "los"):
        with pytest.raises(SwcmError, match="--best-checkpoint-metric " + name):
            task.check_data(run_of(name, maximize=True))


def test_unknown_scores_are_refused_when_the_task_is_set_up(folders):
    with pytest.raises(SwcmError, match="no score 'rouge'; there are: bleu"):
        scored_task(folders[0], validation_scores="rouge")


def test_validation_sets_alone_say_what_is_decoded(folders):
    task = scored_task(folders[1], validation_scores="chrfpp", validation_sentences=2)
    for split, keys in (("train", set()), ("valid", {"scored", "shown"})):
        task.load_dataset(split)
        dataset = task.dataset(split)
        batch = dataset.collater([dataset[index] for index in range(len(dataset))])
        assert {"scored", "shown"} & set(batch) == keys
    assert batch["scored"].tolist() == [True, True, False] * 2
