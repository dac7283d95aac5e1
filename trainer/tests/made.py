"""Small made recordings: each word is a chord of its own, so that a tiny network can learn them."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
WORDS = {"one": 400, "two": 900, "three": 1600, "four": 2600}


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
