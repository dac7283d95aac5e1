"""Makes the goldens of the log-mel frontend with the trainer's own features.

Run from the repository root: /usr/bin/python3 test/golden/log-mel/make.py
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "trainer"))
from kikitori_trainer.features import Features, extract, stack  # noqa: E402

CASES = {
    "default": Features(),
    "23bins-hamming": Features(
        melBins=23, window="hamming", preemphasis=0.0, removeDc=False, lowHz=100, highHz=6800
    ),
    "short-window": Features(
        windowMs=20, hopMs=8, fftSize=1024, logFloor=1e-3, stack=5, stride=2, preemphasis=0.5
    ),
}

for name, options in CASES.items():
    rng = np.random.default_rng(3)
    time = np.arange(7013) / 16000
    signal = 0.3 * np.sin(2 * np.pi * (300 + 900 * time) * time) + 0.05 * rng.standard_normal(7013)
    samples = (signal + 0.02).astype(np.float32)
    mean = np.linspace(-6, -4, options.melBins).round(3)
    std = np.linspace(2, 3, options.melBins).round(3)
    frames = (extract(samples, options) - mean) / std
    golden = {
        "options": {**asdict(options), "mean": mean.tolist(), "std": std.tolist()},
        "samples": [float(v) for v in samples],
        "steps": [[round(float(v), 6) for v in row] for row in stack(frames, options)],
    }
    (HERE / f"{name}.json").write_text(json.dumps(golden) + "\n")
