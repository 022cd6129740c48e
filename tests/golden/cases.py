"""Lesions, games and scores whose names on disk must never change, on networks of exact weights.

Weights and inputs are multiples of 1/4, so that every sum is exact on any machine and so is every digest.
`python tests/golden/cases.py FOLDER` writes what the running version makes of them; the committed files were written
by version 0.1.0.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import artiphys as ap

COALITIONS = np.asarray((np.arange(16)[:, None] >> np.arange(4)) & 1 == 1)
N_KNOWN = 10  # coalitions that the committed campaign holds


def quarters(*shape: int) -> torch.Tensor:
    n = int(np.prod(shape))
    return ((torch.arange(n) * 5 % 13 - 6) / 4).reshape(shape)


def exact(model: nn.Module, whole: bool = False) -> nn.Module:
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(quarters(*p.shape).sign() if whole else quarters(*p.shape))
    return model.eval()


def feedforward() -> tuple[ap.Preparation, ap.Stimuli]:
    model = exact(nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)))
    x = quarters(8, 5)
    conditions = {"label": np.arange(8) % 3, "binary": np.arange(8) % 2, "name": list("abcdefgh")}
    return ap.wrap(model, x), ap.Stimuli(x, conditions)


def recurrent() -> tuple[ap.Preparation, ap.Stimuli]:
    model = exact(nn.RNN(2, 3, batch_first=True, nonlinearity="relu"), whole=True)  # so that no step adds digits
    x = quarters(4, 6, 2)
    return ap.wrap(model, x), ap.Stimuli(x, {"when": np.arange(4)})


def lesions() -> dict[str, ap.Lesion]:
    """One lesion of every kind, and of every way to say units, times and references."""
    prep, stimuli = feedforward()
    rec = ap.record(prep, stimuli, ["1"], progress=False)
    rnn, series = recurrent()
    states = ap.record(rnn, series, ["h0"], progress=False)
    times: dict[str, Any] = {
        "int": 2, "negative": -1, "list": [0, 3], "slice": slice(1, 4), "open slice": slice(2, None),
        "stepped slice": slice(0, 4, 1), "range": range(1, 5, 2), "column": "when",
    }  # fmt: skip
    made = {
        "zero": ap.Lesion("1", kind="zero"),
        "units": ap.Lesion("1", units=[2, 0], kind="zero"),
        "one unit": ap.Lesion("1", units=np.int64(1), kind="zero", axis="unit"),  # type: ignore[arg-type]
        "mean": ap.Lesion("1", units=[1], kind="mean", reference=rec),
        "mean over times": ap.Lesion("h0", kind="mean", reference=states, over="trial,time"),
        "mean at times": ap.Lesion("h0", kind="mean", reference=states, over="trial"),
        "pending mean": ap.Lesion("1", kind="mean", reference=stimuli),
        "resample": ap.Lesion("1", units=[3], kind="resample", reference=rec, seed=3, n_donors=2),
        "donors": ap.Lesion("1", kind="resample", reference=rec, donors={0: 1, 1: 0}),
        "noise": ap.Lesion("1", kind="noise", sd=0.5, seed=7),
        "gain": ap.Lesion("1", units=[1], kind="gain", gain=2),
        "clamp": ap.Lesion("1", units=[1], kind="clamp", value=-1.5),
        "project": ap.Lesion("1", kind="project", direction=[1.0, 0.0, 2.0, 0.0]),
        "project two": ap.Lesion("1", kind="project", direction=quarters(2, 4), reference=rec),
    }
    return made | {f"time: {n}": ap.Lesion("h0", units=[1], kind="zero", time=t) for n, t in times.items()}


def games() -> Iterator[tuple[str, ap.Game]]:
    prep, stimuli = feedforward()
    rnn, series = recurrent()
    score, output = ap.scores.log_prob("label"), ap.scores.Score(lambda y, t: y[0].sum((1, 2)), "sum", key="sum-1")
    units, states = prep.players("1"), rnn.players("h0")
    rec = ap.record(prep, stimuli, ["1"], progress=False)
    yield "zero", ap.Game(prep, stimuli, score, units, kind="zero")
    yield "mean", ap.Game(prep, stimuli, score, units, kind="mean")
    yield "resample", ap.Game(prep, stimuli, score, units, kind="resample", reference=rec, seed=1, n_donors=2)
    yield "clamp", ap.Game(prep, stimuli, score, units, kind="clamp", value=0.5)
    yield "groups", ap.Game(prep, stimuli, score, prep.players("1", group_by=[[0, 3], [1, 2]]), kind="gain", gain=0.0)
    yield "site", ap.Game(prep, stimuli, score, prep.players(["0", "1"], group_by="site"), kind="zero")
    yield "window", ap.Game(rnn, series, output, states, kind="zero", time=slice(1, 4))
    yield "over times", ap.Game(rnn, series, output, states, kind="mean", over="trial,time")
    directions = [ap.Lesion("1", kind="project", direction=d) for d in quarters(2, 4)]
    mixed: list[ap.Lesion | list[ap.Lesion]] = [
        ap.Lesion("1", units=[0], kind="zero"),
        [ap.Lesion("1", units=[2], kind="gain", gain=3.0)],
    ]
    yield "directions", ap.Game(prep, stimuli, score, directions, kind="project")
    yield "mixed", ap.Game(prep, stimuli, score, mixed, kind="mixed")


def scores() -> dict[str, ap.scores.Score]:
    s = ap.scores
    return {
        "accuracy": s.accuracy("label"),
        "accuracy of": s.accuracy([0, 1, 1], threshold=0.25),
        "log_prob": s.log_prob("label"),
        "logit_difference": s.logit_difference("a", [1, 2, 3]),
        "output": s.output(2),
        "several": s.several(right=s.accuracy("label"), nats=s.log_prob("label")),
        "auc": s.auc("binary"),
        "correlation": s.correlation([0.5, 1.5, 2.5], index=1),
    }


def names() -> dict[str, Any]:
    """Every name on disk, as plain values."""
    return {
        "lesions": {n: les.digest() for n, les in lesions().items()},
        "labels": {n: les.label() for n, les in lesions().items()},
        "games": {n: game.key for n, game in games()},
        "players": {n: [str(p) for p in game.player_names] for n, game in games()},
        "scores": {n: score.key for n, score in scores().items()},
    }


def campaign(path: Path) -> ap.Game:
    """The game of the committed campaign."""
    prep, stimuli = feedforward()
    return ap.Game(prep, stimuli, ap.scores.log_prob("label"), prep.players("1"), kind="mean", cache=path)


def interrupted(path: Path, after: int) -> None:
    """A recording that stops after so many batches."""
    prep, stimuli = recurrent()
    prep.look()
    n_done = 0

    def stop(module: nn.Module, args: Any) -> None:
        nonlocal n_done
        n_done += 1
        if n_done > after:
            raise KeyboardInterrupt

    handle = prep.model.register_forward_pre_hook(stop)
    try:
        ap.record(prep, series(stimuli), ["h0", "output"], out=path, batch_size=1, progress=False)
    except KeyboardInterrupt:
        pass
    finally:
        handle.remove()


def series(stimuli: ap.Stimuli) -> ap.Stimuli:
    """The trials of the committed recordings, with a column of text."""
    return ap.Stimuli(stimuli.inputs, {"when": np.arange(4), "side": ["left", "right", "left", "right"]})


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    game = campaign(folder / "campaign")
    values = game.per_trial(COALITIONS[:N_KNOWN])
    prep, stimuli = recurrent()
    rec = ap.record(prep, series(stimuli), ["h0", "output"], out=folder / "recording", batch_size=2, progress=False)
    interrupted(folder / "interrupted", after=3)
    held = {"version": ap.__version__, **names(), "values": values.tolist(), "activity": rec["h0"].values.tolist()}
    (folder / "names.json").write_text(json.dumps(held, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
