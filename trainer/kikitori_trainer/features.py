"""Log-mel features: the same numbers as the device's frontend (src/frontend), within 1e-4.

Frame i covers samples [hop * i, hop * i + window); there is no padding. Step t is the frames
[stride * t, stride * t + stack), oldest first.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Features:
    """Every number that turns samples into network inputs; travels with the checkpoint."""

    sampleRateHz: int = 16000
    windowMs: float = 25
    hopMs: float = 10
    fftSize: int = 512
    window: str = "hann"
    removeDc: bool = True
    preemphasis: float = 0.97
    melBins: int = 40
    lowHz: float = 60
    highHz: float = 7600
    logFloor: float = 1e-5
    stack: int = 8
    stride: int = 3

    @property
    def dim(self) -> int:
        """Values in one step."""
        return self.stack * self.melBins


def mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """HTK's mel scale, natural logarithm form."""
    return 1127 * np.log(1 + hz / 700)


def filterbank(o: Features, warp: float = 1.0, bend: float = 0.0) -> Array:
    """[fftSize / 2 + 1, melBins]; warp > 1 moves the spectrum up (vocal-tract perturbation). `bend` is added to
    it at 0 Hz, nothing at a quarter of the sample rate, and taken from it at half: the formants of two
    people differ by more than one factor."""
    hz = np.arange(o.fftSize // 2 + 1) * o.sampleRateHz / o.fftSize
    at = mel(hz * (warp + bend * (1 - 4 * hz / o.sampleRateHz)))
    edges = np.linspace(mel(np.array(o.lowHz)), mel(np.array(o.highHz)), o.melBins + 2)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (at[:, None] - left) / (centre - left)
    falling = (right - at[:, None]) / (right - centre)
    return np.maximum(np.minimum(rising, falling), 0).astype(np.float32)


def window_of(o: Features) -> Array:
    """Periodic Hann, or Hamming."""
    size = round(o.sampleRateHz * o.windowMs / 1000)
    c = np.cos(2 * np.pi * np.arange(size) / size)
    if o.window == "hann":
        return (0.5 - 0.5 * c).astype(np.float32)
    if o.window == "hamming":
        return (0.54 - 0.46 * c).astype(np.float32)
    raise ValueError(f'window is "{o.window}", expected hann or hamming')


def power(samples: Array, o: Features) -> Array:
    """[samples] in [-1, 1) -> power spectra [frames, fftSize / 2 + 1]."""
    window = window_of(o)
    hop = round(o.sampleRateHz * o.hopMs / 1000)
    if len(samples) < len(window):
        return np.zeros((0, o.fftSize // 2 + 1), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, len(window))[::hop]
    frames = frames.astype(np.float32)
    if o.removeDc:
        frames = frames - frames.mean(1, keepdims=True)
    if o.preemphasis:
        emphasised = frames.copy()
        emphasised[:, 1:] -= o.preemphasis * frames[:, :-1]
        emphasised[:, 0] *= 1 - o.preemphasis
        frames = emphasised
    spectrum = scipy.fft.rfft(frames * window, o.fftSize)
    return (spectrum.real**2 + spectrum.imag**2).astype(np.float32)


def log_mel(spectra: Array, bank: Array, o: Features) -> Array:
    """Power spectra -> log energies [frames, melBins]."""
    return np.log(spectra @ bank + o.logFloor)


def extract(samples: Array, o: Features) -> Array:
    """[samples] -> log energies [frames, melBins], not normalised."""
    return log_mel(power(samples, o), filterbank(o), o)


def stack(frames: Array, o: Features) -> Array:
    """[frames, melBins] -> [steps, stack * melBins]."""
    if len(frames) < o.stack:
        return np.zeros((0, o.stack * frames.shape[1]), np.float32)
    view = np.lib.stride_tricks.sliding_window_view(frames, o.stack, axis=0)[:: o.stride]
    return np.ascontiguousarray(view.transpose(0, 2, 1)).reshape(len(view), -1).astype(np.float32)
