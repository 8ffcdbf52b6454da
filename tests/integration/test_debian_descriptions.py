"""recipes/data/debian_descriptions.sh on lists made here, and (marked network) on Debian's own."""

import hashlib
import json
import shutil
import string
from random import Random

import pytest

from recipes.data.debian_descriptions import read_translations, stem

ANIMALS = "otter badger heron lynx marten stoat raven curlew plover bittern".split()


def words(count, letters, seed):
    """Words that no other seed gives."""
    random = Random(f"{letters}{seed}")
    return " ".join("".join(random.choice(letters) for _ in range(random.randint(3, 9))) for _ in range(count))


def english(number):
    """A synopsis and paragraphs that no other number's are near to."""
    first = f"{words(6, string.ascii_lowercase, number)}, {words(5, string.ascii_lowercase, -number - 1)}."
    return words(4, string.ascii_lowercase, 1000 + number), [first, words(3, string.ascii_lowercase, 2000 + number)]


def russian(number):
    letters = "абвгдежзиклмнопрстуфхцчшыэюя"
    return words(4, letters, number), [words(8, letters, 1000 + number) + "."]


def record(package, md5, field, summary, paragraphs):
    # Wrapped, as Debian's are.
    body = "\n .\n".join(" " + paragraph.replace(", ", ",\n ") for paragraph in paragraphs)
    return f"Package: {package}\nDescription-md5: {md5}\n{field}: {summary}\n{body}\n\n"


def md5_of(text):
    return hashlib.md5(text.encode("utf-8")).hexdigest()


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    folder = tmp_path_factory.mktemp("the lists")
    texts = {"en": "", "ru": ""}

    def add(package, en, ru=None):
        md5 = md5_of(package + en[0])
        texts["en"] += record(package, md5, "Description-en", *en)
        if ru:
            texts["ru"] += record(package, md5, "Description-ru", *ru)

    for number in range(60):
        # Packages of one family: by name (animal0, libanimal0-dev), and by a sentence in common.
        name = "{}{}x".format(ANIMALS[number % 10], "abcdef"[number // 10])
        add(name, english(number), russian(number))
        if number % 3 == 0:
            add(
                f"lib{name}-dev",
                ("headers, {}".format(words(3, "abcxyz", name)), [f"Files to build on {name}."]),
            )
        if number % 4 == 0:
            add(f"zz-{number}", ("more of {}".format(words(3, "uvwxyz", number)), english(number)[1][:1]))
    add("half-done", ("a tool", ["It does something or other."]), ("a tool", ["Он что-то делает."]))
    add("copied", ("a thing", ["It does nothing much."]), ("вещь", ["It does nothing much."]))
    add("latin", ("a latin thing", ["It does what it must."]), ("вещь вторая", ["It does what it must, in Latin."]))
    texts["ru"] += record("gone", "0" * 32, "Description-ru", "нет", ["Такого пакета больше нет."])
    for code, text in texts.items():
        (folder / ("Translation-" + code)).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture()
def recipe(run, repo, tmp_path, lists):
    def call(out="the out", check=True, **env):
        env = dict({"SWCM_DEBIAN_DIR": lists, "LANGS": "ru", "VALID": 5, "TEST": 10}, **env)
        command = ["bash", repo / "recipes/data/debian_descriptions.sh", out]
        return run(command, check=check, cwd=str(tmp_path), env=env)

    return call


def read(folder, code, part):
    """Package -> (text, summary)."""
    names = [part + end for end in (".packages", ".text-summary.text", ".text-summary.summary")]
    columns = [(folder / code / name).read_text(encoding="utf-8").splitlines() for name in names]
    assert len({len(column) for column in columns}) == 1
    return {package: (text, summary) for package, text, summary in zip(*columns)}


def test_families_stay_on_one_side_in_every_language(recipe, tmp_path):
    recipe()
    out = tmp_path / "the out"
    parts = {part: {code: read(out, code, part) for code in ("en", "ru")} for part in ("train", "valid", "test")}
    assert {part: len(found["ru"]) for part, found in parts.items()} == {"train": 45, "valid": 5, "test": 10}
    assert set(parts["test"]["en"]) == set(parts["test"]["ru"]), "the same packages in both languages"
    for part in ("valid", "test"):
        held_out = set(parts[part]["en"]) | set(parts[part]["ru"])
        for code in ("en", "ru"):
            train = parts["train"][code]
            assert not held_out & set(train)
            assert not {stem(name) for name in held_out} & {stem(name) for name in train}
            first = {text.split(".")[0] for text, _ in parts[part][code].values()}
            assert not first & {text.split(".")[0] for text, _ in train.values()}, "a sentence in common"
    # One of each family is tested: a package, its headers and its namesake would be one text thrice.
    assert not [name for name in parts["test"]["en"] if name.startswith(("lib", "zz-"))]
    # Everything else is there: the families are not lost from training.
    assert any(name.startswith("lib") for name in parts["train"]["en"])
    assert any(name.startswith("zz-") for name in parts["train"]["en"])


def test_texts_are_joined_by_what_they_translate(recipe, tmp_path):
    recipe()
    out = tmp_path / "the out"
    for part in ("train", "test"):
        texts = {code: read(out, code, part) for code in ("en", "ru")}
        for name, (text, summary) in texts["ru"].items():
            number = 10 * "abcdef".index(name[-2]) + ANIMALS.index(name[:-2])
            assert summary == russian(number)[0] and text == russian(number)[1][0], "unwrapped"
            assert texts["en"][name] == (" ".join(english(number)[1]), english(number)[0])


def test_what_is_left_out_is_counted(recipe, tmp_path, lists):
    done = recipe()
    counts = json.loads((tmp_path / "the out" / "counts.json").read_text())
    assert counts["ru"]["dropped"] == {"other_version": 1, "untranslated": 2, "wrong_script": 1}
    for code in ("en", "ru"):
        found = counts[code]
        assert found["read"] == sum(found[part] for part in ("train", "valid", "test", "left_out")) + sum(
            found["dropped"].values()
        )
    digest = hashlib.sha256((lists / "Translation-ru").read_bytes()).hexdigest()
    assert "Translation-ru unknown " + digest in (tmp_path / "the out" / "lists.txt").read_text()
    assert "note: the descriptions in ru are of Debian unknown, not 12.15" in done.stdout
    assert "there already" in recipe().stdout


def test_english_alone(recipe, tmp_path):
    recipe(LANGS="")
    out = tmp_path / "the out"
    assert [path.name for path in out.iterdir() if path.is_dir()] == ["en"]
    assert len(read(out, "en", "test")) == 10 and len(read(out, "en", "train")) > 50


def test_what_cannot_be_is_said(recipe, lists, tmp_path):
    done = recipe(check=False, LANGS="ru uk")
    assert done.returncode == 1 and "lacks Translation-uk" in done.stderr
    done = recipe(check=False, DEBIAN_MIRROR="http://example.org/debian")
    assert done.returncode == 2 and "plain http" in done.stderr
    done = recipe(check=False, TEST=1000)
    assert done.returncode == 1 and "not enough text to hold out" in done.stderr
    assert not (tmp_path / "the out").exists() and not list(tmp_path.glob(".descriptions*"))
    other = tmp_path / "other"
    shutil.copytree(str(lists), str(other))
    (other / "version").write_text("12.15\n")
    done = recipe(check=False, SWCM_DEBIAN_DIR=other)
    assert done.returncode == 1 and "but its sha256 is" in done.stderr
    (other / "version").unlink()
    (other / "Translation-ru").write_text("<html>moved</html>\n")
    done = recipe(check=False, SWCM_DEBIAN_DIR=other)
    assert done.returncode == 1 and "no descriptions" in done.stderr and "Traceback" not in done.stderr


def test_names_of_one_family():
    assert {stem(name) for name in ("foo", "libfoo2", "libfoo-dev", "foo-doc", "foo1.2", "foo2-utils-dbg")} == {"foo"}
    assert stem("lib2-dev") == "2-dev" and stem("python3-foo") != stem("python3-bar")


def test_chinese_lines_are_joined_without_a_space(tmp_path):
    text = record("a", "1", "Description-zh_CN", "浏览器", ["这是一个浏览,\n 器，用于 Linux\n 系统，\n 很快。"])
    (tmp_path / "list").write_text(text.replace(",\n", "\n"), encoding="utf-8")
    (found,) = read_translations(str(tmp_path / "list")).values()
    assert found.text == "这是一个浏览器，用于 Linux 系统，很快。" and found.summary == "浏览器"


@pytest.mark.network
@pytest.mark.skipif(not shutil.which("apt-get"), reason="this system has no apt")
def test_debians_own_lists(recipe, tmp_path):
    recipe(SWCM_DEBIAN_DIR="", LANGS="ru zh", VALID=50, TEST=100, MAX_TRAIN=1000)
    out = tmp_path / "the out"
    counts = json.loads((out / "counts.json").read_text())
    assert counts["en"]["read"] > 50000 and counts["ru"]["train"] == 1000 and counts["zh"]["train"] > 300
    said = {text for code in ("en", "ru", "zh") for pair in read(out, code, "train").values() for text in pair}
    for part in ("valid", "test"):
        for code in ("en", "ru", "zh"):
            assert not said & {text for pair in read(out, code, part).values() for text in pair}
