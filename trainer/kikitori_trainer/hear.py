"""Outputs of checkpoints, alone or several together, for inputs that `bench/alone.js inputs` has written.

FOLDER/index.json names the conditions and the steps of each clip; FOLDER/<condition>.f32 holds the rows of all of them,
normalised as the bundle does it. Writes FOLDER/<name>/<condition>.f32: natural logarithms, [steps, units].
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from .checkpoint import read_checkpoint

BATCH = 32


def hear(folder: Path, name: str, checkpoints: Sequence[Path]) -> None:
    """Raises ValueError where a checkpoint has other inputs or units than the index says."""
    index = json.loads((folder / "index.json").read_text())
    networks = []
    for path in checkpoints:
        network = read_checkpoint(path).network()
        if (network.dim, network.units) != (index["dim"], index["units"]):
            raise ValueError(
                f"{path}: {network.dim} inputs, {network.units} units; expected {index['dim']}, {index['units']}"
            )
        networks.append(network)
    (folder / name).mkdir(exist_ok=True)
    steps = index["steps"]
    starts = np.concatenate([[0], np.cumsum(steps)])
    for condition in index["conditions"]:
        rows = np.fromfile(folder / f"{condition['name']}.f32", np.float32).reshape(-1, index["dim"])
        out = np.empty((len(rows), index["units"]), np.float32)
        order = sorted(range(len(steps)), key=lambda i: steps[i])
        for at in range(0, len(order), BATCH):
            clips = order[at : at + BATCH]
            features = torch.zeros(max(steps[i] for i in clips), len(clips), index["dim"])
            for b, i in enumerate(clips):
                features[: steps[i], b] = torch.from_numpy(rows[starts[i] : starts[i + 1]])
            with torch.no_grad():
                said = torch.stack([n(features).log_softmax(2) for n in networks]).mean(0).log_softmax(2)
            for b, i in enumerate(clips):
                out[starts[i] : starts[i + 1]] = said[: steps[i], b].numpy()
        out.tofile(folder / name / f"{condition['name']}.f32")
