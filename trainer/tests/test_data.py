"""Readers, texts, pack, augmentation and batches."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kikitori_trainer.augment import Augmentation, Augmenter, above_noise, at_moments, change_speed, mu_law, tempo_map
from kikitori_trainer.batches import Batches, Sampling, even_people, statistics
from kikitori_trainer.checkpoint import Checkpoint
from kikitori_trainer.corpora import clips_tsv, common_voice, librispeech, normalise
from kikitori_trainer.features import Features, extract, filterbank, stack
from kikitori_trainer.lexicon import UNITS
from kikitori_trainer.network import Shape
from kikitori_trainer.noise import room, synthetic_noise
from kikitori_trainer.pack import Pack, Packed, build, open_pack
from kikitori_trainer.sentences import spoken

from .made import RATE, speak, write_clips


def test_librispeech_layout(tmp_path: Path) -> None:
    chapter = tmp_path / "dev-clean" / "84" / "121123"
    chapter.mkdir(parents=True)
    soundfile.write(chapter / "84-121123-0000.flac", np.zeros(RATE), RATE)
    (chapter / "84-121123.trans.txt").write_text("84-121123-0000 GO DO YOU HEAR\n")
    (clip,) = librispeech(tmp_path)
    assert (clip.text, clip.speaker, clip.seconds) == ("go do you hear", "librispeech-84", 1.0)
    with pytest.raises(ValueError, match="LibriSpeech layout"):
        list(librispeech(chapter / "nothing"))


def test_common_voice_layout(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    soundfile.write(tmp_path / "clips" / "a.wav", np.zeros(RATE // 2), RATE)
    header = "client_id\tpath\tsentence\tup_votes\n"
    (tmp_path / "train.tsv").write_text(header + '0123456789abcdef\ta.wav\t"Don’t stop," he said.\t2\n')
    (clip,) = common_voice(tmp_path)
    assert (clip.text, clip.speaker) == ("don't stop he said", "common-voice-0123456789ab")


def test_clips_table(tmp_path: Path) -> None:
    write_clips(tmp_path, 3)
    assert [c.speaker for c in clips_tsv(tmp_path, "train/")] == ["made"] * 3
    assert list(clips_tsv(tmp_path, "dev/")) == []
    (tmp_path / "clips.tsv").write_text("file\tseconds\n a\t1\n")
    with pytest.raises(ValueError, match="clips.tsv:2: expected file"):
        list(clips_tsv(tmp_path))


def test_texts() -> None:
    assert normalise("Turn R2’s valve OFF - now!") == "turn r 's valve off now"
    assert spoken(0) == "zero"
    assert spoken(42) == "forty two"
    assert spoken(317) == "three hundred seventeen"
    assert spoken(90_006) == "ninety thousand six"


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("pack")
    write_clips(folder, 12)
    soundfile.write(folder / "noise.wav", np.random.default_rng(0).standard_normal(RATE) * 0.1, RATE)
    build(folder / "packed", list(clips_tsv(folder)), [folder / "noise.wav"], 2, 2, 1)
    return open_pack(folder / "packed")


def test_pack_holds_the_samples(pack: Pack) -> None:
    assert len(pack.clips) == 12 and len(pack.noises) == 3 and len(pack.rooms) == 2
    first = pack.clips[0]
    assert np.abs(pack.samples(first.begin, first.samples) - speak(first.text, 0)).max() < 1e-4
    assert all(word and all(p > 0 for p in word[0]) for word in first.words)


def test_noise_has_the_level_and_is_repeatable() -> None:
    for seed in range(12):
        a = synthetic_noise(RATE, np.random.default_rng(seed))
        assert a.shape == (RATE,) and np.isfinite(a).all()
        assert abs(np.sqrt(np.mean(a**2)) - 1) < 1e-3
        assert np.array_equal(a, synthetic_noise(RATE, np.random.default_rng(seed)))
    assert np.isfinite(room(np.random.default_rng(1))).all()


def test_speed_changes_length_and_pitch() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    faster = change_speed(tone, 1.25)
    assert abs(len(faster) - RATE / 1.25) <= 1
    assert abs(np.argmax(np.abs(np.fft.rfft(faster))) / (len(faster) / RATE) - 1250) < 5


def test_without_augmentation_the_frames_are_the_features(pack: Pack) -> None:
    still = Augmentation(speedChance=0, warp=(1, 1), roomChance=0, noiseChance=0, gainDb=(0, 0), tiltDb=0, clipChance=0)
    features = Features()
    augmenter = Augmenter(pack, features, still)
    x, quiet, *_ = augmenter.waveform([speak("one two")], 1.0, np.random.default_rng(0))
    got = augmenter.frames([x], np.random.default_rng(0))[0][0]
    assert np.array_equal(x, quiet)
    assert np.abs(got - extract(x, features)).max() < 1e-4


def test_a_bent_filterbank_moves_low_and_high_formants_apart() -> None:
    o = Features()
    plain, bent = filterbank(o), filterbank(o, bend=0.06)
    assert np.array_equal(plain, filterbank(o, 1.0, 0.0))
    bins = np.arange(o.fftSize // 2 + 1) * o.sampleRateHz / o.fftSize

    def band(bank: np.ndarray, hz: float) -> float:
        row = bank[np.argmin(np.abs(bins - hz))]
        return float(row @ np.arange(o.melBins) / row.sum())

    assert band(bent, 1000) > band(plain, 1000)
    assert band(bent, 6000) < band(plain, 6000)
    assert abs(band(bent, 4000) - band(plain, 4000)) < 0.01


def test_a_raised_log_floor_is_audio_made_quieter() -> None:
    o = Features()
    mean, std = [-5.0] * o.melBins, [2.0] * o.melBins
    old = Checkpoint(o, mean, std, UNITS, Shape([2]), {})
    new = old.with_log_floor(o.logFloor * 10**1.5)
    x = speak("one two")

    def seen(samples: np.ndarray, c: Checkpoint) -> np.ndarray:
        return (extract(samples, c.features) - np.array(c.mean, np.float32)) / np.array(c.std, np.float32)

    quieter = (x * 10 ** (-15 / 20)).astype(np.float32)
    assert np.abs(seen(x, new) - seen(quieter, old)).max() < 1e-3


def test_a_teacher_hears_the_same_moments_without_noise(pack: Pack) -> None:
    loud = Augmentation(noiseChance=1, snrDb=(-5, -5), roomChance=1, clipChance=0)
    augmenter = Augmenter(pack, Features(), loud)
    chance = [np.random.default_rng(4) for _ in range(3)]
    noisy, quiet, _ = augmenter.pair([speak("one two")], 1.0, chance[0])
    assert noisy.shape == quiet.shape
    assert np.array_equal(noisy, augmenter.example([speak("one two")], 1.0, chance[1])[0])
    alone = augmenter.pair([np.zeros(RATE, np.float32)], 1.0, chance[2])[0]
    assert quiet.mean() < noisy.mean() - 1 and np.isfinite(alone).all()


def test_what_came_through_a_narrow_line_has_nothing_above_it(pack: Pack) -> None:
    o = Features()
    still = dict(speedChance=0.0, warp=(1.0, 1.0), roomChance=0.0, noiseChance=0.0, gainDb=(0.0, 0.0), tiltDb=0.0)
    narrow = Augmenter(pack, o, Augmentation(**still, bandChance=1, bandHz=(3000, 3000)))  # type: ignore[arg-type]
    white = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * np.float32(0.1)
    got = narrow.frames([white], np.random.default_rng(0))[0][0]
    full = extract(white, o)
    assert np.abs(got[:, :20] - full[:, :20]).max() < 1e-4
    assert (got[:, -5:] < full[:, -5:] - 5).all()


def test_mu_law_keeps_loud_samples_within_its_steps() -> None:
    x = np.linspace(-0.5, 0.5, 1001).astype(np.float32)
    coded = mu_law(x, np.random.default_rng(1))
    assert np.abs(coded - x).max() < 0.5 * 0.05 and len(np.unique(coded)) <= 255


def test_people_are_heard_evenly_however_much_there_is_of_them() -> None:
    def clip(speaker: str, minutes: float) -> Packed:
        return Packed(0, int(minutes * 60 * RATE), speaker, "made", "", [])

    clips = [clip("a", 1), clip("a", 3), clip("b", 1), clip("?", 1), clip("?", 1)]
    assert even_people(clips, 0).tolist() == [1] * 5
    assert even_people(clips, 1).tolist() == [0.25, 0.25, 1, 1, 1]
    assert even_people(clips, 0.5).tolist() == [0.5, 0.5, 1, 1, 1]


def test_shares_are_of_the_time_that_is_heard(pack: Pack) -> None:
    half = len(pack.clips) // 2
    clips = [replace(c, set="many" if i < half else "few") for i, c in enumerate(pack.clips)]
    mixed = replace(pack, clips=clips)
    features = Features()
    unit = np.zeros(features.melBins, np.float32)
    sampling = Sampling(weights={"few": 0.5})
    shares = Batches(mixed, Augmenter(mixed, features, Augmentation()), sampling, unit, unit + 1, 1).shares()
    seconds = [sum(c.samples for c in clips if c.set == name) for name in ("many", "few")]
    assert shares["many"] == pytest.approx(seconds[0] / (seconds[0] + 0.5 * seconds[1]), abs=1e-3)
    assert list(shares) == ["many", "few"] and sum(shares.values()) == pytest.approx(1, abs=2e-3)


def test_tables_of_what_is_left_out_name_clips_or_people(tmp_path: Path, pack: Pack) -> None:
    (tmp_path / "texts.tsv").write_text("file\theard\n" + pack.clips[0].name + "\tno\n")
    (tmp_path / "people.tsv").write_text("speaker\tset\nnobody\tmade\n")
    sampling = Sampling(leaveOut=[str(tmp_path / "texts.tsv"), str(tmp_path / "people.tsv")])
    zero = np.zeros(40, np.float32)
    batches = Batches(pack, Augmenter(pack, Features(), Augmentation()), sampling, zero, zero + 1, 1)
    assert batches.weights[0] == 0 and (batches.weights[1:] > 0).all()


def test_a_steady_noise_stands_still_and_what_is_louder_stays() -> None:
    frames = np.array([[1, 5], [2, 5], [3, 5], [4, 5], [9, 7]], np.float32)
    two = 10 * np.log10(np.e) * 2  # nats in dB
    assert np.allclose(above_noise(frames, 0)[:, 0], [2, 2, 3, 4, 9])
    assert np.allclose(above_noise(frames, two), [[4, 7], [4, 7], [4, 7], [4, 7], [9, 7]])


def test_tempo_keeps_the_order_and_the_voice() -> None:
    where = tempo_map(500, 2, 2, np.random.default_rng(2))
    assert len(where) == 250 and np.allclose(np.diff(where), 2, atol=1e-3)
    wandering = tempo_map(500, 0.8, 1.25, np.random.default_rng(2))
    assert (np.diff(wandering) > 0).all() and 390 <= len(wandering) <= 626 and wandering[-1] <= 499
    rows = np.arange(20, dtype=np.float32).reshape(10, 2)
    assert at_moments(rows, np.array([0, 1.5, 9], np.float32)).tolist() == [[0, 1], [3, 4], [18, 19]]


def test_moments_lead_back_to_the_clips(pack: Pack) -> None:
    """Two clips, each a ramp of loudness: what a frame's loudness says is where the moments find it."""
    o = Augmentation(
        speedChance=1, warp=(1, 1), roomChance=0, noiseChance=0, gainDb=(0, 0), tiltDb=0, clipChance=0,
        tempoChance=1, tempo=(0.8, 1.25), silenceMs=(300, 300),
    )  # fmt: skip
    f = Features()
    augmenter = Augmenter(pack, f, o)
    seconds = 2
    hum = np.sin(2 * np.pi * 500 * np.arange(seconds * RATE) / RATE)
    ramp = (hum * np.exp(2.0 * np.arange(len(hum)) / RATE) / 200).astype(np.float32)
    frames, moments = augmenter.example([ramp, ramp], 1.0, np.random.default_rng(5))
    at = np.arange(len(frames), dtype=np.float64)
    pieces = moments.of(at, f)
    assert moments.speed != 1 and len(pieces) == 2 and not (pieces[0][0] & pieces[1][0]).any()
    for which, samples in pieces:
        assert abs(which.sum() * moments.speed - seconds * 100) < 50 and (np.diff(samples) > 0).all()
        # Energy grows by exp(4 t): the moment is read from the loudest band's energy, but for the piece's own level.
        loudness = frames[which].max(1)[10:-10] / 4
        offset = loudness - samples[10:-10] / RATE
        assert np.ptp(offset) < 0.05
    between = ~(pieces[0][0] | pieces[1][0])
    assert frames[between].max() < frames[~between].max()


def test_batches_are_repeatable_and_resumable(pack: Pack) -> None:
    features = Features()
    augmenter = Augmenter(pack, features, Augmentation())
    mean, std = statistics(augmenter, 5, 1)
    sampling = Sampling(clips=2, warmupBatches=0)

    def batches(first: int) -> Batches:
        return Batches(pack, augmenter, sampling, mean, std, 7, 0, first)

    three = [b for _, b in zip(range(3), iter(batches(0)), strict=False)]
    later = next(iter(batches(2)))
    assert later.clips == three[2].clips
    assert bool((later.features == three[2].features).all())
    assert later.features.shape[1:] == (2, features.dim)
    assert int(later.steps.max()) == later.features.shape[0]


def test_stacking() -> None:
    o = Features(melBins=2, stack=3, stride=2)
    frames = np.arange(14, dtype=np.float32).reshape(7, 2)
    assert stack(frames, o).tolist() == [[0, 1, 2, 3, 4, 5], [4, 5, 6, 7, 8, 9], [8, 9, 10, 11, 12, 13]]
    assert stack(frames[:2], o).shape == (0, 6)
