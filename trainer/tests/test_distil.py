"""What several teachers say together, and which may not teach."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kikitori_trainer.checkpoint import Checkpoint, write_checkpoint
from kikitori_trainer.config import Distillation
from kikitori_trainer.distil import Committee
from kikitori_trainer.features import Features
from kikitori_trainer.network import Network, Shape

SHAPE = Shape([8], [4], 6)
UNITS = ["blank", "a", "b"]


def teacher(seed: int) -> Checkpoint:
    torch.manual_seed(seed)
    o = Features()
    network = Network(o.dim, SHAPE, len(UNITS))
    return Checkpoint(o, [0.0] * o.melBins, [1.0] * o.melBins, UNITS, SHAPE, network.tensors())


def written(folder: Path, *checkpoints: Checkpoint) -> list[str]:
    paths = [folder / f"{i}.safetensors" for i in range(len(checkpoints))]
    for path, c in zip(paths, checkpoints, strict=True):
        write_checkpoint(path, c)
    return [str(p) for p in paths]


def test_the_mean_of_log_probabilities(tmp_path: Path) -> None:
    made = [teacher(1), teacher(2)]
    first, second = written(tmp_path, *made)
    together = Committee(Distillation(first, [second]), made[0], torch.device("cpu"), False)
    x = torch.randn(5, 2, made[0].features.dim)
    with torch.no_grad():
        a, b = (c.network()(x).log_softmax(2) for c in made)
    assert len(Committee(Distillation(beside=[second]), made[0], torch.device("cpu"), False).members) == 1
    product = (a.exp() * b.exp()).sqrt()
    expected = product / product.sum(2, keepdim=True)
    assert torch.allclose(together.log_probs(x).exp(), expected, atol=1e-5)

    # What the committee says itself diverges by nothing; steps that are padding count for nothing.
    steps = torch.tensor([5, 3])
    assert abs(float(together.divergence(expected.log(), x, steps))) < 1e-5
    logits = torch.randn(5, 2, len(UNITS))
    other = logits.clone()
    other[3:, 1] = 7 * torch.randn(2, len(UNITS))
    divergence = together.divergence(logits, x, steps)
    assert float(divergence) > 0.1
    assert torch.allclose(divergence, together.divergence(other, x, steps))


def test_one_that_hears_another_world_is_refused(tmp_path: Path) -> None:
    student = teacher(1)
    louder = replace(student, mean=[1.0] * student.features.melBins)
    names = written(tmp_path, student, louder)
    with pytest.raises(ValueError, match="1.safetensors: .*normalisation"):
        Committee(Distillation(names[0], [names[1]]), student, torch.device("cpu"), False)
