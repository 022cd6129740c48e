"""Addition modulo a prime by rotations: (a + b) mod p from a few frequencies, by hand and trained.

References: Nanda et al. 2023, Progress measures for grokking via mechanistic interpretability; Gromov 2023, Grokking
modular arithmetic.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from artiphys import scores
from artiphys.array_types import Array
from artiphys.errors import InputError, unknown
from artiphys.scores.score import Score
from artiphys.stimuli import Stimuli
from artiphys.toys.enumerated_truths import enumerated_truths
from artiphys.toys.toy import Toy, Truth

KEYS = (17, 25, 32, 44, 47)
MAX_FREQUENCIES = 8  # each doubles the coalitions
REPEATS = 4  # trials of each sum


class Rotation(nn.Module):
    """cos and sin of w(a + b) from those of wa and wb, w = 2 pi k / p."""

    def __init__(self, p: int, k: int) -> None:
        super().__init__()
        angle = 2 * math.pi * k * torch.arange(p, dtype=torch.float64) / p
        table = torch.stack([angle.cos(), angle.sin()], dim=1).float()
        self.embed = nn.Parameter(table, requires_grad=False)
        self.sum = nn.Identity()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Numbers ``(trial,)`` -> cos and sin of the turned angle ``(trial, 2)``."""
        (ca, sa), (cb, sb) = self.embed[a].unbind(1), self.embed[b].unbind(1)
        turned: Tensor = self.sum(torch.stack([ca * cb - sa * sb, sa * cb + ca * sb], dim=1))
        return turned


class Clock(nn.Module):
    """logits_c = sum over k of cos(2 pi k (a + b - c) / p), one rotation per frequency."""

    def __init__(self, p: int, frequencies: tuple[int, ...]) -> None:
        super().__init__()
        self.rotations = nn.ModuleDict({f"k{k}": Rotation(p, k) for k in frequencies})
        self.readout = nn.Linear(2 * len(frequencies), p, bias=False)
        with torch.no_grad():
            tables = [r.embed.data for r in self.rotations.values() if isinstance(r, Rotation)]
            self.readout.weight.copy_(torch.cat(tables, dim=1))
        self.requires_grad_(False)

    def forward(self, numbers: Tensor) -> Tensor:
        """a and b ``(trial, 2)`` -> logits of their sum ``(trial, p)``."""
        a, b = numbers.unbind(1)
        logits: Tensor = self.readout(torch.cat([r(a, b) for r in self.rotations.values()], dim=1))
        return logits


def margin(labels: str) -> Score:
    """The logit of the right class minus the largest other one."""

    def fn(outputs: Any, trials: Stimuli) -> Tensor:
        y = outputs.double()
        right = torch.tensor(trials.conditions[labels].tolist())
        right = right.repeat(len(y) // len(right))[:, None].to(y.device)
        others = y.scatter(1, right, -torch.inf).amax(dim=1)
        return torch.as_tensor(y.gather(1, right)[:, 0] - others)

    return Score(fn, "margin", "logits", key=f"margin-{labels}", rowwise=True)


def margin_of(frequencies: tuple[int, ...], p: int = 113) -> float:
    """Smallest lead of the right sum: min over d of sum over k of 1 - cos(2 pi k d / p).

    >>> round(margin_of((17,)), 5), round(margin_of(KEYS), 5)
    (0.00155, 1.17246)
    """
    d = np.arange(1, p)
    return float(sum((1 - np.cos(2 * math.pi * k * d / p) for k in frequencies), np.zeros(p - 1)).min())


def modular_addition(frequencies: tuple[int, ...] = KEYS, p: int = 113, measured: str = "margin", seed: int = 0) -> Toy:
    """logits_c = sum over k of cos(2 pi k (a + b - c) / p), by hand; the players are the frequencies.

    Any one frequency gives the right sum, by a margin of .00155 at p = 113; five of them by 1.172 (Nanda et al. 2023,
    Progress measures for grokking via mechanistic interpretability: those that a trained transformer uses). The naive
    error: accuracy is 1 without any of them, so that single lesions call each useless (``measured="accuracy"``), and
    tuning to a alone, or to b, is flat.

    Raises
    ------
    InputError
        If p is no prime above 2, or frequencies are not different ones of 1 to (p - 1) / 2.
    """
    if p < 3 or any(p % q == 0 for q in range(2, math.isqrt(p) + 1)):
        raise InputError(f"p came as {p}; wanted a prime above 2: else some frequencies take two sums for one")
    half = (p - 1) // 2
    given = tuple(frequencies)
    if (
        not 1 <= len(given) <= MAX_FREQUENCIES
        or len(set(given)) < len(given)
        or not set(given) <= set(range(1, half + 1))
    ):
        raise InputError(
            f"frequencies came as {frequencies}; wanted 1 to {MAX_FREQUENCIES} different ones of 1 to {half}"
        )
    if measured not in ("margin", "accuracy"):
        raise InputError(unknown("measure", measured, ["margin", "accuracy"]))
    rng = np.random.default_rng(seed)
    total = np.repeat(np.arange(p), REPEATS)
    a = rng.integers(0, p, len(total))
    names = [f"rotations.k{k}.sum" for k in given]

    def value(intact: tuple[int, ...]) -> float:
        if measured == "margin":
            return margin_of(tuple(given[i] for i in intact), p)
        return 1.0 if intact else 1 / p

    by_sum = "the right sum leads by sum_k 1 - cos(2 pi k d / p) over the one that is d off, d = 1 .. p - 1"
    source = by_sum if measured == "margin" else "the lead is above 0 with any frequency, and all logits tie without"
    waves: dict[str, float] = {}
    for name, k in zip(names, given):
        for u, (cosine, sine) in enumerate(((1.0, 0.0), (0.0, 1.0))):
            waves |= {f"{name}.{u} frequency": float(k), f"{name}.{u} cos": cosine, f"{name}.{u} sin": sine}
    truth = (
        Truth("waves", waves, None, 1e-6, "units are the cos and sin of 2 pi k (a + b) / p"),
        *enumerated_truths(names, value, 1e-5, source),
    )
    if measured == "accuracy":
        truth = (Truth("accuracy", {"intact": 1.0}, None, 1e-6, source), *truth)
    numbers = np.stack([a, (total - a) % p], axis=1)
    stimuli = _stimuli(numbers, p)
    score = margin("sum") if measured == "margin" else scores.accuracy("sum")
    lesson = "accuracy is 1 without any one frequency, so each looks useless; the margin tells what each is worth"
    labels = stimuli.conditions["label"].to_numpy()
    return Toy("modular_addition", Clock(p, given), stimuli, labels, score, ("rotations.*.sum",), truth, lesson,
               grouped=True, exhaustive=False)  # fmt: skip


def _stimuli(numbers: Array, p: int) -> Stimuli:
    total = numbers.sum(axis=1) % p
    # As text: numbers with many values would be binned by an analysis of tuning.
    # A label of two classes is decoded at once, one of 113 at length.
    upper = (total > p // 2).astype(int)
    conditions = {
        "label": upper, "a": numbers[:, 0], "b": numbers[:, 1], "sum": total, "sum_name": [f"{s:03d}" for s in total],
    }  # fmt: skip
    return Stimuli(torch.as_tensor(numbers), conditions)
