"""CTC against a sum over all paths, choice of pronunciations, greedy reading, edit distance."""

import itertools
import math

import torch

from kikitori_trainer.ctc import Pronouncing, ctc, edit_distance, greedy
from kikitori_trainer.pack import Packed


def collapse(path: tuple[int, ...]) -> list[int]:
    return [u for u, before in zip(path, (0, *path), strict=False) if u not in (0, before)]


def test_loss_is_the_sum_over_all_paths() -> None:
    torch.manual_seed(0)
    log_probs = torch.randn(5, 1, 3).log_softmax(2)
    for target in ([1], [1, 2], [1, 1], [2, 1, 2]):
        paths = [p for p in itertools.product(range(3), repeat=5) if collapse(p) == target]
        total = sum(math.exp(sum(float(log_probs[t, 0, u]) for t, u in enumerate(p))) for p in paths)
        loss = ctc(log_probs, torch.tensor([5]), [target])
        assert abs(float(loss[0]) + math.log(total)) < 1e-4


def test_the_likelier_pronunciation_wins() -> None:
    clip = Packed(0, 1, "", "", "the end", [[[1], [2]], [[3]]])
    logits = torch.full((4, 1, 4), -4.0)
    for t, unit in enumerate([0, 2, 0, 3]):
        logits[t, 0, unit] = 4
    pronouncing = Pronouncing([clip], seed=1)
    for _ in range(4):
        target = pronouncing.targets(logits.log_softmax(2), torch.tensor([4]), [[0]])
    assert target == [[2, 3]] and pronouncing.choice(0) == [1, 0]


def test_examples_of_several_clips_are_joined() -> None:
    clips = [Packed(0, 1, "", "", "a", [[[1]]]), Packed(0, 1, "", "", "b", [[[2], [3]]])]
    out = Pronouncing(clips, 0).targets(torch.zeros(6, 1, 4).log_softmax(2), torch.tensor([6]), [[0, 1]])
    assert out[0][0] == 1 and out[0][1] in (2, 3)


def test_greedy_and_distance() -> None:
    path = torch.tensor([0, 1, 1, 0, 1, 2, 2, 0])
    one = torch.nn.functional.one_hot(path, 3).float()[:, None] * 5
    assert greedy(one, torch.tensor([8])) == [[1, 1, 2]]
    assert greedy(one, torch.tensor([3])) == [[1]]
    assert edit_distance([1, 2, 3], [1, 3]) == 1
    assert edit_distance([], [4, 5]) == 2
    assert edit_distance([1, 2], [2, 1]) == 2
