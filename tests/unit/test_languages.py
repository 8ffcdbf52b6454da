import json
import subprocess
import sys

import pytest

from swcm_fairseq import languages
from swcm_fairseq.errors import SwcmError
from swcm_fairseq.languages import all_codes, code_of, language, register_language, tag_of

WANTED = """bo ug kk kk_Arab kk_Cyrl mn mn_Mong mn_Cyrl zh dz en ru uk de it pl eu gl ml
    km ka am si cy ne zu gn gug tg uz or tr ky"""


@pytest.fixture(autouse=True)
def own_table(monkeypatch):
    monkeypatch.setattr(languages, "_LANGUAGES", dict(languages._LANGUAGES))
    monkeypatch.setattr(languages, "_files_read", set())
    monkeypatch.delenv(languages.ENVIRONMENT_VARIABLE, raising=False)


def test_the_languages_of_the_recipes_are_known():
    assert set(WANTED.split()) <= set(all_codes())


@pytest.mark.parametrize(
    "code, scripts, units",
    [
        ("bo", ("Tibetan",), "syllables"),
        ("dz", ("Tibetan",), "syllables"),
        ("zh", ("Han",), "characters"),
        ("kk_Arab", ("Arabic",), "words"),
        ("kk_Cyrl", ("Cyrillic",), "words"),
        ("mn_Mong", ("Mongolian",), "words"),
        ("ug", ("Arabic",), "words"),
    ],
)
def test_scripts_and_units(code, scripts, units):
    assert language(code).scripts == scripts
    assert language(code).units == units


def test_a_plain_code_accepts_what_its_script_codes_accept():
    for plain in ("kk", "mn"):
        with_script = [language(code).scripts[0] for code in all_codes() if code.startswith(plain + "_")]
        assert len(with_script) == 2
        assert set(with_script) == set(language(plain).scripts)


def test_tags_and_codes_are_each_others_inverse():
    assert tag_of("kk") == "[kk]"
    assert [code_of(tag_of(code)) for code in all_codes()] == all_codes()


@pytest.mark.parametrize("tag", ["kk", "[kk", "[]", "", "<kk>"])
def test_what_is_no_tag_is_refused(tag):
    with pytest.raises(SwcmError, match="no language tag"):
        code_of(tag)


def test_an_unknown_code_names_its_neighbours_and_the_way_out():
    with pytest.raises(SwcmError) as caught:
        tag_of("kk_Arabic")
    for part in ("'kk_Arabic'", "kk_Arab", "register_language", "SWCM_LANGUAGES"):
        assert part in str(caught.value)


def test_a_registered_language_is_known():
    register_language("bxr", "Buryat", ["Cyrillic"])
    assert tag_of("bxr") == "[bxr]"
    assert language("bxr").units == "words"
    register_language("bxr", "Buryat", ["Cyrillic"])  # again is no error
    with pytest.raises(SwcmError, match="taken by Buryat"):
        register_language("bxr", "Something else", ["Latin"])


def test_every_fault_of_an_entry_is_named_at_once():
    with pytest.raises(SwcmError) as caught:
        register_language("zh-kk", "A pair", [], "sentences")
    assert len(caught.value.problems) == 3
    assert "zh-kk" not in all_codes()


def test_the_environment_names_a_file_of_more_languages(tmp_path, monkeypatch):
    path = tmp_path / "more languages.json"
    path.write_text(json.dumps({"bxr": {"name": "Buryat", "scripts": ["Cyrillic"]}}), encoding="utf-8")
    monkeypatch.setenv(languages.ENVIRONMENT_VARIABLE, str(path))
    assert language("bxr") == ("bxr", "Buryat", ("Cyrillic",), "words")


@pytest.mark.parametrize("content", ["", "[1]", '{"bxr": {"scripts": ["Cyrillic"]}}', '{"bxr": 1}'])
def test_a_bad_file_of_languages_is_one_clear_error(tmp_path, monkeypatch, content):
    path = tmp_path / "bad.json"
    path.write_text(content, encoding="utf-8")
    monkeypatch.setenv(languages.ENVIRONMENT_VARIABLE, str(path))
    with pytest.raises(SwcmError, match="bad.json"):
        language("kk")


def test_the_module_itself_needs_no_torch():
    # Asked in a fresh interpreter, with the packages' own __init__ files left out: they may register models.
    script = (
        "import importlib.util, sys, types\n"
        "for name in ('swcm_fairseq',):\n"
        "    package = types.ModuleType(name)\n"
        "    package.__path__ = [sys.argv[1] + '/' + name.replace('.', '/')]\n"
        "    sys.modules[name] = package\n"
        "import swcm_fairseq.languages\n"
        "sys.exit('torch' in sys.modules or 'fairseq' in sys.modules)\n"
    )
    root = languages.__file__.rsplit("/swcm_fairseq/", 1)[0]
    subprocess.run([sys.executable, "-c", script, root], check=True)
