"""A whole run on made recordings: it learns, it can be cut off, it resumes; wrong input is named."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kikitori_trainer.checkpoint import Checkpoint, read_checkpoint, read_tensors, write_checkpoint
from kikitori_trainer.config import read_config
from kikitori_trainer.features import Features
from kikitori_trainer.fit import fit, has_bf16, learning_rate
from kikitori_trainer.network import Network, Shape
from kikitori_trainer.prepare import prepare

from .made import config_file, write_clips


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fit")
    write_clips(folder / "data", 24)
    return folder


def test_a_run_learns_stops_and_resumes(prepared: Path) -> None:
    config = read_config(config_file(prepared, "run", 60))
    prepare(config)
    fit(config)
    log = [json.loads(line) for line in (prepared / "run" / "log.jsonl").read_text().splitlines()]
    losses = [r["loss"] for r in log if "loss" in r]
    assert log[0]["parameters"] == sum(
        t.numel() for t in read_checkpoint(prepared / "run/model.safetensors").tensors.values()
    )
    first = losses[0]
    assert log[1]["shares"] == {"made": 1.0}
    assert set(log[-1]["knownPhoneErrors"]) == set(log[-1]["phoneErrors"]) == {"all", "made"}
    more = read_config(config_file(prepared, "run", 160))
    fit(more)
    log = [json.loads(line) for line in (prepared / "run" / "log.jsonl").read_text().splitlines()]
    steps = [r["step"] for r in log]
    assert 60 in steps and steps[-1] == 160
    assert [r["loss"] for r in log if "loss" in r][-1] < 0.8 * first
    assert (prepared / "run" / "curve.png").stat().st_size > 1000
    half = read_checkpoint(prepared / "run" / "model.half.safetensors")
    whole = read_checkpoint(prepared / "run" / "model.safetensors")
    assert torch.allclose(half.tensors["output.weight"], whole.tensors["output.weight"], atol=1e-3)
    assert whole.training["steps"] == 160 and whole.training["sets"] == ["made"]


def test_the_mean_of_the_steps_is_what_is_written_and_goes_on_where_it_was(prepared: Path) -> None:
    def ended(name: str, *stops: int) -> dict[str, torch.Tensor]:
        for steps in stops:
            path = config_file(prepared, name, steps)
            text = path.read_text().replace("saveEvery = 20", "saveEvery = 2\naverage = 0.5\nfinalRate = 1.0")
            path.write_text(text)
            prepare(read_config(path))
            fit(read_config(path))
        return read_tensors(prepared / name / "state.safetensors")[0]

    whole, halves = ended("mean", 6), ended("mean-halves", 4, 6)
    assert torch.allclose(whole["average.output.bias"], halves["average.output.bias"], atol=1e-4)
    written = read_checkpoint(prepared / "mean" / "model.safetensors").tensors["output.bias"]
    assert torch.equal(written, whole["average.output.bias"])
    assert not torch.equal(written, whole["output.bias"])


def test_two_processes_give_one_network(prepared: Path) -> None:
    path = config_file(prepared, "pair", 6)
    path.write_text(path.read_text().replace("[training]", "[training]\nprocesses = 2"))
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run(
        [sys.executable, "-m", "kikitori_trainer", "fit", str(path)], env=environment, check=True, timeout=120
    )
    log = [json.loads(line) for line in (prepared / "pair" / "log.jsonl").read_text().splitlines()]
    assert log[0]["processes"] == 2 and log[-1]["done"] and log[-1]["step"] == 6


def test_factored_distilled_and_quantised(prepared: Path) -> None:
    torch.manual_seed(3)
    teacher = read_checkpoint(prepared / "run" / "model.safetensors")
    shape = Shape([24, 24], [8, 8], 16)
    network = Network(teacher.features.dim, shape, len(teacher.units))
    write_checkpoint(prepared / "small.safetensors", replace(teacher, shape=shape, tensors=network.tensors()))
    scales = '{ input = 0.05, "input.projection" = 0.05, "p.0" = 0.02, "p.1" = 0.02, h = 0.007874 }'
    extra = f"""
[distillation]
teacher = "{prepared / 'run' / 'model.safetensors'}"
weight = 0.5
quiet = true
[quantisation]
enabled = true
scales = {scales}
"""
    path = config_file(prepared, "small", 25, extra)
    path.write_text(f'start = "{prepared / "small.safetensors"}"\n' + path.read_text())
    fit(read_config(path))
    done = read_checkpoint(prepared / "small" / "model.safetensors")
    assert done.shape == shape and done.quantization["activations"]["p.1"] == 0.02
    assert done.quantization["weights"] == "uint8"
    before = network.tensors()["lstm.0.projection"]
    assert not torch.equal(done.tensors["lstm.0.projection"], before)


def test_configuration_faults_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('layers = "many"\n[training]\nstep = 3\nbf16 = 1\n')
    with pytest.raises(SystemExit) as stopped:
        read_config(path)
    said = str(stopped.value)
    for part in ("layers: 'many'", "training.step: unknown key", "training.bf16: 1", "out: missing"):
        assert part in said


def test_a_configuration_on_another(tmp_path: Path) -> None:
    base, own = tmp_path / "base.toml", tmp_path / "own.toml"
    base.write_text('out = "first"\nlayers = [8]\n[sampling]\nclips = 4\n[training]\nsteps = 9\nseed = 3\n')
    own.write_text(f'base = "{base}"\nout = "second"\n[training]\nsteps = 2\n')
    c = read_config(own)
    assert (c.out, c.pack, c.layers) == ("second", "first/pack", [8])
    assert (c.sampling.clips, c.training.steps, c.training.seed) == (4, 2, 3)
    own.write_text(f'base = "{own}"\nout = "second"\n')
    with pytest.raises(SystemExit, match="builds on itself"):
        read_config(own)


def test_bfloat16_only_where_the_processor_has_it(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    for flags, expected in (
        ("flags : fpu avx2 fma", False),
        ("flags : avx512_bf16", True),
        ("Features : i8mm bf16", True),
    ):
        info.write_text(f"{flags}\n")
        assert has_bf16(info) is expected, flags
    assert not has_bf16(tmp_path / "nothing")


def test_learning_rate(prepared: Path) -> None:
    t = read_config(config_file(prepared, "rate", 100)).training
    assert learning_rate(t, 0, 0.0) == pytest.approx(t.learningRate / 5)
    assert learning_rate(t, 50, 0.3) == pytest.approx(t.learningRate)
    assert learning_rate(t, 99, 1.0) == pytest.approx(t.learningRate * t.finalRate)


def test_checkpoints_that_are_damaged_or_do_not_fit(tmp_path: Path) -> None:
    features = Features()
    shape = Shape([4])
    tensors = Network(features.dim, shape, 3).tensors()
    whole = Checkpoint(features, [0.0] * 40, [1.0] * 40, ["<blank>", "A", "B"], shape, tensors)
    path = tmp_path / "c.safetensors"
    write_checkpoint(path, whole)
    assert read_checkpoint(path).shape == shape
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ValueError, match="the header says"):
        read_tensors(path)
    missing = {k: v for k, v in tensors.items() if k != "output.bias"}
    with pytest.raises(ValueError, match="output.bias is missing"):
        replace(whole, tensors=missing).network()
    with pytest.raises(ValueError, match="expected"):
        replace(whole, tensors={**tensors, "output.bias": torch.zeros(9)}).network()
