"""Near words against the plain edit distance; rivals differ in one word; the loss against its definition."""

import math
import random

import numpy as np
import torch

from kikitori_trainer.ctc import Pronouncing, ctc, edit_distance
from kikitori_trainer.pack import Packed
from kikitori_trainer.rivals import NEAR, Nearness, Rivals, behind, distances


def clip_of(text: str, *words: list[list[int]]) -> Packed:
    return Packed(0, 1, "", "", text, list(words))


def test_distances_are_those_of_the_plain_edit_distance() -> None:
    chance = random.Random(3)
    for length in (1, 3, 7):
        words = [tuple(chance.randrange(1, 6) for _ in range(length)) for _ in range(40)]
        table = np.array(words, np.int8).T
        for _ in range(20):
            said = tuple(chance.randrange(1, 6) for _ in range(chance.randint(1, 7)))
            assert distances(said, table).tolist() == [edit_distance(said, w) for w in words]


def test_near_words_are_close_and_another() -> None:
    nearness = Nearness([(1, 2, 3), (1, 2, 4), (1, 2), (5, 6, 7), (1, 2, 3, 4, 5, 6)])
    assert nearness.near((1, 2, 3)) == [(1, 2), (1, 2, 4)]
    assert all(edit_distance((1, 2, 3), n) <= max(1, NEAR * 3) for n in nearness.near((1, 2, 3)))


def test_each_rival_is_one_word_away_and_never_a_variant() -> None:
    clips = [
        clip_of("start the line", [[1, 2, 3]], [[4, 5], [4, 6]], [[7, 8, 9]]),
        clip_of("stop it", [[1, 2, 4]], [[4, 5, 6]]),
    ]
    rivals, pronouncing = Rivals(clips, 3, 1), Pronouncing(clips, 1)
    seen = [tuple(r) for _ in range(200) for r in rivals.of([0], pronouncing)]
    assert (1, 2, 3, 4, 6, 7, 8, 9) not in seen
    assert (1, 2, 4, 4, 5, 7, 8, 9) in seen, "start: stop is its partner"
    assert (1, 2, 3, 4, 5, 6, 7, 8, 9) in seen, "a word with another at its end"
    joined = {tuple(r) for _ in range(200) for r in rivals.of([1, 0], pronouncing)}
    assert (1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 7, 8, 9) in joined


def test_the_loss_by_its_definition() -> None:
    torch.manual_seed(0)
    log_probs = torch.randn(12, 2, 5).log_softmax(2)
    steps = torch.tensor([12, 9])
    targets, others = [[1, 2, 3], [4, 1]], [[[1, 2, 4], [1, 2]], [[4, 2]]]
    expected = 0.0
    for b, several in enumerate(others):
        for rival in several:
            own = ctc(log_probs[:, b : b + 1], steps[b : b + 1], [targets[b]])
            other = ctc(log_probs[:, b : b + 1], steps[b : b + 1], [rival])
            expected += math.log1p(math.exp(2 + float(own) - float(other)))
    assert abs(float(behind(log_probs, steps, targets, others, 2)) - expected) < 1e-4
    assert float(behind(log_probs, steps, targets, [[], []], 2)) == 0


def test_what_does_not_fit_counts_nothing() -> None:
    log_probs = torch.randn(3, 1, 5).log_softmax(2).requires_grad_()
    loss = behind(log_probs, torch.tensor([3]), [[1, 2]], [[[1, 2, 3, 4, 1]]], 2)
    loss.backward()
    assert float(loss.detach()) == 0 and log_probs.grad is not None and not log_probs.grad.abs().sum()


def test_training_with_rivals_widens_the_lead() -> None:
    torch.manual_seed(1)
    outputs = torch.zeros(10, 1, 5, requires_grad=True)
    optimiser = torch.optim.SGD([outputs], 0.5)
    steps, targets, rivals = torch.tensor([10]), [[1, 2]], [[[1, 3]]]

    def lead() -> float:
        scores = outputs.detach().log_softmax(2)
        return float(ctc(scores, steps, rivals[0]) - ctc(scores, steps, targets))

    before = lead()
    for _ in range(50):
        optimiser.zero_grad()
        behind(outputs.log_softmax(2), steps, targets, rivals, 2).backward()
        optimiser.step()
    assert lead() > before + 1


def test_the_same_seed_has_the_same_rivals() -> None:
    clips = [clip_of("a b", [[1, 2]], [[2, 3]]), clip_of("c d", [[1, 3]], [[3, 3]])]
    drawn: list[list[list[int]]] = []
    for _ in range(2):
        rivals = Rivals(clips, 2, 9)
        drawn.append([r for c in (0, 1, 0, 1) for r in rivals.of([c], Pronouncing(clips, 1))])
    assert drawn[0] == drawn[1] and drawn[0]
