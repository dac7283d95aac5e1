"""Writes torch.json: small nn.LSTM(proj_size) networks of PyTorch, their inputs and outputs.

/usr/bin/python3 test/golden/lstmp/make.py
"""

import json
from pathlib import Path

import torch


def network(seed: int, inputs: int, cells: int, rank: int, layers: int, outputs: int) -> dict:
    torch.manual_seed(seed)
    lstm = torch.nn.LSTM(inputs, cells, layers, proj_size=rank)
    head = torch.nn.Linear(rank or cells, outputs)
    x = 2 * torch.randn(11, 1, inputs)
    with torch.no_grad():
        p, (_, c) = lstm(x)
        logits = head(p)
    tensors = {}
    for l in range(layers):
        tensors[f"lstm.{l}.weight_ih"] = getattr(lstm, f"weight_ih_l{l}")
        tensors[f"lstm.{l}.weight_hh"] = getattr(lstm, f"weight_hh_l{l}")
        tensors[f"lstm.{l}.bias"] = getattr(lstm, f"bias_ih_l{l}") + getattr(lstm, f"bias_hh_l{l}")
        if rank:
            tensors[f"lstm.{l}.projection"] = getattr(lstm, f"weight_hr_l{l}")
    tensors["output.weight"] = head.weight
    tensors["output.bias"] = head.bias
    numbers = lambda t: [float(f"{v:.9g}") for v in t.detach().flatten().tolist()]
    return {
        "inputs": inputs,
        "outputs": outputs,
        "layers": [cells] * layers,
        "ranks": [rank] * layers if rank else [],
        "tensors": {n: {"shape": list(t.shape), "data": numbers(t)} for n, t in tensors.items()},
        "x": numbers(x),
        "logits": numbers(logits),
        "cells": numbers(c),
    }


if __name__ == "__main__":
    made = {
        "torch": torch.__version__,
        "networks": [network(1, 5, 9, 3, 2, 4), network(2, 6, 8, 5, 3, 3), network(3, 4, 7, 0, 2, 3)],
    }
    Path(__file__).with_name("torch.json").write_text(json.dumps(made) + "\n")
