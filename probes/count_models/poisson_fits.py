"""Poisson regressions by scikit-learn, and their deviance on trials that were left out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from scipy.special import xlogy
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import PoissonRegressor

from artiphys.array_types import Array
from artiphys.errors import StatisticsError


def fitted(design: Float[Array, "trial column"], counts: Float[Array, " trial"], penalty: float) -> PoissonRegressor:
    """A fitted regression.

    Raises
    ------
    StatisticsError
        If the fit does not converge.
    """
    with config_context(assume_finite=True, skip_parameter_validation=True):  # checked once for thousands of fits
        for solver in ("newton-cholesky", "lbfgs"):  # the second where the first stops short, as it does at an optimum
            model = PoissonRegressor(alpha=penalty, solver=solver, max_iter=2000, tol=1e-6)
            with warnings.catch_warnings():
                warnings.simplefilter("error", ConvergenceWarning)
                try:
                    return model.fit(design, counts)
                except ConvergenceWarning:
                    continue
    raise StatisticsError(
        "a Poisson regression did not converge, as where predictors determine each other or a value never saw a spike; "
        f"use a larger penalty than {penalty:g}, or fewer predictors"
    )


def deviance(counts: Array, expected: Array) -> float:
    """Poisson deviance, summed over trials."""
    return float(2 * (xlogy(counts, counts) - xlogy(counts, expected) - counts + expected).sum())


def deviances(design: Array, counts: Array, fold: Array, penalty: float) -> Float[Array, " fold"]:
    """Deviance of each fold by a model of the others; of the mean of the others where there are no columns."""
    return np.array(
        [
            deviance(counts[~train], _expected(design[train], counts[train], design[~train], penalty))
            for train in trainings(fold)
        ]
    )


def trainings(fold: Array) -> Iterator[Array]:
    """Training trials of each fold: boolean ``(trial,)``."""
    return (fold != f for f in range(fold.max() + 1))


def _expected(design: Array, counts: Array, test: Array, penalty: float) -> Array:
    if not design.shape[1]:
        return np.full(len(test), counts.mean())
    # Far outside of what was seen the exponential overflows; no rate is believed above 100 times the largest count.
    most = 100 * max(1.0, float(counts.max()))
    return np.asarray(np.clip(fitted(design, counts, penalty).predict(test), 1e-12, most))


def folds_of(n: int, k: int, groups: Array | None, seed: int) -> Array:
    """Fold of each trial ``(trial,)``: at random, groups whole, as even as they can be.

    Raises
    ------
    StatisticsError
        If there are fewer trials or groups than folds.
    """
    rng = np.random.default_rng(seed)
    unit = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(unit)
    if len(sizes) < k:
        what = "trials" if groups is None else "groups"
        raise StatisticsError(f"{len(sizes)} {what} came for cv={k} folds; use fewer folds")
    fold_of = np.empty(len(sizes), dtype=np.int64)
    filled = np.zeros(k)
    order = rng.permutation(len(sizes))
    for i in order[np.argsort(-sizes[order], kind="stable")]:  # the largest first, each to the emptiest fold
        fold_of[i] = int(filled.argmin())
        filled[fold_of[i]] += sizes[i]
    return np.asarray(fold_of[unit])
