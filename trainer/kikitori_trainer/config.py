"""One TOML file says everything about a run. Unknown keys are refused, all faults at once."""

import json
import tomllib
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from .augment import Augmentation
from .batches import Sampling

T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """A folder of recordings in a known layout: clips, librispeech or common-voice."""

    layout: str = "clips"
    path: str = ""
    prefix: str = ""
    """clips: only files that begin with it; common-voice: the split."""


@dataclass(frozen=True)
class Data:
    sources: list[Source] = field(default_factory=list)
    heldOut: list[Source] = field(default_factory=list)
    heldOutClips: int = 300
    synthetic: int = 0
    """Clips to synthesise; their texts are generated, a fifth are texts of the sources."""
    contrasts: int = 0
    """Clips to synthesise of sentences that hang on one short word (see contrast.py), a set of their own."""
    noise: list[str] = field(default_factory=list)
    """Folders of noise recordings."""
    syntheticNoises: int = 250
    rooms: int = 200
    """Simulated ones."""
    recordedRooms: list[str] = field(default_factory=list)
    """Folders of measured impulse responses (FLAC)."""
    excludeWords: list[str] = field(default_factory=list)
    """Clips with one of these words are left out (to show that a gain does not hang on words)."""


@dataclass(frozen=True)
class Distillation:
    """Frame-level: the divergence from the posteriors of a teacher, which needs no text."""

    teacher: str = ""
    beside: list[str] = field(default_factory=list)
    """More teachers (see distil.py)."""
    weight: float = 0.0
    """Share of the loss; the rest is CTC, and what `discrimination` makes of it."""
    temperature: float = 1.0
    quiet: bool = False
    """The teacher hears each example without its noise and masks, the student with them."""

    listenerWeight: float = 0.0
    """Of what a listener's teacher said of the clips (said.f16 of the pack, teacher.py), in nats a phone. A layer of
    its own on the last LSTM learns it, beside the outputs: so no delay is imposed on them."""
    listenerBehind: int = 7
    """Frames of 10 ms by which a step may know what comes after the moment that the listener speaks of."""

    @property
    def teachers(self) -> list[str]:
        return [name for name in [self.teacher, *self.beside] if name]


@dataclass(frozen=True)
class Discrimination:
    """What was said has to beat anything else that could have been said (see chain.py)."""

    weight: float = 0.0
    """Share of the loss; the rest is CTC."""
    card: str = ""
    """A card or manifest whose `decoding` the device searches with; empty: the network's own outputs."""
    rivals: int = 0
    """Sentences one word away that each example has to beat too (see rivals.py)."""
    rivalWeight: float = 1.0
    """Of each of them, where the loss of the whole sentence weighs 1."""
    margin: float = 2.0
    """Nats by which it has to beat them."""


@dataclass(frozen=True)
class Quantisation:
    """Quantisation-aware training (docs/quantization.md)."""

    enabled: bool = False
    """Activations in 8 bits, with the scales named here or by `start`; weights with them."""
    scales: dict[str, float] = field(default_factory=dict)
    weightBits: int = 8
    """4: weights in 4 bits, whether `enabled` or not; of a mixed `start` those in 4 there. 8: if `enabled`."""


@dataclass(frozen=True)
class Training:
    processes: int = 1
    bf16: bool = False
    """Products in bfloat16 where the processor has them, in float32 where it has not."""
    steps: int = 5000
    minutes: float = 0
    """When not 0 the learning rate reaches its end at this time, if not at the last step before."""
    learningRate: float = 2e-3
    warmupSteps: int = 200
    finalRate: float = 0.01
    """Share of the learning rate at the end; the way there is a cosine."""
    holdShare: float = 0.3
    """Share of the run at the full rate before it falls."""
    weightDecay: float = 1e-4
    clipNorm: float = 5.0
    dropout: float = 0.0
    """Share of a layer's outputs that the next one does not get, drawn for each example (Gal and Ghahramani 2016)."""
    average: float = 0.0
    """Not 0: what is heard and written down is the mean of the weights of all steps, each counting so much of the one
    after it (0.999: some thousand steps). So a run at a full rate can be judged and taken at any time."""
    seed: int = 1
    evaluateEvery: int = 250
    saveEvery: int = 100


@dataclass(frozen=True)
class Config:
    out: str
    """Folder of the run: pack, log, curve, checkpoints."""
    layers: list[int] = field(default_factory=lambda: [384, 384, 384, 384])
    ranks: list[int] = field(default_factory=list)
    """Not empty: a factored network, trained from scratch."""
    inputRank: int = 0
    start: str = ""
    """A checkpoint to start from; it brings its own shape, features and normalisation."""
    grow: bool = False
    """What `start` brings is made as wide and deep as `layers` say, and gets the higher `ranks` (see grow.py)."""
    logFloor: float = 0
    """Not 0: the features' floor under the energies from here on. What `start` brings is moved with it, so that it
    hears everything as if it were quieter by the change: what is as quiet as the floor drowns in it."""
    pack: str = ""
    """A pack that another run has made; empty: this run makes one in `out`."""
    data: Data = field(default_factory=Data)
    augmentation: Augmentation = field(default_factory=Augmentation)
    sampling: Sampling = field(default_factory=Sampling)
    training: Training = field(default_factory=Training)
    distillation: Distillation = field(default_factory=Distillation)
    discrimination: Discrimination = field(default_factory=Discrimination)
    quantisation: Quantisation = field(default_factory=Quantisation)


def build(kind: Any, value: Any, path: str, faults: list[str]) -> Any:
    """A dataclass from a table, checked by its type hints."""
    hints = get_type_hints(kind)
    if not isinstance(value, dict):
        faults.append(f"{path or 'file'}: expected a table")
        return None
    known = {f.name for f in fields(kind)}
    given = {}
    for key, item in value.items():
        where = f"{path}.{key}" if path else key
        if key not in known:
            faults.append(f"{where}: unknown key, expected one of {', '.join(sorted(known))}")
            continue
        given[key] = convert(hints[key], item, where, faults)
    missing = [f.name for f in fields(kind) if f.name not in given and f.name == "out"]
    faults.extend(f"{m}: missing" for m in missing)
    return None if missing else kind(**given)


def convert(hint: Any, item: Any, where: str, faults: list[str]) -> Any:
    if item is None and type(None) in get_args(hint):
        return None
    if is_dataclass(hint):
        return build(hint, item, where, faults)
    origin, inner = get_origin(hint), get_args(hint)
    if origin is list and isinstance(item, list):
        return [convert(inner[0], v, f"{where}[{i}]", faults) for i, v in enumerate(item)]
    if origin is tuple and isinstance(item, list) and len(item) == len(inner):
        return tuple(float(v) for v in item)
    if hint is float and isinstance(item, int | float) and not isinstance(item, bool):
        return float(item)
    if hint is int and isinstance(item, int) and not isinstance(item, bool):
        return item
    plain = {bool: bool, str: str}.get(hint)
    if plain is not None and isinstance(item, plain):
        return item
    if isinstance(item, dict) and "dict" in str(hint):
        return {k: float(v) for k, v in item.items()}
    faults.append(f"{where}: {item!r}, expected {getattr(hint, '__name__', hint)}")
    return None


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Tables are merged, anything else is replaced."""
    both = {k: merged(v, over[k]) for k, v in base.items() if isinstance(v, dict) and isinstance(over.get(k), dict)}
    return base | over | both


def based(path: Path, depth: int = 0) -> dict[str, Any]:
    """TOML, or JSON where a program wrote it, over the file that its `base` names; the pack stays the base's."""
    text = path.read_text()
    table: dict[str, Any] = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    name = table.pop("base", None)
    if name is None:
        return table
    if depth > 8 or not Path(name).is_file():
        raise SystemExit(f"{path}: base: no such file, or one that builds on itself: {name}")
    base = based(Path(name), depth + 1)
    if "out" in base:
        base.setdefault("pack", f"{base['out']}/pack")
    return merged(base, table)


def read_table(path: Path, kind: type[T]) -> T:
    """A file and what it builds on. Ends the program with every fault."""
    faults: list[str] = []
    config = build(kind, based(path), "", faults)
    if isinstance(config, Config) and config.quantisation and config.quantisation.weightBits not in (4, 8):
        faults.append(f"quantisation.weightBits: {config.quantisation.weightBits}, expected 4 or 8")
    if faults:
        raise SystemExit("\n".join(f"{path}: {f}" for f in faults))
    assert isinstance(config, kind)
    return config


def read_config(path: Path) -> Config:
    return read_table(path, Config)
