"""The explicit loop against torch.nn.LSTM, and its 8-bit form against plain arithmetic."""

import pytest
import torch

from kikitori_trainer.lstm import fake_quantise, lstm
from kikitori_trainer.network import Network, Shape


@pytest.mark.parametrize("rank", [0, 5])
def test_equals_torch_forward_and_backward(rank: int) -> None:
    torch.manual_seed(0)
    reference = torch.nn.LSTM(4, 6, proj_size=rank)
    x = torch.randn(7, 3, 4, requires_grad=True)
    wanted, _ = reference(x)
    weights = torch.randn_like(wanted)
    (wanted * weights).sum().backward()
    own = [p.detach().clone().requires_grad_() for p in reference.parameters()]
    bias = (own[2] + own[3]).detach().requires_grad_()
    x2 = x.detach().clone().requires_grad_()
    got = lstm(x2, own[0], own[1], bias, own[4] if rank else None)
    (got * weights).sum().backward()
    theirs = list(reference.parameters())
    assert torch.allclose(got, wanted, atol=1e-6)
    pairs = [(x2, x), (own[0], theirs[0]), (own[1], theirs[1]), (bias, theirs[2])]
    pairs += [(own[4], theirs[4])] if rank else []
    for mine, other in pairs:
        assert mine.grad is not None and other.grad is not None
        assert torch.allclose(mine.grad, other.grad, atol=1e-5)


def test_quantised_activations_equal_plain_arithmetic() -> None:
    torch.manual_seed(1)
    n, r, scale_p, scale_h = 6, 4, 0.02, 1 / 127
    w_x, w_h, b, w_p = torch.randn(4 * n, 3), torch.randn(4 * n, r), torch.randn(4 * n), torch.randn(r, n)
    x = torch.randn(5, 2, 3)
    got = lstm(x, w_x, w_h, b, w_p, quantum_p=scale_p, quantum_h=scale_h)
    p, c = torch.zeros(2, r), torch.zeros(2, n)
    for t in range(5):
        i, f, g, o = (x[t] @ w_x.t() + p @ w_h.t() + b).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = fake_quantise(o.sigmoid() * c.tanh(), scale_h)
        p = fake_quantise(h @ w_p.t(), scale_p)
        assert torch.allclose(got[t], p, atol=scale_p * 1.01)  # a sum on the edge may round either way
    whole = got / scale_p
    assert torch.allclose(whole, whole.round(), atol=1e-3)
    assert whole.max() <= 127 and whole.min() >= -128


def test_saturated_activations_get_no_gradient() -> None:
    w_x, w_h, b = torch.full((4, 1), 5.0), torch.zeros(4, 1), torch.zeros(4)
    w_p = torch.tensor([[10.0]], requires_grad=True)
    lstm(torch.ones(1, 1, 1), w_x, w_h, b, w_p, quantum_p=0.01, quantum_h=1 / 127).sum().backward()
    assert w_p.grad is not None and float(w_p.grad.abs().sum()) == 0


def test_bfloat16_is_close() -> None:
    torch.manual_seed(2)
    w = [torch.randn(4 * 16, 8) * 0.3, torch.randn(4 * 16, 16) * 0.3, torch.zeros(64)]
    x = torch.randn(20, 2, 8)
    assert (lstm(x, *w, bf16=True) - lstm(x, *w)).abs().max() < 0.05


@pytest.mark.parametrize("rank", [0, 5])
def test_bfloat16_of_the_library_has_the_same_gradients(rank: int) -> None:
    torch.manual_seed(3)
    out = rank or 16
    made = [torch.randn(12, 3, 8), torch.randn(4 * 16, 8) * 0.3, torch.randn(4 * 16, out) * 0.3, torch.randn(64) * 0.2]
    made += [torch.randn(rank, 16) * 0.3] if rank else []
    wanted = torch.randn(12, 3, out)

    def gradients(bf16: bool) -> list[torch.Tensor]:
        given = [m.clone().requires_grad_() for m in made]
        (lstm(*given, bf16=bf16) * wanted).sum().backward()
        return [g.grad for g in given if g.grad is not None]

    for exact, near in zip(gradients(False), gradients(True), strict=True):
        assert (exact - near).norm() < 0.03 * exact.norm()


def test_what_is_left_out_between_layers_is_the_same_for_a_whole_example() -> None:
    torch.manual_seed(4)
    network = Network(5, Shape([40, 40]), 40)
    network.dropout = 0.5
    with torch.no_grad():
        # The outputs are those of the last layer: what is left out is 0 in all steps.
        network.output.weight.copy_(torch.eye(40))
        network.output.bias.zero_()
    said = network(torch.randn(9, 3, 5))
    gone = (said == 0).all(0)
    assert torch.equal(gone, (said == 0).any(0))
    assert 0.3 < gone.float().mean() < 0.7 and not torch.equal(gone[0], gone[1])
    network.eval()
    assert not (network(torch.randn(9, 3, 5)) == 0).any()
