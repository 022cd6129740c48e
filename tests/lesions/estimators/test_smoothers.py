"""Smoothers: leave-one-out residuals against refits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from fixtures.benchmarks import calibration

import artiphys as ap
from artiphys.lesions.estimators import smoothers
from artiphys.lesions.estimators.linear_smoothers import kernel_smoother
from artiphys.lesions.estimators.odd_polynomials import Functional, cubic_kernel, cubic_kernel_values, sign
from artiphys.lesions.estimators.pair_designs import Pairs
from artiphys.lesions.estimators.smoothers import _landmarks, _Shrinkage


def test_leave_one_out_residuals_are_those_of_refits() -> None:
    n, design = 8, Pairs(8, "shapley", 1).design(60)
    x, functional = sign(design.intact), Functional.of("shapley", 8)
    even, u = np.ones(n), np.random.default_rng(0).normal(size=60)
    kernel = 3 * cubic_kernel(x, x, even)
    model = kernel_smoother(np.eye(60) + kernel, 3 * cubic_kernel_values(x, functional, even), None)
    fast = model.residuals(u[:, None])[:, 0] / model.diagonal()
    for j in (0, 17, 59):
        others = np.arange(60) != j
        weights = np.linalg.solve(np.eye(59) + kernel[np.ix_(others, others)], u[others])
        assert fast[j] == pytest.approx(u[j] - kernel[j, others] @ weights)


def test_landmarks_bound_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many players and many pairs: the model keeps to a span, and intervals still hold."""
    from artiphys.lesions.estimators import smoothers as smoothing

    monkeypatch.setattr(smoothing, "N_LANDMARKS", 60)
    design = Pairs(14, "shapley", 0).design(200)
    x, functional = sign(design.intact), Functional.of("shapley", 14)
    features, values = _landmarks(x, functional, _Shrinkage(math.inf, 3.0, np.ones(14)))
    assert features.shape == (200, 60) and values.shape == (14, 60)
    line = calibration().calibrated(calibration().digits(9), "shapley", "shrunken", 402, 100)
    assert 0.9 <= line.coverage.mean() <= 0.99


@pytest.mark.parametrize("index", ["shapley", "banzhaf"])
def test_many_players_without_a_table_of_players_by_players(index: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same values and errors with that table and without it."""
    n, rng = 40, np.random.default_rng(0)
    worth = rng.normal(size=n)
    run = {"shapley": ap.shapley, "banzhaf": ap.banzhaf}[index]

    def played() -> ap.Attribution:
        def fn(c: Any) -> Any:
            return c @ worth + 0.05 * c.sum(axis=1) ** 2

        return run(fn, n_players=n, budget=260, method="shrunken", progress=False)

    with_table = played()
    monkeypatch.setattr(smoothers, "MAX_TABLED_PLAYERS", 0)
    without = played()
    np.testing.assert_allclose(without.values, with_table.values, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(without.stderr, with_table.stderr, rtol=1e-6, atol=1e-9)
