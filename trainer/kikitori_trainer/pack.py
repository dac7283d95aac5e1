"""Everything a training run reads, decoded once: one file of 16-bit samples and a table of clips.

A folder `pack/` holds audio.i16 (all clips, then recorded and synthetic noise, then rooms) and
pack.json. Training maps the file into memory, so that processes share it.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .audio import SAMPLE_RATE_HZ, read_audio
from .corpora import Clip
from .lexicon import pronounce
from .noise import level, recorded_room, room, synthetic_noise

VARIANTS_MAX = 4
NOISE_SECONDS = 12


@dataclass(frozen=True)
class Packed:
    """A clip of the pack: where its samples are, and the pronunciations of each of its words."""

    begin: int
    samples: int
    speaker: str
    set: str
    text: str
    words: list[list[list[int]]]
    name: str = ""
    """The file of `clips.tsv` that it came from."""


@dataclass(frozen=True)
class Pack:
    audio: NDArray[np.int16]
    clips: list[Packed]
    noises: list[tuple[int, int]]
    rooms: list[tuple[int, int]]

    def samples(self, begin: int, count: int) -> NDArray[np.float32]:
        """Amplitudes in [-1, 1)."""
        return self.audio[begin : begin + count].astype(np.float32) / 32768


def build(
    folder: Path,
    clips: Sequence[Clip],
    noises: Sequence[Path],
    synthetic: int,
    rooms: int,
    seed: int,
    recorded_rooms: Sequence[Path] = (),
) -> None:
    """Decodes and writes; clips that cannot be read or have no pronunciation are named and left out."""
    folder.mkdir(parents=True, exist_ok=True)
    lexicon = pronounce(word for clip in clips for word in clip.text.split())
    chance = np.random.default_rng(seed)
    rows: list[Packed] = []
    spans: dict[str, list[tuple[int, int]]] = {"noises": [], "rooms": []}
    at = 0
    with (folder / "audio.i16").open("wb") as out:

        def write(samples: NDArray[np.float32]) -> tuple[int, int]:
            nonlocal at
            out.write((np.clip(samples, -1, 1 - 2**-15) * 32768).round().astype("<i2").tobytes())
            begin, at = at, at + len(samples)
            return begin, len(samples)

        with ThreadPoolExecutor(2) as pool:
            for clip, samples in zip(clips, pool.map(read_or_none, clips), strict=True):
                words = [lexicon.get(w, [])[:VARIANTS_MAX] for w in clip.text.split()]
                if samples is None or any(not w for w in words):
                    continue
                begin, count = write(samples)
                rows.append(Packed(begin, count, clip.speaker, clip.set, clip.text, words, clip.name))
        for path in noises:
            spans["noises"].append(write(0.1 * level(read_audio(path))))
        for _ in range(synthetic):
            noise = synthetic_noise(NOISE_SECONDS * SAMPLE_RATE_HZ, chance)
            spans["noises"].append(write(0.1 * noise))
        responses = [room(chance) for _ in range(rooms)] + [recorded_room(read_audio(p)) for p in recorded_rooms]
        for response in responses:
            spans["rooms"].append(write(0.5 * response / np.abs(response).max()))
    body: dict[str, object] = {"clips": [asdict(r) for r in rows], **spans}
    (folder / "pack.json").write_text(json.dumps(body))
    hours = sum(r.samples for r in rows) / SAMPLE_RATE_HZ / 3600
    print(f"{len(rows)} of {len(clips)} clips, {hours:.2f} h, {len(spans['noises'])} noises", flush=True)


def read_or_none(clip: Clip) -> NDArray[np.float32] | None:
    try:
        return read_audio(clip.path)
    except (RuntimeError, OSError) as error:
        print(f"left out: {error}", flush=True)
        return None


def open_pack(folder: Path) -> Pack:
    body = json.loads((folder / "pack.json").read_text())
    audio = np.memmap(folder / "audio.i16", "<i2", "r")
    pairs = {k: [(b, n) for b, n in body[k]] for k in ("noises", "rooms")}
    return Pack(audio, [Packed(**c) for c in body["clips"]], pairs["noises"], pairs["rooms"])


def mix(folder: Path, parts: Sequence[tuple[Pack, Sequence[Packed]]], recorded: int = 0) -> None:
    """One pack of clips of several; noises and rooms are those of the first. Its first `recorded` noises
    are repeated until they are about half of all: they are drawn evenly."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Packed] = []
    at = 0
    with (folder / "audio.i16").open("wb") as out:

        def copy(pack: Pack, begin: int, count: int) -> tuple[int, int]:
            nonlocal at
            out.write(pack.audio[begin : begin + count].tobytes())
            at += count
            return at - count, count

        for pack, clips in parts:
            for clip in clips:
                rows.append(replace(clip, begin=copy(pack, clip.begin, clip.samples)[0]))
        first = parts[0][0]
        noises = [copy(first, *span) for span in first.noises]
        rooms = [copy(first, *span) for span in first.rooms]
    made = noises[recorded:]
    repeats = max(1, len(made) // recorded) if recorded else 0
    body = {"clips": [asdict(r) for r in rows], "noises": noises[:recorded] * repeats + made, "rooms": rooms}
    (folder / "pack.json").write_text(json.dumps(body))
