import json

import pytest

from tests.support.in_process import assert_fails, run_script

PAIR = [
    # source, target, and what becomes of them
    ("打开(~O)", "_Ашу", ("打开", "Ашу")),
    ("<b>文件</b>", "Файл", ("文件", "Файл")),
    ("", "Ашу", "empty:zh"),
    ("文件", "<i></i>", "empty:kk"),
    ("100 %", "100 %", "no_letters:zh"),
    ("%1", "Файл", "no_letters:zh"),
    ("文件", "$(ARG1)", "no_letters:kk"),
    ("Number", "Сан", "wrong_script:zh"),
    ("数字", "Number", "wrong_script:kk"),
    ("文件 %1", "Файл %2", "variables_differ"),
    ("文件", "ф" * 60, "too_long:kk"),
    ("文件", "Файл" * 8, "repetition:kk"),
    ("文件", "Бір файлды ашып, оны қалтаға сақтаңыз", "length_ratio"),
    ("文件\ufffd", "Файл", "damaged:zh"),
    ("打开文件然后保存[x]{1;2}=<<文件>>^{3}_{4};@#[[5]]文件", "Файл бір екі үш төрт бес алты жеті", "code:zh"),
    ("文件", "Файл ", "duplicate"),
    ("文件", "Құжат", ("文件", "Құжат")),
]


def write(path, lines):
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def read(path):
    return path.read_text(encoding="utf-8").splitlines()


@pytest.fixture()
def clean(capsys, monkeypatch, tmp_path):
    """Run the command in ``tmp_path``; returns how it ended."""
    monkeypatch.chdir(tmp_path)

    def run_clean(*arguments, check=True):
        return run_script("clean", arguments, capsys, check)

    return run_clean


def pair_arguments(tmp_path, lines=PAIR):
    source = write(tmp_path / "raw source", [line[0] for line in lines])
    target = write(tmp_path / "raw target", [line[1] for line in lines])
    sides = ["--src", source, "--tgt", target, "--src-lang", "zh", "--tgt-lang", "kk"]
    return [*sides, "--out", tmp_path / "out" / "zh-kk", "--catalogue"]


def test_every_line_is_kept_or_dropped_under_its_reason(clean, tmp_path):
    clean(*pair_arguments(tmp_path), "--max-chars", "50")
    kept = [fate for _, _, fate in PAIR if isinstance(fate, tuple)]
    assert read(tmp_path / "out" / "zh-kk.zh") == [source for source, _ in kept]
    assert read(tmp_path / "out" / "zh-kk.kk") == [target for _, target in kept]
    counts = json.loads((tmp_path / "out" / "zh-kk.counts.json").read_text(encoding="utf-8"))
    reasons = [fate for _, _, fate in PAIR if isinstance(fate, str)]
    assert counts["dropped"] == {reason: reasons.count(reason) for reason in reasons}
    assert counts["read"] == len(PAIR) and counts["kept"] == len(kept)
    # "打开(~O)" and "<b>文件</b>"; "_Ашу", "<i></i>" and "Файл " with its space.
    assert counts["normalized"] == {"zh": 2, "kk": 3}


def test_tests_and_rules_can_be_left_out(clean, tmp_path):
    lines = [("数字", "Number"), ("数字", "Number"), ("<b>文件</b>", "Файл")]
    clean(*pair_arguments(tmp_path, lines), "--without", "wrong_script,duplicate,markup")
    assert read(tmp_path / "out" / "zh-kk.kk") == ["Number", "Number", "Файл"]
    assert read(tmp_path / "out" / "zh-kk.zh")[2] == "<b>文件</b>"


def test_one_language(clean, tmp_path):
    write(tmp_path / "raw.bo", ["བོད་ཡིག  ", "", "བོད་ཡིག", "English", "ལྷ་ས།"])
    clean("--text", "raw.bo", "--lang", "bo", "--out", "clean")
    assert read(tmp_path / "clean.bo") == ["བོད་ཡིག", "ལྷ་ས།"]
    counts = json.loads((tmp_path / "clean.counts.json").read_text(encoding="utf-8"))
    assert counts["dropped"] == {"duplicate": 1, "empty": 1, "wrong_script": 1}


def test_pieces_are_counted_with_the_given_model(clean, tmp_path):
    import sentencepiece

    text = write(tmp_path / "raw.en", ["ab ab", "ab ab ab", "ab ab ab ab"])
    # Nothing but single letters and the word mark: a line of n words has 3n pieces.
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(tmp_path / "spm"), model_type="char", vocab_size=6, minloglevel=2
    )
    clean("--text", text, "--lang", "en", "--out", "clean", "--max-pieces", "9", "--spm", "spm.model")
    assert read(tmp_path / "clean.en") == ["ab ab", "ab ab ab"]


def test_bad_input_is_one_error_and_leaves_nothing(clean, tmp_path):
    arguments = pair_arguments(tmp_path)
    (tmp_path / "raw target").write_bytes(b"a\n\xff\n")
    assert_fails(clean(*arguments, check=False), "raw target, line 2")
    (tmp_path / "raw target").write_text("a\nb\n", encoding="utf-8")
    assert_fails(clean(*arguments, check=False), "raw target has 2", f"raw source has {len(PAIR)}")
    (tmp_path / "raw target").unlink()
    assert_fails(clean(*arguments, check=False), "raw target")
    assert not list((tmp_path / "out").iterdir())


def test_a_finished_output_is_replaced_with_force_alone(clean, tmp_path):
    arguments = pair_arguments(tmp_path)
    clean(*arguments)
    write(tmp_path / "out" / "zh-kk.kk", ["mine"])
    assert_fails(clean(*arguments, check=False), "--force")
    assert read(tmp_path / "out" / "zh-kk.kk") == ["mine"]
    clean(*arguments, "--force")
    assert read(tmp_path / "out" / "zh-kk.kk") != ["mine"]


def test_an_input_is_never_overwritten(clean, tmp_path):
    write(tmp_path / "x.bo", ["བོད་ཡིག"])
    assert_fails(clean("--text", "x.bo", "--lang", "bo", "--out", "x", "--force", check=False), "x.bo is an input")
    assert read(tmp_path / "x.bo") == ["བོད་ཡིག"]


def test_wrong_settings_are_named(clean, tmp_path):
    write(tmp_path / "x.bo", ["བོད་ཡིག"])
    single = ["--text", "x.bo", "--lang", "bo", "--out", "y"]
    assert_fails(clean("--text", "x.bo", "--lang", "bod", "--out", "y", check=False), "'bod'", "near it: bo")
    assert_fails(clean(*single, "--without", "mark_up", check=False), "mark_up")
    for wrong in (single + ["--src", "x.bo"], single + ["--max-pieces", "9"], ["--text", "x.bo", "--out", "y"]):
        assert clean(*wrong, check=False).returncode == 2


def test_cleaning_the_output_again_changes_nothing(clean, tmp_path):
    clean(*pair_arguments(tmp_path))
    out = tmp_path / "out"
    sides = ["--src", out / "zh-kk.zh", "--tgt", out / "zh-kk.kk", "--src-lang", "zh", "--tgt-lang", "kk"]
    clean(*sides, "--out", "again", "--catalogue")
    for code in ("zh", "kk"):
        assert (tmp_path / ("again." + code)).read_bytes() == (out / ("zh-kk." + code)).read_bytes()


def test_as_a_command(run, repo, tmp_path):
    command = ["python", repo / "preprocess" / "clean.py", *pair_arguments(tmp_path)]
    assert run(command).stdout.startswith(str(tmp_path / "out" / "zh-kk") + f": read {len(PAIR)}, kept")
    done = run(command, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1


def test_parts_are_taken_by_name_and_may_be_packed(clean, tmp_path):
    import gzip

    parts = [["བོད་ཡིག", "ལྷ་ས།"], ["ལྷ་ས།", "གཞིས་ཀ་རྩེ།"], ["བོད་ཡིག", "ཁམས།"]]
    for number, lines in enumerate(parts):
        data = "".join(line + "\n" for line in lines).encode("utf-8")
        (tmp_path / f"part{number}.txt").write_bytes(gzip.compress(data) if number == 1 else data)
    clean("--text", "part2.txt", "part0.txt", "part1.txt", "--lang", "bo", "--out", "clean")
    assert read(tmp_path / "clean.bo") == ["བོད་ཡིག", "ལྷ་ས།", "གཞིས་ཀ་རྩེ།", "ཁམས།"]
    assert_fails(
        clean("--text", "part0.txt", "no.txt", "part0.txt", "--lang", "bo", "--out", "x", check=False),
        "no.txt: there is no such file",
        "part0.txt: given twice",
    )


def test_undecodable_lines_can_be_left_out_and_are_named(clean, tmp_path):
    (tmp_path / "raw.kk").write_bytes("Ашу\n".encode("utf-8") + b"\xd0\n" + "Жабу\n".encode("utf-8"))
    write(tmp_path / "raw.zh", ["打开", "保存", "关闭"])
    arguments = ["--src", "raw.zh", "--tgt", "raw.kk", "--src-lang", "zh", "--tgt-lang", "kk", "--out", "clean"]
    assert_fails(clean(*arguments, check=False), "raw.kk, line 2: byte 1 (0xd0)", "--undecodable drop")
    done = clean(*arguments, "--undecodable", "drop")
    assert "raw.kk, line 2" in done.stderr
    assert read(tmp_path / "clean.zh") == ["打开", "关闭"]
    counts = json.loads((tmp_path / "clean.counts.json").read_text(encoding="utf-8"))
    assert counts["dropped"] == {"undecodable": 1} and counts["read"] == 3
    assert counts["undecodable"] == ["raw.kk, line 2: byte 1 (0xd0) is not UTF-8"]


def test_documents_keep_the_ends_of_their_sentences(clean, tmp_path):
    write(
        tmp_path / "raw.kk", ["Бір <b>файл</b>. </s>  </s> Екі&nbsp;файл.</s>&lt;/s&gt; Үш.", "</s> </s>", "ӘӘ </s> ӘӘ"]
    )
    arguments = ["--text", "raw.kk", "--lang", "kk", "--documents"]
    clean(*arguments, "--out", "clean")
    assert read(tmp_path / "clean.kk") == ["Бір файл. </s> Екі файл. </s> Үш.", "ӘӘ </s> ӘӘ"]
    # Without the rule that takes tags away, an entity must not become the end of a sentence either.
    clean(*arguments, "--without", "markup", "--out", "other")
    assert read(tmp_path / "other.kk")[0] == "Бір <b>файл</b>. </s> Екі файл. </s> Үш."


def test_held_out_lines_are_left_out_of_texts_and_documents(clean, tmp_path):
    write(tmp_path / "test.kk", ["Файлды ашу."])
    write(tmp_path / "raw.kk", ["файлды ашу", "Файлды жабу", "Екі файл. </s> Файлды ашу!"])
    arguments = ["--text", "raw.kk", "--lang", "kk", "--held-out", "test.kk"]
    clean(*arguments, "--documents", "--out", "clean")
    assert read(tmp_path / "clean.kk") == ["Файлды жабу"]


def test_kazakh_is_transliterated_where_asked(clean, tmp_path):
    write(tmp_path / "raw.kk", ["Бір үй", "بالا"])
    clean("--text", "raw.kk", "--lang", "kk_Arab", "--transliterate", "kk_Arab", "--out", "clean")
    assert read(tmp_path / "clean.kk_Arab") == ["\u0674بىر \u0674ۇي", "بالا"]
    write(tmp_path / "raw.mn", ["Нэг"])
    done = clean("--text", "raw.mn", "--lang", "mn", "--transliterate", "mn", "--out", "other", check=False)
    assert_fails(done, "only Kazakh")


def test_no_entity_ends_a_line(clean, tmp_path):
    write(tmp_path / "raw.kk", ["Бір&#10;екі"])
    clean("--text", "raw.kk", "--lang", "kk", "--without", "control,spaces", "--out", "clean")
    assert read(tmp_path / "clean.kk") == ["Бір екі"]


def test_a_line_of_endless_markup_is_not_looked_at(clean, tmp_path):
    write(tmp_path / "raw.kk", ["<b>" * 10000 + "Файл", "Файл"])
    clean("--text", "raw.kk", "--lang", "kk", "--out", "clean")
    counts = json.loads((tmp_path / "clean.counts.json").read_text(encoding="utf-8"))
    assert counts["dropped"] == {"too_long": 1}


def test_running_text_keeps_what_is_a_mark_in_catalogues_alone(clean, tmp_path):
    pairs = [
        ("袋子约重~50公斤。", "Қаптың салмағы ~50 кг."),
        ("填写user_name一栏。", "user_name өрісін толтырыңыз."),
        ("价格涨到$5。", "Бағасы 5 долларға жетті."),
        ("价格上涨了50%。", "Баға %50 өсті."),
        ("请您先按下<Enter>键，然后输入<name>保存。", "<Enter> пернесін басып, <name> жазыңыз."),
    ]
    arguments = [each for each in pair_arguments(tmp_path, pairs) if each != "--catalogue"]
    clean(*arguments)
    assert read(tmp_path / "out" / "zh-kk.zh") == [source for source, _ in pairs]
    assert read(tmp_path / "out" / "zh-kk.kk") == [target for _, target in pairs]


def test_held_out_lines_are_compared_in_the_form_that_cleaning_gives(clean, tmp_path):
    import unicodedata

    # Accents apart, an entity and a tag, shapes of Arabic letters, Latin letters in a Cyrillic word, hidden signs.
    cases = {
        "kk": ("Ёлка мен қайың", unicodedata.normalize("NFD", "Ёлка мен қайың")),
        "mn": ("Үзэсгэлэн <b>нээгдэв</b> &amp; хаагдав", "Үзэсгэлэн нээгдэв & хаагдав"),
        "ug": ("ئاتا بالا", "\ufe8b\ufe8e\ufe97\ufe8e \ufe91\ufe8e\ufefc"),
        "kk_Cyrl": ("Бүгін ауа райы", "Бүг\u0069н ауа рай\u200bы"),
        "zh": ("今天天气很好", "今天\u200b天气很好！"),
        "en": ("A full width 2", "Ａ ｆｕｌｌ ｗｉｄｔｈ ２"),
    }
    for code, forms in cases.items():
        for name, (kept, held) in {"one": forms, "other": forms[::-1]}.items():
            write(tmp_path / "raw", [kept])
            write(tmp_path / "test", [held])
            clean("--text", "raw", "--lang", code, "--held-out", "test", "--out", code + name)
            assert read(tmp_path / (code + name + "." + code)) == [], (code, name)
    # A sentence that only the source side of the pair would spell so.
    write(tmp_path / "test", ["Файлды (~F) ашу"])
    arguments = pair_arguments(tmp_path, [("打开文件", "Файлды ашу")])
    clean(*arguments, "--held-out", "test")
    assert read(tmp_path / "out" / "zh-kk.kk") == []


def test_documents_leave_out_the_sentences_of_held_out_documents(clean, tmp_path):
    write(tmp_path / "test.kk", ["Бірінші сөйлем. </s> Екінші сөйлем."])
    write(tmp_path / "raw.kk", ["Басқа сөйлем. </s> екінші сөйлем", "Үшінші сөйлем."])
    clean("--text", "raw.kk", "--lang", "kk", "--held-out", "test.kk", "--documents", "--out", "clean")
    assert read(tmp_path / "clean.kk") == ["Үшінші сөйлем."]
