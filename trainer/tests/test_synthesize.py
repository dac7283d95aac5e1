"""The synthesisers that are installed say a few words; a run that was cut off goes on."""

from pathlib import Path

import pytest
import soundfile

from kikitori_trainer.config import Config, Data
from kikitori_trainer.contrast import EVERY
from kikitori_trainer.pack import open_pack
from kikitori_trainer.prepare import prepare
from kikitori_trainer.synthesize import Own, plan, synthesize, vocabulary_of_packages, voices


@pytest.mark.skipif(not voices(), reason="no synthesiser is installed")
def test_voices_speak_and_a_run_goes_on(tmp_path: Path) -> None:
    synthesize(tmp_path, 6, seed=2)
    rows = (tmp_path / "clips.tsv").read_text().splitlines()
    assert len(rows) == 7 and rows[0].startswith("file\tseconds")
    first = tmp_path / "000000.wav"
    assert soundfile.info(first).samplerate == 16_000
    before = first.stat().st_mtime_ns
    (tmp_path / "000003.wav").unlink()
    synthesize(tmp_path, 6, seed=2)
    assert first.stat().st_mtime_ns == before and (tmp_path / "000003.wav").exists()


@pytest.mark.skipif(not voices(), reason="no synthesiser is installed")
def test_the_plan_is_repeatable_and_varied() -> None:
    vocabulary = vocabulary_of_packages()
    orders = plan(300, vocabulary, seed=4, own=Own(["a text of its own"]))
    assert orders == plan(300, vocabulary, seed=4, own=Own(["a text of its own"]))
    assert len({o.engine for o in orders}) == len(voices())
    words = {w for o in orders for w in o.text.split()}
    assert len(words) > 400 and any(o.text == "a text of its own" for o in orders)


@pytest.mark.skipif(not voices(), reason="no synthesiser is installed")
def test_contrasts_are_a_set_of_their_own_in_the_pack(tmp_path: Path) -> None:
    config = Config(out=str(tmp_path), data=Data(contrasts=8, syntheticNoises=1, rooms=1))
    prepare(config)
    clips = open_pack(tmp_path / "pack" / "train").clips
    words = {w for pair in EVERY for w in " ".join(pair).split()}
    assert len(clips) > 4 and {c.set for c in clips} == {"contrasts"}
    assert all(words & set(c.text.split()) for c in clips)
