"""A site's own bundle: its sentences spoken by every voice, in its noise, mixed with general speech; a compressed
network fine-tuned on it, quantised, packed and calibrated. Where none is named the dense one is fine-tuned first and
compressed on the site's speech.

Each stage leaves `<out>/done/<stage>`; a run that was cut off goes on with the stage it was in, and
training inside a stage with its last step. Every stage has a time limit.
"""

import hashlib
import json
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from .augment import Augmentation
from .batches import Sampling
from .config import Config, Discrimination, Distillation, Training, read_table
from .corpora import clips_tsv
from .lexicon import REPOSITORY
from .pack import build, mix, open_pack
from .synthesize import Own, synthesize

SITE = "site"
AUDIO = {".flac", ".wav", ".opus", ".ogg", ".mp3"}


@dataclass(frozen=True)
class Speech:
    """What is spoken by the synthesisers."""

    clips: int = 4000
    sentences: int = 2000
    """Drawn from the grammar; each is spoken by several voices, or none."""
    siteShare: float = 0.6
    """Share of the clips that say them; the others say generated sentences of a wide vocabulary."""
    heldOutEach: int = 20
    """One clip of the site's in so many is kept for measuring."""
    syntheticNoises: int = 60
    rooms: int = 60


@dataclass(frozen=True)
class Minutes:
    """The most that each stage takes."""

    speech: float = 10
    pack: float = 4
    adapt: float = 17
    compress: float = 5
    recover: float = 14
    finish: float = 8


@dataclass(frozen=True)
class Calibrating:
    labels: str = ""
    """Recordings with texts, never trained on (see `kikitori model calibrate`); empty: the site's own
    held-out clips, which are synthetic, so that its confidence is too high for people."""
    match: str = ""
    clips: int = 150
    synthetic: int = 50


@dataclass(frozen=True)
class Site:
    out: str
    dense: str = "models/dense/kikitori-en-3x320.safetensors"
    card: str = "models/card.json"
    selftest: str = "models/kikitori-en/selftest.wav"
    compressed: str = ""
    """A compressed network to fine-tune, a checkpoint in float; empty: one is made of `dense`."""
    words: str = ""
    """The site's word list. Sentences with a word of it are not spoken: synthesisers do not know it."""
    general: str = ""
    """A pack that `prepare` made; empty or absent: generated sentences alone keep the network general."""
    generalClips: int = 5000
    parameters: int = 820_000
    floorDb: float = 0
    """By how much the dense network's log floor is raised first (`kikitori model floor`)."""
    share: float = 0.5
    """Of the way that each training has gone, what is kept: between a network and its fine-tuning by few voices
    lies one that has not forgotten the others (`kikitori model blend`)."""
    seed: int = 1
    speech: Speech = field(default_factory=Speech)
    minutes: Minutes = field(default_factory=Minutes)
    sampling: Sampling = field(default_factory=Sampling)
    augmentation: Augmentation = field(default_factory=Augmentation)
    adapt: Training = field(default_factory=Training)
    recover: Training = field(default_factory=Training)
    distillation: Distillation = field(default_factory=Distillation)
    discrimination: Discrimination = field(default_factory=Discrimination)
    """Of `recover`."""
    calibration: Calibrating = field(default_factory=Calibrating)


Processes = Callable[[Path, int], int]


def read_site(path: Path) -> Site:
    return read_table(path, Site)


def site(config: Site, grammar: Path, noise: Path | None, processes: Processes) -> None:
    """All stages. `processes` trains: a configuration and a number of processes -> exit status."""
    network = Path(config.compressed or config.dense)
    for path in [grammar, *([noise] if noise else []), network, Path(config.card), Path(config.selftest)]:
        if not path.exists():
            raise SystemExit(f"{path}: no such file or folder")
    out = Path(config.out)
    same_inputs(out, config, grammar, noise)
    run = Stages(out, config, grammar, noise, processes)
    made = {} if config.compressed else {"adapt": run.adapt, "compress": run.compress}
    stages = {"speech": run.speech, "pack": run.pack, **made, "recover": run.recover, "finish": run.finish}
    for name, work in stages.items():
        done = out / "done" / name
        if done.exists():
            print(f"{name}: done before", flush=True)
            continue
        began = time.monotonic()
        print(f"{name}: at most {getattr(config.minutes, name):g} minutes", flush=True)
        work()
        seconds = round(time.monotonic() - began, 1)
        done.parent.mkdir(exist_ok=True)
        done.write_text(json.dumps({"seconds": seconds}) + "\n")
        print(f"{name}: {seconds} s", flush=True)
    print(f"{out / 'bundle'}: the site's bundle; report in {out / 'report'}", flush=True)


def same_inputs(out: Path, config: Site, grammar: Path, noise: Path | None) -> None:
    """A folder belongs to one grammar, noise and configuration: stages of two must not be mixed."""
    identity = {
        "grammar": hashlib.sha256(grammar.read_bytes()).hexdigest(),
        "noise": [f"{p.name} {p.stat().st_size}" for p in recordings(noise)],
        # More time may be given to a stage that ran out of it.
        "config": {k: v for k, v in asdict(config).items() if k != "minutes"},
    }
    text = json.dumps(identity, indent=1, sort_keys=True) + "\n"
    known = out / "inputs.json"
    if known.exists() and known.read_text() != text:
        raise SystemExit(f"{out}: belongs to another grammar, noise or configuration; remove it or change `out`")
    out.mkdir(parents=True, exist_ok=True)
    known.write_text(text)


def recordings(folder: Path | None) -> list[Path]:
    return [] if folder is None else [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in AUDIO]


def speakable(samples: Sequence[str], said: dict[str, str]) -> list[str]:
    """Sentences as synthesisers should read them: words that are spelled letter by letter, those with
    a word of the site's own list left out. `said`: where each word's first pronunciation comes from."""
    texts = []
    for text in samples:
        words = text.split()
        if any(said.get(w) == "user" for w in words):
            continue
        texts.append(" ".join(" ".join(w) if said.get(w) == "spelled" else w for w in words))
    return sorted(set(texts))


class Stages:
    def __init__(self, out: Path, config: Site, grammar: Path, noise: Path | None, processes: Processes) -> None:
        self.out, self.config, self.grammar, self.noise = out, config, grammar, noise
        self.processes = processes

    def kikitori(self, minutes: float, *arguments: str) -> str:
        command = ["node", str(REPOSITORY / "bin" / "kikitori.js"), *arguments]
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60 * minutes)
        except subprocess.TimeoutExpired:
            raise SystemExit(f"kikitori {' '.join(arguments[:2])}: not done in {minutes:g} minutes") from None
        if done.returncode != 0:
            raise SystemExit(f"kikitori {' '.join(arguments[:2])}: failed")
        return done.stdout

    def speech(self) -> None:
        c, s = self.config, self.config.speech
        words = ["--words", c.words] if c.words else []
        many = ["--count", str(s.sentences), "--seed", str(c.seed)]
        ask = [*words, "--json", str(self.grammar)]
        sampled = self.kikitori(2, "grammar", "sample", *many, *ask).splitlines()
        told = [json.loads(line) for line in self.kikitori(2, "grammar", "say", *ask).splitlines()]
        said = {t["word"]: t["pronunciations"][0]["source"] for t in told}
        texts = speakable([json.loads(line)["text"] for line in sampled], said)
        if not texts:
            raise SystemExit(f"{self.grammar}: every sentence has a word of {c.words}: none can be spoken")
        (self.out / "sentences.txt").write_text("\n".join(texts) + "\n")
        print(f"{len(texts)} different sentences of {len(sampled)} drawn", flush=True)
        own = Own(texts, s.siteShare, SITE)
        synthesize(self.out / "speech", s.clips, c.seed, own, minutes=c.minutes.speech)

    def pack(self) -> None:
        c, s = self.config, self.config.speech
        spoken = list(clips_tsv(self.out / "speech"))
        ours = [clip for clip in spoken if clip.set == SITE]
        held = ours[:: s.heldOutEach]
        rest = [clip for clip in spoken if clip not in set(held)]
        if not held or not rest:
            raise SystemExit(f"{len(spoken)} clips were spoken: too few; see minutes.speech and speech.clips")
        lines = [f"{clip.path.resolve()}\t{clip.text}" for clip in held]
        (self.out / "held-out.tsv").write_text("file\ttext\n" + "\n".join(lines) + "\n")
        noises = recordings(self.noise)
        own, own_held, folder = self.out / "own", self.out / "own-held-out", self.out / "pack"
        build(own, rest, noises, s.syntheticNoises, s.rooms, c.seed)
        build(own_held, held, [], 0, 0, c.seed)
        for name, path, recorded, most in (
            ("train", own, len(noises), c.generalClips),
            ("held-out", own_held, 0, 10 * len(held)),
        ):
            mine = open_pack(path)
            parts = [(mine, mine.clips)]
            if c.general and (general := Path(c.general) / name).exists():
                other = open_pack(general)
                drawn = random.Random(c.seed).sample(other.clips, min(most, len(other.clips)))
                parts.append((other, drawn))
            mix(folder / name, parts, recorded)
            print(f"{name}: {' + '.join(str(len(clips)) for _, clips in parts)} clips", flush=True)
            shutil.rmtree(path)

    def fit(self, name: str, start: Path, training: Training, minutes: float, teacher: Path | None) -> None:
        c = self.config
        config = Config(
            out=str(self.out / name),
            start=str(start),
            pack=str(self.out / "pack"),
            augmentation=c.augmentation,
            sampling=c.sampling,
            training=replace(training, minutes=minutes),
            distillation=replace(c.distillation, teacher=str(teacher)) if teacher else Distillation(),
            discrimination=c.discrimination if name == "recover" else Discrimination(),
        )
        path = self.out / f"{name}.json"
        path.write_text(json.dumps(asdict(config), indent=1))
        if self.processes(path, training.processes) != 0:
            raise SystemExit(f"training with {path} failed")

    def blend(self, before: Path, after: Path, out: Path) -> None:
        share = ["--share", str(self.config.share), "--out", str(out)]
        self.kikitori(1, "model", "blend", str(before), str(after), *share)

    def adapt(self) -> None:
        dense = Path(self.config.dense)
        if self.config.floorDb:
            raised = self.out / "dense.safetensors"
            by = ["--raise-db", str(self.config.floorDb), "--out", str(raised)]
            self.kikitori(1, "model", "floor", str(dense), *by)
            dense = raised
        self.fit("adapt", dense, self.config.adapt, self.config.minutes.adapt, None)
        self.blend(dense, self.out / "adapt" / "model.safetensors", self.adapted)

    def compress(self) -> None:
        limit, audio = self.config.minutes.compress, str(self.out / "speech")
        to = ["--params", str(self.config.parameters), "--calibration", audio, "--out", str(self.factored)]
        print(self.kikitori(limit, "model", "compress", str(self.adapted), *to), flush=True)

    def recover(self) -> None:
        teacher = self.adapted if self.config.distillation.weight else None
        self.fit("recover", self.factored, self.config.recover, self.config.minutes.recover, teacher)
        self.blend(self.factored, self.out / "recover" / "model.safetensors", self.recovered)

    def finish(self) -> None:
        c, k, out = self.config, self.config.calibration, self.out
        limit = c.minutes.finish
        quantised = str(out / "quantised.safetensors")
        self.kikitori(
            limit, "model", "quantize", str(self.recovered), "--calibration", str(out / "speech"), "--out", quantised
        )
        card = json.loads(Path(c.card).read_text())
        # Figures of the general model are not this one's.
        card |= {"name": f"{card['name']}-{SITE}", "measured": {}}
        (out / "card.json").write_text(json.dumps(card, indent=1) + "\n")
        bundle = out / "bundle"
        what = ["--checkpoint", quantised, "--card", str(out / "card.json"), "--selftest", c.selftest]
        self.kikitori(limit, "model", "pack", *what, "--out", str(bundle))
        people = Path(k.labels) if k.labels and Path(k.labels).exists() else None
        if people is None:
            print("calibrated on synthetic voices alone: try what is accepted with people's", flush=True)
        labels = ["--labels", str(people or out / "held-out.tsv"), "--match", k.match if people else ""]
        amount = ["--limit", str(k.clips), "--synthetic", str(k.synthetic), "--out", str(out / "report"), "--write"]
        noise = [part for p in recordings(self.noise) for part in ("--noise", str(p))]
        self.kikitori(limit, "model", "calibrate", "--model", str(bundle), *labels, *amount, *noise)
        self.kikitori(1, "model", "inspect", str(bundle))

    def own(self, name: str) -> Path:
        """What a stage makes; a compressed network that is given stands in for all before it."""
        return Path(self.config.compressed) if self.config.compressed else self.out / name

    @property
    def adapted(self) -> Path:
        return self.own("adapted.safetensors")

    @property
    def recovered(self) -> Path:
        return self.out / "recovered.safetensors"

    @property
    def factored(self) -> Path:
        return self.own("factored.safetensors")
