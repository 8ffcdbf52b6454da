"""What reaches the model of a question with its passage: ids, through encoding and binarizing."""

import pytest

from swcm_fairseq.vocabulary.pieces import Pieces
from tests.support.tiny_encoder import CORPUS, sentencepiece_pieces, train_sentencepiece


@pytest.mark.parametrize("separator, documents", [("</s>", ["--documents"]), ("|", [])])
def test_the_mark_between_question_and_passage_reaches_the_model(run, repo, tmp_path, separator, documents):
    from swcm_fairseq.tasks.swcm_finetuning import SwcmFinetuningConfig, SwcmFinetuningTask

    model = train_sentencepiece(list(CORPUS) + ["a | b"] * 3)
    (tmp_path / "spm").write_bytes(model)
    symbols = sentencepiece_pieces(model) + ["<mask>", "[zh]"]
    (tmp_path / "dict.txt").write_text("".join(symbol + " 1\n" for symbol in symbols), encoding="utf-8")
    question, passage, text = tmp_path / "question", tmp_path / "passage", tmp_path / "text"
    question.write_text("今天 天气。\n", encoding="utf-8")
    passage.write_text("今天天气很好。</s> [zh]\n", encoding="utf-8")
    text.mkdir()
    (text / "train.question-answer.answer").write_text("很好\n", encoding="utf-8")
    files = ["--question", question, "--passage", passage, "--out", text / "train.question-answer.question"]
    run(["python", repo / "preprocess/mrc.py", *files, "--spm", tmp_path / "spm", "--separator", separator])
    encode = ["python", repo / "preprocess/encode.py", "--spm", tmp_path / "spm", "--out", tmp_path / "pieces"]
    run([*encode, *documents, *(text / ("train.question-answer." + side) for side in ("question", "answer"))])
    binarize = ["bash", repo / "recipes/binarize.sh", tmp_path / "pieces", tmp_path / "dict.txt"]
    run([*binarize, tmp_path / "data-bin", "question-answer"], env={"WORKERS": 1})

    settings = {"dataset_impl": "mmap", "required_seq_len_multiple": 1, "seed": 1, "target_tag": "zh"}
    config = SwcmFinetuningConfig(data=str(tmp_path / "data-bin"), lang_pairs="question-answer", **settings)
    task = SwcmFinetuningTask.setup_task(config)
    task.load_dataset("train")
    source = task.dataset("train")[0].source.tolist()

    seen = [(["<s>", "<pad>", "</s>", "<unk>"] + symbols)[number] for number in source]
    pieces = Pieces.load(str(tmp_path / "spm"))
    mark = ["</s>"] if separator == "</s>" else pieces.cut(["|"])[0]
    start = pieces.cut(["今天 天气。"])[0] + mark
    assert source[0] == 0 and source[-1] == 2
    assert seen[1 : len(start) + 1] == start
    assert source[:-1].count(2) == (separator == "</s>")
    # What reads like a mark or a tag in the passage is text.
    rest = seen[len(start) + 1 : -1]
    assert len(rest) > 5 and not {"</s>", "[zh]"} & set(rest)
