"""Exact match and token F1, by hand and against SQuAD's definition."""

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swcm_fairseq.scoring import score


def answers(hypothesis, references, lang):
    found = score([hypothesis], [references], lang, ["exact_match", "token_f1"])
    return found["exact_match"], found["token_f1"]


@pytest.mark.parametrize(
    "lang, hypothesis, references, exact, f1",
    [
        ("kk", "Абай Құнанбайұлы.", ["абай құнанбайұлы"], 100, 100),
        # Two of two syllables, in a reference of three: F1 = 2 * 2 / 5.
        ("bo", "ལྷ་ས།", ["ལྷ་ས་གྲོང"], 0, 80),
        ("zh", "北京市", ["上海", "北京"], 0, 80),
        ("zh", "北京。", ["上海", "北京"], 100, 100),
        ("ug", "ئۈرۈمچى", ["قەشقەر"], 0, 0),
        ("en", "The Nile", ["nile"], 100, 100),
        ("de", "the Nile", ["nile"], 0, 200 / 3),
        # Neither has a token; they are held against each other as they stand.
        ("en", "%", ["%"], 100, 100),
        ("en", "%", ["$"], 0, 0),
        ("en", "the", ["the"], 100, 100),
        ("en", "", ["nile"], 0, 0),
        # The same token twice counts as often as the reference has it.
        ("en", "na na na", ["na"], 0, 50),
    ],
)
def test_by_hand(lang, hypothesis, references, exact, f1):
    assert answers(hypothesis, references, lang) == (pytest.approx(exact), pytest.approx(f1))


WORDS = st.lists(st.sampled_from(["the", "a", "Nile", "river", "in", "Egypt", "1999", "an"]), min_size=1, max_size=6)


@given(WORDS, WORDS)
def test_in_english_as_squad_defines_them(hypothesis, reference):
    def normal(words):
        text = "".join(letter for letter in " ".join(words).lower() if letter not in string.punctuation)
        return re.sub(r"\b(a|an|the)\b", " ", text).split()

    ours = answers(" ".join(hypothesis) + ".", [" ".join(reference)], "en")
    left, right = normal(hypothesis), normal(reference)
    if left and right:  # SQuAD takes an answer of articles alone for none
        common = sum((Counter(left) & Counter(right)).values())
        assert ours[0] == 100 * (left == right)
        assert ours[1] == pytest.approx(200 * common / (len(left) + len(right)))
