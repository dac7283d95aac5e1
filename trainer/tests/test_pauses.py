"""Pauses found in what a listener said, and the thresholds that the report chooses."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from kikitori_trainer.network import Layer, Network, Shape
from kikitori_trainer.pack import Packed, open_pack
from kikitori_trainer.pause_fit import answered, area, fit
from kikitori_trainer.pauses import AFTER_MS, Silence, by_level, followed, heard, prolonged, silences


def made(folder: Path, units: list[int], loud: list[bool]) -> Path:
    """A pack of one clip of 20 ms frames, and what was said in each."""
    chance = np.random.default_rng(1)
    frames = [chance.standard_normal(320) * (3000 if on else 30) for on in loud]
    np.concatenate(frames).astype("<i2").tofile(folder / "audio.i16")
    clip = Packed(0, 320 * len(loud), "so1", "learners", "a b", [[[1]], [[2]]])
    (folder / "pack.json").write_text(json.dumps({"clips": [asdict(clip)], "noises": [], "rooms": []}))
    np.eye(40, dtype=np.float16)[units].tofile(folder / "said.f16")
    return folder / "said.f16"


def test_a_pause_and_the_end(tmp_path: Path) -> None:
    units = [0] * 5 + [1] * 5 + [2] * 5 + [0] * 20 + [3] * 10 + [0] * 15
    said = made(tmp_path, units, [u > 0 for u in units])
    assert list(silences(open_pack(tmp_path), said)) == [
        Silence(0, end_ms=300, length_ms=400, last_phone_ms=100, own_tail_ms=0),
        Silence(0, end_ms=900, length_ms=0, last_phone_ms=200, own_tail_ms=300),
    ]


def test_a_pause_that_is_not_quiet_or_too_short_is_none(tmp_path: Path) -> None:
    units = [1] * 15 + [0] * 20 + [3] * 10 + [0] * 9 + [2] * 10
    said = made(tmp_path, units, [True] * len(units))
    assert [s.length_ms for s in silences(open_pack(tmp_path), said)] == [0]


def test_silences_by_level_leave_out_a_click_far_from_the_words() -> None:
    chance = np.random.default_rng(1)
    loud = [(0.5, False), (0.6, True), (0.4, False), (0.5, True), (1.5, False), (0.1, True), (0.5, False)]
    parts = [chance.standard_normal(int(16000 * seconds)) * (0.1 if on else 0.001) for seconds, on in loud]
    pause, end = by_level(np.concatenate(parts).astype(np.float32))
    assert abs(pause.end_ms - 1100) <= 20 and abs(pause.length_ms - 400) <= 40
    assert abs(end.end_ms - 2000) <= 20 and end.length_ms == 0


def test_audio_goes_on_after_the_end() -> None:
    samples = np.concatenate([np.full(16000, 0.5), np.full(1920, 0.25)]).astype(np.float32)
    longer = prolonged(samples, 1120)
    assert len(longer) == (1120 + AFTER_MS) * 16
    assert (longer[:17920] == samples).all() and (longer[17920:] == 0.25).all()
    assert prolonged(longer, 1000) is longer


def test_states_are_those_of_the_network() -> None:
    torch.manual_seed(1)
    for ranks in ([4, 3], [0, 0]):
        network = Network(10, Shape([6, 5], ranks, 4), 7)
        x = torch.randn(9, 2, 10)
        logs, outputs, cells = heard(network, x)
        with torch.no_grad():
            expected = network(x).log_softmax(2).numpy()
        assert np.allclose(logs, expected, atol=1e-5)
        last = network.lstm[1]
        assert isinstance(last, Layer)
        assert outputs.shape == (9, 2, 3 if ranks[1] else 5) and cells.shape == (9, 2, 5)


def test_an_alignment_follows_the_phones() -> None:
    units = [0, 1, 1, 0, 1, 2, 2, 0]
    logs = np.log(np.eye(3, dtype=np.float32)[units] + 1e-5)
    assert followed(logs, [1, 1, 2]).tolist() == [0, 1, 1, 1, 2, 3, 3, 3]


def test_area_and_thresholds() -> None:
    scores = np.array([0.0, 1, 2, 3, 4, 5], np.float32)
    more = np.array([False, False, True, False, True, True])
    assert area(scores, more) == 8 / 9
    # None of three pauses may be cut: two of three ends lie below the first of them.
    assert answered(scores, more, np.arange(6), 3)[:2] == (2 / 3, 2 / 3)
    # One of a hundred utterances may be: the threshold rises to the second pause.
    assert answered(scores, more, np.arange(6), 100)[:2] == (2 / 3, 1.0)
    # Where one sentence in fifty holds a pause, every second pause may be cut.
    assert answered(scores, more, np.arange(6), 3, orders_long=0.02)[2] == 1.0
    # Two pauses of one utterance are one cut.
    assert answered(scores, more, np.array([0, 1, 7, 2, 7, 9]), 100)[1] == 1.0


def test_what_can_be_told_apart_is() -> None:
    chance = np.random.default_rng(1)
    x = chance.standard_normal((200, 3)).astype(np.float32)
    more = x[:, 0] > 0
    for hidden in (0, 8):
        assert area(fit(x, more, hidden, 1e-4).score(x), more) > 0.98
