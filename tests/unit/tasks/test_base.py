"""Decoding through a task: the language is forced, and a sentence's output depends on nothing but its source."""

import os
from contextlib import nullcontext

import pytest
import torch
from fairseq import checkpoint_utils
from fairseq.dataclass.configs import GenerationConfig

from swcm_fairseq.data.pairs import PairDataset
from swcm_fairseq.decoding import generator
from swcm_fairseq.errors import SwcmError
from tests.support.tiny_encoder import sentencepiece_pieces, train_sentencepiece
from tests.support.toy import PIECES, toy_dictionary, toy_model, toy_task, write_data_bin

DICTIONARY = toy_dictionary()
# Lengths that make batches with padding; the pieces are arbitrary.
SOURCES = ["a b c", "d", "e f g h i j", "k l", "m n o p", "q r s t a b c"]
TARGETS = ["b", "c d", "e f g", "h", "i j", "k l m"]
MAX_LENGTH = 8


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    sides = {}
    for language in ("kk", "mn"):
        sides[f"test.zh-{language}.zh"] = SOURCES
        sides[f"test.zh-{language}.{language}"] = TARGETS
    write_data_bin(folder, DICTIONARY, sides)
    task = toy_task(folder, DICTIONARY, lang_pairs="zh-kk,zh-mn")
    task.load_dataset("test")
    return task


def ending_model(seed):
    """A model that ends sentences at different lengths, so that batches shrink while they are decoded."""
    model = toy_model(DICTIONARY, seed=seed, untie_output_projection=True)
    with torch.no_grad():
        model.output_parameters()[1][DICTIONARY.eos()] += 1.0
    return model


@pytest.fixture(scope="module")
def model():
    return ending_model(seed=1)


def decode(task, models, indices, **settings):
    """Hypotheses of the examples at ``indices``, decoded in one batch: index -> list of best first."""
    dataset = task.dataset("test")
    batch = dataset.collater([dataset[index] for index in indices])
    generator = task.build_generator(models, GenerationConfig(**{"max_len_b": MAX_LENGTH, **settings}))
    return dict(zip(batch["id"].tolist(), task.inference_step(generator, models, batch)))


def tokens_of(hypotheses):
    return hypotheses[0]["tokens"].tolist()


def greedy(task, model, index):
    """One sentence, all tokens anew at every step, without any cache; its pieces and its mean log-probability."""
    example = task.dataset("test")[index]
    never = [DICTIONARY.index(s) for s in ("<s>", "<pad>", "<mask>", "[zh]", "[kk]", "[mn]")]
    tokens, scores = [example.tag], []
    for step in range(MAX_LENGTH + 1):
        logits, _ = model(example.source[None], None, torch.tensor([tokens]))
        probabilities = logits[0, -1].log_softmax(-1)
        allowed = probabilities.clone()
        allowed[never] = float("-inf")
        if step == 0:
            allowed[DICTIONARY.eos()] = float("-inf")  # fairseq's --min-len 1
        best = DICTIONARY.eos() if step == MAX_LENGTH else int(allowed.argmax())
        tokens.append(best)
        scores.append(float(probabilities[best]))
        if best == DICTIONARY.eos():
            break
    return tokens[1:], sum(scores) / len(scores)


@torch.no_grad()
def test_beam_one_is_greedy_with_each_sentences_tag(task, model):
    found = decode(task, [model], range(12), beam=1)
    lengths = set()
    for index in range(12):
        tokens, score = greedy(task, model, index)
        assert tokens_of(found[index]) == tokens
        assert abs(float(found[index][0]["score"]) - score) < 1e-4
        lengths.add(len(tokens))
    assert len(lengths) > 2, lengths
    # The first six and the last six have the same sources and other tags.
    assert [tokens_of(found[i]) for i in range(6)] != [tokens_of(found[i]) for i in range(6, 12)]


@pytest.mark.parametrize("beam", [1, 4])
def test_batch_size_and_order_change_no_token_and_no_score(task, model, beam):
    whole = decode(task, [model], range(12), beam=beam, nbest=beam)
    orders = [[index] for index in range(12)] + [[11, 0, 5, 6], [2, 9], list(reversed(range(12)))]
    for order in orders:
        for index, hypotheses in decode(task, [model], order, beam=beam, nbest=beam).items():
            assert [h["tokens"].tolist() for h in hypotheses] == [h["tokens"].tolist() for h in whole[index]]
            for one, other in zip(hypotheses, whole[index]):
                assert abs(float(one["score"]) - float(other["score"])) < 1e-4


def test_a_wider_beam_finds_nothing_worse(task, model):
    narrow, wide = (decode(task, [model], range(12), beam=beam, unnormalized=True) for beam in (1, 8))
    assert all(float(wide[i][0]["score"]) >= float(narrow[i][0]["score"]) - 1e-4 for i in range(12))
    assert any(float(wide[i][0]["score"]) > float(narrow[i][0]["score"]) + 1e-3 for i in range(12))


@pytest.mark.parametrize("settings", [{"beam": 1}, {"beam": 5}, {"beam": 3, "sampling": True}], ids=str)
def test_symbols_that_are_no_text_never_come_out(task, settings):
    model = toy_model(DICTIONARY, untie_output_projection=True)
    no_text = [DICTIONARY.index(symbol) for symbol in ("<s>", "<mask>", "[zh]", "[kk]", "[mn]")]
    with torch.no_grad():
        model.output_parameters()[1][no_text] = 20.0  # what the model likes best by far
    for hypotheses in decode(task, [model], range(6), **settings).values():
        for hypothesis in hypotheses:
            assert not set(hypothesis["tokens"].tolist()) & set(no_text)


def test_two_models_are_averaged(task, model):
    other = ending_model(seed=8)
    together = decode(task, [model, other], range(6), beam=1)
    assert [tokens_of(h) for h in decode(task, [model, model], range(6), beam=1).values()] == [
        tokens_of(h) for h in decode(task, [model], range(6), beam=1).values()
    ]
    example = task.dataset("test")[0]
    start = torch.tensor([[example.tag]])
    with torch.no_grad():
        first, second = (m(example.source[None], None, start)[0][0, -1].softmax(-1) for m in (model, other))
    expected = ((first + second) / 2).log()[tokens_of(together[0])[0]]
    assert abs(float(together[0][0]["positional_scores"][0]) - float(expected)) < 1e-4


@torch.no_grad()
def test_references_are_scored_by_teacher_forcing(task, model):
    for index, hypotheses in decode(task, [model], range(6), score_reference=True).items():
        example = task.dataset("test")[index]
        tokens = torch.cat([torch.tensor([example.tag]), example.target[:-1]])
        logits, _ = model(example.source[None], None, tokens[None])
        expected = logits[0].log_softmax(-1).gather(1, example.target[:, None].long())[:, 0]
        assert tokens_of(hypotheses) == example.target.tolist()
        torch.testing.assert_close(hypotheses[0]["positional_scores"], expected, atol=1e-4, rtol=0)


def test_prefix_tokens_are_kept_and_gone_on_from(task, model):
    dataset = task.dataset("test")
    batch = dataset.collater([dataset[0], dataset[2]])
    generator = task.build_generator([model], GenerationConfig(beam=2, max_len_b=MAX_LENGTH))
    prefix = torch.tensor([[DICTIONARY.index("t"), DICTIONARY.index("s")]] * 2)
    for hypotheses in task.inference_step(generator, [model], batch, prefix_tokens=prefix):
        assert tokens_of(hypotheses)[:2] == prefix[0].tolist()


def test_a_search_keeps_the_memory_of_its_scores(task, model, monkeypatch):
    sizes = []
    monkeypatch.setattr(generator, "keep_freed_memory", lambda size: sizes.append(size) or nullcontext())
    decode(task, [model], range(6), beam=2)
    assert sizes == [6 * 2 * len(DICTIONARY) * 4]


def test_raw_text_goes_to_the_one_target_and_is_refused_with_several(task, model, tmp_path):
    one = toy_task(tmp_path, DICTIONARY, source_lang="zh", target_lang="mn")
    pieces = [DICTIONARY.encode_line(line, add_if_not_exist=False).long() for line in SOURCES]

    def batch_for(task):
        dataset = task.build_dataset_for_inference(pieces, [len(piece) for piece in pieces])
        batch = dataset.collater([dataset[index] for index in range(len(SOURCES))])
        return {"net_input": batch["net_input"]}  # fairseq-interactive hands on no more than this

    batch = batch_for(one)
    generator = one.build_generator([model], GenerationConfig(beam=1, max_len_b=MAX_LENGTH))
    found = one.inference_step(generator, [model], batch)
    expected = decode(task, [model], range(6, 12), beam=1)  # zh-mn comes second
    assert [tokens_of(h) for h in found] == [tokens_of(h) for h in expected.values()]

    with pytest.raises(SwcmError, match="--target-lang or --target-tag"):
        batch_for(task)


def test_tags_that_the_dictionary_lacks_are_named_with_those_it_has(tmp_path):
    with pytest.raises(SwcmError, match=r"no tag \[ug\] \[bo\]; it has: \[zh\] \[kk\] \[mn\].*build_dict.py --langs"):
        toy_task(tmp_path, DICTIONARY, lang_pairs="zh-ug,zh-kk,zh-bo")


def test_no_folder_no_dictionary_and_differing_dictionaries(tmp_path):
    read = type(toy_task(tmp_path, DICTIONARY, source_lang="zh", target_lang="kk")).read_dictionary

    class Settings:
        data = str(tmp_path / "none")

    with pytest.raises(SwcmError, match="no such data folder: .*none"):
        read(Settings, ["zh"])
    Settings.data = str(tmp_path / "empty")
    os.makedirs(Settings.data)
    with pytest.raises(SwcmError, match="no dictionary in .*empty"):
        read(Settings, ["zh"])
    DICTIONARY.save(str(tmp_path / "empty" / "dict.zh.txt"))
    toy_dictionary(PIECES[1:]).save(str(tmp_path / "empty" / "dict.kk.txt"))
    with pytest.raises(SwcmError, match="dictionaries differ") as caught:
        read(Settings, ["zh", "kk"])
    assert caught.value.problems == [str(tmp_path / "empty" / "dict.kk.txt")]


def test_text_goes_in_and_out_by_the_sentencepiece_model_beside_the_data(tmp_path):
    pieces = train_sentencepiece()
    (tmp_path / "sentencepiece.bpe.model").write_bytes(pieces)
    task = toy_task(tmp_path, toy_dictionary(sentencepiece_pieces(pieces)), source_lang="zh", target_lang="kk")
    bpe = task.build_bpe(None)
    encoded = bpe.encode("打开文件")
    assert set(encoded.split(" ")) <= set(task.source_dictionary.symbols)
    assert bpe.decode(encoded) == "打开文件"


class OneWay(torch.nn.Module):
    """A language model that notes what it is asked and gives every piece the same probability but one."""

    def __init__(self, likes):
        super().__init__()
        self.likes, self.seen = likes, []

    def forward(self, tokens):
        self.seen.append(tokens.clone())
        logits = torch.zeros(*tokens.shape, len(DICTIONARY))
        logits[..., self.likes] = 30.0
        return logits, None

    def get_normalized_probs(self, output, log_probs, sample=None):
        return output[0].log_softmax(-1)


def test_a_language_model_begins_as_it_was_trained_and_is_heard(task, model):
    likes = DICTIONARY.index("t")
    language_model = OneWay(likes)
    batch = task.dataset("test").collater([task.dataset("test")[0]])
    generator = task.build_generator(
        [model],
        GenerationConfig(beam=2, max_len_b=MAX_LENGTH),
        extra_gen_cls_kwargs={"lm_model": language_model, "lm_weight": 1.0},
    )
    [hypotheses] = task.inference_step(generator, [model], batch)
    assert set(hypotheses[0]["tokens"].tolist()) == {likes, DICTIONARY.eos()}
    for tokens in language_model.seen:
        assert tokens[:, 0].tolist() == [DICTIONARY.eos()] * 2
        assert not (tokens[:, 1:] == DICTIONARY.index("[kk]")).any()


def test_a_language_model_is_loaded_where_fairseq_would_pass_its_flag_over(task, model, monkeypatch):
    asked = []

    def load(paths, arg_overrides, task):
        asked.append((paths, arg_overrides))
        return [OneWay(DICTIONARY.index("t"))], None

    monkeypatch.setattr(checkpoint_utils, "load_model_ensemble", load)
    generator = task.build_generator([model], GenerationConfig(beam=2, lm_path="lm.pt", lm_weight=0.5))
    assert asked == [(["lm.pt"], {"data": task.folders[0]})]
    assert generator.lm_weight == 0.5 and isinstance(generator.lm_model.model, OneWay)


@pytest.mark.parametrize("beam", [1, 3])
def test_a_source_that_shows_nothing_gives_nothing_and_changes_no_other(task, model, beam):
    pieces = [DICTIONARY.encode_line(line, add_if_not_exist=False).long() for line in ("a b c", "", "d e")]
    dataset = PairDataset(pieces, [len(one) for one in pieces], None, None, DICTIONARY, DICTIONARY.index("[kk]"))
    generator = task.build_generator([model], GenerationConfig(beam=beam, max_len_b=MAX_LENGTH))
    found = task.inference_step(generator, [model], dataset.collater([dataset[i] for i in range(3)]))
    assert [h["tokens"].tolist() for h in found[1]] == [[DICTIONARY.eos()]]
    for place in (0, 2):
        [alone] = task.inference_step(generator, [model], dataset.collater([dataset[place]]))
        assert tokens_of(alone) == tokens_of(found[place]) and len(alone) == beam
    [nothing] = task.inference_step(generator, [model], dataset.collater([dataset[1]]))
    assert tokens_of(nothing) == [DICTIONARY.eos()]


def test_lengths_match_the_sources_pieces(task, model):
    settings = {"beam": 3, "match_source_len": True}
    for index, hypotheses in decode(task, [model], range(6), **settings).items():
        assert len(tokens_of(hypotheses)) == len(SOURCES[index].split()) + 1  # </s>


@pytest.mark.parametrize("groups", [2, 4])
def test_diverse_groups_give_a_whole_beam_whatever_ends_when(task, model, groups):
    found = decode(task, [model], range(12), beam=4, nbest=4, diverse_beam_groups=groups, diverse_beam_strength=1.0)
    for hypotheses in found.values():
        assert len(hypotheses) == 4
        assert len({tuple(one["tokens"].tolist()) for one in hypotheses}) > 1
