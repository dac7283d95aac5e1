"""Teachers: networks whose posteriors another one learns, step by step, without text.

Several together say the mean of their log-probabilities. What one alone is sure of by chance the others are not: a
committee errs less than its members, and most of that can be taught to one (Hinton et al., 2015).
"""

from pathlib import Path

import torch
from torch import Tensor

from .checkpoint import Checkpoint, read_checkpoint
from .config import Distillation
from .network import Network


def hearing(c: Checkpoint) -> tuple[object, ...]:
    """What turns sound into inputs, and what the outputs stand for."""
    return c.features, c.mean, c.std, c.units


def divergence_from(wanted: Tensor, logits: Tensor, steps: Tensor) -> Tensor:
    """Kullback-Leibler from probabilities [T, B, units] to logits of the same shape, summed over the real steps."""
    own = logits.log_softmax(2)
    per_step = (torch.xlogy(wanted, wanted) - wanted * own).sum(2)
    return (per_step * (torch.arange(len(per_step))[:, None] < steps[None])).sum()


class Committee:
    def __init__(self, options: Distillation, student: Checkpoint, device: torch.device, bf16: bool) -> None:
        """Raises ValueError where a teacher has other features or units than the student."""
        self.options = options
        self.members: list[Network] = []
        for name in options.teachers:
            c = read_checkpoint(Path(name))
            if hearing(c) != hearing(student):
                raise ValueError(f"{name}: features, normalisation or units are not the student's, expected the same")
            network = c.network().to(device)
            network.bf16 = bf16
            self.members.append(network)

    def log_probs(self, features: Tensor) -> Tensor:
        """[steps, batch, inputs] -> what they say together, [steps, batch, units], normalised."""
        with torch.no_grad():
            said = [(network(features).float() / self.options.temperature).log_softmax(2) for network in self.members]
            return torch.stack(said).mean(0).log_softmax(2)

    def divergence(self, logits: Tensor, heard: Tensor, steps: Tensor) -> Tensor:
        """Kullback-Leibler, the committee having `heard` the same moments, summed over the real steps."""
        wanted = self.log_probs(heard)
        own = (logits / self.options.temperature).log_softmax(2)
        per_step = (wanted.exp() * (wanted - own)).sum(2).cpu()
        return (per_step * (torch.arange(len(per_step))[:, None] < steps[None])).sum()
