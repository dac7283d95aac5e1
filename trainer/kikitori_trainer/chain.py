"""How phones follow each other, and how likely any of them in any order are: what a sentence has to beat.

CTC makes what was said likely; it does not ask whether something else is nearly as likely. With the sum over
every phone string, each weighted by a chain of phones, taken off, training widens the lead of what was said over
what else could have been said: maximum mutual information, over CTC's paths (Xiang and Ou, 2019, "CRF-based
single-stage acoustic modeling with CTC topology"). The device measures the same lead with its phone loop.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .ctc import ctc
from .pack import Packed

SMOOTHING = 0.02
MIDWORD_SHARE = 0.3
"""Both as in the device's chain (src/measure/calibrate/phone-chain.ts)."""


def phone_chain(clips: Sequence[Packed], units: int) -> Tensor:
    """p(next | before), [units, units]; row 0: before any phone. Every word of the clips counts once."""
    words = {tuple(v) for c in clips for word in c.words for v in word}
    counts = np.zeros((units, units))
    for phones in words:
        for before, phone in zip((0, *phones), (*phones, 0), strict=True):
            counts[before, phone] += 1
    shares: NDArray[np.float64] = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    starts, usual = shares[0], counts.sum(0)
    usual[0] = 0
    usual /= max(usual.sum(), 1)
    chain = (1 - SMOOTHING) * (shares + shares[:, :1] * starts) + SMOOTHING * usual
    chain[0] = (1 - MIDWORD_SHARE) * starts + MIDWORD_SHARE * usual
    chain[:, 0] = 0
    return torch.from_numpy(chain / np.maximum(chain.sum(1, keepdims=True), 1e-9)).float()


def any_phones(log_probs: Tensor, steps: Tensor, chain: Tensor) -> Tensor:
    """ln of the sum over all CTC paths of probability times that of the phones in the chain; [B].

    log_probs [T, B, units], unit 0 blank. `said[p]`: the last step said phone p; `paused[p]`: blank since.
    Index 0 of both stands for no phone yet. Scaled at every step.
    """
    total, batch, units = log_probs.shape
    probabilities = log_probs.exp()
    said = log_probs.new_zeros(batch, units)
    paused = torch.nn.functional.one_hot(torch.zeros(batch, dtype=torch.long), units).to(log_probs)
    repeat = 1 - chain.diagonal()
    out = log_probs.new_zeros(batch)
    for t in range(total):
        either = said + paused
        now = probabilities[t]
        # The same phone twice needs a blank between; without one it goes on.
        next_said = now * (either @ chain + said * repeat)
        next_paused = now[:, :1] * either
        scale = (next_said.sum(1) + next_paused.sum(1)).clamp_min(1e-30)
        going = t < steps
        out = out + torch.where(going, scale.log(), torch.zeros_like(scale))
        said, paused = next_said / scale[:, None], next_paused / scale[:, None]
    return out


def lead(log_probs: Tensor, steps: Tensor, targets: Sequence[Sequence[int]], chain: Tensor) -> Tensor:
    """How far each target is ahead of all phone strings together, in nats, its own weight in the chain not counted;
    [B]. 0 where the target does not fit into its steps."""
    loss = ctc(log_probs, steps, targets)
    return -(loss + any_phones(log_probs, steps, chain) * (loss > 0))


def search_offset(card: str, units: int) -> Tensor:
    """What the device adds to log-probabilities before it searches, [units]: the label prior taken off, and the weight
    of blank. Trained with that, the network's own outputs stay what CTC makes of them."""
    if not card:
        return torch.zeros(units)
    decoding = json.loads(Path(card).read_text()).get("decoding")
    if decoding is None:
        raise SystemExit(f"{card}: no decoding, as `kikitori model calibrate --card` writes it")
    offset = -decoding["priorWeight"] * torch.tensor(decoding["logPrior"], dtype=torch.float32)
    if len(offset) != units:
        raise SystemExit(f"{card}: a prior of {len(offset)} units, expected {units}")
    offset[0] += decoding["blankBias"]
    return offset
