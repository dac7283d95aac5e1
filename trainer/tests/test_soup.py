"""The mean of networks of one descent."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kikitori_trainer.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from kikitori_trainer.features import Features
from kikitori_trainer.lexicon import UNITS
from kikitori_trainer.network import Network, Shape
from kikitori_trainer.soup import soup, write_soup


def checkpoint(layers: list[int], seed: int) -> Checkpoint:
    torch.manual_seed(seed)
    f = Features(melBins=3)
    shape = Shape(layers)
    return Checkpoint(f, [0.0] * 3, [1.0] * 3, UNITS, shape, Network(f.dim, shape, len(UNITS)).tensors())


def test_every_weight_is_the_mean(tmp_path: Path) -> None:
    parts = [checkpoint([4, 5], seed) for seed in (1, 2, 3)]
    for number, part in enumerate(parts):
        write_checkpoint(tmp_path / f"{number}", replace(part, quantization={"weights": "int4"}))
    write_soup(tmp_path / "out", [tmp_path / f"{number}" for number in range(3)])
    made = read_checkpoint(tmp_path / "out")
    for name, tensor in made.tensors.items():
        wanted = sum((part.tensors[name] for part in parts), torch.zeros(())) / 3
        assert torch.allclose(tensor, wanted, atol=1e-6), name
    assert made.shape == parts[0].shape and made.training["meanOf"] == 3
    assert made.quantization == {}


def test_networks_of_other_sizes_or_inputs_are_refused_by_name() -> None:
    one = checkpoint([4], 1)
    with pytest.raises(ValueError, match="shape is not the same"):
        soup([one, checkpoint([5], 1)])
    with pytest.raises(ValueError, match="mean is not the same"):
        soup([one, replace(one, mean=[1.0] * 3)])
