import io

import pytest

from swcm_fairseq.decoding.hypotheses import BaseTranslator, Written
from swcm_fairseq.decoding.translate_lines import LineSettings, Progress, translate_lines
from swcm_fairseq.errors import SwcmError
from swcm_fairseq.vocabulary.pieces import Pieces
from tests.support.tiny_encoder import train_sentencepiece


class Upper(BaseTranslator):
    """Writes the pieces of its source backwards, and fails at a certain one."""

    def __init__(self, pieces, fails_at="羊"):
        super().__init__(pieces, ["kk", "zh"], ["[kk]", "[zh]"], 66)
        self.fails_at = fails_at
        self.batches = []

    def decode(self, sources, tag, search):
        self.batches.append(len(sources))
        if any(self.fails_at in "".join(source) for source in sources):
            raise RuntimeError("no memory\nat all")
        return [[Written(source[::-1], -rank - 0.25) for rank in range(search.n_best)] for source in sources]


@pytest.fixture
def translator(tmp_path):
    path = tmp_path / "sentencepiece.bpe.model"
    path.write_bytes(train_sentencepiece())
    return Upper(Pieces.load(str(path)))


def run(translator, data, **settings):
    said = io.StringIO()
    progress = Progress(stream=said)
    settings = {"target": "kk", **settings}
    written = "".join(translate_lines(translator, io.BytesIO(data), LineSettings(**settings), progress))
    progress.end()
    return written, said.getvalue()


def lines(*texts):
    return "".join(text + "\n" for text in texts).encode("utf-8")


def test_as_many_lines_come_out_as_go_in(translator):
    texts = ["学校", "", "   ", "打开文件", "学\u2028校", "学校"]
    for at_once in (1, 2, 256):
        written, said = run(translator, lines(*texts), at_once=at_once)
        assert written.count("\n") == len(texts) and written.endswith("\n")
        assert [bool(line) for line in written.split("\n")[:-1]] == [True, False, False, True, True, True]
        assert said.startswith("6 lines, ")


def test_a_last_line_without_its_end_and_carriage_returns(translator):
    written, _ = run(translator, "学校\r\n打开文件".encode("utf-8"))
    plain, _ = run(translator, lines("学校", "打开文件"))
    assert written == plain and "\r" not in written
    assert run(translator, b"")[0] == ""


def test_a_bad_line_costs_only_itself(translator):
    written, said = run(translator, "学校\n".encode("utf-8") + b"\xff\xfe\n" + lines("山羊", "打开文件"))
    alone = [run(translator, lines(text))[0] for text in ("学校", "打开文件")]
    assert written == alone[0] + "\n\n" + alone[1]
    assert "line 2: no UTF-8 at byte 1; an empty line stands for it" in said
    assert "line 3: RuntimeError: no memory; an empty line stands for it" in said
    assert "4 lines, " in said and "2 of them empty" in said


def test_a_long_line_is_translated_in_parts_and_joined(translator):
    text = "。".join(["打开文件"] * 6) + "。"
    whole, _ = run(translator, lines(text), max_pieces=60)
    parts, _ = run(translator, lines(text), max_pieces=8)
    assert whole.count("\n") == parts.count("\n") == 1
    assert max(translator.batches) > 1 and " " in parts
    joined, _ = run(translator, lines(text), max_pieces=8, target="zh")
    assert parts.replace(" ", "") == joined.replace(" ", "") and len(joined) < len(parts)


def test_scores_and_several_hypotheses(translator):
    written, _ = run(translator, lines("学校", ""), scores=True)
    assert [line.split("\t")[0] for line in written.splitlines()] == ["-0.2500", "0.0000"]
    written, _ = run(translator, lines("学校", "打开文件"), scores=True, n_best=2)
    assert [line.split("\t")[:2] for line in written.splitlines()] == [
        ["1", "-0.2500"],
        ["1", "-1.2500"],
        ["2", "-0.2500"],
        ["2", "-1.2500"],
    ]


def test_wrong_settings_are_said_before_the_first_line(translator):
    for settings, message in (({"target": "bo"}, r"no tag \[bo\]"), ({"n_best": 9}, "a beam of 5 finds no more")):
        with pytest.raises(SwcmError, match=message):
            run(translator, lines("学校"), **settings)
