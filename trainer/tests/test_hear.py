"""Outputs of checkpoints for inputs from elsewhere: each clip by itself, several networks as their mean."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from kikitori_trainer.checkpoint import Checkpoint, write_checkpoint
from kikitori_trainer.features import Features
from kikitori_trainer.hear import hear
from kikitori_trainer.network import Network, Shape

UNITS = ["blank", "a", "b"]
STEPS = [7, 3, 5]


def checkpoint(path: Path, seed: int) -> Network:
    torch.manual_seed(seed)
    o, shape = Features(), Shape([8], [4], 6)
    network = Network(o.dim, shape, len(UNITS))
    write_checkpoint(path, Checkpoint(o, [0.0] * o.melBins, [1.0] * o.melBins, UNITS, shape, network.tensors()))
    return network


def test_each_clip_and_the_mean_of_several(tmp_path: Path) -> None:
    names = [tmp_path / "1.safetensors", tmp_path / "2.safetensors"]
    networks = [checkpoint(name, seed) for seed, name in enumerate(names)]
    dim = Features().dim
    rows = np.random.default_rng(1).standard_normal((sum(STEPS), dim)).astype(np.float32)
    rows.tofile(tmp_path / "clean.f32")
    index = {"dim": dim, "units": len(UNITS), "steps": STEPS, "conditions": [{"name": "clean"}]}
    (tmp_path / "index.json").write_text(json.dumps(index))
    hear(tmp_path, "both", names)
    said = np.fromfile(tmp_path / "both" / "clean.f32", np.float32).reshape(-1, len(UNITS))
    at = 0
    for steps in STEPS:
        alone = torch.from_numpy(rows[at : at + steps])[:, None]
        with torch.no_grad():
            mean = torch.stack([n(alone).log_softmax(2) for n in networks]).mean(0).log_softmax(2)
        assert np.allclose(said[at : at + steps], mean[:, 0].numpy(), atol=1e-5)
        at += steps
    index["dim"] = dim + 1
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=f"{dim} inputs, 3 units; expected {dim + 1}, 3"):
        hear(tmp_path, "both", names)
