"""Does the speaker go on? Fits "more comes" to the silences of `pauses.py`, and prints what it is worth.

    python -m kikitori_trainer.pause_fit EVENTS.npz ORDERS CHECKPOINT PEOPLE.tsv PACK SAID [PACK SAID ...]

People of PEOPLE.tsv, and all of the second pack and later ones, are measured; nothing is fitted to them. What is
gathered is kept in EVENTS.npz; where that file is there, only the fits are made again. ORDERS is a folder of clean
recordings of other people, measured too.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import nn

from .checkpoint import read_checkpoint
from .pauses import CUT_SETS, PAUSE_MS, WAITS_MS, Array, between_words, gather, orders

Bools = NDArray[np.bool_]
Table = dict[str, NDArray]
PARTS = {
    "times": ["times"],
    "times, phones so far": ["times", "length"],
    "posteriors": ["times", "posteriors"],
    "states": ["times", "posteriors", "output", "cell"],
    "voice": ["times", "voice"],
    "posteriors, voice": ["times", "posteriors", "voice"],
    "all": ["times", "posteriors", "output", "cell", "voice"],
    "all, phones so far": ["times", "length", "posteriors", "output", "cell", "voice"],
}
GAMES = ("queen", "sky", "drascula", "warzone")
READ = ("reader", "accents", "arctic-slt", "arctic-bdl", "kathleen", "prompts")
MAY_CUT = 0.01
ORDERS_LONG = {350: 8 / 109, 480: 3 / 109}
"""Share of the orders of dev that hold a longer pause where the sentence may end (ADR 37)."""
FOLDS = 5
DECAY = 3e-4
DRAWS = 300


@dataclass
class Fitted:
    mean: Array
    std: Array
    model: nn.Module

    def score(self, x: Array) -> Array:
        """Log odds that more comes."""
        with torch.no_grad():
            out: Array = self.model(torch.from_numpy((x - self.mean) / self.std))[:, 0].numpy()
        return out


def fit(x: Array, more: Bools, hidden: int, decay: float, seed: int = 1) -> Fitted:
    """Logistic regression (hidden 0) or one layer of so many units; both classes weigh alike."""
    torch.manual_seed(seed)
    mean, std = x.mean(0), x.std(0) + 1e-3
    inputs = torch.from_numpy((x - mean) / std)
    wanted = torch.from_numpy(more.astype(np.float32))
    weights = torch.where(wanted > 0, 0.5 / wanted.sum(), 0.5 / (1 - wanted).sum())
    wide = x.shape[1]
    model: nn.Module = nn.Linear(wide, 1)
    if hidden:
        model = nn.Sequential(nn.Linear(wide, hidden), nn.Tanh(), nn.Dropout(0.3), nn.Linear(hidden, 1))
    optimiser = torch.optim.Adam(model.parameters(), 0.02 if not hidden else 0.003)
    for _ in range(300 if not hidden else 200):
        loss = (
            weights * functional.binary_cross_entropy_with_logits(model(inputs)[:, 0], wanted, reduction="none")
        ).sum()
        loss = loss + decay * sum((p**2).sum() for p in model.parameters() if p.dim() > 1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return Fitted(mean, std, model.eval())


def area(scores: Array, more: Bools) -> float:
    """Under the ROC curve."""
    ranks = np.empty(len(scores))
    ranks[scores.argsort(kind="stable")] = np.arange(len(scores))
    ones = int(more.sum())
    return float((ranks[more].sum() - ones * (ones - 1) / 2) / max(1, ones * (len(scores) - ones)))


def answered(
    scores: Array, more: Bools, clips: NDArray, utterances: float, orders_long: float = MAY_CUT
) -> tuple[float, float, float]:
    """Ends answered now with one in a hundred cut off: of the pauses; of the utterances; of utterances of which as many
    hold so long a pause as of the orders."""
    low = np.sort(scores[more])
    limits = [
        low[int(share * len(low))] if share < 1 and len(low) else np.inf for share in (MAY_CUT, MAY_CUT / orders_long)
    ]
    order = np.flatnonzero(more)
    _, where = np.unique(clips[order], return_inverse=True)
    worst = np.full(where.max() + 1 if len(where) else 0, np.inf)
    np.minimum.at(worst, where, scores[order])
    worst.sort()
    may = int(MAY_CUT * utterances)
    by_utterance = worst[may] if may < len(worst) else np.inf
    ends = scores[~more]
    by_pause, by_orders = (float((ends < limit).mean()) for limit in limits)
    return by_pause, float((ends < by_utterance).mean()), by_orders


def interval(t: Table, scores: Array, more: Bools, wide: Bools, wait_ms: int) -> str:
    """95 % over draws of speakers; the threshold is chosen anew in each."""
    people, of_row = np.unique(t["speaker"], return_inverse=True)
    rows = [np.flatnonzero(of_row == k) for k in range(len(people))]
    spoken = Counter(t["u_speaker"][wide & (t["u_length"] == 0)].tolist())
    chance = np.random.default_rng(1)
    found = []
    for _ in range(DRAWS):
        drawn = chance.integers(0, len(people), len(people))
        at = np.concatenate([rows[k] for k in drawn])
        copy = np.concatenate([np.full(len(rows[k]), n << 40) for n, k in enumerate(drawn)])
        if more[at].any() and not more[at].all():
            count = sum(spoken[people[k]] for k in drawn)
            found.append(answered(scores[at], more[at], t["clip"][at] + copy, count, ORDERS_LONG[wait_ms]))
    low, high = np.percentile(np.array(found), [2.5, 97.5], axis=0)
    point = answered(scores, more, t["clip"], sum(spoken[p] for p in people), ORDERS_LONG[wait_ms])
    return " | ".join(
        f"{100 * p:.0f} % ({100 * a:.0f} to {100 * b:.0f})" for p, a, b in zip(point, low, high, strict=True)
    )


def chosen(t: Table, rows: Bools) -> Table:
    return {k: v if k.startswith("u_") else v[rows] for k, v in t.items()}


def inputs(t: Table, name: str, wait_ms: int) -> Array:
    return np.concatenate([t[f"{part}_{wait_ms}"] for part in PARTS[name]], 1)


def lengths(t: Table) -> None:
    """How long pauses are, and what a fixed wait cuts off."""
    print("\n| set | sentences | pauses | longer than 350 | 480 | 700 | 900 ms ", end="")
    print("| sentences cut at 350 | 480 | 700 | 900 ms |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    groups = [(s, (s,)) for s in np.unique(t["u_set"])] + [("all but novels", tuple(set(t["u_set"]) - CUT_SETS))]
    for held, who in ((False, "people to learn from"), (True, "people kept out")):
        for name, sets in groups:
            rows = np.isin(t["u_set"], sets) & (t["u_held"] == held)
            long = t["u_length"][rows]
            clips, sentences = t["u_clip"][rows], int((long == 0).sum())
            pauses = long[long >= PAUSE_MS]
            if sentences == 0:
                continue
            over = [f"{100 * (pauses > w).mean():.0f} %" if len(pauses) else "" for w in (350, 480, 700, 900)]
            cut = [f"{100 * len(np.unique(clips[long > w])) / sentences:.1f} %" for w in (350, 480, 700, 900)]
            print(f"| {name}, {who} | {sentences} | {len(pauses)} | {' | '.join(over + cut)} |")
        rows = ~np.isin(t["u_set"], tuple(CUT_SETS)) & (t["u_held"] == held) & (t["u_length"] > 0)
        worst: dict[int, int] = {}
        for clip, long_ms in zip(t["u_clip"][rows].tolist(), t["u_length"][rows].tolist(), strict=True):
            worst[clip] = max(worst.get(clip, 0), long_ms)
        sentences = int((~np.isin(t["u_set"], tuple(CUT_SETS)) & (t["u_held"] == held) & (t["u_length"] == 0)).sum())
        ordered = sorted(worst.values(), reverse=True)
        if len(ordered) > int(MAY_CUT * sentences):
            print(f"{who}: a fixed wait that cuts 1 % of {sentences} sentences: {ordered[int(MAY_CUT * sentences)]} ms")


def crossed(x: Array, more: Bools, people: NDArray, hidden: int, decay: float) -> Array:
    """Scores of everybody by what was learnt from four fifths of the others."""
    names, of_row = np.unique(people, return_inverse=True)
    fold = np.random.default_rng(1).permutation(len(names))[of_row] % FOLDS
    scores = np.zeros(len(x), np.float32)
    for k in range(FOLDS):
        scores[fold == k] = fit(x[fold != k], more[fold != k], hidden, decay).score(x[fold == k])
    return scores


def report(t: Table, o: Table) -> None:
    lengths(t)
    lengths(o)
    proper = ~np.isin(t["set"], tuple(CUT_SETS))
    u_proper = ~np.isin(t["u_set"], tuple(CUT_SETS))
    for wait in WAITS_MS:
        more = t["length"] > wait
        usable = proper & (more | (t["length"] == 0))
        learn, held = usable & ~t["held"], usable & t["held"]
        own = more | (t["tail"] >= wait)
        tests = [
            ("kept out", held, u_proper),
            ("of them learners, silence their own", held & own & (t["set"] == "learners"), t["u_set"] == "learners"),
            ("of them the reader", held & (t["set"] == "reader"), t["u_set"] == "reader"),
            ("of them games", held & np.isin(t["set"], GAMES), np.isin(t["u_set"], GAMES)),
        ]
        print(f"\nAt {wait} ms: learnt from {int(more[learn].sum())} pauses and {int((~more[learn]).sum())} ends")
        shares = "1 % of pauses cut | 1 % of sentences cut | 1 % of sentences with as many pauses as orders"
        print(f"| what is known | people | pauses, ends | area | ends answered: {shares} |")
        print("|---|---|--:|--:|--:|--:|--:|")
        fluent = learn | (~proper & more & ~t["held"])
        ordered = (o["length"] > wait) | (o["length"] == 0)
        o_more = o["length"] > wait
        plans = [*((name, 0, learn) for name in PARTS), ("all", 24, learn), ("all", 0, fluent)]
        for name, hidden, taught in plans:
            x = inputs(t, name, wait)
            fitted = fit(x[taught], more[taught], hidden, DECAY)
            scores = fitted.score(x)
            kind = (f"{name}, {hidden} hidden" if hidden else name) + (
                ", and novels' pauses" if taught is fluent else ""
            )
            for title, rows, sentences in tests:
                print_row(t, kind, title, scores, more, rows, t["u_held"] & sentences, wait)
            o_scores = fitted.score(inputs(o, name, wait))
            print_row(o, kind, "orders of dev", o_scores, o_more, ordered, o["u_held"], wait)
            if hidden or name not in ("posteriors", "states", "all"):
                continue
            folds = np.zeros(len(x), np.float32)
            folds[taught] = crossed(x[taught], more[taught], t["speaker"][taught], hidden, DECAY)
            print_row(t, kind, "learnt from, five folds", folds, more, learn, ~t["u_held"] & u_proper, wait)
            rows = learn & own & (t["set"] == "learners")
            print_row(t, kind, "of them learners", folds, more, rows, ~t["u_held"] & (t["u_set"] == "learners"), wait)
            limit = float(np.quantile(folds[learn & more], MAY_CUT / ORDERS_LONG[wait]))
            print(f"{kind}, threshold of the last column from the five folds:", end=" ")
            groups = {"kept out": (scores[held], more[held])}
            for s in np.unique(t["set"][t["held"]]):
                rows = t["held"] & (more | (t["length"] == 0)) & (t["set"] == s)
                groups[s] = scores[rows], more[rows]
            groups["orders"] = o_scores[ordered], o_more[ordered]
            for title, (z, m) in groups.items():
                done, cut = int((z[~m] < limit).sum()), int((z[m] < limit).sum())
                print(f"{title} {done} of {(~m).sum()} ends answered, {cut} of {m.sum()} pauses cut", end="; ")
            print(flush=True)


def print_row(
    t: Table, kind: str, title: str, scores: Array, more: Bools, rows: Bools, wide: Bools, wait_ms: int
) -> None:
    m = more[rows]
    shares = interval(chosen(t, rows), scores[rows], m, wide, wait_ms)
    print(f"| {kind} | {title} | {m.sum()}, {(~m).sum()} | {area(scores[rows], m):.3f} | {shares} |", flush=True)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) < 6 or len(arguments) % 2:
        print(__doc__, file=sys.stderr)
        return 2
    events, recordings, network, people, *rest = map(Path, arguments)
    packs = list(zip(rest[::2], rest[1::2], strict=True))
    torch.set_num_threads(1)
    checkpoint = read_checkpoint(network)
    if not events.exists():
        kept_out = {line.split("\t")[0] for line in people.read_text().splitlines()[1:]}
        np.savez(events, **gather(checkpoint, packs, kept_out))
    report(dict(np.load(events)), orders(checkpoint, recordings))
    if packs[1:]:
        print(f"\nPeople of the second pack: {between_words(packs[1:])}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
