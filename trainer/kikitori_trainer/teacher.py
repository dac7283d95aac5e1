"""Phones in what a listener heard: a small network on the frames of `listener.py`, and what it says of every clip.

It learns by CTC with label priors (Huang et al., Less Peaky and More Accurate CTC Forced Alignment, 2024): a unit
that is said everywhere pays for it, so that a phone fills its time instead of one frame, and blank is silence. What
it says can then be followed frame by frame, faster or slower, by a network with other delays.
"""

import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from torch.amp.autocast_mode import autocast
from torch.nn.utils.clip_grad import clip_grad_norm_

from .batches import even_people, names_in
from .ctc import Pronouncing, ctc, edit_distance, greedy
from .fit import has_bf16
from .lexicon import UNITS
from .listener import WIDTH, Heard
from .pack import Pack, open_pack

CELLS = 224
PRIOR_SHARE = 0.7
PRIOR_MEMORY = 0.995
BATCH_FRAMES = 7200
LEARNING_RATE = 2e-3


class Head(nn.Module):
    """[B, T, WIDTH] -> logits [B, T, units]; hears 120 ms to each side."""

    def __init__(self) -> None:
        super().__init__()
        self.normal = nn.LayerNorm(WIDTH)
        self.begin = nn.Linear(WIDTH, CELLS)
        self.around = nn.ModuleList(nn.Conv1d(CELLS, CELLS, 5, padding=2 * d, dilation=d) for d in (1, 2))
        self.between = nn.ModuleList(nn.LayerNorm(CELLS) for _ in range(3))
        self.end = nn.Linear(CELLS, len(UNITS))
        self.drop = nn.Dropout(0.15)

    def forward(self, x: Tensor) -> Tensor:
        # Debian's torch normalises float32 only where its weights are: products alone are in bfloat16.
        x = functional.gelu(self.between[0](self.begin(self.drop(self.normal(x))).float()))
        for convolution, normal in zip(self.around, list(self.between)[1:], strict=True):
            x = x + functional.gelu(normal(convolution(self.drop(x).transpose(1, 2)).transpose(1, 2).float()))
        out: Tensor = self.end(self.drop(x))
        return out


def products() -> autocast:
    """In bfloat16 where the processor multiplies it by itself."""
    return autocast("cpu", torch.bfloat16, enabled=has_bf16())


def gathered(heard: Heard, clips: list[int]) -> tuple[Tensor, Tensor]:
    """[B, T, WIDTH], zeros after the end, and the frames of each."""
    rows = [heard.of(c) for c in clips]
    out = np.zeros((len(rows), max(len(r) for r in rows), rows[0].shape[1]), np.float32)
    for b, row in enumerate(rows):
        out[b, : len(row)] = row
    return torch.from_numpy(out), torch.tensor([len(r) for r in rows])


def learn(
    pack_folder: Path, held_folder: Path, out: Path, steps: int, leave_out: list[str], seed: int = 1
) -> dict[str, float]:
    """Trains a head, writes it, and then said.f16 beside the pack's audio. Returns phone errors of held-out clips."""
    pack, held = open_pack(pack_folder), open_pack(held_folder)
    heard = Heard(pack, pack_folder / "heard.f16", WIDTH)
    torch.manual_seed(seed)
    head = Head()
    optimiser = torch.optim.AdamW(head.parameters(), LEARNING_RATE, (0.9, 0.98), weight_decay=1e-3)
    chance = np.random.default_rng(seed)
    names = names_in(leave_out)
    weights = even_people(pack.clips, 0.5)
    weights[[c.name in names or c.speaker in names or not c.words for c in pack.clips]] = 0
    weights /= weights.sum()
    pronouncing = Pronouncing(pack.clips, seed)
    prior = torch.full((len(UNITS),), 1 / len(UNITS))
    begun, step, recent = time.monotonic(), 0, 0.0
    errors: dict[str, float] = {}
    while (share := step / steps) < 1:
        drawn = sorted(chance.choice(len(weights), 256, p=weights).tolist(), key=lambda c: pack.clips[c].samples)
        at, batches = 0, []
        while at < len(drawn):
            room = [len(heard.of(c)) for c in drawn[at:]]
            count = next((k for k in range(1, len(room) + 1) if k == len(room) or room[k] * (k + 1) > BATCH_FRAMES))
            batches.append(drawn[at : at + count])
            at += count
        for number in chance.permutation(len(batches)).tolist()[: steps - step]:
            rate = LEARNING_RATE * min(1, (step + 1) / 100) * 0.5 * (1 + np.cos(np.pi * max(0, share - 0.3) / 0.7))
            optimiser.param_groups[0]["lr"] = rate
            rows, frames = gathered(heard, batches[number])
            with products():
                logits = head(rows)
            log_probs = logits.float().log_softmax(2).transpose(0, 1)
            inside = (torch.arange(len(log_probs))[:, None] < frames[None])[..., None]
            prior = PRIOR_MEMORY * prior + (1 - PRIOR_MEMORY) * log_probs.detach().exp()[inside[..., 0]].mean(0)
            lowered = (log_probs.detach() - PRIOR_SHARE * prior.log()).requires_grad_()
            targets = pronouncing.targets(lowered, frames, [[c] for c in batches[number]])
            losses = ctc(lowered, frames, targets)
            # torch's gradient is exp(input) less the occupancy: right for normalised inputs, which these are not.
            (gradient,) = torch.autograd.grad(losses.sum(), lowered)
            possible = (losses.detach() != 0)[None, :, None] & inside
            occupied = torch.where(possible, lowered.detach().exp() - gradient, 0)
            loss = -(occupied * log_probs).sum() / sum(len(t) for t in targets)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            clip_grad_norm_(head.parameters(), 2.0)
            optimiser.step()
            step, recent = step + 1, recent + float(loss.detach())
            if step % 200 == 0 or step == steps:
                errors = phone_errors(head.eval(), held, held_folder, prior)
                head.train()
                shown = " ".join(f"{k} {100 * v:.1f}" for k, v in errors.items())
                spent, blank = (time.monotonic() - begun) / 60, float(prior[0])
                print(f"{step} {spent:.1f} min, loss {recent / 200:.3f}, blank {blank:.2f}, {shown}", flush=True)
                recent = 0.0
    torch.save({"head": head.state_dict(), "prior": prior}, out)
    say(head.eval(), pack, pack_folder)
    return errors


def phone_errors(head: Head, held: Pack, folder: Path, prior: Tensor) -> dict[str, float]:
    """Greedy, the prior taken off as in training, by set."""
    heard = Heard(held, folder / "heard.f16", WIDTH)
    errors: dict[str, list[int]] = {}
    for at in range(0, len(held.clips), 32):
        clips = list(range(at, min(at + 32, len(held.clips))))
        rows, frames = gathered(heard, clips)
        with torch.no_grad(), products():
            scores = head(rows).float().log_softmax(2) - PRIOR_SHARE * prior.log()
        for clip, found in zip(clips, greedy(scores.transpose(0, 1), frames), strict=True):
            said = [p for word in held.clips[clip].words for p in word[0]]
            for name in (held.clips[clip].set, "all"):
                total = errors.setdefault(name, [0, 0])
                total[0] += edit_distance(said, found)
                total[1] += len(said)
    return {name: wrong / max(count, 1) for name, (wrong, count) in sorted(errors.items())}


def say(head: Head, pack: Pack, folder: Path) -> None:
    """Probabilities of every clip, [frames, units] float16."""
    heard = Heard(pack, folder / "heard.f16", WIDTH)
    said = Heard(pack, folder / "said.f16", len(UNITS), "w")
    order = sorted(range(len(pack.clips)), key=lambda i: pack.clips[i].samples)
    for at in range(0, len(order), 32):
        clips = order[at : at + 32]
        rows, frames = gathered(heard, clips)
        with torch.no_grad(), products():
            out = head(rows).float().softmax(2).numpy()
        for b, (clip, count) in enumerate(zip(clips, frames.tolist(), strict=True)):
            said.of(clip)[:] = out[b, :count]
    said.rows.flush()
