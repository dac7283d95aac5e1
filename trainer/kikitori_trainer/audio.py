"""Audio files -> float samples in [-1, 1), 16 kHz mono."""

import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile
from numpy.typing import NDArray

Array = NDArray[np.float32]
SAMPLE_RATE_HZ = 16_000


def resample(samples: Array, rate_hz: int) -> Array:
    """Polyphase resampling to 16 kHz."""
    if rate_hz == SAMPLE_RATE_HZ:
        return samples
    ratio = Fraction(SAMPLE_RATE_HZ, rate_hz)
    moved = scipy.signal.resample_poly(samples, ratio.numerator, ratio.denominator)
    return np.asarray(moved, np.float32)


def read_audio(path: Path) -> Array:
    """What libsndfile reads; anything else (MP3 of Common Voice on old systems) through ffmpeg."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        return resample(samples.mean(1), rate)
    except RuntimeError:
        command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "f32le", "-ac", "1"]
        command += ["-ar", str(SAMPLE_RATE_HZ), "-"]
        done = subprocess.run(command, capture_output=True)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()
            raise RuntimeError(f"{path}: cannot be read: {said}") from None
        return np.frombuffer(done.stdout, np.float32).copy()
