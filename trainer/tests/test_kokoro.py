"""The neural voice's plan: phones as symbols, the same from a seed, gone on with. The model itself is an extra."""

import random
from pathlib import Path

import numpy as np
import soundfile

from kikitori_trainer.contrast import EVERY, contrast_sentence
from kikitori_trainer.kokoro import Array, Spoken, plan, spelled, symbols_of, table, write
from kikitori_trainer.sentences import Vocabulary

KNOWN = {"kitchen": ["K IH1 CH AH0 N"], "a": ["AH0", "EY1"], "bird": ["B ER1 D"], "other": ["AH1 DH ER0"]}
WORDS = {w: ["AA1"] for pair in EVERY for w in pair} | KNOWN
VOCABULARY = Vocabulary([("kitchen", 10), ("bird", 5)], ["other"])


def test_phones_are_spelled_with_stress_before_the_vowel() -> None:
    assert spelled("K IH1 CH AH0 N") == "kˈɪʧən"
    assert spelled("AH1 DH ER0") == "ˈʌðəɹ"
    assert spelled("B ER1 D") == "bˈɜɹd"
    assert spelled("HH AW1 S T OY2") == "hˈWstˌY"


def test_every_variant_is_spoken_and_unknown_words_are_not() -> None:
    chance = random.Random(1)
    said = {(symbols_of("a bird", KNOWN, chance) or "").split(" ")[0] for _ in range(40)}
    assert said == {"ə", "ˈA"}
    assert symbols_of("a qzx", KNOWN, chance) is None


def test_contrasts_hold_a_word_of_a_pair() -> None:
    chance = random.Random(2)
    words = {w for pair in EVERY for w in pair}
    for _ in range(300):
        assert words & set(contrast_sentence(VOCABULARY, chance).split())


def test_a_plan_is_the_same_from_a_seed_and_goes_on(tmp_path: Path) -> None:
    voices = ["af_sky", "bm_lewis", "zf_xiaoni"]
    orders = plan(30, voices, WORDS, VOCABULARY, 3)
    assert orders == plan(30, voices, WORDS, VOCABULARY, 3) and len({o.name for o in orders}) == 30
    assert any(o.blend for o in orders) and any(o.voices[0] == "zf_xiaoni" for o in orders)
    spoken: list[int] = []

    def speak(order: Spoken) -> Array:
        spoken.append(order.number)
        return np.sin(np.arange(24_000) / 20).astype(np.float32)

    write(tmp_path, orders[:2], speak)
    write(tmp_path, orders[:3], speak)
    assert spoken == [0, 1, 2]
    assert soundfile.info(tmp_path / orders[0].name).samplerate == 16_000
    table(tmp_path, orders)
    rows = (tmp_path / "clips.tsv").read_text().splitlines()
    assert len(rows) == 4 and rows[1].split("\t")[2:] == [orders[0].speaker, "kokoro", orders[0].text]
