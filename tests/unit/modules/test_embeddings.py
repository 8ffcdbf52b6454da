import torch
import torch.nn.functional as F
from torch import nn

from swcm_fairseq.modules.embeddings import Embeddings, position_table, token_table

PAD = 1


def toy_embeddings():
    torch.manual_seed(0)
    norm = nn.LayerNorm(6, eps=1e-5)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return Embeddings(token_table(12, 6, PAD), position_table(8, 6, PAD), norm, dropout=0.0).eval()


def test_positions_start_at_two_and_padding_does_not_count_on_either_side():
    embeddings = toy_embeddings()
    tokens = torch.tensor([[0, 5, 2, PAD, PAD], [PAD, PAD, 0, 7, 2]])
    positions = torch.tensor([[2, 3, 4, PAD, PAD], [PAD, PAD, 2, 3, 4]])  # by hand, as XLM-R counts
    rows = embeddings.tokens.weight[tokens] + embeddings.positions.weight[positions]
    expected = F.layer_norm(rows, (6,), embeddings.layer_norm.weight, embeddings.layer_norm.bias, 1e-5)
    torch.testing.assert_close(embeddings(tokens), expected)


def test_one_step_equals_the_last_of_all():
    embeddings = toy_embeddings()
    tokens = torch.tensor([[9, 5, 4, 6], [8, 7, 4, 5]])
    for step in range(1, 5):
        alone = embeddings(tokens[:, step - 1 : step], step=step)
        torch.testing.assert_close(alone, embeddings(tokens[:, :step])[:, -1:])


def test_eight_tokens_fit_where_eight_were_asked_for():
    embeddings = toy_embeddings()
    assert embeddings.max_positions == 8
    assert embeddings.positions.num_embeddings == 10
    assert embeddings(torch.full((1, 8), 5)).shape == (1, 8, 6)


def test_the_padding_row_starts_at_zero_and_stays_so():
    embeddings = toy_embeddings()
    embeddings(torch.tensor([[PAD, 5]])).square().sum().backward()
    assert not embeddings.tokens.weight[PAD].any()
    assert not embeddings.tokens.weight.grad[PAD].any()
    assert embeddings.tokens.weight.grad[5].any()


def test_dropout_comes_last():
    """After the LayerNorm, as in XLM-R: what is dropped is zero, and the rest only scaled."""
    embeddings = toy_embeddings()
    tokens = torch.full((50, 8), 5)
    expected = embeddings(tokens)
    embeddings.dropout_module.p = 0.5
    found = embeddings.train()(tokens)
    dropped = found == 0
    assert 0.4 < float(dropped.float().mean()) < 0.6
    torch.testing.assert_close(found[~dropped], 2 * expected[~dropped])
