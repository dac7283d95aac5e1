"""A grown network says at first what the small one says."""

import pytest
import torch

from kikitori_trainer.checkpoint import Checkpoint
from kikitori_trainer.features import Features
from kikitori_trainer.grow import grown
from kikitori_trainer.lexicon import UNITS
from kikitori_trainer.network import Network, Shape


def checkpoint(layers: list[int], ranks: list[int] | None = None, inputs: int = 0) -> Checkpoint:
    f = Features(melBins=3)
    shape = Shape(layers, ranks or [], inputs)
    return Checkpoint(f, [0.0] * 3, [1.0] * 3, UNITS, shape, Network(f.dim, shape, len(UNITS)).tensors())


def test_a_wider_network_says_what_it_said_and_its_new_cells_learn() -> None:
    torch.manual_seed(0)
    small = checkpoint([4, 5])
    wide = grown(small, [7, 6], [])
    x = torch.randn(9, 2, small.features.dim)
    network = wide.network()
    assert torch.allclose(network(x), small.network()(x), atol=1e-6)
    network(x).square().sum().backward()
    gradient = network.output.weight.grad
    assert gradient is not None and (gradient[:, 5:] != 0).any()


def test_deeper_keeps_what_is_below() -> None:
    small = checkpoint([4])
    deep = grown(small, [5, 6], [])
    assert deep.shape.layers == [5, 6]
    old, new = small.tensors["lstm.0.weight_hh"], deep.tensors["lstm.0.weight_hh"]
    for gate in range(4):
        assert torch.equal(new[5 * gate : 5 * gate + 4, :4], old[4 * gate : 4 * gate + 4])


@pytest.mark.parametrize("layers", [[3], [], [4, 2]])
def test_what_cannot_grow_is_refused(layers: list[int]) -> None:
    with pytest.raises(ValueError, match="cannot grow"):
        grown(checkpoint([4, 4]), layers, [])


def test_higher_ranks_say_what_was_said_and_learn() -> None:
    torch.manual_seed(0)
    small = checkpoint([6, 5], [2, 3])
    higher = grown(small, [6, 5], [4, 3])
    assert higher.shape.ranks == [4, 3]
    x = torch.randn(9, 2, small.features.dim)
    network = higher.network()
    assert torch.allclose(network(x), small.network()(x), atol=1e-6)
    network(x).square().sum().backward()
    gradient = network.lstm[1].weight_ih.grad
    assert isinstance(gradient, torch.Tensor) and (gradient[:, 2:] != 0).any()


@pytest.mark.parametrize("ranks", [[1, 3], [4], [2, 3, 4]])
def test_ranks_that_cannot_grow_are_refused(ranks: list[int]) -> None:
    with pytest.raises(ValueError, match="cannot grow ranks"):
        grown(checkpoint([6, 5], [2, 3]), [6, 5], ranks)


def test_more_cells_behind_the_same_ranks_say_what_was_said_and_learn() -> None:
    torch.manual_seed(0)
    small = checkpoint([6, 5], [2, 3])
    wide = grown(small, [9, 5], [2, 4])
    assert wide.shape.layers == [9, 5] and wide.shape.ranks == [2, 4]
    x = torch.randn(9, 2, small.features.dim)
    network = wide.network()
    assert torch.allclose(network(x), small.network()(x), atol=1e-6)
    network(x).square().sum().backward()
    assert network.lstm[0].projection is not None
    gradient = network.lstm[0].projection.grad
    assert isinstance(gradient, torch.Tensor) and (gradient[:, 6:] != 0).any()


def test_a_factored_network_becomes_dense_and_wider_and_says_what_it_said() -> None:
    torch.manual_seed(0)
    small = checkpoint([6, 5], [2, 3], inputs=4)
    dense = grown(small, [9, 5], [])
    assert dense.shape == Shape([9, 5])
    x = torch.randn(9, 2, small.features.dim)
    assert torch.allclose(dense.network()(x), small.network()(x), atol=1e-6)


@pytest.mark.parametrize("layers", [[5, 5], [6], [6, 5, 4]])
def test_cells_that_cannot_grow_are_refused(layers: list[int]) -> None:
    with pytest.raises(ValueError, match="keeps its layers"):
        grown(checkpoint([6, 5], [2, 3]), layers, [2, 3])
