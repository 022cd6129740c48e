"""Participation ratio, from unbiased estimates of both of its parts, with a jackknife."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from artiphys.array_types import Array

Sums = Array | float


@dataclass(frozen=True)
class Participation:
    """Participation ratio ``(tr C)^2 / tr C^2`` of a covariance C.

    Attributes
    ----------
    corrected : float
        NaN where the estimate of ``tr C^2`` is not above 0.
    naive : float
        Of the sample covariance; never above the number of trials less 1.
    log_stderr : float
        Of the logarithm of the corrected one; NaN where it is.
    n_jackknife : int
        Trials or groups that were left out in turn.
    """

    corrected: float
    naive: float
    log_stderr: float
    n_jackknife: int


def participation_ratio(x: Float[Array, "trial unit"], groups: Array | None = None) -> Participation:
    """Participation ratio of the covariance over trials.

    The sample covariance S of few trials has a ``tr S^2`` that is too large, by about ``(tr C)^2 / n``: of isotropic
    Gaussian noise in p units, the naive ratio is near ``p n / (n + p)``, not p. Here ``tr C^2`` and ``(tr C)^2`` are
    means over four different trials (U-statistics), unbiased for any distribution of independent trials.

    References
    ----------
    Song et al. 2012, Feature selection via dependence maximization, equation 4 (of which ``tr C^2`` is the linear
    case); Gao et al. 2017, A theory of multineuronal dimensionality, dynamics and measurement.
    """
    centred = x - x.mean(axis=0)
    gram = centred @ centred.T
    square = np.diag(gram)
    naive = float(square.sum() ** 2 / (gram**2).sum())
    n = len(x)
    kernel = gram - np.diag(square)
    distance = square[:, None] + square - 2 * gram
    np.fill_diagonal(distance, 0.0)
    k_row, k_square, k_path = kernel.sum(axis=0), (kernel**2).sum(axis=0), kernel @ kernel.sum(axis=0)
    d_row, d_square, d_path = distance.sum(axis=0), (distance**2).sum(axis=0), distance @ distance.sum(axis=0)
    corrected = float(
        _ratio(
            n, k_square.sum(), k_row.sum(), (k_row**2).sum(), d_square.sum(), d_row.sum(), (d_row**2).sum()
        )
    )  # fmt: skip
    if groups is None:
        # Each sum without one trial: its row and column go, and what it added to the others' rows.
        left = _ratio(
            n - 1,
            k_square.sum() - 2 * k_square, k_row.sum() - 2 * k_row, (k_row**2).sum() - k_row**2 - 2 * k_path + k_square,
            d_square.sum() - 2 * d_square, d_row.sum() - 2 * d_row, (d_row**2).sum() - d_row**2 - 2 * d_path + d_square,
        )  # fmt: skip
    else:
        left = np.array([_without(kernel, distance, groups != g) for g in np.unique(groups)])
    m = len(left)
    log_stderr = math.nan
    if np.isfinite(left).all() and (left > 0).all() and corrected > 0:
        logs = np.log(left)
        log_stderr = float(np.sqrt((m - 1) / m * ((logs - logs.mean()) ** 2).sum()))
    return Participation(corrected, naive, log_stderr, m)


def _without(kernel: Array, distance: Array, kept: Array) -> float:
    k, d = kernel[np.ix_(kept, kept)], distance[np.ix_(kept, kept)]
    k_row, d_row = k.sum(axis=0), d.sum(axis=0)
    value = _ratio(
        int(kept.sum()), (k**2).sum(), k_row.sum(), (k_row**2).sum(), (d**2).sum(), d_row.sum(), (d_row**2).sum()
    )
    return float(value)


def _ratio(n: int, k2: Sums, k1: Sums, k_rows: Sums, d2: Sums, d1: Sums, d_rows: Sums) -> Array:
    """From sums over inner products k and squared distances d of different trials: squares, all, squares of rows."""
    trace_of_square = (k2 + k1**2 / ((n - 1) * (n - 2)) - 2 / (n - 2) * k_rows) / (n * (n - 3))
    disjoint = d1**2 - 4 * d_rows + 2 * d2
    square_of_trace = disjoint / 4 / (n * (n - 1) * (n - 2) * (n - 3))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(trace_of_square > 0, square_of_trace / trace_of_square, np.nan))
