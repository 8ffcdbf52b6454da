"""Scheduled sampling: the schedules, what is replaced, by what, and what stays as it was."""

import math

import pytest
import torch

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.training.scheduled_sampling import Schedule, ScheduledSampling, predict
from tests.support.toy import toy_dictionary, toy_model, toy_sources


def forcing(kind, update, **settings):
    return Schedule(kind, **{"start": 100, "half_life": 1000, **settings}).check().teacher_forcing(update)


@pytest.mark.parametrize("kind", ["linear", "exponential", "inverse-sigmoid"])
def test_every_schedule_is_at_a_half_after_the_half_life(kind):
    assert forcing(kind, 1100) == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize("kind", ["linear", "exponential", "inverse-sigmoid"])
def test_every_schedule_falls_from_one_to_the_floor(kind):
    assert [forcing(kind, update) for update in (0, 50, 99)] == [1.0, 1.0, 1.0]
    values = [forcing(kind, update, floor=0.2) for update in range(100, 20000, 50)]
    assert values[0] > 0.99
    assert all(a >= b for a, b in zip(values, values[1:]))
    assert values[-1] == 0.2
    assert forcing(kind, 10**9) < 1e-9


def test_schedules_by_hand():
    assert forcing("linear", 600) == pytest.approx(0.75)
    assert forcing("exponential", 2100) == pytest.approx(0.25)
    # k ln k = 1000 for a k between 190 and 191: 190 ln 190 = 996.9, 191 ln 191 = 1003.2.
    low, high = (k / (k + math.exp(500 / k)) for k in (190, 191))
    assert low < forcing("inverse-sigmoid", 600) < high
    assert forcing("none", 10**6) == 1.0


@pytest.mark.parametrize("kind", ["none", "linear", "exponential", "inverse-sigmoid"])
def test_floor_one_is_teacher_forcing(kind):
    assert all(forcing(kind, update, floor=1.0) == 1.0 for update in (0, 100, 101, 10**7))


def test_impossible_schedules_are_all_named():
    with pytest.raises(SwcmError) as raised:
        Schedule("cosine", -1, 0, 1.5).check()
    assert len(raised.value.problems) == 4


@pytest.fixture(scope="module")
def dictionary():
    return toy_dictionary()


@pytest.fixture(scope="module")
def model(dictionary):
    return toy_model(dictionary, dropout=0.3)


def batch(dictionary, rows=3, length=8):
    source = toy_sources(dictionary, [length] * (rows - 1) + [length - 3])
    target = toy_sources(dictionary, [length] * (rows - 1) + [length - 4], seed=1)
    previous = target.clone()
    previous[:, 0] = dictionary.index("[kk]")
    lengths = source.ne(dictionary.pad()).sum(1)
    return {
        "id": torch.arange(rows),
        "net_input": {"src_tokens": source, "src_lengths": lengths, "prev_output_tokens": previous},
        "target": target,
    }


def sampling(dictionary, floor, never=(), seed=1):
    # The half-life is over by far, so teacher forcing is at its floor.
    schedule = Schedule("exponential", half_life=1, floor=floor)
    return ScheduledSampling(schedule, seed, dictionary.pad(), list(never))


def test_the_share_of_replaced_inputs(dictionary):
    inputs = batch(dictionary, rows=400, length=60)["net_input"]["prev_output_tokens"]
    real = inputs.ne(dictionary.pad())
    real[:, 0] = False
    for probability in (0.1, 0.5, 0.9):
        chosen = sampling(dictionary, 0).choose(inputs, torch.arange(400), 5, probability)
        assert not (chosen & ~real).any()
        assert abs(chosen.sum().item() / real.sum().item() - probability) < 0.01


def test_what_is_chosen_depends_on_seed_update_and_examples_alone(dictionary):
    inputs = batch(dictionary, rows=5, length=20)["net_input"]["prev_output_tokens"]

    def choose(seed=1, update=7, ids=(0, 1, 2, 3, 4)):
        return sampling(dictionary, 0, seed=seed).choose(inputs, torch.tensor(ids), update, 0.5).tolist()

    first = choose()
    torch.manual_seed(9)
    assert choose() == first
    assert first not in (choose(seed=2), choose(update=8), choose(ids=(5, 1, 2, 3, 4)))


@torch.no_grad()
def test_with_no_forcing_every_input_is_the_prediction_before_it(dictionary):
    """Against a plain full decoding: logits at t, best piece, input at t + 1."""
    sample = batch(dictionary)
    never = [dictionary.bos(), dictionary.index("<mask>")]
    model = toy_model(dictionary, dropout=0.3, untie_output_projection=True)
    # Random features are alike; what they have in common must not choose the pieces.
    weight, bias = model.output_parameters()
    bias.copy_(-weight @ model(**sample["net_input"], features_only=True)[0].mean((0, 1)))
    result = sampling(dictionary, 0.0, never)(model, sample, update=10**6)
    model.eval()
    logits, _ = model(**sample["net_input"])
    logits[:, :, never + [dictionary.pad()]] = -math.inf
    best = logits.argmax(2)
    before, after = sample["net_input"]["prev_output_tokens"], result["net_input"]["prev_output_tokens"]
    for row in range(before.size(0)):
        for column in range(before.size(1)):
            if column == 0 or before[row, column] == dictionary.pad():
                assert after[row, column] == before[row, column]
            else:
                assert after[row, column] == best[row, column - 1]
    assert not after.eq(before).all()
    assert best[:, 1:].ne(best[:, :-1]).any(1).sum() > 1, "predictions that are all the same would hide a shift"


def test_some_inputs_are_replaced_and_the_batch_itself_is_not_touched(dictionary, model):
    sample = batch(dictionary, rows=6, length=30)
    before = sample["net_input"]["prev_output_tokens"].clone()
    result = sampling(dictionary, 0.5)(model, sample, update=10**6)
    after = result["net_input"]["prev_output_tokens"]
    assert sample["net_input"]["prev_output_tokens"].equal(before)
    assert 0.2 < after.ne(before).float().mean() < 0.6
    assert after.eq(dictionary.pad()).equal(before.eq(dictionary.pad()))
    for name in ("target", "id"):
        assert result[name] is sample[name]
    assert result["net_input"]["src_tokens"] is sample["net_input"]["src_tokens"]


def test_what_may_not_be_written_is_never_predicted(dictionary, model):
    net_input = batch(dictionary)["net_input"]
    rows, columns = net_input["prev_output_tokens"].ne(dictionary.pad()).nonzero(as_tuple=True)
    allowed = 7
    never = [index for index in range(len(dictionary)) if index != allowed]
    assert set(predict(model, net_input, rows, columns, never).tolist()) == {allowed}


@pytest.mark.parametrize("training", [True, False])
def test_the_first_pass_leaves_no_trace(dictionary, model, training):
    """No gradients, no random numbers drawn, the mode as before."""
    model.train(training)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    sampling(dictionary, 0.2)(model, batch(dictionary), update=10**6)
    assert torch.get_rng_state().equal(state)
    assert model.training is training and model.decoder.layers[0].training is training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_floor_one_runs_no_first_pass(dictionary):
    sample = batch(dictionary)
    assert sampling(dictionary, 1.0)(None, sample, update=10**6) is sample


def test_an_empty_batch_passes(dictionary):
    assert sampling(dictionary, 0.0)(None, {}, update=10**6) == {}
