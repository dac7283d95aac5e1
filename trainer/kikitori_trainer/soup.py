"""One network from several of one descent: the mean of their weights (Wortsman and others 2022, "Model soups").

Runs that began from the same network lie in one valley, and its middle hears strangers better than its rims. Networks
that were not begun from one have nothing in common, cell by cell: their mean hears nothing.
"""

from dataclasses import replace
from pathlib import Path

import torch

from .checkpoint import Checkpoint, read_checkpoint, write_checkpoint


def soup(checkpoints: list[Checkpoint]) -> Checkpoint:
    """Each counts alike; features and normalisation must be the same. In float, also of networks in 4 bits."""
    first, *others = checkpoints
    for other in others:
        for name in ("features", "mean", "std", "units", "shape"):
            if getattr(first, name) != getattr(other, name):
                raise ValueError(f"no mean of these networks: {name} is not the same in all")
    tensors = {name: torch.stack([c.tensors[name].float() for c in checkpoints]).mean(0) for name in first.tensors}
    hours = sum(float(c.training.get("audioHours", 0)) for c in checkpoints)
    training = {"meanOf": len(checkpoints), "audioHours": round(hours, 1)}
    return replace(first, tensors=tensors, training=training, quantization={})


def write_soup(out: Path, paths: list[Path]) -> None:
    write_checkpoint(out, soup([read_checkpoint(path) for path in paths]))
