"""The network: LSTM layers, dense or factored, and the softmax's weights. Nothing else."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .lstm import fake_quantise, lstm
from .nibbles import Nibbles, is_on_grid, on_grid, steps


OUTPUT = "output.weight"


@dataclass(frozen=True)
class Shape:
    """Cells of each layer; ranks of each layer (0: dense), rank of the input (0: dense)."""

    layers: list[int]
    ranks: list[int] = field(default_factory=list)
    inputRank: int = 0

    @property
    def factored(self) -> bool:
        return any(self.ranks)


class Layer(nn.Module):
    def __init__(self, inputs: int, cells: int, rank: int) -> None:
        super().__init__()
        out = rank or cells
        bound = 1 / math.sqrt(cells)

        def uniform(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound))

        self.weight_ih = uniform(4 * cells, inputs)
        self.weight_hh = uniform(4 * cells, out)
        self.bias = nn.Parameter(torch.zeros(4 * cells))
        with torch.no_grad():
            self.bias[cells : 2 * cells] = 1  # remember at first
        self.projection = uniform(rank, cells) if rank else None


class Network(nn.Module):
    """features [T, B, dim] -> logits [T, B, units]."""

    def __init__(self, dim: int, shape: Shape, units: int) -> None:
        super().__init__()
        self.dim, self.shape, self.units = dim, shape, units
        ranks = shape.ranks or [0] * len(shape.layers)
        self.input = nn.Parameter(torch.randn(shape.inputRank, dim) / math.sqrt(dim)) if shape.inputRank else None
        below = shape.inputRank or dim
        self.lstm = nn.ModuleList()
        for cells, rank in zip(shape.layers, ranks, strict=True):
            self.lstm.append(Layer(below, cells, rank))
            below = rank or cells
        self.output = nn.Linear(below, units)
        self.bf16 = False
        self.dropout = 0.0
        """In training: the share of a layer's outputs that the next does not get, the same for a whole example."""
        self.quantum: dict[str, float] = {}
        """Scales of quantised activations (see docs/quantization.md); empty: float."""
        self.nibbles: Nibbles | None = None
        """Weights in 4 bits; those that it does not name have 8."""

    def forward(self, features: Tensor) -> Tensor:
        return self.said(self.hidden(features))

    def said(self, x: Tensor) -> Tensor:
        """What the last LSTM gave -> logits."""
        return x @ self.weight(OUTPUT, self.output.weight).t() + self.output.bias

    def hidden(self, features: Tensor) -> Tensor:
        """What the last LSTM gives, [T, B, its rank or cells]."""
        x = features
        if self.input is not None:
            x = self.quantised("input", x) @ self.weight("input.projection", self.input).t()
            x = self.quantised("input.projection", x)
        else:
            x = self.quantised("input", x)
        for number, layer in enumerate(self.lstm):
            projection = layer.projection
            x = lstm(
                x,
                self.weight(f"lstm.{number}.weight_ih", layer.weight_ih),
                self.weight(f"lstm.{number}.weight_hh", layer.weight_hh),
                layer.bias,
                None if projection is None else self.weight(f"lstm.{number}.projection", projection),
                bf16=self.bf16,
                quantum_p=self.quantum.get(f"p.{number}", 0.0),
                quantum_h=self.quantum.get(f"h.{number}", self.quantum.get("h", 0.0))
                if projection is not None
                else 0.0,
            )
            if self.training and self.dropout:
                x = x * torch.empty_like(x[:1]).bernoulli_(1 - self.dropout) / (1 - self.dropout)
        return x

    def quantised(self, name: str, x: Tensor) -> Tensor:
        scale = self.quantum.get(name, 0.0)
        return x if scale == 0 else x + (fake_quantise(x, scale) - x).detach()

    def weight(self, name: str, w: Tensor) -> Tensor:
        """In 4 bits, or in 8 per output row (scale max|w| / 127) when activations are quantised; straight-through."""
        if self.nibbles is not None and name in self.nibbles.names:
            return self.nibbles.weight(name, w)
        if not self.quantum and self.nibbles is None:
            return w
        scale = w.detach().abs().amax(1, keepdim=True).clamp_min(1e-12) / 127
        return w + (torch.round(w / scale) * scale - w).detach()

    def matrices(self) -> dict[str, Tensor]:
        """Those that 4 bits are for. The outputs' is a hundredth of all, and nothing behind it mends its errors."""
        return {name: t for name, t in self.tensors().items() if t.dim() == 2 and name != OUTPUT}

    def round_to_nibbles(self, mixed: bool) -> None:
        """From now on weights are in 4 bits. `mixed`: of matrices that are on their grid, the others in 8."""
        names = (name for name, w in self.matrices().items() if not mixed or is_on_grid(w))
        self.nibbles = Nibbles(frozenset(names))

    def choose_nibbles(self) -> None:
        if self.nibbles is not None:
            self.nibbles.choose(self.in_nibbles())

    def in_nibbles(self) -> dict[str, Tensor]:
        names = frozenset() if self.nibbles is None else self.nibbles.names
        return {name: w for name, w in self.matrices().items() if name in names}

    def exported(self) -> dict[str, Tensor]:
        """What a checkpoint gets: in 4 bits the weights that are multiplied, not those that learn."""
        return self.tensors() | {name: on_grid(w, steps(w)) for name, w in self.in_nibbles().items()}

    def tensors(self) -> dict[str, Tensor]:
        """Names and shapes of the checkpoint."""
        out = {} if self.input is None else {"input.projection": self.input.detach()}
        for number, layer in enumerate(self.lstm):
            out[f"lstm.{number}.weight_ih"] = layer.weight_ih.detach()
            out[f"lstm.{number}.weight_hh"] = layer.weight_hh.detach()
            if layer.projection is not None:
                out[f"lstm.{number}.projection"] = layer.projection.detach()
            out[f"lstm.{number}.bias"] = layer.bias.detach()
        out["output.weight"] = self.output.weight.detach()
        out["output.bias"] = self.output.bias.detach()
        return out

    def load(self, tensors: dict[str, Tensor]) -> None:
        own = self.tensors()
        faults = [f"{name} is missing" for name in own if name not in tensors]
        faults += [f"{name} is not expected" for name in tensors if name not in own]
        for name, tensor in own.items():
            if name in tensors and tensors[name].shape != tensor.shape:
                faults.append(f"{name} is {list(tensors[name].shape)}, expected {list(tensor.shape)}")
        if faults:
            raise ValueError("; ".join(faults))
        for name, tensor in own.items():
            tensor.copy_(tensors[name])
