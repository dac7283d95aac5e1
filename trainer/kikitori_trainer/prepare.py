"""Synthesis and packing, before a run: what is there already is used again."""

import random
from collections.abc import Sequence
from pathlib import Path

from .config import Config, Source
from .contrast import contrast_sentence
from .corpora import LAYOUTS, Clip, clips_tsv, common_voice, librispeech
from .pack import build
from .synthesize import Own, synthesize, vocabulary_of_packages


def read(sources: Sequence[Source]) -> list[Clip]:
    clips: list[Clip] = []
    for source in sources:
        folder = Path(source.path).expanduser()
        if source.layout not in LAYOUTS:
            raise SystemExit(f'layout "{source.layout}", expected one of {", ".join(LAYOUTS)}')
        if not folder.is_dir():
            raise SystemExit(f"{folder}: no such folder of recordings")
        if source.layout == "clips":
            clips += clips_tsv(folder, source.prefix)
        elif source.layout == "common-voice":
            clips += common_voice(folder, source.prefix or "train")
        else:
            clips += librispeech(folder)
    return [c for c in clips if c.text]


def pack_folder(config: Config) -> Path:
    return Path(config.pack or f"{config.out}/pack")


def synthesised(folder: Path, count: int, seed: int, own: Own) -> list[Clip]:
    if not (folder / "clips.tsv").exists():
        synthesize(folder, count, seed, own)
    return list(clips_tsv(folder))


def prepare(config: Config) -> None:
    """Writes `<pack>/train` and `<pack>/held-out`."""
    folder = pack_folder(config)
    if (folder / "train" / "pack.json").exists() and (folder / "held-out" / "pack.json").exists():
        return
    if config.pack and not config.data.sources:
        raise SystemExit(f"{folder}: no pack there, and no data.sources to make one")
    data, seed = config.data, config.training.seed
    banned = set(data.excludeWords)
    clips = [c for c in read(data.sources) if not banned & set(c.text.split())]
    spoken: list[Clip] = []
    if data.synthetic:
        texts = sorted({c.text for c in clips if len(c.text.split()) > 3})
        spoken += synthesised(folder / "synthetic", data.synthetic, seed, Own(texts))
    if data.contrasts:
        vocabulary, chance = vocabulary_of_packages(), random.Random(seed)
        texts = [contrast_sentence(vocabulary, chance) for _ in range(data.contrasts)]
        spoken += synthesised(folder / "contrasts", data.contrasts, seed + 1, Own(texts, 1.0, "contrasts"))
    clips += [c for c in spoken if not banned & set(c.text.split())]
    noises = [
        p for f in data.noise for p in sorted(Path(f).expanduser().rglob("*")) if p.suffix in {".flac", ".wav", ".opus"}
    ]
    rooms = [p for f in data.recordedRooms for p in sorted(Path(f).expanduser().glob("*.flac"))]
    build(folder / "train", clips, noises, data.syntheticNoises, data.rooms, seed, rooms)
    held = [c for c in read(data.heldOut)]
    random.Random(seed).shuffle(held)
    build(folder / "held-out", held[: data.heldOutClips], [], 0, 0, seed)
