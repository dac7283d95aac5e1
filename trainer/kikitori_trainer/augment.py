"""Clean clips -> the log-mel frames of somebody else, somewhere else, through some microphone.

Everything is drawn from one random generator per batch, so that a run can be repeated and resumed.
"""

from dataclasses import dataclass

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from .features import Features, filterbank, log_mel, power
from .pack import Pack

Array = NDArray[np.float32]
Chance = np.random.Generator
WARPS = 25
BENDS = 5
COLOUR_KNOTS = 6
TEMPO_KNOT_FRAMES = 40
NOISE_PERCENTILE = 25


@dataclass(frozen=True)
class Moments:
    """When what is heard in an example was said in its clips."""

    starts: list[int]
    """First sample of each piece, all of them joined."""
    lengths: list[int]
    speed: float
    """Joined samples for each that is heard."""
    frames: Array
    """Frame before `tempo` changed, for each that is heard."""

    def of(self, frame: NDArray[np.float64], f: Features) -> list[tuple[NDArray[np.bool_], NDArray[np.float64]]]:
        """For each piece, which of the fractional frames fall into it, and at which of its samples (their middle)."""
        before = np.interp(frame, np.arange(len(self.frames)), self.frames) if len(self.frames) else frame
        hop, half = f.sampleRateHz * f.hopMs / 1000, f.sampleRateHz * f.windowMs / 2000
        joined = (before * hop + half) * self.speed
        inside = [(joined >= s) & (joined < s + n) for s, n in zip(self.starts, self.lengths, strict=True)]
        return [(which, joined[which] - s) for which, s in zip(inside, self.starts, strict=True)]


@dataclass(frozen=True)
class Augmentation:
    """Chances are shares of examples; ranges are drawn evenly."""

    speedChance: float = 0.7
    speed: tuple[float, float] = (0.85, 1.18)
    warp: tuple[float, float] = (0.84, 1.18)
    bend: float = 0
    """Low formants are moved up to this share more than high ones, or less (`filterbank`)."""
    roomChance: float = 0.4
    noiseChance: float = 0.75
    snrDb: tuple[float, float] = (-5, 30)
    recordedNoiseShare: float = 0.35
    babbleShare: float = 0.15
    secondNoiseChance: float = 0
    """Another noise on top, up to 10 dB weaker."""
    bandChance: float = 0
    bandHz: tuple[float, float] = (2500, 7500)
    """Nothing above it is heard, as of a telephone or an old recording: or the network learns which set it hears."""
    codecChance: float = 0
    """Speech through 8-bit mu-law, before the noise comes to it."""
    gainDb: tuple[float, float] = (-24, 6)
    tiltDb: float = 8
    colourDb: float = 0
    """Highest gain or loss of a random microphone's curve, drawn at COLOUR_KNOTS places of the mel axis."""
    tempoChance: float = 0
    tempo: tuple[float, float] = (0.8, 1.25)
    """Slower or faster without another voice: frames are drawn out or closed up, differently from place to place."""
    noiseFloorChance: float = 0
    noiseFloorDb: tuple[float, float] = (0, 5)
    """So far above the quieter quarter of its frames nothing of a band is heard (`above_noise`)."""
    clipChance: float = 0.05
    silenceMs: tuple[float, float] = (40, 500)
    timeMasks: int = 2
    timeMaskMs: float = 120
    frequencyMasks: int = 2
    frequencyMaskBins: int = 6


def change_speed(samples: Array, factor: float) -> Array:
    """Faster and higher for factor > 1, by linear interpolation."""
    at = np.arange(0, len(samples) - 1, factor)
    return np.interp(at, np.arange(len(samples)), samples).astype(np.float32)


def tempo_map(frames: int, slowest: float, fastest: float, chance: Chance) -> Array:
    """Where in the original each new frame lies; the local rate wanders between the two bounds."""
    knots = frames // TEMPO_KNOT_FRAMES + 2
    rate = np.interp(np.arange(frames) / TEMPO_KNOT_FRAMES, np.arange(knots), chance.uniform(slowest, fastest, knots))
    came = np.cumsum(1 / rate)
    count = max(1, int(came[-1]))
    return np.interp(np.arange(1, count + 1), came, np.arange(frames)).astype(np.float32)


def at_moments(frames: Array, where: Array) -> Array:
    """Rows of [frames, bins] at fractional places, linearly between neighbours."""
    below = np.minimum(where.astype(np.int64), len(frames) - 1)
    above = np.minimum(below + 1, len(frames) - 1)
    part = (where - below)[:, None]
    return (frames[below] * (1 - part) + frames[above] * part).astype(np.float32)


def above_noise(frames: Array, aboveDb: float) -> Array:
    """Log-mel energies [frames, bins] with a floor for each band: the quartile of its frames and `aboveDb` more."""
    floor = np.percentile(frames, NOISE_PERCENTILE, axis=0) + aboveDb * np.log(10) / 10
    return np.maximum(frames, floor).astype(np.float32)


def mu_law(samples: Array, chance: Chance) -> Array:
    """8 bits a sample (ITU-T G.711, continuous form), at a level drawn from a telephone's range."""
    scale = 10 ** (chance.uniform(-20, 0) / 20) / max(float(np.abs(samples).max(initial=0)), 1e-6)
    x = samples * scale
    coded = np.round(127 * np.sign(x) * np.log1p(255 * np.abs(x)) / np.log(256)) / 127
    return (np.sign(coded) * (256 ** np.abs(coded) - 1) / 255 / scale).astype(np.float32)


class Augmenter:
    def __init__(self, pack: Pack, features: Features, options: Augmentation) -> None:
        self.pack = pack
        self.features = features
        self.options = options
        bends = options.bend * np.linspace(-1, 1, BENDS) if options.bend else np.zeros(1)
        self.banks = [
            filterbank(features, float(w), float(b)) for w in np.linspace(*options.warp, WARPS) for b in bends
        ]

    def join(self, pieces: list[Array], chance: Chance) -> tuple[Array, list[int]]:
        """Short clips one after the other with pauses, silence around; where each begins."""
        o = self.options
        quiet = [np.zeros(int(chance.uniform(*o.silenceMs) * 16), np.float32) for _ in range(len(pieces) + 1)]
        parts = [quiet[0]]
        for piece, pause in zip(pieces, quiet[1:], strict=True):
            loudness = float(np.abs(piece).max(initial=1e-4))
            parts += [piece * (0.3 * 10 ** (chance.uniform(-3, 3) / 20) / max(loudness, 1e-4)), pause]
        ends = np.cumsum([len(p) for p in parts])
        return np.concatenate(parts), [int(e) for e in ends[:-1:2]]

    def noise(self, count: int, chance: Chance) -> Array:
        """Recorded, synthetic or babble, root mean square 1."""
        o, pack = self.options, self.pack
        if chance.uniform() < o.babbleShare:
            out = np.zeros(count, np.float32)
            for _ in range(chance.integers(3, 8)):
                clip = pack.clips[chance.integers(len(pack.clips))]
                out += self.stretch(clip.begin, clip.samples, count, chance)
        else:
            few = sum(n != 12 * 16000 for _, n in pack.noises) or len(pack.noises)
            recorded = chance.uniform() < o.recordedNoiseShare
            which = chance.integers(few) if recorded else chance.integers(len(pack.noises))
            out = self.stretch(*pack.noises[which], count, chance)
        return out / max(float(np.sqrt(np.mean(out**2))), 1e-6)

    def stretch(self, begin: int, length: int, count: int, chance: Chance) -> Array:
        """`count` samples from a random place, repeated when it is shorter."""
        start = int(chance.integers(max(1, length - count)))
        piece = self.pack.samples(begin + start, min(count, length - start))
        return np.resize(piece, count)

    def waveform(self, pieces: list[Array], strength: float, chance: Chance) -> tuple[Array, Array, list[int], float]:
        """What the microphone hears, and the same without noise; where each piece began before the speed; the speed.

        `strength`, 0 to 1, scales how often rooms and noise come in.
        """
        o = self.options
        x, starts = self.join(pieces, chance)
        speed = chance.uniform(*o.speed) if chance.uniform() < o.speedChance else 1.0
        if speed != 1.0:
            x = change_speed(x, speed)
        if self.pack.rooms and chance.uniform() < o.roomChance * strength:
            response = self.pack.samples(*self.pack.rooms[chance.integers(len(self.pack.rooms))])
            x = scipy.signal.fftconvolve(x, response)[: len(x)].astype(np.float32)
        if chance.uniform() < o.codecChance:
            x = mu_law(x, chance)
        quiet = x
        voiced = x[np.abs(x) > 0.1 * np.abs(x).max(initial=1e-6)]
        loud = float(np.sqrt(np.mean(voiced**2))) if len(voiced) else 0.0
        if self.pack.noises and chance.uniform() < o.noiseChance * strength:
            snr = 10 ** (chance.uniform(*o.snrDb) / 20)
            noise = self.noise(len(x), chance)
            if chance.uniform() < o.secondNoiseChance:
                noise = noise + self.noise(len(x), chance) * np.float32(10 ** (-chance.uniform(0, 10) / 20))
            x = x + noise * (loud / snr)
        floor = 10 ** (chance.uniform(-80, -45) / 20)
        hiss = chance.standard_normal(len(x), np.float32) * np.float32(floor * 0.3)
        x, quiet = x + hiss, quiet + hiss
        if chance.uniform() < o.clipChance:
            limit = float(np.abs(x).max()) * chance.uniform(0.2, 0.7)
            x = np.clip(x, -limit, limit)
        gain = np.float32(10 ** (chance.uniform(*o.gainDb) / 20))
        heard, alone = (np.clip(y * gain, -1, 1).astype(np.float32) for y in (x, quiet))
        return heard, alone, starts, speed

    def frames(self, waveforms: list[Array], chance: Chance) -> tuple[list[Array], Array]:
        """Log-mel energies [frames, bins] of each, all through one random vocal tract and microphone; and which frames
        they were before the tempo changed."""
        o, f = self.options, self.features
        bank = self.banks[chance.integers(len(self.banks))]
        bins = np.linspace(-0.5, 0.5, f.melBins)
        tilt = chance.uniform(-o.tiltDb, o.tiltDb) * bins + chance.uniform(-o.tiltDb, o.tiltDb) * (4 * bins**2 - 0.33)
        if o.colourDb:
            knots = chance.uniform(-o.colourDb, o.colourDb, COLOUR_KNOTS)
            tilt = tilt + np.interp(bins, np.linspace(-0.5, 0.5, COLOUR_KNOTS), knots)
        # 10 dB are a factor of ten in power. The floor stays where it is.
        colour = (tilt * np.log(10) / 10).astype(np.float32)
        floor = np.float32(np.log(f.logFloor))
        # Steep, in the power spectrum: what an encoder or a resampler leaves of the upper end.
        cut = chance.uniform(*o.bandHz) if o.bandChance and chance.uniform() < o.bandChance else f.sampleRateHz
        keep = np.clip(1 + (cut - np.arange(f.fftSize // 2 + 1) * f.sampleRateHz / f.fftSize) / 300, 0, 1)
        bank = (bank * keep[:, None]).astype(np.float32)
        out = [np.maximum(log_mel(power(x, f), bank, f) + colour, floor).astype(np.float32) for x in waveforms]
        where = np.arange(len(out[0]), dtype=np.float32)
        if o.tempoChance and chance.uniform() < o.tempoChance and len(out[0]) > 1:
            where = tempo_map(len(out[0]), *o.tempo, chance)
            out = [at_moments(x, where) for x in out]
        if o.noiseFloorChance and chance.uniform() < o.noiseFloorChance:
            aboveDb = chance.uniform(*o.noiseFloorDb)
            out = [above_noise(x, aboveDb) if len(x) else x for x in out]
        return out, where

    def mask(self, normalised: Array, chance: Chance) -> Array:
        """SpecAugment: bands and moments set to the mean, which is 0."""
        o = self.options
        for _ in range(o.frequencyMasks):
            wide = int(chance.integers(o.frequencyMaskBins + 1))
            at = int(chance.integers(normalised.shape[1] - wide + 1))
            normalised[:, at : at + wide] = 0
        for _ in range(o.timeMasks):
            long = int(chance.uniform(0, o.timeMaskMs) / self.features.hopMs)
            at = int(chance.integers(max(1, len(normalised) - long)))
            normalised[at : at + long] = 0
        return normalised

    def example(self, pieces: list[Array], strength: float, chance: Chance) -> tuple[Array, Moments]:
        heard, _, starts, speed = self.waveform(pieces, strength, chance)
        (noisy,), where = self.frames([heard], chance)
        return noisy, Moments(starts, [len(p) for p in pieces], speed, where)

    def pair(self, pieces: list[Array], strength: float, chance: Chance) -> tuple[Array, Array, Moments]:
        """The example, and the same moments of the same voice without the noise."""
        heard, alone, starts, speed = self.waveform(pieces, strength, chance)
        (noisy, quiet), where = self.frames([heard, alone], chance)
        return noisy, quiet, Moments(starts, [len(p) for p in pieces], speed, where)
