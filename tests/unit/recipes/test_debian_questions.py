"""Questions made by rule: one answer each, and it stands where it is said to stand."""

import collections
import json

from swcm_preprocess.readers import FORMATS
from swcm_preprocess.text_lines import Problems

import pytest

from recipes.data.debian_questions import RULES, on_description
from swcm_fairseq.languages import language

TEXTS = {
    "en": ("foo-dev", "Foo-dev is a small mail reader. It is fast. This package contains the header files.",
           {"What does the package foo-dev contain?": "the header files", "What is Foo-dev?": "a small mail reader"}),
    "de": ("foo", "Foo ist ein Mailprogramm. Dieses Paket enthält die Bibliothek.",
           {"Was enthält das Paket foo?": "die Bibliothek", "Was ist Foo?": "ein Mailprogramm"}),
    "fr": ("foo", "foo est un lecteur de courriel. Ce paquet fournit l'interface.",
           {"Que fournit le paquet foo ?": "l'interface", "Qu'est-ce que foo ?": "un lecteur de courriel"}),
    "it": ("foo", "foo è un lettore di posta. Questo pacchetto contiene la libreria.",
           {"Che cosa contiene il pacchetto foo?": "la libreria", "Che cos'è foo?": "un lettore di posta"}),
    "es": ("foo", "foo es un lector de correo. Este paquete contiene la biblioteca.",
           {"¿Qué contiene el paquete foo?": "la biblioteca", "¿Qué es foo?": "un lector de correo"}),
    "pt": ("foo", "foo é um leitor de correio. Este pacote fornece a biblioteca.",
           {"O que o pacote foo fornece?": "a biblioteca", "O que é foo?": "um leitor de correio"}),
    "ru": ("foo", "foo — это почтовая программа. Данный пакет содержит библиотеку.",
           {"Что содержит пакет foo?": "библиотеку", "Что такое foo?": "почтовая программа"}),
    "uk": ("foo", "foo — це поштова програма. У цьому пакунку міститься бібліотека.",
           {"Що міститься у пакунку foo?": "бібліотека", "Що таке foo?": "поштова програма"}),
    "pl": ("foo", "foo to program pocztowy. Ten pakiet zawiera bibliotekę.",
           {"Co zawiera pakiet foo?": "bibliotekę", "Co to jest foo?": "program pocztowy"}),
    "zh": ("foo", "foo 是一个邮件程序。本软件包包含共享库。",
           {"软件包 foo 包含什么？": "共享库", "foo 是什么？": "邮件程序"}),
}  # fmt: skip


def test_every_language_has_a_text_here_and_is_known():
    assert set(TEXTS) == set(RULES) and all(language(code) for code in RULES)


@pytest.mark.parametrize("code", sorted(TEXTS))
def test_questions_on_a_description(code):
    package, text, expected = TEXTS[code]
    questions = on_description(RULES[code], package, text)
    assert {question.text: question.answer for question in questions} == expected
    assert all(text[question.start :].startswith(question.answer) for question in questions)


@pytest.mark.parametrize(
    "text",
    [
        "This package contains the files. This package contains the other files.",  # two answers
        "This package contains: one.",
        "This package contains " + "very " * 30 + "much.",
        "This package contains a.",
        "The files come with it. This package contains the files. See also the files.",  # the words stand thrice
        "Bar is a mail reader.",  # not what the package is called
        "It is a mail reader.",
        "foo was a mail reader.",
    ],
)
def test_what_has_no_one_answer_is_not_asked(text):
    assert on_description(RULES["en"], "foo", text) == []


@pytest.fixture
def descriptions(tmp_path):
    """A folder as recipes/data/debian_descriptions.sh makes it."""
    folder = tmp_path / "descriptions" / "en"
    folder.mkdir(parents=True)
    for split, count in (("train", 23), ("valid", 4), ("test", 9)):
        names = [f"{split}{number}-tool" for number in range(count)]
        texts = [f"{name} is a tool of {name}s. This package provides the {name} program." for name in names]
        summaries = [f"help with number {number} in {split}" for number in range(count)]
        summaries[3] = summaries[2]  # a list with both would have two answers
        for ending, lines in (("packages", names), ("text-summary.text", texts), ("text-summary.summary", summaries)):
            (folder / f"{split}.{ending}").write_text("".join(line + "\n" for line in lines), "utf-8")
    return tmp_path / "descriptions"


def test_the_recipe_writes_squad_with_exact_answers_split_by_package(descriptions, run, repo, tmp_path):
    command = ["bash", repo / "recipes/data/debian_questions.sh", tmp_path / "the questions"]
    run(command, env={"DESCRIPTIONS": descriptions})
    counts = json.loads((tmp_path / "the questions/counts.json").read_text(encoding="utf-8"))["en"]
    names = set()
    for split in ("train", "valid", "test"):
        path = tmp_path / "the questions" / "en" / (split + ".json")
        data = json.loads(path.read_text(encoding="utf-8"))["data"]
        kinds, ids = collections.Counter(), set()
        for article in data:
            for paragraph in article["paragraphs"]:
                assert split in paragraph["context"]
                assert not any(other in paragraph["context"] for other in {"train", "valid", "test"} - {split})
                for question in paragraph["qas"]:
                    (answer,) = question["answers"]
                    start, text = answer["answer_start"], answer["text"]
                    assert paragraph["context"][start : start + len(text)] == text
                    assert paragraph["context"].count(text) == 1
                    kinds[question["id"].split("-")[1]] += 1
                    ids.add(question["id"])
        assert dict(kinds) == counts[split]["kinds"] and sum(kinds.values()) == counts[split]["questions"] == len(ids)
        assert not names & ids
        names |= ids
        problems = Problems()
        records = list(FORMATS["squad"](str(path), problems))
        assert len(records) == len(ids) and not problems.number
        assert all(record["answer"] in record["context"] for record in records)
    assert counts["train"]["kinds"]["list"] in (12, 14)  # seven lists of three, or six where the twins met
    assert "there already" in run(command, env={"DESCRIPTIONS": descriptions}).stdout


def test_one_seed_is_one_data_set(descriptions, run, repo, tmp_path):
    for name in "ab":
        run(["bash", repo / "recipes/data/debian_questions.sh", tmp_path / name], env={"DESCRIPTIONS": descriptions})
    first, second = ((tmp_path / name / "en/train.json").read_bytes() for name in "ab")
    assert first == second


def test_a_language_without_rules(descriptions, run, repo, tmp_path):
    env = {"DESCRIPTIONS": descriptions, "QUESTION_LANGS": "en xx"}
    done = run(["bash", repo / "recipes/data/debian_questions.sh", tmp_path / "q"], check=False, env=env)
    assert done.returncode == 1 and "no questions for xx; there are for de en" in done.stderr
    assert not (tmp_path / "q").exists()
