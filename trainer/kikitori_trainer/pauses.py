"""Pauses inside sentences, their ends, and what the network's states hold there. `pause_fit.py` learns from them.

Silences are found in what a better listener said (`said.f16` of `teacher.py`): 20 ms a frame, class 0 silence.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .audio import read_audio
from .checkpoint import Checkpoint
from .features import extract, stack
from .lexicon import UNITS
from .listener import FRAMES_MAX, QUIET_FRAMES, Heard
from .network import Layer, Network
from .pack import Pack, Packed, open_pack

Array = NDArray[np.float32]
SENTENCES = frozenset(
    "learners novels queen sky drascula warzone accents arctic-slt arctic-bdl kathleen prompts reader".split()
)
CUT_SETS = frozenset({"novels"})
"""Pieces cut at silences: their ends are no ends of sentences."""
RATE = 16000
FRAME_MS = 20
PAUSE_MS = 200
WAITS_MS = (350, 480)
AFTER_MS = 520
QUIET_DB = 8
"""A pause is at least so much softer than the median of the speech around it: elsewhere the listener was deaf."""
APART_MS = 900
"""By level alone, what is farther from the words than this is a click or a chair."""
ENDS_OF_A_SPEAKER = 60
BATCH = 48


@dataclass
class Silence:
    """After `end_ms`; `length_ms` is until speech goes on, 0 for the end of a clip."""

    clip: int
    end_ms: int
    length_ms: int
    last_phone_ms: int
    own_tail_ms: int


def level_db(samples: Array) -> Array:
    """Of each 10 ms."""
    whole = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    return np.asarray(10 * np.log10((whole**2).mean(1) + 1e-9), np.float32)


def silences(pack: Pack, said: Path) -> Iterator[Silence]:
    """Pauses of PAUSE_MS and longer inside the clips, and the end of each."""
    rows = Heard(pack, said, len(UNITS))
    for number, clip in enumerate(pack.clips):
        best = rows.of(number).astype(np.float32)
        if clip.set not in SENTENCES or len(best) == FRAMES_MAX - QUIET_FRAMES:
            continue
        units = np.where(best[:, 0] > 0.5, 0, best[:, 1:].argmax(1) + 1)
        phones = np.flatnonzero(units)
        if len(phones) < 10:
            continue
        db = level_db(pack.samples(clip.begin, clip.samples))
        speech = np.median(db[np.minimum(2 * phones, len(db) - 1)])

        def last_phone(at: int, units: NDArray[np.int64] = units) -> int:
            first = at
            while first > 0 and units[first - 1] == units[at]:
                first -= 1
            return (at - first + 1) * FRAME_MS

        gaps = np.diff(phones) - 1
        for k in np.flatnonzero(gaps >= PAUSE_MS // FRAME_MS):
            before, after = phones[: k + 1], phones[k + 1 :]
            inside = db[2 * (before[-1] + 3) : 2 * after[0]]
            if len(before) >= 5 and len(after) >= 5 and np.median(inside) < speech - QUIET_DB:
                end = int(before[-1]) + 1
                yield Silence(number, end * FRAME_MS, int(gaps[k]) * FRAME_MS, last_phone(end - 1), 0)
        end = int(phones[-1]) + 1
        tail = max(0, clip.samples // 16 - end * FRAME_MS)
        yield Silence(number, end * FRAME_MS, 0, last_phone(end - 1), tail)


def prolonged(samples: Array, end_ms: int) -> Array:
    """A microphone goes on where a clip ends: its quietest 120 ms there and back, until AFTER_MS after the end."""
    missing = (end_ms + AFTER_MS) * 16 - len(samples)
    if missing <= 0:
        return samples
    db = level_db(samples)
    quiet = int(np.convolve(db, np.ones(12), "valid").argmin()) * 160
    piece = samples[quiet : quiet + 1920]
    return np.concatenate([samples, np.resize(np.concatenate([piece[::-1], piece]), missing)])


def run_last(layer: Layer, x: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs and cells of every step of a layer."""
    steps, batch, _ = x.shape
    n = layer.weight_ih.shape[0] // 4
    inputs = x @ layer.weight_ih.t() + layer.bias
    c = torch.zeros(batch, n)
    p = torch.zeros(batch, layer.weight_hh.shape[1])
    outputs, cells = [], []
    for t in range(steps):
        i, f, g, o = (inputs[t] + p @ layer.weight_hh.t()).split(n, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        p = h if layer.projection is None else h @ layer.projection.t()
        outputs.append(p)
        cells.append(c)
    return torch.stack(outputs), torch.stack(cells)


@torch.no_grad()
def heard(network: Network, features: Tensor) -> tuple[Array, Array, Array]:
    """Log posteriors, outputs and cells of the last layer, each [T, B, ...]."""
    x = features if network.input is None else features @ network.input.t()
    cells = x
    for layer in network.lstm:
        assert isinstance(layer, Layer)
        x, cells = run_last(layer, x)
    return network.output(x).log_softmax(2).numpy(), x.numpy(), cells.numpy()


def pitch(samples: Array) -> Array:
    """Natural logarithm of the fundamental frequency each 30 ms by autocorrelation; nan where there is none."""
    if len(samples) < 640:
        return np.zeros(0, np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, 640)[::480] * np.hanning(640).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(frames, 2048)) ** 2
    lags = np.fft.irfft(spectrum)[:, :320]
    lags = lags / np.maximum(lags[:, :1], 1e-9)
    best = lags[:, 40:267].argmax(1) + 40
    clear = lags[np.arange(len(lags)), best] > 0.35
    return np.where(clear, np.log(RATE / best), np.nan).astype(np.float32)


def voice(samples: Array, s: Silence, now_ms: int) -> Array:
    """How it was said: pitch, level and length at the end of the words, level since then. 16 numbers."""
    end = s.end_ms * 16
    tones = pitch(samples[:end])
    spoken = tones[~np.isnan(tones)]
    usual = float(np.median(spoken)) if len(spoken) else 5.0
    last = tones[-14:]
    told = last[~np.isnan(last)][-6:] - usual
    half = len(told) // 2
    fall = float(told[half:].mean() - told[:half].mean()) if half else 0.0
    db = level_db(samples[: now_ms * 16])
    at = s.end_ms // 10
    speech = float(np.median(db[:at]))
    words = [float(db[max(0, at - k - 10) : max(1, at - k)].mean()) - speech for k in (0, 10, 20, 30)]
    since = [float(part.mean()) - speech for part in np.array_split(db[at:], 5)]
    return np.array(
        [
            usual,
            float(told.mean()) if len(told) else 0.0,
            float(told[-1]) if len(told) else 0.0,
            fall,
            float(np.isnan(last).mean()),
            *words,
            *since,
            np.log(s.last_phone_ms),
            float(words[0] - words[2]),
        ],
        np.float32,
    )


def at_wait(logs: Array, outputs: Array, cells: Array, end_ms: int, wait_ms: int) -> dict[str, Array]:
    """What the network knows so long after the last phone: only steps whose audio is complete by then."""
    now = min(len(logs) - 1, (end_ms + wait_ms - 95) // 30)
    spikes = np.flatnonzero(logs[: now + 1, 0] < np.log(0.5))
    units = logs[spikes].argmax(1) if len(spikes) else np.zeros(0, int)
    starts = spikes[np.concatenate([[True], (np.diff(spikes) > 1) | (np.diff(units) != 0)])[: len(spikes)]]
    last = int(spikes[-1]) if len(spikes) else 0
    before = int(starts[-2]) if len(starts) > 1 else 0
    first = int(starts[0]) if len(starts) else 0
    count = max(1, len(starts))
    mean_gap = (last - first + 1) / count
    quiet = np.exp(logs[max(0, now - 9) : now + 1, 0])
    times = [now - last, mean_gap, (last - before) / mean_gap]
    floats = np.array([*times, quiet.mean(), quiet.min(), *quiet[-3:]], np.float32)
    posteriors = np.concatenate([np.exp(logs[last]), np.exp(logs[before]), np.maximum(logs[now], -15)])
    return {
        "times": floats,
        "length": np.array([np.log(now - first + 1), np.log(count)], np.float32),
        "posteriors": posteriors.astype(np.float32),
        "output": np.concatenate([outputs[now], outputs[last]]).astype(np.float32),
        "cell": cells[now].astype(np.float32),
    }


@dataclass
class Spoken:
    clip: Packed
    number: int
    held: bool
    found: list[Silence]
    audio: Callable[[], Array]


class Events:
    """One row for each silence, with what is known at each wait; columns of `u_` for every silence, heard or not."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint, self.network = checkpoint, checkpoint.network().eval()
        self.columns: dict[str, list[object]] = {}

    def put(self, **values: object) -> None:
        for key, value in values.items():
            self.columns.setdefault(key, []).append(value)

    def note(self, spoken: Spoken) -> None:
        own = {"u_set": spoken.clip.set, "u_speaker": spoken.clip.speaker, "u_held": spoken.held}
        for s in spoken.found:
            self.put(**own, u_length=s.length_ms, u_clip=spoken.number)

    def hear(self, work: list[Spoken]) -> None:
        work = sorted(work, key=lambda w: w.clip.samples)
        for at in range(0, len(work), BATCH):
            self.batch(work[at : at + BATCH])
            if at // BATCH % 20 == 0:
                print(f"{at} of {len(work)} clips", flush=True)

    def batch(self, batch: list[Spoken]) -> None:
        features = self.checkpoint.features
        mean, std = (
            np.tile(np.array(v, np.float32), features.stack) for v in (self.checkpoint.mean, self.checkpoint.std)
        )
        audio = [prolonged(w.audio(), w.found[-1].end_ms) for w in batch]
        steps = [(stack(extract(a, features), features) - mean) / std for a in audio]
        x = np.zeros((max(len(s) for s in steps), len(batch), self.network.dim), np.float32)
        for b, own in enumerate(steps):
            x[: len(own), b] = own
        logs, outputs, cells = heard(self.network, torch.from_numpy(x))
        for b, w in enumerate(batch):
            for s in w.found:
                if 0 < s.length_ms <= WAITS_MS[0]:
                    continue
                self.put(set=w.clip.set, speaker=w.clip.speaker, held=w.held, clip=w.number)
                self.put(length=s.length_ms, tail=s.own_tail_ms)
                for wait in WAITS_MS:
                    known = at_wait(logs[: len(steps[b]), b], outputs[:, b], cells[:, b], s.end_ms, wait)
                    known["voice"] = voice(audio[b], s, s.end_ms + wait)
                    self.put(**{f"{k}_{wait}": v for k, v in known.items()})

    def table(self) -> dict[str, NDArray]:
        return {k: np.array(v) for k, v in self.columns.items()}


def gather(checkpoint: Checkpoint, packs: Sequence[tuple[Path, Path]], kept_out: set[str]) -> dict[str, NDArray]:
    events = Events(checkpoint)
    for number, (folder, said) in enumerate(packs):
        pack = open_pack(folder)
        by_clip: dict[int, list[Silence]] = {}
        for s in silences(pack, said):
            by_clip.setdefault(s.clip, []).append(s)
        work: list[Spoken] = []
        ends: dict[str, int] = {}
        for clip, found in by_clip.items():
            row = pack.clips[clip]
            ends[row.speaker] = ends.get(row.speaker, 0) + 1
            held = number > 0 or row.speaker in kept_out
            audio = partial(pack.samples, row.begin, row.samples)
            spoken = Spoken(row, (number << 20) + clip, held, found, audio)
            events.note(spoken)
            if held or ends[row.speaker] <= ENDS_OF_A_SPEAKER or any(s.length_ms > WAITS_MS[0] for s in found):
                work.append(spoken)
        events.hear(work)
    return events.table()


def by_level(samples: Array) -> list[Silence]:
    """Silences of a clean recording without a better listener: all that is not louder than a quarter of its range."""
    db = np.convolve(level_db(samples), np.ones(3) / 3, "same")
    low, high = np.percentile(db, [10, 95])
    loud = np.flatnonzero(db > low + max(6, (high - low) / 4))
    runs = np.split(loud, np.flatnonzero(np.diff(loud) > 1) + 1)
    runs = [r for r in runs if len(r) >= 5]
    starts = [0, *(k for k in range(1, len(runs)) if runs[k][0] - runs[k - 1][-1] > APART_MS // 10), len(runs)]
    groups = [runs[a:b] for a, b in zip(starts, starts[1:], strict=False)]
    runs = max(groups, key=lambda group: sum(map(len, group)))
    found = []
    for before, after in zip(runs, [*runs[1:], None], strict=True):
        end = 10 * (int(before[-1]) + 1)
        pause = 0 if after is None else 10 * int(after[0]) - end
        if after is None or pause >= PAUSE_MS:
            found.append(Silence(0, end, pause, 100, len(samples) // 16 - end if after is None else 0))
    return found


def orders(checkpoint: Checkpoint, folder: Path) -> dict[str, NDArray]:
    """The same of a folder of clean recordings, each by somebody else."""
    events = Events(checkpoint)
    work = []
    for number, path in enumerate(sorted([*folder.glob("*.flac"), *folder.glob("*.opus"), *folder.glob("*.wav")])):
        samples = read_audio(path)
        clip = Packed(0, len(samples), path.stem, "orders", "", [])
        work.append(Spoken(clip, number, True, by_level(samples), partial(read_audio, path)))
        events.note(work[-1])
    events.hear(work)
    return events.table()


def followed(logs: Array, phones: Sequence[int]) -> NDArray[np.int64]:
    """Phones begun by each frame on the best path of CTC through a sentence."""
    units = np.zeros(2 * len(phones) + 1, np.int64)
    units[1::2] = phones
    skip = np.concatenate([[False, False], (units[2:] != 0) & (units[2:] != units[:-2])])
    best = np.full(len(units), -np.inf, np.float32)
    best[:2] = logs[0, units[:2]]
    back = np.zeros((len(logs), len(units)), np.int64)
    for t in range(1, len(logs)):
        moves = np.full((3, len(units)), -np.inf, np.float32)
        moves[0] = best
        moves[1, 1:] = best[:-1]
        moves[2, 2:] = np.where(skip[2:], best[:-2], -np.inf)
        back[t] = moves.argmax(0)
        best = moves.max(0) + logs[t, units]
    state = len(units) - 1 if best[-1] >= best[-2] else len(units) - 2
    path = np.zeros(len(logs), np.int64)
    for t in range(len(logs) - 1, -1, -1):
        path[t] = state
        state -= int(back[t, state])
    return (path + 1) // 2


def between_words(packs: Sequence[tuple[Path, Path]]) -> str:
    """How many pauses lie between two words of their text, by forced alignment."""
    between = inside = 0
    for folder, said in packs:
        pack = open_pack(folder)
        rows = Heard(pack, said, len(UNITS))
        for s in silences(pack, said):
            words = [word[0] for word in pack.clips[s.clip].words]
            phones = [phone for word in words for phone in word]
            if s.length_ms == 0 or not phones:
                continue
            logs = np.log(rows.of(s.clip).astype(np.float32) + 1e-5)
            begun = followed(logs, phones)[(s.end_ms + s.length_ms // 2) // FRAME_MS]
            at_end = int(begun) in {0, *np.cumsum([len(w) for w in words]).tolist()}
            between, inside = between + at_end, inside + (not at_end)
    return f"{between} of {between + inside} pauses lie between two words of the text"
