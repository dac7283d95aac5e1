"""What was said has to beat the same sentence with one word that sounds nearly the same: a minimal pair at a time.

`chain.py` sets a sentence against all phone strings together, most of which nobody would say. A device sets it against
the other sentences of its grammar, and the one that it carries out by mistake differs in one word ("start", "stop").
"""

import random
from collections.abc import Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor

from .contrast import EVERY
from .ctc import Pronouncing, ctc
from .pack import Packed

Phones = tuple[int, ...]
NEAR = 0.45
"""Of two words' phones, edited at most this share of the longer one."""
KEPT = 40
"""Near words of a word to choose among, the nearest."""
PAIRED = 0.5
"""How often the rival is the word's partner of contrast.py, where it has one."""


class Nearness:
    """Words of a vocabulary that sound nearly like a word, found when first asked for."""

    def __init__(self, vocabulary: Iterable[Phones]) -> None:
        self.vocabulary = sorted(set(vocabulary))
        longest = max(map(len, self.vocabulary), default=1)
        self.by_length: dict[int, tuple[list[Phones], NDArray[np.int8]]] = {}
        for length in range(1, longest + 1):
            words = [p for p in self.vocabulary if len(p) == length]
            self.by_length[length] = (words, np.array(words, np.int8).reshape(-1, length).T.copy())
        self.found: dict[Phones, list[Phones]] = {}

    def near(self, phones: Phones) -> list[Phones]:
        if phones not in self.found:
            found: list[tuple[int, Phones]] = []
            for length, (words, table) in self.by_length.items():
                allowed = max(1, int(NEAR * max(length, len(phones))))
                if words and abs(length - len(phones)) <= allowed:
                    distance = distances(phones, table)
                    found += [(int(distance[i]), words[i]) for i in np.flatnonzero(distance <= allowed)]
            self.found[phones] = [word for away, word in sorted(found) if away > 0][:KEPT]
        return self.found[phones]


def distances(phones: Phones, words: NDArray[np.int8]) -> NDArray[np.int8]:
    """Edit distance of some phones to words of one length, [length, words] -> [words]; all words at once."""
    length, count = words.shape
    row = [np.full(count, j, np.int8) for j in range(length + 1)]
    for i, phone in enumerate(phones, 1):
        last, row = row, [np.full(count, i, np.int8)]
        for j in range(1, length + 1):
            row.append(np.minimum(np.minimum(last[j], row[j - 1]) + 1, last[j - 1] + (words[j - 1] != phone)))
    return row[-1]


class Rivals:
    """For each example a few sentences that were not said, each one word away from the one that was."""

    def __init__(self, clips: Sequence[Packed], count: int, seed: int) -> None:
        self.clips, self.count = clips, count
        self.chance = random.Random(seed)
        self.nearness = Nearness(tuple(v) for c in clips for w in c.words for v in w)
        spoken = {w: [tuple(v) for v in p] for c in clips for w, p in zip(c.text.split(), c.words, strict=True)}
        self.partners: dict[str, list[Phones]] = {}
        for pair in EVERY:
            for word, other in (pair, pair[::-1]):
                self.partners.setdefault(word, []).extend(spoken.get(other, []))

    def instead(self, word: str, variants: Sequence[Sequence[int]], said: Phones) -> Phones | None:
        """Another word's phones; None where no word sounds nearly like it. Never a variant of the word itself."""
        partners = self.partners.get(word, [])
        near = partners if partners and self.chance.random() < PAIRED else self.nearness.near(said)
        others = [p for p in near if list(p) not in [list(v) for v in variants]]
        return self.chance.choice(others) if others else None

    def of(self, example: Sequence[int], pronouncing: Pronouncing) -> list[list[int]]:
        words: list[tuple[str, Sequence[Sequence[int]], Phones]] = []
        for clip in example:
            c = self.clips[clip]
            for word, variants, choice in zip(c.text.split(), c.words, pronouncing.choice(clip), strict=True):
                words.append((word, variants, tuple(variants[choice])))
        found = []
        for at in self.chance.sample(range(len(words)), min(self.count, len(words))):
            other = self.instead(*words[at])
            if other is not None:
                parts = [other if i == at else said for i, (_, _, said) in enumerate(words)]
                found.append([p for part in parts for p in part])
        return found


def behind(
    log_probs: Tensor, steps: Tensor, targets: Sequence[Sequence[int]], rivals: Sequence[Sequence[Sequence[int]]],
    margin: float,
) -> Tensor:  # fmt: skip
    """Sum over all rivals of ln(1 + p(rival) e^margin / p(said)), in nats; log_probs [T, B, units]. Rivals of what does
    not fit into its steps, and those that do not fit themselves, count nothing."""
    owners = torch.tensor([b for b, several in enumerate(rivals) for _ in several], dtype=torch.long)
    if len(owners) == 0:
        return log_probs.new_zeros(())
    said = ctc(log_probs, steps, targets)[owners]
    others = ctc(log_probs[:, owners], steps[owners], [r for several in rivals for r in several])
    counted = (said > 0) & (others > 0)
    return (functional.softplus(margin + said - others) * counted).sum()
