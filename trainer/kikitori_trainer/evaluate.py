"""Phone errors of a network on clean clips: greedy, no grammar, no prior."""

import numpy as np
import torch

from .checkpoint import Checkpoint
from .ctc import edit_distance, greedy
from .features import extract, stack
from .network import Network
from .pack import Pack, Packed

BATCH = 32


def log_probs(network: Network, checkpoint: Checkpoint, rows: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Stacked features of several clips -> [T, B, units] and the steps of each."""
    steps = [len(r) for r in rows]
    features = np.zeros((max(steps), len(rows), checkpoint.features.dim), np.float32)
    for b, row in enumerate(rows):
        features[: len(row), b] = row
    with torch.no_grad():
        logits = network(torch.from_numpy(features))
    return logits.float().log_softmax(2), torch.tensor(steps)


def inputs_of(pack: Pack, clip: Packed, checkpoint: Checkpoint) -> np.ndarray:
    frames = extract(pack.samples(clip.begin, clip.samples), checkpoint.features)
    normal = (frames - np.array(checkpoint.mean, np.float32)) / np.array(checkpoint.std, np.float32)
    return stack(normal, checkpoint.features)


def phone_errors(network: Network, checkpoint: Checkpoint, pack: Pack) -> dict[str, float]:
    """Phone error rate by set (name without its directory), and over everything."""
    order = sorted(range(len(pack.clips)), key=lambda i: pack.clips[i].samples)
    errors: dict[str, list[int]] = {}
    for at in range(0, len(order), BATCH):
        clips = [pack.clips[i] for i in order[at : at + BATCH]]
        scores, steps = log_probs(network, checkpoint, [inputs_of(pack, c, checkpoint) for c in clips])
        for clip, heard in zip(clips, greedy(scores, steps), strict=True):
            said = [p for word in clip.words for p in word[0]]
            for name in (clip.set, "all"):
                total = errors.setdefault(name, [0, 0])
                total[0] += edit_distance(said, heard)
                total[1] += len(said)
    return {name: wrong / max(count, 1) for name, (wrong, count) in sorted(errors.items())}
