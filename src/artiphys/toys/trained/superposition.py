"""Superposition: more features than units, each a direction of its own; relu takes the interference away.

Reference: Elhage et al. 2022, Toy models of superposition.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from artiphys.array_types import Array
from artiphys.errors import InputError, unknown
from artiphys.scores.score import Score
from artiphys.stimuli import Stimuli
from artiphys.toys.enumerated_truths import enumerated_truths
from artiphys.toys.toy import Toy, Truth
from artiphys.toys.trained.stored_weights import read_recipe, read_weights

N_DRAWS = 2000  # trials of sparse features beside those of one feature alone
N_PAIR_TRIALS = 20_000
LEFT_OUT = 0.1  # a feature with a shorter direction is not represented


class Autoencoder(nn.Module):
    """x_hat = relu(W' W x + b), W the directions of the features ``(feature, unit)``."""

    def __init__(self, directions: Tensor, bias: Tensor) -> None:
        super().__init__()
        n, m = directions.shape
        self.hidden, self.restored = nn.Linear(n, m, bias=False), nn.Linear(m, n)
        self.output = nn.ReLU()
        with torch.no_grad():
            self.hidden.weight.copy_(directions.T)
            self.restored.weight.copy_(directions)
            self.restored.bias.copy_(bias)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Features ``(trial, feature)`` -> features restored from the hidden units."""
        y: Tensor = self.output(self.restored(self.hidden(x)))
        return y


def dimensionality(directions: Array) -> Array:
    """D_i = |W_i|^2 / sum_j (What_i . W_j)^2 of directions ``(feature, unit)``: the share of a dimension it has.

    NaN for features that are not represented, which count for the others neither.

    >>> dimensionality(np.array([[1.0], [-1.0]])).tolist(), dimensionality(np.array([[1.0], [0.0]])).tolist()
    ([0.5, 0.5], [1.0, nan])
    """
    length = np.linalg.norm(directions, axis=1)
    there = length >= LEFT_OUT
    kept = directions[there]
    d = np.full(len(directions), np.nan)
    d[there] = length[there] ** 2 / ((kept / length[there, None] @ kept.T) ** 2).sum(axis=1)
    return d


def restoration(importance: tuple[float, ...] | None = None) -> Score:
    """Minus the squared error of the restored features, each weighed by its importance."""

    def fn(outputs: Any, trials: Stimuli) -> Tensor:
        assert isinstance(trials.inputs, Tensor)
        x = trials.inputs.repeat(len(outputs) // len(trials.inputs), 1).to(outputs.device)
        weight = torch.ones(x.shape[1]) if importance is None else torch.tensor(importance)
        return torch.as_tensor(-(((outputs - x).double() ** 2) * weight.to(outputs.device)).sum(dim=1))

    return Score(fn, "restoration", "minus squared error", key=f"restoration-{importance}", rowwise=True)


def superposition(n: int = 5, m: int = 2, p: float = 0.05, seed: int = 0) -> Toy:
    """N features in M units, trained: five in two become a regular pentagon.

    Features are independent, present with probability ``p``, then uniform in 0 to 1. Trained by
    ``python -m artiphys.toys.trained.training.superposition``; the best of twelve seeds is stored. Three features in
    two units and four in three do not become a triangle and a tetrahedron: a pair and dedicated units have the smaller
    error.

    References
    ----------
    Elhage et al. 2022, Toy models of superposition: dimensionality D = |W_i|^2 / sum_j (What_i . W_j)^2.

    The naive error: one unit, one feature; or that there are as many features as the rank of the hidden activity.

    Raises
    ------
    InputError
        If no such network is stored.
    """
    stored, name = read_weights("superposition"), f"n={n} m={m} p={p:g}"
    if f"{name}.bias" not in stored:
        there = sorted({key.rpartition(".")[0] for key in stored})
        raise InputError(f"no network with {name} is stored; there are {'; '.join(there)}")
    source = f"the stored directions in double precision ({read_recipe('superposition')['module']})"
    lesson = f"rank {m} and {m} units, yet {n} features: every unit is tuned to several of them"
    called = "superposition" if (n, m) == (5, 2) else "antipodal_pair" if (n, m) == (2, 1) else f"superposition {name}"
    return _toy(called, stored[f"{name}.directions"], stored[f"{name}.bias"], p, source, lesson, seed)


def antipodal_pair(seed: int = 0) -> Toy:
    """Two features in one unit, trained at p = .2: opposite directions, half a dimension each.

    Only some seeds reach it (Elhage et al. 2022, Toy models of superposition); the best of twelve is stored. The naive
    error: one unit has one preferred feature.
    """
    return superposition(2, 1, 0.2, seed)


def _circle(n: int) -> Array:
    angle = 2 * math.pi * np.arange(n) / n
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _antiprism() -> Array:
    """A square antiprism that is a tight frame: two squares a quarter of their angle apart, at height^2 = 1/3."""
    angle = np.concatenate([np.arange(4) * 0.5, np.arange(4) * 0.5 + 0.25]) * math.pi
    height = np.repeat([1.0, -1.0], 4) / math.sqrt(3)
    wide = math.sqrt(2 / 3)
    return np.stack([wide * np.cos(angle), wide * np.sin(angle), height], axis=1)


SHAPES: dict[str, tuple[Callable[[], Array], float]] = {
    "antipodal": (lambda: np.array([[1.0], [-1.0]]), 1 / 2),
    "triangle": (lambda: _circle(3), 2 / 3),
    "pentagon": (lambda: _circle(5), 2 / 5),
    "tetrahedron": (lambda: np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / math.sqrt(3), 3 / 4),
    "antiprism": (_antiprism, 3 / 8),
}


def polytope(shape: str = "tetrahedron", p: float = 0.05, seed: int = 0) -> Toy:
    """Features as the corners of a regular shape, by hand.

    Shapes are "antipodal", "triangle", "pentagon", "tetrahedron" and "antiprism". Of a tight frame of n unit vectors in
    m dimensions D = m / n (Elhage et al. 2022, Toy models of superposition); the square antiprism is one only if its
    squares lie at height^2 = 1/3. The naive error: one unit, one feature.
    """
    if shape not in SHAPES:
        raise InputError(unknown("shape", shape, list(SHAPES)))
    _probability(p)
    make, share = SHAPES[shape]
    corners = make()
    n, m = corners.shape
    source = f"a tight frame of {n} unit vectors in {m} dimensions: D = {m}/{n}"
    lesson = f"{n} features in {m} units: no unit belongs to one of them"
    bias = torch.zeros(n)
    return _toy("polytope", torch.as_tensor(corners, dtype=torch.float32), bias, p, source, lesson, seed, share)


def _toy(
    name: str, directions: Tensor, bias: Tensor, p: float, source: str, lesson: str, seed: int,
    share: float | None = None,
) -> Toy:  # fmt: skip
    """Each feature alone, then sparse draws; the truths by numpy, or a share of a dimension by formula."""
    n, m = directions.shape
    rng = np.random.default_rng(seed)
    draws = rng.uniform(size=(N_DRAWS, n)) * (rng.uniform(size=(N_DRAWS, n)) < p)
    alone = np.tile(np.eye(n), (2, 1))
    x = torch.as_tensor(np.concatenate([alone, draws]), dtype=torch.float32)
    shown = [f"feature.{i}" for i in range(n)] * 2 + ["sparse draw"] * N_DRAWS
    w, b, inputs = (t.double().numpy() for t in (directions, bias, x))

    def value(intact: tuple[int, ...]) -> float:
        kept = w[:, list(intact)]
        return -float((np.square(np.maximum(inputs @ kept @ kept.T + b, 0) - inputs)).sum(axis=1).mean())

    d = dimensionality(w) if share is None else np.full(n, share)
    expected = {f"feature.{i}": float(d[i]) for i in range(n) if not np.isnan(d[i])}
    units = [f"hidden.{u}" for u in range(m)]
    means = {f"hidden.{u} to feature.{i}": float(w[i, u]) for u in range(m) for i in range(n)}
    truth = (
        Truth("tuning", means, None, 1e-6, "each feature is shown alone, so that a unit has its weight from it"),
        Truth("dimensionality", expected, None, 1e-5, source),
        *enumerated_truths(units, value, 1e-6, "squared error of relu(W' W x + b), units left out of W"),
    )
    labels = np.array(shown)
    return Toy(name, Autoencoder(directions, bias), Stimuli(x, {"shown": shown}), labels, restoration(), ("hidden",),
               truth, lesson, exhaustive=False)  # fmt: skip


def feature_pair(layout: str = "superposed", p: float = 0.3, importance: float = 1.0, seed: int = 0) -> Toy:
    """Two features and one unit, by hand: both in it as opposites, or the first one alone.

    "superposed" (W = (1, -1), b = 0) errs where both features are there, (1 + I) p^2 / 6 on average; "dedicated"
    (W = (1, 0), b = (0, p/2)) errs on the second, I (p/3 - p^2/4). Superposition is the better of these two where
    p < 4 I / (2 + 5 I) (derived here; the setting is that of Elhage et al. 2022, Toy models of superposition). With
    weights and bias free it stays best for longer. The naive error: a unit that is active for two features confuses
    them.
    """
    if layout not in ("superposed", "dedicated"):
        raise InputError(unknown("layout", layout, ["superposed", "dedicated"]))
    _probability(p)
    if not importance > 0:
        raise InputError(f"importance came as {importance}; wanted more than 0, that of the first feature is 1")
    rng = np.random.default_rng(seed)
    size = (N_PAIR_TRIALS, 2)
    x = rng.uniform(size=size) * (rng.uniform(size=size) < p)
    if layout == "superposed":
        w, b = [[1.0], [-1.0]], [0.0, 0.0]
        intact, silent = (1 + importance) * p**2 / 6, (1 + importance) * p / 3
        spread = (1 + importance) * p / math.sqrt(15)
        source = "both there: the smaller one is lost and the larger one too small by it, E[min^2] = 1/6"
    else:
        w, b = [[1.0], [0.0]], [0.0, p / 2]
        intact = importance * (p / 3 - p**2 / 4)
        silent, spread = intact + p / 3, importance * math.sqrt(p / 5)
        source = "the variance of the second feature, p/3 - p^2/4; without the unit also E[x^2] of the first, p/3"
    power = math.sqrt((1 + importance**2) * p / 5 + 2 * importance * p**2 / 9)  # root mean square of x1^2 + I x2^2
    error, doubt = 4 * spread / math.sqrt(N_PAIR_TRIALS), 4 * power / math.sqrt(N_PAIR_TRIALS)
    effect = {"hidden.0": silent - intact}
    truth = (
        Truth("value", {"hidden.0": -intact}, "zero", error, source),
        Truth("single_lesions", effect, "zero", doubt, source),
        Truth("shapley", effect, "zero", doubt, source),
    )
    shown = x.argmax(axis=1)
    lesson = "one unit carries two features; which of them it is tuned to depends on the sign"
    model = Autoencoder(torch.tensor(w), torch.tensor(b))
    stimuli = Stimuli(torch.as_tensor(x, dtype=torch.float32), {"larger": shown})
    return Toy("feature_pair", model, stimuli, shown, restoration((1.0, importance)), ("hidden",), truth, lesson,
               exhaustive=False)  # fmt: skip


def _probability(p: float) -> None:
    if not 0 < p <= 1:
        raise InputError(f"p came as {p}; wanted a probability above 0, at most 1")
