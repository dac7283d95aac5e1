"""Readers: recorded and synthetic speech in the layouts people have -> clips."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import soundfile


@dataclass(frozen=True)
class Clip:
    """One recording. `text` is lower case, words and apostrophes; empty when it is not known."""

    path: Path
    seconds: float
    speaker: str
    set: str
    text: str
    name: str = ""
    """As its table names it; empty where there is none."""


def normalise(text: str) -> str:
    """Lower case, words and apostrophes only."""
    kept = "".join(c if c.isalpha() or c in "' " else " " for c in text.lower().replace("’", "'"))
    return " ".join(w for w in kept.split() if w.strip("'"))


def clips_tsv(folder: Path, prefix: str = "") -> Iterator[Clip]:
    """`clips.tsv`: file, seconds, speaker, set, text; `prefix` keeps the files that begin with it."""
    table = folder / "clips.tsv"
    with table.open(newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        for number, row in enumerate(rows, 2):
            if any(row.get(k) is None for k in ("file", "seconds", "speaker", "set", "text")):
                raise ValueError(f"{table}:{number}: expected file, seconds, speaker, set, text")
            if not row["file"].startswith(prefix):
                continue
            seconds = float(row["seconds"])
            yield Clip(folder / row["file"], seconds, row["speaker"], row["set"], row["text"], row["file"])


def librispeech(folder: Path) -> Iterator[Clip]:
    """`<part>/<speaker>/<chapter>/<speaker>-<chapter>.trans.txt` beside FLAC files."""
    tables = sorted(folder.rglob("*.trans.txt"))
    if not tables:
        raise ValueError(f"{folder}: no *.trans.txt below it, expected the LibriSpeech layout")
    for table in tables:
        for line in table.read_text().splitlines():
            name, _, text = line.partition(" ")
            path = table.parent / f"{name}.flac"
            seconds = soundfile.info(path).duration
            yield Clip(path, seconds, f"librispeech-{name.split('-')[0]}", "librispeech", normalise(text))


def common_voice(folder: Path, split: str = "train") -> Iterator[Clip]:
    """`<split>.tsv` with client_id, path, sentence; audio in `clips/`."""
    table = folder / f"{split}.tsv"
    with table.open(newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            path = folder / "clips" / row["path"]
            seconds = soundfile.info(path).duration
            speaker = f"common-voice-{row['client_id'][:12]}"
            yield Clip(path, seconds, speaker, "common-voice", normalise(row["sentence"]))


LAYOUTS = ("clips", "librispeech", "common-voice")
