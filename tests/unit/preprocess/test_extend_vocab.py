"""Growing a vocabulary: old text keeps its pieces, old rows their values, and a trained model its translations."""

import functools
import json
import os
import random
import shutil

import pytest
import sentencepiece
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import swcm_fairseq
from swcm_fairseq.decoding import packed
from swcm_fairseq.decoding.packing import pack
from swcm_fairseq.languages import language
from swcm_fairseq.models.embedding_rows import Start, align, plan_starts, spell, start_rows
from swcm_fairseq.models.finetune_from import check_finetune_from
from swcm_fairseq.pretrained import read_encoder
from swcm_fairseq.vocabulary.coverage import count_units
from swcm_fairseq.vocabulary.pieces import Pieces
from swcm_fairseq.vocabulary.sentencepiece_model import NORMAL, Piece, SentencePieceModel
from tests.support.in_process import assert_fails, run_script
from tests.support.tiny_encoder import CORPUS, make_encoder_folder, train_sentencepiece
from tests.support.toy import toy_checkpoint

# Words with their translations; sentences made of them are long enough a text to learn pieces from.
NOUNS = {
    "文件": "ཡིག་སྣོད་",
    "书": "དཔེ་དེབ་",
    "学校": "སློབ་གྲྭ་",
    "羊": "ལུག་",
    "天气": "གནམ་གཤིས་",
    "朋友": "ཆ་རོགས་",
    "孩子": "ཨ་ལོ་",
    "历史": "ལོ་རྒྱུས་",
    "数学": "ཨང་རྩིས་",
    "马": "རྟ་",
    "草原": "རྩྭ་ཐང་",
    "新的": "གསརཔ་",
}
VERBS = {"打开": "ཁ་ཕྱེ།", "保存": "སྲུངས།", "学习": "སྦྱང་དགོ།", "看": "བལྟ་དགོ།", "去": "འགྱོ་དགོ།", "来": "འོང་དགོ།"}


def translated(count=300):
    """Sentences in Dzongkha and Chinese, line by line each other's translation."""
    chance = random.Random(0)
    dzongkha, chinese = [], []
    for _ in range(count):
        nouns, verb = chance.sample(sorted(NOUNS), 3), chance.choice(sorted(VERBS))
        dzongkha.append("".join(NOUNS[noun] for noun in nouns) + " " + VERBS[verb])
        chinese.append(verb + "".join(nouns))
    return dzongkha, chinese


DZONGKHA, CHINESE = translated()
# Of other scripts are 2024, LibreOffice and ?; ཿ stands once.
DZONGKHA += ["LibreOffice ནང་ཡིག་ཆ་གསརཔ་ཅིག་ཁ་ཕྱེ།", "ཤོག་ལེབ་2024འི་ཡིག་ཚད།", "མཇུག་བསྡུ་ནི་ཨིན་ན? ཨཿ"]
CHINESE += ["在 LibreOffice 打开新的书。", "天气 2024", "去？"]
TIBETAN_BLOCK = "".join(map(chr, range(0xF00, 0x1000)))


def write(path, lines):
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def processor(folder):
    return sentencepiece.SentencePieceProcessor(model_file=os.path.join(str(folder), "sentencepiece.bpe.model"))


def report_of(folder):
    with open(os.path.join(str(folder), "extend.json"), encoding="utf-8") as stream:
        return json.load(stream)


@pytest.fixture
def folder(tmp_path):
    return make_encoder_folder(tmp_path / "encoder", layers=2, seed=3)


@pytest.fixture
def texts(tmp_path):
    return {
        "dz": write(tmp_path / "train.dz", DZONGKHA),
        "zh": write(tmp_path / "train.zh", CHINESE),
        "old": write(tmp_path / "old", CORPUS),
    }


@pytest.fixture
def extend(capsys, tmp_path, texts):
    def command(kind, subject, *options, out="grown", check=True, lang="dz", text=None):
        arguments = [kind, subject, "--lang", lang, "--text", text or texts["dz"], "--out", tmp_path / out]
        return run_script("extend_vocab", arguments + ["--pieces", "60", *options], capsys, check)

    return command


def test_encoder_grows_in_step_and_no_old_row_changes(extend, folder, texts, tmp_path):
    done = extend("--encoder", folder, "--old", "kk={}".format(texts["old"]), "--parallel", texts["dz"], texts["zh"])
    old, new = read_encoder(folder), read_encoder(str(tmp_path / "grown"))
    before, after = processor(folder), processor(tmp_path / "grown")
    added = new.pieces[len(old.pieces) :]
    assert new.pieces[: len(old.pieces)] == old.pieces and len(set(new.pieces)) == len(new.pieces)
    long = sum(len(piece) > 1 for piece in added)
    assert 30 < long <= 60 and "\u0f0b" in added and "\u0fd0" in added
    assert all(set(piece) & set(TIBETAN_BLOCK) for piece in added)
    table, grown = old.tensors["embeddings.tokens.weight"], new.tensors["embeddings.tokens.weight"]
    assert torch.equal(grown[: len(table) - 1], table[:-1]) and torch.equal(grown[-1], table[-1])
    assert grown.size(0) == table.size(0) + len(added) == new.config.vocab_size
    for name, tensor in old.tensors.items():
        assert name == "embeddings.tokens.weight" or torch.equal(new.tensors[name], tensor), name

    for line in list(CORPUS) + CHINESE:
        assert after.encode(line) == before.encode(line)
    for line in DZONGKHA:
        assert not [i for i in after.encode(line) if i == after.unk_id() and i != before.unk_id()]
    report = report_of(tmp_path / "grown")
    counts = report["files"][str(texts["dz"])]
    assert report["pieces"] == {"before": len(old.pieces), "new": len(added), "characters": len(added) - long}
    assert counts["lines_cut_anew"] == len(DZONGKHA) and counts["unit"] == "syllable"
    assert counts["before"]["unknown_characters"] > 0.8
    # What is left is of other scripts: the encoder of these tests knows neither digits nor Latin.
    assert set(report["still_unknown"]) == set("2024LibreOffice?")
    assert report["files"][str(texts["old"])]["lines_cut_anew"] == 0
    assert report["files"][str(texts["old"])]["before"] == report["files"][str(texts["old"])]["after"]
    assert "still unknown, of other scripts" in done.stdout and "0 of 20" in done.stdout
    assert (tmp_path / "grown" / "new_pieces.txt").read_text(encoding="utf-8").split("\n")[:-1] == added


def test_counts_are_those_of_a_plain_count(extend, folder, texts, tmp_path):
    held_out = write(tmp_path / "held", ["ཡིག་ཆ་ དང་ཿ", "天 ཀ"])
    extend("--encoder", folder, "--held-out", held_out)
    after = processor(tmp_path / "grown")
    counts = report_of(tmp_path / "grown")["files"][str(held_out)]
    # Before: "▁" + unknown, twice, and "▁天" (or "▁", "天") + "▁" + unknown; syllables: 4 and 2.
    before = [processor(folder).encode(line, out_type=str) for line in ["ཡིག་ཆ་ དང་ཿ", "天 ཀ"]]
    pieces = sum(map(len, before))
    assert counts["before"]["unknown_pieces"] == pytest.approx(3 / pieces)
    assert counts["before"]["unknown_characters"] == pytest.approx((6 + 4 + 1) / (6 + 4 + 2))
    assert counts["before"]["pieces_per_unit"] == pytest.approx(pieces / 6)
    cut = [after.encode(line) for line in ["ཡིག་ཆ་ དང་ཿ", "天 ཀ"]]
    assert counts["after"] == {
        "unknown_pieces": 0.0,
        "unknown_characters": 0.0,
        "pieces_per_unit": pytest.approx(sum(map(len, cut)) / 6),
    }


@pytest.mark.parametrize(
    "code, text, units",
    [("bo", "བོད་སྐད། བོད་ཡིག་།", 4), ("dz", "", 0), ("kk", " Файлды  ашу ", 2), ("zh", "打开 文件", 4)],
)
def test_units_of_text(code, text, units):
    assert count_units(text, language(code)) == units


@functools.lru_cache(maxsize=None)
def grown_pair(tmp):
    """The models before and after, for the property; the command's own pieces, without its files."""
    from swcm_fairseq.vocabulary.new_pieces import learn_pieces, new_characters

    data = train_sentencepiece()
    model = SentencePieceModel.from_bytes(data)
    before = Pieces(sentencepiece.SentencePieceProcessor(model_proto=data))
    marks = new_characters(before, language("dz"), "".join(DZONGKHA))
    grown = SentencePieceModel(model.pieces + learn_pieces(model, DZONGKHA, marks, 60), model.rest)
    return before.model, sentencepiece.SentencePieceProcessor(model_proto=grown.to_bytes()), marks


PARTS = st.one_of(
    st.sampled_from(sorted(set("".join(CORPUS))) + ["\u2581", "  ", "<s>", "</s>", "[dz]", "▁文件"]),
    st.sampled_from(CORPUS),
    st.characters(),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PARTS, max_size=12).map("".join))
def test_any_text_without_the_new_script_keeps_its_pieces(text):
    before, after, marks = grown_pair(None)
    text = text.encode("utf-8", "replace").decode("utf-8")  # no lone surrogates: SentencePiece takes UTF-8
    old = before.encode(text)
    if marks.isdisjoint("".join(before.encode(text, out_type=str))):
        assert after.encode(text) == old
    else:
        assert after.unk_id() not in after.encode("".join(c for c in text if c in marks))


def test_the_price_of_the_unknown_stays(extend, folder, tmp_path):
    """Rare pieces learned here score below the old ones once those are made likelier; the lowest score must stay."""
    path = os.path.join(folder, "sentencepiece.bpe.model")
    model = SentencePieceModel.read(path)
    model.pieces = [p if p.kind != NORMAL else Piece(p.text, p.score / 4 - 3.5) for p in model.pieces]
    with open(path, "wb") as stream:
        stream.write(model.to_bytes())
    model = SentencePieceModel.read(path)
    extend("--encoder", folder)
    grown = SentencePieceModel.read(str(tmp_path / "grown" / "sentencepiece.bpe.model")).pieces
    lowest = min(piece.score for piece in model.pieces if piece.kind == NORMAL)
    added = [piece.score for piece in grown[len(model.pieces) :]]
    assert min(added) == pytest.approx(lowest) and max(added) > lowest
    assert grown[: len(model.pieces)] == model.pieces


def test_the_same_text_gives_the_same_bytes(extend, folder, texts, tmp_path):
    for out in ("grown", "again"):
        extend("--encoder", folder, "--parallel", texts["dz"], texts["zh"], out=out)
    for name in os.listdir(str(tmp_path / "grown")):
        assert (tmp_path / "grown" / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_text_may_come_through_a_pipe_though_it_is_read_often(extend, folder, texts, tmp_path):
    extend("--encoder", folder)
    reading, writing = os.pipe()
    os.write(writing, texts["dz"].read_bytes())  # less than a pipe holds
    os.close(writing)
    extend("--encoder", folder, text=f"/dev/fd/{reading}", out="piped")
    os.close(reading)
    for name in ("sentencepiece.bpe.model", "model.safetensors", "new_pieces.txt"):
        assert (tmp_path / "piped" / name).read_bytes() == (tmp_path / "grown" / name).read_bytes()


def test_spelling_is_sentencepieces_own():
    model = SentencePieceModel.from_bytes(train_sentencepiece())
    known = sentencepiece.SentencePieceProcessor(model_proto=model.to_bytes())
    scores = {piece.text: piece.score for piece in model.pieces if piece.kind == NORMAL}
    compared = 0
    for word in " ".join(CORPUS).split():
        ids = known.encode(word)
        spelled = spell("\u2581" + known.decode(ids), scores)
        assert spelled == (None if known.unk_id() in ids else known.encode(word, out_type=str))
        compared += spelled is not None
    assert compared > 30
    assert spell("天ཀ", scores) is None and spell("", scores) == []


def slow_model_one(new_side, old_side, rounds):
    """IBM Model 1 in dictionaries, from its formulas."""
    table = {}
    for _ in range(rounds):
        count = {}
        for new, old in zip(new_side, old_side):
            for piece in old:
                owners = [None] + list(new)
                total = sum(table.get((owner, piece), 1.0) for owner in owners)
                for owner in owners:
                    count[owner, piece] = count.get((owner, piece), 0) + table.get((owner, piece), 1.0) / total
        sums = {}
        for (owner, _), value in count.items():
            sums[owner] = sums.get(owner, 0) + value
        table = {pair: value / sums[pair[0]] for pair, value in count.items()}
    return table


def test_alignment_is_model_one():
    new_side = [["x", "y"], ["x"], ["y", "z", "z"], [], ["q"]]
    old_side = [["a", "b"], ["a"], ["b", "c", "b"], ["d"], []]
    expected = slow_model_one(new_side, old_side, 4)
    found = align(new_side, old_side, rounds=4)
    assert set(found) == {"x", "y", "z"}  # q has no translation
    for new, weights in found.items():
        for old, weight in weights.items():
            assert weight == pytest.approx(expected[new, old])
    assert max(found["x"], key=found["x"].get) == "a"
    assert align([["x"]], [[]]) == {}


def test_rows_start_from_spelling_then_alignment_then_a_draw():
    old = [Piece("<unk>", 0.0, 2), Piece("a", -1.0), Piece("b", -2.0), Piece("ab", -9.0), Piece("c", -3.0)]
    new = [Piece("aba", -4.0), Piece("xa", -5.0), Piece("y", -6.0)]
    starts = plan_starts(new, old, {"xa": {"c": 0.3, "b": 0.1}, "aba": {"c": 1.0}})
    assert starts == [
        Start("spelled", {"a": 2 / 3, "b": 1 / 3}),
        Start("aligned", {"c": pytest.approx(0.75), "b": pytest.approx(0.25)}),
        Start("drawn", {}),
    ]
    table = torch.arange(24.0).view(8, 3) ** 2  # four specials, a, b, ab, c
    rows = start_rows(table, {"a": 4, "b": 5, "ab": 6, "c": 7}, starts)
    torch.testing.assert_close(rows[0], (2 * table[4] + table[5]) / 3)
    torch.testing.assert_close(rows[1], 0.75 * table[7] + 0.25 * table[5])
    assert torch.equal(rows, start_rows(table, {"a": 4, "b": 5, "ab": 6, "c": 7}, starts))
    drawn = start_rows(table, {}, [Start("drawn", {})] * 4000)
    torch.testing.assert_close(drawn.mean(dim=0), table[4:].mean(dim=0), rtol=0.05, atol=0)
    torch.testing.assert_close(drawn.std(dim=0), table[4:].std(dim=0), rtol=0.05, atol=0)


def test_known_script_is_left_alone_unless_asked_for(extend, folder, texts, tmp_path):
    chance, words = random.Random(1), " ".join(CORPUS[5:10]).split()
    kazakh = write(tmp_path / "text.kk", [" ".join(chance.sample(words, 5)) for _ in range(200)])
    done = extend("--encoder", folder, lang="kk", text=kazakh, check=False)
    assert done.returncode == 1 and "--recut" in done.stderr and not (tmp_path / "grown").exists()
    extend("--encoder", folder, "--recut", "--old", "mn={}".format(texts["old"]), lang="kk", text=kazakh)
    old, new = read_encoder(folder), read_encoder(str(tmp_path / "grown"))
    report = report_of(tmp_path / "grown")
    counts = report["files"][str(kazakh)]
    assert counts["after"]["pieces_per_unit"] < counts["before"]["pieces_per_unit"]
    assert 0 < report["files"][str(texts["old"])]["lines_cut_anew"] <= 10  # the lines in Cyrillic
    assert set(report["rows_start"]) == {"spelled", "drawn"}  # drawn for letters that no old piece has
    piece = next(p for p in new.pieces[len(old.pieces) :] if len(p) > 5)
    scores = {p.text: p.score for p in SentencePieceModel.read(old.sentencepiece_model).pieces[3:]}
    rows = [4 + old.pieces.index(part) for part in spell(piece, scores)]
    expected = old.tensors["embeddings.tokens.weight"][rows].mean(dim=0)
    torch.testing.assert_close(new.tensors["embeddings.tokens.weight"][4 + new.pieces.index(piece)], expected)


def test_characters_of_other_scripts_are_added_when_asked_for(extend, folder, texts, tmp_path):
    extend("--encoder", folder, "--all-characters")
    report, after = report_of(tmp_path / "grown"), processor(tmp_path / "grown")
    assert report["still_unknown"] == {}
    assert report["files"][str(texts["dz"])]["after"]["unknown_characters"] == 0
    assert all(after.unk_id() not in after.encode(line) for line in DZONGKHA)


def test_signs_that_join_letters_of_the_script_become_pieces(extend, folder, tmp_path):
    """U+202F ties a suffix to its word in traditional Mongolian; normalization would make a space of it."""
    text = write(tmp_path / "text.mn", mongolian(100, seed=2) + ["a\u200cb"])
    extend("--encoder", folder, lang="mn_Mong", text=text)
    after = Pieces.load(str(tmp_path / "grown" / "sentencepiece.bpe.model"))
    joined = "\U000f202f"
    assert joined in after.known and not {"\U000f200c", "\U000f200d"} & after.known
    cut = after.model.encode("ᠨᠣᠮ" + joined + "ᠤᠨ", out_type=str)
    assert "".join(cut) == "\u2581ᠨᠣᠮ" + joined + "ᠤᠨ" and set(cut) <= after.known


def mongolian(number, seed):
    """Lines of traditional Mongolian whose suffixes hang on U+202F."""
    chance, words = random.Random(seed), ["ᠮᠣᠩᠭᠣᠯ", "ᠨᠣᠮ", "ᠬᠦᠮᠦᠨ", "ᠭᠡᠷ"]
    return [" ".join(word + "\u202fᠤᠨ" for word in chance.sample(words, 3)) for _ in range(number)]


def test_growing_cutting_and_encoding_agree_on_signs_that_join(extend, folder, tmp_path, capsys):
    """What is learned for U+202F is kept by prune_encoder.py, counted as encode.py writes it, and comes back."""
    lines = mongolian(100, seed=4)
    text = write(tmp_path / "text.mn", lines)
    extend("--encoder", folder, lang="mn_Mong", text=text)
    run_script("prune_encoder", ["--encoder", tmp_path / "grown", "--corpus", text, "--out", tmp_path / "cut"], capsys)
    written = {}
    for name in ("grown", "cut"):
        spm = tmp_path / name / "sentencepiece.bpe.model"
        run_script("encode", ["--spm", spm, "--out", tmp_path / "pieces" / name, text], capsys)
        written[name] = (tmp_path / "pieces" / name / "text.mn").read_text(encoding="utf-8")
    assert written["cut"] == written["grown"]
    cut = Pieces.load(str(tmp_path / "cut" / "sentencepiece.bpe.model"))
    assert [cut.decode(line) for line in written["cut"].splitlines()] == lines
    with open(str(tmp_path / "cut" / "prune.json"), encoding="utf-8") as stream:
        counts = json.load(stream)["corpora"][str(text)]
    assert counts["pieces"] == len(written["cut"].split()) and counts["unknown"] == counts["lines_changed"] == 0
    assert report_of(tmp_path / "grown")["files"][str(text)]["after"]["unknown_pieces"] == 0


def test_signs_that_join_known_words_stay_as_they_are_when_it_grows_again(extend, folder, texts, tmp_path):
    """Another language may use U+202F too: text that could be spelled before keeps its pieces."""
    lines = mongolian(100, seed=5)
    text = write(tmp_path / "text.mn", lines)
    extend("--encoder", folder, lang="mn_Mong", text=text)
    others = [line.replace("ᠤᠨ", "ᠨᠤ") for line in mongolian(100, seed=6)]
    both = write(tmp_path / "text.dz", [line.replace("་", "\u202f", 1) for line in DZONGKHA] + others)
    extend("--encoder", tmp_path / "grown", "--old", f"mn_Mong={text}", out="twice", text=both)
    once, twice = (Pieces.load(str(tmp_path / n / "sentencepiece.bpe.model")) for n in ("grown", "twice"))
    assert once.cut(lines + others) == twice.cut(lines + others)
    assert twice.lines([line.replace("་", "\u202f", 1) for line in DZONGKHA[:50]]).unknown == 0
    assert twice.decode(twice.encode("ལུག\u202fའི")) == "ལུག\u202fའི"


def test_growing_twice(extend, folder, tmp_path, texts):
    extend("--encoder", folder)
    armenian = write(tmp_path / "text.hy", ["Բարեւ աշխարհ։", "Բացել նոր ֆայլ։", "Պահպանել ֆայլը։"] * 9)
    extend("--encoder", tmp_path / "grown", out="twice", lang="hy", text=armenian)
    once, twice = read_encoder(str(tmp_path / "grown")), read_encoder(str(tmp_path / "twice"))
    assert twice.pieces[: len(once.pieces)] == once.pieces
    tables = [encoder.tensors["embeddings.tokens.weight"] for encoder in (once, twice)]
    assert torch.equal(tables[1][: once.config.vocab_size - 1], tables[0][:-1])
    one, two = processor(tmp_path / "grown"), processor(tmp_path / "twice")
    assert all(one.encode(line) == two.encode(line) for line in DZONGKHA + list(CORPUS))


def test_other_stages_take_the_grown_encoder(extend, folder, texts, tmp_path, capsys):
    extend("--encoder", folder)
    grown = tmp_path / "grown"
    run_script("build_dict", ["--encoder", grown, "--langs", "zh,dz", "--out", tmp_path / "dict.txt"], capsys)
    symbols = [line.rsplit(" ", 1)[0] for line in (tmp_path / "dict.txt").read_text(encoding="utf-8").splitlines()]
    assert symbols == read_encoder(str(grown)).pieces + ["<mask>", "[zh]", "[dz]"]
    spm = grown / "sentencepiece.bpe.model"
    run_script("encode", ["--spm", spm, "--out", tmp_path / "pieces", texts["dz"], texts["old"]], capsys)
    pieces = (tmp_path / "pieces" / "train.dz").read_text(encoding="utf-8").split()
    assert {piece for piece in pieces if set(piece) & set(TIBETAN_BLOCK)} <= set(symbols)
    keep = ["--keep-pieces", grown / "new_pieces.txt", "--corpus", texts["zh"]]
    run_script("prune_encoder", ["--encoder", grown, "--out", tmp_path / "pruned", *keep], capsys)
    pruned = read_encoder(str(tmp_path / "pruned"))
    assert set((grown / "new_pieces.txt").read_text(encoding="utf-8").split()) <= set(pruned.pieces)


@pytest.fixture
def checkpoint(tmp_path):
    os.makedirs(str(tmp_path / "training"))
    return toy_checkpoint(tmp_path / "training", lang_pairs="zh-kk,zh-mn")


def test_a_trained_model_grows_and_translates_as_before(extend, checkpoint, texts, tmp_path):
    pack(checkpoint, str(tmp_path / "packed"))
    extend("--packed", tmp_path / "packed", "--parallel", texts["dz"], texts["zh"])
    old, new = (packed.read(str(tmp_path / name)) for name in ("packed", "grown"))
    symbols, mask = old.dictionary.symbols, old.dictionary.index("<mask>")
    added = len(new.untrained) - 1
    assert new.dictionary.symbols == symbols[:mask] + new.untrained[:-1] + symbols[mask:] + ["[dz]"]
    assert new.untrained[-1] == "[dz]" and new.targets == old.targets == ["kk", "mn"]
    assert [new.dictionary.count[i] for i in (0, mask, mask + added)] == [1, 1, 1]
    tables = [found.model.encoder.embeddings.tokens.weight for found in (old, new)]
    assert torch.equal(tables[1][:mask], tables[0][:mask])
    assert torch.equal(tables[1][mask + added : -1], tables[0][mask:])
    assert new.model.decoder.embeddings.tokens.weight is new.model.encoder.embeddings.tokens.weight
    pieces = read_pieces(new.sentencepiece_model)
    assert pieces == new.dictionary.symbols[4 : mask + added]

    before, after = (swcm_fairseq.from_pretrained(str(tmp_path / name)) for name in ("packed", "grown"))
    sentences = list(CORPUS) + CHINESE[-6:] + ["unknown ☃", ""]
    for target in ("kk", "mn"):
        for beam in (1, 4):
            assert after.translate(sentences, target, beam=beam, max_len=12) == before.translate(
                sentences, target, beam=beam, max_len=12
            )
    source = torch.tensor([[0, 7, 9, 11, 2]])
    tag = torch.tensor([[old.dictionary.index("[kk]")]])
    one = old.model.get_normalized_probs(old.model(source, None, tag), log_probs=True)
    two = new.model.get_normalized_probs(new.model(source, None, tag + added), log_probs=True)
    torch.testing.assert_close(two[..., :mask], one[..., :mask], rtol=1e-5, atol=1e-5)
    assert (two[..., mask : mask + added] == -float("inf")).all()


def read_pieces(path):
    return [piece.text for piece in SentencePieceModel.read(path).pieces[3:]]


def test_an_untied_output_grows_too(extend, checkpoint, tmp_path):
    state = torch.load(checkpoint)
    state["cfg"]["model"]["untie_output_projection"] = True
    rows, width = state["model"]["encoder.embeddings.tokens.weight"].shape
    torch.manual_seed(0)
    weight, bias = torch.randn(rows, width), torch.randn(rows)
    state["model"].update({"decoder.output_projection.weight": weight, "decoder.output_projection.bias": bias})
    torch.save(state, checkpoint)
    pack(checkpoint, str(tmp_path / "packed"))
    extend("--packed", tmp_path / "packed")
    grown = packed.read(str(tmp_path / "grown"))
    state, added = grown.model.state_dict(), len(grown.untrained) - 1
    mask = grown.dictionary.index("<mask>") - added
    for name, tensor in (("weight", weight), ("bias", bias)):
        found = state["decoder.output_projection." + name]
        assert torch.equal(found[:mask], tensor[:mask]) and torch.equal(found[mask + added : -1], tensor[mask:])
    before, after = (swcm_fairseq.from_pretrained(str(tmp_path / name)) for name in ("packed", "grown"))
    assert after.translate(CHINESE[-6:], "kk", max_len=10) == before.translate(CHINESE[-6:], "kk", max_len=10)


def test_a_checkpoint_grows_to_be_trained_on(extend, checkpoint, tmp_path):
    state = torch.load(checkpoint)
    state["last_optimizer_state"] = {"of": "old rows"}
    state["model"] = {name: tensor.bfloat16() for name, tensor in state["model"].items()}
    torch.save(state, checkpoint)
    pack(checkpoint, str(tmp_path / "packed"))
    extend("--packed", tmp_path / "packed")
    extend("--checkpoint", checkpoint, out="start")
    start = str(tmp_path / "start" / "checkpoint_best.pt")
    found = torch.load(start)
    assert "last_optimizer_state" not in found and found["cfg"] == state["cfg"]
    assert all(tensor.dtype == torch.bfloat16 for tensor in found["model"].values())
    grown = packed.read(str(tmp_path / "grown"))
    check_finetune_from(start, grown.dictionary.symbols, grown.model.state_dict())
    # Packed, it is the grown model, and free to write what is new.
    pack(start, str(tmp_path / "packed-again"))
    again = packed.read(str(tmp_path / "packed-again"))
    assert again.dictionary.symbols == grown.dictionary.symbols and again.untrained == []
    for name, tensor in grown.model.state_dict().items():
        torch.testing.assert_close(again.model.state_dict()[name], tensor, rtol=1e-2, atol=1e-2)
    other = extend("--checkpoint", tmp_path / "start" / "dict.txt", out="other", check=False)
    assert_fails(other)


def test_what_cannot_grow_is_said_and_nothing_is_written(extend, folder, texts, tmp_path):
    problems = {
        "xx": {"lang": "xx"},
        "nowhere": {"text": tmp_path / "nowhere"},
        "knows every character": {"text": texts["zh"]},
    }
    for message, options in problems.items():
        assert_fails(extend("--encoder", folder, check=False, **options), message)
    done = extend("--encoder", folder, "--old", "kk=a", "mn=b", "--parallel", "c", texts["zh"], check=False)
    assert all("- " + name in done.stderr for name in "abc")
    short = write(tmp_path / "short", CHINESE[:-1])
    done = extend("--encoder", folder, "--parallel", texts["dz"], short, check=False)
    assert done.returncode == 1 and "as many lines" in done.stderr
    for options in (["--old", "kk"], ["--packed", "x"], ["--pieces", "0"]):
        assert extend("--encoder", folder, *options, check=False).returncode == 2
    with open(os.path.join(folder, "sentencepiece.bpe.model"), "wb") as stream:
        stream.write(train_sentencepiece(kind="bpe"))
    done = extend("--encoder", shutil.move(folder, str(tmp_path / "other")), check=False)
    assert done.returncode == 1 and not (tmp_path / "grown").exists()
    assert not [name for name in os.listdir(str(tmp_path)) if name.startswith(".")]
