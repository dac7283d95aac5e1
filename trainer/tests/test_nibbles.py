"""Weights in 4 bits: on the grid, found again exactly, and learnt with."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kikitori_trainer.checkpoint import read_checkpoint, read_tensors, write_checkpoint
from kikitori_trainer.config import read_config
from kikitori_trainer.fit import Run, fit
from kikitori_trainer.network import Network, Shape
from kikitori_trainer.nibbles import GROUP, MOST, MULTIPLES, Nibbles, is_on_grid, on_grid, row_scales, steps
from kikitori_trainer.prepare import prepare

from .made import config_file, write_clips

MATRICES = [
    torch.randn(7, 70, generator=torch.Generator().manual_seed(1)) * torch.linspace(3, 0.02, 70),
    torch.randn(5, 32, generator=torch.Generator().manual_seed(2)).pow(3),
    torch.randn(3, 5, generator=torch.Generator().manual_seed(3)) * 1e-6,
    torch.zeros(2, 40),
]


@pytest.mark.parametrize("w", MATRICES)
def test_whole_numbers_of_a_row_scale_that_is_found_again(w: torch.Tensor) -> None:
    near = on_grid(w, steps(w))
    whole = near / row_scales(w)
    assert torch.equal(whole, whole.round())
    largest = whole.abs().amax(1)
    assert torch.all((largest == MOST * MULTIPLES) | (largest == 0))
    for row in whole.int().tolist():
        for at in range(0, len(row), GROUP):
            group = row[at : at + GROUP]
            assert any(all(v % m == 0 and abs(v) <= MOST * m for v in group) for m in range(1, MULTIPLES + 1))
    assert torch.equal(on_grid(near, steps(near)), near)
    # A copy in half precision is the same network.
    if float(w.abs().max()) > 1e-3 or not w.any():
        half = near.half().float()
        assert torch.equal(on_grid(half, steps(half)), near)


def test_multiples_are_those_of_least_error() -> None:
    w = MATRICES[0]
    scales, chosen = row_scales(w), steps(w)
    for row in range(w.shape[0]):
        largest = int(w[row].abs().argmax()) // GROUP
        for group in range(3):
            part = w[row, group * GROUP : (group + 1) * GROUP]
            errors = []
            for m in range(1, MULTIPLES + 1):
                step = scales[row] * m
                errors.append(float(((part / step).round().clamp(-MOST, MOST) * step - part).square().sum()))
            multiple = float(chosen[row, group * GROUP] / scales[row])
            wanted = MULTIPLES if group == largest else 1 + errors.index(min(errors))
            assert multiple == wanted


def test_rounded_forward_and_straight_through_backward() -> None:
    w = MATRICES[0].clone().requires_grad_()
    nibbles = Nibbles(frozenset({"w"}))
    nibbles.choose({"w": w})
    got = nibbles.weight("w", w)
    assert torch.allclose(got, on_grid(w.detach(), steps(w.detach())), atol=1e-6)
    (got * 2).sum().backward()
    assert w.grad is not None and torch.equal(w.grad, torch.full_like(w, 2))


def test_the_outputs_have_eight_bits() -> None:
    torch.manual_seed(4)
    network = Network(12, Shape([8], [5], 6), 4)
    network.round_to_nibbles(mixed=False)
    network.choose_nibbles()
    assert set(network.matrices()) == {
        *("input.projection", "lstm.0.weight_ih", "lstm.0.weight_hh", "lstm.0.projection")
    }
    assert torch.equal(network.exported()["output.weight"], network.output.weight)
    w = network.output.weight.detach()
    near = network.weight("output.weight", w)
    assert 0 < float((near - w).abs().max()) <= float(w.abs().max()) / 127
    x = torch.randn(9, 2, 12)
    plain = Network(12, Shape([8], [5], 6), 4)
    plain.load(network.exported() | {"output.weight": near})
    assert torch.allclose(network(x), plain(x), atol=1e-5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nibbles")
    write_clips(folder / "data", 24)
    prepare(read_config(config_file(folder, "first", 1)))
    fit(read_config(config_file(folder, "first", 1)))
    torch.manual_seed(5)
    shape = Shape([24, 24], [8, 8], 16)
    base = read_checkpoint(folder / "first" / "model.safetensors")
    tensors = Network(base.features.dim, shape, len(base.units)).tensors()
    write_checkpoint(folder / "small.safetensors", replace(base, shape=shape, tensors=tensors))
    return folder


def four_bits(folder: Path, name: str, steps_: int) -> Path:
    path = config_file(folder, name, steps_, "[quantisation]\nweightBits = 4\n")
    text = path.read_text().replace("[training]", "[training]\nbf16 = true").replace("1e-2", "3e-3")
    path.write_text(f'start = "{folder / "small.safetensors"}"\n' + text)
    return path


def test_a_run_in_four_bits_learns_and_resumes(folder: Path) -> None:
    fit(read_config(four_bits(folder, "whole", 24)))
    done = read_checkpoint(folder / "whole" / "model.safetensors")
    assert done.quantization == {"weights": "int4", "activations": {}}
    masters, _ = read_tensors(folder / "whole" / "state.safetensors")
    start = read_checkpoint(folder / "small.safetensors").tensors
    for name, w in done.tensors.items():
        if w.dim() == 2 and name != "output.weight":
            assert torch.equal(on_grid(w, steps(w)), w), name
            assert not torch.equal(masters[name], w), "what learns is finer"
        assert not torch.equal(start[name], w), name
    # Cut off between two choices of multiples, it begins with those it would have made.
    run = Run(read_config(four_bits(folder, "whole", 30)), 0, 1)
    assert run.step == 24 and run.network.nibbles is not None
    step = run.network.nibbles.steps["lstm.0.weight_ih"]
    assert torch.equal(step, steps(masters["lstm.0.weight_ih"]))
    fit(read_config(four_bits(folder, "whole", 30)))
    assert read_checkpoint(folder / "whole" / "model.safetensors").training["steps"] == 30


def test_of_mixed_bits_what_is_on_the_grid_stays_there(folder: Path) -> None:
    begun = read_checkpoint(folder / "small.safetensors")
    four = ("input.projection", "lstm.1.weight_hh")
    rounded = {name: on_grid(begun.tensors[name], steps(begun.tensors[name])) for name in four}
    mixed = {"weights": "mixed", "activations": {}}
    path = four_bits(folder, "mixed", 24)
    path.write_text(path.read_text().replace("small.safetensors", "begun.safetensors"))
    write_checkpoint(folder / "begun.safetensors", replace(begun, tensors=begun.tensors | rounded, quantization=mixed))
    fit(read_config(path))
    done = read_checkpoint(folder / "mixed" / "model.safetensors")
    assert done.quantization == mixed
    for name, w in done.tensors.items():
        if w.dim() == 2:
            assert is_on_grid(w) == (name in four), name
    # After a cut the same matrices are in 4 bits, though what learns is on no grid.
    run = Run(read_config(path), 0, 1)
    assert run.network.nibbles is not None and run.network.nibbles.names == set(four)


def test_other_bits_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "three.toml"
    path.write_text('out = "x"\n[quantisation]\nweightBits = 3\n')
    with pytest.raises(SystemExit, match="quantisation.weightBits: 3, expected 4 or 8"):
        read_config(path)
