"""A larger network that begins with what a smaller one knows (Chen, Goodfellow, Shlens: Net2Net, 2016).

A wider layer keeps the old cells as they are: its new cells hear everything, from random weights, and nothing old
hears them yet, so the layer says what it said. A layer on top passes on what the one below says: gates nearly open,
hardly any memory, tanh(tanh(x)) for x. Deep LSTMs begun from random numbers stay on CTC's plateau for hours; these
do not. A factored network gets more cells and higher ranks in the same way, or becomes the dense one it stands for.
"""

from dataclasses import replace

import torch
from torch import Tensor

from .checkpoint import Checkpoint
from .network import Network, Shape


def placed(fresh: Tensor, old: Tensor, blocks: int) -> Tensor:
    """`old` in the corner of each of the gates' blocks of rows; its rows do not hear the new columns."""
    out = fresh.clone()
    wide, narrow = out.view(blocks, -1, *out.shape[1:]), old.view(blocks, -1, *old.shape[1:])
    rows = narrow.shape[1]
    wide[:, :rows] = 0
    if old.dim() == 1:
        wide[:, :rows] = narrow
    else:
        wide[:, :rows, : old.shape[1]] = narrow
    return out


PASSING = {"input": 2.0, "forget": -3.0, "output": 2.0, "cell": 1.0}
"""Biases of the gates of a cell that passes on what it hears, and its weight for that."""


def passing(fresh: dict[str, Tensor], layer: int, cells: int) -> None:
    """The first `cells` cells of a new layer pass on what those of the layer below say."""
    ih, hh, bias = (fresh[f"lstm.{layer}.{part}"] for part in ("weight_ih", "weight_hh", "bias"))
    n = len(bias) // 4
    for gate, name in enumerate(("input", "forget", "cell", "output")):
        rows = slice(gate * n, gate * n + cells)
        ih[rows], hh[rows] = 0, 0
        bias[rows] = 0 if name == "cell" else PASSING[name]
        if name == "cell":
            ih[rows, :cells] = PASSING["cell"] * torch.eye(cells)


def wider(old: Tensor, columns: int) -> Tensor:
    """`old` with columns of zeros behind its own."""
    return torch.cat([old, old.new_zeros(len(old), columns)], 1)


def ranked(start: Checkpoint, ranks: list[int]) -> Checkpoint:
    """Projections with more rows: the new ones say something of the cells, and nothing hears them yet."""
    old = start.shape.ranks
    if len(ranks) != len(old) or any(n < o or o == 0 for n, o in zip(ranks, old, strict=False)):
        raise ValueError(
            f"cannot grow ranks {old} into {ranks}: expected a factored network and no rank that becomes smaller"
        )
    tensors = dict(start.tensors)
    for number, (rank, before) in enumerate(zip(ranks, old, strict=True)):
        projection = tensors[f"lstm.{number}.projection"]
        fresh = torch.randn(rank - before, projection.shape[1]) * projection.std()
        tensors[f"lstm.{number}.projection"] = torch.cat([projection, fresh])
        above = f"lstm.{number + 1}.weight_ih" if number + 1 < len(ranks) else "output.weight"
        for reader in (f"lstm.{number}.weight_hh", above):
            tensors[reader] = wider(tensors[reader], rank - before)
    shape = replace(start.shape, ranks=list(ranks))
    return replace(start, shape=shape, tensors=tensors, training={}, quantization={})


def celled(start: Checkpoint, layers: list[int]) -> Checkpoint:
    """A factored network with more cells: the new ones hear everything, and no projection hears them yet."""
    old = start.shape
    if len(layers) != len(old.layers) or any(n < o for n, o in zip(layers, old.layers, strict=False)):
        raise ValueError(
            f"cannot grow {old.layers} into {layers}: a factored network keeps its layers, and none becomes smaller"
        )
    shape = replace(old, layers=list(layers))
    tensors = Network(start.features.dim, shape, len(start.units)).tensors()
    for name, fresh in tensors.items():
        before = start.tensors[name]
        if not name.startswith("lstm"):
            tensors[name] = torch.clone(before)
        elif name.endswith("projection"):
            tensors[name] = wider(before, fresh.shape[1] - before.shape[1])
        else:
            tensors[name] = placed(fresh, before, 4)
    return replace(start, shape=shape, tensors=tensors, training={}, quantization={})


def multiplied(start: Checkpoint) -> Checkpoint:
    """The dense network that a factored one stands for: whoever reads p = P h reads h instead, with W P."""
    tensors = dict(start.tensors)
    below = tensors.pop("input.projection", None)
    for number in range(len(start.shape.layers)):
        projection = tensors.pop(f"lstm.{number}.projection", None)
        for part, heard in (("weight_ih", below), ("weight_hh", projection)):
            if heard is not None:
                tensors[f"lstm.{number}.{part}"] = tensors[f"lstm.{number}.{part}"] @ heard
        below = projection
    if below is not None:
        tensors["output.weight"] = tensors["output.weight"] @ below
    return replace(start, shape=Shape(start.shape.layers), tensors=tensors, training={}, quantization={})


def grown(start: Checkpoint, layers: list[int], ranks: list[int]) -> Checkpoint:
    """A network made wider and deeper; with `ranks` a factored one that stays one and gets higher ranks, without them
    a dense one. ValueError for anything else."""
    return ranked(celled(start, layers), ranks) if ranks else larger(multiplied(start), layers)


def larger(start: Checkpoint, layers: list[int]) -> Checkpoint:
    """Dense networks only; raises ValueError where the new one is not at least as deep and as wide everywhere."""
    old = start.shape.layers
    if len(layers) < len(old) or any(n < o for n, o in zip(layers, old, strict=False)):
        raise ValueError(f"cannot grow {old} into {layers}: expected no layer that becomes smaller")
    shape = Shape(layers)
    tensors = Network(start.features.dim, shape, len(start.units)).tensors()
    for number in range(len(old)):
        for part in ("weight_ih", "weight_hh", "bias"):
            name = f"lstm.{number}.{part}"
            tensors[name] = placed(tensors[name], start.tensors[name], 4)
    for number in range(len(old), len(layers)):
        passing(tensors, number, old[-1])
    tensors["output.weight"] = placed(tensors["output.weight"], start.tensors["output.weight"], 1)
    tensors["output.bias"] = torch.clone(start.tensors["output.bias"])
    return replace(start, shape=shape, tensors=tensors, training={}, quantization={})
