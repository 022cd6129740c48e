"""Intervals of a ratio of two means over the same trials (Fieller), and what they say of a band."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from scipy import stats as scipy_stats

from artiphys.array_types import Array


def fieller(
    numerator: Float[Array, " trial"], denominator: Float[Array, " trial"], confidence: float
) -> tuple[float, float]:
    """Interval of mean(numerator) / mean(denominator), whose values belong together trial by trial.

    It holds all ratios r for which a t-test does not reject that the mean of ``numerator - r * denominator`` is 0; it
    is unbounded where the denominator does not differ from 0.

    References
    ----------
    Fieller 1954, Some problems in interval estimation.

    >>> low, high = fieller(np.array([1.0, 2.1, 2.9, 2.0, 2.4]), np.array([2.0, 4.0, 6.5, 4.1, 5.0]), 0.95)
    >>> round(float(low), 2), round(float(high), 2)
    (0.45, 0.55)
    """
    n = len(numerator)
    if n < 2:
        return -math.inf, math.inf
    t = float(scipy_stats.t.ppf(0.5 + confidence / 2, n - 1)) ** 2 / n
    covariance = np.cov(numerator, denominator)
    a, b = float(numerator.mean()), float(denominator.mean())
    square = b * b - t * covariance[1, 1]
    if square <= 0:
        return -math.inf, math.inf
    middle = a * b - t * covariance[0, 1]
    root = math.sqrt(max(middle**2 - square * (a * a - t * covariance[0, 0]), 0.0))
    return float((middle - root) / square), float((middle + root) / square)


def paired_p(differences: Float[Array, "*test trial"]) -> Float[Array, "*test"]:
    """Two-sided p of a t-test of each mean against 0; 0 or 1 where all trials agree."""
    n = differences.shape[-1]
    mean = differences.mean(axis=-1)
    stderr = differences.std(axis=-1, ddof=1) / math.sqrt(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * scipy_stats.t.sf(np.abs(mean) / stderr, n - 1)
    flat = stderr <= 1e-12 * np.abs(mean)
    return np.asarray(np.where(flat, np.where(mean == 0, 1.0, 0.0), p))
