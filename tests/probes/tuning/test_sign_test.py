"""Unequal variances: a test by signs holds its level where exchanged labels do not, and a warning says where."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest

import artiphys as ap
from artiphys.errors import StatisticsError

Draw = Callable[[np.random.Generator, int, float], np.ndarray]


def normal(rng: np.random.Generator, n: int, sd: float) -> np.ndarray:
    return rng.normal(size=(n, 40)) * sd


def rare(rng: np.random.Generator, n: int, share: float) -> np.ndarray:
    """Counts of mean 2, all of them in a share of the trials."""
    return np.where(rng.uniform(size=(n, 40)) < share, rng.poisson(2 / share, size=(n, 40)), 0).astype(float)


def lognormal(rng: np.random.Generator, n: int, sd: float) -> np.ndarray:
    return np.asarray(np.exp(rng.normal(size=(n, 40)) * sd - sd**2 / 2))


def poisson(rng: np.random.Generator, n: int, mean: float) -> np.ndarray:
    return rng.poisson(mean, size=(n, 40)).astype(float)


def drawn(rng: np.random.Generator, draw: Draw, ns: list[int], of_level: list[float]) -> tuple[np.ndarray, np.ndarray]:
    x = np.concatenate([draw(rng, n, v) for n, v in zip(ns, of_level)])
    return x, np.repeat(np.arange(len(ns)), ns)


EIGHT = [25] * 4 + [5] * 4
UNEQUAL: list[tuple[Draw, list[int], list[float]]] = [
    (normal, EIGHT, [1.0] * 4 + [4.0] * 4),
    (rare, EIGHT, [1.0] * 4 + [0.15] * 4),
    (lognormal, [10] * 8, [0.2] * 4 + [1.2] * 4),
]


@pytest.mark.many_runs
@pytest.mark.parametrize(("draw", "ns", "of_level"), UNEQUAL)
def test_signs_hold_the_level_where_exchanged_labels_do_not(draw: Draw, ns: list[int], of_level: list[float]) -> None:
    """Of equal means a permuted Welch's F rejects .21, .82 and .31."""
    rejected: dict[str | None, list[float]] = {None: [], "signs": []}
    warned = 0
    for seed in range(12):
        x, y = drawn(np.random.default_rng(seed), draw, ns, of_level)
        for exchange, rates in rejected.items():
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                t = ap.tuning_curves(x, y, n_permutations=99, seed=seed, exchange=exchange, progress=False)
            assert t.p_value is not None
            rates.append(float((t.p_value <= 0.05).mean()))
            warned += any("variances" in str(w.message) for w in told)
    assert np.mean(rejected[None]) > 0.15 and 0.02 <= np.mean(rejected["signs"]) <= 0.1
    assert warned >= 6


@pytest.mark.parametrize("of_level", [[40, 10], [100, 100]])
def test_skewed_activity_of_unequal_variance_is_told(of_level: list[int]) -> None:
    """Lognormal activity of 40 and 10 trials: p below .05 in .22 of units of equal means, with any test."""
    x, y = drawn(np.random.default_rng(0), lognormal, of_level, [0.3, 1.2])
    with pytest.warns(UserWarning, match="so skewed"):
        ap.tuning_curves(x, y, n_permutations=99, seed=0, progress=False)


FINE: list[tuple[Draw, list[int], list[float]]] = [
    (normal, [10] * 8, [1.0] * 8),
    (lognormal, [10] * 8, [1.0] * 8),
    (poisson, [10] * 8, [1, 2, 4, 8, 4, 2, 1, 1]),
    (poisson, [40, 10], [1, 3]),
]


@pytest.mark.parametrize(("draw", "ns", "of_level"), FINE)
def test_ordinary_data_bring_no_warning_and_no_loss(draw: Draw, ns: list[int], of_level: list[float]) -> None:
    for seed in range(3):
        x, y = drawn(np.random.default_rng(seed), draw, ns, of_level)
        plain, signs = (
            ap.tuning_curves(x, y, n_permutations=199, seed=seed, exchange=e, progress=False) for e in (None, "signs")
        )
        found = [float((t.p_value <= 0.05).mean()) for t in (plain, signs) if t.p_value is not None]
        assert found[1] > found[0] - 0.1


def test_signs_are_those_of_whole_groups() -> None:
    rng = np.random.default_rng(1)
    session = np.arange(160) // 8
    y = (np.arange(20) % 2)[session]
    x = rng.normal(size=(160, 200)) + 2 * rng.normal(size=(20, 200))[session]
    alone, kept = (
        ap.tuning_curves(x, y, n_permutations=199, exchange="signs", groups=g, progress=False) for g in (None, session)
    )
    assert alone.p_value is not None and kept.p_value is not None
    assert float((alone.p_value <= 0.05).mean()) > 0.4 > 0.12 > float((kept.p_value <= 0.05).mean())
    assert "alike within groups" in kept.scheme and "F*" in kept.methods_text()
    with pytest.raises(StatisticsError, match="more groups"):
        ap.tuning_curves(x, y, n_permutations=99, exchange="signs", groups=session // 5)


def test_padding_and_constant_units() -> None:
    rng = np.random.default_rng(2)
    y = np.arange(60) % 3
    x = rng.normal(size=(60, 3)) + 2 * y[:, None]
    x[:, 1] = 0.1
    p = ap.tuning_curves(x, y, n_permutations=99, exchange="signs").p_value
    assert p is not None and p.values.tolist() == [0.01, 1.0, 0.01]
