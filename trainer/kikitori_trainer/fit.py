"""The training loop: one process or several with averaged gradients, cut off and resumed at will."""

import ctypes
import json
import math
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as distributed
from torch.nn.utils.clip_grad import clip_grad_norm_
from torch.utils.data import DataLoader

from .augment import Augmenter
from .batches import Batch, Batches, statistics
from .chain import lead, phone_chain, search_offset
from .checkpoint import Checkpoint, read_checkpoint, read_tensors, write_checkpoint, write_tensors
from .config import Config, Training
from .ctc import Pronouncing, ctc
from .curve import draw
from .distil import Committee, divergence_from
from .evaluate import phone_errors
from .features import Features
from .grow import grown
from .lexicon import UNITS
from .listener import Heard
from .network import Network, Shape
from .nibbles import Nibbles
from .pack import open_pack
from .prepare import pack_folder
from .rivals import Rivals, behind


BESIDE, AVERAGE = "beside.", "average."
MMAP_MAX, TRIM_THRESHOLD = -4, -1
"""Of mallopt (malloc.h)."""
KNOWN_CLIPS = 400
"""Clips of the training that are heard with the held-out ones."""


def learning_rate(t: Training, step: int, share: float) -> float:
    """Warm-up, a plateau, then a cosine down; `share` of the run that is over."""
    warm = min(1.0, (step + 1) / max(t.warmupSteps, 1))
    fallen = min(1.0, max(0.0, share - t.holdShare) / max(1 - t.holdShare, 1e-9))
    return t.learningRate * warm * (t.finalRate + (1 - t.finalRate) * 0.5 * (1 + math.cos(math.pi * fallen)))


def has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor multiplies bfloat16 by itself: without that it takes ten times as long as float32."""
    try:
        words = set(cpuinfo.read_text().split())
    except OSError:
        return False
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})


def keep_freed_memory() -> None:
    """glibc gives each large array back to the system when it is freed, and the system clears its pages anew for the
    next: a fifth of a step or more, and half of an augmentation. Kept, they cost nothing. Elsewhere nothing is done."""
    if platform.libc_ver()[0] == "glibc":
        allocator = ctypes.CDLL(None)
        allocator.mallopt(MMAP_MAX, 0)
        allocator.mallopt(TRIM_THRESHOLD, 2**31 - 1)


class Run:
    """What a run holds between two steps; `save` and `resume` are exact but for the choice of variants."""

    def __init__(self, config: Config, rank: int, world: int) -> None:
        self.config, self.rank, self.world = config, rank, world
        self.out = Path(config.out)
        self.pack = open_pack(pack_folder(config) / "train")
        self.held_out = open_pack(pack_folder(config) / "held-out")
        self.known = replace(self.pack, clips=self.pack.clips[:: max(1, len(self.pack.clips) // KNOWN_CLIPS)])
        t = config.training
        torch.manual_seed(t.seed)
        self.checkpoint = self.begin()
        c = self.checkpoint
        self.augmenter = Augmenter(self.pack, c.features, config.augmentation)
        self.network = c.network()
        self.bf16 = t.bf16 and has_bf16()
        self.network.bf16 = self.bf16
        self.network.dropout = t.dropout
        self.device = torch.device("cuda", rank) if torch.cuda.is_available() else torch.device("cpu")
        self.network.to(self.device)
        if config.quantisation.enabled:
            self.network.quantum = config.quantisation.scales or c.quantization.get("activations", {})
        if config.quantisation.weightBits == 4:
            self.network.round_to_nibbles(mixed=c.quantization.get("weights") == "mixed")
        self.teachers: Committee | None = None
        if config.distillation.teachers:
            self.teachers = Committee(config.distillation, c, self.device, self.bf16)
        self.beside: torch.nn.Linear | None = None
        if config.distillation.listenerWeight:
            self.beside = torch.nn.Linear(self.network.output.in_features, len(UNITS)).to(self.device)
        self.optimiser = torch.optim.AdamW(self.learning(), t.learningRate, (0.9, 0.98), 1e-8, t.weightDecay)
        self.pronouncing = Pronouncing(self.pack.clips, t.seed + rank)
        self.chain: torch.Tensor | None = None
        self.rivals: Rivals | None = None
        d = config.discrimination
        if d.weight:
            self.chain = phone_chain(self.pack.clips, len(UNITS))
        if d.rivals:
            self.rivals = Rivals(self.pack.clips, d.rivals, t.seed + rank)
        if d.weight or d.rivals:
            self.offset = search_offset(d.card, len(UNITS))
        self.step, self.elapsed, self.audio_seconds = 0, 0.0, 0.0
        self.averaged = {k: v.clone() for k, v in self.network.tensors().items()} if t.average else {}
        self.resume()
        self.network.choose_nibbles()

    def learning(self) -> list[torch.nn.Parameter]:
        """All that is trained: the network, and the layer beside it that is thrown away."""
        return [*self.network.parameters(), *(self.beside.parameters() if self.beside else [])]

    def begin(self) -> Checkpoint:
        config = self.config
        if config.start:
            start = read_checkpoint(Path(config.start))
            if config.grow:
                start = grown(start, config.layers, config.ranks)
            return start.with_log_floor(config.logFloor) if config.logFloor else start
        if config.distillation.teachers:
            # Hears as its teachers do: inputs and normalisation are theirs.
            heard = read_checkpoint(Path(config.distillation.teachers[0]))
            shape = Shape(config.layers, config.ranks, config.inputRank)
            network = Network(heard.features.dim, shape, len(heard.units))
            return Checkpoint(heard.features, heard.mean, heard.std, heard.units, shape, network.tensors())
        features = Features(logFloor=config.logFloor) if config.logFloor else Features()
        augmenter = Augmenter(self.pack, features, config.augmentation)
        mean, std = statistics(augmenter, 400, config.training.seed)
        shape = Shape(config.layers, config.ranks, config.inputRank)
        network = Network(features.dim, shape, len(UNITS))
        return Checkpoint(features, mean.tolist(), std.tolist(), UNITS, shape, network.tensors())

    def resume(self) -> None:
        path = self.out / "state.safetensors"
        if not path.exists():
            return
        tensors, metadata = read_tensors(path)
        own = {k: v for k, v in tensors.items() if not k.startswith(("adam.", BESIDE, AVERAGE))}
        self.network.load(own)
        for name, mean in self.averaged.items():
            mean.copy_(tensors.get(AVERAGE + name, own[name]))
        if self.beside is not None:
            self.beside.load_state_dict({k.removeprefix(BESIDE): v for k, v in tensors.items() if k.startswith(BESIDE)})
        for number, p in enumerate(self.learning()):
            self.optimiser.state[p] = {
                "step": torch.tensor(float(metadata["step"])),
                "exp_avg": tensors[f"adam.{number}.mean"].to(p.device),
                "exp_avg_sq": tensors[f"adam.{number}.square"].to(p.device),
            }
        self.step, self.elapsed = int(metadata["step"]), float(metadata["elapsed"])
        self.audio_seconds = float(metadata["audioSeconds"])
        c = json.loads(metadata["normalisation"])
        self.checkpoint = replace(self.checkpoint, mean=c["mean"], std=c["std"])

    def save(self) -> None:
        if self.rank != 0:
            return
        tensors = self.network.tensors()
        if self.beside is not None:
            tensors |= {BESIDE + k: v.detach().cpu() for k, v in self.beside.state_dict().items()}
        tensors |= {AVERAGE + name: mean for name, mean in self.averaged.items()}
        for number, p in enumerate(self.learning()):
            state = self.optimiser.state[p]
            tensors[f"adam.{number}.mean"] = state["exp_avg"]
            tensors[f"adam.{number}.square"] = state["exp_avg_sq"]
        c = self.checkpoint
        metadata = {
            "step": str(self.step),
            "elapsed": str(self.elapsed),
            "audioSeconds": str(self.audio_seconds),
            "normalisation": json.dumps({"mean": c.mean, "std": c.std}),
        }
        write_tensors(self.out / "state.safetensors", tensors, metadata)

    def export(self) -> None:
        t = self.config.training
        training = {
            "steps": self.step,
            "minutes": round(self.elapsed / 60, 1),
            "audioHours": round(self.audio_seconds / 3600, 1),
            "clipHours": round(sum(c.samples for c in self.pack.clips) / 16000 / 3600, 2),
            "sets": sorted({c.set for c in self.pack.clips}),
            "batch": self.config.sampling.clips * self.world,
            "learningRate": t.learningRate,
            "bf16": self.bf16,
            "teachers": [Path(name).name for name in self.config.distillation.teachers],
        }
        quantization: dict[str, Any] = {}
        if self.network.quantum or self.network.nibbles is not None:
            four, all_of_them = len(self.network.in_nibbles()), len(self.network.matrices())
            weights = "uint8" if four == 0 else "int4" if four == all_of_them else "mixed"
            quantization = {"weights": weights, "activations": self.network.quantum}
        with self.mean_weights():
            tensors = {k: v.cpu().clone() for k, v in self.network.exported().items()}
        done = replace(self.checkpoint, tensors=tensors, training=training, quantization=quantization)
        write_checkpoint(self.out / "model.safetensors", done)
        write_checkpoint(self.out / "model.half.safetensors", done, half=True)

    def average(self) -> None:
        """The mean begins with few steps: the first of a run are no better than where it started."""
        if not self.averaged:
            return
        kept = min(self.config.training.average, (1 + self.step) / (10 + self.step))
        for name, weights in self.network.tensors().items():
            self.averaged[name].lerp_(weights, 1 - kept)

    @contextmanager
    def mean_weights(self) -> Iterator[None]:
        """With it the network has the mean of its weights, if one is kept."""
        if not self.averaged:
            yield
            return
        now = {k: v.clone() for k, v in self.network.tensors().items()}
        self.network.load(self.averaged)
        self.network.choose_nibbles()
        try:
            yield
        finally:
            self.network.load(now)
            self.network.choose_nibbles()

    def share(self) -> float:
        t = self.config.training
        timed = self.elapsed / 60 / t.minutes if t.minutes else 0.0
        return min(1.0, max(timed, self.step / t.steps))

    def loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss for the gradient, and CTC per phone for the log."""
        features = batch.features.to(self.device)
        hidden = self.network.hidden(features)
        log_probs = self.network.said(hidden).float().log_softmax(2)
        on_cpu = log_probs.cpu() if log_probs.is_cuda else log_probs
        targets = self.pronouncing.targets(on_cpu, batch.steps, batch.clips)
        phones = sum(len(t) for t in targets)
        connectionist = ctc(on_cpu, batch.steps, targets).sum() / max(phones, 1)
        loss = connectionist
        d = self.config.discrimination
        if d.weight or d.rivals:
            scores = (on_cpu + self.offset).log_softmax(2)
        if self.chain is not None:
            ahead = lead(scores, batch.steps, targets, self.chain).sum() / max(phones, 1)
            loss = (1 - d.weight) * connectionist - d.weight * ahead
        if self.rivals is not None:
            rivals = [self.rivals.of(clips, self.pronouncing) for clips in batch.clips]
            loss = loss + d.rivalWeight * behind(scores, batch.steps, targets, rivals, d.margin) / max(phones, 1)
        if self.beside is not None and batch.said is not None:
            far = divergence_from(batch.said, self.beside(hidden).float().cpu(), batch.steps) / max(phones, 1)
            loss = loss + self.config.distillation.listenerWeight * far
        if self.teachers is None:
            return loss, connectionist.detach()
        heard = features if batch.quiet is None else batch.quiet.to(self.device)
        divergence = self.teachers.divergence(log_probs, heard, batch.steps) / max(phones, 1)
        share = self.config.distillation.weight
        return (1 - share) * loss + share * divergence, connectionist.detach()

    def average_gradients(self) -> None:
        if self.world == 1:
            return
        gradients = [p.grad for p in self.learning() if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in gradients])
        distributed.all_reduce(flat)
        flat /= self.world
        at = 0
        for g in gradients:
            g.copy_(flat[at : at + g.numel()].view_as(g))
            at += g.numel()

    def agree(self, value: float) -> float:
        """Every process goes by the clock of the first."""
        if self.world == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        distributed.broadcast(shared, 0)
        return float(shared)

    def evaluate(self, fields: dict[str, Any]) -> None:
        self.network.eval()
        with self.mean_weights():
            errors = phone_errors(self.network, self.checkpoint, self.held_out)
            # Clips it is trained on: when it hears those no better, it wants time, plainer audio or size, and not
            # more people.
            known = phone_errors(self.network, self.checkpoint, self.known)
        self.network.train()
        shown = {"phoneErrors": errors, "knownPhoneErrors": known}
        self.log({**fields, **{name: {k: round(v, 4) for k, v in e.items()} for name, e in shown.items()}})

    def log(self, fields: dict[str, Any]) -> None:
        line = json.dumps({"step": self.step, "minutes": round(self.elapsed / 60, 2), **fields})
        print(line, flush=True)
        with (self.out / "log.jsonl").open("a") as out:
            out.write(line + "\n")

    def train(self) -> None:
        t = self.config.training
        c = self.checkpoint
        said = Heard(self.pack, pack_folder(self.config) / "train" / "said.f16", len(UNITS)) if self.beside else None
        dataset = Batches(
            self.pack, self.augmenter, self.config.sampling,
            torch.tensor(c.mean).numpy(), torch.tensor(c.std).numpy(), t.seed, self.rank, self.step,
            self.teachers is not None and self.config.distillation.quiet,
            said, self.config.distillation.listenerBehind,
        )  # fmt: skip
        if self.rank == 0:
            self.log({"shares": dataset.shares()})
        loader = iter(DataLoader(dataset, batch_size=None, num_workers=1, prefetch_factor=4))
        recent: list[float] = []
        last = time.monotonic()
        while (share := self.agree(self.share())) < 1:
            batch = next(loader)
            rate = learning_rate(t, self.step, share)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            self.optimiser.zero_grad(set_to_none=True)
            # Also where a run is saved: one that was cut off begins there with a choice.
            if self.step % Nibbles.EVERY == 0 or self.step % t.saveEvery == 0:
                self.network.choose_nibbles()
            loss, connectionist = self.loss(batch)
            loss.backward()
            self.average_gradients()
            norm = clip_grad_norm_(self.learning(), t.clipNorm)
            if bool(torch.isfinite(norm)):
                self.optimiser.step()
            self.average()
            self.step += 1
            self.audio_seconds += float(batch.steps.sum()) * 0.03 * self.world
            recent.append(float(connectionist))
            now = time.monotonic()
            self.elapsed, last = self.elapsed + now - last, now
            if self.rank == 0 and self.step % 50 == 0:
                fields = {
                    "loss": round(sum(recent) / len(recent), 4),
                    "rate": round(rate, 7),
                    "norm": round(float(norm), 3),
                }
                recent = []
                self.log({**fields, "audioHours": round(self.audio_seconds / 3600, 2)})
            if self.rank == 0 and self.step % t.evaluateEvery == 0:
                self.evaluate({})
                draw(self.out)
            if self.step % t.saveEvery == 0:
                self.save()
                if self.rank == 0:
                    self.export()
        self.network.choose_nibbles()
        if self.rank == 0:
            self.evaluate({"done": True})
            self.save()
            self.export()
            draw(self.out)


def fit(config: Config) -> None:
    """One process of a run; torchrun sets RANK and WORLD_SIZE."""
    keep_freed_memory()
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    Path(config.out).mkdir(parents=True, exist_ok=True)
    if not torch.cuda.is_available():
        alone = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))
        torch.set_num_threads(1 if world > 1 else alone)
    if world > 1:
        distributed.init_process_group("gloo")
    run = Run(config, rank, world)
    if rank == 0:
        parameters = sum(p.numel() for p in run.network.parameters())
        products = "bfloat16" if run.bf16 else "float32"
        run.log({"parameters": parameters, "clips": len(run.pack.clips), "processes": world, "products": products})
    run.train()
    if world > 1:
        distributed.destroy_process_group()
