"""Made recordings in which each word is a chord, so that a tiny network can learn them; a run that does."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
WORDS = {"one": 400, "two": 900, "three": 1600, "four": 2600}
CONFIG = """
out = "{out}"
layers = [24, 24]
[data]
sources = [{{ layout = "clips", path = "{data}", prefix = "train/" }}]
heldOut = [{{ layout = "clips", path = "{data}", prefix = "train/1" }}]
syntheticNoises = 2
rooms = 1
[augmentation]
noiseChance = 0.2
snrDb = [20, 30]
[sampling]
clips = 8
warmupBatches = 8
[training]
steps = {steps}
learningRate = 1e-2
warmupSteps = 5
evaluateEvery = 1000
saveEvery = 20
"""


def speak(text: str, seed: int = 0) -> np.ndarray:
    chance = np.random.default_rng(seed)
    t = np.arange(int(0.25 * RATE)) / RATE
    parts = [0.3 * np.sin(2 * np.pi * WORDS[w] * t * chance.uniform(0.97, 1.03)) for w in text.split()]
    return np.concatenate([np.pad(p, 800) for p in parts]).astype(np.float32)


def write_clips(folder: Path, count: int, prefix: str = "train/") -> None:
    chance = np.random.default_rng(3)
    (folder / prefix).mkdir(parents=True, exist_ok=True)
    rows = ["file\tseconds\tspeaker\tset\ttext"]
    for n in range(count):
        text = " ".join(chance.choice(list(WORDS), chance.integers(1, 4)))
        samples = speak(text, n)
        name = f"{prefix}{n}.wav"
        soundfile.write(folder / name, samples, RATE)
        rows.append(f"{name}\t{len(samples) / RATE:.2f}\tmade\tmade\t{text}")
    (folder / "clips.tsv").write_text("\n".join(rows) + "\n")


def config_file(folder: Path, name: str, steps: int, extra: str = "") -> Path:
    path = folder / f"{name}.toml"
    text = CONFIG.format(out=folder / name, data=folder / "data", steps=steps)
    path.write_text(f'pack = "{folder / "pack"}"\n' + text + extra)
    return path
