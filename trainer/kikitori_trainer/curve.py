"""The curve of a run, from its log: loss, phone errors and learning rate over hours of audio."""

import json
from pathlib import Path


def draw(out: Path) -> None:
    """Reads `log.jsonl`, writes `curve.png`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    losses = [(r["audioHours"], r["loss"]) for r in rows if "loss" in r]
    hours, errors = 0.0, []
    for row in rows:
        hours = row.get("audioHours", hours)
        if "phoneErrors" in row:
            errors.append((hours, row["phoneErrors"]))
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4))
    if losses:
        left.plot(*zip(*losses, strict=True), linewidth=1)
    left.set(xlabel="hours of audio seen", ylabel="CTC loss per phone", title="training")
    for name in sorted({n for _, e in errors for n in e}):
        points = [(h, 100 * e[name]) for h, e in errors if name in e]
        right.plot(*zip(*points, strict=True), label=name, linewidth=2 if name == "all" else 1)
    right.set(xlabel="hours of audio seen", ylabel="phone errors, %", title="held-out prompts", ylim=(0, 100))
    if errors:
        right.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(out / "curve.png", dpi=110)
    pyplot.close(figure)
