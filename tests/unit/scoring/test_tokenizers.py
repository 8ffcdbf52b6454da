"""Tokens worked out by hand for each script; on ASCII, rouge-score's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swcm_fairseq.languages import language
from swcm_fairseq.scoring.tokenizers import tokenizer_for

CASES = [
    # Tibetan: tsheg (both kinds), shad and space separate; vowel signs and digits stay.
    ("bo", "བཀྲ་ཤིས༌བདེ་ལེགས། ༢༠ abc", ["བཀྲ", "ཤིས", "བདེ", "ལེགས", "༢༠", "abc"], ["།"]),
    ("dz", "རྫོང་ཁ༎", ["རྫོང", "ཁ"], ["༎"]),
    # Tibetan against another script: two units even without a separator.
    ("bo", "ཀabcཁ", ["ཀ", "abc", "ཁ"], []),
    # Chinese: characters, also beyond the basic plane; Latin words and numbers whole.
    ("zh", "打开 File 12 个𠀀。", ["打", "开", "File", "12", "个", "𠀀"], ["。"]),
    ("ja", "カタカナとABC、漢", list("カタカナと") + ["ABC", "漢"], ["、"]),
    # Khmer: a consonant with its signs.
    ("km", "ភាសា ok។", ["ភា", "សា", "ok"], ["។"]),
    ("my", "မြန်", ["မြ", "န်"], []),
    # Words: Arabic-script and Cyrillic, with their own marks of punctuation.
    ("ug", "ئۇيغۇر تىلى، بار؟", ["ئۇيغۇر", "تىلى", "بار"], ["،", "؟"]),
    ("kk", "Қазақ «сөз» 3-бет", ["Қазақ", "сөз", "3", "бет"], ["«", "»", "-"]),
    ("kk_Arab", "قازاق ٴتىلى", ["قازاق", "ٴتىلى"], []),
    # Traditional Mongolian: the vowel separator and variation selectors are inside a word, U+202F before it.
    ("mn_Mong", "ᠮᠣᠩᠭᠣᠯ\u202fᠤᠨ ᠴᠢᠨ\u180eᠠ ᠪᠢᠴᠢᠭ\u180b᠃", ["ᠮᠣᠩᠭᠣᠯ", "ᠤᠨ", "ᠴᠢᠨ\u180eᠠ", "ᠪᠢᠴᠢᠭ\u180b"], ["᠃"]),
    # Vowel signs of Devanagari are marks, which the word class of most engines leaves out.
    ("hi", "हिन्दी भाषा।", ["हिन्दी", "भाषा"], ["।"]),
    # A Chinese answer to a Kazakh question counts character by character.
    ("kk", "сөз 中文", ["сөз", "中", "文"], []),
]


@pytest.mark.parametrize("code, text, tokens, marks", CASES)
def test_tokens_by_hand(code, text, tokens, marks):
    assert tokenizer_for(language(code))(text) == tokens
    with_marks = tokenizer_for(language(code), punctuation=True)(text)
    assert [token for token in with_marks if token not in marks] == tokens
    assert [token for token in with_marks if token in marks] == marks


def test_a_language_written_without_separators_brings_its_own_script(monkeypatch):
    from swcm_fairseq import languages

    monkeypatch.setattr(languages, "_LANGUAGES", dict(languages._LANGUAGES))
    javanese = languages.register_language("jv_Java", "Javanese in its own script", ["Javanese"], "characters")
    assert tokenizer_for(javanese)("ꦗꦮ ok") == ["ꦗ", "ꦮ", "ok"]
    assert tokenizer_for(language("kk"))("ꦗꦮ ok") == ["ꦗꦮ", "ok"]


@given(st.text(st.characters(min_codepoint=0, max_codepoint=127)), st.sampled_from(["kk", "bo", "zh", "en"]))
def test_ascii_is_split_as_rouge_score_does(text, code):
    from rouge_score.tokenize import tokenize

    assert tokenizer_for(language(code))(text.lower()) == tokenize(text, None)


@given(st.text(), st.sampled_from(["kk", "bo", "zh", "km"]))
def test_no_letter_is_lost_or_doubled(text, code):
    import unicodedata

    letters = [letter for letter in text if unicodedata.category(letter)[0] in "LN"]
    kept = [letter for token in tokenizer_for(language(code))(text) for letter in token]
    # The two sides may know different versions of Unicode: letters that Python does not know are not asked for.
    assert [letter for letter in kept if unicodedata.category(letter)[0] in "LN"] == letters
