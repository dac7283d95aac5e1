"""Checkpoints in the safetensors format: 8 bytes of header length, a JSON header, raw tensors.

The header's metadata holds `kikitori`, a JSON text: format, features (with mean and std), units,
network {kind, layers, ranks, inputRank}, training, and the state of a run that can be resumed.
"""

import json
import math
import os
import struct
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .features import Features
from .network import Network, Shape

DTYPES: dict[str, tuple[Any, int]] = {"F32": (np.float32, 4), "F16": (np.float16, 2)}


@dataclass
class Checkpoint:
    features: Features
    mean: list[float]
    std: list[float]
    units: list[str]
    shape: Shape
    tensors: dict[str, Tensor]
    training: dict[str, Any] = field(default_factory=dict)
    quantization: dict[str, Any] = field(default_factory=dict)

    def with_log_floor(self, floor: float) -> "Checkpoint":
        """log(g E + f) = log g + log(E + f / g): a floor raised by 1 / g is all audio made quieter by g, with the means
        moved by log g so that the network sees just that."""
        moved = math.log(floor / self.features.logFloor)
        return replace(self, features=replace(self.features, logFloor=floor), mean=[m + moved for m in self.mean])

    def network(self) -> Network:
        network = Network(self.features.dim, self.shape, len(self.units))
        network.load(self.tensors)
        return network


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str], half: bool = False) -> None:
    """Atomic: a file that is cut off leaves the old one."""
    kind = "F16" if half else "F32"
    dtype, size = DTYPES[kind]
    header: dict[str, Any] = {"__metadata__": metadata}
    at = 0
    for name, tensor in tensors.items():
        count = tensor.numel() * size
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [at, at + count]}
        at += count
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    staged = path.with_name(f".{path.name}.part")
    with staged.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            out.write(tensor.detach().cpu().numpy().astype(dtype).tobytes())
        out.flush()
        os.fsync(out.fileno())
    staged.replace(path)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    bytes_ = path.read_bytes()
    if len(bytes_) < 8:
        raise ValueError(f"{path}: only {len(bytes_)} bytes, expected a safetensors file")
    (length,) = struct.unpack("<Q", bytes_[:8])
    if length > len(bytes_) - 8:
        raise ValueError(f"{path}: the header says {length} bytes, {len(bytes_) - 8} follow")
    header = json.loads(bytes_[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        dtype, _ = DTYPES[entry["dtype"]]
        begin, end = (8 + length + o for o in entry["data_offsets"])
        values = np.frombuffer(bytes_[begin:end], dtype).astype(np.float32)
        tensors[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return tensors, metadata


def write_checkpoint(path: Path, c: Checkpoint, half: bool = False) -> None:
    network = {"kind": "lstmp" if c.shape.factored else "lstm", **asdict(c.shape)}
    body = {
        "format": 1,
        "features": {**asdict(c.features), "mean": c.mean, "std": c.std},
        "units": c.units,
        "network": network,
        "training": c.training,
    }
    if c.quantization:
        body["quantization"] = c.quantization
    write_tensors(path, c.tensors, {"kikitori": json.dumps(body)}, half)


def read_checkpoint(path: Path) -> Checkpoint:
    tensors, metadata = read_tensors(path)
    body = json.loads(metadata.get("kikitori", "null"))
    if not body or body.get("format") != 1:
        raise ValueError(f"{path}: no kikitori metadata of format 1, expected a checkpoint of this trainer")
    given = dict(body["features"])
    mean, std = given.pop("mean"), given.pop("std")
    known = {f.name for f in fields(Features)}
    features = Features(**{k: v for k, v in given.items() if k in known})
    n = body["network"]
    shape = Shape(list(n["layers"]), list(n.get("ranks") or []), int(n.get("inputRank") or 0))
    return Checkpoint(
        features, mean, std, body["units"], shape, tensors, body.get("training", {}), body.get("quantization", {})
    )
