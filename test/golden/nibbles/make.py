"""Writes grid.json: matrices, and what the trainer makes of them in 4 bits.

PYTHONPATH=trainer python3 test/golden/nibbles/make.py
"""

import json
from pathlib import Path

import torch

from kikitori_trainer.nibbles import on_grid, row_scales, steps


def case(w: torch.Tensor) -> dict:
    scales = row_scales(w)
    whole = on_grid(w, steps(w)) / scales
    return {
        "shape": list(w.shape),
        "weights": [float(f"{v:.9g}") for v in w.flatten().tolist()],
        "scales": [float(f"{v:.9g}") for v in scales.flatten().tolist()],
        "whole": [int(v) for v in whole.flatten().tolist()],
    }


if __name__ == "__main__":
    torch.manual_seed(7)
    made = [
        case(torch.randn(6, 70) * torch.linspace(2, 0.05, 70)),
        case(torch.randn(5, 32).pow(3) * 0.1),
        case(torch.cat([torch.zeros(1, 40), torch.full((1, 40), -0.3), torch.randn(1, 40) * 1e-41])),
        case(torch.randn(4, 9)),
    ]
    lines = ",\n".join(json.dumps(m) for m in made)
    (Path(__file__).parent / "grid.json").write_text(f"[\n{lines}\n]\n")
