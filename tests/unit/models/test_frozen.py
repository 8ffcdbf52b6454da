"""What is done only in decoding changes no result: packed weights, shared first steps, attention left out, bf16."""

import argparse

import pytest
import torch
from fairseq.sequence_generator import SequenceGenerator

from swcm_fairseq.vocabulary.dictionary import symbols_that_are_no_text
from tests.support.toy import toy_dictionary, toy_model, toy_sources

DICTIONARY = toy_dictionary()
TAG = DICTIONARY.index("[kk]")


def settings(bf16=False, print_alignment=None):
    common = argparse.Namespace(bf16=bf16, fp16=False)
    generation = argparse.Namespace(print_alignment=print_alignment, beam=3, retain_dropout=False, no_beamable_mm=True)
    return argparse.Namespace(common=common, generation=generation)


def hypotheses(model, beam=3):
    sources = toy_sources(DICTIONARY, [6, 3, 9])
    generator = SequenceGenerator(
        [model], DICTIONARY, beam_size=beam, max_len_b=8, tokens_to_suppress=symbols_that_are_no_text(DICTIONARY)
    )
    sample = {"net_input": {"src_tokens": sources, "src_lengths": sources.ne(DICTIONARY.pad()).sum(1)}}
    found = generator.generate([model], sample, bos_token=torch.full((3 * beam,), TAG))
    return [h for sentence in found for h in sentence]


@pytest.mark.parametrize("memory", ["last", "same-layer", "same-layer-input"])
@pytest.mark.parametrize("beam", [1, 3])
def test_a_frozen_model_decodes_as_before(beam, memory):
    model = toy_model(DICTIONARY, cross_attention_memory=memory)
    expected = hypotheses(model, beam)
    model.prepare_for_inference_(settings())
    found = hypotheses(model, beam)
    for hypothesis, wanted in zip(found, expected):
        assert hypothesis["tokens"].tolist() == wanted["tokens"].tolist()
        assert abs(float(hypothesis["score"] - wanted["score"])) < 1e-5


@pytest.mark.parametrize("print_alignment, there", [(None, False), ("hard", True)])
def test_attention_is_computed_where_it_is_asked_for(print_alignment, there):
    model = toy_model(DICTIONARY)
    model.prepare_for_inference_(settings(print_alignment=print_alignment))
    assert all((h["attention"] is not None and h["attention"].numel() > 0) is there for h in hypotheses(model))


def test_bf16_is_what_the_model_decodes_in():
    model = toy_model(DICTIONARY)
    model.prepare_for_inference_(settings(bf16=True))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert all(h["positional_scores"].dtype is torch.float32 for h in hypotheses(model))


@torch.no_grad()
def test_hypotheses_that_begin_unlike_each_other_are_computed_apart():
    model = toy_model(DICTIONARY)
    sources = toy_sources(DICTIONARY, [6, 3])
    beams = torch.tensor([0, 0, 1, 1])
    encoder_out = model.encoder.reorder_encoder_out(model.encoder(sources), beams)
    a, b = DICTIONARY.nspecial, DICTIONARY.nspecial + 1
    for tokens in ([[a], [b], [a], [a]], [[a], [a], [b], [b]], [[a], [a], [a], [b]]):
        tokens = torch.tensor(tokens)
        logits, extra = model.decoder(tokens, encoder_out, {})
        expected, expected_extra = model.decoder(tokens, model.encoder(sources[beams]))
        torch.testing.assert_close(logits, expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(extra["attn"][0], expected_extra["attn"][0], atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_first_step_of_a_beam_costs_one_hypothesis_a_sentence(monkeypatch):
    model = toy_model(DICTIONARY)
    rows = []
    forward = model.decoder.layers[0].forward
    monkeypatch.setattr(
        model.decoder.layers[0], "forward", lambda x, *rest, **more: rows.append(x.size(0)) or forward(x, *rest, **more)
    )
    hypotheses(model, beam=3)
    assert rows[0] == 3 and rows[1] == 9
