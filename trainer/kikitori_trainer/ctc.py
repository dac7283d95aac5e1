"""CTC over phones; of several pronunciations of a word the network chooses while it learns."""

import random
from collections.abc import Sequence

import torch
import torch.nn.functional as functional
from torch import Tensor

from .pack import Packed


class Pronouncing:
    """Which pronunciation of each word of each clip is taken to have been said.

    At each visit one other choice is proposed, and kept when CTC finds it more likely: so the variants
    sort themselves out as training goes on, at the price of one more CTC score and no search.
    """

    def __init__(self, clips: Sequence[Packed], seed: int) -> None:
        self.clips = clips
        self.chance = random.Random(seed)
        self.chosen: dict[int, list[int]] = {}

    def choice(self, clip: int) -> list[int]:
        return self.chosen.get(clip) or [0] * len(self.clips[clip].words)

    def proposal(self, clip: int) -> list[int]:
        """Another choice for one word, or two."""
        choice = list(self.choice(clip))
        open_words = [i for i, w in enumerate(self.clips[clip].words) if len(w) > 1]
        for i in self.chance.sample(open_words, min(len(open_words), self.chance.choice([1, 1, 2]))):
            others = [v for v in range(len(self.clips[clip].words[i])) if v != choice[i]]
            choice[i] = self.chance.choice(others)
        return choice

    def phones(self, clip: int, choice: Sequence[int]) -> list[int]:
        words = self.clips[clip].words
        return [p for word, variant in zip(words, choice, strict=True) for p in word[variant]]

    def targets(self, log_probs: Tensor, steps: Tensor, examples: Sequence[Sequence[int]]) -> list[list[int]]:
        """The better of the choice so far and a proposal, for each example (several clips joined)."""
        now = [[self.choice(c) for c in e] for e in examples]
        new = [[self.proposal(c) for c in e] for e in examples]
        both = [self.flat(e, c) for e, c in zip(examples, now, strict=True)]
        both += [self.flat(e, c) for e, c in zip(examples, new, strict=True)]
        with torch.no_grad():
            twice = torch.cat([log_probs.detach(), log_probs.detach()], 1)
            losses = ctc(twice, torch.cat([steps, steps]), both)
        out = []
        for k, example in enumerate(examples):
            better = bool(losses[k + len(examples)] < losses[k])
            if better:
                self.chosen.update(zip(example, new[k], strict=True))
            out.append(both[k + len(examples)] if better else both[k])
        return out

    def flat(self, example: Sequence[int], choices: Sequence[Sequence[int]]) -> list[int]:
        return [p for clip, choice in zip(example, choices, strict=True) for p in self.phones(clip, choice)]


def ctc(log_probs: Tensor, steps: Tensor, targets: Sequence[Sequence[int]]) -> Tensor:
    """Loss of each example, [B]; 0 where the target does not fit into its steps."""
    flat = torch.tensor([p for t in targets for p in t], dtype=torch.long)
    lengths = torch.tensor([len(t) for t in targets])
    return functional.ctc_loss(log_probs, flat, steps, lengths, blank=0, reduction="none", zero_infinity=True)


def greedy(log_probs: Tensor, steps: Tensor) -> list[list[int]]:
    """Best unit of each step, repeats and blanks taken out."""
    best = log_probs.argmax(2).t().tolist()
    out = []
    for row, count in zip(best, steps.tolist(), strict=True):
        path = row[:count]
        out.append([u for u, before in zip(path, [0, *path], strict=False) if u not in (0, before)])
    return out


def edit_distance(a: Sequence[int], b: Sequence[int]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]
