"""Texts for the synthesisers: a wide vocabulary in the manner of commands, tied to no site.

Three kinds: random words (every neighbourhood of phones is heard), orders to machines built from
templates with random nouns, and short phrases. Word frequencies come from SUBTLEX, the rest of the
vocabulary from the pronouncing dictionary.
"""

import random
from collections.abc import Sequence

VERBS = (
    "start stop open close set move lift lower turn raise check show call bring take hold lock unlock "
    "reset pause resume clean load unload increase decrease mark send record report select cancel find "
    "switch run halt read measure weigh count print scan heat cool fill drain feed park eject home jog"
).split()
PLACES = "in on at near under behind before after next to from into with without for by over".split()
ASIDES = ["please", "now", "", "", "", "", "okay", "quickly", "again", "right now", "at once"]
OPENINGS = [
    "",
    "",
    "",
    "",
    "please",
    "we need to",
    "you should",
    "let us",
    "go and",
    "time to",
    "could you",
    "i need you to",
]
UNITS = "percent degrees seconds minutes hours meters grams volts parts pieces turns steps bars".split()
ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
LETTERS = "a b c d e f g h i j k l m n o p q r s t u v w x y z".split()


def spoken(n: int) -> str:
    """0 to 999,999 as people say it."""
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10 - 2] + (f" {ONES[n % 10]}" if n % 10 else "")
    if n < 1000:
        rest = f" {spoken(n % 100)}" if n % 100 else ""
        return f"{ONES[n // 100]} hundred{rest}"
    rest = f" {spoken(n % 1000)}" if n % 1000 else ""
    return f"{spoken(n // 1000)} thousand{rest}"


class Vocabulary:
    """Words with a pronunciation; `common` is drawn by the root of its frequency, `wide` evenly."""

    def __init__(self, common: Sequence[tuple[str, int]], wide: Sequence[str]) -> None:
        self.words = [w for w, _ in common]
        self.weights = [count**0.5 for _, count in common]
        self.wide = list(wide)

    def draw(self, chance: random.Random, wide_share: float) -> str:
        if chance.random() < wide_share:
            return chance.choice(self.wide)
        return chance.choices(self.words, self.weights)[0]


def number(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.5:
        return spoken(chance.randrange(100))
    if kind < 0.7:
        return spoken(chance.randrange(100, 1000))
    if kind < 0.85:
        return " ".join(chance.choice(ONES[:10]) for _ in range(chance.randint(2, 5)))
    if kind < 0.95:
        return f"{spoken(chance.randrange(20))} point {chance.choice(ONES[:10])}"
    return spoken(chance.randrange(1000, 100_000))


def order(vocabulary: Vocabulary, chance: random.Random) -> str:
    """A command to some machine: verb, thing, place or value; no site's words."""

    def thing() -> str:
        article = chance.choice(["the", "the", "the", "a", "my", "this", "that", "all", ""])
        nouns = " ".join(vocabulary.draw(chance, 0.5) for _ in range(chance.choice([1, 1, 2])))
        tail = chance.choice(["", "", "", ONES[chance.randrange(1, 10)], chance.choice(LETTERS)])
        return f"{article} {nouns} {tail}"

    kind = chance.random()
    verb = chance.choice(VERBS) if chance.random() < 0.7 else vocabulary.draw(chance, 0.5)
    if kind < 0.3:
        body = f"{verb} {thing()}"
    elif kind < 0.5:
        body = f"{verb} {thing()} {chance.choice(PLACES)} {thing()}"
    elif kind < 0.75:
        body = f"{verb} {thing()} to {number(chance)} {chance.choice([*UNITS, ''])}"
    elif kind < 0.9:
        body = f"turn {chance.choice(['on', 'off', 'up', 'down'])} {thing()}"
    else:
        body = f"{thing()} {verb}"
    return " ".join(f"{chance.choice(OPENINGS)} {body} {chance.choice(ASIDES)}".split())


def sentence(vocabulary: Vocabulary, chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.4:
        return order(vocabulary, chance)
    if kind < 0.5:
        return " ".join(vocabulary.draw(chance, 0.4) for _ in range(chance.randint(1, 2)))
    return " ".join(vocabulary.draw(chance, 0.6) for _ in range(chance.randint(3, 8)))
