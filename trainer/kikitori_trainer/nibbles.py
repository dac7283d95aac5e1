"""Weights in 4 bits, the grid of docs/quantization.md: q from -7 to 7, one step for 32 inputs of a row, and that a
whole multiple (1 to 18) of the row's scale. The same as src/compress/quantize/nibble-grid.ts, which finds again what
is exported from here, to the bit.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

GROUP = 32
MOST = 7
MULTIPLES = 18


def row_scales(w: Tensor) -> Tensor:
    """[rows, 1], with 8 significant bits: so 126 of them are exact in float32."""
    scale = (w.abs().amax(1, keepdim=True) / (MOST * MULTIPLES)).to(torch.bfloat16).to(torch.float32)
    return torch.where(scale > 0, scale, torch.ones_like(scale))


def steps(w: Tensor) -> Tensor:
    """The step of every weight [rows, inputs]: of each group the multiple of least squared error, 18 where the row's
    largest is, so that it becomes 126 and its row's scale is found again."""
    rows, inputs = w.shape
    groups = -(-inputs // GROUP)
    scale = row_scales(w)
    parts = pad(w, (0, groups * GROUP - inputs)).view(rows, groups, GROUP)
    units = scale.view(rows, 1, 1)
    best = torch.full((rows, groups), float(MULTIPLES), device=w.device)
    least = torch.full_like(best, torch.inf)
    for multiple in range(MULTIPLES, 0, -1):
        step = units * multiple
        error = torch.square(torch.round(parts / step).clamp_(-MOST, MOST).mul_(step).sub_(parts)).sum(2)
        better = error < least
        least = torch.where(better, error, least)
        best.masked_fill_(better, multiple)
    best.scatter_(1, (w.abs().argmax(1, keepdim=True) // GROUP), float(MULTIPLES))
    return (best * scale).repeat_interleave(GROUP, 1)[:, :inputs].contiguous()


def on_grid(w: Tensor, step: Tensor) -> Tensor:
    """Exact: the weights that the integers stand for."""
    return torch.round(w / step).clamp_(-MOST, MOST).mul_(step)


def is_on_grid(w: Tensor) -> bool:
    return torch.equal(on_grid(w, steps(w)), w)


class Nibbles:
    """What is multiplied in place of a network's matrices. Rounding is anew at every step; scales and multiples, which
    take as long as twenty roundings and change little, every so many."""

    EVERY = 50

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names
        """Of the matrices that are in 4 bits."""
        self.steps: dict[str, Tensor] = {}

    def choose(self, matrices: dict[str, Tensor]) -> None:
        with torch.no_grad():
            self.steps = {name: steps(w.detach()) for name, w in matrices.items()}

    def weight(self, name: str, w: Tensor) -> Tensor:
        """The gradient passes straight through, also where a weight is beyond its group's largest."""
        return w + (on_grid(w.detach(), self.steps[name]) - w).detach()
