"""The shuffled references."""

import pytest

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.languages import language
from swcm_fairseq.scoring.baselines import first_sentences, first_words, shuffled


@pytest.mark.parametrize("count", [2, 3, 4, 7, 100])
def test_each_sentence_once_and_none_in_its_place(count):
    sentences = [f"sentence {number}" for number in range(count)]
    for seed in range(20):
        result = shuffled(sentences, seed)
        assert sorted(result) == sorted(sentences)
        assert all(there != here for there, here in zip(result, sentences))


def test_one_seed_is_one_order_and_the_list_given_is_left_alone():
    sentences = [str(number) for number in range(50)]
    assert shuffled(sentences) == shuffled(sentences)
    assert shuffled(sentences, 1) != shuffled(sentences, 2)
    assert sentences == [str(number) for number in range(50)]


def test_one_sentence_has_no_other_order():
    with pytest.raises(SwcmError, match="two sentences"):
        shuffled(["alone"])


@pytest.mark.parametrize(
    "text, first",
    [
        ("Reads PDF files. It is fast.", "Reads PDF files."),
        ('He said "go!" Then he went.', 'He said "go!"'),
        ("Version 2.5 of it\u2026 and more", "Version 2.5 of it\u2026"),
        ("一个程序。它很快。", "一个程序。"),
        ("他说：“走！”然后", "他说：“走！”"),
        ("བོད་ཡིག། གཉིས་པ།", "བོད་ཡིག།"),
        ("ئۇ كەلدى. مەن كەتتىم.", "ئۇ كەلدى."),
        ("បាន។ទៀត", "បាន។"),
        ("no end", "no end"),
        ("", ""),
    ],
)
def test_the_first_sentence(text, first):
    assert first_sentences([text]) == [first]


@pytest.mark.parametrize(
    "code, references, words",
    [
        ("en", [["a b"], ["a, b c."], ["a b c d e"]], ["It is 2", "Short one"]),
        ("en", [["..."], [""]], ["It", "Short"]),
        ("zh", [["中文"], ["中文，学"], ["书"]], ["It is", "Short one"]),
    ],
)
def test_first_words_are_as_many_as_a_reference_has(code, references, words):
    assert first_words(["It is 2, it is.", "Short one"], references, language(code)) == words


def test_first_words_in_a_script_without_spaces():
    assert first_words(["这个软件包（中文）"], [["三个字"]], language("zh")) == ["这 个 软"]
