"""Sentences of commands whose meaning hangs on one short word: minimal pairs, which a network must tell apart."""

import random

from .sentences import PLACES, UNITS, Vocabulary, number

PAIRS = (
    "on off|start stop|lock unlock|load unload|increase decrease|open close|left right|up down|raise lower|"
    "fifteen fifty|thirteen thirty|fourteen forty|sixteen sixty|seventeen seventy|eighteen eighty|nineteen ninety|"
    "five nine|in on|"
    "enable disable|connect disconnect|two ten|a the|can can't|first third|before after|push pull|warm warmer|"
    "more four|to two|hot hold|gate plate|pump bump|red green|light right|heat eat|back pack|bin pin|"
    "fan van|cap gap|seal zeal|"
    "three free|ship chip|sheet cheat|day they|vet wet|rice lice|mine nine|sum sun|sing thing|bed bad|pen pan|cot cut|"
    "full fool|bar bore|boil bile|out oat|ear air"
)
EVERY = [pair.split() for pair in PAIRS.split("|")]
HESITATIONS = ["uh", "um", "er", "well", "please", "now"]


def contrast_sentence(vocabulary: Vocabulary, chance: random.Random) -> str:
    """One word of a pair where a command would have it, short or long, sometimes after a hesitation."""
    word = chance.choice(chance.choice(EVERY))
    noun = vocabulary.draw(chance, 0.4)
    kind = chance.random()
    if kind < 0.2:
        body = f"{word} the {noun}"
    elif kind < 0.4:
        body = f"{chance.choice(['turn', 'switch', 'put', 'move'])} the {noun} {word}"
    elif kind < 0.55:
        body = f"{chance.choice(['turn', 'switch', 'put', 'move'])} {word} the {noun}"
    elif kind < 0.75:
        body = f"set the {noun} to {word} {chance.choice([*UNITS, ''])}"
    elif kind < 0.9:
        body = f"{noun} {word} {chance.choice(PLACES)} {number(chance)}"
    else:
        body = word
    if chance.random() < 0.2:
        words = body.split()
        words.insert(chance.randrange(len(words) + 1), chance.choice(HESITATIONS))
        body = " ".join(words)
    return " ".join(body.split())
