"""Populations with types and without: a continuum, two clusters, and an index that makes types of one continuum."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor, nn

from artiphys import scores
from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.stimuli import Stimuli
from artiphys.toys.reading.populations import poisson_counts
from artiphys.toys.reading.readouts import CodeNet, counted, four_errors, lesion_truths, units_of
from artiphys.toys.toy import Toy, Truth, linear

FEATURES = 5


def continuum(n_units: int = 500, seed: int = 0) -> Toy:
    """Tuning to five stimuli from one elongated Gaussian: its spread is 5 for the first, 1 for the others.

    Source: Liu et al. 2008, Statistical significance of clustering for high-dimension, low-sample size data: types are
    believed where clusters are tighter than those of one Gaussian of the same covariance.
    The naive error: two clusters have a silhouette of .43, more than two true types have; a t-test between the
    clusters, on the tuning that made them, is significant beyond all doubt. (A test at .05 finds types in one of
    twenty such clouds.)
    """
    n_units = counted("n_units", n_units, 100, even=True)
    tuning = np.random.default_rng(seed).normal(size=(n_units, FEATURES)) * [5, 1, 1, 1, 1]
    lesson = (
        "by silhouette a continuum (.43) has clearer types than two true types (.38); against one Gaussian it has none"
    )
    return _cloud("continuum", tuning, {"types": 1.0}, 0.0, lesson)


def clusters(separation: float = 4.0, n_units: int = 500, seed: int = 0) -> Toy:
    """Tuning to five stimuli from two Gaussians whose means differ by ``separation`` for the first stimulus.

    Units of even and odd number are of the one and the other type. A line between the means tells them apart with
    Phi(separation / 2).

    Source: Liu et al. 2008, as for the continuum.
    The naive error: a silhouette of .38, less than that of one elongated cloud.
    """
    n_units = counted("n_units", n_units, 500, even=True)
    if not separation >= 4:
        raise InputError(f"separation came as {separation}; wanted 4 or more, where 500 units show the valley")
    tuning = np.random.default_rng(seed).normal(size=(n_units, FEATURES))
    tuning[:, 0] += separation * (np.arange(n_units) % 2 - 0.5)
    right = float(norm.cdf(separation / 2))
    found = {"types": 2.0, "odd units in one type": right, "even units in one type": right, "smaller type": 0.5}
    lesson = "two types have a lower silhouette (.38) than one elongated cloud (.43), and pass where that fails"
    return _cloud("clusters", tuning, found, four_errors(n_units // 2, right), lesson)


def _cloud(name: str, tuning: Array, found: dict[str, float], tolerance: float, lesson: str) -> Toy:
    """A network that tells the first of five stimuli by half of its units, each quarter of which suffices."""
    n_units = len(tuning)
    tuning = tuning.astype(np.float32)
    x = np.eye(FEATURES, dtype=np.float32)
    half, quarter = n_units // 2, n_units // 4
    weights = np.where(np.arange(n_units) < half, tuning[:, 0], 0.0)
    bias = -0.25 * float(weights @ tuning[:, 0])  # of what the first stimulus gives with both quarters
    first = np.r_[1, np.zeros(FEATURES - 1, dtype=np.int64)]
    groups = {"one quarter": range(quarter), "another quarter": range(quarter, half),
              "unread half": range(half, n_units)}  # fmt: skip
    truth = (
        Truth("accuracy", {"intact": 1.0}, None, 0.0, "each unit is read by its own tuning to the first stimulus"),
        Truth("cell types", found, None, tolerance, "how the units were drawn"),
        *lesion_truths(tuning.T.astype(float) * weights, first, groups, bias),
    )
    net = CodeNet(linear(tuning.tolist(), [0.0] * n_units), weights, bias)
    stimuli = Stimuli(torch.as_tensor(x), {"stimulus": np.arange(FEATURES), "first": first})
    return Toy(name, net, stimuli, first, scores.accuracy("first", threshold=0.0), ("hidden",), truth, lesson,
               connections=units_of(groups))  # fmt: skip


class TwoRates(nn.Module):
    """Poisson counts of units to two stimuli, by inversion of uniform noise."""

    rates: Tensor

    def __init__(self, rates: Array) -> None:
        super().__init__()
        self.register_buffer("rates", torch.as_tensor(rates, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        """Stimulus, one-hot, and a uniform noise for each unit -> counts ``(trial, unit)``."""
        return poisson_counts(x[:, :2] @ self.rates.T, x[:, 2:])


def index_pileup(rate: float = 1.0, n_units: int = 2000, seed: int = 0) -> Toy:
    """Units of graded preference for one of two stimuli, seen through few counts.

    Log-preferences p are N(0, 1); a unit gives Poisson counts of mean ``rate`` exp(+-p / 2), one trial of each
    stimulus. The readout weighs units by the sign of p; the last quarter of them is not read.

    Source: by hand. A unit that is active has an index (a - b) / (a + b) of +-1 where one of its counts is 0:
    (exp(-m) + exp(-n) - 2 exp(-m - n)) / (1 - exp(-m - n)) of units, numerator and denominator averaged over p.
    The naive error: 58 % of indices lie at +-1 and look like two types, of units from one unimodal continuum.
    """
    n_units = counted("n_units", n_units, 200)
    if not 0 < rate <= 100:
        raise InputError(f"rate came as {rate}; wanted above 0, up to 100 counts")
    rng = np.random.default_rng(seed)
    preference = rng.normal(size=n_units)
    rates = (rate * np.exp(np.outer(preference, [0.5, -0.5]))).astype(np.float32)
    x = np.hstack([np.eye(2), rng.random((2, n_units))]).astype(np.float32)
    counts = poisson_counts(torch.as_tensor(rates.T.copy()), torch.as_tensor(x[:, 2:])).numpy().astype(float)
    read = n_units - n_units // 4
    weights = np.where(np.arange(n_units) < read, np.sign(preference), 0.0)
    label = np.array([1, 0])
    halves = {"prefer a": np.flatnonzero(weights > 0).tolist(), "prefer b": np.flatnonzero(weights < 0).tolist(),
              "unread": list(range(read, n_units))}  # fmt: skip
    points, mass = np.polynomial.hermite_e.hermegauss(80)
    m, n = rate * np.exp(points / 2), rate * np.exp(-points / 2)
    active = mass @ (1 - np.exp(-m - n)) / mass.sum()
    piled = float(mass @ (np.exp(-m) + np.exp(-n) - 2 * np.exp(-m - n)) / mass.sum() / active)
    error = 4 * math.sqrt(max(piled * (1 - piled), 1 / n_units) / (n_units * active))
    truth = (
        Truth("accuracy", {"intact": 1.0}, None, 0.0, "of hundreds of units most give more to what they prefer"),
        Truth("contrast indices", {"share at +-1": piled, "types": 1.0}, None, error, "one count of two is 0"),
        *lesion_truths(counts * weights, label, halves),
    )
    stimuli = Stimuli(torch.as_tensor(x), {"stimulus": ["a", "b"], "is a": label})
    lesson = "few counts pile an index up at +-1, 58 % of units, and a continuum looks like two types"
    return Toy("index_pileup", CodeNet(TwoRates(rates), weights), stimuli, label,
               scores.accuracy("is a", threshold=0.0), ("hidden",), truth, lesson, exhaustive=False,
               connections=units_of(halves))  # fmt: skip
