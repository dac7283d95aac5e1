"""domain-text.py CLIPS.tsv BROWN OUT: texts for scripts/lm-domain.

brown.txt: the Brown corpus, no tags. site.txt, site-held-out.txt: sentences of train/novels, four fifths and one,
without those of people who are in dev/novels too. spoken.txt: a thousand sentences of the other sets of train/.
"""

import csv
import random
import re
import sys
from pathlib import Path


def speaker(file: str) -> str:
    return re.split("[-_]", Path(file).name)[0]


def shuffled(texts: set[str]) -> list[str]:
    out = sorted(texts)
    random.Random(7).shuffle(out)
    return out


def main(clips: Path, brown: Path, out: Path) -> None:
    with out.joinpath("brown.txt").open("w") as lines:
        for file in sorted(brown.glob("c[a-r][0-9][0-9]")):
            for line in file.read_text("latin-1").splitlines():
                words = [w.rsplit("/", 1)[0] for w in line.split() if "/" in w]
                words = [w for w in words if re.search("[A-Za-z0-9]", w)]
                if words:
                    lines.write(" ".join(words) + "\n")
    with clips.open(newline="") as table:
        rows = [r for r in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE) if r["text"]]
    known = {speaker(r["file"]) for r in rows if r["file"].startswith("dev/novels")}
    novels = shuffled(
        {r["text"].lower() for r in rows if r["file"].startswith("train/novels") and speaker(r["file"]) not in known}
    )
    held = len(novels) // 5
    dev = {r["text"].lower() for r in rows if r["file"].startswith("dev/")}
    spoken = {r["text"].lower() for r in rows if r["file"].startswith("train/") and r["set"] != "novels"}
    parts = {
        "site-held-out": novels[:held],
        "site": novels[held:],
        "spoken": [t for t in shuffled(spoken - dev) if len(t.split()) > 3][:1000],
    }
    for name, texts in parts.items():
        out.joinpath(f"{name}.txt").write_text("\n".join(texts) + "\n")


if __name__ == "__main__":
    main(*(Path(a) for a in sys.argv[1:4]))
