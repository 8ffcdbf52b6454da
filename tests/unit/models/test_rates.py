"""Which parameters learn at another rate, and where they could not."""

from types import SimpleNamespace

import pytest

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.models.rates import scale_rate_of_copied
from swcm_fairseq.optim.adamw import ScaledRate
from tests.support.toy import toy_dictionary, toy_model

DICTIONARY = toy_dictionary()


def run(optimizer="adamw", fp16=False, bf16=False, no_flatten=False):
    common = SimpleNamespace(fp16=fp16, bf16=bf16, fp16_no_flatten_grads=no_flatten)
    return SimpleNamespace(root=SimpleNamespace(common=common, optimizer=SimpleNamespace(_name=optimizer)))


def test_what_starts_from_the_encoder_is_marked_and_nothing_else():
    model = toy_model(DICTIONARY, copied_lr_scale=0.3, decoder_init="warm")
    scale_rate_of_copied(model, model.cfg, run(bf16=True))
    marks = {name: getattr(parameter, "param_group", None) for name, parameter in model.named_parameters()}
    copied = {name for name, mark in marks.items() if mark == ScaledRate(0.3)}
    # Layers 2 and 5 are inserted ones.
    random = {
        name for name in marks if ".cross_attn." in name or name.startswith(("decoder.layers.2.", "decoder.layers.5."))
    }
    assert random and copied == set(marks) - random
    assert {marks[name] for name in random} == {None}


@pytest.mark.parametrize("settings, words", [({"optimizer": "adam"}, "adamw"), ({"fp16": True}, "no-flatten-grads")])
def test_where_the_mark_would_be_lost_it_is_refused(settings, words):
    model = toy_model(DICTIONARY)
    with pytest.raises(SwcmError, match=words):
        scale_rate_of_copied(model, model.cfg, run(**settings))


def test_it_is_not_lost_where_gradients_stay_apart():
    model = toy_model(DICTIONARY, copied_lr_scale=0.3)
    scale_rate_of_copied(model, model.cfg, run(fp16=True, no_flatten=True))
    assert model.encoder.layers[0].ffn.fc1.weight.param_group.scale == 0.3
