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
from .config import Distillation
from .distil import Committee

BATCH = 32


def hear(folder: Path, name: str, checkpoints: Sequence[Path]) -> None:
    """Raises ValueError where a checkpoint has other inputs or units than the index says, or others than the first."""
    index = json.loads((folder / "index.json").read_text())
    first = read_checkpoint(checkpoints[0])
    wanted, given = (index["dim"], index["units"]), (first.features.dim, len(first.units))
    if given != wanted:
        raise ValueError(f"{checkpoints[0]}: {given[0]} inputs, {given[1]} units; expected {wanted[0]}, {wanted[1]}")
    together = Committee(Distillation(beside=[str(c) for c in checkpoints]), first, torch.device("cpu"), False)
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
            said = together.log_probs(features)
            for b, i in enumerate(clips):
                out[starts[i] : starts[i + 1]] = said[: steps[i], b].numpy()
        out.tofile(folder / name / f"{condition['name']}.f32")
