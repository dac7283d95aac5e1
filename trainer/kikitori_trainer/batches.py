"""Endless batches of augmented examples. Batch n of a rank depends on the seed, the rank and n alone."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from .augment import Augmenter, Moments
from .features import stack
from .listener import SAMPLES_PER_FRAME, Heard
from .pack import Pack, Packed

POOL_BATCHES = 8


@dataclass(frozen=True)
class Sampling:
    """How examples are drawn. `weights` by set name (or its beginning); clips of other sets count 1."""

    clips: int = 32
    """Examples of a batch of one process."""
    joinBelowSeconds: float = 2.2
    """Shorter clips are joined with others until they are that long."""
    secondsMax: float = 9.0
    warmupBatches: int = 400
    """Batches in which clips stay short and noise comes in slowly: so CTC leaves its all-blank plateau."""
    warmupSecondsMax: float = 2.5
    weights: dict[str, float] | None = None
    evenPeople: float = 0.0
    """0: every clip counts alike. 1: every speaker is heard as often, however much there is of him."""
    leaveOut: list[str] = field(default_factory=list)
    """Tables (TSV) of what is not heard: their column `file` names clips (texts that do not fit), or `speaker` people
    (whom calibration needs as strangers)."""


@dataclass(frozen=True)
class Batch:
    """features [T, B, dim], steps [B]; clips: the indexes of the pack's clips of each example."""

    features: torch.Tensor
    steps: torch.Tensor
    clips: list[list[int]]
    quiet: torch.Tensor | None = None
    """The same features without noise and masks: what a teacher listens to."""
    said: torch.Tensor | None = None
    """Probabilities of units that a listener's teacher gives each step, [T, B, units] (teacher.py)."""


class Batches(IterableDataset[Batch]):
    def __init__(
        self,
        pack: Pack,
        augmenter: Augmenter,
        sampling: Sampling,
        mean: NDArray[np.float32],
        std: NDArray[np.float32],
        seed: int,
        rank: int = 0,
        first: int = 0,
        with_quiet: bool = False,
        said: Heard | None = None,
        behind: int = 0,
    ) -> None:
        """`said`: a teacher's probabilities for every clip. What a step is to say of them lies so many frames behind
        the newest that it hears."""
        self.pack, self.augmenter, self.sampling = pack, augmenter, sampling
        self.mean, self.std = mean, std
        self.seed, self.rank, self.first = seed, rank, first
        self.with_quiet = with_quiet
        self.said, self.behind = said, behind
        seconds = np.array([c.samples for c in pack.clips]) / augmenter.features.sampleRateHz
        weights = np.array([self.weight(c.set, c.speaker) for c in pack.clips])
        weights *= even_people(pack.clips, sampling.evenPeople)
        weights[seconds > sampling.secondsMax] = 0
        left_out = names_in(sampling.leaveOut)
        weights[[c.name in left_out or c.speaker in left_out for c in pack.clips]] = 0
        self.seconds = seconds
        self.weights = weights / weights.sum()
        early = weights * (seconds < sampling.warmupSecondsMax)
        self.early = early / early.sum() if early.sum() > 0 else self.weights

    def weight(self, set_name: str, speaker: str) -> float:
        for key, value in (self.sampling.weights or {}).items():
            if set_name.startswith(key) or speaker.startswith(key):
                return value
        return 1.0

    def shares(self) -> dict[str, float]:
        """Share of the time that each set is heard: look at it before a long run."""
        time: dict[str, float] = {}
        for clip, weight, seconds in zip(self.pack.clips, self.weights, self.seconds, strict=True):
            time[clip.set] = time.get(clip.set, 0) + float(weight * seconds)
        total = sum(time.values())
        longest = sorted(time.items(), key=lambda item: -item[1])
        return {name: round(share / total, 3) for name, share in longest}

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        workers, mine = (worker.num_workers, worker.id) if worker else (1, 0)
        pools = {}
        n = self.first + mine
        while True:
            # Batches of one pool are of similar length each; the pool is drawn again from its number.
            number, place = divmod(n, POOL_BATCHES)
            if number not in pools:
                pools = {number: self.pool(number)}
            yield self.batch(pools[number][place], n)
            n += workers

    def pool(self, number: int) -> list[list[list[int]]]:
        chance = np.random.default_rng([self.seed, self.rank, number, 1])
        s = self.sampling
        warming = number * POOL_BATCHES < s.warmupBatches
        weights = self.early if warming else self.weights
        drawn = iter(chance.choice(len(weights), s.clips * POOL_BATCHES * 12, p=weights).tolist())
        examples = []
        for _ in range(s.clips * POOL_BATCHES):
            example = [next(drawn)]
            while not warming and self.length(example) < s.joinBelowSeconds and len(example) < 5:
                example.append(next(drawn))
            examples.append(example)
        examples.sort(key=self.length)
        batches = [examples[i : i + s.clips] for i in range(0, len(examples), s.clips)]
        chance.shuffle(batches)
        return batches

    def length(self, example: list[int]) -> float:
        return float(self.seconds[example].sum())

    def batch(self, examples: list[list[int]], n: int) -> Batch:
        chance = np.random.default_rng([self.seed, self.rank, n, 2])
        f = self.augmenter.features
        warmup = max(self.sampling.warmupBatches, 1)
        strength = min(1.0, 0.2 + 0.8 * max(0, n - 0.5 * warmup) / (2 * warmup))
        rows, quiets, wanted = [], [], []
        for example in examples:
            spans = [(self.pack.clips[i].begin, self.pack.clips[i].samples) for i in example]
            pieces = [self.pack.samples(*s) for s in spans]
            if self.with_quiet:
                frames, quiet, moments = self.augmenter.pair(pieces, strength, chance)
                quiets.append(stack(self.normal(quiet), f))
            else:
                frames, moments = self.augmenter.example(pieces, strength, chance)
            rows.append(stack(self.augmenter.mask(self.normal(frames), chance), f))
            if self.said is not None:
                newest = f.stride * np.arange(len(rows[-1]), dtype=np.float64) + f.stack - 1
                wanted.append(self.wanted(self.said, example, moments, newest - self.behind))
        steps = torch.tensor([len(r) for r in rows])
        return Batch(
            padded(rows), steps, examples, padded(quiets) if quiets else None, padded(wanted) if wanted else None
        )

    def wanted(
        self, said: Heard, example: list[int], moments: Moments, frames: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """[steps, units]: what the teacher said at these frames; blank between the pieces."""
        out = np.zeros((len(frames), said.rows.shape[1]), np.float32)
        out[:, 0] = 1
        for clip, (which, samples) in zip(example, moments.of(frames, self.augmenter.features), strict=True):
            rows = said.of(clip)
            if len(rows):
                nearest = np.clip(samples / SAMPLES_PER_FRAME, 0, len(rows) - 1).astype(np.int64)
                out[which] = rows[nearest]
        return out

    def normal(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        return ((frames - self.mean) / self.std).astype(np.float32)


def even_people(clips: Sequence[Packed], share: float) -> NDArray[np.float64]:
    """Weight of each clip: one over what there is of its speaker, to the power of `share`. Each clip of "?" is taken
    for a person of its own, so a set of short ones by unnamed people weighs much: `Batches.shares` shows it."""
    spoken: Counter[str] = Counter()
    for c in clips:
        spoken[c.speaker] += c.samples
    own = np.array([c.samples if "?" in c.speaker else spoken[c.speaker] for c in clips], np.float64)
    return (own / 16000 / 60) ** -share


def names_in(tables: Sequence[str]) -> set[str]:
    names: set[str] = set()
    for table in tables:
        with Path(table).open(newline="") as lines:
            names |= {
                row.get("file") or row["speaker"]
                for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            }
    return names


def padded(rows: list[NDArray[np.float32]]) -> torch.Tensor:
    """[steps, dim] of each example -> [T, B, dim], zeros after the end."""
    out = np.zeros((max(len(r) for r in rows), len(rows), rows[0].shape[1]), np.float32)
    for b, row in enumerate(rows):
        out[: len(row), b] = row
    return torch.from_numpy(out)


def statistics(augmenter: Augmenter, count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of each mel bin over augmented examples."""
    chance = np.random.default_rng([seed, 3])
    pack = augmenter.pack
    frames = []
    for _ in range(count):
        clip = pack.clips[chance.integers(len(pack.clips))]
        frames.append(augmenter.example([pack.samples(clip.begin, clip.samples)], 1.0, chance)[0])
    every = np.concatenate(frames).astype(np.float64)
    return every.mean(0).astype(np.float32), every.std(0).astype(np.float32)
