"""Questions on Debian's package descriptions, in the form of SQuAD, by rules that leave one answer.

Takes the folder of recipes/data/debian_descriptions.sh and keeps its splits, so packages and their kin are on one side
only. Three kinds of questions, each answered by a span of the passage:

- ``contains``: of "This package contains the header files.", "What does the package foo-dev contain?";
- ``is``: of "Foo is a mail reader.", "What is Foo?", where Foo is the package's own name;
- ``list``: a passage of several packages with their synopses; how one is described, or which is described so.

A question whose rule matches two sentences of its passage is left out. Writes DIR/XX/{train,valid,test}.json (SQuAD's
nested form; ``id`` is KIND-LANGUAGE-NUMBER) and DIR/counts.json, where for each language and split
questions = the sum over kinds.
"""

import argparse
import collections
import json
import os
import random
import sys
from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple

from swcm_preprocess.text_lines import read_aligned

import regex

from swcm_fairseq.errors import SwcmError, run_command
from swcm_fairseq.files import atomic_folder, write_json
from swcm_fairseq.sentences import sentences

SPLITS = ("train", "valid", "test")
PAIR = "text-summary"
SHORTEST, LONGEST = 3, 100  # characters of an answer
LISTED = 3  # packages in a list


class Rules(NamedTuple):
    """What is asked in one language.

    ``contains`` are (beginning of a sentence, question); what follows the beginning is the answer. ``is_a`` is what
    stands between a name and what it is, with the beginning of the answer behind it; ``what_is`` its question. ``how``
    and ``which`` ask for a synopsis by the name, and for the name by the synopsis.
    """

    contains: Sequence[Tuple[str, str]]
    is_a: str
    what_is: str
    how: str
    which: str


RULES: Dict[str, Rules] = {
    "en": Rules(
        [("This package " + verb + "s ", "What does the package {} " + verb + "?") for verb in ("contain", "provide")]
        + [("This package includes ", "What does the package {} include?")],
        r" is (?=an? |the )",
        "What is {}?",
        "How is the package {} described?",
        'Which package is described as "{}"?',
    ),
    "de": Rules(
        [("Dieses Paket enthält ", "Was enthält das Paket {}?"), ("Dieses Paket bietet ", "Was bietet das Paket {}?")],
        r" ist (?=eine? |der |die |das )",
        "Was ist {}?",
        "Wie ist das Paket {} beschrieben?",
        "Welches Paket ist als „{}“ beschrieben?",
    ),
    "fr": Rules(
        [("Ce paquet contient ", "Que contient le paquet {} ?"), ("Ce paquet fournit ", "Que fournit le paquet {} ?")],
        r" est (?=une? |le |la |l['’])",
        "Qu'est-ce que {} ?",
        "Comment le paquet {} est-il décrit ?",
        "Quel paquet est décrit comme « {} » ?",
    ),
    "it": Rules(
        [
            ("Questo pacchetto contiene ", "Che cosa contiene il pacchetto {}?"),
            ("Questo pacchetto fornisce ", "Che cosa fornisce il pacchetto {}?"),
        ],
        r" è (?=un[oa]? |un['’]|il |lo |la |l['’])",
        "Che cos'è {}?",
        "Come è descritto il pacchetto {}?",
        "Quale pacchetto è descritto come «{}»?",
    ),
    "es": Rules(
        [
            ("Este paquete contiene ", "¿Qué contiene el paquete {}?"),
            ("Este paquete proporciona ", "¿Qué proporciona el paquete {}?"),
        ],
        r" es (?=una? |el |la )",
        "¿Qué es {}?",
        "¿Cómo se describe el paquete {}?",
        "¿Qué paquete se describe como «{}»?",
    ),
    "pt": Rules(
        [
            ("Este pacote contém ", "O que o pacote {} contém?"),
            ("Este pacote fornece ", "O que o pacote {} fornece?"),
        ],
        r" é (?=uma? |o |a )",
        "O que é {}?",
        "Como é descrito o pacote {}?",
        'Que pacote é descrito como "{}"?',
    ),
    "ru": Rules(
        [
            ("(?:Этот|Данный) пакет содержит ", "Что содержит пакет {}?"),
            ("(?:Этот|Данный) пакет предоставляет ", "Что предоставляет пакет {}?"),
        ],
        r" (?:[—–-]|--)(?: это)? ",
        "Что такое {}?",
        "Как описан пакет {}?",
        "Какой пакет описан так: «{}»?",
    ),
    "uk": Rules(
        [
            ("(?:Цей|Даний) пакунок містить ", "Що містить пакунок {}?"),
            ("(?:Цей|Даний) пакунок надає ", "Що надає пакунок {}?"),
            ("У цьому пакунку мі(?:ститься|стяться) ", "Що міститься у пакунку {}?"),
        ],
        r" (?:[—–-]|--)(?: це)? ",
        "Що таке {}?",
        "Як описано пакунок {}?",
        "Який пакунок описано так: «{}»?",
    ),
    "pl": Rules(
        [("(?:Ten|Niniejszy) pakiet zawiera ", "Co zawiera pakiet {}?")],
        r" to (?=\p{Ll})",
        "Co to jest {}?",
        "Jak opisany jest pakiet {}?",
        "Który pakiet jest opisany jako „{}”?",
    ),
    "zh": Rules(
        [
            ("(?:本|此|该|这个)(?:软件)?包包含了? ?", "软件包 {} 包含什么？"),
            ("(?:本|此|该|这个)(?:软件)?包提供了? ?", "软件包 {} 提供什么？"),
        ],
        r" ?是(?:一[个款种套])? ?",
        "{} 是什么？",
        "软件包 {} 的简介是什么？",
        "哪个软件包的简介是“{}”？",
    ),
}

_NO_LETTER = regex.compile(r"[^\p{L}\p{N}]+")


class Question(NamedTuple):
    """``answer`` begins at character ``start`` of its passage."""

    kind: str
    text: str
    answer: str
    start: int


def on_description(rules: Rules, package: str, text: str) -> List[Question]:
    """What can be asked about one description."""
    found = []
    spans = list(_spans(text))
    for beginning, question in rules.contains:
        matches = [
            (start + m.end(), sentence[m.end() :])
            for start, sentence in spans
            for m in [regex.match(beginning, sentence)]
            if m
        ]
        if len(matches) == 1:
            found.append(_answered("contains", question.format(package), *matches[0]))
    matches = []
    for start, sentence in spans:
        match = regex.match(r"([\p{L}\p{N}][^\s,;:()]*(?: [^\s,;:()]+)??)" + rules.is_a, sentence)
        if match and _same_name(match.group(1), package):
            matches.append((match.group(1), start + match.end(), sentence[match.end() :]))
    if len(matches) == 1:
        name, start, answer = matches[0]
        found.append(_answered("is", rules.what_is.format(name), start, answer))
    return [question for question in found if _sound(question, text)]


def _spans(text: str) -> Iterator[Tuple[int, str]]:
    """Where each sentence starts, and the sentence."""
    place = 0
    for sentence in sentences(text):
        place = text.index(sentence, place)
        yield place, sentence
        place += len(sentence)


def _answered(kind: str, text: str, start: int, rest: str) -> Question:
    return Question(kind, text, rest.rstrip(" .。!"), start)


def _same_name(name: str, package: str) -> bool:
    """Whether a text's name for something is the package's, but for case and punctuation."""
    return _NO_LETTER.sub("", name).lower() == _NO_LETTER.sub("", package).lower()


def _sound(question: Question, passage: str) -> bool:
    # A colon announces a list that the answer would lack; the same words twice are no one place.
    answer = question.answer
    assert passage[question.start :].startswith(answer)
    return SHORTEST <= len(answer) <= LONGEST and ":" not in answer and passage.count(answer) == 1


def on_list(rules: Rules, entries: Sequence[Tuple[str, str]], generator: random.Random) -> Tuple[str, List[Question]]:
    """A passage that lists packages with their synopses, and a question each way on two of them."""
    passage, places = "", []
    for package, synopsis in entries:
        places.append(len(passage))
        passage += "{}: {}. ".format(package, synopsis.rstrip(" ."))
    passage = passage.rstrip()
    asked = generator.sample(range(len(entries)), 2)
    (package, synopsis), start = entries[asked[0]], places[asked[0]]
    how = _answered("list", rules.how.format(package), start + len(package) + 2, synopsis)
    (package, synopsis), start = entries[asked[1]], places[asked[1]]
    which = Question("list", rules.which.format(synopsis.rstrip(" .")), package, start)
    return passage, [how, which]


def articles(
    rules: Rules, code: str, rows: Sequence[Tuple[str, str, str]], split: str
) -> Tuple[List[Dict], Dict[str, int]]:
    """SQuAD's ``data`` for (package, text, synopsis) of one language and split, and the questions of each kind."""
    counts: Dict[str, int] = collections.Counter()
    data = []

    def add(title: str, passage: str, questions: Sequence[Question]) -> None:
        qas = []
        for question in questions:
            counts[question.kind] += 1
            name = f"{split}-{question.kind}-{code}-{counts[question.kind]}"
            answer = {"text": question.answer, "answer_start": question.start}
            qas.append({"id": name, "question": question.text, "answers": [answer]})
        if qas:
            data.append({"title": title, "paragraphs": [{"context": passage, "qas": qas}]})

    for package, text, _ in rows:
        add(package, text, on_description(rules, package, text))
    generator = random.Random(f"{split}/{code}")
    shuffled = [(package, synopsis) for package, _, synopsis in rows]
    generator.shuffle(shuffled)
    for first in range(0, len(shuffled) - LISTED + 1, LISTED):
        entries = shuffled[first : first + LISTED]
        # Each name and each synopsis stands in one place, or the question has two answers.
        texts = [text for entry in entries for text in entry]
        whole = " ".join(texts)
        if all(whole.count(text.rstrip(" .")) == 1 for text in texts) and max(map(len, texts)) <= LONGEST:
            passage, questions = on_list(rules, entries, generator)
            add(" ".join(package for package, _ in entries), passage, questions)
    generator.shuffle(data)
    return data, counts


def main() -> int:
    """Ask about the descriptions that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--descriptions", required=True, metavar="DIR", help="of recipes/data/debian_descriptions.sh")
    parser.add_argument("--langs", nargs="+", required=True, metavar="XX", help="of " + " ".join(sorted(RULES)))
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--force", action="store_true", help="replace a finished output")
    options = parser.parse_args()
    unknown = [code for code in options.langs if code not in RULES]
    if unknown:
        raise SwcmError("no questions for {}; there are for {}".format(" ".join(unknown), " ".join(sorted(RULES))))
    with atomic_folder(options.out, options.force) as folder:
        report: Dict[str, Dict] = {}
        for code in options.langs:
            os.mkdir(os.path.join(folder, code))
            for split in SPLITS:
                prefix = os.path.join(options.descriptions, code, split)
                paths = [prefix + ".packages", prefix + f".{PAIR}.text", prefix + f".{PAIR}.summary"]
                data, counts = articles(RULES[code], code, list(read_aligned(paths)), split)
                numbers = {"packages_and_lists": len(data), "questions": sum(counts.values()), "kinds": dict(counts)}
                report.setdefault(code, {})[split] = numbers
                path = os.path.join(folder, code, split + ".json")
                with open(path, "w", encoding="utf-8", newline="\n") as stream:
                    json.dump({"version": "1.1", "data": data}, stream, ensure_ascii=False, indent=1)
                    stream.write("\n")
            print("{}: {}".format(code, ", ".join("{} {}".format(n["questions"], s) for s, n in report[code].items())))
        with open(os.path.join(folder, "counts.json"), "w", encoding="utf-8", newline="\n") as stream:
            write_json(stream, report)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
