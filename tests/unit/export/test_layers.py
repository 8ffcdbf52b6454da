import math

import pytest
import torch

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.export.layers import Norm, _split, standard_model
from tests.support.toy import toy_dictionary, toy_model

REFUSED = {
    "identity": ({"inserted_layers": "identity"}, r"--inserted-layers identity: decoder layers 2, 5 normalize"),
    "residual": ({"drop_encoder_residual": 1}, r"--drop-encoder-residual 1: self-attention of that encoder layer"),
    "memory": ({"cross_attention_memory": "same-layer"}, r"--cross-attention-memory same-layer: in ct2 all decoder"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_standard_layers_cannot_express_is_refused_by_name(name):
    settings, message = REFUSED[name]
    with pytest.raises(SwcmError, match=message):
        standard_model(toy_model(toy_dictionary(), **settings), [], "ct2")


def test_all_that_is_refused_is_said_at_once():
    settings = {"inserted_layers": "identity", "drop_encoder_residual": 0, "cross_attention_memory": "same-layer-input"}
    with pytest.raises(SwcmError) as error:
        standard_model(toy_model(toy_dictionary(), **settings), [], "hf")
    assert len(error.value.problems) == 3 and "--to onnx takes every model" in str(error.value)


@pytest.mark.parametrize("eps", [1e-5, 1e-2, 1e-12])
@pytest.mark.parametrize("spread", [1.0, 1e-3])
def test_a_layer_norm_in_two_is_the_same(eps, spread):
    torch.manual_seed(1)
    x = (spread * torch.randn(50, 16)).double()
    norm = Norm(torch.randn(16).double(), torch.randn(16).double())

    def applied(values, one):
        return torch.nn.functional.layer_norm(values, (16,), one.gain, one.bias, eps)

    before, idle = _split(norm, eps)
    # Of what varies by far less than eps lets through, a thousandth is lost.
    close = 1e-5 if spread == 1 else 5e-3
    assert torch.allclose(applied(applied(x, before), idle), applied(x, norm), atol=close)
    # A plain one, gain 1 and bias 0, in its place undoes the first one's eps.
    plain = Norm(torch.ones(16).double(), torch.zeros(16).double())
    if eps > 1e-12 and spread < 1:
        assert not torch.allclose(applied(applied(x, plain), norm), applied(x, norm), atol=1e-1)


def test_custom_layers_are_two_and_others_one():
    model = standard_model(toy_model(toy_dictionary()), [], "hf")
    kinds = [(one.self_attention is None, one.cross_attention is None) for one in model.decoder]
    front, back, normal = (False, True), (True, False), (False, False)
    assert kinds == [front, back, front, back, normal] * 2
    assert model.tied and math.isclose(model.eps, 1e-5, rel_tol=1e-6)
