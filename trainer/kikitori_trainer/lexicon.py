"""Words to phones, asked of the device's own lexicon, so that training and device read words alike."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

UNITS = (
    "<blank> AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW " "V W Y Z ZH"
).split()

Pronunciations = dict[str, list[list[int]]]


def pronounce(words: Iterable[str]) -> Pronunciations:
    """All pronunciations of each word as unit ids, the most usual first; unknown words by rules."""
    script = REPOSITORY / "dist" / "scripts" / "pronounce.js"
    if not script.exists():
        raise FileNotFoundError(f"{script} is missing: run npm ci && npm run build first")
    asked = sorted(set(words))
    command = ["node", str(script), " ".join(UNITS)]
    done = subprocess.run(command, input="\n".join(asked), text=True, capture_output=True, check=True)
    found: Pronunciations = {}
    for line in done.stdout.splitlines():
        word, _, phones = line.partition("\t")
        if phones:
            found.setdefault(word, []).append([int(p) for p in phones.split(",")])
    return found
