"""Noise and rooms that nobody had to record: machines, hum, hiss, impacts, rain, and impulse responses."""

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from .audio import SAMPLE_RATE_HZ

Array = NDArray[np.float32]
Chance = np.random.Generator


def coloured(samples: int, slope: float, chance: Chance) -> Array:
    """Noise whose power falls with frequency to the power of `slope` (0 white, 1 pink, 2 brown)."""
    spectrum = np.fft.rfft(chance.standard_normal(samples))
    hz = np.maximum(np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ), 20)
    return level(np.fft.irfft(spectrum * hz ** (-slope / 2), samples))


def level(samples: NDArray[np.floating]) -> Array:
    """Scaled to a root mean square of 1."""
    return (samples / max(float(np.sqrt(np.mean(np.square(samples)))), 1e-9)).astype(np.float32)


def band(samples: int, chance: Chance) -> Array:
    """Noise of a random band: fans, air, tyres."""
    low = chance.uniform(50, 2500)
    high = min(low * chance.uniform(1.3, 6), 7800)
    sos = scipy.signal.butter(2, [low, high], "bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    return level(scipy.signal.sosfilt(sos, chance.standard_normal(samples)))


def motor(samples: int, chance: Chance) -> Array:
    """Harmonics of a turning shaft whose speed wanders, each partial with its own strength."""
    wander = np.cumsum(chance.standard_normal(samples // 1600 + 2)) * 0.01
    speed = np.interp(np.arange(samples), np.arange(len(wander)) * 1600, wander)
    base = chance.uniform(25, 400) * (1 + np.clip(speed, -0.2, 0.2))
    phase = 2 * np.pi * np.cumsum(base) / SAMPLE_RATE_HZ
    out = np.zeros(samples)
    for k in range(1, int(min(40, 7000 / base.max())) + 1):
        swell = 1 + 0.5 * np.sin(phase * chance.uniform(0.01, 0.1))
        out += chance.exponential() / k ** chance.uniform(0.2, 1) * np.sin(k * phase + chance.uniform(0, 6)) * swell
    return level(out + 0.3 * chance.uniform() * out.std() * coloured(samples, 1, chance))


def impacts(samples: int, chance: Chance) -> Array:
    """Blows on metal: ringing modes, regular or at random."""
    out = 0.02 * coloured(samples, 1, chance).astype(np.float64)
    every = chance.uniform(0.1, 1.5) * SAMPLE_RATE_HZ
    at = chance.uniform(0, every)
    modes = chance.uniform(200, 6000, chance.integers(3, 9))
    decay = chance.uniform(0.01, 0.15)
    t = np.arange(int(6 * decay * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    ring = sum(np.sin(2 * np.pi * hz * t) * np.exp(-t / (decay * chance.uniform(0.3, 1))) for hz in modes)
    blow = ring + chance.standard_normal(len(t)) * np.exp(-t / 0.004) * 2
    while at < samples - 1:
        piece = blow[: samples - int(at)] * chance.uniform(0.3, 1)
        out[int(at) : int(at) + len(piece)] += piece
        at += every * (chance.exponential() if chance.uniform() < 0.5 else chance.uniform(0.95, 1.05))
        at += 1
    return level(out)


def pulsed(samples: int, chance: Chance) -> Array:
    """A noise that is switched on and off: compressors, valves, chatter of tools."""
    rate = chance.uniform(0.5, 30)
    t = np.arange(samples) / SAMPLE_RATE_HZ
    gate = scipy.signal.square(2 * np.pi * rate * t, chance.uniform(0.2, 0.8)) > 0
    smooth = scipy.signal.lfilter([0.01], [1, -0.99], gate.astype(np.float64))
    carrier = band(samples, chance) if chance.uniform() < 0.6 else motor(samples, chance)
    return level(carrier * (0.1 + smooth))


def synthetic_noise(samples: int, chance: Chance) -> Array:
    """One kind, or two together; root mean square 1."""
    kinds = [band, motor, impacts, pulsed, lambda n, c: coloured(n, c.uniform(0, 2), c)]
    out = kinds[chance.integers(len(kinds))](samples, chance)
    if chance.uniform() < 0.4:
        out = out + chance.uniform(0.2, 1) * kinds[chance.integers(len(kinds))](samples, chance)
    return level(out)


def recorded_room(response: Array, seconds_max: float = 1.0) -> Array:
    """A measured impulse response from its direct sound on, faded out where it is cut."""
    first = int(np.argmax(np.abs(response)))
    kept = response[first : first + int(seconds_max * SAMPLE_RATE_HZ)].copy()
    fade = min(len(kept), SAMPLE_RATE_HZ // 20)
    kept[len(kept) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return kept


def room(chance: Chance) -> Array:
    """Impulse response: the direct sound, some early reflections, a tail that decays (RT60 0.1 to 0.9 s)."""
    rt60 = chance.uniform(0.1, 0.9)
    length = int(min(rt60, 0.6) * SAMPLE_RATE_HZ)
    t = np.arange(length) / SAMPLE_RATE_HZ
    tail = chance.standard_normal(length) * np.exp(-6.9 * t / rt60)
    tail[: int(chance.uniform(0.001, 0.01) * SAMPLE_RATE_HZ)] = 0
    sos = scipy.signal.butter(1, chance.uniform(2000, 7000), "lowpass", fs=SAMPLE_RATE_HZ, output="sos")
    tail = scipy.signal.sosfilt(sos, tail)
    tail *= 10 ** (-chance.uniform(0, 15) / 20) / max(float(np.sqrt(np.sum(tail**2))), 1e-9)
    for _ in range(chance.integers(2, 8)):
        tail[chance.integers(1, min(length, 800))] += chance.uniform(-0.4, 0.4)
    tail[0] = 1
    return tail.astype(np.float32)
