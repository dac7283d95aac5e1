"""What a listener's teacher said, brought to the steps of a student; a head that learns phones from frames."""

from pathlib import Path

import numpy as np
import pytest
import torch

from kikitori_trainer.augment import Augmentation, Augmenter
from kikitori_trainer.batches import Batches, Sampling
from kikitori_trainer.corpora import clips_tsv
from kikitori_trainer.distil import divergence_from
from kikitori_trainer.features import Features
from kikitori_trainer.fit import fit
from kikitori_trainer.config import read_config
from kikitori_trainer.lexicon import UNITS
from kikitori_trainer.listener import SAMPLES_PER_FRAME, WIDTH, Heard, frames_of, mel_bank, whisper_mel
from kikitori_trainer.pack import Pack, build, open_pack
from kikitori_trainer.prepare import prepare
from kikitori_trainer.teacher import learn

from .made import config_file, speak, write_clips


def packed(folder: Path, clips: int) -> Pack:
    write_clips(folder, clips)
    build(folder / "packed", list(clips_tsv(folder)), [], 1, 1, 1)
    return open_pack(folder / "packed")


def listened(pack: Pack, folder: Path) -> None:
    """In place of Whisper: energies of the made words' tones, at random places of the width."""
    heard = Heard(pack, folder / "heard.f16", WIDTH, "w")
    places = np.random.default_rng(1).standard_normal((80, WIDTH)) / 9
    for n, clip in enumerate(pack.clips):
        mel = whisper_mel(np.pad(pack.samples(clip.begin, clip.samples), (0, 2 * SAMPLES_PER_FRAME)))[:, ::2].T
        heard.of(n)[:] = (mel[: frames_of(clip.samples)] @ places).astype(np.float16)
    heard.rows.flush()


def test_mel_is_whispers() -> None:
    # librosa.filters.mel(sr=16000, n_fft=400, n_mels=80): published with the model as mel_filters.npz.
    bank = mel_bank()
    assert bank.shape == (201, 80)
    assert bank[1, 0] == pytest.approx(0.02486259, abs=1e-6) and bank[0].max() == 0
    assert np.allclose(bank[:, 40:].sum(0) * 40, 1, atol=0.1)  # triangles of equal area
    x = speak("one two")
    mel = whisper_mel(x)
    assert mel.shape == (80, len(x) // 160) and mel.max() - mel.min() <= 2 + 1e-6


def test_a_step_is_to_say_what_was_said_then(tmp_path: Path) -> None:
    pack = packed(tmp_path, 4)
    folder = tmp_path / "packed"
    said = Heard(pack, folder / "said.f16", len(UNITS), "w")
    for clip in range(len(pack.clips)):
        rows = said.of(clip)
        rows[:] = 0
        # Unit 1 for the first 200 ms, then unit 2.
        rows[:10, 1] = 1
        rows[10:, 2] = 1
    still = Augmentation(
        speedChance=0, warp=(1, 1), roomChance=0, noiseChance=0, gainDb=(0, 0), tiltDb=0, clipChance=0,
        silenceMs=(300, 300), timeMasks=0, frequencyMasks=0,
    )  # fmt: skip
    f = Features()
    zero = np.zeros(f.melBins, np.float32)
    sampling = Sampling(clips=2, warmupBatches=0, joinBelowSeconds=0)
    batches = Batches(pack, Augmenter(pack, f, still), sampling, zero, zero + 1, 1, said=said, behind=7)
    batch = next(iter(batches))
    assert batch.said is not None and batch.said.shape[:2] == batch.features.shape[:2]
    for b in range(2):
        best = batch.said[: int(batch.steps[b]), b].argmax(1).numpy()
        first, second = np.flatnonzero(best == 1), np.flatnonzero(best == 2)
        # 300 ms of silence; step k hears frames 3k .. 3k + 7 and speaks of 3k, whose middle is 12.5 ms later.
        assert abs(first[0] * 30 + 12.5 - 300) <= 30 and abs(second[0] * 30 + 12.5 - 500) <= 30
        assert best[-1] == 0


def test_divergence_from_probabilities() -> None:
    wanted = torch.tensor([[[0.5, 0.5, 0.0]], [[1.0, 0.0, 0.0]]])
    logits = torch.tensor([[[0.0, 0.0, -50.0]], [[0.0, 0.0, 0.0]]])
    assert float(divergence_from(wanted, logits, torch.tensor([1]))) == pytest.approx(0, abs=1e-5)
    assert float(divergence_from(wanted, logits, torch.tensor([2]))) == pytest.approx(np.log(3), abs=1e-5)


def test_a_head_learns_and_a_run_follows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_clips(tmp_path / "data", 40)
    extra = "\n[distillation]\nlistenerWeight = 0.5\n"
    config = read_config(config_file(tmp_path, "run", 12, extra))
    prepare(config)
    train, held = tmp_path / "pack" / "train", tmp_path / "pack" / "held-out"
    for folder in (train, held):
        listened(open_pack(folder), folder)
    errors = learn(train, held, tmp_path / "head.pt", 40, [])
    assert errors["all"] < 0.3
    pack = open_pack(train)
    said = Heard(pack, train / "said.f16", len(UNITS))
    rows = np.concatenate([said.of(n) for n in range(len(pack.clips))]).astype(np.float32)
    assert np.allclose(rows.sum(1), 1, atol=2e-2)
    fit(config)
    state = (tmp_path / "run" / "state.safetensors").read_bytes()
    assert b"beside.weight" in state
    # Resumed, and thrown away in what is exported.
    fit(read_config(config_file(tmp_path, "run", 16, extra)))
    assert b"beside" not in (tmp_path / "run" / "model.safetensors").read_bytes()
